"""A manifest in a sparse checkout of git."""

import subprocess
from pathlib import Path

import pytest

from buildlib.errors import ManifestError
from buildlib.manifest import reader
from tests.unit.conftest import write

MANIFEST = """\
version: 1
lambdas:
  a: {source: services/a, handler: app.handler}
  b: {source: services/b, handler: app.handler}
"""


@pytest.mark.parametrize("is_worktree", [False, True])
def test_missing_folders(tmp_path: Path, *, is_worktree: bool) -> None:
    """A folder that git left out is an error that names git's remedy; elsewhere it does not."""
    root = tmp_path / "main"
    files = {"lambdas.yaml": MANIFEST, "services/a/app.py": "", "services/b/app.py": ""}
    write(root, files)

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("-c", "user.name=n", "-c", "user.email=n@example.com", "commit", "-qm", "x")
    if is_worktree:
        git("worktree", "add", "-q", "../other")
        root = tmp_path / "other"
    git("sparse-checkout", "set", "--cone", "services/a")
    with pytest.raises(ManifestError, match="git sparse-checkout add") as caught:
        reader.read(root)
    assert "lambda 'b': the source folder 'services/b' does not exist" in str(caught.value)
    git("sparse-checkout", "disable")
    (root / "services/b/app.py").unlink()
    (root / "services/b").rmdir()
    with pytest.raises(ManifestError) as caught:
        reader.read(root)
    assert "sparse" not in str(caught.value)
