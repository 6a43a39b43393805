"""No state outlives a call outside of an object, except where a reason stands here."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.unit.test_architecture import MODULES

REASONS = {
    "recipe: cache of build_tools()": "a file of the package, which never changes while it runs",
    "artifacts.bundled: cache of find()": "what a ZIP has, by its sha256",
    "environment.elf: cache of _structs()": "pyelftools builds the same structures for every file",
    "bytecode.compiler: cache of _inspect()": "what a program says of itself, by its path",
    "tree.secrets: cache of _any_name()": "the patterns of the package, as one",
    "tree.secrets: cache of _by_file_name()": "the same patterns, and a name that decides alone",
    "plugin.actions: run.__signature__": "of a function that is made there",
    "code.available: cache of standard_library()": "a table that never changes",
    "lock.choice: cache of ranks()": "the tags of a runtime, which its argument alone decides",
    "code.reader: cache of _parser()": "a parser keeps nothing between two sources",
    "commands.init.cdk.typescript: cache of _parser()": "the same",
    "uv.run: cache of _executable()": "the path of the installed uv",
    "console: _lock = threading.RLock": "one thread writes at a time, whatever it writes",
    "steps.run: _small = threading.Lock": "small steps of all threads take turns",
    "programs: _lock = threading.Lock": "sysconfig is not safe when two threads ask it first",
    "commands.invoke.driver: _lock = threading.Lock": "a program of its own, in its own process",
    "plugin.views: os.environ[...]": "tells the tasks' processes where to write their status",
    "uv.described: json.dumps": "the process in which uv asks an interpreter, and nothing else",
    "uv.isolated.sitecustomize: os.environ[...]": "a build backend's own process, before its start",
    "environment.in_container: os.environ[...]": "a program of its own, in its own process",
    "environment.in_container: InstallCommand._handle_target_dir": "the same: pip keeps all files",
    "environment.in_container: sys.argv": "a program of its own, which starts pip in its process",
    "environment.in_container: sys.modules[...]": "the same: pip asks this module about manylinux",
    "environment.in_container: CacheControlAdapter.build_response": "the same: pip keeps downloads",
    "environment.in_container: tempfile.mkdtemp": "the same: pip's folder gets a constant name",
    "environment.in_container: uuid.uuid4": "the same: pip's names are constant",
    "progress: _current.set()": "a context variable, whose purpose is to follow the running task",
    "progress: _current = contextvars.ContextVar": "the same",
    "progress: _logger.addHandler()": "a task's process writes its warnings into the task's file",
}

# Calls that make an object which only serves to keep something.
_MAKERS = {
    *("dict", "list", "set", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict"),
    *("Lock", "RLock", "Event", "Condition", "Semaphore", "Queue", "local", "ContextVar"),
}
_CHANGES = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"),
    *("remove", "reverse", "setdefault", "sort", "update", "addHandler", "register", "set"),
}


class Module:
    """The code of a module, and the names that live as long as it does."""

    def __init__(self, code: str) -> None:
        self.tree = ast.parse(code)
        self.shared = dict(_assigned(self.tree.body))
        self.in_classes: dict[str, ast.expr] = {}
        self.lasting = {"cls"}
        for node in ast.walk(self.tree):
            match node:
                case ast.ClassDef(name=name, body=body) if node in self.tree.body:
                    self.lasting.add(name)
                    self.in_classes |= _assigned(body)
                case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                    self.lasting |= {alias.asname or alias.name for alias in aliases}

    def state(self) -> Iterator[str]:
        """Yield each place that keeps something from one call to the next.

        A table that nothing changes keeps nothing, nor does an attribute of an instance.
        """
        for node in ast.walk(self.tree):
            yield from self._statement(node)
            yield from self._change(node)
        for name, value in (self.shared | self.in_classes).items():
            if ast.unparse(value) in {"{}", "[]"} or _is_made_empty(value):
                yield f"{name} = {ast.unparse(value).partition('(')[0]}"

    def _statement(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Global(names=names):
                yield f"global {', '.join(names)}"
            case ast.FunctionDef(name=name, decorator_list=decorators) if node in self.tree.body:
                if any(
                    re.match(r"(functools\.)?(lru_)?cache\b", ast.unparse(d)) for d in decorators
                ):
                    yield f"cache of {name}()"
            case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store()):
                if name in self.lasting:
                    yield f"{name}.{attribute}"
            case ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id=name), *_]):
                if name in self.lasting:
                    yield f"setattr({name})"

    def _change(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=change)) if change in _CHANGES:
                if self._is_shared(value):
                    yield f"{ast.unparse(value)}.{change}()"
            case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
                if self._is_shared(value) or self._is_of_a_module(value):
                    yield f"{ast.unparse(value)}[...]"

    def _is_shared(self, value: ast.expr) -> bool:
        """Tell whether an expression is an object of the module or of one of its classes."""
        match value:
            case ast.Name(id=name):
                return name in self.shared
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return isinstance(self.in_classes.get(name), ast.Dict | ast.List | ast.Set)
        return False

    def _is_of_a_module(self, value: ast.expr) -> bool:
        """Tell whether an expression is an object of a module or class that was imported."""
        match value:
            case ast.Attribute(value=ast.Name(id=name)):
                return name in self.lasting
        return False


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _is_made_empty(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    maker = ast.unparse(value.func).rpartition(".")[2]
    return maker == "ContextVar" or (maker in _MAKERS and not value.args)


@pytest.mark.parametrize("module", MODULES)
def test_no_state(module: str) -> None:
    """Nothing is kept between calls outside of an object, except for a reason."""
    found = {f"{module}: {kept}" for kept in Module(MODULES[module].read_text()).state()}
    assert found <= REASONS.keys()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("X = 1\ndef f():\n    global X\n    X = 2", ["global X"]),
        ("SEEN = set()", ["SEEN = set"]),
        ("SEEN: dict[str, str] = {}", ["SEEN = {}"]),
        ("class A:\n    seen = []", ["seen = []"]),
        ("class A:\n    seen = [1]\n    def f(self): self.seen.append(2)", ["self.seen.append()"]),
        ("X = {1: 2}\ndef f(): X[3] = 4", ["X[...]"]),
        ("X = {1: 2}\ndef f():\n    del X[1]", ["X[...]"]),
        ("X = {1: 2}\ndef f(): X.update(y)", ["X.update()"]),
        ("X = [1]\ndef f(): X.append(2)", ["X.append()"]),
        ("X = get()\ndef f(): X.addHandler(h)", ["X.addHandler()"]),
        ("class A:\n    on = False\n    def f(self): A.on = True", ["A.on"]),
        ("class A:\n    @classmethod\n    def f(cls): cls.on = 1", ["cls.on"]),
        ("from b import B\ndef f(): B.on = True", ["B.on"]),
        ("import b\ndef f(): b.on = True", ["b.on"]),
        ("import b\ndef f(): setattr(b, 'on', 1)", ["setattr(b)"]),
        ("import os\ndef f(): os.environ['X'] = ''", ["os.environ[...]"]),
        ("def f():\n    from b import B\n    B.on = True", ["B.on"]),
        ("import functools\n@functools.cache\ndef f(): ...", ["cache of f()"]),
        ("from functools import lru_cache\n@lru_cache(9)\ndef f(): ...", ["cache of f()"]),
        ("import threading\nX = threading.Lock()", ["X = threading.Lock"]),
        ("from contextvars import ContextVar\nX = ContextVar('x')", ["X = ContextVar"]),
        ("X = {1: 2}\nY = frozenset()\nW = set(X)\ndef f(x):\n    x.a = X[1]\n    x.add(1)", []),
        ("class A:\n    def f(self):\n        self.seen = []\n        self.seen.append(1)", []),
    ],
)
def test_state_is_found(code: str, found: list[str]) -> None:
    """Each way to keep something is found; a table and an object's own state are none."""
    assert list(Module(code).state()) == found
