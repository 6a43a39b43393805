"""Where published objects are, and with which credentials they are reached."""

import os
from importlib.util import find_spec
from pathlib import Path

from buildlib.artifacts import published
from buildlib.commands.publish import git
from buildlib.errors import PublishError
from buildlib.remote import bucket, objects
from buildlib.remote.bucket import Access
from buildlib.remote.objects import Address


def check_inside(root: Path, path: Path) -> None:
    """Refuse a list to write that is outside the repository.

    Raises:
        PublishError: it is outside.

    """
    try:
        top = Path(git.text(root, "rev-parse", "--show-toplevel", failed=PublishError))
    except PublishError:  # no git here
        top = root
    if not path.is_relative_to(top.resolve()):
        msg = (
            f"'--list {path}': the list must be in the repository {top}, because 'lambdas gc' "
            "removes each ZIP that no list in git has; choose a path there"
        )
        raise PublishError(msg)


def address(url: str | None, path: Path) -> Address:
    """Return the address of an option, or else the one that a list has.

    Raises:
        PublishError: neither gives one.

    """
    if url is not None:
        return objects.address(url)
    entries = published.read(path) if path.exists() else {}
    found = {
        Address(one["s3_bucket"], one["s3_key"].rpartition("/")[0]) for one in entries.values()
    }
    if len(found) != 1:
        problem = (
            "lists objects in several buckets or prefixes"
            if found
            else "does not name a bucket yet"
        )
        msg = f"{published.shown(path)} {problem}; set '--bucket s3://<bucket>/<prefix>'"
        raise PublishError(msg)
    return found.pop()


def signing_profile(path: Path, given: str | None) -> str:
    """Return the signing profile of an option, or else the one that a list has; empty for none.

    Raises:
        PublishError: the list has several.

    """
    if given is not None:
        return given
    found = published.profiles(published.read(path)) if path.exists() else set[str]()
    if len(found) > 1:
        names = ", ".join(sorted(found))
        place = published.shown(path)
        msg = f"{place} has ZIPs of several signing profiles: {names}; set '--signing-profile'"
        raise PublishError(msg, "signing")
    return next(iter(found), "")


def access(profile: str, region: str = "") -> Access:
    """Return how a bucket is reached: by a profile, if one is named here or in AWS_PROFILE.

    obstore reads the variables of the environment, and a role of the machine or of the job. It does
    not read AWS's configuration files, so a profile needs boto3.

    Raises:
        PublishError: obstore is not installed, or the endpoint is no address.
        AwsError: a profile is named, and boto3 is not installed, or has no credentials of it.

    """
    if find_spec("obstore") is None:
        extra = "pip install 'doit-lambda-zip[remote]'"
        msg = f"publishing needs the package obstore; install it: {extra}"
        raise PublishError(msg)
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if endpoint and not endpoint.startswith(("http://", "https://")):
        msg = "AWS_ENDPOINT_URL: expected an address with http:// or https://; correct or unset it"
        raise PublishError(msg)
    has_keys = os.environ.get("AWS_ACCESS_KEY_ID") and not profile
    name = profile or ("" if has_keys else os.environ.get("AWS_PROFILE", ""))
    if not name:
        return Access(region)
    from buildlib.aws import account  # with boto3

    connected = account.connect(name, region)
    return Access(connected.region, bucket.credentials(connected.session))
