"""The keys of `lambdas.yaml`: one table for the reader, the JSON Schema and the reference page."""

from typing import Any, NamedTuple

from buildlib.runtimes import ARCHITECTURES, RUNTIMES

NAME = r"[a-z0-9][a-z0-9_-]*"


NAME_RULE = "lowercase letters, digits, '_' and '-', starting with a letter or a digit"


HANDLER = r"[A-Za-z_][\w-]*([./][A-Za-z_][\w-]*)*\.[A-Za-z_]\w*"


MODULE = r"[A-Za-z_]\w*([.][A-Za-z_]\w*)*"


LIBRARY = r"[A-Za-z0-9_+.-]+"


IMAGE = r"[a-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?"


ENGINE = r"(unix|tcp|ssh|npipe|http|https)://\S+"


DISTRIBUTION = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"


REMOTE = r"(s3|gs|az|http|https|file)://[^@?\s]+"


PUBLIC_KEY = r"MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}="


COMPILER = r"3[.][0-9]+[.][0-9]+((a|b|rc)[0-9]+)?"


DURATION = r"(?!0+([.]0+)? ?m?s)[0-9]{1,5}([.][0-9]{1,3})? ?(ms|s)"  # longer than 0
PERCENT = r"[0-9]{1,4}([.][0-9]{1,2})? ?%"


SERVICE = r"[a-z0-9][a-z0-9.-]*"


SIZE = r"[0-9]+([.][0-9]+)? ?(B|[kK]i?B|Mi?B)"


# The name of a function in Lambda, with the placeholders that a variant replaces.
PLACEHOLDERS = ("lambda", "id", "python", "architecture", "env")


DEPLOYED_NAME = rf"([A-Za-z0-9_-]|\{{({'|'.join(PLACEHOLDERS)})\}})+"


class Key(NamedTuple):
    """A key of the manifest, as the reader, the schema and the reference page need it.

    `many` allows a list of values, and `only_list` nothing but a list. `keys` makes the value a
    mapping with these keys, `named` a mapping whose keys match this pattern and whose values are
    texts. `items` are the keys of an element of a list that is a mapping; a text instead of such a
    mapping, or of one with `keys`, stands for its key `short`.
    """

    doc: str
    choices: tuple[str, ...] = ()
    pattern: str = ""
    many: bool = False
    only_list: bool = False
    boolean: bool = False
    number: bool = False  # a whole number from 1
    size: bool = False  # bytes, or text such as "80 MB"
    rule: str = ""  # `pattern` or `named` in words, for messages
    default: Any = None
    default_text: str = ""  # the default in words, where `default` cannot express it
    shared: bool = False  # also allowed in `defaults`
    field: str = ""  # the field of `model.Function`, if its name is not the key
    keys: "dict[str, Key] | None" = None
    named: str = ""
    items: "dict[str, Key] | None" = None
    short: str = ""


REQUIREMENTS_KEYS = {
    "path": Key(
        "The file, or several requirements files to read as one.",
        many=True,
        default=(),
        default_text="none; the key is required",
    ),
    "package": Key(
        "The member of a uv workspace whose dependencies the function needs.",
        pattern=DISTRIBUTION,
        rule="the name of a distribution, such as 'docopt'",
        default_text="the project of the nearest pyproject.toml, from 'source' upwards",
    ),
    "groups": Key(
        "Dependency groups to add: those of PEP 735, Poetry, PDM or Pipenv.",
        many=True,
        only_list=True,
        default=(),
    ),
    "extras": Key(
        "Extras (optional dependencies) of the project to add.",
        many=True,
        only_list=True,
        default=(),
    ),
}


INCLUDE_KEYS = {
    "path": Key(
        "The file or folder, relative to the repository's root.",
        default_text="none; the key is required",
    ),
    "as": Key(
        "Its path in the ZIP. '.' puts the content of a folder at the top of the ZIP.",
        pattern=r"[^/\\\s].*",
        rule="a relative path, such as ecom or lib/ecom",
        default_text="its own name",
    ),
    "only": Key(
        "The files to take: .gitignore patterns relative to 'path'.",
        many=True,
        default=(),
        default_text="all files",
    ),
}


FILES_KEYS = {
    "url": Key(
        "The address of the file, without credentials.",
        pattern=r"https?://[^@\s]+",
        rule="an address, such as https://example.com/model.bin",
        default_text="none; the key is required",
    ),
    "sha256": Key(
        "The sha256 of the file, as 64 hexadecimal digits.",
        pattern=r"[0-9a-f]{64}",
        rule="64 hexadecimal digits in lower case",
        default_text="none; the key is required",
    ),
    "as": Key(
        "Its path in the ZIP.",
        pattern=r"[^/\\\s].*",
        rule="a relative path, such as bin/tool",
        default_text="the last part of the address",
    ),
    "architecture": Key(
        "The architecture that the file is for.",
        choices=ARCHITECTURES,
        default_text="all",
    ),
}


