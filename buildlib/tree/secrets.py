"""Find files of a function that look like credentials, because every reader of a ZIP sees them.

Check a function's own and shared files, by name and by content, but not its dependencies, which
everyone can download. Messages name the place of a credential and never the credential itself.
docs/explanation/secrets.md compares the rules with those of detect-secrets.
"""

import contextlib
import fnmatch
import functools
import hashlib
import mmap
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from buildlib.errors import StageError
from buildlib.model import File, Function, Origin
from buildlib.tree.contents import Contents

# Version of the rules; bump it to rescan files that were cleared before.
RULES = 2


# Description and fnmatch patterns of file names, in any folder; case does not count.
_NAMES = {
    "settings of an environment, where passwords usually are": (".env*", "*.env"),
    "a private SSH key": (
        *(f"id_{kind}{more}" for kind in ("rsa", "dsa", "ecdsa", "ed25519", "ed25519_sk")
          for more in ("", ".*", "-*")),
        "*.ppk",
    ),
    "a store of keys or passwords": ("*.p12", "*.pfx", "*.jks", "*.keystore", "*.bks", "*.kdbx"),
    "passwords for servers": (".netrc", "_netrc", ".git-credentials", ".htpasswd", ".pgpass",
                              ".my.cnf", ".mylogin.cnf", ".s3cfg", "rclone.conf", ".boto",
                              ".vault-token", "kubeconfig", "*.kubeconfig", ".dockercfg",
                              ".dockerconfigjson", ".terraformrc", "terraform.rc",
                              "credentials.tfrc.json"),
    "credentials for a package index": (".pypirc", "pip.conf", "pip.ini", "uv.toml", ".npmrc",
                                        ".yarnrc.yml", ".yarnrc"),
    "state or variables of Terraform, with secrets in clear text": (
        "*.tfstate", "*.tfstate.backup", "*.tfstate.*.backup", "*.tfvars", "*.tfvars.json"),
}  # fmt: skip


# Suffixes of files that are public, whatever they are named.
_PUBLIC = (".pub", ".env.example", ".env.sample", ".env.template", ".env.dist")


# The description of files in any folder of this name.
_FOLDERS = {
    ".aws": "settings of the AWS command line, with its credentials",
    ".azure": "settings of the Azure command line, with its credentials",
    ".ssh": "settings and keys of SSH",
    ".docker": "credentials for container registries",
    ".kube": "credentials for Kubernetes",
    ".gnupg": "private keys",
    "gcloud": "settings of the Google Cloud command line, with its credentials",
}


class _Rule(NamedTuple):
    """A description, literals of which every match contains one (a fast check), and a pattern.

    No pattern takes more than time in proportion to the content: repetitions are bounded.
    """

    description: str
    literals: tuple[bytes, ...]
    pattern: bytes  # compiled where a literal was found: all of them take 30 ms


def _token(service: str, pattern: bytes, *literals: bytes) -> _Rule:
    """Return the rule of a service's token, which is no part of a longer word."""
    whole = rb"(?<![A-Za-z0-9_-])(?:" + pattern + rb")(?![A-Za-z0-9])"
    return _Rule(f"a token of {service}", literals, whole)


# Where a value begins, after its name: in INI, YAML, JSON, XML, HCL, Python and shells.
_IS = rb"[\\\"']{0,2}\s{0,3}(?:[:=]|=>|,|>)\s{0,3}[\\\"']{0,2}"


