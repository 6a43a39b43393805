"""Functions and layers that `init` reads from CDK apps, in both languages."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlib.commands.init import proposal
from buildlib.commands.init.candidates import Candidate
from buildlib.commands.init.cdk import program, sources
from buildlib.commands.init.proposal import Proposal
from tests.unit.commands.init.conftest import HANDLER, SCRIPT, SOURCES
from tests.unit.conftest import write

Propose = Callable[..., Proposal]

TS = "lib/stack.ts"


def declared(proposed: Proposal) -> dict[str, Candidate]:
    """Return the functions that CDK declares, by name."""
    return {one.name: one for one in proposed.functions if not one.is_guess}


CODES = [
    'Code.from_asset("fn/a")',
    '_lambda.Code.from_asset(path="./fn/a")',
    '_lambda.AssetCode("fn/a")',
    'cdk.aws_lambda.Code.from_asset("fn/a")',
    'Code.from_asset(os.path.join(os.path.dirname(__file__), "..", "fn/a"))',
    'Code.from_asset(os.path.join(os.path.dirname(os.path.dirname(__file__)), "fn/a"))',
    'Code.from_asset(str(Path(__file__).resolve().parent.parent / "fn" / "a"))',
    'Code.from_asset(str(pathlib.Path(__file__).parents[1].joinpath("fn", "a")))',
    'Code.from_asset(os.path.join(os.getcwd(), "fn", "a"))',
    'Code.from_asset(f"{Path(__file__).parent}/../fn/a")',
    'Code.from_asset("fn/" + "{}".format("a"))',
]


@pytest.mark.parametrize("code", CODES)
def test_paths_of_python(propose: Propose, code: str) -> None:
    """A literal path is from the folder of cdk.json; one made from `__file__` from the program."""
    found = propose(f'_lambda.Function(x, "Up", runtime=P12, handler="index.handler", code={code})')
    assert {n: f.source for n, f in declared(found).items()} == {"up": "fn/a"}


SCRIPT_CODES = [
    "Code.fromAsset('fn/a')",
    "new lambda.AssetCode('fn/a')",
    "cdk.aws_lambda.Code.fromAsset(`fn/a`)",
    "Code.fromAsset(path.join(__dirname, '..', 'fn', 'a'))",
    "Code.fromAsset(path.resolve(__dirname, '../fn/a'), {})",
    "Code.fromAsset(`${__dirname}/../fn/a`)",
    "Code.fromAsset(__dirname + '/../fn/a')",
    "Code.fromAsset(path.join(import.meta.dirname, '../fn/a'))",
    "Code.fromAsset(path.join(path.dirname(__filename), '../fn/a'))",
    "Code.fromAsset(path.join(process.cwd(), 'fn/a'))",
]


@pytest.mark.parametrize("code", SCRIPT_CODES)
def test_paths_of_typescript(propose: Propose, code: str) -> None:
    """The same holds for `__dirname` and its kin."""
    call = f"{{runtime: P12, handler: 'index.handler', code: {code}}}"
    found = propose(f"new lambda.Function(x, 'Up', {call});", TS)
    assert {n: f.source for n, f in declared(found).items()} == {"up": "fn/a"}


RUNTIMES = [
    ("_lambda.Runtime.PYTHON_3_13", "python3.13"),
    ("cdk.aws_lambda.Runtime.PYTHON_3_10", "python3.10"),
    ('Runtime("python3.12")', "python3.12"),
    ('_lambda.Runtime(name="python3.12")', "python3.12"),
    ("Runtime.PYTHON_3_8", "python3.8"),
    ("Runtime.PYTHON_3_12 if x else Runtime.PYTHON_3_13", None),
    ("config.runtime", None),
]


@pytest.mark.parametrize(("runtime", "value"), RUNTIMES)
def test_runtimes(propose: Propose, runtime: str, value: str | None) -> None:
    """A runtime is taken as it is written; one of two, or of a variable, is a question."""
    found = propose(
        f'_lambda.Function(x, "Up", runtime={runtime}, handler="index.handler", '
        'code=Code.from_asset("fn/a"), architecture=Architecture.ARM_64)'
    )
    function = declared(found)["up"]
    assert (function.runtime, function.architecture) == (value, "arm64")
    is_question = any("its runtime" in note for note in found.notes)
    assert is_question == (value in {None, "python3.8"})


def test_python_function(propose: Propose) -> None:
    """`index` and `handler` of PythonFunction have CDK's defaults, and paths become modules."""
    found = propose(
        'python_.PythonFunction(x, "One", entry="fn/a", runtime=P12)\n'
        'python_.PythonFunction(scope=x, id="Two", entry="fn/b", index="sub/app.py", runtime=P12)\n'
    )
    assert {n: (f.source, f.handler) for n, f in declared(found).items()} == {
        "one": ("fn/a", "index.handler"),
        "two": ("fn/b", "sub.app.handler"),
    }
    assert found.notes == []


