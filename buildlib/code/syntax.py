"""Check the syntax of sources for the Python version of the target, on every host."""

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# ruff parses the syntax of each version by itself. These rules are compile errors of CPython that
# ruff does not count as syntax: `return` outside of a function, and others of the kind.
_RULES = "E902,F404,F701,F702,F704,F706,F707"


# Arguments of one process; Windows allows 32,767 characters.
_AT_ONCE = 200


def check(sources: Mapping[str, bytes], python: str) -> list[str]:
    """Return the errors in the sources for a Python such as `3.13`, each as `path:line:col: why`.

    The keys of `sources` are the paths for the messages.
    """
    found: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lambda-zip-") as folder:
        names = {}
        for number, (path, content) in enumerate(sources.items()):
            copy = Path(folder, f"{number}.py")
            copy.write_bytes(_as_utf8(content))
            names[str(number)] = path
        files = [f"{number}.py" for number in names]
        for start in range(0, len(files), _AT_ONCE):
            for problem in _ruff(Path(folder), files[start : start + _AT_ONCE], python):
                place = problem["location"] or {"row": 1, "column": 1}
                path = names[Path(problem["filename"]).stem]
                found.append(f"{path}:{place['row']}:{place['column']}: {problem['message']}")
    return found


def _as_utf8(content: bytes) -> bytes:
    """Return a source in UTF-8, from the encoding that it declares (PEP 263)."""
    declared = re.match(rb"(?:[ \t\f]*#[^\n]*\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", content)
    if not declared:
        return content
    try:
        return content.decode(declared[1].decode()).encode()
    except (LookupError, UnicodeDecodeError):
        return content  # ruff says what is wrong


def _ruff(folder: Path, files: list[str], python: str) -> list[dict[str, Any]]:
    from ruff import find_ruff_bin  # only where own code changed

    done = subprocess.run(  # noqa: S603 - ruff's own program, our arguments
        [
            *(find_ruff_bin(), "check", "--isolated", "--no-cache", "--quiet"),
            *("--target-version", f"py{python.replace('.', '')}", "--select", _RULES),
            *("--ignore-noqa", "--output-format", "json", *files),
        ],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if done.returncode not in {0, 1}:
        msg = f"ruff failed to check the syntax: {done.stderr.decode(errors='replace').strip()}"
        raise RuntimeError(msg)
    return list(json.loads(done.stdout or b"[]"))
