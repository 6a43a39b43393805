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
from urllib.parse import quote

from buildlib import uv
from buildlib.access import environment
from buildlib.errors import InstallError
from buildlib.install import container, engine, tar
from buildlib.install.container import Container
from buildlib.install.engine import Log
from buildlib.layout import Layout
from buildlib.model import Docker, Function, Pin, Variant
from buildlib.runtimes import image_platform, manylinux

# Where everything is in the container; the tree's name is the top of the archive that comes out.
_HOME = "/doit-lambda-zip"
_TREE = "tree"
# The unprivileged user; a number, as images have no name for it.
_USER = 10001
# pip's downloads, kept between containers.
_VOLUME = "doit-lambda-zip-pip"

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY")
# Whoever needs the CA bundle, and under which name; the first one set here is the bundle.
_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
# The pip that prepares the environment of a build is a process of its own; it shares the cache.
_SITE = f"""\
import sys

if any(argument.endswith("__pip-runner__.py") for argument in sys.orig_argv):
    sys.path.append("{_HOME}")
    import inside

    inside.keep_downloads()
"""
_PYTHON = 'exec "$(command -v python{0} || command -v python3 || echo python{0})" {1} {2}'


class _Access(NamedTuple):
    """How packages are reached: variables for the container, the CA bundle, what to hide."""

    variables: dict[str, str]
    bundle: bytes | None
    secrets: list[str]


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
        return engine.pin(found, name, architecture)


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


