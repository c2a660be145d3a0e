"""A simulated course: how long 300 students wait for 8 GPUs, with the lab's own order and its measured run times.

`python -m tests.course` prints a row of docs/cluster.md for each speed of a GPU and draws docs/images/course.png.
What is simulated is what runs: the next run is chosen by `lab.runs.fair_queue.next_of`. First come, first served stands
beside it. The same seed gives the same course.
"""

from __future__ import annotations

import argparse
import heapq
import platform
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lab.runs.fair_queue import Waiting, next_of
from lab.studies.results import studies
from lab.ui.colours import CLAIM, TEST, TRAIN
from lab.ui.figures import laid_out
from tests.app_server import ROOT, browsing
from tests.measure import browser

PICTURE = ROOT / "docs" / "images" / "course.png"
SPEED_UPS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 100.0)
SHOWN = (1.0, 10.0, 20.0, 40.0, 100.0)  # of them, in the table
TICKS = {"2 s": 1 / 30, "10 s": 1 / 6, "1 min": 1.0, "10 min": 10.0, "1 h": 60.0, "10 h": 600.0}  # in minutes
SOON = 60.0  # seconds: a wait that keeps nobody from going on


@dataclass(frozen=True)
class Course:
    """One class, and how its people press Start."""

    people: int = 300
    gpus: int = 8
    side_by_side: int = 1  # runs on a GPU
    minutes: float = 90.0
    exercises: int = 4  # at even distances
    hurry_minutes: float = 5.0  # after an exercise's begin, within which everybody presses Start
    eager: float = 0.1  # share of those who start three runs at once
    speed_up: float = 1.0  # of a run on a GPU, over the core that it was measured on
    seed: int = 1


@dataclass(frozen=True)
class Press:
    """Somebody presses Start."""

    moment: float  # seconds from the beginning
    person: str
    seconds: float  # that the run will take
    first: bool  # of this person's in this exercise


@dataclass(frozen=True)
class Wait:
    """How long one run stood in the queue."""

    press: Press
    seconds: float
    eager: bool  # its owner started three


Next = Callable[[list[Waiting], Counter[str], dict[str, float]], Waiting | None]


def fair(waiting: list[Waiting], busy: Counter[str], served: dict[str, float]) -> Waiting | None:
    """The lab's order: one run a person under way, then whoever was served longest ago."""
    return next_of(waiting, busy, served, a_person=1)


def first_come(waiting: list[Waiting], busy: Counter[str], served: dict[str, float]) -> Waiting | None:
    """First come, first served."""
    return min(waiting, key=lambda run: run.place, default=None)


def presses(course: Course, measured: Sequence[float]) -> list[Press]:
    """All that is started in a course, in order; `measured`: seconds of the runs that theirs are drawn from."""
    chance = random.Random(course.seed)
    eager = {n for n in range(course.people) if chance.random() < course.eager}
    found = []
    for exercise in range(course.exercises):
        begin = exercise * course.minutes * 60 / course.exercises
        for n in range(course.people):
            moment = begin + chance.uniform(0, course.hurry_minutes * 60)
            for run in range(3 if n in eager else 1):
                found.append(Press(moment, f"student {n}", chance.choice(measured) / course.speed_up, run == 0))
    return sorted(found, key=lambda press: press.moment)


