"""lambda_shared: what the functions get through `include`."""

import json
import logging
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

Event = Callable[..., dict[str, Any]]
Load = Callable[[str], ModuleType]


@pytest.fixture
def shared(load_lambda: Callable[..., ModuleType]) -> Load:
    """Return a function that imports a module of lambda_shared."""
    return lambda module: load_lambda("webhook_relay", f"lambda_shared.{module}", shared=True)


class ParameterStore:
    """Stands in for boto3, which only the Lambda runtime has."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self._parameters = parameters

    def client(self, service: str) -> "ParameterStore":
        """Return the client of SSM."""
        assert service == "ssm"
        return self

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:  # noqa: N803
        """Answer like the API."""
        assert WithDecryption
        if Name not in self._parameters:
            msg = "ParameterNotFound"
            raise RuntimeError(msg)
        return {
            "Parameter": {"Name": Name, "Type": "SecureString", "Value": self._parameters[Name]}
        }


def test_secret_comes_from_the_parameter_store(
    shared: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ssm:` in front of a name reads the parameter, decrypted; anything else is the secret."""
    settings = shared("settings")
    monkeypatch.setitem(sys.modules, "boto3", ParameterStore({"/relay/secret": "one two"}))
    monkeypatch.setenv("FROM_SSM", "ssm:/relay/secret")
    monkeypatch.setenv("PLAIN", " three ")

    assert settings.signing_secrets("FROM_SSM") == (b"one", b"two")
    assert settings.secret("PLAIN") == "three"


@pytest.mark.parametrize(
    ("boto3", "reason"),
    [(None, "boto3 is not installed"), (ParameterStore({}), "ParameterNotFound")],
)
def test_parameter_that_cannot_be_read_is_named(
    shared: Load, monkeypatch: pytest.MonkeyPatch, boto3: object, reason: str
) -> None:
    """Without boto3 or the parameter, the error names the variable and the reason."""
    settings = shared("settings")
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    monkeypatch.setenv("SECRET", "ssm:/none")

    with pytest.raises(settings.SettingsError, match=f"SECRET.*{reason}"):
        settings.secret("SECRET")


def test_parameter_that_is_empty_is_no_secret(
    shared: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty parameter never becomes an empty secret, with which anybody could sign."""
    settings = shared("settings")
    monkeypatch.setitem(sys.modules, "boto3", ParameterStore({"/empty": " "}))
    monkeypatch.setenv("SECRET", "ssm:/empty")

    with pytest.raises(settings.SettingsError, match="SECRET"):
        settings.signing_secrets("SECRET")


@pytest.mark.parametrize(
    "url",
    ["https://example.com/a?b=c", "http://localhost:4566", "http://127.0.0.1/", "http://[::1]:80/"],
)
def test_urls_that_protect_what_is_sent(
    shared: Load, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Https to anywhere, http to the machine itself only."""
    monkeypatch.setenv("URL", url)

    assert shared("settings").url("URL") == url


@pytest.mark.parametrize(
    "url",
    ["http://example.com", "http://127.0.0.1.example.com", "https://", "example.com", "file:///x"],
)
def test_urls_that_do_not_are_refused(
    shared: Load, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Plain http to another host and what is no URL of a host are errors."""
    settings = shared("settings")
    monkeypatch.setenv("URL", url)

    with pytest.raises(settings.SettingsError, match="URL must be an https URL"):
        settings.url("URL")


def test_words_are_never_none_at_all(shared: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list may be separated by commas or spaces; one of separators only is an error."""
    settings = shared("settings")
    monkeypatch.setenv("LIST", "a, b  c,")
    monkeypatch.setenv("EMPTY", ", ,")

    assert settings.words("LIST") == ("a", "b", "c")
    with pytest.raises(settings.SettingsError, match="EMPTY"):
        settings.words("EMPTY")


def test_no_secrets_verify_nothing(shared: Load) -> None:
    """An empty list of secrets refuses everything."""
    signatures = shared("signatures")
    empty = signatures.sign(b"", b"body")

    with pytest.raises(signatures.SignatureError):
        signatures.verify_body([], b"body", f"sha256={empty}")


def test_digest_is_that_of_the_documentation(shared: Load) -> None:
    """The example of GitHub's documentation on validating deliveries gives its digest."""
    signatures = shared("signatures")
    header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    signatures.verify_body([b"It's a Secret to Everybody"], b"Hello, World!", header)


def test_failure_is_logged_and_raised(
    shared: Load, http_event: Event, context: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error fails the invocation, so that it is counted; one line tells of it."""

    def fail(_request: object, _context: object) -> None:
        msg = "broken"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="broken"):
        shared("http_api").http_handler(fail)(http_event(path="/x"), context)

    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["path"]) == ("ERROR", "/x")
    assert "RuntimeError: broken" in entry["exception"]


def test_request_is_read_from_the_event(shared: Load, http_event: Event) -> None:
    """Names of headers are lower-cased, the query stays as it was sent, no body is empty."""
    event = http_event(method="put", path="/a", query={"b": "%20"}, headers={"X-Name": "Value"})
    request = shared("http_api").Request.from_event(event)

    assert (request.method, request.target, request.body) == ("PUT", "/a?b=%20", b"")
    assert request.headers["x-name"] == "Value"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"requestContext": None},
        {"requestContext": {"http": {"method": None}, "requestId": "1"}, "rawPath": "/"},
        {"Records": [{"eventSource": "aws:s3"}]},
    ],
)
def test_events_of_another_kind_are_refused(shared: Load, event: dict[str, Any]) -> None:
    """Whatever invokes the function by mistake gets 400."""
    http_api = shared("http_api")

    with pytest.raises(http_api.ApiError, match=r"payload format 2\.0") as raised:
        http_api.Request.from_event(event)
    assert raised.value.status == 400


def test_log_line_is_one_line_of_json(shared: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """Newlines, extra fields and values that JSON does not know all fit one line."""
    logs = shared("logs")
    with logs.request_scope("id-1"):
        logs.get_logger("x").info("a\n%s", "b", extra={"where": SimpleNamespace(a=1)})
    logs.get_logger("x").info("after")

    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["message"], first["request_id"], first["logger"]) == ("a\nb", "id-1", "lambda.x")
    assert first["where"] == "namespace(a=1)"
    assert first["timestamp"].endswith("+00:00")
    assert second["request_id"] is None


@pytest.mark.parametrize(
    ("value", "level"),
    [("debug", logging.DEBUG), ("ERROR", logging.ERROR), ("loud", logging.INFO)],
)
def test_level_comes_from_the_environment(
    shared: Load, monkeypatch: pytest.MonkeyPatch, value: str, level: int
) -> None:
    """LOG_LEVEL sets the level; a word that is none leaves INFO, and the function runs."""
    monkeypatch.setenv("LOG_LEVEL", value)

    assert shared("logs").get_logger("x").getEffectiveLevel() == level
