"""`lambdas drift`: the code that runs, against this commit."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import Checkout, Cloud, credentials, no_secret, sha256


def foreign(text: str = "x") -> bytes:
    """Return a ZIP that no build here gave."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), text)
    return content.getvalue()


def test_up_to_date(deployed: Checkout, cloud: Cloud) -> None:
    """Code of this commit is up to date, the exit code 0, and nothing is changed."""
    done = deployed.lambdas("drift", "--env", "dev")
    assert done.output.splitlines() == [
        "api (api-dev): up to date",
        "jobs (jobs-dev): up to date",
        "2 up to date, 0 differ",
    ]
    assert cloud.gate.writes == []


def test_the_record_is_enough(deployed: Checkout) -> None:
    """A clean clone compares with the committed record, without a build."""
    other = Checkout(deployed.root.parent / "other", deployed.environment)
    deployed.git("clone", "-q", str(deployed.root), str(other.root))
    assert {one["state"] for one in other.states(code=0).values()} == {"up_to_date"}
    assert not (other.root / "dist").exists()


def test_an_edit(deployed: Checkout) -> None:
    """After an edit without a build, the question has no answer and the exit code is 1: the ZIP
    in dist/ of earlier inputs is never compared.
    """
    deployed.edit("api", "new")
    found = deployed.states(code=2)
    assert found["api"]["state"] == "undecided"
    assert "out of date; run 'lambdas build api'" in found["api"]["text"]
    assert found["jobs"]["state"] == "up_to_date"
    deployed.lambdas("build")
    found = deployed.states(code=1)
    assert found["api"]["state"] == "behind"
    assert found["api"]["behind"] == 0
    assert "changes that no commit records" in found["api"]["text"]


def test_in_the_report(deployed: Checkout) -> None:
    """The page has the last answer about all functions, with its time, and asks AWS nothing."""
    page = deployed.root / "dist" / "report.html"
    deployed.lambdas("report")
    assert "Not asked. Run <code>lambdas drift</code>" in page.read_text()
    deployed.states(code=0)
    offline = deployed.environment.copy()
    deployed.environment |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    deployed.lambdas("report")
    first = deployed.git("rev-parse", "HEAD")
    shown = re.sub(r"\s+", " ", page.read_text())
    assert "<h3>environment dev</h3>" in shown
    assert f'Compared with commit <code title="{first}">' in shown
    assert "2 of 2 up to date." in shown
    assert '<th scope="row">api</th> <td>api-dev</td> <td>up to date</td>' in shown
    assert "for another commit" not in shown
    deployed.environment = offline
    deployed.edit("api", "second")
    second = deployed.commit("Second")
    deployed.lambdas("report")
    assert "This answer is for another commit than this page." in page.read_text()
    deployed.states("api", code=1)  # about one function: the page keeps the one about all
    deployed.lambdas("report")
    assert f'Compared with commit <code title="{first}">' in page.read_text()
    deployed.states(code=1)
    deployed.doit("drift", code=1, LAMBDA_ZIP_ENV="dev")
    deployed.lambdas("report")
    shown = re.sub(r"\s+", " ", page.read_text())
    assert f'Compared with commit <code title="{second}">' in shown
    assert first not in shown
    assert '<strong class="state">behind</strong>' in shown
    assert "1 of 2 up to date." in shown
    assert "behind by 1 commit; runs commit" in shown


def test_behind_by_commits(deployed: Checkout) -> None:
    """The number of commits that changed the function, and the commit that runs, are named."""
    first = deployed.git("rev-parse", "HEAD")
    deployed.edit("api", "second")
    deployed.commit("Second")
    deployed.edit("jobs", "of no interest to api")
    deployed.commit("Jobs")
    deployed.edit("api", "third")
    deployed.commit("Third")
    found = deployed.states(code=1)
    assert found["api"]["behind"] == 2
    assert found["api"]["commit"]["id"] == first
    assert f"behind by 2 commits; runs commit {first[:10]} (" in found["api"]["text"]
    assert ", First)" in found["api"]["text"]
    assert found["jobs"]["behind"] == 1
    assert deployed.lambdas("drift", "jobs", "--env", "dev", code=1).output.count("\n") == 2


