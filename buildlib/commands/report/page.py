"""Render the page from its template, style and script.

The page loads nothing, and its Content-Security-Policy forbids it: even a name that got past the
template's escaping could neither run a script nor send a request.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from buildlib import __version__, text
from buildlib.archive.contents import IN_RUNTIME, OWN_FILES, Part
from buildlib.commands.report import charts, flow
from buildlib.commands.report.charts import Bar, Tile
from buildlib.commands.report.facts import Build, Content, Dependency, Lock
from buildlib.runtimes import ZIPPED_LIMIT
from buildlib.steps.pending import STEPS

# The most tiles that a reader can tell apart, and the most lines that one can compare.
_TILES, _LINES = 40, 20


class Use(NamedTuple):
    """A distribution, and the variants that contain it."""

    dependency: Dependency
    variants: list[str]


class Group(NamedTuple):
    """A function, with all its variants and their tasks."""

    name: str
    builds: list[Build]
    flow: flow.Flow


def render(
    builds: Sequence[Build], contents: Mapping[str, Content], locks: Mapping[str, Lock]
) -> str:
    """Return the page; `contents` has variant ids as keys, `locks` has function names."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": text.amount, "seconds": flow.shown, "change": _change}
    style, script = _read("style.css"), _read("script.js")
    return environment.get_template("page.html").render(
        version=__version__,
        style=style,
        script=script,
        policy=_policy(style, script),
        steps=[step.name for step in STEPS],
        builds=builds,
        built=[build for build in builds if build.written],
        contents=contents,
        groups=_groups(builds, locks),
        uses=_uses(contents),
        zipped_limit=ZIPPED_LIMIT,
        in_runtime=IN_RUNTIME,
        tiles=_TILES,
        treemap=_treemap,
        graph=lambda flow: charts.graph(flow.nodes, flow.edges, flow.rows),
        slowest=_slowest(builds),
        times=lambda builds: charts.times(_bars(builds)),
    )


def _read(name: str) -> Markup:
    path = Path(__file__).with_name(name)
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704 - a file of this package


def _policy(style: str, script: str) -> str:
    """Return the policy (CSP level 2) that allows this style and this script, and nothing else."""

    def source(text: str) -> str:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{digest}'"

    return (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _groups(builds: Sequence[Build], locks: Mapping[str, Lock]) -> list[Group]:
    users: dict[str, list[Build]] = {}
    functions: dict[str, list[Build]] = {}
    for build in builds:
        functions.setdefault(build.function, []).append(build)
        if build.environment:
            users.setdefault(build.environment, []).append(build)
    groups = []
    for name, own_builds in functions.items():
        sharing = {
            environment: others
            for environment, sharers in users.items()
            if (others := [build.id for build in sharers if build.function != name])
        }
        groups.append(Group(name, own_builds, flow.build_flow(own_builds, locks[name], sharing)))
    return groups


def _uses(contents: Mapping[str, Content]) -> list[Use]:
    variants_of: dict[Dependency, list[str]] = {}
    for variant_id, content in contents.items():
        for dependency in content.dependencies:
            variants_of.setdefault(dependency, []).append(variant_id)
    return [Use(dependency, variants) for dependency, variants in sorted(variants_of.items())]


def _treemap(build: Build, content: Content) -> Markup:
    tiles = [
        Tile(part.name, part.size, text.amount(part.size), _kind(part)) for part in content.parts
    ]
    if len(tiles) > _TILES:
        rest = sum(tile.size for tile in tiles[_TILES:])
        name = f"{len(tiles) - _TILES} smaller ones"
        tiles[_TILES:] = [Tile(name, rest, text.amount(rest), "rest")]
    return charts.treemap(tuple(tiles), build.limit)


def _kind(part: Part) -> str:
    if part.name == OWN_FILES:
        return "own"
    return "runtime" if IN_RUNTIME in part.savings else "package"


def _slowest(builds: Sequence[Build]) -> list[Build]:
    """Return the slowest builds first; builds without a known time are left out."""
    timed = [build for build in builds if build.seconds]
    return sorted(timed, key=lambda build: -sum(build.seconds.values()))[:_LINES]


def _bars(builds: Sequence[Build]) -> list[Bar]:
    return [
        Bar(build.id, step, seconds) for build in builds for step, seconds in build.seconds.items()
    ]


def _change(now: int, before: int | None) -> str:
    """Return the change of a size: `new`, `same`, `+3.4 kB`, `-12 B`. Sizes are in bytes."""
    if before is None:
        return "new"
    if now == before:
        return "same"
    sign = "+" if now > before else "\N{MINUS SIGN}"
    return f"{sign}{text.amount(abs(now - before))}"
