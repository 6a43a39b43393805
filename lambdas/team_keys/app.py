r"""Serves the public SSH keys of a GitHub team to sshd's AuthorizedKeysCommand.

    GET /teams/<slug>/authorized_keys
    x-timestamp: <seconds since 1970>
    x-signature: <hex HMAC-SHA256 of "<timestamp>\n<path>" under the shared secret>

README.md has the environment variables and the script for the hosts.
"""

import functools
import hashlib
import re
import time
from dataclasses import dataclass
from typing import Self

from cache import Cached, TtlCache
from github import App, GitHub, GitHubError, NotFoundError, UnavailableError
from keys import authorized_keys
from lambda_shared import logs, settings, signatures
from lambda_shared.context import Context
from lambda_shared.http_api import ApiError, Request, Response, http_handler, text_response

# Not anchored at the start: the path begins with the stage, where the API has a named one.
ROUTE = re.compile(r"/teams/(?P<team>[a-z0-9][a-z0-9_-]{0,99})/authorized_keys\Z")

log = logs.get_logger("team_keys")


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment variables, checked."""

    api_url: str
    organization: str
    teams: frozenset[str]
    app: App
    signing_secrets: tuple[bytes, ...]
    max_age_seconds: int
    cache_seconds: int
    grace_seconds: int

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment; raises SettingsError."""
        return cls(
            api_url=settings.url("GITHUB_API_URL", "https://api.github.com"),
            organization=settings.text("GITHUB_ORGANIZATION"),
            teams=frozenset(settings.words("GITHUB_TEAMS")),
            app=App(
                client_id=settings.text("GITHUB_APP_CLIENT_ID"),
                installation_id=settings.integer("GITHUB_APP_INSTALLATION_ID", at_least=1),
                # Consoles and .env files often hold a PEM on one line, with \n for the newlines.
                private_key=settings.secret("GITHUB_APP_PRIVATE_KEY").replace("\\n", "\n"),
            ),
            signing_secrets=settings.signing_secrets("SIGNING_SECRET"),
            max_age_seconds=settings.integer("MAX_AGE_SECONDS", 60, at_least=1),
            cache_seconds=settings.integer("CACHE_SECONDS", 300),
            grace_seconds=settings.integer("CACHE_GRACE_SECONDS", 900),
        )


class TeamKeys:
    """Answers requests; lives as long as the execution environment."""

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._github = GitHub(config.api_url, config.app)
        self._cache: TtlCache[str] = TtlCache(config.cache_seconds, config.grace_seconds)

    def respond(self, request: Request) -> Response:
        """Answer one request; raises ApiError."""
        if request.method != "GET":
            msg = "only GET is allowed"
            raise ApiError(405, msg, headers={"allow": "GET"})
        # Before the path is looked at: who cannot sign learns nothing about the teams.
        self._authenticate(request)
        found = self._keys(self._team(request))
        return _conditional(request, found, self._cache.ttl)

    def _authenticate(self, request: Request) -> None:
        try:
            signatures.verify_request(
                self._config.signing_secrets,
                path=request.target,
                timestamp=request.headers.get("x-timestamp"),
                signature=request.headers.get("x-signature"),
                now=time.time(),
                max_age=self._config.max_age_seconds,
            )
        except signatures.SignatureError as error:
            raise ApiError(401, str(error), headers={"www-authenticate": "HMAC-SHA256"}) from error

    def _team(self, request: Request) -> str:
        match = ROUTE.search(request.path)
        if match is None or match["team"] not in self._config.teams:
            msg = "no such team here"
            raise ApiError(404, msg)
        return match["team"]

    def _keys(self, team: str) -> Cached[str]:
        try:
            found = self._cache.get(team, lambda: self._load(team), passing=UnavailableError)
        except NotFoundError as error:
            log.warning("%s", error)
            msg = "GitHub has no such team"
            raise ApiError(404, msg) from error
        except UnavailableError as error:
            log.warning("%s", error)
            msg = "GitHub is not available"
            raise ApiError(503, msg) from error
        except GitHubError as error:
            log.exception("cannot read team %s", team)
            msg = "GitHub refused; see the log"
            raise ApiError(502, msg) from error
        if found.error:
            log.warning("keys are %d seconds old: %s", found.age, found.error)
        return found

    def _load(self, team: str) -> str:
        members = self._github.team_keys(self._config.organization, team)
        text, problems = authorized_keys(members)
        for problem in problems:
            log.warning("left out a key of %s", problem)
        log.info("loaded team %s", team, extra={"members": len(members)})
        return text


@functools.cache
def _service() -> TeamKeys:
    """Make the service at the first invocation; the warm ones find it here, with its cache."""
    return TeamKeys(Settings.from_environment())


@http_handler
def handler(request: Request, _context: Context) -> Response:
    """Answer with the `authorized_keys` of a team, or 304 where the client has them already."""
    return _service().respond(request)


def _conditional(request: Request, found: Cached[str], ttl: float) -> Response:
    """Return 200 or 304 (RFC 9110, sections 13.1.2 and 15.4.5), with the headers of both."""
    etag = f'"{hashlib.sha256(found.value.encode()).hexdigest()[:32]}"'
    headers = {
        "etag": etag,
        "cache-control": f"private, max-age={max(0, int(ttl - found.age))}",
    }
    if _matches(request.headers.get("if-none-match", ""), etag):
        return text_response(304, "", headers=headers)
    return text_response(200, found.value, headers=headers)


def _matches(if_none_match: str, etag: str) -> bool:
    # The weak comparison that If-None-Match asks for: W/ does not count.
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags
