"""The result of one shard: the keys of the ZIPs that `lambdas build NAME...` made."""

from collections.abc import Iterable

from buildlib.artifacts import shard
from buildlib.layout import Layout
from buildlib.project.status import last_stamped
from buildlib.steps import times

_STEPS = ("venv", "stage", "touch", "zip")


def write(layout: Layout, ids: Iterable[str]) -> None:
    """Write the keys of the ZIPs of a build that succeeded; the ids are those of its variants."""
    built, known = {}, times.read(layout)
    for variant_id in ids:
        stamp = last_stamped(layout.stamp("zip", variant_id))
        if stamp is None:
            continue  # removed meanwhile: `lambdas merge` says that it is missing
        took = {step: known.last(step, variant_id) for step in _STEPS}
        built[variant_id] = shard.Built(
            key=stamp.key,
            dependencies=stamp.environment,
            sha256=stamp.written.sha256,
            times={step: time for step, time in took.items() if time},
        )
    shard.write(layout, built)
