"""`lambdas deploy`: new code for functions that run another one, a version, and an alias.

All functions are checked first, and nothing is changed if one is refused. A function that fails
after that does not stop the others, unless every request fails alike.
"""

import contextlib
import hashlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import FrameType
from typing import NamedTuple

from buildlib.aws import changes, descriptions
from buildlib.aws.account import Account
from buildlib.aws.functions import Alias, Deployed
from buildlib.commands.live import earlier, expected
from buildlib.commands.live.plans import Plan
from buildlib.errors import (
    AwsAccessError,
    AwsConflictError,
    BuildError,
    DeployError,
    explain_os_error,
)

# Functions that are changed at the same time.
_AT_ONCE = 4

DEPLOYED, UP_TO_DATE, PLANNED, FAILED = "deployed", "up_to_date", "planned", "failed"
NOT_STARTED = "not_started"


class Outcome(NamedTuple):
    """The result for one function; `version` is that of the alias, `previous` the earlier hash."""

    id: str
    function: str
    state: str
    text: str
    sha256: str
    previous: str = ""
    version: str = ""
    notes: tuple[str, ...] = ()


def planned(one: Plan) -> Outcome:
    """Return the outcome of a plan that is not carried out."""
    return _outcome(one, PLANNED if one.steps else UP_TO_DATE, one.steps or "up to date")


def run(
    account: Account, plans: Sequence[Plan], tell: Callable[[Outcome], None]
) -> tuple[list[Outcome], int]:
    """Carry out plans; return the outcome of each, and the signal that ended the run, or 0.

    `tell` gets each outcome as soon as it is known. After Ctrl-C or SIGTERM, functions in work are
    finished and no other is started; a second signal ends the process.
    """
    stop, outcomes = threading.Event(), list[Outcome]()
    with _signals(stop) as seen, ThreadPoolExecutor(_AT_ONCE) as pool:
        for future in as_completed([pool.submit(_carry_out, account, one, stop) for one in plans]):
            outcomes.append(future.result())
            tell(outcomes[-1])
    return sorted(outcomes), next(iter(seen), 0)


@contextlib.contextmanager
def _signals(stop: threading.Event) -> Iterator[list[int]]:
    """Let the first signal set `stop`, and yield the list in which it is noted.

    An exception could come at any place, and would lose outcomes.
    """
    seen: list[int] = []

    def note(which: int, _: FrameType | None) -> None:
        seen.append(which)
        stop.set()
        signal.signal(which, signal.SIG_DFL)

    handlers = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}
    for which, handler in handlers.items():
        if handler is not signal.SIG_IGN:
            signal.signal(which, note)
    try:
        yield seen
    finally:
        for which, handler in handlers.items():
            signal.signal(which, handler)


def _carry_out(account: Account, one: Plan, stop: threading.Event) -> Outcome:
    """Carry out a plan, unless `stop` is set; set it if no other function can succeed."""
    if stop.is_set():
        return _outcome(one, NOT_STARTED, "not started")
    done: list[str] = []
    try:
        version, notes = _change(account, one, done)
    except (BuildError, OSError) as error:
        if isinstance(error, AwsAccessError):
            stop.set()
        before = f"{', '.join(done)}; then: " if done else ""
        return _outcome(one, FAILED, f"{before}{_explained(error)}")
    text = ", ".join(done) or "up to date"
    outcome = _outcome(one, DEPLOYED if done else UP_TO_DATE, text)
    return outcome._replace(version=version, notes=(*outcome.notes, *notes))


def carried_out(account: Account, one: Plan) -> Outcome:
    """Carry out one plan, and return its outcome."""
    return _carry_out(account, one, threading.Event())


def _change(account: Account, one: Plan, done: list[str]) -> tuple[str, tuple[str, ...]]:
    """Make the changes of a plan, and note each in `done`.

    Return the version of the alias, and notes.
    """
    now = one.now
    if one.updates:
        now = _updated(account, one)
        done.append(f"code updated to {one.code.sha256[:12]}")
    if not one.alias or not (one.updates or one.is_behind):
        return one.alias_now.version if one.alias_now else "", ()
    description = descriptions.text(one.earlier, one.rolled_back)
    published = changes.publish(account, now, description)
    version = published.version
    done.append(f"version {version} published")
    changes.point(account, one.target.function, one.alias, version, one.alias_now)
    done.append(f"alias '{one.alias}' points to it{ended(one.alias_now)}")
    return version, tuple(_misleading(one, published))


