"""The key of an output changes with what can change its bytes, and with nothing else."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from buildlib import contract, recipe
from buildlib.model import Docker, Pin, Variant
from buildlib.runtimes import RUNTIMES
from tests.unit.conftest import file, variant

PINS = (
    Pin("alpha", "1.0", ("sha256:" + "a" * 64, "sha256:" + "b" * 64)),
    Pin("beta", "2.0", ("sha256:" + "c" * 64,)),
)
FILES = (file("app.py", "1"), file("data/x", "2"))


GOLDEN_ENVIRONMENT = "ac1de4aca8ee08bcabe3182e11c9cef48269e951aeac8a3b8fade14eab0fae38"
GOLDEN_ARTIFACT = "c9b852deb3c9e00cc22d589e303ad68bba50f1d38f5536cfab654df19f62ec83"
# Of a function that has every option.
GOLDEN_VARIANT = variant(
    "3.12",
    "arm64",
    exclude=("tests/", "*.md"),
    compression="stored",
    allow_secrets=("/.env",),
    allow_sdist=("beta",),
)
GOLDEN_OF_ALL_OPTIONS = "85ca07a8095aa36d473fcf1695fc0609ac870228024f22d735c75282b9d92cf7"


def environment_key(of: Variant | None = None, pins: tuple[Pin, ...] = PINS) -> str:
    """Return the key of an environment."""
    return recipe.key(recipe.environment_recipe(of or variant(), pins))


def artifact_key(of: Variant | None = None, **options: Any) -> str:  # noqa: ANN401
    """Return the key of an artifact."""
    of = of or variant()
    dependencies = recipe.environment_recipe(of, options.get("pins", PINS))
    return recipe.key(recipe.artifact_recipe(of, dependencies, options.get("files", FILES)))


ENVIRONMENTS = {
    "python": environment_key(variant("3.12")),
    "architecture": environment_key(variant(architecture="arm64")),
    "install": environment_key(variant(install="docker", docker=Docker())),
    "strip": environment_key(variant(strip=True)),
    "sdist that is locked": environment_key(variant(allow_sdist=("beta",))),
    "fewer": environment_key(pins=PINS[:1]),
    "more": environment_key(pins=(*PINS, Pin("gamma", "1", ("sha256:" + "d" * 64,)))),
    "version": environment_key(pins=(PINS[0], PINS[1]._replace(version="2.1"))),
    "hash": environment_key(pins=(PINS[0], PINS[1]._replace(hashes=("sha256:" + "d" * 64,)))),
    "name": environment_key(pins=(PINS[0], PINS[1]._replace(name="betas"))),
}

ARTIFACTS = {
    "python": artifact_key(variant("3.12")),
    "dependency": artifact_key(pins=PINS[:1]),
    "handler": artifact_key(variant(handler="app.other")),
    "compression": artifact_key(variant(compression="stored")),
    "best compression": artifact_key(variant(compression="best")),
    "aws_services": artifact_key(variant(options=(("aws_services", ("s3",)),))),
    "other aws_services": artifact_key(variant(options=(("aws_services", ("s3", "sqs")),))),
    "exclude": artifact_key(variant(exclude=("*.md",))),
    "order of exclude": artifact_key(variant(exclude=("!a", "*.md"))),
    "other order of exclude": artifact_key(variant(exclude=("*.md", "!a"))),
    "allow_secrets": artifact_key(variant(allow_secrets=("/.env",))),
    "content": artifact_key(files=(FILES[0], file("data/x", "3"))),
    "name": artifact_key(files=(FILES[0], file("data/y", "2"))),
    "added": artifact_key(files=(*FILES, file("z"))),
    "removed": artifact_key(files=FILES[:1]),
    "swapped": artifact_key(files=(file("app.py", "2"), file("data/x", "1"))),
}


def test_what_changes_an_environment() -> None:
    """Each input of the installation gives another key."""
    keys = [environment_key(), *ENVIRONMENTS.values()]
    assert len(set(keys)) == len(keys)


def test_what_changes_an_artifact() -> None:
    """Each input of the ZIP, and what is checked and published with it, gives another key."""
    keys = [artifact_key(), *ARTIFACTS.values()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "other"},
        {"source": "elsewhere"},
        {"requirements": "elsewhere/requirements.txt"},
        {"include": ("shared/common",)},
        {"pythons": ("3.12", "3.13")},
        {"architectures": ("x86_64", "arm64")},
        {"allow_sdist": ("not-locked",)},
        {"size_limit": 1000},
        {"size_growth": "5 %"},
        {"evidence": True},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_changes_nothing(fields: dict[str, Any]) -> None:
    """Names of folders, of the function, and its other variants do not reach the bytes."""
    other = Variant("other", variant(**fields).function, "3.13", "x86_64")
    assert environment_key(other) == environment_key()
    assert artifact_key(other) == artifact_key()


def test_environments_are_shared() -> None:
    """What concerns the function's own files only does not install its dependencies again."""
    for fields in ({"handler": "a.b"}, {"compression": "stored"}, {"exclude": ("tests/",)}):
        assert environment_key(variant(**fields)) == environment_key()