LAYERS = """
class S(cdk.Stack):
    def __init__(self, scope, id):
        super().__init__(scope, id)
        self.own = python_.PythonLayerVersion(self, "OwnLayer", entry="layers/own")
        ready = LayerVersion(self, "Ready", code=Code.from_asset("layers/ready"))
        arn = LayerVersion.from_layer_version_arn(self, "X", "arn:aws:lambda:e:1:layer:tools:3")
        layers = [ready]
        layers.append(self.own)
        _lambda.Function(self, "Up", runtime=P12, handler="index.handler",
            code=Code.from_asset("fn/a"), layers=[*layers, arn])
"""


def test_layers(propose: Propose) -> None:
    """A layer of the repository is declared and used; one of an ARN is a question."""
    found = propose(LAYERS)
    assert declared(found)["up"].layers == ["ready", "own"]
    assert "  own:\n    include:\n      - {path: layers/own, as: .}\n" in found.text
    assert "  ready:\n    source: layers/ready\n" in found.text
    assert [note for note in found.notes if "it uses the layers tools, which" in note]


IMAGES_AND_OTHERS = """
_lambda.DockerImageFunction(x, "Image", code=_lambda.DockerImageCode.from_image_asset("fn/a"))
_lambda.Function(x, "Too", code=Code.from_asset_image("fn/a"), handler=_lambda.Handler.FROM_IMAGE,
    runtime=Runtime.FROM_IMAGE)
_lambda.Function(x, "Inline", code=Code.from_inline("1"), handler="index.handler", runtime=P12)
_lambda.Function(x, "Far", code=Code.from_bucket(b, "k"), handler="index.handler", runtime=P12)
_lambda.Function(x, "Gone", code=Code.from_asset("fn/none"), handler="index.handler", runtime=P12)
_lambda.Function(x, "Made", code=Code.from_docker_build("fn"), handler="index.handler", runtime=P12)
_lambda.Function(x, "Node", code=Code.from_asset("fn"), handler="i.h", runtime=Runtime.NODEJS_20_X)
_lambda.Function(x, "Java", code=Code.from_asset("fn"), handler="i.h", runtime=Runtime.JAVA_21)
"""


def test_left_out(propose: Propose) -> None:
    """Each function that cannot be proposed is named with its place, those of Node in one line."""
    found = propose(IMAGES_AND_OTHERS)
    assert declared(found) == {}
    notes = "\n".join(found.notes)
    assert "infra/stack.py:8, Image: a container image, not a ZIP; skipped" in notes
    assert "infra/stack.py:9, Too: a container image" in notes
    assert "infra/stack.py:11, Inline: its code is inside the program" in notes
    assert "infra/stack.py:12, Far: its code is an object in S3" in notes
    assert "infra/stack.py:13, Gone: its code 'fn/none' is not in this repository" in notes
    assert "infra/stack.py:14, Made: its code comes from a Dockerfile" in notes
    assert "2 functions of the CDK app not for Python (JAVA_21, NODEJS_20_X); skipped" in notes


