"""doit's own state in one JSON file that survives kills, crashes and two runs at once.

doit's JSON backend writes in place and stops at a damaged file. Here the file is replaced in one
step, and a damaged one counts as lost: every step leaves a record of its own, so nothing is rebuilt
for it.
"""

from pathlib import Path
from typing import Any

from doit.dependency import JSONCodec, JsonDB

from buildlib import files


class JsonState(JsonDB):  # type: ignore[misc] # doit has no type hints
    """The backend `lambdas` of doit: as `json`, but safe."""

    desc = "JSON, replaced in one step"

    def __init__(self, name: str, codec: JSONCodec, *, module_name: str | None = None) -> None:
        self.known = False  # whether there was a state: what is missing in one was forgotten
        super().__init__(name, codec, module_name=module_name)

    def _load(self) -> dict[str, Any]:
        value = files.read_json(Path(self.name))
        self.known = isinstance(value, dict)
        return value if isinstance(value, dict) else {}

    def dump(self) -> None:
        """Save the state."""
        files.write(Path(self.name), self.codec.encode(self._db).encode())
