"""`lambdas size --shared`: the packages that many functions share, and the savings of a layer."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.archive import contents
from buildlib.archive.reader import ZipReader
from buildlib.commands.what_if import Reasons
from buildlib.errors import BuildError
from buildlib.manifest import variants
from buildlib.model import Function, Variant
from buildlib.project.project import Project
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT
from buildlib.text import amount, canonical_name

# "Lambda quotas" in the AWS Lambda developer guide: layers of a function.
_LAYERS = 5

# A layer that saves less than this fraction is not worth its release.
_WORTH = 0.05

# APPNOTE 4.3.7 and 4.3.12: the two headers of a member, without its name.
_HEADERS = 30 + 46

_SHOWN = 8


class Package(NamedTuple):
    """A distribution in ZIPs: its normalised name and its version."""

    name: str
    version: str


class Weight(NamedTuple):
    """The part of a ZIP that is a package: its bytes in the ZIP, and unzipped."""

    zipped: int
    unzipped: int


class Content(NamedTuple):
    """A function: the weights of the packages that all of its ZIPs have, and their total size.

    `requires` are the packages that each of its packages demands, by name.
    """

    function: Function
    packages: Mapping[Package, Weight]
    total: int
    requires: Mapping[str, Collection[str]]


class Layer(NamedTuple):
    """A layer: its packages, its functions, and its weight for one target.

    `targets` is the number of its targets, and `before` the size of all ZIPs of the functions.
    """

    name: str
    packages: Sequence[Package]
    functions: Sequence[Function]
    weight: Weight
    targets: int
    before: int

    @property
    def saved(self) -> int:
        """The bytes that a deployment of all functions no longer uploads, and Lambda not stores."""
        return (len(self.functions) - 1) * self.weight.zipped * self.targets


class Answer(NamedTuple):
    """The best layer, if any saves; the total size of all ZIPs, and ids without a built ZIP."""

    layer: Layer | None
    total: int
    missing: Sequence[str]

    @property
    def is_worth(self) -> bool:
        """Tell whether the layer saves enough."""
        return self.layer is not None and self.layer.saved >= _WORTH * self.total


def answer(project: Project, chosen: Iterable[Variant]) -> Answer:
    """Return the layer that saves most for the built ZIPs of variants."""
    names = dict.fromkeys(one.function.name for one in chosen if not one.function.is_layer)
    reasons = Reasons(project)
    found: dict[tuple[object, ...], list[Content]] = {}
    total, missing = 0, []
    for function in project.manifest.functions:
        if function.name not in names:
            continue
        content = _content(project, function, reasons)
        if content is None:
            missing.append(function.name)
            continue
        total += content.total
        if _may_have(function):
            key = (
                *(function.pythons, function.architectures, function.exclude),
                *(function.compression, function.strip, function.allow_sdist, function.options),
                *(function.bytecode, function.sources),
            )
            found.setdefault(key, []).append(content)
    taken = {function.name for function in project.manifest.functions}
    name = next(n for n in ("shared", *map("shared-{}".format, range(2, 99))) if n not in taken)
    layers = [one for group in found.values() for one in _candidates(group, name)]
    best = max(layers, key=lambda one: (one.saved, one.packages), default=None)
    return Answer(best if best and best.saved else None, total, missing)


def _may_have(function: Function) -> bool:
    """Tell whether a function may have one more layer, made of wheels."""
    return function.docker is None and len(function.layers) + len(function.arns) < _LAYERS


def _content(project: Project, function: Function, reasons: Reasons) -> Content | None:
    """Return a function's packages by their weights; None if a ZIP is not built."""
    common: dict[Package, Weight] | None = None
    total = 0
    requires: dict[str, set[str]] = {}
    for variant in variants.expand(function):
        path = project.layout.zip(variant.id)
        try:
            pins = [Package(pin.name, pin.version) for pin in project.pins(variant)]
            demands = reasons.all(variant)
            written = project.status(variant).written
        except BuildError:  # `why` names the problem
            return None
        if written is None:
            return None
        total += written.size
        weights = _weights(path, project, function)
        here = {pin: weights[pin.name] for pin in pins if pin.name in weights}
        # The weight of a package is that in the first ZIP; other targets have similar wheels.
        common = here if common is None else {p: w for p, w in common.items() if p in here}
        for name, some in demands.items():
            for demand in some:
                requires.setdefault(demand.by, set()).add(name)
    return Content(function, common or {}, total, requires)


def _weights(path: Path, project: Project, function: Function) -> dict[str, Weight]:
    archive = ZipReader(path)
    stored = {one.name: one.compressed_size for one in archive.members}
    found: dict[str, Weight] = {}
    own = project.sources(function)
    for one in contents.placed(contents.of_zip(path), own, with_savings=False):
        name = canonical_name(one.part.partition(" ")[0])
        known = found.get(name, Weight(0, 0))
        zipped = stored[one.path] + _HEADERS + 2 * len(one.path.encode())
        found[name] = Weight(known.zipped + zipped, known.unzipped + one.size)
    return found


