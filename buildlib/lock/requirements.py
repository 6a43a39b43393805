"""Read requirements files, as pip does, and refuse requirements that a lockfile cannot pin.

Nothing of a file is passed over: each option is honoured, or refused by its name. uv gets copies of
the files without options, and the options as arguments, so that it reads the same when it resolves
and when it installs.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildlib.errors import LockError
from buildlib.files.names import is_inside
from buildlib.manifest import locations
from buildlib.model import Include, Pin, Requires, Variant
from buildlib.text import canonical_name, megabytes
from buildlib.uv import redact

if TYPE_CHECKING:
    from buildlib.lock.graph import Graph

# Options that name another file, and those that say where packages come from.
_NESTED = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}


_LOCATIONS = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--pypi-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
}


# Options that our way of resolving fulfils in any case: it takes wheels where there are any.
_FULFILLED = {"--only-binary": 1, "--prefer-binary": 0}


_NO_BINARY = "wheels are installed all the same; 'allow_sdist' and 'install: docker' build packages"


_PRE = "pre-releases are taken"


_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


# A folder, by PEP 508, or as pip and uv write it; with extras.
_LOCAL = re.compile(
    r"([A-Za-z0-9._-]+\s*(\[(?P<extras>[^\]]*)\])?\s*@\s*(file:(//)?)|file:(//)?|(?=\.))"
    r"(?P<path>[^\s\[\];]+?)/?(\[(?P<more>[^\]]*)\])?(\s*;.*)?"
)


_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


_HASH = re.compile(r"sha256:[0-9a-f]{64}")


_HASHED = re.compile(r"#(.*&)?sha256=[0-9a-f]{64}|--hash[=\s]sha256:[0-9a-f]{64}")


# Bytes of a file; a hundred pins with hashes of a hundred wheels each have 1 MB.
_LARGEST = 1 << 20


_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Entry(NamedTuple):
    """A requirement as it is written, with the hashes that the file demands, `sha256:<hex>` each.

    `where` is its file and line, and `name` the normalised name of the distribution; empty for a
    bare URL.
    """

    where: str
    text: str
    name: str
    hashes: tuple[str, ...]
    is_constraint: bool = False


class Requirements(NamedTuple):
    """A requirements file with the files that it includes.

    `sha256` covers the contents of all files, with LF line ends. `indexes` are the options on
    indexes, `choices` those on the choice of releases, both as arguments of uv. `files` are the
    paths of all files, `texts` their contents for uv, without options, by path, and `main` the one
    that leads to all, if it is not `path`; `entries` are the requirements in them. `notes` tell a
    user how options are understood. `packages` are those of projects in the repository. `pins`
    gives the pins of a variant where the file is a lock itself, and `graph` is that lock.
    """

    path: str
    sha256: str
    indexes: tuple[str, ...]
    files: frozenset[str]
    texts: tuple[tuple[str, str], ...] = ()
    entries: tuple[Entry, ...] = ()
    choices: tuple[str, ...] = ()
    requires_hashes: bool = False
    notes: tuple[str, ...] = ()
    main: str = ""
    packages: tuple[Include, ...] = ()
    pins: Callable[[Variant], tuple[Pin, ...]] | None = None
    graph: "Graph | None" = None


def read(root: Path, path: str) -> Requirements:
    """Read a requirements file, and the files that it includes with -r and -c; raise as below."""
    return read_all(root, Requires((path,)))


def read_all(root: Path, requires: Requires) -> Requirements:
    """Read requirements files and declarations of projects as one.

    Raises:
        LockError: a file cannot be read, has an option that is not supported, or a requirement
            that cannot be pinned with a hash: a VCS link, a URL without a hash, a path that is no
            project of the repository. It lists all of them.

    """
    reader = _Reader(root)
    for path in requires.paths:
        if locations.is_project(path):
            reader.read_project(path, requires.groups, requires.extras)
        else:
            reader.read_file(path)
    if reader.problems:
        raise LockError("\n".join(reader.problems), "requirements")
    texts = [(name, "\n".join(lines) + "\n") for name, lines in reader.texts.items()]
    main = next(iter(reader.texts))
    if len(requires.paths) > 1:
        main = f"{main}.all.in"
        tops = (reader.main[path] for path in requires.paths)
        start = os.path.dirname(main)
        texts.append((main, "".join(f"-r {os.path.relpath(top, start)}\n" for top in tops)))
    return Requirements(
        requires.paths[0],
        reader.digest.hexdigest(),
        tuple(reader.indexes),
        frozenset(reader.files),
        tuple(texts),
        tuple(reader.entries),
        tuple(reader.choices),
        reader.requires_hashes,
        tuple(reader.notes),
        main if main != requires.paths[0] else "",
        tuple(reader.packages),
    )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, continued lines joined and comments removed."""
    number = 1
    for line in re.split(r"(?<!\\)\n", text):
        content = re.sub(r"(^|\s)#.*", "", line.replace("\\\n", " ")).strip()
        if content:
            yield number, content
        number += 1 + line.count("\n")


