"""Clients of AWS services are found by literal names in the code."""

import pytest

from buildlib.code.clients import clients, computed

FOUND = {
    'boto3.client("s3")': "s3",
    "boto3.resource('dynamodb', region_name=R)": "dynamodb",
    'boto3.client(region_name="r", service_name="sqs")': "sqs",
    'boto3.client(  # why\n    "lambda",\n)': "lambda",
    'boto3.session.Session().client("sns")': "sns",
    'boto3.Session(\n    profile_name="x"\n).client("iam")': "iam",
    'self._session.client("ec2")': "ec2",
    'botocore.session.get_session().create_client("kms")': "kms",
    'aws_session.resource(r"glacier")': "glacier",
    'boto3.Session().get_available_regions("ec2")': "ec2",
}


@pytest.mark.parametrize("call", FOUND)
def test_found(call: str) -> None:
    """Calls of boto3 and of a session count, also over several lines and inside of a function."""
    for source in (f"import boto3\nc = {call}\n", f"import boto3\ndef f():\n  return [{call}]\n"):
        assert [one.service for one in clients(source.encode())] == [FOUND[call]]


@pytest.mark.parametrize(
    "line",
    [
        "import boto3 as aws\naws.client('s3')",
        "from boto3 import client\nclient('s3')",
        "from boto3 import (\n    resource as make,\n    Session,\n)\nmake('s3')",
        "import aioboto3\nasync def f():\n  async with aioboto3.Session().client('s3') as c: pass",
    ],
)
def test_other_names(line: str) -> None:
    """Functions of boto3, and the module itself, may have other names."""
    assert [one.service for one in clients(line.encode())] == ["s3"]


@pytest.mark.parametrize(
    "line",
    [
        "boto3.client(name)",
        "boto3.client(f's{n}')",
        "boto3.client()",
        "boto3.setup_default_session('s3')",
        "docker.client('s3')",
        "oauth.resource('s3')",
        "client('s3')",
        "# boto3.client('s3')",
        "'boto3.client(\"s3\")'",
        "boto3.client",
    ],
)
def test_not_found(line: str) -> None:
    """A computed name, another object's method, a comment and a text are no such call."""
    assert clients(f"import boto3\n{line}\n".encode()) == []


@pytest.mark.parametrize("call", ["client(name)", "client(f's{n}')", "resource(service_name=n)"])
def test_computed(call: str) -> None:
    """The line of a computed name is known."""
    source = f"import boto3\nboto3.client('s3')\nboto3.{call}\nboto3.client()\n".encode()
    assert computed(source) == [3]


def test_places() -> None:
    """Each call has its line, in their order; code with errors is read as far as possible."""
    source = b"import boto3\n\nboto3.client('a')\n(\nboto3.client('b')\ndef\n"
    assert [(one.service, one.line) for one in clients(source)][:1] == [("a", 3)]
    assert clients(b"session.client('s3')\n") == []  # a module without boto3
    assert clients(b"import boto3 \xff\n") == []