def ended(before: Alias | None) -> str:
    """Return the earlier version of an alias in words, and the rollout that its move ended."""
    if before is None:
        return ""
    ends = ", which ends the rollout" if before.weights else ""
    rest = f", and {before.rollout}" if before.weights else ""
    return f"{ends} (before: {before.version}{rest})"


def _misleading(one: Plan, published: Deployed) -> Iterator[str]:
    """Yield a note if a later rollback would not go to the version that ran before.

    Lambda publishes no version of unchanged code and settings, but returns the last one, such as
    after a deployment that failed at the alias. It keeps its description.
    """
    said, wanted = earlier.described(published, one.alias), one.earlier
    if said is not None and said.version == wanted.version:
        return
    if said is None and published.before is None:  # of Lambda, or of an old version of this package
        return
    goes = f"to version {said.version}" if said and said.version else "nowhere without --to"
    to = f"; to go back to the present one, use --to {wanted.version}" if wanted.version else ""
    yield (
        f"Lambda had version {published.version} already, and 'lambdas rollback' from it goes "
        f"{goes}{to}"
    )


def _updated(account: Account, one: Plan) -> Deployed:
    """Update the code of a function, and check the hash that Lambda has for it."""
    in_place = one.now.object is not None
    content = one.code.object or _content(one)
    now = changes.update_code(account, one.now, content, in_place=in_place)
    found = expected.hex_of(now.code_sha256)
    if found != one.code.sha256:
        raise _other_code(one, found)
    return now


def _other_code(one: Plan, found: str) -> DeployError:
    """Return the error about an update after which the function has other code (hex)."""
    advice = "someone else updated the function at the same time; run the command again"
    if place := one.code.object:
        version = f" (version {place.version})" if place.version else ""
        advice = (
            f"either {advice}, or s3://{place.bucket}/{place.key}{version} has other bytes than "
            "the list says: if that error comes again, publish the ZIP again and deploy it, or "
            "build it and deploy without --from"
        )
    kept = f"; the alias '{one.alias}' was not moved" if one.alias else ""
    msg = (
        f"'{one.target.function}': $LATEST now has code with the sha256 {found or 'none'}, not "
        f"{one.code.sha256}{kept}. Look into it: {advice}"
    )
    return DeployError(msg)


def _content(one: Plan) -> bytes:
    """Return the ZIP of a plan, which has not changed since it was planned."""
    content = one.code.path.read_bytes() if one.code.path else b""
    if hashlib.sha256(content).hexdigest() != one.code.sha256:
        msg = f"{one.code.path}: it changed since the check; run the command again"
        raise DeployError(msg)
    return content


def _explained(error: BuildError | OSError) -> str:
    if isinstance(error, AwsConflictError):
        return f"{error}. Someone else changed the function at the same time; run it again"
    return explain_os_error(error) if isinstance(error, OSError) else str(error)


def _outcome(one: Plan, state: str, text: str) -> Outcome:
    return Outcome(
        id=one.target.variant.id,
        function=one.target.function,
        state=state,
        text=text,
        sha256=one.code.sha256,
        previous=expected.hex_of(one.now.code_sha256),
        version=one.alias_now.version if one.alias_now else "",
        notes=one.notes,
    )


def line(one: Outcome) -> str:
    """Return the outcome of a function in words, with its notes on lines of their own."""
    sign = "failed: " if one.state == FAILED else ""
    notes = "".join(f"\n  {note}" for note in one.notes)
    return f"{one.id} ({one.function}): {sign}{one.text}{notes}"


def total(outcomes: Sequence[Outcome]) -> str:
    """Return the number of functions by state."""
    words = {
        PLANNED: "to deploy",
        DEPLOYED: "deployed",
        UP_TO_DATE: "up to date",
        FAILED: "failed",
        NOT_STARTED: "not started",
    }
    counts = ((sum(one.state == state for one in outcomes), w) for state, w in words.items())
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "nothing to deploy"


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Return 1 if a function failed, or was not started because of that; else 0."""
    return int(any(one.state in {FAILED, NOT_STARTED} for one in outcomes))
