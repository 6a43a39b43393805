"""Recipes: every input that can reach the bytes of an output, as plain data.

The sha256 of a recipe is its key. The decision to rebuild compares keys, and the explanation
compares recipes, so the two cannot disagree.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from buildlib import __version__, contract
from buildlib.model import File, Pin, Variant
from buildlib.runtimes import CODE_FOLDER, LAYER_FOLDER, image_platform, platform_tag

Recipe = dict[str, Any]


def environment_recipe(
    variant: Variant, pins: Iterable[Pin], image: str = "", compiler: str = ""
) -> Recipe:
    """Return the recipe of a variant's environment; variants with equal recipes share one.

    `image` is the pinned reference of the image in which the dependencies are installed, and
    `compiler` the version of the CPython that compiles them; empty without bytecode. Settings
    that only give access to packages (indexes, credentials, proxies, certificates, the engine)
    are left out, since every distribution is checked against its hash.
    """
    function = variant.function
    names = {pin.name for pin in pins}
    strip: Recipe = {"strip": f"rules {contract.STRIP}"} if function.strip else {}
    built = [name for name in sorted(function.allow_sdist) if name in names]
    docker = function.docker
    container: Recipe = {}
    if docker:
        # Only the content of an image matters, not its repository.
        container["docker"] = {
            "image": image.rpartition("@")[2],
            "platform": image_platform(variant.architecture),
            "setup": list(docker.setup),
            "libraries": list(docker.libraries),
        }
    bytecode: Recipe = {}
    if compiler:
        bytecode = {
            "compiler": f"CPython {compiler}",
            "bytecode": contract.BYTECODE,
            "code_folder": LAYER_FOLDER if function.is_layer else CODE_FOLDER,
        }
    return (
        container
        | bytecode
        | strip
        | {
            "contract": contract.CONTRACT,
            "installer": contract.INSTALLER,
            "python": variant.python,
            "architecture": variant.architecture,
            "platform": platform_tag(variant.python, variant.architecture),
            "install": function.install,
            "allow_sdist": built,
            "build_tools": build_tools() if built or docker else "",
            "packages": {pin.name: [pin.version, *pin.hashes] for pin in pins},
        }
    )


def artifact_recipe(variant: Variant, dependencies: Recipe, sources: Sequence[File]) -> Recipe:
    """Return the recipe of a variant's ZIP; `sources` are its own files by their path in it."""
    function = variant.function
    # Reaches no byte, but a ZIP built with permission for a secret must not pass for one without.
    allowed = {"allow_secrets": list(function.allow_secrets)} if function.allow_secrets else {}
    # As JSON gives them back, so that a list is equal to the recorded one.
    options = {key: list(v) if isinstance(v, tuple) else v for key, v in function.options}
    layers = {"layers": list(function.layers)} if function.layers else {}
    sources_left_out: Recipe = {} if function.sources else {"sources": "replaced by bytecode"}
    return (
        allowed
        | layers
        | sources_left_out
        | {
            **options,
            "environment": dependencies,
            "handler": function.handler,
            "compression": function.compression,
            "encoder": contract.encoder(function.compression),
            "exclude": list(function.exclude),
            "files": {file.path: file.sha256 for file in sources},
        }
    )


def constants() -> str:
    """Return the inputs that all recipes share, independent of variants and files.

    With another version of this package, each file is looked at once: its checks may be new.
    """
    numbers = f"{contract.CONTRACT} {contract.INSTALLER}"
    encoders = f"{contract.encoder()} {contract.encoder('best')}"
    return f"{numbers} {__version__} {encoders} {build_tools()}"


def difference(before: Recipe, now: Recipe) -> list[str]:
    """Describe the changes between two recipes of an artifact, one a line."""
    old_environment, new_environment = before.get("environment", {}), now["environment"]
    changes = _packages(old_environment.get("packages", {}), new_environment["packages"])
    old = _options(old_environment) | _options(before)
    new = _options(new_environment) | _options(now)
    # The compiler says it all, where bytecode is turned on or off.
    same = {"bytecode", "code_folder"} if ("compiler" in old) != ("compiler" in new) else set()
    # And the compression, where its level or the encoder changes with it.
    same |= {"encoder"} if old.get("compression") != new.get("compression") else set()
    for name in {**new, **old}:
        if name not in same and (old.get(name) or None) != (new.get(name) or None):
            changes.append(_option(name, old.get(name), new.get(name)))
    return changes + _files(before.get("files", {}), now["files"])


def _options(recipe: Recipe) -> Recipe:
    """Return the options of a recipe, those of docker on the same level as the others."""
    container = {f"docker {name}": value for name, value in recipe.get("docker", {}).items()}
    nested = {"docker", "environment", "files", "packages"}
    return container | {name: recipe[name] for name in recipe if name not in nested}


def _packages(old: dict[str, list[str]], new: dict[str, list[str]]) -> list[str]:
    changes = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            changes.append(f"requirements.lock: {name} {old[name][0]} removed")
        elif name not in old:
            changes.append(f"requirements.lock: {name} {new[name][0]} added")
        elif old[name][0] != new[name][0]:
            changes.append(f"requirements.lock: {name} {old[name][0]} -> {new[name][0]}")
        elif old[name] != new[name]:
            changes.append(f"requirements.lock: {name} {new[name][0]} has other hashes")
    return changes


def _files(old: dict[str, str], new: dict[str, str]) -> list[str]:
    changes = [f"{path} changed" for path in new if path in old and old[path] != new[path]]
    changes += [f"{path} added" for path in new if path not in old]
    changes += [f"{path} removed" for path in old if path not in new]
    more = len(changes) - 10
    return changes if more <= 1 else [*changes[:10], f"and {more} more files"]


def _option(name: str, old: object, new: object) -> str:
    def short(value: object) -> str:
        if isinstance(value, list):
            return f"[{', '.join(map(str, value))}]"
        text = "none" if value in (None, "") else str(value)
        digest = text.removeprefix("sha256:")
        return f"{digest[:12]}..." if len(digest) == hashlib.sha256().digest_size * 2 else text

    label = {
        "contract": "byte contract",
        "installer": "rules of installation",
        "bytecode": "rules of bytecode",
        "compiler": "compiler of bytecode",
        "version": "doit-lambda-zip",  # in records of an earlier version
        "build_tools": "pinned build tools",
    }.get(name, name)
    return f"{label} {short(old)} -> {short(new)}"


@functools.cache
def build_tools() -> str:
    """Return the hex sha256 of the pins of the build tools for source distributions."""
    return hashlib.sha256(build_constraints().read_bytes()).hexdigest()


def build_constraints() -> Path:
    """Return the requirements file that pins the build tools."""
    return Path(__file__).with_name("build-constraints.txt")


def key(recipe: Recipe) -> str:
    """Return the hex sha256 of a recipe."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
