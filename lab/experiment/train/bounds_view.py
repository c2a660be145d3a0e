"""What a run may be on this server, told before it is started; the server checks it again when it is."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.architecture.trace import classifier
from core.errors import LabError
from core.ladder.model import Step
from core.training.recipe import Recipe, check_recipe
from core.words import plural
from lab.runs.bounds import Bound, bounds_of
from lab.runs.expectation import seconds_per_batch
from lab.runs.person import Person
from lab.runs.seed_list import parse_seeds
from lab.runs.turn_words import about
from lab.settings import settings
from lab.ui.caches import speeds, the_queue
from lab.ui.step import varied


@dataclass(frozen=True)
class Limits:
    """A run's figures beside their bounds, and how long it is expected to take."""

    run: tuple[Bound, ...]
    test: tuple[Bound, ...]  # those of a range test, which trains no epochs
    seconds: float | None  # None before a first run has been measured
    minutes: int  # that a run may take
    unbounded: str  # why no bound holds, "" where they do

    @property
    def may_train(self) -> bool:
        return bool(self.unbounded) or all(bound.kept for bound in self.run)

    @property
    def may_test(self) -> bool:
        return bool(self.unbounded) or all(bound.kept for bound in self.test)


def limits_of(step: Step, recipe: Recipe, dataset: str, person: Person, seeds: str) -> Limits | None:
    """Of the run that the form describes; None where it describes none, which is said where it is looked into."""
    try:
        architecture = varied(step)
        walked = classifier(architecture)
        check_recipe(recipe)
        unbounded = "you are the teacher" if person.teacher else ""
        if not unbounded and the_queue().lifted:
            unbounded = "the teacher has lifted them"
        held = settings()
        run = bounds_of(walked, recipe, dataset, held, seeds=len(parse_seeds(seeds)))
        batches = next(bound.figure for bound in run if bound.what == "iterations")
        measured = speeds()
        seconds = batches * seconds_per_batch(architecture, recipe, measured)
    except LabError:
        return None
    test = bounds_of(walked, recipe, dataset, held, range_test=True)
    return Limits(run, test, seconds if measured else None, held.most_minutes, unbounded)


def tell(limits: Limits | None) -> None:
    """How long it will take; a warning where a bound is broken, or where the time will not do."""
    if limits is None:
        return
    expected = "expected time not known yet" if limits.seconds is None else f"expected {about(limits.seconds)}"
    figures = {bound.what: bound for bound in limits.run}
    counted = plural(figures["iterations"].figure, "iteration")
    if limits.unbounded:
        st.caption(f"{counted} · {expected}. No bounds hold: {limits.unbounded}.")
        return
    broken = [bound for bound in limits.run if not bound.kept]
    for bound in broken:
        st.warning(
            f"**{bound.figure:,} {bound.what}** are more than the **{bound.most:,}** that a run may have on this "
            "server. The teacher can lift the bounds.",
            icon=":material/straighten:",
        )
    if limits.seconds is not None and limits.seconds > 60 * limits.minutes:
        st.warning(
            f"It is expected to take **{about(limits.seconds)}**, and after **{limits.minutes:,} min** a run is "
            "stopped. It keeps its epochs, and can go on.",
            icon=":material/timer:",
        )
    if not broken:
        st.caption(
            f"{counted} · {expected}",
            help="; ".join(_of_at_most(bound) for bound in limits.run) + f"; at most {limits.minutes:,} min.",
        )


def _of_at_most(bound: Bound) -> str:
    noun = bound.what.removesuffix("s") if bound.figure == 1 else bound.what
    return f"{bound.figure:,} {noun} of at most {bound.most:,}"
