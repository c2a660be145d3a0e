"""The queue on the wall: its figures, what is running, what waits, and the rules."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.words import plural
from lab.runs.person import Person, may_change
from lab.runs.queue_now import LATELY, InLine, QueueNow, UnderWay
from lab.runs.rows import Run, Status
from lab.runs.turn_words import about, turn_in_words
from lab.settings import Settings, settings
from lab.ui import teacher
from lab.ui.caches import store, the_queue
from lab.ui.owner import me
from lab.ui.words import errors_shown, escaped

SOON, LATE = 2.0, 10.0  # seconds between two looks: while something is unfinished, and otherwise
UNKNOWN = "—"
FINISHED: tuple[Status, ...] = ("finished",)


def queue() -> None:
    """All of it; it updates every two seconds, less often while nothing runs or waits."""
    clock = SOON if the_queue().unfinished else LATE

    def panel() -> None:
        with errors_shown():
            now = the_queue()
            if (SOON if now.unfinished else LATE) != clock:
                st.rerun()  # only the full run can change the clock
            _queue(now, me())

    st.fragment(panel, run_every=clock)()


def _queue(now: QueueNow, person: Person) -> None:
    _headline(now, person)
    _notices(now)
    if not now.unfinished:
        _nothing(now)
        return
    if now.under_way:
        st.markdown("## Running")
        places = [column for _ in range(-(-len(now.under_way) // 2)) for column in st.columns(2)]
        for place, each in zip(places, now.under_way, strict=False):
            with place.container(border=True, height="stretch"):
                _card(each, person)
    st.markdown("## Waiting, in this order")
    if not now.waiting:
        st.caption("Nobody: the next run to be started has its turn at once, or as soon as one of these has ended.")
    elif person.teacher:
        for waiting in now.waiting:
            _teachers_row(waiting, person)
    else:
        _table(now, person)
        _own(now, person)


# ------------------------------------------------------------------------------------------------------------ above


def _headline(now: QueueNow, person: Person) -> None:
    mine = [each for each in now.waiting if _is_own(each.run, person)]
    own_running = sum(_is_own(each.run, person) for each in now.under_way)
    at_a_time = f"{now.slots:,} at a time{' on ' * bool(now.device)}{now.device}"
    figures = (
        ("Running", f"{len(now.under_way)}", at_a_time),
        ("Waiting", f"{len(now.waiting)}", "held by the teacher" if now.paused else "in turn, one a person"),
        ("The last one starts in", *_last_start(now)),
        ("Yours", *_yours(mine, own_running)),
    )
    for column, (label, value, beside) in zip(st.columns([6, 6, 8, 8]), figures, strict=True):
        column.metric(label, value, escaped(beside), delta_color="off", delta_arrow="off", border=True)


def _last_start(now: QueueNow) -> tuple[str, str]:
    if not now.waiting:
        return UNKNOWN, "nobody waits"
    if now.paused:
        return UNKNOWN, "when the teacher lets it go on"
    if now.last_start is None:
        return UNKNOWN, "not known before a first run"
    return about(now.last_start), "if nobody else comes"


def _yours(mine: list[InLine], running: int) -> tuple[str, str]:
    if mine:
        first = mine[0]
        value = "next" if first.place == 1 else f"{first.place - 1} before"
        more = f", and {plural(len(mine) - 1, 'more run')}" if len(mine) > 1 else ""
        return value, (f"starts in {about(first.starts)}" if first.starts is not None else "waits") + more
    return ("running", plural(running, "run")) if running else (UNKNOWN, "none of this browser")


def _notices(now: QueueNow) -> None:
    if now.paused:
        st.warning(
            "**The teacher holds the queue.** Running runs go on. New runs wait until the teacher resumes the queue.",
            icon=":material/pause_circle:",
        )
    if now.lifted:
        st.info("**The teacher has lifted the bounds:** a run may be of any size now.", icon=":material/lock_open:")


# -------------------------------------------------------------------------------------------------------- running


def _card(each: UnderWay, person: Person) -> None:
    run = each.run
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### {_who(run)}{_yours_badge(run, person)} · :gray[{_what(each.runs)}]", width="stretch")
        if may_change(person, run):
            teacher.stop_button(run)
    st.progress(each.share, text=f"{_progress(each)} · on {escaped(run.device_name)}")


def _progress(each: UnderWay) -> str:
    run = each.run
    if run.paused_since is not None:
        return "paused"
    if not each.done:
        return "starting"
    epochs = run.epochs
    per_epoch = max(1, each.total // max(1, epochs))
    at = f"epoch {min(epochs, 1 + (each.done - 1) // per_epoch)} of {epochs}"
    if len(each.runs) > 1 or run.kind == "range_test":
        at = f"{'batch' if run.kind == 'range_test' else 'iteration'} {each.done:,} of {each.total:,}"
    return at if each.seconds is None else f"{at} · ends in {about(each.seconds)}"


# ---------------------------------------------------------------------------------------------------------- waiting


def _table(now: QueueNow, person: Person) -> None:
    rows = [
        {
            "": f"**{each.place}**",
            "who": _who(each.run) + _yours_badge(each.run, person) + _urgent_badge(each.run),
            "network": _network(each.runs),
            "parameters": f"{each.run.parameters:,}",
            "starts": _in(each.starts),
            "ends": _in(each.ends),
            "device": escaped(each.run.device),
        }
        for each in now.waiting
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt="Who waits, in order.")


def _own(now: QueueNow, person: Person) -> None:
    """A browser's own runs among those that wait, in words, each with its Stop."""
    for each in now.waiting:
        if may_change(person, each.run):
            words = turn_in_words(each.expected, each.own_before)
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{_yours_badge(each.run, person)} {escaped(each.run.name)}: {words}", width="stretch")
                teacher.stop_button(each.run)


