"""The page of the report, before a browser shows it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from buildlib.commands.report import page
from buildlib.model import Written
from tests.pages import LONG, SEVERAL, build, rendered, several

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
        self.tags.append((tag, dict(attrs)))
        if tag in self.inside:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.inside:
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
    assert "1 of 1 variants are in dist/, of 1 function." in re.sub(r"\s+", " ", alone)
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


def test_more_than_a_direct_upload() -> None:
    """A ZIP that only S3 takes is called that."""
    large = build(written=Written("a" * 64, 60_000_000, 90_000_000))
    assert "over the 50.0 MB limit of a direct upload" in rendered(large)


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
    tiles = ("package", "own", "runtime", "rest")
    for name in tiles:
        assert contrast(colours["on-tile"], colours[name]) >= 4.5, name
    drawn = [name for name in colours if name.startswith("step-")]
    for name in (*drawn, *tiles, "edge", "focus", "notice-line"):
        assert contrast(colours[name], paper) >= 3, name
    for name in (*(name for name in colours if name.startswith("task-")), "notice"):
        assert contrast(colours["ink"], colours[name]) >= 4.5, name
