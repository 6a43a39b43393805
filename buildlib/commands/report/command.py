"""The task `report`: check whether the page is up to date, write it, remove it."""

import hashlib
import json
from pathlib import Path

from buildlib import __version__
from buildlib.commands.report import facts
from buildlib.errors import BuildError
from buildlib.files import atomic, records
from buildlib.project.project import Project


def is_done(project: Project) -> bool:
    """Tell whether the page exists, unmodified, and all its data is still current."""
    try:
        content = project.layout.report.read_bytes()
    except FileNotFoundError:
        return False
    return bool(records.read(_stamp(project), records.sequence) == _state(project, content))


def make(project: Project) -> None:
    """Write the page.

    Raises:
        BuildError: Vega or Jinja is not installed.

    """
    try:
        from buildlib.commands.report import page  # an extra
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
    atomic.write(project.layout.report, content)
    records.write(_stamp(project), _state(project, content))


def clean(project: Project) -> None:
    """Remove the page."""
    atomic.remove(project.layout.report)
    atomic.remove(_stamp(project))


def _stamp(project: Project) -> Path:
    return project.layout.build / "report.json"


def _state(project: Project, content: bytes) -> list[str]:
    """Return the sha256 of the page's data, and of the page.

    The data leaves out the contents of ZIPs, because the sha256 of a ZIP determines them, and the
    list of own files, because the key of a variant determines it.
    """
    builds = [
        [*build, build.written and project.inputs(project.variants[build.id]).key]
        for build in facts.builds(project)
    ]
    locks = [facts.lock(project, function) for function in project.manifest.functions]
    page_data = json.dumps([__version__, builds, locks])
    return [hashlib.sha256(data).hexdigest() for data in (page_data.encode(), content)]
