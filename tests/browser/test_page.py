"""The report in real use: by keyboard, in dark mode, on a phone, on paper, with a screen reader."""

import io
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.browser.conftest import Seen, Show
from tests.conftest import Repository
from tests.pages import EVIL, LONG, SEVERAL, build, rendered, several

pytestmark = pytest.mark.browser

SCHEMES = ["light", "dark"]


def open_all(page: Page) -> None:
    """Open every section."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


def focused(page: Page) -> str:
    """Return the text of the focused element, or its id."""
    script = "document.activeElement.innerText?.trim() || document.activeElement.id"
    return str(page.evaluate(script))


def tab_to(page: Page, text: str) -> None:
    """Press Tab until an element whose text starts with `text` has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if focused(page).startswith(text):
            return
    pytest.fail(f"Tab does not lead to {text!r}")


def test_no_request(show: Show, seen: Seen) -> None:
    """The browser loads only the file, and a foreign script could load nothing either."""
    page = show()
    open_all(page)
    assert len(seen.requests) == 1
    refused = page.evaluate("""() => new Promise((resolve) => {
        addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective));
        fetch('https://example.com/').catch(() => {});
    })""")
    assert refused == "connect-src"
    seen.complaints.clear()  # the request refused above


def test_a_script_in_a_name_does_not_run(show: Show, seen: Seen) -> None:
    """A script injected into the page does not run: the policy allows only the page's own."""
    assert show().title() == "Lambda build report"
    assert seen.complaints == []
    page = show(several().replace("</main>", "<script>document.title = 'evil'</script></main>"))
    assert page.title() == "Lambda build report"
    assert "Content Security Policy" in seen.complaints.pop()


def test_names_are_shown(show: Show) -> None:
    """A name is displayed literally, whatever it contains."""
    page = show()
    open_all(page)
    text = page.locator("main").inner_text()
    for name in (EVIL, LONG, SEVERAL):
        assert name in text


@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe(show: Show, scheme: str, width: int) -> None:
    """An audit finds nothing: names, roles, headings, landmarks, contrast, focus order."""
    page = show(color_scheme=scheme, width=width)
    for _ in range(2):
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
        open_all(page)


def test_accessible_names(show: Show) -> None:
    """Charts, tables, meters and controls have descriptive accessible names."""
    page = show()
    open_all(page)
    for role, name, count in (
        ("img", "All parts of nasty as a bar against its limit.", 1),
        ("group", "Map of nasty.zip", 1),
        ("link", "numpy 2.2, 28.6 MB, 7.6 MB of it could go", 3),
        ("img", "The tasks of keys, from its lock to the index.", 1),
        ("img", "Build times of the 3 slowest variants, by step.", 1),
        ("table", "Contents of nasty.zip, unzipped", 1),
        ("table", "Locked dependencies of nasty", 1),
        ("table", "Tasks of keys, with their times in the build of the ZIPs in dist/", 1),
        ("meter", "nasty, of its limit", 1),
        ("searchbox", "Filter variants", 1),
        ("searchbox", "Filter dependencies", 1),
        ("navigation", "Sections", 1),
        ("button", "Unzipped", 2),
    ):
        found = page.get_by_role(role, name=name)  # type: ignore[arg-type]
        assert found.count() == count, f"{role} {name}: {found.count()}"
    pictures = page.locator("[role=img]")
    maps = page.locator(".level:visible")
    drawings = page.locator("svg:not(svg svg)").locator("visible=true").count()
    assert pictures.count() + maps.count() == drawings  # no other element has this role
    # The table with its figures follows each chart.
    for picture in pictures.all():
        assert picture.locator("xpath=following::table[1]").locator("tbody tr").count() > 0
    levels = page.locator("h1, h2, h3, h4, h5").evaluate_all(
        "(all) => all.map((h) => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert all(now <= before + 1 for before, now in pairwise(levels))


def test_by_keyboard(show: Show) -> None:
    """Tab reaches a function and its variant, Enter opens them, and the focus is visible."""
    page = show()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the report"
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    tab_to(page, "keys\n")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    table = page.get_by_role("table", name="Contents of keys-py3.12-arm64.zip")
    assert not table.is_visible()
    page.keyboard.press("Enter")
    tab_to(page, "keys-py3.12-arm64")
    page.keyboard.press("Space")
    expect(table).to_be_visible()
    page.keyboard.press("Space")
    expect(table).not_to_be_visible()


def test_a_link_opens_its_variant(show: Show) -> None:
    """A link in the list of variants leads to the variant's contents, and opens its section."""
    page = show()
    page.get_by_role("link", name="keys-py3.13-x86_64").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("table", name="Contents of keys-py3.13-x86_64.zip")).to_be_in_viewport()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", ["nasty", "keys-py3.13-x86_64"])
