"""git answers alike under all settings of its user."""

from pathlib import Path

import pytest

from buildlib.files import git


def test_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who hides the changes of merges, and has hooks, gets the same answers."""
    ran = tmp_path / "ran"
    (tmp_path / "hooks").mkdir()
    hook = tmp_path / "hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[user]\nname = Ada\nemail = ada@example.com\n[log]\ndiffMerges = off\n"
        f"[core]\nhooksPath = {tmp_path / 'hooks'}\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    root = tmp_path / "root"
    root.mkdir()

    def do(*arguments: str) -> str:
        done = git.run(root, arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    do("init", "-q", "-b", "main")
    do("commit", "-q", "--allow-empty", "-m", "first")
    do("checkout", "-q", "-b", "side")
    (root / "file").write_text("1")
    do("add", "file")
    do("commit", "-q", "-m", "side")
    do("checkout", "-q", "main")
    do("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert do("log", "-1", "-m", "--name-only", "--format=").split() == ["file"]
    assert not ran.exists()
