"""A connection to AWS: credentials, region and endpoint come from AWS's own settings.

Source: "Configuration and credential precedence" in the reference of AWS SDKs and tools.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from buildlib.aws import reasons
from buildlib.errors import AwsAccessError, AwsError

T = TypeVar("T")
R = TypeVar("R")

# Requests at the same time. Lambda allows 15 a second for most of its API, and botocore retries.
CONCURRENT = 8

# Seconds to connect, and to wait for the next byte of an answer.
_CONNECT, _READ = 3, 60

# Attempts for each request, unless AWS_MAX_ATTEMPTS sets another number.
_ATTEMPTS = 4


class Account:
    """The AWS account and the region of the present credentials.

    Every method raises `AwsError`: `AwsAccessError` if other requests would fail as well,
    `AwsMissingError` if there is no such thing, `AwsConflictError` after a change by someone else.
    """

    def __init__(self, session: Any, config: Any) -> None:  # noqa: ANN401 - boto3 has no types
        self.session = session
        self._config = config
        self._clients: dict[str, Any] = {}
        self.region: str = session.region_name
        self.client("lambda")  # sessions are not safe for threads, clients are

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 has no types
        """Return the client of a service; make it before threads use it."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, config=self._config)
        return self._clients[service]

    def ask(self, operation: str, service: str = "lambda", **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the answer to a request, such as `ask("GetFunction", FunctionName="api")`."""
        client = self.client(service)
        method = getattr(client, _method(client, operation))
        return self.translated(lambda: method(**arguments), service, operation, arguments)

    def pages(
        self,
        operation: str,
        key: str,
        service: str = "lambda",
        **arguments: Any,  # noqa: ANN401
    ) -> Iterator[Any]:
        """Yield the items below a key of all pages of an answer."""
        client = self.client(service)
        paginator = client.get_paginator(_method(client, operation))
        pages = iter(paginator.paginate(**arguments))
        while True:
            page = self.translated(lambda: next(pages, None), service, operation, arguments)
            if page is None:
                return
            yield from page.get(key, ())

    def translated(
        self, call: Callable[[], T], service: str, operation: str, arguments: Mapping[str, Any]
    ) -> T:
        """Return the result of a call, or raise botocore's errors as ours."""
        from botocore import exceptions

        try:
            return call()
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            raise reasons.explained(error, service, operation, arguments, self.region) from None


def together(do: Callable[[T], R], items: Iterable[T]) -> list[R | AwsError]:
    """Apply `do` to all items, several at a time; return each result or `AwsError`.

    Raises:
        AwsAccessError: one of the requests failed in a way in which all others would fail.

    """

    def attempt(item: T) -> R | AwsError:
        try:
            return do(item)
        except AwsAccessError:
            raise
        except AwsError as error:
            return error

    with ThreadPoolExecutor(CONCURRENT) as pool:
        futures = [pool.submit(attempt, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def connect(profile: str = "", region: str = "") -> Account:
    """Return the account of the present credentials, without a request to Lambda.

    A profile or a region that is named here comes before those of the environment.

    Raises:
        AwsError: boto3 is not installed, or there are no credentials or no region.

    """
    try:
        import boto3
        from botocore import exceptions
        from botocore.config import Config
    except ImportError:
        msg = "boto3 is not installed; run: pip install 'doit-lambda-zip[aws]'"
        raise AwsError(msg, "aws-extra") from None
    retries: dict[str, Any] = {}
    if not os.environ.get("AWS_MAX_ATTEMPTS"):
        retries["total_max_attempts"] = _ATTEMPTS
    if not os.environ.get("AWS_RETRY_MODE"):
        retries["mode"] = "standard"
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_READ,
        retries=retries,
        max_pool_connections=2 * CONCURRENT,
        user_agent_extra="doit-lambda-zip",
    )
    try:
        region = region or os.environ.get("AWS_REGION", "")  # boto3 reads AWS_DEFAULT_REGION alone
        session = boto3.Session(profile_name=profile or None, region_name=region or None)
        if session.get_credentials() is None:
            raise reasons.no_credentials()
        if not session.region_name:
            msg = "no AWS region; set AWS_REGION, such as eu-west-1, or 'region' of the profile"
            raise AwsAccessError(msg)
        return Account(session, config)
    except exceptions.ProfileNotFound as error:
        msg = f"{error}; correct the name, or add the profile to ~/.aws/config"
        raise AwsAccessError(msg) from None
    except (exceptions.BotoCoreError, ValueError) as error:  # a wrong region or endpoint
        if isinstance(error, ValueError):
            msg = f"{error}; correct AWS_ENDPOINT_URL or AWS_REGION"
            raise AwsAccessError(msg) from None
        raise reasons.explained(error, "sts", "GetCallerIdentity", {}, region) from None


def _method(client: Any, operation: str) -> str:  # noqa: ANN401 - boto3 has no types
    """Return the name of the method for an operation of the API."""
    names: Mapping[str, str] = client.meta.method_to_api_mapping
    return next(method for method, api in names.items() if api == operation)
