"""How many cores numpy's products take. Whoever owns the process decides; the library itself leaves it as it is."""

from __future__ import annotations

import threadpoolctl


def keep_products_on_one_core() -> None:
    """Make every product of this process on the core that asks for it, from now on.

    The products of grading have some hundred rows: shared among cores they gain .1 ms, and wait for milliseconds wherever other
    work holds one of these cores.
    """
    threadpoolctl.threadpool_limits(limits=1, user_api="blas")
