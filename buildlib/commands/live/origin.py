"""Whether the commits of this repository know the code that a function has, or is to get."""

from collections.abc import Mapping
from pathlib import Path

from buildlib.commands.live import history


def unrecorded(root: Path, codes: Mapping[str, str]) -> list[str]:
    """Return the ids of variants whose code, a sha256 in hex, no commit records.

    Empty if the last commit has no record: then nothing is expected of it.
    """
    found = history.at(root, "HEAD")
    record = found[1] if found else {}
    rest = [
        id_ for id_, code in codes.items() if id_ not in record or record[id_]["sha256"] != code
    ]
    if not record or not rest:
        return []
    earlier = (history.read(root).steps, history.elsewhere(root))
    return [
        id_
        for id_ in rest
        if all(step.entry["sha256"] != codes[id_] for some in earlier for step in some.get(id_, ()))
    ]
