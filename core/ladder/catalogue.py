"""The ladder: thirteen networks in three lineages, each with its recipe, the claims of its authors, and their errors;
and a fourth lineage, the lab's own, which claims nothing and is measured.

The layers, recipes, claims and logs come from the write-ups and their code; the words are the lab's. Parameters, shapes
and receptive fields are not written here: `core.architecture.trace` computes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.architecture.trace import trace
from core.errors import SpecError
from core.ladder import evolution, four_steps, six_models
from core.ladder.model import Lineage, Step
from core.ladder.ours import OURS, OWN
from core.ladder.relatives import EXTRAS, RELATIVES
from core.record import short

LINEAGES = (evolution.LINEAGE, four_steps.LINEAGE, six_models.LINEAGE)
STEPS: tuple[Step, ...] = (*evolution.STEPS, *four_steps.STEPS, *six_models.STEPS)

LADDER: tuple[Step, ...] = (*STEPS, *OURS)


def by_slug(slug: str, own: Sequence[Step] = ()) -> Step:
    """The step of that slug, or the only one with that parameter count: `7758`. Raises SpecError.

    `own`: the steps of a class, which stand behind the ladder's.
    """
    everything = (*LADDER, *EXTRAS, *own)
    for step in everything:
        if step.slug == slug:
            return step
    count = slug.replace(",", "").strip()
    found = [step for step in everything if str(trace(step.architecture).parameters) == count]
    if len(found) > 1:
        raise SpecError(f"{len(found)} steps have {int(count):,} parameters: {', '.join(step.slug for step in found)}")
    if found:
        return found[0]
    ladder, relatives = (", ".join(step.slug for step in steps) for steps in (LADDER, EXTRAS))
    mine = f"; the class's own {', '.join(step.slug for step in own)}" if own else ""
    raise SpecError(f"there is no step {short(slug)}; the steps are {ladder}; their relatives {relatives}{mine}")


def before(step: Step, own: Sequence[Step] = ()) -> Step | None:
    """The step before it in its lineage; None for a first step, and for the relatives, which are no ladder."""
    return next((s for s in (*LADDER, *own) if s.lineage == step.lineage and s.order == step.order - 1), None)


def lineage_of(step: Step, *own: Lineage) -> Lineage:
    """The lineage that the step belongs to."""
    return next(lineage for lineage in (*LINEAGES, OWN, RELATIVES, *own) if lineage.key == step.lineage)


def mark(step: Step) -> str:
    """A step's short name, lineage and number: A2."""
    return f"{step.lineage.upper()}{step.order}"


def label(step: Step) -> str:
    """A step as in menus: `A2 · Final model`; a student's design has no lineage."""
    return f"{mark(step)} · {step.title}" if step.lineage else f"Your design · {step.title}"