def _teachers_row(each: InLine, person: Person) -> None:
    """A row with what only the teacher can do; it may break into two on a phone."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"row-{each.run.id}"):
        st.markdown(
            f"**{each.place}** · **{_who(each.run)}**{_yours_badge(each.run, person)}{_urgent_badge(each.run)} · "
            f"{_what(each.runs)} · {_when(each)} · {escaped(each.run.device)}",
            width="stretch",
        )
        teacher.buttons(each.run, waiting=True, first=each.place == 1)


def _when(each: InLine) -> str:
    if each.starts is None:
        return "held" if each.expected.paused else "time not known yet"
    return f"starts {_in(each.starts)}, ends {_in(each.ends)}"


def _in(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else "in a moment" if seconds < 5 else f"in {about(seconds)}"


def _who(run: Run) -> str:
    return escaped(run.owner) or "no nickname"


def _what(runs: Sequence[Run]) -> str:
    return _network(runs, f" · {runs[0].parameters:,} parameters")


def _network(runs: Sequence[Run], size: str = "") -> str:
    test = " · range test" if runs[0].kind == "range_test" else ""
    return f"{escaped(runs[0].name)}{size}{test}{f' · {len(runs)} seeds' if len(runs) > 1 else ''}"


def _is_own(run: Run, person: Person) -> bool:
    return bool(person.key) and run.owner_key == person.key


def _yours_badge(run: Run, person: Person) -> str:
    return " :blue-badge[yours]" if _is_own(run, person) else ""


def _urgent_badge(run: Run) -> str:
    return " :orange-badge[first]" if run.urgent else ""


# ---------------------------------------------------------------------------------------------------- nothing to do


def _nothing(now: QueueNow) -> None:
    """An idle lab: that it is free, and what was made of it last."""
    where = f" on {escaped(now.device)}" if now.device else ""
    st.markdown(f"## :material/self_improvement: Nobody waits\nA run that is started now has its turn at once{where}.")
    lately = store().runs(limit=LATELY, statuses=FINISHED)
    if not lately:
        st.caption("No run has finished here yet; the first one tells how long the others will take.")
        return
    last = store().last_epochs([run.id for run in lately])
    st.markdown("## Finished last")
    rows = [
        {
            "who": _who(run),
            "network": _network([run]),
            "parameters": f"{run.parameters:,}",
            "test, last epoch": f"{last[run.id].test_accuracy:.2%}" if run.id in last else UNKNOWN,
            "took": about(run.ended - run.claimed) if run.ended and run.claimed else UNKNOWN,
        }
        for run in lately
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt="The runs that finished last.")


# ------------------------------------------------------------------------------------------------------------ rules


def rules() -> None:
    """By which rules it goes, and the bounds of a run, as they are set on this server."""
    held, now = settings(), the_queue()
    st.markdown(
        f"At most **{plural(held.runs_a_person, 'run')} a person** at a time. Next comes the person who has "
        "waited longest for a turn."
    )
    st.markdown("**Bounds of a run**" + (" :orange-badge[lifted]" if now.lifted else ""))
    st.table(bounds_table(held), border="horizontal", hide_header=True, alt="The bounds of a run.")
    st.caption(
        "Bounds are checked when a run is started. A run that reaches its time limit is stopped; it can go on later."
    )


def bounds_table(held: Settings) -> pd.DataFrame:
    """What a run, and a person, may have at most."""
    most = {
        "parameters": held.most_parameters,
        "MACs an image": held.most_macs,
        "MB for a batch": held.most_megabytes,
        "epochs": held.most_epochs,
        "iterations": held.most_iterations,
        "minutes": held.most_minutes,
        "runs waiting, a person": held.most_waiting,
    }
    return pd.DataFrame({"what": list(most), "at most": [f"{value:,}" for value in most.values()]}).set_index("what")
