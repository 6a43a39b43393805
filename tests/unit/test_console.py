"""Text reaches the streams as it was written, whichever threads write."""

import io
import threading
import time

from buildlib import console


class Slow(io.RawIOBase):
    """A stream such as a pipe whose reader is slow: other threads run while it is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        content = bytes(data)  # type: ignore[call-overload]
        time.sleep(0.001)
        self.content += content
        return len(content)


def test_threads() -> None:
    """No line of any thread is lost or mixed with another one."""
    raw = Slow()
    stream = io.TextIOWrapper(io.BufferedWriter(raw, 512), encoding="utf-8")
    expected = {f"{thread} {number} {'x' * 60}" for thread in range(8) for number in range(400)}

    def write(thread: int) -> None:
        for number in range(400):
            console.write(stream, f"{thread} {number} {'x' * 60}\n")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.flush()
    lines = raw.content.splitlines()
    assert len(lines) == len(expected)
    assert {line.decode(errors="replace") for line in lines} == expected
