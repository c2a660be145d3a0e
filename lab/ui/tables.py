"""Tables that several pages show, and how wide their columns are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.analysis.evidence import Evidence, in_points, interval_in_points, p_in_words
from core.analysis.study import Study
from core.architecture.difference import difference
from core.architecture.receptive_field import pixels_inside
from core.architecture.rows import Row, rows
from core.architecture.sizes import shape_words
from core.architecture.spec import Architecture, Op, op_words
from core.architecture.trace import Layer, Trace
from core.ladder.field_claims import moves_field
from core.ladder.model import Step
from core.words import plural, rounded, significant
from lab.studies import results
from lab.ui import figures
from lab.ui.caches import sample_digit
from lab.ui.explorer import units_of
from lab.ui.formats import kilobytes
from lab.ui.live_plot import still_plot
from lab.ui.presentation import presenting
from lab.ui.words import escaped

WHOLE_MAP = "Each value also depends on the whole map, through a mean over it"
INDENT = "\u2003"  # a wide blank, for each body around an op
NARROW = frozenset(" ,.()ijltf:;'|")  # letters half as wide as the others


def outdated_captions(names: Sequence[str]) -> None:
    """What has changed since of the recipes of these studies; nothing where none has."""
    for words, those in results.outdated_ones(results.study_of(name) for name in dict.fromkeys(names)).items():
        short = ", ".join(results.titles().get(name, name).split(" ·")[0] for name in those)
        st.caption(f":material/history: **{short}.** {words}")


def layer_table(walked: Trace) -> None:
    """The network as torch prints it: op, output shape, parameters and how they are counted, share of the whole.

    The ops of a body are indented, with the numbers of the first time that they run.
    """
    listed = [(row, row.layer) for row in rows(walked.architecture) if row.layer]
    nested = any(row.depth for row, _ in listed)
    frame = pd.DataFrame(
        {
            "": [row.path for row, _ in listed],
            "layer": [indented(row) for row, _ in listed],
            "output": [shape_words(layer.output) for _, layer in listed],
            "parameters": [layer.parameters for _, layer in listed],
            "counted as": [layer.arithmetic for _, layer in listed],
            "share": [100 * layer.parameters / max(1, walked.parameters) for _, layer in listed],
            "MACs": [layer.macs for _, layer in listed],
            "field": [field_words(layer) for _, layer in listed],
        }
    )
    data_table(
        frame,
        "Every op with its output shape, parameters, multiply-adds and receptive field.",
        {
            "": text_column(frame[""]) if nested else st.column_config.TextColumn(width=32),
            **{name: text_column(frame[name]) for name in ("layer", "output", "counted as")},
            "field": text_column(frame["field"], least=46),
            "parameters": st.column_config.NumberColumn(format="localized", width=80),
            "share": st.column_config.NumberColumn("%", format="%.1f", width=44, help="Of all parameters."),
            "MACs": st.column_config.NumberColumn(format="localized", width=66),
        },
    )
    if nested:
        st.caption(
            "The row of an op with a body holds the sum of its ops, which are indented below it. Those of a repeat "
            "show the first time; in each further time only the norms have parameters of their own."
        )
    if any(layer.uses_whole_map for _, layer in listed):
        st.caption(f"+ whole map: {WHOLE_MAP[0].lower()}{WHOLE_MAP[1:]}; so does each after it.")


def indented(row: Row) -> str:
    """The op in words, further in for each body around it; `↷` stands before one in a shortcut."""
    return f"{INDENT * row.depth}{'↷ ' if row.body == 'shortcut' else ''}{brief(row.op)}"


def brief(op: Op) -> str:
    """The op as one writes it in code, the kernel's size by its place: `Conv(8, 3, bias=False)`."""
    return op_words(op).replace("kernel_size=", "")


def field_words(layer: Layer) -> str:
    """The size of the field: `5`, or `5 + whole map` where a mean over the whole map counts too."""
    return f"{layer.field.size} + whole map" if layer.uses_whole_map else str(layer.field.size)


def data_table(
    rows: pd.DataFrame | Sequence[Mapping[str, object]],
    alt: str,
    columns: Mapping[str, Any] | None = None,
    most: int = 1000,
) -> None:
    """A table as high as its rows, of which at most `most` are shown without scrolling; an absent value is empty."""
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    if presenting():
        st.table(_in_words(frame), border="horizontal", hide_index=True, alt=alt)
        return
    height = 38 + 35 * min(len(frame), most)
    st.dataframe(frame, hide_index=True, height=height, column_config=columns, placeholder="", alt=alt)


def _in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """For st.table, which grows with the type but knows no formats: numbers as the lab writes them."""

    def words(value: object) -> str:
        if isinstance(value, float):
            return "" if value != value else rounded(value, 1)
        return f"{value:,}" if isinstance(value, int) else "" if value is None else escaped(str(value))

    return frame.map(words)


