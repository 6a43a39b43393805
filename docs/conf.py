"""The site: `sphinx-build -W --keep-going -n docs build/site`.

The pages are plain Markdown, so that they read well on a Git host; what only the site needs is
here.
"""

import re
from typing import Any

import buildlib

project = "doit-lambda-zip"
release = buildlib.__version__
copyright = "the contributors, MIT licence"  # noqa: A001 - Sphinx's name

extensions = ["myst_parser"]
# GitHub's anchors, for links such as `manifest.md#include`.
myst_heading_anchors = 3

html_theme = "furo"
html_title = "doit-lambda-zip"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["copy.js"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}

# The navigation, in its order. Sphinx warns of a page that is missing here.
SECTIONS = {
    "Start here": ["tutorial", "recording", "how-to/adopt"],
    "Migrate": [
        "how-to/from-terraform-module",
        "how-to/from-sam",
        "how-to/from-serverless",
        "how-to/from-cdk",
        "how-to/from-chalice",
        "how-to/from-zappa",
        "how-to/from-poetry",
        "how-to/from-pants",
    ],
    "Build and deploy": [
        "how-to/terraform",
        "how-to/deploy",
        "how-to/drift",
        "how-to/ci",
        "how-to/shards",
        "how-to/share-builds",
        "how-to/publish",
        "how-to/sign",
        "how-to/architectures",
        "how-to/layers",
        "how-to/layouts",
        "how-to/shared-code",
    ],
    "Manage dependencies": [
        "how-to/dependencies",
        "how-to/private-index",
        "how-to/docker",
        "how-to/newer-python",
        "how-to/audit",
    ],
    "Test and inspect": [
        "how-to/invoke",
        "how-to/coldstart",
        "how-to/smaller",
        "how-to/prove",
        "how-to/report",
    ],
    "Reference": [
        "reference/manifest",
        "reference/tasks",
        "reference/files",
        "reference/exit-codes",
        "reference/environment",
        "reference/errors",
        "reference/checks",
        "reference/terraform",
    ],
    "Explanation": [
        "explanation/byte-contract",
        "explanation/keys",
        "explanation/imports",
        "explanation/bytecode",
        "explanation/secrets",
        "explanation/faults",
        "explanation/containers",
        "explanation/why-doit",
        "explanation/comparison",
    ],
}


# Pages outside of docs/ are not part of the site, which offers them as downloads.
_OUTSIDE = re.compile(
    r"\[([^\]]+)\]\(((?:\.\./)+(?:CHANGELOG|RELEASING|SECURITY|benchmarks/README)\.md)\)"
)


def _adapt(app: object, docname: str, source: list[str]) -> None:  # noqa: ARG001 - Sphinx's
    """Give the first page the tables of contents, and links out of docs/ a form that works."""
    source[0] = _OUTSIDE.sub(r"{download}`\1 <\2>`", source[0])
    if docname == "index":
        for caption, pages in SECTIONS.items():
            entries = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def setup(app: Any) -> None:  # noqa: ANN401 - Sphinx's application, which need not be installed
    """Connect the function above."""
    app.connect("source-read", _adapt)
