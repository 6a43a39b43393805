"""Invoke a function in AWS's image: its Python, its libraries, its entry point."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from buildlib.docker import container, engine, images, tar
from buildlib.docker.engine import Engine
from buildlib.docker.log import Log
from buildlib.errors import InstallError, InvokeError
from buildlib.layout import Layout
from buildlib.model import Variant
from buildlib.runtimes import image_platform

TASK = "/var/task"


_DRIVE = "var/doit-lambda-zip/driver.py"


# What the image's entry point listens on.
_PORT = 8080


# Lambda's user has no fixed number; this is one that owns nothing in the image.
_USER = 993


class Absent(InvokeError):  # noqa: N818 - it is not shown where there is another way
    """No engine answers, or it has no such image and cannot get it."""


def invoke(
    variant: Variant, path: Path, image: str, task: Mapping[str, Any], layout: Layout
) -> Sequence[str]:
    """Invoke the function in the ZIP `path`, and return the lines of `driver.py`.

    Raises:
        Absent: there is no engine or no image.
        InvokeError: the image is not one of AWS's, or cannot run.

    """
    try:
        with engine.connected(variant.function, variant.architecture, "the image") as found:
            image_id = _image(found, image, variant, layout)
            target = image_platform(variant.architecture)
            with container.running(found, image_id, target, None, layout) as running:
                return _run(found, running, path, task, image)
    except engine.EngineError as error:
        raise Absent(str(error)) from error


def _image(found: Engine, image: str, variant: Variant, layout: Layout) -> str:
    known = images.present(found, image, variant.architecture)
    if known:
        return known
    try:
        with Log(layout.log("invoke", variant.id), ()) as log:
            reference = images.pin(found, image, variant.architecture)
            return images.get(found, reference, variant.architecture, log)
    except InstallError as error:
        raise Absent(str(error)) from error


def _run(
    found: Engine,
    running: container.Container,
    path: Path,
    task: Mapping[str, Any],
    image: str,
) -> Sequence[str]:
    running.put(_files(path))
    order = {
        **task,
        "command": ["/lambda-entrypoint.sh", task["variables"]["_HANDLER"]],
        "folder": TASK,
        "inherit": True,
        "port": _PORT,
        "user": _USER,
    }
    # The order goes by a file that only root can read: the function's variables may be secret.
    running.put(tar.pack({"var/doit-lambda-zip/order.json": tar.Entry(_line(order), 0o400, 0)}))
    script = (
        'p=/var/lang/bin/python3; [ -x "$p" ] || { echo "no $p" >&2; exit 9; }; '
        f'exec "$p" -I /{_DRIVE} < /var/doit-lambda-zip/order.json'
    )
    client: Any = found.client
    process = client.exec_create(running.id, ["/bin/sh", "-c", script], user="0:0", workdir="/")
    output, errors = b"", b""
    for out, err in client.exec_start(process["Id"], stream=True, demux=True):
        output += out or b""
        errors += err or b""
    code = client.exec_inspect(process["Id"])["ExitCode"]
    text = output.decode(errors="replace")
    if not text.strip():
        said = errors.decode(errors="replace").strip()
        msg = (
            f"the image {image} cannot invoke a function (exit code {code}): {said}. It must have "
            "/var/lang/bin/python3 and /lambda-entrypoint.sh, as AWS's images do; name another "
            "with --image"
        )
        raise InvokeError(msg)
    return text.splitlines()


def _line(order: Mapping[str, Any]) -> bytes:
    return json.dumps(order).encode() + b"\n"


def _files(path: Path) -> bytes:
    """Return what goes into the container: the driver, and the ZIP's files, owned by root."""
    drive = Path(__file__).with_name("driver.py").read_bytes()
    entries = {
        "var/doit-lambda-zip": tar.Entry(None, 0o700, 0),
        _DRIVE: tar.Entry(drive, 0o400, 0),
    }
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = f"{TASK[1:]}/{info.filename}"
            for folder in reversed(Path(name).parents):
                if folder.is_relative_to(TASK[1:]):
                    entries.setdefault(folder.as_posix(), tar.Entry(None, 0o555, 0))
            entries[name] = tar.Entry(archive.read(info), 0o555, 0)
    return tar.pack(entries)
