"""Answer uv's question about an interpreter with the target's platform instead of this machine's.

`uv.target` copies this module into a virtual environment, whose Python imports it at its start. uv
asks each interpreter once: its script prints one JSON object. Paths and the version stay those of
this machine's Python, since uv takes the target's version from `--python-version`.
"""

import atexit
import json
import os
import sys
from pathlib import Path
from typing import Any

# The name of uv's script, in the command with which it starts an interpreter.
_SCRIPT = "get_interpreter_info"


def _answer() -> None:
    target = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    dumps, answered = json.dumps, []

    def describe(value: Any, *rest: Any, **options: Any) -> str:  # noqa: ANN401 - as json.dumps
        if isinstance(value, dict) and "result" in value:
            answered.append(value)
            if value["result"] == "success":
                platform = {**value.get("platform", {})}  # until uv 0.12
                for name in target.keys() - value.keys():
                    if name not in platform:
                        sys.stderr.write(f"uv asks for no '{name}'\n")
                        os._exit(3)
                    platform[name] = target[name]
                known = {name: target[name] for name in target.keys() & value.keys()}
                markers = {**value["markers"], **target["markers"]}
                value = {**value, **known, "markers": markers}
                if platform:
                    value["platform"] = platform
        return dumps(value, *rest, **options)

    def check() -> None:  # a uv that asks in another way must not get this machine's answer
        if not answered:
            sys.stderr.write("uv did not take the description of the target\n")
            sys.stderr.flush()
            os._exit(3)

    json.dumps = describe  # type: ignore[assignment]
    atexit.register(check)


if any(_SCRIPT in word for word in sys.orig_argv):
    _answer()
