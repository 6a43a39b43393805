"""Clients of AWS services are found by literal names in the code."""

import pytest

from buildlib.code.clients import clients

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
    ("line", "services"),
    [
        ("s = boto3.Session()\ns.client('s3')", ["s3"]),
        ("sessions['a'].resource('s3')", ["s3"]),
        ("with boto3.Session() as new:\n  new.client('s3')", ["s3"]),
        ("def f(aws=boto3):\n  aws.client('s3')", ["s3"]),
        ("client('s3')", ["s3"]),
        ("docker.client('s3')", ["s3"]),
        ("core.get_service_model('s3')", ["s3"]),
    ],
)
def test_any_object(line: str, services: list[str]) -> None:
    """Any object may be a session, which is not certain; code without boto3 may get one."""
    for head in ("import boto3\n", "from common import x\n"):
        found = clients(f"{head}{line}\n".encode())
        assert [one.service for one in found] == services
        assert not any(one.is_certain for one in found)


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("('s3')", ["s3"]),
        ("f's3'", ["s3"]),
        ("'s' '3'", ["s3"]),
        ("'s3' if X else 'sqs'", ["s3", "sqs"]),
        ("NAME", ["s3"]),
        ("'s3' if X else name()", [""]),
        ("(n := name())", [""]),
        ("OTHER", [""]),
        ("n", [""]),
        ("f's{n}'", [""]),
        ("*names", [""]),
    ],
)
def test_values(text: str, services: list[str]) -> None:
    """Forms of literals and constants have their values; the name of all others is empty."""
    source = f"import boto3\nNAME = 's3'\nOTHER = 's3'\nOTHER = 'sqs'\nboto3.client({text})\n"
    assert [one.service for one in clients(source.encode())] == services


@pytest.mark.parametrize(
    "text",
    [
        "client = boto3.client",
        "partial(boto3.client, region_name='r')('s3')",
        "getattr(boto3, 'client')('s3')",
    ],
)
def test_handed_on(text: str) -> None:
    """Where code hands on the function, it can call it with any name."""
    assert "" in [one.service for one in clients(f"import boto3\n{text}\n".encode())]


@pytest.mark.parametrize(
    "text", ["for n in ('a', 'b'):\n  boto3.client(n)", "x = [boto3.client(n) for n in 'ab']"]
)
def test_loops(text: str) -> None:
    """The variable of a loop has no value."""
    assert [one.service for one in clients(f"import boto3\n{text}\n".encode())] == [""]


@pytest.mark.parametrize(
    "line",
    [
        "boto3.client()",
        "boto3.setup_default_session('s3')",
        "# boto3.client('s3')",
        "'boto3.client(\"s3\")'",
        "from boto3 import resource",
    ],
)
def test_not_found(line: str) -> None:
    """A comment, a text and another method are no such call."""
    assert clients(f"import boto3\n{line}\n".encode()) == []


def test_places() -> None:
    """Each call has its line, in their order; code with errors is read as far as possible."""
    source = b"import boto3\n\nboto3.client('a')\n(\nboto3.client('b')\ndef\n"
    assert [(one.service, one.line) for one in clients(source)][:1] == [("a", 3)]
    assert clients(b"oauth.resource(request)\n") == []  # a module without boto3
    assert clients(b"import boto3 \xff\n") == []
