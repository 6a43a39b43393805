"""One cause is reported once, with the names of all functions that it stops."""

import re

import pytest

from tests.conftest import HANDLER, Index, Repository


@pytest.fixture
def twelve(repository: Repository, index: Index) -> Repository:
    """Give twelve functions of one folder, and so of one lock and one environment."""
    index.add("alpha", files={"alpha.py": "A = 1\n"})
    repository.environment["UV_INDEX_URL"] = index.url
    entries = "".join(f"  f{n}: {{handler: app.handler, source: fn}}\n" for n in range(12))
    repository.write({
        "lambdas.yaml": f"version: 1\nlambdas:\n{entries}",
        "fn/app.py": HANDLER,
        "fn/requirements.txt": "alpha\n",
    })  # fmt: skip
    return repository


@pytest.mark.parametrize("parallel", [("-n", "0"), ("-n", "2", "-P", "process")])
def test_one_installation_fails_once(
    twelve: Repository, index: Index, parallel: tuple[str, ...]
) -> None:
    """An environment that cannot be installed is tried once a run, and its message said once."""
    twelve.doit("lock")
    (name,) = index.files
    index.files[name] += b"replaced"
    twelve.environment["UV_CACHE_DIR"] = str(twelve.root / "empty-cache")
    index.requests.clear()
    result = twelve.fails(*parallel)
    # Once, and once more without the cache of uv, which might be what is damaged.
    assert sum(name in request for request in index.requests) == 2
    assert result.output.count("failed to install the dependencies") == 1
    said = next(
        line for line in result.output.splitlines() if line.startswith("same error as venv:f")
    )
    assert said.count("venv:f") == 12
    assert "12 failed" in result.output
    index.files[name] = index.files[name].removesuffix(b"replaced")
    again = twelve.doit(*parallel)
    # Equal content is compressed once, or twice by two processes; the others take it over.
    assert re.search(r"[12] built, 1[01] from the cache", again.output)


def test_one_mistake_in_shared_code(twelve: Repository) -> None:
    """An import that fails for all functions is one message."""
    twelve.write({"fn/app.py": f"import nothing_like_it\n{HANDLER}"})
    output = twelve.fails().output
    assert output.count("import of 'nothing_like_it'") == 1
    assert len(re.findall(r"same error as stage:f\d+: ", output)) == 1
    twelve.write({"fn/app.py": HANDLER})
    twelve.doit()


def test_different_causes_are_both_said(twelve: Repository) -> None:
    """Messages that differ in more than a name are all shown."""
    entries = "  a: {handler: app.one, source: fn}\n  b: {handler: app.two, source: fn}\n"
    twelve.write({"lambdas.yaml": f"version: 1\nlambdas:\n{entries}"})
    output = twelve.fails().output
    assert "handler 'app.one'" in output
    assert "handler 'app.two'" in output
