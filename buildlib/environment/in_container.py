"""What runs in the container, by the image's own Python (3.10 or newer) and nothing else.

`in_container.py prepare`, as root: check the image, hand the work folder to the unprivileged user.
`in_container.py install`, as that user: run pip, then copy the libraries.
`config.json` beside this file has what the manifest and the lock say.
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
    """Say what is wrong; the exit code 3 tells it from a failure of pip."""
    sys.stderr.write(f"error: {message}\n")
    return 3


def prepare(config: dict[str, Any]) -> int:
    """Check that the image has the right Python; make the folders."""
    found = "{}.{}".format(*sys.version_info[:2])
    if found != config["python"]:
        return fail(f"the image has Python {found}, and {config['python']} is needed")
    owner = config["user"]
    CACHE.mkdir(exist_ok=True)
    for name in ("http", "http-v2"):  # before pip 23.3, and since
        (CACHE / name).mkdir(exist_ok=True)
        os.chown(CACHE / name, owner, owner)
        os.chmod(CACHE / name, 0o700)
    return 0


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
            return fail(f"libraries: the image has no file {path} after 'setup'")
        if target.exists():
            return fail(f"libraries: {path} and another file are both lib/{target.name}")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
    return 0


def pip(config: dict[str, Any]) -> int:
    """Run pip in this process, so that what it does by chance can be made certain."""
    cache = BUILD / "pip-cache"
    cache.mkdir(parents=True)
    # Downloads are kept for the next container. The wheels that pip builds are not: they were
    # built by whatever was in that image.
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
    """Let pip's cache keep distributions for good, whatever the index or a proxy says of caching.

    Some say nothing, and then pip downloads everything each time. What is in the cache is checked
    against the same hashes as what is downloaded.
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
    """Let pip take the wheels of the runtime's glibc, not those of the image's (PEP 600).

    A module `_manylinux` decides where there is one; wheels for other tags and builds from source
    are as ever.
    """
    module = types.ModuleType("_manylinux")
    module.manylinux_compatible = (  # type: ignore[attr-defined]
        lambda tag_major, tag_minor, _arch: (tag_major, tag_minor) <= (major, minor)
    )
    sys.modules["_manylinux"] = module


def fix_build_paths() -> None:
    """Give pip's build folders the same names each time: compilers write them into what they make.

    pip names them by `tempfile.mkdtemp(prefix="pip-<kind>-")` and, in there, `<name>_<uuid4>`.
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
    """Set the compilers' flags for equal results; CPPFLAGS leaves optimisation to the package."""
    if not shutil.which("cc") and not shutil.which("gcc"):
        return
    compiler = "cc" if shutil.which("cc") else "gcc"
    maps = [f"-ffile-prefix-map={BUILD}=/build", f"-fdebug-prefix-map={BUILD}=/build"]
    known = [flag for flag in maps if accepts(compiler, flag)]
    add("CPPFLAGS", known)
    add("LDFLAGS", ["-Wl,--build-id=none"])


def accepts(compiler: str, flag: str) -> bool:
    """Tell whether the compiler knows a flag: GCC has -ffile-prefix-map since version 8."""
    command = [compiler, flag, "-E", "-x", "c", os.devnull]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    return done.returncode == 0


def keep_libraries() -> None:
    """Move a wheel's data below `lib/` into the target too: `pip install --target` loses it.

    pip installs modules into `lib/python` of a temporary folder and takes that `lib` for its own.
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
    """Append words to a variable of the environment."""
    os.environ[name] = " ".join([*os.environ.get(name, "").split(), *words])


if __name__ == "__main__":
    step = {"prepare": prepare, "install": install}[sys.argv[1]]
    raise SystemExit(step(json.loads((HERE / "config.json").read_text(encoding="utf-8"))))
