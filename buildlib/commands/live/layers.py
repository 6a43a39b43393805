"""The layers that deployed functions use.

A layer is known by its content, not by its name in AWS.
"""

from collections.abc import Iterator, Mapping, Sequence

from buildlib.aws import functions
from buildlib.aws.account import Account, together
from buildlib.aws.functions import Deployed, LayerVersion
from buildlib.commands.live import expected
from buildlib.commands.live.compare import (
    BEHIND,
    FAILED,
    MISSING,
    OTHER_BRANCH,
    OTHER_FUNCTION,
    SAME,
    SIGNED,
    UNDECIDED,
    UNKNOWN,
    UNRECORDED,
    Finding,
    Known,
    compared,
)
from buildlib.commands.live.expected import Expected
from buildlib.commands.live.names import Target
from buildlib.errors import AwsError
from buildlib.model import Variant
from buildlib.project.project import Project


def used(
    account: Account,
    project: Project,
    targets: Sequence[Target],
    deployed: Mapping[str, Deployed | AwsError],
) -> dict[str, LayerVersion | AwsError]:
    """Return the layer versions that functions with layers of this repository use, by ARN."""
    arns: dict[str, None] = {}
    for variant, name in targets:
        found = deployed[name]
        if project.declared_layers(variant) and isinstance(found, Deployed):
            arns |= dict.fromkeys(_own_arns(variant, found))
    asked = list(arns)
    return dict(zip(asked, together(lambda arn: functions.layer(account, arn), asked), strict=True))


def _own_arns(variant: Variant, found: Deployed) -> list[str]:
    """Return the layers of a function that may be of this repository."""
    return [arn for arn in found.layers if arn not in variant.function.arns]


def findings(
    known: Known,
    variant: Variant,
    found: Deployed,
    versions: Mapping[str, LayerVersion | AwsError],
) -> Iterator[Finding]:
    """Yield a finding for each declared layer of a function.

    A layer is known by its content: the version whose code is, or was, that of the layer.
    """
    rest = {arn: versions[arn] for arn in _own_arns(variant, found) if arn in versions}
    for layer in known.project.declared_layers(variant):
        wanted = expected.expected(known.project, layer)
        yield _of_layer(known, layer, found.name, wanted, rest)


def _of_layer(
    known: Known,
    layer: Variant,
    function: str,
    wanted: Expected,
    used: Mapping[str, LayerVersion | AwsError],
) -> Finding:
    tried: list[Finding] = []
    for arn, one in used.items():
        if isinstance(one, AwsError):
            tried.append(Finding(layer.id, function, FAILED, str(one), arn, "", wanted.sha256))
            continue
        code = expected.hex_of(one.code_sha256)
        found = compared(known, layer.id, wanted, code, one.signing_job)
        text = f"{found.text} ({one.name}, version {one.version})"
        tried.append(found._replace(function=function, version=arn, text=text))
    if not tried:
        text = f"'{function}' does not use this layer"
        return Finding(layer.id, function, MISSING, text, wanted=wanted.sha256)
    return min(tried, key=lambda one: _CLOSEST.index(one.state))


# The layer of a function that is most likely a version of a layer here.
_CLOSEST = (
    *(SAME, BEHIND, OTHER_BRANCH, UNRECORDED, UNDECIDED, SIGNED, FAILED, UNKNOWN),
    OTHER_FUNCTION,
)
