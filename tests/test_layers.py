"""Layers: built like functions, used by name, counted together, and invoked as Lambda does."""

import json
import platform
import re
import sys

import pytest

from tests.conftest import HANDLER, Index, Repository

MACHINE = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "x86_64")
MANIFEST = """\
version: 1
layers:
  common:
    requirements: layers/common.txt
    include: [libs/acme.py]
lambdas:
  api: {handler: app.handler, layers: [common]}
  plain: {handler: app.handler, source: lambdas/plain}
"""


@pytest.fixture
def layered(repository: Repository, index: Index) -> Repository:
    """Give a repository with a layer of `alpha`, which needs `beta`, and own code."""
    index.add("alpha", "1.0", files={"alpha/__init__.py": "import beta\n"}, requires=("beta",))
    index.add("beta", "1.0")
    index.add("gamma", "1.0")
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": MANIFEST,
        "layers/common.txt": "alpha\n",
        "libs/acme.py": "A = 1\n",
        "lambdas/api/app.py": f"import acme, alpha, gamma\n{HANDLER}",
        "lambdas/api/requirements.txt": "alpha\ngamma\n",
        "lambdas/plain/app.py": HANDLER,
    })  # fmt: skip
    return repository


def test_a_layer(layered: Repository) -> None:
    """A layer has its dependencies and includes below python/; its functions leave them out."""
    layered.doit()
    common = layered.members("common")
    assert {"python/alpha/__init__.py", "python/beta.py", "python/acme.py"} <= common.keys()
    assert all(path.startswith("python/") for path in common)
    api = [path for path in layered.members("api") if ".dist-info/" not in path]
    assert sorted(api) == ["app.py", "gamma.py"]
    assert "common" not in layered.index()
    entry = json.loads((layered.root / "dist/layers.json").read_text())["common"]
    assert (entry["layer"], entry["runtime"]) == ("common", "python3.13")
    assert layered.index()["api"]["layers"] == ["common"]
    assert layered.doit().ran == []
    assert (layered.root / "layers/common.lock").exists()


def test_edits(layered: Repository) -> None:
    """An edit of a layer's content builds the layer, and no function; a function alone as well."""
    layered.doit()

    def built() -> list[str]:
        return [name for name in layered.doit().ran if name.startswith("zip:")]

    layered.write({"libs/acme.py": "A = 2\n"})
    assert built() == ["zip:common"]
    layered.write({"lambdas/api/app.py": f"import alpha\n{HANDLER}"})
    assert built() == ["zip:api"]
    layered.write({"layers/common.txt": "alpha\ngamma\n"})
    assert set(built()) == {"zip:common", "zip:api"}
    assert "gamma.py" not in layered.members("api")


def test_one_name(layered: Repository) -> None:
    """A function is built by its name alone; so is a layer, on a new machine."""
    layered.doit("zip:api")
    assert "gamma.py" in layered.members("api")
    layered.doit("zip:common")
    assert "python/beta.py" in layered.members("common")
    assert "equal" in layered.doit("verify:api").output
    assert "equal" in layered.doit("verify:common").output


def test_what_a_layer_lacks(layered: Repository) -> None:
    """A module that neither the ZIP nor a layer has is an error, also after an edit."""
    layered.doit()
    layered.write({"lambdas/api/app.py": f"import acme, delta\n{HANDLER}"})
    message = layered.fails().message
    assert "import of 'delta'" in message
    assert "'acme'" not in message


def test_another_version(layered: Repository, index: Index) -> None:
    """Another version in the function's lock is an error that says both, and the remedy works."""
    index.add("beta", "2.0")
    layered.write({"lambdas/api/requirements.txt": "beta==1.0\n", "lambdas/api/app.py": HANDLER})
    message = layered.fails().message
    assert "its layer 'common' has other versions: beta is 1.0 here and 2.0 there" in message
    layered.write({"layers/common.txt": "alpha\nbeta==1.0\n"})
    layered.doit()
    assert "beta.py" not in layered.members("api")


def test_targets(layered: Repository) -> None:
    """A layer is for each target that it declares, and a function takes that of its own."""
    both = 'python: ["3.12", "3.13"]'
    text = MANIFEST.replace("    include:", f"    {both}\n    include:")
    layered.write({
        "lambdas.yaml": text.replace("layers: [common]", f"layers: [common], {both}")
    })  # fmt: skip
    layered.doit()
    assert {"api-py3.12-x86_64", "api-py3.13-x86_64"} <= layered.index().keys()
    arm = MANIFEST.replace("layers: [common]", "layers: [common], architecture: arm64")
    layered.write({"lambdas.yaml": arm})
    message = layered.fails().message
    assert "its layer 'common' is not for Python 3.13 on arm64; add them to the layer's" in message


def test_sizes_together(layered: Repository) -> None:
    """The limit holds for a function together with its layers."""
    size = 140_000_000
    with (layered.root / "libs/acme.bin").open("wb") as stream:
        stream.truncate(size)
    with (layered.root / "lambdas/api/data.bin").open("wb") as stream:
        stream.truncate(size)
    layered.write({"lambdas.yaml": MANIFEST.replace("libs/acme.py", "libs/acme.py, libs/acme.bin")})
    message = layered.fails().message
    assert "api: 267.0 MB unzipped with its layers, over Lambda's limit of 250.0 MB" in message
    assert "plain" in layered.index()


