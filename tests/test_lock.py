"""Lockfiles hold what their targets can install, and every demand of the requirements."""

import hashlib
from pathlib import Path

import pytest

from tests.conftest import Index, Repository

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
NEW_AND_OLD = MANIFEST + "    python: ['3.11', '3.13']\n    architecture: [x86_64, arm64]\n"


def lock(repository: Repository) -> str:
    """Return the lockfile of the only function."""
    return (repository.root / "lambdas/api/requirements.lock").read_text()


def pins(repository: Repository) -> list[str]:
    """Return the pins of the lockfile with their markers, without hashes."""
    lines = [line for line in lock(repository).splitlines() if line[:1] not in {"#", " ", ""}]
    return [line.removesuffix(" \\") for line in lines]


def hash_of(index: Index, name: str) -> str:
    """Return the hash option for a file of the index."""
    return f"--hash=sha256:{hashlib.sha256(index.files[name]).hexdigest()}"


def test_each_target_gets_what_it_can_install(dependent: Repository, index: Index) -> None:
    """A release without a wheel for a target is not taken for it; equal pins are one line."""
    index.add("gamma", "1.0", {"gamma.py": "old"}, tag="cp311-abi3-manylinux2014_aarch64")
    index.add("gamma", "1.0", {"gamma.py": "old"}, tag="cp311-cp311-manylinux2014_x86_64")
    index.add("gamma", "2.0", {"gamma.py": "x86"}, tag="cp313-cp313-manylinux_2_34_x86_64")
    dependent.write({"lambdas/api/requirements.txt": "gamma\nbeta\n", "lambdas.yaml": NEW_AND_OLD})
    dependent.doit()
    assert pins(dependent) == [
        "alpha==1.0",
        "beta==1.0",
        (
            "gamma==1.0 ; python_version == '3.11' or (python_version == '3.13' and "
            "platform_machine == 'aarch64')"
        ),
        "gamma==2.0 ; (python_version == '3.13' and platform_machine == 'x86_64')",
    ]
    content = {name: dependent.members(f"api-py{name}")["gamma.py"] for name in (
        "3.11-x86_64", "3.11-arm64", "3.13-x86_64", "3.13-arm64",
    )}  # fmt: skip
    assert content == {
        "3.11-x86_64": b"old", "3.11-arm64": b"old", "3.13-x86_64": b"x86", "3.13-arm64": b"old",
    }  # fmt: skip


def test_architectures_share_a_version_where_they_can(dependent: Repository, index: Index) -> None:
    """A release that only one architecture has gives way to one that both have."""
    index.add("gamma", "1.0")
    index.add("gamma", "2.0", tag="cp313-cp313-manylinux_2_28_x86_64")
    index.add("delta", "1.0")
    index.add("delta", "2.0", tag="cp313-cp313-manylinux_2_28_aarch64")
    text = MANIFEST + "    architecture: [x86_64, arm64]\n"
    dependent.write({"lambdas/api/requirements.txt": "gamma\ndelta\n", "lambdas.yaml": text})
    dependent.doit()
    assert pins(dependent)[-1] == "gamma==1.0"


def test_another_target_keeps_the_pins(dependent: Repository, index: Index) -> None:
    """A new architecture in the manifest makes the lock stale, and moves no pin that fits."""
    dependent.write({"lambdas.yaml": MANIFEST})
    dependent.doit()
    index.add("alpha", "2.0")
    before = pins(dependent)
    dependent.write({"lambdas.yaml": NEW_AND_OLD})
    dependent.doit()
    assert pins(dependent) == before == ["alpha==1.0", "beta==1.0"]
    dependent.write({"lambdas.yaml": MANIFEST})
    assert ".  lock:api" not in dependent.doit().output  # it holds for fewer targets, too
    dependent.doit("lock:api", "--upgrade")
    assert pins(dependent) == ["alpha==2.0", "beta==1.0"]


def test_a_patch_level_is_that_of_the_runtime(dependent: Repository, index: Index) -> None:
    """A marker on the full version counts with a patch level that Lambda has, not with `.0`."""
    index.add("gamma", requires=("delta ; python_full_version < '3.11.3'",))
    index.add("delta")
    dependent.write({
        "lambdas/api/requirements.txt": "gamma\n",
        "lambdas.yaml": MANIFEST + "    python: '3.11'\n",
    })  # fmt: skip
    dependent.doit()
    assert pins(dependent) == ["gamma==1.0"]


