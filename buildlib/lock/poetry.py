"""Dependencies in the notations of Poetry and Pipenv, as lines of a requirements file."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from buildlib.text import canonical_name


def dependencies(table: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the main and the optional dependencies of `[tool.poetry]`."""
    main: list[str] = []
    optional: list[str] = []
    for name, value in table.get("dependencies", {}).items():
        if name.lower() != "python":
            is_optional = isinstance(value, Mapping) and value.get("optional")
            (optional if is_optional else main).extend(_lines(name, value, _poetry_version))
    groups = [group.get("dependencies", {}) for group in table.get("group", {}).values()]
    for group in [table.get("dev-dependencies", {}), *groups]:
        for name, value in group.items():
            optional.extend(_lines(name, value, _poetry_version))
    return main, optional


def groups(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the dependencies of each group of `[tool.poetry]`."""
    tables = {name: group.get("dependencies", {}) for name, group in table.get("group", {}).items()}
    if old := table.get("dev-dependencies"):
        tables["dev"] = {**old, **tables.get("dev", {})}
    return {
        name: tuple(
            line for key, value in some.items() for line in _lines(key, value, _poetry_version)
        )
        for name, some in tables.items()
    }


def extras(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the optional dependencies of each extra of `[tool.poetry]`."""
    dependencies_ = {
        canonical_name(name): (name, v) for name, v in table.get("dependencies", {}).items()
    }
    found = {}
    for extra, names in table.get("extras", {}).items():
        known = (
            dependencies_[key] for name in names if (key := canonical_name(name)) in dependencies_
        )
        found[extra] = tuple(
            line for name, value in known for line in _lines(name, value, _poetry_version)
        )
    return found


def pipenv(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of `[packages]` in a Pipfile, or of `default` in its lock."""
    for name, value in table.items():
        yield from _lines(name, value, lambda text: "" if text == "*" else text)


def _lines(name: str, value: Any, version: Any) -> Iterator[str]:  # noqa: ANN401 - TOML's
    if isinstance(value, list):
        for entry in value:
            yield from _lines(name, entry, version)
        return
    details = value if isinstance(value, Mapping) else {"version": value}
    extras = f"[{','.join(details['extras'])}]" if details.get("extras") else ""
    if folder := details.get("path"):
        yield f"{name}{extras} @ file:{folder}"
    elif address := details.get("git"):
        revision = details.get("rev") or details.get("tag") or details.get("ref")
        yield f"{name}{extras} @ git+{address}{'@' + revision if revision else ''}"
    elif address := details.get("url") or details.get("file"):
        yield f"{name}{extras} @ {address}"
    else:
        markers = [details["markers"]] if details.get("markers") else []
        if python := details.get("python"):
            markers += [_python_marker(part) for part in _poetry_version(str(python)).split(",")]
        marker = f" ; {' and '.join(markers)}" if any(markers) else ""
        yield f"{name}{extras}{version(str(details.get('version', '*')))}{marker}"


def _python_marker(text: str) -> str:
    match = re.fullmatch(r"([<>=!~]+)\s*([\d.*]+)", text.strip())
    return f"python_version {match[1]} '{match[2]}'" if match else ""


def _poetry_version(text: str) -> str:
    """Return a constraint of Poetry by PEP 440; empty where that cannot express it."""
    if "||" in text or "|" in text:
        return ""
    together = re.sub(r"([<>=!~^])\s+", r"\1", text)
    parts = [_constraint(part) for part in re.split(r"[,\s]+", together.strip())]
    return ",".join(part for part in parts if part)


def _constraint(text: str) -> str:
    match = re.fullmatch(r"(\^|~(?!=))\s*(\d+(\.\d+)*)(.*)", text)
    if match:
        numbers = [int(number) for number in match[2].split(".")]
        lower = f">={match[2]}{match[4]}"
        return f"{lower},<{'.'.join(map(str, _next(match[1], numbers)))}"
    if text in {"*", ""}:
        return ""
    return f"=={text}" if text[0].isdigit() else text.replace(" ", "")


def _next(operator: str, numbers: list[int]) -> list[int]:
    """Return the first version that `^` or `~` shuts out."""
    if operator == "^":  # the first number that is not 0 may not change
        at = next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
    else:
        at = min(1, len(numbers) - 1)
    return [*numbers[:at], numbers[at] + 1]
