"""Functions, versions, aliases and layers as Lambda has them.

Answers of Lambda hold environment variables and signed addresses. Only the fields of the values
here are kept, so no secret can reach a message or a file.

Source: the API reference of AWS Lambda, 2015-03-31.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from buildlib.aws import descriptions, reasons
from buildlib.aws.account import Account, together
from buildlib.errors import AwsError

LATEST = "$LATEST"


class Object(NamedTuple):
    """An object of S3 that Lambda uses as code in place (`S3ObjectStorageMode: REFERENCE`)."""

    bucket: str
    key: str
    version: str


class Deployed(NamedTuple):
    """One version of a function.

    `code_sha256` is base64, as `source_code_hash` in the index. `version` is a number or `$LATEST`.
    `layers` are ARNs of layer versions. `signing_job` is the ARN of the job if AWS Signer signed
    the code. `object` is the code in place, which only `GetFunction` tells. `before` comes
    from our own description, if it has one. Texts are empty where Lambda has no value, such as the
    runtime of a container image.
    """

    name: str
    version: str
    code_sha256: str
    runtime: str
    architecture: str
    handler: str
    layers: tuple[str, ...] = ()
    signing_job: str = ""
    revision: str = ""
    modified: str = ""
    is_image: bool = False
    update: str = ""  # of the last update: Successful, InProgress or Failed
    update_reason: str = ""
    state: str = ""  # Active, Inactive, Pending or Failed
    object: Object | None = None
    before: descriptions.Before | None = None


class Alias(NamedTuple):
    """An alias of a function, and the version that it points to.

    `weights` are other versions that get a part of the calls, from 0 to 1.
    """

    name: str
    version: str
    weights: tuple[tuple[str, float], ...] = ()
    revision: str = ""

    @property
    def rollout(self) -> str:
        """The shares of other versions in words; empty without any."""
        shares = (f"{100 * share:g} % to version {number}" for number, share in self.weights)
        return ", ".join(shares)


class LayerVersion(NamedTuple):
    """One version of a layer; `code_sha256` is base64."""

    arn: str
    code_sha256: str
    signing_job: str = ""
    object: Object | None = None

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.arn.split(":")[6]

    @property
    def version(self) -> int:
        """The number of the version."""
        return int(self.arn.split(":")[7])


def function(account: Account, name: str, qualifier: str = "") -> Deployed:
    """Return a version of a function: `$LATEST`, or that of a number or an alias.

    Raises:
        AwsError: as `Account` does; `AwsMissingError` without such a function, version or alias.

    """
    qualified = {"Qualifier": qualifier} if qualifier else {}
    answer = account.ask("GetFunction", FunctionName=name, **qualified)
    return deployed(answer["Configuration"])._replace(object=_object(answer.get("Code", {})))


def functions(
    account: Account, names: Collection[str], many: int = 50
) -> dict[str, Deployed | AwsError]:
    """Return the functions of these names as they are now (`$LATEST`), or the error of each.

    More than `many` are taken from a listing of all functions, 50 in one request, if the
    credentials allow that. Raises `AwsAccessError` if no request can succeed.
    """
    found: dict[str, Deployed | AwsError] = {}
    if len(names) > many:
        wanted, owner = set(names), ""
        try:
            for one in account.pages("ListFunctions", "Functions"):
                owner = one["FunctionArn"].split(":")[4]
                if one["FunctionName"] in wanted:
                    found[one["FunctionName"]] = deployed(one)
                if len(found) == len(wanted):
                    break
        except AwsError as error:
            if error.kind != "aws-access":
                raise
            found = {}  # GetFunction may be allowed for these functions alone
        else:
            gone = wanted - found.keys()
            region = account.region
            return found | {n: reasons.missing(f"'{n}'", region, account=owner) for n in gone}
    asked = list(dict.fromkeys(names))
    return dict(zip(asked, together(lambda name: function(account, name), asked), strict=True))


def versions(account: Account, name: str) -> list[Deployed]:
    """Return the published versions of a function, oldest first."""
    every = account.pages("ListVersionsByFunction", "Versions", FunctionName=name)
    found = [deployed(one) for one in every if one["Version"] != LATEST]
    return sorted(found, key=lambda one: int(one.version))


def every_version(account: Account) -> Iterator[Deployed]:
    """Yield every version of every function of the region, `$LATEST` included, without `object`."""
    for one in account.pages("ListFunctions", "Functions", FunctionVersion="ALL"):
        yield deployed(one)


def alias(account: Account, name: str, which: str) -> Alias:
    """Return an alias of a function; `AwsMissingError` if the function has no such alias."""
    return _alias(account.ask("GetAlias", FunctionName=name, Name=which))


def aliases(account: Account, name: str) -> list[Alias]:
    """Return all aliases of a function."""
    return [_alias(one) for one in account.pages("ListAliases", "Aliases", FunctionName=name)]


def layer(account: Account, arn: str) -> LayerVersion:
    """Return the version of a layer with this ARN."""
    name, _, number = arn.rpartition(":")
    answer = account.ask("GetLayerVersion", LayerName=name, VersionNumber=int(number))
    content = answer.get("Content", {})
    return LayerVersion(
        arn=arn,
        code_sha256=content.get("CodeSha256", ""),
        signing_job=content.get("SigningJobArn", ""),
        object=_object(content),
    )


def layer_arns(account: Account, name: str) -> list[str]:
    """Return the ARNs of the versions of a layer, newest first."""
    found = account.pages("ListLayerVersions", "LayerVersions", LayerName=name)
    return [one["LayerVersionArn"] for one in found]


def every_layer_arn(account: Account) -> Iterator[str]:
    """Yield the ARN of every version of every layer of the account in the region."""
    for one in account.pages("ListLayers", "Layers"):
        yield from layer_arns(account, one["LayerName"])


def tagged(account: Account, key: str, more: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the names of functions with a tag, each with the tag's value, sorted.

    `more` are other tags that they must have.
    """
    filters = [{"Key": key}, *({"Key": name, "Values": [value]} for name, value in more.items())]
    found = account.pages(
        "GetResources",
        "ResourceTagMappingList",
        "resourcegroupstaggingapi",
        ResourceTypeFilters=["lambda:function"],
        TagFilters=filters,
    )
    pairs = []
    for one in found:
        tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        pairs.append((one["ResourceARN"].split(":")[6], tags[key]))
    return sorted(pairs)


