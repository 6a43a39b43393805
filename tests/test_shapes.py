"""Functions in the shapes that repositories have: where code is, how it is imported, what ships."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Index, Repository

HEAD = "version: 1\nlambdas:\n"


def one(handler: str, keys: str) -> str:
    """Return a manifest of the function `api`."""
    return f"{HEAD}  api: {{handler: {handler}, {keys}}}\n"


def members(repository: Repository) -> list[str]:
    """Build, and return the paths in the ZIP that are not of dependencies."""
    repository.doit()
    return sorted(path for path in repository.members("api") if ".dist-info/" not in path)


def test_the_root_as_a_source(repository: Repository) -> None:
    """A service at the root ships its code, and neither outputs, tools nor documents."""
    (repository.root / "lambdas/api/app.py").unlink()
    files = (
        "handler.py", "orders/__init__.py", "orders/rules.py", "tests/test_x.py", "README.md",
        "serverless.yml", "node_modules/x/index.js", ".github/workflows/ci.yml", "Makefile",
        "setup.cfg", "docs/index.md", "secret/key.txt", ".env", "data/README.md",
    )  # fmt: skip
    repository.write(dict.fromkeys(files, ""))
    repository.write({
        "lambdas.yaml": one("orders/api.run", "source: ."),
        "orders/api.py": "from orders import rules\ndef run(event, context): ...\n",
        ".gitignore": "/secret/\n",
    })  # fmt: skip
    wanted = ["data/README.md", "handler.py", *(f"orders/{n}.py" for n in ("__init__", "api"))]
    wanted.append("orders/rules.py")
    assert members(repository) == wanted
    assert repository.doit().ran == []
    repository.write({"README.md": "more\n", "tests/test_x.py": "1\n"})
    assert "zip:api" not in repository.doit().ran
    repository.write({"orders/rules.py": "R = 1\n"})
    assert "zip:api" in repository.doit().ran
    repository.write({"orders/more.py": ""})
    assert "orders/more.py" in members(repository)


def test_a_tracked_file_that_is_left_out(repository: Repository) -> None:
    """An import of a module that is left out says so, and the pattern of the message adds it."""
    repository.write({
        "lambdas.yaml": one("handler.run", "source: ."),
        "handler.py": "import lib.x, infra\ndef run(event, context): ...\n",
        "lib/__init__.py": "",
        "lib/x.py": "",
        "infra/__init__.py": "",
        ".gitignore": "lib/\n",
    })  # fmt: skip
    message = repository.fails().message
    assert "lib/ is left out by default; add '!/lib/' to 'exclude'" in message
    assert "infra/ is left out by default; add '!/infra/' to 'exclude'" in message
    repository.write(
        {"lambdas.yaml": one("handler.run", 'source: ., exclude: ["!/lib/", "!/infra/"]')}
    )
    assert {"lib/x.py", "infra/__init__.py"} <= set(members(repository))


def test_gitignore_elsewhere(repository: Repository) -> None:
    """In another source, .gitignore counts if the manifest says so; a deeper file decides."""
    repository.write({
        ".gitignore": "*.log\n/lambdas/api/big/\n",
        "lambdas/api/.gitignore": "!keep.log\n",
        "lambdas/api/a.log": "", "lambdas/api/keep.log": "", "lambdas/api/big/x": "",
    })  # fmt: skip
    every = ["a.log", "app.py", "big/x", "keep.log"]
    assert [path for path in members(repository) if path != ".gitignore"] == every
    repository.write({"lambdas.yaml": one("app.handler", "gitignore: true")})
    assert members(repository) == ["app.py", "keep.log"]
    assert repository.doit().ran == []
    repository.write({"lambdas/api/.gitignore": ""})
    assert members(repository) == ["app.py"]


def test_include_under_another_name(repository: Repository) -> None:
    """`as` gives a folder or a file its place in the ZIP, and `only` takes some of its files."""
    repository.write({
        "shared/src/ecom/__init__.py": "", "shared/src/ecom/x.py": "", "shared/src/ecom/x.md": "",
        "shared/top/one.py": "", "conf/prod.json": "{}",
        "lambdas/api/app.py": f"import shop.x, one\n{HANDLER}",
    })  # fmt: skip
    repository.write(
        {
            "lambdas.yaml": f"""{HEAD}  api:
    handler: app.handler
    include:
      - {{path: shared/src/ecom, as: shop, only: "*.py"}}
      - {{path: shared/top, as: .}}
      - {{path: conf/prod.json, as: conf/settings.json}}
