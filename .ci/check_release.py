"""Check that a tag is the version of the package, and that the changelog has a date for it.

    python .ci/check_release.py v1.2.3

Exit code 1: one of them differs; each line of the output says which, and what to change.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent


def problems(tag: str, package: str, changelog: str) -> Iterator[str]:
    """Yield what does not fit to a tag in the texts of `buildlib/__init__.py` and CHANGELOG.md."""
    assigned = re.search(r'^__version__ = "(.+)"$', package, re.MULTILINE)
    version = assigned[1] if assigned else "none"
    if tag != f"v{version}":
        yield f"the tag is {tag} and buildlib/__init__.py says {version}: expected v{version}"
    heading = re.search(r"^## (.+)$", changelog, re.MULTILINE)
    newest = heading[1] if heading else "none"
    if not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", newest):
        yield (
            f"the first heading of CHANGELOG.md is '{newest}': "
            f"expected '{version} - ' and the date of the release, as YYYY-MM-DD"
        )


def main(tag: str) -> int:
    """Check a tag against this checkout, and return the exit code."""
    package = (ROOT / "buildlib/__init__.py").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = list(problems(tag, package, changelog))
    sys.stdout.write("".join(f"{line}\n" for line in found or [f"{tag} can be published"]))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2] or [""]))
