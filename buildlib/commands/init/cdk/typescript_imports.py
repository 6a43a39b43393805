"""Translate the imports of a TypeScript or JavaScript file of a CDK app."""

from typing import TYPE_CHECKING

from buildlib.commands.init.cdk import program
from buildlib.commands.init.cdk.program import Statement
from buildlib.commands.init.cdk.syntax import named, text

if TYPE_CHECKING:
    from tree_sitter import Node


def required(node: "Node") -> str | None:
    """Return the module of `require("module")`."""
    if node.type != "call_expression" or text(node.child_by_field_name("function")) != "require":
        return None
    arguments = named(node.child_by_field_name("arguments"))
    return text(arguments[0]).strip("'\"`") if arguments else None


def imports(node: "Node") -> list[Statement]:
    """Translate an `import` statement."""
    found: list[Statement] = []
    for clause in named(node):
        module = text(node.child_by_field_name("source")).strip("'\"")
        for child in named(clause):
            if clause.type == "import_require_clause" and child.type == "identifier":
                module = text(clause.child_by_field_name("source")).strip("'\"")
                found.append(program.Import(module, "", text(child)))
            elif child.type == "identifier":
                found.append(program.Import(module, "default", text(child)))
            elif child.type == "namespace_import":
                found += (program.Import(module, "", text(one)) for one in named(child))
            elif child.type == "named_imports":
                for one in named(child):
                    name = text(one.child_by_field_name("name"))
                    alias = text(one.child_by_field_name("alias"))
                    found.append(program.Import(module, name, alias or name))
    return found


def reexports(node: "Node") -> list[Statement]:
    """Translate `export * from` and `export {a} from`."""
    module = text(node.child_by_field_name("source")).strip("'\"")
    clause = next((child for child in named(node) if child.type == "export_clause"), None)
    if clause is None:
        return [program.Import(module, "*", "")]
    found: list[Statement] = []
    for one in named(clause):
        name = text(one.child_by_field_name("name"))
        found.append(program.Import(module, name, text(one.child_by_field_name("alias")) or name))
    return found
