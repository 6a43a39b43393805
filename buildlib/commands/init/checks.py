"""The problems of the first build of a proposal, as far as they are known without a build."""

from collections.abc import Iterator
from pathlib import Path

from buildlib.code import check, resolve
from buildlib.code.reader import Module
from buildlib.errors import BuildError
from buildlib.model import Function
from buildlib.project.project import Project
from buildlib.tree import prune
from buildlib.tree.handler import module_of

# Lines of one repository.
_SHOWN = 20


def problems(root: Path) -> Iterator[str]:
    """Yield the problems to solve before the functions of a manifest can be built."""
    project = Project(root)
    read = prune.reader_of(root)
    found: dict[str, None] = {}
    for function in project.manifest.functions:
        try:
            found |= dict.fromkeys(_of_function(project, function, read))
        except BuildError as error:
            found |= dict.fromkeys(str(error).splitlines())
    lines = list(found)
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"and {len(lines) - _SHOWN} more; run 'lambdas build' to list all"


def _of_function(project: Project, function: Function, read: prune.Read) -> Iterator[str]:
    needed = project.requirements(function)
    by_path = {origin.file.path: origin for origin in project.sources(function)}
    handler = module_of(function.handler, by_path)
    if function.is_layer or handler is None:
        return
    modules = {path for path in by_path if path.endswith(".py")}
    python = function.pythons[0]

    def module(path: str) -> Module:
        return read(by_path[path].path, python)

    allowed = dict(function.options).get("allow_missing_imports", ())
    verdict = check.missing(resolve.tree(by_path, modules, module, python), handler, allowed)
    for one in verdict.missing:
        # The modules of requirements and layers are known after they are installed.
        is_own = bool(one.gap.problem or one.gap.target)
        if one.is_certain and (is_own or not (needed or function.layers)):
            path, line = one.at
            yield f"{by_path[path].path}:{line}: import of '{one.gap.name}', which nothing provides"
