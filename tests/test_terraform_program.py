"""`lambdas external`, as the `external` data source starts it, and `doit record`."""

import json
import re
import shutil
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.conftest import HANDLER, Index, Repository
from tests.test_store import clone

APP = "lambdas/api/app.py"
RECORD = "lambdas.hashes.json"
NOWHERE = "http://127.0.0.1:9/there-is-no-index-here"


def start(repository: Repository) -> "subprocess.Popen[str]":
    """Start the program in the repository."""
    return subprocess.Popen(
        [sys.executable, "-m", "buildlib", "external"],
        cwd=repository.root,
        env=repository.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(repository: Repository, query: object, code: int = 0) -> tuple[dict[str, str], str]:
    """Return the answer and stderr; on an error, stdout must be empty."""
    process = start(repository)
    text = query if isinstance(query, str) else json.dumps(query)
    output, errors = process.communicate(text, timeout=120)
    assert process.returncode == code, output + errors
    assert "Traceback" not in errors
    if code:
        assert output == ""
        assert errors
        return {}, errors
    answer = json.loads(output)  # one object, and nothing else
    assert all(isinstance(value, str) for value in answer.values())
    return answer, errors


def recorded(repository: Repository) -> dict[str, Any]:
    """Return the committed hashes."""
    return dict(json.loads((repository.root / RECORD).read_text()))


def test_it_builds_what_is_asked_for(dependent: Repository) -> None:
    """One variant is built from scratch, and no other; the answer is its index entry."""
    answer, errors = ask(dependent, {"id": "api"})
    assert errors == ""
    dependent.sha256()
    index = dependent.index()
    assert index.keys() == {"api"}
    assert answer == {
        "id": "api",
        "lambda": "api",
        "handler": "app.handler",
        "runtime": "python3.13",
        "architecture": "x86_64",
        "path": "dist/api.zip",
        "sha256": index["api"]["sha256"],
        "source_code_hash": index["api"]["source_code_hash"],
    }


def test_doit_and_the_program_agree(dependent: Repository) -> None:
    """Builds of the program are up to date for doit, and builds of doit for the program."""
    answer, _ = ask(dependent, {})
    assert {task.partition(":")[0] for task in dependent.doit().ran} <= {"index"}
    entries = {name: json.loads(text) for name, text in answer.items()}
    hashes = {name: entry["sha256"] for name, entry in entries.items()}
    assert hashes == dependent.sha256()
    dependent.write({APP: HANDLER + "# edited\n"})
    dependent.doit()
    before = (dependent.root / "dist/api.zip").stat()
    ask(dependent, {"id": "api"})
    after = (dependent.root / "dist/api.zip").stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


def test_some_variants(dependent: Repository) -> None:
    """`ids` names several variants; each value is an index entry as JSON text."""
    answer, _ = ask(dependent, {"ids": "api jobs-py3.12-x86_64"})
    assert answer.keys() == {"api", "jobs-py3.12-x86_64"} == dependent.index().keys()
    assert json.loads(answer["jobs-py3.12-x86_64"])["runtime"] == "python3.12"


def test_another_root(dependent: Repository) -> None:
    """`root` is relative to the folder in which Terraform runs."""
    infra = Repository(dependent.root / "infra", dependent.environment)
    infra.root.mkdir()
    answer, _ = ask(infra, {"id": "api", "root": ".."})
    assert answer["path"] == "dist/api.zip"
    assert (dependent.root / "dist/api.zip").exists()


def test_many_at_once(dependent: Repository) -> None:
    """Ten calls at once on a clean checkout, some for the same variant, get the same answers."""
    ids = ["api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"]
    processes = [(ids[number % 3], start(dependent)) for number in range(10)]
    answers: dict[int, str] = {}

    def collect(number: int, name: str, process: "subprocess.Popen[str]") -> None:
        output, errors = process.communicate(json.dumps({"id": name}), timeout=200)
        assert not process.returncode, errors
        answers[number] = output

    threads = [
        threading.Thread(target=collect, args=(number, name, process))
        for number, (name, process) in enumerate(processes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 10
    built = dependent.sha256()
    for answer in map(json.loads, answers.values()):
        assert answer["sha256"] == built[answer["id"]]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "not JSON"),
        ("[]", "must be a JSON object whose values are strings"),
        ('{"id": 1}', "must be a JSON object whose values are strings"),
        ({"idd": "api"}, r"unknown key 'idd' \(did you mean 'id'\?\)"),
        ({"id": "apis"}, "declares no 'apis'; these are its variants: api, jobs-py3.12-x86_64"),
        ({"id": "api", "ids": "api"}, "both 'id' and 'ids'"),
        ({"plan": "yes"}, "expected true or false, found 'yes'"),
        ({"source_code_hash": "x"}, "needs an 'id'"),
        ({"id": "api", "root": "nowhere"}, "lambdas.yaml"),
        ({"id": "api", "source_code_hash": "x"}, "was planned with source_code_hash x"),
    ],
)
def test_errors(dependent: Repository, query: object, said: str) -> None:
    """An invalid query gives a message on stderr, an exit code and nothing on stdout."""
    _, errors = ask(dependent, query, code=3 if "nowhere" in str(query) else 1)
    assert re.search(said, errors)


def test_errors_of_the_build(dependent: Repository) -> None:
    """A failed build gives the same, with the same words as from doit."""
    dependent.write({APP: "def other(): ...\n"})
    _, errors = ask(dependent, {"id": "api"}, code=1)
    assert errors.strip().removeprefix("error: ") in dependent.doit(
        "zip:api", code=None
    ).output.replace("\n\t", "\n")