DOCKER_KEYS = {
    "image": Key(
        "The image, with the runtime's Python on its PATH. 'lambdas lock' pins its digest in the "
        "lockfile, unless you give the digest here.",
        pattern=IMAGE,
        rule="an image, such as 'public.ecr.aws/lambda/python:3.13', or one with '@sha256:<hex>'",
        default_text="AWS's 'public.ecr.aws/lambda/python:<version>'",
    ),
    "setup": Key(
        "Shell commands to run as root in the container before the installation, with '/bin/sh "
        "-ec'. Install compilers and headers here.",
        many=True,
        default=(),
    ),
    "libraries": Key(
        "Files of the image, such as shared objects, to copy to 'lib/' in the ZIP under their own "
        "names. The target of a link is copied in its place. Lambda searches 'lib/' for "
        "libraries.",
        pattern=r"/\S+[^/\s]",
        rule="the absolute path of a file in the image, such as /usr/lib64/libpq.so.5",
        many=True,
        only_list=True,
        default=(),
    ),
    "env": Key(
        "Environment variables of this machine to pass to 'setup' and pip, if they are set. Their "
        "values reach neither keys nor logs.",
        pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        rule="the name of an environment variable",
        many=True,
        only_list=True,
        default=(),
    ),
    "secrets": Key(
        "Files of this machine that the installation may read, by their name in the container. "
        "pip reads 'netrc' and 'pip.conf'.",
        named=r"[A-Za-z0-9][A-Za-z0-9._-]*",
        rule="a file name of letters, digits, '.', '_' and '-'",
        default=(),
    ),
    "engine": Key(
        "The address of the engine for each architecture, such as a native builder.",
        pattern=ENGINE,
        named="|".join(ARCHITECTURES),
        rule="an architecture and an address, such as 'arm64: ssh://user@host' or 'x86_64: tcp://...'",
        default=(),
        default_text="'DOCKER_HOST', or docker's current context",
    ),
}


