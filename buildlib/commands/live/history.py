"""Earlier hashes of each variant: the record `lambdas.hashes.json` in the commits of git."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import hashes
from buildlib.artifacts.hashes import Entry
from buildlib.errors import BuildError
from buildlib.files import git
from buildlib.layout import Layout

# Commits that changed the record and are read, unless `--since` sets a bound.
LIMIT = 500

# Seconds for one command of git.
_PATIENCE = 60


class Commit(NamedTuple):
    """A commit: its full id, its date (ISO 8601) and its subject."""

    id: str
    date: str
    subject: str

    @property
    def shown(self) -> str:
        """The commit in words."""
        return f"{self.id[:10]} ({self.date[:10]}, {self.subject})"


class Step(NamedTuple):
    """An entry of the record, and the commit that introduced it."""

    commit: Commit
    entry: Entry


class History(NamedTuple):
    """The entries of each variant, newest first, without repetitions; `bound` says how far."""

    steps: Mapping[str, Sequence[Step]]
    bound: str


def read(root: Path, since: str = "") -> History:
    """Return the record in the commits from HEAD back to `since`, or in the last ones.

    Raises:
        BuildError: `since` is no commit.

    """
    if _git(root, "rev-parse", "--verify", "-q", "HEAD") is None:
        return History({}, "no git history here")
    if since and _git(root, "rev-parse", "--verify", "-q", f"{since}^{{commit}}") is None:
        msg = f"--since: this clone has no commit '{since}'; correct it, or fetch the history"
        raise BuildError(msg, "history")
    commits = _commits(root, "HEAD", *([f"^{since}"] if since else []))
    if since and (first := _commits(root, "--max-count=1", since)):
        commits += first  # the record as it was at that commit
    if since:
        bound = f"since {since}"
    elif len(commits) == LIMIT:
        bound = f"in the last {LIMIT} commits of lambdas.hashes.json; go further with --since"
    else:
        bound = "in the whole history"
    if (_git(root, "rev-parse", "--is-shallow-repository") or b"").strip() == b"true":
        bound += ", of which this shallow clone has only a part ('git fetch --unshallow')"
    return History(_steps(root, commits), bound)


def elsewhere(root: Path) -> Mapping[str, Sequence[Step]]:
    """Return the entries in commits of other branches."""
    return _steps(root, _commits(root, "--all", "--not", "HEAD"))


def at(root: Path, revision: str) -> tuple[Commit, Mapping[str, Entry]] | None:
    """Return a commit and the record in it; None if there is no such commit."""
    found = _git(root, "rev-parse", "--verify", "-q", f"{revision}^{{commit}}")
    if found is None:
        return None
    (commit,) = _logged(root, "--max-count=1", "--end-of-options", found.decode().strip())
    return commit, dict(_records(root, [commit]))[commit]


def branch_of(root: Path, commit: Commit) -> str:
    """Return a branch that has a commit, or an empty text."""
    arguments = ("--count=1", "--format=%(refname:short)", "--contains", commit.id)
    found = _git(root, "for-each-ref", *arguments, "refs/heads", "refs/remotes")
    return (found or b"").decode("utf-8", "replace").strip()


def _commits(root: Path, *revisions: str) -> list[Commit]:
    name = Layout(root).hashes.name
    limit = [] if any(one.startswith("^") for one in revisions) else [f"--max-count={LIMIT}"]
    return _logged(root, "--topo-order", *limit, *revisions, "--", name)


def _logged(root: Path, *arguments: str) -> list[Commit]:
    output = _git(root, "log", "-z", "--format=%H%x1f%cI%x1f%s", *arguments) or b""
    rows = output.decode("utf-8", "replace").split("\0")
    return [Commit(*row.strip("\n").split("\x1f", 2)) for row in rows if "\x1f" in row]


def _steps(root: Path, commits: Sequence[Commit]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for commit, record in _records(root, commits):
        for name, entry in record.items():
            steps = found.setdefault(name, [])
            if steps and steps[-1].entry["sha256"] == entry["sha256"]:
                steps[-1] = Step(commit, entry)  # an older commit that has it, too
            else:
                steps.append(Step(commit, entry))
    return found


def _records(root: Path, commits: Sequence[Commit]) -> Iterator[tuple[Commit, dict[str, Entry]]]:
    """Yield commits and their records."""
    if not commits:
        return
    folder = (_git(root, "rev-parse", "--show-prefix") or b"").decode().rstrip("\n")
    path = f"{folder}{Layout(root).hashes.name}"
    wanted = "".join(f"{commit.id}:{path}\n" for commit in commits).encode()
    output = _git(root, "cat-file", "--batch", given=wanted) or b""
    start = 0
    for commit in commits:
        end = output.find(b"\n", start)
        header = output[start:end].split()
        if len(header) != 3 or not header[2].isdigit():  # noqa: PLR2004 - id, type and size
            start = end + 1  # the commit removed the file
            yield commit, {}
            continue
        size = int(header[2])
        yield commit, hashes.parse(output[end + 1 : end + 1 + size])
        start = end + 1 + size + 1


def _git(root: Path, *arguments: str, given: bytes | None = None) -> bytes | None:
    """Return the output of git, which writes nothing; None if it fails."""
    try:
        done = git.run(root, arguments, given or b"", _PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
