"""Compare the hash of deployed code with this commit, and with the others of git."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from buildlib.artifacts.signed import Table
from buildlib.commands.live import history
from buildlib.commands.live.expected import Expected
from buildlib.commands.live.history import Commit, History, Step
from buildlib.project.project import Project

SAME, BEHIND, OTHER_BRANCH = "up_to_date", "behind", "other_branch"
OTHER_FUNCTION = "other_function"
UNRECORDED, UNKNOWN, MISSING = "unrecorded", "unknown", "missing"
CONFIGURATION = "configuration"
SIGNED, UNDECIDED, UNMAPPED, FAILED = "signed", "undecided", "not_mapped", "failed"


class Finding(NamedTuple):
    """The result for one function, or for one layer that a function uses.

    `deployed` and `wanted` are sha256 in hex, empty if unknown. `behind` is the number of later
    commits that changed the code. `notes` are other differences, which are no drift.
    """

    id: str
    function: str
    state: str
    text: str
    version: str = ""
    deployed: str = ""
    wanted: str = ""
    commit: Commit | None = None
    behind: int | None = None
    notes: tuple[str, ...] = ()


class Known(NamedTuple):
    """The hashes of this repository: the present ones, and earlier ones when they are needed."""

    project: Project
    since: str
    memory: dict[str, History]
    signed: Table

    def history(self) -> History:
        """Return the record in the commits of this history."""
        if "here" not in self.memory:
            self.memory["here"] = history.read(self.project.layout.root, self.since)
        return self.memory["here"]

    def elsewhere(self) -> Mapping[str, Sequence[Step]]:
        """Return the record in the commits of other branches."""
        if "elsewhere" not in self.memory:
            found = history.elsewhere(self.project.layout.root)
            self.memory["elsewhere"] = History(found, "")
        return self.memory["elsewhere"].steps


def compared(known: Known, name: str, wanted: Expected, code: str, job: str) -> Finding:
    """Return the finding for the code of a function or a layer, by its sha256 in hex.

    Code that AWS Signer made of a ZIP counts as that ZIP. `job` is the ARN of the signing job that
    Lambda names, or empty: it must be the one in the table.
    """
    base = Finding(name, "", SAME, "up to date", deployed=code, wanted=wanted.sha256)
    listed = known.signed.job(code)
    why = "" if code else "AWS gives no hash of its code"
    if listed and job and job.rpartition("/")[2] != listed:
        why = f"unknown code: lambdas.signed.json names its signing job {listed}, but Lambda {job}"
    if why:
        return base._replace(state=UNKNOWN, text=why)
    built = known.signed.origin(code)
    if built != code:
        base, code = base._replace(text="up to date, signed by AWS Signer"), built
    if code == wanted.sha256:
        return base
    if job and not listed:
        text = (
            "signed by AWS Signer, which changes the ZIP, and lambdas.signed.json does not list "
            "its hash, so it cannot be compared"
        )
        return base._replace(state=SIGNED, text=text)
    found = _in_history(known, base, code, wanted)
    if not wanted.sha256:
        runs = f"{found.text}; " if found else ""
        return base._replace(state=UNDECIDED, text=f"{runs}not compared: {wanted.why_not}")
    return found or _not_here(known, base, code, wanted.stale)


def _in_history(known: Known, base: Finding, code: str, wanted: Expected) -> Finding | None:
    """Return the finding for code of an earlier record, or of a list of published ZIPs."""
    here = known.history()
    places = [(here.steps, "commit", "runs commit {}", "no commit records")]
    places += [
        (listed, "publication", "runs the ZIP that commit {} published", "are not published")
        for listed in here.published
    ]
    for every, unit, runs, rest in places:
        steps = every.get(base.id, ())
        at = next((n for n, step in enumerate(steps) if step.entry["sha256"] == code), None)
        if at is None:
            continue
        commit = steps[at].commit
        parts = [f"{at} {unit}{'s' if at > 1 else ''}"] if at else []
        parts += [f"changes that {rest}"] if steps[0].entry["sha256"] != wanted.sha256 else []
        behind = f"behind by {' and '.join(parts)}; " if wanted.sha256 else ""
        text = behind + runs.format(commit.shown)
        return base._replace(state=BEHIND, text=text, commit=commit, behind=at)
    return None


def _not_here(known: Known, base: Finding, code: str, stale: str) -> Finding:
    """Return the finding for code that no commit of this history records."""
    for step in known.elsewhere().get(base.id, ()):
        if step.entry["sha256"] == code:
            branch = history.branch_of(known.project.layout.root, step.commit)
            place = f"of branch {branch}" if branch else "of no branch"
            text = f"runs commit {step.commit.shown} {place}, which is not in this history"
            return base._replace(state=OTHER_BRANCH, text=text, commit=step.commit)
    for other, steps in known.history().steps.items():
        for step in steps:
            if step.entry["sha256"] == code:
                text = f"runs the code of '{other}' of commit {step.commit.shown}"
                return base._replace(state=OTHER_FUNCTION, text=text, commit=step.commit)
    if code == stale:
        text = "runs the ZIP in dist/, which is out of date and which no commit records"
        return base._replace(state=UNRECORDED, text=text)
    text = (
        "unknown code: no lambdas.hashes.json and no list of published ZIPs has its hash "
        f"({known.history().bound})"
    )
    return base._replace(state=UNKNOWN, text=text)
