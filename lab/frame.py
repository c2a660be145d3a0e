"""The sidebar: what is true on every page. The data set, the device, and what is running now."""

from __future__ import annotations

import os
import subprocess
import sys

import streamlit as st

from core.errors import LabError
from core.mnist import DOWNLOAD_BYTES, EMBEDDED, data_root, is_present
from lab.jobs import ROOT
from lab.machine import read_machine
from lab.resources import store


def heading(title: str, sentence: str) -> None:
    """A page's title and the one sentence that says what it is for, moved up into the room the menu leaves."""
    st.html("<style>.st-key-heading { margin-top: -3.5rem; }</style>")
    with st.container(key="heading", gap=None):
        st.title(title, anchor=False)
        st.markdown(sentence)


def data_notice() -> None:
    """Where MNIST is not there, say what stands in for it, and offer to fetch it."""
    if is_present("MNIST"):
        return
    say, fetch = st.columns([3, 1], vertical_alignment="center")
    say.info(
        f"MNIST is not in `{data_root()}`. Until it is, the **{EMBEDDED}** stand in: 1,797 real 8 x 8 digits, "
        "enlarged. Figures from them are not MNIST's, and say so.",
        icon=":material/database:",
    )
    with fetch:
        st.fragment(_offer_download, run_every=1.0 if _is_fetching() else None)()


def sidebar() -> None:
    """Draw it; it ticks only while something is running or being fetched."""
    with st.sidebar:
        try:
            running = store().runs(limit=5, statuses=("running", "queued"))
        except LabError as error:
            st.error(str(error))
            running = []
        st.fragment(_state, run_every=2.0 if running else None)()


def _state() -> None:
    st.caption("DATA SET")
    if is_present("MNIST"):
        st.markdown(":material/check_circle: MNIST, 60,000 + 10,000 images")
    else:
        st.markdown(f":material/info: {EMBEDDED.capitalize()}, 1,437 + 360 images")
    machine = read_machine(store().folder)
    st.caption("DEVICE")
    if machine:
        st.markdown(f":material/memory: {machine.names[0]}, torch {machine.torch}, {machine.threads} threads")
    else:
        st.markdown(":material/memory: known once a run has started")
    st.caption("RUNNING NOW")
    try:
        unfinished = store().runs(limit=6, statuses=("running", "queued"))
    except LabError as error:
        st.error(str(error))
        return
    if not unfinished:
        st.markdown("nothing")
    for run in unfinished:
        icon = ":material/play_arrow:" if run.status == "running" else ":material/hourglass_empty:"
        st.page_link(
            "pages/experiment/train.py", label=run.name, icon=icon, query_params={"run": run.id}, width="stretch"
        )


def _offer_download() -> None:
    """A button that fetches MNIST in a process of its own, and how far that is."""
    if "download" not in st.session_state:
        st.button("Download MNIST (12 MB)", on_click=_start_download, icon=":material/download:", width="stretch")
        return
    process = _download()
    raw = data_root() / "MNIST" / "raw"
    there = sum(path.stat().st_size for path in raw.glob("*.gz")) if raw.is_dir() else 0
    if process.poll() is None:
        share = min(1.0, there / DOWNLOAD_BYTES["MNIST"])
        st.progress(share, text=f"{there / 1e6:.1f} of {DOWNLOAD_BYTES['MNIST'] / 1e6:.1f} MB")
    elif process.returncode == 0:
        st.rerun()
    else:
        said = process.stderr.read().decode(errors="replace").strip().splitlines() if process.stderr else []
        st.session_state.download_error = said[-1] if said else st.session_state.get("download_error", "")
        st.warning(f"The download failed. {st.session_state.download_error}")
        st.button("Try again", on_click=_start_download)


def _start_download() -> None:
    st.session_state.download = subprocess.Popen(
        [sys.executable, "-m", "lab", "data", "--download", "MNIST"],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _is_fetching() -> bool:
    return "download" in st.session_state and _download().poll() is None


def _download() -> subprocess.Popen[bytes]:
    process: subprocess.Popen[bytes] = st.session_state.download
    return process
