"""AWS Signer on this machine: its REST API, before a real server of S3.

moto has the profiles of Signer and no jobs. Requests are checked against botocore's model of the
service. A job reads the version of the object, and writes a ZIP with a signature that no other job
gives, below META_INF/, where the signatures of AWS are.
"""

import base64
import hashlib
import importlib
import io
import json
import re
import time
import uuid
import zipfile
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.remote.servers import reply, serve

SIGNATURE = "META_INF/aws_signer_signature_v1.0.SF"
ARN = "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/"


class Signer:
    """The server. `jobs` are its jobs by id, `tokens` their ids by the tokens of the requests.

    `signed` are the ids of the jobs by the sha256 of the ZIPs that they made, as Lambda has it.
    """

    def __init__(self, s3: Any) -> None:  # noqa: ANN401 - a client of boto3
        self.s3 = s3
        self.jobs: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.signed: dict[str, str] = {}
        self.requests: list[str] = []
        self.profiles = {"Lambda": {"profileVersion": "abcdefghij", "status": "Active"}}
        self.platform = "AWSLambda-SHA384-ECDSA"
        self.days = 3650  # the validity of signatures
        self.fails = ""  # the reason of a failure of new jobs
        self.loses = False  # the next answer about a new job
        self.content: dict[str, bytes] = {}  # files that a job adds or replaces
        self.server = serve(self._answer)
        self.port = int(self.server.server_address[1])
        self._model = importlib.import_module("botocore.session").get_session()
        self._model = self._model.get_service_model("signer")

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def count(self, operation: str) -> int:
        return self.requests.count(operation)

    def arn(self, profile: str = "Lambda") -> str:
        return f"{ARN}{profile}/{self.profiles[profile]['profileVersion']}"

    def revoke(self, job: str) -> None:
        record = {"reason": "stolen", "revokedAt": time.time(), "revokedBy": "admin"}
        self.jobs[job]["revocationRecord"] = record

    def _check(self, operation: str, given: dict[str, Any]) -> None:
        """Check the input of an operation against the model of the service."""
        shape = self._model.operation_model(operation).input_shape
        validate = importlib.import_module("botocore.validate").ParamValidator()
        problems = validate.validate(given, shape).generate_report()
        assert not problems, problems
        assert given.keys() <= shape.members.keys(), given

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        address = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        operation, given = self._operation(request.command, address.path, query, body)
        self.requests.append(operation)
        self._check(operation, given)
        status, answer = getattr(self, f"_{operation}")(given)
        if self.loses and operation == "StartSigningJob":
            self.loses = False
            reply(request, 403, b'{"code": "AccessDeniedException", "message": "lost"}')
            return
        reply(request, status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    @staticmethod
    def _operation(
        method: str, path: str, query: dict[str, str], body: bytes
    ) -> tuple[str, dict[str, Any]]:
        if match := re.fullmatch("/signing-profiles/([^/]+)", path):
            return "GetSigningProfile", {"profileName": match[1]}
        if match := re.fullmatch("/signing-jobs/([^/]+)", path):
            return "DescribeSigningJob", {"jobId": match[1]}
        assert path == "/signing-jobs", path
        if method == "GET":
            assert query.pop("isRevoked") == "true", query
            return "ListSigningJobs", {"isRevoked": True, **query}
        return "StartSigningJob", json.loads(body)

    def _GetSigningProfile(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        name = given["profileName"]
        if name not in self.profiles:
            return 404, {"code": "ResourceNotFoundException", "message": "no such profile"}
        return 200, {
            "profileName": name,
            "platformId": self.platform,
            "profileVersionArn": self.arn(name),
            "signatureValidityPeriod": {"value": self.days, "type": "DAYS"},
            **self.profiles[name],
        }

    def _ListSigningJobs(self, _: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        revoked = [one for one in self.jobs.values() if "revocationRecord" in one]
        return 200, {"jobs": [{"jobId": one["jobId"], "isRevoked": True} for one in revoked]}

    def _DescribeSigningJob(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        job = self.jobs[given["jobId"]]
        answer = dict(job)
        job["status"] = job["then"]  # the first answer is always that it still runs
        return 200, {name: value for name, value in answer.items() if name != "then"}

    def _StartSigningJob(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        token = given["clientRequestToken"]
        if token not in self.tokens:
            self.tokens[token] = job = str(uuid.uuid4())
            now = int(time.time())
            self.jobs[job] = {
                "jobId": job,
                "status": "InProgress",
                "then": "Failed" if self.fails else "Succeeded",
                "statusReason": self.fails or "Signing Succeeded",
                "createdAt": now,
                "signatureExpiresAt": now + self.days * 86_400,
                "source": given["source"],
            }
            if not self.fails:
                place = given["destination"]["s3"]
                key = f"{place['prefix']}{job}.zip"
                self._sign(given["source"]["s3"], place["bucketName"], key, job)
                signed = {"bucketName": place["bucketName"], "key": key}
                self.jobs[job]["signedObject"] = {"s3": signed}
        return 200, {"jobId": self.tokens[token], "jobOwner": "123456789012"}

    def _sign(self, source: dict[str, str], bucket: str, key: str, job: str) -> None:
        named = {"Bucket": source["bucketName"], "Key": source["key"]}
        found = self.s3.get_object(**named, VersionId=source["version"])["Body"].read()
        output = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(found)) as before,
            zipfile.ZipFile(output, "w") as after,
        ):
            for member in before.infolist():
                content = self.content.get(member.filename, before.read(member))
                after.writestr(member, content)
            names = before.namelist()
            after.writestr("META_INF/", b"")
            after.writestr(SIGNATURE, f"-----BEGIN PKCS7-----\n{job}\n")
            for name, content in self.content.items():
                if name not in names:
                    after.writestr(name, content)
        digest = hashlib.sha256(output.getvalue()).digest()
        self.signed[base64.b64encode(digest).decode()] = job
        self.s3.put_object(Bucket=bucket, Key=key, Body=output.getvalue())