def _candidates(group: Sequence[Content], name: str) -> Iterator[Layer]:
    """Yield a layer for each set of functions that share a package."""
    holders: dict[Package, tuple[int, ...]] = {}
    for number, content in enumerate(group):
        for package in content.packages:
            holders[package] = (*holders.get(package, ()), number)
    for numbers in dict.fromkeys(holders.values()):
        some = [group[number] for number in numbers]
        every = [p for p in some[0].packages if all(p in one.packages for one in some)]
        packages = _closed(every, some)
        if len(some) < 2 or not packages:  # noqa: PLR2004 - one function shares with none
            continue
        weights = [some[0].packages[package] for package in packages]
        weight = Weight(sum(w.zipped for w in weights), sum(w.unzipped for w in weights))
        if weight.unzipped > UNZIPPED_LIMIT:
            continue
        function = some[0].function
        targets = len(function.pythons) * len(function.architectures)
        before = sum(one.total for one in some)
        functions = [one.function for one in some]
        yield Layer(name, sorted(packages), functions, weight, targets, before)


def _closed(packages: Sequence[Package], some: Sequence[Content]) -> list[Package]:
    """Return the packages whose dependencies are among them, too, in the versions of all functions.

    A layer's lock has the dependencies of its packages: one in another version than a function's
    would be an error.
    """
    kept = {package.name: package for package in packages}
    while True:
        lost = {
            name
            for name in kept
            for one in some
            if any(other not in kept for other in one.requires.get(name, ()))
        }
        if not lost:
            return [kept[name] for name in kept]
        kept = {name: package for name, package in kept.items() if name not in lost}


def requirements(layer: Layer) -> list[str]:
    """Return the lines of the requirements file of a layer."""
    return [
        f"{one.name} {one.version}" if one.version.startswith("@") else f"{one.name}=={one.version}"
        for one in layer.packages
    ]


def manifest(layer: Layer) -> list[str]:
    """Return the lines of `lambdas.yaml` for a layer, to merge into it."""
    import json

    function = layer.functions[0]
    lines = ["layers:", f"  {layer.name}:", f"    requirements: layers/{layer.name}.txt"]
    lines.append(f"    python: {json.dumps([*function.pythons])}")
    lines.append(f"    architecture: {json.dumps([*function.architectures])}")
    lists = {"exclude": function.exclude, "allow_sdist": function.allow_sdist}
    lists["aws_services"] = dict(function.options).get("aws_services", ())
    lines += [f"    {key}: {json.dumps([*values])}" for key, values in lists.items() if values]
    lines += [f"    compression: {function.compression}"] * (function.compression != "deflate")
    lines += ["    strip: true"] * function.strip
    lines += ["    bytecode: true"] * function.bytecode
    lines += ["    sources: false"] * (not function.sources)
    # Where the functions name no compiler, or several, the lockfile of the layer pins one.
    if function.compilers and all(f.compilers == function.compilers for f in layer.functions):
        lines.append(f"    compiler: {json.dumps([*function.compilers])}")
    lines.append("lambdas:")
    for one in layer.functions:
        names = json.dumps([*one.layers, layer.name])
        lines += [f"  {one.name}:", f"    layers: {names}"]
    return lines


def lines(found: Answer) -> Iterator[str]:
    """Yield an answer as lines."""
    if found.missing:
        names = ", ".join(found.missing)
        yield f"Not built, so not counted: {names}; run 'lambdas build' first"
    layer = found.layer
    if layer is None:
        yield "No layer would save anything: no functions with the same targets share a package"
        return
    names = ", ".join(one.name for one in layer.functions[:_SHOWN])
    more = len(layer.functions) - _SHOWN
    names += f" and {more} more" if more > 0 else ""
    packages = f"{len(layer.packages)} package{'' if len(layer.packages) == 1 else 's'}"
    yield f"{len(layer.functions)} functions share {packages}: {names}"
    yield from _figures(found, layer)
    if not found.is_worth:
        yield f"Not worth a layer: it saves less than {_WORTH:.0%}"
        return
    yield from ("", f"layers/{layer.name}.txt:", "")
    yield from (f"  {line}" for line in requirements(layer))
    yield from ("", "lambdas.yaml, to merge:", "")
    yield from (f"  {line}" for line in manifest(layer))


def _figures(found: Answer, layer: Layer) -> Iterator[str]:
    size, unzipped = map(amount, layer.weight)
    yield f"In a layer: {size} zipped, {unzipped} unzipped"
    after, share = found.total - layer.saved, layer.saved / found.total
    yield f"All ZIPs: {amount(found.total)} now, {amount(after)} with it ({share:.0%} less)"
    mean = layer.before // (len(layer.functions) * layer.targets)
    rest = amount(mean - layer.weight.zipped)
    yield f"An edit of one function uploads {amount(mean)} now, {rest} with it"
    yield "Another version of one of the packages then deploys the layer and all of its functions"
    if layer.weight.zipped > ZIPPED_LIMIT:
        yield "The layer is too large for a direct upload; upload it through S3"