@pytest.mark.parametrize("nested", [False, True])
def test_the_hash_in_the_requirements_holds(
    dependent: Repository, index: Index, nested: bool
) -> None:
    """Only a file with a hash that the requirements give can be locked and installed."""
    good = hash_of(index, "alpha-1.0-py3-none-any.whl")
    index.add("alpha", files={"alpha.py": "other"}, tag="cp313-cp313-manylinux_2_28_x86_64")
    line = f"alpha==1.0 \\\n    {good}\n"
    texts = {"requirements.txt": "-r base.txt\n" if nested else line, "base.txt": line}
    dependent.write({f"lambdas/api/{name}": text for name, text in texts.items()})
    dependent.write({"lambdas.yaml": MANIFEST})
    dependent.doit()
    assert lock(dependent).count("--hash=") == 1
    assert good in lock(dependent)
    file = "base.txt" if nested else "requirements.txt"
    dependent.write({f"lambdas/api/{file}": line.replace(good, f"--hash=sha256:{'0' * 64}")})
    before = dependent.sha256()
    result = dependent.fails()
    assert (
        f"lambdas/api/{file}:1: the index has no file of alpha==1.0 with a hash" in result.message
    )
    assert "errors hash-mismatch" in result.message
    assert dependent.sha256() == before


def test_all_hashes_are_demanded(dependent: Repository, index: Index) -> None:
    """With `--require-hashes`, a dependency without a hash is an error that names it."""
    hashed = hash_of(index, "beta-1.0-py3-none-any.whl")
    dependent.write({
        "lambdas/api/requirements.txt": f"--require-hashes\nbeta==1.0 {hashed}\n",
        "lambdas.yaml": MANIFEST,
    })  # fmt: skip
    assert "no line gives a hash for alpha==1.0" in dependent.fails().message
    other = hash_of(index, "alpha-1.0-py3-none-any.whl")
    dependent.write({
        "lambdas/api/requirements.txt": f"--require-hashes\nbeta==1.0 {hashed}\nalpha==1.0 {other}"
    })  # fmt: skip
    dependent.doit()


def test_warnings_are_shown(dependent: Repository) -> None:
    """The resolver's warnings and options that change nothing reach the user, with their place."""
    dependent.write({
        "lambdas/api/requirements.txt": "beta[nothing]\n--no-binary alpha\n--pre\n",
        "lambdas.yaml": MANIFEST,
    })  # fmt: skip
    output = dependent.doit().output
    assert "does not have an extra named `nothing`" in output
    assert "lambdas/api/requirements.txt:2: '--no-binary alpha': wheels are installed" in output
    assert "lambdas/api/requirements.txt:3: '--pre': pre-releases are taken" in output
    assert "nothing" not in dependent.doit().output


def test_pre_releases_by_option(dependent: Repository, index: Index) -> None:
    """`--pre` in a requirements file takes a pre-release, as pip does."""
    index.add("alpha", "2.0rc1")
    dependent.write({"lambdas/api/requirements.txt": "alpha\n", "lambdas.yaml": MANIFEST})
    dependent.doit()
    assert pins(dependent) == ["alpha==1.0"]
    dependent.write({"lambdas/api/requirements.txt": "--pre\nalpha\n"})
    (dependent.root / "lambdas/api/requirements.lock").unlink()
    dependent.doit("lock:api", "--upgrade")
    assert pins(dependent) == ["alpha==2.0rc1"]


@pytest.mark.parametrize(
    "line",
    [
        '--index-url "{url}"',
        "--index-url='{url}'",
        "-i {url} --trusted-host 127.0.0.1",
        "--no-index --find-links ../../wheels",
        '-f "../../wheels" --no-index',
        "-rmore.txt",
    ],
)
def test_one_reading_of_options(dependent: Repository, index: Index, line: str) -> None:
    """The options that a lock was made with are those that it is installed with."""
    wheels = {f"wheels/{name}": content for name, content in index.files.items()}
    dependent.environment["UV_INDEX_URL"] = "http://127.0.0.1:9/there-is-no-index-here"
    for name, content in wheels.items():
        path = dependent.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    dependent.write({
        "lambdas/api/requirements.txt": f"{line.format(url=index.url)}\nbeta\n",
        "lambdas/api/more.txt": f"-i {index.url}\n",
        "lambdas.yaml": MANIFEST,
    })  # fmt: skip
    dependent.doit("zip:api")
    assert "beta.py" in dependent.members("api")


