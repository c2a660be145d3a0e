"""The driver's process: `python -m lab.runs.cluster [--idle SECONDS]`. `lab.runs.actions` starts it."""

from __future__ import annotations

import argparse
import sys

from core.outside import log_plainly
from lab.runs.cluster.connection import connected
from lab.runs.cluster.driver import Driver
from lab.runs.store import RunStore
from lab.runs.worker import IDLE_SECONDS, last_words, leave_on_signal
from lab.settings import lab_home, settings


def main() -> int:
    """Serve the queue until it has long been empty; 1, and the reason on standard error, where that cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.runs.cluster", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds without a run before it ends")
    arguments = parser.parse_args()
    log_plainly()

    def serve() -> None:
        with connected(settings()) as cluster:
            driver = Driver(RunStore(lab_home()), cluster)
            leave_on_signal(driver.leaving)  # after Ray has set its own
            driver.work(arguments.idle)

    return last_words(serve)


if __name__ == "__main__":
    sys.exit(main())
