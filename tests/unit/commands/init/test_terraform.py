"""Proposals from Terraform files: the facts that are read, and the notes about the others."""

from pathlib import Path

import pytest

from buildlib.commands.init import proposal
from buildlib.commands.init.proposal import Proposal
from tests import test_corpus
from tests.unit.conftest import write

HANDLER = "def handler(event, context): ...\n"


def corpus(root: Path, name: str) -> Proposal:
    """Return the proposal for a tree of the corpus."""
    shape = test_corpus.read(test_corpus.CORPUS / f"{name}.txt", {"alpha": "", "beta": ""})
    return proposal.propose(write(root, shape.files))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tf-for-each", {
            "billing": ("services/billing/src", "python3.12", "arm64"),
            "orders": ("services/orders/src", "python3.12", "arm64"),
        }),
        ("tf-for-each-values", {
            "audit": ("src/audit", "python3.12", None),
            "keys": ("src/keys", "python3.13", None),
            "mail": ("src/mail", "python3.13", None),
        }),
        ("tf-wrapper", {
            "orders": ("src/orders", "python3.13", "arm64"),
            "users": ("src/users", "python3.12", "arm64"),
        }),
        ("tf-wrapper-each", {
            "in": ("code/ingest", "python3.13", None),
            "out": ("code/export", "python3.12", None),
        }),
        ("tf-unknown-keys", {
            "alarm": ("functions/alarm/src", "python3.12", "arm64"),
            "report": ("functions/report/src", "python3.12", "arm64"),
        }),
        ("tf-terragrunt", {"mail": ("src/mail", "python3.12", None)}),
        ("tf-chained", {"ping": ("lambda_src/ping", "python3.13", None)}),
    ],
)  # fmt: skip
def test_facts(tmp_path: Path, name: str, expected: dict[str, tuple[str, str, str]]) -> None:
    """The runtime and the architecture of each function are those of its declaration."""
    found = corpus(tmp_path, name).functions
    assert {one.name: (one.source, one.runtime, one.architecture) for one in found} == expected


BLOCK = """
resource "aws_lambda_function" "svc" {
  for_each      = %s
  function_name = each.key
  filename      = "${var.build}/${each.key}.zip"
  handler       = "${each.key}.main.lambda_handler"
  runtime       = "python3.12"
  architectures = ["arm64"]
}
"""


def test_facts_win_over_guesses(tmp_path: Path) -> None:
    """A function in a folder that fits a declaration of unknown code takes the facts of this."""
    found = proposal.propose(write(tmp_path, {
        "infra/main.tf": (BLOCK % 'toset(["x", "y"])').replace("${each.key}.main", "main"),
        "lib/a/main.py": HANDLER.replace("handler", "lambda_handler"),
        "lib/other/app.py": HANDLER,
    }))  # fmt: skip
    assert {one.name: (one.runtime, one.architecture) for one in found.functions} == {
        "a": ("python3.12", "arm64"),
        "other": (None, None),
    }
    assert "# the module lib/a/main.py, perhaps of infra/main.tf, aws_lambda_function.svc[*]" in (
        found.text
    )
    (note,) = found.notes
    assert note == (
        "infra/main.tf, aws_lambda_function.svc[*] (2 elements): its source is unknown: it deploys "
        '"${var.build}/${each.key}.zip" (infra/main.tf:5, where var.build is not declared); '
        "functions in folders that may be its own, with its python3.12, arm64: a"
    )


def test_a_name_gives_the_folder_of_imports(tmp_path: Path) -> None:
    """A function of unknown code whose name a folder has is imported as its handler says."""
    found = proposal.propose(write(tmp_path, {
        "infra/main.tf": BLOCK % 'toset(["a"])',
        "lib/a/main.py": HANDLER.replace("handler", "lambda_handler"),
    }))  # fmt: skip
    (function,) = found.functions
    assert (function.source, function.handler) == ("lib", "a.main.lambda_handler")


def test_declarations_that_disagree(tmp_path: Path) -> None:
    """Where two declarations of unknown code fit a function, it takes the facts of none."""
    text = BLOCK % "var.a" + (BLOCK % "var.b").replace("svc", "other").replace("arm64", "x86_64")
    found = proposal.propose(write(tmp_path, {
        "main.tf": text, "lib/a/main.py": HANDLER.replace("handler", "lambda_handler"),
    }))  # fmt: skip
    (function,) = found.functions
    assert (function.runtime, function.architecture) == (None, None)
    assert [note.rpartition("; ")[2] for note in found.notes] == [
        "functions in folders that may be its own, with its python3.12, arm64: a",
        "functions in folders that may be its own, with its python3.12, x86_64: a",
    ]


