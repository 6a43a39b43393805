"""The task `report`: check whether the page is up to date, write it, remove it."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from buildlib import __version__
from buildlib.archive.savings import Known
from buildlib.commands.coldstart import kept
from buildlib.commands.live import kept as answers
from buildlib.commands.report import against, facts, revision, starts
from buildlib.files import atomic, records
from buildlib.project.project import Project

_NO_PROBLEMS: Mapping[str, str] = MappingProxyType({})


def is_done(project: Project, earlier: str = "") -> bool:
    """Tell whether the page exists, unmodified, and all its data is still current."""
    try:
        content = project.layout.report.read_bytes()
    except FileNotFoundError:
        return False
    state = _state(project, content, earlier, _NO_PROBLEMS)
    return bool(records.read(_stamp(project), records.sequence) == state)


def make(project: Project, earlier: str = "", problems: Mapping[str, str] = _NO_PROBLEMS) -> None:
    """Write the page, compared with the index in the file `earlier`, if one is named.

    `problems` has the messages of the variants that failed in this run, by their ids.

    Raises:
        BuildError: the file `earlier` is no index.

    """
    from buildlib.commands.report import page  # and with it the templates

    index = against.read(project.layout.root, earlier)
    builds = list(facts.builds(project, problems))
    known: Known = {}
    contents = {
        build.id: facts.content(project, project.variants[build.id], build.written, known)
        for build in builds
        if build.written
    }
    shown = page.Facts(
        builds,
        contents,
        facts.locks(project),
        revision.read(project.layout.root, os.environ),
        starts.read(project, builds, contents),
        answers.read(project.layout),
        against.compare(project.layout.root, index, builds, contents) if index else None,
    )
    content = page.render(shown).encode()
    atomic.write(project.layout.report, content)
    records.write(_stamp(project), _state(project, content, earlier, problems))


def clean(project: Project) -> None:
    """Remove the page."""
    atomic.remove(project.layout.report)
    atomic.remove(_stamp(project))
    for variant_id in project.variants:
        atomic.remove(project.layout.stamp("report", variant_id))


def _stamp(project: Project) -> Path:
    return project.layout.build / "report.json"


def _state(
    project: Project, content: bytes, earlier: str, problems: Mapping[str, str]
) -> list[str]:
    """Return the sha256 of the page's data, and of the page.

    The data leaves out the contents of ZIPs, because the sha256 of a ZIP determines them, and the
    list of own files, because the key of a variant determines it.
    """
    builds = [
        [*build, build.written and project.inputs(project.variants[build.id]).key]
        for build in facts.builds(project, problems)
    ]
    locks = [*facts.locks(project).values()]
    root = project.layout.root
    index = against.read(root, earlier)
    compared = index.state if index else []
    commit = revision.read(root, os.environ)
    measured = [kept.read(project.layout, variant_id) for variant_id in project.variants]
    drift = answers.read(project.layout)
    page_data = json.dumps([__version__, builds, locks, compared, commit, measured, drift])
    return [hashlib.sha256(data).hexdigest() for data in (page_data.encode(), content)]
