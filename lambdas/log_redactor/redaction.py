r"""Finds secrets and personal data in one log message and replaces them with their kind.

A JSON object stays one: its fields are judged by name, its strings like text. All patterns run in
time linear in the message (bounded repeats, no nested ones): a log line must not be able to stall
the pipeline.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

_SECRETIVE = (
    r"(?:passw(?:or)?d|pwd|passphrase|secret|credentials?"
    r"|(?:access|api|private|secret|signing)[_-]?key|token)"
)
_SECRET_FIELD = re.compile(rf"(?i)[\w.-]{{0,64}}(?:{_SECRETIVE}|authorization|cookie)")

# A name, perhaps quoted (perhaps in a string, so with a backslash), and its colon or equals sign.
_IS = r"\\?[\"']?\s?[:=]\s?"

# The order counts: what spans more comes first.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private_key",
        re.compile(
            r"(?s)-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.{0,8192}?"
            r"(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)"
        ),
    ),
    (
        "authorization",
        re.compile(
            rf"(?i)(?P<keep>\bauthorization{_IS}\\?[\"']?(?:(?:basic|bearer|digest|token)\s)?)"
            r"[^\s\"',;\\]+"
        ),
    ),
    ("cookie", re.compile(rf"(?i)(?P<keep>\b(?:set-)?cookie{_IS}\\?[\"']?)[^\r\n\"'\\]+")),
    ("jwt", re.compile(r"(?<![\w-])eyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]*")),
    ("github_token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})")),
    ("aws_access_key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    # In URLs, scheme://user:password@host
    (
        "password",
        re.compile(r"(?P<keep>\b[a-z][a-z0-9+]{1,20}://[^\s/:@]{0,128}:)[^\s/@]{1,256}(?=@)"),
    ),
    (
        "secret",  # quoted: to the closing quote
        re.compile(
            rf"(?is)(?P<keep>{_SECRETIVE}{_IS}(?P<quote>\\?[\"']))"
            r"(?!\[REDACTED:)(?:(?!(?P=quote))(?:\\.|.))+"
        ),
    ),
    (
        "secret",  # bare: to the next space or separator
        re.compile(rf"(?i)(?P<keep>{_SECRETIVE}{_IS})(?!\[REDACTED:)[^\s\"',;&\\]+"),
    ),
    (
        "email",
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"),
    ),
)

_CARD = re.compile(r"(?<![\w.-])[0-9](?:[ -]?[0-9]){14,15}(?![\w-]|\.[0-9])")
_CARD_ISSUERS = re.compile(
    r"4[0-9]{15}|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|6(?:011|5[0-9]{2})[0-9]{12}"
)


def redact(message: str, found: Counter[str]) -> str:
    """Return `message` without what must not be stored; `found` counts what was taken out."""
    if message.lstrip().startswith("{"):
        inside: Counter[str] = Counter()
        try:
            clean = json.dumps(
                _value(json.loads(message), inside), ensure_ascii=False, separators=(",", ":")
            )
        except (ValueError, RecursionError):
            pass  # only looks like JSON, or nests deeper than anyone logs: text, then
        else:
            found += inside
            return clean + message[len(message.rstrip()) :] if inside else message
    return _text(message, found)


def _value(value: Any, found: Counter[str]) -> Any:  # noqa: ANN401 - JSON is any value
    match value:
        case dict():
            return {
                _text(name, found): _secret(name, item, found) or _value(item, found)
                for name, item in value.items()
            }
        case list():
            return [_value(item, found) for item in value]
        case str():
            return _text(value, found)
        case int() if not isinstance(value, bool):
            text = _text(str(value), found)  # a card's number
            return value if text == str(value) else text
    return value


def _secret(name: str, value: object, found: Counter[str]) -> str | None:
    """Return what stands for the value of a field that is secret by its name, else None."""
    if value is None or isinstance(value, bool) or not _SECRET_FIELD.fullmatch(name):
        return None
    return _mark("secret", found)


def _text(text: str, found: Counter[str]) -> str:
    for kind, pattern in _PATTERNS:
        text = pattern.sub(_replacement(kind, found), text)
    return _CARD.sub(lambda match: _card(match, found), text)


def _replacement(kind: str, found: Counter[str]) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        return match.groupdict().get("keep", "") + _mark(kind, found)

    return replace


def _card(match: re.Match[str], found: Counter[str]) -> str:
    digits = [int(digit) for digit in match[0] if digit.isdigit()]
    if not _CARD_ISSUERS.fullmatch("".join(map(str, digits))) or not _luhn(digits):
        return match[0]  # an id or a timestamp
    return _mark("card", found)


def _luhn(digits: list[int]) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _mark(kind: str, found: Counter[str]) -> str:
    found[kind] += 1
    return f"[REDACTED:{kind}]"
