"""The network that was brought: what was read, what was not, its table, and the ways on."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.architecture.fit import fit
from core.architecture.link import to_code
from core.architecture.spec import Architecture
from core.architecture.trace import Trace
from core.errors import LabError
from core.importing.opened import Opened
from core.importing.recipe_script import recipe_of_script
from core.reading.record import CodeRead, Network, Problem
from core.reading.summary_table import compare_table
from core.training.recipe import Recipe, recipe_to_json
from core.training.recipe_words import recipe_words
from core.words import plural
from lab.classroom.designs import save_beside
from lab.runs.affordable import affordable
from lab.ui import url
from lab.ui.headline import headline
from lab.ui.links import link
from lab.ui.owner import me
from lab.ui.step import RECIPE
from lab.ui.tables import data_table, layer_table
from lab.ui.words import escaped, told
from lab.use.bring.inputs import Brought

CLASS = "class"  # in the URL
MOST = 40  # problems listed


@dataclass(frozen=True)
class Source:
    """A network to bring weights to."""

    architecture: Architecture
    modules: dict[str, tuple[str, ...]] | None = None  # of code: the torch paths of each op
    unused: tuple[str, ...] = ()  # of code: the torch paths of modules that are never called


def source_view(brought: Brought, narrow: DeltaGenerator) -> Source | None:
    """Show the network; None where there is none, or nothing of it could be read."""
    opened = brought.source
    if opened is None:
        if brought.table and not brought.tensors:
            st.info("Bring the network that the table is of, and the two are compared line by line.")
        return None
    if opened.recipe:
        st.success("This is a recipe that the lab can follow.", icon=":material/check_circle:")
        st.code(recipe_to_json(opened.recipe), language="json", wrap_lines=True)
        link("experiment/train", "Train with it", {RECIPE: recipe_to_json(opened.recipe)}, icon="model_training")
        st.caption("Or `python -m lab train NETWORK --recipe FILE`.")
        return None
    found = _of_code(opened.code, narrow) if opened.code else Source(_architecture(opened))
    beside = _recipe_beside(opened.code) if opened.code else None
    if found is None:
        return None
    walked = fit(found.architecture)
    if walked.error or walked.trace is None:
        st.error(told(f"The network does not fit together: {walked.error}"))
        _ways_on(found.architecture, beside)
        return None
    headline(walked.trace, None, "bring its weights")
    with st.expander("Its layers", icon=":material/table_rows:", expanded=brought.tensors is None):
        layer_table(walked.trace)
    _ways_on(found.architecture, beside)
    if brought.table:
        _compared(brought.table, walked.trace)
    affordable(found.architecture)
    return found


def _architecture(opened: Opened) -> Architecture:
    found = opened.onnx.architecture if opened.onnx else opened.architecture
    assert found is not None
    return found


def _of_code(code: CodeRead, narrow: DeltaGenerator) -> Source | None:
    names = [network.name for network in code.networks]
    name = url.one_of(CLASS, names, names[0], quiet=True)
    if len(names) > 1:
        with narrow:
            st.selectbox("Which network", names, **url.bound(CLASS, name, default=names[0]))
    network = next(each for each in code.networks if each.name == name)
    _problems(code, network)
    _unused(code, network)
    if network.architecture is None:
        return None
    modules = {op.path: op.modules for op in network.ops if op.modules}
    return Source(network.architecture, modules, tuple(each.module for each in network.unused))


def _problems(code: CodeRead, network: Network) -> None:
    """What was not understood, with its line and what to write instead."""
    problems: list[Problem] = [*code.problems, *network.problems]
    if problems:
        st.warning(f"{plural(len(problems), 'part')} of the code could not be read as it stands.")
        data_table(
            [
                {
                    "where": code.place(each.line) if each.line else "",
                    "code": each.source,
                    "what": each.message,
                    "write instead": each.instead,
                }
                for each in problems[:MOST]
            ],
            alt="What was not understood in the code.",
        )
    for note in network.notes[:MOST]:
        st.caption(escaped(f"{code.place(note.line)}: {note.message}" if note.line else note.message))


def _unused(code: CodeRead, network: Network) -> None:
    if not network.unused:
        return
    told = ", ".join(f"{each.module} ({each.kind}, {code.place(each.line)})" for each in network.unused[:MOST])
    one = len(network.unused) == 1
    st.info(
        escaped(f"Declared and never called, so left out: {told}.")
        + (
            f" With {'it' if one else 'them'} torch counts {network.total:,} parameters; forward uses "
            f"{network.parameters:,}."
            if network.total is not None and network.parameters is not None
            else ""
        ),
        icon=":material/link_off:",
    )


def _recipe_beside(code: CodeRead) -> Recipe | None:
    """The recipe in the lines around the network; why it cannot be taken, if they say one."""
    try:
        return recipe_of_script(code.code)
    except LabError as error:
        st.info(told(f"The network comes without the script's recipe. {error}"), icon=":material/info:")
        return None


def _ways_on(architecture: Architecture, recipe: Recipe | None) -> None:
    """`recipe`: the script's own."""
    design, train, keep = st.columns([1, 1, 1.4], vertical_alignment="center")
    where = {"design": to_code(architecture)}
    link("experiment/design", "Open it in Design", where, icon="architecture", at=design)
    own = {RECIPE: recipe_to_json(recipe)} if recipe else {}
    link("experiment/train", "Train it", where | own, icon="model_training", at=train)
    if recipe:
        words = "The training begins with the script's recipe; what the script does not say is as usual here: "
        st.caption(escaped(f"{words}{recipe_words(recipe)}."))
    if keep.button("Keep it among the designs", icon=":material/save:"):
        name = save_beside(architecture, me())
        st.toast(f"Saved as {escaped(name)}", icon=":material/save:")


def _compared(table: str, walked: Trace) -> None:
    """The pasted table line by line beside the network."""
    found = compare_table(table, walked)
    wrong = sum(not row.same for row in found.rows)
    st.markdown("## The table beside the network")
    totals = "" if found.their_total is None else f" Total: {found.their_total:,} there, {found.our_total:,} here."
    if found.same:
        st.success(f"All {plural(len(found.rows), 'line')} are the same.{totals}", icon=":material/check_circle:")
    else:
        st.warning(f"{wrong} of {plural(len(found.rows), 'line')} differ.{totals}", icon=":material/difference:")
    rows = [
        {
            "": "" if row.same else "≠",
            "in the table": row.theirs.name if row.theirs else "—",
            "its output": " x ".join(map(str, row.theirs.output)) if row.theirs else "",
            "its parameters": f"{row.theirs.parameters:,}" if row.theirs else "",
            "here": f"{row.ours.kind} ({row.ours.path})" if row.ours else "—",
            "output": " x ".join(map(str, row.ours.output)) if row.ours else "",
            "parameters": f"{row.ours.parameters:,}" if row.ours else "",
            "difference": row.difference,
        }
        for row in found.rows
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Each line of the table beside the network's own.")
