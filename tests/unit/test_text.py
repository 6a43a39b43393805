"""Words and sizes for a reader."""

from buildlib import text


def test_tail() -> None:
    """The end of an output is shown, without empty lines."""
    assert text.tail("a\n\nb  \n c\n", 2) == "  | b\n  |  c"
    assert text.tail("") == ""
