"""Every kind of error: what happened, why that is an error, and what to do."""

from collections.abc import Iterator
from typing import NamedTuple

from buildlib.errors import SYSTEM


class Kind(NamedTuple):
    """A kind of error: what happened, why that is an error, and what to do."""

    title: str
    why: str
    remedy: str


KINDS = {
    # -- lambdas.yaml
    "manifest-missing": Kind(
        "There is no lambdas.yaml",
        "It says which functions there are, and is looked for in the folder in which doit runs: "
        "that of dodo.py.",
        "Go to the folder that has it, or let `python -m buildlib init` propose one.",
    ),
    "manifest-syntax": Kind(
        "lambdas.yaml is not YAML",
        "The file is empty, not UTF-8, or its YAML cannot be read. Often a line is indented with "
        "a tab, or a text with `:`, `#` or `*` in it needs quotes.",
        "Correct the line that the message names; what is wrong may be the line before it.",
    ),
    "manifest": Kind(
        "lambdas.yaml says something that it cannot",
        "A key is unknown or missing, a value is not allowed, a path is not there or leaves the "
        "repository. Every problem is listed, with line and column, before anything runs.",
        "Correct each line. An editor that knows `buildlib/lambdas.schema.json` shows the same "
        "while you type.",
    ),
    "setting": Kind(
        "An environment variable has a value that it cannot have",
        "The variables that begin with LAMBDA_ZIP_ change how it is built, so a mistake in one is "
        "not passed over.",
        "Set it to what the message says, or unset it.",
    ),
    # -- requirements and locks
    "requirements": Kind(
        "A requirement cannot be pinned with a hash",
        "A build installs exactly what is in the lock, checked by its hash. A local path, an "
        "editable install, a VCS link or a URL without a hash has none.",
        "Name a release in an index, a wheel's URL with `#sha256=`, or, for code in this "
        "repository, its folder in `include`.",
    ),
    "lock-failed": Kind(
        "No lock could be made",
        "uv found no versions that satisfy all requirements for all Pythons of the lambda, does "
        "not know a name, or could not reach the index. Its own words are in the message.",
        "Relax or correct the requirement that uv names. If it is about the connection: index and "
        "credentials are those of your uv or pip configuration.",
    ),
    "lock-frozen": Kind(
        "The lock is missing or stale, and may not be made here",
        "With CI set, or `frozen: true` in the manifest, nothing is resolved: what was reviewed "
        "and committed is built, or nothing.",
        "Run `doit lock:<name>` on your machine and commit the requirements.lock.",
    ),
    "lock-missing": Kind(
        "There is no lock",
        "The function has requirements, and a step that needs their pins ran before the lock was "
        "made, as with `doit -s`.",
        "Run `doit lock:<name>` and commit the file.",
    ),
    "lock-line": Kind(
        "A line of the lock is not a pin with hashes",
        "Someone edited requirements.lock, a merge left conflict marks in it, or another tool "
        "wrote it.",
        "Run `doit lock:<name>`; never edit the file by hand.",
    ),
    "image-unpinned": Kind(
        "The image is not pinned",
        "A container's image decides about the bytes, so it is used by its digest only. The lock "
        "holds it, or the manifest.",
        "Run `doit lock:<name>` and commit the file, or write `image: <name>@sha256:<hex>`.",
    ),
    # -- installing wheels
    "wheel-missing": Kind(
        "A package has no wheel for Lambda",
        "Without Docker only wheels are installed, and none of this version runs on the runtime's "
        "Python, architecture and glibc.",
        "Ask for a version that has one, say `install: docker` to compile it in AWS's image, or, "
        "if it is pure Python, name it in `allow_sdist`.",
    ),
    "hash-mismatch": Kind(
        "A download is not what was locked",
        "The index gave another file than the one whose hash is in the lock: the release was "
        "replaced, a proxy changed it, or someone attacks you.",
        "Find out why before you build. If it was replaced on purpose, `doit lock:<name>`.",
    ),
    "install-failed": Kind(
        "The dependencies could not be installed",
        "uv could not download or unpack something. Its own words are in the message, all of them "
        "in the log.",
        "Check the connection, the index settings and the space on the disk, then run doit again.",
    ),
    "sdist-not-pure": Kind(
        "A package in allow_sdist is compiled",
        "`allow_sdist` builds on your machine, for your machine: only pure Python comes out the "
        "same everywhere.",
        "Remove it from `allow_sdist` and say `install: docker`.",
    ),
    "distributions-overlap": Kind(
        "Two distributions install different files of one name",
        "Which of them wins would be chance, and so would be the ZIP.",
        "Replace one of the two, or pin another version of it.",
    ),
    "environment-damaged": Kind(
        "An installed environment was damaged",
        "Something removed files below build/env while they were copied.",
        "Run doit again: it is installed anew.",
    ),
    "machine-code": Kind(
        "Something compiled would not load in Lambda",
        "A file of machine code is for another processor or Python, or needs a newer glibc than "
        "the runtime has. The tag of a wheel promises what is in it, and some promise wrongly.",
        "Ask for another release, or say `install: docker` to compile it in AWS's image. If "
        "Lambda never loads the file, name it in `exclude`.",
    ),
    # -- containers
    "engine-absent": Kind(
        "No Docker engine answers",
        "`install: docker` needs an engine; the message says which address was tried, and who "
        "named it.",
        "Start Docker, set DOCKER_HOST, or name an engine in `docker: engine:`.",
    ),
    "engine-stopped": Kind(
        "The Docker engine stopped answering, or refused",
        "The connection broke, or the engine would not do what it was asked. Nothing was built.",
        "See that the engine runs and has disk space, then run doit again.",
    ),
    "image-absent": Kind(
        "An image is not there and cannot be pulled",
        "Neither the engine nor the registry has it under this name and digest.",
        "Check `docker: image:`, log in to the registry, or load it with `docker load`.",
    ),
    "image-platform": Kind(
        "An image is of another architecture",
        "What is compiled in it would not run in Lambda.",
        "Name an image that exists for both architectures, or an engine for each.",
    ),
    "image-cannot-run": Kind(
        "The engine cannot run the image",
        "Mostly it is of an architecture that the engine's processor is not, without an emulator.",
        "Register qemu there, or name an engine of that architecture in `docker: engine:`.",
    ),
    "container-failed": Kind(
        "A command in the container failed",
        "A line of `setup`, or pip, ended with an error; the end of its output is in the message, "
        "all of it in the log.",
        "If a compiler or a header is missing, install it in `docker: setup:`.",
    ),
    "container-output": Kind(
        "What came out of the container is refused",
        "The installed tree holds something that no installation should make: a device, a path "
        "that leaves it, a broken archive.",
        "Look at the package and the image before you build from them.",
    ),
    "secret": Kind(
        "A secret's file cannot be read",
        "`docker: secrets:` names a file of this machine that is not there, or not yours.",
        "Put it there, or change the path.",
    ),
    # -- the tree
    "file-name": Kind(
        "A file name would not be the same everywhere",
        "Two names are one file on macOS and Windows, or one is not UTF-8 or has a backslash.",
        "Rename the file.",
    ),
    "file-twice": Kind(
        "Two files become one in the ZIP",
        "The function, its `include` and its dependencies share the top of the ZIP; one file would "
        "hide the other.",
        "Rename one, or leave one out with `exclude`.",
    ),
    "link": Kind(
        "A link cannot be followed",
        "A link becomes what it points to. One that leaves its folder, dangles or leads back would "
        "make the ZIP depend on the machine, or endless.",
        "Copy the content, name its folder in `include`, or remove the link.",
    ),
    "special-file": Kind(
        "Something is no file",
        "A FIFO, socket or device cannot be in a ZIP.",
        "Remove it, or name it in `exclude`.",
    ),
    "pattern": Kind(
        "A pattern is not one of a .gitignore",
        "`exclude` and `allow_secrets` have the patterns of a .gitignore.",
        "See `git help gitignore`.",
    ),
    "handler": Kind(
        "Lambda could not call the handler",
        "`handler: module.function` names a module that is not in the ZIP, that has a syntax "
        "error, or that does not define the function. The code is read, not run.",
        "Correct `handler`, or the code; see that `source` is the folder that holds the module.",
    ),
    "credential": Kind(
        "A credential would be in the ZIP",
        "A file of the function has the name or the content of one: a private key, an AWS access "
        "key, a token, .env. Whoever may read the function's code could read it.",
        "Move it out of the function's folder or name it in `exclude`; if it is none, or has to be "
        "there, name it in `allow_secrets`.",
    ),
    # -- what is done with a ZIP
    "size": Kind(
        "The ZIP is too large",
        "Lambda takes 250 MB of unzipped files, and `size_limit` in the manifest may be stricter. "
        "The message lists what is large, and what could go.",
        "Leave files out with `exclude`, ask for fewer or smaller dependencies, or raise "
        "`size_limit`. `doit size` shows all functions.",
    ),
    "verify": Kind(
        "A build does not come out the same, or cannot be repeated",
        "`doit verify` builds a variant twice more, elsewhere and with another locale, umask and "
        "clock; the three must be equal. The message names each difference.",
        "If dist/ is stale, run doit first. Otherwise something in the function or its "
        "dependencies is made anew at each build: find what made the files that are named.",
    ),
    "zip": Kind(
        "A ZIP cannot be read",
        "The file is not there, is no ZIP, or is cut, damaged, encrypted or of several parts.",
        "Check the path. If it is in dist/, `doit` makes it anew.",
    ),
    "invoke": Kind(
        "A function could not be invoked",
        "What `doit invoke` needs is missing, such as an image, an interpreter of the function's "
        "Python, or a well-formed event; the function itself did not fail.",
        "Do what the message says; `doit help invoke:<id>` shows the options.",
    ),
    "query": Kind(
        "Terraform asked for something that there is not",
        "The query of the data source `external` names an unknown function, or has a wrong form.",
        "Correct the `query` in the Terraform configuration.",
    ),
    "record": Kind(
        "The recorded hashes do not fit",
        "lambdas.hashes.json says what each key must give; it is stale, damaged, or the same "
        "inputs gave other bytes.",
        "If the inputs changed, run `doit record` and commit the file. If they did not, find out "
        "why before you deploy.",
    ),
    # -- report, watch and init
    "report": Kind(
        "The report cannot be made",
        "`doit report` draws its pictures with Vega and fills its page with Jinja, which are not "
        "installed: a build needs neither.",
        "`pip install 'doit-lambda-zip[report]'`, into the environment that doit runs in.",
    ),
    "watch": Kind(
        "Nothing can be watched",
        "`doit watch` names a function that is not declared, or watchfiles, which sees changes on "
        "every system, is not installed.",
        "Name functions or variants of lambdas.yaml, or none for all: `doit watch team_keys`.",
    ),
    "init-exists": Kind(
        "There is a lambdas.yaml already",
        "`init` writes only what is not there.",
        "Look at what it would propose with `python -m buildlib init --print`.",
    ),
    "init-nothing": Kind(
        "Nothing looks like a Lambda function",
        "`init` looks for folders with a handler in app.py, lambda_function.py or handler.py, and "
        "for functions in SAM, Serverless and Terraform files. Code at the repository's root "
        "cannot be proposed: it is there with everything else.",
        "Write lambdas.yaml by hand; the message has one to start from.",
    ),
    # -- while it runs
    "changed": Kind(
        "A file changed while it was built",
        "An editor, git or another run wrote to it between two steps.",
        "Run doit again.",
    ),
    SYSTEM: Kind(
        "The operating system refused something",
        "A disk is full, a folder is read-only, a file belongs to someone else.",
        "Do what the message says, then run doit again. Finished ZIPs are as they were.",
    ),
}


def page() -> Iterator[str]:
    """Yield the lines of docs/reference/errors.md."""
    yield "# Errors"
    yield ""
    yield "<!-- Made by `python -m buildlib errors`; edit buildlib/error_kinds.py. -->"
    yield ""
    yield "Each message ends with its kind; `python -m buildlib errors <kind>` says the same here."
    for name, kind in KINDS.items():
        yield from ("", f"## {name}", "", f"**{kind.title}.** {kind.why}", "", kind.remedy)
