"""The page of the report, before a browser shows it."""

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from buildlib.archive.contents import Part
from buildlib.artifacts.earlier import Earlier
from buildlib.commands.live.kept import Answer, Row
from buildlib.commands.report import page
from buildlib.commands.report.against import CHANGED, GONE, Change, Comparison, Growth
from buildlib.commands.report.facts import Content
from buildlib.commands.report.revision import Revision
from buildlib.model import Written
from tests.pages import (
    COMMIT,
    FILES,
    LONG,
    RUN,
    SEVERAL,
    build,
    content,
    measured,
    rendered,
    several,
    start,
)

FOLDER = Path(page.__file__).parent


class Reader(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"style": [], "script": [], "title": []}
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_in_svg = any(one == "svg" for one, _ in self.tags)  # where a title is a tooltip
        self.tags.append((tag, dict(attrs)))
        if tag in self.inside and not (tag == "title" and is_in_svg):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.stack:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        if self.stack:
            self.inside[self.stack[-1]].append(data)


def test_names_cannot_break_out() -> None:
    """Whatever a name, a licence or a reason has in it is text."""
    text = several()
    page = Reader(text)
    assert len(page.inside["script"]) == len(page.inside["style"]) == 1
    assert page.inside["title"] == ["Lambda build report"]
    assert not [tag for tag, _ in page.tags if tag in {"img", "iframe", "object", "base", "form"}]
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    assert "{{ 7 * 7 }}" in text
    assert LONG in text
    assert SEVERAL in text


def test_policy() -> None:
    """The policy names just the style and the script that are there, and nothing else."""
    page = Reader(several())
    (policy,) = (attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes)
    sources = dict(part.split(" ", 1) for part in str(policy).split("; "))
    for name in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.inside[name][0].encode()).digest()).decode()
        assert sources.pop(f"{name}-src") == f"'sha256-{digest}'"
    assert sources == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}


def test_self_contained() -> None:
    """Nothing is fetched from anywhere, and every link leads to a place in the page."""
    page = Reader(several())
    places = {attributes.get("id") for _, attributes in page.tags}
    for tag, attributes in page.tags:
        assert tag != "link"
        assert "src" not in attributes
        if "href" in attributes:
            if attributes["href"] == RUN:  # the only link that leads away
                assert attributes["rel"] == "noreferrer"
                continue
            assert str(attributes["href"])[:1] == "#"
            assert str(attributes["href"])[1:] in places
    assert "url(" not in page.inside["style"][0]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_reproducible() -> None:
    """The same facts are the same page."""
    assert several() == several()


def test_pages_of_little() -> None:
    """A function without dependencies, without times, not built at all; no function at all."""
    alone = rendered(build(environment="", seconds={}, previous=None))
    assert "Nothing was built on this machine." in alone
    assert "1 of 1 variants are up to date in dist/, of 1 function." in re.sub(r"\s+", " ", alone)
    none = rendered(build(written=None, why_not="no engine answers", seconds={}))
    assert none.count("no engine answers") == 2
    assert "No function has dependencies." in none


def test_what_changed() -> None:
    """The reasons, and the sizes before and now, each with its sign."""
    text = re.sub(r"\s+", " ", rendered(build()))
    assert "<li>requirements.lock: numpy 2.1 -&gt; 2.2</li>" in text
    assert re.search(r"Zipped</th> .*10\.5 MB.*11\.4 MB.*\+976\.6 kB", text)
    assert re.search("Unzipped</th> .*39.1 MB.*38.1 MB.*\N{MINUS SIGN}976.6 kB", text)
    same = build(previous=Written("a" * 64, 12_000_000, 40_000_000))
    assert ">same</td>" in rendered(same)
    assert ">new</td>" in rendered(build(previous=None))


def test_cold_starts() -> None:
    """A row has the bytecode, the latest measurement of this ZIP, and the saving if it is known."""
    one = start("api", (measured(480.0, 300.0, 310.0), True), (measured(99.0), False))
    text = re.sub(r"\s+", " ", rendered(build(), build("jobs"), starts=[one]))
    section = text.partition('<h2 id="starts">')[2].partition("</section>")[0]
    api, jobs = re.findall(r'<tr> <th scope="row">.*?</tr>', section)
    assert "480.0 ms" in api
    assert "175.0 ms (36 %)" in api
    assert "none" in api
    assert "not measured" in jobs
    assert "99.0 ms" not in section
    assert '<td class="number">99.0 ms</td>' in text  # of another ZIP, in the list of all
    assert "175.0" not in rendered(build(), starts=[start("api", (measured(480.0), True))])


def test_deployed_code() -> None:
    """Answers are shown with their time, and a notice if they are for another commit."""
    row = Row("api", "acme-api", "behind", "behind by 2 commits", ["its runtime is python3.11"])
    answer = Answer("prod", "live", "2026-11-29T14:38:45+00:00", COMMIT, [row])
    revision = Revision(COMMIT)
    text = re.sub(r"\s+", " ", rendered(build(), revision=revision, drift=[answer]))
    assert "<h3>environment prod, alias live</h3>" in text
    assert "2026-11-29 14:38 UTC</time>: 0 of 1 up to date." in text
    assert "behind by 2 commits; its runtime is python3.11" in text
    assert "for another commit" not in text
    assert "for another commit" in rendered(build(), revision=Revision("e" * 40), drift=[answer])
    assert "Run <code>lambdas drift</code>, and write this page again" in rendered(build())


