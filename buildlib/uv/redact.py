"""Hide the credentials in addresses: one rule for logs, messages and recorded files.

An address is `scheme://user:password@host/...` (RFC 3986, 3.2.1). A password that is not
percent-encoded may contain `@`, so the credentials end at the last `@` before the path. Tokens may
also be in the path or the query: a long part of a path with letters and digits is taken for one,
unless it is a digest, names a file or is the id of a known vulnerability. So is every value of a
query but those that name a digest or a part of an archive.
"""

import re
from collections.abc import Iterator

# Ids of known vulnerabilities (https://ossf.github.io/osv-schema, "id"): a GHSA has three groups
# of four of 23 signs, the others a year and a number. With any more signs, a part is a token again.
_ADVISORY = r"GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}|(?:CVE|PYSEC|MAL|OSV)-(?:19|20)\d\d-\d{1,8}"

# A part of a path that may be a token; hosts have no part before them, files have a dot.
_PART = re.compile(
    r"(?<=[^:/]/)(?=[^/\s?#\"'.]*[0-9])(?=[^/\s?#\"'.]*[A-Za-z])(?!(?:[0-9a-f]{60,64}|"
    + _ADVISORY
    + r")(?![^/\s?#\"']))[A-Za-z0-9_~+=%-]{16,}(?=[/?#\s\"']|$)"
)
_QUERY = re.compile(r"(?<=[?&;#])([A-Za-z0-9_.~-]+)=([^&;#\s\"']+)")
_HARMLESS = frozenset({"sha256", "sha384", "sha512", "md5", "egg", "subdirectory"})
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s\"']+(?=@)")
HIDDEN = "****"


def redact(text: str) -> str:
    """Return a text with `****` in place of the credentials of each address."""
    return _ADDRESS.sub(lambda match: _hidden(match[0]), text) if "://" in text else text


def _hidden(address: str) -> str:
    address = _USERINFO.sub(HIDDEN, address)
    scheme, _, rest = address.partition("://")
    rest = _PART.sub(HIDDEN, rest)
    rest = _QUERY.sub(
        lambda match: match[0] if match[1] in _HARMLESS else f"{match[1]}={HIDDEN}", rest
    )
    return f"{scheme}://{rest}"


def without_credentials(address: str) -> str:
    """Return an address without its credentials."""
    return re.sub(rf"{_USERINFO.pattern}@", "", address)


def secrets(text: str) -> Iterator[str]:
    """Yield the credentials in a text, and each password or token alone, to hide them elsewhere."""
    for userinfo in _USERINFO.findall(text):
        user, colon, password = userinfo.partition(":")
        yield userinfo
        yield password if colon and password else user
