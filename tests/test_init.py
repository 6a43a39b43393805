"""`lambdas init`, in repositories like those of real projects."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from buildlib.manifest import reader
from buildlib.model import Function, Include
from tests.conftest import HANDLER, Repository
from tests.unit.conftest import write

LAMBDA_HANDLER = HANDLER.replace("handler(", "lambda_handler(")


class Result(NamedTuple):
    """The exit code and output of `init`."""

    code: int
    output: str


def init(root: Path, *arguments: str) -> Result:
    """Run `init` in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "buildlib", "init", *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return Result(done.returncode, done.stdout)


def proposed(root: Path) -> dict[str, Function]:
    """Run `init` and return the functions that doit then reads, by name."""
    result = init(root)
    assert result.code == 0, result.output
    return {function.name: function for function in reader.read(root).functions}


FOLDERS = {
    "services/billing/lambda_function.py": LAMBDA_HANDLER,
    "services/billing/requirements.txt": "requests\n",
    "services/Mail-Sender/app.py": "import json\n\n\ndef main(event, context):\n    return 1\n",
    "services/web/handler.py": "from mangum import Mangum\n\nhandler = Mangum(None)\n",
    "services/web/tests/app.py": HANDLER,
    "tools/app.py": "def run():\n    return 1\n",
    "node_modules/x/app.py": HANDLER,
    ".venv/lib/app.py": HANDLER,
    "broken/app.py": "def handler(event, context\n",
    ".gitignore": "/build/\n__pycache__/\n",
}


def test_folders(tmp_path: Path) -> None:
    """A folder becomes a function if a module with a usual name defines a handler."""
    found = proposed(write(tmp_path, FOLDERS))
    assert {name: (f.source, f.handler, f.requirements) for name, f in found.items()} == {
        "billing": (
            "services/billing", "lambda_function.lambda_handler",
            "services/billing/requirements.txt",
        ),
        "mail-sender": ("services/Mail-Sender", "app.main", None),
        "web": ("services/web", "handler.handler", None),
    }  # fmt: skip
    assert (tmp_path / "dodo.py").read_text().endswith("from buildlib.tasks import *\n")


def test_what_is_said(tmp_path: Path) -> None:
    """The output lists functions and next steps, without lines that .gitignore already has."""
    output = init(write(tmp_path, FOLDERS)).output
    assert "Created lambdas.yaml with 3 functions:\n  billing, from the module" in output
    assert "add to .gitignore: /dist/\n" in output
    assert "* -text" in output
    assert "Open questions" not in output


SAM = {
    "template.yaml": """\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Arch: {Type: String, Default: arm64}
  Version: {Type: String}
Globals:
  Function:
    Runtime: python3.12
    Timeout: 10
    Architectures: [!Ref Arch]
    Environment:
      Variables:
        TABLE: !Ref Table
        URL: !Sub "https://${Stage}.example.com"
Resources:
  HelloWorldFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello_world/
      Handler: app.lambda_handler
      Events:
        Api: {Type: Api, Properties: {Path: /hello, Method: get}}
  OrdersLambda:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Join ["-", [orders, !Ref Stage]]
      CodeUri: src/orders
      Handler: orders.api.handler
      Runtime: python3.13
      Architectures: [x86_64]
      Policies:
        - DynamoDBCrudPolicy: {TableName: !GetAtt Table.Name}
  Edge:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: edge/, Handler: index.handler, Runtime: nodejs20.x}
  Old:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: old/, Handler: app.handler, Runtime: python3.8}
  Parametrised:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: param/, Handler: app.handler, Runtime: !Ref Version}
  Image:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
  Inline:
    Type: AWS::Serverless::Function
    Properties: {InlineCode: "def handler(e, c): ...", Handler: index.handler}
  Common:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer/}
  Table: {Type: AWS::DynamoDB::Table}
""",
    "hello_world/app.py": LAMBDA_HANDLER,
    "hello_world/requirements.txt": "requests\n",
    "hello_world/tests/app.py": HANDLER,
    "src/orders/orders/api.py": HANDLER,
    "src/orders/orders/handler.py": HANDLER,
    "edge/index.js": "",
    "old/app.py": HANDLER,
    "param/app.py": HANDLER,
}