LAMBDA_KEYS = {
    "source": Key(
        "The function's folder, relative to the repository's root; '.' is the root itself. Its "
        "content goes to the top of the ZIP, except requirements, the lockfile, files that "
        "'exclude' matches, and the files of other tools that docs/reference/files.md lists. If "
        "'source' is a Python file, the ZIP contains only that file.",
        default_text="'lambdas/<name>'",
    ),
    "handler": Key(
        "The function that Lambda calls, as 'module.function'. The build checks, without running "
        "the module, that it is in the ZIP and defines the function. To use a layer that runs a "
        "file, such as the Lambda Web Adapter, name the file, such as 'run.sh'.",
        default_text="none; the key is required",
        pattern=HANDLER,
        rule="module.function, such as 'app.handler'",
        shared=True,
    ),
    "requirements": Key(
        "The file with the dependencies, relative to 'source' or to the repository's root. From a "
        "requirements file, 'pyproject.toml' or 'Pipfile', 'lambdas lock' makes a lockfile in the "
        "same folder. A lockfile of another tool, 'uv.lock', 'poetry.lock', 'pdm.lock', "
        "'Pipfile.lock' or 'pylock.toml', is used with its versions and hashes. Functions with "
        "the same requirements share a lockfile.",
        default_text="'requirements.txt', else the only such file in 'source'",
        keys=REQUIREMENTS_KEYS,
        short="path",
        field="requires",
    ),
    "python": Key(
        "The Python version of the runtime, as a quoted string. A list builds one variant per "
        "version.",
        choices=tuple(RUNTIMES),
        many=True,
        default=("3.13",),
        field="pythons",
        shared=True,
    ),
    "architecture": Key(
        "The architecture of the runtime. A list builds one variant per architecture.",
        choices=ARCHITECTURES,
        many=True,
        default=("x86_64",),
        field="architectures",
        shared=True,
    ),
    "install": Key(
        "How to install dependencies: 'wheels' needs no Docker; 'docker' runs pip in an image of "
        "the runtime, which can compile.",
        choices=("wheels", "docker"),
        default="wheels",
        shared=True,
    ),
    "allow_sdist": Key(
        "Distributions without a wheel that this machine may build from source. The built wheel "
        "must be pure Python.",
        pattern=DISTRIBUTION,
        rule="the name of a distribution, such as 'docopt'",
        many=True,
        only_list=True,
        default=(),
        shared=True,
    ),
    "docker": Key(
        "Options of 'install: docker'. A key of a lambda replaces the same key of the defaults.",
        keys=DOCKER_KEYS,
        shared=True,
    ),
    "include": Key(
        "Files and folders from elsewhere in the repository, relative to its root. The build "
        "copies each to the top of the ZIP under its own name, or to the path in 'as'.",
        items=INCLUDE_KEYS,
        short="path",
        default=(),
    ),
    "files": Key(
        "Files to download, such as a program, certificates or a model, each pinned by its "
        "sha256. Downloads are cached in 'build/files'.",
        items=FILES_KEYS,
        short="url",
        default=(),
    ),
    "prune": Key(
        "Set to 'imports' to leave out modules of 'source' that the handler never imports, "
        "directly or through other modules. An edit then rebuilds only the functions that use the "
        "module. Other files stay, and so does everything in 'include': put modules there that "
        "the code loads by computed names.",
        choices=("imports",),
        default_text="none: the ZIP has all modules",
        shared=True,
    ),
    "provided": Key(
        "Set to 'runtime' to leave out dependencies that Lambda's runtime provides, such as "
        "boto3. AWS may change their versions at any time.",
        choices=("runtime",),
        default_text="none: the ZIP has all dependencies",
        shared=True,
    ),
    "layers": Key(
        "Names of layers from 'layers:'. Dependencies that a layer has in the same version are "
        "left out of the ZIP. Lambda's size limit covers the function and its layers together.",
        pattern=NAME,
        rule=NAME_RULE,
        many=True,
        only_list=True,
        default=(),
        shared=True,
    ),
    "gitignore": Key(
        "Leave out files that the repository's .gitignore files match. A pattern in 'exclude' "
        "that starts with '!' keeps a file.",
        boolean=True,
        default_text="'true' if 'source' is the repository's root, else 'false'",
        shared=True,
    ),
    "exclude": Key(
        "Files to leave out, as .gitignore patterns for paths in the ZIP, whether they come from "
        "the function, 'include' or dependencies. A pattern that starts with '!' keeps a file "
        "that is left out by default.",
        many=True,
        only_list=True,
        default=(),
        shared=True,
    ),
    "compression": Key(
        "The compression of files in the ZIP. A file that deflate does not shrink is stored. "
        "'best' is deflate at its highest level: ZIPs are about 3 % smaller, and compressing takes "
        "about 13 times as long.",
        choices=("deflate", "best", "stored"),
        default="deflate",
        shared=True,
    ),
    "strip": Key(
        "Remove the symbol tables and debug sections of the shared objects in dependencies. The "
        "code that Lambda loads stays as it is.",
        boolean=True,
        default=False,
        shared=True,
    ),
    "aws_services": Key(
        "The AWS services whose descriptions stay in botocore, such as 's3'. The others are left "
        "out, except those that credentials need. An empty list keeps all.",
        pattern=SERVICE,
        rule="the name of a service as in boto3.client, such as 's3'",
        many=True,
        only_list=True,
        default=(),
        shared=True,
    ),
    "bytecode": Key(
        "Also put bytecode into the ZIP, so that a cold start need not compile. A CPython of the "
        "exact version that the lockfile pins compiles every module.",
        boolean=True,
        default=False,
        shared=True,
    ),
    "sources": Key(
        "Set to 'false', with 'bytecode: true', to leave out the source of every module whose "
        "bytecode is in the ZIP. Tracebacks then show no lines of code.",
        boolean=True,
        default=True,
        shared=True,
    ),
    "compiler": Key(
        "The exact version of the CPython that compiles for 'bytecode', one for each Python "
        "version.",
        pattern=COMPILER,
        rule="a full version in quotes, such as '3.13.2'",
        many=True,
        default=(),
        default_text="the version that the lockfile pins",
        field="compilers",
        shared=True,
    ),
    "size_limit": Key(
        "The largest allowed size of all files in the ZIP together, unzipped: a number of bytes, "
        "or text such as '80 MB' (1 MB is 1,048,576 bytes). A larger ZIP is an error.",
        default_text="262,144,000 bytes, Lambda's limit",
        size=True,
        shared=True,
    ),
    "start_limit": Key(
        "The longest allowed cold start, for 'lambdas coldstart': '800 ms' or '1.5 s'. It is "
        "exceeded if even the fastest of the measured starts takes longer.",
        pattern=DURATION,
        rule="a duration longer than 0, such as '800 ms' or '1.5 s'",
        default_text="no such limit",
        shared=True,
    ),
    "name": Key(
        "The name of the deployed function in Lambda, for 'lambdas drift', 'deploy' and "
        "'rollback'. Placeholders: '{lambda}' is the name in this file, '{id}' the id of the "
        "variant, '{python}' and '{architecture}' its runtime, and '{env}' the value of "
        "'--env' or 'LAMBDA_ZIP_ENV'. A '.' in them becomes '-'.",
        pattern=DEPLOYED_NAME,
        rule=(
            "letters, digits, '-', '_' and the placeholders {lambda}, {id}, {python}, "
            "{architecture} and {env}, such as '{lambda}-{env}'"
        ),
        default="",
        default_text="none: the tag 'lambda-zip:id' of deployed functions tells",
        field="deployed_as",
        shared=True,
    ),
    "size_growth": Key(
        "How much a ZIP may grow over its sizes in 'lambdas.hashes.json', zipped and unzipped, in "
        "percent. One that grows more is an error; 'lambdas record --accept-growth' accepts it.",
        pattern=PERCENT,
        rule="a percentage, such as '5 %'",
        default_text="no such limit",
        shared=True,
    ),
    "evidence": Key(
        "Also write 'dist/<id>.cdx.json', a bill of materials, and 'dist/<id>.intoto.json', a "
        "statement of provenance.",
        boolean=True,
        default=False,
        shared=True,
    ),
    "allow_missing_imports": Key(
        "Modules that the code imports and the ZIP may lack, such as those of a layer: dotted "
        "names, each including its submodules.",
        pattern=MODULE,
        rule="the dotted name of a module, such as 'pandas'",
        many=True,
        only_list=True,
        default=(),
        shared=True,
    ),
    "allow_unread": Key(
        "Files with dependencies to ignore, such as a pyproject.toml for the repository's tools: "
        "paths relative to the repository's root.",
        pattern=r"[^/\\s](.*\S)?",
        rule="the path of a file, such as pyproject.toml",
        many=True,
        only_list=True,
        default=(),
        shared=True,
    ),
    "allow_missing_libraries": Key(
        "Shared libraries that machine code needs and the ZIP may lack, such as those of a layer: "
        "their names, as 'libgomp.so.1'.",
        pattern=LIBRARY,
        rule="the name of a shared library, such as 'libgomp.so.1'",
        many=True,
        only_list=True,
        default=(),
        shared=True,
    ),
    "allow_secrets": Key(
        "Files to allow although they look like credentials: .gitignore patterns, or marks from "
        "the message, 'sha256:' and 16 digits, each of which allows one content.",
        many=True,
        only_list=True,
        default=(),
        shared=True,
    ),
}


