"""The sidebar: what is true on every page. The data set, the device, and what is running now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def data_notice(dataset: str = "MNIST") -> None:
    """Where a data set is not there, say so and what stands in for it, and offer to fetch it."""
    if is_present(dataset):
        return
    st.fragment(lambda: _notice(dataset), run_every=1.0 if _is_fetching(dataset) else None)()


def _notice(dataset: str) -> None:
    if is_present(dataset):
        st.rerun()  # it has just been fetched: the whole page turns to it
    say, fetch = st.columns([3, 1], vertical_alignment="center")
    failed = f" The download failed: {_last_line(dataset)}" if _has_failed(dataset) else ""
    say.info(
        f"{dataset} is not in `{data_root()}`. Until it is, the **{EMBEDDED}** stand in: 1,797 real 8 x 8 digits, "
        f"enlarged. Figures from them are not {dataset}'s, and say so.{failed}",
        icon=":material/database:",
    )
    size = DOWNLOAD_BYTES[dataset]
    if _is_fetching(dataset):
        raw = data_root() / dataset / "raw"
        there = sum(path.stat().st_size for path in raw.glob("*.gz")) if raw.is_dir() else 0
        fetch.progress(min(1.0, there / size), text=f"{there / 1e6:.1f} of {size / 1e6:.1f} MB")
        return
    fetch.button(
        "Try again" if failed else f"Download it ({size / 1e6:.0f} MB)", on_click=_start_download, args=(dataset,),
        icon=":material/download:", width="stretch",
    )  # fmt: skip


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


def _start_download(dataset: str) -> None:
    with _download_log(dataset).open("wb") as log:
        st.session_state[f"download-{dataset}"] = subprocess.Popen(
            [sys.executable, "-m", "lab", "data", "--download", dataset],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _download_log(dataset: str) -> Path:
    return store().folder / f"download-{dataset}.log"


def _last_line(dataset: str) -> str:
    """The command line's error, its last word in the log."""
    lines = _download_log(dataset).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _has_failed(dataset: str) -> bool:
    return f"download-{dataset}" in st.session_state and bool(_download(dataset).poll())


def _is_fetching(dataset: str) -> bool:
    return f"download-{dataset}" in st.session_state and _download(dataset).poll() is None


def _download(dataset: str) -> subprocess.Popen[bytes]:
    process: subprocess.Popen[bytes] = st.session_state[f"download-{dataset}"]
    return process
