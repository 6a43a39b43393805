"""CDK apps for `init`, in folders of a test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from buildlib.commands.init import proposal
from buildlib.commands.init.proposal import Proposal
from tests.unit.conftest import write

HANDLER = "def handler(event, context): ...\n"

# Functions that the apps of the tests deploy.
SOURCES = {
    "fn/a/index.py": HANDLER,
    "fn/b/index.py": HANDLER,
    "fn/b/sub/app.py": HANDLER,
    "layers/own/shop.py": "",
    "layers/own/requirements.txt": "",
    "layers/ready/python/shop.py": "",
    "cdk.json": "{}",
}

PYTHON = """\
import os, pathlib
from pathlib import Path
import aws_cdk as cdk
from aws_cdk import Stack, aws_lambda as _lambda, aws_lambda_python_alpha as python_
from aws_cdk.aws_lambda import Runtime, Code, Architecture, LayerVersion
P12 = Runtime.PYTHON_3_12
"""

SCRIPT = """\
import * as cdk from 'aws-cdk-lib';
import * as path from 'path';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Runtime, Code, Architecture, LayerVersion } from 'aws-cdk-lib/aws-lambda';
import { PythonFunction, PythonLayerVersion } from '@aws-cdk/aws-lambda-python-alpha';
const P12 = Runtime.PYTHON_3_12;
"""


@pytest.fixture
def propose(tmp_path: Path) -> Callable[..., Proposal]:
    """Return a function that proposes a manifest for a program."""

    def run(program: str, file: str = "infra/stack.py") -> Proposal:
        head = PYTHON if file.endswith(".py") else SCRIPT
        write(tmp_path, SOURCES | {file: head + program})
        return proposal.propose(tmp_path)

    return run
