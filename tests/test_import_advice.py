"""The messages about missing imports name the reason; each remedy, done as written, leads on."""

import pytest

from tests.conftest import HANDLER, Index, Repository

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


def refused(repository: Repository, *, name: str = "api") -> str:
    """Return the line about the first import that fails."""
    lines = repository.fails().message.splitlines()
    start = lines.index(f"lambda '{name}': Lambda could not import its handler")
    return lines[start + 1]


def test_shared_code_elsewhere_in_the_repository(repository: Repository) -> None:
    """A package of the repository is named for `include`, and no stranger's of the same name."""
    repository.write({
        "lambdas/api/app.py": f"from common.db import connect\n{HANDLER}",
        "lambdas/shared/common/__init__.py": "",
        "lambdas/shared/common/db.py": "def connect(): ...\n",
    })  # fmt: skip
    assert refused(repository) == (
        "lambdas/api/app.py:1: import of 'common.db': nothing in the ZIP provides it; add "
        "lambdas/shared/common to 'include', or list 'common' in 'allow_missing_imports'"
    )
    repository.write({"lambdas.yaml": MANIFEST + "    include: [lambdas/shared/common]\n"})
    repository.doit()


def test_a_package_that_nobody_knows(repository: Repository) -> None:
    """A name that is in no table is not taken for that of a distribution."""
    repository.write({"lambdas/api/app.py": f"import acme_internal\n{HANDLER}"})
    assert "add the package that has it to lambdas/api/requirements.txt" in refused(repository)


def test_another_case(repository: Repository) -> None:
    """A name that differs in case only, which macOS hides, comes with the right one."""
    repository.write({
        "lambdas/api/app.py": f"import Helper\n{HANDLER}",
        "lambdas/api/helper.py": "",
    })  # fmt: skip
    assert "did you mean 'helper'?" in refused(repository)
    repository.write({"lambdas/api/app.py": f"import helper\n{HANDLER}"})
    repository.doit()


def test_a_name_in_the_wrong_folder(repository: Repository) -> None:
    """A module of the function under another name is named."""
    repository.write({
        "lambdas/api/app.py": f"import tools\n{HANDLER}",
        "lambdas/api/lib/tools.py": "",
    })  # fmt: skip
    assert "lambdas/api/lib/tools.py is 'lib.tools' there" in refused(repository)
    repository.write({"lambdas/api/app.py": f"import lib.tools\n{HANDLER}"})
    repository.doit()


def test_excluded_code(repository: Repository) -> None:
    """Code that the patterns leave out is not taken for a missing package."""
    repository.write({
        "lambdas.yaml": MANIFEST + "    exclude: [test*]\n",
        "lambdas/api/app.py": f"import testing_tools\n{HANDLER}",
        "lambdas/api/testing_tools.py": "",
    })  # fmt: skip
    said = "'exclude' leaves lambdas/api/testing_tools.py out; correct the patterns"
    assert refused(repository).endswith(said)
    repository.write({"lambdas.yaml": MANIFEST + "    exclude: [test_*]\n"})
    repository.doit()


def test_excluded_dependency(dependent: Repository, index: Index) -> None:
    """A locked package whose files the patterns leave out is not to be locked again."""
    index.add("pyyaml", files={"yaml/__init__.py": "Y = 1\n"})
    dependent.write({
        "lambdas.yaml": MANIFEST + "    exclude: [yaml/]\n",
        "lambdas/api/app.py": f"import yaml\n{HANDLER}",
        "lambdas/api/requirements.txt": "pyyaml\n",
    })  # fmt: skip
    assert "is locked, but 'exclude' leaves its files out" in refused(dependent)


def test_a_name_that_an_own_module_lacks(repository: Repository) -> None:
    """A misspelt name is found with the module that should define it."""
    repository.write({
        "lambdas/api/app.py": f"from helper import conect\n{HANDLER}",
        "lambdas/api/helper.py": "def connect(): ...\n",
    })  # fmt: skip
    assert refused(repository) == (
        "lambdas/api/app.py:1: import of 'helper.conect' fails: lambdas/api/helper.py does not "
        "define it"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import urllib2", "module of Python 2; in Python 3, its content is in 'urllib.request'"),
        ("import winreg", "the standard library has it on other systems only"),
        ("import compression.zstd", "the standard library has it since Python 3.14"),
        ("from google.cloud import storage", "add google-cloud-storage to"),
    ],
)
def test_reasons(repository: Repository, code: str, said: str) -> None:
    """A module of another Python or system, or of a shared namespace, is named as such."""
    repository.write({"lambdas/api/app.py": f"{code}\n{HANDLER}"})
    assert said in refused(repository)


