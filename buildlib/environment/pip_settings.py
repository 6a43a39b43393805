"""The access of this machine to packages, in pip's terms and for a container."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from buildlib.model import Docker
from buildlib.uv import redact
from buildlib.uv.settings import uv_variables

# Where everything is in the container; the tree's name is the top of the archive that comes out.
HOME = "/doit-lambda-zip"


_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY")


# Whoever needs the CA bundle, and under which name; the first one set here is the bundle.
_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


class Access(NamedTuple):
    """How packages are reached: variables for the container, the CA bundle, what to hide."""

    variables: dict[str, str]
    bundle: bytes | None
    secrets: list[str]


def index_access(variables: Mapping[str, str], root: Path, options: Docker) -> Access:
    """Return this machine's access to packages, in pip's terms and for a container."""
    settings = uv_variables(variables, root)
    found = _indexes(settings)
    for name in (*_PROXIES, *map(str.lower, _PROXIES)):
        if variables.get(name):
            found[name] = variables[name]
    names = (variables.get(name) for name in _BUNDLES)
    path = next(filter(None, names), None) or settings.get("SSL_CERT_FILE")
    bundle = None
    if path and Path(path).is_file():
        bundle = Path(path).read_bytes()
        found |= dict.fromkeys((*_BUNDLES, "GIT_SSL_CAINFO"), f"{HOME}/ca.pem")
    passed = {name: variables[name] for name in options.env if name in variables}
    hidden = [value for value in passed.values() if len(value) >= 4]  # noqa: PLR2004
    for value in (*found.values(), *passed.values()):
        hidden += redact.secrets(value)
    return Access(found | passed, bundle, hidden)


def _indexes(settings: Mapping[str, str]) -> dict[str, str]:
    """Return pip's variables for the index settings that uv has; what is on this disk is not."""

    def addresses(*names: str) -> list[str]:
        words = " ".join(settings.get(name, "") for name in names).replace(",", " ").split()
        return [_address(word, settings) for word in words if "file:" not in word and "://" in word]

    first = addresses("UV_DEFAULT_INDEX") or addresses("UV_INDEX_URL")
    found = {
        "PIP_INDEX_URL": first[:1],
        "PIP_EXTRA_INDEX_URL": addresses("UV_INDEX", "UV_EXTRA_INDEX_URL"),
        "PIP_NO_INDEX": ["1"] if "UV_NO_INDEX" in settings else [],
        "PIP_FIND_LINKS": addresses("UV_FIND_LINKS"),
        "PIP_TRUSTED_HOST": settings.get("UV_INSECURE_HOST", "").split(),
    }
    return {name: " ".join(words) for name, words in found.items() if words}


def _address(word: str, settings: Mapping[str, str]) -> str:
    """Return an index's address, with the credentials that uv has for it by its name."""
    label, equals, address = word.partition("=")
    if not equals or "://" in label:
        return word
    prefix = f"UV_INDEX_{re.sub(r'[^A-Za-z0-9]', '_', label).upper()}"
    user, password = settings.get(f"{prefix}_USERNAME"), settings.get(f"{prefix}_PASSWORD")
    if user is None and password is None:
        return address
    credentials = f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"
    return address.replace("://", f"://{credentials}", 1)
