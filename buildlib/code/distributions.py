"""Name the distribution that likely provides a module."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

# Distributions by the modules they provide, as of 2026-11, from the packages themselves: those
# whose names differ, and well-known ones whose names are the same. A name that is in neither is not
# advised: anyone can register a package with the name of somebody's own module.
_DIFFERENT = {
    "Crypto": "pycryptodome", "Cryptodome": "pycryptodomex", "Levenshtein": "Levenshtein",
    "MySQLdb": "mysqlclient", "OpenSSL": "pyOpenSSL", "PIL": "Pillow", "attr": "attrs",
    "aws_durable_execution_sdk_python": "aws-durable-execution-sdk-python",
    "aws_encryption_sdk": "aws-encryption-sdk", "aws_lambda_powertools": "aws-lambda-powertools",
    "aws_requests_auth": "aws-requests-auth", "aws_xray_sdk": "aws-xray-sdk",
    "awsgi": "aws-wsgi", "apig_wsgi": "apig-wsgi", "azure.identity": "azure-identity",
    "azure.storage.blob": "azure-storage-blob", "bs4": "beautifulsoup4",
    "charset_normalizer": "charset-normalizer", "confluent_kafka": "confluent-kafka",
    "cv2": "opencv-python-headless", "datadog_lambda": "datadog-lambda", "dateparser": "dateparser",
    "dateutil": "python-dateutil", "decouple": "python-decouple", "django_extensions":
    "django-extensions", "docx": "python-docx", "dotenv": "python-dotenv", "email_validator":
    "email-validator", "faiss": "faiss-cpu", "fitz": "PyMuPDF", "git": "GitPython", "github":
    "PyGithub", "gitlab": "python-gitlab", "google.api_core": "google-api-core", "google.auth":
    "google-auth", "google.cloud.bigquery": "google-cloud-bigquery", "google.cloud.firestore":
    "google-cloud-firestore", "google.cloud.pubsub": "google-cloud-pubsub",
    "google.cloud.pubsub_v1": "google-cloud-pubsub", "google.cloud.secretmanager":
    "google-cloud-secret-manager", "google.cloud.storage": "google-cloud-storage", "google.genai":
    "google-genai", "google.generativeai": "google-generativeai", "google.oauth2": "google-auth",
    "google.protobuf": "protobuf", "googleapiclient": "google-api-python-client", "grpc": "grpcio",
    "jose": "python-jose", "json_log_formatter": "JSON-log-formatter", "jwt": "PyJWT",
    "kafka": "kafka-python", "langchain_aws": "langchain-aws", "langchain_community":
    "langchain-community", "langchain_core": "langchain-core", "ldap": "python-ldap", "magic":
    "python-magic", "markdown": "Markdown", "mpl_toolkits": "matplotlib", "multipart":
    "python-multipart", "mysql": "mysql-connector-python", "nacl": "PyNaCl",
    "newrelic": "newrelic", "opensearchpy": "opensearch-py", "opentelemetry": "opentelemetry-api",
    "opentelemetry.instrumentation": "opentelemetry-instrumentation",
    "opentelemetry.sdk": "opentelemetry-sdk", "pika": "pika", "pptx": "python-pptx", "psycopg":
    "psycopg[binary]", "psycopg2": "psycopg2-binary", "pydantic_core": "pydantic",
    "pydantic_settings": "pydantic-settings", "pymysql": "PyMySQL", "pylab": "matplotlib",
    "pynamodb": "pynamodb", "pypdf": "pypdf", "PyPDF2": "PyPDF2", "pythonjsonlogger":
    "python-json-logger", "requests_aws4auth": "requests-aws4auth", "requests_oauthlib":
    "requests-oauthlib", "requests_toolbelt": "requests-toolbelt", "rest_framework":
    "djangorestframework", "ruamel": "ruamel.yaml", "sentry_sdk": "sentry-sdk", "serial":
    "pyserial", "serverless_wsgi": "serverless-wsgi", "skimage": "scikit-image", "sklearn":
    "scikit-learn", "slack_bolt": "slack-bolt", "slack_sdk": "slack-sdk", "slugify":
    "python-slugify", "snowflake.connector": "snowflake-connector-python", "socks": "PySocks",
    "telegram": "python-telegram-bot", "typing_extensions": "typing-extensions", "usb": "pyusb",
    "user_agents": "user-agents", "websocket": "websocket-client", "win32api": "pywin32", "yaml":
    "PyYAML", "zmq": "pyzmq", "zoneinfo_data": "tzdata",
}  # fmt: skip


_SAME = frozenset({
    "aioboto3", "aiobotocore", "aiohttp", "anthropic", "anyio", "arrow", "asgiref", "asyncpg",
    "attrs", "aws_cdk", "backoff", "bcrypt", "bleach", "boltons", "boto3", "botocore",
    "cachetools", "cattrs", "celery", "certifi", "cffi", "chalice", "chardet", "click",
    "colorama", "croniter", "cryptography", "dill", "django", "docxtpl", "duckdb",
    "elasticsearch", "ephem", "fastapi", "feedparser", "filelock", "flask", "fsspec",
    "geopandas", "geopy", "gql", "gunicorn", "h5py", "holidays", "httplib2", "httpx",
    "humanize", "idna", "ijson", "importlib_metadata", "isodate", "itsdangerous", "jinja2",
    "jmespath", "joblib", "jsonpath_ng", "jsonschema", "langchain", "lightgbm", "loguru",
    "lxml", "mako", "mangum", "markupsafe", "marshmallow", "matplotlib", "mistune", "moto",
    "msgpack", "networkx", "nltk", "numpy", "oauthlib", "oci", "openai", "openpyxl", "orjson",
    "packaging", "pandas", "paramiko", "peewee", "pendulum", "phonenumbers", "pillow", "plotly",
    "polars", "polyline", "prettytable", "protobuf", "psutil", "psycopg_pool", "pyarrow",
    "pycountry", "pydantic", "pygments", "pymongo", "pyodbc", "pyparsing", "pytest", "pytz",
    "qrcode", "rapidfuzz", "redis", "regex", "reportlab", "requests", "retrying", "rich", "rsa",
    "s3fs", "sagemaker", "scipy", "seaborn", "selenium", "sendgrid", "shapely",
    "simple_salesforce", "simplejson", "six", "smart_open", "sqlalchemy", "sqlparse",
    "starlette", "statsmodels", "stripe", "structlog", "sympy", "tabulate", "tenacity",
    "tiktoken", "tinydb", "toml", "tomli", "toolz", "torch", "tornado", "tqdm", "transformers",
    "twilio", "tzdata", "tzlocal", "ujson", "unidecode", "urllib3", "uvicorn", "validators",
    "watchtower", "weasyprint", "werkzeug", "wrapt", "xgboost", "xlrd", "xlsxwriter",
    "xmltodict", "yarl", "zeep", "zstandard",
})  # fmt: skip


# Modules of Python 2, with the modules of Python 3 that took their contents (PEP 3108).
_PYTHON2 = {
    "BaseHTTPServer": "http.server", "ConfigParser": "configparser", "Cookie": "http.cookies",
    "HTMLParser": "html.parser", "Queue": "queue", "SocketServer": "socketserver", "StringIO": "io",
    "__builtin__": "builtins", "cPickle": "pickle", "cStringIO": "io", "commands": "subprocess",
    "cookielib": "http.cookiejar", "httplib": "http.client", "sets": "builtins", "thread":
    "_thread", "urllib2": "urllib.request", "urlparse": "urllib.parse", "xmlrpclib":
    "xmlrpc.client",
}  # fmt: skip


def python2(module: str) -> str:
    """Return the module of Python 3 that replaces one of Python 2; empty if unknown."""
    return _PYTHON2.get(module.partition(".")[0], "")


def likely(wanted: Sequence[str], environments: Path) -> str:
    """Return the distribution that likely provides dotted modules or names; empty if unknown.

    `environments` is the folder of the installed environments: their metadata comes first, then a
    table of well-known names.
    """
    for name in wanted:
        if distribution := _installed(name, environments):
            return distribution
    for name in wanted:
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            if known := _DIFFERENT.get(".".join(parts[:length])):
                return known
        if parts[0] in _SAME:
            return parts[0].replace("_", "-")
    return ""


def _installed(name: str, environments: Path) -> str:
    """Return the distribution in some environment that has the longest part of a dotted name."""
    parts = name.split(".")
    best = (0, "")
    for tree in sorted(environments.glob("*/tree")):
        for length in range(len(parts), best[0], -1):
            path = "/".join(parts[:length])
            if not (tree / path).is_dir() and not (tree / f"{path}.py").exists():
                continue
            owners = list(_owners(tree, path))
            if len(owners) == 1:  # several share a namespace: none of them is the one
                best = (length, owners[0])
            break
    return best[1]


def _owners(tree: Path, path: str) -> Iterator[str]:
    for record in sorted(tree.glob("*.dist-info/RECORD")):
        text = record.read_text(encoding="utf-8", errors="replace")
        if re.search(rf"^{re.escape(path)}(/|\.py,)", text, re.MULTILINE):
            yield record.parent.name.partition("-")[0].replace("_", "-")
