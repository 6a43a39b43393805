"""Requirements files: what they hold, and what no lock could pin."""

import hashlib
import os
from pathlib import Path

import pytest

from buildlib.errors import LockError
from buildlib.lock import requirements
from buildlib.lock.requirements import Entry, Requirements
from tests.unit.conftest import write

HASH = "0" * 64


def read(root: Path, text: str | bytes, **others: str | bytes) -> Requirements:
    """Read `src/requirements.txt`; `others` are files beside it, `__` for the dot."""
    contents = {f"src/{name.replace('__', '.')}": text for name, text in others.items()}
    write(root, {"src/requirements.txt": text, **contents})
    return requirements.read(root, "src/requirements.txt")


def problems(root: Path, text: str | bytes, **others: str | bytes) -> list[str]:
    """Return the lines of the error that a file gives."""
    with pytest.raises(LockError) as error:
        read(root, text, **others)
    return str(error.value).split("\n")


def test_digest(tmp_path: Path) -> None:
    """The digest is that of the content, whatever the folder is called."""
    found = read(tmp_path, "requests\n")
    assert found == Requirements(
        "src/requirements.txt",
        hashlib.sha256(b"requests\n\0").hexdigest(),
        (),
        frozenset({"src/requirements.txt"}),
        (("src/requirements.txt", "requests\n"),),
        (Entry("src/requirements.txt:1", "requests", "requests", ()),),
    )
    assert read(tmp_path / "b", "requests\n").sha256 == found.sha256
    assert read(tmp_path, "requests>2\n").sha256 != found.sha256


def test_line_ends(tmp_path: Path) -> None:
    """A checkout with CRLF, or an editor's BOM, does not make a lock stale."""
    plain = read(tmp_path, "a\nb \\\n  >1\n", base__txt="c\n")
    assert read(tmp_path, "a\r\nb \\\r\n  >1\r\n").sha256 == plain.sha256
    assert read(tmp_path, b"\xef\xbb\xbfa\nb \\\n  >1\n").sha256 == plain.sha256


@pytest.mark.parametrize(
    "line",
    [
        "-r base.txt",
        "-r=base.txt",
        "--requirement base.txt",
        "--requirement=base.txt",
        "-c base.txt",
        "--constraint base.txt",
        "-r ./base.txt  # shared",
        '-r "base.txt"',
        "-r ../src/base.txt",
        "-r base.txt # --r ./x.txt",
    ],
)
def test_nested(tmp_path: Path, line: str) -> None:
    """A change in a file that is included counts, however it is included."""
    one = read(tmp_path, line + "\n", base__txt="a\n")
    assert read(tmp_path, line + "\n", base__txt="b\n").sha256 != one.sha256


def test_nested_from_the_root(tmp_path: Path) -> None:
    """A file at the root of the repository includes those beside it."""
    write(tmp_path, {"requirements.txt": "-r base.txt\n", "base.txt": "a\n"})
    one = requirements.read(tmp_path, "requirements.txt")
    write(tmp_path, {"base.txt": "b\n"})
    assert requirements.read(tmp_path, "requirements.txt").sha256 != one.sha256


def test_nested_deeper(tmp_path: Path) -> None:
    """An included file names others relative to itself."""
    write(tmp_path, {"common/a.txt": "-r b.txt\n", "common/b.txt": "x @ ./y\n"})
    assert problems(tmp_path, "-r ../common/a.txt\n") == [
        (
            "common/b.txt:1: 'x @ ./y' is a local path; publish it to an index, "
            "or add its packages to the lambda's 'include' instead"
        )
    ]


def test_loop(tmp_path: Path) -> None:
    """Files that include each other are read once each."""
    found = read(tmp_path, "-r base.txt\na\n", base__txt="-r requirements.txt\n-r base.txt\nb\n")
    assert found.sha256


@pytest.mark.parametrize("name", ["../../x.txt", "/etc/x.txt", "../.."])
def test_nested_outside(tmp_path: Path, name: str) -> None:
    """A file from outside the repository would not be the same elsewhere."""
    assert problems(tmp_path, f"a\n-r {name}\n") == [
        f"src/requirements.txt:2: '{name}' is outside the repository; move it inside"
    ]


