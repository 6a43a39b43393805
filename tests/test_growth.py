"""`size_growth`: a ZIP may outgrow its recorded size by so much only, or on purpose."""

import json
import random
import shutil
from typing import Any

import pytest

from tests.conftest import HANDLER, Index, Repository

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


def noise(size: int) -> bytes:
    """Return bytes that deflate does not shrink."""
    return random.Random(1).randbytes(size)  # noqa: S311 - test data


@pytest.fixture
def budgeted(repository: Repository, index: Index) -> Repository:
    """Give a function of 100 kB with a budget of 10 %, whose record is committed."""
    index.add("alpha", "1.0", files={"alpha.bin": noise(60_000)})
    index.add("beta", "1.0", files={"beta.bin": noise(40_000)})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": f"{MANIFEST}    size_growth: 10 %\n",
        "lambdas/api/requirements.txt": "alpha\nbeta\n",
    })  # fmt: skip
    repository.lambdas("record")
    return repository


def recorded(repository: Repository) -> dict[str, Any]:
    """Return the recorded entry of the function."""
    entry: dict[str, Any] = json.loads((repository.root / "lambdas.hashes.json").read_text())["api"]
    return entry


def test_within_the_budget(budgeted: Repository) -> None:
    """A ZIP that grows by less is built, and the record has the sizes of the index."""
    entry = budgeted.index()["api"]
    assert recorded(budgeted)["size"] == entry["size"]
    assert recorded(budgeted)["unzipped_size"] == entry["unzipped_size"]
    budgeted.write({"lambdas/api/more.bin": noise(8_000)})
    budgeted.lambdas("build")
    assert "more.bin" in budgeted.members("api")


def test_over_the_budget(budgeted: Repository, index: Index) -> None:
    """A ZIP that grows by more is not published; the message has the parts that grew."""
    before = budgeted.sha256()
    index.add("alpha", "2.0", files={"alpha.bin": noise(75_000)})
    index.add("gamma", "1.0", files={"gamma.bin": noise(5_000)})
    budgeted.write({"lambdas/api/requirements.txt": "alpha==2.0\nbeta\ngamma\n"})
    done = budgeted.lambdas("build", code=1)
    text = done.output + done.errors
    assert "lambda 'api': api.zip would grow from 99." in text
    assert "zipped (+2" in text
    assert "more than the 10 % over lambdas.hashes.json that its 'size_growth' allows" in text
    assert "  alpha 2.0: +14.6 kB, was alpha 1.0" in text
    assert "  gamma 1.0: +5." in text
    assert "  beta" not in text
    assert "run 'lambdas record --accept-growth api' and commit the file" in text
    assert budgeted.sha256() == before


def test_accepted(budgeted: Repository) -> None:
    """`record` alone accepts nothing; with the option the new size is the base."""
    budgeted.write({"lambdas/api/more.bin": noise(30_000)})
    before = recorded(budgeted)
    assert "size_growth" in budgeted.lambdas("record", code=1).output
    assert recorded(budgeted) == before
    done = budgeted.lambdas("record", "--accept-growth", "api")
    assert "has no sizes" not in done.output + done.errors
    assert recorded(budgeted)["size"] > before["size"] + 30_000
    budgeted.lambdas("record", "--check")
    budgeted.write({"lambdas/api/more.bin": noise(45_000)})
    assert "size_growth" in budgeted.lambdas("build", code=1).output


def test_a_clean_checkout(budgeted: Repository) -> None:
    """On a machine without the recorded ZIP, the message names the largest parts instead."""
    for name in ("build", "dist"):
        shutil.rmtree(budgeted.root / name)
    budgeted.write({"lambdas/api/more.bin": noise(30_000)})
    text = budgeted.lambdas("build", code=1).output
    assert "Largest parts, unzipped:\n  alpha 1.0: 58." in text
    assert not list((budgeted.root / "dist").glob("*.zip"))


