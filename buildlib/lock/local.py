"""The remedy for a requirement that is a path: how its code gets into the ZIP."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# PEP 427: `{distribution}-{version}(-{build tag})?-{python tag}-{abi tag}-{platform tag}.whl`
_WHEEL = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")


def remedy(root: Path, folder: str, text: str) -> str:
    """Return the remedy for the path `text` in a requirements file of `folder`.

    It is as exact as the files allow. For a wheel it gives the `--find-links` and the pin, for a
    project the packages to include and the dependencies to require.
    """
    location = re.sub(r"^[A-Za-z0-9._-]+(\[.*?\])?\s*@\s*", "", text).removeprefix("file://")
    location = re.sub(r"\[[^\]]*\]$", "", location.removeprefix("file:")).strip()
    path = os.path.normpath(os.path.join(root, folder, location))
    inside = path.startswith(f"{root}{os.sep}")
    if match := _WHEEL.fullmatch(os.path.basename(location)):
        parent = os.path.dirname(location) or "."
        parent = parent if parent.startswith((".", "/")) else f"./{parent}"
        name = match["name"].replace("_", "-")
        return (
            f"write '--find-links {parent}' and '{name}=={match['version']}' "
            "instead, each on its own line"
        )
    extras = (
        re.findall(r"[\w.-]+", match[1]) if (match := re.search(r"\[([^\]]*)\]$", text)) else []
    )
    dependencies = list(_dependencies(Path(path, "pyproject.toml"), extras)) if inside else []
    required = f"require its dependencies here: {', '.join(dependencies)}" if dependencies else ""
    if path == os.path.normpath(os.path.join(root, folder)):
        rest = required or "list the dependencies of the function instead"
        return f"the ZIP already contains that folder; remove the line and {rest}"
    packages = _packages(Path(path)) if inside and os.path.isdir(path) else []
    if not packages:
        return "publish it to an index, or add its packages to the lambda's 'include' instead"
    shown = ", ".join(package.relative_to(root).as_posix() for package in packages)
    advice = f"remove the line and set 'include: [{shown}]' for the lambda"
    return f"{advice}, and {required}" if required else advice


def _packages(project: Path) -> list[Path]:
    """Return the import packages and modules of a project: below `src/`, or at its top."""
    top = project / "src" if (project / "src").is_dir() else project
    packages = sorted(path.parent for path in top.glob("*/__init__.py"))
    skipped = {"tests", "test", "docs", "examples"}
    packages = [path for path in packages if path.name not in skipped]
    if packages:
        return packages
    return sorted(path for path in top.glob("*.py") if path.name not in {"setup.py", "conftest.py"})


def _dependencies(pyproject: Path, extras: Iterable[str]) -> Iterator[str]:
    """Yield the dependencies that a project declares (PEP 621), with those of some extras."""
    try:
        project: dict[str, Any] = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        optional = project.get("optional-dependencies", {})
        yield from map(str, project.get("dependencies", []))
        for extra in extras:
            yield from map(str, optional.get(extra, []))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return
