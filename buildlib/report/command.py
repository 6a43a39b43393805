"""The task `report`: whether the page is of what is there now, and how it is made."""

import hashlib
import json
from pathlib import Path

from buildlib import __version__, files
from buildlib.errors import BuildError
from buildlib.project import Project
from buildlib.report import facts


def is_done(project: Project) -> bool:
    """Tell whether the page is there, as it was made, and nothing that it shows changed since."""
    try:
        content = project.layout.report.read_bytes()
    except FileNotFoundError:
        return False
    return bool(files.read_json(_stamp(project)) == _state(project, content))


def make(project: Project) -> None:
    """Write the page.

    Raises:
        BuildError: what draws and fills the page is not installed.

    """
    try:
        from buildlib.report import page  # noqa: PLC0415 - an extra
    except ImportError:
        msg = "doit report needs Vega and Jinja: pip install 'doit-lambda-zip[report]'"
        raise BuildError(msg, "report") from None
    builds = list(facts.builds(project))
    contents = {
        build.id: facts.content(project, project.variants[build.id])
        for build in builds
        if build.written
    }
    locks = {f.name: facts.lock(project, f) for f in project.manifest.functions}
    content = page.render(builds, contents, locks).encode()
    files.write(project.layout.report, content)
    files.write_json(_stamp(project), _state(project, content))


def clean(project: Project) -> None:
    """Remove the page."""
    files.remove(project.layout.report)
    files.remove(_stamp(project))


def _stamp(project: Project) -> Path:
    return project.layout.build / "report.json"


def _state(project: Project, content: bytes) -> list[str]:
    """Return the sha256 of what the page shows, and of the page.

    What is in a ZIP follows from its own sha256, and which files are the function's, from its key.
    """
    shown = [
        [*build, build.written and project.key(project.variants[build.id])]
        for build in facts.builds(project)
    ]
    locks = [facts.lock(project, function) for function in project.manifest.functions]
    text = json.dumps([__version__, shown, locks])
    return [hashlib.sha256(data).hexdigest() for data in (text.encode(), content)]
