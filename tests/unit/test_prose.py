"""The English of the package, as CONTRIBUTING asks for it: plain, active, with nouns.

The counts cover docstrings, comments and messages. They catch one habit only, the clause without a
noun: "what is missing is made" instead of "missing packs are rebuilt".
"""

import ast
import io
import re
import textwrap
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import buildlib

PACKAGE = Path(buildlib.__file__).parent

# Headless phrases allowed in 1,000 words. pypa/installer has 1.0, pypa/build 0, svcs 0.
CEILING = 1.5

# "who" is a clause of its own after one of these words, and not after a noun.
_NO_NOUN = (
    "a|about|after|all|also|and|are|as|at|be|because|before|but|by|does|ever|for|from|has|if|in|"
    "into|is|it|knows|like|no|not|of|on|only|or|says|see|so|tells|than|that|the|then|to|unless|"
    "until|was|when|where|while|with"
)
_HABITS = re.compile(
    rf"\b(?:what|whatever|whoever|whom)\b"
    rf"|(?:^|[^\w\s]\s*|\b(?:{_NO_NOUN})\s+)who\b"
    rf"|(?:^|[.!?]\s+)(?-i:Of|Those)\b"
    rf"|\b(?:stands?|stood) for\b|\banew\b|\bbeside\b|\b(?:is|are) (?-i:none)\b|\bof ours\b"
    rf"|\b(?:is|are) (?:said|to be)\b|\band the like\b",
    re.IGNORECASE,
)
_NO_PROSE = re.compile(r"#\s*(?:noqa|type:|fmt:|pragma)|#!")


class Text(NamedTuple):
    """A docstring, a comment or a message: its module, its first line and its words."""

    module: str
    line: int
    kind: str
    words: str

    @property
    def room(self) -> str:
        """The folder of the module, or the module at the top of the package."""
        return self.module.partition("/")[0].removesuffix(".py")

    def habits(self) -> list[str]:
        """Return the headless phrases of the text."""
        plain = re.sub(r"`[^`]*`|'[^'\s]*'", "_", self.words)
        return [match[0].strip() for match in _HABITS.finditer(plain)]


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the docstrings of a module, its classes and its functions."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Module(body=[ast.Expr(value=ast.Constant(value=str())), *_])
                | ast.ClassDef(body=[ast.Expr(value=ast.Constant(value=str())), *_])
                | ast.FunctionDef(body=[ast.Expr(value=ast.Constant(value=str())), *_])
            ):
                statement = node.body[0]
                assert isinstance(statement, ast.Expr)
                assert isinstance(statement.value, ast.Constant)
                yield statement.value


def messages(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string with three words or more; `_` is a value."""
    known = set(docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            known |= {part for part in node.values if isinstance(part, ast.Constant)}
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "_" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in known:
            text = node.value
        else:
            continue
        if len(re.findall(r"[A-Za-z]{2,}", text)) > 2 and " " in text:
            yield node.lineno, text


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each comment; lines that follow each other are one."""
    first, last, column, lines = 0, 0, 0, [""]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or _NO_PROSE.match(token.string):
            continue
        line, start = token.start
        words = token.string.lstrip("# ")
        if line == last + 1 and start == column:
            lines.append(words)
        else:
            yield first, " ".join(lines)
            first, column, lines = line, start, [words]
        last = line
    yield first, " ".join(lines)


def texts() -> Iterator[Text]:
    """Yield every docstring, comment and message of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        for node in docstrings(tree):
            for paragraph in textwrap.dedent(str(node.value)).split("\n\n"):
                yield Text(module, node.lineno, "docstring", " ".join(paragraph.split()))
        for line, words in comments(source):
            yield Text(module, line, "comment", words)
        for line, words in messages(tree):
            yield Text(module, line, "message", words)


def by_room() -> dict[str, list[Text]]:
    """Return the texts of the package by their room."""
    rooms: dict[str, list[Text]] = defaultdict(list)
    for text in texts():
        rooms[text.room].append(text)
    return rooms


ROOMS = by_room()


def rate(some: list[Text]) -> tuple[int, int]:
    """Return the number of headless phrases in some texts, and of words."""
    habits = sum(len(text.habits()) for text in some)
    return habits, sum(len(text.words.split()) for text in some)


def worst(some: list[Text]) -> str:
    """Return the texts with headless phrases, the worst first, one a line."""
    bad = sorted((t for t in some if t.habits()), key=lambda text: -len(text.habits()))
    return "\n".join(
        f"buildlib/{t.module}:{t.line}: {t.kind}: {', '.join(t.habits())}: {t.words[:160]}"
        for t in bad[:20]
    )


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room(room: str) -> None:
    """A room stays below the ceiling; a small room may have one headless phrase."""
    habits, words = rate(ROOMS[room])
    limit = max(1.0, CEILING * words / 1000)
    assert habits <= limit, f"{habits} in {words} words, {limit:.1f} allowed:\n{worst(ROOMS[room])}"


def test_all_rooms() -> None:
    """The rooms together stay below the ceiling, in comments and in messages."""
    everything = [text for some in ROOMS.values() for text in some]
    for kinds in ({"docstring", "comment"}, {"message"}):
        some = [text for text in everything if text.kind in kinds]
        habits, words = rate(some)
        assert 1000 * habits <= CEILING * words, f"{habits} in {words} words:\n{worst(some)}"


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("What is missing is made anew.", 2),
        ("Yield whether the lock was acquired: always, for who waits.", 1),
        ("Rules by age. Of the younger ones, none is kept.", 1),
        ("None stands for all that is said of it, and the like.", 3),
        ("A user who waits gets the lock; `what` is a parameter.", 0),
        ("The default is None. Rebuild missing packs, those of wheels last.", 0),
    ],
)
def test_the_count(words: str, count: int) -> None:
    """A clause without a noun is counted; a noun before it, or code, is not."""
    assert len(Text("archive/writer.py", 1, "comment", words).habits()) == count
