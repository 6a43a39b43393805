"""Where a function starts: on this machine, or in AWS's image."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from buildlib.commands.coldstart.kept import Surroundings
from buildlib.commands.invoke import in_container, on_host
from buildlib.commands.invoke.in_container import LAYERS, TASK, Inside
from buildlib.model import LAYER_PREFIX, Variant
from buildlib.project.project import Project

# Prints the exact Python and the processor. A processor for arm64 has a number in place of a name.
_FACTS = """\
import json, platform
cpu = ""
try:
    with open("/proc/cpuinfo") as stream:
        for name, _, text in [line.partition(":") for line in stream]:
            if name.strip() in ("model name", "CPU part"):
                cpu = text.strip()
except OSError:
    pass
print(json.dumps([platform.python_version(), platform.machine(), cpu]))
"""

# Compiles each module of some folders, as `bytecode: true` does, or removes all bytecode. Prints by
# how many bytes of bytecode the folders differ now. Compiling runs no code of the folders.
_SWITCH = """\
import compileall, os, py_compile, shutil, sys
wanted, tops = sys.argv[1] == "on", sys.argv[2:]
def cached():
    for top in tops:
        for folder, _, names in os.walk(top, topdown=False):
            if os.path.basename(folder) == "__pycache__":
                yield folder, [os.path.join(folder, name) for name in names]
def size():
    return sum(os.path.getsize(path) for _, paths in cached() for path in paths)
before = size()
for top in tops:
    for folder in [folder for folder, _, _ in os.walk(top)]:
        os.chmod(folder, 0o755)
    if wanted:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(top, quiet=2, invalidation_mode=mode)
for folder, paths in list(cached()):
    if wanted:
        for path in paths:
            os.chmod(path, 0o555)
    else:
        shutil.rmtree(folder)
for top in tops:
    for folder, _, _ in os.walk(top):
        os.chmod(folder, 0o555)
print(abs(size() - before))
"""


class Place(Protocol):
    """A function, unpacked and ready to start."""

    surroundings: Surroundings
    where: str

    def invoke(self, task: Mapping[str, Any], handler: str) -> Sequence[str]:
        """Start the function and invoke a handler once; return the lines of `driver.py`."""

    def drop(self) -> None:
        """Drop the function's files from the page cache, if that is possible."""

    def switch(self, *, on: bool) -> int:
        """Add or remove the bytecode of the function and its layers; return its bytes."""

    def shown(self, line: str) -> str:
        """Return a line of a traceback with Lambda's paths."""


class _Here:
    """A function on this machine."""

    def __init__(self, place: on_host.Place, probes: Mapping[str, str]) -> None:
        folder = place.top / "probe"
        folder.mkdir()
        for name, text in probes.items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o644)
        folder.chmod(0o755)  # under each umask: the function may run as another user
        self._tops = (place.folder, place.top / "opt")
        self._place = place._replace(layers=[*place.layers, str(folder)])
        python, machine, cpu = json.loads(place.run(_FACTS))
        self.where = f"on this machine, by {place.python}"
        self.surroundings = Surroundings("", python, machine, cpu, self._is_dropped())

    def invoke(self, task: Mapping[str, Any], handler: str) -> Sequence[str]:
        return self._place.invoke(task, handler)

    def drop(self) -> None:
        if hasattr(os, "posix_fadvise"):
            for path in self._files:
                with contextlib.suppress(OSError), open(path, "rb") as stream:
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def switch(self, *, on: bool) -> int:
        size = int(self._place.run(_SWITCH, "on" if on else "off", *map(str, self._tops)))
        self._is_dropped()
        return size

    def shown(self, line: str) -> str:
        task, layers = f'"{self._place.folder}/', f'"{self._place.top}/opt/'
        return line.replace(task, f'"{TASK}/').replace(layers, '"/opt/')

    def _is_dropped(self) -> bool:
        """Tell whether files can leave the page cache; a page that is not on the disk stays."""
        walked = os.walk(self._place.top)
        self._files = [os.path.join(folder, name) for folder, _, names in walked for name in names]
        if not hasattr(os, "posix_fadvise"):
            return False
        for path in self._files:
            with contextlib.suppress(OSError), open(path, "rb") as stream:
                os.fsync(stream.fileno())
        return True


class _InImage:
    """A function in a container, which goes on while the function starts several times."""

    def __init__(self, inside: Inside, probes: Mapping[str, str], *, has_layers: bool) -> None:
        inside.put({f"{TASK}/{name}": text.encode() for name, text in probes.items()})
        self._inside = inside
        self._tops = (TASK, f"{LAYERS}/{LAYER_PREFIX}") if has_layers else (TASK,)
        self.where = f"in the image {inside.image}"
        python, machine, cpu = json.loads(inside.run(_FACTS))
        self.surroundings = Surroundings(inside.image, python, machine, cpu, is_cold=False)

    def invoke(self, task: Mapping[str, Any], handler: str) -> Sequence[str]:
        return self._inside.invoke(task, handler)

    def drop(self) -> None:
        """Do nothing: the engine may be on another machine, and shares files between containers."""

    def switch(self, *, on: bool) -> int:
        return int(self._inside.run(_SWITCH, "on" if on else "off", *self._tops))

    def shown(self, line: str) -> str:
        return line


@contextlib.contextmanager
def opened(
    project: Project, variant: Variant, probes: Mapping[str, str], *, image: str, python: str
) -> Iterator[Place]:
    """Yield the function in dist/, with its layers and with the modules `probes`.

    Without an image, it is on this machine, with the interpreter `python` or the one that is found.

    Raises:
        InvokeError: neither an image nor this machine can run the function.

    """
    layout = project.layout
    paths = [layout.zip(one.id) for one in (variant, *project.layer_variants(variant))]
    if image:
        with in_container.opened(variant, paths, image, layout) as inside:
            yield _InImage(inside, probes, has_layers=len(paths) > 1)
    else:
        with on_host.unpacked(variant, paths, python or None, layout) as place:
            yield _Here(place, probes)