"""
        }
    )
    wanted = ["app.py", "conf/settings.json", "one.py", "shop/__init__.py", "shop/x.py"]
    assert members(repository) == wanted
    repository.write({"shared/src/ecom/x.md": "more\n"})
    assert "zip:api" not in repository.doit().ran
    repository.write({"shared/src/ecom/x.py": "X = 1\n"})
    assert "zip:api" in repository.doit().ran


def test_functions_of_one_folder(repository: Repository, index: Index) -> None:
    """Functions of one folder have their own files, requirements and locks."""
    repository.environment["UV_INDEX_URL"] = index.url
    index.add("alpha", "1.0")
    repository.write({
        "lambdas.yaml": f"""{HEAD}  first: {{handler: first.run, source: fn/first.py}}
  second:
    handler: second.run
    source: fn/second.py
    requirements: second.txt
    include: [{{path: fn/util.py}}]
""",
        "fn/first.py": "def run(event, context): ...\n",
        "fn/second.py": "import alpha, util\ndef run(event, context): ...\n",
        "fn/util.py": "",
        "fn/second.txt": "alpha\n",
    })  # fmt: skip
    repository.doit()
    assert sorted(repository.members("first")) == ["first.py"]
    assert {"second.py", "util.py", "alpha.py"} <= repository.members("second").keys()
    assert not (repository.root / "fn/requirements.lock").exists()
    before = (repository.root / "fn/second.lock").read_text()
    repository.write({"fn/util.py": "U = 1\n"})
    assert [name for name in repository.doit().ran if name.startswith("zip")] == ["zip:second"]
    assert (repository.root / "fn/second.lock").read_text() == before


def test_one_lock_for_many(repository: Repository, index: Index) -> None:
    """Functions with the same requirements share one lock; so they do with several files as one."""
    repository.environment["UV_INDEX_URL"] = index.url
    index.add("alpha", "1.0")
    index.add("beta", "1.0")
    names = ("a", "b", "c")
    text = "".join(
        f"  {n}: {{handler: app.handler, requirements: [/base.txt, ../../more.txt]}}\n".replace(
            "/base", "base"
        )
        for n in names
    )
    repository.write({"lambdas.yaml": HEAD + text, "base.txt": "alpha\n", "more.txt": "beta\n"})
    repository.write({f"lambdas/{name}/app.py": f"import alpha, beta\n{HANDLER}" for name in names})
    output = repository.doit().output
    assert output.count("lock:") <= len(names)
    assert "beta==1.0" in (repository.root / "base+more.lock").read_text()
    assert not list((repository.root / "lambdas").rglob("*.lock"))
    assert repository.doit().ran == []


def test_a_lock_of_an_earlier_version(repository: Repository, index: Index) -> None:
    """A lockfile that an earlier version made in the source folder goes on to count."""
    repository.environment["UV_INDEX_URL"] = index.url
    index.add("alpha", "1.0")
    repository.write({
        "lambdas.yaml": one("app.handler", "requirements: base.txt"),
        "lambdas/api/base.txt": "alpha\n",
    })  # fmt: skip
    repository.doit()
    folder = repository.root / "lambdas/api"
    (folder / "base.lock").rename(folder / "requirements.lock")
    repository.environment["CI"] = "true"
    assert "lock:api" not in repository.doit().ran
    assert not (folder / "base.lock").exists()


def test_a_program_instead_of_a_handler(repository: Repository) -> None:
    """A handler that names a file of the ZIP is for a layer that runs it; it is executable."""
    repository.write({
        "lambdas.yaml": one("run.sh", ""),
        "lambdas/api/run.sh": "#!/bin/sh\nexec python app.py\n",
    })  # fmt: skip
    repository.doit()
    target = repository.root / "unpacked"
    subprocess.run(["unzip", "-q", repository.root / "dist/api.zip", "-d", target], check=True)
    assert (target / "run.sh").stat().st_mode & 0o111
    repository.write({"lambdas.yaml": one("app.py", "")})
    assert "handler 'app.py'" in repository.fails().message


@pytest.mark.parametrize("source", [".", "lambdas/api/app.py"])
def test_verify(repository: Repository, source: str) -> None:
    """Builds elsewhere are equal for every shape."""
    (repository.root / "app.py").write_text(HANDLER)
    Path(repository.root / "notes.txt").write_text("1\n")
    repository.write({"lambdas.yaml": one("app.handler", f"source: {source}")})
    repository.doit()
    assert "equal" in repository.doit("verify").output


PRUNED = """\
version: 1
defaults: {prune: imports}
lambdas:
  orders: {handler: orders.run, source: fns}
  users: {handler: users.run, source: fns, include: [{path: fns/plugins, as: plugins}]}
