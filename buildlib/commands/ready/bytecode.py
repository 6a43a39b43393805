"""The bytecode of functions under a newer Python: whether there is any, and who compiles it."""

from collections.abc import Iterable
from typing import NamedTuple

from buildlib.bytecode import compiler
from buildlib.model import Function, Variant
from buildlib.project.compilers import minor
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES


class Need(NamedTuple):
    """The need of a function for its bytecode; one that `blocks` cannot be met."""

    text: str
    blocks: bool = False


def needs(project: Project, variants: Iterable[Variant], python: str) -> dict[str, Need]:
    """Return the needs of the variants that have bytecode, by id."""
    compiled = [one for one in variants if one.function.bytecode]
    if not compiled:
        return {}
    if RUNTIMES[python].is_preview:
        text = (
            f"no bytecode for Python {python}, whose format may change until its release; a build "
            "for it needs 'bytecode: false'"
        )
        return {one.id: Need(text, blocks=True) for one in compiled}
    here = compiler.available(python, project.layout.root)
    found = {one.id: _need(one.function, python, here) for one in compiled}
    return {name: Need(text) for name, text in found.items() if text}


def _need(function: Function, python: str, here: list[str]) -> str:
    named = next((one for one in function.compilers if minor(one) == python), "")
    if named:
        remedy = f"install it, such as with 'uv python install {named}'"
        return "" if named in here else f"needs CPython {named}, which is not here; {remedy}"
    if here:
        start = f"needs a pinned CPython {python}; this machine has {', '.join(here)}"
    else:
        install = f"install it, such as with 'uv python install {python}'"
        start = f"needs a pinned CPython {python}, and this machine has none; {install}"
    if function.compilers or function.lockfile is None:
        return f"{start}, and add its full version to 'compiler'"
    return f"{start}, and 'lambdas lock' pins it after the change of 'python'"
