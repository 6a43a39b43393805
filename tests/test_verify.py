"""`doit verify` rebuilds in varied environments, and finds any difference."""

import zipfile
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Index, Repository
from tests.test_sdists import MANIFEST, add_sdist


def rewrite(path: Path, change: dict[str, bytes], *, mode: int = 0o100755) -> None:
    """Rewrite a ZIP with other contents of some members, or another mode of the first."""
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, content) in enumerate(contents.items()):
            info = zipfile.ZipInfo(name, (2012, 12, 12, 12, 12, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if number else mode) << 16
            archive.writestr(info, change.get(name, content))


def there(repository: Repository) -> set[Path]:
    """Return the files of a repository, except caches of file states."""
    found = set(repository.root.rglob("*")) - {repository.root / "build/digests.json"}
    return {path for path in found if "__pycache__" not in path.parts}


def test_equal(dependent: Repository, index: Index) -> None:
    """If both builds equal dist/, there is one line for each variant. One of the builds downloads
    everything from the index, and neither leaves a file behind.
    """
    dependent.write({"lambdas/api/na\u00efve.txt": "text\n", "lambdas/api/sub/x.json": "{}"})
    dependent.doit()
    before = dependent.sha256()
    state = there(dependent)
    index.requests.clear()
    result = dependent.doit("verify")
    # Variants are verified in parallel, and each tells its result as soon as it has it.
    assert sorted(result.message.splitlines()) == [
        f"{name}: two builds and dist/{name}.zip are equal, sha256 {before[name]}"
        for name in ("api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64")
    ]
    assert any(path.endswith(".whl") for path in index.requests)
    assert dependent.sha256() == before
    assert there(dependent) == state


def test_one_variant(dependent: Repository) -> None:
    """One variant can be verified alone."""
    dependent.doit()
    result = dependent.doit("verify:jobs-py3.13-x86_64")
    assert result.ran == ["verify:jobs-py3.13-x86_64"]
    both = dependent.doit("verify:jobs").ran
    assert both == ["verify:jobs-py3.12-x86_64", "verify:jobs-py3.13-x86_64"]


def test_not_in_the_default_build(repository: Repository) -> None:
    """A plain build does not verify."""
    assert not [task for task in repository.doit().ran if task.startswith(("verify", "size"))]


def test_another_content(repository: Repository) -> None:
    """A ZIP with one different line fails, and the line is shown."""
    repository.doit()
    rewrite(repository.root / "dist/api.zip", {"app.py": HANDLER.encode() + b"import os\n"})
    message = repository.fails("verify:api").message
    assert "dist/api.zip, which is out of date, and a fresh build" in message
    assert "app.py: data: " in message
    assert "line 3: 'import os\\n' | the end" in message


def test_another_mode(repository: Repository) -> None:
    """A ZIP that differs only in a mode fails, and both modes are shown."""
    repository.doit()
    rewrite(repository.root / "dist/api.zip", {}, mode=0o100644)
    message = repository.fails("verify:api").message
    assert "app.py: mode: 0100644 | 0100755" in message
    assert "data" not in message


def test_inputs_that_changed_since(repository: Repository) -> None:
    """A ZIP of earlier inputs differs from a build of the present ones."""
    repository.doit()
    repository.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    message = repository.fails("verify").message
    assert "line 3: the end | '# edited\\n'" in message


def test_a_build_that_is_not_reproducible(dependent: Repository, index: Index) -> None:
    """A package whose build depends on its environment is found: the two builds differ."""
    add_sdist(index, "py3-none-any", content="'WHERE = ' + repr(__import__('os').environ['TZ'])")
    dependent.write({
        "lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n",
        "lambdas/api/requirements.txt": "sauce\n",
    })  # fmt: skip
    dependent.doit(TZ="UTC")
    message = dependent.fails("verify").message
    assert "two builds from the same inputs, differ:" in message
    assert "sauce.py: data: " in message
    assert "line 1: \"WHERE = 'UTC'\" | \"WHERE = 'Asia/Kathmandu'\"" in message


def test_nothing_to_compare_with(repository: Repository) -> None:
    """An unbuilt variant cannot be verified, and the message says so."""
    message = repository.fails("verify").message
    assert "dist/api.zip does not exist; run 'lambdas build api' first" in message


def test_a_stale_lock(dependent: Repository) -> None:
    """A stale lock stops verification before any build."""
    dependent.doit()
    dependent.write({"lambdas/api/requirements.txt": "alpha\n"})
    message = dependent.fails("verify:api").message
    assert "requirements.lock: the lockfile is out of date with requirements.txt" in message


def test_a_build_that_fails(dependent: Repository, index: Index) -> None:
    """A failed rebuild is reported with its reason."""
    dependent.doit()
    index.status = 500
    message = dependent.fails("verify:api").message
    assert "api: the rebuild failed" in message
    assert "failed to install the dependencies" in message


def test_functions_that_share_a_lock(dependent: Repository) -> None:
    """A lock that also covers the Pythons of another function is used unchanged."""
    dependent.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api: {handler: app.handler, python: '3.14'}\n"
            "  old: {handler: app.handler, source: lambdas/api, python: '3.11',"
            " include: [shared/common]}\n"
        )
    })  # fmt: skip
    dependent.doit()
    assert len(dependent.doit("verify").message.splitlines()) == 2


@pytest.mark.parametrize("kind", ["requirements", "uv.toml"])
def test_where_packages_come_from(dependent: Repository, index: Index, kind: str) -> None:
    """The repository's folder of wheels and its uv.toml apply here too."""
    url = dependent.environment.pop("UV_INDEX_URL")
    if kind == "requirements":
        dependent.write({f"wheels/{name}": content for name, content in index.files.items()})
        dependent.write({"lambdas/api/requirements.txt": "--find-links ../../wheels\nbeta\n"})
        dependent.environment["UV_INDEX_URL"] = url
        index.files.clear()
    else:
        dependent.write({"uv.toml": f'index-url = "{url}"\n'})
    dependent.doit("hash:api")
    assert "two builds and dist/api.zip are equal" in dependent.doit("verify:api").message
