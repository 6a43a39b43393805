"""The machine code inside of packages, and the bills of materials that wheels bring along.

A wheel may hold bills in `<name>.dist-info/sboms/` (PEP 770). auditwheel lists the packages of the
system that its copies are from, and builds of Rust list their crates. The bill of a ZIP takes over
these claims, and lists the files themselves. No version is derived from a file: its name and its
SONAME prove none.
"""

import functools
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from buildlib.archive import distributions
from buildlib.archive.reader import Member, ZipReader
from buildlib.environment import elf
from buildlib.model import LAYER_PREFIX
from buildlib.text import canonical_name, harmless
from buildlib.uv.redact import without_credentials

Json = dict[str, Any]

_INFO = re.compile(rf"((?:{LAYER_PREFIX})?)([^/]+)\.dist-info/(.+)")

# The fields of a component that are taken over, with the shape that CycloneDX 1.6 gives them.
_FIELDS = {
    "group": re.compile(r".+", re.DOTALL),
    "name": re.compile(r".+", re.DOTALL),
    "version": re.compile(r".{1,1024}", re.DOTALL),
    "purl": re.compile(r"pkg:.+", re.DOTALL),
}
_TYPES = {
    *("application", "framework", "library", "container", "platform", "operating-system", "device"),
    *("device-driver", "firmware", "file", "machine-learning-model", "data"),
    "cryptographic-asset",
}
_DIGITS = {"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-384": 96, "SHA-512": 128}

# Components of one bill, and bytes of it: a wheel may claim anything.
_MOST, _LARGEST = 10_000, 20_000_000


class Library(NamedTuple):
    """A file of machine code that is no module of Python: its path, sha256 and SONAME."""

    path: str
    sha256: str
    soname: str


class Found(NamedTuple):
    """The distributions in a ZIP: metadata, machine code and bills, by normalised names.

    The libraries of no distribution are below the empty name.
    """

    metadata: Mapping[str, Message]
    libraries: Mapping[str, tuple[Library, ...]]
    bills: Mapping[str, tuple[tuple[str, bytes], ...]]


NOTHING = Found(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))


@functools.lru_cache(maxsize=8)
def find(path: Path, sha256: str) -> Found:  # noqa: ARG001 - the ZIP that `path` holds
    """Return the distributions of a ZIP, read once for all functions that use it as a layer."""
    archive = ZipReader(path)
    owners: dict[str, str] = {}
    bills: dict[str, list[tuple[str, bytes]]] = {}
    for member in archive.members:
        match = _INFO.fullmatch(member.name)
        if match is None:
            continue
        name = canonical_name(match[2].partition("-")[0])
        if match[3] == "RECORD":
            listed = distributions.recorded(archive.content(member) or b"")
            owners |= {match[1] + path: name for path in listed}
        elif match[3].startswith("sboms/") and member.size <= _LARGEST:
            content = archive.content(member) or b""
            bills.setdefault(name, []).append((member.name, content))
    libraries: dict[str, list[Library]] = {}
    for member in archive.members:
        if library := _library(archive, member):
            libraries.setdefault(owners.get(member.name, ""), []).append(library)
    return Found(
        distributions.metadata(archive),
        {name: tuple(some) for name, some in libraries.items()},
        {name: tuple(some) for name, some in bills.items()},
    )


def _library(archive: ZipReader, member: Member) -> Library | None:
    """Return a member that is machine code and no module of Python."""
    if not elf.may_be_code(member.name, member.size):
        return None
    if archive.start(member, len(elf.MAGIC)) != elf.MAGIC:
        return None
    content = archive.content(member) or b""
    # PEP 489: Python imports a module by its function PyInit_<name>.
    module = member.name.rpartition("/")[2].partition(".")[0]
    if f"\0PyInit_{module}\0".encode() in content:
        return None
    soname = elf.soname(io.BytesIO(content))
    if soname is None:
        return None
    return Library(member.name, hashlib.sha256(content).hexdigest(), soname)


