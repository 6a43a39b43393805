"""`lambdas audit`: the known vulnerabilities of the locked packages, by function."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.uv import audit as uv_audit
from buildlib.uv.audit import Audit, Finding, Release

# Names of variants that are shown for one package.
_SHOWN = 6


class Answer(NamedTuple):
    """The result for variants.

    `holders` are the ids of the variants that have each release, and `ignored` the findings that
    the user named. `unaudited` are packages of a URL, of which a service knows nothing, with their
    variants. `errors` are the messages of variants whose locks cannot be read.
    """

    audit: Audit
    holders: Mapping[Release, Sequence[str]]
    findings: Sequence[Finding]
    ignored: Sequence[Finding]
    unaudited: Mapping[Release, Sequence[str]]
    errors: Mapping[str, str]

    @property
    def code(self) -> int:
        """The exit code: 1 with findings, 2 if some package was not audited for an error."""
        if self.findings:
            return 1
        return 2 if self.audit.unasked or self.errors else 0


def answer(
    project: Project, variants: Sequence[Variant], service: str, ignored: Collection[str] = ()
) -> Answer:
    """Return the vulnerabilities of the packages in the ZIPs of variants; asks the service once."""
    holders: dict[Release, list[str]] = {}
    unaudited: dict[Release, list[str]] = {}
    errors: dict[str, str] = {}
    for variant in variants:
        try:
            pins = project.pins(variant)
        except BuildError as error:
            errors[variant.id] = str(error)
            continue
        for pin in pins:
            kind = unaudited if pin.version.startswith("@") else holders
            kind.setdefault(Release(pin.name, pin.version), []).append(variant.id)
    log = project.layout.log("audit", "packages")
    log.unlink(missing_ok=True)
    found = uv_audit.audit(project.layout.root, holders.keys(), service, log)
    names = set(ignored)
    split: tuple[list[Finding], list[Finding]] = ([], [])
    for one in found.findings:
        split[not names.isdisjoint({one.id, *one.aliases})].append(one)
    return Answer(found, holders, *split, unaudited, errors)


def lines(found: Answer) -> Iterator[str]:
    """Yield an answer as lines."""
    if found.audit.unasked:
        yield f"Not audited: the service gave no answer about {len(found.holders)} packages"
        yield from found.audit.unasked.splitlines()
    elif found.holders or not found.errors:
        yield f"{_count(len(found.findings), 'finding')} in {_count(len(found.holders), 'package')}"
    by_release: dict[Release, list[Finding]] = {}
    for one in found.findings:
        by_release.setdefault(one.release, []).append(one)
    for release, some in by_release.items():
        yield f"{release.name} {release.version} in {_listed(found.holders[release])}"
        yield from (f"  {_shown(one)}" for one in some)
    if found.ignored:
        yield f"Ignored: {', '.join(dict.fromkeys(one.id for one in found.ignored))}"
    for release, names in found.unaudited.items():
        yield f"Not audited: {release.name}, which is locked by its URL, in {_listed(names)}"
    for name, message in found.errors.items():
        yield f"{name}: not audited:"
        yield from (f"  {line}" for line in message.splitlines())


def _shown(one: Finding) -> str:
    aliases = f" ({', '.join(one.aliases)})" if one.aliases else ""
    fixed = f"fixed in {', '.join(one.fixed)}" if one.fixed else "no fixed version is known"
    summary = f"{one.summary}; " if one.summary else ""
    return f"{one.id}{aliases}: {summary}{fixed}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
