"""team_keys: the keys of exactly the members of the team, to exactly those who can sign."""

import base64
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

Event = Callable[..., dict[str, Any]]
Call = Callable[..., dict[str, Any]]

PATH = "/teams/platform/authorized_keys"
SIGNING_KEY = "shared-with-the-hosts"
CLIENT_ID = "Iv23liExample0000000"
INSTALLATION = 12345678
HOST_SCRIPT = Path(__file__).parents[2] / "lambdas/team_keys/hosts/team-keys.py"


def public_key(algorithm: str, seed: str) -> str:
    """Return a line with the structure of a public key (RFC 4253 section 6.6)."""
    parts = (algorithm.encode(), hashlib.sha256(seed.encode()).digest())
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"{algorithm} {base64.b64encode(blob).decode()}"


OCTOCAT_ED25519 = public_key("ssh-ed25519", "octocat")
OCTOCAT_RSA = public_key("ssh-rsa", "octocat")
HUBOT_SK = public_key("sk-ssh-ed25519@openssh.com", "hubot")
MONA_KEY = (
    ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    .public_key()
    .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    .decode()
)


class FakeGitHub:
    """The part of GitHub's API that is used, with its authentication and pages of two items."""

    def __init__(self, app_key: rsa.RSAPrivateKey) -> None:
        self.app_key = app_key.public_key()
        self.url = ""
        self.members = ["octocat", "Mona", "hubot"]
        self.keys = {
            "octocat": [OCTOCAT_RSA, OCTOCAT_ED25519],
            "Mona": [MONA_KEY],
            "hubot": [HUBOT_SK],
        }
        self.token_lifetime = timedelta(hours=1)
        self.tokens: set[str] = set()
        self.failures: list[tuple[str, int, dict[str, str]]] = []
        self.next_link: str | None = None
        self.requests: list[str] = []

    def __call__(
        self, method: str, target: str, headers: Mapping[str, str], _body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Answer one request."""
        parts = urlsplit(target)
        self.requests.append(f"{method} {parts.path}")
        for path, status, extra in self.failures:
            if parts.path.endswith(path):
                return status, extra, b'{"message": "failure"}'
        assert headers["accept"] == "application/vnd.github+json"
        assert headers["x-github-api-version"]
        assert headers["user-agent"]
        kind, _, credential = headers.get("authorization", "").partition(" ")
        assert kind == "Bearer"
        if method == "POST":
            return self._access_token(parts.path, credential)
        if credential not in self.tokens:
            return 401, {}, b'{"message": "Bad credentials"}'
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self._list(parts.path, int(query.get("page", "1")))

    def count(self, method: str) -> int:
        """Return how many requests of a method came."""
        return sum(request.startswith(method) for request in self.requests)

    def _access_token(self, path: str, credential: str) -> tuple[int, Mapping[str, str], bytes]:
        if path != f"/api/v3/app/installations/{INSTALLATION}/access_tokens":
            return 404, {}, b'{"message": "Not Found"}'
        try:
            claims = jwt.decode(
                credential,
                self.app_key,
                algorithms=["RS256"],
                issuer=CLIENT_ID,
                options={"require": ["iat", "exp", "iss"]},
            )
        except jwt.InvalidTokenError:
            return 401, {}, b'{"message": "A JSON web token could not be decoded"}'
        if claims["exp"] - time.time() > 600:
            return 401, {}, b'{"message": "Expiration time is too far in the future"}'
        self.tokens.add(token := f"ghs_example{len(self.tokens)}")
        expires = (datetime.now(UTC) + self.token_lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 201, {}, json.dumps({"token": token, "expires_at": expires}).encode()

    def _list(self, path: str, page: int) -> tuple[int, Mapping[str, str], bytes]:
        items: list[dict[str, Any]]
        if path == "/api/v3/orgs/example/teams/platform/members":
            items = [{"login": login, "type": "User"} for login in self.members]
        elif path.startswith("/api/v3/users/") and path.split("/")[4] in self.keys:
            keys = self.keys[path.split("/")[4]]
            items = [{"id": number, "key": key} for number, key in enumerate(keys)]
        else:
            return 404, {}, b'{"message": "Not Found"}'
        first = (page - 1) * 2
        headers = {}
        if len(items) > first + 2:
            link = self.next_link or f"{self.url}{path}?per_page=100&page={page + 1}"
            headers["link"] = f'<{link}>; rel="next", <{self.url}{path}?page=9>; rel="last"'
        return 200, headers, json.dumps(items[first : first + 2]).encode()


@pytest.fixture(scope="module")
def app_key() -> rsa.RSAPrivateKey:
    """Return the private key of the GitHub App."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def app_key_pem(app_key: rsa.RSAPrivateKey) -> str:
    """Return the same in PEM, in the form in which GitHub hands it out."""
    return app_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def github(
    serve: Callable[..., str],
    app_key: rsa.RSAPrivateKey,
    app_key_pem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> FakeGitHub:
    """Return a GitHub with a team of three, with the environment of the function set to it."""
    service = FakeGitHub(app_key)
    service.url = serve(service)
    for name in ("MAX_AGE_SECONDS", "CACHE_SECONDS", "CACHE_GRACE_SECONDS", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_API_URL", f"{service.url}/api/v3")
    monkeypatch.setenv("GITHUB_ORGANIZATION", "example")
    monkeypatch.setenv("GITHUB_TEAMS", "platform, gone")
    monkeypatch.setenv("GITHUB_APP_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("GITHUB_APP_INSTALLATION_ID", str(INSTALLATION))
    monkeypatch.setenv("GITHUB_APP_PRIVATE_KEY", app_key_pem)
    monkeypatch.setenv("SIGNING_SECRET", SIGNING_KEY)
    return service


@pytest.fixture
def call(
    github: FakeGitHub,  # noqa: ARG001 - sets the environment
    load_lambda: Callable[..., ModuleType],
    http_event: Event,
    context: object,
) -> Call:
    """Return a function that invokes the function with a signed request."""
    app = load_lambda("team_keys", shared=True)

    def invoke(
        path: str = PATH,
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
        **headers: str,
    ) -> dict[str, Any]:
        event = http_event(method=method, path=path, query=query)
        target = path + (f"?{event['rawQueryString']}" if query else "")
        event["headers"] |= signed(target)
        event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
        response: dict[str, Any] = app.handler(event, context)
        return response

    return invoke


def signed(path: str, *, key: str = SIGNING_KEY, age: float = 0) -> dict[str, str]:
    """Return the headers of a signed request."""
    timestamp = str(int(time.time() - age))
    digest = hmac.new(key.encode(), f"{timestamp}\n{path}".encode(), hashlib.sha256)
    return {"x-timestamp": timestamp, "x-signature": digest.hexdigest()}


def underscored(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as the keyword arguments that `call` takes."""
    return {name.replace("-", "_"): value for name, value in headers.items()}


def error_of(response: dict[str, Any]) -> str:
    """Return the message of a refusal."""
    message: str = json.loads(response["body"])["error"]
    return message


def test_keys_of_every_member_are_served(call: Call) -> None:
    """All pages of members and keys are read; each line names its member."""
    response = call()

    assert response["statusCode"] == 200
    assert response["headers"]["content-type"] == "text/plain; charset=utf-8"
    assert response["isBase64Encoded"] is False
    assert response["body"].splitlines() == [
        "# hubot: 1 key",
        f"{HUBOT_SK} hubot",
        "# Mona: 1 key",
        f"{MONA_KEY} Mona",
        "# octocat: 2 keys",
        f"{OCTOCAT_ED25519} octocat",
        f"{OCTOCAT_RSA} octocat",
    ]
    assert response["body"].endswith("\n")


def test_keys_on_several_pages_are_all_served(github: FakeGitHub, call: Call) -> None:
    """A member with more keys than fit a page gets them all."""
    github.keys["hubot"] = [public_key("ssh-rsa", str(number)) for number in range(5)]

    body = call()["body"]

    assert all(f"{key} hubot\n" in body for key in github.keys["hubot"])


def test_team_without_members_is_an_empty_list(github: FakeGitHub, call: Call) -> None:
    """An empty team is an answer, not an error: nobody may log in."""
    github.members = []

    response = call()

    assert (response["statusCode"], response["body"]) == (200, "")


def test_private_key_on_one_line_works(
    call: Call, app_key_pem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    r"""A PEM whose newlines were written as \n is understood."""
    monkeypatch.setenv("GITHUB_APP_PRIVATE_KEY", app_key_pem.replace("\n", "\\n"))

    assert call()["statusCode"] == 200


def test_stage_in_the_path_is_signed_and_accepted(call: Call) -> None:
    """Behind a named stage and with a query, the path is signed as it arrives."""
    assert call("/live" + PATH, query={"host": "web-1"})["statusCode"] == 200


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"x-signature": ""}, "missing"),
        ({"x-timestamp": ""}, "missing"),
        ({"x-signature": "0" * 64}, "does not match"),
        ({"x-signature": "\u00e9\ud800"}, "does not match"),
        ({"x-timestamp": "1e9"}, "seconds"),
        ({"x-timestamp": "-1"}, "seconds"),
        ({"x-timestamp": "\u0661738325594"}, "seconds"),
    ],
)
def test_request_with_a_damaged_signature_is_refused(
    github: FakeGitHub, call: Call, headers: dict[str, str], reason: str
) -> None:
    """A missing, malformed or made-up header gets 401, and GitHub is not asked."""
    response = call(**underscored(headers))

    assert response["statusCode"] == 401
    assert reason in error_of(response)
    assert response["headers"]["www-authenticate"]
    assert github.requests == []


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ({"key": "another"}, "does not match"),
        ({"path": "/teams/other/authorized_keys"}, "does not match"),
        ({"path": PATH + "?x=1"}, "does not match"),
        ({"age": 3600}, "too old"),
        ({"age": -3600}, "in the future"),
    ],
)
def test_request_signed_otherwise_is_refused(
    github: FakeGitHub, call: Call, signature: dict[str, Any], reason: str
) -> None:
    """A signature with another key, of another path or from another time gets 401."""
    response = call(**underscored(signed(**{"path": PATH} | signature)))

    assert response["statusCode"] == 401
    assert reason in error_of(response)
    assert github.requests == []


def test_age_of_requests_can_be_set(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """MAX_AGE_SECONDS moves the limit; a clock that is a little ahead is tolerated."""
    monkeypatch.setenv("MAX_AGE_SECONDS", "600")

    def status(age: float) -> int:
        code: int = call(**underscored(signed(PATH, age=age)))["statusCode"]
        return code

    assert [status(age) for age in (500, 700, -20, -40)] == [200, 401, 200, 401]


@pytest.mark.parametrize(
    "path",
    [
        "/teams/secret/authorized_keys",
        "/teams/../authorized_keys",
        "/teams/Platform/authorized_keys",
        PATH + "/",
        PATH + "\n",
        "/",
    ],
)
def test_other_paths_are_not_found(github: FakeGitHub, call: Call, path: str) -> None:
    """Only the teams of the settings are served, also to those who can sign."""
    assert call(path)["statusCode"] == 404
    assert github.requests == []


def test_unsigned_request_learns_nothing_about_teams(call: Call) -> None:
    """A team that is served and one that is not look the same without a signature."""
    answers = [
        call(f"/teams/{team}/authorized_keys", x_signature="0") for team in ("platform", "x")
    ]

    assert [answer["statusCode"] for answer in answers] == [401, 401]
    assert answers[0]["body"] == answers[1]["body"]


def test_other_methods_are_refused(github: FakeGitHub, call: Call) -> None:
    """Nothing can be written."""
    response = call(method="POST")

    assert (response["statusCode"], response["headers"]["allow"]) == (405, "GET")
    assert github.requests == []


def test_warm_invocations_do_not_ask_github(github: FakeGitHub, call: Call) -> None:
    """Within CACHE_SECONDS the keys come from memory, and the client is told for how long."""
    first = call()
    asked = len(github.requests)
    github.members = []

    second = call()

    assert second["body"] == first["body"]
    assert len(github.requests) == asked
    assert first["headers"]["cache-control"] == "private, max-age=300"


def test_keys_are_read_again_after_their_time(
    github: FakeGitHub, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member who left is gone with the next read; the token is still good for it."""
    monkeypatch.setenv("CACHE_SECONDS", "0")
    assert "octocat" in call()["body"]
    github.members.remove("octocat")

    response = call()

    assert "octocat" not in response["body"]
    assert response["headers"]["cache-control"] == "private, max-age=0"
    assert github.count("POST") == 1


def test_token_is_renewed_before_it_runs_out(
    github: FakeGitHub, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token in its last minute is not used any more."""
    monkeypatch.setenv("CACHE_SECONDS", "0")
    github.token_lifetime = timedelta(seconds=30)

    assert [call()["statusCode"], call()["statusCode"]] == [200, 200]
    assert github.count("POST") == 2


def test_revoked_token_is_replaced(
    github: FakeGitHub, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After GitHub refused a token, the next invocation gets a new one."""
    monkeypatch.setenv("CACHE_SECONDS", "0")
    call()
    github.tokens = {"ghs_other"}

    assert [call()["statusCode"], call()["statusCode"]] == [502, 200]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"other",W/{} , "more"', "*"])
def test_client_that_has_the_keys_gets_304(call: Call, form: str) -> None:
    """If-None-Match saves the body, in each form that HTTP allows."""
    etag = call()["headers"]["etag"]

    response = call(if_none_match=form.replace("{}", etag))

    assert (response["statusCode"], response["body"]) == (304, "")
    assert response["headers"]["etag"] == etag
    assert response["headers"]["cache-control"].startswith("private")


@pytest.mark.parametrize("value", ['"other"', "", "{}"])
def test_client_with_other_keys_gets_them_all(call: Call, value: str) -> None:
    """An ETag that is not ours, or not quoted, gets the whole body."""
    etag = call()["headers"]["etag"]

    response = call(if_none_match=value.replace("{}", etag.strip('"')))

    assert (response["statusCode"], response["headers"]["etag"]) == (200, etag)
    assert response["body"]


def test_etag_depends_on_the_keys_alone(
    github: FakeGitHub, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order in which GitHub lists does not change it; another key does."""
    monkeypatch.setenv("CACHE_SECONDS", "0")
    first = call()["headers"]["etag"]
    github.members.reverse()
    github.keys["octocat"].reverse()
    second = call()["headers"]["etag"]
    github.keys["hubot"].append(OCTOCAT_RSA)

    assert first == second != call()["headers"]["etag"]


def test_key_that_could_inject_is_left_out(
    github: FakeGitHub, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options, further lines and blobs of another kind never reach sshd; good keys still do."""
    blob = OCTOCAT_ED25519.split()[1]
    github.keys["hubot"] = [
        f'command="/bin/sh" {OCTOCAT_ED25519}',
        f"ssh-rsa {blob}",
        f"ssh-dss {blob}",
        "ssh-rsa",
        "ssh-rsa !!!!",
        "ssh-rsa AAA=",
        "ssh-rsa AAAAB3NzaC1yc2E=",
        "",
        f"{HUBOT_SK} comment\ncommand=x {OCTOCAT_RSA}",
    ]

    lines = call()["body"].splitlines()

    assert lines[:3] == ["# hubot: 1 key", f"{HUBOT_SK} hubot", "# Mona: 1 key"]
    assert capsys.readouterr().err.count("left out a key of hubot") == 8


def test_keys_of_a_deleted_account_are_none(github: FakeGitHub, call: Call) -> None:
    """A member whose account has just gone does not lock the others out."""
    del github.keys["hubot"]

    response = call()

    assert response["statusCode"] == 200
    assert response["body"].startswith("# hubot: 0 keys\n# Mona: 1 key\n")


def test_unknown_team_is_not_found(call: Call) -> None:
    """A team that the settings name and GitHub does not know gets 404."""
    response = call("/teams/gone/authorized_keys")

    assert (response["statusCode"], error_of(response)) == (404, "GitHub has no such team")


@pytest.mark.parametrize(
    ("path", "failure", "status"),
    [
        ("/members", (503, {}), 503),
        ("/users/Mona/keys", (500, {}), 503),
        ("/access_tokens", (502, {}), 503),
        ("/members", (429, {}), 503),
        ("/members", (403, {"x-ratelimit-remaining": "0"}), 503),
        ("/members", (403, {"retry-after": "60"}), 503),
        ("/members", (403, {}), 502),
        ("/members", (302, {"location": "/elsewhere"}), 502),
        ("/access_tokens", (201, {}), 502),
        ("/members", (200, {}), 502),
    ],
)
def test_failure_of_github_is_told_apart(
    github: FakeGitHub,
    call: Call,
    path: str,
    failure: tuple[int, dict[str, str]],
    status: int,
) -> None:
    """503 for what will pass, 502 for what will not; never a part of the keys."""
    github.failures = [(path, *failure)]

    response = call()

    assert response["statusCode"] == status
    assert "ssh-" not in response["body"]


def test_short_failure_of_github_is_not_noticed(github: FakeGitHub, call: Call) -> None:
    """A request that GitHub failed once is sent again."""

    class Once(list[tuple[str, int, dict[str, str]]]):
        def __iter__(self) -> Any:  # noqa: ANN401
            return iter([self.pop()] if self else [])

    github.failures = Once([("/access_tokens", 502, {})])

    assert call()["statusCode"] == 200
    assert github.count("POST") == 2


def test_old_keys_are_served_while_github_is_down(
    github: FakeGitHub,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody is locked out by an outage of GitHub, and the log says that the keys are old."""
    monkeypatch.setenv("CACHE_SECONDS", "0")
    body = call()["body"]
    github.failures = [("/members", 503, {})]

    response = call()

    assert (response["statusCode"], response["body"]) == (200, body)
    assert response["headers"]["cache-control"] == "private, max-age=0"
    assert "seconds old" in capsys.readouterr().err


def test_old_keys_are_not_served_for_a_team_that_is_gone(
    github: FakeGitHub, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grace is for outages: a team that was deleted loses access at once."""
    monkeypatch.setenv("CACHE_SECONDS", "0")
    call()
    github.failures = [("/members", 404, {})]

    assert call()["statusCode"] == 404


def test_grace_can_be_turned_off(
    github: FakeGitHub, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no grace, an outage is 503 as soon as the keys are too old."""
    monkeypatch.setenv("CACHE_SECONDS", "0")
    monkeypatch.setenv("CACHE_GRACE_SECONDS", "0")
    call()
    github.failures = [("/members", 503, {})]

    assert call()["statusCode"] == 503


def test_unreachable_github_is_not_available(
    call: Call, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection is 503."""
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")

    assert call()["statusCode"] == 503
    assert github.requests == []


def test_token_goes_to_no_other_host(
    github: FakeGitHub, call: Call, serve: Callable[..., str]
) -> None:
    """A `next` link to another host is not followed."""
    elsewhere = FakeGitHub.__new__(FakeGitHub)
    elsewhere.requests = []
    github.next_link = serve(elsewhere) + "/api/v3/orgs/example/teams/platform/members?page=2"

    assert call()["statusCode"] == 502
    assert elsewhere.requests == []


def test_app_that_github_does_not_accept_is_502(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the client ID of another app GitHub refuses the JWT; the reason is in the log only."""
    monkeypatch.setenv("GITHUB_APP_CLIENT_ID", "Iv23liAnother0000000")

    response = call()

    assert response["statusCode"] == 502
    assert error_of(response) == "GitHub refused; see the log"
    assert f"/app/installations/{INSTALLATION}/access_tokens: 401" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["not a key", "-----BEGIN RSA " + "PRIVATE KEY-----\\nMIIE\\n"])
def test_bad_private_key_fails_the_invocation(
    github: FakeGitHub,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str,
) -> None:
    """A private key that is none is a clear error, which does not quote it."""
    monkeypatch.setenv("GITHUB_APP_PRIVATE_KEY", key)

    with pytest.raises(Exception, match="not an RSA key in PEM form"):
        call()

    assert github.requests == []
    assert "MIIE" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_ORGANIZATION",
        "GITHUB_TEAMS",
        "GITHUB_APP_CLIENT_ID",
        "GITHUB_APP_INSTALLATION_ID",
        "GITHUB_APP_PRIVATE_KEY",
        "SIGNING_SECRET",
    ],
)
def test_missing_setting_fails_the_invocation_by_its_name(
    call: Call, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No setting has an unsafe default: above all no empty secret, with which anybody signs."""
    monkeypatch.setenv(name, " ")

    with pytest.raises(Exception, match=name):
        call()


def test_nothing_secret_is_logged(
    github: FakeGitHub,
    call: Call,
    app_key_pem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither keys nor tokens nor secrets are in the log, also when something fails."""
    monkeypatch.setenv("CACHE_SECONDS", "0")
    call()
    github.failures = [("/members", 403, {})]
    call()

    output = capsys.readouterr().err
    assert output
    secrets = {SIGNING_KEY, app_key_pem.splitlines()[1], *github.tokens}
    assert not [secret for secret in secrets if secret in output]


@pytest.mark.parametrize(
    ("age", "value"),
    [(0, "old"), (59, "old"), (60, "new"), (3600, "new"), (-1, "new")],
)
def test_cache_holds_a_value_for_its_time(
    load_lambda: Callable[..., ModuleType], age: float, value: str
) -> None:
    """A value is good until `ttl` seconds have passed, and not if the clock was set back."""
    now = [1000.0]
    cache = load_lambda("team_keys", "cache").TtlCache(60, 100, lambda: now[0])
    cache.get("key", lambda: "old", OSError)
    now[0] += age

    assert cache.get("key", lambda: "new", OSError).value == value
    assert cache.get("other", lambda: "own", OSError).value == "own"


@pytest.mark.parametrize(("age", "served"), [(60, True), (159, True), (160, False), (-1, False)])
def test_cache_tolerates_a_failure_within_the_grace(
    load_lambda: Callable[..., ModuleType],
    age: float,
    served: bool,
) -> None:
    """An old value stands in for `grace` seconds at most, and only for the error that passes."""
    now = [1000.0]
    cache = load_lambda("team_keys", "cache").TtlCache(60, 100, lambda: now[0])
    cache.get("key", lambda: "old", OSError)
    now[0] += age

    def fail(error: Exception) -> Callable[[], str]:
        def load() -> str:
            raise error

        return load

    if served:
        found = cache.get("key", fail(OSError("down")), OSError)
        assert (found.value, found.age, str(found.error)) == ("old", age, "down")
    else:
        with pytest.raises(OSError, match="down"):
            cache.get("key", fail(OSError("down")), OSError)
    with pytest.raises(ValueError, match="wrong"):
        cache.get("key", fail(ValueError("wrong")), OSError)


@pytest.fixture
def api(serve: Callable[..., str], github: FakeGitHub, call: Call) -> str:  # noqa: ARG001
    """Return the URL of a local API Gateway in front of the function, which takes GET only."""

    def gateway(
        _method: str, target: str, headers: Mapping[str, str], _body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        sent = {name: headers[name] for name in ("x-timestamp", "x-signature")}
        response = call(target, **underscored(sent))
        return response["statusCode"], response["headers"], response["body"].encode()

    return serve(gateway)


def run_on_host(config: Path) -> subprocess.CompletedProcess[str]:
    """Run the script of the hosts as sshd does."""
    return subprocess.run(
        [sys.executable, "-I", str(HOST_SCRIPT), str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"no_proxy": "127.0.0.1"},
    )


def test_script_of_the_hosts_prints_the_keys(api: str, call: Call, tmp_path: Path) -> None:
    """What the hosts run signs what the function checks."""
    config = tmp_path / "team-keys.json"
    config.write_text(json.dumps({"url": api + PATH, "secret": SIGNING_KEY}))

    done = run_on_host(config)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == call()["body"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"secret": "another"}, "HTTP Error 401"),
        ({"url": "http://127.0.0.1:1/"}, "URLError"),
        ({"url": "no-url"}, "ValueError"),
    ],
)
def test_script_of_the_hosts_prints_no_keys_on_failure(
    api: str, tmp_path: Path, settings: dict[str, str], reason: str
) -> None:
    """A failure is one line on stderr and an exit code: sshd falls back to its other keys."""
    config = tmp_path / "team-keys.json"
    config.write_text(json.dumps({"url": api + PATH, "secret": SIGNING_KEY} | settings))

    done = run_on_host(config)

    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_script_of_the_hosts_says_what_is_missing(tmp_path: Path) -> None:
    """Without its file, or with one that lacks a key, the script names the problem."""
    (tmp_path / "empty.json").write_text("{}")

    assert "FileNotFoundError" in run_on_host(tmp_path / "none.json").stderr
    assert "'url'" in run_on_host(tmp_path / "empty.json").stderr
