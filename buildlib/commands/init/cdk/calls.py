"""Calls: of the app's own functions and classes, of methods, and of libraries."""

from abc import abstractmethod
from collections.abc import Sequence

from buildlib.commands.init.cdk import library, program
from buildlib.commands.init.cdk.expressions import Expressions
from buildlib.commands.init.cdk.program import Parameter, shown
from buildlib.commands.init.cdk.values import (
    Closure,
    Instance,
    Klass,
    Made,
    Method,
    Name,
    Record,
    Scope,
    Unknown,
    Value,
    is_same,
)

# Calls inside of calls.
_DEPTH = 20


CONSTRUCTORS = ("__init__", "constructor")


class Calls(Expressions):
    """Evaluates calls; `made` are the results of libraries, in the order of their evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Made] = []
        self.called: set[program.Function] = set()
        self.closures: list[Closure] = []
        self.instances: dict[Klass, Instance] = {}
        self._returned: list[list[Value]] = []

    @abstractmethod
    def run_block(self, statements: Sequence[program.Statement], scope: Scope) -> None:
        """Follow statements."""

    @abstractmethod
    def replace(self, place: program.Expression, value: Value, scope: Scope) -> None:
        """Put a changed list or record in its place; values themselves never change."""

    def closure(self, function: program.Function, scope: Scope) -> Closure:
        """Return a function as a value."""
        closure = Closure(function, scope)
        self.closures.append(closure)
        return closure

    def call(self, call: program.Call, scope: Scope) -> Value:
        """Return the result of a call."""
        positional, keywords = self.arguments(call.arguments, scope)
        if _is_super(call.function, scope):
            return self._super(call, positional, keywords, scope)
        target = self.value(call.function, scope)
        result: Value = None
        match target:
            case Closure():
                return self.apply(target, positional, keywords)
            case Klass():
                return self._instantiate(target, positional, keywords, call, scope)
            case Name(dotted="dict" | "Object.assign"):
                result = _merged([*positional, keywords])
            case Name(dotted=dotted) if known := library.FUNCTIONS.get(dotted):
                result = known(positional)
            case Name(dotted=dotted) if dotted.endswith(".__init__"):
                base = dotted.removesuffix(".__init__")
                return self._make(base, positional[1:], keywords, call, scope)
            case Name(dotted=dotted):
                return self._make(dotted, positional, keywords, call, scope)
            case Method():
                result = self._method(target, positional, call, scope)
            case Unknown() if shown(call.function).endswith("Function"):
                self._make(f"?{shown(call.function)}", positional, keywords, call, scope)
        return Unknown(shown(call)) if result is None else result

    def returned(self, value: Value) -> None:
        """Note a value that the present function returns."""
        if self._returned:
            self._returned[-1].append(value)

    def apply(self, closure: Closure, positional: list[Value] | None, keywords: Record) -> Value:
        """Call a function; its arguments are unknown if `positional` is None."""
        function, me = closure.function, closure.me
        self.called.add(function)
        if len(self._returned) >= _DEPTH:
            return Unknown(f"{function.name}(...)")
        owner = closure.klass.definition.name if closure.klass else function.name
        outer = closure.scope
        scope = Scope(outer.file, {}, outer, owner or outer.owner, closure.klass)
        parameters = function.parameters
        if closure.klass:
            scope.names |= {"this": me, "self": me}
            if outer.file.endswith(".py") and parameters and not function.is_static:
                self.bind(parameters[0].pattern, me or closure.klass, scope)
                parameters = parameters[1:]
        self._bind(parameters, positional, keywords, scope)
        self._returned.append([])
        self.run_block(function.body, scope)
        results = self._returned.pop()
        if all(is_same(result, results[0]) for result in results):
            return results[0] if results else None
        return Unknown(f"{function.name}(...)")

    def _bind(
        self,
        parameters: Sequence[Parameter],
        positional: list[Value] | None,
        keywords: Record,
        scope: Scope,
    ) -> None:
        """Give parameters their values."""
        rest, named = list(positional or []), Record(keywords)
        for parameter in parameters:
            name = parameter.pattern if isinstance(parameter.pattern, str) else ""
            if positional is None:
                value: Value = Unknown(name or "an argument")
            elif parameter.spread == 1:
                value, rest = rest, []
            elif parameter.spread:
                value = named
                value.is_open = keywords.is_open
            elif rest:
                value = rest.pop(0)
            elif name in named:
                value = named.pop(name)
            elif keywords.is_open:
                value = Unknown(name)
            else:
                default = parameter.default
                value = self.value(default, scope) if default is not None else None
            self.bind(parameter.pattern, value, scope)
            me = scope.names.get("this")
            if parameter.is_field and isinstance(me, Instance):
                me.attributes[name] = value

    def _instantiate(
        self,
        klass: Klass,
        positional: list[Value],
        keywords: Record,
        call: program.Call,
        scope: Scope,
    ) -> Value:
        me = self.instances[klass] = Instance(klass)
        if constructor := self.constructor(klass, me):
            self.apply(constructor, positional, keywords)
        else:
            me.made = self._base(klass, positional, keywords, call, scope)
            # The fields of a dataclass, whose order is not known here.
            unknown = positional or keywords.is_open
            me.attributes |= {name: Unknown(name) for name in klass.attributes if unknown}
            me.attributes |= keywords
        return me

    def constructor(self, klass: Klass, me: Instance) -> Closure | None:
        """Return the constructor of an object; None if its class has none in the repository."""
        for name in CONSTRUCTORS:
            if found := klass.method(name):
                return Closure(found[0], found[1].scope, me, found[1])
        return None

    def _super(
        self, call: program.Call, positional: list[Value], keywords: Record, scope: Scope
    ) -> Value:
        """Call the constructor of a base class."""
        place: Scope | None = scope
        while place is not None and place.klass is None:
            place = place.outer
        me = place.names.get("self") if place else None
        if place is None or place.klass is None or not isinstance(me, Instance):
            return None
        for base in place.klass.bases:
            if isinstance(base, Klass) and (constructor := self.constructor(base, me)):
                self.apply(constructor, positional, keywords)
                return None
        me.made = self._base(place.klass, positional, keywords, call, scope)
        return None

    def _base(
        self,
        klass: Klass,
        positional: list[Value],
        keywords: Record,
        call: program.Call,
        scope: Scope,
    ) -> Made | None:
        """Return the result of the library's class that a class is made from."""
        for base in klass.bases:
            if isinstance(base, Name):
                return self._make(base.dotted, positional, keywords, call, scope)
            if isinstance(base, Klass):
                return self._base(base, positional, keywords, call, scope)
        return None

    def _make(
        self,
        dotted: str,
        positional: list[Value],
        keywords: Record,
        call: program.Call,
        scope: Scope,
    ) -> Made:
        made = Made(dotted, tuple(positional), keywords, scope.file, call.line, scope.owner)
        self.made.append(made)
        return made

    def _method(
        self, method: Method, arguments: list[Value], call: program.Call, scope: Scope
    ) -> Value:
        """Call a method of a text, list or record."""
        of, name = method.of, method.name
        callback = arguments[0] if arguments else None
        if isinstance(of, list) and name in {"forEach", "map"} and isinstance(callback, Closure):
            elements = self.elements(of)
            if elements is None:
                return None
            return [self.apply(callback, [one, n], Record()) for n, one in enumerate(elements)]
        if name not in library.CHANGES or not isinstance(call.function, program.Attribute):
            return library.call_method(method, arguments)
        changed: Value = Unknown(shown(call.function.of))
        if isinstance(of, list) and name in {"append", "push"}:
            changed = [*of, *arguments]
        elif isinstance(of, list) and name == "extend" and isinstance(callback, list):
            changed = [*of, *callback]
        elif isinstance(of, Record) and name == "update":
            changed = _merged([of, *arguments, self.arguments(call.arguments, scope)[1]])
        self.replace(call.function.of, library.bounded(changed), scope)
        return None


def _is_super(function: program.Expression, scope: Scope) -> bool:
    if not scope.file.endswith(".py"):
        return function == program.Ref("super")
    match function:
        case program.Attribute(of=program.Call(function=program.Ref("super")), name="__init__"):
            return True
    return False


def _merged(parts: Sequence[Value]) -> Value:
    result = Record()
    for part in parts:
        result = result.merged(part)
    return result
