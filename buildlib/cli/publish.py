"""The commands that work on published ZIPs in an S3 bucket."""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from buildlib import console, text
from buildlib.artifacts import published
from buildlib.cli import common
from buildlib.layout import Layout

if TYPE_CHECKING:
    from buildlib.commands.publish.sign import Signing

# A path from the user's directory, which can be below the repository's root.
_PATH = click.Path(dir_okay=False, resolve_path=True, path_type=Path)


def _named(
    ctx: click.Context,  # noqa: ARG001 - click's interface
    param: click.Parameter,  # noqa: ARG001
    path: Path | None,
) -> Path | None:
    """Refuse a list that garbage collection would not find.

    Raises:
        BadParameter: it has another name.

    """
    if path is not None and not path.match(published.PATTERN):
        msg = f"expected a name like {published.PATTERN}, for which 'lambdas gc' looks"
        raise click.BadParameter(msg)
    return path


_bucket = click.option(
    "--bucket", metavar="URL", help="s3://bucket/prefix.  [default: the bucket in the list]"
)


def _list_option(default: str) -> Callable[[common.F], common.F]:
    return click.option(
        "--list",
        "path",
        type=_PATH,
        callback=_named,
        metavar="FILE",
        help=f"The list to write, in the repository.  [default: {default}]",
    )


def _options(function: common.F) -> common.F:
    dry = click.option("--dry-run", "dry", is_flag=True, help="Ask the bucket; change nothing.")
    return dry(common.json_option(function))


@click.command()
@common.names_argument
@_bucket
@_list_option(published.NAME)
@common.profile_option
@click.option(
    "--signing-profile",
    metavar="NAME",
    help="Sign with this profile of AWS Signer.  [default: the profile in the list]",
)
@click.option("--unsigned", is_flag=True, help="Publish the ZIPs without a signature.")
@_options
def publish(  # noqa: PLR0913 - click passes each option
    names: Sequence[str],
    bucket: str | None,
    path: Path | None,
    profile: str,
    signing_profile: str | None,
    *,
    unsigned: bool,
    dry: bool,
    as_json: bool,
) -> int:
    """Upload the ZIPs in dist/ to an S3 bucket, under their sha256.

    Builds nothing. Writes the bucket, the key and the version of each object to
    lambdas.published.json, and signed ZIPs to lambdas.signed.json; commit the files.
    """
    from buildlib.commands.publish import access
    from buildlib.commands.publish import publish as command

    if signing_profile == "":
        msg = "expected the name of a profile; '--unsigned' publishes without a signature"
        raise click.BadParameter(msg, param_hint="'--signing-profile'")
    if unsigned and signing_profile:
        msg = "does not go together with '--signing-profile'"
        raise click.BadParameter(msg, param_hint="'--unsigned'")
    repository = common.project()
    variants = common.chosen(repository, names)
    path = path or repository.layout.root / published.NAME
    access.check_inside(repository.layout.root, path)
    where = access.address(bucket, path)
    signer = "" if unsigned else access.signing_profile(path, signing_profile)
    signing = _signing(repository.layout, signer, profile) if signer else None
    request = command.Request(where, access.access(profile), path, dry, signing)
    with _told(path, dry=dry):
        done = command.publish(repository, variants, request, _say)
    repository.save()
    _show(done, "publish", dry=dry, as_json=as_json)
    return 0


def _signing(layout: Layout, name: str, profile: str) -> "Signing":
    from buildlib.aws import account
    from buildlib.commands.publish import sign

    return sign.prepare(layout, account.connect(profile), name)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=common.complete)
