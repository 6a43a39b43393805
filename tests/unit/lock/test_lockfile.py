"""The lock: when it is current, and which of its pins hold for which target."""

from collections.abc import Callable
from pathlib import Path

import pytest

from buildlib.errors import LockError
from buildlib.lock import lockfile
from buildlib.lock.requirements import Entry, Requirements
from buildlib.model import Image, LockTarget, Pin
from tests.unit.conftest import variant

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
REQUIREMENTS = Requirements("lambdas/api/requirements.txt", "0" * 64, (), frozenset())
T12 = [LockTarget("3.12", "x86_64")]
HEADER = (
    "# Made by doit-lambda-zip from requirements.txt; commit it, do not edit it.\n"
    f"# requirements-sha256: {'0' * 64}\n# python: 3.12\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a lock."""
    return tmp_path / "requirements.lock"


def pins(path: Path, text: str | bytes, python: str = "3.13", architecture: str = "x86_64") -> str:
    """Return the pins of a lock with this text, as `name==version` each."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = lockfile.pins(path, "api/requirements.lock", variant(python, architecture))
    return " ".join(f"{pin.name}=={pin.version}" for pin in found)


# -- current or not --------------------------------------------------------------------------------


def test_current(path: Path) -> None:
    """A lock is current if its header has the digest of the input and the lowest Python."""
    path.write_text(HEADER + "alpha==1\n")
    assert lockfile.state(path, REQUIREMENTS, T12) is None
    assert lockfile.is_current(path, REQUIREMENTS, T12)


def sealed(body: str) -> str:
    """Return a lock with a body, and with the sha256 of that in its header."""
    return f"{HEADER}# pins-sha256: {lockfile.body_sha256(HEADER + body)}\n{body}"


PINS = f"alpha==1 \\\n    --hash={A}\n    # via beta\nbeta==2 --hash={B}\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("alpha==1", "alpha==2"),
        lambda text: text.replace(A, C),
        lambda text: text[: text.index("beta==2")],
        lambda text: text[: text.index("alpha==1")],
        lambda text: text + f"beta==3 --hash={C}\n",
        lambda text: text.replace("# python", f"# image: 3.13 arm64 x sha256:{'1' * 64}\n# python"),
    ],
)
def test_a_changed_body(path: Path, change: Callable[[str], str]) -> None:
    """A lost, added or changed pin, hash or image makes a lock stale."""
    text = sealed(PINS)
    path.write_text(text)
    assert lockfile.state(path, REQUIREMENTS, T12) is None
    assert change(text) != text
    path.write_text(change(text))
    found = lockfile.state(path, REQUIREMENTS, T12)
    assert found == "was edited after it was written, by hand or by a merge"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("    # via beta\n", ""),
        lambda text: text.replace("\\\n    --hash", "  --hash") + "\n\n",
        lambda text: text + "# a remark\n",
    ],
)
def test_a_body_that_means_the_same(path: Path, change: Callable[[str], str]) -> None:
    """Line ends, comments and white space do not make a lock stale."""
    path.write_bytes(change(sealed(PINS)).encode())
    assert lockfile.state(path, REQUIREMENTS, T12) is None


def test_a_requirement_without_a_pin(path: Path) -> None:
    """A lock of an earlier version, without a sha256 of its pins, has a pin of each requirement."""
    entries = [("Alpha>1", "alpha", False), ("beta; python_version < '3'", "beta", False)]
    entries += [("gamma", "gamma", True), ("delta", "delta", False)]
    needed = REQUIREMENTS._replace(
        entries=tuple(Entry("r:1", text, name, (), only) for text, name, only in entries)
    )
    path.write_text(f"{HEADER}ALPHA==1\n")
    assert lockfile.state(path, needed, T12) == "has no pin of delta"
    path.write_text(f"{HEADER}ALPHA==1\ndelta==1\n")
    assert lockfile.state(path, needed, T12) is None


def test_two_pins_of_one_name(path: Path) -> None:
    """Two pins of one distribution for one target are an error that says how they came there."""
    text = f"{HEADER}alpha==1 --hash={A}\nalpha==2 --hash={A}\n"
    with pytest.raises(LockError, match="two pins of alpha, 1 and 2, as after a merge; run"):
        pins(path, text)
    same = f"alpha==1 --hash={A}\n"
    assert pins(path, HEADER + same + same) == "alpha==1"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends(path: Path, ends: str) -> None:
    """A checkout with CRLF makes no lock stale."""
    path.write_bytes(HEADER.replace("\n", ends).encode())
    assert lockfile.is_current(path, REQUIREMENTS, T12)


def test_missing(path: Path) -> None:
    """A lock that is not there is missing."""
    assert lockfile.state(path, REQUIREMENTS, T12) == "is missing"
    assert not lockfile.is_current(path, REQUIREMENTS, T12)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"alpha==1\n",
        b"\xff\xfe",
        HEADER.replace("000", "", 1).encode(),
        HEADER.replace("# python", "# snake").encode(),
        b"\n" * 1000 + HEADER.encode(),
    ],
)
def test_foreign(path: Path, text: bytes) -> None:
    """A file that someone else made is no lock of ours."""
    path.write_bytes(text)
    assert lockfile.state(path, REQUIREMENTS, T12) == "was not written by doit-lambda-zip"


def test_stale(path: Path) -> None:
    """A lock says what it was made from; other requirements or another lowest Python show."""
    path.write_text(HEADER)
    other = REQUIREMENTS._replace(sha256="1" * 64)
    assert lockfile.state(path, other, T12) == "is out of date with requirements.txt"
    expected = "is for Python 3.12 and newer, but the lambda needs 3.10"
    lower = [LockTarget("3.11", "arm64"), LockTarget("3.10", "arm64")]
    assert lockfile.state(path, REQUIREMENTS, lower) == expected


def test_targets(path: Path) -> None:
    """A lock that was resolved for some targets is out of date for others only."""
    path.write_text(HEADER.replace("# python: 3.12", "# targets: 3.12-arm64 3.13-x86_64"))
    assert lockfile.state(path, REQUIREMENTS, [LockTarget("3.13", "x86_64")]) is None
    needed = [LockTarget("3.12", "arm64"), LockTarget("3.13", "arm64")]
    assert lockfile.state(path, REQUIREMENTS, needed) == "does not cover Python 3.13 on arm64"


@pytest.mark.parametrize(
    ("value", "frozen"),
    [
        ("true", True),
        ("1", True),
        ("drone", True),
        ("", False),
        ("0", False),
        ("False", False),
        ("no", False),
        ("No", False),
        ("n", True),
    ],
)
def test_frozen_in_ci(value: str, frozen: bool) -> None:
    """CI counts as set unless its value says no; the manifest's `frozen` always counts."""
    assert lockfile.is_frozen(frozen=False, variables={"CI": value}) is frozen
    assert lockfile.is_frozen(frozen=True, variables={"CI": value})


def test_not_frozen() -> None:
    """On a laptop, locks are made on the way."""
    assert not lockfile.is_frozen(frozen=False, variables={})


# -- pins ------------------------------------------------------------------------------------------


def test_pins(path: Path) -> None:
    """A pin has a name in its normal form, a version and sorted hashes; pins are sorted by name."""
    path.write_text(
        f"{HEADER}Zope.Interface_x==5.0 \\\n    --hash={B} \\\n    --hash={A}\n"
        f"    # via -r requirements.txt\nalpha[socks,b]==1.0+local.1 \\\n    --hash={C}\n\n"
    )
    assert lockfile.pins(path, "x", variant()) == (
        Pin("alpha", "1.0+local.1", (C,)),
        Pin("zope-interface-x", "5.0", (A, B)),
    )


def test_pins_by_address(path: Path) -> None:
    """A pinned address keeps its form, so that it can be installed from."""
    url = "https://example.com/alpha-1.0-py3-none-any.whl"
    assert pins(path, f"alpha @ {url} \\\n    --hash={A}\n") == f"alpha==@ {url}"


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf# x\n", b"# x\r\n"], ids=["bom", "crlf"])
def test_pins_in_other_bytes(path: Path, text: bytes) -> None:
    """A BOM and CRLF line ends change no pin."""
    ends = b"\r\n" if b"\r" in text else b"\n"
    lines = [b"alpha==1.0 \\", b"    --hash=" + A.encode(), b"    # via x", b""]
    assert pins(path, text + ends.join(lines)) == "alpha==1.0"


MARKERS = {
    "python_full_version < '3.13'": ("3.12", "x86_64"),
    "python_version >= '3.13'": ("3.13", "arm64"),
    "python_version == '3.10' and platform_machine == 'aarch64'": ("3.10", "arm64"),
    "platform_machine == 'x86_64'": ("3.13", "x86_64"),
    "python_full_version == '3.14.*'": ("3.14", "x86_64"),
    "python_full_version >= '3.13.0'": ("3.13", "x86_64"),
    "implementation_version >= '3.13.0'": ("3.13", "x86_64"),
}


@pytest.mark.parametrize("marker", MARKERS)
def test_markers_by_target(path: Path, marker: str) -> None:
    """A pin holds for the targets that its marker names, whatever the host is."""
    text = f"alpha==1.0 ; {marker} \\\n    --hash={A}\n"
    assert pins(path, text, *MARKERS[marker]) == "alpha==1.0"
    python, architecture = MARKERS[marker]
    elsewhere = ("3.14" if "<" in marker else "3.11") if "3." in marker else python
    other = (elsewhere, "arm64" if architecture == "x86_64" else "x86_64")
    assert pins(path, text, *other) == ""


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'linux'", True),
        ("sys_platform == 'win32'", False),
        ("sys_platform != 'darwin'", True),
        ("platform_system == 'Linux'", True),
        ("os_name == 'nt'", False),
        ("platform_python_implementation == 'CPython'", True),
        ("platform_python_implementation != 'PyPy'", True),
        ("implementation_name == 'pypy'", False),
        ("platform_python_implementation == 'PyPy' or sys_platform == 'linux'", True),
        ("extra == 'test'", False),
        ("extra == ''", True),
        ("os_name == 'posix'", True),
        ("implementation_name == 'cpython'", True),
        ("platform_release == ''", True),  # AWS updates the kernel: no build can know it
        ("platform_version == ''", True),
    ],
)
def test_markers_of_lambda(path: Path, marker: str, holds: bool) -> None:
    """Lambda is CPython on Linux, also when the host is something else."""
    text = f"alpha==1.0 ; {marker} \\\n    --hash={A}\n"
    assert pins(path, text) == ("alpha==1.0" if holds else "")


