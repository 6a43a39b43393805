"""The step `stage`: environment and sources to one tree, with a list of its files.

The stamp of a staged tree names the function's own files; the files of dependencies, often
thousands, are in a list of their own, so that an edit of one line need not read it.
"""

import hashlib
import itertools
import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildlib import recipe
from buildlib.artifacts import limits
from buildlib.cache import digests
from buildlib.errors import InstallError, StagedFileError
from buildlib.files import atomic, records
from buildlib.files.names import is_below
from buildlib.layout import Layout
from buildlib.model import File, Function, Origin, Variant
from buildlib.project.inputs import Inputs
from buildlib.project.project import Project
from buildlib.runtimes import UNZIPPED_LIMIT
from buildlib.steps import venv
from buildlib.steps.venv import Environment
from buildlib.tree import handler, merge, metadata, patterns, services, sources, sync
from buildlib.tree.contents import Contents

if TYPE_CHECKING:
    from buildlib.archive.savings import Files
    from buildlib.code.clients import Client
    from buildlib.tree.advice import Surroundings
    from buildlib.tree.own_code import Verdict
    from buildlib.tree.secrets import Finding

_logger = logging.getLogger(__name__)


class Staged(NamedTuple):
    """A staged tree.

    `key` is that of its inputs; `own` are the function's own files, and `dependencies` is the
    sha256 of the list of the others. `shape` hashes everything but the contents of own files: while
    it is the same, only those are staged again. None means that the whole tree has to be staged.
    `to_touch` are the files without canonical metadata yet. `secret_rules` are the rules by which
    the own files were searched for credentials. `imports` are the digests of the imports of each
    own module that the handler reaches, and `doubts` the warnings about the code, each with its
    place. `dependencies_size` is in bytes. `run` is the id of the run that staged it.
    """

    key: str
    own: list[Origin]
    dependencies: str
    shape: str | None
    to_touch: list[str]
    secret_rules: list[object]
    imports: dict[str, str]
    doubts: list[tuple[str, str]]
    dependencies_size: int
    run: str

    @property
    def size(self) -> int:
        """The size of all files of the tree, in bytes."""
        return self.dependencies_size + sum(origin.file.size for origin in self.own)


_SHAPE = records.fields(
    key=records.sha256,
    own=records.list_of(records.row(*records.FILE, is_below)),
    dependencies=records.sha256,
    shape=records.optional(records.sha256),
    to_touch=records.list_of(is_below),
    secret_rules=records.sequence,
    imports=records.map_of(records.text, records.text),
    doubts=records.list_of(records.row(records.text, records.text)),
    dependencies_size=records.number,
    run=records.text,
)


_LIST = records.list_of(records.row(*records.FILE))

NO_FILES = hashlib.sha256(b"[]").hexdigest()


def load(layout: Layout, variant_id: str) -> Staged | None:
    """Return the staged tree of a variant, of whichever inputs; None if its stamp is unusable."""
    stamp = records.read(layout.stamp("stage", variant_id), _SHAPE)
    if stamp is None:
        return None
    own = [Origin(File(*row[:3]), row[3], dependency=False) for row in stamp["own"]]
    doubts = [(text, place) for text, place in stamp["doubts"]]
    return Staged(**stamp | {"own": own, "doubts": doubts})


def staged(project: Project, variant: Variant) -> Staged | None:
    """Return the staged tree of a variant as `load` does, whose stamp is read once in a run."""
    layout = project.layout
    state = digests.signature_of(layout.stamp("stage", variant.id))
    return project.remembered(("staged", variant.id), state, lambda: load(layout, variant.id))


def is_intact(staged: Staged, inputs: Inputs, layout: Layout) -> bool:
    """Tell whether a staged tree is of the present inputs, and still as `touch` left it."""
    if staged.key != inputs.key:
        return False
    others = read_list(layout.dependencies("stage", inputs.variant.id), staged.dependencies)
    if others is None:
        return False
    start = len(inputs.variant.function.prefix)
    origins = staged.own + [Origin(f, f.path[start:], dependency=True) for f in others]
    environment = layout.environment_tree(inputs.environment_key)
    return sync.intact(layout.staged(inputs.variant.id), origins, environment)