def test_sam(tmp_path: Path) -> None:
    """A SAM template's functions, with its globals, its tags and the defaults of parameters."""
    found = proposed(write(tmp_path, SAM))
    assert {n: (f.source, f.handler, f.pythons, f.architectures) for n, f in found.items()} == {
        "hello_world": ("hello_world", "app.lambda_handler", ("3.12",), ("arm64",)),
        "orders": ("src/orders", "orders.api.handler", ("3.13",), ("x86_64",)),
        "old": ("old", "app.handler", ("3.13",), ("arm64",)),
        "parametrised": ("param", "app.handler", ("3.13",), ("arm64",)),
    }


def test_what_sam_does_not_say(tmp_path: Path) -> None:
    """Skipped functions and values known only at deployment are listed with their place."""
    output = init(write(tmp_path, SAM)).output
    for line in (
        "template.yaml, Edge: it is for nodejs20.x, not Python; skipped",
        "lambda 'old': its runtime python3.8 is not supported; choose one of 3.10,",
        "lambda 'parametrised': its Runtime '!Ref Version' is known only at deployment",
        "template.yaml, Image: a container image, not a ZIP; skipped",
        "template.yaml, Inline: its code is inside the template; move it into a folder",
        "template.yaml, Common: a layer whose content is not in this repository",
    ):
        assert f"  - {line}" in output


def test_serverless_at_the_root(tmp_path: Path) -> None:
    """A service at the root is the source of all functions, as the framework packs it."""
    found = proposed(write(tmp_path, {
        "serverless.yml": """\
service: shop
frameworkVersion: '4'
custom: {stage: "${opt:stage, 'dev'}"}
provider:
  name: aws
  runtime: python3.13
  architecture: arm64
  stage: ${self:custom.stage}
package: {individually: true, patterns: ['!node_modules/**']}
plugins: [serverless-python-requirements]
functions:
  createOrder:
    handler: functions/create_order/handler.create
    events: [{httpApi: 'POST /orders'}]
  listOrders:
    handler: functions/list_orders/handler.lambda_handler
    runtime: python3.12
    architecture: ${self:custom.arch}
  report:
    module: jobs/report
    handler: jobs/report/main.run
  root:
    handler: handler.hello
""",
        "requirements.txt": "requests\n",
        "package.json": "{}",
        "handler.py": "def hello(event, context): ...\n",
        "functions/create_order/handler.py": "def create(event, context): ...\n",
        "functions/list_orders/handler.py": LAMBDA_HANDLER,
        "jobs/report/main.py": "def run(event, context): ...\n",
        "jobs/report/requirements.txt": "pandas\n",
    }))  # fmt: skip
    assert {n: (f.source, f.handler, f.requirements) for n, f in found.items()} == {
        "create_order": (".", "functions/create_order/handler.create", "requirements.txt"),
        "list_orders": (".", "functions/list_orders/handler.lambda_handler", "requirements.txt"),
        "report": ("jobs/report", "main.run", "jobs/report/requirements.txt"),
        "root": (".", "handler.hello", "requirements.txt"),
    }
    assert found["list_orders"].pythons == ("3.12",)
    assert found["create_order"].architectures == ("arm64",)


def test_a_package_without_patterns(tmp_path: Path) -> None:
    """Only patterns are an open question; individual packaging is always on here."""
    output = init(write(tmp_path, {
        "serverless.yml": "provider: {name: aws, runtime: python3.12}\n"
        "package: {individually: true}\nfunctions:\n  send: {handler: send/app.handler}\n",
        "send/app.py": HANDLER,
    })).output  # fmt: skip
    assert "patterns" not in output


def test_a_folder_that_the_module_merges(tmp_path: Path) -> None:
    """The module packs the contents of a folder at the top of the ZIP, or below a prefix."""
    found = proposed(write(tmp_path, {
        "main.tf": 'module "jobs" {\n  source = "terraform-aws-modules/lambda/aws"\n'
        '  handler = "app.handler"\n  source_path = ["src/jobs", "src/common", '
        '{ path = "src/data", prefix_in_zip = "in/data" }]\n}\n',
        "src/jobs/app.py": HANDLER,
        "src/common/log.py": "",
        "src/data/x.txt": "",
    }))  # fmt: skip
    include = (Include("src/common", ""), Include("src/data", "in/data"))
    assert found["jobs"].include == include