# The formats are those that the services document, most of them for secret scanners.
_CONTENTS: tuple[_Rule, ...] = (
    _Rule(
        "a private key",
        (b"PRIVATE KEY",),
        # Require key data: programs contain the header line alone. Line ends may be escaped, as in
        # JSON.
        (
            rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|[\s\"'+,])+"
            rb"(?:[A-Za-z-]{3,20}: [^\n]{1,200}\s+){0,4}[A-Za-z0-9+/=]{16}"
        ),
    ),
    _Rule(
        "a private key",
        (b"PuTTY-User-Key-File",),
        (rb"PuTTY-User-Key-File-[23]: [^\n]{1,40}\r?\nEncryption: "),
    ),
    _Rule(
        "a private key (JWK)",
        (b'"kty"', b'\\"kty\\"'),
        (
            rb"[\"']kty\\?[\"'][^}]{0,2000}[\"']d\\?[\"']\s{0,3}:\s{0,3}\\?[\"'][A-Za-z0-9_-]{20,}"
            rb"|[\"']d\\?[\"']\s{0,3}:\s{0,3}\\?[\"'][A-Za-z0-9_-]{20,1000}\\?[\"'][^}]{0,2000}[\"']kty"
        ),
    ),
    _Rule(
        "an AWS access key",
        (b"AKIA", b"ASIA"),
        (rb"(?<![A-Za-z0-9/+])A[KS]IA[A-Z2-7]{16}(?<!EXAMPLE)(?![A-Za-z0-9/+])"),
    ),
    _Rule(
        "an AWS secret access key",
        (b"ecret", b"ECRET"),
        (
            rb"(?i:secret[ _-]?(?:access)?[ _-]?key)" + _IS + rb"[A-Za-z0-9/+]{40}"
            rb"(?<!EXAMPLEKEY)(?![A-Za-z0-9/+=_-])"
        ),
    ),
    _Rule(
        "an AWS session token",
        (b"ession", b"ESSION"),
        (
            rb"(?i:session[_-]?token)" + _IS + rb"(?![A-Za-z0-9/+=]{0,400}EXAMPLE)"
            rb"[A-Za-z0-9/+=]{100}"
        ),
    ),
    _Rule(
        "an address with a password",
        (b"://",),
        # Skip placeholders such as "${PASSWORD}", "{password}", "<password>", "%s" and "***".
        (
            rb"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/?#\"'`:@<>{}$%*\\]{0,100}:"
            rb"(?!pass(?:word|wd)?@|secret@|pw@|tiger@)[^\s/?#\"'`@<>{}$*\\]{1,200}@"
            rb"(?!(?:[a-z0-9-]+\.)*(?:example(?:\.(?:com|org|net))?|localhost|test|invalid)(?![\w.-]))"
            rb"(?!127\.)[a-z0-9\[]"
        ),
    ),
    _Rule(
        "an address with a token",
        (b"://",),
        (
            rb"https?://(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{20,200}(?::x-oauth-basic)?@"
            rb"(?!(?:[a-z0-9-]+\.)*(?:example(?:\.(?:com|org|net))?|localhost)(?![\w.-]))[a-z0-9]"
        ),
    ),
    _Rule(
        "credentials for a container registry",
        (b"auth",),
        (rb"[\"']auth\\?[\"']\s{0,3}:\s{0,3}\\?[\"'][A-Za-z0-9+/]{12,2000}={0,2}\\?[\"']"),
    ),
    _Rule(
        "credentials for Kubernetes",
        (b"client-key-data",),
        (rb"client-key-data" + _IS + rb"[A-Za-z0-9+/]{40}"),
    ),
    _Rule(
        "an Azure key",
        (b"AccountKey", b"SharedAccessKey"),
        (rb"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{42,88}={1,2}"),
    ),
    _Rule(
        "an Azure shared access signature",
        (b"sig=",),
        (rb"[?&]s[vep]=[^\s\"']{1,300}&sig=[A-Za-z0-9%+/]{40,100}"),
    ),
    _token("GitHub", rb"gh[opsur]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{30,244}",
           b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_", b"github_pat_"),
    _token("GitLab", rb"gl(?:pat|dt|rt|ptt|cbt|soat|ft|agent)-[A-Za-z0-9_.-]{20,300}",
           b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glcbt-", b"glsoat-", b"glft-", b"glagent-"),
    _token("PyPI", rb"pypi-AgE[A-Za-z0-9_-]{50,1000}", b"pypi-AgE"),
    _token("npm", rb"npm_[A-Za-z0-9]{36}", b"npm_"),
    _token("Slack", rb"xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-[0-9]-[A-Za-z0-9-]{20,250}",
           b"xox", b"xapp-"),
    _Rule("a Slack webhook", (b"hooks.slack.com",),
          (rb"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{6,12}/B?[A-Z0-9]{6,12}/"
                     rb"(?![Xx]{8})[A-Za-z0-9]{16,}")),
    _Rule("a Discord webhook", (b"/api/webhooks/",),
          (rb"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,}")),
    _token("Stripe", rb"(?:sk|rk)_live_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9+/]{32,60}",
           b"k_live_", b"whsec_"),
    _token("SendGrid", rb"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", b"SG."),
    _token("Mailgun", rb"key-[0-9a-f]{32}", b"key-"),
    _token("Twilio", rb"SK[0-9a-f]{32}", b"SK"),
    _token("Hugging Face", rb"hf_[A-Za-z]{34}|hf_[A-Za-z0-9]{34,40}", b"hf_"),
    _token("Vault", rb"hv[bsr]\.[A-Za-z0-9_-]{24,300}", b"hvs.", b"hvb.", b"hvr."),
    _token("OpenAI",
           rb"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,250}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
           b"sk-proj-", b"sk-svcacct-", b"sk-admin-", b"T3BlbkFJ"),
    _token("Anthropic", rb"sk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{40,250}", b"sk-ant-"),
    _token("Google", rb"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{60,500}",
           b"AIza", b"GOCSPX-", b"ya29."),
    _token("DigitalOcean", rb"do[opr]_v1_[0-9a-f]{64}", b"dop_v1_", b"doo_v1_", b"dor_v1_"),
    _token("Databricks", rb"dapi[0-9a-f]{32}(?:-[0-9])?", b"dapi"),
    _token("Shopify", rb"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
           b"shpat_", b"shpca_", b"shppa_", b"shpss_"),
    _token("HCP Terraform", rb"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70}", b".atlasv1."),
    _token("Docker Hub", rb"dckr_[po]at_[A-Za-z0-9_-]{27,40}", b"dckr_"),
    _token("Telegram", rb"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}", b":AA"),
    _token("New Relic", rb"NRAK-[A-Z0-9]{27}", b"NRAK-"),
    _token("Grafana", rb"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/]{40,400}",
           b"glsa_", b"glc_"),
    _token("Atlassian", rb"AT[AC]TT3[A-Za-z0-9_=-]{100,250}", b"ATATT3", b"ATCTT3"),
    _token("Linear", rb"lin_api_[A-Za-z0-9]{40}", b"lin_api_"),
    _token("Notion", rb"ntn_[A-Za-z0-9]{40,60}", b"ntn_"),
    _token("Doppler", rb"dp\.(?:pt|st|sa|ct)\.[A-Za-z0-9_.-]{40,60}", b"dp."),
    _token("Pulumi", rb"pul-[0-9a-f]{40}", b"pul-"),
    _token("age", rb"AGE-SECRET-KEY-1[A-Z0-9]{58}", b"AGE-SECRET-KEY-1"),
)  # fmt: skip


# Description and pattern of the first bytes of binary files with keys.
_MAGIC = (
    ("a store of keys (JKS)", re.compile(rb"\xfe\xed\xfe\xed|\xce\xce\xce\xce\0\0\0\x02")),
    ("a store of passwords (KeePass)", re.compile(rb"\x03\xd9\xa2\x9a")),
    ("a store of keys (PKCS #12)", re.compile(rb"0[\x80-\x84].{0,4}\x02\x01\x030", re.DOTALL)),
    # RFC 5208 (PKCS #8), RFC 8017 (PKCS #1), RFC 5915 (EC): version, then algorithm or number.
    (
        "a private key (DER)",
        re.compile(
            rb"0\x82..\x02\x01\x00(?:0\x0d\x06\t\*\x86H\x86\xf7\r\x01\x01\x01|\x02\x82)"
            rb"|0[\x2e-\x7f\x81].{0,1}\x02\x01[\0\x01](?:0.\x06.|0\x10\x06\x07\*\x86H|\x04[\x20\x30\x42])",
            re.DOTALL,
        ),
    ),
)


class Finding(NamedTuple):
    """A file that looks like a credential: its source path, perhaps with a line; why; its mark.

    The mark allows this content of the file, and no other. It is made from the whole file, so that
    a short password cannot be guessed from it.
    """

    where: str
    description: str
    mark: str


def find(
    own: Iterable[Origin], root: Path, known: Container[File], contents: Contents
) -> dict[str, Finding]:
    """Return the own files that look like credentials, by their paths in the ZIP.

    `known` are files that an earlier run cleared by the same rules; `contents` gives small files.
    """
    suspects = {}
    top = os.path.realpath(root)
    real_folder = functools.cache(os.path.realpath)
    for origin in own:
        if origin.file in known:
            continue
        path = f"{root}{os.sep}{origin.path}"
        # A link may have another name than what it leads to.
        if os.path.islink(path):
            real = os.path.realpath(path)
        else:
            folder, name = os.path.split(path)
            real = os.path.join(real_folder(folder), name)
        description = _by_name(origin.file.path) or _by_name(_below(real, top))
        where = origin.path
        if description is None:
            with _content(path, contents.of(origin)) as content:
                description, line = _by_content(content)
            where = f"{where}:{line}" if line else where
        if description:
            mark = hashlib.sha256(f"{description}\0{origin.file.sha256}".encode()).hexdigest()
            suspects[origin.file.path] = Finding(where, description, f"sha256:{mark[:16]}")
    return suspects


def refuse(function: Function, found: Mapping[str, Finding]) -> None:
    """Raise if `find` found anything that the function does not allow.

    Raises:
        StageError: with the place and description of every file, and the remedy.

    """
    if not found:
        return
    lines = [f"  {one.where}: {one.description} ({one.mark})" for one in found.values()]
    paths = ", ".join(map(_pattern, found))
    marks = ", ".join(f"'{one.mark}'" for one in found.values())
    raise StageError(
        f"{function.title}: these look like credentials and would ship in the ZIP, "
        "readable by anyone with access to the code:\n"
        + "\n".join(lines)
        + "\nMove them out of the function's folder, or name them in 'exclude'. Store secrets in "
        "AWS Secrets Manager or the Parameter Store. If this is a false positive, or intended, set "
        f"'allow_secrets: [{paths}]' for this lambda, or 'allow_secrets: [{marks}]' to allow only "
        "the present contents.",
        "credential",
    )


def _below(path: str, top: str) -> str:
    """Return a path relative to a folder; most are below it."""
    start = top + os.sep
    return path[len(start) :] if path.startswith(start) else os.path.relpath(path, top)


def _by_name(path: str) -> str | None:
    *folders, name = path.lower().replace(os.sep, "/").split("/")
    if name.endswith(_PUBLIC):
        return None
    if description := _by_file_name(name):
        return description
    return next((_FOLDERS[folder] for folder in folders if folder in _FOLDERS), None)


@functools.lru_cache(4096)
def _by_file_name(name: str) -> str | None:
    match = _any_name().fullmatch(name)
    return [*_NAMES][int((match.lastgroup or "")[1:])] if match else None


@functools.cache
def _any_name() -> re.Pattern[str]:
    """Return all patterns of names as one, with a group for each description."""
    groups = ("|".join(map(fnmatch.translate, patterns)) for patterns in _NAMES.values())
    return re.compile("|".join(f"(?P<n{number}>{group})" for number, group in enumerate(groups)))


def _by_content(content: "bytes | mmap.mmap") -> tuple[str | None, int]:
    """Return the description and line of the first credential in a file; None if it has none.

    A binary file has no lines.
    """
    for description, pattern in _MAGIC:
        if pattern.match(content):
            return description, 0
    for rule in _CONTENTS:
        for literal in rule.literals:
            first = content.find(literal)
            if first < 0:  # as in nearly every file
                continue
            for start, end in _around(content, literal, first):
                if match := re.compile(rule.pattern).search(content, start, end):
                    return rule.description, content[: match.start()].count(b"\n") + 1
    return None, 0


# Bytes; no pattern matches more on either side of its literal.
_MARGIN = 8192


def _around(content: "bytes | mmap.mmap", literal: bytes, first: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a content that may have a match: those around a literal, from the first.

    A pattern takes ten times as long as the search for a literal, and a file may have 250 MB.
    """
    while first >= 0:
        last = first
        # Up to a gap of more than a margin, it is one part.
        while (near := content.rfind(literal, last + 1, last + _MARGIN)) >= 0:
            last = near
        yield max(0, first - _MARGIN), last + _MARGIN
        first = content.find(literal, last + _MARGIN)


@contextlib.contextmanager
def _content(path: str, known: bytes | None) -> Iterator["bytes | mmap.mmap"]:
    """Yield the whole content of a file, of any size; a text in UTF-16 as UTF-8.

    The file is read if its content is not `known`.
    """
    if known is not None:
        is_utf16 = known[:2] in {b"\xff\xfe", b"\xfe\xff"}
        yield known.decode("utf-16", "replace").encode() if is_utf16 else known
        return
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size == 0:
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
                yield content[:].decode("utf-16", "replace").encode()
            else:
                yield content


def _pattern(path: str) -> str:
    """Return the pattern that matches only this file, as YAML for the manifest."""
    pattern = "/" + re.sub(r"([*?\[\]\\ !#])", r"\\\1", path)
    is_plain = re.fullmatch(r"[\w./-]+", pattern)
    return pattern if is_plain else "'" + pattern.replace("'", "''") + "'"
