"""The documents match reality."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import buildlib
from buildlib import error_kinds
from buildlib.cli.main import GROUPS
from buildlib.contract import CONTRACT
from buildlib.manifest import schema
from tests import plays
from tests.conftest import Repository
from tests.documents import REASONS, ROOT, Block, blocks, check, fits, play, renewed
from tests.documents import pages as documents

PACKAGE = Path(buildlib.__file__).parent
DOCUMENTS = documents()
PLAYED = [page for page in DOCUMENTS if plays.is_played(page)]
# The slowest pages, mostly because they build everything several times.
SLOW = {"docs/how-to/prove.md", "docs/reference/tasks.md"}


def marked(page: Path) -> Any:  # noqa: ANN401 - pytest's type is not public
    marks = [pytest.mark.network] if plays.reaches_the_network(page) else []
    marks += [pytest.mark.slow] if plays.name(page) in SLOW else []
    return pytest.param(page, marks=marks, id=plays.name(page))


# -- every command ---------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="the documents are for bash")
@pytest.mark.parametrize("page", [marked(page) for page in PLAYED])
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    """Played from top to bottom, each page's commands print the output that the page shows.

    The tutorial starts from an empty folder next to a clone.
    """
    with plays.prepared(page, tmp_path) as (folder, environment):
        for block, printed in play(page, folder, environment):
            if block.language == "console":
                for (command, expected), (_, shown) in zip(block.commands, printed, strict=True):
                    assert fits(expected, shown), (
                        f"{block}: $ {command}\n{shown}\n-- instead of\n{expected}\n"
                        f"-- see tests/documents.py, or: python -m tests.plays {plays.name(page)}"
                    )


@pytest.mark.parametrize("page", DOCUMENTS, ids=plays.name)
def test_blocks_are_well_formed(page: Path) -> None:
    """Each fenced block names its language, parses in it, and runs unless it gives a reason."""
    for block in blocks(page):
        check(block)


def test_reasons_are_used() -> None:
    """The list of reasons to skip a command has no unused entry."""
    used = {block.options.get("skip") for page in DOCUMENTS for block in blocks(page)}
    assert used - {None} == REASONS.keys()


def test_commands_in_the_text(repository: Repository) -> None:
    """Each `lambdas`, `doit` or `python -m buildlib` within a sentence names a real command."""
    listed = repository.doit("list", "--all").output.split("\n")
    tasks = {line.split()[0].partition(":")[0] for line in listed if line}
    ours = {name for group in GROUPS.values() for name in group}
    commands = {"list", "info", "clean", "forget", "help", "tabcompletion"}
    for page in DOCUMENTS:
        for text in re.findall(r"`(doit[ :][^`]*)`", page.read_text(encoding="utf-8")):
            words = [word for word in text.split()[1:] if not word.startswith("-")]
            for word in words[:1]:
                known = (
                    tasks | commands | {"1", "2", "4", "console", "process"}
                )  # values of -n, -r and -P
                assert word.partition(":")[0] in known, f"{plays.name(page)}: {text}"
        for word in re.findall(r"`lambdas ([a-z][a-z-]*)[^`]*`", page.read_text(encoding="utf-8")):
            assert word in ours, f"{plays.name(page)}: lambdas {word}"
        for module in re.findall(r"`python -m (buildlib[.\w]*)", page.read_text(encoding="utf-8")):
            path = PACKAGE.parent / module.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_comparison() -> None:
    """The notation for output matches text that may differ between runs, and nothing else."""
    assert fits("a 0.4 s b  c\n", "a 12.0 s b c\n")
    assert fits("...\nlast\n", "one\ntwo\nlast\n")
    assert fits("by ...\n", "by chance\n")
    assert not fits("by ...\n", "by\nchance\n")
    assert not fits("1 built\n", "2 built\n")
    assert not fits("1 built\n", "1 built\nmore\n")
    assert not fits("", "more\n")


def test_what_was_printed_goes_into_a_page() -> None:
    """Renewing a page replaces only output that differs, and keeps its wildcards."""
    text = "$ one\nkept 0.1 s\n$ two\nold\n$ three \\\n> more\n"
    block = Block(ROOT / "docs/index.md", 1, "console", {}, text)
    assert [command for command, _ in block.commands] == ["one", "two", "three \\\nmore"]
    printed = [("one", "kept 2.0 s\n"), ("two", "new\n"), ("three", "also\n")]
    assert renewed(block, printed) == ("$ one\nkept 0.1 s\n$ two\nnew\n$ three \\\n> more\nalso\n")


# -- CI --------------------------------------------------------------------------------------------


def test_the_quick_start_is_two_commands_that_ci_runs() -> None:
    """CI runs exactly the commands that the README gives newcomers."""
    text = (ROOT / "README.md").read_text().split("## Quick start")[1].split("\n## ")[0]
    commands = re.findall(r"```sh skip=ci\n(.*?)\n```", text, re.DOTALL)
    assert len(commands) == 2
    script = (ROOT / ".ci/run").read_text().splitlines()
    for command in commands:
        assert command in script


def test_what_ci_is_said_to_run() -> None:
    """.ci/run contains each line that a page skips because CI runs it."""
    script = (ROOT / ".ci/run").read_text()
    for page in DOCUMENTS:
        for block in blocks(page):
            if block.options.get("skip") == "ci":
                for command, _ in block.commands:
                    assert command.partition("  #")[0] in script, f"{block}: {command}"


# -- links -----------------------------------------------------------------------------------------


_OF_THIS_REPOSITORY = re.compile(
    r"\]\(https://(?:github\.com/doit-lambda-zip/doit-lambda-zip/blob|"
    r"raw\.githubusercontent\.com/doit-lambda-zip/doit-lambda-zip)/main/"
)


def prose(page: Path) -> str:
    """Return the text of a page without its fenced blocks."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as a Git host generates them."""
    text = prose(page)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-")
        for heading in headings
    }