def test_the_name_of_an_opened_variant_is_seen(show: Show, name: str, width: int) -> None:
    """A link to a variant scrolls to its heading, which has its name."""
    page = show(width=width)
    page.locator("#variant-table").get_by_role("link", name=name, exact=True).click()
    heading = page.get_by_role("heading", name=name, exact=True)
    expect(heading).to_be_in_viewport(ratio=1)
    top = heading.bounding_box()["y"]  # type: ignore[index]
    assert 0 <= top < 450


def level(page: Page) -> str:
    """Return the name of the visible level of the map of `nasty`."""
    shown = page.locator("#v-nasty .level:visible")
    assert shown.count() == 1
    return str(shown.get_attribute("aria-label"))


@pytest.mark.parametrize("scripts", [True, False])
def test_the_map_opens_packages(show: Show, *, scripts: bool) -> None:
    """By keyboard and by click, a package leads to its folders, a folder to files, and back.

    Links do it, so that it works without scripts, and the browser's own way back does, too.
    """
    page = show(java_script_enabled=scripts)
    page.locator("summary", has_text="nasty").click()
    area = page.locator("#v-nasty")
    assert level(page) == "Map of nasty.zip"
    area.get_by_role("link", name="numpy 2.2, 28.6 MB").focus()
    page.keyboard.press("Enter")
    assert level(page) == "Map of numpy 2.2"
    assert page.evaluate("document.activeElement.ariaLabel") == "Map of numpy 2.2"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.locator(":focus title").text_content() == "_core/, 19.1 MB"
    area.get_by_role("link", name="_core/, 19.1 MB").click()
    assert level(page) == "Map of _core/"
    area.get_by_role("link", name="numpy 2.2", exact=True).click()
    assert level(page) == "Map of numpy 2.2"
    page.go_back()
    assert level(page) == "Map of _core/"
    if scripts:
        page.keyboard.press("Escape")
        assert level(page) == "Map of numpy 2.2"


def test_the_page_stays_while_the_map_changes(show: Show) -> None:
    """A click on a part scrolls nothing: the map changes in its place."""
    page = show()
    page.locator("summary", has_text="nasty").click()
    part = page.locator("#v-nasty").get_by_role("link", name="numpy 2.2, 28.6 MB")
    part.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    part.click()
    assert level(page) == "Map of numpy 2.2"
    assert page.evaluate("scrollY") == before


def test_what_could_go_is_seen(show: Show) -> None:
    """What could go has a colour, a place in the legend, and words."""
    page = show()
    page.locator("summary", has_text="nasty").click()
    area = page.locator("#v-nasty")
    expect(area.locator(".key.spare")).to_be_visible()
    expect(area.locator(".level:visible .k-spare").first).to_be_visible()
    expect(area.get_by_role("link", name="7.6 MB of it could go").first).to_be_visible()


