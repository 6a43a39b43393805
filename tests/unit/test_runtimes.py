"""The table of runtimes agrees with AWS's own documents and API, and with the installer."""

import platform
import re

import pytest
from packaging import tags

from buildlib import runtimes
from buildlib.runtimes import ARCHITECTURES, RUNTIMES

# "Lambda runtimes" in the AWS Lambda developer guide, and the glibc of each system's image.
GLIBC = {"Amazon Linux 2": (2, 26), "Amazon Linux 2023": (2, 34)}
SYSTEMS = {
    "3.10": "Amazon Linux 2",
    "3.11": "Amazon Linux 2",
    "3.12": "Amazon Linux 2023",
    "3.13": "Amazon Linux 2023",
    "3.14": "Amazon Linux 2023",
    "3.15": "Amazon Linux 2023",
}


def test_systems() -> None:
    """Each runtime has the system, and the glibc, that AWS documents for it."""
    assert {python: runtime.system for python, runtime in RUNTIMES.items()} == SYSTEMS
    assert {runtime.system: runtime.glibc for runtime in RUNTIMES.values()} == GLIBC


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("python", RUNTIMES)
def test_platform_tag(python: str, architecture: str) -> None:
    """The tag names the runtime's own glibc, as PEP 600 allows any."""
    major, minor = GLIBC[SYSTEMS[python]]
    expected = f"manylinux_{major}_{minor}_{UNAME[architecture]}"
    assert runtimes.platform_tag(python, architecture) == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("python", RUNTIMES)
def test_wheels_that_the_runtime_loads(
    monkeypatch: pytest.MonkeyPatch, python: str, architecture: str
) -> None:
    """An interpreter on the runtime's system, as `packaging` sees it, accepts the tag."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("packaging._manylinux._get_glibc_version", lambda: RUNTIMES[python].glibc)
    monkeypatch.setattr("packaging._manylinux._have_compatible_abi", lambda *_: True)
    monkeypatch.setattr("sysconfig.get_platform", lambda: f"linux-{UNAME[architecture]}")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert runtimes.platform_tag(python, architecture) in set(tags.platform_tags())


# `uname -m` on the two processors, and GOARCH in the OCI image specification.
UNAME = {"x86_64": "x86_64", "arm64": "aarch64"}
GOARCH = {"x86_64": "amd64", "arm64": "arm64"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_machines(architecture: str) -> None:
    """Every architecture has the name of its machine, and of its images."""
    assert runtimes.machine(architecture) == UNAME[architecture]
    assert runtimes.image_platform(architecture) == f"linux/{GOARCH[architecture]}"


def test_names() -> None:
    """Lambda's API knows every runtime and architecture, as AWS's own client has them."""
    loaders = pytest.importorskip("botocore.loaders")
    shapes = loaders.Loader().load_service_model("lambda", "service-2")["shapes"]
    known = {name for name in shapes["Runtime"]["enum"] if name.startswith("python3.")}
    ours = {runtime.identifier for runtime in RUNTIMES.values()}
    # Lambda updates no function on these any more.
    gone = {"python3.6", "python3.7", "python3.8", "python3.9"}
    assert ours == known - gone, "AWS moved on: correct the table"
    assert {*ARCHITECTURES} == {*shapes["Architecture"]["enum"]}


def test_keys() -> None:
    """Each runtime stands under its own version, and has the image of that version."""
    for python, runtime in RUNTIMES.items():
        assert runtime.python == python
        assert runtime.identifier == f"python{python}"
        tag = f"{python}-preview" if runtime.is_preview else python
        assert runtime.image == f"public.ecr.aws/lambda/python:{tag}"


def test_dates() -> None:
    """A runtime is deprecated, then closed for new functions, then for updates, in this order."""
    for runtime in RUNTIMES.values():
        if runtime.dates:
            assert list(runtime.dates) == sorted(runtime.dates)
            assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", day) for day in runtime.dates)


@pytest.mark.parametrize(
    ("python", "today", "words"),
    [
        ("3.10", "2025-10-30", ""),
        ("3.10", "2025-10-31", "updates from 2027-03-03"),
        ("3.10", "2027-01-01", "new functions from 2027-02-01"),
        ("3.11", "2026-11-25", "deprecates it on 2027-06-30"),
        ("3.13", "2026-11-25", ""),
        ("3.15", "2026-11-25", "is a preview"),
    ],
)
def test_notices(python: str, today: str, words: str) -> None:
    """Users hear of a deprecation a year before, with the dates; and of a preview."""
    notice = RUNTIMES[python].notice(today)
    assert words in notice
    assert bool(notice) is bool(words)


def test_limits() -> None:
    """The limits are those of AWS's "Lambda quotas", whose MB has 1,048,576 bytes."""
    assert runtimes.UNZIPPED_LIMIT == 250 * 1024 * 1024 == 262_144_000
    assert runtimes.ZIPPED_LIMIT == 50 * 1024 * 1024
