"""Install inside an image of the runtime, with its own pip: for packages without a Lambda wheel.

The pins and the installer's settings go into a container as a tar stream, and the installed tree
comes out as one. Nothing is mounted from this machine, so the engine may be remote. The container
gets this machine's access to the package index (settings, credentials, proxies, certificates); no
key, log or artifact keeps it.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import NamedTuple

from buildlib import text
from buildlib.docker import container, engine, images, tar
from buildlib.docker.container import Container
from buildlib.docker.log import Log
from buildlib.environment.installer import Request, requirement_line
from buildlib.environment.pip_settings import HOME, Access, index_access
from buildlib.errors import InstallError
from buildlib.model import Docker, Function, Pin, Variant
from buildlib.runtimes import RUNTIMES, image_platform

_TREE = "tree"


# The unprivileged user, by number, as images have no name for it.
_USER = 10001


# pip's downloads, kept between containers.
_VOLUME = "doit-lambda-zip-pip"


# pip prepares a build environment in a pip process of its own, which must share the cache.
_SITE = f"""\
import sys

if any(argument.endswith("__pip-runner__.py") for argument in sys.orig_argv):
    sys.path.append("{HOME}")
    import in_container

    in_container.keep_downloads()
"""


_PYTHON = 'exec "$(command -v python{0} || command -v python3 || echo python{0})" {1} {2}'


def answers(function: Function, architecture: str) -> str | None:
    """Return None if the engine for an architecture answers, else the error message."""
    try:
        with _named(function), engine.connected(function, architecture):
            return None
    except engine.EngineError as error:
        return str(error)


def resolve(function: Function, architecture: str, name: str) -> str:
    """Return the pinned reference of the image `name`: by its digest, or by its id.

    Raises:
        InstallError: the engine cannot be reached, or neither it nor the registry has the image.

    """
    with _named(function), engine.connected(function, architecture) as found:
        return images.pin(found, name, architecture)


@contextlib.contextmanager
def _named(function: Function) -> Iterator[None]:
    """Prefix every error message with the name of the function."""
    prefix = f"{function.title}: "
    try:
        yield
    except InstallError as error:
        if str(error).startswith(prefix):
            raise
        raise type(error)(prefix + str(error), error.kind) from error


def install(request: Request) -> None:
    """Install the requested pins in a container of the requested image.

    Raises:
        InstallError: with the end of the output, and the remedy.

    """
    variant, layout = request.variant, request.layout
    options = variant.function.docker or Docker()
    platform = image_platform(variant.architecture)
    access = index_access(os.environ, layout.root, options)
    files = _secrets(variant.function, options)
    hidden = [*access.secrets, *(word for content in files.values() for word in _words(content))]
    with (
        Log(request.log, hidden) as output,
        _named(variant.function),
        engine.connected(variant.function, variant.architecture) as found,
    ):
        image_id = images.get(found, request.image, variant.architecture, output)
        volume = (_VOLUME, f"{HOME}/cache")
        with container.running(found, image_id, platform, volume, layout) as running:
            step = _Steps(variant, running, output, layout.relative(request.log))
            running.put(tar.pack(_inputs(request, access)))
            step.prepare()
            step.setup(access)
            running.put(tar.pack(_secret_entries(files)))
            step.install(access, files)
            with running.get(f"{HOME}/{_TREE}") as chunks:
                tar.extract(chunks, request.target, _TREE)


class _Steps(NamedTuple):
    """The commands to run in the container, and the error for each failure."""

    variant: Variant
    container: Container
    log: Log
    shown: str

    def prepare(self) -> None:
        if self._python("prepare", "0:0", {}):
            what = "the image cannot be used"
            raise self._failed(what, "Name another in 'docker: image:'.")

    def setup(self, access: Access) -> None:
        options = self.variant.function.docker or Docker()
        for number, line in enumerate(options.setup, start=1):
            command = ["/bin/sh", "-ec", line]
            code = self.container.run(command, "0:0", access.variables, self.log, line)
            if code:
                what = f"setup command {number} ('{self.log.clean(line)}') ended with {_code(code)}"
                raise self._failed(what, "It runs as root in the image.")

    def install(self, access: Access, files: Mapping[str, bytes]) -> None:
        variables = {
            **access.variables,
            "HOME": f"{HOME}/home",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": f"{HOME}/site",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOURCE_DATE_EPOCH": "1355314320",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_USE_PEP517": "1",
            # pip up to 25.2 applies its constraints to build environments too; later versions have
            # separate build constraints.
            "PIP_CONSTRAINT": f"{HOME}/constraints.txt",
            "PIP_BUILD_CONSTRAINT": f"{HOME}/constraints.txt",
        }
        for name, variable in (("netrc", "NETRC"), ("pip.conf", "PIP_CONFIG_FILE")):
            if name in files:
                variables[variable] = f"{HOME}/secrets/{name}"
        user = f"{_USER}:{_USER}"
        code = self._python("install", user, variables)
        if code and _blames_downloads(self.log.output):
            self._python("renew", "0:0", {})
            code = self._python("install", user, variables)
        if code:
            python, architecture = self.variant.python, self.variant.architecture
            what = (
                f"failed to install the dependencies for Python {python} on {architecture} in the "
                f"container ({_code(code)})"
            )
            raise self._failed(what, _advice(self.log.output, self.variant))

    def _python(self, step: str, user: str, variables: Mapping[str, str]) -> int:
        line = _PYTHON.format(self.variant.python, f"{HOME}/in_container.py", step)
        command = ["/bin/sh", "-c", line]
        return self.container.run(command, user, variables, self.log, f"in_container.py {step}")

    def _failed(self, what: str, advice: str) -> InstallError:
        return InstallError(
            f"{self.variant.function.title}: {what}\n{text.tail(self.log.output)}\n"
            f"{advice} Full log: {self.shown}.",
            "container-failed",
        )


def _code(code: int) -> str:
    if code == -1:
        return "no exit code: the container was stopped"
    killed = ""
    if code == 137:  # noqa: PLR2004
        killed = ": it was killed, as it used too much memory or someone stopped the container"
    return f"exit code {code}{killed}"


_MISMATCH = re.compile(r"THESE PACKAGES DO NOT MATCH THE HASHES|Hash mismatch", re.IGNORECASE)


def _blames_downloads(output: str) -> bool:
    """Tell whether damaged downloads of earlier containers may be why pip failed.

    A package whose build fails is not built again, unless a hash differs: that may take minutes.
    """
    was_cached = "Using cached" in output and "subprocess-exited-with-error" not in output
    return was_cached or bool(_MISMATCH.search(output))


_UNREACHED = re.compile(
    "Temporary failure in name resolution|Connection|Max retries|Incomplete ?Read"
    "|incomplete-download"
)


_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)


def _advice(output: str, variant: Variant) -> str:
    """Return the remedy for a failure of pip."""
    name = variant.function.name
    if _FULL.search(output):
        return "The disk of the engine is full: free some space, as with 'docker system prune'."
    if _MISMATCH.search(output):
        return (
            "Hash mismatch: a file from the index differs from the lock, also after a second "
            "download. The connection was cut, the release was replaced, or the index is "
            "compromised: do not build from it before you know which. If the release was replaced "
            f"on purpose, run 'lambdas lock --upgrade {name}'."
        )
    if re.search(r"\berror: command .*(gcc|g\+\+|cc)|No such file.*gcc|\.h: No such file", output):
        return (
            "The image lacks a compiler or the headers of a system library: install them in "
            "'docker: setup:', as in 'dnf install -y gcc libpq-devel'."
        )
    if _UNREACHED.search(output):
        return "Check that containers can reach the package index, and check its settings."
    return "See pip's output above."


def _inputs(request: Request, access: Access) -> dict[str, tar.Entry]:
    """Return the files for the container, by their paths in it."""
    variant, pins = request.variant, request.pins
    home = HOME.lstrip("/")
    package = resources("buildlib")
    config = {
        "python": variant.python,
        "user": _USER,
        "manylinux": RUNTIMES[variant.python].glibc,
        "pins": len(pins),
        "libraries": (variant.function.docker or Docker()).libraries,
        "arguments": [
            *("install", "--require-hashes", "--no-deps", "--no-compile"),
            *("--target", f"{HOME}/{_TREE}", "--requirement", f"{HOME}/pins.txt"),
            *("--no-warn-script-location", "--progress-bar", "off", *request.indexes),
        ],
    }
    texts = {
        "config.json": json.dumps(config),
        "in_container.py": (package / "environment/in_container.py").read_text(encoding="utf-8"),
        "site/sitecustomize.py": _SITE,
        "pins.txt": "".join(map(requirement_line, pins)),
        "constraints.txt": _constraints(
            (package / "build-constraints.txt").read_text(encoding="utf-8"), pins
        ),
    }
    entries = {home: tar.Entry(None, 0o755, 0)}
    entries[f"{home}/site"] = tar.Entry(None, 0o755, 0)
    for folder in ("home", "build", _TREE):
        entries[f"{home}/{folder}"] = tar.Entry(None, 0o755, _USER)
    for name, content in texts.items():
        entries[f"{home}/{name}"] = tar.Entry(content.encode(), 0o644, 0)
    if access.bundle is not None:
        entries[f"{home}/ca.pem"] = tar.Entry(access.bundle, 0o644, 0)
    return entries


def _constraints(text: str, pins: Sequence[Pin]) -> str:
    """Return the constraints of the build tools; the lock's version wins for a tool it pins too.

    The pip that installs reads the same constraints as the pip that prepares a build, so the two
    must agree.
    """
    locked = {pin.name: pin.version for pin in pins}
    lines = []
    for line in text.splitlines():
        name, _, version = line.partition("==")
        if not version:
            continue
        version = locked.get(name, version)
        if not version.startswith("@"):
            lines.append(f"{name}=={version}\n")
    return "".join(lines)


def _secrets(function: Function, options: Docker) -> dict[str, bytes]:
    """Return the contents of the secret files, by their names.

    Raises:
        InstallError: a file cannot be read.

    """
    found = {}
    for name, path in options.secrets:
        try:
            found[name] = Path(path).expanduser().read_bytes()
        except (OSError, RuntimeError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            msg = (
                f"{function.title}: cannot read the secret '{name}' from {path}: "
                f"{reason}; create the file, or change 'docker: secrets:'"
            )
            raise InstallError(msg, "secret") from None
    return found


def _secret_entries(files: Mapping[str, bytes]) -> dict[str, tar.Entry]:
    folder = f"{HOME.lstrip('/')}/secrets"
    entries = {folder: tar.Entry(None, 0o700, _USER)}
    for name, content in files.items():
        entries[f"{folder}/{name}"] = tar.Entry(content, 0o400, _USER)
    return entries


def _words(content: bytes) -> list[str]:
    """Return the words of a secret file to mask in the log: those of six characters or more."""
    return [word for word in content.decode(errors="replace").split() if len(word) >= 6]  # noqa: PLR2004
