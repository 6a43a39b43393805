"""`lambdas ready`: what keeps functions from a newer Python, by a real index and their code."""

import re
from typing import Any

import pytest

from buildlib.commands.ready import answer as command
from buildlib.runtimes import RUNTIMES
from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer

MANIFEST = "version: 1\ndefaults: {python: '3.12'}\nlambdas:\n  api: {handler: app.handler}\n"
OLD, NEW = "cp312-cp312-manylinux_2_17_x86_64", "cp314-cp314-manylinux_2_17_x86_64"


@pytest.fixture
def pinned(repository: Repository, index: Index) -> Repository:
    """Give a function that is locked to `gamma` 1.0, which has a wheel for Python 3.12 only."""
    index.add("gamma", "1.0", tag=OLD)
    index.add("alpha")
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas.yaml": MANIFEST, "lambdas/api/requirements.txt": "alpha\ngamma\n"})
    repository.lambdas("lock")
    return repository


def asked(repository: Repository, *names: str, code: int | None) -> dict[str, Any]:
    """Return the answer for Python 3.14."""
    return answer(repository.lambdas("ready", "3.14", *names, "--json", code=code).output)


def blockers(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pins that block, of all locks."""
    return [one for lock in found["locks"] for one in lock["blockers"]]


REASON = "has wheels for CPython 3.12"
EXCLUDING = "Metadata-Version: 2.1\nName: eta\nVersion: 1.0\nRequires-Python: >=3.9,<3.14\n"


def test_nothing_newer(pinned: Repository) -> None:
    """A pin without a wheel blocks, and that no newer version has one is said."""
    found = asked(pinned, code=1)
    assert blockers(found) == [
        {"name": "gamma", "version": "1.0", "reason": REASON, "newer": "", "fits": False}
    ]
    assert (found["ready"], found["not_ready"]) == ([], ["api"])


def test_a_newer_version_that_fits(pinned: Repository, index: Index) -> None:
    """The version that a lock would take comes true when the function moves."""
    index.add("gamma", "2.0", tag=NEW)
    (blocker,) = blockers(asked(pinned, code=1))
    assert (blocker["reason"], blocker["newer"], blocker["fits"]) == (REASON, "2.0", True)
    pinned.write({"lambdas.yaml": MANIFEST.replace("3.12", "3.14")})
    assert "Updated gamma 1.0 -> 2.0" in pinned.lambdas("lock").output
    assert asked(pinned, code=0)["there"] == ["api"]


def test_a_newer_version_that_the_requirements_exclude(pinned: Repository, index: Index) -> None:
    """A wheel outside of the requirements is named as such."""
    index.add("gamma", "2.0", tag=NEW)
    pinned.write({"lambdas/api/requirements.txt": "alpha\ngamma<2\n"})
    pinned.lambdas("lock")
    done = pinned.lambdas("ready", "3.14", code=1)
    assert done.output.splitlines()[:3] == [
        "0 of 1 ZIPs are ready for Python 3.14, 1 is not ready",
        "lambdas/api/requirements.lock on x86_64 (of api):",
        f"  gamma 1.0 {REASON}; 2.0 has a wheel, but the lock or its requirements exclude it",
    ]


def test_a_wheel_that_came_later(pinned: Repository, index: Index) -> None:
    """A release that has got a wheel since it was locked is ready, at the pinned version."""
    index.add("gamma", "1.0", tag=NEW)
    index.add("gamma", "2.0", tag=NEW)
    assert asked(pinned, code=0)["ready"] == ["api"]


def test_a_new_dependency_that_conflicts(pinned: Repository, index: Index) -> None:
    """Where no pin is at fault, the answer is the resolver's own message."""
    index.add("delta", requires=("missing; python_version >= '3.14'",))
    pinned.write({"lambdas/api/requirements.txt": "delta\n"})
    pinned.lambdas("lock")
    (lock,) = asked(pinned, code=1)["locks"]
    assert lock["blockers"] == []
    assert "failed to resolve dependencies for Python 3.14" in lock["conflict"]
    assert "missing" in lock["conflict"]


def test_a_thousand_times_the_same_lock(pinned: Repository) -> None:
    """Functions with equal locks are asked about once, wherever the lockfiles are."""
    pinned.lambdas("ready", "3.14", code=1)
    log = pinned.root / "build/logs/ready-pins.log"
    runs = log.read_text().count("\n$ uv ")
    names = [f"f{number}" for number in range(12)]
    pinned.write({
        "lambdas.yaml": MANIFEST + "".join(f"  {n}: {{handler: app.handler}}\n" for n in names),
        **{f"lambdas/{name}/app.py": HANDLER for name in names},
        **{f"lambdas/{name}/requirements.txt": "alpha\ngamma\n" for name in names},
    })  # fmt: skip
    pinned.lambdas("lock")
    found = asked(pinned, code=1)
    assert len(found["not_ready"]) == 13
    assert len(found["locks"]) == 1
    assert log.read_text().count("\n$ uv ") == runs


def test_an_author_who_excludes_it(pinned: Repository, index: Index) -> None:
    """An upper bound in Requires-Python blocks once a ZIP is built, since uv passes over it."""
    index.add("gamma", "1.0", tag=NEW)
    index.add("eta", files={"eta.py": "", "eta-1.0.dist-info/METADATA": EXCLUDING})
    pinned.write({"lambdas/api/requirements.txt": "eta\ngamma\n"})
    pinned.lambdas("build")
    (blocker,) = blockers(asked(pinned, code=1))
    assert blocker["name"] == "eta"
    assert blocker["reason"] == "excludes Python 3.14 (Requires-Python: >=3.9,<3.14)"


def test_own_code(repository: Repository) -> None:
    """Removed modules block with file and line, unless guarded, own, or brought back."""
    code = (
        "import json\nimport cgi\ntry:\n    import imp\nexcept ImportError:\n    imp = None\n"
        f"import telnetlib\n\n\n{HANDLER}    from distutils.core import setup\n"
    )
    repository.write({
        "lambdas.yaml": MANIFEST.replace("3.12", "3.11"),
        "lambdas/api/app.py": code,
        "lambdas/api/telnetlib.py": "",
    })  # fmt: skip
    (one,) = asked(repository, code=1)["code"]
    assert one["problems"] == [
        "lambdas/api/app.py:2: import of 'cgi': Python 3.14 no longer has this module",
        "lambdas/api/app.py:12: import of 'distutils': Python 3.14 no longer has this module",
    ]


def test_modules_that_a_package_brings_back(repository: Repository, index: Index) -> None:
    """A requirement such as legacy-cgi makes a removed module no problem."""
    index.add("legacy_cgi", files={"cgi.py": ""})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/app.py": f"import cgi\n{HANDLER}",
        "lambdas/api/requirements.txt": "legacy-cgi; python_version >= '3.13'\n",
    })  # fmt: skip
    repository.lambdas("lock")
    assert asked(repository, code=0)["ready"] == ["api"]


