"""Build the functions that lambdas.yaml declares: `doit`, `doit zip:<name>`, `doit list`."""

from buildlib.tasks import *  # noqa: F403
