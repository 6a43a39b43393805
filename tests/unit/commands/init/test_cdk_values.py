"""Values that `init` follows through the program of a CDK app, and those that it does not."""

from collections.abc import Callable

import pytest

from buildlib.commands.init.proposal import Proposal

Propose = Callable[..., Proposal]

# Lines before a function, its code, and the source that this gives; None for a question.
PYTHON = {
    "constant": ('where = "fn/a"', "where", "fn/a"),
    "changed before": ('where = "fn/b"\nwhere = "fn/a"', "where", "fn/a"),
    "in a branch": ('where = "fn/a"\nif x:\n    where = "fn/b"', "where", None),
    "the same in both": ('if x:\n    where = "fn/a"\nelse:\n    where = "fn/a"', "where", "fn/a"),
    "of two branches": ('if x:\n    where = "fn/a"\nelse:\n    where = "fn/b"', "where", None),
    "in a try": ('where = "fn/a"\ntry:\n    where = f()\nexcept E:\n    pass', "where", None),
    "in a loop over unknown": ('where = "fn/a"\nfor where in x:\n    pass', "where", None),
    "after a loop": ('for where in ("fn/b", "fn/a"):\n    pass', "where", "fn/a"),
    "fallback of a variable": ("", 'os.environ.get("W") or "fn/a"', None),
    "fallback of a name": ("", 'x or "fn/a"', None),
    "escape": ("", r'"fn/\a"', None),
    "fallback of None": ("", 'None or "fn/a"', "fn/a"),
    "default of get": ("", 'os.environ.get("W", "fn/a")', None),
    "get of a dict": ('c = {"w": "fn/a"}', 'c.get("w", "fn/b")', "fn/a"),
    "item of a dict": ('c = {"w": {"x": "fn/a"}}', 'c["w"]["x"]', "fn/a"),
    "changed dict": ('c = {"w": "fn/b"}\nc["w"] = "fn/a"', 'c["w"]', "fn/a"),
    "updated dict": ('c = {"w": "fn/a"}\nc.update(x)', 'c["w"]', None),
    "dict with unknown key": ('c = {"w": "fn/a"}\nc[x] = "fn/b"', 'c["w"]', None),
    "dict of a spread": ('c = {**x, "w": "fn/a"}', 'c["w"]', "fn/a"),
    "dict before a spread": ('c = {"w": "fn/a", **x}', 'c["w"]', None),
    "dict()": ('c = dict({"w": "fn/b"}, w="fn/a")', 'c["w"]', "fn/a"),
    "changed list": ('c = ["fn/b"]\nc.insert(0, "fn/a")', "c[0]", None),
    "joined list": ('c = ["fn/b"] + ["fn/a"]', "c[1]", "fn/a"),
    "function": ('def f(n, m="a"):\n    return f"{n}/{m}"', 'f("fn")', "fn/a"),
    "function of two": ('def f(n):\n    if n:\n        return "fn/a"\n    return n', "f(1)", None),
    "keywords": ('def f(*a, **k):\n    return a[0] + k["m"]', 'f("fn/", m="a")', "fn/a"),
    "lambda": ('f = lambda n: "fn/" + n', 'f("a")', "fn/a"),
    "class": ('class C:\n    W = "fn/a"', "C.W", "fn/a"),
    "object": ("class C:\n    def __init__(self, w):\n        self.w = w", 'C("fn/a").w', "fn/a"),
    "data class": ('@d\nclass C:\n    w: str = "fn/b"', 'C("fn/a").w', None),
    "data class by name": ('@d\nclass C:\n    w: str = "fn/b"', 'C(w="fn/a").w', "fn/a"),
    "data class, spread": ('@d\nclass C:\n    w: str = "fn/b"', "C(**x).w", None),
    "base class": (
        'class B:\n  def where(self):\n    return "fn/" + self.n\nclass C(B):\n  n = "a"',
        "C().where()", "fn/a",
    ),
    "super": (
        (
            "class B:\n  def __init__(self, n):\n    self.n = n\n"
            'class C(B):\n  def __init__(self):\n    super().__init__("fn/a")'
        ),
        "C().n", "fn/a",
    ),
    "comprehension": ("", '["fn/" + n for n in ("b", "a")][1]', "fn/a"),
    "format": ("", '"{}/{}".format("fn", "a")', "fn/a"),
    "format of an attribute": ("", '"fn/{0.x}".format("a")', None),
    "number": ("", '"fn/%s" % "a"', None),
    "bytes": ("", 'b"fn/a"', None),
}  # fmt: skip