"""


def test_only_modules_that_are_imported(repository: Repository) -> None:
    """With `prune`, a module is in the ZIPs of the functions whose handlers lead to it."""
    repository.write({
        "lambdas.yaml": PRUNED,
        "fns/orders.py": "import db.tables\ndef run(event, context): ...\n",
        "fns/users.py": "def run(event, context):\n    from tools import mail\n",
        "fns/db/__init__.py": "", "fns/db/tables.py": "from . import base\n", "fns/db/base.py": "",
        "fns/db/other.py": "", "fns/tools/mail.py": "try:\n    import fast\nexcept OSError: ...\n",
        "fns/fast.py": "", "fns/unused.py": "", "fns/data.json": "{}", "fns/plugins/one.py": "",
    })  # fmt: skip
    repository.doit()
    shared = ["data.json"]
    assert sorted(repository.members("orders")) == sorted(
        [*shared, "orders.py", "db/__init__.py", "db/base.py", "db/tables.py"]
    )
    assert sorted(repository.members("users")) == sorted(
        [*shared, "users.py", "tools/mail.py", "fast.py", "plugins/one.py"]
    )
    assert repository.doit().ran == []

    def built() -> list[str]:
        return [name for name in repository.doit().ran if name.startswith("zip:")]

    repository.write({"fns/db/base.py": "B = 1\n"})
    assert built() == ["zip:orders"]
    repository.write({"fns/unused.py": "U = 1\n"})
    assert built() == []
    repository.write({"fns/users.py": "import unused\ndef run(event, context): ...\n"})
    assert built() == ["zip:users"]
    assert "unused.py" in repository.members("users")
    output = repository.doit("why:orders").output
    assert "prune: no import of the handler leads to db/other.py, " in output


def test_manifests_of_teams(repository: Repository) -> None:
    """The root's manifest names those of teams: paths, defaults and mistakes are of their own."""
    (repository.root / "lambdas/api/app.py").unlink()
    team = "version: 1\ndefaults: {architecture: arm64}\nlambdas:\n"
    repository.write({
        "lambdas.yaml": "version: 1\nmanifests: ['teams/*/lambdas.yaml']\n",
        "teams/a/lambdas.yaml": team + "  one: {source: ., handler: app.run}\n",
        "teams/b/lambdas.yaml": team + "  two: {handler: app.run, include: [../../libs/x.py]}\n",
        "teams/a/app.py": "def run(event, context): ...\n",
        "teams/b/lambdas/two/app.py": "import x\ndef run(event, context): ...\n",
        "libs/x.py": "",
    })  # fmt: skip
    repository.doit()
    assert sorted(repository.members("one")) == ["app.py"]
    assert sorted(repository.members("two")) == ["app.py", "x.py"]
    assert repository.index()["two"]["architecture"] == "arm64"
    assert "equal" in repository.doit("verify").output
    assert repository.doit().ran == []
    repository.write(
        {
            "teams/b/lambdas.yaml": team
            + "  one: {source: ., handler: app.run}\n  x: {hander: app.run}\n"
        }
    )
    message = repository.doit(code=None).output
    assert "teams/b/lambdas.yaml:4:3: lambda 'one': the name 'one' is also used by" in message
    assert "teams/b/lambdas.yaml:5:7: lambda 'x': unknown key 'hander'" in message
    repository.write({"lambdas.yaml": "version: 1\nmanifests: ['team/*.yaml', '../x']\n"})
    message = repository.doit(code=None).output
    assert "lambdas.yaml:2:13: manifests: no file matches 'team/*.yaml'" in message
    assert "manifests '../x' leaves the repository" in message


