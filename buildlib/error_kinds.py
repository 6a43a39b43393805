"""The catalogue of errors: for each kind the problem, the reason and the remedy."""

from collections.abc import Iterator
from typing import NamedTuple

from buildlib.errors import SYSTEM


class Kind(NamedTuple):
    """A kind of error: a title, the reason why it is an error, and the remedy."""

    title: str
    why: str
    remedy: str


KINDS = {
    # -- lambdas.yaml
    "manifest-missing": Kind(
        "No lambdas.yaml found",
        "lambdas.yaml declares the functions. doit looks for it in the folder of dodo.py.",
        "Change to the folder that contains it, or run `lambdas init` to propose one.",
    ),
    "manifest-syntax": Kind(
        "lambdas.yaml is not valid YAML",
        "The file is empty, is not UTF-8, or has a syntax error. Common causes are a tab in the "
        "indentation, and a text with `:`, `#` or `*` that needs quotes.",
        "Correct the line that the message names; the mistake may be in the line before it.",
    ),
    "manifest": Kind(
        "lambdas.yaml is invalid",
        "A key is unknown or missing, a value is not allowed, or a path does not exist or leaves "
        "the repository. Every problem is listed, with line and column, before anything runs.",
        "Correct each line. An editor that knows `buildlib/lambdas.schema.json` shows the same "
        "problems while you type.",
    ),
    "setting": Kind(
        "An environment variable has an invalid value",
        "The variables that begin with LAMBDA_ZIP_ change how the build runs, so an invalid value "
        "is an error and not ignored.",
        "Set the variable to a value that the message allows, or unset it.",
    ),
    # -- requirements and locks
    "requirements": Kind(
        "A requirement cannot be pinned with a hash",
        "A build installs exactly the locked files and checks the hash of each. A VCS link, a URL "
        "without a hash, and a path that is no project of the repository cannot be checked.",
        "Require a release from an index, or a wheel's URL with `#sha256=`. For code in this "
        "repository, add its folder to `include`.",
    ),
    "local-project": Kind(
        "A project of the repository cannot be put into the ZIP",
        "A dependency is a folder of this repository. Its packages go into the ZIP from where they "
        "are, without a build, and here that is not possible: the project compiles, is outside of "
        "the repository, or has its packages in a place that only its build knows.",
        "Name its packages in the function's `include`, or publish its wheel to an index.",
    ),
    "layer": Kind(
        "A layer does not fit its function",
        "A layer is built for each Python and architecture that it declares, and a function uses "
        "the one for its own. A package that both have must have one version: Lambda would import "
        "either, by the order of its search path.",
        "Declare the layer for the function's Python and architecture; require the same versions "
        "in both, and lock again.",
    ),
    "dependencies-unread": Kind(
        "Dependencies are declared, but not read",
        "A function without requirements has a file with dependencies in its folder that no "
        "lockfile can be made from, such as a setup.py or an environment.yml, or several of which "
        "none is chosen, so the ZIP would lack these dependencies.",
        "Write them to a requirements.txt, or name a file in `requirements`, as the message says. "
        "If the function does not need them, name the file in `allow_unread`.",
    ),
    "lock-failed": Kind(
        "Failed to resolve dependencies",
        "uv found no versions that satisfy all requirements for all Pythons of the lambda, does "
        "not know a package, or could not reach the index. The message includes uv's output.",
        "Relax or correct the requirement that uv names. If the index is unreachable, check its "
        "address and credentials in your uv or pip configuration.",
    ),
    "lock-frozen": Kind(
        "The lockfile is missing or out of date, and locks are frozen",
        "With CI set, or `frozen: true` in the manifest, nothing is resolved: only a lockfile that "
        "was reviewed and committed is built.",
        "Run `lambdas lock <name>` on your machine and commit requirements.lock.",
    ),
    "lock-missing": Kind(
        "The lockfile is missing",
        "The function has requirements, and a step that needs their pins ran before the step "
        "`lock`, as with `doit -s`.",
        "Run `lambdas lock <name>` and commit requirements.lock.",
    ),
    "lock-line": Kind(
        "A line of the lockfile is not a pin with hashes",
        "requirements.lock was edited by hand, contains the conflict markers of a merge, or was "
        "written by another tool.",
        "Run `lambdas lock <name>`; never edit the file by hand.",
    ),
    "image-unpinned": Kind(
        "The image is not pinned",
        "The image of a container decides the bytes, so a build uses it by digest only. The "
        "digest comes from the lockfile or from the manifest.",
        "Run `lambdas lock <name>` and commit the file, or write `image: <name>@sha256:<hex>`.",
    ),
    # -- own code
    "syntax": Kind(
        "The target's Python cannot compile the function's code",
        "Every Python file of the function is parsed for the Python version of the variant, "
        "whichever Python runs doit. Newer syntax, and a mistake in a module that only some events "
        "reach, would fail in Lambda.",
        "Correct the file, set a newer `python`, or exclude a file that is no code.",
    ),
    "import-missing": Kind(
        "Lambda could not import the handler",
        "The imports of the handler's module, and of the function's modules that it imports, are "
        "followed without running them. Each must be in the ZIP, in the standard library of the "
        "target's Python, or in Lambda's runtime.",
        "Add the named package to the requirements, or the folder of shared code to `include`. "
        "List modules that a layer provides in `allow_missing_imports`.",
    ),
    # -- installing wheels
    "wheel-missing": Kind(
        "A package has no wheel for Lambda",
        "Without Docker only wheels are installed, and no wheel of this version runs on the "
        "Python, architecture and glibc of the runtime.",
        "Require a version that has such a wheel, use `install: docker` to compile in AWS's image, "
        "or, if the package is pure Python, add it to `allow_sdist`.",
    ),
    "hash-mismatch": Kind(
        "A download does not match its locked hash",
        "The index served another file than the one in the lockfile: the release was replaced, a "
        "proxy changed the file, or the index is compromised.",
        "Find the cause before you build. If the release was replaced on purpose, run "
        "`lambdas lock --upgrade <name>`, or `--upgrade-package <package>` for one package.",
    ),
    "install-failed": Kind(
        "Failed to install the dependencies",
        "uv could not download or unpack a package. The message shows the end of uv's output, the "
        "log all of it.",
        "Check the connection, the index settings and the disk space, then run the build again.",
    ),
    "sdist-not-pure": Kind(
        "A package in allow_sdist contains compiled code",
        "`allow_sdist` builds on your machine and for your machine, so only pure Python gives the "
        "same result everywhere.",
        "Remove the package from `allow_sdist` and use `install: docker`.",
    ),
    "sdist-failed": Kind(
        "A package in allow_sdist could not be built",
        "Builds on your machine use pinned build tools and are cut off from your environment, on "
        "Linux also from the network and your home. The package demands other tools, or more.",
        "Require a release that has a wheel, or use `install: docker`.",
    ),
    "distributions-overlap": Kind(
        "Two distributions install different files under one name",
        "The order of installation would decide which file ends up in the ZIP. Declarations of a "
        "namespace package, by pkgutil or pkg_resources, are no problem: the build takes that of "
        "the first distribution by name, and one without pkg_resources if there is one.",
        "Leave the file out with `exclude` if the function does not need it. Otherwise replace one "
        "of the two distributions, or pin another version of it.",
    ),
    "environment-damaged": Kind(
        "An installed environment was damaged",
        "Another process removed files below build/env while they were copied.",
        "Run doit again; it reinstalls the environment.",
    ),
    "machine-code": Kind(
        "A compiled file would not load in Lambda",
        "The file is for another processor or Python, or needs a newer glibc than the runtime has. "
        "The tag of a wheel promises compatibility, and some wheels break the promise.",
        "Require another release, or use `install: docker` to compile in AWS's image. If Lambda "
        "never loads the file, add it to `exclude`.",
    ),
    # -- containers
    "engine-absent": Kind(
        "Cannot connect to the Docker engine",
        "`install: docker` needs a running engine. The message names the address and the setting "
        "that it comes from.",
        "Start Docker, set DOCKER_HOST, or set `docker: engine:` to the address of an engine.",
    ),
    "engine-stopped": Kind(
        "The Docker engine refused a request, or the connection was lost",
        "The engine closed the connection or answered with an error. Nothing was built.",
        "Check that the engine is running and has disk space, then run the build again.",
    ),
    "image-absent": Kind(
        "An image is missing and cannot be pulled",
        "Neither the engine nor the registry has an image with this name and digest.",
        "Check `docker: image:`, log in to the registry, or load the image with `docker load`.",
    ),
    "image-platform": Kind(
        "An image has the wrong architecture",
        "Code that is compiled in this image would not run in Lambda.",
        "Use an image that exists for both architectures, or one engine per architecture.",
    ),
    "image-cannot-run": Kind(
        "The engine cannot run the image",
        "Usually the image is for another architecture than the engine's processor, and no "
        "emulator is installed.",
        "Register qemu on the engine's host, or set `docker: engine:` to an engine of that "
        "architecture.",
    ),
    "container-failed": Kind(
        "A command in the container failed",
        "A line of `setup`, or pip, exited with an error. The message shows the end of its "
        "output, the log all of it.",
        "If a compiler or a header is missing, install it in `docker: setup:`.",
    ),
    "container-output": Kind(
        "The output of the container is invalid",
        "The installed tree contains a device, a path outside of it, or a broken archive. No "
        "installation should produce these.",
        "Inspect the package and the image before you build from them.",
    ),
    "pinned-file": Kind(
        "A file of the web is not the one that is pinned",
        "Each entry of `files` has the sha256 of the file, and only a file with that goes into a "
        "ZIP. The address could not be read, or gave another file.",
        "Check the address and the connection. If the file was replaced, find out why before you "
        "change its sha256.",
    ),
    "secret": Kind(
        "The file of a secret cannot be read",
        "`docker: secrets:` names a file of this machine that is missing or not readable.",
        "Create the file, change its permissions, or change the path.",
    ),
    # -- the tree
    "file-name": Kind(
        "A file name is not portable",
        "Two names are one file on macOS and Windows, or a name contains a backslash or is not "
        "UTF-8.",
        "Rename the file, or leave it out with `exclude`.",
    ),
    "file-twice": Kind(
        "Two files have the same path in the ZIP",
        "The function, its `include` and its dependencies share the top of the ZIP; one file would "
        "hide the other.",
        "Rename one of the files, or leave one out with `exclude`.",
    ),
    "link": Kind(
        "A link cannot be followed",
        "A link is replaced by its target. A link out of the repository would make the ZIP depend "
        "on the machine, a dangling link has no content, and a loop has no end. git on Windows "
        "checks links out as text files, unless `core.symlinks` is set.",
        "Copy the target's content into the repository, correct or remove the link, or add it to "
        "`exclude`.",
    ),
    "special-file": Kind(
        "A FIFO, socket or device is in the tree",
        "A ZIP contains regular files only.",
        "Remove the file, or add it to `exclude`.",
    ),
    "pattern": Kind(
        "A pattern is not valid in a .gitignore",
        "`exclude` and `allow_secrets` use the pattern syntax of .gitignore.",
        "Correct the pattern; `git help gitignore` documents the syntax.",
    ),
    "handler": Kind(
        "Lambda could not call the handler",
        "`handler: module.function` names a module that is not in the ZIP, has a syntax error, or "
        "does not define the function. The code is parsed, not run.",
        "Correct `handler` or the code, and check that `source` is the folder of the module.",
    ),
    "credential": Kind(
        "A possible credential is in the package",
        "The name or the content of a file looks like a private key, an AWS access key, a token or "
        "a .env file. Everybody with read access to the function's code could read it.",
        "Move the file out of the function's folder or add it to `exclude`. If this is a false "
        "positive, or intended, add it to `allow_secrets`.",
    ),
    # -- the ZIP
    "size": Kind(
        "The ZIP is too large",
        "Lambda's limit is 250 MB of unzipped files, and `size_limit` in the manifest may be "
        "stricter. The message lists the largest packages and possible savings.",
        "Leave files out with `exclude`, require fewer or smaller packages, or raise `size_limit`. "
        "`lambdas size` shows all functions.",
    ),
    "verify": Kind(
        "A rebuild differs or fails",
        "`doit verify` rebuilds a variant twice, in other folders and with another locale, umask "
        "and clock. All three ZIPs must be equal. The message lists each difference.",
        "If dist/ is out of date, run doit first. Otherwise a file of the function or of a "
        "dependency changes with each build: find the program that generates the listed files.",
    ),
    "zip": Kind(
        "A ZIP cannot be read",
        "The file is missing, is not a ZIP, or is truncated, corrupt, encrypted or split into "
        "several parts.",
        "Check the path. If the file is in dist/, run `doit` to rebuild it.",
    ),
    "invoke": Kind(
        "A function could not be invoked",
        "A prerequisite of `doit invoke` is missing, such as an image, an interpreter of the "
        "function's Python, or a well-formed event; the function itself did not fail.",
        "Follow the message; `doit help invoke:<id>` shows the options.",
    ),
    "query": Kind(
        "Terraform's query is invalid",
        "The query of the data source `external` names an unknown function, or has a wrong form.",
        "Correct the `query` in the Terraform configuration.",
    ),
    "record": Kind(
        "The recorded hashes do not match",
        "lambdas.hashes.json records the hash for each key. It is out of date or corrupt, or the "
        "same inputs gave other bytes.",
        "If the inputs changed, run `lambdas record` and commit the file. If they did not, find "
        "the cause before you deploy.",
    ),
    "earlier-index": Kind(
        "The earlier build to compare with cannot be read",
        "`--against` or LAMBDA_ZIP_AGAINST names a file that does not exist, or that is neither a "
        "dist/lambdas.json nor a lambdas.hashes.json.",
        "Correct the path, or fetch the file first: it is an artifact of an earlier build, or is "
        "committed on the base branch. Without a comparison, leave out the option.",
    ),
    # -- report, watch and init
    "watch": Kind(
        "`doit watch` cannot start",
        "The command names an undeclared function, or the package watchfiles, which detects "
        "changes on every system, is not installed.",
        "Name functions or variants of lambdas.yaml, as in `doit watch team_keys`, or no name for "
        "all of them.",
    ),
    "init-exists": Kind(
        "lambdas.yaml already exists",
        "`init` never overwrites a file.",
        "Run `lambdas init --print` to see its proposal.",
    ),
    "init-nothing": Kind(
        "No Lambda function found",
        "`init` looks for folders with a handler in app.py, lambda_function.py or handler.py, and "
        "for functions in SAM, Serverless and Terraform files. It cannot propose code at the "
        "repository's root, because all other files are there, too.",
        "Write lambdas.yaml by hand; the message has a template.",
    ),
    # -- while it runs
    "changed": Kind(
        "A file changed during the build",
        "An editor, git or another run wrote to the file between two steps.",
        "Run doit again.",
    ),
    SYSTEM: Kind(
        "The operating system reported an error",
        "For example, a disk is full, a folder is read-only, or a file belongs to another user.",
        "Follow the message, then run the build again. Finished ZIPs are unchanged.",
    ),
}


def page() -> Iterator[str]:
    """Yield the lines of docs/reference/errors.md."""
    yield "# Errors"
    yield ""
    yield "<!-- Made by `lambdas errors`; edit buildlib/error_kinds.py. -->"
    yield ""
    yield "Each message ends with its kind; `lambdas errors <kind>` prints its section."
    for name, kind in KINDS.items():
        yield from ("", f"## {name}", "", f"**{kind.title}.** {kind.why}", "", kind.remedy)
