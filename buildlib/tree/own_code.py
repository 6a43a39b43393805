"""Check a function's own code: its syntax, its handler, and that its imports are in the ZIP."""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from buildlib.code import check, reader, resolve, syntax
from buildlib.code.reader import Module
from buildlib.errors import StageError
from buildlib.files.bytecode import TEMPLATES
from buildlib.model import File, Origin, Variant
from buildlib.tree import services as botocore
from buildlib.tree.advice import Advice, Surroundings
from buildlib.tree.contents import Contents
from buildlib.tree.handler import check_handler

# A line of a template, in the syntax of Jinja, Mako, ERB or a shell.
_TEMPLATE = re.compile(rb"\{\{|\{%|<%|\$\{|\$\(")


# A larger one is read as this.
_UNREAD = b"def __getattr__(name): ..."


class Verdict(NamedTuple):
    """The result of the checks of the code in a tree.

    `module` is the path of the handler's module, None if it is machine code or in a layer;
    `imports` are the digests of the imports of each own module that it reaches: as long as they are
    the same, the verdict is. `doubts` are warnings, each with its place in the code.
    """

    module: str | None
    imports: dict[str, str]
    doubts: list[tuple[str, str]]


class OwnCode:
    """The own files of a staged tree, each read once: small ones are in `contents`.

    `reached` are the paths of modules that an earlier verdict knows to be imported; `doubts` become
    warnings about the syntax, each with its place.
    """

    def __init__(
        self,
        variant: Variant,
        own: Iterable[Origin],
        tree: Path,
        contents: Contents,
        *,
        reached: Collection[str] = (),
    ) -> None:
        self.variant = variant
        self._contents = contents
        self.tree = tree
        self.origin_of = {origin.file.path: origin for origin in own}
        self.files = {origin.file for origin in self.origin_of.values()}
        self.reached = set(reached)
        self.doubts: list[tuple[str, str]] = []
        self._modules: dict[str, Module] = {}

    def read(self, path: str) -> Module:
        """Return a module of the function by its path in the tree; one too large binds any name."""
        if path not in self._modules:
            content = self._content(path)
            if len(content) > reader.LARGEST:
                content = _UNREAD
                text = f"the imports of a module over {reader.LARGEST / 1e6} MB are not checked"
                self.doubts.append((text, self.origin_of[path].path))
            self._modules[path] = reader.read(content, self.variant.python)
        return self._modules[path]

    def _content(self, path: str) -> bytes:
        origin = self.origin_of.get(path)
        known = self._contents.of(origin) if origin and not origin.dependency else None
        return (self.tree / path).read_bytes() if known is None else known

    def imports(self, path: str) -> str:
        """Return the digest of all that a module adds to the verdict about imports."""
        module = self.read(path)
        seen = json.dumps(module._replace(functions={}), default=sorted)
        return hashlib.sha256(seen.encode()).hexdigest()

    @contextlib.contextmanager
    def checked_syntax(self, known: Collection[File]) -> Iterator[None]:
        """Check the files that are not in `known`, for the target's Python, while the caller works.

        A file that no import can name, or a template that nothing imports, gives a warning.

        Raises:
            StageError: Lambda could not compile a file.

        """
        paths = [
            path
            for path, origin in self.origin_of.items()
            if path.endswith(".py") and origin.file not in known
        ]
        shown = {self.origin_of[path].path: path for path in paths}
        sources = {name: self._content(path) for name, path in shown.items()}
        with syntax.checking(sources, self.variant.python) as errors:
            failed: StageError | None = None
            try:
                yield
            except StageError as error:
                failed = error
            # Wrong syntax comes first: it can be the reason why a name or an import is not found.
            self._refuse(shown, sources, errors())
            if failed:
                raise failed

    def _refuse(
        self, paths: Mapping[str, str], sources: Mapping[str, bytes], problems: Iterable[str]
    ) -> None:
        errors, python, unreached = [], self.variant.python, False
        for problem in problems:
            name, line, _ = problem.split(": ")[0].rsplit(":", 2)
            path = paths[name]
            if self._is_code(path, sources[name], int(line)):
                errors.append(problem)
                unreached |= path not in self.reached
            else:
                place, _, what = problem.partition(": ")
                text = f"Python {python} cannot compile a file that nothing imports: {what}"
                self.doubts.append((text, place))
        if errors:
            name = self.variant.function.name
            what = f"lambda '{name}': Python {python} cannot compile its code"
            if unreached:
                errors.append("If nothing imports a file, name it in 'exclude'.")
            raise StageError("\n".join([what, *errors]), "syntax")

    def _is_code(self, path: str, content: bytes, line: int) -> bool:
        """Tell whether a file that cannot be compiled is code, not a template."""
        if path in self.reached:
            return True
        *folders, _ = parts = path.removesuffix(".py").split("/")
        if not all(part.isidentifier() for part in parts) or not TEMPLATES.isdisjoint(folders):
            return False
        lines = content.splitlines()
        return not _TEMPLATE.search(b"\n".join(lines[max(line - 2, 0) : line]))

    def check_services(
        self,
        verdict: Verdict,
        services: Collection[str] | None,
        described: Callable[[], Collection[str]],
    ) -> Verdict:
        """Check that botocore describes the services that the handler's code names.

        `services` are those that it describes in the ZIP; None for all. `described` returns those
        of the whole botocore, none if that is in a layer. The code is that of the own modules in a
        verdict, or all of it without a handler. Names that may be none of a service are warnings.

        Raises:
            StageError: with each call of another service.

        """
        if services is None:
            return verdict
        from buildlib.code import clients  # where a function keeps some services only

        paths = verdict.imports or [path for path in self.origin_of if path.endswith(".py")]
        found = [
            (f"{self.origin_of[path].path}:{one.line}", one)
            for path in paths
            if len(content := self._content(path)) <= reader.LARGEST
            for one in clients.clients(content)
            if botocore.canonical(one.service) not in services
        ]
        known = described() if found else ()
        problems, doubts = [], []
        for place, one in found:
            if not one.service:
                text = f"the code computes the name of a service; '{botocore.KEY}' has to have it"
                doubts.append((text, place))
            elif one.service and one.is_certain and (one.service in known or not known):
                problems.append(f"{place}: {one.result} of '{one.service}'")
            elif one.service in known:
                text = f"'{botocore.KEY}' lacks '{one.service}', and this may be {one.result} of it"
                doubts.append((text, place))
        if problems:
            what = (
                f"{self.variant.function.title}: its code needs AWS services that "
                "'aws_services' leaves out of botocore"
            )
            is_own = botocore.wanted(self.variant.function) == frozenset(services)
            owner = "" if is_own else " of the layer that has botocore"
            advice = f"Add these services to 'aws_services'{owner}."
            raise StageError("\n".join([what, *problems, advice]), "aws-service")
        return verdict._replace(doubts=[*verdict.doubts, *doubts])

    def check_imports(self, paths: Collection[str], module: str, around: Surroundings) -> Verdict:
        """Check that the imports of the handler's module at the path `module` are in the tree.

        `paths` are those of all files of the tree, and of the modules in layers.

        Raises:
            StageError: Lambda could not import the handler.

        """
        reached: dict[str, str] = {}

        def read(path: str) -> Module:
            reached[path] = self.imports(path)
            self.reached.add(path)
            return self.read(path)

        own = {path for path in self.origin_of if path.endswith(".py")}
        function = self.variant.function
        tree = resolve.tree(paths, own, read, self.variant.python)
        allowed = dict(function.options).get("allow_missing_imports", ())
        found = check.missing(tree, module, allowed)
        names = {path: origin.path for path, origin in self.origin_of.items()}
        advice = Advice(self.variant, names, paths, around)
        errors = [advice.error(one) for one in found.missing if one.is_certain]
        if errors:
            what = f"{function.title}: Lambda could not import its handler"
            raise StageError("\n".join([what, *errors]), "import-missing")
        doubts = [advice.doubt(one, edits_path=found.edits_path) for one in found.missing]
        return Verdict(module, reached, doubts)


def verify(
    code: OwnCode,
    paths: Collection[str],
    known: Collection[File],
    around: Surroundings,
    provided: Collection[str] = (),
) -> Verdict:
    """Verify all of a function's own code, with the files of a tree at `paths`.

    Files that are `known` have a valid syntax. `provided` are the paths of modules in layers.

    Raises:
        StageError: the code could not be compiled, or its handler not be imported and called.

    """
    with code.checked_syntax(known):
        module = check_handler(code.variant, paths, code, provided)
        verdict = Verdict(module, {}, [])
        if module is not None and module in code.origin_of:
            verdict = code.check_imports({*paths, *provided}, module, around)
    return verdict._replace(doubts=verdict.doubts + code.doubts)


def verify_changed(code: OwnCode, changed: Collection[str], known: Mapping[str, str]) -> bool:
    """Tell whether changed own files leave the verdict about imports as it was.

    `known` are the digests of an earlier `verify`.
    """
    return all(path not in known or code.imports(path) == known[path] for path in changed)
