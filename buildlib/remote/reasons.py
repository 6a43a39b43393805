"""The reasons of failures in our own words: the texts of obstore may hold credentials."""

import re

# Parts of obstore's texts, and their meaning.
_REASONS = {
    "ermission denied": "permission denied",
    "Read-only file system": "permission denied",
    "Unable to recognise URL": "an address that is not supported",
    "Account must be specified": "no storage account is set",
    "redential": "no usable credentials",
    "configured region": "the bucket is in another region",
    "canonicalize": "the folder does not exist",
    "No space left": "the disk is full",
    "File name too long": "a path is too long",
    "timed out": "no answer in time",
    "operation timed": "no answer in time",
    "error sending request": "unreachable",
    "connection closed": "the connection was closed",
    "error decoding response body": "the connection broke",
    "request or response body": "the connection broke",
}

REFUSALS = ("permission denied", "HTTP status 401", "HTTP status 403")


def reason(error: Exception) -> str:
    """Return the reason of a failure in our own words, with the code of the service."""
    text = str(error)
    status = re.search(r"status code: ([1-5][0-9][0-9])\b", text)
    code = re.search(r"<Code>([A-Za-z]{1,40})</Code>", text)
    if status:
        return f"HTTP status {status[1]}" + (f", {code[1]}" if code else "")
    return next((why for part, why in _REASONS.items() if part in text), "an error")
