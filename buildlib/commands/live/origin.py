"""Whether the commits of this repository know the code that a function has, or is to get."""

from collections.abc import Mapping
from pathlib import Path

from buildlib.artifacts import signed
from buildlib.commands.live import history
from buildlib.commands.publish import used
from buildlib.errors import GarbageError
from buildlib.project.project import Project


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


def foreign(project: Project, codes: Mapping[str, str]) -> list[str]:
    """Return the ids of variants with code, a sha256 in hex, that is not from this repository.

    Its own code is in a list or a record of any commit, or in dist/; or AWS Signer made it of that.
    """
    if not codes:
        return []
    try:
        known = used.ever(project.layout.root)
    except GarbageError:  # not a repository of git
        known = set[str]()
    known |= {str(one["sha256"]) for one in project.index().values() if "sha256" in one}
    table = signed.read(project.layout)
    return [id_ for id_, code in codes.items() if not {code, table.origin(code)} & known]
