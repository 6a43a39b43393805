"""`lambdas.published.json`: the object of S3 that holds each ZIP; committed.

The file is a JSON object by the ids of variants. An entry is that of the index, without the path of
the ZIP, and with the bucket, the key and the version of the object. The key names the sha256, and
nothing replaces an object, so an entry stays true for as long as the object is there. An entry of a
ZIP that AWS Signer signed also has `signed_from`: the profile, and the sha256 of the built ZIP.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from buildlib.artifacts import index
from buildlib.errors import PublishError
from buildlib.files import atomic, records
from buildlib.model import Written

Entry = index.Entry

NAME, PRODUCTION = "lambdas.published.json", "lambdas.published.production.json"

# The names that garbage collection looks for, in each commit.
PATTERN = "lambdas.published*.json"


def shown(path: Path) -> str:
    """Return the path of a list below the present folder, the repository's root; else all of it."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def remedy(path: Path, name: str) -> str:
    """Return how a list gets the present entry of a variant; no list tells which command wrote it.

    `publish` writes any list, and so does `promote`, but not the one that it reads.
    """
    place = shown(path)
    if place == NAME:
        return f"run 'lambdas publish {name}'"
    if not path.match(PATTERN):
        return f"'lambdas publish' writes only lists with a name like {PATTERN}; correct this one"
    option = "" if place == PRODUCTION else f" --list {place}"
    return (
        f"if 'lambdas promote' writes this list, run 'lambdas publish {name}' and 'lambdas promote "
        f"{name}{option}'; if not, run 'lambdas publish {name} --list {place}'"
    )


def entry(listed: Entry, bucket: str, key: str, version: str | None) -> Entry:
    """Return the entry of a variant, from its entry in the index and the place of its object."""
    facts = {name: value for name, value in listed.items() if name not in {"path", "stale"}}
    return {**facts, "s3_bucket": bucket, "s3_key": key, "s3_object_version": version}


def signed_from(profile: str, sha256: str) -> Entry:
    """Return the field of an entry whose ZIP AWS Signer made of the built one."""
    return {"signed_from": {"profile": profile, "sha256": sha256}}


def origin(one: Entry) -> str:
    """Return the sha256 of the ZIP that was built, which the record has."""
    return str(one.get("signed_from", one)["sha256"])


def prefix(one: Entry) -> str:
    """Return the prefix of an entry's object; it may be empty.

    Raises:
        PublishError: the key does not name the sha256, so the object is of another ZIP.

    """
    name = f"{one['sha256']}.zip"
    found = str(one["s3_key"]).removesuffix(name).rstrip("/")
    if f"{found}/{name}".lstrip("/") != one["s3_key"]:
        msg = (
            f"s3://{one['s3_bucket']}/{one['s3_key']}: the key does not name its sha256, "
            f"{one['sha256']}; restore the list from git, or publish the ZIP again"
        )
        raise PublishError(msg)
    return found


def profiles(entries: Mapping[str, Entry]) -> set[str]:
    """Return the signing profiles of a list."""
    return {one["signed_from"]["profile"] for one in entries.values() if "signed_from" in one}


def written(one: Entry) -> Written:
    """Return the ZIP of an entry."""
    return Written(one["sha256"], one["size"], one["unzipped_size"])


def text(entries: Mapping[str, Entry]) -> bytes:
    """Return the content of the file."""
    return (json.dumps(entries, indent=2, sort_keys=True) + "\n").encode()


def write(path: Path, entries: Mapping[str, Entry]) -> None:
    """Replace the file."""
    atomic.write(path, text(entries))


def read(path: Path) -> dict[str, Entry]:
    """Return the entries of a file.

    Raises:
        PublishError: it is missing, or no such file; the message lists every problem.

    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        place = shown(path)
        writers = (
            "'lambdas publish'"
            if place == NAME
            else "'lambdas promote', or 'lambdas publish --list',"
        )
        msg = f"{place} does not exist; {writers} writes it"
        raise PublishError(msg) from None
    return parse(content, shown(path))


def named(every: Mapping[str, Entry], names: Sequence[str], path: Path) -> dict[str, Entry]:
    """Return the entries of variants, functions and layers with these names; all without names.

    Raises:
        PublishError: a list has no such name.

    """
    if not names:
        return dict(every)
    names_of = {id_: {id_, one.get("lambda"), one.get("layer")} for id_, one in every.items()}
    found = {id_: one for id_, one in every.items() if names_of[id_] & set(names)}
    known = set().union(*names_of.values())
    if unknown := sorted(set(names) - known):
        msg = f"{shown(path)} has no {', '.join(unknown)}; it has {', '.join(sorted(every))}"
        raise PublishError(msg)
    return found


def parse(content: bytes, name: str) -> dict[str, Entry]:
    """Return the entries of a file that has this name and content.

    Raises:
        PublishError: as in `read`.

    """
    try:
        value: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        msg = f"{name}: not JSON ({error}); resolve a merge, or restore the file from git"
        raise PublishError(msg) from None
    if not isinstance(value, dict):
        msg = f"{name}: expected an object by the ids of variants; restore the file from git"
        raise PublishError(msg)
    if problems := [line for id_, one in value.items() for line in _problems(name, id_, one)]:
        msg = "\n".join([*problems, "Restore the file from git, or publish these again"])
        raise PublishError(msg)
    return value


def _problems(name: str, id_: str, one: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if not isinstance(one, dict) or not index.is_id(id_):
        yield f"{name}: '{id_}': expected the entry of a variant"
        return
    wrong = [key for key, shape in _SHAPES.items() if key not in one or not shape(one[key])]
    wrong += [key for key in _FACTS if not records.text(one.get(key, ""))]
    wrong += ["signed_from"] if not _SIGNED(one.get("signed_from")) else []
    if wrong:
        yield f"{name}: '{id_}': missing or wrong: {', '.join(wrong)}"
    elif one["source_code_hash"] != base64.b64encode(bytes.fromhex(one["sha256"])).decode():
        yield f"{name}: '{id_}': sha256 and source_code_hash are of different ZIPs"


def _name(value: object) -> bool:
    """Match a name; an empty one would mean ZIPs without a signature."""
    return isinstance(value, str) and value != ""


_SIGNED = records.optional(records.fields(profile=_name, sha256=records.sha256))

# Fields of the index, which an entry may lack.
_FACTS = ("lambda", "layer", "runtime", "architecture")

_SHAPES: dict[str, records.Shape] = {
    "sha256": records.sha256,
    "source_code_hash": records.text,
    "size": records.number,
    "unzipped_size": records.number,
    "s3_bucket": records.text,
    "s3_key": records.text,
    "s3_object_version": lambda value: value is None or records.text(value),
}