def install(  # noqa: PLR0913 - each is one independent input of the installation
    variant: Variant,
    pins: Sequence[Pin],
    target: Path,
    image: str,
    *,
    layout: Layout,
    indexes: Sequence[str],
    log: Path,
) -> None:
    """Install `pins` into the folder `target`, in a container of the image with this reference.

    Raises:
        InstallError: with the end of the output that tells why, and what to do.

    """
    options = variant.function.docker or Docker()
    platform = image_platform(variant.architecture)
    access = _access(os.environ, layout.root, options)
    files = _secrets(variant.function, options)
    hidden = [*access.secrets, *(word for content in files.values() for word in _words(content))]
    with (
        Log(log, hidden) as output,
        _named(variant.function),
        engine.connected(variant.function, variant.architecture) as found,
    ):
        image_id = engine.get(found, image, variant.architecture, output)
        volume = (_VOLUME, f"{_HOME}/cache")
        with container.running(found, image_id, platform, volume, layout) as running:
            step = _Steps(variant, running, output, layout.relative(log))
            running.put(tar.pack(_inputs(variant, pins, indexes, access)))
            step.prepare()
            step.setup(access)
            running.put(tar.pack(_secret_entries(files)))
            step.install(access, files)
            tar.extract(running.get(f"{_HOME}/{_TREE}"), target, _TREE)


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

    def setup(self, access: _Access) -> None:
        options = self.variant.function.docker or Docker()
        for number, line in enumerate(options.setup, start=1):
            command = ["/bin/sh", "-ec", line]
            code = self.container.run(command, "0:0", access.variables, self.log, line)
            if code:
                what = f"setup command {number} ('{self.log.clean(line)}') ended with {_code(code)}"
                raise self._failed(what, "It runs as root in the image.")

    def install(self, access: _Access, files: Mapping[str, bytes]) -> None:
        variables = {
            **access.variables,
            "HOME": f"{_HOME}/home",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": f"{_HOME}/site",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOURCE_DATE_EPOCH": "1355314320",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_USE_PEP517": "1",
            # pip up to 25.2 passes its constraints on to the environments in which it builds;
            # later ones have constraints of their own for them.
            "PIP_CONSTRAINT": f"{_HOME}/constraints.txt",
            "PIP_BUILD_CONSTRAINT": f"{_HOME}/constraints.txt",
        }
        for name, variable in (("netrc", "NETRC"), ("pip.conf", "PIP_CONFIG_FILE")):
            if name in files:
                variables[variable] = f"{_HOME}/secrets/{name}"
        code = self._python("install", f"{_USER}:{_USER}", variables)
        if code:
            python, architecture = self.variant.python, self.variant.architecture
            what = (
                f"the dependencies for Python {python} on {architecture} could not be installed "
                f"in the container ({_code(code)})"
            )
            raise self._failed(what, _advice(self.log.output, self.variant))

    def _python(self, step: str, user: str, variables: Mapping[str, str]) -> int:
        line = _PYTHON.format(self.variant.python, f"{_HOME}/inside.py", step)
        command = ["/bin/sh", "-c", line]
        return self.container.run(command, user, variables, self.log, f"inside.py {step}")

    def _failed(self, what: str, advice: str) -> InstallError:
        return InstallError(
            f"lambda '{self.variant.function.name}': {what}\n{uv.tail(self.log.output)}\n"
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


# -- into the container ----------------------------------------------------------------------------


def _inputs(
    variant: Variant, pins: Sequence[Pin], indexes: Sequence[str], access: _Access
) -> dict[str, tar.Entry]:
    """Return the files that go into the container, by their paths in it."""
    home = _HOME.lstrip("/")
    package = resources("buildlib")
    config = {
        "python": variant.python,
        "user": _USER,
        "manylinux": manylinux(variant.python),
        "pins": len(pins),
        "libraries": (variant.function.docker or Docker()).libraries,
        "arguments": [
            *("install", "--require-hashes", "--no-deps", "--no-compile"),
            *("--target", f"{_HOME}/{_TREE}", "--requirement", f"{_HOME}/pins.txt"),
            *("--no-warn-script-location", "--progress-bar", "off", *indexes),
        ],
    }
    texts = {
        "config.json": json.dumps(config),
        "inside.py": (package / "install" / "inside.py").read_text(encoding="utf-8"),
        "site/sitecustomize.py": _SITE,
        "pins.txt": "".join(map(_line, pins)),
        "constraints.txt": _constraints(
            (package / "build-constraints.txt").read_text(encoding="utf-8"), pins
        ),
    }
    entries = {home: tar.Entry(None, 0o755, 0)}
    entries[f"{home}/site"] = tar.Entry(None, 0o755, 0)
    for folder in ("home", "build", _TREE):
        entries[f"{home}/{folder}"] = tar.Entry(None, 0o755, _USER)
    for name, text in texts.items():
        entries[f"{home}/{name}"] = tar.Entry(text.encode(), 0o644, 0)
    if access.bundle is not None:
        entries[f"{home}/ca.pem"] = tar.Entry(access.bundle, 0o644, 0)
    return entries


def _line(pin: Pin) -> str:
    version = f" {pin.version}" if pin.version.startswith("@") else f"=={pin.version}"
    return f"{pin.name}{version} {' '.join(f'--hash={value}' for value in pin.hashes)}\n"


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
    folder = f"{_HOME.lstrip('/')}/secrets"
    entries = {folder: tar.Entry(None, 0o700, _USER)}
    for name, content in files.items():
        entries[f"{folder}/{name}"] = tar.Entry(content, 0o400, _USER)
    return entries


def _words(content: bytes) -> list[str]:
    """Return what of a secret file must not be readable in a log: its words, but not short ones."""
    return [word for word in content.decode(errors="replace").split() if len(word) >= 6]  # noqa: PLR2004


# -- how packages are reached ----------------------------------------------------------------------


def _access(variables: Mapping[str, str], root: Path, options: Docker) -> _Access:
    """Return this machine's access to packages, in pip's terms and for a container."""
    settings = environment(variables, root)
    found = _indexes(settings)
    for name in (*_PROXIES, *map(str.lower, _PROXIES)):
        if variables.get(name):
            found[name] = variables[name]
    names = (variables.get(name) for name in _BUNDLES)
    path = next(filter(None, names), None) or settings.get("SSL_CERT_FILE")
    bundle = None
    if path and Path(path).is_file():
        bundle = Path(path).read_bytes()
        found |= dict.fromkeys((*_BUNDLES, "GIT_SSL_CAINFO"), f"{_HOME}/ca.pem")
    passed = {name: variables[name] for name in options.env if name in variables}
    secrets = [value for value in passed.values() if len(value) >= 4]  # noqa: PLR2004
    for value in (*found.values(), *passed.values()):
        for user, password in re.findall(r"://([^/\s:@]+)(?::([^/\s@]*))?@", value):
            secrets += filter(None, (password or user, f"{user}:{password}" if password else ""))
    return _Access(found | passed, bundle, secrets)


def _indexes(settings: Mapping[str, str]) -> dict[str, str]:
    """Return pip's variables for the index settings that uv has; what is on this disk is not."""

    def addresses(*names: str) -> list[str]:
        words = " ".join(settings.get(name, "") for name in names).replace(",", " ").split()
        return [_address(word, settings) for word in words if "file:" not in word and "://" in word]

    first = addresses("UV_DEFAULT_INDEX") or addresses("UV_INDEX_URL")
    found = {
        "PIP_INDEX_URL": first[:1],
        "PIP_EXTRA_INDEX_URL": addresses("UV_INDEX", "UV_EXTRA_INDEX_URL"),
        "PIP_NO_INDEX": ["1"] if "UV_NO_INDEX" in settings else [],
        "PIP_FIND_LINKS": addresses("UV_FIND_LINKS"),
        "PIP_TRUSTED_HOST": settings.get("UV_INSECURE_HOST", "").split(),
    }
    return {name: " ".join(words) for name, words in found.items() if words}


def _address(word: str, settings: Mapping[str, str]) -> str:
    """Return an index's address, with the credentials that uv has for it by its name."""
    label, equals, address = word.partition("=")
    if not equals or "://" in label:
        return word
    prefix = f"UV_INDEX_{re.sub(r'[^A-Za-z0-9]', '_', label).upper()}"
    user, password = settings.get(f"{prefix}_USERNAME"), settings.get(f"{prefix}_PASSWORD")
    if user is None and password is None:
        return address
    credentials = f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"
    return address.replace("://", f"://{credentials}", 1)
