"""The Python runtimes of AWS Lambda, and the wheels that run on them.

Sources: "Lambda runtimes" and "Building Lambda functions with Python" in the AWS Lambda developer
guide; the glibc versions of Amazon Linux 2 and Amazon Linux 2023.
"""

from typing import NamedTuple

ARCHITECTURES = ("x86_64", "arm64")


# Lambda's limit for the unzipped code together with its layers, in bytes.
UNZIPPED_LIMIT = 262_144_000


# Lambda's limit for a ZIP that is uploaded directly, not through S3, in bytes.
ZIPPED_LIMIT = 52_428_800


class Runtime(NamedTuple):
    """One Python runtime: its operating system and that system's glibc, as (major, minor).

    AWS moves a runtime to newer patch levels of its Python, never to older ones: `patch` is the
    level of the release that was current when AWS introduced the runtime.
    """

    python: str
    system: str
    glibc: tuple[int, int]
    patch: int

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
        return f"public.ecr.aws/lambda/python:{self.python}"


RUNTIMES = {
    runtime.python: runtime
    for runtime in (
        Runtime("3.10", "Amazon Linux 2", (2, 26), 11),
        Runtime("3.11", "Amazon Linux 2", (2, 26), 4),
        Runtime("3.12", "Amazon Linux 2023", (2, 34), 0),
        Runtime("3.13", "Amazon Linux 2023", (2, 34), 0),
        Runtime("3.14", "Amazon Linux 2023", (2, 34), 0),
    )
}


# PEP 600 allows any glibc in a wheel's tag; uv accepts these. A runtime gets the highest that its
# glibc allows, also from pip, so that both installers choose the same wheel.
_MANYLINUX = ((2, 17), (2, 28), (2, 31), (2, 32), (2, 33), (2, 34))


_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


# The names of architectures in images (OCI image specification, GOARCH).
_PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}


def machine(architecture: str) -> str:
    """Return the `uname -m` of an architecture of Lambda, as in wheel tags."""
    return _MACHINES[architecture]


def image_platform(architecture: str) -> str:
    """Return the image platform of an architecture of Lambda, such as `linux/amd64`."""
    return f"linux/{_PLATFORMS[architecture]}"


def manylinux(python: str) -> tuple[int, int]:
    """Return the newest manylinux (PEP 600) whose wheels run on the runtime, as a glibc version."""
    return max(version for version in _MANYLINUX if version <= RUNTIMES[python].glibc)


def platform_tag(python: str, architecture: str) -> str:
    """Return the best platform tag of the runtime, such as `manylinux_2_34_x86_64`."""
    major, minor = manylinux(python)
    return f"manylinux_{major}_{minor}_{machine(architecture)}"
