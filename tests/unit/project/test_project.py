"""A repository's inputs become the keys of its variants."""

from pathlib import Path

import pytest

from buildlib.lock import requirements
from buildlib.project.project import Project
from tests.unit.conftest import write

MANIFEST = """\
version: 1
defaults:
  python: "3.13"
lambdas:
  api:
    handler: app.handler
    include: [shared/common]
    exclude: ["*.md", "tests/"]
    architecture: [x86_64, arm64]
  jobs:
    handler: app.handler
    compression: stored
    python: "3.12"
"""
LOCK = """\
# requirements-sha256: {sha256}
# python: 3.13
alpha==1.0 \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
beta==2.0 ; python_version >= "3.13" \\
    --hash=sha256:{c}
gamma==3.0 ; platform_machine == "aarch64" \\
    --hash=sha256:{d}
"""

GOLDEN = {
    "api-py3.13-x86_64": "9c2454af1e168a33c3a731c30a1b7e4c7f2ebc0d482c4abc0eeaa45b7e28b015",
    "api-py3.13-arm64": "60118f71d8644b82c697b172dca01dd678cff5e9cd4cb7df7e0fa1e3a1c34e6c",
    "jobs": "deb550f3b25dbc5039120cbf50f537ac41485505184dfa1a644f0ed82cb439a5",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a repository of two functions; one has dependencies, which are locked."""
    write(tmp_path, {
        "lambdas.yaml": MANIFEST,
        "lambdas/api/app.py": "def handler(event, context): ...\n",
        "lambdas/api/data/z\u00fcrich.txt": "Z\u00fcrich\n",
        "lambdas/api/README.md": "# api\n",
        "lambdas/api/requirements.txt": "alpha\nbeta\n",
        "lambdas/jobs/app.py": "def handler(event, context): ...\n",
        "shared/common/__init__.py": "C = 1\n",
    })  # fmt: skip
    sha256 = requirements.read(tmp_path, "lambdas/api/requirements.txt").sha256
    lock = LOCK.format(sha256=sha256, **{letter: letter * 64 for letter in "abcd"})
    return write(tmp_path, {"lambdas/api/requirements.lock": lock})


def keys(root: Path) -> dict[str, str]:
    """Return the keys of all variants."""
    project = Project(root)
    return {variant.id: project.inputs(variant).key for variant in project.variants.values()}


def test_golden(root: Path) -> None:
    """The manifest above, with its lock and sources, has these keys on every machine.

    Every store and every `lambdas.hashes.json` finds what was built by them. A key changes only by
    a deliberate act, which rebuilds every function of every user and needs an entry in the
    changelog: a new version of the byte contract or of the encoder, or another field of a recipe.
    """
    assert keys(root) == GOLDEN


@pytest.mark.parametrize(
    ("path", "content", "changed"),
    [
        ("lambdas/api/README.md", "# other\n", set()),
        ("lambdas/api/requirements.txt", "beta\nalpha\n", set()),
        ("lambdas/api/tests/test_app.py", "", set()),
        ("lambdas/api/__pycache__/app.cpython-313.pyc", "", set()),
        ("dodo.py", "", set()),
        ("lambdas/jobs/app.py", "def handler(event, context): return 1\n", {"jobs"}),
        ("shared/common/new.py", "", {"api-py3.13-x86_64", "api-py3.13-arm64"}),
    ],
)
def test_what_reaches_a_key(root: Path, path: str, content: str, changed: set[str]) -> None:
    """A file counts where it is part of the ZIP, and nowhere else."""
    before = keys(root)
    write(root, {path: content})
    after = keys(root)
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_pin_for_one_target(root: Path) -> None:
    """A pin that holds for one architecture is in the key of that one alone."""
    before = keys(root)
    path = root / "lambdas/api/requirements.lock"
    path.write_text(path.read_text().replace("gamma==3.0", "gamma==3.1"))
    after = keys(root)
    assert {name for name in before if before[name] != after[name]} == {"api-py3.13-arm64"}


def test_services_of_layers(root: Path) -> None:
    """The services that a layer keeps decide whether a function has to be looked at again."""
    found = set()
    for services in ("[]", "[s3]", "[s3, sqs]"):
        layer = f"layers:\n  aws: {{include: [shared/common], aws_services: {services}}}\n"
        manifest = MANIFEST.replace("  jobs:\n", "  jobs:\n    layers: [aws]\n")
        manifest = manifest.replace('python: "3.12"', 'python: "3.13"')
        write(root, {"lambdas.yaml": manifest + layer})
        project = Project(root)
        found.add(project._constants(project.variants["jobs"]))  # noqa: SLF001 - of fingerprints
    assert len(found) == 3