def test_serverless_in_a_folder(tmp_path: Path) -> None:
    """A service in a folder of its own becomes the source, as the framework packs it."""
    found = proposed(write(tmp_path, {
        "services/mail/serverless.yml": "provider: {name: aws, runtime: python3.12}\n"
        "functions:\n  send: {handler: src/send.handler}\n",
        "services/mail/src/send.py": HANDLER,
        "services/mail/requirements.txt": "jinja2\n",
    }))  # fmt: skip
    send = found["send"]
    assert (send.source, send.handler) == ("services/mail", "src/send.handler")
    assert send.requirements == "services/mail/requirements.txt"


TERRAFORM = {
    "infra/main.tf": """\
variable "runtime" { default = "python3.12" }

data "archive_file" "keys" {
  type        = "zip"
  source_dir  = "${path.module}/../src/team_keys"
  output_path = "${path.module}/keys.zip"
}

resource "aws_lambda_function" "team_keys" {
  function_name    = "team-keys-lambda"
  role             = aws_iam_role.lambda.arn
  filename         = data.archive_file.keys.output_path
  source_code_hash = data.archive_file.keys.output_base64sha256
  handler          = "app.handler"
  runtime          = "python3.13"
  architectures    = ["arm64"]
  environment {
    variables = { STAGE = var.stage, KEY = "x" }
  }
  dynamic "vpc_config" {
    for_each = var.subnets
    content { subnet_ids = [vpc_config.value] }
  }
}

resource "aws_lambda_function" "notify" {
  function_name = "${var.prefix}-notify"
  filename      = "build/notify.zip"
  handler       = "app.handler"
  runtime       = var.runtime
}

resource "aws_lambda_function" "image" {
  function_name = "image"
  package_type  = "Image"
  image_uri     = "x"
}
""",
    "infra/modules.tf": """\
module "lambda_jobs" {
  source        = "terraform-aws-modules/lambda/aws"
  version       = "~> 8.0"
  function_name = "jobs"
  handler       = "index.lambda_handler"
  runtime       = "python3.12"
  source_path = [
    "../src/jobs",
    { path = "${path.module}/../src/common", prefix_in_zip = "common" },
  ]
  policy_json = <<-EOT
    {"Statement": [{"Resource": "${aws_sqs_queue.jobs.arn}"}]}
  EOT
}

module "layer" {
  source          = "terraform-aws-modules/lambda/aws"
  create_function = false
  create_layer    = true
}

module "vpc" {
  source = "terraform-aws-modules/vpc/aws"
}
""",
    "infra/broken.tf": 'resource "aws_lambda_function" {{{\n',
    "src/team_keys/app.py": HANDLER,
    "src/team_keys/requirements.txt": "requests\n",
    "src/notify/app.py": HANDLER,
    "src/jobs/index.py": LAMBDA_HANDLER,
    "src/common/__init__.py": "",
}


def test_terraform(tmp_path: Path) -> None:
    """Literal values of resources and the module are read; an archive's folder is the source."""
    found = proposed(write(tmp_path, TERRAFORM))
    assert {n: (f.source, f.handler, f.pythons, f.architectures) for n, f in found.items()} == {
        "team-keys": ("src/team_keys", "app.handler", ("3.13",), ("arm64",)),
        "notify": ("src/notify", "app.handler", ("3.12",), ("x86_64",)),
        "jobs": ("src/jobs", "index.lambda_handler", ("3.12",), ("x86_64",)),
    }
    assert found["jobs"].include == (Include("src/common", "common"),)


def test_what_terraform_does_not_say(tmp_path: Path) -> None:
    """Values known only to Terraform, and unreadable files, are listed as open questions."""
    output = init(write(tmp_path, TERRAFORM)).output
    for line in (
        "infra/broken.tf: cannot be read: ",
        "lambda 'notify': its source is unknown: it deploys \"build/notify.zip\"",
        "lambda 'notify': src/notify is a guess for its source, by its name",
    ):
        assert f"  - {line}" in output


