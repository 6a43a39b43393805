"""Structured logs: one JSON object a line, with the id of the request it belongs to.

`LOG_LEVEL` in the environment sets the level (default INFO). Fields passed with `extra=` become
keys of the object.
"""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_PARENT = "lambda"
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object; values JSON cannot hold are shown with str()."""
        created = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, Any] = {
            "timestamp": created.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": _request_id.get(),
        }
        entry |= {k: v for k, v in vars(record).items() if k not in _OWN_ATTRIBUTES}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class _StderrHandler(logging.Handler):
    """Writes to whatever sys.stderr is when the record arrives: the runtime replaces it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - the contract of logging: a log line never raises
            self.handleError(record)


def _configure() -> logging.Logger:
    """Give our loggers their own handler; the runtime's root handler would print a line twice."""
    level = os.environ.get("LOG_LEVEL", "INFO").upper()
    handler = _StderrHandler()
    handler.setFormatter(JsonFormatter())
    parent = logging.getLogger(_PARENT)
    parent.handlers[:] = [handler]
    parent.propagate = False
    parent.setLevel(logging.getLevelNamesMapping().get(level, logging.INFO))
    return parent


_parent = _configure()


def get_logger(name: str) -> logging.Logger:
    """Return the logger for one module, e.g. `get_logger("relay")`."""
    return _parent.getChild(name)


@contextlib.contextmanager
def request_scope(request_id: str) -> Iterator[None]:
    """Put `request_id` on every line that is logged inside the block."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)