def test_two_versions(path: Path) -> None:
    """A distribution may be pinned twice, each time for other targets."""
    text = (
        f"numpy==2.2 ; python_full_version < '3.11' \\\n    --hash={A}\n"
        f"numpy==2.4 ; python_full_version >= '3.11' \\\n    --hash={B}\n"
    )
    assert pins(path, text, "3.10") == "numpy==2.2"
    assert pins(path, text, "3.13") == "numpy==2.4"


@pytest.mark.parametrize(
    "line",
    [
        "alpha==1.0",
        "alpha>=1.0 --hash=" + A,
        "alpha --hash=" + A,
        "alpha==1.0 --hash=md5:0123",
        "alpha==1.0 --hash=sha256:0123",
        "alpha==1.0 ; sys_platform == 'win32'",
        "-r other.txt",
        "--index-url https://example.com",
        "<<<<<<< HEAD",
    ],
)
def test_not_a_pin(path: Path, line: str) -> None:
    """A line without a version or a hash is an error that says how to mend it."""
    shown = line.partition(" --hash=")[0]
    with pytest.raises(LockError) as error:
        pins(path, f"{HEADER}{line}\n")
    assert str(error.value) == (
        f"api/requirements.lock: '{shown}' is not a pin with hashes; "
        "run 'lambdas lock api' to regenerate the file"
    )


