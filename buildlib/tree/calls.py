"""The calls of AWS services in the code of a ZIP, by names that it has as literals."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator

from buildlib.code import clients
from buildlib.code.clients import Client
from buildlib.code.reader import LARGEST
from buildlib.model import LAYER_PREFIX, Function
from buildlib.tree import services

_logger = logging.getLogger(__name__)

# These packages are the service clients, and name services in examples and for credentials.
_CLIENTS = ("boto3/", "botocore/", "s3transfer/", "aioboto3/", "aiobotocore/")

# Services in a message.
_SHOWN = 5


def may_call(path: str, size: int) -> bool:
    """Tell whether a file of a ZIP is code that is searched."""
    is_code = path.endswith(".py") and size <= LARGEST
    return is_code and not path.removeprefix(LAYER_PREFIX).startswith(_CLIENTS)


def find(
    paths: Iterable[str], read: Callable[[str], bytes], kept: Collection[str]
) -> Iterator[tuple[str, Client]]:
    """Yield the calls of other services than the ones kept, each with the path of its module."""
    for path in paths:
        for one in clients.clients(read(path)):
            if services.canonical(one.service) not in kept:
                yield path, one


def warn(
    function: Function,
    paths: Iterable[str],
    read: Callable[[str], bytes],
    kept: Collection[str],
) -> None:
    """Warn of packages that call services which botocore does not describe.

    A package has code that a function may never run, so such a call is no error.
    """
    first: dict[str, str] = {}
    for path, one in find(paths, read, kept):
        first.setdefault(one.service, f"'{one.service}' ({path}:{one.line})")
    if not first:
        return
    shown = [text for _, text in sorted(first.items())][:_SHOWN]
    if len(first) > _SHOWN:
        shown.append(f"{len(first) - _SHOWN} more")
    _logger.warning(
        "%s: packages call AWS services that '%s' leaves out: %s; add those that the function uses",
        function.title,
        services.KEY,
        ", ".join(shown),
    )
