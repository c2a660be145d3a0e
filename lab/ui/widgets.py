"""What several pages show: the step picker, knobs, the headline, tables of a network, the data notice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import pandas as pd
import streamlit as st

from core.analysis.evidence import in_points, interval_in_points, judge_claim, p_in_words, p_stated
from core.analysis.study import SeedRun, Study, Summary
from core.architecture.receptive_field import pixels_inside
from core.architecture.spec import Architecture, BatchNorm, describe
from core.architecture.trace import Layer, Trace, classifier, spell
from core.architecture.vary import changes, dropout_of, has, vary
from core.errors import SpecError
from core.ladder import catalogue
from core.ladder.challenge import MAX_PARAMETERS, TARGET_ACCURACY
from core.ladder.field_claims import moves_field
from core.ladder.model import Erratum, Step
from core.ladder.relatives import EXTRAS
from core.training.recipe_words import recipe_words
from core.words import plural
from lab.studies.results import (
    CleanAnswer,
    challenge_of,
    clean_answers,
    error_of_images,
    held_in_words,
    in_words,
    judged,
    met_in_words,
    outdated_mark,
    outdated_ones,
    outdated_words,
    reading_of,
    studies,
    study_of,
    summarised,
    titles,
)
from lab.ui import curves, figures, ladder_figure
from lab.ui.caches import sample_digit
from lab.ui.live_plot import live_plot
from lab.ui.tries import how_it_was_chosen
from lab.ui.words import show_error

FIRST_STEP = "a2"  # what a newcomer meets: the first network within the challenge's budget
KNOBS = ("width", "dropout", "bn")  # their names in the URL


def mark(step: Step) -> str:
    """A step's short name, lineage and number: A2."""
    return f"{step.lineage.upper()}{step.order}"


def label(step: Step) -> str:
    """A step as menus show it: `A2 · Final model`; a design of one's own is of no lineage."""
    return f"{mark(step)} · {step.title}" if step.lineage else f"Your design · {step.title}"


def ink() -> str:
    """The colour of the theme's words, for those within a figure: Plotly's own is pale on one of the themes."""
    return "#E8ECF0" if st.context.theme.type == "dark" else "#1B1F24"  # as in config.toml


def step_picker(design: Step | None = None) -> Step:
    """Choose a step; the choice is ?step=SLUG in the URL, so that it can be shared. A design stands before them."""
    steps = {step.slug: step for step in (*([design] if design else []), *catalogue.LADDER, *EXTRAS)}
    slug = design.slug if design else next(slug for slug in steps if slug.startswith(FIRST_STEP))
    if wanted := st.query_params.get("step", ""):
        try:
            slug = catalogue.by_slug(wanted).slug
        except SpecError as error:
            show_error(error)
    st.session_state.step_picker = slug

    def choose() -> None:
        st.query_params.step = st.session_state.step_picker
        if not st.query_params.step:  # the design, whose slug is empty
            del st.query_params.step
        st.query_params.pop("run", None)
        clear_knobs()

    st.selectbox("Step", list(steps), key="step_picker", on_change=choose, format_func=lambda each: label(steps[each]))
    return steps[slug]


def varied(step: Step) -> Architecture:
    """The step's architecture as the knobs in the URL change it; a value that is no number counts as not given."""
    norm = st.query_params.get("bn")
    return vary(
        step.architecture,
        width=_number("width", 1.0, 0.25, 2.0) or 1.0,
        dropout=_number("dropout", None, 0.0, 0.5),
        batch_norm={"0": False, "1": True}.get(norm or ""),
    )


def _number(name: str, default: float | None, least: float, most: float) -> float | None:
    try:
        value = float(st.query_params[name])
    except (KeyError, ValueError):
        return default
    return min(max(value, least), most) if math.isfinite(value) else default