def test_links_lead_somewhere() -> None:
    """Every link to this repository's files points to an existing file and heading.

    The README's links are absolute, because package indexes show it too.
    """
    for page in DOCUMENTS:
        text = prose(page)
        if page == ROOT / "README.md":
            assert not re.findall(r"\]\((?!https://)", text)
            text = _OF_THIS_REPOSITORY.sub("](", text)
        for target in re.findall(r"\]\(([^):]+)\)", text):
            path, _, anchor = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            assert linked.exists(), f"{plays.name(page)}: {target}"
            if anchor:
                assert anchor in anchors(linked), f"{plays.name(page)}: {target}"


def test_code_names_pages_that_exist() -> None:
    """Every page that the code refers to exists."""
    for path in [*PACKAGE.rglob("*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("*.md")]:
        for page in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / page).exists(), f"{path}: {page}"


def test_nothing_names_a_machine() -> None:
    """No recorded output contains a path of the machine that recorded it."""
    for page in DOCUMENTS:
        assert not re.search(r"(?<![\w`.])/(tmp|home|root|work|Users)/", page.read_text()), page


# -- the reference ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "made"),
    [("errors", error_kinds.page), ("manifest", schema.page)],
    ids=["errors", "manifest"],
)
def test_made_pages_are_current(command: str, made: Any) -> None:  # noqa: ANN401
    """The page equals the output of `python -m buildlib <x> > docs/reference/<x>.md`."""
    run = [sys.executable, "-m", "buildlib", command]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert printed == "".join(f"{line}\n" for line in made())
    assert (ROOT / f"docs/reference/{command}.md").read_text() == printed


def test_every_task_is_listed(repository: Repository) -> None:
    """The page of tasks lists exactly the tasks of `doit list`."""
    listed = {line.split()[0] for line in repository.doit("list").output.splitlines()}
    text = (ROOT / "docs/reference/tasks.md").read_text().split("## Tasks of doit")[1]
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == listed


# Upper-case strings that are looked up in an environment but are not its variables.
_OTHER = {
    *("PYTHONPATH", "USERPROFILE"),  # set for build backends, never read
    "RUST_LOG",  # set for uv, never read
    "DOIT_CONFIG",  # a name in dodo.py
    "ZIP64",
    "INDEX",
    "LINKS",
    "UV_NO_INDEX",
}


# Tuples of variables.
_NAMED = {"_PROXIES", "_BUNDLES", "_PATHS"}


def variables() -> set[str]:
    """Return the names that the package looks up in an environment."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            match node:
                case ast.Call(func=ast.Attribute(attr="get" | "getenv" | "pop"), args=[name, *_]):
                    pass
                case ast.Subscript(slice=name) | ast.Compare(left=name):
                    pass
                case ast.Assign(value=ast.Tuple(elts=names)) if (
                    ast.unparse(node.targets[0]) in _NAMED
                ):
                    found |= {ast.literal_eval(name) for name in names}
                    continue
                case _:
                    continue
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                found |= set(re.findall(r"^[A-Z][A-Z0-9_]+$", name.value))
    return found - _OTHER


def test_every_variable_is_listed() -> None:
    """The page of environment variables lists every variable that the code reads."""
    text = (ROOT / "docs/reference/environment.md").read_text()
    listed = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", text))
    assert {"CI", "LAMBDA_ZIP_CACHE", "DOCKER_HOST", "HTTPS_PROXY"} <= variables()
    assert variables() <= listed, variables() - listed
    ours = {name for name in listed if name.startswith("LAMBDA_ZIP_")}
    assert all(any(name in p.read_text() for p in PACKAGE.rglob("*.py")) for name in ours)


def test_what_uv_gets_is_listed() -> None:
    """Each uv variable on the page is one that the code passes on."""
    from buildlib.uv.settings import _ACCESS, _PIP_OPTIONS

    text = (ROOT / "docs/reference/environment.md").read_text()
    table = text.split("## Packages")[1].split("\n## ")[0]
    named = set(re.findall(r"`(UV_[A-Z_]+)`", table))
    assert named - {"UV_CONFIG_FILE", "UV_NO_CONFIG", "UV_EXCLUDE_NEWER"} == {
        name for name in named if _ACCESS.fullmatch(name)
    }
    pips = {"PIP_" + option.upper().replace("-", "_") for option in _PIP_OPTIONS}
    assert pips | {"PIP_CONFIG_FILE"} == set(re.findall(r"`(PIP_[A-Z_]+)`", table))
    words = re.findall(r"[A-Z][A-Z_]{3,}", _ACCESS.pattern.replace("UV_", ""))
    for word in set(words) - {"USERNAME", "PASSWORD"}:
        assert f"UV_{word}".rstrip("_") in table, word


# -- the contract ----------------------------------------------------------------------------------


def test_the_contract_version_is_documented() -> None:
    """The code, the page on the contract and the changelog give the same contract version."""
    text = (ROOT / "docs/explanation/byte-contract.md").read_text()
    assert f"version {CONTRACT}\n" in text
    assert f"contract version {CONTRACT}." in (ROOT / "CHANGELOG.md").read_text()
