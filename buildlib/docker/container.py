"""One container: created for one installation, labelled, and removed afterwards whatever happens.

Its main process reads from a connection that this process holds, and exits when the connection
closes; the engine then removes the container. So even `kill -9` leaves nothing, as long as the
engine sees the connection close. If it does not (the network breaks, the engine restarts), the next
run removes the leftover: each container is labelled with the name of a lock that its process holds,
and the operating system releases the locks of a dead process.
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

    @contextlib.contextmanager
    def get(self, path: str) -> Iterator[Iterable[bytes]]:
        """Yield a folder as a tar stream; member names start with the last part of `path`.

        The stream is closed afterwards, even if it was not read to its end: the engine waits for
        its reader, and cannot remove the container before.
        """
        chunks, _ = self.engine.client.get_archive(self.id, path, chunk_size=1 << 20)
        with contextlib.closing(chunks):
            yield chunks

    def run(
        self, command: Sequence[str], user: str, variables: Mapping[str, str], log: Log, label: str
    ) -> int:
        """Run a command, write its output to the log under `label`, and return its exit code.

        `variables` exist only for this command: the container's configuration does not hold them.
        """
        client = self.engine.client
        log.start(label)
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
    """Start a container of the image with the id `image`, yield it, and remove it afterwards.

    `volume` is the name of a volume that outlives the container, and its mount point.
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
                stdin_open=True,  # the engine closes it for good when the first client detaches
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
    """Start a container, and check that it can run a program.

    Raises:
        InstallError: it exits at once, for example because the engine cannot run its architecture.

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
            f"the Docker engine at {engine.address} cannot run the image for {target}. If that is "
            "not the engine's native platform, register an emulator there (qemu-user-static with "
            "binfmt_misc), or name another engine in 'docker: {engine: ...}'. Otherwise the image "
            "has no /bin/sh"
        )
        raise InstallError(msg, "image-cannot-run") from error


def _is_running(engine: Engine, container: str) -> bool:
    """Tell whether a container is running. One that exited at once may already be removed."""
    import docker

    try:
        state = engine.client.inspect_container(container)["State"]
    except docker.errors.NotFound:
        return False
    return bool(state["Running"])


def sweep(engine: Engine, layout: Layout) -> None:
    """Remove the containers that dead processes of this checkout on this machine left behind."""
    of_this_checkout = {"label": [f"{_CHECKOUT}={_checkout(layout)}"]}
    for container in engine.client.containers(all=True, filters=of_this_checkout):
        session = container["Labels"].get(_SESSION, "")
        path = layout.lock(f"{LABEL}-{session}")
        if not locks.is_locked(path):
            _remove(engine, container["Id"])
            path.unlink(missing_ok=True)


def _remove(engine: Engine, container: str) -> None:
    """Remove a container with its anonymous volumes, if it still exists."""
    import docker
    import requests

    with contextlib.suppress(docker.errors.APIError, requests.RequestException, OSError):
        engine.client.remove_container(container, force=True, v=True)


def _checkout(layout: Layout) -> str:
    """Return an opaque id of this checkout on this machine: a digest, so that no path leaks."""
    identity = f"{platform.node()}\0{uuid.getnode()}\0{Path(os.path.realpath(layout.root))}"
    return hashlib.sha256(identity.encode()).hexdigest()[:24]
