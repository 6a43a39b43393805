"""The files of a CDK app: which of them to read, and which file an import names."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from buildlib.commands.init import candidates
from buildlib.commands.init.cdk import program, python, typescript
from buildlib.commands.init.cdk.syntax import DepthError

_SCRIPTS = (".ts", ".mts", ".cts", ".js", ".mjs", ".cjs")


# Texts of files that use CDK; of those that have functions or layers; and of Python in TypeScript.
_USES = re.compile(rb"aws[-_]cdk")
_MAKES = re.compile(rb"Function|LayerVersion")
_PYTHON = re.compile(rb"PYTHON_|PythonFunction|PythonLayerVersion|python3|[Pp]ython_?[Rr]untime")


# Bytes of a file that is read, and of one line: longer ones are generated.
_LARGEST, _WIDEST = 1 << 20, 5_000


class Sources:
    """The programs of a repository; problems with reading them are added to `notes`."""

    def __init__(self, root: Path, notes: list[str]) -> None:
        self.root = root
        self.notes = notes
        self.folders: set[str] = set()  # those with a cdk.json
        self.apps: list[str] = []
        self._files: set[str] = set()
        self._is_told = False
        makes = is_python = False
        for file in self._walk():
            source = self._read(file)
            if not _USES.search(source):
                continue
            makes |= _MAKES.search(source) is not None
            if not _is_generated(source):
                is_python |= file.endswith(".py") or _PYTHON.search(source) is not None
                self.apps.append(file)
            elif _MAKES.search(source) and (file.endswith(".py") or _PYTHON.search(source)):
                notes.append(f"{file}: not read, as it is too large or generated")
        if not makes or not is_python:
            self.apps = []

    def _walk(self) -> Iterator[str]:
        for folder, names in candidates.source_folders(self.root):
            prefix = "" if folder == "." else f"{folder}/"
            if "cdk.json" in names:
                self.folders.add(folder)
            for name in names:
                stem, suffix = posixpath.splitext(name)
                # JavaScript beside TypeScript of the same name is compiled from it.
                is_compiled = suffix in {".js", ".mjs", ".cjs"} and (
                    f"{stem}.ts" in names or stem.endswith(".min")
                )
                if suffix == ".py" or (
                    suffix in _SCRIPTS and not is_compiled and not stem.endswith(".d")
                ):
                    self._files.add(f"{prefix}{name}")
                    yield f"{prefix}{name}"

    def _read(self, file: str) -> bytes:
        """Return the first part of a file, larger than any that is followed; empty on an error."""
        try:
            with (self.root / file).open("rb") as stream:
                return stream.read(_LARGEST + 1)
        except OSError:
            return b""

    def load(self, file: str) -> program.Program | None:
        """Return the program of a file; None if it cannot be read."""
        source = self._read(file)
        if _is_generated(source):
            return None
        try:
            is_python = file.endswith(".py")
            read = python.translate(source) if is_python else typescript.translate(source)
        except ImportError:
            if not self._is_told:
                self.notes.append(
                    "the CDK app in TypeScript was not read; to read it, "
                    "pip install 'doit-lambda-zip[init]'"
                )
            self._is_told = True
            return None
        except DepthError:
            self.notes.append(f"{file}: cannot be read: it is nested too deep")
            return None
        if read.error and file in self.apps:
            self.notes.append(
                f"{file}:{read.error}: has a syntax error, so functions near it may be missing"
            )
        return read

    def find(self, file: str, module: str) -> str | None:
        """Return the file that an import in another file names; None if it is a library's."""
        folder = posixpath.dirname(file)
        if file.endswith(".py"):
            return self._python_module(folder, module)
        if not module.startswith("."):
            return None
        path = posixpath.normpath(posixpath.join(folder, module))
        stem = path.removesuffix(".js").removesuffix(".mjs")
        found = [path, *(f"{stem}{s}" for s in _SCRIPTS), *(f"{stem}/index{s}" for s in _SCRIPTS)]
        return next((one for one in found if one in self._files), None)

    def _python_module(self, folder: str, module: str) -> str | None:
        name = module.lstrip(".")
        dots = len(module) - len(name)
        if dots:
            for _ in range(dots - 1):
                folder = posixpath.dirname(folder)
            bases = [folder]
        else:
            bases = [folder, *self.lineage(folder)]
        for base in bases:
            path = posixpath.join("" if base == "." else base, name.replace(".", "/")).rstrip("/")
            for one in (f"{path}.py", f"{path}/__init__.py"):
                if one in self._files:
                    return one
        return None

    def lineage(self, folder: str) -> list[str]:
        """Return the folders above a folder, to the nearest with a cdk.json or to the root."""
        found = [folder or "."]
        while found[-1] not in self.folders and found[-1] != ".":
            found.append(posixpath.dirname(found[-1]) or ".")
        return found

    def path(self, file: str, path: str, *, is_from_file: bool) -> str | None:
        """Return a path of a program relative to the root; None if there is no such file.

        One that is made from the program's own place is relative to the root already. CDK runs in
        the folder of cdk.json; without that file, one folder above the program must have the path.
        """
        if is_from_file:
            return candidates.existing_path(self.root, ".", path)
        folders = self.lineage(posixpath.dirname(file))
        if folders[-1] in self.folders:
            folders = folders[-1:]
        found = {candidates.existing_path(self.root, folder, path) for folder in folders} - {None}
        return found.pop() if len(found) == 1 else None


def _is_generated(source: bytes) -> bool:
    is_wide = any(len(line) > _WIDEST for line in source.split(b"\n"))
    return is_wide or len(source) > _LARGEST
