"""Settings of uv and pip on this machine reach pip in a container, in pip's own terms."""

import os
from pathlib import Path
from typing import Any

from buildlib.environment import pip_settings
from buildlib.model import Docker

CLEAN = {"HOME": "/nonexistent", "PIP_CONFIG_FILE": os.devnull}


def access(variables: dict[str, str], **options: Any) -> pip_settings.Access:  # noqa: ANN401
    return pip_settings.index_access(CLEAN | variables, Path("/nonexistent"), Docker(**options))


def test_indexes() -> None:
    """Index settings reach pip in its own terms; what is on this disk does not."""
    found = access({
        "UV_INDEX_URL": "https://u:p%40ss@a.example/simple",
        "UV_EXTRA_INDEX_URL": "https://b.example/simple file:///opt/index",
        "UV_FIND_LINKS": "/opt/wheels,https://c.example/links",
    })  # fmt: skip
    assert found.variables == {
        "PIP_INDEX_URL": "https://u:p%40ss@a.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://b.example/simple",
        "PIP_FIND_LINKS": "https://c.example/links",
    }
    assert "p%40ss" in found.secrets


def test_named_index_with_credentials() -> None:
    """The credentials that uv has by an index's name are in the address that pip gets."""
    found = access({
        "UV_DEFAULT_INDEX": "inner=https://a.example/simple",
        "UV_INDEX_INNER_USERNAME": "me",
        "UV_INDEX_INNER_PASSWORD": "p@ss:word",
    })  # fmt: skip
    assert found.variables["PIP_INDEX_URL"] == "https://me:p%40ss%3Aword@a.example/simple"


def test_proxies_and_bundle(tmp_path: Path) -> None:
    """Proxies go as they are; the CA bundle under every name by which it is looked for."""
    (tmp_path / "ca.pem").write_bytes(b"certificates")
    found = access({"https_proxy": "http://p:8080", "SSL_CERT_FILE": str(tmp_path / "ca.pem")})
    assert found.bundle == b"certificates"
    assert found.variables["https_proxy"] == "http://p:8080"
    assert found.variables["PIP_CERT"] == found.variables["SSL_CERT_FILE"]
    assert str(tmp_path) not in str(found.variables)


def test_env_passes_only_what_is_named_and_set() -> None:
    """Of the environment, only the named variables go in."""
    found = access({"A": "aaaa", "B": "b", "OTHER": "x"}, env=("A", "B", "C"))
    assert found.variables == {"A": "aaaa", "B": "b"}
    assert "aaaa" in found.secrets
