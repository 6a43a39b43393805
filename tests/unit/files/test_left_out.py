"""What is left out by default stands in the documents."""

from pathlib import Path

from buildlib.files import left_out

PAGE = Path(__file__).parents[3] / "docs/reference/files.md"


def test_the_page_has_the_table() -> None:
    """The reference page lists every pattern, by the rows of the table."""
    page = PAGE.read_text().splitlines()
    for row in left_out.ROWS:
        patterns = " ".join(f"`{pattern}`" for pattern in row.patterns)
        assert f"| {row.what} | {patterns} |" in page
    assert left_out.ROWS[-1].anywhere, "the page says: the last row"
    assert not any(row.anywhere for row in left_out.ROWS[:-1])