def text_column(texts: Iterable[str], least: int = 60) -> Any:
    """A column in which none of the texts is cut, of at least so many pixels, for its title."""
    return st.column_config.TextColumn(width=max(least, text_width(texts)))


def difference_table(before: Architecture, after: Architecture, names: tuple[str, str]) -> None:
    """Two networks op by op, under their names, with the difference in parameters, multiply-adds and field.

    A difference is empty where a network does not fit up to the op.
    """
    everything = st.toggle("Also the ops that are the same", key="all_ops")
    changes = difference(before, after)
    nested = any(side and side.depth for row in changes for side in (row.before, row.after))
    frame = pd.DataFrame(
        [
            {
                "op": row.after.path if row.after else "",
                names[0]: indented(row.before) if row.before else "",
                names[1]: indented(row.after) if row.after else "",
                "what": row.kind,
                "parameters": row.parameters,
                "MACs": row.macs,
                "field": row.field,
            }
            for row in changes
            if everything or row.kind != "same" or row.parameters
        ]
    )
    data_table(
        frame,
        "The ops that differ, and the difference in parameters, multiply-adds and field.",
        {
            "op": text_column(frame["op"]) if nested else st.column_config.TextColumn(width=40),
            **{name: text_column(frame[name]) for name in names},
            "what": st.column_config.TextColumn(width=72),
            "parameters": st.column_config.NumberColumn("parameters ±", format="%+d", width=90),
            "MACs": st.column_config.NumberColumn("MACs ±", format="%+d", width=75),
            "field": st.column_config.NumberColumn("field ±", format="%+d", width=60, help="In input pixels."),
        },
        most=14,
    )
    st.caption(
        "An op that stayed may cost more or less than it did: its input may be wider or larger now."
        + (
            " An op with a body has only the cost that its ops' own rows do not show: the further times of a repeat."
            if nested
            else ""
        )
    )


def text_width(texts: Iterable[str]) -> int:
    """Pixels of a table's column in which none of the texts is cut: what comes last in an op may be the step's idea."""
    return 18 + round(max((sum(3.4 if c in NARROW else 6.9 for c in text) for text in texts), default=0))


def totals(walked: Trace) -> None:
    """What the network costs, in numbers and memory."""
    st.markdown(
        f"**{walked.parameters:,}** parameters, all trainable; **{walked.buffers:,}** stored and not trained "
        f"(batch norm's running means and variances) · **{walked.macs:,}** multiply-adds an image · memory in float32: "
        f"input **{kilobytes(walked.input_bytes)}**, activations **{kilobytes(walked.activation_bytes)}** an image, "
        f"parameters **{kilobytes(walked.parameter_bytes)}**"
    )