UNKNOWN = [
    ("code=Code.from_asset(config.path), handler='index.handler'", "its code (config.path)"),
    ("code=Code.from_asset(f'fn/{name}'), handler='index.handler'", "its code (name)"),
    ("code=Code.from_asset('fn/a'), handler=os.environ['H']", "its handler (os.environ['H'])"),
    ("code=Code.from_asset('fn/a'), handler='i.h' if x else 'j.h'", "its handler ('i.h' if x"),
    ("code=Code.from_asset('fn/a')", "its handler is not given"),
    ("code=get_code(), handler='index.handler'", "its code (get_code())"),
    ("**config", "its code (computed properties)"),
]


@pytest.mark.parametrize(("arguments", "note"), UNKNOWN)
def test_nothing_is_guessed(propose: Propose, arguments: str, note: str) -> None:
    """A value that only a run gives is named with its source text, and never replaced."""
    found = propose(f'_lambda.Function(x, "Up", runtime=P12, {arguments})')
    assert [one for one in found.notes if note in one], found.notes


def test_other_imports(propose: Propose) -> None:
    """Functions of an unknown import are named, if they are for Python."""
    found = propose(
        "from my import aws\nfrom uv_cdk import PythonFunction\nimport nowhere as n\n"
        'PythonFunction(x, "A", root="fn/a")\n'
        'g(n).Function(x, "B", runtime=P12)\n'
        'g(n).Function(x, "C", runtime=Runtime.NODEJS_20_X)\n'
    )
    assert "infra/stack.py:10, A: uv_cdk.PythonFunction is not read; skipped" in found.notes
    assert [
        note for note in found.notes if note.startswith("infra/stack.py:11, B: 'g(n).Function'")
    ]
    assert not [note for note in found.notes if ", C:" in note]


BUNDLINGS = [
    (
        [
            "bash",
            "-c",
            "pip install -r requirements.txt -t /asset-output && cp -au . /asset-output",
        ],
        0,
    ),
    (["bash", "-c", "pip3 install -r r.txt -t /asset-output; rsync -r . /asset-output"], 0),
    (["bash", "-c", "make all && cp -r out /asset-output"], 1),
]


@pytest.mark.parametrize(("command", "number"), BUNDLINGS)
def test_bundling(propose: Propose, command: list[str], number: int) -> None:
    """A bundling that installs and copies is what a build does; another one is a question."""
    found = propose(
        f"const options = {{exclude: ['t', '*.md'], bundling: {{command: {command}}}}};"
        "new lambda.Function(x, 'Up', {runtime: P12, handler: 'index.handler', "
        "code: Code.fromAsset('fn/a', options)});",
        TS,
    )
    assert sum("its bundling runs commands" in note for note in found.notes) == number
    assert "lambda 'up': its asset leaves out t, *.md; translate that to 'exclude'" in found.notes


def test_not_twice(propose: Propose) -> None:
    """Neither a stack of two stages, nor the folder of a function, gives a function twice."""
    found = propose(
        "class S(Stack):\n"
        "    def __init__(self, scope, id, **kwargs):\n"
        "        super().__init__(scope, id, **kwargs)\n"
        '        _lambda.Function(self, f"{id}-Up", runtime=P12, handler="index.handler",\n'
        '            code=Code.from_asset("fn/a"))\n'
        'for stage in ["dev", "prod"]:\n'
        "    S(cdk.App(), stage)\n"
    )
    assert [f.name for f in found.functions if f.source == "fn/a"] == ["up"]
    assert found.notes == []


def test_one_place_of_several_functions(propose: Propose) -> None:
    """Of two calls of a helper, the one with values that only a run gives is a question still."""
    found = propose(
        "def add(id, **more):\n"
        '    _lambda.Function(x, id, runtime=P12, handler="index.handler",\n'
        '        code=Code.from_asset("fn/a"), **more)\n'
        'add("One")\nadd("Two", layers=config.layers)\n'
    )
    assert [note for note in found.notes if "Two: it uses the layers config.layers" in note]


