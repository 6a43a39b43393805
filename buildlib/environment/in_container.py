"""The program that installs in the container. It needs only the image's own Python (3.10 or newer).

`in_container.py prepare`, as root: check the image, hand the work folder to the unprivileged user.
`in_container.py install`, as that user: run pip, then copy the libraries.
`in_container.py renew`, as root, after a failure: remove the downloads and all installed files.
`config.json`, in the same folder, holds the settings from the manifest and the lock.
"""

import itertools
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import types
import uuid
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


BUILD = HERE / "build"


TREE = HERE / "tree"


CACHE = HERE / "cache"


FOR_GOOD = 10 * 365 * 86_400  # seconds


def fail(message: str) -> int:
    """Print an error, and return the exit code 3, which pip does not use."""
    sys.stderr.write(f"error: {message}\n")
    return 3


def prepare(config: dict[str, Any]) -> int:
    """Check that the image has the right Python; create the cache folders."""
    version = "{}.{}".format(*sys.version_info[:2])
    if version != config["python"]:
        return fail(f"the image has Python {version}, but {config['python']} is needed")
    owner = config["user"]
    CACHE.mkdir(exist_ok=True)
    for name in ("http", "http-v2"):  # before pip 23.3, and since
        (CACHE / name).mkdir(exist_ok=True)
        os.chown(CACHE / name, owner, owner)
        os.chmod(CACHE / name, 0o700)
    return 0


def renew(config: dict[str, Any]) -> int:
    """Start again with nothing: earlier downloads may be damaged."""
    for folder in (CACHE, BUILD, TREE):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                # Another container may use the same downloads.
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
    return prepare(config)


def install(config: dict[str, Any]) -> int:
    """Install the pins and copy the libraries into the tree."""
    os.umask(0o022)
    if config["pins"]:
        code = pip(config)
        if code:
            return code
    for path in config["libraries"]:
        target = TREE / "lib" / os.path.basename(path)
        if not os.path.isfile(path):
            return fail(f"libraries: the image has no file {path}, even after 'setup'")
        if target.exists():
            return fail(f"libraries: {path} and another file both become lib/{target.name}")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
    return 0


def pip(config: dict[str, Any]) -> int:
    """Run pip in this process, so that its non-deterministic parts can be patched."""
    cache = BUILD / "pip-cache"
    cache.mkdir(parents=True)
    # Keep downloads for the next container, but not the wheels that pip builds: they depend on the
    # tools of the image.
    for name in ("http", "http-v2"):
        (cache / name).symlink_to(CACHE / name)
    os.environ["PIP_CACHE_DIR"] = str(cache)
    os.environ["TMPDIR"] = str(BUILD)
    flags()
    sys.argv = ["pip", *config["arguments"]]
    try:
        keep_downloads()
        limit_manylinux(*config["manylinux"])
        fix_build_paths()
        keep_libraries()
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except ImportError as error:
        return fail(f"the image's Python has no pip ({error}); install one in 'setup'")
    return 0


def keep_downloads() -> None:
    """Let pip's cache keep distributions for good, whatever cache headers an index or proxy sends.

    Some send none, and then pip downloads everything each time. pip checks a cached file against
    the same hashes as a download.
    """
    from pip._vendor.cachecontrol.adapter import CacheControlAdapter

    original: Any = CacheControlAdapter.build_response

    def build_response(adapter: Any, request: Any, response: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401
        path = request.url.partition("?")[0].partition("#")[0]
        if request.method == "GET" and path.endswith((".whl", ".tar.gz", ".zip", ".metadata")):
            for name in ("Cache-Control", "Pragma", "Expires", "Vary"):
                response.headers.pop(name, None)
            response.headers["Cache-Control"] = f"public, max-age={FOR_GOOD}"
        return original(adapter, request, response, *rest, **more)

    CacheControlAdapter.build_response = build_response  # type: ignore[assignment, method-assign]


def limit_manylinux(major: int, minor: int) -> None:
    """Let pip choose wheels for the runtime's glibc instead of the image's (PEP 600).

    pip asks a module `_manylinux` if one exists. It does not affect wheels with other tags, or
    builds from source.
    """
    module = types.ModuleType("_manylinux")
    module.manylinux_compatible = (  # type: ignore[attr-defined]
        lambda tag_major, tag_minor, _arch: (tag_major, tag_minor) <= (major, minor)
    )
    sys.modules["_manylinux"] = module


def fix_build_paths() -> None:
    """Give pip's build folders the same names each time: compilers write them into their output.

    pip creates them by `tempfile.mkdtemp(prefix="pip-<kind>-")` and, in there, `<name>_<uuid4>`.
    """
    original = tempfile.mkdtemp
    numbers: dict[str, itertools.count[int]] = {}

    def mkdtemp(
        suffix: str | None = None,
        prefix: str | None = None,
        dir: str | None = None,  # noqa: A002 - the name in the standard library
    ) -> str:
        if dir is None and not suffix and prefix and prefix.startswith("pip-"):
            number = numbers.setdefault(prefix, itertools.count())
            path = BUILD / f"{prefix}{next(number)}"
            path.mkdir(mode=0o700)
            return str(path)
        return original(suffix, prefix, dir)

    tempfile.mkdtemp = mkdtemp  # type: ignore[assignment]
    uuid.uuid4 = lambda: uuid.UUID(int=0)


def flags() -> None:
    """Set compiler flags for reproducible output; CPPFLAGS leaves optimisation to the package."""
    if not shutil.which("cc") and not shutil.which("gcc"):
        return
    compiler = "cc" if shutil.which("cc") else "gcc"
    maps = [f"-ffile-prefix-map={BUILD}=/build", f"-fdebug-prefix-map={BUILD}=/build"]
    add("CPPFLAGS", [flag for flag in maps if accepts(compiler, flag)])
    add("LDFLAGS", ["-Wl,--build-id=none"])


def accepts(compiler: str, flag: str) -> bool:
    """Tell whether the compiler accepts a flag: GCC has -ffile-prefix-map since version 8."""
    command = [compiler, flag, "-E", "-x", "c", os.devnull]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    return done.returncode == 0


def keep_libraries() -> None:
    """Move a wheel's data below `lib/` into the target too: `pip install --target` drops it.

    pip installs modules into `lib/python` of a temporary folder, and moves nothing else from `lib`.
    """
    from pip._internal.commands.install import InstallCommand

    original: Any = InstallCommand._handle_target_dir  # noqa: SLF001

    def handle(command: Any, target: str, temporary: Any, upgrade: bool) -> Any:  # noqa: ANN401, FBT001
        for path in sorted(Path(temporary.path, "lib").iterdir()):
            if path.name != "python":
                os.makedirs(os.path.join(target, "lib"), exist_ok=True)
                shutil.move(path, os.path.join(target, "lib", path.name))
        return original(command, target, temporary, upgrade)

    InstallCommand._handle_target_dir = handle  # type: ignore[assignment, method-assign] # noqa: SLF001


def add(name: str, words: list[str]) -> None:
    """Append words to an environment variable."""
    os.environ[name] = " ".join([*os.environ.get(name, "").split(), *words])


if __name__ == "__main__":
    step = {"prepare": prepare, "renew": renew, "install": install}[sys.argv[1]]
    raise SystemExit(step(json.loads((HERE / "config.json").read_text(encoding="utf-8"))))