def components(found: Found, name: str, reference: str) -> list[Json]:
    """Return the components inside of a distribution; those of none with an empty name.

    `reference` is that of the distribution, which those of its components begin with.
    """
    owner = canonical_name(name)
    start = f"{reference}#" if reference else ""
    listed: dict[str, Json] = {}
    for path, content in found.bills.get(owner, ()):
        for one in _of_bill(content, owner):
            key = f"{start}{one.get('purl') or _label(one)}"
            one["properties"] = [{"name": "lambda-zip:sbom", "value": path}]
            listed.setdefault(key, one)
    for library in found.libraries.get(owner, ()):
        listed[f"{start}file:{library.path}"] = _file(library)
    return [{"type": one.pop("type"), "bom-ref": key, **one} for key, one in listed.items()]


def _file(library: Library) -> Json:
    properties = [{"name": "lambda-zip:identity", "value": "unknown"}]
    if library.soname:
        properties.append({"name": "lambda-zip:soname", "value": library.soname})
    return {
        "type": "file",
        "name": library.path,
        "hashes": [{"alg": "SHA-256", "content": library.sha256}],
        "properties": properties,
    }


def _label(component: Json) -> str:
    parts = (component.get("group"), component["name"])
    return "/".join(filter(None, parts)) + f"@{component.get('version', '')}"


def _of_bill(content: bytes, owner: str) -> Iterator[Json]:
    """Yield the components of a wheel's bill, if it is CycloneDX, without the wheel itself."""
    try:
        bill = json.loads(content)
    except (ValueError, RecursionError):
        return
    if not isinstance(bill, dict) or bill.get("bomFormat") != "CycloneDX":
        return
    metadata = bill.get("metadata")
    subject = metadata.get("component") if isinstance(metadata, dict) else None
    itself = re.compile(rf"pkg:pypi/{re.escape(owner)}(?![a-z0-9-])[^#]*")
    pending: list[object] = [*_items(bill.get("components"))[::-1], subject]
    for _ in range(_MOST):
        if not pending:
            return
        one = pending.pop()
        if not isinstance(one, dict):
            continue
        pending += _items(one.get("components"))[::-1]
        component = _component(one)
        if component and not itself.fullmatch(_url_name(component.get("purl", ""))):
            yield component


def _url_name(url: str) -> str:
    """Return a package URL with a normalised name, as PyPI's have it."""
    return re.sub(r"[-_.]+", "-", url.lower())


def _text(value: object) -> str:
    """Return a text of JSON, of which a terminal obeys no character; empty for anything else."""
    return harmless(value) if isinstance(value, str) else ""


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _component(one: Mapping[str, object]) -> Json | None:
    """Return a component with the fields that have the right shape; None without a name."""
    found: Json = {"type": kind if (kind := one.get("type")) in _TYPES else "library"}
    for field, shape in _FIELDS.items():
        value = _text(one.get(field))
        if shape.fullmatch(value):
            found[field] = without_credentials(value) if field == "purl" else value
    if "name" not in found:
        return None
    if hashes := [*_hashes(_items(one.get("hashes")))]:
        found["hashes"] = hashes
    if licences := _licences(_items(one.get("licenses"))):
        found["licenses"] = licences
    return found


def _hashes(values: Iterable[object]) -> Iterator[Json]:
    for value in values:
        if isinstance(value, dict):
            kind, content = value.get("alg"), value.get("content")
            digits = _DIGITS.get(kind) if isinstance(kind, str) else None
            if (
                digits
                and isinstance(content, str)
                and re.fullmatch(f"[0-9a-f]{{{digits}}}", content)
            ):
                yield {"alg": kind, "content": content}


def _licences(values: Iterable[object]) -> list[Json]:
    """Return licences as an expression, or else by their names: identifiers may be newer."""
    names = []
    for value in values:
        if not isinstance(value, dict):
            continue
        if expression := _text(value.get("expression")):
            return [{"expression": expression}]
        licence = value.get("license")
        if isinstance(licence, dict):
            names.append(_text(licence.get("id")) or _text(licence.get("name")))
    return [{"license": {"name": name}} for name in dict.fromkeys(filter(None, names))]
