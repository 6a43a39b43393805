"""A ZIP too large for Lambda is reported before it is published, with possible savings."""

import re

import pytest

from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


@pytest.fixture
def large(repository: Repository, index: Index) -> Repository:
    """Give a function whose packages ship more than they need: 540,000 bytes."""
    index.add(
        "big",
        files={
            "big/__init__.py": "", "big/data.bin": b"x" * 100_000,
            "big/tests/test_it.py": "#" * 200_000, "big/core.pyi": "#" * 10_000,
        },
        requires=("boto3", "small"),
    )  # fmt: skip
    index.add("boto3", files={"boto3/__init__.py": "#" * 220_000})
    index.add("small", files={"small.py": "#" * 10_000})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas/api/requirements.txt": "big\n"})
    return repository


def test_over_the_limit(large: Repository) -> None:
    """The error lists the largest packages, the savings of each, and the remedy."""
    large.write({"lambdas.yaml": MANIFEST + "    size_limit: 400 kB\n"})
    result = large.fails()
    assert result.ran[-1] == "zip:api"
    assert re.search(
        r"lambda 'api': api\.zip would have 54\d,\d{3} bytes unzipped, 13\d,\d{3} more than "
        r"its 'size_limit' of 409,600 ",
        result.message,
    )
    lines = result.message.splitlines()
    assert "  big 1.0: 0.3 MB; 0.2 MB of it tests/; 0.0 MB of it *.pyi" in lines
    assert "  boto3 1.0: 0.2 MB; 0.2 MB of it already in the runtime" in lines
    assert any(line.startswith("  small 1.0: 0.0 MB") for line in lines)
    assert any(line.startswith("  the function's own files: 0.0 MB") for line in lines)
    assert """'exclude: ["tests/", "*.pyi"]' would save 0.2 MB""" in result.message
    assert "Drop packages that the runtime provides from the requirements." in result.message
    assert not list((large.root / "dist").glob("*"))
    large.write({"lambdas.yaml": MANIFEST + "    size_limit: 400 kB\n    exclude: ['tests/']\n"})
    large.doit()
    large.sha256()


def test_packages_that_take_the_place_of_the_runtime(large: Repository) -> None:
    """`doit size` names the packages of the runtime that a ZIP has itself."""
    large.doit()
    lines = large.doit("size").output.splitlines()
    assert "Replaces the runtime's copy: boto3 1.0 in api" in lines


def test_the_advice_leaves_a_function_that_starts(large: Repository, index: Index) -> None:
    """Done as the message says, a ZIP fits, and its packages can still be imported."""
    index.add("core", files={
        "core/__init__.py": "from core.docs import D\n",
        "core/docs/__init__.py": "D = 1\n" + "#" * 50_000,
        "core/tests/__init__.py": "#" * 100_000,
    })  # fmt: skip
    large.write({
        "lambdas/api/requirements.txt": "core\n",
        "lambdas/api/app.py": "import core\n" + HANDLER,
        "lambdas.yaml": MANIFEST + "    size_limit: 60 kB\n",
    })  # fmt: skip
    message = large.fails().message
    patterns = re.findall(r"'exclude: (\[.*?\])' would save", message)
    assert patterns == ['["tests/"]']
    large.write({"lambdas.yaml": f"{MANIFEST}    size_limit: 60 kB\n    exclude: {patterns[0]}\n"})
    large.doit()
    assert "core/docs/__init__.py" in large.members("api")


def test_a_large_package_that_came_along(large: Repository, index: Index) -> None:
    """The message says how to leave out a large package that the requirements do not name."""
    index.add("giant", files={"giant/lib.bin": b"x" * 300_000}, requires=())
    index.add("user", files={"user.py": "U = 1\n"}, requires=("giant", "boto3"))
    limit = f"{MANIFEST}    size_limit: 350 kB\n"
    large.write({"lambdas.yaml": limit, "lambdas/api/requirements.txt": "user\n"})
    message = large.fails().message
    assert (
        "The requirements do not name giant: if the function works without it, "
        """'exclude: ["/giant/"]' saves 0.3 MB."""
    ) in message
    assert "do not name boto3" not in message  # the runtime has it
    large.write({"lambdas.yaml": f"""{limit}    exclude: ["/giant/"]\n"""})
    large.doit()


def test_nothing_is_compressed_in_vain(large: Repository) -> None:
    """A tree that is too large is refused before any of it is compressed."""
    large.write({"lambdas.yaml": MANIFEST + "    size_limit: 100 kB\n"})
    large.fails()
    assert not list((large.root / "build").rglob("*.pack"))


def test_the_earlier_zip_stays(repository: Repository) -> None:
    """A ZIP that is too large replaces nothing."""
    repository.write({"lambdas.yaml": MANIFEST + "    size_limit: 1000\n"})
    repository.doit()
    before = repository.sha256()
    repository.write({"lambdas/api/data.bin": b"x" * 1000})
    assert "more than its 'size_limit' of 1,000" in repository.fails().message
    assert repository.sha256() == before
    assert [path.name for path in (repository.root / "dist").glob(".*")] == []


