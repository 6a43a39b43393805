"""The functions and layers of one module of Terraform, and of the modules that it calls."""

from collections.abc import Iterator
from dataclasses import replace

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate
from buildlib.commands.init.hcl.elements import ANY, Element
from buildlib.commands.init.hcl.files import Block
from buildlib.commands.init.hcl.modules import Module
from buildlib.commands.init.hcl.values import Unknown
from buildlib.commands.init.terraform import blocks, packages
from buildlib.commands.init.terraform.blocks import Declared

# Arguments of somebody else's module that may name the folder of the code.
_FOLDERS = (
    *("source_path", "source_dir", "source_code", "src_dir", "src_path", "code_path", "code_dir"),
    *("lambda_path", "lambda_dir", "function_path", "path", "source_file"),
)


def find(module: Module, notes: list[str]) -> Iterator[Candidate]:
    """Yield the functions and layers of a module; those of `count = 0` last, if at all."""
    off: list[Candidate] = []
    for block in module.of("resource", "aws_lambda_layer_version"):
        yield from _layers(module, block, notes)
    for block in module.of("resource", "aws_lambda_function"):
        is_off, elements = _elements(module, block)
        for element in elements:
            if not module.world.budget.spend(20):
                return
            found = list(_function(Declared(module, block, element), notes))
            off += found if is_off else []
            yield from [] if is_off else found
    for block in module.of("module"):
        yield from of_call(module, block, notes)
    for function in off:
        if function.source and function.handler:
            function.is_off = True
            function.notes.append("its count is 0, as far as the files say")
            yield function


def _elements(module: Module, block: Block) -> tuple[bool, list[Element]]:
    """Return whether a block has no element, and its elements; the one it could have if none."""
    elements = module.elements(block)
    return not elements, elements or [Element(None, {"count": {"index": 0}})]


def of_call(module: Module, block: Block, notes: list[str]) -> Iterator[Candidate]:
    """Yield the functions and layers of a block `module`."""
    if module.target(block) is not None:
        children = module.called(block)
        for child in children:
            yield from find(child, notes)
        if not children:
            note = f"{block.place}, module.{block.labels[0]}: no element is known; skipped"
            notes += [] if note in notes else [note]
        return
    for element in module.elements(block):
        if not module.world.budget.spend(20):
            return
        declared = Declared(module, block, element)
        if not blocks.is_community(block):
            if "handler" in block.attributes:
                yield from _function(declared, notes)
        elif declared.value("create_layer") is True:
            yield from _layer(declared, notes)
        elif declared.value("create_function") is not False:
            yield from _function(declared, notes)


def _function(declared: Declared, notes: list[str]) -> Iterator[Candidate]:
    """Yield the function that an element declares, or one for each folder that fits it."""
    if declared.value("package_type") == "Image":
        notes.append(f"{declared.origin}: a container image, not a ZIP; skipped")
        return
    function = Candidate(declared.name("function_name"), declared.origin)
    for name in ("handler", "runtime"):
        setattr(function, name, declared.text(name))
        if unknown := declared.unknown(name):
            function.notes.append(unknown)
    _set_architecture(function, declared)
    _set_source(function, declared)
    function.layers, others = blocks.used_layers(declared)
    if others:
        function.notes.append(candidates.layers_note(others))
    yield from _fitting(function, declared, notes)


def _set_architecture(function: Candidate, declared: Declared) -> None:
    value = declared.value("architectures")
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str):
        function.architecture = first
    elif isinstance(first, Unknown):
        expression = declared.block.attributes["architectures"]
        function.notes.append(
            f"its architectures, {expression.place}, are known only to Terraform: {first.cause}"
        )


def _set_source(function: Candidate, declared: Declared) -> None:
    block = declared.block
    if block.kind == "module" and "source_path" in block.attributes:
        packages.set_source_of_module(function, declared)
        return
    if block.kind == "module" and not blocks.is_community(block):
        found = (packages.place(declared.module, declared.value(name)) for name in _FOLDERS)
        function.source = next((path for path in found if path), None)
        if function.source is not None:
            return
    packages.set_source_of_resource(function, declared)


def _fitting(function: Candidate, declared: Declared, notes: list[str]) -> Iterator[Candidate]:
    """Yield a function, or one for each folder of the repository that fits an unknown key."""
    if not declared.doubt:
        yield function
        return
    source = function.source or ""
    keys = packages.fitting(declared.module.world.root, source) if ANY in source else {}
    if not keys:
        function.is_open = True
        function.notes.insert(0, declared.doubt)
        yield function
        return
    shown = source.replace(ANY, "*")
    notes.append(f"{declared.origin}: {declared.doubt}; proposed for each folder {shown}")
    for key, path in keys.items():
        yield replace(
            function,
            name=_name(function, declared, key),
            origin=declared.origin.replace("[*]", f'["{key}"]'),
            source=path,
            handler=function.handler and function.handler.replace(ANY, key),
            include=[(p.replace(ANY, key), to.replace(ANY, key)) for p, to in function.include],
            layers=[label.replace(ANY, key) for label in function.layers],
            notes=[note.replace(ANY, key) for note in function.notes],
        )


def _name(function: Candidate, declared: Declared, key: str) -> str:
    given = declared.text("function_name")
    if given and ANY in given:
        return candidates.valid_name(given.replace(ANY, key))
    return function.name if given else candidates.valid_name(key)


def _layers(module: Module, block: Block, notes: list[str]) -> Iterator[Candidate]:
    for element in module.elements(block):
        yield from _layer(Declared(module, block, element), notes)


def _layer(declared: Declared, notes: list[str]) -> Iterator[Candidate]:
    """Yield the layer that an element declares, if a folder of the repository is its content."""
    layer = Candidate(declared.name("layer_name"), declared.origin, is_layer=True)
    root = declared.module.world.root
    if "source_path" in declared.block.attributes:
        _set_layer_source(layer, declared)
    else:
        packages.set_source_of_resource(layer, declared)
    is_folder = layer.source not in {None, "."} and (root / str(layer.source)).is_dir()
    if not is_folder:
        notes.append(
            f"{declared.origin}: a layer whose content is not a folder of this repository; skipped"
        )
        return
    layer.layers = [blocks.own_label(declared)]
    yield layer


def _set_layer_source(layer: Candidate, declared: Declared) -> None:
    """Set the content of a layer by the community module; `python` before it is ours, too."""
    value = declared.value("source_path")
    first = value[0] if isinstance(value, list) and value else value
    details = first if isinstance(first, dict) else {"path": first}
    layer.source = path = packages.place(declared.module, details.get("path"))
    if path and details.get("prefix_in_zip") == "python":
        layer.include = [(path, ".")]
        if (declared.module.world.root / path / "requirements.txt").is_file():
            layer.requirements = f"{path}/requirements.txt"