def knobs(step: Step) -> None:
    """Width, dropout and batch norm; what differs from the step is kept in the URL."""
    now = varied(step)

    def keep(name: str, own: object) -> None:
        value = st.session_state[f"knob_{name}"]
        if value == own:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(int(value)) if name == "bn" else f"{value:g}"

    own_dropout, own_norm = dropout_of(step.architecture), has(step.architecture, BatchNorm)
    st.session_state.knob_width = _number("width", 1.0, 0.25, 2.0)
    st.session_state.knob_dropout = dropout_of(now)
    st.session_state.knob_bn = has(now, BatchNorm)
    st.slider(
        "Width multiplier", 0.25, 2.0, step=0.05, key="knob_width", on_change=keep, args=("width", 1.0),
        help="Multiplies the channels of every layer but the last.",
    )  # fmt: skip
    st.slider(
        "Dropout", 0.0, 0.5, step=0.001, format="%.3f", key="knob_dropout", on_change=keep,
        args=("dropout", own_dropout), help="The probability with which a value is zeroed while training.",
    )  # fmt: skip
    st.toggle(
        "Batch norm", key="knob_bn", on_change=keep, args=("bn", own_norm), help="After each convolution but the last."
    )
    what_changed(step)


def what_changed(step: Step) -> None:
    """What the knobs in the URL have made of the step, and the way back; nothing where they left it as it was."""
    if told := changes(step.architecture, varied(step)):
        st.caption("Changed: " + "; ".join(told) + ".")
        st.button("Back to the step as it was", on_click=clear_knobs, icon=":material/undo:", width="stretch")


def clear_knobs() -> None:
    """Take the knobs out of the URL."""
    for name in KNOBS:
        st.query_params.pop(name, None)


def link_parameters(step: Step) -> dict[str, str]:
    """The URL parameters that carry this step and its knobs to another page."""
    return {"step": step.slug, **{name: st.query_params[name] for name in KNOBS if name in st.query_params}}


def headline(walked: Trace, accuracy: float | None, accuracy_from: str) -> None:
    """The row of figures that stands at the top of every page about a network, always in the same order."""
    parameters, field, macs, measured = st.columns([9, 8.5, 7.5, 12])  # the last says the most
    left = MAX_PARAMETERS - walked.parameters
    parameters.metric(
        "Parameters", f"{walked.parameters:,}", f"{abs(left):,} {'under' if left >= 0 else 'over'} {MAX_PARAMETERS:,}",
        delta_color="green" if left >= 0 else "red", delta_arrow="off", border=True, help=why_parameters(walked),
    )  # fmt: skip
    size = walked.architecture.input[1]
    seen = "covers the image" if walked.field.size >= size else f"{plural(size - walked.field.size, 'pixel')} short"
    field.metric(
        "Receptive field", f"{walked.field.size} of {size}", seen, delta_arrow="off", border=True,
        delta_color="green" if walked.field.size >= size else "red", help=why_field(walked),
    )  # fmt: skip
    macs.metric(
        "MACs", millions(walked.macs), "for one image", delta_color="off", delta_arrow="off", border=True,
        help=why_macs(walked),
    )  # fmt: skip
    passed = accuracy is not None and accuracy >= TARGET_ACCURACY
    measured.metric(
        "Test accuracy", "—" if accuracy is None else f"{accuracy:.2%}", accuracy_from, border=True,
        delta_color="green" if passed else "off", delta_arrow="off",
        help=f"The share of the test digits that are read rightly, after the last epoch. The challenge asks for "
        f"{TARGET_ACCURACY:.1%} in each of the last three epochs.",
    )  # fmt: skip


def why_parameters(walked: Trace) -> str:
    """How the count comes about: the largest layer's product, and how many layers share the rest."""
    owners = [layer for layer in walked.layers if layer.parameters]
    if not owners:
        return "No layer has parameters."
    largest = max(owners, key=lambda layer: layer.parameters)
    share = largest.parameters / walked.parameters
    return (
        f"The sum over {plural(len(owners), 'layer')}. The largest, {largest.name}: {largest.arithmetic}, {share:.0%}."
    )