@pytest.mark.parametrize("tree", [FOLDERS, SAM, TERRAFORM])
def test_print(tmp_path: Path, tree: dict[str, str]) -> None:
    """`--print` shows the same file, with open questions as comments, and writes nothing."""
    write(tmp_path, tree)
    before = sorted(tmp_path.rglob("*"))
    shown = init(tmp_path, "--print")
    assert shown.code == 0
    assert sorted(tmp_path.rglob("*")) == before
    init(tmp_path)
    assert shown.output.startswith((tmp_path / "lambdas.yaml").read_text())
    rest = shown.output.removeprefix((tmp_path / "lambdas.yaml").read_text())
    assert all(line.startswith("#") for line in rest.splitlines())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """An existing lambdas.yaml is an error; an existing dodo.py stays, with a line to add."""
    write(tmp_path, {**FOLDERS, "dodo.py": "def task_mine(): ...\n"})
    output = init(tmp_path).output
    assert "Kept your dodo.py; add this line to it: from buildlib.tasks" in output
    assert (tmp_path / "dodo.py").read_text() == "def task_mine(): ...\n"
    (tmp_path / "lambdas.yaml").write_text("# mine\n")
    result = init(tmp_path)
    assert result.code == 1
    assert "lambdas.yaml already exists and init overwrites nothing" in result.output
    assert result.output.endswith("\nMore: lambdas errors init-exists\n")
    assert (tmp_path / "lambdas.yaml").read_text() == "# mine\n"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """An operating system error is reported as in all other commands."""
    write(tmp_path, FOLDERS)
    (tmp_path / "lambdas.yaml").symlink_to(tmp_path / "nowhere/lambdas.yaml")
    result = init(tmp_path)
    assert result.code == 1
    assert "[Errno" not in result.output
    assert result.output.endswith("\nMore: lambdas errors system\n")


def test_a_template_with_a_mistake(tmp_path: Path) -> None:
    """An unreadable file is named with its line."""
    write(tmp_path, {**FOLDERS, "template.yaml": "Resources:\n\tApi: {}\n"})
    assert "template.yaml:2:1: cannot be read: found character" in init(tmp_path).output


@pytest.mark.parametrize("files", [{}, {"README.md": ""}, {"app.py": "def main(): ...\n"}])
def test_nothing_to_propose(tmp_path: Path, files: dict[str, str]) -> None:
    """Without any function, the message contains an example manifest, and nothing is written."""
    result = init(write(tmp_path, files))
    assert result.code == 1
    assert "found no Lambda function in Python" in result.output
    assert result.output.endswith("\nMore: lambdas errors init-nothing\n")
    assert not (tmp_path / "lambdas.yaml").exists()


def test_names_are_unique(tmp_path: Path) -> None:
    """Folders with the same name get unique function names."""
    write(tmp_path, {f"{top}/api/app.py": HANDLER for top in ("a", "b", "c")})
    assert set(proposed(tmp_path)) == {"api", "b_api", "c_api"}


def test_the_proposal_builds(repository: Repository) -> None:
    """`doit` builds the proposal unchanged."""
    for name in ("lambdas.yaml", "dodo.py", "lambdas/api/app.py"):
        (repository.root / name).unlink()
    write(repository.root, {
        "functions/one/app.py": HANDLER, "functions/yes/handler.py": LAMBDA_HANDLER,
        "functions/a b/app.py": HANDLER,
    })  # fmt: skip
    assert init(repository.root).code == 0
    repository.doit()
    assert set(repository.sha256()) == {"one", "yes", "a_b"}


