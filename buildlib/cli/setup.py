"""The commands that prepare a repository or a machine."""

import shutil
import sys
from pathlib import Path

import click

import buildlib
from buildlib import console
from buildlib.cli import common, output
from buildlib.errors import BuildError


@click.command()
@click.option("--print", "show", is_flag=True, help="Print lambdas.yaml; write nothing.")
def init(*, show: bool) -> int:
    """Generate lambdas.yaml for the functions found in this directory.

    Reads code, and templates of SAM, CloudFormation, Serverless, Terraform, CDK, Chalice and Zappa.
    """
    from buildlib.commands.init import command  # YAML and HCL, for one command

    common.write(command.run(Path.cwd(), show=show))
    return 0


@click.command()
@common.json_option
def doctor(*, as_json: bool) -> int:
    """Check Python, uv, Docker, the caches and the manifest.

    Exits with 1 if something is broken.
    """
    from buildlib.commands import doctor as command

    checks = command.checks(Path.cwd())
    if as_json:
        common.write_json(output.of_doctor(checks))
    else:
        common.write(command.lines(checks))
    return int(any(check.status == command.ERROR for check in checks))


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite the files of an earlier version.")
def terraform_module(folder: Path, *, force: bool) -> int:
    """Copy the Terraform module into DIR."""
    source = _module()
    files = [path for path in sorted(source.rglob("*")) if path.suffix in {".tf", ".md"}]
    targets = {path: folder / path.relative_to(source) for path in files}
    changed = [
        str(target)
        for path, target in targets.items()
        if target.exists() and target.read_bytes() != path.read_bytes()
    ]
    if changed and not force:
        msg = f"{', '.join(changed)}: differs from this version; '--force' overwrites"
        raise BuildError(msg, "init-exists")
    for path, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    common.write([f"Wrote {len(files)} files to {folder}"])
    return 0


def _module() -> Path:
    """Return the folder of the module: in the wheel, or in a clone."""
    package = Path(buildlib.__file__).parent
    installed = package / "terraform"
    return installed if installed.is_dir() else package.parent / "terraform"


_WHERE = {
    "bash": "~/.local/share/bash-completion/completions/{program}",
    "zsh": "a directory of your fpath, as _{program}",
    "fish": "~/.config/fish/completions/{program}.fish",
}


@click.command()
@click.argument("shell", type=click.Choice([*_WHERE]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print a script that completes commands, options and names in a shell."""
    from click.shell_completion import get_completion_class

    root = ctx.find_root()
    program = "lambdas"
    found = get_completion_class(shell)
    if found is None:
        msg = f"click has no completion for {shell}"
        raise BuildError(msg, "setting")
    common.write([found(root.command, {}, program, "_LAMBDAS_COMPLETE").source()])
    if sys.stdout.isatty():
        where = _WHERE[shell].format(program=program)
        console.write(sys.stderr, f"Save this to {where}\n")
    return 0