def test_since(deployed: Checkout) -> None:
    """Commits before `--since` are not looked at, and an unknown one is an error."""
    deployed.edit("api", "second")
    second = deployed.commit("Second")
    deployed.edit("api", "third")
    deployed.commit("Third")
    found = deployed.states("--since", second, code=1)
    assert found["api"]["state"] == "unknown"
    assert f"since {second}" in found["api"]["text"]
    assert deployed.states("--since", "HEAD~2", code=1)["api"]["behind"] == 2
    done = deployed.lambdas("drift", "--env", "dev", "--since", "nope", code=2)
    assert "this clone has no commit 'nope'" in done.errors


def test_unknown_code(deployed: Checkout, cloud: Cloud) -> None:
    """Code that was changed behind our back is not of this repository, and says so."""
    cloud.update("jobs-dev", foreign())
    done = deployed.lambdas("drift", "--env", "dev", code=1)
    assert "jobs (jobs-dev): unknown code: no lambdas.hashes.json and no list " in done.output
    assert "in the whole history" in done.output
    assert deployed.states()["jobs"]["sha256"] == sha256(foreign())


def test_a_build_that_no_commit_has(deployed: Checkout, cloud: Cloud) -> None:
    """Code of a build in dist/ that was never recorded says so, and is not called unknown."""
    deployed.edit("api", "an experiment")
    deployed.lambdas("build")
    cloud.update("api-dev", deployed.zip("api"))
    deployed.git("checkout", "-q", "--", "lambdas")
    found = deployed.states(code=1)["api"]
    assert found["state"] == "unrecorded"
    assert "runs the ZIP in dist/, which is out of date" in found["text"]


def test_another_branch(deployed: Checkout, cloud: Cloud) -> None:
    """Code of a branch that is not merged names the branch."""
    deployed.git("switch", "-q", "-c", "feature")
    deployed.edit("api", "feature")
    deployed.commit("Feature")
    cloud.update("api-dev", deployed.zip("api"))
    deployed.git("switch", "-q", "main")
    found = deployed.states(code=1)["api"]
    assert found["state"] == "other_branch"
    assert "of branch feature" in found["text"]


def test_a_shallow_clone_says_so(deployed: Checkout, cloud: Cloud) -> None:
    """With a part of the history, the bound of the search is said."""
    deployed.edit("api", "second")
    deployed.commit("Second")
    other = Checkout(deployed.root.parent / "other", deployed.environment)
    deployed.git("clone", "-q", "--depth=1", deployed.root.as_uri(), str(other.root))
    found = other.states(code=1)["api"]
    assert found["state"] == "unknown"
    assert "git fetch --unshallow" in found["text"]
    assert cloud.gate.writes == []


def test_missing_functions_and_aliases(deployed: Checkout, cloud: Cloud) -> None:
    """A function or an alias that does not exist is drift; a version behind an alias counts."""
    cloud.client.delete_function(FunctionName="jobs-dev")
    found = deployed.states(code=1)
    assert found["jobs"]["state"] == "missing"
    assert found["jobs"]["text"].startswith(
        "not deployed: 'jobs-dev' does not exist in eu-west-1: Function not found: arn:aws:lambda:"
        "eu-west-1:123456789012:"
    )
    cloud.client.publish_version(FunctionName="api-dev")
    cloud.client.create_alias(FunctionName="api-dev", Name="live", FunctionVersion="1")
    cloud.update("api-dev", foreign())
    found = deployed.states("--alias", "live", code=1)
    assert (found["api"]["state"], found["api"]["version"]) == ("up_to_date", "1")
    assert "not deployed: 'jobs-dev:live' does not exist in eu-west-1" in found["jobs"]["text"]
    assert deployed.states("api", code=1)["api"]["state"] == "unknown"