@pytest.mark.parametrize("case", PYTHON)
def test_python(propose: Propose, case: str) -> None:
    """A value is followed as far as Python's rules fix it; otherwise it is a question."""
    lines, value, expected = PYTHON[case]
    found = propose(
        f"{lines}\n_lambda.Function(x, 'Up', runtime=P12, handler='index.handler', "
        f"code=Code.from_asset({value}))\n"
    )
    assert _source(found) == expected, found.notes


SCRIPT = {
    "constant": ("const where = 'fn/a';", "where", "fn/a"),
    "let": ("let where = 'fn/b'; where = 'fn/a';", "where", "fn/a"),
    "in a branch": ("let where = 'fn/a'; if (x) { where = 'fn/b'; }", "where", None),
    "in a switch": ("let w = 'fn/a'; switch (x) { case 1: w = 'fn/b'; break; }", "w", None),
    "in a function": ("let w = 'fn/b'; function f() { w = 'fn/a'; }\nf();", "w", "fn/a"),
    "ternary": ("", "x ? 'fn/a' : 'fn/b'", None),
    "fallback of null": ("const p = {};", "p.where ?? 'fn/a'", "fn/a"),
    "fallback of a variable": ("", "process.env.W ?? 'fn/a'", None),
    "object": ("const c = { w: { x: 'fn/a' } } as const;", "c.w.x", "fn/a"),
    "spread": ("const b = { w: 'fn/b' }; const c = { ...b, w: 'fn/a' };", "c.w", "fn/a"),
    "before a spread": ("const c = { w: 'fn/a', ...x };", "c.w", None),
    "assign": ("const c = Object.assign({}, { w: 'fn/b' }, { w: 'fn/a' });", "c.w", "fn/a"),
    "destructured": ("const { w: [v], y = 'fn/a' } = { w: ['b'] };", "y", "fn/a"),
    "of an array": ("const [, w] = ['fn/b', 'fn/a'];", "w", None),
    "function": ("const f = (n: string, m = 'a') => `${n}/${m}`;", "f('fn')", "fn/a"),
    "method": ("class C { w(n: string) { return 'fn/' + n; } }", "new C().w('a')", "fn/a"),
    "field": ("class C { constructor(readonly w: string) {} }", "new C('fn/a').w", "fn/a"),
    "static": ("class C { static W = 'fn/a'; }", "C.W", "fn/a"),
    "arrow field": ("class C { n = 'a'; w = () => `fn/${this.n}`; }", "new C().w()", "fn/a"),
    "entries": (
        "let w; for (const [k, v] of Object.entries({fn: 'a'})) w = k + '/' + v;",
        "w",
        "fn/a",
    ),
    "keys": ("let w = ''; for (const k in {fn: 'a'}) { w = k; }", "w", None),
    "map": ("const w = ['b', 'a'].map(n => `fn/${n}`);", "w[1]", "fn/a"),
    "filter": ("const w = ['fn/a', 'b'].filter(n => n);", "w[0]", None),
    "changed array": ("const w = ['fn/a']; w.reverse();", "w[0]", None),
    "escape": ("", r"'fn\x2fa'", None),
}


@pytest.mark.parametrize("case", SCRIPT)
def test_typescript(propose: Propose, case: str) -> None:
    """A value is followed as far as JavaScript's rules fix it; otherwise it is a question."""
    lines, value, expected = SCRIPT[case]
    found = propose(
        f"{lines}\nnew lambda.Function(x, 'Up', {{runtime: P12, handler: 'index.handler', "
        f"code: Code.fromAsset({value})}});\n",
        "lib/stack.ts",
    )
    assert _source(found) == expected, found.notes


def _source(found: Proposal) -> str | None:
    """Return the source of the declared function; None if the code is a question."""
    sources = [one.source for one in found.functions if not one.is_guess]
    assert len(sources) <= 1
    is_question = any(", Up: its code" in note for note in found.notes)
    assert is_question == (sources == [])
    return sources[0] if sources else None