@_bucket
@click.option(
    "--from",
    "source",
    type=_PATH,
    metavar="FILE",
    help=f"The list to promote.  [default: {published.NAME}]",
)
@_list_option(published.PRODUCTION)
@click.option(
    "--from-profile",
    default="",
    metavar="NAME",
    help="The profile that reads the objects of the list.",
)
@click.option(
    "--to-profile", default="", metavar="NAME", help="The profile that writes to the bucket."
)
@click.option("--from-region", default="", metavar="NAME", help="The region of the bucket to read.")
@click.option("--to-region", default="", metavar="NAME", help="The region of the bucket to write.")
@_options
def promote(
    names: Sequence[str],
    *,
    dry: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - click's values
) -> int:
    """Copy published ZIPs to another bucket without a rebuild.

    Proves the sha256 of each ZIP, and refuses one that the committed lambdas.hashes.json lacks.
    """
    from buildlib.commands.publish import access
    from buildlib.commands.publish import promote as command
    from buildlib.commands.publish.publish import Request

    layout = Layout(common.enter())
    path = options["path"] or layout.root / published.PRODUCTION
    access.check_inside(layout.root, path)
    where = access.address(options["bucket"], path)
    writing = access.access(options["to_profile"], options["to_region"])
    reading = access.access(options["from_profile"], options["from_region"])
    origin = (options["source"] or layout.root / published.NAME, reading)
    request = Request(where, writing, path, dry)
    with _told(path, dry=dry):
        done = command.promote(layout, origin, names, request, _say)
    _show(done, "promote", dry=dry, as_json=as_json)
    return 0


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=common.complete)
@click.option(
    "--from",
    "source",
    type=_PATH,
    metavar="FILE",
    help=f"The list of published ZIPs.  [default: {published.NAME}]",
)
@click.option(
    "--commit", metavar="REV", help="The commit to build.  [default: that which brought each entry]"
)
@click.option("--report", type=_PATH, metavar="FILE", help="Write the result as a statement.")
@click.option("--sign", is_flag=True, help="Sign the report with LAMBDA_ZIP_SIGNING_KEY.")
@common.json_option
def rebuild(  # noqa: PLR0913 - click passes each option
    names: Sequence[str],
    *,
    source: Path | None,
    commit: str | None,
    report: Path | None,
    sign: bool,
    as_json: bool,
) -> int:
    """Build published ZIPs again from their commit, in a clone, and compare.

    Takes no ZIP from a cache. Exits with 1 if one differs.
    """
    from buildlib.commands.publish import attest
    from buildlib.commands.publish import rebuild as command

    if sign and report is None:
        msg = "needs '--report FILE', the file to sign"
        raise click.BadParameter(msg, param_hint="'--sign'")
    key = attest.signing_key() if sign else None
    layout = Layout(common.enter())
    done = command.rebuild(layout, source or layout.root / published.NAME, commit, names, _say)
    if done.is_shallow:
        _say(
            "warning: this clone is shallow, so an entry of an earlier commit was built from the "
            "oldest commit here; run 'git fetch --unshallow' first"
        )
    if done.uncommitted:
        _say(
            f"warning: no commit of {done.name} has {', '.join(done.uncommitted)} as here, so the "
            "present commit was built; commit the list, or name the commit with '--commit'"
        )
    if report is not None:
        attest.write(report, done, key)
    if as_json:
        from buildlib.cli import live_output

        common.write_json(live_output.of_rebuilt(done))
    else:
        for one in done.variants:
            if not one.is_equal:
                found = f"the rebuild has {one.rebuilt}" if one.rebuilt else "it was not rebuilt"
                common.write([f"{one.id}: {one.published} is published, and {found}", one.advice])
        commits = dict.fromkeys(one.commit for one in done.variants)
        at = f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}"
        common.write([f"{done.equal} of {len(done.variants)} equal, at {at}"])
        if signed := sum(one.is_signed for one in done.variants):
            line = f"{signed} of them signed: the built ZIPs were compared, and not the signed ones"
            common.write([f"{line}, which 'lambdas promote' compares"])
    return int(done.equal < len(done.variants))