def test_a_rollout(deployed: Checkout, cloud: Cloud) -> None:
    """Code of every version that gets calls of the alias counts; versions without calls do not."""
    client = cloud.client
    first = deployed.git("rev-parse", "HEAD")
    client.publish_version(FunctionName="api-dev")
    client.create_alias(FunctionName="api-dev", Name="live", FunctionVersion="1")
    deployed.edit("api", "second")
    deployed.commit("Second")
    cloud.update("api-dev", deployed.zip("api"))
    client.publish_version(FunctionName="api-dev")

    def found(version: str, shares: dict[str, float], code: int) -> dict[str, Any]:
        routing = {"AdditionalVersionWeights": shares}
        client.update_alias(
            FunctionName="api-dev", Name="live", FunctionVersion=version, RoutingConfig=routing
        )
        return dict(deployed.states("api", "--alias", "live", code=code)["api"])

    behind = f"behind by 1 commit; runs commit {first[:10]} "
    one = found("2", {"1": 0.9}, 1)
    assert one["text"].startswith(f"90 % of the calls go to version 1: {behind}")
    assert (one["state"], one["version"], one["behind"]) == ("behind", "1", 1)
    assert one["sha256"] == cloud.code("api-dev", "1")
    one = found("1", {"2": 0.07}, 1)
    assert one["text"].startswith(f"93 % of the calls go to version 1: {behind}")
    assert "version 2" not in one["text"]
    assert found("2", {"1": 0.0}, 0)["text"] == "up to date"
    assert found("1", {"2": 1.0}, 0)["version"] == "2"
    cloud.update("api-dev", foreign())
    client.publish_version(FunctionName="api-dev")
    one = found("1", {"3": 0.25}, 1)
    assert one["text"].startswith(f"75 % of the calls go to version 1: {behind}")
    assert "; 25 % of the calls go to version 3: unknown code" in one["text"]
    cloud.gate.refuse = lambda _, path, __: (
        (403, "AccessDeniedException", "no") if path.endswith("Qualifier=1") else None
    )
    one = found("2", {"1": 0.25}, 2)
    assert (one["state"], one["version"]) == ("failed", "1")
    assert one["text"].startswith("25 % of the calls go to version 1: the credentials lack")


def test_other_settings(deployed: Checkout, cloud: Cloud) -> None:
    """A function whose runtime, handler or architecture does not fit its code is not up to date;
    if its code differs, they are notes.
    """
    cloud.client.delete_function(FunctionName="jobs-dev")
    cloud.create("jobs-dev", deployed.zip("jobs"), Runtime="python3.12", Handler="other.main")
    found = deployed.states(code=1)["jobs"]
    wrong = [
        "its runtime is python3.12, and lambdas.yaml has python3.13",
        "its handler is other.main, and lambdas.yaml has app.handler",
    ]
    text = f"its code is up to date, but {'; '.join(wrong)}"
    assert (found["state"], found["text"], found["notes"]) == ("configuration", text, [])
    done = deployed.lambdas("drift", "--env", "dev", code=1)
    assert "1 up to date, 1 differs" in done.output
    deployed.lambdas("report")
    page = (deployed.root / "dist" / "report.html").read_text()
    assert '<strong class="state">configuration</strong>' in page
    cloud.update("jobs-dev", foreign())
    found = deployed.states(code=1)["jobs"]
    assert (found["state"], found["notes"]) == ("unknown", wrong)


def test_a_handler_in_a_layer(deployed: Checkout, cloud: Cloud) -> None:
    """Another handler of a function with layers is a note, because a layer may have it."""
    made = cloud.client.publish_layer_version(LayerName="spy", Content={"ZipFile": foreign()})
    cloud.client.update_function_configuration(
        FunctionName="jobs-dev", Handler="spy.wrapper", Layers=[made["LayerVersionArn"]]
    )
    found = deployed.states(code=0)["jobs"]
    assert found["notes"] == ["its handler is spy.wrapper, and lambdas.yaml has app.handler"]


