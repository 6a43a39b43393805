"""Install inside an image of the runtime, with its own pip: for what has no wheel for Lambda.

The pins, and what decides about them, go into a container as a tar stream; the installed tree
comes out as one. Nothing is mounted from this machine, so the engine may be anywhere. How to reach
the package index - settings, credentials, proxies, certificates - goes in as it is here, and stays
in no key, log or artifact.
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
from buildlib.runtimes import image_platform, manylinux

_TREE = "tree"


# The unprivileged user; a number, as images have no name for it.
_USER = 10001


# pip's downloads, kept between containers.
_VOLUME = "doit-lambda-zip-pip"


# The pip that prepares the environment of a build is a process of its own; it shares the cache.
_SITE = f"""\
import sys

if any(argument.endswith("__pip-runner__.py") for argument in sys.orig_argv):
    sys.path.append("{HOME}")
    import in_container

    in_container.keep_downloads()
"""


_PYTHON = 'exec "$(command -v python{0} || command -v python3 || echo python{0})" {1} {2}'


def answers(function: Function, architecture: str) -> str | None:
    """Return None if the engine for an architecture answers, else what was tried and what to do."""
    try:
        with _named(function), engine.connected(function, architecture):
            return None
    except engine.EngineError as error:
        return str(error)


def resolve(function: Function, architecture: str, name: str) -> str:
    """Return the pinned reference of the image `name`: with its digest, or its id.

    Raises:
        InstallError: no engine answers, or neither it nor the registry has the image.

    """
    with _named(function), engine.connected(function, architecture) as found:
        return images.pin(found, name, architecture)


@contextlib.contextmanager
def _named(function: Function) -> Iterator[None]:
    """Begin the message of every error with the name of the function."""
    prefix = f"lambda '{function.name}': "
    try:
        yield
    except InstallError as error:
        if str(error).startswith(prefix):
            raise
        raise type(error)(prefix + str(error), error.kind) from error


def install(request: Request) -> None:
    """Install what is requested in a container of the requested image.

    Raises:
        InstallError: with the end of the output that tells why, and what to do.

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
            tar.extract(running.get(f"{HOME}/{_TREE}"), request.target, _TREE)


class _Steps(NamedTuple):
    """The commands that are run in the container, and what their failure means."""

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
            # pip up to 25.2 passes its constraints on to the environments in which it builds;
            # later ones have constraints of their own for them.
            "PIP_CONSTRAINT": f"{HOME}/constraints.txt",
            "PIP_BUILD_CONSTRAINT": f"{HOME}/constraints.txt",
        }
        for name, variable in (("netrc", "NETRC"), ("pip.conf", "PIP_CONFIG_FILE")):
            if name in files:
                variables[variable] = f"{HOME}/secrets/{name}"
        code = self._python("install", f"{_USER}:{_USER}", variables)
        if code:
            python, architecture = self.variant.python, self.variant.architecture
            what = (
                f"the dependencies for Python {python} on {architecture} could not be installed "
                f"in the container ({_code(code)})"
            )
            raise self._failed(what, _advice(self.log.output, self.variant))

    def _python(self, step: str, user: str, variables: Mapping[str, str]) -> int:
        line = _PYTHON.format(self.variant.python, f"{HOME}/in_container.py", step)
        command = ["/bin/sh", "-c", line]
        return self.container.run(command, user, variables, self.log, f"in_container.py {step}")

    def _failed(self, what: str, advice: str) -> InstallError:
        return InstallError(
            f"lambda '{self.variant.function.name}': {what}\n{text.tail(self.log.output)}\n"
            f"{advice} The whole log is in {self.shown}.",
            "container-failed",
        )


def _code(code: int) -> str:
    if code == -1:
        return "no exit code: the container was stopped"
    killed = ": it was killed, perhaps for want of memory" if code == 137 else ""  # noqa: PLR2004
    return f"exit code {code}{killed}"


def _advice(output: str, variant: Variant) -> str:
    """Return what to do about a failure of pip."""
    name = variant.function.name
    if re.search(r"THESE PACKAGES DO NOT MATCH THE HASHES|Hash mismatch", output, re.IGNORECASE):
        return (
            "What the index gave is not what was locked: do not build from it before you know why. "
            f"If the release was replaced on purpose, run 'doit lock:{name}'."
        )
    if re.search(r"\berror: command .*(gcc|g\+\+|cc)|No such file.*gcc|\.h: No such file", output):
        return (
            "A compiler, or the headers of a system library, are missing in the image: install "
            "them in 'docker: setup:', as in 'dnf install -y gcc libpq-devel'."
        )
    if re.search(r"Temporary failure in name resolution|Connection|Max retries", output):
        return "Check that containers reach the package index, and its settings."
    return "See what pip says above."


def _inputs(request: Request, access: Access) -> dict[str, tar.Entry]:
    """Return the files that go into the container, by their paths in it."""
    variant, pins = request.variant, request.pins
    home = HOME.lstrip("/")
    package = resources("buildlib")
    config = {
        "python": variant.python,
        "user": _USER,
        "manylinux": manylinux(variant.python),
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
    """Return the versions of the build tools; those that the lock pins too are as it says.

    The pip that installs reads the same constraints as the pip that prepares a build, so the two
    must not disagree.
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
        InstallError: one cannot be read.

    """
    found = {}
    for name, path in options.secrets:
        try:
            found[name] = Path(path).expanduser().read_bytes()
        except (OSError, RuntimeError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            msg = (
                f"lambda '{function.name}': the secret '{name}' cannot be read from {path}: "
                f"{reason}; put it there, or change 'docker: secrets:'"
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
    """Return what of a secret file must not be readable in a log: its words, but not short ones."""
    return [word for word in content.decode(errors="replace").split() if len(word) >= 6]  # noqa: PLR2004
