"""Start the emulator, invoke the function once, and stop. Any Python from 3.10 on can run this.

This file is not imported. It runs next to the function, on this machine or in a container. It reads
its task as JSON from stdin, and writes one JSON object per line to stdout: `{"log": ...}` for the
function's output, `{"platform": ...}` for the emulator's, and finally the answer or a problem.
"""

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

PATH = "/2015-03-31/functions/function/invocations"


# Seconds to wait until the emulator listens.
START = 20.0


# Seconds to wait for an answer beyond the function's timeout: Lambda allows 10 s to initialise.
GRACE = 30.0


_lock = threading.Lock()


def say(**values: object) -> None:
    """Write one JSON object to stdout."""
    with _lock:
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()


def pass_on(kind: str, stream: IO[bytes]) -> None:
    """Report the lines of a stream as objects of this kind."""
    for line in stream:
        say(**{kind: line.decode(errors="replace").rstrip("\n")})


def free_ports() -> tuple[int, int]:
    """Return two unused ports of the loopback interface."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def without_privileges() -> None:
    """Drop root's capabilities from the next exec on.

    prctl(2), capabilities(7): SECBIT_NOROOT and its lock, then no_new_privs.
    """
    library = ctypes.CDLL(None, use_errno=True)
    for option, value in ((28, 0b11), (38, 1)):
        if library.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


def adopt_orphans() -> None:
    """Become the parent of every process that the function leaves behind (prctl(2))."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def children() -> list[int]:
    """Return the processes whose parent this one is (proc(5))."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:
                fields = stream.read().rpartition(b")")[2].split()
        except OSError:  # it ended
            continue
        if int(fields[1]) == os.getpid():
            found.append(int(name))
    return found


def end_all() -> None:
    """Kill all processes that are left; those of a killed one come to this process."""
    for _ in range(200):
        left = children()
        if not left:
            return
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.02)


def start(task: dict[str, Any], ports: dict[str, int]) -> "subprocess.Popen[bytes]":
    """Start the emulator as the function's user."""
    command = [
        word.format_map(ports) if word.startswith("127.0.0.1:{") else word
        for word in task["command"]
    ]
    user: dict[str, Any] = {}
    before_exec: Callable[[], None] | None = None
    if task["user"] is not None:
        user = {"user": task["user"], "group": task["user"], "extra_groups": []}
    elif os.getuid() == 0:
        before_exec = without_privileges
    return subprocess.Popen(  # noqa: S603 - the command is AWS's emulator
        command,
        cwd=task["folder"],
        env=(dict(os.environ) if task["inherit"] else {}) | task["variables"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=before_exec,  # noqa: PLW1509 - no other thread has started yet
        umask=0o022,
        **user,
    )


def wait_for(port: int, emulator: "subprocess.Popen[bytes]") -> bool:
    """Wait until the emulator listens; return False if it exits or takes too long."""
    end = time.monotonic() + START
    while emulator.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False


def invoke(port: int, task: dict[str, Any]) -> dict[str, Any]:
    """Send the event; return the status and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=task["timeout"] + GRACE)
    connection.request("POST", PATH, task["event"].encode(), {"Content-Type": "application/json"})
    response = connection.getresponse()
    return {"status": response.status, "body": response.read().decode(errors="replace")}


def main(task: dict[str, Any]) -> int:
    """Run one invocation; return the exit code, which is 0 if there was an answer."""
    ports = dict(zip(("emulator", "api"), free_ports(), strict=True))
    if task["port"]:  # the image's entry point listens on a fixed port
        ports["emulator"] = task["port"]
    adopt_orphans()
    try:
        emulator = start(task, ports)
    except (OSError, subprocess.SubprocessError) as error:
        say(problem=f"cannot start {task['command'][0]}: {error}")
        return 1
    streams = (("log", emulator.stdout), ("platform", emulator.stderr))
    readers = [threading.Thread(target=pass_on, args=pair, daemon=True) for pair in streams]
    for reader in readers:
        reader.start()
    answer: dict[str, Any] = {"problem": "the emulator did not start"}
    try:
        if wait_for(ports["emulator"], emulator):
            answer = invoke(ports["emulator"], task)
    except (OSError, http.client.HTTPException) as error:
        answer = {"problem": f"the emulator gave no answer: {error!r}"}
    finally:
        emulator.terminate()  # it also terminates the function's processes
        try:
            emulator.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(emulator.pid, signal.SIGKILL)
        end_all()
    for reader in readers:
        reader.join(5)
    say(**answer)
    return "problem" in answer


if __name__ == "__main__":
    code = main(json.loads(sys.stdin.readline()))
    raise SystemExit(code)
