"""One of the processes of a run, of which the last kills itself; see test_lost_peer.py."""

import importlib
import os
import signal
import sys

from onepaper.cli import dispatch


def run(_: list[str]) -> int:
    accelerator = importlib.import_module(f"onepaper.{sys.argv[1]}.accelerator").Accelerator
    with accelerator() as processes:
        processes.barrier()
        if processes.rank == processes.world - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            processes.barrier()


if __name__ == "__main__":
    dispatch._dispatch = run
    dispatch.main([])
