"""Advice on size names only files that the function can do without."""

import pytest

from buildlib.archive import savings
from buildlib.archive.savings import Files


def patterns(contents: dict[str, str], own: tuple[str, ...] = ("app.py",)) -> dict[str, str]:
    """Return the pattern for each file that is not needed."""
    files = {"app.py": "", **contents}
    sizes = {name: len(text) for name, text in files.items()}
    return savings.patterns(
        Files(sizes, lambda name: files[name].encode(), files.__getitem__), set(own)
    )


def test_tests_and_stubs() -> None:
    """Folders of tests and documentation go by their name, type stubs by their ending."""
    assert patterns({
        "big/__init__.py": "import os\n",
        "big/tests/test_it.py": "from big.tests import helper\n",
        "big/sub/tests/data.bin": "",
        "big/docs/index.rst": "",
        "big/core.pyi": "",
        "big/py.typed": "",
    }) == {
        "big/tests/test_it.py": "tests/",
        "big/sub/tests/data.bin": "tests/",
        "big/docs/index.rst": "docs/",
        "big/core.pyi": "*.pyi",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "import big.docs",
        "from big.docs import x",
        "from big import docs",
        "from . import docs",
        "from .docs.bcdoc import x",
        "from big import (\n    a,\n    docs,\n)",
        "    import big.docs.deep as d",
        "importlib.import_module('big.docs')",
    ],
)
@pytest.mark.parametrize("where", ["big/loader.py", "app.py"])
def test_an_imported_folder_stays(line: str, where: str) -> None:
    """A folder that a module outside of it imports is never named, as botocore.docs is not."""
    if where == "app.py" and line.startswith(("from .", "    import")):
        return
    found = patterns({"big/docs/__init__.py": "", "big/docs/bcdoc.py": "", where: f"{line}\n"})
    assert found == {}


def test_others_of_the_name_go_by_their_path() -> None:
    """With one of them needed, the others of one name are named by their paths."""
    assert patterns({
        "botocore/session.py": "from botocore.docs import generate\n",
        "botocore/docs/__init__.py": "",
        "other/docs/index.html": "",
        "other/deep/docs/index.html": "",
        "docs/index.html": "",
    }) == {
        "other/docs/index.html": "/other/**/docs/",
        "other/deep/docs/index.html": "/other/**/docs/",
        "docs/index.html": "/docs/",
    }  # fmt: skip


def test_stubs_that_are_read() -> None:
    """Stubs stay where a package reads them when it runs."""
    loader = "import lazy_loader\n__getattr__ = lazy_loader.attach_stub(__name__, __file__)\n"
    assert patterns({"sk/__init__.py": loader, "sk/__init__.pyi": "from . import io"}) == {}


def test_own_files_are_kept() -> None:
    """The function's own folders are never named."""
    assert patterns({"tests/data.txt": ""}, own=("app.py", "tests/data.txt")) == {}
