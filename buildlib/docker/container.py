"""One container: made for one installation, labelled, and gone afterwards whatever happens.

Its main process reads from a connection that this process holds, and ends with it; the engine
then removes the container. So even `kill -9` leaves nothing, as long as the engine sees that the
connection is closed. Where it does not (a network that breaks, an engine that restarts), the next
run removes what is left: each container carries the name of a lock that its process holds, and the
operating system lets go of a dead process's locks.
"""

import contextlib
import hashlib
import os
import platform
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.docker.engine import Engine
from buildlib.docker.log import Log
from buildlib.errors import InstallError
from buildlib.files import locks
from buildlib.layout import Layout

LABEL = "doit-lambda-zip"


_CHECKOUT = f"{LABEL}.checkout"


_SESSION = f"{LABEL}.session"


class Container(NamedTuple):
    """A running container."""

    engine: Engine
    id: str

    def put(self, archive: bytes) -> None:
        """Unpack a tar archive at the container's root."""
        self.engine.client.put_archive(self.id, "/", archive)

    def get(self, path: str) -> Iterable[bytes]:
        """Return a folder as a tar stream, whose names start with the last part of `path`."""
        chunks: Iterable[bytes]
        chunks, _ = self.engine.client.get_archive(self.id, path, chunk_size=1 << 20)
        return chunks

    def run(
        self, command: Sequence[str], user: str, variables: Mapping[str, str], log: Log, shown: str
    ) -> int:
        """Run a command, with its output in the log, and return its exit code.

        `variables` live as long as the command: they are not in the container's configuration.
        """
        client = self.engine.client
        log.start(shown)
        process = client.exec_create(
            self.id, list(command), user=user, environment=dict(variables), workdir="/"
        )
        for chunk in client.exec_start(process["Id"], stream=True):
            log.feed(chunk)
        code = client.exec_inspect(process["Id"])["ExitCode"]
        code = -1 if code is None else int(code)
        log.end(code)
        return code


@contextlib.contextmanager
def running(
    engine: Engine, image: str, target: str, volume: tuple[str, str] | None, layout: Layout
) -> Iterator[Container]:
    """Give a running container of the image with the id `image`, and remove it afterwards.

    `volume` is the name of a volume that stays, and where it is in the container; if there is one.
    """
    sweep(engine, layout)
    session = uuid.uuid4().hex
    lock = layout.lock(f"{LABEL}-{session}")
    client = engine.client
    with locks.locked(lock):
        try:
            if volume:
                client.create_volume(volume[0], labels={LABEL: "pip's cache"})
            host = client.create_host_config(
                auto_remove=True,
                binds=[f"{volume[0]}:{volume[1]}:rw"] if volume else [],
                security_opt=["no-new-privileges"],
            )
            created = client.create_container(
                image,
                entrypoint=["/bin/sh", "-c", "read _"],
                command=[],
                stdin_open=True,  # and closed for good when the first reader of it goes
                user="0:0",
                working_dir="/",
                name=f"{LABEL}-{session}",
                labels={_CHECKOUT: _checkout(layout), _SESSION: session},
                volumes=[volume[1]] if volume else [],
                host_config=host,
                platform=target,
            )
            life = client.attach_socket(created["Id"], params={"stdin": 1, "stream": 1})
            _start(engine, created["Id"], target)
            yield Container(engine, created["Id"])
            life.close()
        finally:
            _remove(engine, f"{LABEL}-{session}")
    lock.unlink(missing_ok=True)


def _start(engine: Engine, container: str, target: str) -> None:
    """Start a container, and see whether it can run a program.

    Raises:
        InstallError: it ends at once, as for an architecture that the engine cannot run.

    """
    import docker

    try:
        engine.client.start(container)
        probe = engine.client.exec_create(container, ["/bin/sh", "-c", ":"])
        engine.client.exec_start(probe["Id"])
    except docker.errors.APIError as error:
        if not error.is_client_error() and _is_running(engine, container):
            raise
        msg = (
            f"the engine at {engine.address} cannot run the image for {target}. If it is not the "
            "engine's own architecture, register an emulator there (qemu-user-static with "
            "binfmt_misc), or name another engine in 'docker: {engine: ...}'. If it is, the image "
            "has no /bin/sh"
        )
        raise InstallError(msg, "image-cannot-run") from error


def _is_running(engine: Engine, container: str) -> bool:
    """Tell whether a container runs: one that ended at once may be removed already."""
    import docker

    try:
        state = engine.client.inspect_container(container)["State"]
    except docker.errors.NotFound:
        return False
    return bool(state["Running"])


def sweep(engine: Engine, layout: Layout) -> None:
    """Remove the containers that dead processes left, of this checkout on this machine."""
    mine = {"label": [f"{_CHECKOUT}={_checkout(layout)}"]}
    for found in engine.client.containers(all=True, filters=mine):
        session = found["Labels"].get(_SESSION, "")
        path = layout.lock(f"{LABEL}-{session}")
        if not locks.is_locked(path):
            _remove(engine, found["Id"])
            path.unlink(missing_ok=True)


def _remove(engine: Engine, container: str) -> None:
    """Remove a container with its anonymous volumes; being gone already is fine."""
    import docker
    import requests

    with contextlib.suppress(docker.errors.APIError, requests.RequestException, OSError):
        engine.client.remove_container(container, force=True, v=True)


def _checkout(layout: Layout) -> str:
    """Return what tells this checkout on this machine from others, and says nothing about it."""
    text = f"{platform.node()}\0{uuid.getnode()}\0{Path(os.path.realpath(layout.root))}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]
