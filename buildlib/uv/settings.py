"""Where packages come from and how they are reached: the user's settings, for uv.

uv is told `--no-config`, and of its environment variables only those pass that are about access.
What the lock and the target do not decide, no setting decides. pip's index settings are used where
uv has none: users have written them down once already.
"""

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Where packages come from, and how to get there: none of it can reach the bytes, as every
# distribution is checked against the hashes in the lock.
_ACCESS = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)"
    r"|FIND_LINKS|INDEX_STRATEGY|KEYRING_PROVIDER|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS"
    r"|OFFLINE|CACHE_DIR|HTTP_TIMEOUT|REQUEST_TIMEOUT|HTTP_RETRIES|HTTP_CONNECT_TIMEOUT"
    r"|CONCURRENT_[A-Z]+|CREDENTIALS_DIR)"
)


# Paths, which the user means from the repository's root, and not from where uv runs.
_PATHS = ("UV_CACHE_DIR", "UV_CREDENTIALS_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT")


_OURS = ("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_", "SOURCE_DATE_EPOCH")


# The settings of uv.toml that say where packages come from, and the variable of each.
_CONFIG_VALUES = {
    "index-url": "UV_INDEX_URL",
    "index-strategy": "UV_INDEX_STRATEGY",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "cache-dir": "UV_CACHE_DIR",
}


_CONFIG_LISTS = {
    "extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "allow-insecure-host": ("UV_INSECURE_HOST", " "),
}


# uv has no variable for `no-index`; with one, it is handled as the other settings are.
NO_INDEX = "UV_NO_INDEX"


_YES = {"1", "true", "yes", "on"}