def test_a_lock_heals_when_an_index_grows(dependent: Repository, index: Index) -> None:
    """A lock made with half of the files of a release gets all of them from `doit lock`."""
    name = "gamma-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"
    index.max_age = 600  # as PyPI
    index.add("gamma", tag="cp313-cp313-manylinux_2_28_x86_64")
    whole = index.files.pop(name)
    index.add("gamma", files={"gamma.py": "pure"})
    dependent.write({"lambdas/api/requirements.txt": "gamma\n", "lambdas.yaml": MANIFEST})
    dependent.doit()
    assert lock(dependent).count("--hash=") == 1
    index.files[name] = whole
    dependent.doit("lock:api", "--upgrade")
    assert lock(dependent).count("--hash=") == 2


def test_all_without_wheels_at_once(dependent: Repository, index: Index) -> None:
    """Every requirement without a wheel is named with its line, and the Pythons that have one."""
    index.add("gamma", "1.0", tag="cp39-cp39-manylinux_2_17_x86_64")
    index.add("delta", "1.0", tag="cp310-cp310-manylinux_2_17_x86_64")
    dependent.write({
        "lambdas/api/requirements.txt": "gamma\nalpha\ndelta\n",
        "lambdas.yaml": MANIFEST,
    })  # fmt: skip
    message = dependent.fails().message
    assert "lambdas/api/requirements.txt:1: gamma: has wheels for CPython 3.9" in message
    assert "lambdas/api/requirements.txt:3: delta: has wheels for CPython 3.10" in message
    assert "alpha" not in message


def test_a_local_wheel_as_the_message_says(dependent: Repository, index: Index) -> None:
    """A path to a wheel is refused; the two lines that the message gives build."""
    name = "alpha-1.0-py3-none-any.whl"
    (dependent.root / "lambdas/api/wheels").mkdir()
    (dependent.root / "lambdas/api/wheels" / name).write_bytes(index.files.pop(name))
    dependent.write(
        {"lambdas/api/requirements.txt": f"./wheels/{name}\n", "lambdas.yaml": MANIFEST}
    )
    message = dependent.fails().message
    assert "write '--find-links ./wheels' and 'alpha==1.0' instead, each on its own line" in message
    dependent.write({"lambdas/api/requirements.txt": "--find-links ./wheels\nalpha==1.0\n"})
    dependent.doit()
    assert "alpha/__init__.py" in dependent.members("api")


@pytest.mark.parametrize("line", ["-e ../../libs", "../../libs", "acme @ file:../../libs"])
def test_a_local_package(dependent: Repository, line: str) -> None:
    """A project of the repository goes into the ZIP as it is, with its dependencies."""
    project = "[project]\nname = 'acme'\ndependencies = ['beta']\n"
    dependent.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/requirements.txt": f"{line}\nalpha\n",
        "libs/pyproject.toml": project,
        "libs/src/acme/__init__.py": "import beta\n",
        "libs/src/tests/__init__.py": "",
    })  # fmt: skip
    dependent.doit()
    assert {"acme/__init__.py", "beta.py", "alpha/__init__.py"} <= dependent.members("api").keys()


def test_a_lock_that_no_build_accepts_is_not_written(
    dependent: Repository, index: Index, tmp_path: Path
) -> None:
    """Links of a page over HTTP have no hashes: the earlier lock stays, and the remedy works."""
    dependent.write({"lambdas.yaml": MANIFEST, "lambdas/api/requirements.txt": "alpha\n"})
    wheels = tmp_path / "pages"
    wheels.mkdir()
    name = "gamma-1.0-py3-none-any.whl"
    index.add("gamma")
    dependent.doit()
    before = lock(dependent)
    dependent.write({"lambdas/api/requirements.txt": f"-f {index.url}/gamma/\n--no-index\ngamma\n"})
    result = dependent.doit(code=None)
    if result.code:  # this uv gives no hashes for links
        assert "the index gives no sha256 for gamma==1.0" in result.message
        assert lock(dependent) == before
    folder = dependent.root / "lambdas/api/wheels"
    folder.mkdir()
    (folder / name).write_bytes(index.files[name])
    dependent.write({"lambdas/api/requirements.txt": "-f ./wheels\n--no-index\ngamma\n"})
    dependent.doit()
    assert "gamma.py" in dependent.members("api")


