"""The modules that a Lambda runtime has without any file in the ZIP."""

import functools
from collections.abc import Sequence

# Packages in AWS's images, by their import names: boto3 with its dependencies, and the runtime
# interface client (awslambdaric 4.2, which requires simplejson and snapshot-restore-py). Sources,
# as of 2026-11: "Runtime-included SDK versions" in the AWS Lambda developer guide, and the metadata
# of these distributions. The images of all supported versions have the same.
_RUNTIME = {
    *("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"),
    *("awslambdaric", "runtime_client", "snapshot_restore_py", "simplejson", "bootstrap"),
}


# The distributions in AWS's images that a function may rely on, by their normalised names.
DISTRIBUTIONS = frozenset({
    "boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3",
})  # fmt: skip


# Modules of an interpreter's installation. AWS promises none of them.
_PERHAPS = {"pip", "setuptools", "pkg_resources", "_distutils_hack", "wheel"}


# Modules that the standard library has only on Windows or macOS.
_ELSEWHERE = {
    *("winreg", "winsound", "msvcrt", "msilib", "nt", "_winapi", "_winreg", "_msi", "_overlapped"),
    *("_wmi", "_scproxy"),
}


# Submodules that the standard library gained while their package stayed, with the first version.
# Source: the change logs of Python 3.11 to 3.15; a test compares them with typeshed's `VERSIONS`.
_SINCE = {
    "asyncio.graph": "3.14",
    "asyncio.taskgroups": "3.11",
    "asyncio.timeouts": "3.11",
    "asyncio.tools": "3.14",
    "concurrent.futures.interpreter": "3.14",
    "concurrent.interpreters": "3.14",
    "dbm.sqlite3": "3.13",
    "importlib.resources.abc": "3.11",
    "importlib.resources.readers": "3.11",
    "importlib.resources.simple": "3.11",
    "math.integer": "3.15",
    "pathlib.types": "3.14",
    "string.templatelib": "3.14",
    "wsgiref.types": "3.11",
    "xml.utils": "3.15",
}


_GONE = {"xml.etree.cElementTree"}  # since 3.9


_VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")


@functools.cache
def standard_library(python: str) -> frozenset[str]:
    """Return the names of the modules in the standard library of a Python such as `3.12`."""
    from stdlibs import stdlib_module_names  # one table of names, only where code is checked

    return frozenset(stdlib_module_names(python)) | {"__main__", "__future__"}


def has(module: str, python: str) -> bool:
    """Tell whether a runtime has a module, by its first name."""
    if module in _ELSEWHERE:
        return False
    return module in _RUNTIME or module in standard_library(python)


def may_have(module: str) -> bool:
    """Tell whether a runtime has a module at present, but promises nothing."""
    return module in _PERHAPS


def lacks(parts: Sequence[str], python: str) -> str:
    """Return the part of a dotted name that the standard library surely lacks; empty if none."""
    for length in range(2, len(parts) + 1):
        name = ".".join(parts[:length])
        if name in _GONE or _number(_SINCE.get(name, python)) > _number(python):
            return name
    return ""


def elsewhere(module: str, python: str) -> str:
    """Tell where a module that a runtime lacks is in the standard library; empty if nowhere."""
    first = module.partition(".")[0]
    if first in _ELSEWHERE:
        return "the standard library has it on other systems only"
    if module in _GONE:
        return f"Python {python} no longer has this module"
    if module in _SINCE:
        return f"the standard library has it since Python {_SINCE[module]}"
    for version in _VERSIONS:
        if _number(version) > _number(python) and first in standard_library(version):
            return f"the standard library has it since Python {version}"
    is_old = any(first in standard_library(version) for version in ("3.9", *_VERSIONS))
    return f"Python {python} no longer has this module" if is_old else ""


def _number(version: str) -> int:
    return int(version.partition(".")[2])
