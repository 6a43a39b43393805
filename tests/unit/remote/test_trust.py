"""The rules of trust, one by one."""

import pytest

from buildlib.remote import entries, trust
from buildlib.remote.entries import Claim
from buildlib.remote.settings import Settings
from buildlib.remote.signing import Signer
from buildlib.remote.trust import Decision, Judge, Wanted
from tests.remote.forging import Keys, make_keys

KEY, GOOD, EVIL = "a" * 64, "c" * 64, "e" * 64
CI, SECOND, STRANGER = make_keys(), make_keys(), make_keys()
BUCKET = Settings("file:///x")


def signed(keys: Keys, sha256: str = GOOD, key: str = KEY) -> Claim:
    return Signer(keys.private).sign(Claim(key, sha256, 10, 20))


def decide(
    settings: Settings,
    *claims: Claim,
    recorded: str = "",
    is_disputed: bool = False,
    places: tuple[str, ...] = (),
) -> Decision:
    at = places or tuple(entries.claim(one.key, one.signer) for one in claims)
    contents: dict[str, bytes | None] = {
        place: entries.write(claim) for place, claim in zip(at, claims, strict=True)
    }
    wanted = Wanted("api", KEY, recorded)
    return Judge(settings).decide(wanted, contents, is_disputed=is_disputed)


def trusting(*keys: Keys, signatures: int = 1) -> Settings:
    named = tuple((f"builder-{number}", one.public) for number, one in enumerate(keys))
    return Settings("file:///x", "signed", named, signatures)


def test_the_bucket() -> None:
    """The bucket's entry is believed, unless it is disputed."""
    claim = Claim(KEY, GOOD, 10, 20)
    assert decide(BUCKET, claim) == Decision(claim, (claim,))
    assert decide(BUCKET) == Decision()
    disputed = decide(BUCKET, claim, is_disputed=True)
    assert (disputed.claim, disputed.problem) == (None, trust.DISPUTED)
    assert Judge(BUCKET).places(KEY) == [f"keys/{KEY}.json"]


def test_damage() -> None:
    """Damaged entries are said and not used."""
    found = Judge(BUCKET).decide(Wanted("api", KEY), {"x": b"{"}, is_disputed=False)
    assert found == Decision(None, (), trust.DAMAGED)


@pytest.mark.parametrize("settings", [BUCKET, trusting(CI)])
def test_the_record_is_first(settings: Settings) -> None:
    """A claim of another hash than the recorded one is refused; one that agrees is taken, even if
    somebody disputes it.
    """
    claim = signed(CI, EVIL) if settings.trust == "signed" else Claim(KEY, EVIL, 10, 20)
    refused = decide(settings, claim, recorded=GOOD)
    assert (refused.claim, refused.problem) == (None, trust.UNRECORDED)
    assert refused.believable == (claim,)
    assert decide(settings, claim, recorded=EVIL, is_disputed=True).claim == claim


def test_signatures() -> None:
    """Only what trusted keys signed counts, at the place of the signer; others are said."""
    settings = trusting(CI, SECOND)
    assert decide(settings, signed(CI)).claim == signed(CI)
    assert decide(settings, signed(STRANGER)) == Decision(None, (), trust.FORGED)
    assert decide(settings, Claim(KEY, GOOD, 10, 20)) == Decision(None, (), trust.FORGED)
    forged = signed(STRANGER)._replace(signer=CI.id)
    assert decide(settings, forged) == Decision(None, (), trust.FORGED)
    elsewhere = decide(settings, signed(CI), places=(entries.claim(KEY, SECOND.id),))
    assert elsewhere == Decision(None, (), trust.FORGED)
    assert Judge(settings).places(KEY) == [entries.claim(KEY, one.id) for one in (CI, SECOND)]
    # Anybody may write a note of a dispute.
    assert decide(settings, signed(CI), is_disputed=True).claim == signed(CI)


def test_two_signatures() -> None:
    """Two builders must agree; one twice is one, and two that differ are a dispute."""
    settings = trusting(CI, SECOND, signatures=2)
    assert decide(settings, signed(CI)) == Decision(None, (signed(CI),))
    twice = (entries.claim(KEY, CI.id), entries.claim(KEY, SECOND.id))
    assert decide(settings, signed(CI), signed(CI), places=twice).claim is None
    assert decide(settings, signed(CI), signed(SECOND)).claim == signed(CI)
    differ = decide(settings, signed(CI), signed(SECOND, EVIL))
    assert (differ.claim, differ.problem) == (None, trust.DISPUTED)
    assert len(differ.believable) == 2
    # The record decides which of the two counts, and does not count for a signature.
    assert decide(settings, signed(CI), signed(SECOND, EVIL), recorded=GOOD).claim is None
    one = trusting(CI, SECOND)
    found = decide(one, signed(CI), signed(SECOND, EVIL), recorded=GOOD)
    assert (found.claim, found.problem) == (signed(CI), trust.UNRECORDED)