def test_the_first_screen(show: Show) -> None:
    """At 1440 by 900 the first screen has the largest packages."""
    page = show(rendered(*(build(f"f{n}") for n in range(20))), width=1440)
    table = page.get_by_role("table", name="The largest parts of all ZIPs")
    expect(table.locator("tbody tr").nth(2)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_table_that_scrolls_looks_like_it(show: Show, scheme: str) -> None:
    """On a phone a table that is cut has a shadow at its end, until it is scrolled there."""
    page = show(width=390, color_scheme=scheme)
    box = page.get_by_role("group", name="Variants", exact=True)
    box.scroll_into_view_if_needed()
    assert box.evaluate("(one) => one.scrollWidth > one.clientWidth")

    def ends() -> list[bytes]:
        place = box.bounding_box()
        assert place
        y = place["y"] + place["height"] - 8
        return [
            page.screenshot(clip={"x": x, "y": y, "width": 6, "height": 6})
            for x in (place["x"], place["x"] + place["width"] - 6)
        ]

    left, right = ends()
    assert left != right
    box.evaluate("(one) => one.scrollTo({left: one.scrollWidth, behavior: 'instant'})")
    now_left, now_right = ends()
    assert now_right != right
    assert now_left != left


def names(page: Page) -> list[str]:
    """Return the names of the visible variants, from top to bottom."""
    return page.locator("#variant-table tbody tr:visible th").all_inner_texts()


def test_sort_and_filter(show: Show) -> None:
    """By keyboard, the list sorts by any column, filters by text, and announces the result."""
    page = show(
        rendered(
            *(build(f"f{n}", seconds={"zip": (n * 7) % 10}, environment="") for n in range(10))
        )
    )
    assert names(page)[:3] == ["f0", "f1", "f2"]
    head = page.locator("#variant-table").get_by_role("columnheader", name="Built in")
    tab_to(page, "Built in")
    page.keyboard.press("Enter")
    assert names(page)[:3] == ["f7", "f4", "f1"]
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert names(page)[:3] == ["f0", "f3", "f6"]
    assert head.get_attribute("aria-sort") == "ascending"
    page.get_by_role("searchbox", name="Filter variants").press_sequentially("F3 x86")
    assert names(page) == ["f3"]
    assert page.get_by_role("status").first.inner_text() == "1 of 10"


def test_schemes(show: Show) -> None:
    """Light and dark mode differ, also in the charts, which use the page's colours."""
    colours = []
    for scheme in SCHEMES:
        page = show(color_scheme=scheme)
        open_all(page)
        colours.append(
            page.evaluate("""() => [
                getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector("svg .k-package")).fill,
                getComputedStyle(document.querySelector("svg .task-ran")).fill,
            ]""")
        )
    assert all(light != dark for light, dark in zip(*colours, strict=True))
    assert "none" not in colours[0]


@pytest.mark.parametrize("width", [360, 700, 1200])
def test_no_overflow(show: Show, width: int) -> None:
    """Nothing is wider than the window unless it scrolls by itself; labels are legible."""
    page = show(width=width)
    open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    label = page.locator(".map text:visible").first
    assert label.bounding_box()["height"] >= 9  # type: ignore[index]


def test_no_motion(show: Show) -> None:
    """Nothing moves, and a link leads to its place at once: also to one that it has to open."""
    page = show()
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(behaviour) == "auto"
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_print(show: Show, *, scripts: bool) -> None:
    """On paper every section is open, in light colours, also without scripts."""
    page = show(color_scheme="dark", java_script_enabled=scripts)
    reader = PdfReader(io.BytesIO(page.pdf(format="A4", print_background=True)))
    text = " ".join(" ".join(sheet.extract_text() for sheet in reader.pages).split())
    for heading in ("Totals", "Variants", "Functions", "Dependencies", "Build times"):
        assert heading in text
    for one in ("keys-py3.12-arm64", "keys-py3.13-x86_64", "nasty", "plain"):
        assert f"Contents of {one}.zip, unzipped" in text
        assert f"{one}.zip" in text
    assert text.count("How it is built") == 5
    assert "no engine answers" in text
    if scripts:
        assert page.locator("details[open]").count() == 0  # closed as before printing
        page.emulate_media(media="print")
        body = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(body) == "rgb(255, 255, 255)"


def test_without_scripts(show: Show) -> None:
    """Everything but sorting and filtering works without scripts."""
    page = show(java_script_enabled=False)
    assert page.get_by_role("searchbox").count() == 0
    page.locator("summary", has_text="nasty").click()
    expect(page.get_by_role("table", name="Contents of nasty.zip")).to_be_visible()
    assert page.locator("svg").first.is_visible() is False
    assert page.get_by_role("group", name="Map of nasty.zip").is_visible()


def test_hundreds_of_variants(show: Show) -> None:
    """One of three hundred variants is found at once, and no chart is drawn until it is opened."""
    functions = [build(f"f{n:03}-{py}", f"f{n:03}") for n in range(150) for py in ("a", "b")]
    page = show(rendered(*functions))
    assert page.locator("details svg:visible").count() == 0
    page.get_by_role("searchbox", name="Filter variants").fill("f123-b")
    assert names(page) == ["f123-b"]
    page.get_by_role("link", name="f123-b").click()
    expect(page.get_by_role("table", name="Contents of f123-b.zip")).to_be_in_viewport()
    assert page.locator("details svg:not(svg svg)").locator("visible=true").count() == 3


def test_what_doit_made(show: Show, repository: Repository) -> None:
    """The page of a real build passes the same audit."""
    repository.doit("report")
    page = show((repository.root / "dist/report.html").read_text(encoding="utf-8"))
    open_all(page)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.locator("#variant-table").get_by_role("link", name="api").is_visible()
