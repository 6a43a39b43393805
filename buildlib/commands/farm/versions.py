"""Everything of this package and its tools that can reach the bytes, on two machines."""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from buildlib import __version__, contract, recipe

# The facts, with the words for them, and the package that brings another one.
_NAMES = {
    "package": "doit-lambda-zip",
    "contract": "the byte contract",
    "installer": "the rules of installation",
    "encoder": "the compressor",
    "build_tools": "the pinned build tools",
    "uv": "uv",
}

Facts = Mapping[str, str]


def here() -> dict[str, str]:
    """Return the facts about this process."""
    return {
        "package": __version__,
        "contract": str(contract.CONTRACT),
        "installer": str(contract.INSTALLER),
        "encoder": contract.encoder(),
        "build_tools": recipe.build_tools()[:12],
        "uv": _version("uv"),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def differences(mine: Facts, theirs: Facts) -> Iterator[str]:
    """Yield each fact that differs, in words."""
    for name, words in _NAMES.items():
        if mine[name] != theirs.get(name):
            yield f"{words} is {theirs.get(name) or 'unknown'} there and {mine[name]} here"


def remedy(mine: Facts) -> str:
    """Return how to make a worker equal to this machine."""
    return f"run pip install 'doit-lambda-zip[farm]=={mine['package']}' 'uv=={mine['uv']}' there"
