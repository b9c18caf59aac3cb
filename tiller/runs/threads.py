"""How many threads one process computes with: one, unless set otherwise."""

from __future__ import annotations

import os

VARIABLE = "OMP_NUM_THREADS"


def limit_threads(threads: int | None) -> None:
    """Set the threads of this process and of those it starts; called before torch is imported for the first time.

    On small layers several threads wait for each other longer than they work, so processes, not threads, use the cores.

    Args:
        threads: None takes OMP_NUM_THREADS, else one.
    """
    if threads is not None:
        os.environ[VARIABLE] = str(threads)
    os.environ.setdefault(VARIABLE, "1")

    import torch

    if threads is not None:
        torch.set_num_threads(threads)
