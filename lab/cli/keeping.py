"""Commands for the person who runs a lab: health, backup, restore, passphrase, prune."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

from core.errors import ClassError
from core.record import Json
from core.words import plural
from lab.cli.result import Incomplete
from lab.runs.store import RunStore
from lab.settings import lab_home

WORKER_SECONDS = 20.0  # within which a worker has ended

if TYPE_CHECKING:
    from lab.server.backup import Manifest


def health_command(options: argparse.Namespace) -> Json | Incomplete:
    """What is well and what is not, a sentence for each part."""
    from lab.server.health import app_address, examine, look_at_app

    health = examine(look_at_app(options.app or app_address()), lab_home(), time.time())
    if not options.json:
        for finding in health.findings:
            print(f"{finding.part:<8}{'well' if finding.well else 'NOT WELL':<10}{finding.sentence}")
    document = health.to_json()
    unwell = [finding.part for finding in health.findings if not finding.well]
    return Incomplete(document, f"not well: {', '.join(unwell)}", status=1) if unwell else document


def backup_command(options: argparse.Namespace) -> Json:
    """A backup of the lab's home."""
    from lab.server.backup import backup

    file, manifest = backup(lab_home(), options.target, weights=not options.without_weights)
    if not options.json:
        print(f"{file}: {_in_words(manifest)}, {file.stat().st_size / 1e6:,.1f} MB")
    return {"file": str(file), "bytes": file.stat().st_size, **_manifest_document(manifest)}


def restore_command(options: argparse.Namespace) -> Json:
    """A backup put back into the lab's home."""
    from lab.server.backup import restore

    manifest, aside = restore(options.file, lab_home(), replace_old=options.replace)
    if not options.json:
        print(f"{lab_home()}: {_in_words(manifest)}, as of {manifest.created}")
        if aside:
            print(f"what was there is now in {aside}")
    return {"home": str(lab_home()), "aside": str(aside) if aside else None, **_manifest_document(manifest)}


def new_store_command(options: argparse.Namespace) -> Json:
    """An empty store where the old one is gone."""
    from lab.server.backup import start_anew

    names = start_anew(lab_home())
    if not options.json:
        print(f"{lab_home()}: {' and '.join(names)} made anew, and empty; start the app again")
    return {"home": str(lab_home()), "made": list(names)}


def _in_words(manifest: Manifest) -> str:
    counts = {"run": manifest.runs, "drawing": manifest.drawings, "file": len(manifest.files)}
    words = ", ".join(plural(count, what) for what, count in counts.items())
    return words if manifest.weights else f"{words}, without weights"


def _manifest_document(manifest: Manifest) -> dict[str, Json]:
    names = ("created", "runs", "drawings", "weights")
    return {name: getattr(manifest, name) for name in names} | {"files": len(manifest.files)}


def workers_command(options: argparse.Namespace) -> Json | Incomplete:
    """The workers that train, on which device and which run; with --stop they are ended, and their runs wait."""
    from lab.runs.supervisor import end_workers, have_ended, is_gone

    store = RunStore(lab_home())
    workers = [slot for slot in store.slots() if not is_gone(slot)]
    asked = end_workers(store) if options.stop else []
    gone = have_ended(store, asked, WORKER_SECONDS)
    store.close()
    if not options.json:
        for slot in workers:
            doing = f"trains run {slot.run}" if slot.run else "waits for a run"
            print(f"{slot.device} {slot.slot}  process {slot.pid} on {slot.host}  {doing}")
        print(f"{plural(len(workers), 'worker')}" + (f", {len(asked)} of them stopped" if gone and asked else ""))
    names = ("device", "slot", "worker", "pid", "host", "started", "heartbeat", "run")
    document: Json = {
        "workers": [{name: getattr(slot, name) for name in names} for slot in workers],
        "stopped": [slot.worker for slot in asked],
    }
    if not gone:
        return Incomplete(document, f"not all workers have ended within {WORKER_SECONDS:.0f} s; try again")
    return document


def passphrase_command(options: argparse.Namespace) -> Json:
    """The hash of a passphrase, and where it goes; only a passphrase that the lab has made is shown, once."""
    from lab.classroom.class_lock import hash_of, made_passphrase
    from lab.settings import SECRETS, TABLE

    made = made_passphrase() if options.make else ""
    found = hash_of(made or (_piped_passphrase() if options.stdin else _asked_passphrase()))
    if not options.json:
        if made:
            print(f"the passphrase, to be written down now: {made}\nits hash:", file=sys.stderr)
        print(found)
        print(f"it goes into {SECRETS}:", file=sys.stderr)
        print(f'\n[{TABLE}]\nclass_passphrase = "{found}"\n', file=sys.stderr)
        print("or into the environment, as LAB_CLASS_PASSPHRASE; then start the app again", file=sys.stderr)
    return {"class_passphrase": found, **({"passphrase": made} if made else {})}


def _piped_passphrase() -> str:
    """The first line of standard input; more of it would be a mistake that nobody sees."""
    try:
        lines = sys.stdin.read().splitlines()
    except UnicodeDecodeError as error:
        raise ClassError(f"the passphrase on standard input is no text: {error.reason}") from None
    if len(lines) != 1:
        raise ClassError(f"standard input has {len(lines):,} lines; the passphrase is 1")
    return lines[0]


def _asked_passphrase() -> str:
    import warnings
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)  # where it would be shown as it is typed
            first, second = getpass("Passphrase: "), getpass("And again: ")
    except (EOFError, GetPassWarning):
        raise ClassError("there is no terminal to ask at; --stdin reads it from standard input") from None
    if first != second:
        raise ClassError("the two are not the same")
    return first


def prune_command(options: argparse.Namespace) -> Json:
    """Old runs, deleted or only named."""
    from lab.runs.prune import ALL, ENDED, due, prune
    from lab.settings import settings

    kept, now = settings(), time.time()
    store = RunStore(lab_home())
    runs = due(store.runs(ALL, ENDED), kept, now) if options.dry_run else prune(store, kept, now)
    store.close()
    if not options.json:
        for run in runs:
            print(f"{run.id}  {datetime.fromtimestamp(run.ended or run.created):%Y-%m-%d %H:%M}  {run.name}")
        bounds = f"LAB_KEEP_DAYS={kept.keep_days}, LAB_KEEP_RUNS={kept.keep_runs}; 0 keeps all"
        print(f"{'to be deleted' if options.dry_run else 'deleted'}: {len(runs):,} ({bounds})")
    return {"deleted": not options.dry_run, "runs": [run.id for run in runs]}