def only_own_contents_changed(previous: Staged, inputs: Inputs, layout: Layout) -> bool:
    """Tell whether a staged tree differs from the present inputs in contents of own files only."""
    names = [origin.file.path for origin in _shipped(inputs)]
    return (
        previous.shape is not None
        and previous.shape == _shape(inputs, layout, names)
        and sync.has_folders(layout.staged(inputs.variant.id), names)
    )


def _shipped(inputs: Inputs) -> list[Origin]:
    """Return the own files with their bytecode, which needs no checks of its own."""
    return [*inputs.own, *inputs.bytecode]


class InLayers(NamedTuple):
    """The files in the layers of a function.

    `paths` are those of modules, as they are imported. `unseen` are the own modules of a layer that
    Python does not find: by their path in the layer, its name and their path in the repository.
    """

    paths: set[str]
    unseen: dict[str, tuple[str, str]]


Provided = Callable[[], InLayers]


def stage_own(
    previous: Staged, inputs: Inputs, layout: Layout, run: str, provided: Provided
) -> Staged:
    """Stage the own files that changed into a tree whose other files are as they should be.

    Raises:
        StageError: the handler or a credential is refused, or a source changed meanwhile.

    """
    variant, tree = inputs.variant, layout.staged(inputs.variant.id)
    contents = Contents(layout.root)
    rules = _check_secrets(inputs, layout, previous, contents)
    _begin(layout, variant)
    to_touch = sync.sync(
        _shipped(inputs),
        {},
        tree,
        previous={origin.file.path: origin.file.sha256 for origin in previous.own},
        contents=contents,
        root=layout.root,
        environment=tree,
        whole=False,
    )
    own, known = _shipped(inputs), {origin.file for origin in previous.own}
    changed = [origin for origin in inputs.own if origin.file not in known]
    _check_machine_code(changed, inputs, layout, lambda: dependencies(previous, layout, variant))
    verdict = _check_edit(previous, inputs, layout, contents, provided)
    staged = previous._replace(
        key=inputs.key,
        own=own,
        to_touch=to_touch,
        secret_rules=rules,
        imports=verdict.imports,
        doubts=verdict.doubts,
        run=run,
    )
    return _stamped(staged, layout, variant)


def _check_edit(
    previous: Staged, inputs: Inputs, layout: Layout, contents: Contents, provided: Provided
) -> "Verdict":
    """Check own files that changed; follow all imports only if one of them changed."""
    from buildlib.tree import own_code  # only where own code changed

    # A file with a warning is looked at again: by now, something may import it.
    doubted = {place.split(":")[0] for _, place in previous.doubts}
    known = {origin.file for origin in previous.own if origin.path not in doubted}
    tree = layout.staged(inputs.variant.id)
    code = own_code.OwnCode(inputs.variant, inputs.own, tree, contents, reached=previous.imports)
    names = {origin.file.path for origin in inputs.own}
    changed = {origin.file.path for origin in inputs.own if origin.file not in known}
    with code.checked_syntax(known):
        module = handler.check_handler(inputs.variant, names, code)
        verdict = own_code.Verdict(module, previous.imports, [])
        if not own_code.verify_changed(code, changed, previous.imports):
            names |= {file.path for file in dependencies(previous, layout, inputs.variant)}
            there = provided()
            around = _surroundings(inputs, layout, there)
            verdict = own_code.verify(code, names, code.files, around, there.paths)
    verdict = code.check_services(verdict, inputs.services, lambda: _described(inputs, layout))
    named = _named_sources(inputs, tree, contents)
    # An earlier warning may be about a file that is not looked at again.
    doubts = dict.fromkeys((*previous.doubts, *verdict.doubts, *code.doubts, *named))
    return verdict._replace(doubts=list(doubts))