def simulate(pressed: Sequence[Press], seats: int, following: Next) -> list[Wait]:
    """What each run waits, in the order in which they start, when `following` says which is next."""
    started = Counter(press.person for press in pressed if press.first)
    runs = Counter(press.person for press in pressed)
    waiting: list[Waiting] = []
    busy: Counter[str] = Counter()
    served: dict[str, float] = {}
    ends: list[tuple[float, int]] = []  # a heap: when a seat becomes free, and which run had it
    waits: list[Wait] = []
    coming = 0
    while coming < len(pressed) or ends:
        next_press = pressed[coming].moment if coming < len(pressed) else float("inf")
        if ends and ends[0][0] <= next_press:
            now, ended = heapq.heappop(ends)
            busy[pressed[ended].person] -= 1
        else:
            now = next_press
            waiting.append(Waiting(str(coming), pressed[coming].person, place=coming))
            coming += 1
        while len(ends) < seats and (run := following(waiting, busy, served)):
            waiting.remove(run)
            press = pressed[int(run.id)]
            waits.append(Wait(press, now - press.moment, runs[press.person] > started[press.person]))
            busy[press.person] += 1
            served[press.person] = now + 1e-6 * len(waits)  # of two at one moment, the earlier one was served first
            heapq.heappush(ends, (now + press.seconds, int(run.id)))
    return waits


def percentile(waits: Sequence[Wait], share: float, who: Callable[[Wait], bool] = lambda wait: True) -> float:
    """The wait in seconds that this share of those waits, 0 to 1, does not exceed."""
    return float(np.quantile([wait.seconds for wait in waits if who(wait)], share))


def measured_seconds() -> list[float]:
    """What the runs of the studies took, of 15 epochs of MNIST each: a small network on one core of a busy machine."""
    return [sum(record.seconds for record in run.history) for study in studies().values() for run in study.runs]


def courses(course: Course, measured: Sequence[float], count: int, following: Next) -> list[Wait]:
    """The waits of several courses that differ in chance."""
    seats = course.gpus * course.side_by_side
    return [
        wait
        for seed in range(course.seed, course.seed + count)
        for wait in simulate(presses(replace(course, seed=seed), measured), seats, following)
    ]


def duration(seconds: float) -> str:
    """Such as 40 s, 12 min, 3.4 h."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def row(speed_up: float, ours: Sequence[Wait], theirs: Sequence[Wait]) -> str:
    """A row of the table in docs/cluster.md."""
    cells = [
        f"{speed_up:g}",
        f"{duration(percentile(ours, 0.5, is_first))} / {duration(percentile(ours, 0.95, is_first))}",
        f"{duration(percentile(theirs, 0.5, is_first))} / {duration(percentile(theirs, 0.95, is_first))}",
        f"{duration(percentile(ours, 0.5))} / {duration(percentile(ours, 0.95))}",
        f"{duration(percentile(ours, 0.95, is_calm))} : {duration(percentile(ours, 0.95, is_eager))}",
        f"{duration(percentile(theirs, 0.95, is_calm))} : {duration(percentile(theirs, 0.95, is_eager))}",
    ]
    return f"| {' | '.join(cells)} |"


def is_first(wait: Wait) -> bool:
    """Whether it is a person's first run in an exercise."""
    return wait.press.first


def is_eager(wait: Wait) -> bool:
    """Whether its owner started three runs."""
    return wait.eager


def is_calm(wait: Wait) -> bool:
    """Whether its owner started one."""
    return not wait.eager


def enough(course: Course, measured: Sequence[float], count: int) -> float:
    """The least speed-up, to a tenth, at which 95% of the first runs start within a minute."""
    low, high = 1.0, 1000.0
    while high - low > 0.1:
        middle = (low + high) / 2
        waits = courses(replace(course, speed_up=middle), measured, count, fair)
        low, high = (low, middle) if percentile(waits, 0.95, is_first) <= SOON else (middle, high)
    return high


