"""lambdas.yaml: what is accepted, and exactly what is said about the rest."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from buildlib.errors import ManifestError
from buildlib.manifest import keys, reader
from buildlib.manifest.keys import DEFAULT_KEYS, LAMBDA_KEYS
from buildlib.model import Cache, Docker, Function, Include, Pinned, Requires
from tests.unit.conftest import write

HEAD = "version: 1\nlambdas:\n  api:\n"
FROM_ROOT = "the path is relative to the folder of lambdas.yaml"
# An Ed25519 public key, as base64 of its DER.
PUBLIC = "MCowBQYDK2VwAyEA" + "A" * 43 + "="

PLAIN = HEAD + "    handler: app.handler\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a repository with the sources of the functions `api` and `jobs`."""
    return write(
        tmp_path / "repository",
        {
            "lambdas/api/app.py": "",
            "lambdas/jobs/app.py": "",
            "lambdas/jobs/requirements.txt": "requests\n",
            "lambdas/jobs/other.txt": "requests\n",
            "shared/common/__init__.py": "",
            "lambdas/jobs/requirements.in": "requests\n",
            "locked/requirements.lock": "",
            "locked/uv.lock": "",
        },
    )


def read(root: Path, text: str | bytes) -> tuple[Function, ...]:
    """Return the functions of a manifest."""
    write(root, {"lambdas.yaml": text})
    return reader.read(root).functions


def problems(root: Path, text: str | bytes) -> list[str]:
    """Return the lines of the error that a manifest gives."""
    write(root, {"lambdas.yaml": text})
    with pytest.raises(ManifestError) as error:
        reader.read(root)
    return str(error.value).split("\n")


def test_least(root: Path) -> None:
    """A handler is all that a function needs; the rest has the documented defaults."""
    assert read(root, PLAIN) == (
        Function(
            name="api",
            handler="app.handler",
            source="lambdas/api",
            requires=None,
            pythons=("3.13",),
            architectures=("x86_64",),
            install="wheels",
            include=(),
            exclude=(),
            compression="deflate",
            allow_sdist=(),
        ),
    )


def test_every_key(root: Path) -> None:
    """Every key that the table has is read into the function."""
    text = (
        PLAIN + "    source: lambdas/jobs\n    requirements: other.txt\n"
        '    python: ["3.12", "3.13"]\n    architecture: [arm64, x86_64]\n    install: wheels\n'
        "    allow_sdist: [docopt]\n    include: [shared/common/, shared/common/__init__.py]\n"
        '    exclude: ["*.md", "/tests/"]\n    compression: stored\n    gitignore: true\n'
        "    prune: imports\n    layers: [common]\n"
        "    provided: runtime\n    files: [{url: 'https://x/y', sha256: " + "a" * 64 + "}]\n"
        "    size_limit: 80 MB\n    evidence: true\n    allow_secrets: [/.env]\n"
        "    size_growth: 5 %\n"
        "    allow_missing_imports: [acme.core]\n    allow_unread: [pyproject.toml]\n"
        "    allow_missing_libraries: [libodbc.so.2]\n    name: 'acme_{id}-{env}'\n"
        "    start_limit: 800 ms\n"
        "    bytecode: true\n    sources: false\n    compiler: ['3.12.1', '3.13.2']\n"
        "    strip: true\n    aws_services: [s3, sso-oidc]\n"
    )
    assert all(f"    {key}:" in text for key in LAMBDA_KEYS if key != "docker")
    text += "layers:\n  common: {include: [shared/common]}\n"
    layer, function = read(root, text)
    assert (layer.is_layer, layer.has_source, layer.source) == (True, False, ".")
    assert layer.include == (Include("shared/common", "python/common"),)
    assert function == Function(
        name="api",
        handler="app.handler",
        source="lambdas/jobs",
        requires=Requires(("lambdas/jobs/other.txt",)),
        pythons=("3.12", "3.13"),
        architectures=("arm64", "x86_64"),
        install="wheels",
        include=(
            Include("shared/common", "common"),
            Include("shared/common/__init__.py", "__init__.py"),
        ),
        lockfile="lambdas/jobs/other.lock",
        layers=("common",),
        files=(Pinned("https://x/y", "a" * 64, "y"),),
        gitignore=True,
        exclude=("*.md", "/tests/"),
        compression="stored",
        allow_sdist=("docopt",),
        size_limit=80 * 1024 * 1024,
        start_limit="800 ms",
        size_growth="5 %",
        evidence=True,
        allow_secrets=("/.env",),
        deployed_as="acme_{id}-{env}",  # a field, because an option is a part of the key
        bytecode=True,
        sources=False,
        compilers=("3.12.1", "3.13.2"),
        strip=True,
        options=(
            ("allow_missing_imports", ("acme.core",)),
            ("allow_missing_libraries", ("libodbc.so.2",)),
            ("allow_unread", ("pyproject.toml",)),
            ("aws_services", ("s3", "sso-oidc")),
            ("provided", "runtime"),
            ("prune", "imports"),
        ),
    )


