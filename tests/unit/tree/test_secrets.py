"""What looks like credentials is found by name and by content, and never repeated.

The secrets here are put together from pieces, so that this file holds none.
"""

import time
from pathlib import Path

import pytest

from buildlib.errors import StageError
from buildlib.model import File, Origin
from buildlib.tree import secrets
from buildlib.tree.contents import Contents
from tests import secrets_corpus
from tests.unit.conftest import file, function, write

DASHES = "-" * 5
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"


def pem(kind: str = "", end: str = "\n") -> str:
    """Return the start of a private key."""
    return f"{DASHES}BEGIN {kind}PRIVATE KEY{DASHES}{end}{BODY}"


AWS = "AKIA" + "QWERTYUIOPASDFGH"
SECRET = "abcdefghij" * 4


def find(tmp_path: Path, contents: dict[str, str | bytes]) -> dict[str, secrets.Finding]:
    """Return what is found among these files of a function."""
    write(tmp_path / "lambdas/api", contents)
    own = [
        Origin(file(name, content), f"lambdas/api/{name}", dependency=False)
        for name, content in contents.items()
    ]
    return secrets.find(own, tmp_path, set(), Contents(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".env.production", "settings/.ENV", ".envrc", "id_rsa", "keys/id_ed25519",
        ".aws/credentials", ".aws/config", ".ssh/known_hosts", ".netrc", ".pypirc", "pip.conf",
        "pip.ini", "uv.toml", "certs/client.p12", "putty.ppk", ".git-credentials",
        ".docker/config.json",
    ],
)  # fmt: skip
def test_names(tmp_path: Path, name: str) -> None:
    """Files of these names are credentials, whatever is in them."""
    assert find(tmp_path, {name: ""})[name][0] == f"lambdas/api/{name}"


@pytest.mark.parametrize(
    "name",
    ["env.py", "environment.json", "id_rsa.pub", "aws/credentials", "pip.conf.py", "netrc.py",
     "uv.toml.md", "public.pem", "a.envelope"],
)  # fmt: skip
def test_harmless_names(tmp_path: Path, name: str) -> None:
    """Names that only look a little like it are not."""
    assert find(tmp_path, {name: "text\n"}) == {}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (pem(), "a private key"),
        (pem("RSA "), "a private key"),
        (pem("OPENSSH "), "a private key"),
        (pem("ENCRYPTED "), "a private key"),
        (pem(end="\r\n"), "a private key"),
        (pem("RSA ") .replace("\nM", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\nM"),
         "a private key"),
        ('{"private_key": "' + pem(end="\\n") + '"}', "a private key"),
        (f'KEY = "{AWS}"', "an AWS access key"),
        (f"aws_secret_access_key = {SECRET}", "an AWS secret access key"),
        (f'"AWS_SECRET_ACCESS_KEY": "{SECRET}"', "an AWS secret access key"),
        ("--index-url https://me:" + "hunter2@pypi.corp/simple", "an address with a password"),
        ("url = 'postgresql+psycopg://app:" + "s3cr3t@db/x'", "an address with a password"),
        ("http://__token__:" + "abc@10.0.0.1:8080/", "an address with a password"),
    ],
)  # fmt: skip
def test_contents(tmp_path: Path, text: str, what: str) -> None:
    """Text with one of these is found, with its line, whatever the file is called."""
    found = find(tmp_path, {"data/notes.txt": f"first\nsecond\n{text}\n"})
    assert found["data/notes.txt"][:2] == ("lambdas/api/data/notes.txt:3", what)


@pytest.mark.parametrize(
    "text",
    [
        f"if line == '{DASHES}BEGIN PRIVATE KEY{DASHES}':\n    raise ValueError\n",
        f"{DASHES}BEGIN PUBLIC KEY{DASHES}\n{BODY}",
        f"{DASHES}BEGIN CERTIFICATE{DASHES}\n{BODY}",
        "AKIAIOSFODNN7" + "EXAMPLE",
        "XAKIA" + "QWERTYUIOPASDFGH",
        "aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "https://user:${PASSWORD}@pypi.corp/simple",
        'f"https://{user}:{password}@host/"',
        "https://<user>:<password>@host/",
        "https://user:password@host/",
        "https://user:****@host/",
        "https://me:" + "pw1@example.com/",
        "https://me:" + "pw1@localhost:8080/",
        "https://host:8080/a@b",
        "git@github.com:org/repo",
        "https://host/path?x=a:b@c",
        "mailto:me@host",
    ],
)
def test_harmless_contents(tmp_path: Path, text: str) -> None:
    """Code about keys, placeholders, examples and public things are left alone."""
    assert find(tmp_path, {"x.py": text}) == {}


