"""The Python runtimes of AWS Lambda, and the wheels that run on them.

Sources: "Lambda runtimes" (with its table of dates, as of 2026-11) and "Building Lambda functions
with Python" in the AWS Lambda developer guide; the glibc versions of Amazon Linux 2 and 2023.
"""

from typing import NamedTuple

ARCHITECTURES = ("x86_64", "arm64")


# The folders to which Lambda unpacks functions and layers ("Lambda execution environment").
CODE_FOLDER, LAYER_FOLDER = "/var/task/", "/opt/"


# Lambda's limit for the unzipped code together with its layers, in bytes.
UNZIPPED_LIMIT = 262_144_000


# Lambda's limit for a ZIP that is uploaded directly, not through S3, in bytes.
ZIPPED_LIMIT = 52_428_800


def _before(day: str) -> str:
    """Return the day a year before another, from which on users hear of it."""
    year, _, rest = day.partition("-")
    return f"{int(year) - 1}-{rest}"


# A patch level that no Python reaches: there are about 20 in the life of a minor version.
HIGHEST_PATCH = 99


class Runtime(NamedTuple):
    """One Python runtime: its operating system and that system's glibc, as (major, minor).

    AWS moves a runtime to newer patch levels of its Python, never to older ones: `patch` is the
    level of the release that was current when AWS introduced the runtime. `dates` are the days on
    which AWS deprecates it, and blocks the creation and the update of functions.
    """

    python: str
    system: str
    glibc: tuple[int, int]
    patch: int
    dates: tuple[str, str, str] | None = None  # ISO 8601
    is_preview: bool = False

    @property
    def lowest_patch(self) -> str:
        """The lowest full version that the runtime ever had, such as `3.11.4`."""
        return f"{self.python}.{self.patch}"

    @property
    def identifier(self) -> str:
        """The name in Lambda's API and in Terraform, such as `python3.13`."""
        return f"python{self.python}"

    @property
    def image(self) -> str:
        """AWS's base image of this runtime."""
        return f"public.ecr.aws/lambda/python:{self.python}{'-preview' * self.is_preview}"

    def notice(self, today: str) -> str:
        """Return what a user has to know about the state of the runtime on a day; mostly empty."""
        if self.is_preview:
            return f"Python {self.python} is a preview in Lambda, not for production"
        if self.dates is None or today < _before(self.dates[0]):
            return ""
        deprecated, create, update = self.dates
        return (
            f"Python {self.python}: Lambda deprecates it on {deprecated}, and blocks new functions "
            f"from {create} and updates from {update}"
        )


_AL2, _AL2023 = "Amazon Linux 2", "Amazon Linux 2023"


RUNTIMES = {
    runtime.python: runtime
    for runtime in (
        Runtime("3.10", _AL2, (2, 26), 11, ("2026-10-31", "2027-02-01", "2027-03-03")),
        Runtime("3.11", _AL2, (2, 26), 4, ("2027-06-30", "2027-07-31", "2027-08-31")),
        Runtime(
            "3.12", "Amazon Linux 2023", (2, 34), 0, ("2028-10-31", "2028-11-30", "2029-01-10")
        ),
        Runtime(
            "3.13", "Amazon Linux 2023", (2, 34), 0, ("2029-06-30", "2029-07-31", "2029-08-31")
        ),
        Runtime(
            "3.14", "Amazon Linux 2023", (2, 34), 0, ("2029-06-30", "2029-07-31", "2029-08-31")
        ),
        Runtime("3.15", "Amazon Linux 2023", (2, 34), 0, None, is_preview=True),
    )
}


_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


# The names of architectures in images (OCI image specification, GOARCH).
_PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}


def machine(architecture: str) -> str:
    """Return the `uname -m` of an architecture of Lambda, as in wheel tags."""
    return _MACHINES[architecture]


def image_platform(architecture: str) -> str:
    """Return the image platform of an architecture of Lambda, such as `linux/amd64`."""
    return f"linux/{_PLATFORMS[architecture]}"


def platform_tag(python: str, architecture: str) -> str:
    """Return the best platform tag of the runtime (PEP 600), such as `manylinux_2_34_x86_64`.

    Wheels for that glibc and for each older one run there.
    """
    major, minor = RUNTIMES[python].glibc
    return f"manylinux_{major}_{minor}_{machine(architecture)}"
