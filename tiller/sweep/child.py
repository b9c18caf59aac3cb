"""What a cell's process runs: `tiller VERB ...`, for as long as somebody holds the other end of its stdin.

Whoever started the cell keeps that end open and never writes to it. However they end, by Ctrl-C, kill -9 or a lost
node, the kernel closes it: the cell then stops as if by Ctrl-C, saving what it has, and is killed if it does not.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

PATIENCE_S = 20.0
"""For a stopped run to save what it has."""


def main() -> int:
    """Run the verb named on the command line."""
    # Both are inherited: a shell has the programs in its background ignore Ctrl-C, and Ray's workers block it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_stop_when_alone, daemon=True).start()
    sys.argv[0] = "tiller"  # the evaluation's record shows this command
    from tiller.cli import main as run

    return run(sys.argv[1:])


def _stop_when_alone() -> None:
    while os.read(sys.__stdin__.fileno(), 1):  # type: ignore[union-attr]
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(PATIENCE_S)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
