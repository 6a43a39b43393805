"""Files of a function that look like credentials: whoever can read a ZIP can read them.

Looked at are a function's own and shared files, by their names, and as text by their contents; not
its dependencies, which everyone can download. No message holds what was found, only where.
"""

import fnmatch
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from buildlib.errors import StageError
from buildlib.model import File, Function, Origin

# Of the rules below: what other rules found harmless is looked at again.
RULES = 1


# A file is looked at up to here, in bytes; a secret is seldom further down.
_SCANNED = 1 << 20


# As git tells binary files.
_BINARY = 8000


# What is in files of these names (as fnmatch has them), wherever they are.
_NAMES = {
    "settings of an environment, where passwords usually are": (".env*",),
    "a private SSH key": ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk",
                          "id_ed25519_sk", "*.ppk"),
    "a store of private keys": ("*.p12", "*.pfx"),
    "passwords for servers": (".netrc", "_netrc", ".git-credentials", ".htpasswd", ".pgpass"),
    "credentials for a package index": (".pypirc", "pip.conf", "pip.ini", "uv.toml", ".npmrc"),
}  # fmt: skip


# The same for files below folders of these names.
_FOLDERS = {
    ".aws": "settings of the AWS command line, with its credentials",
    ".ssh": "settings and keys of SSH",
    ".docker": "credentials for container registries",
    ".kube": "credentials for Kubernetes",
    ".gnupg": "private keys",
}


# Of each: what it is, texts without any of which there is none (to be quick), and its pattern.
_CONTENTS: tuple[tuple[str, tuple[bytes, ...], re.Pattern[bytes]], ...] = (
    (
        "a private key",
        (b"PRIVATE KEY",),
        # With data behind it, not only the line that programs look for; the ends of lines may be
        # escaped, as in JSON.
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|[\s\"'+,])+"
            rb"(?:[A-Za-z-]{3,20}: [^\n]{1,200}\s+){0,4}[A-Za-z0-9+/=]{16}"
        ),
    ),
    (
        "an AWS access key",
        (b"AKIA", b"ASIA"),
        re.compile(rb"(?<![A-Za-z0-9/+])A[KS]IA[A-Z2-7]{16}(?<!EXAMPLE)(?![A-Za-z0-9/+])"),
    ),
    (
        "an AWS secret access key",
        (b"ecret", b"ECRET"),
        re.compile(
            rb"(?i:aws_?secret_?access_?key[\"']?\s*[:=]\s*[\"']?)[A-Za-z0-9/+]{40}"
            rb"(?<!EXAMPLEKEY)(?![A-Za-z0-9/+=])"
        ),
    ),
    (
        "an address with a password",
        (b"://",),
        # Not a place for one, as in "${PASSWORD}", "{password}", "<password>", "%s" or "***".
        re.compile(
            rb"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/?#\"'`:@<>{}$%*\\]{1,100}:"
            rb"(?!pass(?:word|wd)?@|secret@|pw@)[^\s/?#\"'`@<>{}$*\\]{1,200}@"
            rb"(?!(?:[a-z0-9-]+\.)*(?:example(?:\.(?:com|org|net))?|localhost|test|invalid)(?![\w.-]))"
            rb"(?!127\.)[a-z0-9\[]"
        ),
    ),
)


def find(own: Iterable[Origin], root: Path, known: Container[File]) -> dict[str, tuple[str, str]]:
    """Return which of a function's own files look like credentials.

    By the name in the ZIP: where it is, with the line if there is one, and what it is. `known` are
    files of which an earlier run, by the same rules, knows that they are harmless.
    """
    found = {}
    for origin in own:
        if origin.file in known:
            continue
        problem = _by_name(origin.file.path)
        where = origin.path
        if problem is None:
            problem, line = _by_content(root / origin.path)
            where = f"{where}:{line}"
        if problem:
            found[origin.file.path] = (where, problem)
    return found


def refuse(function: Function, found: Mapping[str, tuple[str, str]]) -> None:
    """Stop if there is anything that the function does not allow.

    Raises:
        StageError: with the path, what it is, and how to go on, for every file.

    """
    if not found:
        return
    lines = [f"  {where}: {what}" for where, what in found.values()]
    paths = ", ".join(map(_pattern, found))
    raise StageError(
        f"lambda '{function.name}': these would be in the ZIP, for all who may read it:\n"
        + "\n".join(lines)
        + "\nMove them out of the function's folder, or name them in 'exclude'; a secret belongs "
        "into AWS Secrets Manager or the Parameter Store. If it is none, or has to be there, say "
        f"'allow_secrets: [{paths}]' for this lambda.",
        "credential",
    )


def _by_name(path: str) -> str | None:
    *folders, name = path.lower().split("/")
    for what, patterns in _NAMES.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            return what
    return next((_FOLDERS[folder] for folder in folders if folder in _FOLDERS), None)


def _by_content(path: Path) -> tuple[str | None, int]:
    """Return what the text of a file has, and in which line."""
    with path.open("rb") as stream:
        content = stream.read(_BINARY)
        if b"\0" in content:
            return None, 0
        content += stream.read(_SCANNED - _BINARY)
    for what, texts, pattern in _CONTENTS:
        if any(text in content for text in texts) and (match := pattern.search(content)):
            return what, content.count(b"\n", 0, match.start()) + 1
    return None, 0


def _pattern(path: str) -> str:
    """Return the pattern of just one file, as it is written in the manifest."""
    escaped = re.sub(r"([*?\[\]\\ !#])", r"\\\1", path)
    text = "/" + escaped
    return text if re.fullmatch(r"[\w./-]+", text) else "'" + text.replace("'", "''") + "'"
