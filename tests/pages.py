"""Reports about made-up functions with malicious names."""

from collections.abc import Sequence
from typing import Any

from buildlib.archive import contents
from buildlib.archive.contents import Part, Placed
from buildlib.commands.coldstart.kept import Measured, Surroundings
from buildlib.commands.live.kept import Answer, Row
from buildlib.commands.report import page
from buildlib.commands.report.against import Comparison
from buildlib.commands.report.facts import Build, Content, Dependency, Lock
from buildlib.commands.report.page import Facts
from buildlib.commands.report.revision import Revision
from buildlib.commands.report.starts import Start
from buildlib.model import Written
from buildlib.runtimes import UNZIPPED_LIMIT

EVIL = (
    "</script><script>document.title = 'evil'</script>\"><img src=x onerror=alert(1)>'&{{ 7 * 7 }}"
)
LONG = "a-name-that-no-one-would-give-" * 5
COMMIT = "c0ffee" * 6 + "abcd"
RUN = "https://ci.example/runs/7"
SEVERAL = "größe-日本語-Ω"
# The files of numpy: a folder in a folder, tests, and the metadata beside them.
FILES = [
    *(Placed(f"numpy/_core/{n}.so", 5_000_000, "numpy 2.2", "") for n in range(4)),
    *(Placed(f"numpy/tests/test_{n}.py", 2_000_000, "numpy 2.2", "tests/") for n in range(4)),
    *(Placed(f"numpy/{n}.py", 800, "numpy 2.2", "") for n in range(200)),
    Placed("numpy/__init__.py", 1_640_000, "numpy 2.2", ""),
    Placed("numpy-2.2.dist-info/METADATA", 200_000, "numpy 2.2", ""),
]


def build(name: str = "api", function: str | None = None, **fields: Any) -> Build:  # noqa: ANN401
    """Return a built variant, with `fields` replaced."""
    values: dict[str, Any] = {
        "id": name,
        "function": function or name,
        "handler": "app.handler",
        "runtime": "python3.13",
        "architecture": "x86_64",
        "limit": UNZIPPED_LIMIT,
        "written": Written("a" * 64, 12_000_000, 40_000_000),
        "why_not": "",
        "environment": "e1e1e1e1",
        "reasons": ["requirements.lock: numpy 2.1 -> 2.2", "app.py changed"],
        "origin": "build",
        "previous": Written("b" * 64, 11_000_000, 41_000_000),
        "seconds": {"venv": 2.5, "stage": 0.25, "touch": 0.01, "zip": 0.5},
    }
    return Build(**values | fields)


def content(*parts: Part, dependencies: tuple[Dependency, ...] = ()) -> Content:
    """Return a ZIP's content: a large package, one of the runtime's, own files, and `parts`."""
    usual = [
        Part("numpy 2.2", 30_000_000, {"tests/": 8_000_000}),
        Part("boto3 1.40", 9_000_000, {contents.IN_RUNTIME: 9_000_000}),
        Part(contents.OWN_FILES, 900_000, {}),
    ]
    locked = [
        Dependency("numpy", "2.2", "BSD-3-Clause"),
        Dependency("boto3", "1.40", "Apache-2.0"),
    ]
    return Content([*usual, *parts], [*locked, *dependencies], FILES)


def start(name: str, *earlier: tuple[Measured, bool], bytecode: int = 0) -> Start:
    """Return the starts of a variant, with the measurements `earlier`, the latest first."""
    same = [one for one, is_this in earlier if is_this]
    both = [one for one in same if one.others]
    latest, compared = next(iter(same), None), next(iter(both), None)
    return Start(
        name,
        is_layer=False,
        bytecode=bytecode,
        latest=latest,
        compared=compared,
        earlier=earlier,
    )


def measured(median: float, *others: float, cpu: str = "A Processor") -> Measured:
    """Return a measurement of three starts, and of starts of the other form."""
    place = Surroundings("", "3.13.1", "x86_64", cpu, is_cold=True)
    runs = [median - 5, median, median + 20]
    time = "2026-11-29T14:38:45+00:00"
    zips, empty, size = ["a" * 64], [40.0], 1_200_000
    return Measured(
        time, zips, place, has_bytecode=False, runs=runs, empty=empty, others=others, size=size
    )


def rendered(
    *builds: Build,
    revision: Revision = Revision(),  # noqa: B008 - it is frozen
    comparison: Comparison | None = None,
    starts: Sequence[Start] = (),
    drift: Sequence[Answer] = (),
    **contents: Content,
) -> str:
    """Return the report about `builds`; `contents` replaces the default content of single ZIPs."""
    some = {one.id: contents.get(one.id, content()) for one in builds if one.written}
    locks = {
        one.function: Lock(f"lambdas/{one.function}/requirements.lock", 1.25) for one in builds
    }
    measurements = {name: start(name) for name in some} | {one.id: one for one in starts}
    return page.render(Facts(builds, some, locks, revision, measurements, drift, comparison))


def several() -> str:
    """Return a report with one of everything, and with names that try to break out of it."""
    nasty = content(
        Part(EVIL, 50_000, {}),
        Part(LONG, 40_000, {"*.pyi": 40}),
        Part(SEVERAL, 30_000, {}),
        *(Part(f"small-{number} 1.0", 1000, {}) for number in range(60)),
        dependencies=(Dependency(EVIL, EVIL, EVIL), Dependency(LONG, "", "")),
    )
    return rendered(
        build("keys-py3.12-arm64", "keys", architecture="arm64", runtime="python3.12"),
        build("keys-py3.13-x86_64", "keys", environment="e2e2e2e2", origin="store", seconds={}),
        build("lzo", written=None, why_not="no engine answers", environment="", seconds={}),
        build(
            "broken",
            written=None,
            why_not=f"app.py:1:1: {EVIL}\n{LONG}",
            environment="",
            seconds={},
            failed=True,
            stale=Written("c" * 64, 12, 34),
        ),
        build("nasty", reasons=[EVIL, LONG, SEVERAL], handler=EVIL, environment="e2e2e2e2"),
        build("plain", environment="", previous=None, reasons=["first build here"]),
        revision=Revision(COMMIT, EVIL, "2026-11-28T20:27:09+01:00", RUN, is_dirty=True),
        starts=[
            start("nasty", (measured(480.0, cpu=EVIL), True), (measured(512.5, cpu=LONG), False)),
            start("plain", (measured(480.0, 300.0, 310.0), True), bytecode=1_200_000),
        ],
        drift=[
            Answer("", "", "2026-11-29T14:38:45+00:00", COMMIT, []),
            Answer(
                EVIL,
                LONG,
                "2026-11-29T14:38:45+00:00",
                "0123" * 10,
                [
                    Row("plain", "acme-plain", "up_to_date", "up to date", []),
                    Row(EVIL, LONG, "other_branch", SEVERAL, [EVIL, LONG]),
                ],
            ),
        ],
        nasty=nasty,
        plain=Content([Part(contents.OWN_FILES, 900, {})], [], []),
    )  # fmt: skip
