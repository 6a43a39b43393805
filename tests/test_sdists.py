"""Distributions built from source, where the manifest allows it."""

import io
import tarfile

from tests.conftest import Index, Repository

# A build backend (PEP 517) inside the distribution, so that building needs no other packages.
BACKEND = """
import zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "sauce-1.0-TAG.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as archive:
        archive.writestr("sauce.py", CONTENT)
        archive.writestr("sauce-1.0.dist-info/METADATA",
                         "Metadata-Version: 2.1\\nName: sauce\\nVersion: 1.0\\n")
        archive.writestr("sauce-1.0.dist-info/WHEEL",
                         "Wheel-Version: 1.0\\nGenerator: t\\nTag: TAG\\n")
        archive.writestr("sauce-1.0.dist-info/RECORD",
                         "sauce.py,,\\nsauce-1.0.dist-info/METADATA,,\\n"
                         "sauce-1.0.dist-info/WHEEL,,\\nsauce-1.0.dist-info/RECORD,,\\n")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "sauce"
version = "1.0"
"""
MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


def add_sdist(index: Index, tag: str, content: str = r"'S = 1\n'") -> None:
    """Publish a source distribution; its wheel has this tag, and `code` generates its content."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as archive:
        for name, text in (
            ("pyproject.toml", PROJECT),
            ("backend.py", BACKEND.replace("TAG", tag).replace("CONTENT", content)),
            ("PKG-INFO", "Metadata-Version: 2.1\nName: sauce\nVersion: 1.0\n"),
        ):
            info = tarfile.TarInfo(f"sauce-1.0/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    index.files["sauce-1.0.tar.gz"] = output.getvalue()


def test_only_what_is_named_is_built(dependent: Repository, index: Index) -> None:
    """Without `allow_sdist`, a source distribution is refused; with it, a pure one is built."""
    add_sdist(index, "py3-none-any")
    dependent.write({"lambdas/api/requirements.txt": "sauce\nbeta\n", "lambdas.yaml": MANIFEST})
    message = dependent.fails("zip:api").message
    assert "sauce 1.0 has no wheel" in message
    assert "'allow_sdist: [sauce]'" in message
    dependent.write({"lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n"})
    dependent.doit("zip:api")
    assert dependent.members("api")["sauce.py"] == b"S = 1\n"
    before = dependent.sha256()
    dependent.doit("clean")
    dependent.doit("zip:api")
    assert dependent.sha256() == before


def test_what_is_compiled_here_is_refused(dependent: Repository, index: Index) -> None:
    """A source distribution that turns out not to be pure Python never reaches a ZIP."""
    add_sdist(index, "cp313-cp313-manylinux_2_17_x86_64")
    dependent.write({
        "lambdas/api/requirements.txt": "sauce\n",
        "lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n",
    })  # fmt: skip
    message = dependent.fails("zip:api").message
    assert "sauce" in message
    assert "install: docker" in message
