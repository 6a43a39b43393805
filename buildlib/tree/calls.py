"""The calls of AWS services in the code of a ZIP, by names that it has as literals."""

import logging
from collections.abc import Callable, Iterable

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


def warn(
    function: Function,
    paths: Iterable[str],
    read: Callable[[str], bytes],
    left_out: Callable[[Client], bool],
) -> None:
    """Warn of packages that call services which are left out.

    A package has code that a function may never run, so such a call is no error.
    """
    first: dict[str, str] = {}
    for path in paths:
        for one in filter(left_out, clients.clients(read(path))):
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