def test_places(tmp_path: Path) -> None:
    """A value that only Terraform knows is noted with its file and line, and the reason."""
    found = proposal.propose(write(tmp_path, {
        "infra/main.tf": 'variable "python" {}\n\nmodule "a" {\n  source = "./fn"\n  path = '
        '"${path.module}/../a"\n  python = var.python\n}\n',
        "infra/fn/main.tf": 'variable "path" {}\nvariable "python" {}\n'
        'data "archive_file" "x" {\n  source_dir = var.path\n  output_path = "x.zip"\n}\n'
        'resource "aws_lambda_function" "this" {\n  filename = "x.zip"\n'
        '  handler = "app.handler"\n  runtime = "python${var.python}"\n}\n',
        "a/app.py": HANDLER,
    }))  # fmt: skip
    (function,) = found.functions
    assert (function.name, function.source) == ("a", "a")
    assert found.notes == [
        (
            "lambda 'a': its runtime, infra/fn/main.tf:10, is known only to Terraform: "
            '"python${var.python}" (var.python has no default)'
        )
    ]


def test_a_count_of_0(tmp_path: Path) -> None:
    """A function that is switched off is proposed with a note, unless another has its code."""
    text = """
    variable "vpc" { default = false }
    data "archive_file" "x" {
      source_dir  = "a"
      output_path = "x.zip"
    }
    resource "aws_lambda_function" "in_vpc" {
      count    = var.vpc ? 1 : 0
      filename = "x.zip"
      handler  = "app.handler"
      runtime  = "python3.12"
    }
    """
    tree = {"main.tf": text, "a/app.py": HANDLER}
    found = proposal.propose(write(tmp_path / "one", tree))
    assert [(one.name, one.runtime) for one in found.functions] == [("in_vpc", "python3.12")]
    assert found.notes == ["lambda 'in_vpc': its count is 0, as far as the files say"]
    other = text[text.index("resource") :].replace("? 1 : 0", "? 0 : 1").replace("in_", "no_")
    found = proposal.propose(write(tmp_path / "two", {**tree, "main.tf": text + other}))
    assert [one.name for one in found.functions] == ["no_vpc"]
    assert found.notes == []


def test_most_elements(tmp_path: Path) -> None:
    """A block with more elements than a repository has functions is a note."""
    many = 'toset([for i in range(1001) : "f${i}"])'
    found = proposal.propose(write(tmp_path, {"main.tf": BLOCK % many}))
    assert "its for_each, main.tf:3, has 1001 elements, more than 1000" in found.notes[0]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A link to nothing is a note, and the other files are read."""
    write(tmp_path, {"infra/main.tf": BLOCK % 'toset(["a"])', "a/main.py": ""})
    (tmp_path / "infra/gone.tf").symlink_to("nothing")
    found = proposal.propose(tmp_path)
    assert found.notes[0] == "infra/gone.tf: No such file or directory"
    assert len(found.notes) == 2


MANY = 'toset([for i in range(900) : "f${i}"])'
WIDE = f'module "b" {{\n  source   = "../m%d"\n  for_each = {MANY}\n}}\n'


@pytest.mark.parametrize(
    "tree",
    [
        # Modules that call each other, and themselves.
        {"main.tf": 'module "a" {\n  source = "./m"\n}\n',
         "m/main.tf": 'module "b" {\n  source = "../n"\n}\n' + BLOCK % "local.x",
         "n/main.tf": 'module "c" {\n  source = "../m"\n}\nmodule "d" {\n  source = "../n"\n}\n'},
        # 900 elements to the power of six.
        {"m0/main.tf": WIDE % 1, "m1/main.tf": WIDE % 2, "m2/main.tf": WIDE % 3,
         "m3/main.tf": BLOCK % MANY},
        # 100,000 elements, in an expression and written out.
        {"main.tf": BLOCK % 'toset([for i in range(100000) : "f${i}"])'},
        {"main.tf": BLOCK % f"{{\n{''.join(f'f{i} = {{}}{chr(10)}' for i in range(100_000))}}}"},
        # An element that names its own block.
        {"main.tf": BLOCK % "aws_lambda_function.svc"},
        {"main.tf": 'module "a" {\n  source = "./m"\n  x = module.a.y\n}\n',
         "m/main.tf": 'variable "x" {}\noutput "y" { value = var.x }\n' + BLOCK % "var.x"},
    ],
)  # fmt: skip
def test_hostile(tmp_path: Path, tree: dict[str, str]) -> None:
    """Files that call, name or multiply themselves end in a few notes."""
    found = proposal.propose(write(tmp_path, {**tree, "code/app.py": HANDLER}))
    assert [one.name for one in found.functions] == ["code"]
    assert 1 <= len(found.notes) <= 10
    assert max(map(len, found.notes)) < 1_000