def test_missing(tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    assert problems(tmp_path, "-r nix.txt\n") == [
        "src/requirements.txt:1: src/nix.txt: cannot be read: no such file or directory"
    ]


def test_not_utf8(tmp_path: Path) -> None:
    """A file in another encoding is named, with the place."""
    assert problems(tmp_path, b"# \xe9\n") == [
        "src/requirements.txt: not UTF-8 at byte 2; save it as UTF-8"
    ]


INCLUDE = "publish it to an index, or add its packages to the lambda's 'include' instead"
OWN = (
    "the ZIP already contains that folder; remove the line "
    "and list the dependencies of the function instead"
)
EDITABLE = f"is an editable install; {INCLUDE}"
VCS = (
    "is a VCS link, which has no hash; publish a release to an index, "
    "or use a wheel's URL with '#sha256=<hex>'"
)
URL = "is a URL without a hash; append '#sha256=<hex>' to it"
LOCAL = f"is a local path; {INCLUDE}"
WHEEL = "is a local path; write '--find-links ./lib' and 'b==1.0' instead, each on its own line"

UNPINNABLE = {
    "-e .": f"is an editable install; {OWN}",
    "-e ./lib": EDITABLE,
    "--editable=lib": EDITABLE,
    "-e git+https://github.com/a/b": VCS,
    "git+https://github.com/a/b@main": VCS,
    "b @ git+ssh://git@github.com/a/b": VCS,
    "hg+https://example.com/b": VCS,
    "https://example.com/b-1.0-py3-none-any.whl": URL,
    "b @ https://example.com/b-1.0.tar.gz": URL,
    "b@https://example.com/b-1.0.tar.gz": URL,
    "b @ http://example.com/b.whl#md5=0123": URL,
    "b @ https://example.com/b.whl ; python_version < '3.12'": URL,
    ".": f"is a local path; {OWN}",
    ".[prod]": f"is a local path; {OWN}",
    "../lib[prod]": LOCAL,
    "..": LOCAL,
    "./lib": LOCAL,
    "../lib": LOCAL,
    "/srv/lib": LOCAL,
    "~/lib": LOCAL,
    "C:\\lib": LOCAL,
    "lib/b-1.0-py3-none-any.whl": WHEEL,
    "b-1.0.tar.gz": LOCAL,
    "b @ file:///srv/b.whl": LOCAL,
    "file:b.zip": LOCAL,
    "b @ lib/b": LOCAL,
    "lib/b": LOCAL,
    "./lib ; python_version < '3.12'": LOCAL,
}


@pytest.mark.parametrize(("line", "problem"), UNPINNABLE.items(), ids=UNPINNABLE)
def test_unpinnable(tmp_path: Path, line: str, problem: str) -> None:
    """What has no version in an index and no hash is an error that says what to do."""
    assert problems(tmp_path, f"# first\n{line}  # why\n") == [
        f"src/requirements.txt:2: '{line.replace('--editable=', '--editable ')}' {problem}"
    ]


def test_all_at_once(tmp_path: Path) -> None:
    """Every such line is named, with its number also after a continued line."""
    found = problems(tmp_path, "a \\\n  >1\n./b\n-r base.txt\n", base__txt="-e .\n")
    assert [line.split(": ")[0] for line in found] == ["src/requirements.txt:3", "src/base.txt:1"]


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests[socks]>=2,<3 ; python_version >= '3.12'",
        "zope.interface==5.0",
        "file-magic",
        "git-url-parse~=1.0",
        f"b @ https://example.com/b-1.0-py3-none-any.whl#sha256={HASH}",
        f"https://example.com/b.whl#egg=b&sha256={HASH}",
        f"b @ https://example.com/b.whl --hash=sha256:{HASH}",
        f"requests==2.0 --hash=sha256:{HASH}",
        "--pre",
        "--no-binary foo",
        "--only-binary=:all:",
        "--prefer-binary",
        "--require-hashes",
        "",
        "# ./not-a-requirement",
    ],
)
def test_pinnable(tmp_path: Path, line: str) -> None:
    """Ordinary requirements, URLs with a hash, options and comments pass."""
    assert read(tmp_path, line + "\n").indexes == ()


