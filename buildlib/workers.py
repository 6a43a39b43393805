"""How many tasks run at once by default: one for each processor, as far as the memory allows."""

import os

# Memory for one task, in bytes: an environment such as that of pandas takes half of it.
_MEMORY = 512 << 20


def count() -> int:
    """Return the number of tasks to run at once."""
    return max(1, min(_processors(), _memory() // _MEMORY))


def _processors() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _memory() -> int:
    """Return the available memory in bytes; of a system that does not tell, all of it."""
    found = []
    for path, unit in _LIMITS.items():
        try:
            with open(path, "rb") as stream:
                content = stream.read(4096)
        except OSError:
            continue
        if content.startswith(b"MemTotal"):
            content = content.partition(b"MemAvailable:")[2].split(None, 1)[0]
        if content.strip().isdigit():  # not `max`
            found.append(int(content) * unit)
    try:
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows
        found.append(_MEMORY * 4)
    return min(found)


# The files of Linux (proc(5), and cgroups v2 and v1) that tell how much memory there is, each with
# its unit in bytes.
_LIMITS = {
    "/proc/meminfo": 1 << 10,
    "/sys/fs/cgroup/memory.max": 1,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": 1,
}
