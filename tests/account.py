"""An AWS account that moto serves on the loopback interface."""

import contextlib
import importlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest


@contextlib.contextmanager
def served(region: str) -> Iterator[dict[str, str]]:
    """Yield the variables of a new account; skip without moto, which CI must have."""
    for name in ("moto", "flask_cors", "boto3"):
        if importlib.util.find_spec(name) is None:
            assert "CI" not in os.environ, f"CI must have {name}"
            pytest.skip(f"{name} is not installed: pip install -e '.[integration]'")
    server = importlib.import_module("moto.server")
    threaded = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    threaded.start()
    host, port = threaded.get_host_and_port()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        threaded.stop()


def client(account: Mapping[str, str], service: str, region: str | None = None) -> Any:  # noqa: ANN401 - boto3 makes it at run time
    """Return a client of a service in this account."""
    return importlib.import_module("boto3").client(
        service,
        endpoint_url=account["AWS_ENDPOINT_URL"],
        region_name=region or account["AWS_REGION"],
        aws_access_key_id=account["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=account["AWS_SECRET_ACCESS_KEY"],
    )