DEFAULT_KEYS = {name: key for name, key in LAMBDA_KEYS.items() if key.shared} | {
    "frozen": Key(
        "Fail if a lockfile is missing or out of date, on every machine. With 'CI' set, this is "
        "the default.",
        boolean=True,
        default=False,
    ),
}


# The keys of a layer that another project deploys.
DEPLOYED_KEYS = {
    "arn": Key(
        "The ARN of the layer's version.",
        pattern=r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+",
        rule="the ARN of a version, such as arn:aws:lambda:eu-west-1:123456789012:layer:name:1",
        default_text="none; the key is required",
    ),
    "provides": Key(
        "The modules in the layer: dotted names, each including its submodules.",
        pattern=MODULE,
        rule="the dotted name of a module, such as 'aws_lambda_powertools'",
        many=True,
        only_list=True,
        default=(),
    ),
}


# The keys of functions that a layer does not have: it is not called, and it has no layers.
_OF_FUNCTIONS = frozenset({
    "handler", "layers", "prune", "allow_missing_imports", "gitignore", "name",
    "start_limit",
})  # fmt: skip


LAYER_KEYS = {name: key for name, key in LAMBDA_KEYS.items() if name not in _OF_FUNCTIONS}


CACHE_KEYS = {
    "remote": Key(
        "The address of the remote cache, without credentials. 'LAMBDA_ZIP_REMOTE' replaces it; "
        "'off' in that variable turns the cache off.",
        pattern=REMOTE,
        rule="an address without credentials, such as s3://bucket/folder",
        default_text="none: builds use no remote cache",
    ),
    "trust": Key(
        "Which entries of the cache a build uses: 'bucket' takes all, because only trusted "
        "builders may write to it; 'signed' takes those that the builders in 'keys' have signed.",
        choices=("bucket", "signed"),
        default="bucket",
    ),
    "keys": Key(
        "The public keys of the trusted builders, by name, for 'trust: signed'.",
        named=NAME,
        pattern=PUBLIC_KEY,
        rule=(
            "a name and an Ed25519 public key, as 'openssl pkey -in signing.pem -pubout -outform "
            "DER | base64' prints it"
        ),
        default=(),
    ),
    "signatures": Key(
        "How many of the builders in 'keys' must have built and signed the same ZIP before another "
        "one uses it.",
        number=True,
        default_text="1",
    ),
}


# Lambda's limit ("Lambda quotas").
MOST_LAYERS = 5


TOP_KEYS = ("version", "defaults", "lambdas", "layers", "manifests", "cache")