def why_field(walked: Trace) -> str:
    """How the field comes about: what each layer adds to the one pixel of the input."""
    grown = [layer.field.size - layer.before.size for layer in walked.layers]
    terms = " + ".join(["1", *(str(each) for each in grown if each)])
    return f"Each op adds (k − 1) · dilation · jump, in input pixels: {terms} = {walked.field.size}."


def why_macs(walked: Trace) -> str:
    """How the multiply-adds come about, by the layer with most of them."""
    largest = max(walked.layers, key=lambda layer: layer.macs)
    if not largest.macs:
        return "No layer multiplies."
    where = f" at each of {largest.output[1]} x {largest.output[2]} places" if len(largest.output) == 3 else ""
    return (
        f"Multiply-adds: each weight of a convolution is used{where}. The most are in {largest.name}: "
        f"{largest.macs:,}, {largest.macs / walked.macs:.0%}."
    )


def millions(macs: int) -> str:
    """Multiply-adds as 1.52 M."""
    return f"{macs / 1e6:.2f} M" if macs < 1e8 else f"{macs / 1e6:,.0f} M"


def ladder_points(steps: Sequence[Step], measured: dict[str, Summary]) -> list[ladder_figure.LadderPoint]:
    """The steps as the picture of the ladder wants them."""
    return [
        ladder_figure.LadderPoint(
            slug=step.slug,
            label=mark(step),
            title=label(step),
            lineage=step.lineage,
            parameters=classifier(step.architecture).parameters,
            claimed=step.claim.best_test_accuracy if step.claim else None,
            measured=measured.get(step.slug),
            verdict=f"{judged(step, measured.get(step.slug))}{outdated_mark(study_of(step.slug))}",
        )
        for step in steps
    ]


def ladder_rows(steps: list[Step], measured: dict[str, Summary]) -> None:
    """A row for each step: its name opens it, then what it costs, what was claimed and measured, and what changed."""
    widths = [2.9, 1.0, 0.5, 0.85, 1.7, 1.0, 2.0, 2.8]
    titles = (
        "step", "parameters", "field", "claimed", "ours, last epoch", "best epoch, chosen on the test set", "verdict",
        "what changed",
    )  # fmt: skip
    with st.container(border=True):
        for column, title in zip(st.columns(widths, gap="small", vertical_alignment="bottom"), titles, strict=True):
            column.caption(title)
        for step in steps:
            walked = classifier(step.architecture)
            ours = measured.get(step.slug)
            name, *figures_of = st.columns(widths, gap="small", vertical_alignment="center")
            name.page_link("pages/learn/step.py", label=label(step), query_params={"step": step.slug})
            texts = (
                f"{walked.parameters:,}",
                str(walked.field.size),
                f"{step.claim.best_test_accuracy:.2%}" if step.claim else "—",
                f"{_bold_mean(ours)}  \n:small[:gray[{_held_by(ours)}]]" if ours else "—",
                f":small[:gray[{ours.best_mean:.2%}]]" if ours else "—",
                f"{judged(step, ours)}{outdated_mark(study_of(step.slug))}" if ours else ":gray[not measured]",
                f":small[{step.change or 'The start.'}]",
            )
            for column, text in zip(figures_of, texts, strict=True):
                column.markdown(text)
        _outdated([step.slug for step in steps])


def _outdated(names: Sequence[str]) -> None:
    """What has changed since of the recipes of these studies; nothing where none has."""
    for words, those in outdated_ones(study_of(name) for name in dict.fromkeys(names)).items():
        short = ", ".join(titles().get(name, name).split(" ·")[0] for name in those)
        st.caption(f":material/history: **{short}.** {words}")


def _held_by(measured: Summary) -> str:
    return f"{measured.holding} of {measured.n} held {TARGET_ACCURACY:.1%}"


def _bold_mean(measured: Summary) -> str:
    mean, *deviation = in_words(measured).split(" ", 1)
    return " ".join([f"**{mean}**", *deviation])


