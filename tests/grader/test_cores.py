"""Products of numpy on one core, where a process that grades asks for it."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import numpy, threadpoolctl
from grader.cores import keep_products_on_one_core
keep_products_on_one_core()
print([pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"])
"""


def test_products_are_made_on_one_core_from_then_on() -> None:
    # In a process of its own: it holds for the whole process.
    printed = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True).stdout
    assert set(printed.strip("[]\n").split(", ")) == {"1"}
