"""No text that leaves can command a terminal or a CI service, or show a credential."""

import io

import pytest

from buildlib import console, text
from buildlib.errors import BuildError, describe
from buildlib.uv.redact import redact


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain: text :: in a line\n\tnext", "plain: text :: in a line\n\tnext"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\rb", "a\\rb"),
        ("a\x00\x07\x9b", "a\\x00\\x07\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\udcffb", "a\\udcffb"),
        ("::error::x", ": :error::x"),
        ("x\n  ::set-env name=y::z", "x\n  : :set-env name=y::z"),
        ("a ##[command]x", "a # #[command]x"),
        ("na\u00efve \U0001f600 \u6f22\u5b57", "na\u00efve \U0001f600 \u6f22\u5b57"),
    ],
)
def test_harmless(given: str, shown: str) -> None:
    """What commands a terminal or a CI service is shown instead; other text stays as it is."""
    assert text.harmless(given) == shown
    assert text.harmless(shown) == shown
    stream = io.StringIO()
    console.write(stream, given)
    assert stream.getvalue() == shown
    assert describe(BuildError(given)) == shown


SECRET = "s3cr3tTokenOfThisTest99"  # noqa: S105 - of no service


@pytest.mark.parametrize(
    "address",
    [
        f"https://{SECRET}@host/simple",
        f"https://user:{SECRET}@host/simple",
        f"https://user:p@{SECRET}@host/simple",
        f"https://host/{SECRET}/org/simple/",
        f"https://host/org/{SECRET}",
        f"https://host/vulnerability/GHSA-9wx4-h78v-{SECRET}",
        f"https://host/CVE-2024-35195{SECRET}/simple",
        f"https://host/simple?key={SECRET}&x=GHSA-9wx4-h78v-vm56",
        f"https://host/simple?token={SECRET}",
        f"https://host/simple?a=b&sig={SECRET}#sha256=00",
        f"https://host/simple#{'password'}={SECRET}",
        f"alpha @ https://u:{SECRET}@host/alpha-1.0-py3-none-any.whl#sha256={'0' * 64}",
        f"error: failed to fetch `https://host/{SECRET}/simple/`, see https://host/x?k={SECRET}\n",
    ],
)
def test_credentials_anywhere_in_an_address(address: str) -> None:
    """A credential is hidden as user, password, part of the path, in the query and fragment."""
    found = redact(address)
    assert SECRET not in found
    assert "host" in found


@pytest.mark.parametrize(
    "address",
    [
        "https://pypi.org/simple/requests/",
        f"https://files.pythonhosted.org/packages/3f/ab/{'0a' * 30}/six-1.17.0-py3-none-any.whl",
        f"https://host/six-1.17.0-py2.py3-none-any.whl#sha256={'0a' * 32}",
        "https://osv.dev/vulnerability/GHSA-9wx4-h78v-vm56",
        "https://osv.dev/vulnerability/PYSEC-2024-123456",
        "see https://nvd.nist.gov/vuln/detail/CVE-2024-35195123?",
        "https://host/simple/my-package-with-a-long-name/",
        "http://127.0.0.1:8080/simple",
        "git+https://host/x.git#egg=x&subdirectory=y",
        "no address: a=b?c=d",
    ],
)
def test_what_is_no_credential(address: str) -> None:
    """Names, digests and files of an address stay readable."""
    assert redact(address) == address
