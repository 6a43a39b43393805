"""The machine's Terraform and AWS provider, and the configuration that the how-to page shows."""

import glob
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Repository
from tests.documents import ROOT, blocks

PAGE = ROOT / "docs/how-to/terraform.md"

# Terraform looks in all but the first of these by itself ("implied local mirrors").
_MIRRORS = (
    "/opt/*",
    *("/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"),
    os.path.expanduser("~/.terraform.d/plugins"),
)
_AWS = "registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*"


def plugins() -> str:
    """Return the folder with the AWS provider; skip without it or Terraform, and fail in CI."""
    found = [path for mirror in _MIRRORS for path in glob.glob(f"{mirror}/{_AWS}")]
    missing = [] if shutil.which("terraform") else ["the program terraform"]
    missing += [] if found else ["the provider hashicorp/aws in a local mirror"]
    if missing:
        reason = f"this machine lacks {' and '.join(missing)}"
        assert "CI" not in os.environ, reason
        pytest.skip(reason)
    return str(Path(found[0]).parents[5])


@dataclass
class Done:
    """The exit code and output of a Terraform run with `-json`."""

    code: int
    output: str

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of one type."""
        rows = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [row for row in rows if row.get("type") == kind]

    @property
    def changes(self) -> dict[str, str]:
        """The planned action for each resource."""
        found = (row["change"] for row in self.messages("planned_change"))
        return {change["resource"]["addr"]: change["action"] for change in found}

    @property
    def warnings(self) -> str:
        """The texts of all diagnostics, such as those of `check` blocks."""
        return "\n".join(str(row["diagnostic"]) for row in self.messages("diagnostic"))


@dataclass
class Terraform:
    """Runs of Terraform on checkouts that share one state and one account."""

    plugins: str
    state: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, checkout: Repository, *command: str, code: int = 0) -> Done:
        """Run Terraform in the folder `infra` of a checkout, and check its exit code."""
        done = subprocess.run(
            ["terraform", *command],
            cwd=checkout.root / "infra",
            env=checkout.environment | self.environment | {"TF_DATA_DIR": _data(checkout)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stdout
        return Done(done.returncode, done.stdout)

    def init(self, checkout: Repository) -> None:
        """Initialise a new checkout."""
        self.run(checkout, "init", f"-plugin-dir={self.plugins}", "-no-color")

    def plan(self, checkout: Repository, code: int = 0) -> Done:
        """Save a plan in `infra/planned`; the exit code is 0 without changes, 2 with changes."""
        return self.run(checkout, "plan", "-out=planned", "-detailed-exitcode", "-json", code=code)

    def apply(self, checkout: Repository, code: int = 0) -> Done:
        """Apply the saved plan."""
        return self.run(checkout, "apply", "-json", "planned", code=code)

    def planned(self, checkout: Repository) -> list[dict[str, Any]]:
        """Return the changed resources of the saved plan, with their values before and after."""
        shown = json.loads(self.run(checkout, "show", "-json", "planned").output)
        return [
            resource
            for resource in shown.get("resource_changes", [])
            if resource["change"]["actions"] != ["no-op"] or "previous_address" in resource
        ]

    @cached_property
    def sets_code_sha256(self) -> bool:
        """Whether this provider lets a configuration set `code_sha256`: from 6.27 on."""
        version = Path(glob.glob(f"{self.plugins}/{_AWS}")[0]).parents[1].name
        return tuple(int(part) for part in version.split(".")[:2]) >= (6, 27)


def _data(checkout: Repository) -> str:
    """Return the folder for the provider, which is large, outside of the files to clone."""
    return f"{checkout.root}.terraform"


def page(file: str) -> str:
    """Return the content of a file that the how-to page shows."""
    (found,) = [block.content for block in blocks(PAGE) if block.options.get("file") == file]
    return found


def with_published(functions: str) -> str:
    """Return the configuration with the module that reads the list of published objects."""
    (module,) = [
        block.content
        for block in blocks(PAGE)
        if block.language == "hcl" and "lambdas.published.json" in block.content
    ]
    changed, replaced = re.subn(
        r'module "lambdas" \{.*?\n\}\n', lambda _: module, functions, flags=re.DOTALL
    )
    assert replaced == 1
    return changed


def changed(resource: dict[str, Any]) -> set[str]:
    """Return the arguments and attributes that a planned change changes."""
    before, after = resource["change"]["before"], resource["change"]["after"]
    unknown = {name for name, value in resource["change"]["after_unknown"].items() if value is True}
    return {name for name in after if before.get(name) != after[name]} | unknown