def _days(
    ctx: click.Context,  # noqa: ARG001 - click's interface
    param: click.Parameter,  # noqa: ARG001
    value: str,
) -> int:
    """Return the number of days in a text like `30d`.

    Raises:
        BadParameter: it is another text.

    """
    number = value.removesuffix("d")
    if not re.fullmatch("[0-9]{1,5}", number):
        msg = f"expected a number of days, such as 30d, found '{value}'"
        raise click.BadParameter(msg)
    return int(number)


@click.command()
@_bucket
@click.option(
    "--keep",
    default="90d",
    show_default=True,
    callback=_days,
    metavar="DAYS",
    help="Keep ZIPs that a commit of the last DAYS days lists.",
)
@click.option(
    "--age",
    default="30d",
    show_default=True,
    callback=_days,
    metavar="DAYS",
    help="Keep younger objects.",
)
@click.option("--delete", is_flag=True, help="Remove the objects instead of only listing them.")
@click.option("--versions", is_flag=True, help="With --delete: remove all versions for good.")
@click.option(
    "--without-asking-lambda",
    "blind",
    is_flag=True,
    help="Do not ask which ZIPs functions use. Functions with reference storage may break.",
)
@common.profile_option
@common.json_option
def gc(  # noqa: PLR0913 - click passes each option
    *,
    bucket: str | None,
    keep: int,
    age: int,
    delete: bool,
    versions: bool,
    blind: bool,
    profile: str,
    as_json: bool,
) -> int:
    """Remove published ZIPs that neither git nor a function uses.

    Names them only, unless you set '--delete'. A prefix belongs to one repository.
    """
    from datetime import UTC, datetime

    from buildlib.aws import account
    from buildlib.commands.publish import access
    from buildlib.commands.publish import gc as command

    layout = Layout(common.enter())
    where = access.address(bucket, layout.root / published.NAME)
    connected = account.connect(profile)
    rules = command.Rules(keep, age, not blind, versions)
    found = command.find(layout.root, connected, where, rules, datetime.now(UTC))
    problems = command.remove(connected, where, found.unused, versions=versions) if delete else []
    if as_json:
        from buildlib.cli import live_output

        common.write_json(live_output.of_garbage(found, where, problems, deleted=delete))
    else:
        common.write(command.lines(found, where, rules, deleted=delete))
    for problem in problems:
        _say(f"error: {problem}; allow {command.permission(versions=versions)}")
    return int(bool(problems))


@contextlib.contextmanager
def _told(path: Path, *, dry: bool) -> Iterator[None]:
    """Name the leftovers of a publication after Ctrl-C; the list is written last."""
    try:
        yield
    except KeyboardInterrupt:
        left = (
            f"{published.shown(path)} is unchanged; objects that were uploaded stay, and the same "
            "command continues with the others"
        )
        _say(f"interrupted: {'nothing was changed' if dry else left}")
        raise


def _say(line: str) -> None:
    console.write(sys.stderr, f"{line}\n")


def _show(done: Any, command: str, *, dry: bool, as_json: bool) -> None:  # noqa: ANN401
    """Show the result of a publication."""
    for warning in done.warnings:
        _say(f"warning: {warning}")
    if as_json:
        from buildlib.cli import live_output

        common.write_json(live_output.of_published(done, command, dry=dry))
        return
    changed = {name: outcome for name, outcome in done.outcomes.items() if outcome != "unchanged"}
    words = {"uploaded": "uploaded", "pending": "to upload"}
    rows = [
        (name, words[outcome], done.entries[name]["s3_key"]) for name, outcome in changed.items()
    ]
    if rows:
        common.write(text.table([("variant", "done", "object"), *rows], numbers=False))
    unchanged = len(done.outcomes) - len(changed)
    verb = "to upload" if dry else "uploaded"
    amount = f" ({text.amount(done.bytes)})" if done.bytes else ""
    listed = "" if dry else f", listed in {published.shown(done.path)}"
    common.write([
        f"{len(changed)} {verb}{amount}, {unchanged} unchanged in {done.where.url}{listed}"
    ])  # fmt: skip
