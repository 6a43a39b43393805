"""`lambdas size --shared`: the layer that saves most, with figures that come true."""

import json
import platform
import random
import sys
from typing import Any

import pytest
import yaml

from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer


@pytest.fixture
def fleet(repository: Repository, index: Index) -> Repository:
    """Give four functions: three share `big` with its dependency, two `odd` in other versions."""
    source = random.Random(1)  # noqa: S311 - test data
    index.add("big", files={"big.bin": source.randbytes(90_000)}, requires=("dep",))
    index.add("dep", files={"dep.bin": source.randbytes(30_000)})
    index.add("odd", files={"odd.bin": source.randbytes(50_000)}, requires=("lib",))
    index.add("lib", "1.0", files={"lib.bin": source.randbytes(1_000)})
    index.add("lib", "2.0", files={"lib.bin": source.randbytes(1_000)})
    repository.environment["UV_INDEX_URL"] = index.url
    names = ("a", "b", "c", "d")
    repository.write({
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {name}:\n    handler: app.handler\n" for name in names),
        **{f"lambdas/{name}/app.py": f"# {name}\n{HANDLER}" for name in names},
        "lambdas/a/requirements.txt": "big\nodd\nlib==1.0\n",
        "lambdas/b/requirements.txt": "big\nodd\nlib==2.0\n",
        "lambdas/c/requirements.txt": "big\n",
    })  # fmt: skip
    repository.lambdas("build")
    return repository


def asked(repository: Repository) -> dict[str, Any]:
    """Return the answer."""
    return answer(repository.lambdas("size", "--shared", "--json").output)


def test_a_pasted_layer(fleet: Repository) -> None:
    """The layer of the answer builds, and the sizes are those that the answer foretold."""
    found = asked(fleet)
    layer, before = found["layer"], {name: e["size"] for name, e in fleet.index().items()}
    assert found["size"] == sum(before.values())
    assert layer["functions"] == ["a", "b", "c"]
    assert layer["requirements"] == ["big==1.0", "dep==1.0"]
    pasted = yaml.safe_load("\n".join(layer["manifest"]))
    manifest = yaml.safe_load((fleet.root / "lambdas.yaml").read_text())
    for name, more in pasted.pop("lambdas").items():
        manifest["lambdas"][name] |= more
    fleet.write({
        "lambdas.yaml": yaml.safe_dump(manifest | pasted),
        "layers/shared.txt": "\n".join(layer["requirements"]) + "\n",
    })  # fmt: skip
    fleet.lambdas("build")
    after = {name: entry["size"] for name, entry in fleet.index().items()}
    assert [before[n] - after[n] for n in "abcd"] == [layer["size"]] * 3 + [0]
    (built,) = json.loads((fleet.root / "dist/layers.json").read_text()).values()
    saved = sum(before.values()) - sum(after.values()) - built["size"]
    assert saved == pytest.approx(layer["saved"], abs=1000)  # the names below python/, RECORD
    assert built["unzipped_size"] == pytest.approx(layer["unzipped_size"], abs=1000)
    assert asked(fleet)["layer"] is None


