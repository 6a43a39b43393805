"""Names of images."""

import pytest

from buildlib.docker import images


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("debian", "debian"),
        ("debian:12", "debian"),
        ("localhost:5000/a/b", "localhost:5000/a/b"),
        ("localhost:5000/a/b:tag", "localhost:5000/a/b"),
        ("x.example/a:tag@sha256:" + "0" * 64, "x.example/a"),
    ],
)
def test_repository(name: str, repository: str) -> None:
    """The repository of an image is its name without tag and digest; a port is no tag."""
    assert images._repository(name) == repository  # noqa: SLF001
