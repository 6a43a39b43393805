"""The remote cache that a manifest declares."""

from buildlib.manifest.keys import CACHE_KEYS
from buildlib.manifest.nodes import Entry, Reader
from buildlib.model import Cache


def read(reader: Reader, entry: Entry) -> Cache | None:
    """Return the remote cache that a manifest declares; None if it has a problem."""
    problems = len(reader.problems)
    entries = reader.mapping(entry.value, "cache", CACHE_KEYS)
    given = reader.options(entries, "cache", CACHE_KEYS)
    if len(reader.problems) > problems:
        return None
    cache = Cache(**given)
    if cache.trust == "signed" and not cache.keys:
        text = "cache: 'trust: signed' needs 'keys', the public keys of the trusted builders"
        reader.problem(entry.key, text)
    elif cache.keys and cache.trust != "signed":
        text = "cache: 'keys' has no effect without 'trust: signed'; add that, or remove 'keys'"
        reader.problem(entries["keys"].key, text)
    elif cache.signatures > max(1, len({key for _, key in cache.keys})):
        count = len({key for _, key in cache.keys})
        text = (
            f"cache: signatures: expected at most {max(1, count)}, the number of different 'keys'"
        )
        reader.problem(entries["signatures"].value, text)
    return cache
