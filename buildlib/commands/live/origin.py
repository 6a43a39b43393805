"""Whether the commits of this repository know the code that a function has, or is to get."""

from collections.abc import Mapping

from buildlib.artifacts import hashes, signed
from buildlib.commands.publish import git, used
from buildlib.errors import GarbageError
from buildlib.project.project import Project


def unrecorded(project: Project, codes: Mapping[str, str]) -> list[str]:
    """Return the ids of variants whose code, a sha256 in hex, no commit of the clone has.

    Empty if the last commit has no record: then nothing is expected of it.
    """
    layout = project.layout
    try:
        content = git.committed(layout.root, layout.hashes, GarbageError)
        if content is None or not codes:
            return []
        record = hashes.parse(content)
        if all(id_ in record and record[id_]["sha256"] == code for id_, code in codes.items()):
            return []
        known = used.committed(layout.root)
    except GarbageError:  # not a repository of git
        return []
    return [id_ for id_, code in codes.items() if code not in known]


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