def test_signed_code(deployed: Checkout, cloud: Cloud) -> None:
    """Code that AWS Signer signed has another hash: it cannot be compared, and is no drift."""
    cloud.update("jobs-dev", foreign())

    def signed(method: str, path: str, body: bytes) -> bytes:
        if method != "GET" or not path.startswith("/2015-03-31/functions/jobs-dev"):
            return body
        answer = json.loads(body)
        job = "arn:aws:signer:eu-west-1:123456789012:/signing-jobs/1"
        answer["Configuration"]["SigningJobArn"] = job
        return json.dumps(answer).encode()

    cloud.gate.change = signed
    found = deployed.states(code=2)["jobs"]
    assert found["state"] == "signed"
    assert "signed by AWS Signer" in found["text"]


def test_layers(checkout: Checkout, cloud: Cloud) -> None:
    """The layer version that a function uses is compared by its content, whatever its name."""
    checkout.write({
        "lambdas.yaml": (
            "version: 1\nlayers:\n  shared: {}\n"
            'lambdas:\n  api: {handler: app.handler, name: "api-{env}", layers: [shared]}\n'
        ),
        "layers/shared/lib/one.py": "X = 1\n",
    })  # fmt: skip
    checkout.commit("A layer")
    publish = cloud.client.publish_layer_version
    old = publish(LayerName="other-name", Content={"ZipFile": checkout.zip("shared")})
    cloud.create("api-dev", checkout.zip("api"), Layers=[old["LayerVersionArn"]])
    assert checkout.states(code=0)["shared"]["state"] == "up_to_date"
    checkout.write({"layers/shared/lib/one.py": "X = 2\n"})
    checkout.commit("The layer changes")
    found = checkout.states(code=1)["shared"]
    assert found["state"] == "behind"
    assert "(other-name, version 1)" in found["text"]
    assert found["version"] == old["LayerVersionArn"]
    new = publish(LayerName="other-name", Content={"ZipFile": checkout.zip("shared")})
    assert checkout.states(code=1)["shared"]["state"] == "behind"  # the function still uses 1
    cloud.client.update_function_configuration(
        FunctionName="api-dev", Layers=[new["LayerVersionArn"]]
    )
    assert checkout.states(code=0)["shared"]["state"] == "up_to_date"
    cloud.client.update_function_configuration(FunctionName="api-dev", Layers=[])
    assert checkout.states(code=1)["shared"]["text"] == "'api-dev' does not use this layer"


@pytest.mark.parametrize("command", ["drift", "deploy", "rollback"])
def test_the_name_of_a_layer(checkout: Checkout, cloud: Cloud, command: str) -> None:
    """A layer is refused with the functions that use it, before any request."""
    row = "{handler: app.handler, layers: [shared]}"
    layers = "layers:\n  shared: {}\n  unused: {}\n"
    checkout.write({
        "lambdas.yaml": f"version: 1\n{layers}lambdas:\n  api: {row}\n  jobs: {row}\n",
        "layers/shared/lib/one.py": "X = 1\n",
        "layers/unused/lib/two.py": "X = 1\n",
    })  # fmt: skip
    for name, remedy in (
        ("shared", "name a function that uses it: api, jobs"),
        ("unused", "no function uses it"),
    ):
        done = checkout.lambdas(command, name, "--env=dev", "--alias=live", code=3)
        assert f"'{name}' is a layer; {remedy}" in done.errors
    if command != "rollback":
        checkout.write({"lambdas.yaml": f"version: 1\n{layers}"})
        done = checkout.lambdas(command, "--env=dev", code=3)
        assert "lambdas.yaml has layers and no function" in done.errors
    assert cloud.gate.requests == []


