"""Find applications of frameworks that bring a packager of their own: Chalice and Zappa."""

import json
import re
from pathlib import Path

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate

_APP = re.compile(rb"^(\w+)\s*=\s*(?:chalice\.)?Chalice\(", re.MULTILINE)


def find_candidates(root: Path, notes: list[str]) -> list[Candidate]:
    """Return the Chalice applications; a note names the handler that Zappa adds."""
    functions = []
    for folder, names in candidates.source_folders(root):
        place = "" if folder == "." else f"{folder}/"
        if "zappa_settings.json" in names:
            notes.append(
                f"{place}zappa_settings.json: Zappa packs a handler of its own, which is not part "
                "of this repository; name the application's adapter, such as apig-wsgi, as handler"
            )
        match = _APP.search((root / folder / "app.py").read_bytes()) if "app.py" in names else None
        if match:
            name = _name(root / folder) or ((root / folder).resolve().name)
            function = Candidate(
                candidates.valid_name(name),
                f"{place}app.py, a Chalice application",
                source=folder,
                handler=f"app.{match[1].decode()}",
            )
            function.notes.append(
                "Chalice creates routes and further functions from the code; here it becomes one "
                "function, with the application as its handler"
            )
            functions.append(function)
    return functions


def _name(folder: Path) -> str:
    try:
        content = json.loads((folder / ".chalice/config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    name = content.get("app_name") if isinstance(content, dict) else None
    return name if isinstance(name, str) else ""
