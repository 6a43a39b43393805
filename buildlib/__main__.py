"""`python -m buildlib`: the command `lambdas`, where no scripts are on the PATH."""

from buildlib.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main(program="python -m buildlib"))
