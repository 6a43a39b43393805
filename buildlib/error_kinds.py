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
        "lambdas.yaml declares the functions. `lambdas` looks for it in the current directory "
        "and its parents.",
        "Change to the repository that contains it, or run `lambdas init` to generate one.",
    ),
    "manifest-syntax": Kind(
        "lambdas.yaml is not valid YAML",
        "The file is empty, is not UTF-8, or has a syntax error. Common causes are wrong "
        "indentation, a tab, and a value with `:`, `#` or `*` that needs quotes.",
        "Correct the line that the message names. The mistake may be on the line before it.",
    ),
    "manifest": Kind(
        "lambdas.yaml is invalid",
        "A key is unknown or missing, a value is not allowed, or a path does not exist or "
        "leaves the repository. The message lists every problem with line and column. Nothing "
        "ran.",
        "Correct each line. An editor that supports JSON Schema shows the same problems while "
        "you type; `lambdas init` writes the address of the schema into the first line.",
    ),
    "setting": Kind(
        "An environment variable has an invalid value",
        "The variables LAMBDA_ZIP_* change how a build runs, and those of uv and pip name the "
        "package index. An invalid value is an error.",
        "Set the variable to a value that the message allows, or unset it.",
    ),
    # -- requirements and locks
    "requirements": Kind(
        "A requirement cannot be pinned with a hash",
        "A build installs only locked files and checks the hash of each. It cannot check a VCS "
        "link, a URL without a hash, or a path that is not a project of the repository.",
        "Require a release from an index, or the URL of a wheel with `#sha256=`. For code in "
        "this repository, add its folder to `include`.",
    ),
    "local-project": Kind(
        "A local project cannot be put into the ZIP",
        "A dependency is a folder of this repository. The build copies its packages without "
        "running its build backend. That fails if the project compiles code, is outside the "
        "repository, or keeps its packages where only its backend finds them.",
        "Add its packages to the function's `include`, or publish its wheel to an index.",
    ),
    "layer": Kind(
        "A layer does not match its function",
        "A function uses the layer variant for its own Python and architecture. If "
        "both contain a package, the versions must match: Lambda imports the one that comes "
        "first on its search path.",
        "Declare the layer for the function's Python and architecture. Require the same "
        "versions in both, then run `lambdas lock`.",
    ),
    "dependencies-unread": Kind(
        "A file with dependencies was not read",
        "The function sets no `requirements`, and its folder has a file with dependencies that "
        "cannot be locked, such as setup.py or environment.yml, or several candidates. The ZIP "
        "would lack these dependencies.",
        "Write them to a requirements.txt, or set `requirements` to one of the files that the "
        "message names. If the function does not need them, add the file to `allow_unread`.",
    ),
    "lock-failed": Kind(
        "Failed to resolve dependencies",
        "uv found no versions that satisfy all requirements for every Python of the lambda, "
        "does not know a package, or could not reach the index. The message includes uv's "
        "output.",
        "Relax or correct the requirement that uv names. If the index is unreachable, check "
        "its address and credentials in your uv or pip configuration.",
    ),
    "lock-frozen": Kind(
        "The lockfile is missing or out of date, and locks are frozen",
        "With `CI` set, `--frozen`, or `frozen: true` in the manifest, the build resolves "
        "nothing. It uses only a lockfile that you reviewed and committed.",
        "Run `lambdas lock <name>` on your machine and commit requirements.lock.",
    ),
    "lock-missing": Kind(
        "The lockfile is missing",
        "The function has requirements, and a step needed their pins before the step `lock` "
        "ran, as with `doit -s`.",
        "Run `lambdas lock <name>` and commit requirements.lock.",
    ),
    "lock-line": Kind(
        "A line of the lockfile is not a pin with hashes",
        "Someone edited requirements.lock, left the conflict markers of a merge in it, or "
        "wrote it with another tool.",
        "Run `lambdas lock <name>` to regenerate it. Never edit the file by hand.",
    ),
    "image-unpinned": Kind(
        "The image is not pinned",
        "The image of a container decides the bytes of the ZIP, so a build uses it only by "
        "digest. The digest comes from the lockfile or the manifest.",
        "Run `lambdas lock <name>` and commit the file, or set `image: <name>@sha256:<hex>`.",
    ),
    # -- own code
    "compiler-unpinned": Kind(
        "The compiler of the bytecode is not pinned",
        "With `bytecode: true`, the exact version of the CPython that compiles is part of the "
        "build's inputs, because two releases of a minor version may give different bytecode. The "
        "lockfile pins it. A function without a lockfile of its own names it in the manifest.",
        "Run `lambdas lock <name>` and commit the file, or set `compiler` to a full version, such "
        "as `'3.13.2'`.",
    ),
    "compiler-absent": Kind(
        "The CPython that compiles the bytecode is not installed",
        "Only the pinned version compiles, because another one may give other bytes. The build "
        "looks at the Python that runs it, at PATH, and at the Pythons of uv and pyenv. Debug and "
        "free-threaded builds do not count.",
        "Install that version, such as with `uv python install 3.13.2`. To move to the newest "
        "version of this machine, run `lambdas lock --upgrade-package cpython <name>` and commit "
        "the lockfile, or change `compiler` in the manifest. ZIPs then change, and functions are "
        "deployed once.",
    ),
    "compiler-failed": Kind(
        "The compiler of the bytecode died",
        "A process of the pinned CPython compiles, and the system ended it: it was short of "
        "memory, or a source is nested too deeply for its stack. The build leaves no bytecode out "
        "for that, because a ZIP depends on its inputs alone.",
        "Run the build again. If the same file stops it again, add the file to `exclude`, or set "
        "`bytecode: false`.",
    ),
    "syntax": Kind(
        "The target's Python cannot compile the function's code",
        "The build parses every Python file of the function for the Python version of the "
        "variant, whichever Python runs the build. Lambda would fail on newer syntax, or on a "
        "mistake in a module that only some events reach.",
        "Correct the file, set a newer `python`, or add the file to `exclude` if it is not code.",
    ),
    "import-missing": Kind(
        "Lambda could not import the handler",
        "The build follows the imports of the handler's module, and of the function's modules "
        "that it imports, without running them. Each imported module must be in the ZIP, in "
        "the standard library of the target's Python, or in Lambda's runtime.",
        "Add the named package to the requirements, or the folder of shared code to `include`. "
        "List modules that a layer provides in `allow_missing_imports`.",
    ),
    "aws-service": Kind(
        "An AWS service is not in `aws_services`, or does not exist",
        "With `aws_services`, the ZIP has the descriptions of the named services only, and "
        "`boto3.client` of another one fails. The build looks for `client`, `resource`, "
        "`create_client` and `get_available_regions` with a literal name in the function's own "
        "code.",
        "Add the service to `aws_services` of the function, or of the layer that has botocore. A "
        "name is that of `boto3.client`, such as `s3` or `stepfunctions`.",
    ),
    # -- installing wheels
    "wheel-missing": Kind(
        "A package has no wheel for Lambda",
        "Without Docker the build installs only wheels. No wheel of this version runs on the "
        "Python, architecture and glibc of the runtime.",
        "Require a version that has such a wheel, or set `install: docker` to compile it in "
        "AWS's image. If the package is pure Python, add it to `allow_sdist`.",
    ),
    "hash-mismatch": Kind(
        "A download does not match its locked hash",
        "The index served a file other than the one in the lockfile: someone replaced the "
        "release, a proxy changed the file, or the index is compromised.",
        "Find the cause before you build. If the release was replaced on purpose, run `lambdas "
        "lock --upgrade <name>`, or `--upgrade-package <package>` for one package.",
    ),
    "install-failed": Kind(
        "Failed to install the dependencies",
        "uv could not download or unpack a package. The message shows the end of uv's output; "
        "the log has all of it.",
        "Check the connection, the index settings and the disk space, then run the build again.",
    ),
    "sdist-not-pure": Kind(
        "A package in allow_sdist contains compiled code",
        "`allow_sdist` builds on and for your machine, so only pure Python gives the same "
        "result everywhere.",
        "Remove the package from `allow_sdist` and set `install: docker`.",
    ),
    "sdist-failed": Kind(
        "A package in allow_sdist could not be built",
        "Builds on your machine use pinned build tools and do not see your environment. On "
        "Linux they have no network and no home directory either. The package needs other "
        "tools, or one of these.",
        "Require a release that has a wheel, or set `install: docker`.",
    ),
    "distributions-overlap": Kind(
        "Two distributions install different files under one name",
        "The order of installation would decide which file ends up in the ZIP. Declarations of "
        "a namespace package, by pkgutil or pkg_resources, are no problem: the build takes "
        "that of the first distribution by name, and prefers one without pkg_resources.",
        "If the function does not need the file, add it to `exclude`. Otherwise replace one of "
        "the two distributions, or pin another version of it.",
    ),
    "environment-damaged": Kind(
        "An installed environment was damaged",
        "Another process removed files below build/env while the build copied them.",
        "Run the build again; it reinstalls the environment.",
    ),
    "machine-code": Kind(
        "A compiled file would not load in Lambda",
        "The file is for another processor or Python, or needs a newer glibc than the runtime "
        "has. The tag of a wheel promises compatibility, and some wheels break the promise.",
        "Require another release, or set `install: docker` to compile in AWS's image. If "
        "Lambda never loads the file, add it to `exclude`.",
    ),
    # -- containers
    "engine-absent": Kind(
        "Cannot connect to the Docker engine",
        "`install: docker` needs a running engine. The message names the address and the "
        "setting that it comes from.",
        "Start Docker, set DOCKER_HOST, or set `docker: engine:` to the address of an engine.",
    ),
    "engine-stopped": Kind(
        "The Docker engine refused a request, or the connection was lost",
        "The engine closed the connection or answered with an error. The build used nothing "
        "from it.",
        "Check that the engine is running and has disk space, then run the build again.",
    ),
    "image-absent": Kind(
        "An image is missing and cannot be pulled",
        "Neither the engine nor the registry has an image with this name and digest.",
        "Check `docker: image:`, log in to the registry, or load the image with `docker load`.",
    ),
    "image-platform": Kind(
        "An image has the wrong architecture",
        "Code compiled in this image would not run in Lambda.",
        "Use an image that exists for both architectures, or set one engine per architecture.",
    ),
    "image-cannot-run": Kind(
        "The engine cannot run the image",
        "Usually the image does not match the architecture of the engine's host, and no "
        "emulator is installed.",
        "Register qemu on the engine's host, or set `docker: engine:` to an engine of that "
        "architecture.",
    ),
    "container-failed": Kind(
        "A command in the container failed",
        "A line of `setup`, or pip, exited with an error. The message shows the end of its "
        "output; the log has all of it.",
        "If a compiler or a header is missing, install it in `docker: setup:`.",
    ),
    "container-output": Kind(
        "The output of the container is invalid",
        "The installed tree contains a device, a path outside the tree, or a broken archive. "
        "No installation should produce these.",
        "Inspect the package and the image before you build from them.",
    ),
    "pinned-file": Kind(
        "A file in `files` is unavailable or does not match its sha256",
        "Each entry of `files` pins a download by its sha256. The address is unreachable, or "
        "it served another file.",
        "Check the address and the connection. If someone replaced the file, find out why "
        "before you change its sha256.",
    ),
    "secret": Kind(
        "The file of a secret cannot be read",
        "`docker: secrets:` names a file on this machine that is missing or not readable.",
        "Create the file, change its permissions, or correct the path.",
    ),
    # -- the tree
    "file-name": Kind(
        "A file name is not portable",
        "Two names are one file on macOS and Windows, or a name contains a backslash or is not "
        "UTF-8.",
        "Rename the file, or add it to `exclude`.",
    ),
    "file-twice": Kind(
        "Two files have the same path in the ZIP",
        "The function, its `include` and its dependencies share the top of the ZIP, so one "
        "file would hide the other.",
        "Rename one of the files, or add one to `exclude`.",
    ),
    "link": Kind(
        "A link cannot be followed",
        "The build replaces a link with its target. A link out of the repository would make "
        "the ZIP depend on the machine, a dangling link has no content, and a loop has no end. "
        "git on Windows checks out links as text files unless `core.symlinks` is set.",
        "Copy the target's content into the repository, correct or remove the link, or add it "
        "to `exclude`.",
    ),
    "special-file": Kind(
        "A FIFO, socket or device is in the tree",
        "A ZIP contains only regular files.",
        "Remove the file, or add it to `exclude`.",
    ),
    "pattern": Kind(
        "A pattern is not valid in a .gitignore",
        "`exclude` and `allow_secrets` use the pattern syntax of .gitignore.",
        "Correct the pattern; `git help gitignore` documents the syntax.",
    ),
    "handler": Kind(
        "Lambda could not call the handler",
        "`handler: module.function` names a module that is not in the ZIP, has a syntax error, "
        "or does not define the function. The build parses the code and does not run it.",
        "Correct `handler` or the code, and check that `source` is the folder of the module.",
    ),
    "credential": Kind(
        "A possible credential is in the package",
        "The name or the content of a file looks like a private key, an AWS access key, a "
        "token or a .env file. Anyone who can read the function's code could read it.",
        "Move the file out of the function's folder, or add it to `exclude`. If this is a "
        "false positive, or intended, add it to `allow_secrets`.",
    ),
    # -- the ZIP
    "size": Kind(
        "The ZIP is too large",
        "Lambda allows 250 MB of unzipped files, and `size_limit` in the manifest may be "
        "stricter. `size_growth` compares with the sizes in lambdas.hashes.json. The message lists "
        "the largest packages and possible savings, or the packages that grew.",
        "Add files to `exclude`, require fewer or smaller packages, or raise `size_limit`. "
        "`lambdas record --accept-growth` accepts growth. `lambdas size` shows all functions.",
    ),
    "verify": Kind(
        "A rebuild differs or fails",
        "`lambdas verify` rebuilds a variant twice, in other folders and with another locale, "
        "umask and clock. All three ZIPs must be equal. The message lists each difference.",
        "If dist/ is out of date, run `lambdas build` first. Otherwise a file of the function "
        "or of a dependency changes with each build: find the program that generates the "
        "listed files.",
    ),
    "zip": Kind(
        "A ZIP cannot be read",
        "The file is missing, is not a ZIP, or is truncated, corrupt, encrypted or split into "
        "several parts.",
        "Check the path. If the file is in dist/, run `lambdas build` to rebuild it.",
    ),
    "invoke": Kind(
        "A function could not be invoked",
        "A prerequisite of `lambdas invoke` is missing, such as an image, an interpreter of "
        "the function's Python, or a well-formed event. The function itself did not fail.",
        "Follow the message; `lambdas invoke --help` shows the options.",
    ),
    "query": Kind(
        "Terraform's query is invalid",
        "The query of the data source `external` names an unknown function, or is malformed.",
        "Correct the `query` in the Terraform configuration.",
    ),
    "record": Kind(
        "The recorded hashes do not match",
        "lambdas.hashes.json records the hash for each set of inputs. It is out of date or "
        "corrupt, or the same inputs gave other bytes.",
        "If the inputs changed, run `lambdas record` and commit the file. If they did not, "
        "find the cause before you deploy.",
    ),
    # -- the remote cache
    "remote": Kind(
        "The remote cache cannot be used as it is configured",
        "The address, a variable or a key is wrong, or the packages of the extra `remote` are not "
        "installed. A remote cache that is only slow, unreachable or damaged fails no build.",
        "Follow the message, or set LAMBDA_ZIP_REMOTE=off to build without the cache. "
        "docs/how-to/share-builds.md has complete examples.",
    ),
    "signing-key": Kind(
        "A key for signatures cannot be used",
        "Signatures are Ed25519. The private key is in LAMBDA_ZIP_SIGNING_KEY: the path of a PEM "
        "file without a passphrase, or its content. Public keys are paths of PEM files, or base64 "
        "of their DER. No message shows anything of a private key.",
        "'openssl genpkey -algorithm ed25519 -out signing.pem' makes a key, and 'openssl pkey -in "
        "signing.pem -pubout -out signing.pub.pem' its public half.",
    ),
    "sigstore": Kind(
        "A signature of Sigstore cannot be made or verified",
        "Sigstore signs with an identity of OpenID Connect, such as that of a CI job, through its "
        "services Fulcio and Rekor. There is no identity, a service cannot be reached, the bundle "
        "is of another identity or was changed. Nothing was written.",
        "Follow the message. docs/how-to/prove.md shows the jobs. '--trust-config' names other "
        "services than the public ones.",
    ),
    "remote-dispute": Kind(
        "Two builds of the same inputs gave different bytes",
        "The remote cache has a ZIP for these inputs, and this build gave another one. Either a "
        "build is not reproducible, or somebody tampered with the cache or with a builder. Nothing "
        "was overwritten: the cache keeps both ZIPs, build/disputes has copies, and no build uses "
        "either of them from the cache until the dispute is settled.",
        "Compare the copies with `lambdas diff`, and run `lambdas verify` on both machines. If a "
        "package compiled from source differs, pin its image or take its wheel. If nothing "
        "explains the difference, treat it as an attack. To settle it, delete from the cache the "
        "entry `keys/<key>.json` and the folder `disputes/<key>/`. That needs credentials that "
        "may delete.",
    ),
    "farm": Kind(
        "The farm cannot build",
        "No Dask scheduler answers at the address of `--farm` or LAMBDA_ZIP_FARM, none of its "
        "workers can be used, or the packages of the extra `farm` are not installed. A worker "
        "that only ends, hangs or gives a wrong answer fails no build.",
        "Follow the message, or build without the farm. docs/how-to/share-builds.md shows how to "
        "start one. All workers need the same versions of this package and of uv as you have.",
    ),
    "earlier-index": Kind(
        "The earlier build to compare with cannot be read",
        "`--against` or LAMBDA_ZIP_AGAINST names a file that does not exist, or that is neither a "
        "dist/lambdas.json nor a lambdas.hashes.json.",
        "Correct the path, or fetch the file first: it is an artifact of an earlier build, or is "
        "committed on the base branch. Without a comparison, leave out the option.",
    ),
    "shards": Kind(
        "The results of shards cannot be merged",
        "`lambdas merge` publishes ZIPs only if every declared variant has one of the present "
        "inputs. A shard failed or is missing, is of another commit, was damaged on its way, or "
        "two shards gave different ZIPs for the same inputs. The message lists every problem; "
        "nothing was published.",
        "Run the jobs of the named shards again at this commit, and merge the results of all "
        "shards. If two ZIPs differ, find the build that is not reproducible with `lambdas diff`.",
    ),
    # -- published ZIPs
    "publish": Kind(
        "ZIPs cannot be published or promoted",
        "A ZIP or the record is out of date, a list is damaged, the bucket cannot be reached, or "
        "the credentials lack a permission. The message lists every problem. The list stays as it "
        "was; objects that were uploaded stay, and the next run finds them.",
        "Follow the message, then run the command again. docs/how-to/publish.md has the "
        "permissions.",
    ),
    "published-object": Kind(
        "A published object has other bytes than its name says",
        "The key of a published object is the sha256 of its bytes, and every command checks that. "
        "Somebody put other bytes there, or they were damaged. Or a signed ZIP has other files "
        "than the built one that lambdas.signed.json or a list names. Nothing was overwritten.",
        "Find out who wrote the object or changed the file, and treat it as an attack unless you "
        "can explain it. Then let an administrator delete the object, or restore the file from "
        "git, and publish again.",
    ),
    "signing": Kind(
        "AWS Signer does not sign a ZIP",
        "`lambdas publish --signing-profile` signs each ZIP once. The profile is not active or not "
        "for Lambda, the bucket keeps no versions, or a signing job failed. The list stays as it "
        "was; ZIPs that were signed are in lambdas.signed.json, and the next run finds them.",
        "Follow the message, then run the command again. docs/how-to/sign.md has the permissions.",
    ),
    "gc": Kind(
        "It is unknown which published ZIPs are in use",
        "`lambdas gc` removes nothing unless git and Lambda can name the ZIPs in use: the clone "
        "has the whole history with all branches, and the credentials may list functions and "
        "layers in the region of the bucket.",
        "Follow the message: fetch the history, set AWS_REGION, or allow the permissions in "
        "docs/how-to/publish.md.",
    ),
    "rebuild": Kind(
        "A published list cannot be rebuilt",
        "`lambdas rebuild` builds a commit in a clone of this repository. The list is not "
        "committed, git does not have the commit, or the key that signs the report is missing.",
        "Follow the message; `--commit` names the commit that was published.",
    ),
    # -- AWS
    "aws-extra": Kind(
        "boto3 is not installed",
        "The commands that ask AWS need the extra `aws`, which installs boto3.",
        "Run `pip install 'doit-lambda-zip[aws]'`.",
    ),
    "aws-access": Kind(
        "AWS refuses access",
        "There are no credentials or no region, the credentials expired, or their user or role "
        "lacks a permission. The message names it. Credentials, region and endpoint come from "
        "AWS's own environment variables and files.",
        "Log in, set AWS_PROFILE and AWS_REGION, or allow the permission. docs/how-to/drift.md "
        "and docs/how-to/deploy.md have the smallest policies.",
    ),
    "aws": Kind(
        "A request to AWS failed",
        "AWS is unreachable, throttles requests, or refuses one for a reason that the message "
        "quotes.",
        "Follow the message, then run the command again.",
    ),
    "function-name": Kind(
        "The names of deployed functions are not known",
        "`lambdas drift`, `deploy` and `rollback` find the function of each variant in the output "
        "of Terraform that `--terraform-state` names, else by the key `name` of lambdas.yaml, else "
        "by the tag `lambda-zip:id` of functions in AWS.",
        'Set `name: "{lambda}-{env}"` in `defaults` of lambdas.yaml, and give `--env`. Or tag '
        "the functions.",
    ),
    "history": Kind(
        "A commit cannot be found",
        "`--since` or `--to` names a commit that this clone does not have, or there is no git "
        "repository. CI services often clone only the last commit.",
        "Correct the name, or fetch the history: `git fetch --unshallow`.",
    ),
    "deploy": Kind(
        "A function is not deployed",
        "A deployment refuses ZIPs that are missing or out of date, functions that do not exist "
        "or have another architecture, and changes that someone else makes at the same time. It "
        "checks all functions first, and changes nothing if it refuses one.",
        "Follow the message, then run the command again. It continues with the functions that "
        "are not up to date.",
    ),
    # -- report, watch and init
    "watch": Kind(
        "`lambdas watch` cannot start",
        "The command names an undeclared function, or the package watchfiles, which detects "
        "changes, is not installed.",
        "Name functions or variants of lambdas.yaml, as in `lambdas watch team_keys`, or omit "
        "the name to watch all of them.",
    ),
    "init-exists": Kind(
        "A file already exists",
        "`lambdas init` and `lambdas terraform-module` overwrite no file of yours.",
        "Run `lambdas init --print` to see the proposal, or `lambdas terraform-module --force` "
        "to overwrite.",
    ),
    "init-nothing": Kind(
        "No Lambda function found",
        "`lambdas init` looks for folders with a handler in app.py, lambda_function.py or "
        "handler.py, and for functions in SAM, CloudFormation, Serverless, Terraform, CDK, "
        "Chalice and Zappa.",
        "Write lambdas.yaml by hand; the message has a template.",
    ),
    # -- while it runs
    "changed": Kind(
        "A file changed during the build",
        "An editor, git or another build wrote to the file between two steps.",
        "Run the build again.",
    ),
    SYSTEM: Kind(
        "The operating system reported an error",
        "For example, the disk is full, a folder is read-only, or a file belongs to another user.",
        "Follow the message, then run the build again. Finished ZIPs are unchanged.",
    ),
}


def page() -> Iterator[str]:
    """Yield the lines of docs/reference/errors.md."""
    yield "# Errors"
    yield ""
    yield "<!-- Generated by `lambdas errors`; edit buildlib/error_kinds.py. -->"
    yield ""
    yield (
        "Each message ends with its kind. `lambdas errors <kind>` prints the section of that kind."
    )
    for name, kind in KINDS.items():
        yield from ("", f"## {name}", "", f"**{kind.title}.** {kind.why}", "", kind.remedy)