@pytest.mark.parametrize("marker", ["nonsense", "python_version >", "foo == '1'"])
def test_bad_marker(path: Path, marker: str) -> None:
    """A marker that cannot be read is an error like any other."""
    with pytest.raises(LockError, match=r"is not a pin with hashes; run 'lambdas lock api'"):
        pins(path, f"alpha==1 ; {marker} --hash={A}\n")


def test_not_utf8(path: Path) -> None:
    """A lock in another encoding is an error like any other."""
    with pytest.raises(LockError, match=r"is not a pin with hashes; run 'lambdas lock api'"):
        pins(path, b"alph\xe9==1\n")


def test_no_lock(path: Path) -> None:
    """Without a lock, the message says how to make one."""
    with pytest.raises(LockError) as error:
        lockfile.pins(path, "api/requirements.lock", variant())
    assert str(error.value) == (
        "api/requirements.lock: missing; run 'lambdas lock api' and commit the file"
    )


def test_lock_names_images(tmp_path: Path) -> None:
    """The header of a lock gives its images; other comments and later lines do not."""
    digest = "sha256:" + "a" * 64
    (tmp_path / "x.lock").write_text(
        f"# Made by\n# image: 3.13 arm64 a:1 a@{digest}\n# image: 3.13 x86_64 b {digest}\n"
        f"# image: broken\nalpha==1 \\\n    --hash=x\n# image: 3.12 arm64 c {digest}\n"
    )
    assert lockfile.images(tmp_path / "x.lock") == [
        Image("3.13", "arm64", "a:1", f"a@{digest}"),
        Image("3.13", "x86_64", "b", digest),
    ]
    assert lockfile.images(tmp_path / "none.lock") == []
