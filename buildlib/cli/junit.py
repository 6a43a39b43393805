"""The results of a build as a JUnit report, which GitLab, Jenkins and other CI services show.

The format has no standard. All of these services read these elements: `testsuites`, `testsuite`,
`testcase`, `failure`, `error` and `skipped` (docs.gitlab.com, "Unit test reports"; Jenkins's
junit-10.xsd). A variant is a test case.
"""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from buildlib.files import atomic
from buildlib.layout import MANIFEST
from buildlib.plugin.result import Result
from buildlib.steps import summary
from buildlib.text import harmless

_SUITE = "lambdas build"

# Characters that XML 1.0 (section 2.2) cannot hold, and `harmless` leaves.
_UNHOLDABLE = re.compile("[\ufffe\uffff]")

Element = ET.Element


def of_result(result: Result) -> Element:
    """Return the report of a build.

    A failed variant is a failure, with its message; one that could not be built here, or was
    interrupted, is skipped, and one that was up to date has passed.
    """
    cases = []
    for one in result.outcomes:
        case = _case(one.id, one.seconds)
        message = _text(result.errors.get(one.id, ""))
        if one.done == summary.FAILED:
            what = f"failed {one.why}".rstrip()
            _add(case, "failure", message or what, message=_first_line(message) or what)
        elif one.done in {summary.LEFT_OUT, summary.INTERRUPTED}:
            _add(case, "skipped", "", message=_first_line(message) or one.done)
        else:
            _add(case, "system-out", _text(summary.line(one)))
        cases.append(case)
    cases += (_case(name, 0.0) for name in result.unchanged)
    cases.sort(key=lambda case: case.get("name", ""))
    return _suite(cases, result.seconds)


def of_problem(message: str) -> Element:
    """Return the report of a build that did not start, such as for a mistake in the manifest."""
    case = _case(MANIFEST, 0.0)
    text = _text(message)
    _add(case, "error", text, message=_first_line(text))
    return _suite([case], 0.0)


def write(path: Path, report: Element) -> None:
    """Write a report."""
    ET.indent(report)
    atomic.write(path, ET.tostring(report, "utf-8", xml_declaration=True) + b"\n")


def _case(name: str, seconds: float) -> Element:
    values = {"classname": "lambdas", "name": _text(name), "time": f"{seconds:.3f}"}
    return Element("testcase", values)


def _add(case: Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(case, tag, attributes).text = text or None


def _suite(cases: list[Element], seconds: float) -> Element:
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {"tests": len(cases)}
    for plural, tag in kinds.items():
        counts[plural] = sum(case.find(tag) is not None for case in cases)
    values = {name: str(count) for name, count in counts.items()} | {"time": f"{seconds:.3f}"}
    suites = Element("testsuites", {"name": _SUITE, **values})
    suite = ET.SubElement(suites, "testsuite", {"name": _SUITE, **values})
    suite.extend(cases)
    return suites


def _first_line(message: str) -> str:
    return message.partition("\n")[0]


def _text(text: str) -> str:
    return _UNHOLDABLE.sub("?", harmless(text))