def _check_machine_code(
    own: Iterable[Origin], inputs: Inputs, layout: Layout, others: Callable[[], Iterable[File]]
) -> None:
    """Check own files of machine code: that the runtime loads them, and finds their libraries.

    `others` returns the files of the tree that may be a library.
    """
    files = [origin.file for origin in own if not origin.path.endswith((".py", ".json", ".txt"))]
    if not files:
        return
    from buildlib.environment import elf, libraries  # an own file is seldom machine code

    variant = inputs.variant
    found = elf.inspect(layout.staged(variant.id), files, variant)
    elf.refuse_own(found.wrong, variant)
    if found.codes:
        paths = [file.path for file in others()]
        missing = libraries.missing(found.codes, paths, variant.python)
        venv.warn_of_libraries(missing, variant, inputs.own)


def _surroundings(inputs: Inputs, layout: Layout, there: InLayers) -> "Surroundings":
    from buildlib.tree.advice import Surroundings  # only where code is checked

    known = inputs.pins, inputs.left_out, tuple(sorted(there.unseen.items()))
    return Surroundings(layout.root, layout.environments, *known)


def stage_all(  # noqa: PLR0913, PLR0917 - each is one independent input of the tree
    previous: Staged | None,
    inputs: Inputs,
    environment: Environment,
    layout: Layout,
    run: str,
    provided: Provided,
) -> Staged:
    """Stage the whole tree, and remove every other file from its folder.

    Raises:
        InstallError: a file cannot be loaded by the runtime, or the environment was damaged.
        StageError: two files have one name, the handler or a credential is refused, or a source
            changed meanwhile.

    """
    variant = inputs.variant
    contents = Contents(layout.root)
    rules = _check_secrets(inputs, layout, previous, contents)
    venv.check(environment, variant)
    services.check_names(variant.function, (file.path for file in environment.files))
    venv.warn_of_libraries(environment.libraries, variant, inputs.own)
    origins, rewritten = merge.merge(
        variant.function, _shipped(inputs), environment.files, environment.tree
    )
    known = _digests(previous, layout, variant)
    _begin(layout, variant)
    try:
        to_touch = sync.sync(
            origins,
            rewritten,
            layout.staged(variant.id),
            previous=known,
            contents=contents,
            root=layout.root,
            environment=environment.tree,
        )
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        _check_environment(error, environment, layout)
        raise
    _check_machine_code(inputs.own, inputs, layout, lambda: (o.file for o in origins))
    verdict = _check_code(origins, inputs, environment, layout, contents, provided())
    others = [origin.file for origin in origins if origin.dependency]
    content = json.dumps(others, separators=(",", ":")).encode()
    if others:
        atomic.write(layout.dependencies("stage", variant.id), content, ours=True)
    own = [origin for origin in origins if not origin.dependency]
    names = [origin.file.path for origin in _shipped(inputs)]
    # With a shared `__init__.py` or a handler of a dependency, other files than the function's own
    # would have to be looked at again.
    is_alone = len(own) == len(names) and verdict.module in names
    staged = Staged(
        key=inputs.key,
        own=own,
        dependencies=hashlib.sha256(content).hexdigest(),
        shape=_shape(inputs, layout, names) if is_alone else None,
        to_touch=to_touch,
        secret_rules=rules,
        imports=verdict.imports,
        doubts=verdict.doubts,
        dependencies_size=sum(file.size for file in others),
        run=run,
    )
    return _stamped(staged, layout, variant)


