"""A build is green only if Lambda can import the handler; the remedies of the messages work."""

import subprocess
import sys
import zipfile

import pytest

from tests.conftest import HANDLER, Index, Repository

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


def test_a_missing_package(dependent: Repository, index: Index) -> None:
    """The message names file and line, and the package; with it in the requirements, it builds."""
    index.add("pyyaml", files={"yaml/__init__.py": "Y = 1\n"})
    dependent.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/app.py": f"import helper\n{HANDLER}",
        "lambdas/api/helper.py": "import os\nimport yaml\nimport beta.sub\n",
    })  # fmt: skip
    result = dependent.fails()
    lines = result.message.splitlines()
    at = lines.index("stage:api failed")
    assert lines[at + 1 : at + 3] == [
        "lambda 'api': Lambda could not import its handler",
        (
            "lambdas/api/helper.py:2: import of 'yaml': nothing in the ZIP provides it; add PyYAML "
            "to lambdas/api/requirements.txt, or list 'yaml' in 'allow_missing_imports' "
            "(imported by lambdas/api/app.py:1)"
        ),
    ]
    assert not (dependent.root / "dist/api.zip").exists()
    dependent.write({
        "lambdas/api/requirements.txt": "beta\nPyYAML\n",
        "lambdas/api/helper.py": "import os\nimport yaml\n",
    })  # fmt: skip
    dependent.doit()
    assert imports(dependent, "api")


def imports(repository: Repository, name: str) -> bool:
    """Tell whether a Python imports the handler from the unpacked ZIP alone."""
    folder = repository.root.with_name("unpacked")
    with zipfile.ZipFile(repository.root / f"dist/{name}.zip") as archive:
        archive.extractall(folder)
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); import app"
    return subprocess.run([sys.executable, "-I", "-c", program], check=False).returncode == 0


def test_the_metadata_of_other_environments_comes_first(
    dependent: Repository, index: Index
) -> None:
    """The package is named as an environment of the repository has it."""
    index.add("acme_tools", files={"acme/__init__.py": "A = 1\n"})
    dependent.write({
        "lambdas.yaml": MANIFEST + "  jobs:\n    handler: app.handler\n",
        "lambdas/jobs/requirements.txt": "acme-tools\n",
        "lambdas/jobs/app.py": f"import acme\n{HANDLER}",
    })  # fmt: skip
    dependent.doit("zip:jobs")
    dependent.write({"lambdas/api/app.py": f"import acme\n{HANDLER}"})
    assert "add acme-tools to lambdas/api/requirements.txt" in dependent.fails("zip:api").message


def test_allowed_by_the_manifest(repository: Repository) -> None:
    """A module of a layer is allowed by name, and the permission is part of the key."""
    repository.write({"lambdas/api/app.py": f"import layer.tools\n{HANDLER}"})
    assert "list 'layer' in 'allow_missing_imports'" in repository.fails().message
    allowed = MANIFEST + "    allow_missing_imports: [layer]\n"
    repository.write({"lambdas.yaml": allowed})
    repository.doit()
    repository.write({"lambdas.yaml": MANIFEST})
    assert "import of 'layer.tools'" in repository.fails().message


def test_an_edit_is_checked(repository: Repository) -> None:
    """An edit that breaks an import or the syntax fails, and the earlier ZIP stays."""
    repository.write({
        "lambdas/api/app.py": f"import helper\n{HANDLER}",
        "lambdas/api/helper.py": "import json\n",
        "lambdas/api/unused.py": "import json\n",
    })  # fmt: skip
    repository.doit()
    before = repository.sha256()
    repository.write({"lambdas/api/helper.py": "import jsonn\n"})
    assert "lambdas/api/helper.py:1: import of 'jsonn'" in repository.fails().message
    repository.write({"lambdas/api/helper.py": "import json\n", "lambdas/api/unused.py": "x = (\n"})
    assert "lambdas/api/unused.py:2:1: unexpected EOF" in repository.fails().message
    assert repository.sha256() == before
    repository.write({"lambdas/api/unused.py": "import nothing_at_all\n"})
    repository.doit()
    assert repository.sha256() != before
    repository.write({"lambdas/api/helper.py": "import unused\n"})
    assert "import of 'nothing_at_all'" in repository.fails().message
    (repository.root / "lambdas/api/helper.py").unlink()
    assert "import of 'helper'" in repository.fails().message


def test_doubtful_imports_are_warnings(repository: Repository) -> None:
    """A guarded import that nothing provides is said when the tree is staged, and not again."""
    code = f"try:\n    import ujson as json\nexcept ImportError:\n    import json\n{HANDLER}"
    repository.write({"lambdas/api/app.py": code})
    said = (
        "warning: optional import of 'ujson': nothing in the ZIP provides it; add ujson, or set "
        "'allow_missing_imports: [ujson]' (lambdas/api/app.py:2)\n"
    )
    assert said in repository.doit().output
    assert "ujson" not in repository.doit().output
    repository.write({"lambdas/api/app.py": f"import os\n{code}"})
    assert "ujson" not in repository.doit().output
    repository.write({"lambdas/api/app.py": f"{code}\ndef f():\n    import yaml\n"})
    output = repository.doit().output
    assert "import of 'yaml' in a function: nothing in the ZIP provides it; add PyYAML" in output
    assert "ujson" not in output
    repository.write({"lambdas.yaml": MANIFEST + "    allow_missing_imports: [yaml, ujson]\n"})
    assert "warning" not in repository.doit().output