def test_a_lower_budget(budgeted: Repository) -> None:
    """A finished ZIP is refused when the budget shrinks, and is back when it widens."""
    budgeted.write({"lambdas/api/more.bin": noise(8_000)})
    budgeted.lambdas("build")
    budgeted.write({"lambdas.yaml": f"{MANIFEST}    size_growth: 5%\n"})
    assert "size_growth" in budgeted.lambdas("build", code=1).output
    budgeted.write({"lambdas.yaml": f"{MANIFEST}    size_growth: 10%\n"})
    budgeted.lambdas("build")
    budgeted.sha256()


def test_a_record_without_sizes(budgeted: Repository) -> None:
    """An old record is no error of a build: a remark names the command that adds the sizes."""
    path = budgeted.root / "lambdas.hashes.json"
    old = recorded(budgeted)
    del old["size"], old["unzipped_size"]
    path.write_text(json.dumps({"api": old}))
    budgeted.write({"lambdas/api/more.bin": noise(60_000)})
    done = budgeted.lambdas("build")
    assert "lambdas.hashes.json has no sizes, so 'size_growth' is not checked" in done.output
    budgeted.write({"lambdas/api/more.bin": noise(50_000)})
    done = budgeted.lambdas("record")
    assert "has no sizes" not in done.output + done.errors
    assert recorded(budgeted)["size"] == budgeted.index()["api"]["size"]


def test_no_budget_no_sizes(budgeted: Repository) -> None:
    """Without the key, the record has the form that it always had."""
    budgeted.write({"lambdas.yaml": MANIFEST})
    budgeted.lambdas("record")
    assert recorded(budgeted).keys() == {"key", "sha256", "source_code_hash"}


def test_check_accepts_nothing(budgeted: Repository) -> None:
    """The two options contradict each other, and an unknown name is an error."""
    done = budgeted.lambdas("record", "--check", "--accept-growth", "api", code=2)
    assert "'--check' writes nothing" in done.errors
    done = budgeted.lambdas("record", "--accept-growth", "apy", code=3)
    assert "did you mean 'api'?" in done.errors


def test_growth_that_is_not_accepted_after_all(budgeted: Repository) -> None:
    """If the build fails, or CI may write nothing, the recorded sizes stay as they are."""
    before = (budgeted.root / "lambdas.hashes.json").read_bytes()
    budgeted.write({"lambdas/api/more.bin": noise(80_000)})
    budgeted.lambdas("record", "--accept-growth", "api", code=1, CI="1")
    assert (budgeted.root / "lambdas.hashes.json").read_bytes() == before
    code = (budgeted.root / "lambdas/api/app.py").read_text()
    budgeted.write({"lambdas/api/app.py": f"import nosuch\n{code}"})
    budgeted.lambdas("record", "--accept-growth", "api", code=1)
    assert (budgeted.root / "lambdas.hashes.json").read_bytes() == before


def test_several_functions(budgeted: Repository) -> None:
    """The message names all functions in one command; one at a time works, too."""
    budgeted.write({
        "lambdas.yaml": f"{MANIFEST}    size_growth: 10 %\n"
         "  b:\n    handler: app.handler\n    size_growth: 10 %\n",
        "lambdas/b/app.py": HANDLER,
    })  # fmt: skip
    budgeted.lambdas("record")
    path = budgeted.root / "lambdas.hashes.json"
    before = json.loads(path.read_text())
    for name in "api", "b":
        budgeted.write({f"lambdas/{name}/more.bin": noise(30_000)})
    command = "lambdas record --accept-growth api --accept-growth b"
    assert f"run '{command}' and commit" in budgeted.lambdas("build", code=1).output
    done = budgeted.lambdas("record", "--accept-growth", "api", code=1)
    assert "lambdas.hashes.json: recorded api; commit the file" in done.output
    assert "has no sizes" not in done.output + done.errors
    assert command not in done.output
    after = json.loads(path.read_text())
    assert after["b"] == before["b"]
    assert after["api"]["size"] == budgeted.index()["api"]["size"] > before["api"]["size"]
    budgeted.lambdas("record", "--accept-growth", "b")
    budgeted.lambdas("record", "--check")
