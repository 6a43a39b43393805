"""The modules that a Lambda runtime has without any file in the ZIP."""

import functools

# The packages in /var/runtime and in the site-packages of AWS's images, by their import names:
# boto3 with its dependencies, and the runtime interface client with its own ("Lambda runtimes" and
# "Python Lambda function handler" in the AWS Lambda developer guide; aws-lambda-base-images).
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


@functools.cache
def standard_library(python: str) -> frozenset[str]:
    """Return the names of the modules in the standard library of a Python such as `3.12`."""
    from stdlibs import stdlib_module_names  # one table of names, only where code is checked

    return frozenset(stdlib_module_names(python)) | {"__main__", "__future__"}


def has(module: str, python: str) -> bool:
    """Tell whether a runtime has a module, by its first name."""
    return module in _RUNTIME or module in standard_library(python)


def had(module: str) -> bool:
    """Tell whether the standard library of an older Python has a module."""
    return module in standard_library("3.9")


def may_have(module: str) -> bool:
    """Tell whether a runtime has a module at present, but promises nothing."""
    return module in _PERHAPS
