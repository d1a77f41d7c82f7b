"""How a process that grades for long takes memory from the system and gives it back. Whoever owns the process decides."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# What `mallopt` of glibc calls the number of arenas, and the size from which a block is the system's own.
_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1 << 16


def tune_allocator() -> None:
    """Keep what is free from piling up, where the C library is glibc.

    All threads take memory from one arena: each one of its own would keep what is free in it. Large blocks, which last no longer
    than a request, always come from the system and go back to it; otherwise the C library would take them from the arena once it
    has seen a larger one go, between small ones that stay, and the arena would grow for minutes.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