def test_binary_and_large(tmp_path: Path) -> None:
    """Binary and large files are searched to their end."""
    contents: dict[str, str | bytes] = {
        "x.bin": b"\0" + pem().encode(),
        "x.csv": "1,2,3\n" * 200_000 + pem(),
        "y.csv": "1,2,3\n" * 100_000,
    }
    assert list(find(tmp_path, contents)) == ["x.bin", "x.csv"]


def test_a_mark_allows_one_content(tmp_path: Path) -> None:
    """The mark of a finding is the same for the same file, and another one after any change."""
    mark = find(tmp_path, {"x.py": pem()})["x.py"].mark
    assert find(tmp_path, {"elsewhere/x.py": pem()})["elsewhere/x.py"].mark == mark
    assert find(tmp_path, {"x.py": pem() + "\n"})["x.py"].mark != mark
    assert find(tmp_path, {"x.py": pem("RSA ")})["x.py"].mark != mark


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000, "://" * 300_000, "a://" + "b" * 900_000, "AKIA" * 250_000,
     f"{DASHES}BEGIN PRIVATE KEY{DASHES}" * 20_000, "aws_secret_access_key " * 40_000,
     f"{DASHES}BEGIN PRIVATE KEY{DASHES}" + "\n" * 900_000, "a.b-c+d" * 140_000 + "://"],
    ids=range(8),
)  # fmt: skip
def test_time(tmp_path: Path, text: str) -> None:
    """No text makes the search slow."""
    write(tmp_path, {"lambdas/api/x": text})
    start = time.perf_counter()
    find(tmp_path, {"x": text})
    assert time.perf_counter() - start < 1


def test_known(tmp_path: Path) -> None:
    """What an earlier run looked at is not read again."""
    own = [Origin(file("gone.py"), "lambdas/api/gone.py", dependency=False)]
    assert secrets.find(own, tmp_path, {file("gone.py")}, Contents(tmp_path)) == {}


def test_message(tmp_path: Path) -> None:
    """All are named at once, with what they are and what to do; the secrets are not repeated."""
    found = find(tmp_path, {".env": "", "a b/[1].txt": f"x\n{AWS}\n"})
    with pytest.raises(StageError) as error:
        secrets.refuse(function(), found)
    text = str(error.value)
    assert "  lambdas/api/.env: settings of an environment" in text
    assert "  lambdas/api/a b/[1].txt:2: an AWS access key" in text
    assert AWS not in text
    assert "'allow_secrets: [/.env, '/a\\ b/\\[1\\].txt']'" in text
    secrets.refuse(function(), {})


def test_corpus(tmp_path: Path) -> None:
    """Each kind of the corpus is found."""
    files = secrets_corpus.corpus()
    assert files.keys() - secrets_corpus.found(files, tmp_path).keys() == set()


@pytest.mark.parametrize("gap", [0, 1, 4000, 8191, 8192, 8193, 20_000])
def test_a_token_anywhere_in_a_large_file(tmp_path: Path, gap: int) -> None:
    """A token is found wherever it is, also after words that only begin as one."""
    token = b"ghp_" + b"a1" * 18
    for noise in (b"x" * gap, b"ghp_ " * (gap // 5), b"://" + b"x" * gap):
        (tmp_path / "data.bin").write_bytes(noise + b" " + token + b" " + noise)
        own = [Origin(File("data.bin", "0" * 64, 1), "data.bin", dependency=False)]
        found = secrets.find(own, tmp_path, (), Contents(tmp_path))
        assert found["data.bin"].description == "a token of GitHub"
