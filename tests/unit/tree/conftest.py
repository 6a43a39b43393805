"""What the tests of the sources and of the patterns share."""

from pathlib import Path
from typing import Any

import pytest

from buildlib.cache.digests import Digests
from buildlib.errors import StageError
from buildlib.tree import sources
from tests.unit.conftest import function

NOT_CODE = {"lambdas/api/requirements.txt", "lambdas/api/requirements.lock"}


def own_names(root: Path, digests: Digests, **fields: Any) -> list[str]:  # noqa: ANN401
    """Return the names in the ZIP of a function's own files."""
    return [o.file.path for o in sources.sources(root, function(**fields), digests, NOT_CODE)]


def refused(root: Path, digests: Digests, **fields: Any) -> list[str]:  # noqa: ANN401
    """Return the lines of the error that a function's own files give."""
    with pytest.raises(StageError) as error:
        own_names(root, digests, **fields)
    return str(error.value).split("\n")