def test_one_warning_for_many_functions(repository: Repository) -> None:
    """A warning that many functions share is one line, with some of its places."""
    code = f"try:\n    import ujson\nexcept ImportError:\n    pass\n{HANDLER}"
    names = [f"f{number}" for number in range(6)]
    repository.write({f"lambdas/{name}/app.py": code for name in names})
    entries = "".join(f"  {name}: {{handler: app.handler}}\n" for name in names)
    repository.write({"lambdas.yaml": f"version: 1\nlambdas:\n{entries}"})
    (line,) = [line for line in repository.doit().output.splitlines() if "ujson" in line]
    places = "lambdas/f0/app.py:2, lambdas/f1/app.py:2, lambdas/f2/app.py:2, 3 more"
    assert line.endswith(f"({places})")


@pytest.mark.parametrize(
    ("code", "python", "said"),
    [
        ("type Name = str\n", "3.11", "Cannot use `type` alias statement on Python 3.11"),
        ("x = t'{1}'\n", "3.13", "on Python 3.13"),
        ("import distutils.core\n", "3.12", "Python 3.12 no longer has this module"),
        ("from .helper import x\n", "3.13", "Lambda imports this module from the top of the ZIP"),
        ("def (:\n", "3.13", "lambdas/api/app.py:1:"),
    ],
)
def test_for_the_target(repository: Repository, code: str, python: str, said: str) -> None:
    """The version of the target decides about syntax and the standard library."""
    repository.write({
        "lambdas.yaml": MANIFEST + f"    python: '{python}'\n",
        "lambdas/api/app.py": code + HANDLER,
        "lambdas/api/helper.py": "x = 1\n",
    })  # fmt: skip
    assert said in repository.fails().message


def test_newer_than_the_host(repository: Repository) -> None:
    """Syntax that only the target knows builds on every host."""
    repository.write({
        "lambdas.yaml": MANIFEST + "    python: '3.14'\n",
        "lambdas/api/app.py": f"x = t'{{1}}'\ntry: 1\nexcept KeyError, OSError: pass\n{HANDLER}",
    })  # fmt: skip
    repository.doit()


def test_a_template_is_no_code(repository: Repository) -> None:
    """A file that no import can name may be anything; the user hears of it."""
    repository.write({"lambdas/api/templates/{{ name }}.py": "import {{ module }}\n"})
    output = repository.doit().output
    assert "warning: Python 3.13 cannot compile a file that nothing imports" in output
    assert "templates/{{ name }}.py" in repository.members("api")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("templates/function.py", "def {{ name }}(event, context): ...\n"),
        ("blueprints/function.py", "import os\nclass {{ name }}: ...\n"),
        ("{{cookiecutter.name}}/app.py", "def f(:\n"),
    ],
)
def test_what_nothing_imports(repository: Repository, path: str, code: str) -> None:
    """A template gives a warning until something imports it; broken code always is an error."""
    repository.write({f"lambdas/api/{path}": code})
    assert f"(lambdas/api/{path}:" in repository.doit().output
    if "{" not in path:
        module = path.removesuffix(".py").replace("/", ".")
        repository.write({"lambdas/api/app.py": f"import {module}\n{HANDLER}"})
        assert f"lambdas/api/{path}:" in repository.fails().message
    repository.write({"lambdas/api/app.py": HANDLER, "lambdas/api/jobs/nightly.py": "if x\n  y\n"})
    message = repository.fails().message
    assert "lambdas/api/jobs/nightly.py:1:5: " in message
    assert "If nothing imports a file, name it in 'exclude'." in message
    manifest = MANIFEST + "    exclude: [jobs/]\n"
    repository.write({"lambdas.yaml": manifest})
    repository.doit()


def test_shared_code_needs_its_packages(dependent: Repository) -> None:
    """An `include` whose dependencies are not in the lock does not build in silence."""
    dependent.write({
        "lambdas.yaml": MANIFEST + "    include: [shared/acme]\n",
        "lambdas/api/app.py": f"from acme import core\n{HANDLER}",
        "lambdas/api/requirements.txt": "alpha\n",
        "shared/acme/__init__.py": "",
        "shared/acme/core.py": "import beta\n",
    })  # fmt: skip
    assert "shared/acme/core.py:1: import of 'beta'" in dependent.fails().message
    dependent.write({"lambdas/api/requirements.txt": "alpha\nbeta\n"})
    dependent.doit()