def test_indexes(tmp_path: Path) -> None:
    """Options that say where packages come from are collected, also from included files."""
    text = (
        "--index-url https://one.example/simple\n-i=https://two.example/simple\n"
        "--extra-index-url=https://three.example/simple  # ours\n-r base.txt\na\n"
    )
    found = read(tmp_path, text, base__txt="-f https://four.example/\n--find-links=https://f/\n")
    assert found.indexes == (
        *("--index-url", "https://one.example/simple"),
        *("--index-url", "https://two.example/simple"),
        *("--extra-index-url", "https://three.example/simple"),
        *("--find-links", "https://four.example/"),
        *("--find-links", "https://f/"),
    )


def test_local_find_links(tmp_path: Path) -> None:
    """A folder of wheels is found from wherever the installer is started."""
    found = read(tmp_path, "-f ../wheels\n--find-links /srv/wheels\n")
    expected = os.path.normpath(tmp_path / "wheels").replace(os.sep, "/")
    assert found.indexes == ("--find-links", expected, "--find-links", "/srv/wheels")


def test_credentials_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`${NAME}` in an index's address is read from the environment, as pip and uv do."""
    monkeypatch.setenv("PYPI_TOKEN", "secret")
    found = read(tmp_path, "-i https://u:${PYPI_TOKEN}@a.example/${NEXUS_NOT_SET}/\n")
    assert found.indexes == ("--index-url", "https://u:secret@a.example/${NEXUS_NOT_SET}/")


@pytest.mark.parametrize("option", ["-i", "--extra-index-url", "-f"])
@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HOME", "NOT_SET"])
def test_other_variables_are_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, name: str
) -> None:
    """A variable that is not for indexes reaches no address, unless the user's environment lists
    it; a change of the repository alone cannot send it away.
    """
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    line = f"{option} https://a.example/${{{name}}}/\n"
    with pytest.raises(LockError, match=f"would send the variable {name} to its host"):
        read(tmp_path, line)
    monkeypatch.setenv("LAMBDA_ZIP_INDEX_VARIABLES", f"OTHER,{name}")
    assert read(tmp_path, line).indexes


def test_nul(tmp_path: Path) -> None:
    """A NUL, which no path and no argument of a program may have, is a mistake with a place."""
    for line in ("-r a\0.txt", "--index-url http://h/\0", "alpha\0"):
        with pytest.raises(LockError, match=r"requirements\.txt:2: has a NUL character"):
            read(tmp_path, f"beta\n{line}\n")


def test_credentials_in_an_address_of_a_distribution(tmp_path: Path) -> None:
    """A lock would keep the credentials of a URL, so they come from ~/.netrc."""
    url = "a.example/alpha-1.0-py3-none-any.whl#sha256=" + "0" * 64
    for credentials in ("me:pa55@word", "token", "${PYPI_USER}:${PYPI_TOKEN}"):
        with pytest.raises(LockError, match=r"has credentials in its address.*~/\.netrc"):
            read(tmp_path, f"alpha @ https://{credentials}@{url}\n")
    assert read(tmp_path, f"alpha @ https://{url}\n").entries


@pytest.mark.parametrize("how", ["itself", "-r", "-c", "folder"])
def test_a_link_out_of_the_repository_is_not_read(tmp_path: Path, how: str) -> None:
    """No line of a file outside of the repository is read or shown, whatever leads to it."""
    root = tmp_path / "root"
    outside = tmp_path / "outside/secrets.txt"
    outside.parent.mkdir()
    outside.write_text("root:x:0:0 TOP-SECRET\n")
    (root / "src").mkdir(parents=True)
    path = root / "src/requirements.txt"
    if how == "itself":
        path.symlink_to("../../outside/secrets.txt")
    elif how == "folder":
        (root / "src/more").symlink_to("../../outside")
        path.write_text("-r more/secrets.txt\n")
    else:
        (root / "src/more.txt").symlink_to("../../outside/secrets.txt")
        path.write_text(f"{how} more.txt\n")
    with pytest.raises(LockError, match="leads to a file outside the repository") as caught:
        requirements.read(root, "src/requirements.txt")
    assert "SECRET" not in str(caught.value)
