"""The part of GitHub's REST API that is needed, as a GitHub App.

The app signs a JWT with its private key, exchanges it for an installation token, and reads with
that. It needs one permission, Organization > Members: read.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import jwt
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

API_VERSION = "2022-11-28"
TIMEOUT_SECONDS = (3.05, 10.0)
PAGE_SIZE = 100
PARALLEL_REQUESTS = 8

# GitHub takes JWTs of ten minutes at most; issued a minute ago, in case our clock is ahead.
JWT_BACKDATE_SECONDS = 60
JWT_LIFETIME_SECONDS = 540
# A token is not used in its last minute, so that it does not run out between two requests.
TOKEN_MARGIN_SECONDS = 60


class GitHubError(Exception):
    """GitHub refused or answered something unexpected."""


class CredentialsError(Exception):
    """The app's private key cannot be used: a mistake in the settings, not of GitHub."""


class NotFoundError(GitHubError):
    """What was asked for does not exist, or the app may not see it."""


class UnavailableError(GitHubError):
    """GitHub cannot be reached, is failing, or wants us to slow down: it will pass."""


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App and the installation of it that is used."""

    client_id: str
    installation_id: int
    private_key: str = field(repr=False)

    def token(self, now: float) -> str:
        """Return the JWT with which the app authenticates as itself; raises CredentialsError."""
        claims = {
            "iat": int(now) - JWT_BACKDATE_SECONDS,
            "exp": int(now) + JWT_LIFETIME_SECONDS,
            "iss": self.client_id,
        }
        try:
            return jwt.encode(claims, self.private_key, algorithm="RS256")
        except (jwt.InvalidKeyError, ValueError, TypeError) as error:
            msg = "the private key of the app is not an RSA key in PEM form"
            raise CredentialsError(msg) from error


class GitHub:
    """A client that keeps its installation token from one call to the next."""

    def __init__(self, api_url: str, app: App, clock: Callable[[], float] = time.time) -> None:
        self._api_url = api_url.rstrip("/")
        self._app = app
        self._clock = clock
        self._token = ""
        self._token_expires = 0.0
        self._threads = threading.local()

    def team_keys(self, organization: str, team: str) -> dict[str, list[str]]:
        """Return the public keys of every member of a team: login -> keys.

        All or nothing: a list without the keys of one member would lock that member out.
        Raises GitHubError; NotFoundError when there is no such team.
        """
        # The token is renewed here, before there are threads that could race for it.
        self._renew_token()
        members = list(self._members(organization, team))
        with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
            return dict(zip(members, pool.map(self._keys, members), strict=True))

    def _members(self, organization: str, team: str) -> Iterator[str]:
        path = f"/orgs/{quote(organization, safe='')}/teams/{quote(team, safe='')}/members"
        for member in self._pages(path):
            yield member["login"]

    def _keys(self, login: str) -> list[str]:
        try:
            return [key["key"] for key in self._pages(f"/users/{quote(login, safe='')}/keys")]
        except NotFoundError:
            return []  # the account was deleted after the members had been listed

    def _renew_token(self) -> None:
        now = self._clock()
        if now < self._token_expires - TOKEN_MARGIN_SECONDS:
            return
        answer = self._request(
            "POST",
            f"{self._api_url}/app/installations/{self._app.installation_id}/access_tokens",
            self._app.token(now),
            json={"permissions": {"members": "read"}},
        )
        body = _json(answer)
        try:
            self._token_expires = datetime.fromisoformat(body["expires_at"]).timestamp()
            self._token = body["token"]
        except (KeyError, TypeError, ValueError) as error:
            msg = "GitHub sent an installation token that cannot be read"
            raise GitHubError(msg) from error

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of a list, following the `next` links."""
        url: str | None = f"{self._api_url}{path}?per_page={PAGE_SIZE}"
        while url:
            answer = self._request("GET", url, self._token)
            items = _json(answer)
            if not isinstance(items, list):
                msg = f"GitHub sent no list for {path}"
                raise GitHubError(msg)
            yield from items
            url = answer.links.get("next", {}).get("url")
            if url and urlsplit(url)[:2] != urlsplit(self._api_url)[:2]:
                msg = "GitHub sent a link to another host"  # which must not get our token
                raise GitHubError(msg)

    def _request(
        self, method: str, url: str, token: str, *, json: object = None
    ) -> requests.Response:
        headers = {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {token}",
            "x-github-api-version": API_VERSION,
        }
        path = urlsplit(url).path
        try:
            answer = self._session().request(
                method,
                url,
                headers=headers,
                json=json,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            msg = f"GitHub cannot be reached: {method} {path}: {type(error).__name__}"
            raise UnavailableError(msg) from error
        if not answer.ok or answer.is_redirect:
            if answer.status_code == requests.codes.unauthorized:
                self._token_expires = 0.0  # revoked before its time: the next call gets a new one
            raise _failure(answer, f"{method} {path}")
        return answer

    def _session(self) -> requests.Session:
        """Return the session of this thread; requests does not promise to share one safely."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            retry = Retry(
                total=2,
                backoff_factor=0.2,
                status_forcelist={500, 502, 503, 504},
                allowed_methods={"GET", "POST"},  # the one POST makes a token: safe to repeat
                raise_on_status=False,
                respect_retry_after_header=False,  # it may ask for more time than we have
            )
            session = requests.Session()
            session.trust_env = False  # a ~/.netrc would replace our authorization
            session.headers["user-agent"] = "team-keys-lambda"
            session.mount(self._api_url, HTTPAdapter(max_retries=retry))
            self._threads.session = session
        return session


def _failure(answer: requests.Response, what: str) -> GitHubError:
    status = answer.status_code
    # https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    limited = status in {403, 429} and (
        answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    )
    if limited or status == requests.codes.too_many_requests:
        return UnavailableError(f"GitHub's rate limit is reached: {what}")
    if status >= requests.codes.internal_server_error:
        return UnavailableError(f"GitHub is failing: {what}: {status}")
    if status == requests.codes.not_found:
        return NotFoundError(f"GitHub does not know it: {what}")
    return GitHubError(f"GitHub refused: {what}: {status}")


def _json(answer: requests.Response) -> Any:  # noqa: ANN401 - JSON is any value
    try:
        return answer.json()
    except requests.JSONDecodeError as error:
        msg = "GitHub sent something that is not JSON"
        raise GitHubError(msg) from error
