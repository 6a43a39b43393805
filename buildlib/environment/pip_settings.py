"""Translate this machine's package index settings into pip's, for use in a container."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from buildlib.model import Docker
from buildlib.uv import redact
from buildlib.uv.settings import uv_variables

# The work folder in the container.
HOME = "/doit-lambda-zip"


_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY")


# Variables that name the CA bundle for some tool; the first one set on this machine wins.
_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


class Access(NamedTuple):
    """Access to packages: variables for the container, the CA bundle, and secrets to mask."""

    variables: dict[str, str]
    bundle: bytes | None
    secrets: list[str]


def index_access(variables: Mapping[str, str], root: Path, options: Docker) -> Access:
    """Return this machine's access to packages, translated into pip's variables.

    `variables` is the environment of this process; `options.env` names those to pass unchanged.
    """
    settings = uv_variables(variables, root)
    pip_variables = _indexes(settings)
    for name in (*_PROXIES, *map(str.lower, _PROXIES)):
        if variables.get(name):
            pip_variables[name] = variables[name]
    bundle_paths = (variables.get(name) for name in _BUNDLES)
    bundle_path = next(filter(None, bundle_paths), None) or settings.get("SSL_CERT_FILE")
    bundle = None
    if bundle_path and Path(bundle_path).is_file():
        bundle = Path(bundle_path).read_bytes()
        pip_variables |= dict.fromkeys((*_BUNDLES, "GIT_SSL_CAINFO"), f"{HOME}/ca.pem")
    passed = {name: variables[name] for name in options.env if name in variables}
    secrets = [value for value in passed.values() if len(value) >= 4]  # noqa: PLR2004
    for value in (*pip_variables.values(), *passed.values()):
        secrets += redact.secrets(value)
    return Access(pip_variables | passed, bundle, secrets)


def _indexes(settings: Mapping[str, str]) -> dict[str, str]:
    """Return pip's variables for uv's index settings, without the indexes on this disk."""

    def addresses(*names: str) -> list[str]:
        words = " ".join(settings.get(name, "") for name in names).replace(",", " ").split()
        return [_address(word, settings) for word in words if "file:" not in word and "://" in word]

    default = addresses("UV_DEFAULT_INDEX") or addresses("UV_INDEX_URL")
    pip_settings = {
        "PIP_INDEX_URL": default[:1],
        "PIP_EXTRA_INDEX_URL": addresses("UV_INDEX", "UV_EXTRA_INDEX_URL"),
        "PIP_NO_INDEX": ["1"] if "UV_NO_INDEX" in settings else [],
        "PIP_FIND_LINKS": addresses("UV_FIND_LINKS"),
        "PIP_TRUSTED_HOST": settings.get("UV_INSECURE_HOST", "").split(),
    }
    return {name: " ".join(words) for name, words in pip_settings.items() if words}


def _address(word: str, settings: Mapping[str, str]) -> str:
    """Return an index's address, with the credentials that uv's settings hold under its name."""
    label, equals, address = word.partition("=")
    if not equals or "://" in label:
        return word
    prefix = f"UV_INDEX_{re.sub(r'[^A-Za-z0-9]', '_', label).upper()}"
    user, password = settings.get(f"{prefix}_USERNAME"), settings.get(f"{prefix}_PASSWORD")
    if user is None and password is None:
        return address
    credentials = f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"
    return address.replace("://", f"://{credentials}", 1)