def test_access_denied(deployed: Checkout, cloud: Cloud) -> None:
    """A missing permission is named with its user and remedy; other functions are compared."""
    message = (
        "User: arn:aws:sts::123456789012:assumed-role/ci/run is not authorized to perform: "
        "lambda:GetFunction on resource: arn:aws:lambda:eu-west-1:123456789012:function:api-dev"
    )
    cloud.gate.refuse = lambda _, path, __: (
        (403, "AccessDeniedException", message) if "api-dev" in path else None
    )
    found = deployed.states(code=2)
    assert found["api"]["state"] == "failed"
    assert found["api"]["text"].startswith(
        "arn:aws:sts::123456789012:assumed-role/ci/run lacks the permission 'lambda:GetFunction' "
        "for 'api-dev'. Allow it"
    )
    assert found["jobs"]["state"] == "up_to_date"


def test_expired_credentials(deployed: Checkout, cloud: Cloud) -> None:
    """Expired credentials end the command at once, with the way to get new ones."""
    cloud.gate.refuse = lambda *_: (403, "ExpiredTokenException", "The token is expired")
    done = deployed.lambdas("drift", "--env", "dev", code=2)
    assert "the AWS credentials expired" in done.errors
    assert "aws sso login" in done.errors
    assert "lambdas errors aws-access" in done.errors


def test_throttling(deployed: Checkout, cloud: Cloud) -> None:
    """Throttled requests are repeated; if that does not help, the message says so."""
    left = {"api-dev": 2}

    def throttle(_: str, path: str, __: bytes) -> tuple[int, str, str] | None:
        name = path.split("/")[3]
        if left.get(name, 0) <= 0:
            return None
        left[name] -= 1
        return 429, "TooManyRequestsException", "Rate exceeded"

    cloud.gate.refuse = throttle
    assert deployed.states(code=0)["api"]["state"] == "up_to_date"
    assert cloud.gate.count("GET", "/api-dev") == 3
    left["jobs-dev"] = 99
    deployed.environment["AWS_MAX_ATTEMPTS"] = "2"
    found = deployed.states(code=2)
    assert "AWS throttled the request (TooManyRequestsException)" in found["jobs"]["text"]
    assert found["api"]["state"] == "up_to_date"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no AWS credentials found"),
        ({"AWS_REGION": ""}, "no AWS region; set AWS_REGION"),
        ({"AWS_PROFILE": "nope"}, "The config profile (nope) could not be found; correct the name"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS is unreachable: Could not connect"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense; correct AWS_ENDPOINT_URL"),
    ],
)
def test_no_connection(deployed: Checkout, changed: dict[str, str], message: str) -> None:
    """Without credentials, region or network the command says how to get them, in one line."""
    environment = deployed.environment | changed
    deployed.environment = {name: value for name, value in environment.items() if value}
    done = deployed.lambdas("drift", "--env", "dev", code=2)
    assert message in done.errors
    assert done.output == ""


def test_without_boto3(deployed: Checkout, tmp_path: Path) -> None:
    """Without the extra, the message has the command that installs it."""
    (tmp_path / "hidden/boto3").mkdir(parents=True)
    (tmp_path / "hidden/boto3/__init__.py").write_text("raise ImportError\n")
    done = deployed.lambdas("drift", "--env", "dev", code=2, PYTHONPATH=str(tmp_path / "hidden"))
    assert "pip install 'doit-lambda-zip[aws]'" in done.errors


def test_a_function_that_is_not_known(deployed: Checkout) -> None:
    """A function without a name in AWS leaves the question open, unless the command line leaves it
    out.
    """
    deployed.write({"names.json": json.dumps({"api": "api-dev"})})
    state = ("--terraform-state", "names.json")
    found = deployed.states(*state, code=2)
    assert [one["state"] for one in found.values()] == ["up_to_date", "not_mapped"]
    done = deployed.lambdas("drift", "--env", "dev", *state, code=2)
    assert "1 up to date, 0 differ, 1 not compared" in done.output
    assert deployed.states("api", *state, code=0).keys() == {"api"}
    deployed.edit("api", "new")
    deployed.lambdas("build", "api")
    deployed.states(*state, code=1)