@pytest.mark.network
@pytest.mark.parametrize(
    ("file", "content", "environment"),
    [
        ("pyproject.toml", '[tool.uv]\nexclude-newer = "2020-01-01"\n', {}),
        ("uv.toml", 'exclude-newer = "2020-01-01"\n', {}),
        ("uv.toml", 'exclude-newer-package = { six = "2020-01-01" }\n', {}),
        ("uv.toml", "", {"UV_EXCLUDE_NEWER": "2020-01-01"}),
        ("uv.toml", "", {"PIP_UPLOADED_PRIOR_TO": "2020-01-01"}),
    ],
)
def test_a_cooldown_is_honoured(
    repository: Repository, file: str, content: str, environment: dict[str, str]
) -> None:
    """A release that is newer than the user's settings allow is not locked, and the user told."""
    del repository.environment["UV_INDEX_URL"]
    del repository.environment["PIP_CONFIG_FILE"]  # of this machine, which may name its index
    repository.environment |= environment
    repository.write({file: content, "lambdas/api/requirements.txt": "six\n"})
    output = repository.doit().output
    assert pins(repository) == ["six==1.13.0"]
    package = "six = " if "package" in content else ""
    assert f"# exclude-newer: {package}2020-01-01\n" in lock(repository)
    assert "'exclude-newer' excludes six==1.1" in output
    repository.environment = {
        name: value for name, value in repository.environment.items() if name not in environment
    }
    repository.write({file: ""})
    assert ".  lock:api" not in repository.doit().output  # the lock holds all the same
    repository.doit("lock:api", "--upgrade")
    assert "exclude-newer" not in lock(repository)
    assert pins(repository) != ["six==1.13.0"]


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_an_odd_tag_is_locked_and_installed(
    dependent: Repository, index: Index, architecture: str
) -> None:
    """On glibc 2.26, a wheel for 2.26 wins over a pure one, and one for 2.27 is not taken."""
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    index.add("gamma", "1.0", {"gamma.py": "pure"})
    index.add("gamma", "1.0", {"gamma.py": "fast"}, tag=f"cp311-abi3-manylinux_2_26_{machine}")
    index.add("gamma", "2.0", {"gamma.py": "new"}, tag=f"cp311-abi3-manylinux_2_27_{machine}")
    index.add("delta", "1.0", {"delta.py": "only"}, tag=f"cp311-cp311-manylinux_2_24_{machine}")
    dependent.write({
        "lambdas/api/requirements.txt": "gamma\ndelta\n",
        "lambdas.yaml": MANIFEST + f"    python: '3.11'\n    architecture: {architecture}\n",
    })  # fmt: skip
    dependent.doit()
    assert pins(dependent) == ["delta==1.0", "gamma==1.0"]
    members = dependent.members("api")
    assert (members["gamma.py"], members["delta.py"]) == (b"fast", b"only")


def test_every_patch_level_gets_its_packages(dependent: Repository, index: Index) -> None:
    """A package that some patch levels of a runtime need is locked, also if only later ones do."""
    index.add("early")
    index.add("late", requires=("deep",))
    index.add("deep")
    index.add(
        "gamma",
        requires=(
            "early ; python_full_version < '3.12.4'",
            "late ; implementation_version >= '3.12.4'",
            "alpha ; python_full_version >= '3.13'",
        ),
    )
    dependent.write({
        "lambdas/api/requirements.txt": "gamma\n",
        "lambdas.yaml": MANIFEST + "    python: '3.12'\n    architecture: [x86_64, arm64]\n",
    })  # fmt: skip
    dependent.doit()
    assert pins(dependent) == ["deep==1.0", "early==1.0", "gamma==1.0", "late==1.0"]


