"""Sections in the log of GitLab CI."""

from buildlib.plugin import gitlab


def test_section() -> None:
    """Lines are between the two markers, which have the same name."""
    lines = list(gitlab.section("jobs-py3.12-arm64", ["one", "two"], 5.2, 7.9))
    assert lines == [
        "\x1b[0Ksection_start:5:jobs-py3.12-arm64[collapsed=true]\r\x1b[0Kjobs-py3.12-arm64",
        "one",
        "two",
        "\x1b[0Ksection_end:8:jobs-py3.12-arm64\r\x1b[0K",
    ]


def test_a_name_of_other_characters() -> None:
    """The name has no character that GitLab does not read."""
    first, last = gitlab.section("a b:\u00e9", [], 0, 0)
    assert "section_start:0:a_b__[" in first
    assert "section_end:0:a_b__\r" in last
