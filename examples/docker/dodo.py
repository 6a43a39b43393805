"""Build the functions of lambdas.yaml: `doit`, `doit zip:<name>`, `doit list`."""

from buildlib.tasks import *  # noqa: F403
