"""SIGTERM, SIGHUP and SIGQUIT end a run as Ctrl-C does, and workers end with their parent."""

import contextlib
import functools
import os
import signal
import sys
import threading
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP", "SIGQUIT")


class Stopped(KeyboardInterrupt):
    """A signal that ends the run; its one argument is the number of the signal, also as text.

    doit sends exceptions of workers as their class and their text.
    """


def number(error: BaseException | None) -> int:
    """Return the number of the signal behind an exception; 0 if there is none."""
    if isinstance(error, Stopped):
        return int(error.args[0])
    return int(signal.SIGINT) if isinstance(error, KeyboardInterrupt) else 0


def install() -> None:
    """Let each signal raise `Stopped`, unless it is ignored, as by nohup, or handled already."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in _NAMES:
        if (which := getattr(signal, name, None)) and signal.getsignal(which) is signal.SIG_DFL:
            signal.signal(which, _stop)
    if sys.platform == "linux":
        os.register_at_fork(after_in_child=functools.partial(_end_with_parent, os.getpid()))


def _stop(which: int, _: FrameType | None) -> None:
    raise Stopped(which)


# prctl(2): the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1


def _end_with_parent(parent: int) -> None:
    """Ask for SIGKILL when the parent ends: a parent that was killed cannot end its workers.

    Another signal would raise an exception, which is lost while a process forks.
    """
    import ctypes  # 10 ms, only in workers

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it ended before
        os.kill(os.getpid(), signal.SIGKILL)
