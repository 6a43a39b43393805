"""The keys of `lambdas.yaml`: one row each, from which reader, schema and reference are made."""

from typing import Any, NamedTuple

from buildlib.runtimes import ARCHITECTURES, RUNTIMES

NAME = r"[a-z0-9][a-z0-9_-]*"


NAME_RULE = "small letters, digits, '_' and '-', with a letter or a digit first"


HANDLER = r"[A-Za-z_][\w-]*([./][A-Za-z_][\w-]*)*\.[A-Za-z_]\w*"


IMAGE = r"[a-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?"


ENGINE = r"(unix|tcp|ssh|npipe|http|https)://\S+"


DISTRIBUTION = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"


SIZE = r"[0-9]+([.][0-9]+)? ?(B|[kK]i?B|Mi?B)"


class Key(NamedTuple):
    """A key of the manifest: how it is read, checked, documented and put into the JSON Schema.

    `many` allows a list; with `one` false only a list is allowed. `keys` makes it a mapping with
    these keys, `named` a mapping of names that match it to texts.
    """

    doc: str
    choices: tuple[str, ...] = ()
    pattern: str = ""
    many: bool = False
    one: bool = True
    boolean: bool = False
    size: bool = False  # bytes, or text such as "80 MB"
    rule: str = ""  # what `pattern` or `named` asks for, in words
    default: Any = None
    usual: str = ""  # what holds if there is none, in words; otherwise `default` says it
    shared: bool = False  # also allowed in `defaults`
    field: str = ""  # of `model.Function`, where that is not the key; see `functions`
    keys: "dict[str, Key] | None" = None
    named: str = ""


DOCKER_KEYS = {
    "image": Key(
        "The image; the runtime's Python must be on its PATH. 'doit lock' pins its digest in the "
        "lock, unless it is written here.",
        pattern=IMAGE,
        rule="an image's name, such as 'public.ecr.aws/lambda/python:3.13', also with '@sha256:'",
        usual="'public.ecr.aws/lambda/python:<version>', which is AWS's",
    ),
    "setup": Key(
        "Shell commands to run by '/bin/sh -ec' before the installation, as root, in the container "
        "only. What the compiler and the headers need is installed here.",
        many=True,
        default=(),
    ),
    "libraries": Key(
        "Files of the image, such as shared objects, to carry along in 'lib/' of the ZIP, by their "
        "own name and with the content that a link leads to. Lambda looks for libraries there.",
        pattern=r"/\S+[^/\s]",
        rule="the absolute path of a file in the image, such as /usr/lib64/libpq.so.5",
        many=True,
        one=False,
        default=(),
    ),
    "env": Key(
        "Names of environment variables that 'setup' and pip get as they are here; one that is not "
        "set here is not set there. Their values are in no key and no log.",
        pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        rule="the name of an environment variable",
        many=True,
        one=False,
        default=(),
    ),
    "secrets": Key(
        "Files of this machine that the installation may read, by their name in the container; "
        "'netrc' and 'pip.conf' are what pip reads.",
        named=r"[A-Za-z0-9][A-Za-z0-9._-]*",
        rule="a file name of letters, digits, '.', '_' and '-'",
        default=(),
    ),
    "engine": Key(
        "The engine's address for an architecture, such as a builder of that architecture.",
        pattern=ENGINE,
        named="|".join(ARCHITECTURES),
        rule="an architecture and an address, such as 'arm64: ssh://user@host' or 'x86_64: tcp://...'",
        default=(),
        usual="'DOCKER_HOST', or docker's present context",
    ),
}


LAMBDA_KEYS = {
    "source": Key(
        "The function's folder, relative to the repository's root. All that is in it goes to the "
        "top of the ZIP, but for requirements, the lock, and what 'exclude' names.",
        usual="'lambdas/<name>'",
    ),
    "handler": Key(
        "What Lambda calls, as 'module.function'. That the module is in the ZIP and defines the "
        "function is checked, without running it.",
        usual="none: it must be given",
        pattern=HANDLER,
        rule="module.function, such as 'app.handler'",
        shared=True,
    ),
    "requirements": Key(
        "The requirements file, relative to 'source'. The lock is 'requirements.lock' in 'source'.",
        usual="'requirements.txt', if it is there",
    ),
    "python": Key(
        "The Python version of the runtime, in quotes; a list makes variants.",
        choices=tuple(RUNTIMES),
        many=True,
        default=("3.13",),
        field="pythons",
        shared=True,
    ),
    "architecture": Key(
        "The architecture of the runtime; a list makes variants.",
        choices=ARCHITECTURES,
        many=True,
        default=("x86_64",),
        field="architectures",
        shared=True,
    ),
    "install": Key(
        "How dependencies are installed: from wheels, without Docker, or by pip inside an image of "
        "the runtime, which can compile.",
        choices=("wheels", "docker"),
        default="wheels",
        shared=True,
    ),
    "allow_sdist": Key(
        "Distributions without a wheel that may be built from source on this machine. What comes "
        "out must be pure Python.",
        pattern=DISTRIBUTION,
        rule="the name of a distribution, such as 'docopt'",
        many=True,
        one=False,
        default=(),
        shared=True,
    ),
    "docker": Key(
        "Options of 'install: docker'. A key of a lambda replaces the same key of the defaults.",
        keys=DOCKER_KEYS,
        shared=True,
    ),
    "include": Key(
        "Files and folders from elsewhere in the repository, by their paths from its root; each "
        "lands at the top of the ZIP under its own name.",
        many=True,
        one=False,
        default=(),
    ),
    "exclude": Key(
        "Patterns as in a .gitignore, over the names in the ZIP: of the function, of what it "
        "includes and of its dependencies.",
        many=True,
        one=False,
        default=(),
        shared=True,
    ),
    "compression": Key(
        "How members are kept in the ZIP. One that deflate does not shrink is stored anyway.",
        choices=("deflate", "stored"),
        default="deflate",
        shared=True,
    ),
    "size_limit": Key(
        "What all files of the ZIP may have together: bytes, or text such as '80 MB', of 1,048,576 "
        "bytes each. More is an error.",
        usual="262,144,000 bytes, the most that Lambda takes",
        size=True,
        shared=True,
    ),
    "evidence": Key(
        "Also write 'dist/<id>.cdx.json', a bill of materials, and 'dist/<id>.intoto.json', what "
        "the ZIP was built from.",
        boolean=True,
        default=False,
        shared=True,
    ),
    "allow_secrets": Key(
        "Patterns as in a .gitignore, of files that may be in the ZIP though they look like "
        "credentials.",
        many=True,
        one=False,
        default=(),
        shared=True,
    ),
}


DEFAULT_KEYS = {name: key for name, key in LAMBDA_KEYS.items() if key.shared} | {
    "frozen": Key(
        "A missing or stale lock is an error on every machine, as it is with CI set.",
        boolean=True,
        default=False,
    ),
}


TOP_KEYS = ("version", "defaults", "lambdas")
