"""GitLab CI: sections of a job's log that are folded until someone opens them.

GitLab reads the markers from the log itself (docs.gitlab.com, "Job logs: Custom collapsible
sections"): the name has letters, digits, `_`, `.` and `-`, and the time is in seconds since 1970.
"""

import re
from collections.abc import Iterable, Iterator

_ERASE = "\x1b[0K"  # a terminal, to which the marker is nothing, forgets it


def section(title: str, lines: Iterable[str], began: float, ended: float) -> Iterator[str]:
    """Yield lines that are folded under a title; GitLab shows how long they took."""
    name = re.sub(r"[^\w.-]", "_", title, flags=re.ASCII)
    yield f"{_ERASE}section_start:{began:.0f}:{name}[collapsed=true]\r{_ERASE}{title}"
    yield from lines
    yield f"{_ERASE}section_end:{ended:.0f}:{name}\r{_ERASE}"
