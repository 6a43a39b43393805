"""What the documents say is what happens."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def quick_start() -> list[str]:
    text = (ROOT / "README.md").read_text().split("## Quick start")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)\n```", text, re.DOTALL)


def test_the_quick_start_is_two_commands_that_ci_runs() -> None:
    """CI runs the very commands that a newcomer copies from the README."""
    commands = quick_start()
    assert len(commands) == 2
    script = (ROOT / ".ci/run").read_text().splitlines()
    for command in commands:
        assert command in script


def test_links_lead_somewhere() -> None:
    """Every relative link in a document points to a file."""
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_contract_version_is_documented() -> None:
    """The version in the code, the contract's page and the changelog are one."""
    from buildlib.recipe import CONTRACT  # noqa: PLC0415

    assert f"version {CONTRACT}\n" in (ROOT / "docs/explanation/byte-contract.md").read_text()
    assert f"contract version {CONTRACT}." in (ROOT / "CHANGELOG.md").read_text()