def _encoder(compression: str = "deflate") -> str:
    return "" if compression == "stored" else "deflate 1.0.0 level 9"


def test_stored_needs_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another encoder is another ZIP where it is used, and only there."""
    deflated, stored = artifact_key(), artifact_key(variant(compression="stored"))
    monkeypatch.setattr(contract, "encoder", _encoder)
    assert artifact_key() != deflated
    assert artifact_key(variant(compression="stored")) == stored


def test_rules_of_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other rules for symbols are another environment where they are cut, and only there."""
    plain, stripped = environment_key(), environment_key(variant(strip=True))
    monkeypatch.setattr(contract, "STRIP", contract.STRIP + 1)
    assert environment_key() == plain
    assert environment_key(variant(strip=True)) != stripped


def test_build_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other build tools are another environment where something is built, and only there."""
    wheels, sdist = environment_key(), environment_key(variant(allow_sdist=("beta",)))
    docker = docker_key()
    monkeypatch.setattr(recipe, "build_tools", lambda: "other")
    assert environment_key() == wheels
    assert environment_key(variant(allow_sdist=("beta",))) != sdist
    assert docker_key() != docker


def test_build_tools_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other pins of the build tools are another key: their file counts by its content."""
    pins = recipe.build_constraints()
    assert recipe.build_tools() == hashlib.sha256(pins.read_bytes()).hexdigest()
    (tmp_path / "pins.txt").write_bytes(pins.read_bytes() + b"\n")
    monkeypatch.setattr(recipe, "build_constraints", lambda: tmp_path / "pins.txt")
    before = recipe.build_tools()
    recipe.build_tools.cache_clear()
    try:
        assert recipe.build_tools() != before
    finally:
        recipe.build_tools.cache_clear()


def test_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the glibc of a runtime is corrected, other wheels fit, and its functions are rebuilt."""
    before, other = environment_key(), environment_key(variant("3.12"))
    corrected = RUNTIMES["3.13"]._replace(glibc=(2, 31))
    monkeypatch.setitem(RUNTIMES, "3.13", corrected)
    assert environment_key() != before
    assert environment_key(variant("3.12")) == other


def test_order_of_keys() -> None:
    """The key does not depend on the order in which a recipe was put together."""
    one = recipe.artifact_recipe(variant(), recipe.environment_recipe(variant(), PINS), FILES)
    other = recipe.artifact_recipe(
        variant(), recipe.environment_recipe(variant(), PINS[::-1]), FILES[::-1]
    )
    assert recipe.key(one) == recipe.key(other)
    assert recipe.key(one) == recipe.key(dict(reversed(one.items())))


def test_plain_data() -> None:
    """A recipe survives JSON, so that the recorded one can be compared with the present one."""
    made = recipe.artifact_recipe(variant(), recipe.environment_recipe(variant(), PINS), FILES)
    assert json.loads(json.dumps(made)) == made


def test_golden() -> None:
    """These recipes have these keys: all that was ever built is found by them, in every store and
    in every `lambdas.hashes.json`. They change only by a deliberate act, which rebuilds everything
    of every user: a new version of the byte contract or of the encoder, and an entry in the
    changelog.
    """
    assert environment_key() == GOLDEN_ENVIRONMENT
    assert artifact_key() == GOLDEN_ARTIFACT
    assert artifact_key(GOLDEN_VARIANT) == GOLDEN_OF_ALL_OPTIONS


def test_canonical() -> None:
    """The key is the sha256 of sorted, compact, ASCII JSON: the same on every machine."""
    text = rb'{"a":null,"b":[1,"\u00fc"]}'
    assert recipe.key({"b": [1, "\u00fc"], "a": None}) == hashlib.sha256(text).hexdigest()


def docker_key(image: str = "img@sha256:" + "a" * 64, **options: Any) -> str:  # noqa: ANN401
    """Return the key of an environment that is installed in a container."""
    of = variant(install="docker", docker=Docker(**options))
    return recipe.key(recipe.environment_recipe(of, PINS, image))


def test_docker_in_the_key() -> None:
    """The image's digest, `setup` in its order and `libraries` change the key."""
    keys = {
        docker_key(),
        docker_key("img@sha256:" + "b" * 64),
        docker_key(setup=("a", "b")),
        docker_key(setup=("b", "a")),
        docker_key(libraries=("/usr/lib/libx.so.1",)),
        environment_key(),
    }
    assert len(keys) == 6


