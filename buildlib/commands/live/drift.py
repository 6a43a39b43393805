"""`lambdas drift`: compare the code that Lambda runs with the hashes of this commit."""

import functools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import signed
from buildlib.aws import functions
from buildlib.aws.account import Account, together
from buildlib.aws.functions import Deployed
from buildlib.commands.live import expected, layers, names
from buildlib.commands.live.compare import (
    BEHIND,
    CONFIGURATION,
    FAILED,
    MISSING,
    OTHER_BRANCH,
    OTHER_FUNCTION,
    SAME,
    UNKNOWN,
    UNMAPPED,
    UNRECORDED,
    Finding,
    Known,
    compared,
)
from buildlib.commands.live.expected import Expected
from buildlib.errors import AwsError, AwsMissingError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES

# The states that are drift. Others than these and SAME leave the question without an answer.
DRIFT = frozenset(
    {BEHIND, OTHER_BRANCH, OTHER_FUNCTION, UNRECORDED, UNKNOWN, MISSING, CONFIGURATION}
)


class Options(NamedTuple):
    """The options of the command."""

    env: str = ""
    alias: str = ""
    since: str = ""
    state: Path | None = None


def check(
    project: Project,
    connect: Callable[[], Account],
    variants: Sequence[Variant],
    options: Options,
) -> list[Finding]:
    """Return a finding for each function of the variants, and for each layer that it uses.

    Raises:
        BuildError: the functions are not known, `since` is no commit, or AWS cannot be asked.

    """
    known = Known(project, options.since, {}, signed.read(project.layout))
    connect = functools.cache(connect)
    if options.since:
        known.history()  # a mistake in it is said before any request
    wanted = {one.id: expected.expected(project, one) for one in variants}
    hashes = {name: expected.base64_of(one.sha256) for name, one in wanted.items() if one.sha256}
    targets = names.find(connect, variants, names.Where(options.env, options.state), hashes)
    account = connect()
    deployed, others = _deployed(account, [one.function for one in targets.known], options.alias)
    used = layers.used(account, project, targets.known, deployed)
    findings = []
    for variant, name in targets.known:
        found = deployed[name]
        one = _finding(known, variant, wanted[variant.id], found)
        rest = [
            (part, _finding(known, variant, wanted[variant.id], part.found))
            for part in others.get(name, ())
        ]
        findings.append(_whole(one, rest)._replace(function=name))
        if isinstance(found, Deployed):
            findings += layers.findings(known, variant, found, used)
    findings += [Finding(name, "", UNMAPPED, targets.why_not) for name in targets.unknown]
    return findings


class _Part(NamedTuple):
    """A version that gets a part of the calls to an alias, from 0 to 1."""

    version: str
    share: float
    found: Deployed | AwsError


def _deployed(
    account: Account, wanted: Sequence[str], alias: str
) -> tuple[dict[str, Deployed | AwsError], dict[str, list[_Part]]]:
    """Return the versions of functions, and other ones that get a part of the calls, by name."""
    if not alias:
        return functions.functions(account, wanted), {}
    asked = list(dict.fromkeys(wanted))
    found = together(lambda name: _behind_alias(account, name, alias), asked)
    main, others = dict[str, Deployed | AwsError](), dict[str, list[_Part]]()
    for name, one in zip(asked, found, strict=True):
        if isinstance(one, AwsError):
            main[name] = one
        else:
            main[name], others[name] = one
    return main, others


def _behind_alias(account: Account, name: str, alias: str) -> tuple[Deployed, list[_Part]]:
    """Return the version behind an alias, and those of its rollout."""
    which = functions.alias(account, name, alias)
    weights = [(number, share) for number, share in which.weights if share]
    found = together(lambda one: functions.function(account, name, one[0]), weights)
    others = [_Part(*one, of) for one, of in zip(weights, found, strict=True)]
    return functions.function(account, name, which.version), others


