#!/usr/bin/env python3
"""AuthorizedKeysCommand: prints the keys of the team, from the function team_keys.

Runs on the hosts and needs only their Python 3. /etc/team-keys.json holds the URL of the
keys and the shared secret, and is readable by AuthorizedKeysCommandUser alone:

    {"url": "https://keys.example.com/teams/platform/authorized_keys", "secret": "..."}

It is not shell and openssl, because openssl takes the key of an HMAC on its command line, where
every user of the host can read it.
"""

import hashlib
import hmac
import http.client
import json
import pathlib
import sys
import time
import urllib.parse
import urllib.request

CONFIG = "/etc/team-keys.json"
TIMEOUT_SECONDS = 10


def fetch(url: str, secret: str) -> str:
    """Return what the function answers to a request that is signed with `secret`."""
    timestamp = str(int(time.time()))
    message = f"{timestamp}\n{urllib.parse.urlsplit(url).path}"
    signature = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    # S310, schemes other than https: the URL comes from a file that only root writes.
    request = urllib.request.Request(  # noqa: S310
        url, headers={"x-timestamp": timestamp, "x-signature": signature}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
        text: str = response.read().decode()
    return text


if __name__ == "__main__":
    try:
        config = json.loads(pathlib.Path(sys.argv[1] if sys.argv[1:] else CONFIG).read_text())
        sys.stdout.write(fetch(config["url"], config["secret"]))
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        # One line for the journal; sshd goes on with the keys it finds elsewhere.
        sys.exit(f"team-keys: {type(error).__name__}: {error}")