def deployed(configuration: Mapping[str, Any]) -> Deployed:
    """Return a version of a function from Lambda's description, without its variables."""
    return Deployed(
        name=configuration["FunctionName"],
        version=configuration.get("Version", LATEST),
        code_sha256=configuration.get("CodeSha256", ""),
        runtime=configuration.get("Runtime", ""),
        architecture=next(iter(configuration.get("Architectures", ())), "x86_64"),
        handler=configuration.get("Handler", ""),
        layers=tuple(one["Arn"] for one in configuration.get("Layers", ())),
        signing_job=configuration.get("SigningJobArn", ""),
        revision=configuration.get("RevisionId", ""),
        modified=configuration.get("LastModified", ""),
        is_image=configuration.get("PackageType") == "Image",
        update=configuration.get("LastUpdateStatus", ""),
        update_reason=(
            configuration.get("LastUpdateStatusReason") or configuration.get("StateReason", "")
        ),
        state=configuration.get("State", ""),
        before=descriptions.parsed(configuration.get("Description", "")),
    )


def _alias(answer: Mapping[str, Any]) -> Alias:
    weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Alias(
        name=answer["Name"],
        version=answer["FunctionVersion"],
        weights=tuple(sorted(weights.items())),
        revision=answer.get("RevisionId", ""),
    )


def _object(code: Mapping[str, Any]) -> Object | None:
    given = code.get("ResolvedS3Object")
    if not given:
        return None
    return Object(given["S3Bucket"], given["S3Key"], given.get("S3ObjectVersion", ""))
