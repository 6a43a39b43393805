"""Make the picture of the report in the documents: `python -m tests.browser.picture PAGE PICTURE`.

PAGE is a `report.html`. The picture shows its first screens, with the function open whose ZIP is
the largest.
"""

import shutil
import sys
from pathlib import Path

WIDTH, HEIGHT = 1180, 2230

_OPEN = """() => {
  const cells = [...document.querySelectorAll('#variant-table td:nth-child(3)')];
  cells.sort((one, other) => other.dataset.value - one.dataset.value);
  location.hash = cells[0].closest('tr').querySelector('a').getAttribute('href');
}"""


def draw(page: Path, picture: Path) -> None:
    """Write the picture of a page."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"]  # a file of our own, often drawn by root in a container
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        shown.goto(page.absolute().as_uri())
        shown.evaluate(_OPEN)
        shown.wait_for_timeout(200)  # the browser scrolls to the place
        shown.evaluate("scrollTo(0, 0)")
        shown.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    draw(*map(Path, sys.argv[1:]))
