"""CDK takes a finished ZIP as it is, and deploys nothing after a rebuild elsewhere."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Repository
from tests.deployers.checkouts import checkout, program, run, sources
from tests.documents import ROOT, blocks

pytestmark = pytest.mark.slow

(STACK,) = [
    block.content
    for block in blocks(ROOT / "docs/how-to/from-cdk.md")
    if block.options.get("file") == "infra/shop.ts"
]


def javascript(text: str) -> str:
    """Return TypeScript that has no types as JavaScript for Node.js."""
    changed, count = re.subn(r"import \* as (\w+) from ('.*?');", r"const \1 = require(\2);", text)
    assert count == text.count("import ") == 2
    return changed


def synthesized(repository: Repository) -> dict[str, Any]:
    """Synthesize the stack of the page, as `cdk synth` does; return the resources."""
    node, npm = (program(name, "it is part of Node.js") for name in ("node", "npm"))
    run_here = partial(run, folder=repository.root)
    modules = run_here(npm, "root", "--global", environment=repository.environment).strip()
    if not (Path(modules) / "aws-cdk-lib").exists():
        program("aws-cdk-lib", "npm install --global aws-cdk-lib constructs")
    repository.write({"infra/shop.js": javascript(STACK)})
    settings = {"NODE_PATH": modules, "CDK_OUTDIR": "cdk.out"}
    run_here(node, "infra/shop.js", environment=repository.environment | settings)
    template = json.loads((repository.root / "cdk.out/Shop.template.json").read_text())
    return dict(template["Resources"])


def test_assets(repository: Repository) -> None:
    """The assets are the ZIPs; a rebuild elsewhere gives the same template, an edit one change."""
    files = sources("orders", "log")
    first = checkout(repository, "first", files)
    first.lambdas("build")
    resources = synthesized(first)
    assets = {path.read_bytes() for path in (first.root / "cdk.out").glob("asset.*")}
    assert assets == {(first.root / f"dist/{name}.zip").read_bytes() for name in ("orders", "log")}
    other = checkout(repository, "another/folder", files, umask=0o077)
    other.lambdas("build", TZ="Pacific/Kiritimati", LC_ALL="C")
    assert synthesized(other) == resources
    other.write({"lambdas/orders/app.py": files["lambdas/orders/app.py"] + "# edited\n"})
    other.lambdas("build")
    edited = synthesized(other)
    (changed,) = [name for name in resources if resources[name] != edited[name]]
    assert resources[changed]["Type"] == "AWS::Lambda::Function"
    before, after = resources[changed]["Properties"], edited[changed]["Properties"]
    assert {key for key in after if before[key] != after[key]} == {"Code"}
