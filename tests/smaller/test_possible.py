"""What `strip` and `aws_services` would save where they are off, and that it comes true."""

import platform
import re
import shutil
from typing import Any

import pytest

from buildlib.environment import symbols
from tests import elf_files
from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer

TAG = "cp313-cp313-manylinux2014_x86_64"
DEBUG = elf_files.Part(".debug_info", b"debug " * 50_000)
LARGE = elf_files.make((*elf_files.dynamic("libone.so"), elf_files.TEXT, DEBUG))
SAVED = len(LARGE) - len(symbols.cut(LARGE).content)
NATIVE: dict[str, str | bytes] = {
    "native/__init__.py": "N = 1\n",
    "native/core.so": LARGE,
    "native/fips.so": LARGE,  # is compared with a checksum
    "native/helper": elf_files.make(segments=(elf_files.INTERP,)),
}

# As in botocore, with one large file for each service.
SIZES = {"s3": 200_000, "sqs": 150_000, "ec2": 300_000, "sts": 120_000, "sso": 110_000}
DATA = {f"botocore/data/{name}/x/service-2.json": "x" * size for name, size in SIZES.items()}
BOTOCORE: dict[str, str | bytes] = {
    "botocore/__init__.py": "",
    "botocore/data/endpoints.json": "x" * 400_000,
    **DATA,
}
CODE = f'import boto3\n\nS3 = boto3.client("s3")\n\n\n{HANDLER}'

ALL_TEXT = (
    "'aws_services: [s3]' saves 439.5 kB unzipped (2 services that its code and packages do not "
    "name)"
)


def manifest(*lines: str) -> str:
    """Return a manifest with one function."""
    head = "version: 1\nlambdas:\n  api:\n    handler: app.handler"
    return "".join([head, *(f"\n    {line}" for line in lines)])


@pytest.fixture
def wasteful(repository: Repository, index: Index) -> Repository:
    """Give a function with symbols and services that it does not need, and machine code its own."""
    index.add("native", files=NATIVE, tag=TAG)
    index.add("botocore", files=BOTOCORE)
    index.add("boto3", files={"boto3/__init__.py": "def client(name): ..."}, requires=("botocore",))
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": manifest(),
        "lambdas/api/requirements.txt": "native\nboto3\n",
        "lambdas/api/app.py": CODE,
        "lambdas/api/own.so": LARGE,
    })  # fmt: skip
    return repository


def possible(repository: Repository, *, name: str = "api") -> list[dict[str, Any]]:
    """Return the possible savings in a ZIP."""
    found = answer(repository.lambdas("size", "--json").output)["variants"]
    (savings,) = (one["possible"] for one in found if one["id"] == name)
    return list(savings)


def unzipped(repository: Repository) -> int:
    """Return the size of the files in the function's ZIP, without RECORDs, which name sizes."""
    members = repository.members("api")
    return sum(len(c) for path, c in members.items() if not path.endswith("/RECORD"))


def test_they_come_true(wasteful: Repository) -> None:
    """Each setting, written as it is shown, saves as many bytes as it says, and is gone then."""
    wasteful.doit()
    lines = wasteful.lambdas("size").output.splitlines()
    assert f"Possible in api: {ALL_TEXT}" in lines
    assert sum(line.startswith("Possible in api: 'strip: true' saves ") for line in lines) == 1
    before, offers = unzipped(wasteful), possible(wasteful)
    assert offers == [
        {"option": "aws_services", "setting": "aws_services: [s3]", "unzipped_size": 450_000},
        {"option": "strip", "setting": "strip: true", "unzipped_size": SAVED},
    ]
    for number, offer in enumerate(offers):
        settings = [one["setting"] for one in offers[: number + 1]]
        wasteful.write({"lambdas.yaml": manifest(*settings)})
        wasteful.doit()
        after = unzipped(wasteful)
        assert before - after == offer["unzipped_size"]
        assert possible(wasteful) == offers[number + 1 :]
        before = after


def test_from_the_cache(wasteful: Repository) -> None:
    """They are those of the ZIP, so they are known where nothing is installed."""
    wasteful.doit()
    offers = possible(wasteful)
    shutil.rmtree(wasteful.root / "build/env")
    assert possible(wasteful) == offers


def test_no_name_in_the_code(wasteful: Repository) -> None:
    """Without a name in the code, the option is shown without a list, and without what stays."""
    wasteful.write({"lambdas/api/app.py": HANDLER})
    wasteful.doit()
    assert possible(wasteful)[0] == {
        "option": "aws_services", "setting": "aws_services", "unzipped_size": 650_000,
    }  # fmt: skip
    text = wasteful.lambdas("size").output
    assert "'aws_services' saves 634.8 kB unzipped (3 services in all; name those that " in text