def test_more_than_a_direct_upload() -> None:
    """A ZIP that only S3 takes is called that."""
    large = build(written=Written("a" * 64, 60_000_000, 90_000_000))
    assert "over the 50.0 MB limit of a direct upload" in rendered(large)


def words(text: str) -> str:
    """Return a page as a reader sees it, roughly: without tags and runs of white space."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text)))


def test_commit() -> None:
    """The head names commit, branch, date and CI run; without any, there is no empty phrase."""
    revision = Revision(COMMIT, "main", "2026-11-28T20:27:09Z", RUN)
    text = words(rendered(build(), revision=revision))
    assert "Commit c0ffeec0ffee on main , 2026-11-28 20:27 UTC , CI run . 1 of 1" in text
    dirty = words(rendered(build(), revision=Revision(COMMIT, is_dirty=True)))
    assert "Commit c0ffeec0ffee with uncommitted changes. 1 of 1" in dirty
    assert "Commit" not in words(rendered(build()))


def test_what_failed() -> None:
    """A variant that failed is named first, with its message, and what dist/ has of it."""
    stale = Written("c" * 64, 12, 34)
    text = words(
        rendered(
            build(),
            build("broken", written=None, failed=True, why_not="app.py:1: no", stale=stale),
            build("lost", written=None, failed=True, why_not="app.py:1: no"),
            build("old", written=None, why_not="It is not built.", stale=stale),
        )
    )
    assert text.index("Failed: broken. dist/broken.zip is of earlier inputs: 34 B") < text.index(
        "Failed: lost. dist/ has no ZIP of it. app.py:1: no"
    )
    assert "Out of date: old. dist/old.zip is of earlier inputs" in text
    assert "1 of 4 variants are up to date" in text


def test_comparison() -> None:
    """Variants that differ, with their growth and that of packages; unknown sizes are no zeros."""
    now, then = Written("a" * 64, 1, 3000), Earlier("b" * 64, 1, 1000)
    shown = Comparison(
        "base/lambdas.json",
        [(1, CHANGED), (1, GONE)],
        [Change("api", CHANGED, then, now), Change("old", GONE, then, None)],
        [Growth("numpy", 400, 2400)],
        1,
        2,
    )
    text = words(rendered(build(), comparison=shown))
    assert "Compared with base/lambdas.json 1 changed, 1 gone." in text
    assert "api changed 1000 B 2.9 kB +2.0 kB" in text
    assert "old gone 1000 B 0 B \N{MINUS SIGN}1000 B" in text
    assert "in 1 of 2 variants that differ" in text
    assert "numpy 400 B 2.3 kB +2.0 kB" in text
    unknown = Change("api", CHANGED, Earlier("b" * 64, None, None), now)
    hashes = Comparison("h.json", [(1, CHANGED)], [unknown], [], 0, 1)
    text = words(rendered(build(), comparison=hashes))
    assert "api changed \N{EN DASH} 2.9 kB \N{EN DASH}" in text
    assert "Growth by package needs the earlier ZIPs beside h.json." in text


def test_largest_packages() -> None:
    """Before the variants, the largest packages of all are named, each once for all versions."""
    old = Content([Part("numpy 2.1", 40_000_000, {}), Part("six 1.0", 9, {})], [], [])
    text = words(rendered(build(), build("jobs"), jobs=old))
    assert text.index("Largest packages") < text.index("All variants in lambdas.yaml")
    assert re.search(r"numpy 2\.1 38\.1 MB 38\.1 MB \N{EN DASH} jobs 2 boto3 1\.40 8\.6 MB", text)


def test_size_of_the_page() -> None:
    """Twenty functions with large packages are less than 400 kB, and all of them can be opened."""
    names = [f"f{n:02}" for n in range(20)]
    files = [
        file._replace(path=f"{top}{file.path}", part=f"{top}{file.part}")
        for top in ("a", "b", "c", "d", "e", "f")
        for file in FILES
    ]
    parts = [Part(f"{top}numpy 2.2", 31_000_000, {"tests/": 8_000_000}) for top in "abcdef"]
    large = content(*parts)._replace(files=files)
    contents = dict.fromkeys(names, large)
    text = rendered(
        *map(build, names), revision=Revision(), comparison=None, starts=(), drift=(), **contents
    )
    assert len(text.encode()) < 400_000
    for number in range(20):
        assert f'id="m{number}-2"' in text


def palettes() -> dict[str, dict[str, str]]:
    """Return the colours of both schemes by their names."""
    style = (FOLDER / "style.css").read_text()
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)")[:2]
    colour = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
    found = dict(colour.findall(light))
    return {"light": found, "dark": found | dict(colour.findall(dark.split("* {")[0]))}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, by WCAG 2.2."""

    def luminance(colour: str) -> float:
        values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    """Text has 4.5 to 1 and what is drawn 3 to 1 (WCAG 2.2 AA), also where axe cannot see it."""
    colours = palettes()[scheme]
    paper = colours["paper"]
    for name in ("ink", "soft", "link"):
        assert contrast(colours[name], paper) >= 4.5, name
        assert contrast(colours[name], colours["raised"]) >= 4.5, name
    tiles = ("package", "own", "spare", "runtime", "rest")
    for name in tiles:
        assert contrast(colours["on-tile"], colours[name]) >= 4.5, name
    drawn = [name for name in colours if name.startswith("step-")]
    for name in (*drawn, *tiles, "edge", "focus", "notice-line"):
        assert contrast(colours[name], paper) >= 3, name
    for name in (*(name for name in colours if name.startswith("task-")), "notice"):
        assert contrast(colours["ink"], colours[name]) >= 4.5, name