def test_no_answer(pinned: Repository, index: Index) -> None:
    """Without the index the pins are unknown, never ready, and the exit code is another."""
    pinned.environment["UV_INDEX_URL"] = "http://127.0.0.1:9/simple"
    done = pinned.lambdas("ready", "3.14", code=2)
    assert "0 of 1 ZIPs are ready for Python 3.14, 1 not known, because the index" in done.output
    assert "127.0.0.1:9" in done.output
    found = asked(pinned, code=2)
    assert (found["ready"], found["not_ready"], found["unknown"]) == ([], [], ["api"])
    pinned.environment["UV_INDEX_URL"] = index.url
    pinned.environment["UV_OFFLINE"] = "1"
    pinned.environment["UV_CACHE_DIR"] = str(pinned.root / "empty")
    assert asked(pinned, code=2)["unknown"] == ["api"]


def test_a_missing_lock(pinned: Repository) -> None:
    """A function without its lockfile is an error that names the command, and is not ready."""
    (pinned.root / "lambdas/api/requirements.lock").unlink()
    found = asked(pinned, code=2)
    assert (found["not_ready"], found["unknown"]) == ([], ["api"])
    (one,) = found["errors"]
    assert re.search(r"requirements\.lock: missing; run 'lambdas lock api'", one["error"])


def test_an_unknown_python(pinned: Repository) -> None:
    """A Python that Lambda does not have is a mistake on the command line, with those it has."""
    done = pinned.lambdas("ready", "3.9", code=2)
    assert "'3.9' is not one of '3.10', '3.11'" in done.errors


def test_dates() -> None:
    """A runtime's state follows its dates, day by day; the dates are those of AWS."""
    runtime = RUNTIMES["3.10"]
    days = ("2026-10-30", "2026-10-31", "2027-02-01", "2027-03-02", "2027-03-03")
    assert [command.state(runtime, day) for day in days] == [
        "supported", "deprecated", "no new functions", "no new functions", "no updates",
    ]  # fmt: skip
    assert command.state(RUNTIMES["3.15"], "2026-11-29") == "preview"


def test_bytecode(repository: Repository) -> None:
    """A preview has no bytecode, and another Python needs a pinned compiler."""
    manifest = MANIFEST.replace("app.handler", "app.handler, bytecode: true, compiler: 3.12.1")
    repository.write({"lambdas.yaml": manifest})
    done = repository.lambdas("ready", "3.15", code=1)
    assert "0 of 1 ZIPs are ready for Python 3.15, 1 is not ready" in done.output
    assert "bytecode of api:\n  no bytecode for Python 3.15, whose format may" in done.output
    found = asked(repository, code=0)
    (need,) = found["bytecode"]
    assert found["ready"] == [need["id"]] == ["api"]
    assert not need["blocks"]
    assert "needs a pinned CPython 3.14" in need["text"]
    assert need["text"].endswith("and add its full version to 'compiler'")
    repository.write({"lambdas.yaml": manifest.replace("3.12.1", "[3.12.1, 3.14.99]")})
    (need,) = asked(repository, code=0)["bytecode"]
    assert need["text"].startswith("needs CPython 3.14.99, which is not here")
    repository.write({
        "lambdas.yaml": MANIFEST.replace("app.handler", "app.handler, bytecode: true"),
        "lambdas/api/requirements.txt": "",
    })  # fmt: skip
    (need,) = asked(repository, code=None)["bytecode"]
    assert "'lambdas lock' pins it" in need["text"]
    repository.write({"lambdas.yaml": MANIFEST})
    assert not repository.lambdas("ready", "3.15", code=None).output.count("bytecode")
