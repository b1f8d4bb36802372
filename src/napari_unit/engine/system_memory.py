"""How much memory the system can still give."""

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a container its limits (cgroup v2)."""


def available_system_bytes() -> int | None:
    """Return what the system and its container can still give; None if that cannot be told."""
    known = [n for n in (_system_bytes(), _cgroup_bytes()) if n is not None]
    return min(known, default=None)


def process_bytes() -> int | None:
    """Return how much memory this process holds; None if that cannot be told."""
    try:
        return int(psutil.Process().memory_info().rss)
    except (OSError, psutil.Error):
        return None


def _system_bytes() -> int | None:
    """Return what the system could still give, what it has read from files included."""
    try:
        return int(psutil.virtual_memory().available)
    except (OSError, psutil.Error):
        return None


def _cgroup_bytes() -> int | None:
    """Return what is left of a container's limit, its reclaimable file cache included."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        return None if limit == "max" else max(0, int(limit) - used + _cgroup_cache_bytes())
    except (OSError, ValueError):
        return None


def _cgroup_cache_bytes() -> int:
    try:
        lines = (CGROUP / "memory.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 0
