"""One element of a block that declares a function or a layer, and its values."""

import re
from typing import Any, NamedTuple

from buildlib.commands.init import candidates
from buildlib.commands.init.hcl import files, values
from buildlib.commands.init.hcl.elements import ANY, Element
from buildlib.commands.init.hcl.files import Block
from buildlib.commands.init.hcl.modules import Module
from buildlib.commands.init.hcl.values import Index, Unknown

_COMMUNITY = re.compile(r"terraform-aws-modules/(terraform-aws-)?lambda\b")


# Names of blocks that say nothing about the function.
_GENERIC = frozenset({
    *("this", "main", "default", "lambda", "function", "lambda_function", "func", "fn", "handler"),
    *("aws_lambda", "lambda_layer", "layer", "self", "self_", "it", "each", "all"),
})  # fmt: skip


class Declared(NamedTuple):
    """An element of a block in a module."""

    module: Module
    block: Block
    element: Element

    @property
    def label(self) -> str:
        """The last label of the block."""
        return self.block.labels[-1] if self.block.labels else ""

    @property
    def address(self) -> str:
        """The address, as Terraform shows it."""
        kind = () if self.block.kind == "resource" else (self.block.kind,)
        key = () if self.element.key is None else (Index(self.element.key),)
        path = values.dotted((*kind, *self.block.labels, *key))
        return f"{self.module.prefix}{path}".replace(f'"{ANY}"', "*")

    @property
    def origin(self) -> str:
        """The file of the root module that it begins in, and the address."""
        block, module = self.block, self.module
        while module.call is not None:
            block, module = module.call.block, module.call.parent
        return f"{block.place.rpartition(':')[0]}, {self.address}"

    @property
    def doubt(self) -> str:
        """The reason why it is not known which elements there are; empty if it is known."""
        return self.element.doubt or self.module.doubt

    def value(self, name: str) -> Any:  # noqa: ANN401 - a value of HCL
        """Return the value of an argument; None if it is absent or null."""
        expression = self.block.attributes.get(name)
        return expression and self.module.evaluate(expression, self.element.names)

    def text(self, name: str) -> str | None:
        """Return the value of an argument that is a known text; else None."""
        value = self.value(name)
        return value if isinstance(value, str) else None

    def unknown(self, name: str) -> str:
        """Return a phrase about an argument that is not known; empty if it is known or absent."""
        value = self.value(name)
        if not isinstance(value, Unknown):
            return ""
        expression = self.block.attributes[name]
        cause = "" if value.cause in expression.text else f" ({value.cause})"
        shown = f"{_short(expression.text)}{cause}"
        return f"its {name}, {expression.place}, is known only to Terraform: {shown}"

    def name(self, argument: str) -> str:
        """Return a name: that of the argument, else of the keys and labels in its address."""
        given = self.text(argument)
        if given:
            return candidates.valid_name(given.replace(ANY, "any"))
        if isinstance(self.element.key, str):
            return candidates.valid_name(self.element.key)
        number = "" if self.element.key is None else f"_{self.element.key}"
        own = f"{self.label}{number}"
        module = self.module
        while module.call is not None:
            key = module.call.element.key
            call = key if isinstance(key, str) else module.call.block.labels[0]
            if own in _GENERIC:
                own = call
            elif call not in _GENERIC:
                own = f"{call}_{own}"
                break
            module = module.call.parent
        return candidates.valid_name(own)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:77]}..."  # noqa: PLR2004 - of a line


def is_community(block: Block) -> bool:
    """Tell whether a block calls terraform-aws-modules/lambda itself, not a part of it."""
    source = files.literal(block.attributes.get("source")) or ""
    return bool(_COMMUNITY.search(source)) and "//modules/" not in source


def layer_label(owner: object, kind: str, name: str) -> str:
    """Return the label of a layer, unique in the repository."""
    place = f"{owner.start} {owner.address}" if isinstance(owner, Module) else ""
    return candidates.layer_label(f"{place} {kind}", name)


def own_label(declared: Declared) -> str:
    """Return the label of the layer that a block declares."""
    key = () if declared.element.key is None else (Index(declared.element.key),)
    kind = declared.block.kind if declared.block.kind == "module" else declared.block.labels[0]
    return layer_label(declared.module, kind, values.dotted((declared.label, *key)))


def used_layers(declared: Declared) -> tuple[list[str], list[str]]:
    """Return the labels of layers that the repository declares, and the names of others."""
    labels: list[str] = []
    others: list[str] = []
    value = declared.value("layers")
    for one in value if isinstance(value, list) else [value] if value is not None else []:
        match one:
            case Unknown(path=(("aws_lambda_layer_version" | "module") as kind, *path, str())):
                name = values.dotted(tuple(part for part in path if part != Index(0)))
                if _is_declared(one.owner, str(kind), str(path[0])):
                    labels.append(layer_label(one.owner, str(kind), name))
                else:
                    others.append(name)
            case Unknown(path=("data", str(), str(name), *_)):
                others.append(str(name))
            case Unknown():
                place = declared.block.attributes["layers"].place
                others.append(values.dotted(one.path) or f"of {place}")
            case str():
                others.append(_arn_name(one))
    return labels, others


def _is_declared(owner: object, kind: str, name: str) -> bool:
    labels = (kind, name) if kind == "module" else ("resource", kind, name)
    return isinstance(owner, Module) and any(True for _ in owner.of(*labels))


def _arn_name(text: str) -> str:
    """Return the name of the layer with an ARN."""
    return text.split(":layer:")[1].partition(":")[0] if ":layer:" in text else text
