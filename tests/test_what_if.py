"""`lambdas why --if`: the ZIPs that another version of a package would change, from locks alone."""

import subprocess
import sys
from typing import Any

import pytest
from uv import find_uv_bin

from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer

MANIFEST = """\
version: 1
layers:
  common: {requirements: layers/common.txt}
lambdas:
  api: {handler: app.handler}
  jobs: {handler: app.handler}
  front: {handler: app.handler, source: lambdas/front, layers: [common]}
  plain: {handler: app.handler}
"""


@pytest.fixture
def fleet(repository: Repository, index: Index) -> Repository:
    """Give a layer and functions that need `alpha`: `jobs` through `beta`, `plain` not."""
    for version in ("1.0", "1.1", "2.0"):
        index.add("alpha", version)
    index.add("beta", "1.0", requires=("alpha<2",))
    index.add("gamma", "1.0")
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": MANIFEST,
        "layers/common.txt": "alpha==1.0\n",
        "lambdas/api/requirements.txt": "# pins\nalpha<2\n",
        **{f"lambdas/{name}/app.py": HANDLER for name in ("api", "jobs", "front", "plain")},
        "lambdas/jobs/requirements.txt": "beta\n",
        "lambdas/front/requirements.txt": "alpha==1.0\ngamma\n",
    })  # fmt: skip
    repository.lambdas("lock")
    return repository


def asked(repository: Repository, *pins: str, code: int = 0) -> dict[str, Any]:
    """Return the answer to a question about pins."""
    options = [word for pin in pins for word in ("--if", pin)]
    return answer(repository.lambdas("why", *options, "--json", code=code).output)


def test_an_answer(fleet: Repository, index: Index) -> None:
    """The answer has present versions and the requirements, and asks no index."""
    index.requests.clear()
    done = fleet.lambdas("why", "--if", "alpha==2.0")
    assert done.output.splitlines() == [
        "alpha==2.0 would change 3 of 5 ZIPs",
        "  variant  now  required by",
        "  common   1.0  layers/common.txt:1 (alpha==1.0, which excludes 2.0)",
        "  api      1.1  lambdas/api/requirements.txt:2 (alpha<2, which excludes 2.0)",
        "  jobs     1.1  beta",
        "  only through the layer common: front",
    ]
    assert not index.requests
    assert not (fleet.root / "dist").exists()


def test_the_same_version_changes_nothing(fleet: Repository) -> None:
    """A ZIP that has the version, however it is written, is not among those that change."""
    found = asked(fleet, "Alpha==1.1.0")
    assert found["changed"] == ["common"]
    assert {one["id"]: one["changes"] for one in found["variants"]} == {
        "common": True, "api": False, "jobs": False, "front": False,
    }  # fmt: skip
    assert found["unaffected"] == 1
    line = "  already on 1.1: api, jobs"
    assert line in fleet.lambdas("why", "--if", "alpha==1.1").output.splitlines()


def test_several_changes(fleet: Repository) -> None:
    """Several pins are answered one by one, and the ZIPs are counted once."""
    done = fleet.lambdas("why", "--if", "alpha==2.0", "--if", "beta==3", "jobs", "plain")
    assert "beta==3 would change 1 of 2 ZIPs" in done.output
    assert done.output.splitlines()[-1] == "Together: 1 of 2 ZIPs"


def test_what_is_said_comes_true(fleet: Repository) -> None:
    """After a build with the new version, the changed ZIPs are those that the answer named."""
    fleet.lambdas("build")
    before = fleet.sha256()
    named = asked(fleet, "alpha==1.1")["changed"]
    fleet.write({
        "layers/common.txt": "alpha==1.1\n",
        "lambdas/front/requirements.txt": "alpha==1.1\ngamma\n",
    })  # fmt: skip
    fleet.lambdas("build")
    after = fleet.sha256()
    assert [name for name in after if after[name] != before[name]] == named == ["common"]


def test_an_unknown_package(fleet: Repository) -> None:
    """A package that no lockfile has is an error with the name that was meant."""
    done = fleet.lambdas("why", "--if", "alhpa==2", "--if", "beta==1", code=3)
    assert done.errors == "error: no lockfile has alhpa; did you mean 'alpha'?\n"


@pytest.mark.parametrize("pin", ["alpha", "alpha>=2", "alpha==2.*", "alpha==", "=="])
def test_a_pin_that_is_none(fleet: Repository, pin: str) -> None:
    """Anything but a package with one version is a mistake on the command line."""
    done = fleet.lambdas("why", "--if", pin, code=2)
    assert f"'{pin}' is not PACKAGE==VERSION, such as requests==2.33.0" in done.errors


def test_locks_out_of_date(fleet: Repository) -> None:
    """A missing lock leaves that function open and the exit code 1; an old one is remarked."""
    (fleet.root / "lambdas/api/requirements.lock").unlink()
    fleet.write({"lambdas/jobs/requirements.txt": "beta==1.0\n"})
    found = asked(fleet, "alpha==2.0", code=1)
    assert [one["id"] for one in found["errors"]] == ["api"]
    assert found["changed"] == ["common", "jobs"]
    (remark,) = found["remarks"]
    assert remark.startswith("lambdas/jobs/requirements.lock is out of date with requirements.txt")


def test_a_lock_of_another_tool(fleet: Repository) -> None:
    """Of uv.lock, the edges of the graph say which package requires another."""
    fleet.write({
        "lambdas/plain/pyproject.toml":
            '[project]\nname = "plain"\nversion = "1"\ndependencies = ["beta"]\n'
            'requires-python = ">=3.11"\n',
    })  # fmt: skip
    command = [find_uv_bin(), "lock", "-q", "--python", sys.executable]
    subprocess.run(command, cwd=fleet.root / "lambdas/plain", env=fleet.environment, check=True)
    (plain,) = [one for one in asked(fleet, "alpha==2.0")["variants"] if one["id"] == "plain"]
    assert plain["required_by"] == [{"by": "beta", "requirement": None, "allows": None}]
    assert plain["present"] == "1.1"