@pytest.fixture
def pinned(repository: Repository, index: Index) -> tuple[Repository, str]:
    """Give a repository whose function pins a file of the web, and its sha256."""
    index.files["tool-1.0.bin"] = b"\x7fno ELF" * 1000
    sha256 = hashlib.sha256(index.files["tool-1.0.bin"]).hexdigest()
    address = f"{index.url.removesuffix('/simple')}/files/tool-1.0.bin"
    repository.write(
        {
            "lambdas.yaml": f"""{HEAD}  api:
    handler: app.handler
    architecture: [x86_64, arm64]
    files:
      - {{url: "{address}", sha256: {sha256}, as: bin/tool}}
      - {{url: "{address}", sha256: {sha256}, as: arm.bin, architecture: arm64}}
"""
        }
    )
    return repository, sha256


def test_a_file_of_the_web(pinned: tuple[Repository, str], index: Index) -> None:
    """A pinned file is downloaded once, goes into the ZIPs of its architecture, and heals."""
    repository, sha256 = pinned
    repository.doit()
    assert "arm.bin" not in repository.members("api-py3.13-x86_64")
    members = repository.members("api-py3.13-arm64")
    assert members["bin/tool"] == members["arm.bin"] == index.files["tool-1.0.bin"]
    before, asked = repository.sha256(), len(index.requests)
    assert repository.doit().ran == []
    repository.write({"lambdas/api/app.py": f"# edited\n{HANDLER}"})
    repository.doit()
    assert len(index.requests) == asked
    repository.write({"lambdas/api/app.py": HANDLER})
    shutil.rmtree(repository.root / "build/stage")
    shutil.rmtree(repository.root / "build/cache/zips-v1")
    shutil.rmtree(repository.root / "dist")
    (repository.root / f"build/files/{sha256}").write_bytes(b"damaged")
    repository.doit()
    assert repository.sha256() == before
    assert len(index.requests) > asked
    shutil.rmtree(repository.root / "build/files")  # a finished ZIP needs no download
    asked = len(index.requests)
    assert repository.doit().ran == []
    assert len(index.requests) == asked
    assert "equal" in repository.doit("verify").output


def test_another_file_of_the_web(pinned: tuple[Repository, str], index: Index) -> None:
    """A replaced file, a lost connection and a wrong address fail the build with the reason."""
    repository, sha256 = pinned
    index.files["tool-1.0.bin"] += b"x"
    message = repository.fails().message
    assert f"has the sha256 {hashlib.sha256(index.files['tool-1.0.bin']).hexdigest()}" in message
    assert f"not {sha256}" in message
    del index.files["tool-1.0.bin"]
    assert "cannot be downloaded: HTTP Error 404" in repository.fails().message
    manifest = (repository.root / "lambdas.yaml").read_text()
    repository.write({"lambdas.yaml": re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", manifest)})
    assert "cannot be downloaded: " in repository.fails().message
    wrong = manifest.replace(sha256, "ab", 1).replace("bin/tool", "../tool")
    repository.write({"lambdas.yaml": wrong})
    output = repository.doit(code=None).output
    assert "'ab' is not allowed; expected 64 hexadecimal digits" in output
    assert not list((repository.root / "dist").glob("*.zip"))


def test_the_place_of_a_mistake_at_the_root(repository: Repository) -> None:
    """A path of a root source is shown as it is, relative to the root."""
    repository.write({"lambdas.yaml": one("handler.run", "source: ."), "handler.py": ""})
    os.mkfifo(repository.root / "pipe")
    assert "\npipe: a FIFO cannot be part of a function" in repository.fails().message
