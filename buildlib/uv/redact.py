"""Hide the credentials in addresses: one rule for logs, messages and recorded files.

An address is `scheme://user:password@host/...` (RFC 3986, 3.2.1). A password that is not
percent-encoded may contain `@`, so the credentials end at the last `@` before the path.
"""

import re
from collections.abc import Iterator

_USERINFO = re.compile(r"(?<=://)[^/\s\"']+(?=@)")
HIDDEN = "****"


def redact(text: str) -> str:
    """Return a text with `****` in place of the credentials of each address."""
    return _USERINFO.sub(HIDDEN, text)


def without_credentials(address: str) -> str:
    """Return an address without its credentials."""
    return re.sub(rf"{_USERINFO.pattern}@", "", address)


def secrets(text: str) -> Iterator[str]:
    """Yield the credentials in a text, and each password or token alone, to hide them elsewhere."""
    for userinfo in _USERINFO.findall(text):
        user, colon, password = userinfo.partition(":")
        yield userinfo
        yield password if colon and password else user
