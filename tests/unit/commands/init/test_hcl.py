"""Expressions of HCL: their values, what stays unknown, and the bounds of hostile ones."""

import time
from pathlib import Path
from typing import Any

import pytest

from buildlib.commands.init.hcl import files, paths
from buildlib.commands.init.hcl.modules import Module, World
from buildlib.commands.init.hcl.values import Unknown
from tests.unit.conftest import write


def module(root: Path, text: str, folder: str = "infra") -> Module:
    """Return a root module of one file."""
    return Module(
        World(root, {folder: [files.read(f"{folder}/main.tf", text.encode())]}, folder), folder
    )


def value(root: Path, expression: str, others: str = "") -> Any:  # noqa: ANN401 - of HCL
    """Return the value of an expression."""
    return module(root, f"locals {{\n x = {expression}\n{others}\n}}\n").resolve(("local", "x"))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('"a-${1 + 2}-${true}"', "a-3-true"),
        ('"${["a"]}"', ["a"]),
        (r'"$${x} %%{y} \"\u00e9\n"', '${x} %{y} "é\n'),
        ('{ a = 1, "b-c" : 2, ("d") = 3 }', {"a": 1, "b-c": 2, "d": 3}),
        ('[for i, v in ["a", "b"] : "${i}${v}" if v != "a"]', ["1b"]),
        ("{ for k, v in { a = 1 } : upper(k) => v }", {"A": 1}),
        ('{ for v in ["a", "b", "a"] : v => 1... }', {"a": [1, 1], "b": [1]}),
        ('{ for v in toset(["b", "a"]) : v => v }', {"a": "a", "b": "b"}),
        ('try({}.handler, null["x"], "app.handler")', "app.handler"),
        ("can({}.a) ? 1 : 2", 2),
        ('lookup({ a = "x" }, "b", "y")', "y"),
        ("merge({ a = 1 }, { a = 2, b = 3 })", {"a": 2, "b": 3}),
        ('concat(["a"], [], ["b"])[1]', "b"),
        ('element(["a", "b"], 3)', "b"),
        ('[{ n = "a" }, { n = "b" }][*].n', ["a", "b"]),
        ('[{ n = "a" }].0.n', "a"),
        ('format("%s-%03d-%%-%q", "a", 7, "b")', 'a-007-%-"b"'),
        ('join("/", ["a", "b"])', "a/b"),
        ('replace("a_b", "_", "-")', "a-b"),
        ('basename("x/y.py")', "y.py"),
        ('dirname("x/y.py")', "x"),
        ('trimsuffix("y.py", ".py")', "y"),
        ('[for p in setproduct(["a"], ["b", "c"]) : join("", p)]', ["ab", "ac"]),
        ('zipmap(["a"], [1])', {"a": 1}),
        ("keys({ b = 1, a = 2 })", ["a", "b"]),
        ('flatten([["a"], [["b"]]])', ["a", "b"]),
        ('coalesce(null, "", "x")', "x"),
        ('slice(["a", "b", "c"], 1, 3)', ["b", "c"]),
        ('length({ a = 1 }) == 1 && !false ? "yes" : "no"', "yes"),
        ("-(2 * 3) % 4 < 0 || 1 / 0 == 1", True),
        ('jsondecode("{\\"a\\": [1]}")', {"a": [1]}),
        ('yamldecode("a: {b: c}")', {"a": {"b": "c"}}),
        ('keys(fileset(path.module, "src/**/*.{py,txt}"))', ["src/a/x.txt", "src/b.py"]),
        ('abspath("${path.module}/../infra/src")', f"{paths.ROOT}/infra/src"),
        ('file("${path.root}/src/a/x.txt")', "hello"),
        ('fileexists("src/none")', False),
    ],
)  # fmt: skip
def test_values(tmp_path: Path, expression: str, expected: object) -> None:
    """Expressions have the values that Terraform gives them."""
    write(tmp_path, {"infra/src/a/x.txt": "hello", "infra/src/b.py": "", "infra/src/c.md": ""})
    assert value(tmp_path, expression) == expected


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("var.stage", "var.stage is not declared"),
        ('"${aws_s3_bucket.code.id}/x"', "aws_s3_bucket.code.id"),
        ("var.a ? 1 : 2", "var.a is not declared"),
        ("uuid()", "the function uuid is not evaluated here"),
        ("{}.handler", "no element handler"),
        ("local.y", "local.x refers to itself"),
        ('file("/etc/passwd")', "there is no file /etc/passwd"),
        ('file("../../x")', "there is no file ../../x"),
        ('file("link")', "there is no file link"),
        ('replace("a", "/a+/", "b")', "it replaces by a regular expression"),
        ('fileset("../..", "*")', "its pattern or folder is not evaluated here"),
        ('"%{ if true }a%{ endif }"', "it has a template directive"),
    ],
)
def test_unknown(tmp_path: Path, expression: str, cause: str) -> None:
    """An unknown value says why it is unknown; no file outside the repository is read."""
    (tmp_path / "x").write_text("outside")
    root = tmp_path / "repository"
    write(root, {"infra/a": ""})
    (root / "infra/link").symlink_to(tmp_path / "x")
    found = value(root, expression, "y = local.x")
    assert isinstance(found, Unknown)
    assert found.cause == cause


