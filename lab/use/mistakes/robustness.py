"""Beyond the test set: a shipped network on other people's digits, and on test digits moved, turned and scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from core.analysis.proportion import standard_error
from core.analysis.robustness import DISTORTIONS, NEUTRAL, Distortion, Robustness
from core.data.mnist import EMBEDDED
from core.training.recipe import Augmentation
from core.words import rounded, share_words
from lab.studies.robustness import table
from lab.studies.shelf import Shelved, shipped
from lab.ui import url
from lab.ui.colours import CLAIM, PASS, TEST
from lab.ui.figures import laid_out
from lab.ui.live_plot import still_plot
from lab.ui.names import brief, named
from lab.ui.words import errors_shown, escaped, plotted

AXES: dict[Distortion, tuple[str, str]] = {  # the axis's title, and a distortion as hover and table name it
    "shift": ("shift, pixels", "shift {:g} px"),
    "rotation": ("rotation, ° anticlockwise", "rotation {:+g}°"),
    "scale": ("size, times", "size × {:g}"),
}
SIDE = 28  # pixels
NAME = "beyond"  # of the expander, in the URL

Seen = Mapping[Distortion, tuple[float, float]]


def beyond(shelved: Shelved) -> None:
    """The expander, which computes only when it is open; ?beyond=true in the URL opens it. For shipped networks."""
    if not shelved.shipped:
        return
    expander = st.expander("Beyond the test set", icon=":material/explore:", key=NAME, bind="query-params")
    if not expander.open:
        return
    with expander, errors_shown():
        measured = table()
        if shelved.reference not in measured:
            st.info(
                f"{escaped(named(shelved))} is not measured beyond the test set yet; `python -m lab reproduce` does.",
                icon=":material/info:",
            )
            return
        _show(shelved, measured)


def _show(shelved: Shelved, measured: dict[str, Robustness]) -> None:
    card, chosen = shelved.card, measured[shelved.reference]
    beside = {each.reference: each for each in shipped() if each.reference in measured}
    names = {reference: brief(each) for reference, each in beside.items()}
    others = [measured[reference] for reference in beside if reference != shelved.reference]
    seen = seen_in_training(card.recipe.augmentation)
    st.markdown(
        f"It classifies **{chosen.embedded_accuracy:.2%}** of the {chosen.embedded_images:,} {EMBEDDED} correctly, "
        "and of MNIST's "
        f"test set {card.record.test_accuracy:.2%}. They are real digits written by other people, 8 x 8 pixels from "
        "the UCI repository, scaled to 28 x 28 as MNIST was; the network never saw them in training."
    )
    view = url.switch("Figures as", ["Curves", "Table"], "beyond_view", bind=None)
    if view == "Table":
        on_test = {reference: each.card.record.test_accuracy for reference, each in beside.items()}
        shown = figures_table(chosen, others, names, on_test)
        st.dataframe(
            shown,
            height=420,
            column_config={
                "_index": st.column_config.TextColumn("accuracy, %", pinned=True, width=130),
                **{name: st.column_config.NumberColumn(format="%.2f") for name in shown.columns},
            },
            alt="A row for each distortion, a column for each shipped network; the chosen one comes first.",
        )
    else:
        still_plot(curves(chosen, others, names, seen), "beyond_curves", in_words(chosen))
    at_99, at_80 = (100 * standard_error(share, chosen.images) for share in (0.99, 0.8))
    st.caption(
        f"Every point: the same {chosen.images:,} test images, every fifth, resampled bilinearly, black outside the "
        f"edge. One standard error is {rounded(at_99, 1)} points at 99%, {rounded(at_80, 1)} at 80%. A shift is "
        "the mean over right, "
        "left, down and up. A digit that is moved or enlarged far loses ink at the edge."
        + (" Green: how far its own training had distorted the digits." if seen and view == "Curves" else "")
    )


def seen_in_training(augmentation: Augmentation) -> dict[Distortion, tuple[float, float]]:
    """Between which distortions the training images were: least and most, of those kinds that were switched on."""
    moved = augmentation.translation if augmentation.has("translation") else augmentation.crop
    jitters = {"shift": (moved, SIDE), "rotation": (augmentation.rotation, 1), "scale": (augmentation.scale, 1)}
    seen: dict[Distortion, tuple[float, float]] = {}
    for kind in DISTORTIONS:
        jitter, unit = jitters[kind]
        if jitter.strength and jitter.probability:
            reach = jitter.strength * unit
            seen[kind] = (0.0 if kind == "shift" else NEUTRAL[kind] - reach, NEUTRAL[kind] + reach)
    return seen


def curves(
    chosen: Robustness, others: Sequence[Robustness], names: Mapping[str, str], seen: Seen, height: int = 320
) -> go.Figure:
    """Accuracy against shift, rotation and size: the chosen network in colour, the others grey, one scale for all.

    `names` by checkpoint; `seen` are the distortions of the training images, which are shaded.
    """
    figure = make_subplots(1, 3, shared_yaxes=True, horizontal_spacing=0.03)
    lowest = 1.0
    for column, (kind, amounts) in enumerate(DISTORTIONS.items(), start=1):
        title, told = AXES[kind]
        margin = 0.02 * (amounts[-1] - amounts[0])
        bounds = [amounts[0] - margin, amounts[-1] + margin]
        if kind in seen:
            figure.add_shape(
                type="rect", x0=max(seen[kind][0], bounds[0]), x1=min(seen[kind][1], bounds[1]), y0=0, y1=1,
                yref="y domain", fillcolor=PASS, opacity=0.14, line_width=0, layer="below", row=1, col=column,
            )  # fmt: skip
        for each in (*others, chosen):
            curve = each.curve(kind)
            lowest = min(lowest, *(accuracy for _, accuracy in curve))
            is_chosen = each is chosen
            name = plotted(names.get(each.checkpoint, each.checkpoint))
            figure.add_scatter(
                x=[amount for amount, _ in curve],
                y=[100 * accuracy for _, accuracy in curve],
                mode="lines+markers" if is_chosen else "lines",
                name=name if is_chosen else "the other shipped networks",
                legendgroup="chosen" if is_chosen else "others",
                showlegend=column == 1 and (is_chosen or each is others[0]),
                line={"color": TEST, "width": 3} if is_chosen else {"color": CLAIM, "width": 1},
                marker={"size": 7, "symbol": "square"},
                customdata=[told.format(amount) for amount, _ in curve],
                hovertemplate=f"<b>{name}</b>, %{{customdata}}: %{{y:.2f}}%<extra></extra>",
                row=1,
                col=column,
            )
        figure.update_xaxes(title=title, range=bounds, zeroline=False, fixedrange=True, row=1, col=column)
    figure.update_xaxes(tickvals=[-40, -20, 0, 20, 40], row=1, col=2)
    figure.update_yaxes(range=[max(0.0, 100 * lowest - 4), 101.5], zeroline=False, fixedrange=True)
    figure.update_yaxes(title="accuracy, %", row=1, col=1)
    return laid_out(figure, height)


def in_words(chosen: Robustness) -> str:
    """The ends and the middle of each curve, for those who hear the chart."""
    parts = []
    for kind in DISTORTIONS:
        told, curve = AXES[kind][1], chosen.curve(kind)
        points = [curve[0], *(point for point in curve[1:-1] if point[0] == NEUTRAL[kind]), curve[-1]]
        parts.append(", ".join(f"{told.format(amount)}: {share_words(accuracy, 1)}" for amount, accuracy in points))
    return "Accuracy against the distortion. " + "; ".join(parts) + ". The table has every figure."


def figures_table(
    chosen: Robustness, others: Sequence[Robustness], names: Mapping[str, str], on_test: Mapping[str, float]
) -> pd.DataFrame:
    """Accuracy in percent: a row for the test set, for the embedded digits and for each distortion; chosen first."""
    columns = {}
    for each in (chosen, *others):
        rows = {"MNIST's test set": on_test[each.checkpoint], EMBEDDED: each.embedded_accuracy}
        for kind in DISTORTIONS:
            rows |= {AXES[kind][1].format(amount): accuracy for amount, accuracy in each.curve(kind)}
        columns[names.get(each.checkpoint, each.checkpoint)] = {row: 100 * value for row, value in rows.items()}
    return pd.DataFrame(columns).round(2)
