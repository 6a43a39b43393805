"""Which claim about a key is believed: the rules of `trust` and `signatures`.

The recorded hash of lambdas.hashes.json comes first under each trust: the committed file
decides, and a claim of another hash is refused.
"""

from collections.abc import Mapping
from typing import NamedTuple

from buildlib.remote import entries, signing
from buildlib.remote.entries import Claim
from buildlib.remote.settings import SIGNED, Settings


class Wanted(NamedTuple):
    """A ZIP to look for: the id of its variant, its key, and the recorded sha256 or nothing.

    It may also be a pack of compressed members, which no record has.
    """

    name: str
    key: str
    recorded: str = ""
    is_pack: bool = False


class Decision(NamedTuple):
    """The claim that is believed, or None; `believable` are all that the trust accepts.

    `problem` says why an entry is refused, as the start of a line that ends with its variants.
    """

    claim: Claim | None = None
    believable: tuple[Claim, ...] = ()
    problem: str = ""


UNKNOWN = Decision()


class Judge:
    """The rules of the settings."""

    def __init__(self, settings: Settings) -> None:
        self.is_signed = settings.trust == SIGNED
        self._needed = settings.signatures
        self._trusted = {signing.identity(public): public for _, public in settings.keys}
        self.names = {signing.identity(public): name for name, public in settings.keys}

    def places(self, key: str) -> list[str]:
        """Return the places of the entries that decide about a key."""
        if not self.is_signed:
            return [entries.claim(key)]
        return [entries.claim(key, signer) for signer in self._trusted]

    def decide(
        self, wanted: Wanted, contents: Mapping[str, bytes | None], *, is_disputed: bool
    ) -> Decision:
        """Return which claim about a key is believed, given the contents of its places."""
        read = {
            place: entries.read(content, wanted.key)
            for place, content in contents.items()
            if content is not None
        }
        claims = {place: claim for place, claim in read.items() if claim is not None}
        problem = "" if len(claims) == len(read) else DAMAGED
        if self.is_signed:
            # One signature in several places is still one.
            genuine = {
                place: claim
                for place, claim in claims.items()
                if place == entries.claim(wanted.key, claim.signer) and self.is_genuine(claim)
            }
            problem = problem if len(genuine) == len(claims) else FORGED
            claims = genuine
        believable = tuple(claims.values())
        agreeing = [one for one in believable if wanted.recorded in {"", one.sha256}]
        if len(agreeing) < len(believable):
            problem = UNRECORDED
        differ = len({one.sha256 for one in agreeing}) > 1
        if differ or (agreeing and is_disputed and not self.is_signed and not wanted.recorded):
            return Decision(None, believable, DISPUTED)
        is_enough = len(agreeing) >= (self._needed if self.is_signed else 1)
        return Decision(agreeing[0] if is_enough else None, believable, problem)

    def is_genuine(self, claim: Claim) -> bool:
        """Tell whether a key that the settings trust has signed a claim."""
        public = self._trusted.get(claim.signer)
        return public is not None and signing.is_signed(claim, public)


DAMAGED = "the remote cache has damaged entries, which were not used"
FORGED = "the remote cache has entries without a valid signature, which were not used"
DISPUTED = (
    "the remote cache has different ZIPs for the same inputs, which were not used; see 'lambdas "
    "errors remote-dispute'"
)
UNRECORDED = (
    "the remote cache has other ZIPs than lambdas.hashes.json records for the same inputs; they "
    "were not used. Either somebody tampered with the cache, or the build is not reproducible"
)