def _whole(main: Finding, others: Sequence[tuple[_Part, Finding]]) -> Finding:
    """Return the finding for a function whose calls go to several versions: the worst of theirs."""
    if not others:
        return main
    rest = 1 - sum(part.share for part, _ in others)
    every = [(rest, main)]
    every += [(part.share, one._replace(version=part.version)) for part, one in others]
    every = [(share, one) for share, one in every if round(share, 6)]
    worst = min(
        (one for _, one in every), key=lambda one: (one.state not in DRIFT, one.state == SAME)
    )
    if worst.state == SAME:
        return worst
    texts = [
        f"{100 * share:.6g} % of the calls go to version {one.version}: {one.text}"
        for share, one in every
        if one.state != SAME
    ]
    notes = dict.fromkeys(note for _, one in every for note in one.notes)
    return worst._replace(text="; ".join(texts), notes=tuple(notes))


def _finding(
    known: Known,
    variant: Variant,
    wanted: Expected,
    found: Deployed | AwsError,
) -> Finding:
    if isinstance(found, AwsMissingError):
        text = f"not deployed: {found}"
        return Finding(variant.id, "", MISSING, text, wanted=wanted.sha256)
    if isinstance(found, AwsError):
        return Finding(variant.id, "", FAILED, str(found), wanted=wanted.sha256)
    code = expected.hex_of(found.code_sha256)
    one = compared(known, variant.id, wanted, code, found.signing_job)
    if found.is_image:
        one = one._replace(state=UNKNOWN, text="runs a container image, not a ZIP")
        return one._replace(version=found.version)
    notes = tuple(mismatches(variant, found))
    path = known.project.layout.zip(variant.id)
    wrong = [text for what, text in _settings(variant, found) if _breaks(what, found, path)]
    if wrong and one.state == SAME:
        text = f"its code is {one.text}, but {'; '.join(wrong)}"
        one = one._replace(state=CONFIGURATION, text=text)
        notes = tuple(note for note in notes if note not in wrong)
    return one._replace(version=found.version, notes=notes)


def mismatches(variant: Variant, found: Deployed) -> Iterator[str]:
    """Yield the settings of a function that do not fit its ZIP; Terraform has to change them."""
    yield from (text for _, text in _settings(variant, found))
    if found.update == "Failed":
        yield f"its last update failed: {found.update_reason or 'AWS gives no reason'}"


def _settings(variant: Variant, found: Deployed) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting that does not fit the ZIP of a function, and a text."""
    pairs = (
        ("runtime", found.runtime, RUNTIMES[variant.python].identifier),
        ("architecture", found.architecture, variant.architecture),
        ("handler", found.handler, variant.function.handler),
    )
    for what, there, here in pairs:
        # Lambda takes `pkg/app.handler` as `pkg.app.handler`.
        if there and there.replace("/", ".") != here.replace("/", "."):
            yield what, f"its {what} is {there}, and lambdas.yaml has {here}"


def _breaks(what: str, found: Deployed, path: Path) -> bool:
    """Tell whether a function cannot run its code with a setting that does not fit.

    Those of monitoring services wrap the handler of the ZIP at `path`: they are in a layer, or in
    that ZIP. If it is not here, nobody can say.
    """
    if what != "handler":
        return True
    stem = found.handler.rpartition(".")[0].replace(".", "/")
    try:
        with zipfile.ZipFile(path) as archive:
            modules = {name.partition(".")[0] for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return False
    return not found.layers and stem not in modules and f"{stem}/__init__" not in modules


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 without drift, 1 with it, and else 2 if a question has no answer."""
    states = {one.state for one in findings}
    if states & DRIFT:
        return 1
    return 0 if states == {SAME} else 2


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the findings as lines, and their number by state."""
    for one in findings:
        at = f" ({one.function})" if one.function else ""
        yield f"{one.id}{at}: {one.text}"
        yield from (f"  {note}" for note in one.notes)
    drifted = sum(one.state in DRIFT for one in findings)
    same = sum(one.state == SAME for one in findings)
    others = len(findings) - drifted - same
    rest = f", {others} not compared" if others else ""
    yield f"{same} up to date, {drifted} differ{'s' if drifted == 1 else ''}{rest}"
