"""Check this machine: what `python -m lab doctor` says, on the page."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import streamlit as st

from lab.settings import ROOT, settings
from lab.ui.owner import me

PATIENCE = 600  # seconds: on a busy machine training is slow
MARKS = {True: "ok", False: "failed", None: "–"}
DONE = "doctor_document"


def check_this_machine() -> None:
    """The button and what came of it; on a server with a teacher, for the teacher only: it takes the machine's time."""
    if settings().class_passphrase and not me().teacher:
        return
    with st.expander("Check this machine", icon=":material/stethoscope:", key="doctor"):
        st.caption(
            "What torch sees here, and whether training does on each device what it should: the same seed, the same "
            "bits; a clock that is right; and how fast it is. It takes a minute."
        )
        if st.button("Check", key="doctor_run"):
            with st.spinner("Training a small network, several times …"):
                st.session_state[DONE] = _document()
        if DONE in st.session_state:
            _show(st.session_state[DONE])


def _document() -> str:
    command = [sys.executable, "-m", "lab", "doctor", "--json"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _show(document: str) -> None:
    if not document:
        st.error("The check came to no end here. On the server, `python -m lab doctor` says how far it gets.")
        return
    checks = json.loads(document)["checks"]
    failed = sum(check["passed"] is False for check in checks)
    if failed:
        st.error(f"{failed} of {len(checks)} checks failed.")
    table = pd.DataFrame(
        [[MARKS[each["passed"]], each["device"], each["what"], each["found"]] for each in checks],
        columns=["", "device", "check", "found"],
    )
    st.dataframe(table, hide_index=True, width="stretch")
    st.download_button("JSON, for an issue", document, "doctor.json", "application/json")
