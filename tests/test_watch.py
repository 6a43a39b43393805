"""`doit watch`: each change gives a new ZIP, errors do not end it, Ctrl-C does."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread

import pytest

from tests.conftest import HANDLER, Repository

APP = "lambdas/api/app.py"


class Watch:
    """A running `doit watch`."""

    def __init__(self, repository: Repository, *names: str) -> None:
        self.process = subprocess.Popen(
            # A shell without job control lets its background jobs ignore Ctrl-C.
            ["env", "--default-signal=INT", *repository.command("watch", *names)],
            cwd=repository.root,
            env=repository.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: Queue[str] = Queue()
        self.seen: list[str] = []
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as stream:
            for line in stream:
                self.lines.put(line.rstrip("\n"))

    def until(self, text: str) -> str:
        """Wait for a line that contains a text, and return it."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.seen.append(self.lines.get(timeout=0.2))
            except Empty:
                continue
            if text in self.seen[-1]:
                return self.seen[-1]
        pytest.fail(f"no {text!r} in {self.seen}")

    def stop(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


@contextmanager
def watching(repository: Repository, *names: str) -> Iterator[Watch]:
    """Run `doit watch`, starting with its first build."""
    watch = Watch(repository, *names)
    try:
        watch.until("Watching ")
        yield watch
        assert watch.stop() == 0
        watch.until("Stopped watching.")
        assert not [line for line in watch.seen if "Traceback" in line]
    finally:
        watch.process.kill()
        watch.process.wait()
        watch.reader.join()


@pytest.mark.parametrize("target", ["shared/text.txt", "text.txt"])
def test_an_edit_behind_a_link(repository: Repository, target: str) -> None:
    """A change of what a link leads to builds again, wherever in the repository it is."""
    repository.write({target: "one"})
    (repository.root / "lambdas/api/text.txt").symlink_to(f"../../{target}")
    with watching(repository) as watch:
        repository.write({APP: HANDLER + "# edited\n"})
        watch.until("api: built (app.py changed)")  # from now on, only changes that are seen count
        repository.write({target: "two"})
        watch.until("api: built (text.txt changed)")
    assert repository.members("api")["text.txt"] == b"two"


def test_an_edit(repository: Repository) -> None:
    """A saved file gives the ZIP that `doit` would build, and one line with the reason."""
    with watching(repository) as watch:
        assert "api: built (first build here)" in "\n".join(watch.seen)
        repository.write({APP: HANDLER + "# edited\n"})
        line = watch.until("api: ")
        assert line.startswith("api: built (app.py changed): ")
        assert repository.sha256()["api"][:12] in line
    assert repository.doit().ran == []


def test_a_source_at_the_root(repository: Repository) -> None:
    """A new file or folder at the root of a function whose source is the root builds again."""
    repository.write({
        "lambdas.yaml": "version: 1\nlambdas: {all: {source: ., handler: app.handler}}\n",
        "app.py": HANDLER,
    })  # fmt: skip
    with watching(repository) as watch:
        repository.write({"new.txt": "1"})
        watch.until("all: built (new.txt added)")
        repository.write({"new.txt": "2"})
        watch.until("all: built (new.txt changed)")
        repository.write({"folder/deep/other.txt": "1"})
        watch.until("all: built (folder/deep/other.txt added)")
        (repository.root / "new.txt").unlink()
        watch.until("all: built (new.txt removed)")
    assert repository.doit().ran == []


def test_a_mistake(repository: Repository) -> None:
    """A failed build is reported, and the next save builds again."""
    with watching(repository) as watch:
        repository.write({APP: "def other(): ...\n"})
        watch.until("does not define 'handler'")
        watch.until("api: failed; fix and save to retry")
        repository.write({APP: HANDLER + "# again\n"})
        watch.until("api: built (app.py changed)")


def test_the_manifest_and_the_requirements(dependent: Repository) -> None:
    """A changed manifest is reloaded, a broken one reported; changed requirements are locked."""
    with watching(dependent, "api") as watch:
        dependent.write({"lambdas/api/requirements.txt": "alpha\n"})
        watch.until("beta 1.0 removed")
        text = (dependent.root / "lambdas.yaml").read_text()
        dependent.write({"lambdas.yaml": text.replace("handler:", "hander:", 1)})
        watch.until("unknown key 'hander'")
        dependent.write({"lambdas.yaml": text.replace("api:\n", "api:\n    compression: stored\n")})
        watch.until("api: built (compression deflate -> stored")
    assert not any(line.startswith("jobs") for line in watch.seen)


def test_what_is_away_for_a_moment(repository: Repository) -> None:
    """When git switches the manifest and folders, that is reported once, and the watch goes on."""
    manifest, folder = repository.root / "lambdas.yaml", repository.root / "lambdas/api"
    with watching(repository) as watch:
        manifest.rename(repository.root / "kept")
        watch.until("could not find lambdas.yaml in")
        (repository.root / "kept").rename(manifest)
        assert watch.until("Watching") == "Watching 1 variant; press Ctrl-C to stop"
        folder.rename(repository.root / "away")
        watch.until("the source folder 'lambdas/api' does not exist")
        time.sleep(1.2)
        (repository.root / "away").rename(folder)
        watch.until("Watching")
        assert sum("does not exist" in line for line in watch.seen) == 1
        repository.write({APP: HANDLER + "# back\n"})
        watch.until("api: built (app.py changed)")


def test_an_unknown_name(repository: Repository) -> None:
    """An undeclared name is refused, with the declared ones."""
    message = repository.doit("watch", "nix", code=1).message
    assert "lambdas.yaml declares no 'nix'; it declares api" in message
    message = repository.doit("watch", "apo", code=1).message
    assert "lambdas.yaml declares no 'apo'; did you mean 'api'?" in message