class _Reader:
    """Reads requirements files and their includes, and projects, each file once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digest = hashlib.sha256()
        self.files: set[str] = set()
        self.texts: dict[str, list[str]] = {}
        self.main: dict[str, str] = {}  # the text of each file that `requires` names
        self.packages: dict[Include, None] = {}
        self.entries: list[Entry] = []
        self.indexes: list[str] = []
        self.choices: list[str] = []
        self.requires_hashes = False
        self.notes: list[str] = []
        self.problems: list[str] = []

    def read_file(self, path: str, named_at: str = "", *, constraint: bool = False) -> None:
        if path in self.files:
            return
        self.files.add(path)
        self.main[path] = path
        lines = self.texts[path] = []
        text = self._text(path, f"{named_at}: " if named_at else "")
        self.digest.update(text.encode() + b"\0")
        for number, content in _logical_lines(text):
            where = f"{path}:{number}"
            if content.startswith("-"):
                lines += self.read_options(content, path, where, constraint=constraint)
            else:
                lines += self.read_requirement(content, path, where, constraint=constraint)

    def _text(self, path: str, named_at: str) -> str:
        if not is_inside(os.path.realpath(self.root / path), os.path.realpath(self.root)):
            self.problems.append(
                f"{named_at}{path}: a link leads to a file outside the repository, which is not "
                "read; copy the file into the repository"
            )
            return ""
        try:
            content = (self.root / path).read_bytes()
            if len(content) > _LARGEST:
                self.problems.append(
                    f"{named_at}{path}: {megabytes(len(content))}, more than the limit of "
                    f"{megabytes(_LARGEST)} for requirements"
                )
                return ""
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
            if "\0" not in text:
                return text
            line = text.count("\n", 0, text.index("\0")) + 1
            self.problems.append(f"{named_at}{path}:{line}: has a NUL character; remove it")
        except UnicodeDecodeError as error:
            encoding = _ENCODINGS.get(content[:2])
            found = f"is {encoding}, not UTF-8" if encoding else f"not UTF-8 at byte {error.start}"
            self.problems.append(f"{named_at}{path}: {found}; save it as UTF-8")
        except OSError as error:
            why = (error.strerror or "").lower()
            self.problems.append(f"{named_at}{path}: cannot be read: {why}")
        return ""

    def read_options(
        self, content: str, path: str, where: str, *, constraint: bool
    ) -> Iterator[str]:
        """Yield the lines for uv of a line of options, and collect the others."""
        try:
            words = _words(content)
        except ValueError as error:
            self.problems.append(f"{where}: '{content}': {str(error).lower()}")
            return
        while words:
            option = words.pop(0)
            takes_value = option in {*_NESTED, *_LOCATIONS, "-e", "--editable", "--trusted-host"}
            takes_value = takes_value or _FULFILLED.get(option) == 1 or option == "--no-binary"
            if takes_value and not words:
                self.problems.append(f"{where}: '{option}' needs a value")
                return
            value = words.pop(0) if takes_value else ""
            if option in _NESTED:
                is_constraint = constraint or _NESTED[option] == "-c"
                if self._nest(value, path, where, is_constraint=is_constraint):
                    yield f"{_NESTED[option]} {value}"
            elif option in {"-e", "--editable"}:
                if (lines := self.read_local(value, os.path.dirname(path), where)) is not None:
                    yield from lines
                    continue
                problem = _unpinnable(value, self.root, path, editable=True)
                self.problems.append(f"{where}: '{option} {value}' {problem}")
            else:
                self._collect(option, value, path, where)

    def _collect(self, option: str, value: str, path: str, where: str) -> None:
        if option in _LOCATIONS:
            self.problems += (f"{where}: {problem}" for problem in _refused(value))
            self.indexes += _LOCATIONS[option], self.absolute(value, os.path.dirname(path))
        elif option == "--no-index":
            self.indexes.append(option)
        elif option == "--trusted-host":
            self.indexes += "--allow-insecure-host", value
        elif option == "--pre":
            self.choices = ["--prerelease", "allow"]
            self.notes.append(f"{where}: '--pre': {_PRE}")
        elif option == "--no-binary":
            self.notes.append(f"{where}: '--no-binary {value}': {_NO_BINARY}")
        elif option == "--require-hashes":
            self.requires_hashes = True
        elif option not in _FULFILLED:
            self.problems.append(f"{where}: '{option}' is not supported; remove it")

    def _nest(self, name: str, path: str, where: str, *, is_constraint: bool) -> bool:
        folder = os.path.dirname(path)
        other = os.path.normpath(os.path.join(folder, name)).replace(os.sep, "/")
        if other == ".." or other.startswith("../") or os.path.isabs(other):
            self.problems.append(f"{where}: '{name}' is outside the repository; move it inside")
            return False
        self.read_file(other, where, constraint=is_constraint)
        return True

    def read_requirement(
        self, content: str, path: str, where: str, *, constraint: bool
    ) -> Iterator[str]:
        """Yield the line for uv of a requirement, and keep its hashes."""
        text, *options = re.split(r"\s+(?=--?[a-z])", content)
        if (lines := self.read_local(content, os.path.dirname(path), where)) is not None:
            yield from lines
            return
        if problem := _unpinnable(content, self.root, path):
            self.problems.append(f"{where}: '{content}' {problem}")
            return
        hashes = []
        for option in options:
            found = re.fullmatch(r"--hash(?:=|\s+)(\S+)", option.strip())
            if not found:
                self.problems.append(f"{where}: '{option}' is not supported; remove it")
            elif not _HASH.fullmatch(found[1]):
                self.problems.append(
                    f"{where}: '{found[1]}' is not a supported hash; "
                    "give the file's sha256, as in --hash=sha256:<hex>"
                )
            else:
                hashes.append(found[1])
        match = _NAME.match(text)
        name = "" if "://" in text.partition("@")[0] or not match else canonical_name(match[0])
        self.entries.append(Entry(where, text, name, tuple(hashes), constraint))
        # uv pins a URL by a hash in its fragment or behind it.
        yield content if "://" in text else text

    def read_project(self, path: str, groups: Sequence[str], extras: Sequence[str]) -> None:
        """Read the dependencies that a project declares, with those of some groups and extras."""
        from buildlib.lock import declared  # with its parsers, 10 ms

        self.files.add(path)
        found = declared.read(self.root, path)
        lines = list(found.lines)
        if found.computed:
            self.problems.append(
                f"{path}: the project computes its dependencies while it builds; write them to "
                "a requirements file and set 'requirements' to it"
            )
        for kind, names, known in (
            ("group", groups, found.groups),
            ("extra", extras, found.extras),
        ):
            by_name = {canonical_name(name): some for name, some in known.items()}
            for name in names:
                if canonical_name(name) in by_name:
                    lines += by_name[canonical_name(name)]
                else:
                    there = ", ".join(sorted(known)) or "none"
                    self.problems.append(f"{path}: no {kind} '{name}'; available: {there}")
        name = self.main[path] = f"{path}.in"
        texts: list[str] = []
        self.texts[name] = texts
        for line in dict.fromkeys(lines):
            self.digest.update(line.encode() + b"\n")
            texts += self.read_requirement(line, path, path, constraint=False)

    def read_local(self, text: str, folder: str, where: str) -> list[str] | None:
        """Read a project of the repository; return the lines for uv of its dependencies.

        None if the text names no such project. Its packages go into the ZIP.
        """
        match = _LOCAL.fullmatch(text)
        if not match:
            return None
        path = os.path.normpath(os.path.join(folder, match["path"])).replace(os.sep, "/")
        file = "pyproject.toml" if path == "." else f"{path}/pyproject.toml"
        if path.startswith("../") or os.path.isabs(path) or not (self.root / file).is_file():
            return None
        from buildlib.lock import declared, projects  # with parsers

        extras = re.findall(r"[\w.-]+", f"{match['extras'] or ''} {match['more'] or ''}")
        if file in self.files and not extras:
            return []
        self.files.add(file)
        found = declared.read(self.root, file)
        if found.computed:
            return None
        if os.path.normpath(path) != os.path.normpath(folder or "."):  # that is the function's own
            try:
                for one in projects.packages(self.root, path, where):
                    self.packages[one] = None
            except LockError as error:
                self.problems.append(str(error))
                return []
        known = {canonical_name(name): some for name, some in found.extras.items()}
        lines = [*found.lines, *(one for e in extras for one in known.get(canonical_name(e), ()))]
        self.digest.update(repr((path, lines)).encode())
        return [
            one
            for line in lines
            for one in self.read_requirement(line, file, where, constraint=False)
        ]

    def absolute(self, text: str, folder: str) -> str:
        """Return the value of an index option with variables replaced, and a path made absolute."""
        text = _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)
        if "://" in text or text.startswith("file:"):
            return text
        return os.path.normpath(self.root / folder / text).replace(os.sep, "/")


# The beginnings of the names of variables that an index address may have. Others, such as those of
# a cloud or a CI service, would be sent to the host that the address names.
_OF_INDEXES = (
    "UV_", "PIP_", "PYPI_", "INDEX_", "ARTIFACTORY_", "CLOUDSMITH_", "CODEARTIFACT_", "DEVPI_",
    "FURY_", "GEMFURY_", "NEXUS_",
)  # fmt: skip


_MORE = "LAMBDA_ZIP_INDEX_VARIABLES"


def _refused(address: str) -> Iterator[str]:
    """Yield a problem for each variable of an index address that is not for indexes."""
    allowed = os.environ.get(_MORE, "").replace(",", " ").split()
    for name in _VARIABLE.findall(address):
        if not name.startswith(_OF_INDEXES) and name not in allowed:
            yield (
                f"the address would send the variable {name} to its host. Use a "
                f"name that starts with "
                f"{', '.join(_OF_INDEXES)}; or set {_MORE}={name} where you build to allow it"
            )


def _words(content: str) -> list[str]:
    """Split a line of options as pip does: quotes are removed, `-rbase.txt` and `--x=y` split."""
    import shlex  # few files have options

    words = []
    for word in shlex.split(content.replace("\\", "\\\\") if os.name == "nt" else content):
        name, equals, value = word.partition("=")
        if equals and word.startswith("-") and not name.startswith(("-e.", "-r.")):
            words += [name, value]
        elif re.match(r"-[a-z][^-\s]", word) and word[:2] in {"-r", "-c", "-i", "-f", "-e"}:
            words += [word[:2], word[2:]]
        else:
            words.append(word)
    return words


def _unpinnable(requirement: str, root: Path, path: str, *, editable: bool = False) -> str | None:
    """Return why a requirement cannot be pinned, and the remedy; None if it can."""
    if re.search(r"(^|[\s@])(git|hg|svn|bzr)\+", requirement):
        return (
            "is a VCS link, which has no hash; publish a release to an index, "
            "or use a wheel's URL with '#sha256=<hex>'"
        )
    remote = re.search(r"(^|[\s@])https?://", requirement)
    if remote and any(redact.secrets(requirement)):
        return (
            "has credentials in its address, which would end up in the lockfile; "
            "put them into ~/.netrc: "
            "'machine <host> login <user> password <password>'"
        )
    if remote and not _HASHED.search(requirement):
        return "is a URL without a hash; append '#sha256=<hex>' to it"
    if remote:
        return None
    # A requirement for an index, without marker and hashes, has neither a path nor an address.
    name = re.split(r";|\s--", requirement, maxsplit=1)[0].strip()
    if editable or re.search(r"[/\\@]|^file:|^\.\.?(\[|$)|\.(whl|zip|tar\.gz)$", name):
        from buildlib.lock.local import remedy  # only for this message

        kind = "an editable install" if editable else "a local path"
        return f"is {kind}; {remedy(root, os.path.dirname(path), name)}"
    return None
