"""uv chooses wheels by the exact tags of each runtime, whatever machine it runs on."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags

from buildlib.layout import Layout
from buildlib.runtimes import ARCHITECTURES, RUNTIMES, machine
from buildlib.uv import run, target
from tests.conftest import Index


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give uv an empty cache, since each index of these tests has other files of one name."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Give a repository whose `build/` the tests of this module share."""
    return Layout(tmp_path_factory.mktemp("repository"))


def exact(python: str, architecture: str) -> list[Tag]:
    """Return the tags of a runtime in their order, as `packaging` has them for its glibc."""
    major, minor = RUNTIMES[python].glibc
    uname = machine(architecture)
    platforms = []
    for number in range(minor, 4, -1):  # manylinux1 is glibc 2.5
        platforms.append(f"manylinux_{major}_{number}_{uname}")
        alias = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}.get(number)
        platforms += [f"{alias}_{uname}"] if alias else []
    platforms.append(f"linux_{uname}")
    version = tuple(map(int, python.split(".")))
    abis = [f"cp{python.replace('.', '')}"]
    return [
        *cpython_tags(version, abis, platforms),
        *compatible_tags(version, f"cp{version[0]}{version[1]}", platforms),
    ]


def tags_to_try(python: str, architecture: str) -> Iterator[str]:
    """Yield tags around what a runtime loads: glibc, processor, interpreter and ABI."""
    uname, number = machine(architecture), python.replace(".", "")
    other = machine("arm64" if architecture == "x86_64" else "x86_64")
    glibc = RUNTIMES[python].glibc[1]
    for minor in {17, 18, 24, 25, 26, 27, 28, glibc - 1, glibc, glibc + 1, 39}:
        yield f"cp{number}-cp{number}-manylinux_2_{minor}_{uname}"
    yield f"cp{number}-cp{number}-manylinux2014_{uname}"
    yield f"cp{number}-cp{number}-manylinux_2_17_{other}"
    yield f"cp{number}-cp{number}-musllinux_1_2_{uname}"
    yield f"cp{number}-cp{number}-linux_{uname}"
    yield f"cp{number}-cp{number}t-manylinux_2_17_{uname}"
    yield f"cp310-abi3-manylinux_2_{glibc}_{uname}"
    yield f"cp315-abi3-manylinux_2_17_{uname}"
    yield f"py3-none-manylinux_2_{glibc}_{uname}"
    yield f"cp{number}-none-any"
    yield "cp315-none-any"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("python", RUNTIMES)
