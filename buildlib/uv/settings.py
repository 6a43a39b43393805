"""The user's index settings, as environment variables for uv.

uv runs with `--no-config`, and gets only those of its environment variables that give access to
packages: the lockfile and the target alone decide the result. Where uv has no index settings, those
of pip apply, so that users need not configure their index twice.
"""

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from buildlib.text import canonical_name
from buildlib.uv import indexes

# The variables about indexes and connections. None of them can reach the bytes, as every
# distribution is checked against the hashes in the lockfile.
_ACCESS = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)"
    r"|FIND_LINKS|INDEX_STRATEGY|KEYRING_PROVIDER|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS"
    r"|OFFLINE|CACHE_DIR|HTTP_TIMEOUT|REQUEST_TIMEOUT|HTTP_RETRIES|HTTP_CONNECT_TIMEOUT"
    r"|CONCURRENT_[A-Z]+|CREDENTIALS_DIR)"
)


# Relative paths in these variables start at the repository's root, not where uv runs.
_PATHS = ("UV_CACHE_DIR", "UV_CREDENTIALS_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT")


_REMOVED = ("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_", "SOURCE_DATE_EPOCH")


# The index settings of uv.toml, and the variable for each.
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


# uv itself has no such variable; this one lets `no-index` pass like the other settings.
NO_INDEX = "UV_NO_INDEX"


_YES = {"1", "true", "yes", "on"}


def uv_variables(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the environment for uv: the user's variables, filtered, plus the index settings.

    Raises:
        BuildError: an index is neither a URL nor a folder.

    """
    clean = {
        name: value
        for name, value in variables.items()
        if not name.startswith(_REMOVED) or _ACCESS.fullmatch(name)
    }
    settings, pip_settings = _uv_settings(variables, root), _pip_settings(variables)
    # An index in the environment replaces the configured ones, but not the cache or TLS.
    if any(name in clean for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")):
        settings = _without_sources(settings)
        pip_settings = _without_sources(pip_settings)
    elif any(map(_is_source, settings.keys() - {"UV_INDEX_STRATEGY"})):
        pip_settings = _without_sources(pip_settings)
    clean = pip_settings | settings | clean
    clean |= {name: str(root / clean[name]) for name in _PATHS if clean.get(name)}
    if "UV_FIND_LINKS" in clean:
        links = (_absolute(link, root) for link in clean["UV_FIND_LINKS"].split(",") if link)
        clean["UV_FIND_LINKS"] = ",".join(links)
    indexes.check(clean, variables, root)
    # Builds of source distributions must not see the clock or a random order of sets.
    fixed = {"SOURCE_DATE_EPOCH": "1355314320", "PYTHONHASHSEED": "0"}
    return clean | fixed | {"UV_PYTHON_DOWNLOADS": "never"}


def _absolute(location: str, folder: Path) -> str:
    return location if "://" in location else str(folder / location)


def _is_source(name: str) -> bool:
    return "INDEX" in name or "LINKS" in name


def _without_sources(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if not _is_source(name)}


def cooldown(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the moments or spans after which releases are too new to be chosen, as configured.

    The key is a distribution, or empty for all. uv's settings come before pip's, and a variable of
    the environment before a file (uv: `exclude-newer`, pip: `--uploaded-prior-to`).
    """
    merged, pip = _uv_merged(variables, root), _pip_options(variables)
    newest = variables.get("UV_EXCLUDE_NEWER") or merged.get("exclude-newer")
    newest = newest or pip.get("uploaded-prior-to")
    found = {"": str(newest)} if newest else {}
    packages = merged.get("exclude-newer-package")
    if isinstance(packages, dict):
        found |= {canonical_name(name): str(value) for name, value in packages.items() if value}
    return dict(sorted(found.items()))


def _uv_merged(variables: Mapping[str, str], root: Path) -> dict[str, Any]:
    """Return the user's and the repository's uv configuration as one table."""
    merged: dict[str, Any] = {}
    for path in _uv_files(variables, root):
        for key, value in _uv_table(path).items():
            # Lists are joined, those of the more important file first.
            are_lists = isinstance(value, list) and isinstance(merged.get(key), list)
            merged[key] = value + merged[key] if are_lists else value
    return merged


def _uv_settings(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the index settings of the user's and the repository's uv configuration."""
    merged = _uv_merged(variables, root)
    settings: dict[str, str] = {}
    for key, name in _CONFIG_VALUES.items():
        if isinstance(merged.get(key), str):
            settings[name] = merged[key]
    for key, (name, separator) in _CONFIG_LISTS.items():
        if isinstance(merged.get(key), list) and merged[key]:
            settings[name] = separator.join(map(str, merged[key]))
    if merged.get("native-tls") is True or merged.get("system-certs") is True:
        settings["UV_NATIVE_TLS"] = "true"
    if merged.get("no-index") is True:
        settings[NO_INDEX] = "true"
    return settings | _uv_indexes(merged.get("index"))


def _uv_indexes(indexes: object) -> dict[str, str]:
    """Return the variables for the `[[index]]` tables of uv's configuration."""
    settings: dict[str, str] = {}
    for index in indexes if isinstance(indexes, list) else []:
        if not isinstance(index, dict):
            continue
        url, label = str(index.get("url", "")), index.get("name")
        named_url = f"{label}={url}" if label else url
        if index.get("default"):
            settings.setdefault("UV_DEFAULT_INDEX", named_url)
        elif not index.get("explicit"):
            earlier = [settings["UV_INDEX"]] if "UV_INDEX" in settings else []
            settings["UV_INDEX"] = " ".join([*earlier, named_url])
    return settings


def _uv_table(path: Path) -> dict[str, Any]:
    """Return the settings in a configuration file of uv; none if it cannot be read."""
    try:
        content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        table = content.get("tool", {}).get("uv", {}) if path.name == "pyproject.toml" else content
        table = {**table, **table.get("pip", {})}  # we run `uv pip`
        # Relative paths start at the folder of their file.
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
    *("trusted-host", "cert", "uploaded-prior-to"),
)


def _pip_options(variables: Mapping[str, str]) -> dict[str, str]:
    """Return pip's options from its configuration files and its environment variables."""
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
    settings = {
        names[key]: " ".join(value.split())
        for key, value in options.items()
        if key in names and value.strip()
    }
    if "UV_EXTRA_INDEX_URL" in settings:
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip ranks all indexes equally
    if options.get("find-links", "").strip():
        settings["UV_FIND_LINKS"] = ",".join(options["find-links"].split())
    if options.get("no-index", "").lower() in _YES:
        settings[NO_INDEX] = "true"
    if options.get("cert") and "SSL_CERT_FILE" not in variables:
        settings["SSL_CERT_FILE"] = options["cert"]
    return settings


def _pip_files(variables: Mapping[str, str]) -> list[Path]:
    """Return pip's configuration files, the least important first (pip: Configuration)."""
    home = Path(variables.get("HOME") or Path.home())
    config_file = variables.get("PIP_CONFIG_FILE")
    if config_file == os.devnull:
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
    if config_file and os.path.exists(config_file):
        return [*system, site, Path(config_file)]
    return [*system, *user, site]
