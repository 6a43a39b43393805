"""Find files of a function that look like credentials, because every reader of a ZIP sees them.

Check a function's own and shared files by name, and text files also by content, but not its
dependencies, which everyone can download. Messages name the place of a credential and never the
credential itself.
"""

import fnmatch
import os
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from buildlib.errors import StageError
from buildlib.model import File, Function, Origin

# Version of the rules; bump it to rescan files that were cleared before.
RULES = 1


# Bytes to scan at the start of a file; a secret is seldom further down.
_SCANNED = 1 << 20


# A file with a NUL in its first 8000 bytes is binary, as in git.
_BINARY = 8000


# Description and fnmatch patterns of file names, in any folder.
_NAMES = {
    "settings of an environment, where passwords usually are": (".env*",),
    "a private SSH key": ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk",
                          "id_ed25519_sk", "*.ppk"),
    "a store of private keys": ("*.p12", "*.pfx"),
    "passwords for servers": (".netrc", "_netrc", ".git-credentials", ".htpasswd", ".pgpass"),
    "credentials for a package index": (".pypirc", "pip.conf", "pip.ini", "uv.toml", ".npmrc"),
}  # fmt: skip


# The description of files in any folder of this name.
_FOLDERS = {
    ".aws": "settings of the AWS command line, with its credentials",
    ".ssh": "settings and keys of SSH",
    ".docker": "credentials for container registries",
    ".kube": "credentials for Kubernetes",
    ".gnupg": "private keys",
}


# Description, literals of which every match contains one (a fast pre-check), and pattern.
_CONTENTS: tuple[tuple[str, tuple[bytes, ...], re.Pattern[bytes]], ...] = (
    (
        "a private key",
        (b"PRIVATE KEY",),
        # Require key data: programs contain the header line alone. Line ends may be escaped, as in
        # JSON.
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
        # Skip placeholders such as "${PASSWORD}", "{password}", "<password>", "%s" and "***".
        re.compile(
            rb"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/?#\"'`:@<>{}$%*\\]{1,100}:"
            rb"(?!pass(?:word|wd)?@|secret@|pw@)[^\s/?#\"'`@<>{}$*\\]{1,200}@"
            rb"(?!(?:[a-z0-9-]+\.)*(?:example(?:\.(?:com|org|net))?|localhost|test|invalid)(?![\w.-]))"
            rb"(?!127\.)[a-z0-9\[]"
        ),
    ),
)


def find(own: Iterable[Origin], root: Path, known: Container[File]) -> dict[str, tuple[str, str]]:
    """Return the own files that look like credentials: path in the ZIP to (place, description).

    The place is the source path, with the line number if the content matched. `known` are files
    that an earlier run cleared by the same rules.
    """
    suspects = {}
    top = os.path.realpath(root)
    for origin in own:
        if origin.file in known:
            continue
        # A link may have another name than what it leads to.
        real = os.path.realpath(root / origin.path)
        description = _by_name(origin.file.path) or _by_name(os.path.relpath(real, top))
        where = origin.path
        if description is None:
            description, line = _by_content(root / origin.path)
            where = f"{where}:{line}"
        if description:
            suspects[origin.file.path] = (where, description)
    return suspects


def refuse(function: Function, found: Mapping[str, tuple[str, str]]) -> None:
    """Raise if `find` found anything that the function does not allow.

    Raises:
        StageError: with the place and description of every file, and the remedy.

    """
    if not found:
        return
    lines = [f"  {where}: {description}" for where, description in found.values()]
    paths = ", ".join(map(_pattern, found))
    raise StageError(
        f"lambda '{function.name}': possible credentials in the package:\n"
        + "\n".join(lines)
        + "\nMove them out of the function's folder, or name them in 'exclude'. Store secrets in "
        "AWS Secrets Manager or the Parameter Store. If this is a false positive, or intended, set "
        f"'allow_secrets: [{paths}]' for this lambda.",
        "credential",
    )


def _by_name(path: str) -> str | None:
    *folders, name = path.lower().replace(os.sep, "/").split("/")
    for description, patterns in _NAMES.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            return description
    return next((_FOLDERS[folder] for folder in folders if folder in _FOLDERS), None)


def _by_content(path: Path) -> tuple[str | None, int]:
    """Return the description and line of the first credential in a file; None if it has none."""
    with path.open("rb") as stream:
        content = stream.read(_BINARY)
        if b"\0" in content:
            return None, 0
        content += stream.read(_SCANNED - _BINARY)
    for description, literals, pattern in _CONTENTS:
        if any(literal in content for literal in literals) and (match := pattern.search(content)):
            return description, content.count(b"\n", 0, match.start()) + 1
    return None, 0


def _pattern(path: str) -> str:
    """Return the pattern that matches only this file, as YAML for the manifest."""
    pattern = "/" + re.sub(r"([*?\[\]\\ !#])", r"\\\1", path)
    is_plain = re.fullmatch(r"[\w./-]+", pattern)
    return pattern if is_plain else "'" + pattern.replace("'", "''") + "'"