def _check_code(  # noqa: PLR0913, PLR0917 - each is one independent input of the check
    origins: Sequence[Origin],
    inputs: Inputs,
    environment: Environment,
    layout: Layout,
    contents: Contents,
    there: InLayers,
) -> "Verdict":
    """Check the own code in a whole tree."""
    from buildlib.tree import own_code  # only where a tree is staged

    own = [origin for origin in origins if not origin.dependency]
    code = own_code.OwnCode(inputs.variant, own, layout.staged(inputs.variant.id), contents)
    paths = {origin.file.path for origin in origins}
    around = _surroundings(inputs, layout, there)
    verdict = own_code.verify(code, paths, (), around, there.paths)
    if inputs.services is not None:
        described = services.described(file.path for file in environment.files)
        verdict = code.check_services(verdict, inputs.services, lambda: described)
        _warn_of_calls(origins, inputs, layout, described)
    named = _named_sources(inputs, layout.staged(inputs.variant.id), contents)
    return verdict._replace(doubts=[*verdict.doubts, *named])


def _named_sources(inputs: Inputs, tree: Path, contents: Contents) -> list[tuple[str, str]]:
    """Return warnings about own sources that something names, where bytecode replaces them."""
    if inputs.variant.function.sources:
        return []
    from buildlib.tree import by_file  # only for functions without sources

    def read(origin: Origin) -> bytes:
        known = contents.of(origin)
        return (tree / origin.file.path).read_bytes() if known is None else known

    return by_file.doubts(inputs.variant.function, inputs.own, inputs.bytecode, read)


def _described(inputs: Inputs, layout: Layout) -> set[str]:
    """Return the services that botocore describes as a whole; none if it is in a layer."""
    environment = venv.load(layout, inputs.environment_key)
    return services.described(file.path for file in environment.files) if environment else set()


def _warn_of_calls(
    origins: Iterable[Origin], inputs: Inputs, layout: Layout, described: Collection[str]
) -> None:
    """Warn of packages that call other AWS services than those that botocore describes."""
    from buildlib.tree import calls  # where a function keeps some services only

    tree, kept = layout.staged(inputs.variant.id), inputs.services or ()
    files = [origin.file for origin in origins if origin.dependency]
    paths = [file.path for file in files if calls.may_call(file.path, file.size)]

    def left_out(one: "Client") -> bool:
        name = services.canonical(one.service)
        is_service = name in described if described else one.is_certain and one.service
        return bool(is_service) and name not in kept

    function = inputs.variant.function
    calls.warn(function, paths, lambda path: (tree / path).read_bytes(), left_out)


def _stamped(staged: Staged, layout: Layout, variant: Variant) -> Staged:
    rows = [(*origin.file, origin.path) for origin in staged.own]
    records.write(layout.stamp("stage", variant.id), staged._asdict() | {"own": rows})
    return staged


def _begin(layout: Layout, variant: Variant) -> None:
    """Remove the stamp of a tree: until it is whole again, nothing says that it is."""
    atomic.remove(layout.stamp("stage", variant.id))
    metadata.forget(layout.staged(variant.id))


def _shape(inputs: Inputs, layout: Layout, names: Sequence[str]) -> str | None:
    """Return the key of all that decides about a tree, but the contents of own files."""
    function, key = inputs.variant.function, inputs.environment_key
    try:
        installed = os.stat(layout.environment_record(key))
    except FileNotFoundError:
        return None
    return recipe.key({
        "environment": [key, *digests.signature(installed)],
        "exclude": list(function.exclude),
        "handler": function.handler,
        "options": dict(function.options),
        "sources": function.sources,
        "names": list(names),
    })  # fmt: skip


def _digests(previous: Staged | None, layout: Layout, variant: Variant) -> dict[str, str]:
    """Return the sha256 of each file of an earlier tree, by its path."""
    if previous is None:
        return {}
    files = [origin.file for origin in previous.own]
    files += read_list(layout.dependencies("stage", variant.id), previous.dependencies) or []
    return {file.path: file.sha256 for file in files}


def _check_environment(error: OSError, environment: Environment, layout: Layout) -> None:
    """Say that a file of the environment is missing, so that it is installed again."""
    if Path(error.filename).is_relative_to(environment.tree):
        msg = f"{layout.relative(Path(error.filename))} is damaged; run the build again"
        raise InstallError(msg, "environment-damaged") from error


