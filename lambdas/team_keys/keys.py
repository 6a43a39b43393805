"""Public SSH keys as lines of an `authorized_keys` file (sshd(8), AUTHORIZED_KEYS FILE FORMAT)."""

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence

# What OpenSSH still accepts by default; ssh-dss is gone since OpenSSH 10.
ALGORITHMS = frozenset(
    {
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "sk-ssh-ed25519@openssh.com",
        "ssh-ed25519",
        "ssh-rsa",
    }
)


class KeyFormatError(ValueError):
    """A string is not a public key that may stand in `authorized_keys`."""


def parse(line: str) -> tuple[str, str]:
    """Return algorithm and base64 blob of a key, `<algorithm> <blob> [comment]`.

    Whatever passes is a single line without options: a `command=` or a second line that someone
    managed to put into a key would otherwise reach sshd. The blob repeats the algorithm (RFC 4253,
    section 6.6), and both must agree. Raises KeyFormatError.
    """
    words = line.split(maxsplit=2)
    if len(words) < 2 or words[0] not in ALGORITHMS:  # noqa: PLR2004
        msg = "not a public key of a known algorithm"
        raise KeyFormatError(msg)
    algorithm, blob = words[:2]
    try:
        data = base64.b64decode(blob, validate=True)
        (length,) = struct.unpack_from(">I", data)
    except (binascii.Error, ValueError, struct.error) as error:
        msg = "the key is not valid base64"
        raise KeyFormatError(msg) from error
    if data[4 : 4 + length] != algorithm.encode() or len(data) <= 4 + length:
        msg = f"the key is not one of {algorithm}"
        raise KeyFormatError(msg)
    return algorithm, blob


def authorized_keys(members: Mapping[str, Sequence[str]]) -> tuple[str, list[str]]:
    """Return the file for `members`, login -> keys, and a message for each key left out.

    Members are sorted and their duplicate keys dropped, so that the same team always gives the
    same text, whatever the order in which it was listed.
    """
    lines: list[str] = []
    problems: list[str] = []
    for login in sorted(members, key=lambda login: (login.casefold(), login)):
        good = set()
        for key in members[login]:
            try:
                good.add(parse(key))
            except KeyFormatError as error:
                problems.append(f"{login}: {error}")
        lines.append(f"# {login}: {len(good)} {'key' if len(good) == 1 else 'keys'}")
        lines += [f"{algorithm} {blob} {login}" for algorithm, blob in sorted(good)]
    return "".join(f"{line}\n" for line in lines), problems