@pytest.mark.parametrize("sources", [True, False])
def test_bytecode(fleet: Repository, index: Index, sources: bool) -> None:
    """The layer has the bytecode that the packages have in the ZIPs, and weighs as much."""
    code = "".join(f"def function_{n}(x):\n    return x + {n}\n" for n in range(2000))
    index.add("big", "2.0", files={"big.py": code}, requires=("dep",))
    python = "{}.{}".format(*sys.version_info[:2])
    manifest = yaml.safe_load((fleet.root / "lambdas.yaml").read_text())
    names: dict[str, dict[str, Any]] = manifest["lambdas"]
    more = {"python": python, "bytecode": True} | ({} if sources else {"sources": False})
    for entry in names.values():
        entry.update(more, compiler=platform.python_version())
    del names["b"]["compiler"]  # the layer's compiler is in its lockfile
    fleet.write({f"lambdas/{n}/requirements.txt": "big\nodd\nlib\n" for n in "ab"})
    fleet.write({"lambdas/c/requirements.txt": "big\n", "lambdas.yaml": yaml.safe_dump(manifest)})
    fleet.lambdas("build")
    before = {name: e["size"] for name, e in fleet.index().items()}
    layer = asked(fleet)["layer"]
    pasted = yaml.safe_load("\n".join(layer["manifest"]))
    assert pasted["layers"]["shared"]["bytecode"] is True
    assert ("sources" in pasted["layers"]["shared"]) is not sources
    assert "compiler" not in pasted["layers"]["shared"]
    for name, layers in pasted.pop("lambdas").items():
        names[name] |= layers
    fleet.write({
        "lambdas.yaml": yaml.safe_dump(manifest | pasted),
        "layers/shared.txt": "\n".join(layer["requirements"]) + "\n",
    })  # fmt: skip
    fleet.lambdas("build")
    after = {name: entry["size"] for name, entry in fleet.index().items()}
    gained = [before[n] - after[n] for n in layer["functions"]]
    assert gained == pytest.approx([layer["size"]] * len(gained), abs=30)
    (built,) = json.loads((fleet.root / "dist/layers.json").read_text()).values()
    assert built["unzipped_size"] == pytest.approx(layer["unzipped_size"], abs=1000)


def test_words(fleet: Repository) -> None:
    """The text has the figures, and both files to write."""
    text = fleet.lambdas("size", "--shared").output
    assert "3 functions share 2 packages: a, b, c" in text
    assert "All ZIPs: 4" in text
    assert "layers/shared.txt:\n\n  big==1.0\n  dep==1.0\n" in text
    assert "  layers:\n    shared:\n      requirements: layers/shared.txt\n" in text


def test_a_package_whose_dependency_differs_stays(fleet: Repository) -> None:
    """`odd` needs `lib`, of which the functions have two versions: a layer would contradict one."""
    fleet.write({"lambdas/c/requirements.txt": "", "lambdas/b/requirements.txt": "odd\nlib==2.0\n"})
    fleet.lambdas("build")
    done = fleet.lambdas("size", "--shared")
    assert "No layer would save anything" in done.output


def test_not_worth_it(fleet: Repository) -> None:
    """A layer that saves little is named as such, and there is nothing to paste."""
    fleet.write({"lambdas/d/model.bin": random.Random(2).randbytes(9_000_000)})  # noqa: S311
    fleet.lambdas("build")
    text = fleet.lambdas("size", "--shared").output
    assert "Not worth a layer: it saves less than 5%" in text
    assert "lambdas.yaml, to merge" not in text


def test_the_limit_of_layers(fleet: Repository) -> None:
    """A function with five layers takes no more, and one that is not built is named."""
    arns = "".join(
        f"  l{n}: {{arn: 'arn:aws:lambda:eu-west-1:123456789012:layer:l{n}:1', provides: [x{n}]}}\n"
        for n in range(5)
    )
    text = (fleet.root / "lambdas.yaml").read_text()
    text = text.replace("  a:\n", "  a:\n    layers: [l0, l1, l2, l3, l4]\n")
    fleet.write({"lambdas.yaml": f"{text}layers:\n{arns}"})
    fleet.lambdas("build")
    fleet.write({"lambdas/d/app.py": "# new\n" + HANDLER})
    assert asked(fleet)["layer"]["functions"] == ["b", "c"]
    assert asked(fleet)["not_built"] == ["d"]


def test_the_layer_is_as_small(fleet: Repository) -> None:
    """The proposed layer has the options that make the functions' ZIPs small."""
    text = (fleet.root / "lambdas.yaml").read_text()
    more = "    strip: true\n    compression: best\n    aws_services: [s3]\n"
    fleet.write({"lambdas.yaml": text.replace("app.handler\n", f"app.handler\n{more}")})
    fleet.lambdas("build")
    lines = fleet.lambdas("size", "--shared").output.splitlines()
    for line in ("strip: true", "compression: best", 'aws_services: ["s3"]'):
        assert f"    {line}" in [shown.rstrip()[-len(line) - 4 :] for shown in lines]
