"""Two entries compared: what differs, whether the difference is real, and on which images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.analysis.evidence import evidence, holm, in_points
from core.analysis.mistakes import ordered
from core.analysis.pairs import Pair, pair
from core.data.mnist import best_present, is_present
from core.errors import CheckpointError, DataError, LabError
from core.training.predictions import Predictions
from core.words import plural
from lab.studies.entries import checkpoint_of
from lab.studies.results import in_words, reading
from lab.studies.shelf import Shelved, absence, find
from lab.ui import checkpoints, comparison, images, url
from lab.ui import comparison_figure as compare_figures
from lab.ui.caches import challenge, split
from lab.ui.comparison import image_words
from lab.ui.comparison_figure import Shown
from lab.ui.live_plot import live_plot
from lab.ui.predictions import predictions
from lab.ui.tables import difference_table, evidence_cells
from lab.ui.words import escaped

# -------------------------------------------------------------------------------------------------------- differences


def differences(first: Shown, second: Shown) -> None:
    """What was done differently: the networks op by op, the recipes field by field, and what neither tells."""
    found = comparison.differences(first, second)
    ops, fields = found.ops, found.fields
    unknown = [each.letter for each in (first, second) if each.entry.imported]
    if unknown:
        st.markdown(f"**{plural(len(ops), 'op')}** of the networks are different.")
    elif not ops and not fields:
        st.success("The same network and the same recipe: only seeds and chance differ.")
    else:
        st.markdown(f"**{plural(len(ops), 'op')}** and **{plural(len(fields), 'field')}** of the recipe are different.")
    for note in found.notes:
        st.markdown(f":material/info: {escaped(note)}")
    st.markdown("**Network**")
    if ops:
        difference_table(first.entry.architecture, second.entry.architecture, (first.letter, second.letter))
    else:
        st.caption("The same, op by op.")
    st.markdown("**Recipe**")
    if unknown:
        st.caption(f"How {' and '.join(unknown)} was trained is not known: the weights were imported.")
    elif fields:
        rows = [{"field": row.field, first.letter: row.before, second.letter: row.after} for row in fields]
        st.table(pd.DataFrame(rows).set_index("field"))
    else:
        st.caption("The same, field by field, except for the seed.")


# ---------------------------------------------------------------------------------------------------------- is it real


def is_it_real(first: Shown, second: Shown, shown: Sequence[Shown]) -> None:
    """What the runs can say about the difference, in words, a picture of the seeds, and a table."""
    if first.entry.dataset != second.entry.dataset:
        st.warning("They were tested on different data: the two figures cannot be compared.")
        return
    if unknown := [each.letter for each in (first, second) if each.entry.imported]:
        st.info(
            f"{' and '.join(unknown)} was imported: one set of weights, with no seeds to compare. On the images:",
            icon=":material/info:",
        )
        by_images = changed_images(first, second)
        if by_images is not None:
            st.markdown(image_words(by_images, first.letter, second.letter))
        return
    waiting = [each.letter for each in (first, second) if not each.entry.ended]
    if waiting:
        st.info(f"{' and '.join(waiting)} has no run that has ended yet; the last epoch is what counts.")
        return
    found = evidence(first.entry.ended, second.entry.ended)
    for sentence in comparison.verdict(first, second):
        st.markdown(sentence)
    for note in comparison.other_differences(first, second):
        st.markdown(f":material/info: {escaped(note)}")
    if found.test == "single runs" and (by_images := changed_images(first, second)):
        st.markdown(image_words(by_images, first.letter, second.letter))
        if not is_present(first.entry.dataset):
            st.caption(f"These images are the {best_present()}, used in place of {first.entry.dataset}.")
    seeds_shown = [each for each in shown if each.entry.ended and each.entry.dataset == first.entry.dataset]
    live_plot(
        compare_figures.seeds(seeds_shown, challenge().accuracy),
        key="compare-seeds",
        alt="The last epoch's test accuracy of every seed, a row for each letter, and the rows' means.",
    )
    if found.test == "paired":
        _seed_table(first, second)
    if len(shown) > 2:
        _against(first, seeds_shown)


def _seed_table(first: Shown, second: Shown) -> None:
    one, other = ({run.seed: run.last for run in each.entry.ended} for each in (first, second))
    frame = pd.DataFrame(
        [
            {
                "seed": str(seed),
                first.letter: f"{one[seed]:.2%}",
                second.letter: f"{other[seed]:.2%}",
                "difference, points": in_points(other[seed] - one[seed]),
            }
            for seed in sorted(one.keys() & other.keys())
        ]
    ).set_index("seed")
    st.table(frame)


def _against(first: Shown, shown: Sequence[Shown]) -> None:
    """Every other entry against the first, a row each."""
    rows = []
    others = [each for each in shown if each.letter != first.letter]
    told = [evidence(first.entry.ended, each.entry.ended) for each in others]
    adjusted = holm([found.p for found in told])
    for each, found, p in zip(others, told, adjusted, strict=True):
        figures = each.entry.summary
        rows.append(
            {
                "run": escaped(each.mark),  # the cells of st.table are Markdown
                "last epoch": in_words(figures) if figures else "—",
                "n": f"{found.pairs} pairs" if found.pairs else f"{found.first} and {found.second}",
                **evidence_cells(found, p, reading(found, p, len(others))),
            }
        )
    st.markdown(f"**All against {first.letter}**")
    st.table(pd.DataFrame(rows).set_index("run"))
    st.caption(
        "p is two-sided. Of many comparisons some come out below 0.05 by chance alone, of twenty about one: the "
        f"adjusted p is corrected for these {len(others)} (Holm)."
    )


# --------------------------------------------------------------------------------------------------------- the images


def answers(each: Shown) -> tuple[Shelved, Predictions, str]:
    """What the entry's weights make of its test split, and the data set's name. Raises LabError without weights."""
    try:
        shelved = find(checkpoint_of(each.entry))
    except CheckpointError:
        absent = absence(checkpoint_of(each.entry))
        raise CheckpointError(f"{each.letter}, {each.entry.name}: {absent}") from None
    dataset = checkpoints.dataset_for(shelved)
    return shelved, predictions(str(shelved.stem), shelved.card.weights_sha256, dataset, "test"), dataset


def changed_images(first: Shown, second: Shown) -> Pair | None:
    """The images by which entry classifies them correctly; None where weights or images are missing."""
    try:
        return pair(answers(first)[1], answers(second)[1])
    except LabError:
        return None


def on_the_images(first: Shown, second: Shown) -> None:
    """Fixed by the second, broken by it, wrong in both: a gallery of each. Raises LabError where one has no answers."""
    a, b = first.letter, second.letter
    (one, before, dataset), (other, after, its) = answers(first), answers(second)
    if dataset != its:
        raise DataError(f"{a} reads {dataset} and {b} reads {its}: there are no images that both were tested on")
    found = pair(before, after)
    view = images.InView(split(dataset, "test"), dataset, "test")
    groups: dict[str, tuple[str, NDArray[np.int64]]] = {
        "fixed": (f"fixed by {b}", found.fixed),
        "broken": (f"broken by {b}", found.broken),
        "both": ("wrong in both", found.wrong_in_both),
    }
    st.markdown(image_words(found, a, b))
    st.caption(
        f"{found.right_in_both:,} of {found.images:,} test images of {dataset} are right in both. "
        + _which_weights(first, one)
        + _which_weights(second, other)
    )
    labels = {name: f"{words} · {len(indices)}" for name, (words, indices) in groups.items()}
    chosen = url.choice("Images", "show", labels, clears=("image",))
    asked = after if chosen == "broken" else before
    indices = ordered(asked, groups[chosen][1], "most confident")
    if not len(indices):
        st.success(f"No image is {groups[chosen][0]}.", icon=":material/check_circle:")
    elif chosen == "both":
        st.caption(f"{found.same_answer} of them are read as the same wrong digit by both. The surest of {a} first.")
    else:
        st.caption(
            f"The surest mistake of {b if chosen == 'broken' else a} first; click one for its ten probabilities."
        )

    def words(index: int) -> str:
        return f"{before.labels[index]}: {a} {before.predicted[index]}, {b} {after.predicted[index]}"

    references = [one.reference, other.reference] if dataset == best_present() else None
    look = partial(images.close_look, view, asked, references, ())
    images.images(view, indices, words, f"compare-{one.reference}-{other.reference}-{chosen}", look)


def _which_weights(each: Shown, shelved: Shelved) -> str:
    count = len(each.entry.runs)
    seed = shelved.card.recipe.seed
    return f"{each.letter}: the weights of seed {seed}, the median of {count}. " if count > 1 else ""
