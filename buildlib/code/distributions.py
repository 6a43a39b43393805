"""Name the distribution that likely provides a module."""

import re
from collections.abc import Iterator
from pathlib import Path

from buildlib.text import canonical_name

# Distributions whose import name differs from their own, from their pages on PyPI.
_KNOWN = {
    "attr": "attrs", "bs4": "beautifulsoup4", "Crypto": "pycryptodome", "cv2":
    "opencv-python-headless", "dateutil": "python-dateutil", "dotenv": "python-dotenv",
    "docx": "python-docx", "fitz": "PyMuPDF", "git": "GitPython", "jose": "python-jose",
    "jwt": "PyJWT", "ldap": "python-ldap", "ldap3": "ldap3", "magic": "python-magic",
    "markdown": "Markdown", "multipart": "python-multipart", "mysql": "mysql-connector-python",
    "MySQLdb": "mysqlclient", "nacl": "PyNaCl", "OpenSSL": "pyOpenSSL", "PIL": "Pillow",
    "pptx": "python-pptx", "psycopg2": "psycopg2-binary", "pymysql": "PyMySQL", "rest_framework":
    "djangorestframework", "ruamel": "ruamel.yaml", "serial": "pyserial", "skimage":
    "scikit-image", "sklearn": "scikit-learn", "slugify": "python-slugify", "socks": "PySocks",
    "sqlalchemy": "SQLAlchemy", "telegram": "python-telegram-bot", "usb": "pyusb", "win32api":
    "pywin32", "xmlsec": "xmlsec", "yaml": "PyYAML", "zmq": "pyzmq", "aws_lambda_powertools":
    "aws-lambda-powertools", "aws_xray_sdk": "aws-xray-sdk", "pydantic_core": "pydantic",
    "faiss": "faiss-cpu", "flask": "Flask", "jinja2": "Jinja2", "werkzeug": "Werkzeug",
    "google.protobuf": "protobuf", "googleapiclient": "google-api-python-client",
    "google.auth": "google-auth", "google.cloud.storage": "google-cloud-storage",
    "google.cloud.bigquery": "google-cloud-bigquery", "google.cloud.firestore":
    "google-cloud-firestore", "google.cloud.pubsub": "google-cloud-pubsub", "google.genai":
    "google-genai", "google.oauth2": "google-auth", "azure.storage.blob": "azure-storage-blob",
    "azure.identity": "azure-identity", "opentelemetry": "opentelemetry-api", "pinecone":
    "pinecone", "snowflake.connector": "snowflake-connector-python", "elasticsearch":
    "elasticsearch", "opensearchpy": "opensearch-py", "stripe": "stripe", "requests_aws4auth":
    "requests-aws4auth", "aioboto3": "aioboto3", "confluent_kafka": "confluent-kafka", "kafka":
    "kafka-python", "paramiko": "paramiko", "gql": "gql", "openpyxl": "openpyxl", "xlrd": "xlrd",
    "tldextract": "tldextract", "user_agents": "user-agents", "pythonjsonlogger":
    "python-json-logger", "decouple": "python-decouple", "mpl_toolkits": "matplotlib", "pylab":
    "matplotlib",
}  # fmt: skip


def likely(module: str, environments: Path) -> str:
    """Return the distribution that likely provides a dotted module.

    `environments` is the folder of the installed environments: their metadata comes first, then a
    table of well-known names, then the name itself.
    """
    first = module.partition(".")[0]
    for distribution in _installed(first, environments):
        return distribution
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if known := _KNOWN.get(".".join(parts[:length])):
            return known
    return canonical_name(first)


def _installed(module: str, environments: Path) -> Iterator[str]:
    for tree in sorted(environments.glob("*/tree")):
        if not (tree / module).is_dir() and not (tree / f"{module}.py").exists():
            continue
        for record in sorted(tree.glob("*.dist-info/RECORD")):
            text = record.read_text(encoding="utf-8", errors="replace")
            if re.search(rf"^{re.escape(module)}(/|\.py,)", text, re.MULTILINE):
                yield record.parent.name.partition("-")[0].replace("_", "-")