def test_all_at_once(repository: Repository) -> None:
    """All imports that fail are in one message, with the way that leads to each."""
    repository.write({
        "lambdas/api/app.py": f"import bs4\nimport lib.one\n{HANDLER}",
        "lambdas/api/lib/one.py": "from . import two\n",
        "lambdas/api/lib/two.py": "import jwt, PIL.Image\n",
    })  # fmt: skip
    message = repository.fails().message
    way = "(imported by lambdas/api/app.py:2 > lambdas/api/lib/one.py:1)"
    assert "lambdas/api/app.py:1: import of 'bs4'" in message
    assert message.count(way) == 2
    for name in ("beautifulsoup4", "PyJWT", "Pillow"):
        assert f"add {name} to lambdas/api/requirements.txt" in message


def test_a_handler_of_a_layer(repository: Repository) -> None:
    """A handler that a layer provides is allowed by name, as other modules are."""
    manifest = MANIFEST.replace("app.handler", "datadog_lambda.handler.handler")
    repository.write({"lambdas.yaml": manifest, "lambdas/api/app.py": HANDLER})
    assert "the ZIP has no datadog_lambda/handler.py" in repository.fails().message
    repository.write({"lambdas.yaml": manifest + "    allow_missing_imports: [datadog_lambda]\n"})
    repository.doit()


def test_a_handler_in_packages(repository: Repository) -> None:
    """A handler with a slash is in packages, which are run before it."""
    repository.write({
        "lambdas.yaml": MANIFEST.replace("app.handler", "service/handlers/orders.run"),
        "lambdas/api/service/__init__.py": "import ujson\n",
        "lambdas/api/service/handlers/orders.py": (
            "from ..models import Order\ndef run(event, context): ...\n"
        ),
        "lambdas/api/service/models.py": "class Order: ...\n",
    })  # fmt: skip
    assert "lambdas/api/service/__init__.py:1: import of 'ujson'" in refused(repository)
    repository.write({"lambdas/api/service/__init__.py": ""})
    repository.doit()


def test_vendored_code(repository: Repository) -> None:
    """A folder that the code adds to the search path is part of it."""
    repository.write({
        "lambdas/api/app.py": (
            "import os, sys\nhere = os.path.dirname(__file__)\n"
            "sys.path.insert(0, os.path.join(here, 'vendored'))\n"
            f"import greeter\n{HANDLER}"
        ),
        "lambdas/api/vendored/greeter.py": "import absent\n",
    })  # fmt: skip
    output = repository.doit().output
    assert (
        "import of 'absent': nothing in the ZIP provides it, unless a change of sys.path" in output
    )
    assert "greeter'" not in output


def test_a_module_at_the_top_of_a_layer(repository: Repository) -> None:
    """Python finds modules of a layer below `python/` only; so the message says to move it."""
    repository.write({
        "lambdas.yaml": MANIFEST + "    layers: [common]\n"
        "layers:\n  common: {source: layers/common}\n",
        "lambdas/api/app.py": f"import common\nVALUE = common.VALUE\n{HANDLER}",
        "layers/common/common.py": "VALUE = 1\n",
    })  # fmt: skip
    assert refused(repository) == (
        "lambdas/api/app.py:1: import of 'common': layer 'common' has common.py at its top, but "
        "Python finds modules of a layer only below python/; move layers/common/common.py to "
        "python/common.py in the layer"
    )
    (repository.root / "layers/common/python").mkdir()
    path = repository.root / "layers/common/common.py"
    path.rename(repository.root / "layers/common/python/common.py")
    repository.doit()


def test_own_bytecode_without_a_source(repository: Repository) -> None:
    """A module that is there as bytecode only is left out, and not the module of a package."""
    repository.write({
        "lambdas/api/app.py": f"import vendor\n{HANDLER}",
        "lambdas/api/vendor.pyc": b"\0",
    })  # fmt: skip
    assert refused(repository) == (
        "lambdas/api/app.py:1: import of 'vendor': lambdas/api/vendor.pyc is bytecode without a "
        "source, which is always left out, because only the Python that made it can import it; "
        "add its source"
    )


def test_a_package_without_sources(dependent: Repository, index: Index) -> None:
    """Modules of a wheel that are bytecode only are named once; bytecode of sources is not."""
    index.add(
        "alpha",
        files={
            "alpha/__init__.py": "", "alpha/__init__.pyc": b"\0", "alpha/only.pyc": b"\0",
            "alpha/__pycache__/__init__.cpython-311.pyc": b"\0", "single.pyc": b"\0",
        },
    )  # fmt: skip
    said = "lambda 'api': left out alpha/only.pyc, single.pyc: a package has bytecode without"
    assert dependent.doit().output.count(said) == 1
    dependent.write({"lambdas/api/app.py": f"import alpha\n{HANDLER}"})
    assert "left out" not in dependent.doit().output