def layer_table(walked: Trace) -> None:
    """The network as torch prints it: op, output shape, parameters and how they come about, share of the whole."""
    frame = pd.DataFrame(
        {
            "": range(len(walked.layers)),
            "layer": [describe(layer.op) for layer in walked.layers],
            "output": [spell(layer.output) for layer in walked.layers],
            "parameters": [layer.parameters for layer in walked.layers],
            "how they come about": [layer.arithmetic for layer in walked.layers],
            "share": [100 * layer.parameters / max(1, walked.parameters) for layer in walked.layers],
            "MACs": [layer.macs for layer in walked.layers],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=38 + 35 * len(frame),
        column_config={
            "": st.column_config.NumberColumn(width=32),
            "layer": st.column_config.TextColumn(width=text_width(frame["layer"])),
            "output": st.column_config.TextColumn(width=text_width(frame["output"])),
            "how they come about": st.column_config.TextColumn(width=text_width(frame["how they come about"])),
            "parameters": st.column_config.NumberColumn(format="localized", width=80),
            "share": st.column_config.NumberColumn("%", format="%.1f", width=44, help="Of all parameters."),
            "MACs": st.column_config.NumberColumn(format="localized", width=70),
        },
        alt="Every op with its output shape, parameters and multiply-adds.",
    )


NARROW = frozenset(" ,.()ijltf:;'|")  # letters half as wide as the others


def text_width(texts: Iterable[str]) -> int:
    """Pixels of a table's column in which none of the texts is cut: what comes last in an op may be the step's idea."""
    return max(60, 18 + round(max((sum(3.4 if c in NARROW else 6.9 for c in text) for text in texts), default=0)))


def totals(walked: Trace) -> None:
    """What the network costs, in numbers and memory."""
    st.markdown(
        f"**{walked.parameters:,}** parameters, all trainable; **{walked.buffers:,}** stored and not trained "
        f"(batch norm's running means and variances) · **{walked.macs:,}** multiply-adds an image · memory in float32: "
        f"input **{kilobytes(walked.input_bytes)}**, activations **{kilobytes(walked.activation_bytes)}** an image, "
        f"parameters **{kilobytes(walked.parameter_bytes)}**"
    )


def kilobytes(size: int) -> str:
    """Bytes as 30.3 KB or 24.3 MB."""
    return f"{size / 1e3:,.1f} KB" if size < 1e6 else f"{size / 1e6:,.1f} MB"


def without_empty(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A table without those of the named columns that hold nothing."""
    return frame.drop(columns=[name for name in names if (frame[name].isna() | (frame[name] == "")).all()])


def field_table(walked: Trace) -> None:
    """Kernel, stride, padding, dilation, sizes, and the field after each op that moves it."""
    layers = [layer for layer in walked.layers if moves_field(layer)]
    size = walked.architecture.input[1]
    frame = pd.DataFrame(
        {
            "layer": [layer.name for layer in layers],
            "kernel": [layer.window.kernel_size for layer in layers],
            "stride": [layer.window.stride for layer in layers],
            "padding": [layer.window.padding for layer in layers],
            "dilation": [layer.window.dilation for layer in layers],
            "in": [layer.input[-1] if len(layer.input) == 3 else 1 for layer in layers],
            "out": [layer.output[-1] if len(layer.output) == 3 else 1 for layer in layers],
            "field": [layer.field.size for layer in layers],
            "on the image": [_inside(layer, size) for layer in layers],
            "jump": [layer.field.jump for layer in layers],
            "start": [layer.field.start for layer in layers],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=38 + 35 * len(frame),
        column_config={
            "layer": st.column_config.TextColumn(width=120),
            **{name: st.column_config.NumberColumn(width=64) for name in frame.columns[1:8]},
            "on the image": st.column_config.TextColumn(width=90),
            "jump": st.column_config.NumberColumn(width=64),
            "start": st.column_config.NumberColumn(format="%.1f", width=64),
        },
        alt="The receptive field after each layer.",
    )


def _inside(layer: Layer, size: int) -> str:
    """How much of the middle unit's field lies on the image: `28 of 40`."""
    units = layer.output[-1] if len(layer.output) == 3 else 1
    return f"{pixels_inside(layer.field, units // 2, size)} of {layer.field.size}"


def field_view(walked: Trace, step: Step) -> None:
    """The field of a chosen layer drawn on a real digit, its arithmetic, and the table of all layers."""
    layers = {layer.name: layer for layer in walked.layers if moves_field(layer)}
    names = list(layers)
    drawing, words = st.columns([3, 5], gap="medium")
    with words:
        name = st.select_slider("Layer", names, value=names[len(names) // 2], key=f"field-layer-{step.slug}")
        layer = layers[name]
        units = layer.output[-1] if len(layer.output) == 3 else 1
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
        st.plotly_chart(
            figures.field_on_digit(sample_digit(7), layer.field, units // 2, units),
            key="field-on-digit",
            config={"displayModeBar": False},
            alt=f"A unit of {name} sees {size} by {size} pixels of the digit.",
        )
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
        rf"&= {before.start:g} + \left(\tfrac{{({k}-1)\cdot {d}}}{{2}} - {p}\right)\cdot {before.jump}"
        rf" = \mathbf{{{after.start:g}}}"
        r"\end{aligned}"
    )


def step_headline(step: Step, walked: Trace, measured: Summary | None) -> None:
    """The headline of a step as it stands: its mean with deviation, seeds and claim; without runs, its claim."""
    claim = step.claim.best_test_accuracy if step.claim else None
    if measured is None:
        headline(walked, claim, "as claimed" if claim else "not measured")
        return
    n = plural(measured.n, "seed") if measured.sd is None else f"± {100 * measured.sd:.2f}, {measured.n} seeds"
    n += outdated_mark(study_of(step.slug))
    headline(walked, measured.mean, n if claim is None else f"{n} · claimed {claim:.2%}")


def story(step: Step, runs: Sequence[SeedRun]) -> None:
    """The figure here, its band beside the write-up's curve, result and analysis, the clean comparisons, the errata."""
    claim, measured = step.claim, summarised(runs)
    study = study_of(step.slug)
    if study and (earlier := outdated_words(study)):
        st.info(f"{earlier} They stay until its runs are trained anew.", icon=":material/history:")
    st.markdown(measured_sentence(step, measured) if measured else "**Measured here.** Not yet.")
    if measured or (claim and claim.test_log):
        live_plot(
            curves.study_curves(runs if measured else (), claim.test_log if claim else ()),
            key="story-curves",
            height=320,
            alt="Test accuracy by epoch: as logged by the write-up, and the mean of the runs here with its band.",
        )
    if measured:
        st.caption(provenance(runs, step.measured_precision))
    if step.result:
        st.markdown(f"**Result{', as written up' if claim else ''}.** {step.result}")
    if step.analysis:
        st.markdown(f"**Analysis.** {step.analysis}")
    how_it_was_chosen(step, runs if measured else ())
    if step.confounded:
        st.warning(f"Not a fair comparison: {step.confounded}", icon=":material/balance:")
    comparison_table(step)
    counted = (
        " The write-up's words count epochs from 0, as its log does; the figures here count from 1." if claim else ""
    )
    st.caption(f"Recipe: {recipe_words(step.recipe)}. Source: {step.source}.{counted}")
    if step.recipe.watches_test:
        st.caption("This recipe lowers its rate by the **test** loss: the test set has a say in the training.")
    if claim and claim.note:
        st.caption(f"Claim: {claim.note}")
    errata_table("What the write-up got wrong", (*step.errata, *catalogue.lineage_of(step).errata))


def measured_sentence(step: Step, measured: Summary) -> str:
    """Mean, deviation and n, how many runs held the target, the best figure, and the verdict, in words."""
    one = measured.n == 1
    mean = in_words(measured).split(" (")[0]
    over = "in one run, which has no deviation" if one else f"over {measured.n} seeds"
    best = "Its best epoch" if one else "The best epochs"
    return (
        f"**Measured here: {mean}** after the last epoch, {over} (n {measured.n}). {held_in_words(measured)} "
        f"{best}, chosen on the test set: {measured.best_mean:.2%}{'' if one else ' on average'}. "
        f"{verdict_sentence(step, measured)} {error_of_images()}"
    )


def verdict_sentence(step: Step, measured: Summary) -> str:
    """What the runs say about the step's claim, and how sure that is; of a step of our own, of the challenge."""
    if step.claim is None:
        return f"**{met_in_words(challenge_of(step, measured)).capitalize()}.**"
    claim = step.claim.best_test_accuracy
    verdict = judge_claim(claim, measured)
    if verdict.interval is None or verdict.p is None:
        spread = "has no spread" if measured.n == 1 else "have no spread"
        return f"Whether the claim of {claim:.2%} fits **cannot be told**: {plural(measured.n, 'run')} {spread}."
    low, high = verdict.interval
    return (
        f"The claim of {claim:.2%}, the best epoch of one run, is **{verdict.words}**: of further runs of ours, 95 in "
        f"100 would have their best epoch between {low:.2%} and {min(high, 1.0):.2%} ({p_stated(verdict.p)})."
    )


def provenance(runs: Sequence[SeedRun], precision: str = "fp32") -> str:
    """By which seeds, on what, in which precision and with which torch the runs came about."""
    seeds = ", ".join(str(run.seed) for run in runs)
    devices, versions = ", ".join(sorted({run.device for run in runs})), ", ".join(sorted({run.torch for run in runs}))
    computed = "" if precision == "fp32" else f" in {precision}, where its write-up had float32"
    return f"Seed{'' if len(runs) == 1 else 's'} {seeds} · trained on {devices}{computed} · torch {versions}"


def comparison_table(step: Step) -> None:
    """The step's clean comparisons, one thing changed in each; nothing for a step that has none."""
    answers = [each for each in clean_answers(studies()) if each.asked.step == step.slug]
    rows = [_comparison_row(each) for each in answers]
    if rows:
        st.markdown("**Clean comparisons.** Between before and after only that changes which the question names.")
        st.table(pd.DataFrame(rows).set_index("question"))
        _outdated([name for each in answers for name in (each.asked.before, each.asked.after)])
        st.caption(
            "Last epoch's test accuracy, mean ± standard deviation over the seeds. The difference is that of the seeds "
            "that both have (paired); its interval is right for 95 of 100 such comparisons. p is the chance of a "
            "difference at least this large, up or down, if there were none (two-sided t-test). Adjusted: corrected "
            f"for the {answers[0].questions} questions that the lab asks of its studies (Holm). {error_of_images()}"
        )


def _comparison_row(answer: CleanAnswer) -> dict[str, str]:
    """Question, both sides, their difference, and what it may be taken for."""
    found, asked = answer.found, answer.asked
    return {
        "question": asked.question,
        "before": _side(asked.before, answer.before),
        "after": _side(asked.after, answer.after),
        "difference, points": in_points(found.difference) if found else "—",
        "95% interval": interval_in_points(found.interval) if found else "—",
        "p": p_in_cell(found.p if found else None),
        "p, adjusted": p_in_cell(answer.adjusted),
        "reading": reading_of(answer),
    }


def p_in_cell(p: float | None) -> str:
    """The cells of st.table are Markdown, in which a line that begins with > is a quotation."""
    return "—" if p is None else p_in_words(p).replace(">", "\\>")


def _side(name: str, study: Study | None) -> str:
    measured = summarised(study.runs) if study else None
    return f"{titles().get(name, name)}: {in_words(measured) if measured else 'not measured yet'}{outdated_mark(study)}"


def errata_table(title: str, errata: tuple[Erratum, ...]) -> None:
    """What was said beside what is right; nothing where there is nothing."""
    if errata:
        st.markdown(f"**{title}**")
        st.table(pd.DataFrame([{"it says": each.said, "right is": each.right} for each in errata]).set_index("it says"))
