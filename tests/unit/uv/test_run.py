"""Runs of uv: what they leave, and what they hide."""

from importlib.metadata import version
from pathlib import Path

import pytest

from buildlib.uv import run


@pytest.mark.parametrize(
    ("secret", "parts"),
    [
        ("user:pa55word", ["pa55word"]),
        ("__token__:pypi-A_b-1", ["pypi-A_b-1"]),
        ("pa55word", ["pa55word"]),
        ("user:pa55@word", ["pa55", "@word"]),
    ],
)
def test_credentials_are_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, parts: list[str]
) -> None:
    """Neither the output nor the log of a real run of uv shows a password."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "r.txt").write_text("there-is-no-such-distribution\n")
    url = f"http://{secret}@127.0.0.1:9/simple"
    arguments = ["pip", "compile", "r.txt", "--default-index", url, "--verbose"]
    log = tmp_path / "logs/uv.log"
    result = run.run(arguments, root=tmp_path, cwd=tmp_path, log=log)
    assert result.code != 0
    shown = log.read_text(encoding="utf-8")
    assert result.output in shown
    assert "$ uv pip compile r.txt --default-index http://****@127.0.0.1:9/simple" in shown
    assert shown.endswith(f"[exit code {result.code}]\n")
    assert [part for part in parts if part in shown] == []


def test_run(tmp_path: Path) -> None:
    """The pinned uv is run, from its own package, and appends to its log."""
    log = tmp_path / "uv.log"
    for _ in range(2):
        result = run.run(["--version"], root=tmp_path, cwd=tmp_path, log=log)
        assert (result.code, result.output.split()[:2]) == (0, ["uv", version("uv")])
    assert log.read_text().count("$ uv --version\n") == 2


def test_credentials_in_foreign_words(tmp_path: Path) -> None:
    """What uv repeats as it was given is shown without its password, too."""
    log = tmp_path / "uv.log"
    url = "http://user:pa55word@a.example"
    result = run.run([url], root=tmp_path, cwd=tmp_path, log=log)
    assert "http://****@a.example" in result.output
    assert "pa55word" not in log.read_text(encoding="utf-8")
