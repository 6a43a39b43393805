"""Check a function's own code: its syntax, its handler, and that its imports are in the ZIP."""

import contextlib
import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from buildlib.code import available, check, distributions, reader, syntax
from buildlib.code.reader import Module
from buildlib.errors import StageError
from buildlib.model import File, Origin, Variant
from buildlib.tree.handler import check_handler

_logger = logging.getLogger(__name__)


class OwnCode:
    """The own files of a staged tree, each read once."""

    def __init__(self, variant: Variant, own: Iterable[Origin], tree: Path) -> None:
        self.variant = variant
        self.tree = tree
        self.origin_of = {origin.file.path: origin for origin in own}
        self.files = {origin.file for origin in self.origin_of.values()}
        self._modules: dict[str, Module] = {}

    def read(self, path: str) -> Module:
        """Return a module of the function by its path in the tree."""
        if path not in self._modules:
            self._modules[path] = reader.read((self.tree / path).read_bytes())
        return self._modules[path]

    def imports(self, path: str) -> str:
        """Return the digest of all that a module adds to the verdict about imports."""
        module = self.read(path)
        seen = [module.imports, sorted(module.names), module.edits_path]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()

    @contextlib.contextmanager
    def checked_syntax(self, known: Collection[File]) -> Iterator[None]:
        """Check the files that are not in `known`, for the target's Python, while the caller works.

        A file that no import can name, such as a template, gives a warning.

        Raises:
            StageError: Lambda could not compile a file.

        """
        paths = [
            path
            for path, origin in self.origin_of.items()
            if path.endswith(".py") and origin.file not in known
        ]
        shown = {self.origin_of[path].path: path for path in paths}
        sources = {name: (self.tree / path).read_bytes() for name, path in shown.items()}
        with syntax.checking(sources, self.variant.python) as errors:
            failed: StageError | None = None
            try:
                yield
            except StageError as error:
                failed = error
            # Wrong syntax comes first: it can be the reason why a name or an import is not found.
            self._refuse(shown, errors())
            if failed:
                raise failed

    def _refuse(self, paths: Mapping[str, str], problems: Iterable[str]) -> None:
        errors, python = [], self.variant.python
        for problem in problems:
            path = paths[problem.split(": ")[0].rsplit(":", 2)[0]]
            if all(part.isidentifier() for part in path.removesuffix(".py").split("/")):
                errors.append(problem)
            else:
                _logger.warning("%s (Python %s; nothing can import this file)", problem, python)
        if errors:
            name = self.variant.function.name
            what = f"lambda '{name}': Python {python} cannot compile its code"
            raise StageError("\n".join([what, *errors]), "syntax")

    def check_imports(
        self, paths: Collection[str], module: str, environments: Path
    ) -> dict[str, str]:
        """Check that the imports of the handler's module at the path `module` are in the tree.

        `paths` are those of all files of the tree. Return the digest of the imports of each own
        module that the handler reaches: as long as they are the same, the verdict is.

        Raises:
            StageError: Lambda could not import the handler.

        """
        reached: dict[str, str] = {}

        def read(path: str) -> Module:
            reached[path] = self.imports(path)
            return self.read(path)

        own = {path for path in self.origin_of if path.endswith(".py")}
        function, python = self.variant.function, self.variant.python
        tree = check.tree(paths, own, read)
        allowed = dict(function.options).get("allow_missing_imports", ())
        found = check.missing(tree, module, python, allowed)
        errors = [self._described(item, environments) for item in found if item.is_certain]
        if errors:
            what = f"lambda '{function.name}': Lambda could not import its handler"
            raise StageError("\n".join([what, *errors]), "import-missing")
        for item in found:
            _logger.warning("%s: %s", self.variant.id, self._described(item, environments))
        return reached

    def _described(self, item: check.Missing, environments: Path) -> str:
        function, python = self.variant.function, self.variant.python
        where = f"{self.origin_of[item.path].path}:{item.line}: import of '{item.name}'"
        first = item.name.partition(".")[0]
        if item.problem:
            return f"{where} {item.problem}"
        if first in {path.partition("/")[0].removesuffix(".py") for path in self.origin_of}:
            return f"{where}: the function's code has no such module"
        if not item.is_certain:
            return f"{where}: nothing in the ZIP provides it, but the code may do without"
        allowed = f"list '{first}' in 'allow_missing_imports'"
        if available.had(first):
            return f"{where}: Python {python} no longer has this module; replace it, or {allowed}"
        requirements = function.requirements or f"{function.source}/requirements.txt"
        likely = distributions.likely(item.name, environments)
        return (
            f"{where}: nothing in the ZIP provides it; add {likely} to {requirements}, or {allowed}"
        )


def verify(
    code: OwnCode, paths: Collection[str], known: Collection[File], environments: Path
) -> tuple[str | None, dict[str, str]]:
    """Check all of a function's own code, with the files of a tree at `paths`.

    Return the path of the handler's module, and the digests of `OwnCode.check_imports`. Files that
    are `known` have a valid syntax.

    Raises:
        StageError: the code could not be compiled, or its handler not be imported and called.

    """
    with code.checked_syntax(known):
        module = check_handler(code.variant, paths, code)
        if module is None or module not in code.origin_of:
            return module, {}
        return module, code.check_imports(paths, module, environments)


def verify_changed(code: OwnCode, changed: Collection[str], known: Mapping[str, str]) -> bool:
    """Tell whether changed own files leave the verdict about imports as it was.

    `known` are the digests of an earlier `verify`.
    """
    return all(path not in known or code.imports(path) == known[path] for path in changed)