def test_docker(root: Path) -> None:
    """Every key of `docker` is read; one of `defaults` holds where a function says nothing."""
    text = (
        "version: 1\ndefaults:\n  install: docker\n  docker: {image: img, env: [A]}\nlambdas:\n"
        "  api:\n    handler: app.handler\n    docker:\n      setup: make\n"
        "      libraries: [/usr/lib/libx.so.1]\n      env: [B, C]\n"
        "      secrets: {netrc: ~/.netrc, a: /b}\n      engine: {arm64: 'ssh://builder'}\n"
        "  jobs: {handler: app.handler, install: wheels}\n"
    )
    api, jobs = read(root, text)
    assert api.docker == Docker(
        image="img",
        setup=("make",),
        libraries=("/usr/lib/libx.so.1",),
        env=("B", "C"),
        secrets=(("a", "/b"), ("netrc", "~/.netrc")),
        engine=(("arm64", "ssh://builder"),),
    )
    assert jobs.docker is None
    assert read(root, PLAIN + "    install: docker\n")[0].docker == Docker()


def test_cache(root: Path) -> None:
    """The remote cache of the root's manifest; other manifests have none."""
    assert reader.parse(root, PLAIN).cache is None
    assert reader.parse(root, "cache: {remote: gs://a/b}\n" + PLAIN).cache == Cache("gs://a/b")
    other = PUBLIC.replace("AAA=", "BBB=")
    keys = f"  keys: {{b: {PUBLIC}, a: {other}}}\n"
    text = f"cache:\n  remote: s3://x\n  trust: signed\n  signatures: 2\n{keys}{PLAIN}"
    found = reader.parse(root, text).cache
    assert found == Cache("s3://x", "signed", (("a", other), ("b", PUBLIC)), 2)
    (root / "team").mkdir()
    (root / "team/lambdas.yaml").write_text("version: 1\ncache: {remote: s3://x}\nlayers: {}\n")
    with pytest.raises(ManifestError, match=r"team/lambdas.yaml:2:1: unknown key 'cache'"):
        reader.parse(root, "manifests: ['team/lambdas.yaml']\n" + PLAIN)


def test_defaults(root: Path) -> None:
    """Every key of `defaults` holds for a function that does not say otherwise, and only there."""
    text = (
        "version: 1\ndefaults:\n  frozen: true\n  handler: main.run\n  python: '3.12'\n"
        "  architecture: arm64\n  install: wheels\n  allow_sdist: [docopt]\n"
        "  exclude: ['*.md']\n  compression: stored\n  gitignore: true\n"
        "  prune: imports\n  layers: [common]\n"
        "  provided: runtime\n  size_limit: 1000\n  evidence: true\n"
        "  allow_secrets: ['*.pem']\n  allow_missing_imports: [acme]\n"
        "  allow_missing_libraries: [libodbc.so.2]\n"
        "  allow_unread: [pyproject.toml]\n  name: '{lambda}-{env}'\n"
        "  size_growth: 2.5%\n  start_limit: 1 s\n"
        "  bytecode: true\n  sources: false\n  compiler: '3.12.1'\n"
        "  strip: true\n  aws_services: [s3]\n"
        "lambdas:\n  api: {}\n"
        "  jobs: {handler: app.handler, python: '3.14', exclude: [], evidence: false, strip: false,"
        " aws_services: []}\n"
        "layers:\n  common: {include: [shared/common]}\n"
    )
    assert all(f"  {key}:" in text for key in DEFAULT_KEYS if key != "docker")
    common, api, jobs = read(root, text)
    assert (common.handler, common.layers, common.pythons) == ("", (), ("3.12",))
    assert reader.read(root).frozen
    assert (api.handler, api.pythons, api.architectures) == ("main.run", ("3.12",), ("arm64",))
    assert (api.allow_sdist, api.exclude, api.compression) == (("docopt",), ("*.md",), "stored")
    assert (jobs.handler, jobs.pythons, jobs.exclude) == ("app.handler", ("3.14",), ())
    assert jobs.architectures == ("arm64",)
    assert (api.size_limit, api.evidence, api.allow_secrets) == (1000, True, ("*.pem",))
    assert (jobs.size_limit, jobs.evidence) == (1000, False)
    assert api.size_growth == "2.5%"
    assert (common.bytecode, api.sources, jobs.compilers) == (True, False, ("3.12.1",))
    assert (common.strip, api.strip, jobs.strip) == (True, True, False)
    assert dict(common.options)["aws_services"] == dict(api.options)["aws_services"] == ("s3",)
    assert "aws_services" not in dict(jobs.options)
    assert api.gitignore
    assert (api.deployed_as, common.deployed_as) == ("{lambda}-{env}", "")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1), ("262144000", 262_144_000), ("'5 kB'", 5120), ("1.5MiB", 1_572_864),
        ("250 MB", 262_144_000), ("900 B", 900),
    ],
)  # fmt: skip
def test_size(root: Path, text: str, size: int) -> None:
    """A size is bytes, or text in the units in which AWS counts."""
    assert read(root, PLAIN + f"    size_limit: {text}\n")[0].size_limit == size


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("0 ms", False), ("0s", False), ("0.00 s", False), ("00 ms", False), ("5", False),
        ("0.001 ms", True), ("0.5 s", True), ("10ms", True), ("900 s", True),
    ],
)  # fmt: skip
def test_start_limit(root: Path, text: str, allowed: bool) -> None:
    """It is a duration longer than 0; anything else is an error that says so."""
    manifest = PLAIN + f"    start_limit: {text!r}\n"
    if allowed:
        assert read(root, manifest)[0].start_limit == text
        return
    with pytest.raises(ManifestError) as error:
        read(root, manifest)
    assert f"start_limit: '{text}' is not allowed; expected a duration longer" in str(error.value)


