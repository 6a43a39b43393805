"""The settings of a farm: the address of its scheduler, and how long a variant may take."""

from importlib.util import find_spec
from typing import NamedTuple

from buildlib.errors import FarmError

# The option and the variable that name the address.
OPTION, VARIABLE = "--farm", "LAMBDA_ZIP_FARM"

# The protocols of Dask that need no package of its extras.
_SCHEMES = ("tcp", "tls")

# Seconds that a variant may take on a worker.
TIMEOUT = 600


class Settings(NamedTuple):
    """The address of a Dask scheduler, and the seconds that a variant may take on a worker."""

    address: str
    timeout: float = TIMEOUT


def read(address: str, timeout: float) -> Settings:
    """Return the settings.

    Raises:
        FarmError: the address is no address of a scheduler, or Dask is not installed.

    """
    scheme, separator, place = address.partition("://")
    if not separator or scheme not in _SCHEMES or not place.rpartition(":")[2].isdecimal():
        schemes = " or ".join(f"{one}://host:port" for one in _SCHEMES)
        msg = f"{OPTION}: expected {schemes}, found '{address}'; take the address that the "
        msg += "scheduler prints when it starts"
        raise FarmError(msg)
    if find_spec("distributed") is None:
        msg = (
            f"{OPTION} needs the package distributed; install it: pip install "
            "'doit-lambda-zip[farm]'"
        )
        raise FarmError(msg)
    return Settings(address, timeout)
