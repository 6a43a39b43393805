"""Credentials are hidden, and nothing else."""

from buildlib.uv import redact


def test_addresses_without_credentials_are_shown() -> None:
    """An address that has none stays as it is, also with an @ in its path."""
    text = "from https://a.example/@scope/x and git@b.example"
    assert redact.redact(text) == text