@pytest.mark.parametrize("text", ["5", "0.05", "-5 %", "5 percent", "512 kB", "5 % %"])
def test_not_a_percentage(root: Path, text: str) -> None:
    """The growth is a percentage; anything else is an error that shows one."""
    with pytest.raises(ManifestError) as error:
        read(root, PLAIN + f"    size_growth: {text}\n")
    assert "lambda 'api': size_growth: " in str(error.value)
    assert "expected a percentage, such as '5 %'" in str(error.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", "expected 1 to 262144000 bytes, Lambda's limit, found 0"),
        ("251 MB", "expected 1 to 262144000 bytes, Lambda's limit, found 2631"),
        ("1 GB", "expected bytes, or text such as '80 MB', found 1 GB"),
        ("-1", "expected bytes, or text such as '80 MB', found the number -1"),
        ("1.5", "expected bytes, or text such as '80 MB', found the number 1.5"),
        ("[1]", "expected bytes, or text such as '80 MB', found a list"),
        ("true", "expected bytes, or text such as '80 MB', found the boolean true"),
    ],
)  # fmt: skip
def test_not_a_size(root: Path, text: str, found: str) -> None:
    """What is no size, or more than Lambda takes, is said with its place."""
    with pytest.raises(ManifestError) as error:
        read(root, PLAIN + f"    size_limit: {text}\n")
    assert f"lambda 'api': size_limit: {found}" in str(error.value)
    assert str(error.value).startswith("lambdas.yaml:5:17: ")


def test_requirements_are_found(root: Path) -> None:
    """A requirements.txt in the source folder counts without being named."""
    (jobs,) = read(root, "version: 1\nlambdas:\n  jobs:\n    handler: app.handler\n")
    assert jobs.requirements == "lambdas/jobs/requirements.txt"
    assert not reader.read(root).frozen


def test_allowed_sdists_are_normalised(root: Path) -> None:
    """`allow_sdist` means a distribution, however its name is spelt (PEP 503)."""
    (api,) = read(root, PLAIN + "    allow_sdist: [Foo_Bar.baz]\n")
    assert api.allow_sdist == ("foo-bar-baz",)


@pytest.mark.parametrize(
    "text",
    [b"\xef\xbb\xbf" + PLAIN.encode(), PLAIN.replace("\n", "\r\n"), "---\n" + PLAIN + "...\n"],
    ids=["bom", "crlf", "document"],
)
def test_same_text_in_other_bytes(root: Path, text: str | bytes) -> None:
    """A BOM, CRLF line ends and document markers change nothing."""
    assert read(root, text) == read(root, PLAIN)


def test_positions_with_bom_and_crlf(root: Path) -> None:
    """Positions are those that an editor shows, also after a BOM, CRLF and non-ASCII text."""
    text = PLAIN.replace("\n", "\r\n") + "    exclude: ['\u00fc\u00fc', 1]\r\n"
    assert problems(root, b"\xef\xbb\xbf" + text.encode()) == [
        "lambdas.yaml:5:21: lambda 'api': exclude: expected text, found the number 1"
    ]


def test_aliases(root: Path) -> None:
    """An anchor's value can be used again."""
    api, jobs = read(
        root,
        "version: 1\nlambdas:\n  api: &api {handler: app.handler, python: '3.12'}\n  jobs: *api\n",
    )
    assert (api.pythons, jobs.pythons) == (("3.12",), ("3.12",))


RUNTIMES = "3.10 or 3.11 or 3.12 or 3.13 or 3.14 or 3.15"
NAME = keys.NAME
NO_HANDLER = "missing key 'handler', such as 'handler: app.handler'"

