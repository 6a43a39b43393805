"""Invoke a function in AWS's image, with its Python, libraries and entry point."""

import contextlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from buildlib.docker import container, engine, images, tar
from buildlib.docker.engine import Engine
from buildlib.docker.log import Log
from buildlib.errors import InstallError, InvokeError
from buildlib.layout import Layout
from buildlib.model import Variant
from buildlib.runtimes import image_platform

TASK = "/var/task"


LAYERS = "/opt"


_DRIVER = "var/doit-lambda-zip/driver.py"


_ORDER = "var/doit-lambda-zip/order.json"


_PYTHON = "/var/lang/bin/python3"


# The port of the image's entry point.
_PORT = 8080


# Lambda's user has no fixed id; this one owns nothing in the image.
_USER = 993


class Absent(InvokeError):  # noqa: N818 - not an error if the function can run on the host
    """The engine cannot be reached, or it lacks the image and cannot pull it."""


class Inside(NamedTuple):
    """A function with its layers in a running container of an image."""

    container: container.Container
    image: str

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files, which their owner root alone may change, by their absolute paths."""
        entries = {path.lstrip("/"): tar.Entry(data, 0o555, 0) for path, data in files.items()}
        self.container.put(tar.pack(entries))

    def invoke(self, task: Mapping[str, Any], handler: str) -> Sequence[str]:
        """Invoke a handler once; return the output lines of `driver.py`.

        Raises:
            InvokeError: the image is not one of AWS's.

        """
        order = {
            **task,
            "command": ["/lambda-entrypoint.sh", handler],
            "folder": TASK,
            "inherit": True,
            "port": _PORT,
            "user": _USER,
        }
        # Pass the order in a file that only root can read: the function's variables may be secret.
        entries = {_ORDER: tar.Entry(json.dumps(order).encode() + b"\n", 0o400, 0)}
        self.container.put(tar.pack(entries))
        return self._python(f'"$p" -I /{_DRIVER} < /{_ORDER}').splitlines()

    def run(self, program: str, *arguments: str) -> str:
        """Run a program with the image's Python as root; return its output.

        Raises:
            InvokeError: the image is not one of AWS's.

        """
        return self._python('"$p" -I -S -c "$@"', program, *arguments)

    def _python(self, command: str, *arguments: str) -> str:
        check = f'p={_PYTHON}; [ -x "$p" ] || {{ echo "no $p" >&2; exit 9; }}; exec {command}'
        client: Any = self.container.engine.client
        command_line = ["/bin/sh", "-c", check, "sh", *arguments]
        process = client.exec_create(self.container.id, command_line, user="0:0", workdir="/")
        stdout, stderr = b"", b""
        for out, err in client.exec_start(process["Id"], stream=True, demux=True):
            stdout += out or b""
            stderr += err or b""
        code = client.exec_inspect(process["Id"])["ExitCode"]
        output = stdout.decode(errors="replace")
        if not output.strip():
            reason = stderr.decode(errors="replace").strip()
            msg = (
                f"the image {self.image} cannot invoke a function (exit code {code}): {reason}. It "
                f"must have {_PYTHON} and /lambda-entrypoint.sh, as AWS's images do; name another "
                "with --image"
            )
            raise InvokeError(msg)
        return output


def invoke(
    variant: Variant, paths: Sequence[Path], image: str, task: Mapping[str, Any], layout: Layout
) -> Sequence[str]:
    """Invoke the function in the first ZIP, and return the output lines of `driver.py`.

    The other ZIPs are its layers, in their order: a later one replaces files of those before it.

    Raises:
        Absent: the engine or the image is not available.
        InvokeError: the image is not one of AWS's, or cannot run.

    """
    with opened(variant, paths, image, layout) as inside:
        return inside.invoke(task, task["variables"]["_HANDLER"])


@contextlib.contextmanager
def opened(variant: Variant, paths: Sequence[Path], image: str, layout: Layout) -> Iterator[Inside]:
    """Yield a container with the function of the first ZIP and its layers.

    Raises:
        Absent: the engine or the image is not available.
        InvokeError: the image cannot run.

    """
    purpose = "invoking in the image"
    try:
        with engine.connected(variant.function, variant.architecture, purpose) as connection:
            image_id = _image_id(connection, image, variant, layout)
            target = image_platform(variant.architecture)
            with container.running(connection, image_id, target, None, layout) as running:
                running.put(_files(paths))
                yield Inside(running, image)
    except engine.EngineError as error:
        raise Absent(str(error)) from error


def _image_id(connection: Engine, image: str, variant: Variant, layout: Layout) -> str:
    image_id = images.present(connection, image, variant.architecture)
    if image_id:
        return image_id
    try:
        with Log(layout.log("invoke", variant.id), ()) as log:
            reference = images.pin(connection, image, variant.architecture)
            return images.get(connection, reference, variant.architecture, log)
    except InstallError as error:
        raise Absent(str(error)) from error


def _files(paths: Sequence[Path]) -> bytes:
    """Return a tar archive of the driver and the files of the ZIPs, all owned by root."""
    driver = Path(__file__).with_name("driver.py").read_bytes()
    entries = {
        "var/doit-lambda-zip": tar.Entry(None, 0o700, 0),
        _DRIVER: tar.Entry(driver, 0o400, 0),
    }
    for number, path in enumerate(paths):
        top = LAYERS[1:] if number else TASK[1:]
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = f"{top}/{info.filename}"
                for folder in reversed(Path(name).parents):
                    if folder.is_relative_to(top):
                        entries.setdefault(folder.as_posix(), tar.Entry(None, 0o555, 0))
                entries[name] = tar.Entry(archive.read(info), 0o555, 0)
    return tar.pack(entries)