# -- the record ------------------------------------------------------------------------------------


def test_a_plan_without_a_build(dependent: Repository, index: Index) -> None:
    """On a clean checkout, without an index, the recorded answer equals that of a build."""
    dependent.doit("record")
    built, _ = ask(dependent, {})
    runner = clone(dependent, "runner")
    runner.environment |= {"UV_INDEX_URL": NOWHERE, "CI": "true"}
    index.requests.clear()
    assert ask(runner, {"plan": "true"})[0] == built
    assert not (runner.root / "dist").exists()
    assert not (runner.root / "build/env").exists()
    assert index.requests == []


def test_a_plan_of_changed_inputs_builds(dependent: Repository) -> None:
    """Variants whose inputs differ from the recorded ones are built, and only those."""
    dependent.doit("record")
    runner = clone(dependent, "runner")
    runner.write({APP: HANDLER + "# edited\n"})
    answer, _ = ask(runner, {"plan": "true"})
    assert runner.index().keys() == {"api"}
    entry = json.loads(answer["api"])
    assert entry["sha256"] == runner.sha256()["api"] != recorded(runner)["api"]["sha256"]


def test_the_record_is_reproducible(dependent: Repository) -> None:
    """Another checkout writes the same bytes; an up-to-date file is left alone."""
    dependent.doit("record")
    text = (dependent.root / RECORD).read_bytes()
    assert recorded(dependent).keys() == dependent.sha256().keys()
    assert dependent.doit("record").ran == []
    other = clone(dependent, "other")
    (other.root / RECORD).unlink()
    other.doit("record")
    assert (other.root / RECORD).read_bytes() == text
    hashes = {name: entry["sha256"] for name, entry in recorded(other).items()}
    assert hashes == other.sha256()


def test_what_changed_in_the_record(dependent: Repository) -> None:
    """The last line says what became of the file, by `lambdas` and by doit."""
    name = "lambdas.hashes.json"
    dependent.doit()
    count = len(dependent.index())
    for run in (dependent.lambdas, dependent.doit):
        (dependent.root / name).unlink(missing_ok=True)
        lines = run("record").output.splitlines()
        assert lines[-1] == f"{name}: written, with {count} entries"
        assert run("record").output.splitlines()[-1] == f"{name}: up to date"
        dependent.write({APP: f"# {run.__name__}\n{HANDLER}"})
        assert run("record").output.splitlines()[-1] == f"{name}: 1 entry changed: api"
        record = (dependent.root / name).read_text()
        (dependent.root / name).write_text(record.replace("  ", "    "))
        last = run("record").output.splitlines()[-1]
        assert last == f"{name}: written again in its usual form"


def test_doit_does_not_record(dependent: Repository) -> None:
    """Without a request, nothing is recorded."""
    dependent.doit()
    assert not (dependent.root / RECORD).exists()


def test_a_stale_record_in_ci(dependent: Repository) -> None:
    """With CI set, the hashes are compared and not written, so an outdated commit fails."""
    dependent.doit("record")
    assert dependent.doit("record", CI="true").ran == []
    text = (dependent.root / RECORD).read_bytes()
    dependent.write({APP: HANDLER + "# edited\n"})
    done = dependent.fails("record", CI="true")
    assert "out of date for api. CI is set, so it was not written" in done.output
    assert (dependent.root / RECORD).read_bytes() == text
    dependent.doit("record")
    assert recorded(dependent)["api"]["sha256"] == dependent.sha256()["api"]


@pytest.fixture
def lying(dependent: Repository) -> Repository:
    """Give a clean checkout whose committed hash for `api` differs from a build's."""
    dependent.doit("record")
    runner = clone(dependent, "runner")
    record = recorded(runner)
    record["api"] |= {key: recorded(runner)["jobs-py3.12-x86_64"][key] for key in HASHES}
    runner.write({RECORD: json.dumps(record)})
    return runner


HASHES = ("sha256", "source_code_hash")


def test_a_build_that_gets_another_hash(lying: Repository) -> None:
    """A build with a recorded key and another hash fails, and leaves no such ZIP in dist/."""
    done = lying.fails("zip:api")
    assert "lambdas.hashes.json: 'api' has sha256" in done.output
    assert "not reproducible" in done.output
    assert not (lying.root / "dist/api.zip").exists()
    lying.doit("zip:jobs")
    lying.sha256()


def test_an_apply_that_gets_another_hash(lying: Repository) -> None:
    """The program fails at the mismatch too, even if the ZIP is older than the committed hash."""
    record = (lying.root / RECORD).read_bytes()
    planned = recorded(lying)["api"]["source_code_hash"]
    _, errors = ask(lying, {"id": "api", "source_code_hash": planned}, code=1)
    assert "not reproducible" in errors
    (lying.root / RECORD).unlink()
    lying.doit()
    lying.write({RECORD: record})
    _, errors = ask(lying, {"id": "api"}, code=1)
    assert "not reproducible" in errors


def test_a_damaged_record(dependent: Repository) -> None:
    """After a failed merge, plans build, and `doit record` rewrites the file."""
    dependent.doit("record")
    text = (dependent.root / RECORD).read_text()
    dependent.write({RECORD: f"<<<<<<< HEAD\n{text}"})
    shutil.rmtree(dependent.root / "dist")
    ask(dependent, {"plan": "true"})
    assert dependent.sha256().keys() == {"api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}
    dependent.doit("record")
    assert (dependent.root / RECORD).read_text() == text