def test_an_unknown_part_leaves_the_others(tmp_path: Path) -> None:
    """A map is known whatever some of its values are."""
    found = value(tmp_path, "merge({ a = var.b }, { c = 1 })")
    assert found["c"] == 1
    assert isinstance(found["a"], Unknown)


def test_types_of_variables(tmp_path: Path) -> None:
    """Optional attributes get their default or null, also in maps; a list becomes a set."""
    text = """
    variable "functions" {
      type = map(object({
        path   = string
        python = optional(string, "3.13")
        more   = optional(object({ a = optional(number, 1) }), {})
        none   = optional(any)
      }))
      default = { x = { path = "p", more = {} } }
    }
    variable "names" {
      type    = set(string)
      default = ["b", "a"]
    }
    """
    one = module(tmp_path, text)
    assert one.resolve(("var", "functions")) == {
        "x": {"path": "p", "python": "3.13", "more": {"a": 1}, "none": None}
    }
    assert list(one.resolve(("var", "names"))) == ["a", "b"]


DOUBLED = "\n".join(f'a{n + 1} = "${{local.a{n}}}${{local.a{n}}}"' for n in range(60))
NESTED = "\n".join(f"b{n + 1} = [local.b{n}, local.b{n}]" for n in range(60))
SQUARED = "\n".join(f"c{n + 1} = local.c{n} * local.c{n}" for n in range(60))


@pytest.mark.parametrize(
    "expression",
    [
        "local.a60", "flatten(local.b60)", "local.c60", "local.b60 == local.b59",
        "range(100000000)", "setproduct(range(9000), range(9000))",
        "[for i in range(9000) : [for j in range(9000) : [for k in range(9000) : k]]]",
        'join("", [for i in range(9000) : join("", [for j in range(9000) : "xxxxxxxxxxxxxx"])])',
        f"{'[' * 300}{']' * 300}", f"{'(' * 3000}1{')' * 3000}",
        "99999999999999999999999999", 'jsondecode(file("deep.json"))',
        'yamldecode(file("bomb.yaml"))', 'fileset(".", "*a*a*a*a*a*a*a*a*a*b")',
        'fileset(".", "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}")',
    ],
)  # fmt: skip
def test_hostile(tmp_path: Path, expression: str) -> None:
    """The time and size of an evaluation are bounded."""
    names = zip("abcdefgh", "bcdefghi", strict=True)
    bomb = "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in names)
    write(tmp_path, {
        "infra/deep.json": "[" * 100_000,
        "infra/bomb.yaml": f"a: &a [1]\n{bomb}",
        f"infra/{'a' * 200}": "",
    })  # fmt: skip
    start = time.process_time()
    others = f'a0 = "xxxxxxxx"\n{DOUBLED}\nb0 = ["x"]\n{NESTED}\nc0 = 99999\n{SQUARED}\n'
    found = value(tmp_path, expression, others)
    assert time.process_time() - start < 20
    assert len(str(found)) < 100_000
