"""Hide the credentials in addresses: the one rule for all that is logged, shown or kept.

An address is `scheme://user:password@host/...` (RFC 3986, 3.2.1). A password that is not
percent-encoded may have an `@` of its own, so the credentials end at the last one before the path.
"""

import re
from collections.abc import Iterator

_USERINFO = re.compile(r"(?<=://)[^/\s\"']+(?=@)")
HIDDEN = "****"


def redact(text: str) -> str:
    """Return a text with `****` for the credentials of each address in it."""
    return _USERINFO.sub(HIDDEN, text)


def without_credentials(address: str) -> str:
    """Return an address without its credentials."""
    return re.sub(rf"{_USERINFO.pattern}@", "", address)


def secrets(text: str) -> Iterator[str]:
    """Yield the parts of the credentials in a text that must not be shown on their own either."""
    for userinfo in _USERINFO.findall(text):
        user, colon, password = userinfo.partition(":")
        yield userinfo
        yield password if colon and password else user