BAD = {
    "empty": ("", ["lambdas.yaml: the file is empty; it needs 'version: 1' and 'lambdas:'"]),
    "comments": (
        "# nothing yet\n",
        ["lambdas.yaml: the file is empty; it needs 'version: 1' and 'lambdas:'"],
    ),
    "text": ("hello", ["lambdas.yaml:1:1: expected keys and values, found hello"]),
    "list": ("- a\n", ["lambdas.yaml:1:1: expected keys and values, found a list"]),
    "not UTF-8": (
        b"version: 1\n# \xff\n",
        ["lambdas.yaml: not UTF-8 at byte 13; save it as UTF-8"],
    ),
    "not YAML": (
        "version: 1\nlambdas: [",
        [
            "lambdas.yaml:3:1: not valid YAML: did not find expected node content",
        ],
    ),
    "tab": (
        "version: 1\nlambdas:\n\tapi: {}\n",
        [
            (
                "lambdas.yaml:3:1: not valid YAML: found character that cannot start any token; "
                "YAML does not allow tabs here, indent with spaces"
            )
        ],
    ),
    "two documents": (
        PLAIN + "---\n" + PLAIN,
        ["lambdas.yaml:5:1: not valid YAML: but found another document"],
    ),
    "unknown alias": (
        HEAD + "    handler: *nowhere\n",
        ["lambdas.yaml:4:14: not valid YAML: found undefined alias"],
    ),
    "duplicate key": (
        PLAIN + "    handler: other.handler\n",
        ["lambdas.yaml:5:5: lambda 'api': duplicate key 'handler', first defined on line 4"],
    ),
    "duplicate lambda": (
        PLAIN + "  api:\n    handler: app.other\n",
        ["lambdas.yaml:5:3: lambdas: duplicate key 'api', first defined on line 3"],
    ),
    "duplicate top key": (
        "version: 1\nversion: 1\n" + PLAIN.partition("\n")[2],
        ["lambdas.yaml:2:1: duplicate key 'version', first defined on line 1"],
    ),
    "merge key": (
        (
            "version: 1\nlambdas:\n  api: &x {handler: app.handler}\n  jobs:\n    <<: *x\n"
            "    handler: app.handler\n"
        ),
        [
            (
                "lambdas.yaml:5:5: lambda 'jobs': a key must be plain text; "
                "YAML's '<<' is not supported"
            )
        ],
    ),
    "complex key": (
        PLAIN + "    ? [a, b]\n    : c\n",
        ["lambdas.yaml:5:7: lambda 'api': a key must be plain text; YAML's '<<' is not supported"],
    ),
    "unknown key": (
        PLAIN + "    architectures: arm64\n",
        [
            (
                "lambdas.yaml:5:5: lambda 'api': unknown key 'architectures'; "
                "did you mean 'architecture'?"
            )
        ],
    ),
    "unknown key, nothing near": (
        PLAIN + "    xyzzy: 1\n",
        ["lambdas.yaml:5:5: lambda 'api': unknown key 'xyzzy'; allowed: " + ", ".join(LAMBDA_KEYS)],
    ),
    "unknown top key": (
        "lambda: {}\n" + PLAIN,
        ["lambdas.yaml:1:1: unknown key 'lambda'; did you mean 'lambdas'?"],
    ),
    "key that is no default": (
        "defaults: {source: x}\n" + PLAIN,
        ["lambdas.yaml:1:12: defaults: unknown key 'source'; allowed: " + ", ".join(DEFAULT_KEYS)],
    ),
    "frozen in a lambda": (
        PLAIN + "    frozen: true\n",
        [
            "lambdas.yaml:5:5: lambda 'api': unknown key 'frozen'; allowed: "
            + ", ".join(LAMBDA_KEYS)
        ],
    ),
    "an address with credentials": (
        "cache: {remote: 'https://user:password@host/x'}\n" + PLAIN,
        [
            (
                "lambdas.yaml:1:17: cache: remote: 'https://****@host/x' is not allowed; "
                "expected an address without credentials, such as s3://bucket/folder"
            )
        ],
    ),
    "an unknown service": (
        "cache: {remote: 'ftp://host/x'}\n" + PLAIN,
        [
            (
                "lambdas.yaml:1:17: cache: remote: 'ftp://host/x' is not allowed; "
                "expected an address without credentials, such as s3://bucket/folder"
            )
        ],
    ),
    "keys of the cache": (
        "cache: {remotes: x, trust: all, signatures: '2'}\n" + PLAIN,
        [
            "lambdas.yaml:1:9: cache: unknown key 'remotes'; did you mean 'remote'?",
            "lambdas.yaml:1:28: cache: trust: expected bucket or signed, found 'all'",
            "lambdas.yaml:1:45: cache: signatures: expected a number from 1, found 2",
        ],
    ),
    "no public key": (
        "cache: {trust: signed, keys: {ci: MCowBQYDK2VwAyEA}}\n" + PLAIN,
        [
            (
                "lambdas.yaml:1:35: cache: keys: ci: 'MCowBQYDK2VwAyEA' is not allowed; expected a "
                "name and an Ed25519 public key, as 'openssl pkey -in signing.pem -pubout "
                "-outform DER | base64' prints it"
            )
        ],
    ),
    "trust in nobody": (
        "cache: {trust: signed}\n" + PLAIN,
        [
            (
                "lambdas.yaml:1:1: cache: 'trust: signed' needs 'keys', the public keys of the "
                "trusted builders"
            )
        ],
    ),
    "keys without trust": (
        f"cache: {{keys: {{ci: {PUBLIC}}}}}\n" + PLAIN,
        [
            (
                "lambdas.yaml:1:9: cache: 'keys' has no effect without 'trust: signed'; add that, "
                "or remove 'keys'"
            )
        ],
    ),
    "more signatures than keys": (
        f"cache: {{trust: signed, signatures: 2, keys: {{a: {PUBLIC}, b: {PUBLIC}}}}}\n" + PLAIN,
        [
            (
                "lambdas.yaml:1:36: cache: signatures: expected at most 1, the number of different "
                "'keys'"
            )
        ],
    ),
    "frozen is text": (
        "defaults: {frozen: 'yes'}\n" + PLAIN,
        ["lambdas.yaml:1:20: defaults: frozen: expected true or false, found yes"],
    ),
    "true is text": (
        "defaults: {strip: 'true'}\n" + PLAIN,
        [
            (
                "lambdas.yaml:1:19: defaults: strip: expected true or false, found true; "
                "remove the quotes"
            )
        ],
    ),
    "one service": (
        "defaults: {aws_services: s3}\n" + PLAIN,
        ["lambdas.yaml:1:26: defaults: aws_services: expected a list, found s3; write [s3]"],
    ),
    "no version": (
        PLAIN.removeprefix("version: 1\n"),
        ["lambdas.yaml:1:1: missing key 'version'; write 'version: 1'"],
    ),
    "version 2": (
        PLAIN.replace("1", "2"),
        ["lambdas.yaml:1:10: version: unsupported; write 'version: 1', the only version so far"],
    ),
    "version is text": (
        PLAIN.replace("1", "'1'"),
        ["lambdas.yaml:1:10: version: unsupported; write 'version: 1', the only version so far"],
    ),
    "version is a list": (
        PLAIN.replace("1", "[1]"),
        ["lambdas.yaml:1:10: version: unsupported; write 'version: 1', the only version so far"],
    ),
    "no lambdas": (
        "version: 1\n",
        ["lambdas.yaml:1:1: missing key 'lambdas'; declare the functions below it"],
    ),
    "lambdas is empty": (
        "version: 1\nlambdas: {}\n",
        [
            (
                "lambdas.yaml:2:10: lambdas: declare at least one function, such as "
                "'api: {handler: app.handler}'"
            )
        ],
    ),
    "lambdas is nothing": (
        "version: 1\nlambdas:\n",
        [
            (
                "lambdas.yaml:2:9: lambdas: expected keys and values, found nothing; "
                "indent the keys below it"
            )
        ],
    ),
    "lambdas is a list": (
        "version: 1\nlambdas:\n  - api\n",
        [
            (
                "lambdas.yaml:3:3: lambdas: expected names as keys, such as "
                "'api: {handler: app.handler}', found a list; remove the '-'"
            )
        ],
    ),
    "lambda is text": (
        "version: 1\nlambdas:\n  api: app.handler\n",
        ["lambdas.yaml:3:8: lambda 'api': expected keys and values, found app.handler"],
    ),
    "no handler": (
        "version: 1\nlambdas:\n  api: {}\n",
        [f"lambdas.yaml:3:3: lambda 'api': {NO_HANDLER}"],
    ),
    "handler is no function": (
        HEAD + "    handler: app\n",
        [
            (
                "lambdas.yaml:4:14: lambda 'api': handler: 'app' is not allowed; "
                f"expected {keys.LAMBDA_KEYS['handler'].rule}"
            )
        ],
    ),
    "an unknown placeholder": (
        PLAIN + "    name: '{lambda}-{stage}'\n",
        [
            (
                "lambdas.yaml:5:11: lambda 'api': name: '{lambda}-{stage}' is not allowed; "
                f"expected {keys.LAMBDA_KEYS['name'].rule}"
            )
        ],
    ),
    "handler is a list": (
        HEAD + "    handler: [app.handler]\n",
        [
            (
                "lambdas.yaml:4:14: lambda 'api': handler: expected module.function, such as "
                "'app.handler', found a list"
            ),
        ],
    ),
    "3.10 unquoted": (
        PLAIN + "    python: 3.10\n",
        [
            (
                "lambdas.yaml:5:13: lambda 'api': python must be a quoted string: \"3.10\" "
                "(YAML reads the number 3.1)"
            )
        ],
    ),
    "3.12 unquoted": (
        PLAIN + "    python: ['3.13', 3.12]\n",
        [
            (
                "lambdas.yaml:5:22: lambda 'api': python must be a quoted string: \"3.12\" "
                "(YAML reads the number 3.12)"
            )
        ],
    ),
    "python is infinite": (
        PLAIN + "    python: .inf\n",
        [
            (
                f"lambdas.yaml:5:13: lambda 'api': python: expected {RUNTIMES}, "
                "as a quoted string, found the number .inf"
            )
        ],
    ),
    "python is base 60": (
        PLAIN + "    python: 3:10.5\n",
        [
            (
                f"lambdas.yaml:5:13: lambda 'api': python: expected {RUNTIMES}, "
                "as a quoted string, found the number 3:10.5"
            )
        ],
    ),
    "python is nothing": (
        PLAIN + "    python:\n",
        [
            (
                f"lambdas.yaml:5:12: lambda 'api': python: expected {RUNTIMES}, "
                "as a quoted string, found nothing"
            )
        ],
    ),
    "python is true": (
        PLAIN + "    python: true\n",
        [
            (
                f"lambdas.yaml:5:13: lambda 'api': python: expected {RUNTIMES}, "
                "as a quoted string, found the boolean true"
            )
        ],
    ),
    "unknown runtime": (
        PLAIN + "    python: '3.9'\n",
        [
            (
                f"lambdas.yaml:5:13: lambda 'api': python: expected {RUNTIMES}, found '3.9'; "
                "Lambda has no such Python runtime"
            )
        ],
    ),
    "python twice": (
        PLAIN + "    python: ['3.12', '3.12']\n",
        ["lambdas.yaml:5:22: lambda 'api': python: duplicate value '3.12'"],
    ),
    "no python": (
        PLAIN + "    python: []\n",
        ["lambdas.yaml:5:13: lambda 'api': python: the list is empty"],
    ),
    "unknown architecture": (
        PLAIN + "    architecture: [arm64, amd64]\n",
        [
            (
                "lambdas.yaml:5:27: lambda 'api': architecture: expected x86_64 or arm64, "
                "found 'amd64'; did you mean 'x86_64'?"
            )
        ],
    ),
    "aarch64": (
        PLAIN + "    architecture: aarch64\n",
        [
            (
                "lambdas.yaml:5:19: lambda 'api': architecture: expected x86_64 or arm64, "
                "found 'aarch64'; did you mean 'arm64'?"
            )
        ],
    ),
    "runtime as Python": (
        PLAIN + "    python: python3.13\n",
        [
            (
                f"lambdas.yaml:5:13: lambda 'api': python: expected {RUNTIMES}, "
                "found 'python3.13'; did you mean \"3.13\"?"
            )
        ],
    ),
    "key of the runtime": (
        PLAIN + "    runtime: python3.13\n",
        [
            (
                "lambdas.yaml:5:5: lambda 'api': unknown key 'runtime'; use 'python', as in "
                "'python: \"3.13\"'"
            )
        ],
    ),
    "keys of the function": (
        PLAIN + "    environment: {A: b}\n    memory: 128\n    Timeout: 3\n    role: x\n"
        "    events: []\n",
        [
            (
                f"lambdas.yaml:{line}:5: lambda 'api': unknown key '{key}': lambdas.yaml describes "
                f"only the ZIP; {advice}"
            )
            for line, key, advice in (
                (5, "environment", "set it on aws_lambda_function"),
                (6, "memory", "set it on aws_lambda_function: memory_size"),
                (7, "Timeout", "set it on aws_lambda_function: timeout"),
                (8, "role", "set it on aws_lambda_function"),
                (9, "events", "declare it where you deploy the function"),
            )
        ],
    ),
    "keys of a lambda without indentation": (
        "version: 1\nlambdas:\n  api:\n  handler: app.handler\n",
        [
            (
                "lambdas.yaml:3:7: lambda 'api': expected keys and values, found nothing; "
                "indent the keys below it"
            ),
            "lambdas.yaml:4:3: 'handler' is a key of a lambda; indent it below the lambda's name",
        ],
    ),
    "wrong indentation": (
        "version: 1\nlambdas:\n  api:\n    handler: app.handler\n   python: '3.13'\n",
        [
            (
                "lambdas.yaml:5:4: not valid YAML: did not find expected key; check the "
                "indentation of this line and of the lines above it"
            )
        ],
    ),
    "nested list": (
        PLAIN + "    architecture: [[arm64]]\n",
        ["lambdas.yaml:5:20: lambda 'api': architecture: expected x86_64 or arm64, found a list"],
    ),
    "docker without its install": (
        PLAIN + "    docker: {image: debian}\n",
        [
            (
                "lambdas.yaml:5:5: lambda 'api': 'docker' requires 'install: docker'; add that, "
                "or remove 'docker'"
            ),
        ],
    ),
    "docker is no mapping": (
        PLAIN + "    install: docker\n    docker: image\n",
        ["lambdas.yaml:6:13: lambda 'api': docker: expected keys and values, found image"],
    ),
    "every key of docker": (
        PLAIN + "    install: docker\n    docker:\n      image: Debian Stable\n      setup: [1]\n"
        "      libraries: [usr/lib/x.so]\n      env: [1A]\n      secrets: {'a/b': x, c: 1}\n"
        "      engine: {riscv: 'ssh://x', arm64: here}\n      images: x\n",
        [
            (
                "lambdas.yaml:7:14: lambda 'api': docker: image: 'Debian Stable' is not allowed; "
                f"expected {keys.DOCKER_KEYS['image'].rule}"
            ),
            "lambdas.yaml:8:15: lambda 'api': docker: setup: expected text, found the number 1",
            (
                "lambdas.yaml:9:19: lambda 'api': docker: libraries: 'usr/lib/x.so' is not allowed"
                f"; expected {keys.DOCKER_KEYS['libraries'].rule}"
            ),
            (
                "lambdas.yaml:10:13: lambda 'api': docker: env: '1A' is not allowed; expected "
                "the name of an environment variable"
            ),
            (
                "lambdas.yaml:11:17: lambda 'api': docker: secrets: 'a/b' is not allowed; "
                "expected a file name of letters, digits, '.', '_' and '-'"
            ),
            (
                "lambdas.yaml:11:30: lambda 'api': docker: secrets: c: expected text, found the "
                "number 1"
            ),
            (
                "lambdas.yaml:12:16: lambda 'api': docker: engine: 'riscv' is not allowed; "
                f"expected {keys.DOCKER_KEYS['engine'].rule}"
            ),
            (
                "lambdas.yaml:12:41: lambda 'api': docker: engine: arm64: 'here' is not allowed; "
                f"expected {keys.DOCKER_KEYS['engine'].rule}"
            ),
            "lambdas.yaml:13:7: lambda 'api': docker: unknown key 'images'; did you mean 'image'?",
        ],
    ),
    "unknown compression": (
        PLAIN + "    compression: zstd\n",
        [
            (
                "lambdas.yaml:5:18: lambda 'api': compression: expected deflate or best or stored, "
                "found 'zstd'"
            ),
        ],
    ),
    "include is text": (
        PLAIN + "    include: shared\n",
        ["lambdas.yaml:5:14: lambda 'api': include: expected a list, found shared"],
    ),
    "exclude is a mapping": (
        PLAIN + "    exclude: {a: b}\n",
        ["lambdas.yaml:5:14: lambda 'api': exclude: expected a list, found keys and values"],
    ),
    "allow_sdist is no name": (
        PLAIN + "    allow_sdist: ['a b']\n",
        [
            (
                "lambdas.yaml:5:19: lambda 'api': allow_sdist: 'a b' is not allowed; "
                f"expected {keys.LAMBDA_KEYS['allow_sdist'].rule}"
            )
        ],
    ),
    "empty text": (
        PLAIN + "    source: ' '\n",
        ["lambdas.yaml:5:13: lambda 'api': source: the text is empty"],
    ),
    "missing source": (
        PLAIN.replace("api", "nix"),
        [
            (
                "lambdas.yaml:3:3: lambda 'nix': the source folder 'lambdas/nix' does not exist; "
                "create it, or set 'source'"
            )
        ],
    ),
    "missing named source": (
        PLAIN + "    source: nowhere\n",
        [
            "lambdas.yaml:5:13: lambda 'api': the source folder 'nowhere' does not exist; "
            + FROM_ROOT
        ],
    ),
    "source is a data file": (
        PLAIN + "    source: lambdas/jobs/other.txt\n",
        [
            (
                "lambdas.yaml:5:13: lambda 'api': the source 'lambdas/jobs/other.txt' is neither a "
                "folder nor a .py file"
            )
        ],
    ),
    "source is a missing module": (
        PLAIN + "    source: lambdas/api/nix.py\n",
        [
            (
                "lambdas.yaml:5:13: lambda 'api': the source file 'lambdas/api/nix.py' does not "
                "exist; " + FROM_ROOT
            )
        ],
    ),
    "source by ..": (
        PLAIN + "    source: lambdas/../../api\n",
        [
            (
                "lambdas.yaml:5:13: lambda 'api': source 'lambdas/../../api' leaves the "
                "repository, so other checkouts lack it; move it inside"
            )
        ],
    ),
    "absolute source": (
        PLAIN + "    source: /srv/api\n",
        [
            (
                "lambdas.yaml:5:13: lambda 'api': source '/srv/api' must be relative to the folder "
                "of lambdas.yaml"
            )
        ],
    ),
    "absolute on Windows": (
        PLAIN + "    source: C:/api\n",
        [
            (
                "lambdas.yaml:5:13: lambda 'api': source 'C:/api' must be relative to the folder "
                "of lambdas.yaml"
            )
        ],
    ),
    "backslash": (
        PLAIN + "    source: lambdas\\api\n",
        [
            (
                "lambdas.yaml:5:13: lambda 'api': source 'lambdas\\api': separate folders "
                "with '/', also on Windows"
            )
        ],
    ),
    "include of the repository": (
        PLAIN + "    include: [shared/..]\n",
        [
            (
                "lambdas.yaml:5:15: lambda 'api': include '.': name the files and folders of the "
                "root to include"
            )
        ],
    ),
    "source is an output": (
        PLAIN + "    source: build/api\n",
        [
            (
                "lambdas.yaml:5:13: lambda 'api': source 'build/api' is in build/, the folder "
                "for build output; move it elsewhere"
            )
        ],
    ),
    "include is an output": (
        PLAIN + "    include: [dist]\n",
        [
            (
                "lambdas.yaml:5:15: lambda 'api': include 'dist' is in dist/, the folder "
                "for build output; move it elsewhere"
            )
        ],
    ),
    "requirements are the lock": (
        PLAIN + "    source: locked\n    requirements: requirements.lock\n",
        [
            (
                "lambdas.yaml:6:19: lambda 'api': requirements 'locked/requirements.lock' is the "
                "lockfile; name the requirements file that it comes from"
            )
        ],
    ),
    "missing requirements": (
        PLAIN + "    requirements: reqs.txt\n",
        [
            (
                "lambdas.yaml:5:19: lambda 'api': the requirements file 'lambdas/api/reqs.txt' "
                "does not exist; the path is relative to the source folder or to the folder of "
                "lambdas.yaml"
            )
        ],
    ),
    "missing include": (
        PLAIN + "    include: [shared/common, shared/nix]\n",
        ["lambdas.yaml:5:30: lambda 'api': include 'shared/nix' does not exist; " + FROM_ROOT],
    ),
    "include by ..": (
        PLAIN + "    include: [../shared]\n",
        [
            (
                "lambdas.yaml:5:15: lambda 'api': include '../shared' leaves the repository, "
                "so other checkouts lack it; move it inside"
            )
        ],
    ),
    "name with a dot": (
        PLAIN.replace("api", "api-py3.12-arm64"),
        [
            (
                "lambdas.yaml:3:3: lambda 'api-py3.12-arm64': the name is not allowed; "
                f"expected {keys.NAME_RULE}"
            )
        ],
    ),
    "name in upper case": (
        PLAIN.replace("api", "Api"),
        [f"lambdas.yaml:3:3: lambda 'Api': the name is not allowed; expected {keys.NAME_RULE}"],
    ),
    "name with a slash": (
        PLAIN.replace("api", "../api"),
        ["lambdas.yaml:3:3: lambda '../api': the name is not allowed; expected " + keys.NAME_RULE],
    ),
    "empty name": (
        PLAIN.replace("api", "''"),
        [f"lambdas.yaml:3:3: lambda '': the name is not allowed; expected {keys.NAME_RULE}"],
    ),
    "one lock for two requirements": (
        (
            "version: 1\nlambdas:\n  jobs: {handler: app.handler}\n"
            "  api: {handler: app.handler, source: lambdas/jobs, requirements: requirements.in}\n"
        ),
        [
            (
                "lambdas.yaml:4:3: lambda 'api': it would share the lockfile "
                "lambdas/jobs/requirements.lock with lambda 'jobs', which has other requirements; "
                "rename the requirements file of one of them"
            )
        ],
    ),
    "two files of which one is a lock": (
        PLAIN + "    source: locked\n    requirements: [uv.lock, ../lambdas/jobs/other.txt]\n",
        [
            (
                "lambdas.yaml:6:19: lambda 'api': requirements: locked/uv.lock is a lockfile; it "
                "must be the only file in 'requirements'"
            )
        ],
    ),
    "include without a path": (
        PLAIN + "    include: [{as: x}, {path: shared/common, as: ../x}]\n",
        [
            (
                "lambdas.yaml:5:15: lambda 'api': include: missing key 'path', such as "
                "'path: shared/common'"
            ),
            (
                "lambdas.yaml:5:24: lambda 'api': include: as '../x' leaves the ZIP; expected a "
                "path such as ecom"
            ),
        ],
    ),
    "include of a file as the top": (
        PLAIN + "    include: [{path: shared/common/__init__.py, as: .}]\n",
        [
            (
                "lambdas.yaml:5:15: lambda 'api': include: as '.' is for folders; a file needs a "
                "name in the ZIP"
            )
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD)
def test_bad_input(root: Path, text: str | bytes, expected: list[str]) -> None:
    """Bad input gives its one message: where, what, what is allowed."""
    assert problems(root, text) == expected


def test_no_manifest(tmp_path: Path) -> None:
    """A folder without a manifest says so."""
    with pytest.raises(ManifestError, match=r"^could not find lambdas\.yaml in .*init"):
        reader.read(tmp_path)


def test_control_characters(root: Path) -> None:
    """Characters that YAML forbids are an error in the file, not in the program."""
    (line, *_) = problems(root, PLAIN.encode() + b"# \x00\n")
    assert line.startswith("lambdas.yaml: not valid YAML: ")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_source_through_a_link(root: Path) -> None:
    """A source folder that a link takes out of the repository is refused; one inside is not."""
    write(root.parent, {"elsewhere/app.py": ""})
    (root / "out").symlink_to("../elsewhere")
    (root / "alias").symlink_to("lambdas/api")
    assert problems(root, PLAIN + "    source: out\n") == [
        (
            "lambdas.yaml:5:13: lambda 'api': source 'out' leaves the repository through a link; "
            "move or copy the content"
        )
    ]
    assert read(root, PLAIN + "    source: alias\n")[0].source == "alias"


def test_all_at_once(root: Path) -> None:
    """All problems are reported, sorted by where they are."""
    text = (
        "version: 2\ndefaults:\n  pyton: x\n  python: 3.12\nlambdas:\n  b:\n    include: [nix]\n"
        "  Api: {}\n  api:\n    handler: 1\n    compresion: stored\n    install: docker\n"
    )
    assert [line.split(": ")[0] for line in problems(root, text)] == [
        f"lambdas.yaml:{place}" for place in ("1:10", "3:3", "4:11", "6:3", "8:3", "10:14", "11:5")
    ]


@pytest.mark.parametrize("default", ["python: 3.12", "handler: nothing", "exclude: x"])
def test_one_problem_is_told_once(root: Path, default: str) -> None:
    """A problem in `defaults` is not repeated for each function."""
    handler = "" if "handler" in default else "handler: app.handler"
    text = f"version: 1\ndefaults: {{{default}}}\nlambdas:\n"
    text += f"  api: {{{handler}}}\n  jobs: {{{handler}}}\n"
    assert len(problems(root, text)) == 1


def test_alias_bomb(root: Path) -> None:
    """Aliases that would make billions of values are looked at, not expanded."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = "\n".join(levels) + "\n" + PLAIN + "    exclude: *a11\n"
    start = time.monotonic()
    lines = problems(root, text)
    assert time.monotonic() - start < 2
    assert len(lines) == 12 + 10
    found = "lambda 'api': exclude: expected text, found a list"
    assert sum(line.endswith(found) for line in lines) == 10


def test_recursive_alias(root: Path) -> None:
    """A value that contains itself is an error like any other."""
    (line,) = problems(root, PLAIN + "    exclude: &a [*a]\n")
    assert line.endswith("lambda 'api': exclude: expected text, found a list")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nested_too_deeply(root: Path, opening: str) -> None:
    """A file of nothing but brackets does not end the interpreter."""
    write(root, {"lambdas.yaml": "version: 1\nlambdas: \n  " + opening * 100_000})
    code = "import sys, pathlib; from buildlib import errors\n"
    code += "from buildlib.manifest import reader as manifest\n"
    code += "try: manifest.read(pathlib.Path(sys.argv[1]))\n"
    code += "except errors.ManifestError as error: print(str(error)[:40])\n"
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith("lambdas.yaml:")


def test_tags_build_nothing(root: Path) -> None:
    """A tag of Python's own makes no object and runs nothing."""
    text = PLAIN + "    exclude: !!python/object/apply:os.mkdir [made]\n"
    text += "    source: !!python/object/apply:os.mkdir [made]\n"
    os.chdir(root)
    assert problems(root, text)
    assert not (root / "made").exists()
