"""The settings: the variable comes before the manifest, and mistakes are said with a remedy."""

import re

import pytest

from buildlib.errors import RemoteError
from buildlib.model import Cache
from buildlib.remote import builder, settings
from buildlib.remote.settings import Settings

HERE = Cache("s3://bucket/folder", "signed", (("ci", "key"),), 1)


def test_none() -> None:
    """Without an address there is no remote, and `off` turns one off."""
    assert settings.read(None, {}) is None
    assert settings.read(Cache(), {}) is None
    assert settings.read(HERE, {"LAMBDA_ZIP_REMOTE": "off"}) is None


def test_the_variable_replaces_the_address_alone() -> None:
    """The trust is that of the manifest, wherever the address is from."""
    assert settings.read(HERE, {}) == Settings(*HERE)
    found = settings.read(HERE, {"LAMBDA_ZIP_REMOTE": "file:///x", "LAMBDA_ZIP_REMOTE_WAIT": "60"})
    assert found == Settings("file:///x", "signed", (("ci", "key"),), 1, "", 60)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"LAMBDA_ZIP_REMOTE": "ftp://u:s3cret@host/x"}, "expected an address that starts with"),
        ({"LAMBDA_ZIP_REMOTE": "/mnt/cache"}, "expected an address that starts with s3://"),
        ({"LAMBDA_ZIP_REMOTE": "file:///x", "LAMBDA_ZIP_REMOTE_WAIT": "5s"}, "a number of seconds"),
    ],
)
def test_mistakes(variables: dict[str, str], message: str) -> None:
    """The message has what is allowed, and no password."""
    with pytest.raises(RemoteError, match=re.escape(message)) as caught:
        settings.read(None, variables)
    assert "s3cret" not in str(caught.value)
    assert caught.value.kind == "remote"


@pytest.mark.parametrize(("cache", "package"), [(Cache(), "obstore"), (HERE, "cryptography")])
def test_not_installed(monkeypatch: pytest.MonkeyPatch, cache: Cache, package: str) -> None:
    """Without the extra, the message names it, and how to build without the cache."""
    from importlib import util

    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(RemoteError, match=r"pip install 'doit-lambda-zip\[remote\]'") as caught:
        settings.read(cache, {"LAMBDA_ZIP_REMOTE": "https://u:s3cret@host/x?sig=t0ken"})
    assert f"https://host/x needs the package {package}" in str(caught.value)


def test_the_name_of_a_builder() -> None:
    """CI is named by the address of its run, without credentials and on one line."""
    github = {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "7",
    }
    assert builder.name(github) == "https://github.com/a/b/actions/runs/7"
    gitlab = {"CI_JOB_URL": "https://u:s3cret@gitlab.com/a/b/-/jobs/7\x1b[31m"}
    assert builder.name(gitlab) == "https://****@gitlab.com/a/b/-/jobs/7\\x1b[31m"
    assert " on " in builder.name({})