def test_what_the_runtime_provides(layered: Repository, index: Index) -> None:
    """With `provided`, what the runtime brings is left out, with a warning, and may be imported."""
    index.add("boto3", "1.40.0", files={"boto3/__init__.py": ""}, requires=("six",))
    index.add("six", "1.17.0")
    layered.write({
        "lambdas.yaml": "version: 1\nlambdas:\n  api: {handler: app.handler, provided: runtime}\n",
        "lambdas/api/requirements.txt": "boto3\ngamma\n",
        "lambdas/api/app.py": f"import boto3, gamma\n{HANDLER}",
    })  # fmt: skip
    output = layered.doit().output
    assert (
        "left out because of 'provided: runtime': boto3 1.40.0, six 1.17.0; Lambda uses the"
        in output
    )
    paths = [path for path in layered.members("api") if ".dist-info/" not in path]
    assert sorted(paths) == ["app.py", "gamma.py"]


ARN = "arn:aws:lambda:eu-west-1:017000801446:layer:Powertools:7"


def test_a_deployed_layer(layered: Repository) -> None:
    """A layer by its ARN is not built; its modules may be imported, and it counts as a layer."""
    text = MANIFEST.replace(
        "lambdas:\n", f"  tools: {{arn: '{ARN}', provides: [powertools]}}\nlambdas:\n", 1
    ).replace("[common]", "[common, tools]")
    layered.write({
        "lambdas.yaml": text,
        "lambdas/api/app.py": f"import powertools.logging\n{HANDLER}",
    })  # fmt: skip
    layered.doit()
    assert layered.index()["api"]["layers"] == ["common", ARN]
    assert not (layered.root / "dist/tools.zip").exists()
    layered.write({"lambdas/api/app.py": f"import powertool\n{HANDLER}"})
    assert "import of 'powertool'" in layered.fails().message
    layered.write({"lambdas.yaml": text.replace(ARN, "arn:aws:lambda:x")})
    output = layered.doit(code=None).output
    assert "layer 'tools': arn: 'arn:aws:lambda:x' is not allowed; expected the ARN" in output


def test_size(layered: Repository) -> None:
    """`doit size` counts the layers of a function."""
    layered.doit()
    output = layered.doit("size").output
    assert re.search(r"^api +[\d.]+ k?B +[\d.]+ k?B +0.0% +[\d.]+ k?B ", output, re.MULTILINE)
    assert re.search(r"^plain +[\d.]+ k?B +[\d.]+ k?B +0.0% +- ", output, re.MULTILINE)


def test_mistakes(layered: Repository) -> None:
    """A layer that is not declared, and keys of functions, are mistakes of the manifest."""
    text = MANIFEST.replace("layers: [common]", "layers: [comon]")
    text += "  common: {handler: app.handler, source: lambdas/api}\n"
    wrong = text.replace("    include", "    handler: app.handler\n    include")
    layered.write({"lambdas.yaml": wrong})
    assert "layer 'common': unknown key 'handler'" in layered.doit(code=None).output
    layered.write({"lambdas.yaml": text})
    output = layered.doit(code=None).output
    assert "lambda 'api': layers: no layer 'comon'; did you mean 'common'?" in output
    assert "lambda 'common': the name 'common' is also used by" in output


def test_a_folder(layered: Repository) -> None:
    """A layer's own folder goes to its top: bin/, lib/ and python/."""
    layered.write({
        "lambdas.yaml": MANIFEST.replace("    requirements: layers/common.txt\n", ""),
        "layers/common/bin/tool": "#!/bin/sh\n",
        "layers/common/python/more.py": "",
        "layers/common/requirements.txt": "alpha\n",
    })  # fmt: skip
    layered.doit()
    wanted = {"bin/tool", "python/more.py", "python/acme.py", "python/alpha/__init__.py"}
    assert wanted <= layered.members("common").keys()


def test_messages(layered: Repository, index: Index) -> None:
    """Messages about a layer's lock, installation and content call it a layer."""
    layered.write({"layers/common.txt": "alpha\nnothing-of-this-name\n"})
    assert "lambda 'common'" not in layered.fails("lock:common").message
    layered.write({"layers/common.txt": "alpha\n"})
    layered.doit("lock:common")
    index.add("beta", "1.0", files={"beta.py": "replaced = 1\n"})
    message = layered.fails("zip:common").message
    assert "layer 'common'" in message
    assert "lambda 'common'" not in message
    layered.write({"lambdas.yaml": MANIFEST.replace("    requirements: layers/common.txt\n", "")})
    assert "layer 'common' has no requirements" in layered.doit("lock:common", code=None).output


@pytest.mark.network
@pytest.mark.skipif(platform.system() != "Linux", reason="AWS's emulator is a program for Linux")
def test_invoke(layered: Repository) -> None:
    """An invocation on this machine has the layers at the place where Lambda has them."""
    del layered.environment["UV_INDEX_URL"]
    code = "import acme\ndef handler(event, context): return [acme.A, acme.__file__]\n"
    python = "{}.{}".format(*sys.version_info[:2])
    layered.write({
        "lambdas.yaml": f"""\
version: 1
defaults: {{python: "{python}", architecture: {MACHINE}}}
layers:
  common: {{include: [libs/acme.py]}}
lambdas:
  api: {{handler: app.handler, layers: [common]}}
""",
        "lambdas/api/app.py": code,
    })  # fmt: skip
    (layered.root / "lambdas/api/requirements.txt").unlink()
    output = layered.doit("invoke:api", DOCKER_HOST="unix:///no/engine.sock").output
    assert "[1, " in output
    assert "/opt/python/acme.py" in output