def test_stacks_come_first(propose: Propose) -> None:
    """A construct that a stack makes is followed with its values, wherever the stack is written."""
    found = propose(
        "class Up(cdk.Construct):\n"
        "    def __init__(self, scope, id, where):\n"
        '        _lambda.Function(self, id, runtime=P12, handler="index.handler",\n'
        "            code=Code.from_asset(where))\n"
        "class S(Stack):\n"
        "    def __init__(self, scope, id):\n"
        '        Up(self, "Up", where="fn/a")\n'
    )
    assert declared(found)["up"].source == "fn/a"
    assert found.notes == []


def test_output_is_not_read(tmp_path: Path) -> None:
    """cdk.out, declarations, and JavaScript that is compiled from TypeScript are skipped."""
    call = "new lambda.Function(x, 'Up', {runtime: P12, handler: 'index.handler', "
    call += "code: Code.fromAsset("
    template = (
        '{"Resources": {"Up": {"Type": "AWS::Lambda::Function", "Properties": '
        '{"Runtime": "python3.12", "Handler": "other.handler", "Code": "../fn/b"}}}}'
    )
    write(
        tmp_path,
        SOURCES
        | {
            "cdk.out/Stack.template.json": template,
            "cdk.out/a.ts": f"{SCRIPT}{call}'fn/b')}});",
            "lib/stack.ts": f"{SCRIPT}{call}'fn/a')}});",
            "lib/stack.js": f"{SCRIPT}{call}'fn/b')}});",
            "lib/stack.d.ts": f"{SCRIPT}{call}'fn/b')}});",
            "node_modules/x/stack.ts": f"{SCRIPT}{call}'fn/b')}});",
        },
    )
    assert [(f.name, f.source) for f in declared(proposal.propose(tmp_path)).values()] == [
        ("up", "fn/a")
    ]


def test_without_the_extra(tmp_path: Path) -> None:
    """Without the grammar of TypeScript, a note says so, and Python is read all the same."""
    call = f"{SCRIPT}new lambda.Function(x, 'Up', {{runtime: P12}});"
    python = (
        "from aws_cdk import aws_lambda as l\n"
        'l.Function(x, "Py", runtime=l.Runtime.PYTHON_3_12, handler="index.handler", '
        'code=l.Code.from_asset("fn/b"))\n'
    )
    write(tmp_path, SOURCES | {"lib/s.ts": call, "lib/t.ts": call, "s.py": python})
    script = (
        "import sys\nsys.modules['tree_sitter_typescript'] = None\n"
        "from pathlib import Path\nfrom buildlib.commands.init import proposal\n"
        f"found = proposal.propose(Path({str(tmp_path)!r}))\n"
        "print(*found.notes, *(f.name for f in found.functions), sep='\\n')\n"
    )
    output = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert output.count("pip install 'doit-lambda-zip[init]'") == 1
    assert "\npy\n" in output


HOSTILE = {
    "python": ("lib/x.py", "y = 'aa'\n" + "y = y + y\n" * 90 + "z = [y]\n" + "z = [z, z]\n" * 90),
    "classes": ("lib/x.py", "class C:\n    def __init__(self, n):\n        C([C(n)])\nC(1)\n"),
    "blocks": ("lib/x.py", "def f(n):\n    for a in x:\n        with y:\n            f(a)\nf(1)\n"),
    "calls": ("lib/x.py", "def f(n):\n    f([[[[[f(n)]]]]])\nf([[[[[[[[[[1]]]]]]]]]])\n"),
    "nested": ("lib/x.py", "def f(n):\n    return n\nx = " + "f(" * 90 + ")" * 90 + "\n"),
    "number": ("lib/x.py", f"y = {'9' * 4900}\nz = f'{{y}}'\n"),
    "numbers": ("lib/x.py", "y = 1\n" + "y = y + y\n" * 20_000 + "z = f'{y}'\n"),
    "recursion": ("lib/x.py", "def f(n):\n    f(n)\n    f(n)\nf(1)\n"),
    "cycle": ("lib/x.py", "from lib.x import *\nclass A(B): ...\nclass B(A): ...\nB(1)\n"),
    "loops": ("lib/x.py", "for a in [1, 2, 3]:\n    " + "    ".join(
        f"{'    ' * i}for b{i} in [1, 2, 3]:\n" for i in range(1, 15)) + "    " * 17 + "a = 1\n"),
    "deep": ("lib/x.py", "x = " + "[" * 2000 + "]" * 2000 + "\n"),
    "long sum": ("lib/x.ts", "const x = " + "+\n".join(["a"] * 9000) + ";\n"),
    "broken": ("lib/x.ts", "class { ]] ( new lambda.Function(\n"),
    "bytes": ("lib/x.ts", "\0\0\ufffd`${`${"),
    "bundle": ("lib/x.js", "new lambda.Function(x, 'A', {runtime: P12});" * 1000),
    "large": ("lib/x.ts", "const a = 1;\n" * 100_000),
}  # fmt: skip


