"""The values of expressions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from buildlib.commands.init.cdk import library, program
from buildlib.commands.init.cdk.program import Expression, shown
from buildlib.commands.init.cdk.values import (
    Closure,
    Here,
    Instance,
    Klass,
    Module,
    Name,
    Record,
    Scope,
    Unknown,
    Value,
)

# Expressions and blocks inside of each other, of all functions that call each other. One needs up
# to five calls of Python's, whose own limit counts differently from one version to the next.
NESTING = 120


class Expressions(ABC):
    """Evaluates expressions; calls are up to the subclass."""

    def __init__(self) -> None:
        self.is_cut = False  # whether something was nested too deep to be followed
        self.nesting = 0
        self._forms: dict[type, Callable[..., Value]] = {
            program.Literal: lambda expression, _: expression.value,
            program.Ref: self._ref,
            program.Attribute: self._attribute,
            program.Item: self._item,
            program.Call: self.call,
            program.Text: self._text,
            program.Join: self._join,
            program.Fallback: self._fallback,
            program.Sequence: self._sequence,
            program.Mapping: self._mapping,
            program.Each: self._each,
            program.Opaque: self._opaque,
            program.Function: self.closure,
        }

    @abstractmethod
    def call(self, call: program.Call, scope: Scope) -> Value:
        """Return the result of a call."""

    @abstractmethod
    def closure(self, function: program.Function, scope: Scope) -> Value:
        """Return a function as a value."""

    @abstractmethod
    def bind(self, pattern: program.Pattern, value: Value, scope: Scope) -> None:
        """Give the names of a pattern their values."""

    def value(self, expression: Expression, scope: Scope) -> Value:
        """Return the value of an expression, which may be `Unknown`."""
        if self.nesting >= NESTING:
            self.is_cut = True
            return Unknown("an expression that is nested too deep")
        self.nesting += 1
        found = library.bounded(self._forms[type(expression)](expression, scope))
        self.nesting -= 1
        return found

    def _ref(self, ref: program.Ref, scope: Scope) -> Value:
        found = scope.find(ref.name)
        if found is not None:
            return found.names[ref.name]
        return Name(ref.name) if ref.name in library.BUILTINS else Unknown(ref.name)

    def _attribute(self, attribute: program.Attribute, scope: Scope) -> Value:
        if shown(attribute).startswith("import.meta."):
            places = {"url": scope.file, "filename": scope.file, "dirname": _folder(scope.file)}
            return Here(places.get(attribute.name, scope.file))
        of = self.value(attribute.of, scope)
        if isinstance(of, Name):
            return Name(f"{of.dotted}.{attribute.name}")
        found = self.attribute(of, attribute.name)
        return Unknown(shown(attribute)) if isinstance(found, Unknown) else found

    def attribute(self, of: Value, name: str) -> Value:
        """Return an attribute of a value."""
        match of:
            case Instance(attributes=attributes, klass=klass):
                return attributes[name] if name in attributes else self._member(klass, name, of)
            case Klass():
                return self._member(of, name, None)
            case Module(scope=scope):
                return scope.names.get(name, Unknown(name))
            case str() | list() | Record():
                return library.attribute(of, name)
        return Unknown(name)

    def _member(self, klass: Klass, name: str, me: Value) -> Value:
        """Return an attribute or method of a class, or of its bases."""
        if name in klass.attributes:
            found = klass.attributes[name]
            is_method = isinstance(found, Closure) and me is not None
            return Closure(found.function, found.scope, me, klass) if is_method else found
        if method := klass.method(name):
            return Closure(method[0], method[1].scope, me, method[1])
        for base in klass.bases:
            if isinstance(base, Klass):
                return self._member(base, name, me)
        return Unknown(name)

    def _item(self, item: program.Item, scope: Scope) -> Value:
        of, key = self.value(item.of, scope), self.value(item.key, scope)
        if isinstance(of, Record) and isinstance(key, str) and key in of:
            return of[key]
        if isinstance(of, list) and isinstance(key, int) and key < len(of):
            return of[key]
        return Unknown(shown(item))

    def _text(self, text: program.Text, scope: Scope) -> Value:
        parts = [self.value(part, scope) for part in text.parts]
        if len(parts) == 2 and all(isinstance(part, list) for part in parts):  # noqa: PLR2004
            return [*parts[0], *parts[1]]
        if len(parts) == 2 and all(isinstance(part, int) for part in parts):  # noqa: PLR2004
            return parts[0] + parts[1]
        return library.concatenate(parts)

    def _join(self, join: program.Join, scope: Scope) -> Value:
        joined = library.join([self.value(join.left, scope), self.value(join.right, scope)])
        return Unknown(shown(join)) if joined is None else joined

    def _fallback(self, fallback: program.Fallback, scope: Scope) -> Value:
        left, right = self.value(fallback.left, scope), self.value(fallback.right, scope)
        return left if isinstance(left, Unknown) or left not in (None, "", []) else right

    def _sequence(self, sequence: program.Sequence, scope: Scope) -> Value:
        items: list[Value] = []
        for item in sequence.items:
            value = self.value(item.value, scope)
            if not item.spread:
                items.append(value)
            elif isinstance(value, list):
                items += value
            else:
                items.append(Unknown(shown(item.value)))
        return items

    def _mapping(self, mapping: program.Mapping, scope: Scope) -> Value:
        record = Record()
        for key, expression in mapping.pairs:
            value = self.value(expression, scope)
            if key is None:
                record = record.merged(value)
                continue
            known = self.value(key, scope)
            if isinstance(known, str):
                record[known] = value
            else:
                record = record.merged(Unknown(shown(key)))
        return record

    def elements(self, value: Value) -> list[Value] | None:
        """Return the elements of an iterable; None if they are unknown."""
        if isinstance(value, Record):
            value = None if value.is_open else list(value)
        return value if isinstance(value, list) else None

    def _each(self, each: program.Each, scope: Scope) -> Value:
        elements = self.elements(self.value(each.iterable, scope))
        results = []
        for element in [Unknown("an element")] if elements is None else elements:
            inner = Scope(scope.file, {}, scope, scope.owner)
            self.bind(each.target, element, inner)
            results.append(self.value(each.element, inner))
        return Unknown(shown(each.iterable)) if elements is None else results

    def _opaque(self, opaque: program.Opaque, scope: Scope) -> Value:
        for part in opaque.parts:
            self.value(part, scope)
        return Unknown(shown(opaque))

    def arguments(
        self, arguments: Sequence[program.Argument], scope: Scope
    ) -> tuple[list[Value], Record]:
        """Return the values of positional and of named arguments."""
        positional: list[Value] = []
        keywords = Record()
        for argument in arguments:
            value = self.value(argument.value, scope)
            if argument.name:
                keywords[argument.name] = value
            elif argument.spread == 1 and isinstance(value, list):
                positional += value
            elif argument.spread == 2 and isinstance(value, Record):  # noqa: PLR2004 - **value
                keywords = keywords.merged(value)
            elif argument.spread:  # a call gives no argument twice, so the others stay known
                keywords.is_open = True
            else:
                positional.append(value)
        return positional, keywords


def _folder(file: str) -> str:
    return file.rpartition("/")[0] or "."