def test_no_secret_is_shown(deployed: Checkout, cloud: Cloud) -> None:
    """Environment variables of functions reach neither output nor files."""
    cloud.update("api-dev", foreign())
    done = deployed.lambdas("drift", "--env", "dev", "--json", code=1)
    plain = deployed.lambdas("drift", "--env", "dev", code=1)
    no_secret(deployed.root, done.output, done.errors, plain.output, plain.errors)


def test_many_functions(checkout: Checkout, cloud: Cloud) -> None:
    """More than 50 functions take a listing, and no request each."""
    names = [f"f{number}" for number in range(60)]
    rows = "".join(f"  {name}: {{handler: app.handler, source: lambdas/api}}\n" for name in names)
    manifest = f'version: 1\ndefaults:\n  name: "{{lambda}}-{{env}}"\nlambdas:\n{rows}'
    checkout.write({"lambdas.yaml": manifest})
    checkout.lambdas("build")
    for name in names[:-1]:
        cloud.create(f"{name}-dev", checkout.zip(name))
    found = checkout.states(code=1)
    assert [name for name in names if found[name]["state"] == "up_to_date"] == names[:-1]
    text = "not deployed: 'f59-dev' does not exist in eu-west-1 of account 123456789012"
    assert (found["f59"]["state"], found["f59"]["text"]) == ("missing", text)
    assert cloud.gate.count("GET", "/functions/?") + cloud.gate.count("GET", "/functions?") < 3
    assert cloud.gate.count("GET", "-dev") == 0
    cloud.gate.requests.clear()
    cloud.gate.refuse = lambda _, path, __: (
        (403, "AccessDeniedException", "no") if path.rstrip("/").endswith("/functions") else None
    )
    assert checkout.states(code=1)["f58"]["state"] == "up_to_date"
    assert cloud.gate.count("GET", "-dev") == 60


def test_doit(deployed: Checkout) -> None:
    """`doit drift` does the same, and fails if a function differs."""
    done = deployed.doit("drift", LAMBDA_ZIP_ENV="dev")
    assert "2 up to date, 0 differ" in done.output
    deployed.edit("api", "new")
    deployed.lambdas("build")
    done = deployed.doit("drift", code=1, LAMBDA_ZIP_ENV="dev")
    assert "api (api-dev): behind" in done.output


def test_credentials_are_not_needed_for_a_mistake(checkout: Checkout) -> None:
    """A mistake in names is found before any request, with all problems at once."""
    checkout.environment = {
        name: value for name, value in checkout.environment.items() if name not in credentials(0)
    }
    done = checkout.lambdas("drift", code=2)
    assert "lambda 'api': name '{lambda}-{env}' needs an environment" in done.errors
    assert "lambda 'jobs': name '{lambda}-{env}' needs an environment" in done.errors


def test_a_layer_of_somebody_else(deployed: Checkout, cloud: Cloud) -> None:
    """A function without layers of this repository may have one in AWS."""
    content = deployed.zip("jobs")
    made = cloud.client.publish_layer_version(LayerName="datadog", Content={"ZipFile": content})
    manifest = (deployed.root / "lambdas.yaml").read_text()
    deployed.write({
        "lambdas.yaml": manifest.replace("api: {", "api: {layers: [common], ")
        + "layers:\n  common: {include: [libs/acme.py]}\n",
        "libs/acme.py": "A = 1\n",
    })  # fmt: skip
    deployed.commit("A layer")
    arns = [made["LayerVersionArn"]]
    cloud.client.update_function_configuration(FunctionName="jobs-dev", Layers=arns)
    cloud.client.update_function_configuration(FunctionName="api-dev", Layers=arns)
    assert deployed.states(code=1)["jobs"]["state"] == "up_to_date"
