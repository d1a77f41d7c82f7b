"""Where the threads of a process that grades for long take their memory from."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# What `mallopt` of glibc calls the number of arenas.
_M_ARENA_MAX = -8


def share_memory_among_threads() -> None:
    """Let all threads take memory from one arena, where the C library is glibc: each one of its own keeps what is free in it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
