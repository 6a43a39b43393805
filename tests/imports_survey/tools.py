"""Example functions in the style of the documentation of tools, and the imports that each lacks.

Each is a handler, the files of the function, its requirements, and the names that are missing in
its ZIP: those come from a layer, or the example forgets a requirement.
"""

import sys
from typing import NamedTuple


class Example(NamedTuple):
    """An example function: `missing` are the names that nothing in its ZIP provides."""

    handler: str
    files: dict[str, str]
    requirements: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    more: str = ""  # lines of the manifest


END = "\n\ndef lambda_handler(event, context):\n    return {'statusCode': 200}\n"


def _one(head: str, *requirements: str, missing: tuple[str, ...] = ()) -> Example:
    files = {"app.py": head + END}
    return Example("app.lambda_handler", files, requirements, frozenset(missing))


EXAMPLES = {
    "sam-hello-world": _one("import json\n\n# import requests\n", "requests"),
    "sam-powertools": _one(
        "from aws_lambda_powertools.event_handler import APIGatewayRestResolver\n"
        "from aws_lambda_powertools.utilities.typing import LambdaContext\n"
        "from aws_lambda_powertools.logging import correlation_paths\n"
        "from aws_lambda_powertools import Logger, Metrics, Tracer\n"
        "from aws_lambda_powertools.metrics import MetricUnit\n",
        "aws-lambda-powertools[tracer]",
    ),
    "sam-layer": _one("import acme_layer\n", missing=("acme_layer",)),
    "sam-step-functions": Example(
        "app.lambda_handler",
        {
            "app.py": "from random import randint\nfrom uuid import uuid4\nfrom datetime import *"
            + END
        },
    ),
    "sam-stock-package": Example(
        "hello_world/app.lambda_handler",
        {
            "hello_world/__init__.py": "",
            "hello_world/app.py": "from .services import prices\nfrom hello_world import model"
            + END,
            "hello_world/model/__init__.py": "from .aws.event import Event\n",
            "hello_world/model/aws/__init__.py": "# coding: utf-8\n",
            "hello_world/model/aws/event.py": "import pprint\nimport six\nclass Event: ...\n",
            "hello_world/services/prices.py": "import os\n",
        },
    ),
    "serverless-python-http": Example(
        "handler.hello",
        {
            "handler.py": (
                "import json\n\n\ndef hello(event, context):\n    return json.dumps(event)\n"
            )
        },
    ),
    "serverless-requirements-zip": Example(
        "handler.hello",
        {
            "handler.py": (
                "try:\n    import unzip_requirements\nexcept ImportError:\n    pass\n"
                "import numpy as np\n\n\n"
                "def hello(event, context):\n    return np.ones(1).tolist()\n"
            )
        },
        ("numpy",),
        frozenset({"unzip_requirements"}),
    ),
    "serverless-vendored": Example(
        "handler.hello",
        {
            "handler.py": (
                "import os\nimport sys\n\nhere = os.path.dirname(os.path.realpath(__file__))\n"
                "sys.path.append(os.path.join(here, 'vendored'))\n\nimport greeter\n\n\n"
                "def hello(event, context):\n    return greeter.greet()\n"
            ),
            "vendored/greeter/__init__.py": "from .core import greet\n",
            "vendored/greeter/core.py": "def greet(): ...\n",
        },
    ),
    "serverless-todos-package": Example(
        "todos/create.create",
        {
            "todos/__init__.py": "",
            "todos/create.py": (
                "import boto3\nfrom todos import decimalencoder\n\n\n"
                "def create(event, context):\n    return decimalencoder.encode(event)\n"
            ),
            "todos/decimalencoder.py": "import decimal\ndef encode(x): ...\n",
        },
    ),
    "serverless-wsgi-flask": Example(
        "wsgi_handler.handler",
        {
            "app.py": "from flask import Flask\napp = Flask(__name__)\n",
            "wsgi_handler.py": (
                "import importlib\nimport serverless_wsgi\n\n\n"
                "def handler(event, context):\n    app = importlib.import_module('app').app\n"
                "    return serverless_wsgi.handle_request(app, event, context)\n"
            ),
        },
        ("flask", "serverless-wsgi"),
    ),
    "chalice-rest": Example(
        "app.app",
        {
            "app.py": (
                "from chalice import Chalice\nfrom chalicelib import db\n\n"
                "app = Chalice(app_name='helloworld')\n\n\n@app.route('/')\n"
                "def index():\n    return {'hello': 'world'}\n"
            ),
            "chalicelib/__init__.py": "",
            "chalicelib/db.py": "import boto3\nfrom boto3.dynamodb.conditions import Key\n",
        },
        ("chalice",),
    ),
    "cdk-url-shortener": Example(
        "handler.main",
        {
            "handler.py": (
                "import json\nimport os\nimport uuid\nimport logging\n\nimport boto3\n\n\n"
                "def main(event, context):\n    return {}\n"
            )
        },
    ),
    "cdk-python-function": Example(
        "index.handler",
        {
            "index.py": (
                "from http import HTTPStatus\nimport requests\nfrom PIL import Image\n\n\n"
                "def handler(event, context):\n    return requests.codes.ok\n"
            )
        },
        ("requests", "pillow"),
    ),
    "powertools-batch": _one(
        "import json\nfrom aws_lambda_powertools.utilities.batch import (\n    BatchProcessor,\n"
        "    EventType,\n    process_partial_response,\n)\n"
        "from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord\n",
        "aws-lambda-powertools",
    ),
    "powertools-parser": _one(
        "from typing import TYPE_CHECKING\n"
        "from aws_lambda_powertools.utilities.parser import BaseModel, event_parser\n"
        "if TYPE_CHECKING:\n    from mypy_boto3_s3 import S3Client\n",
        "aws-lambda-powertools[parser]",
    ),
    "zappa-handler": Example(
        "handler.lambda_handler",
        {
            "handler.py": "from zappa.handler import lambda_handler\n",
            "zappa_settings.py": "APP_MODULE = 'app'\n",
            "app.py": "from flask import Flask\napp = Flask(__name__)\n",
        },
        ("zappa", "flask"),
        more="    allow_sdist: [placebo, kappa, zappa]\n",
    ),
    "mangum-fastapi": Example(
        "app/main.handler",
        {
            "app/__init__.py": "",
            "app/main.py": (
                "from fastapi import FastAPI\nfrom mangum import Mangum\n\n"
                "from .routers import items, users\n\napp = FastAPI()\n"
                "app.include_router(users.router)\nhandler = Mangum(app)\n"
            ),
            "app/dependencies.py": "from fastapi import Header, HTTPException\n",
            "app/routers/__init__.py": "",
            "app/routers/users.py": "from fastapi import APIRouter\n\nrouter = APIRouter()\n",
            "app/routers/items.py": (
                "from fastapi import APIRouter, Depends\nfrom ..dependencies import Header\n"
                "router = APIRouter()\n"
            ),
        },
        ("fastapi", "mangum"),
    ),
    "terraform-module-layer": _one(
        "import pandas as pd\nimport requests\n", missing=("pandas", "requests")
    ),
    "terraform-module-simple": Example(
        "index.lambda_handler",
        {"index.py": "def lambda_handler(event, context):\n    return 'hi'\n"},
    ),
    "pants-helloworld": Example(
        "helloworld/lambda_function.handler",
        {
            "helloworld/lambda_function.py": (
                "from helloworld.greet.greeting import Greeter\n"
                "from helloworld.translator.translator import LANGUAGES\n\n\n"
                "def handler(event, context):\n    return Greeter(LANGUAGES)\n"
            ),
            "helloworld/greet/__init__.py": "",
            "helloworld/greet/greeting.py": (
                "import yaml\nimport importlib.resources\nclass Greeter: ...\n"
            ),
            "helloworld/translator/translator.py": "LANGUAGES = ['en']\n",
        },
        ("pyyaml",),
    ),
    "aws-tutorial-s3-thumbnails": Example(
        "lambda_function.lambda_handler",
        {
            "lambda_function.py": (
                "import boto3\nimport os\nimport sys\nimport uuid\n"
                "from urllib.parse import unquote_plus\nfrom PIL import Image\nimport PIL.Image"
                + END
            )
        },
        ("pillow",),
    ),
    "aws-tutorial-rds": Example(
        "lambda_function.lambda_handler",
        {
            "lambda_function.py": (
                "import sys\nimport logging\nimport pymysql\nimport json\nimport os"
            )
            + END
        },
        ("pymysql",),
    ),
    "aws-tutorial-rds-forgotten": Example(
        "lambda_function.lambda_handler",
        {"lambda_function.py": "import pymysql\nimport json" + END},
        (),
        frozenset({"pymysql"}),
    ),
    "aws-snapstart-hooks": _one(
        "from snapshot_restore_py import register_after_restore, register_before_snapshot\n"
    ),
    "aws-codedeploy-urllib3": _one("import urllib3\nfrom botocore.exceptions import ClientError\n"),
    "aws-custom-resource": _one("import cfnresponse\n", missing=("cfnresponse",)),
    "aws-secrets-rotation": _one(
        "import boto3\nimport logging\nimport pg\nimport pgdb\n", missing=("pg", "pgdb")
    ),
    "xray-getting-started": _one(
        (
            "from aws_xray_sdk.core import xray_recorder\n"
            "from aws_xray_sdk.core import patch_all\n"
            "patch_all()\n"
        ),
        "aws-xray-sdk",
    ),
    "datadog-layer": _one(
        "from datadog_lambda.metric import lambda_metric\nfrom ddtrace import tracer\n",
        missing=("datadog_lambda", "ddtrace"),
    ),
    "sentry": _one(
        "import sentry_sdk\nfrom sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration\n",
        "sentry-sdk",
    ),
    "slack-bolt": _one(
        (
            "from slack_bolt import App\n"
            "from slack_bolt.adapter.aws_lambda import SlackRequestHandler\n"
        ),
        "slack-bolt",
    ),
    "alexa-skill": _one(
        "from ask_sdk_core.skill_builder import SkillBuilder\n"
        "from ask_sdk_core.utils import is_request_type\nfrom ask_sdk_model import Response\n",
        "ask-sdk-core",
    ),
    "sam-old-python": _one(
        "import imp\nfrom distutils.util import strtobool\nimport urllib2\n",
        missing=("urllib2", *(("imp", "distutils") if sys.version_info >= (3, 12) else ())),
    ),
    "tomllib-or-tomli": _one(
        "import sys\n"
        "if sys.version_info >= (3, 11):\n"
        "    import tomllib\n"
        "else:\n"
        "    import tomli as tomllib\n"
    ),
    "optional-json": Example(
        "app.lambda_handler",
        {
            "app.py": (
                "import contextlib\nwith contextlib.suppress(ImportError):\n    import uvloop\n"
                "try:\n    import orjson as json\nexcept ModuleNotFoundError:\n    import json"
                + END
            )
        },
        (),
        frozenset({"uvloop", "orjson"}),
    ),
}
