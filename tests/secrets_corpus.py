"""Files with made-up credentials of many kinds, put together when they are needed.

`python -m tests.secrets_corpus` prints what our rules find of them, and how often they are wrong
about the files of wheels in a folder: `--wheels FOLDER`. With `--write FOLDER` it writes the files,
to try another scanner on them.
"""

import argparse
import random
import string
import sys
import tempfile
import zipfile
from pathlib import Path

from buildlib.tree import secrets
from buildlib.tree.contents import Contents
from tests.unit.conftest import origin

_RANDOM = random.Random(7)  # noqa: S311 - the same files each time


def _text(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choice(letters) for _ in range(length))


def _hex(length: int) -> str:
    return _text(length, "0123456789abcdef")


def _lines(count: int) -> str:
    return "\n".join(_text(64, string.ascii_letters + string.digits + "+/") for _ in range(count))


def _pem(kind: str = "RSA ") -> str:
    first, last = (f"{'-' * 5}{word} {kind}PRIVATE KEY{'-' * 5}\n" for word in ("BEGIN", "END"))
    return f"{first}{_lines(12)}\n{last}"


def _upper(length: int) -> str:
    return _text(length, string.ascii_uppercase + "234567")


def corpus() -> dict[str, str | bytes]:
    """Return the files by their paths, of which each holds one credential."""
    aws, long = "AKIA" + _upper(16), _text(40, string.ascii_letters + string.digits + "/+")
    tokens = {
        "github": "ghp_" + _text(36),
        "github-oauth": "gho_" + _text(36),
        "github-server": "ghs_" + _text(36),
        "github-fine": "github_pat_" + _text(22) + "_" + _text(59),
        "gitlab": "glpat-" + _text(20),
        "gitlab-deploy": "gldt-" + _text(20),
        "gitlab-runner": "glrt-" + _text(20),
        "pypi": "pypi-AgE" + "IcHlwaS5vcmc" + _text(90),
        "npm": "npm_" + _text(36),
        "slack-bot": f"xoxb-{_text(12, string.digits)}-{_text(12, string.digits)}-{_text(24)}",
        "slack-user": f"xoxp-{_text(12, string.digits)}-{_text(12, string.digits)}-{_text(32)}",
        "slack-app": f"xapp-1-A{_upper(10)}-{_text(13, string.digits)}-{_hex(64)}",
        "slack-hook": f"https://hooks.slack.com/services/T{_upper(8)}/B{_upper(8)}/{_text(24)}",
        "discord": f"https://discord.com/api/webhooks/{_text(18, string.digits)}/{_text(68)}",
        "stripe": "sk_live_" + _text(24),
        "stripe-restricted": "rk_live_" + _text(24),
        "stripe-hook": "whsec_" + _text(32),
        "sendgrid": f"SG.{_text(22)}.{_text(43)}",
        "mailgun": "key-" + _hex(32),
        "twilio": "SK" + _hex(32),
        "huggingface": "hf_" + _text(34),
        "vault": "hvs." + _text(90),
        "vault-batch": "hvb." + _text(130),
        "openai": f"sk-{_text(20)}T3BlbkFJ{_text(20)}",
        "openai-project": "sk-proj-" + _text(74),
        "anthropic": "sk-ant-api03-" + _text(93),
        "google-api": "AIza" + _text(35),
        "google-oauth": "GOCSPX-" + _text(28),
        "google-access": "ya29." + _text(120),
        "digitalocean": "dop_v1_" + _hex(64),
        "databricks": "dapi" + _hex(32),
        "shopify": "shpat_" + _hex(32),
        "hcp-terraform": f"{_text(14)}.atlasv1.{_text(67)}",
        "docker-hub": "dckr_pat_" + _text(27),
        "telegram": f"{_text(10, '123456789')}:AA{_text(33)}",
        "newrelic": "NRAK-" + _upper(27),
        "grafana": f"glsa_{_text(32)}_{_hex(8)}",
        "atlassian": "ATATT3" + _text(180),
        "linear": "lin_api_" + _text(40),
        "doppler": "dp.pt." + _text(43),
        "pulumi": "pul-" + _hex(40),
        "age": "AGE-SECRET-KEY-1" + _upper(58),
    }
    files: dict[str, str | bytes] = {
        f"tokens/{name}.py": f'CLIENT = connect("{value}")\n' for name, value in tokens.items()
    }
    password = "h" + _text(11)
    files |= {
        "aws/key.py": f'KEY = "{aws}"\n',
        "aws/key.yaml": f"key: ASIA{_upper(16)}\n",
        "aws/secret.ini": f"aws_secret_access_key = {long}\n",
        "aws/secret.json": f'{{"SecretAccessKey": "{long}"}}\n',
        "aws/secret.js.txt": f"secretAccessKey: '{long}'\n",
        "aws/secret.tf.txt": f'secret_key = "{long}"\n',
        "aws/secret.csv": f"Secret access key,{long}\n",
        "aws/session.sh": f"export AWS_SESSION_TOKEN={_text(200)}\n",
        "aws/late.csv": "1,2,3,4\n" * 200_000 + f"aws_secret_access_key={long}\n",
        "azure/storage.txt": f"AccountName=x;AccountKey={_text(86)}==;EndpointSuffix=y\n",
        "azure/bus.txt": f"SharedAccessKeyName=Root;SharedAccessKey={_text(43)}=\n",
        "azure/sas.txt": f"https://x.blob.core.windows.net/c?sv=2024-01-01&se=x&sig={_text(43)}%3D\n",
        "gcp/account.json": '{"type": "service_account", "private_key": "'
        + _pem("").replace("\n", "\\n")
        + '"}\n',
        "keys/pkcs8.txt": _pem(""),
        "keys/rsa.pem": _pem(),
        "keys/ec.pem": _pem("EC "),
        "keys/openssh": _pem("OPENSSH "),
        "keys/encrypted.key": _pem("ENCRYPTED "),
        "keys/utf16.pem": _pem().encode("utf-16"),
        "keys/in_code.py": f'KEY = """{_pem()}"""\n',
        "keys/putty.txt": f"PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: none\r\n{_lines(2)}\n",
        "keys/pgp.asc": _pem("PGP ").replace("KEY-----", "KEY BLOCK-----"),
        "keys/pkcs8.der": b"0\x82\x04\xbd\x02\x01\x000\r\x06\t*\x86H\x86\xf7\r\x01\x01\x01\x05\0"
        + bytes(200),
        "keys/pkcs1.der": b"0\x82\x04\xa3\x02\x01\x00\x02\x82\x01\x01\0" + bytes(200),
        "keys/ec.der": b"0w\x02\x01\x01\x04 " + bytes(range(32)) + bytes(60),
        "keys/jwk.json": f'{{"kty": "EC", "d": "{_text(43)}", "x": "{_text(43)}"}}\n',
        "keys/store.jks": b"\xfe\xed\xfe\xed\0\0\0\x02" + bytes(100),
        "keys/store.bin": b"\xfe\xed\xfe\xed\0\0\0\x02" + bytes(100),
        "keys/client.p12": b"0\x82\x09\x01\x02\x01\x030\x82" + bytes(100),
        "keys/client.dat": b"0\x82\x09\x01\x02\x01\x030\x82" + bytes(100),
        "keys/passwords.kdbx": b"\x03\xd9\xa2\x9a" + bytes(100),
        "id_rsa": _pem("OPENSSH "),
        "id_rsa.bak": "moved\n",
        "id_ed25519": "moved\n",
        ".env": f"PASSWORD={password}\n",
        ".env.production": f"PASSWORD={password}\n",
        "prod.env": f"PASSWORD={password}\n",
        ".netrc": f"machine x login y password {password}\n",
        ".pgpass": f"x:5432:db:me:{password}\n",
        ".my.cnf": f"[client]\npassword={password}\n",
        ".s3cfg": f"[default]\nsecret_key = {long}\n",
        "rclone.conf": f"[x]\ntype = s3\nsecret_access_key = {long}\n",
        ".vault-token": f"s.{_text(24)}\n",
        ".npmrc": f"//registry/:_authToken={_text(36)}\n",
        ".yarnrc.yml": f'npmAuthToken: "{_text(36)}"\n',
        ".pypirc": f"[pypi]\npassword = {password}\n",
        "pip.conf": f"[global]\nindex-url = https://me:{password}@host/simple\n",
        ".git-credentials": f"https://me:{password}@host\n",
        ".htpasswd": f"me:$apr1${_text(8)}${_text(22)}\n",
        ".docker/config.json": f'{{"auths": {{"x": {{"auth": "{_text(40)}"}}}}}}\n',
        ".dockerconfigjson": f'{{"auths": {{"x": {{"auth": "{_text(40)}"}}}}}}\n',
        "registry.json": f'{{"auths": {{"x": {{"auth": "{_text(40)}"}}}}}}\n',
        ".kube/config": f"users: [{{user: {{token: {_text(40)}}}}}]\n",
        "cluster.yaml": f"users:\n- user:\n    client-key-data: LS0t{_text(200)}\n",
        "kubeconfig": f"users: [{{user: {{token: {_text(40)}}}}}]\n",
        "terraform.tfstate": f'{{"outputs": {{"password": {{"value": "{password}"}}}}}}\n',
        "terraform.tfstate.backup": f'{{"outputs": {{"p": {{"value": "{password}"}}}}}}\n',
        "prod.auto.tfvars": f'password = "{password}"\n',
        "url/password.py": f'URL = "postgresql://app:{password}@db.internal/x"\n',
        "url/redis.py": f'URL = "redis://:{password}@cache.internal:6379/0"\n',
        "url/token.txt": f"https://{_text(30)}9@git.internal/x.git\n",
        "url/index.txt": f"--index-url https://me:{password}@pypi.internal/simple\n",
        "notebook.ipynb": f'{{"cells": [{{"source": ["token = \\"{tokens["github"]}\\"\\n"]}}]}}\n',
    }
    return files


def found(files: dict[str, str | bytes], top: Path) -> dict[str, str]:
    """Return the paths that our rules find, with the reason."""
    for path, content in files.items():
        target = top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    own = [origin(path, content) for path, content in files.items()]
    found = secrets.find(own, top, set(), Contents(top))
    return {path: one.description for path, one in found.items()}


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    files = corpus()
    with tempfile.TemporaryDirectory() as top:
        known = found(files, options.write or Path(top))
    missed = sorted(files.keys() - known.keys())
    sys.stdout.write(f"found {len(known)} of {len(files)}; missed: {', '.join(missed) or 'none'}\n")
    if options.wheels:
        count, wheels = 0, sorted(options.wheels.glob("*.whl"))
        for wheel in wheels:
            with tempfile.TemporaryDirectory() as top, zipfile.ZipFile(wheel) as archive:
                contents: dict[str, str | bytes] = {
                    name: archive.read(name) for name in archive.namelist() if name[-1] != "/"
                }
                count += len(contents)
                for path, why in found(contents, Path(top)).items():
                    sys.stdout.write(f"  {wheel.name.split('-')[0]}: {path}: {why}\n")
        sys.stdout.write(f"{count} files of {len(wheels)} wheels\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
