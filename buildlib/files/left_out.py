"""The files of packaging and of other tools, which are no part of a function unless named.

A row holds for the top of a function's `source` and of each folder in `include`, where the tools
put these files; deeper down such a name is data. docs/reference/files.md has the same table.
"""

import os
from typing import NamedTuple

# Number of these rules; raise it with each change, so that no finished variant escapes it.
RULES = 4


class Row(NamedTuple):
    """Names that belong together: paths, a folder's with a trailing slash, and at most one `*`.

    `*` matches no slash. `anywhere` also holds below the top, and `root` only where a function's
    source is the repository's root.
    """

    what: str
    patterns: tuple[str, ...]
    anywhere: bool = False
    root: bool = False


ROWS = (
    Row(
        "Python packaging",
        (
            *("pyproject.toml", "setup.cfg", "MANIFEST.in", "*.egg-info/", ".eggs/"),
            *("uv.lock", "poetry.lock", "poetry.toml", "pdm.lock", "pdm.toml"),
            *(".pdm-python", "Pipfile", "Pipfile.lock", "pylock.toml", "pylock.*.toml"),
            *("hatch.toml", "conda-lock.yml", ".python-version"),
        ),
    ),
    Row(
        "requirements",
        (
            *("requirements.txt", "requirements.in", "requirements.lock", "*.requirements.lock"),
            *("requirements-*.txt", "requirements-*.in", "requirements_*.txt"),
            *("requirements/*.txt", "requirements/*.in"),
        ),
    ),
    Row(
        "deployment",
        (
            *("lambdas.yaml", "samconfig.toml", "samconfig.yaml", "samconfig.yml"),
            *("serverless.yml", "serverless.yaml", "serverless.ts", ".chalice/"),
            *("zappa_settings.json", "cdk.json", "cdk.context.json", "cdk.out/"),
            *("*.tf", "*.tf.json", "*.tfvars", "*.tfstate", "*.tfstate.backup"),
            *(".terraform.lock.hcl", "terragrunt.hcl", "Dockerfile", ".dockerignore"),
        ),
    ),
    Row(
        "build and test tools",
        (
            *("Makefile", "GNUmakefile", "tox.ini", "noxfile.py", "pytest.ini"),
            *("mypy.ini", ".mypy.ini", "ruff.toml", ".ruff.toml", ".flake8", ".pylintrc"),
            *(".coverage", ".coveragerc", "htmlcov/", ".pre-commit-config.yaml"),
        ),
    ),
    Row(
        "node",
        ("package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", ".npmignore"),
    ),
    Row(
        "git and editors",
        (".gitignore", ".gitattributes", ".gitmodules", ".github/", ".editorconfig"),
    ),
    Row(
        "built packages",
        ("dist/*.zip", "dist/*.whl", "dist/*.tar.gz"),
    ),
    Row(
        "the repository's root as a source",
        (
            *("lambdas.hashes.json", "lambdas.published*.json", "lambdas.signed.json"),
            *("dodo.py", ".doit.db*", "build/", "dist/"),
            *("tests/", "test/", "docs/", "examples/", "terraform/", "infra/", ".circleci/"),
            *("*.md", "*.rst", "README*", "LICENSE*", "COPYING*", "NOTICE*", "CODEOWNERS"),
            *("conftest.py", ".gitlab-ci.yml", "buildspec.yml", "docker-compose*"),
            *(".env", ".env.*", ".envrc", ".tool-versions"),
        ),
        root=True,
    ),
    Row(
        "caches of tools",
        (
            *(".aws-sam/", ".serverless/", ".terraform/", "node_modules/", ".hypothesis/"),
            *(".ipynb_checkpoints/", ".idea/", ".vscode/"),
        ),
        anywhere=True,
    ),
)  # fmt: skip


_TEMPLATE = (b"AWSTemplateFormatVersion", b"AWS::Serverless", b"AWS::CloudFormation")


# A file of such a name is left out if it has one of these texts; otherwise it is the function's.
_BY_CONTENT = {
    "template.yaml": _TEMPLATE,
    "template.yml": _TEMPLATE,
    "setup.py": (b"setuptools", b"distutils", b"skbuild"),
}


def _names(*, anywhere: bool = False, root: bool = False, star: bool) -> list[str]:
    rows = (row for row in ROWS if (row.anywhere, row.root) == (anywhere, root))
    return [p for row in rows for p in row.patterns if ("*" in p) is star]


_TOP = frozenset(_names(anywhere=False, star=False))


# By hand, because compiling regular expressions takes 9 ms.
_STARS = tuple(pattern.split("*") for pattern in _names(anywhere=False, star=True))


_ANYWHERE = frozenset(_names(anywhere=True, star=False))


_AT_ROOT = frozenset(_names(root=True, star=False))


_STARS_AT_ROOT = tuple(pattern.split("*") for pattern in _names(root=True, star=True))


# Nearly every name fails this check, which takes a tenth of the time of all patterns.
_ENDS = tuple({after for _, after in (*_STARS, *_STARS_AT_ROOT) if after})


_STARTS = tuple({before for before, after in (*_STARS, *_STARS_AT_ROOT) if not after})


def is_left_out(name: str, path: str, *, is_root: bool = False) -> bool:
    """Tell whether an entry of a source or an included folder is left out, unless it is named.

    `name` is relative to that folder, which may be the repository's root; a folder's ends with a
    slash. Entries below a folder that is left out are not asked. `path` is where the entry is.
    """
    has_star = name.endswith(_ENDS) or name.startswith(_STARTS)
    if is_root and (
        name in _AT_ROOT or (has_star and any(_matches(name, *p) for p in _STARS_AT_ROOT))
    ):
        return True
    is_folder = name.endswith("/")
    # A folder's name counts for a file as well: it may be a link that leads nowhere.
    stem = name if is_folder else name + "/"
    leaf = stem[stem.rfind("/", 0, -1) + 1 :]
    if name in _TOP or stem in _TOP or leaf in _ANYWHERE:
        return True
    if has_star and any(_matches(name, *parts) for parts in _STARS):
        return True
    if leaf != stem:
        return False
    if is_folder:
        return os.path.exists(os.path.join(path, "pyvenv.cfg"))  # a virtual environment (PEP 405)
    return name in _BY_CONTENT and _has_one(path, _BY_CONTENT[name])


def _matches(name: str, before: str, after: str) -> bool:
    if not (name.startswith(before) and name.endswith(after)):
        return False
    middle = name[len(before) : len(name) - len(after)]
    return "/" not in middle and len(name) >= len(before) + len(after)


def _has_one(path: str, marks: tuple[bytes, ...]) -> bool:
    """Tell whether the first 64 KiB of a file have one of the texts."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(1 << 16)
    except OSError:
        return False
    return any(mark in content for mark in marks)