@pytest.mark.parametrize(
    "code",
    [
        "s = boto3.Session()\ns.client('sqs')",
        "from boto3 import client\nclient('sqs')",
        "NAME = 'sqs'\nboto3.client(NAME)",
        "boto3.client('sqs' if S3 else 's3')",
    ],
)
def test_names_in_code(wasteful: Repository, code: str) -> None:
    """Every form in which code names a service counts, so the list is one that starts."""
    wasteful.write({"lambdas/api/app.py": f"{CODE}\n{code}\n"})
    wasteful.doit()
    assert "aws_services: [s3, sqs]" in [one["setting"] for one in possible(wasteful)]


@pytest.mark.parametrize(
    "code",
    [
        "T = boto3.client(os.environ['T'])",
        "T = [boto3.client(name) for name in ('sqs', 's3')]",
        "T = functools.partial(boto3.client, 'sqs')",
        "T = getattr(boto3, 'client')('sqs')",
    ],
)
def test_a_computed_name(wasteful: Repository, code: str) -> None:
    """Where own code computes a name, the option is shown without a list, and with the place."""
    wasteful.write({"lambdas/api/app.py": f"{CODE}\n{code}\n"})
    wasteful.doit()
    line = CODE.count("\n") + 2
    text = wasteful.lambdas("size").output
    assert f"(3 services in all; name those that are called; lambdas/api/app.py:{line} " in text


def test_without_sources(wasteful: Repository) -> None:
    """Where sources are left out, nobody can read what packages call: there is no list."""
    python = platform.python_version()
    keys = ("bytecode: true", "sources: false", f"compiler: '{python}'")
    wasteful.write({
        "lambdas.yaml": manifest(f"python: '{python.rpartition('.')[0]}'", *keys),
        "lambdas/api/requirements.txt": "boto3\n",
    })  # fmt: skip
    wasteful.doit()
    assert possible(wasteful)[0]["setting"] == "aws_services"


def test_names_in_packages(wasteful: Repository, index: Index) -> None:
    """Services that a package calls stay in the list; a build that leaves one out names it once."""
    module = 'import boto3\n\ndef queue():\n    return boto3.client("sqs")\n'
    index.add("native", "2.0", files={"native/__init__.py": module}, requires=("boto3",))
    wasteful.doit()
    assert possible(wasteful)[0]["setting"] == "aws_services: [s3, sqs]"
    wasteful.write({"lambdas.yaml": manifest("aws_services: [s3]")})
    warned = (
        "lambda 'api': packages call AWS services that 'aws_services' leaves out: 'sqs' "
        "(native/__init__.py:4); add those that the function uses"
    )
    assert wasteful.doit().output.count(warned) == 1
    wasteful.write({"lambdas/api/app.py": CODE + "\n"})
    assert warned not in wasteful.doit().output
    wasteful.write({"lambdas.yaml": manifest("aws_services: [s3, sqs]")})
    assert warned not in wasteful.doit().output


def test_too_little(wasteful: Repository, index: Index) -> None:
    """Savings below 100 kB are no line."""
    index.add("native", "2.0", files={"native/core.so": elf_files.make()}, tag=TAG)
    index.add("botocore", "2.0", files={"botocore/data/ec2/x/service-2.json": "x" * 99_999})
    wasteful.doit()
    assert possible(wasteful) == []


def test_in_a_layer(wasteful: Repository) -> None:
    """A layer's savings are in its own ZIP, and its own code names no services."""
    layer = "layers:\n  common:\n    requirements: layers/common/requirements.txt\n"
    wasteful.write({
        "lambdas.yaml": f"{manifest('layers: [common]')}\n{layer}",
        "layers/common/requirements.txt": "native\nboto3\n",
        "lambdas/api/requirements.txt": "",
    })  # fmt: skip
    wasteful.doit()
    assert possible(wasteful) == []
    found = possible(wasteful, name="common")
    settings = {"aws_services": 650_000, "strip: true": SAVED}
    assert {one["setting"]: one["unzipped_size"] for one in found} == settings


def test_too_large(wasteful: Repository) -> None:
    """The error about a ZIP that is too large names them, and with them it fits."""
    limit = "size_limit: 1600 kB"
    wasteful.write({"lambdas.yaml": manifest(limit)})
    message = wasteful.fails().message
    assert f"{ALL_TEXT}. 'strip: true' saves " in message
    settings = re.findall(r"'((?:strip|aws_services): [^']*)' saves", message)
    wasteful.write({"lambdas.yaml": manifest(limit, *settings)})
    wasteful.doit()