# Those of them that are followed to their end.
WITHIN = {"python", "cycle", "loops", "nested", "blocks", "number", "numbers"}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(propose: Propose, case: str) -> None:
    """No program stops `init`, which says where it gave up, and takes seconds at most."""
    file, text = HOSTILE[case]
    comment = "#" if file.endswith(".py") else "//"
    found = propose(f"{text}{comment} Function PYTHON_3_12\n", file)
    assert {one.source for one in found.functions} >= {"fn/a", "fn/b"}
    assert found.notes or case in {
        "python",
        "cycle",
        "loops",
        "nested",
        "blocks",
        "number",
        "numbers",
    }


def test_a_long_chain_of_imports(tmp_path: Path) -> None:
    """Files that import each other in a long chain are followed as far as there is room."""
    chain = {f"m{n}.py": f"from m{n + 1} import f\nimport aws_cdk.Function\n" for n in range(400)}
    found = proposal.propose(write(tmp_path, SOURCES | chain | {"m400.py": ""}))
    assert [note for note in found.notes if "nested too deep" in note]


def test_only_apps_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is parsed if it uses CDK, or if one that does imports it; no other one."""
    read: list[str] = []
    load = sources.Sources.load

    def noted(self: sources.Sources, file: str) -> program.Program | None:
        read.append(file)
        return load(self, file)

    monkeypatch.setattr(sources.Sources, "load", noted)
    write(tmp_path, SOURCES | {f"src/m{n}.ts": "export const Function = 1;\n" for n in range(50)})
    proposal.propose(tmp_path)
    assert read == []
    call = (
        "import { where } from '../src/where';\n"
        "new lambda.Function(x, 'Up', {runtime: P12, handler: 'index.handler', "
        "code: Code.fromAsset(where)});"
    )
    where = {"src/where.ts": "export const where = 'fn/a';\n", "lib/s.ts": SCRIPT + call}
    found = proposal.propose(write(tmp_path, where))
    assert sorted(read) == ["lib/s.ts", "src/where.ts"]
    assert declared(found)["up"].source == "fn/a"


def test_a_path_without_cdk_json(tmp_path: Path) -> None:
    """Without cdk.json, exactly one folder above the program must have a literal path."""
    call = (
        "from aws_cdk import aws_lambda as l\n"
        'l.Function(x, "Up", runtime=l.Runtime.PYTHON_3_12, handler="index.handler", '
        'code=l.Code.from_asset("fn"))\n'
    )
    write(tmp_path, {"a/b/s.py": call, "a/fn/index.py": HANDLER})
    assert declared(proposal.propose(tmp_path))["up"].source == "a/fn"
    write(tmp_path, {"fn/index.py": HANDLER})
    assert declared(proposal.propose(tmp_path)) == {}
    write(tmp_path, {"a/cdk.json": "{}", "a/b/fn/index.py": HANDLER})
    assert declared(proposal.propose(tmp_path))["up"].source == "a/fn"
    (tmp_path / "a/cdk.json").rename(tmp_path / "a/b/cdk.json")
    assert declared(proposal.propose(tmp_path))["up"].source == "a/b/fn"
    (tmp_path / "a/b/fn/index.py").unlink()
    (tmp_path / "a/b/fn").rmdir()
    found = proposal.propose(tmp_path)
    assert [note for note in found.notes if "its code 'fn' is not in this repository" in note]