def without_empty(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A table without those of the named columns that hold nothing."""
    return frame.drop(columns=[name for name in names if (frame[name].isna() | (frame[name] == "")).all()])


def field_table(walked: Trace) -> None:
    """Kernel, stride, padding, dilation, sizes, and the field after each op that moves it."""
    layers = [layer for layer in walked.layers if moves_field(layer)]
    whole = any(layer.uses_whole_map for layer in layers)
    size = walked.architecture.input[1]
    frame = pd.DataFrame(
        {
            "layer": [layer.name for layer in layers],
            "kernel": [layer.window.kernel_size for layer in layers],
            "stride": [layer.window.stride for layer in layers],
            "padding": [layer.window.padding for layer in layers],
            "dilation": [layer.window.dilation for layer in layers],
            "in": [layer.input[-1] if len(layer.input) == 3 else 1 for layer in layers],
            "out": [units_of(layer) for layer in layers],
            "field": [field_words(layer) if whole else layer.field.size for layer in layers],
            "on the image": [on_the_image(layer, size) for layer in layers],
            "jump": [layer.field.jump for layer in layers],
            "start": [layer.field.start for layer in layers],
        }
    )
    number = st.column_config.NumberColumn
    data_table(
        frame,
        "The receptive field after each layer.",
        {
            "layer": st.column_config.TextColumn(width=120),
            **{name: number(width=64) for name in (*frame.columns[1:8], "jump")},
            **({"field": text_column(frame["field"])} if whole else {}),
            "on the image": st.column_config.TextColumn(width=90),
            "start": number(format="%.1f", width=64),
        },
    )


def on_the_image(layer: Layer, side: int) -> str:
    """How much of the middle unit's field lies on the image: `28 of 40`."""
    return f"{pixels_inside(layer.field, units_of(layer) // 2, side)} of {layer.field.size}"


def field_view(walked: Trace, step: Step) -> None:
    """The field of a chosen layer drawn on a real digit, its arithmetic, and the table of all layers."""
    layers = {layer.name: layer for layer in walked.layers if moves_field(layer)}
    names = list(layers)
    drawing, words = st.columns([3, 5], gap="medium")
    with words:
        name = st.select_slider("Layer", names, value=names[len(names) // 2], key=f"field-layer-{step.slug}")
        layer = layers[name]
        units = units_of(layer)
        size, image = layer.field.size, walked.architecture.input[1]
        st.latex(field_arithmetic(layer))
        neighbour = (
            f" Its neighbour's square lies {plural(layer.field.jump, 'pixel')} on (dashed)." if units > 1 else ""
        )
        inside = pixels_inside(layer.field, units // 2, image)
        beyond = (
            f" Of its {size} columns, {size - inside} lie outside the image, in the padding." if inside < size else ""
        )
        st.markdown(f"The middle unit of **{name}** sees **{size} x {size}** pixels.{neighbour}{beyond}")
        st.caption(
            "The jump is the effective stride: input pixels between neighbours. Pixel centres are whole numbers."
        )
    with drawing:
        drawn = figures.field_on_digit(sample_digit(7), layer.field, units // 2, units)
        still_plot(drawn, "field-on-digit", f"A unit of {name} sees {size} by {size} pixels of the digit.")
    field_table(walked)


def field_arithmetic(layer: Layer) -> str:
    """The recurrence with the layer's own numbers, in LaTeX."""
    window, before, after = layer.window, layer.before, layer.field
    k, d, s, p = window.kernel_size, window.dilation, window.stride, window.padding
    return (
        r"\begin{aligned}"
        rf"r_{{out}} &= r_{{in}} + (k-1)\,d\,j_{{in}} = {before.size} + ({k}-1)\cdot {d}\cdot {before.jump}"
        rf" = \mathbf{{{after.size}}}\\"
        rf"j_{{out}} &= j_{{in}}\,s = {before.jump}\cdot {s} = \mathbf{{{after.jump}}}\\"
        rf"start_{{out}} &= start_{{in}} + \left(\tfrac{{(k-1)\,d}}{{2}} - p\right) j_{{in}}\\"
        rf"&= {significant(before.start, 6)} + \left(\tfrac{{({k}-1)\cdot {d}}}{{2}} - {p}\right)\cdot {before.jump}"
        rf" = \mathbf{{{significant(after.start, 6)}}}"
        r"\end{aligned}"
    )


def comparison_table(step: Step) -> None:
    """The step's clean comparisons, one thing changed in each; nothing for a step that has none."""
    answers = [each for each in results.clean_answers(results.studies()) if each.asked.step == step.slug]
    rows = [_comparison_row(each) for each in answers]
    if rows:
        st.markdown("**Clean comparisons.** Between before and after only that changes which the question names.")
        st.table(pd.DataFrame(rows).set_index("question"))
        outdated_captions([name for each in answers for name in (each.asked.before, each.asked.after)])
        st.caption(
            "Last epoch's test accuracy, mean ± standard deviation over the seeds. The difference is that of the seeds "
            "that both have (paired); its interval is right for 95 of 100 such comparisons. p is the chance of a "
            "difference at least this large, up or down, if there were none (two-sided t-test). Adjusted: corrected "
            f"for the {answers[0].questions} questions that the lab asks of its studies (Holm). "
            f"{results.error_of_images()}"
        )


def _comparison_row(answer: results.CleanAnswer) -> dict[str, str]:
    """Question, both sides, their difference, and what it may be taken for."""
    found, asked = answer.found, answer.asked
    return {
        "question": asked.question,
        "before": _side(asked.before, answer.before),
        "after": _side(asked.after, answer.after),
        **evidence_cells(found, answer.adjusted, results.reading_of(answer)),
    }


def evidence_cells(found: Evidence | None, adjusted: float | None, reading: str) -> dict[str, str]:
    """What a row says of one comparison: the difference, its interval, p, and how to read them."""
    return {
        "difference, points": in_points(found.difference) if found else "—",
        "95% interval": interval_in_points(found.interval) if found else "—",
        "p": p_in_cell(found.p if found else None),
        "p, adjusted": p_in_cell(adjusted),
        "reading": reading,
    }


def p_in_cell(p: float | None) -> str:
    """The cells of st.table are Markdown, in which a line that begins with > is a quotation."""
    return "—" if p is None else p_in_words(p).replace(">", "\\>")


def _side(name: str, study: Study | None) -> str:
    measured = results.summarised(study.runs) if study else None
    figure = results.in_words(measured) if measured else "not measured yet"
    return f"{results.titles().get(name, name)}: {figure}{results.outdated_mark(study)}"