def uv_variables(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the environment for uv: the user's, cleaned, with the index settings filled in."""
    clean = {
        name: value
        for name, value in variables.items()
        if not name.startswith(_OURS) or _ACCESS.fullmatch(name)
    }
    settings, pips = _uv_settings(variables, root), _pip_settings(variables)
    # Who sets an index for one call replaces the configured ones, but not the cache or TLS.
    if any(name in clean for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")):
        settings = _without_sources(settings)
        pips = _without_sources(pips)
    elif any(map(_is_source, settings.keys() - {"UV_INDEX_STRATEGY"})):
        pips = _without_sources(pips)
    clean = pips | settings | clean
    clean |= {name: str(root / clean[name]) for name in _PATHS if clean.get(name)}
    if "UV_FIND_LINKS" in clean:
        links = (_absolute(link, root) for link in clean["UV_FIND_LINKS"].split(",") if link)
        clean["UV_FIND_LINKS"] = ",".join(links)
    # Builds of the allowed sdists must not see the clock or a random order of sets.
    fixed = {"SOURCE_DATE_EPOCH": "1355314320", "PYTHONHASHSEED": "0"}
    return clean | fixed | {"UV_PYTHON_DOWNLOADS": "never"}


def _absolute(location: str, folder: Path) -> str:
    return location if "://" in location else str(folder / location)


def _is_source(name: str) -> bool:
    return "INDEX" in name or "LINKS" in name


def _without_sources(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if not _is_source(name)}


def _uv_settings(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the index settings of the user's and the repository's uv configuration."""
    merged: dict[str, Any] = {}
    for path in _uv_files(variables, root):
        for key, value in _uv_table(path).items():
            # Lists add up, the more important first.
            both = isinstance(value, list) and isinstance(merged.get(key), list)
            merged[key] = value + merged[key] if both else value
    found: dict[str, str] = {}
    for key, name in _CONFIG_VALUES.items():
        if isinstance(merged.get(key), str):
            found[name] = merged[key]
    for key, (name, separator) in _CONFIG_LISTS.items():
        if isinstance(merged.get(key), list) and merged[key]:
            found[name] = separator.join(map(str, merged[key]))
    if merged.get("native-tls") is True or merged.get("system-certs") is True:
        found["UV_NATIVE_TLS"] = "true"
    if merged.get("no-index") is True:
        found[NO_INDEX] = "true"
    return found | _uv_indexes(merged.get("index"))


def _uv_indexes(indexes: object) -> dict[str, str]:
    """Return the variables for the `[[index]]` tables of uv's configuration."""
    found: dict[str, str] = {}
    for index in indexes if isinstance(indexes, list) else []:
        if not isinstance(index, dict):
            continue
        url, label = str(index.get("url", "")), index.get("name")
        named = f"{label}={url}" if label else url
        if index.get("default"):
            found.setdefault("UV_DEFAULT_INDEX", named)
        elif not index.get("explicit"):
            found["UV_INDEX"] = f"{found['UV_INDEX']} {named}" if "UV_INDEX" in found else named
    return found


def _uv_table(path: Path) -> dict[str, Any]:
    """Return what a configuration file of uv says; nothing if it cannot be read."""
    try:
        content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        table = content.get("tool", {}).get("uv", {}) if path.name == "pyproject.toml" else content
        table = {**table, **table.get("pip", {})}  # we run `uv pip`
        # What is relative in a file is meant from its folder.
        if isinstance(table.get("find-links"), list):
            links = (_absolute(str(link), path.parent) for link in table["find-links"])
            table["find-links"] = list(links)
        if "cache-dir" in table:
            table["cache-dir"] = str(path.parent / table["cache-dir"])
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    return table


def _uv_files(variables: Mapping[str, str], root: Path) -> list[Path]:
    """Return uv's configuration files, the least important first (uv: Configuration files)."""
    if variables.get("UV_NO_CONFIG", "").lower() in _YES:
        return []
    if variables.get("UV_CONFIG_FILE"):
        return [Path(variables["UV_CONFIG_FILE"])]
    home = Path(variables.get("HOME") or Path.home())
    if os.name == "nt":
        system = Path(variables.get("PROGRAMDATA", "C:/ProgramData")) / "uv/uv.toml"
        user = Path(variables.get("APPDATA", home)) / "uv/uv.toml"
    else:
        system = Path("/etc/uv/uv.toml")
        user = Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "uv/uv.toml"
    own = root / "uv.toml" if (root / "uv.toml").exists() else root / "pyproject.toml"
    return [system, user, own]


_PIP_OPTIONS = (
    *("index-url", "extra-index-url", "no-index", "find-links"),
    *("trusted-host", "cert"),
)


def _pip_options(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the options of pip's configuration, and those of its environment that are used."""
    options: dict[str, str] = {}
    for path in _pip_files(variables):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, ValueError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                options |= {k.replace("_", "-"): v for k, v in parser.items(section)}
    for option in _PIP_OPTIONS:
        value = variables.get("PIP_" + option.upper().replace("-", "_"))
        if value:
            options[option] = value
    return options


def _pip_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the index settings of pip, in uv's terms."""
    options = _pip_options(variables)
    names = {
        "index-url": "UV_INDEX_URL",
        "extra-index-url": "UV_EXTRA_INDEX_URL",
        "trusted-host": "UV_INSECURE_HOST",
    }
    found = {names[k]: " ".join(v.split()) for k, v in options.items() if k in names and v.strip()}
    if "UV_EXTRA_INDEX_URL" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # to pip, all indexes are equal
    if options.get("find-links", "").strip():
        found["UV_FIND_LINKS"] = ",".join(options["find-links"].split())
    if options.get("no-index", "").lower() in _YES:
        found[NO_INDEX] = "true"
    if options.get("cert") and "SSL_CERT_FILE" not in variables:
        found["SSL_CERT_FILE"] = options["cert"]
    return found


def _pip_files(variables: Mapping[str, str]) -> list[Path]:
    """Return pip's configuration files, the least important first (pip: Configuration)."""
    home = Path(variables.get("HOME") or Path.home())
    named = variables.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    if os.name == "nt":
        system = [Path(variables.get("PROGRAMDATA", "C:/ProgramData")) / "pip/pip.ini"]
        user = [Path(variables.get("APPDATA", home)) / "pip/pip.ini"]
        site = Path(sys.prefix) / "pip.ini"
    else:
        config = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
        folders = (variables.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        system = [Path(folder) / "pip/pip.conf" for folder in reversed(folders)]
        system.append(Path("/etc/pip.conf"))
        user = [home / ".pip/pip.conf", config / "pip/pip.conf"]
        site = Path(sys.prefix) / "pip.conf"
    if named and os.path.exists(named):
        return [*system, site, Path(named)]
    return [*system, *user, site]
