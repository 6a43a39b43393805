"""The installation in a container; no engine is needed for these tests."""

import pytest

from buildlib.environment import container
from buildlib.errors import InstallError
from buildlib.model import Docker, Pin
from tests.unit.conftest import function


def test_constraints_agree_with_the_lock() -> None:
    """A build tool that the lock pins is used in that version; the others as we pin them."""
    pins = [Pin("packaging", "99.0", ()), Pin("wheel", "@ https://x/wheel.whl", ())]
    text = container._constraints("# why\npackaging==25.0\nsetuptools==80.9.0\nwheel==1\n", pins)  # noqa: SLF001
    assert text == "packaging==99.0\nsetuptools==80.9.0\n"


def test_missing_secret() -> None:
    """A secret file that cannot be read is named with its function."""
    options = Docker(secrets=(("netrc", "/nonexistent/netrc"),))
    with pytest.raises(InstallError, match="lambda 'api': cannot read the secret 'netrc' from"):
        container._secrets(function(), options)  # noqa: SLF001
