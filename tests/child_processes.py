"""Processes of their own: started to do something at one moment, and what one has started, as Linux tells it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path


def run_together(code: str, arguments_of_each: Sequence[Sequence[str]]) -> None:
    """Run a program in several processes at one moment, and fail if one says or returns that something is wrong.

    Each prints "ready" when it has imported what it needs, and goes on when it has read a line.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for arguments in arguments_of_each
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert outcomes == [("", 0)] * len(processes)


def children_of(pid: int) -> list[int]:
    """Return the processes that any thread of one has started and that still live."""
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
