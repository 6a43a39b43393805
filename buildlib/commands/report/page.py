"""Render the page from its template, style and script.

The page loads nothing, and its Content-Security-Policy forbids it: even a name that got past the
template's escaping could neither run a script nor send a request.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from buildlib import __version__, text
from buildlib.archive.contents import IN_RUNTIME, OWN_FILES
from buildlib.commands.live.kept import Answer
from buildlib.commands.report import charts, flow, folders
from buildlib.commands.report.against import Comparison
from buildlib.commands.report.charts import Bar
from buildlib.commands.report.facts import Build, Content, Dependency, Lock
from buildlib.commands.report.revision import Revision
from buildlib.commands.report.starts import Start
from buildlib.runtimes import ZIPPED_LIMIT
from buildlib.steps.pending import STEPS

# The most lines that a reader can compare: of build times, and of packages on the first screen.
_LINES, _LARGEST = 20, 8


# The tiles of all treemaps together, and the fewest of one: a tile is about 250 bytes of the page.
_TILES, _FEWEST_TILES = 700, 30


class Use(NamedTuple):
    """A distribution, and the variants that contain it."""

    dependency: Dependency
    variants: list[str]


class Package(NamedTuple):
    """A part of ZIPs: its unzipped bytes and savings in the ZIP that has most of it."""

    name: str
    size: int
    savings: dict[str, int]
    variant: str
    variants: int


class Group(NamedTuple):
    """A function, with all its variants and their tasks."""

    name: str
    builds: list[Build]
    flow: flow.Flow


class Facts(NamedTuple):
    """All that the page shows; `contents` has variant ids as keys, `locks` has function names."""

    builds: Sequence[Build]
    contents: Mapping[str, Content]
    locks: Mapping[str, Lock]
    revision: Revision
    starts: Mapping[str, Start]
    drift: Sequence[Answer]
    comparison: Comparison | None = None


def render(facts: Facts) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "amount": text.amount,
        "seconds": flow.shown,
        "change": _change,
        "cut": charts.cut,
        "ms": lambda value: f"{value:.1f} ms",
    }
    style, script = _read("style.css"), _read("script.js")
    builds, contents = facts.builds, facts.contents
    return environment.get_template("page.html").render(
        version=__version__,
        style=style,
        script=script,
        policy=_policy(style, script),
        steps=[step.name for step in STEPS],
        builds=builds,
        built=[build for build in builds if build.written],
        contents=contents,
        groups=_groups(builds, facts.locks),
        uses=_uses(contents),
        revision=facts.revision,
        comparison=facts.comparison,
        starts=facts.starts,
        drift=facts.drift,
        largest=_largest(contents),
        zipped_limit=ZIPPED_LIMIT,
        in_runtime=IN_RUNTIME,
        levels=_levels(contents),
        map_ids={build.id: f"m{number}" for number, build in enumerate(builds)},
        treemap=charts.treemap,
        limit_bar=charts.limit_bar,
        slowest=_slowest(builds),
        times=lambda builds: charts.times(_bars(builds)),
    )


def _template(name: str) -> str:
    """Return a template without its indentation, which would be a fifth of the page."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return re.sub(r"^[ \t]+", "", text, flags=re.MULTILINE)


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


def _largest(contents: Mapping[str, Content]) -> list[Package]:
    """Return the largest packages of all ZIPs; versions of one package count as one."""
    found: dict[str, Package] = {}
    for variant_id, content in contents.items():
        for part in content.parts:
            name = part.name if part.name == OWN_FILES else part.name.partition(" ")[0]
            known = found.get(name) or Package(part.name, 0, {}, variant_id, 0)
            if part.size > known.size:
                known = Package(part.name, part.size, part.savings, variant_id, known.variants)
            found[name] = known._replace(variants=known.variants + 1)
    return sorted(found.values(), key=lambda package: (-package.size, package.name))[:_LARGEST]


def _levels(contents: Mapping[str, Content]) -> dict[str, list[folders.Level]]:
    """Return the levels of each treemap; the tiles that a small ZIP leaves go to larger ones."""
    found, rest = {}, _TILES
    order = sorted(contents, key=lambda variant_id: (len(contents[variant_id].files), variant_id))
    for done, variant_id in enumerate(order):
        content = contents[variant_id]
        share = max(_FEWEST_TILES, rest // (len(order) - done))
        found[variant_id] = folders.levels(content.parts, content.files, share)
        rest -= sum(len(level.tiles) for level in found[variant_id])
    return found


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
