"""Errors of boto3 in words for users: the problem, and the next step."""

import re
from collections.abc import Mapping
from typing import Any

from buildlib.errors import AwsAccessError, AwsConflictError, AwsError, AwsMissingError

# Codes of services, and their meaning.
_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnauthorizedException",
)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
_INVALID = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException",
)
_THROTTLED = (
    "TooManyRequestsException",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
)
_MISSING = ("ResourceNotFoundException", "404")
# A code signing configuration refuses a ZIP ("UpdateFunctionCode" in the API reference of Lambda).
_UNSIGNED = ("CodeVerificationFailedException", "InvalidCodeSignatureException")
_CHANGED = ("PreconditionFailedException", "ResourceConflictException")

# The services whose permissions have another prefix than boto3's name of the service.
_PREFIXES = {"resourcegroupstaggingapi": "tag"}


def explained(
    error: Exception, service: str, operation: str, arguments: Mapping[str, Any], region: str
) -> AwsError:
    """Return an error for users, from one of botocore.

    `operation` is the name of the API, such as `GetFunction`. The message quotes no arguments but
    the names of functions, aliases, layers, buckets and such.
    """
    from botocore import exceptions

    about = _about(arguments)
    call = f"{_PREFIXES.get(service, service)}:{operation}"
    if isinstance(error, exceptions.ClientError):
        return _of_service(error.response, call, about, region)
    text = _one_line(str(error)).rstrip(".")
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return no_credentials()
    if isinstance(error, _token_errors()):
        msg = f"AWS credentials cannot be renewed: {text}; {LOG_IN}"
        return AwsAccessError(msg)
    if isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError)):
        msg = (
            f"AWS is unreachable: {text}. Check the network, the region and AWS_ENDPOINT_URL, "
            "then run the command again"
        )
        return AwsAccessError(msg, "aws")
    return AwsError(f"{call}{about}: {text}")


def missing(name: str, region: str, message: str = "", account: str = "") -> AwsMissingError:
    """Return the error about something that does not exist, with the place that was asked.

    A message of Lambda has its ARN, and thus the account.
    """
    of = f" of account {account}" if account else ""
    return AwsMissingError(
        f"{name} does not exist in {region}{of}{': ' if message else ''}{message}"
    )


LOG_IN = "log in again, such as with 'aws sso login', or set new credentials"


def no_credentials() -> AwsAccessError:
    """Return the error of a machine without credentials."""
    msg = (
        "no AWS credentials found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or run 'aws sso login'. In CI, let the job assume a role"
    )
    return AwsAccessError(msg)


def _token_errors() -> tuple[type[Exception], ...]:
    from botocore import exceptions

    return (
        exceptions.CredentialRetrievalError,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
        exceptions.RefreshWithMFAUnsupportedError,
        exceptions.LoginError if hasattr(exceptions, "LoginError") else exceptions.SSOError,
    )


def _of_service(response: Mapping[str, Any], call: str, about: str, region: str) -> AwsError:
    given = response.get("Error", {})
    code, message = str(given.get("Code", "")), str(given.get("Message", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in _EXPIRED or code in _INVALID:
        problem = "expired" if code in _EXPIRED else "are not accepted by AWS"
        msg = f"the AWS credentials {problem} ({code}); {LOG_IN}, and check the region"
        return AwsAccessError(msg)
    if code in _DENIED or (status == 403 and code in {"403", ""}):  # noqa: PLR2004 - HTTP
        return _denied(message, call, about)
    if code in _THROTTLED:
        msg = (
            f"{call}{about}: AWS throttled the request ({code}), and retries did not help. Run the "
            "command again later; AWS_MAX_ATTEMPTS sets the number of attempts"
        )
        return AwsError(msg)
    if code in _MISSING and about:
        return missing(about.removeprefix(" for "), region, _one_line(message))
    if code in _UNSIGNED:
        msg = (
            f"the code signing configuration refuses the code{about}: {_one_line(message)}; "
            "publish with 'lambdas publish --signing-profile NAME' and a profile that the "
            "configuration allows, and deploy with --from"
        )
        return AwsError(msg)
    kind = AwsConflictError if code in _CHANGED else AwsError
    return kind(f"{call}{about}: {code}: {_one_line(message)}")


def _denied(message: str, call: str, about: str) -> AwsError:
    """Return the error for a missing permission, which a message of AWS names more exactly."""
    who = re.search(r"User: (arn:[\w:/.@+=,-]+)", message)
    what = re.search(r"not authorized to perform: ([A-Za-z0-9-]+:[A-Za-z]+)", message)
    permission = what[1] if what else call
    subject = f"{who[1]} lacks the permission" if who else "the credentials lack the permission"
    msg = (
        f"{subject} '{permission}'{about}. Allow it in the policy of this user or role; "
        "docs/how-to/drift.md, deploy.md and publish.md list all permissions"
    )
    return AwsError(msg, "aws-access")


def _about(arguments: Mapping[str, Any]) -> str:
    names = ("FunctionName", "LayerName", "profileName", "jobId", "Bucket")
    shown = next((str(arguments[name]) for name in names if name in arguments), "")
    rest = next(
        (str(arguments[n]) for n in ("Qualifier", "Name", "VersionNumber") if n in arguments), ""
    )
    return f" for '{shown}{':' if rest else ''}{rest}'" if shown else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