def test_a_wheel_is_taken_if_its_tag_fits(
    layout: Layout, index: Index, python: str, architecture: str
) -> None:
    """A release is taken if and only if `packaging` finds its tag among those of the runtime."""
    fitting = {str(tag) for tag in exact(python, architecture)}
    tags = {f"gamma{number}": tag for number, tag in enumerate(tags_to_try(python, architecture))}
    for name, tag in tags.items():
        index.add(name, "1.0")
        index.add(name, "2.0", tag=tag)
    (layout.root / "r.txt").write_text("\n".join(tags))
    arguments = ["pip", "compile", "r.txt", "--only-binary", ":all:", "--index-url", index.url]
    arguments += ["--no-annotate", "--quiet", *target.options(layout, python, architecture)]
    lines = run.run(arguments, root=layout.root, cwd=layout.root).output.split()
    assert {tag for name, tag in tags.items() if f"{name}==2.0" in lines} == {
        tag for tag in tags.values() if tag in fitting
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_best_tag_wins(
    layout: Layout, index: Index, python: str, architecture: str, tmp_path: Path
) -> None:
    """A compiled wheel wins over a pure one, and of several the one for the newest glibc."""
    order = list(map(str, exact(python, architecture)))
    compiled = [tag for tag in tags_to_try(python, architecture) if tag in order]
    tags = sorted(compiled, key=order.index, reverse=True)
    names = [f"gamma{number}" for number in range(len(tags))]
    for number, name in enumerate(names):  # each has one wheel more than the one before
        for tag in ("py3-none-any", *tags[: number + 1]):
            index.add(name, files={f"{name}.txt": tag}, tag=tag)
    arguments = ["pip", "install", "--target", str(tmp_path), "--index-url", index.url, *names]
    arguments += ["--only-binary", ":all:", *target.options(layout, python, architecture)]
    done = run.run(arguments, root=layout.root, cwd=layout.root)
    assert [(tmp_path / f"{name}.txt").read_text() for name in names] == tags, done.output


def test_markers_are_those_of_lambda(layout: Layout, index: Index, tmp_path: Path) -> None:
    """Markers about the system and the processor hold for the runtime, not for this machine."""
    for name in ("delta", "linux", "arm", "windows", "old"):
        index.add(name)
    (tmp_path / "r.txt").write_text(
        "linux; sys_platform == 'linux' and platform_system == 'Linux' and os_name == 'posix'\n"
        "arm; platform_machine == 'aarch64'\nwindows; sys_platform == 'win32'\n"
        "old; python_full_version < '3.11.4' or implementation_name != 'cpython'\n"
    )
    arguments = ["pip", "compile", "r.txt", "--no-annotate", "--no-header", "--quiet"]
    arguments += ["--index-url", index.url, *target.options(layout, "3.11", "arm64")]
    done = run.run(arguments, root=layout.root, cwd=tmp_path)
    assert done.output.split() == ["arm==1.0", "linux==1.0"]


def test_only_the_target_is_described(layout: Layout) -> None:
    """The virtual environment is this machine's Python for all but uv's question."""
    python = target.options(layout, "3.11", "arm64")[1]
    code = "import json, sys; print(json.dumps({'result': 'success', 'at': sys.version}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"result": "success", "at": sys.version}


def test_an_unknown_question_is_no_answer(layout: Layout, tmp_path: Path) -> None:
    """A uv that asks in another way gets an error, never this machine's own platform."""
    python = target.options(layout, "3.11", "arm64")[1]
    for code in ("print('{}')", "import json; print(json.dumps({'result': 'success'}))"):
        script = tmp_path / "get_interpreter_info.py"
        script.write_text(code)
        done = subprocess.run([python, str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == 3
        assert "uv " in done.stderr


def _lose(python: Path) -> None:
    python.unlink()


def _replace(python: Path) -> None:
    python.unlink()
    python.write_text("#!/bin/sh\ntouch ran\n")
    python.chmod(0o755)


def _add(python: Path) -> None:
    [code] = python.parent.parent.glob("**/_lambda_target.py")
    code.with_name("extra.pth").write_text("import os; os.system('touch ran')\n")


def _change(python: Path) -> None:
    [code] = python.parent.parent.glob("**/_lambda_target.py")
    code.write_text("import os; os.system('touch ran')\n")


def _cache(python: Path) -> None:
    [code] = python.parent.parent.glob("**/_lambda_target.py")
    code.parent.joinpath("__pycache__").mkdir()
    code.parent.joinpath("__pycache__/_lambda_target.cpython-311.pyc").write_bytes(b"bytecode")


def _link(python: Path) -> None:
    folder = python.parent.parent
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


@pytest.mark.skipif(sys.platform == "win32", reason="Python is a copy there")
@pytest.mark.parametrize("damage", [_lose, _replace, _add, _change, _cache, _link])
def test_nothing_runs_that_was_not_made_here(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """A virtual environment that a restored cache brought with other files is made again."""
    layout = Layout(tmp_path)
    python = Path(target.options(layout, "3.12", "x86_64")[1])
    folder = python.parent.parent
    before = sorted(folder.rglob("*"))
    damage(python)
    assert target.options(layout, "3.12", "x86_64")[1] == str(python)
    assert sorted(folder.rglob("*")) == before
    assert not folder.is_symlink()
    assert python.resolve() == Path(sys.executable).resolve()
