"""Connect declarations whose code is unknown with the functions that folders show."""

import re
from collections.abc import Iterable, Iterator

from buildlib.commands.init.candidates import Candidate
from buildlib.commands.init.hcl.elements import ANY
from buildlib.lock import unread


def connect(declared: Iterable[Candidate], guesses: Iterable[Candidate]) -> Iterator[str]:
    """Give guessed functions the facts of declarations that fit them; yield a note for each block.

    A fact that was read wins over the default of a guess; where several declarations disagree, none
    is taken.
    """
    blocks: dict[tuple[str, str | None, str | None], list[Candidate]] = {}
    for one in declared:
        address = re.sub(r"\[[^]]*\]", "[*]", one.origin)
        blocks.setdefault((address, one.runtime, one.architecture), []).append(one)
    users: dict[tuple[str, str | None, str | None], list[str]] = {}
    for guess in guesses:
        fitting = [key for key, some in blocks.items() if any(_fits(one, guess) for one in some)]
        if len({key[1:] for key in fitting}) == 1:
            address, guess.runtime, guess.architecture = fitting[0]
            guess.origin += f", perhaps of {address}"
        for key in fitting:
            users.setdefault(key, []).append(guess.name)
    for key, some in blocks.items():
        yield _note(key[0], some, users.get(key, []))


def _note(address: str, some: list[Candidate], names: list[str]) -> str:
    """Return the note about a block, whose elements are `some`, and the guesses that fit it."""
    one = some[0]
    origin = one.origin if len(some) == 1 else f"{address} ({len(some)} elements)"
    why = "; ".join(note.replace(ANY, "*") for note in one.notes) or "its source is unknown"
    facts = ", ".join(filter(None, (one.runtime, one.architecture)))
    if names:
        shown = f"{f', with its {facts}' if facts else ''}: {unread.described(names)}"
        return f"{origin}: {why}; functions in folders that may be its own{shown}"
    shown = f" ({facts})" if facts else ""
    return f"{origin}: {why}; no function in a folder fits it{shown}; skipped"


def _fits(declared: Candidate, guess: Candidate) -> bool:
    """Tell whether a declaration may be that of a guess: it is near, and has such a handler."""
    near = declared.origin.partition(",")[0].rpartition("/")[0].rpartition("/")[0]
    if near and not f"{guess.source}/".startswith(f"{near}/"):
        return False
    if declared.handler is None:
        return True
    handler = re.escape(declared.handler.replace("/", ".")).replace(ANY, r"[^.]+")
    path = f".{guess.source}.{guess.handler}".replace("/", ".")
    return re.fullmatch(rf".*\.{handler}", path) is not None