def test_help() -> None:
    """`--help` lists the commands."""
    command = [sys.executable, "-m", "buildlib", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "init" in done.stdout
    assert "errors" in done.stdout


LAYERS = {
    "template.yaml": """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Layers: ["arn:aws:lambda:eu-west-1:017000801446:layer:Powertools:18"]
Resources:
  Api:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties:
      CodeUri: fn/
      Handler: app.handler
      Layers: [!Ref Common, {Ref: Other}]
  Plain:
    Type: AWS::Lambda::Function
    Metadata: {BuildMethod: python3.13}
    Properties: {Code: plain/, Handler: app.handler}
""",
    "serverless.yml": """\
provider: {layers: [{Ref: Shared}]}
functions:
  one: {module: one, handler: app.handler}
  two: {module: two, handler: app.handler, layers: [arn:aws:lambda:eu-west-1:1:layer:Two:3]}
""",
    "main.tf": """\
resource "aws_lambda_function" "api" {
  handler  = "app.handler"
  filename = data.archive_file.api.output_path
  layers   = [aws_lambda_layer_version.common.arn, "arn:aws:lambda:eu-west-1:1:layer:Three:3"]
}
data "archive_file" "api" {
  type       = "zip"
  source_dir = "${path.module}/tf"
}
""",
}


def test_layers(tmp_path: Path) -> None:
    """Layers, and builds that run commands, are questions: neither is read."""
    handlers = {f"{name}/app.py": HANDLER for name in ("fn", "plain", "one", "two", "tf")}
    output = init(write(tmp_path, {**LAYERS, **handlers})).output
    notes = {
        line.partition(", which")[0] for line in output.splitlines() if "which init cannot" in line
    }
    assert notes == {
        "  - lambda 'api': it uses the layers Powertools, Common, Other",
        "  - lambda 'one': it uses the layers Shared",
        "  - lambda 'two': it uses the layers Two",
        "  - lambda 'api_2': it uses the layers common, Three",
    }
    assert "lambda 'api': its BuildMethod is makefile, which is not run" in output
    assert output.count("BuildMethod") == 1


def test_dependencies_that_are_not_read(tmp_path: Path) -> None:
    """A file that declares dependencies is a question, once for all functions below it."""
    project = '[project]\nname = "x"\nversion = "1"\ndependencies = ["idna==3.10"]\n'
    files = {f"fns/{name}/app.py": HANDLER for name in ("a", "b", "c")}
    files |= {"fns/a/pyproject.toml": project, "Pipfile": '[packages]\nrequests = "*"\n'}
    files |= {"pyproject.toml": "[tool.ruff]\n", "fns/c/requirements.txt": ""}
    lines = init(write(tmp_path, files)).output.splitlines()
    assert [line for line in lines if "is not read" in line] == [
        (
            "  - Pipfile is not read; write the dependencies (requests) that a function needs to a "
            "requirements.txt in its folder: b"
        )
    ]


def test_the_first_build(tmp_path: Path) -> None:
    """The output says at which imports and requirements the first build would stop."""
    output = init(write(tmp_path, {
        "fns/a/app.py": f"import yaml, util.nix\n{HANDLER}",
        "fns/a/util/__init__.py": "",
        "fns/b/app.py": f"import yaml\n{HANDLER}",
        "fns/b/requirements.txt": "PyYAML\n",
        "fns/c/app.py": HANDLER,
        "fns/c/requirements.txt": "git+https://example.com/x\n",
    })).output  # fmt: skip
    start = output.index("The first build will stop at:\n")
    lines = output[start:].split("\n\n")[0].splitlines()[1:]
    assert "  - fns/a/app.py:1: import of 'yaml', which nothing provides" in lines
    assert any(line.startswith("  - fns/a/app.py:1: import of 'util.nix'") for line in lines)
    assert any("fns/c/requirements.txt:1: 'git+https://example.com/x'" in line for line in lines)
    assert not any("fns/b" in line for line in lines)


def test_again(tmp_path: Path) -> None:
    """Where there is a manifest, the message says which functions it lacks."""
    init(write(tmp_path, {"fns/a/app.py": HANDLER}))
    assert "lacks" not in init(tmp_path).output
    write(tmp_path, {"fns/b/app.py": HANDLER, "fns/pkg/__init__.py": ""})
    result = init(tmp_path)
    assert result.code == 1
    assert (
        "lambdas.yaml lacks these functions of the proposal:\n  b, from the module fns/b/app.py\n"
    ) in result.output
