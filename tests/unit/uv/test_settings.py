"""What uv gets from the user's settings: the way to the packages, and nothing else."""

import os
from pathlib import Path

import pytest

from buildlib.errors import BuildError
from buildlib.uv import settings
from tests.unit.conftest import write

# What every run of uv gets.
FIXED = {"SOURCE_DATE_EPOCH": "1355314320", "PYTHONHASHSEED": "0", "UV_PYTHON_DOWNLOADS": "never"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty home; the system's own configuration files are not looked at."""
    ours = ("_uv_files", "_pip_files")
    for name in ours:
        files = getattr(settings, name)

        def inside(*arguments: object, files: object = files) -> list[Path]:
            return [p for p in files(*arguments) if p.is_relative_to(tmp_path)]  # type: ignore[operator]

        monkeypatch.setattr(settings, name, inside)
    return tmp_path / "home"


def environment(home: Path, variables: dict[str, str] | None = None) -> dict[str, str]:
    """Return what uv gets, without what it always gets."""
    base = {"HOME": str(home), "XDG_CONFIG_DIRS": str(home.parent / "xdg")}
    given = settings.uv_variables(base | (variables or {}), home.parent / "repository")
    assert given.items() >= FIXED.items()
    return {name: given[name] for name in given.keys() - base.keys() - FIXED.keys()}


DROPPED = (
    "UV_COMPILE_BYTECODE",
    "UV_LINK_MODE",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_EXCLUDE_NEWER",
    "UV_TARGET",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_BUILD_CONSTRAINT",
    "UV_NO_BINARY",
    "UV_NO_BUILD",
    "UV_REQUIRE_HASHES",
    "UV_CUSTOM_COMPILE_COMMAND",
    "UV_TORCH_BACKEND",
    "UV_CONFIG_FILE",
    "UV_SOMETHING_NEW",
    "PIP_TARGET",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_NO_DEPS",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONDONTWRITEBYTECODE",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
)

PASSED = (
    "PATH",
    "TMPDIR",
    "LANG",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "NETRC",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX_STRATEGY",
    "UV_INDEX_CORP_USERNAME",
    "UV_INDEX_CORP_1_PASSWORD",
    "UV_KEYRING_PROVIDER",
    "UV_INSECURE_HOST",
    "UV_NATIVE_TLS",
    "UV_OFFLINE",
    "UV_CACHE_DIR",
    "UV_HTTP_TIMEOUT",
    "UV_CONCURRENT_DOWNLOADS",
)


@pytest.mark.parametrize("name", DROPPED)
def test_dropped(home: Path, name: str) -> None:
    """A variable that could change what is resolved or installed does not reach uv."""
    assert environment(home, {name: "1"}) == {}


@pytest.mark.parametrize("name", PASSED)
def test_passed(home: Path, name: str) -> None:
    """A variable that says where packages are, or how to get there, reaches uv as it is."""
    assert environment(home, {name: "/1"}) == {name: "/1"}


@pytest.mark.parametrize("name", ["SOURCE_DATE_EPOCH", "PYTHONHASHSEED", "UV_PYTHON_DOWNLOADS"])
def test_fixed(home: Path, name: str) -> None:
    """The clock and the hash seed of builds are ours, whatever the user's are."""
    given = settings.uv_variables({"HOME": str(home), name: "7"}, home)
    assert given[name] == FIXED[name]


def test_nothing_configured(home: Path) -> None:
    """Without settings, uv gets none."""
    assert environment(home) == {}


UV_TOML = """
index-url = "https://one.example/simple"
extra-index-url = ["https://two.example", "https://three.example"]
find-links = ["/wheels", "https://four.example"]
allow-insecure-host = ["a.example", "b.example"]
index-strategy = "unsafe-first-match"
keyring-provider = "subprocess"
cache-dir = "/cache"
native-tls = true
link-mode = "symlink"
exclude-newer = "2020-01-01"
prerelease = "allow"
compile-bytecode = true
"""


def test_uv_toml(home: Path) -> None:
    """Of the user's uv.toml, what says where packages are is used, and nothing else."""
    write(home, {".config/uv/uv.toml": UV_TOML})
    assert environment(home) == {
        "UV_INDEX_URL": "https://one.example/simple",
        "UV_EXTRA_INDEX_URL": "https://two.example https://three.example",
        "UV_FIND_LINKS": "/wheels,https://four.example",
        "UV_INSECURE_HOST": "a.example b.example",
        "UV_INDEX_STRATEGY": "unsafe-first-match",
        "UV_KEYRING_PROVIDER": "subprocess",
        "UV_CACHE_DIR": "/cache",
        "UV_NATIVE_TLS": "true",
    }


def test_index_tables(home: Path) -> None:
    """`[[index]]` tables keep their names, so that credentials can be given by name."""
    text = (
        '[[index]]\nname = "corp"\nurl = "https://corp.example"\n'
        '[[index]]\nurl = "https://second.example"\n'
        '[[index]]\nname = "torch"\nurl = "https://torch.example"\nexplicit = true\n'
        '[[index]]\nname = "mirror"\nurl = "https://mirror.example"\ndefault = true\n'
    )
    write(home, {".config/uv/uv.toml": text})
    assert environment(home, {"UV_INDEX_CORP_PASSWORD": "x"}) == {
        "UV_INDEX": "corp=https://corp.example https://second.example",
        "UV_DEFAULT_INDEX": "mirror=https://mirror.example",
        "UV_INDEX_CORP_PASSWORD": "x",
    }


def test_precedence_of_uv_files(home: Path) -> None:
    """The repository's uv.toml beats the user's; lists of both add up, its own first."""
    write(
        home.parent,
        {
            "home/.config/uv/uv.toml": (
                'index-url = "https://user"\ncache-dir = "/user"\nfind-links = ["/u"]\n'
                '[[index]]\nurl = "https://d-user"\ndefault = true\n'
            ),
            "repository/uv.toml": (
                'index-url = "https://own"\nfind-links = ["/o"]\n'
                '[[index]]\nurl = "https://d-own"\ndefault = true\n'
            ),
            "repository/pyproject.toml": '[tool.uv]\nindex-url = "https://pyproject"\n',
        },
    )
    assert environment(home) == {
        "UV_INDEX_URL": "https://own",
        "UV_CACHE_DIR": "/user",
        "UV_FIND_LINKS": "/o,/u",
        "UV_DEFAULT_INDEX": "https://d-own",
    }


def test_pyproject(home: Path) -> None:
    """Without a uv.toml, the repository's pyproject.toml counts; `[tool.uv.pip]` first."""
    text = '[tool.uv]\nindex-url = "https://a"\n[tool.uv.pip]\nindex-url = "https://b"\n'
    write(home.parent, {"repository/pyproject.toml": text})
    assert environment(home) == {"UV_INDEX_URL": "https://b"}


def test_uv_toml_of_a_parent_folder(home: Path) -> None:
    """What lies above the repository is not its own: it is not looked at."""
    write(home.parent, {"uv.toml": 'index-url = "https://parent"\n'})
    assert environment(home) == {}


def test_named_uv_file(home: Path) -> None:
    """UV_CONFIG_FILE takes the place of all other files, as it does for uv."""
    write(home, {".config/uv/uv.toml": UV_TOML, "mine.toml": 'index-url = "https://mine"\n'})
    named = {"UV_CONFIG_FILE": str(home / "mine.toml")}
    assert environment(home, named) == {"UV_INDEX_URL": "https://mine"}
    assert environment(home, {"UV_NO_CONFIG": "1"}) == {}


@pytest.mark.parametrize("text", ["[", "index = 'x'", "index = [1]", "find-links = 'x'", "pip = 1"])
def test_damaged_uv_file(home: Path, text: str) -> None:
    """A file that uv would refuse gives no settings, and no traceback."""
    write(home, {".config/uv/uv.toml": text})
    assert environment(home) == {}


def test_damaged_pyproject(home: Path) -> None:
    """A pyproject.toml of another shape gives no settings, and no traceback."""
    write(home.parent, {"repository/pyproject.toml": "tool = 1\n"})
    assert environment(home) == {}


def test_environment_beats_files(home: Path) -> None:
    """A variable beats the same setting of a file; an index in one replaces those in files."""
    write(home, {".config/uv/uv.toml": UV_TOML, ".config/pip/pip.conf": PIP_CONF})
    given = environment(home, {"UV_CACHE_DIR": "/mine", "UV_FIND_LINKS": "/w"})
    assert (given["UV_CACHE_DIR"], given["UV_FIND_LINKS"]) == ("/mine", "/w")
    assert given["UV_INDEX_URL"] == "https://one.example/simple"
    assert environment(home, {"UV_DEFAULT_INDEX": "https://mine"}) == {
        "UV_DEFAULT_INDEX": "https://mine",
        "UV_INSECURE_HOST": "a.example b.example",
        "UV_KEYRING_PROVIDER": "subprocess",
        "UV_CACHE_DIR": "/cache",
        "UV_NATIVE_TLS": "true",
        "SSL_CERT_FILE": "/corp.pem",
    }


PIP_CONF = """
[global]
index-url = https://pip.example/simple
extra_index_url =
    https://more.example/simple
    https://most.example/simple
trusted-host = pip.example
find-links = /pip-wheels
    /pip-wheels-2
cert = /corp.pem
target = /nowhere
no-binary = :all:
"""


def test_pip_conf(home: Path) -> None:
    """Where uv has no index, pip's are used, in uv's terms."""
    write(home, {".config/pip/pip.conf": PIP_CONF})
    assert environment(home) == {
        "UV_INDEX_URL": "https://pip.example/simple",
        "UV_EXTRA_INDEX_URL": "https://more.example/simple https://most.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "pip.example",
        "UV_FIND_LINKS": "/pip-wheels,/pip-wheels-2",
        "SSL_CERT_FILE": "/corp.pem",
    }


@pytest.mark.parametrize(
    "files",
    [
        {".config/pip/pip.conf": "[global]\nno-index = true\nfind-links = /wheels\n"},
        {".config/uv/uv.toml": 'no-index = true\nfind-links = ["/wheels"]\n'},
        {".config/uv/uv.toml": '[pip]\nno-index = true\nfind-links = ["/wheels"]\n'},
    ],
)
def test_no_index(home: Path, files: dict[str, str]) -> None:
    """Who wants no index asked gets none asked; an index named for one call is."""
    write(home, files)
    assert environment(home) == {"UV_NO_INDEX": "true", "UV_FIND_LINKS": "/wheels"}
    assert environment(home, {"UV_INDEX_URL": "https://mine"}) == {"UV_INDEX_URL": "https://mine"}


def test_relative_paths(home: Path) -> None:
    """A path is meant from the repository, or from the file that has it; uv runs elsewhere."""
    toml = 'cache-dir = "cache"\nfind-links = ["wheels", "https://links.example"]\n'
    write(home, {".config/uv/uv.toml": toml})
    config, root = home / ".config/uv", home.parent / "repository"
    assert environment(home) == {
        "UV_CACHE_DIR": str(config / "cache"),
        "UV_FIND_LINKS": f"{config / 'wheels'},https://links.example",
    }
    names = {"UV_CACHE_DIR": ".uv-cache", "SSL_CERT_FILE": "ca.pem", "UV_FIND_LINKS": "a,/b"}
    assert environment(home, names) == {
        "UV_CACHE_DIR": str(root / ".uv-cache"),
        "SSL_CERT_FILE": str(root / "ca.pem"),
        "UV_FIND_LINKS": f"{root / 'a'},/b",
    }


def test_uv_without_an_index_leaves_pips(home: Path) -> None:
    """A uv.toml that says nothing of indexes does not hide those of pip."""
    conf = "[global]\nindex-url = https://pip.example\n"
    write(home, {".config/pip/pip.conf": conf, ".config/uv/uv.toml": 'cache-dir = "/c"\n'})
    assert environment(home) == {"UV_CACHE_DIR": "/c", "UV_INDEX_URL": "https://pip.example"}


def test_uvs_index_hides_pips(home: Path) -> None:
    """Indexes of uv and of pip are not mixed."""
    toml = 'index-url = "https://uv.example"\n'
    write(home, {".config/pip/pip.conf": PIP_CONF, ".config/uv/uv.toml": toml})
    given = environment(home)
    assert given["UV_INDEX_URL"] == "https://uv.example"
    assert not given.keys() & {"UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX_STRATEGY"}
    assert given["SSL_CERT_FILE"] == "/corp.pem"


def test_precedence_of_pip_files(home: Path) -> None:
    """Pip's files count in pip's order, its environment last; `[install]` beats `[global]`."""
    write(
        home.parent,
        {
            "xdg/pip/pip.conf": "[global]\nindex-url = https://site\ncert = /site.pem\n",
            "home/.pip/pip.conf": "[global]\nindex-url = https://old\ntrusted-host = h\n",
            "home/.config/pip/pip.conf": (
                "[install]\nindex-url = https://install\n[global]\nindex-url = https://user\n"
            ),
            "named.conf": "[global]\nindex-url = https://named\n",
        },
    )
    assert environment(home) == {
        "UV_INDEX_URL": "https://install",
        "SSL_CERT_FILE": "/site.pem",
        "UV_INSECURE_HOST": "h",
    }
    named = {"PIP_CONFIG_FILE": str(home.parent / "named.conf")}
    assert environment(home, named) == {
        "UV_INDEX_URL": "https://named",
        "SSL_CERT_FILE": "/site.pem",
    }
    missing = {"PIP_CONFIG_FILE": str(home.parent / "missing.conf")}
    assert environment(home, missing)["UV_INDEX_URL"] == "https://install"
    assert environment(home, {"PIP_CONFIG_FILE": os.devnull}) == {}
    variable = named | {"PIP_INDEX_URL": "https://variable"}
    assert environment(home, variable)["UV_INDEX_URL"] == "https://variable"


def test_users_certificates(home: Path) -> None:
    """Pip's certificates do not replace those that the environment names."""
    write(home, {".config/pip/pip.conf": PIP_CONF})
    assert environment(home, {"SSL_CERT_FILE": "/mine"})["SSL_CERT_FILE"] == "/mine"


@pytest.mark.parametrize(
    "text", [b"no section", b"[global]\nindex-url = 1\nindex-url = 2", b"\xff"]
)
def test_damaged_pip_conf(home: Path, text: bytes) -> None:
    """A file that pip would refuse gives no settings, and no traceback."""
    write(home, {".config/pip/pip.conf": text})
    assert environment(home) == {}


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("UV_INDEX_URL", "not a url", "'not a url'"),
        ("UV_DEFAULT_INDEX", "pypi.example.com/simple", "'pypi.example.com/simple'"),
        ("UV_INDEX", "https://a.example/simple name=b", "'name=b'"),
        ("UV_EXTRA_INDEX_URL", "user:secret@host/simple", "the value"),
    ],
)
def test_an_index_that_is_no_address(home: Path, name: str, value: str, shown: str) -> None:
    """The message names the variable, and shows the value unless it may have credentials."""
    with pytest.raises(BuildError) as caught:
        environment(home, {name: value})
    assert str(caught.value) == (
        f"{name}: {shown} is neither a URL nor a folder; "
        "set the address of an index, such as https://pypi.org/simple"
    )
    assert caught.value.kind == "setting"


def test_a_configured_index_that_is_no_address(home: Path) -> None:
    """The message about an index of a configuration file says that it is from one."""
    write(home, {".config/pip/pip.conf": "[global]\nindex-url = nowhere\n"})
    with pytest.raises(BuildError, match=r"UV_INDEX_URL \(from your uv or pip configuration\)"):
        environment(home)


def test_an_index_in_the_repository(home: Path) -> None:
    """A folder of the repository is an index."""
    folder = home.parent / "repository/wheels"
    folder.mkdir(parents=True)
    assert environment(home, {"UV_INDEX": "own=wheels"}) == {"UV_INDEX": "own=wheels"}
