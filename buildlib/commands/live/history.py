"""Earlier hashes of each variant: the record and the lists of published ZIPs in git."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import hashes, published
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


# The steps of each variant, newest first, without repetitions.
Steps = Mapping[str, Sequence[Step]]


class History(NamedTuple):
    """The entries of the record, and those of each list of published ZIPs; `bound` says how far."""

    steps: Steps
    bound: str
    published: Sequence[Steps] = ()


def read(root: Path, since: str = "") -> History:
    """Return the record and the lists in the commits from HEAD back to `since`, or the last ones.

    Raises:
        BuildError: `since` is no commit, or git refuses to read the repository.

    """
    if not _is_there(root):
        if since:
            msg = f"--since: there is no commit '{since}', since there is no git history here"
            raise BuildError(msg, "history")
        return History({}, "no git history here")
    if since and _git(root, "rev-parse", "--verify", "-q", f"{since}^{{commit}}") is None:
        msg = f"--since: this clone has no commit '{since}'; correct it, or fetch the history"
        raise BuildError(msg, "history")
    is_shallow = (_git(root, "rev-parse", "--is-shallow-repository") or b"").strip() == b"true"
    names = [Layout(root).hashes.name, *_lists(root)]
    commits = {name: _since(root, since, name) for name in names}
    if since:
        bound = f"since {since}"
    elif any(len(some) == LIMIT for some in commits.values()):
        bound = f"in the last {LIMIT} commits of lambdas.hashes.json; go further with --since"
    elif not is_shallow:
        bound = "in the whole history"
    else:
        bound = "in this shallow clone"
    if is_shallow:
        bound += "; fetch the other commits with 'git fetch --unshallow'"
    steps, *published = (_steps(root, commits[name], name) for name in names)
    return History(steps, bound, published)


def _is_there(root: Path) -> bool:
    """Tell whether the repository has commits.

    Raises:
        BuildError: git refuses to read it, as it does for another owner's.

    """
    try:
        done = git.run(root, ("rev-parse", "--verify", "-q", "HEAD"), timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return False
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode and said and "not a git repository" not in said:
        msg = f"git cannot read the history: {' '.join(said.split())}"
        raise BuildError(msg, "history")
    return done.returncode == 0


def _lists(root: Path) -> list[str]:
    """Return the names of the lists of published ZIPs, as they are here now."""
    found = {path.name for path in root.glob(published.PATTERN)}
    return sorted({published.NAME, published.PRODUCTION} | found)


def _since(root: Path, since: str, name: str) -> list[Commit]:
    """Return the commits of a file, and that in which it was as it is at `since`."""
    commits = _commits(root, name, "HEAD", *([f"^{since}"] if since else []))
    if since and (first := _commits(root, name, "--max-count=1", since)):
        commits += first
    return commits


def elsewhere(root: Path) -> Steps:
    """Return the entries of the record in commits of other branches."""
    name = Layout(root).hashes.name
    return _steps(root, _commits(root, name, "--all", "--not", "HEAD"), name)


def at(root: Path, revision: str) -> tuple[Commit, Mapping[str, Entry]] | None:
    """Return a commit, and its record and lists; None if there is no such commit.

    A list says what was published before the commit, so the record comes first.
    """
    found = _git(root, "rev-parse", "--verify", "-q", f"{revision}^{{commit}}")
    if found is None:
        return None
    (commit,) = _logged(root, "--max-count=1", "--end-of-options", found.decode().strip())
    entries: dict[str, Entry] = {}
    for name in (*reversed(_lists(root)), Layout(root).hashes.name):
        entries |= dict(_records(root, [commit], name))[commit]
    return commit, entries


def branch_of(root: Path, commit: Commit) -> str:
    """Return a branch that has a commit, or an empty text."""
    arguments = ("--count=1", "--format=%(refname:short)", "--contains", commit.id)
    found = _git(root, "for-each-ref", *arguments, "refs/heads", "refs/remotes")
    return (found or b"").decode("utf-8", "replace").strip()


def _commits(root: Path, name: str, *revisions: str) -> list[Commit]:
    limit = [] if any(one.startswith("^") for one in revisions) else [f"--max-count={LIMIT}"]
    return _logged(root, "--topo-order", *limit, *revisions, "--", name)


def _logged(root: Path, *arguments: str) -> list[Commit]:
    output = _git(root, "log", "-z", "--format=%H%x1f%cI%x1f%s", *arguments) or b""
    rows = output.decode("utf-8", "replace").split("\0")
    return [Commit(*row.strip("\n").split("\x1f", 2)) for row in rows if "\x1f" in row]


def _steps(root: Path, commits: Sequence[Commit], name: str) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for commit, record in _records(root, commits, name):
        for id_, entry in record.items():
            steps = found.setdefault(id_, [])
            if steps and steps[-1].entry["sha256"] == entry["sha256"]:
                steps[-1] = Step(commit, entry)  # an older commit that has it, too
            else:
                steps.append(Step(commit, entry))
    return found


def _records(
    root: Path, commits: Sequence[Commit], name: str
) -> Iterator[tuple[Commit, dict[str, Entry]]]:
    """Yield commits, and the entries of a file in each."""
    parse = hashes.parse if name == Layout(root).hashes.name else _published
    if not commits:
        return
    folder = (_git(root, "rev-parse", "--show-prefix") or b"").decode().rstrip("\n")
    path = f"{folder}{name}"
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
        yield commit, parse(output[end + 1 : end + 1 + size])
        start = end + 1 + size + 1


def _published(content: bytes) -> dict[str, Entry]:
    """Return the hashes of a list, those of the builds where AWS Signer made the published ZIPs.

    A list has no keys. One that is damaged has no entries.
    """
    try:
        every = published.parse(content, published.NAME)
    except BuildError:
        return {}
    return {id_: hashes.entry("", published.origin(one)) for id_, one in every.items()}


def _git(root: Path, *arguments: str, given: bytes | None = None) -> bytes | None:
    """Return the output of git, which writes nothing; None if it fails."""
    try:
        done = git.run(root, arguments, given or b"", _PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