def picture(
    course: Course, speed_ups: Sequence[float], ours: Sequence[Sequence[Wait]], theirs: Sequence[Sequence[Wait]]
) -> go.Figure:
    """The 95th percentile over the speed of a GPU, and all waits at the speed in the middle."""
    middle = len(speed_ups) // 2
    figure = make_subplots(
        1,
        2,
        horizontal_spacing=0.1,
        subplot_titles=(
            "95% of first runs wait less than",
            f"Who has started, a GPU being {speed_ups[middle]:g} cores",
        ),
    )
    for name, colour, waits in (("the lab's order", TRAIN, ours), ("first come, first served", TEST, theirs)):
        line = {"color": colour, "width": 3, "dash": "solid" if colour == TRAIN else "dot"}
        levels = [max(1.0, percentile(each, 0.95, is_first)) / 60 for each in waits]
        figure.add_scatter(x=list(speed_ups), y=levels, name=name, line=line, mode="lines+markers", row=1, col=1)
        seconds = sorted(wait.seconds / 60 for wait in waits[middle] if is_first(wait))
        share = [100 * (n + 1) / len(seconds) for n in range(len(seconds))]
        figure.add_scatter(x=seconds, y=share, line=line, showlegend=False, mode="lines", row=1, col=2)
    figure.add_hline(y=SOON / 60, line={"color": CLAIM, "dash": "dash"}, row=1, col=1)
    figure.update_xaxes(title="a GPU's speed, in cores", type="log", tickvals=[1, 2, 5, 10, 20, 50, 100], row=1, col=1)
    figure.update_yaxes(type="log", tickvals=list(TICKS.values()), ticktext=list(TICKS), row=1, col=1)
    figure.update_xaxes(title="minutes after Start", rangemode="tozero", row=1, col=2)
    figure.update_yaxes(title="% of first runs", range=[0, 102], row=1, col=2)
    laid_out(figure, 460)
    title = f"{course.people} students, {course.gpus} GPUs, {course.exercises} exercises in {course.minutes:g} minutes"
    return figure.update_layout(
        title={"text": title, "x": 0.01, "y": 0.97},
        margin_t=100,
        legend_y=1.1,
        width=1160,
        template="plotly_white",
        paper_bgcolor="white",
    )


def draw(figure: go.Figure, path: Path) -> None:
    """The figure as a PNG, by the browser."""
    with tempfile.TemporaryDirectory() as folder, browsing(browser(), 1180, 480) as page:
        document = Path(folder) / "course.html"
        figure.write_html(document, include_plotlyjs=True)
        page.goto(document.as_uri())
        page.wait_for_selector(".js-plotly-plot .scatterlayer .trace")
        page.screenshot(path=path)


def main() -> None:
    """Simulate, print and draw."""
    default = Course()
    parser = argparse.ArgumentParser(prog="python -m tests.course", description="A simulated course.")
    for name in ("people", "gpus", "side_by_side", "exercises", "seed"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(default, name))
    for name in ("minutes", "hurry_minutes", "eager"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(default, name))
    parser.add_argument("--speed-up", type=float, nargs="+", default=SPEED_UPS, help="of a GPU over a core")
    parser.add_argument("--courses", type=int, default=3, help="how many are simulated, by chance apart")
    parser.add_argument("--no-picture", action="store_true")
    options = vars(parser.parse_args())
    speed_ups, count = sorted(options.pop("speed_up")), options.pop("courses")
    no_picture = options.pop("no_picture")
    course, measured = Course(**options), measured_seconds()
    print(
        f"{course}, {count} courses; {len(measured)} measured runs of {min(measured):,.0f} to {max(measured):,.0f} s, "
        f"mean {sum(measured) / len(measured):,.0f} s, on one core; Python {platform.python_version()}\n"
    )
    print("| a GPU's speed, in cores | first runs p50 / p95 | first come | all runs | p95 one : three | first come |")
    print("|---|---|---|---|---|---|")
    ours, theirs = [], []
    for speed_up in speed_ups:
        faster = replace(course, speed_up=speed_up)
        ours.append(courses(faster, measured, count, fair))
        theirs.append(courses(faster, measured, count, first_come))
        if speed_up in SHOWN or len(speed_ups) < len(SPEED_UPS):
            print(row(speed_up, ours[-1], theirs[-1]), flush=True)
    print(f"\n95% of first runs start within {SOON:g} s from {enough(course, measured, 1):.1f} times a core on")
    if not no_picture:
        draw(picture(course, speed_ups, ours, theirs), PICTURE)


if __name__ == "__main__":
    main()
