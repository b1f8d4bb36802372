"""How much memory the system can still give, and sizes as users read them."""

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


def size_in_words(n_bytes: int) -> str:
    """Return a number of bytes as users read it; what is less than a megabyte counts as one.

    Examples
    --------
    >>> size_in_words(1_900_000_000), size_in_words(94_400_000), size_in_words(16_384)
    ('1.9 GB', '94 MB', '1 MB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6))} MB"


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