def test_what_lambda_takes(repository: Repository) -> None:
    """Without its own limit, a function has Lambda's, which applies to the unzipped size."""
    with (repository.root / "lambdas/api/zeros.bin").open("wb") as stream:
        stream.truncate(262_144_000)
    message = repository.fails().message
    assert "46 more than Lambda's limit of 262,144,000 (not counting" in message


def test_near_the_limit(repository: Repository) -> None:
    """From 90 % of the limit on, a build warns but publishes; an idle run is silent."""
    repository.write({
        "lambdas.yaml": MANIFEST + "    size_limit: 1000\n",
        "lambdas/api/data.bin": b"x" * (900 - len(HANDLER)),
    })  # fmt: skip
    warning = "api: 900 bytes unzipped, near its 'size_limit' of 1,000; 'lambdas size' shows"
    assert warning in repository.doit().message
    repository.sha256()
    assert repository.doit().message == "1 unchanged"
    repository.write({"lambdas/api/data.bin": b"x" * (899 - len(HANDLER))})
    assert "size_limit" not in repository.doit().message


def test_too_large_for_an_upload(repository: Repository) -> None:
    """A ZIP over 50 MB can be deployed, but not uploaded directly."""
    with (repository.root / "lambdas/api/zeros.bin").open("wb") as stream:
        stream.truncate(53_000_000)
    repository.write({"lambdas.yaml": MANIFEST + "    compression: stored\n"})
    message = repository.doit().message
    assert "api: 50.5 MB zipped, over Lambda's limit of 50.0 MB for direct uploads" in message
    repository.sha256()


def test_the_limit_is_not_in_the_key(repository: Repository) -> None:
    """A new limit rebuilds nothing, but fails if the ZIP exceeds it. This includes a ZIP from the
    store, and a build of the ZIP by its name.
    """
    repository.doit()
    before = repository.sha256()
    repository.write({"lambdas.yaml": MANIFEST + "    size_limit: 1000\n"})
    assert repository.doit().ran == []
    repository.write({"lambdas.yaml": MANIFEST + "    size_limit: 10\n"})
    for arguments in ((), ("zip:api",), ("hash:api",)):
        assert "more than its 'size_limit' of" in repository.fails(*arguments).message
    assert repository.sha256() == before
    (repository.root / "dist/api.zip").unlink()
    assert "more than its 'size_limit' of" in repository.fails().message
    assert not (repository.root / "dist/api.zip").exists()
    repository.write({"lambdas.yaml": MANIFEST})
    repository.doit()
    assert repository.sha256() == before


def test_the_table(large: Repository) -> None:
    """`doit size` shows the limit and largest parts of each variant, and variants without a ZIP."""
    large.write({
        "lambdas.yaml": MANIFEST + "    size_limit: 1 MB\n  jobs: {handler: app.handler}\n",
        "lambdas/jobs/app.py": HANDLER,
    })  # fmt: skip
    large.doit("hash:api")
    result = large.doit("size")
    assert result.ran == ["size"]
    lines = result.message.splitlines()
    assert lines[0].split() == "variant zipped unzipped of limit largest packages".split()  # noqa: SIM905
    assert re.fullmatch(
        r"api +[\d.]+ kB +\d+\.\d kB +5\d\.\d%  big 1\.0 \d+\.\d kB, boto3 1\.0 \d+\.\d kB, "
        r"small 1\.0 [\d.]+ kB",
        lines[1],
    )
    assert "layers" in lines[2]
    assert lines[-1] == "Not built: jobs"


def test_without_records(large: Repository) -> None:
    """A file that no RECORD owns counts under the first part of its path."""
    large.write({"lambdas.yaml": MANIFEST + "    size_limit: 1\n    exclude: ['*.dist-info/']\n"})
    message = large.fails().message
    assert "  big: 0.3 MB; 0.2 MB of it tests/; 0.0 MB of it *.pyi" in message
    assert "  boto3: 0.2 MB; 0.2 MB of it already in the runtime" in message
    assert "the function's own files: 0.0 MB" in message


def test_a_zip_of_other_inputs(large: Repository) -> None:
    """A ZIP that is older than the manifest or the inputs is named, and has no savings."""
    large.doit()
    assert "Out of date" not in large.lambdas("size").output
    large.write({"lambdas.yaml": MANIFEST + "    compression: best\n"})
    output = large.lambdas("size").output
    assert output.splitlines()[-1] == "Out of date: api; run 'lambdas build'"
    assert "Saved" not in output
    found = answer(large.lambdas("size", "--json").output)
    assert (found["out_of_date"], found["not_built"]) == (["api"], [])
    large.doit()
    assert answer(large.lambdas("size", "--json").output)["out_of_date"] == []
    large.write({"lambdas/api/requirements.txt": "small\n"})
    assert "Out of date: api" in large.lambdas("size").output  # the lock is, too
