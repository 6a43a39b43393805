"""The log of a container hides every secret."""

from pathlib import Path

from buildlib.docker.log import Log


def test_log_hides_secrets(tmp_path: Path) -> None:
    """A secret is hidden even if it comes in two chunks, and credentials in any address too."""
    path = tmp_path / "logs/x.log"
    with Log(path, ["hunter2", "hunter2-long"]) as log:
        log.start("run hunter2")
        log.feed(b"a hunt")
        log.feed(b"er2-long b\nhttps://me:pw@host/x\nlast hunter2")
        log.end(0)
        assert log.output == "a **** b\nhttps://****@host/x\nlast ****\n"
    assert path.read_text() == (
        "$ run ****\na **** b\nhttps://****@host/x\nlast ****\n[exit code 0]\n"
    )