def test_patch_levels_that_disagree(dependent: Repository, index: Index) -> None:
    """Requirements that give other versions on a later patch level are refused by name."""
    index.add("alpha", "2.0")
    dependent.write({
        "lambdas/api/requirements.txt": (
            "alpha==1.0 ; python_full_version < '3.13.7'\n"
            "alpha==2.0 ; python_full_version >= '3.13.7'\n"
        ),
        "lambdas.yaml": MANIFEST,
    })  # fmt: skip
    message = dependent.fails("lock:api").message
    assert "requirements.txt: alpha is 1.0 for Python 3.13.0, but 2.0 for later" in message
    assert not (dependent.root / "lambdas/api/requirements.lock").exists()


def test_what_leads_to_a_package_without_wheels(dependent: Repository, index: Index) -> None:
    """A package that the user never named is reported with the requirement that leads to it."""
    index.add("carrier", requires=("deep",))
    index.add("deep", requires=("gamma>=2",))
    index.add("gamma", "1.0", tag="cp313-cp313-manylinux_2_17_x86_64")
    index.add("gamma", "2.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    index.add("other", requires=("delta",))
    index.add("delta", tag="cp313-cp313-manylinux_2_39_x86_64")
    index.add("foreign", tag="cp313-cp313-win_amd64")
    index.add("arm", tag="cp313-cp313-manylinux_2_17_aarch64")
    dependent.write({
        "lambdas/api/requirements.txt": "carrier\nbeta\nother\nforeign\narm\n",
        "lambdas.yaml": MANIFEST,
    })  # fmt: skip
    message = dependent.fails("lock:api").message
    path = "  lambdas/api/requirements.txt"
    assert f"{path}:1: carrier: needs gamma, which has wheels for CPython 3.12" in message
    assert f"{path}:3: other: needs delta, which has wheels for Python 3.13 that need" in message
    assert "glibc 2.39 or newer" in message
    assert f"{path}:4: foreign: has wheels for other systems than Linux only" in message
    assert f"{path}:5: arm: has wheels for Linux, but none for x86_64" in message
    assert "beta" not in message


def test_a_partial_index_moves_no_pin(dependent: Repository, index: Index) -> None:
    """A pin stays if a second index has the same release, but no wheel of it for the target."""
    for version in ("1.0", "2.0"):
        for machine in ("x86_64", "aarch64"):
            index.add("gamma", version, tag=f"cp313-cp313-manylinux_2_17_{machine}")
    second = Index()
    second.add("gamma", "2.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    dependent.environment |= {
        "UV_EXTRA_INDEX_URL": second.url,
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    text = MANIFEST + "    architecture: [x86_64, arm64]\n"
    dependent.write({"lambdas/api/requirements.txt": "gamma\n", "lambdas.yaml": text})
    dependent.doit("lock:api", "--upgrade")
    assert pins(dependent) == ["gamma==2.0"]
    assert lock(dependent).endswith("    # via -r requirements.txt\n")
    dependent.write({"lambdas/api/requirements.txt": "gamma\nalpha\n"})
    dependent.doit("zip")
    assert pins(dependent) == ["alpha==1.0", "gamma==2.0"]
    second.server.shutdown()
    second.server.server_close()


def test_a_version_that_drops_the_package(dependent: Repository, index: Index) -> None:
    """A version that only a lock without the package fulfils is refused, and the lock stays."""
    index.add("low", "1.0")
    index.add("low", "2.0")
    index.add("high", "7.0", requires=())
    index.add("high", "15.0", requires=("low==2.0",))
    dependent.write({"lambdas/api/requirements.txt": "high\n", "lambdas.yaml": MANIFEST})
    dependent.lambdas("lock")
    before = lock(dependent)
    assert pins(dependent) == ["high==15.0", "low==2.0"]
    done = dependent.lambdas("lock", "-P", "low==1.0", "api", code=1)
    said = done.output + done.errors
    assert "lambdas/api/requirements.txt: no lock with low==1.0, so the old one stays" in said
    assert "  Removed low 2.0\n  Updated high 15.0 -> 7.0\n" in said or (
        "  Updated high 15.0 -> 7.0\n  Removed low 2.0\n" in said
    )
    assert "add it to lambdas/api/requirements.txt" in said
    assert lock(dependent) == before
    dependent.write({"lambdas/api/requirements.txt": "high\nlow==1.0\n"})
    dependent.lambdas("lock")
    assert pins(dependent) == ["high==7.0", "low==1.0"]
    dependent.lambdas("lock", "-P", "low==1.0", "api")
