"""What runs for as long as the app's server is up: the supervisor of runs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.errors import LabError
from core.files import sweep
from core.outside import log_plainly
from core.words import plural
from lab.runs import supervisor
from lab.runs.searching import advance
from lab.runs.store import RunStore
from lab.server import connections, quiet, readiness
from lab.settings import lab_home
from lab.studies.own_ladder import own_ladder

SWEEPING_SECONDS = 3600.0

log = logging.getLogger("lab.server.lifespan")


@asynccontextmanager
async def supervised(app: object) -> AsyncIterator[None]:
    """While the app is up, runs continue whether or not anybody looks at them."""
    quiet.hush()
    connections.bound(asyncio.get_running_loop())  # the server is made after this
    threading.Thread(target=_check_ladder, daemon=True).start()
    log_plainly("lab", logging.WARNING)
    readiness.first_page()
    readiness.once_quiet(*readiness.NEXT_PAGES)
    leaving = threading.Event()
    thread = threading.Thread(target=_supervise, args=(leaving,), name="supervisor", daemon=True)
    thread.start()
    threading.Thread(target=_sweep, args=(leaving,), daemon=True).start()
    yield
    leaving.set()
    thread.join(5.0)


def _check_ladder() -> None:
    """Say what is wrong in the class's own ladder; the lab starts without those steps."""
    for fault in own_ladder().faults:
        log.warning("%s", fault)


def _sweep(leaving: threading.Event) -> None:
    """Remove what kills have left half-written, now and then."""
    while True:
        if swept := sweep(lab_home()):
            log.warning("%s left by a kill, removed", plural(len(swept), "temporary file"))
        if leaving.wait(SWEEPING_SECONDS):
            return


def _supervise(leaving: threading.Event) -> None:
    complaint = ""
    while not leaving.is_set():
        try:
            store = RunStore(lab_home())
        except LabError as error:  # the pages show it too; somebody may fix it while the app is up
            if str(error) != complaint:  # said once
                log.error("%s", error)
            complaint = str(error)
            leaving.wait(10.0)
            continue
        complaint = ""
        supervisor.supervise(store, leaving, advance)
        store.close()
