"""The members of a uv workspace."""

import os
from pathlib import Path

from buildlib.lock import projects
from buildlib.text import canonical_name


def member(folder: Path, name: str) -> str:
    """Return the folder of a member by its name (PEP 503), relative to `folder`; empty if unknown.

    `folder` is that of another member, or of the workspace's root.
    """
    for top in (folder, *folder.parents):
        table = projects.read(top / "pyproject.toml").get("tool", {})
        workspace = table.get("uv", {}).get("workspace") if isinstance(table, dict) else None
        if isinstance(workspace, dict):
            for pattern in workspace.get("members", []):
                for place in sorted(top.glob(pattern)):
                    project = projects.read(place / "pyproject.toml").get("project", {})
                    if canonical_name(str(project.get("name", ""))) == name:
                        return os.path.relpath(place, folder).replace(os.sep, "/")
            return ""
    return ""