def test_docker_not_in_the_key() -> None:
    """How packages are reached, and where the same image is from, do not."""
    assert docker_key() == docker_key("other/name@sha256:" + "a" * 64)
    assert docker_key() == docker_key("sha256:" + "a" * 64)
    assert docker_key() == docker_key(
        image="img@sha256:" + "a" * 64,
        env=("TOKEN",),
        secrets=(("netrc", "~/.netrc"),),
        engine=(("arm64", "ssh://builder"),),
    )
    text = json.dumps(recipe.environment_recipe(variant(docker=Docker(env=("TOKEN",))), PINS, "x"))
    assert "TOKEN" not in text


def difference(before: Variant, now: Variant, image: str = "", **files: str) -> list[str]:
    """Return what changed from one variant's artifact to another's."""
    old = recipe.artifact_recipe(
        before, recipe.environment_recipe(before, PINS, "i@sha256:" + "a" * 64), FILES
    )
    sources = [file(path, content) for path, content in files.items()] or FILES
    return recipe.difference(
        old, recipe.artifact_recipe(now, recipe.environment_recipe(now, PINS, image), sources)
    )


def test_differences_in_words() -> None:
    """Each change is a line that a user understands; nothing is one if nothing changed."""
    docker = variant(install="docker", docker=Docker())
    setup = variant(install="docker", docker=Docker(setup=("dnf install -y gcc",)))
    same, other = "i@sha256:" + "a" * 64, "i@sha256:" + "b" * 64
    assert difference(variant(), variant()) == []
    assert difference(docker, docker, same) == []
    assert difference(variant(), variant(handler="app.other")) == [
        "handler app.handler -> app.other"
    ]
    assert difference(variant(), variant(exclude=("*.md", "docs/"))) == [
        "exclude [] -> [*.md, docs/]"
    ]
    assert difference(docker, docker, other) == ["docker image aaaaaaaaaaaa... -> bbbbbbbbbbbb..."]
    assert difference(docker, setup, same) == ["docker setup [] -> [dnf install -y gcc]"]
    assert "docker image aaaaaaaaaaaa... -> none" in difference(docker, variant())
    assert difference(variant(), variant(), **{"app.py": "9", "new": "1"}) == [
        "app.py changed", "new added", "data/x removed",
    ]  # fmt: skip


def test_an_earlier_record_has_less() -> None:
    """What a record of an earlier version does not have is said to be none."""
    now = recipe.artifact_recipe(variant(), recipe.environment_recipe(variant(), PINS), FILES)
    before = {**now, "environment": {**now["environment"]}}
    del before["environment"]["build_tools"], before["encoder"]
    assert recipe.difference(before, now) == [f"encoder none -> {now['encoder']}"]


def test_differences_between_pins() -> None:
    """A package that came, went, moved or has other files is one line each, by name."""
    before = {
        "gone": ["1.0", "a"],
        "moved": ["1.0", "a"],
        "other": ["1.0", "a"],
        "same": ["1.0", "a"],
    }
    now = {"moved": ["1.1", "b"], "new": ["3.0", "c"], "other": ["1.0", "b"], "same": ["1.0", "a"]}

    def with_packages(packages: dict[str, list[str]]) -> recipe.Recipe:
        return {"environment": {"packages": packages}, "files": {}}

    assert recipe.difference(with_packages(before), with_packages(now)) == [
        "requirements.lock: gone 1.0 removed",
        "requirements.lock: moved 1.0 -> 1.1",
        "requirements.lock: new 3.0 added",
        "requirements.lock: other 1.0 has other hashes",
    ]


@pytest.mark.parametrize(
    ("option", "label"),
    [
        ("contract", "byte contract"),
        ("installer", "rules of installation"),
        ("version", "doit-lambda-zip"),
        ("build_tools", "pinned build tools"),
        ("handler", "handler"),
    ],
)
def test_differences_name_options_as_users_know_them(option: str, label: str) -> None:
    """An option of ours has a label; an empty value is none."""

    def with_option(value: str) -> recipe.Recipe:
        return {"environment": {"packages": {}}, "files": {}, option: value}

    assert recipe.difference(with_option("1"), with_option("2")) == [f"{label} 1 -> 2"]
    assert recipe.difference(with_option(""), with_option("2")) == [f"{label} none -> 2"]


def test_a_recorded_recipe_is_equal() -> None:
    """A recipe that was read from its record has no difference, whatever options it has."""
    options = (("allow_unread", ("pyproject.toml",)), ("flavour", "salted"))
    of = GOLDEN_VARIANT._replace(function=GOLDEN_VARIANT.function._replace(options=options))
    made = recipe.artifact_recipe(of, recipe.environment_recipe(of, PINS), FILES)
    assert recipe.difference(json.loads(json.dumps(made)), made) == []