def _warn_of_left_out(inputs: Inputs, layout: Layout) -> None:
    """Warn of a file that is left out by default although the function's code names it."""
    for module, path in sources.named_in_code(layout.root, inputs.own, inputs.left_out):
        _logger.warning(
            "%s: %s names '%s', which is left out by default; if it reads the file, add "
            "'!/%s' to 'exclude'",
            *(inputs.variant.function.title, module, path, path),
        )


def _check_secrets(
    inputs: Inputs, layout: Layout, previous: Staged | None, contents: Contents
) -> list[object]:
    """Stop if a function would ship credentials; return the rules by which it was searched.

    Files that were staged by the same rules are not searched again.
    """
    from buildlib.tree import secrets  # 5 ms, only when something is staged

    _warn_of_left_out(inputs, layout)
    _check_own_size(inputs, layout)
    function = inputs.variant.function
    rules = [secrets.RULES, *function.allow_secrets]
    known = {o.file for o in previous.own} if previous and previous.secret_rules == rules else set()
    problems = secrets.find(inputs.own, layout.root, known, contents)
    secrets.refuse(function, _not_allowed(function, problems))
    return rules


def refuse_credentials(function: Function, own: Sequence[Origin], layout: Layout) -> None:
    """Stop if own files of a function look like credentials, before they leave this machine.

    Raises:
        StageError: as `stage_all` does.

    """
    from buildlib.tree import secrets  # 5 ms

    problems = secrets.find(own, layout.root, frozenset(), Contents(layout.root))
    secrets.refuse(function, _not_allowed(function, problems))


def _check_own_size(inputs: Inputs, layout: Layout) -> None:
    """Refuse own files that alone exceed Lambda's limit, before anything reads them."""

    def files() -> "Files":
        from buildlib.archive.savings import Files  # only for the message

        paths = {origin.file.path: layout.root / origin.path for origin in inputs.own}
        sizes = {origin.file.path: origin.file.size for origin in inputs.own}
        digests = {origin.file.path: origin.file.sha256 for origin in inputs.own}
        return Files(sizes, lambda path: paths[path].read_bytes(), digests.__getitem__)

    size = sum(origin.file.size for origin in inputs.own)
    if size > UNZIPPED_LIMIT:
        limits.check_unzipped(inputs.variant, size, files, inputs.own)


def _not_allowed(function: Function, found: "dict[str, Finding]") -> "dict[str, Finding]":
    """Return the findings that neither a pattern nor a mark allows."""
    allowed = function.allow_secrets
    if not found or not allowed:
        return found
    names = [entry for entry in allowed if not entry.startswith("sha256:")]
    is_allowed = patterns.matcher(function, "allow_secrets", names)
    return {
        name: one for name, one in found.items() if one.mark not in allowed and not is_allowed(name)
    }


def dependencies(staged: Staged, layout: Layout, variant: Variant) -> list[File]:
    """Return the files of dependencies in a staged tree.

    Raises:
        StagedFileError: their list is lost.

    """
    path = layout.dependencies("stage", variant.id)
    files = read_list(path, staged.dependencies)
    if files is None:
        shown = layout.relative(path)
        msg = f"{shown}: missing or corrupt; run the build again to restage {variant.id}"
        raise StagedFileError(msg)
    return files


def read_list(path: Path, sha256: str) -> list[File] | None:
    """Return the list of files with a sha256; None if it is not there, or another one.

    An empty list is in no file.
    """
    if sha256 == NO_FILES:
        return []
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    if hashlib.sha256(content).hexdigest() != sha256:
        return None
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return list(itertools.starmap(File, rows)) if _LIST(rows) else None


def clean(layout: Layout, variant_id: str) -> None:
    """Remove the staged tree of a variant."""
    atomic.remove(layout.stamp("stage", variant_id))
    atomic.remove(layout.dependencies("stage", variant_id))
    atomic.remove(layout.staged(variant_id))
