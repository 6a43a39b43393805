"""Parse the documents into files to write, commands to run, and the commands' expected output.

A document is played from top to bottom in one folder and one shell. The options of a fenced block
follow its language, where neither a Git host nor the site shows them:

    ```yaml file=lambdas.yaml       write this file; a manifest must be valid
    ```console                      run lines with `$ `; the other lines are their output
    ```console code=1               the last command must exit with this code, the others with 0
    ```sh                           run every line; each must exit with 0
    ```sh skip=docker               do not run, for one of the reasons below
    ```console needs=terraform      run if that program is installed; `invoke`: if doit invoke works
    ```yaml file=lambdas.yaml wrong a manifest with a mistake

In expected output, `...` matches any text within a line, and on a line of its own any lines. A
duration (`0.4 s`) matches any duration, a time of day any time, and a run of blanks any run.
`python -m tests.plays PAGE` updates the output on a page wherever it differs.
"""

import json
import platform
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt

from buildlib.manifest import reader
from tests.terminal import Terminal

ROOT = Path(__file__).parent.parent

# Reasons to skip a command in the test of its page.
REASONS = {
    "aws": "changes an AWS account",
    "ci": ".ci/run runs this very line",
    "docker": "needs a Docker engine; tests/docker does the same",
    "farm": "needs a Dask cluster; tests/farm does the same",
    "install": "installs this project, as the tutorial does, or a tool beside it",
    "other": "is a command of the tool that is compared or replaced",
    "release": "is for a maintainer who publishes a version",
    "stays": "runs until Ctrl-C; tests/test_watch.py runs it",
    "system": "installs packages of the system, needs root, or takes minutes; .ci/run does it",
}
RUN = {"sh", "console"}
# Languages with a parser each; `text` is free-form, such as another program's output.
SHOWN = {"yaml", "json", "toml", "hcl", "python", "ini", "text", "ts"}
_OPTIONS = {"file", "code", "skip", "wrong", "needs"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its place, its language, its options, and its text without the fence."""

    page: Path
    line: int
    language: str
    options: Mapping[str, str]
    content: str

    def __str__(self) -> str:
        """Return the block's place, in the form that editors link."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Tell whether the test of the page runs commands of this block."""
        return self.language in RUN and "skip" not in self.options

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command with its expected output."""
        if self.language == "sh":
            lines = re.sub(r"\\\n\s*", " ", self.content).splitlines()
            return [(line, "") for line in lines if line.strip() and line[0] != "#"]
        found: list[tuple[str, str]] = []
        for line in self.content.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            elif line.startswith("> ") and found and not found[-1][1]:
                found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
            else:
                assert found, f"{self}: prints something before any command"
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
        return found


def pages() -> list[Path]:
    """Return the paths of all documents."""
    return [
        *sorted(ROOT.glob("*.md")),
        *sorted(ROOT.glob("docs/**/*.md")),
        ROOT / "benchmarks/README.md",
        ROOT / "terraform/README.md",
    ]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = []
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "code_block":
            msg = f"{page}:{token.map}: fence this block, and say its language"
            raise AssertionError(msg)
        if token.type == "fence":
            assert token.map
            language, *words = shlex.split(token.info) or [""]
            options = dict(word.partition("=")[::2] for word in words)
            found.append(Block(page, token.map[0] + 1, language, options, token.content))
    return found


def check(block: Block) -> None:
    """Check the form of a block, and the syntax of its content."""
    place = str(block)
    assert block.language in RUN | SHOWN, f"{place}: language '{block.language}'"
    assert block.options.keys() <= _OPTIONS, f"{place}: {block.options}"
    assert block.options.get("skip", "aws") in REASONS, f"{place}: {block.options['skip']}"
    content = block.content
    try:
        if block.language == "yaml":
            yaml.compose(content)  # unlike `safe_load`, accepts CloudFormation's tags
        elif block.language == "json":
            json.loads(content)
        elif block.language == "toml":
            tomllib.loads(content)
        elif block.language == "python":
            compile(content, place, "exec")
        elif block.language == "hcl":
            import hcl2  # a slow import

            hcl2.loads(content)
    except Exception as error:
        msg = f"{place}: {error}"
        raise AssertionError(msg) from error


def play(
    page: Path, folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Block, list[tuple[str, str]]]]:
    """Write the files of a page and run its commands, in order.

    Yields:
        each block that ran, with each command and its output.

    """
    with Terminal(folder, environment) as terminal:
        for block in blocks(page):
            if "file" in block.options:
                path = folder / block.options["file"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.content, encoding="utf-8")
                if path.name == "lambdas.yaml" and "wrong" not in block.options:
                    reader.read(path.parent)
            if block.runs and _is_here(block.options.get("needs", ""), environment["PATH"]):
                yield block, _run(block, terminal)


def _is_here(need: str, path: str) -> bool:
    """Tell whether this machine meets a block's `needs`."""
    if need == "invoke":  # the target of the functions in the documents
        here = sys.platform == "linux" and platform.machine() == "x86_64"
        return here and shutil.which("python3.13", path=path) is not None
    return not need or shutil.which(need, path=path) is not None


def _run(block: Block, terminal: Terminal) -> list[tuple[str, str]]:
    printed = []
    for number, (command, _) in enumerate(block.commands, 1):
        done = terminal.run(command)
        last = number == len(block.commands)
        code = int(block.options.get("code", 0)) if last else 0
        assert done.code == code, f"{block}: {command}: {done.code}\n{done.screen}"
        assert "Traceback" not in done.screen, f"{block}: {command}\n{done.screen}"
        printed.append((command, done.screen + "\n" * bool(done.screen)))
    return printed


def fits(expected: str, printed: str) -> bool:
    """Tell whether a command's output matches the document."""
    pattern = ""
    for line in expected.splitlines():
        pattern += r"(?:.*\n)*?" if line.strip() == "..." else f"{_line(line.rstrip())}\n"
    return re.fullmatch(pattern, printed) is not None


# Output that differs between runs, and the pattern that matches it.
_DIFFERS = {
    r"\.\.\.": ".*?",
    r"\b\d+(?:\.\d+)? m?s\b": r"\d+(?:\.\d+)? m?s",
    r"\b\d\d:\d\d:\d\d\b": r"\d\d:\d\d:\d\d",
    r"(?<=\S) {2,}": " +",
}
_DIFFERENT = re.compile("|".join(f"({wild})" for wild in _DIFFERS))


def _line(line: str) -> str:
    pattern, at = "", 0
    for match in _DIFFERENT.finditer(line):
        wild = list(_DIFFERS.values())[int(match.lastindex or 1) - 1]
        pattern += re.escape(line[at : match.start()]) + wild
        at = match.end()
    return pattern + re.escape(line[at:])


def renewed(block: Block, printed: list[tuple[str, str]]) -> str:
    """Return the text of a console block, with the real output of each command that differs."""
    text = ""
    for (command, expected), (_, shown) in zip(block.commands, printed, strict=True):
        prompt = "\n> ".join(command.split("\n"))
        text += f"$ {prompt}\n{expected if fits(expected, shown) else shown}"
    return text
