"""The designer in AppTest: by its links, by its buttons, by what its list asks for, and by what a link may carry."""

from __future__ import annotations

import io
import json
import zlib
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import fields, replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Locator, Page, TimeoutError
from streamlit.testing.v1 import AppTest

from core.advice.bad_designs import BAD_DESIGNS
from core.architecture.activations import GELU
from core.architecture.edit import insert, move, remove, with_field
from core.architecture.fresh import BLOCKS, block, fresh
from core.architecture.json_form import architecture_to_json, json_lines
from core.architecture.link import from_code, to_code
from core.architecture.place import Place, ops_at
from core.architecture.spec import (
    MAX_OPS,
    OPS,
    Architecture,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool,
    Op,
    ReLU,
    Repeat,
    Residual,
    bodies,
    every_op,
)
from core.architecture.trace import classifier, trace
from core.errors import ClassError, LabError, SpecError
from core.ladder.catalogue import LADDER, by_slug
from lab.classroom import designs as designs
from lab.experiment.design import figures as design_figures
from lab.experiment.design.boxes import drawing, feature_maps
from lab.experiment.design.op_list import Asked, asked_for, gaps_of, places_in
from lab.runs.person import Person
from lab.runs.store import RunStore
from lab.settings import lab_home
from tests.app_server import browsing, serving, settled
from tests.patience import milliseconds, wait
from tests.random_architectures import architectures
from tests.test_learn_pages import metric, opened, said

DESIGN = "pages/experiment/design.py"
A2 = by_slug("a2-final-7758").architecture


def shown(app: AppTest) -> Architecture:
    """The design in the page's URL."""
    return from_code(app.query_params["design"])


def click(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def select(app: AppTest, index: int) -> AppTest:
    app.selectbox(key="op-select").set_value((index,)).run()
    assert not app.exception
    return app


@pytest.mark.parametrize("start", [*LADDER, *BAD_DESIGNS], ids=lambda start: start.slug)
def test_every_start_opens_by_its_link_with_its_count(start: object) -> None:
    slug, architecture = start.slug, start.architecture  # type: ignore[attr-defined]
    app = opened(DESIGN, **{"from": slug})
    assert not app.exception
    assert not app.error
    starts = app.selectbox(key="design-start").options
    assert [title for title in starts if "empty" in title or "find out why" in title] == starts[-1 - len(BAD_DESIGNS) :]
    assert metric(app, "Parameters") == f"{classifier(architecture).parameters:,}"


@pytest.mark.parametrize("view", ["Layers", "Diagram", "What changed", "Code"])
@pytest.mark.parametrize("design", [A2, insert(A2, 4, Flatten()), Architecture("none yet", ())], ids=lambda d: d.name)
def test_every_view_opens_of_what_fits_and_of_what_does_not(view: str, design: Architecture) -> None:
    app = opened(DESIGN, view=view, design=to_code(design), **{"from": "a2-final-7758"})
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("view", ["Layers", "Diagram", "What changed", "Code"])
@pytest.mark.parametrize("image", [(1, 28, 20), (4096, 512, 512)])
@pytest.mark.parametrize("ops", [(), A2.ops])
def test_a_design_for_images_that_cannot_be_says_so(
    view: str, image: tuple[int, int, int], ops: tuple[Op, ...]
) -> None:
    app = opened(DESIGN, view=view, design=to_code(Architecture("odd", ops, image)))
    assert not app.exception
    if view == "Layers":
        assert "square" in said(app) or "4,000,000" in said(app) or not ops


@pytest.mark.parametrize(
    "ops",
    [
        (Dropout(0.9),) * MAX_OPS,
        (*(Dropout(0.9),) * (MAX_OPS - 1), Conv(8, 3, bias=True)),
        (Flatten(), *(ReLU(),) * (MAX_OPS - 2), Conv(8, 3)),
        (*(Conv(8, 1),) * 10, *(MaxPool(1),) * (MAX_OPS - 11), Linear(4)),
    ],
    ids=["no outputs", "a last convolution", "does not fit", "many in a row"],
)
def test_a_design_with_no_room_for_another_op_is_advised_on(ops: tuple[Op, ...]) -> None:
    app = opened(DESIGN, design=to_code(Architecture("full", ops)))
    assert not app.exception
    assert app.metric


def test_ops_are_duplicated_moved_and_taken_out_and_all_of_it_is_undone_and_redone() -> None:
    app = select(opened(DESIGN, **{"from": "a2-final-7758"}), 1)
    copied = insert(A2, 2, A2.ops[1])
    steps = [A2]
    for key, expected in (
        ("op-duplicate", copied),  # the copy, op 2, is selected
        ("op-down", move(copied, 2, 3)),
        ("op-down", move(copied, 2, 4)),
        ("op-up", move(copied, 2, 3)),
        ("op-remove", remove(move(copied, 2, 3), 3)),
    ):
        click(app, key)
        assert shown(app).ops == expected.ops
        steps.append(expected)
    for expected in reversed(steps[:-1]):
        click(app, "undo")
        assert shown(app).ops == expected.ops
    assert app.button(key="undo").proto.disabled
    for expected in steps[1:]:
        click(app, "redo")
        assert shown(app).ops == expected.ops
    assert app.button(key="redo").proto.disabled


def test_a_field_is_edited_under_torchs_name_and_the_numbers_follow() -> None:
    app = select(opened(DESIGN, **{"from": "a2-final-7758"}), 0)
    app.number_input(key="field-Conv-out_channels").set_value(16).run()
    assert not app.exception
    changed = with_field(A2, 0, "out_channels", 16)
    assert shown(app).ops == changed.ops
    assert metric(app, "Parameters") == f"{trace(changed).parameters:,}"
    app.toggle(key="field-Conv-bias").set_value(True).run()
    assert shown(app).ops[0] == Conv(16, 3, bias=True)
    assert "16 parameters do nothing" in said(app)
    app.number_input(key="field-Conv-out_channels").set_value(0).run()
    assert "op 0 Conv: out_channels: 0 is outside 1 to" in app.error[0].value.replace("\\", "")
    assert shown(app).ops[0] == Conv(16, 3, bias=True)
    select(app, 2)
    app.number_input(key="field-Dropout-p").set_value(0.2).run()
    assert shown(app).ops[2] == Dropout(0.2)


@pytest.mark.parametrize("bad", BAD_DESIGNS, ids=lambda bad: bad.slug)
def test_a_click_on_the_first_remedy_mends_the_design_and_undo_brings_it_back(bad: object) -> None:
    app = opened(DESIGN, **{"from": bad.slug})  # type: ignore[attr-defined]
    before: Architecture = bad.architecture  # type: ignore[attr-defined]
    click(app, "remedy-0")
    assert shown(app).ops != before.ops
    counts = [f"{trace(each).parameters:,}" for each in (before, shown(app))]
    told = f"{counts[0]}, as before" if counts[0] == counts[1] else f"{counts[0]} → {counts[1]}"
    assert f"Parameters {told}." in app.toast[0].value
    click(app, "undo")
    assert shown(app) == before


def test_what_does_not_fit_is_named_what_fits_is_shown_and_training_waits() -> None:
    broken = insert(A2, 4, Flatten())
    app = opened(DESIGN, design=to_code(broken), **{"from": "a2-final-7758"})
    assert not app.exception
    assert "Op 5 " in said(app)
    assert "it stands after Flatten" in said(app)
    assert metric(app, "Parameters") == f"{trace(Architecture('fits', broken.ops[:5])).parameters:,}"
    link = next(each for each in app.get("page_link") if each.proto.label.startswith("Train "))
    assert link.proto.disabled
    click(app, "remedy-0")
    assert shown(app).ops == A2.ops


def test_a_network_is_built_from_nothing() -> None:
    app = opened(DESIGN, **{"from": "empty"})
    assert "no op yet" in said(app)
    for kind in ("Conv, BatchNorm, ReLU", "GlobalAvgPool", "Flatten"):
        app.selectbox(key="op-add").set_value(kind).run()
        assert not app.exception
    assert shown(app).ops == (Conv(8, 3, bias=False), BatchNorm(), ReLU(), GlobalAvgPool(), Flatten())
    remedy = next(button for button in app.button if str(button.key).startswith("remedy"))
    remedy.click().run()
    assert shown(app).ops[-1] == Linear(10)
    classifier(shown(app))


def test_a_changed_design_is_not_called_by_the_steps_name() -> None:
    app = click(opened(DESIGN, **{"from": "a2-final-7758"}), "op-duplicate")
    assert shown(app).name == "A2 final, changed"
    click(app, "op-duplicate")
    assert shown(app).name == "A2 final, changed"


def test_what_changed_is_told_op_by_op_with_its_difference() -> None:
    changed = with_field(A2, 0, "out_channels", 12)
    app = opened(DESIGN, view="What changed", design=to_code(changed), **{"from": "a2-final-7758"})
    rows = app.dataframe[0].value.to_dict("records")
    assert rows[0]["what"] == "changed"
    assert (rows[0]["before"], rows[0]["now"]) == (
        "Conv(10, 3, bias=False)",
        "Conv(12, 3, bias=False)",
    )
    assert rows[0]["parameters"] == 18  # two more kernels of 3 x 3
    assert f"→ {trace(changed).parameters:,}" in said(app)


def test_the_link_of_the_step_opens_the_designer_with_its_knobs() -> None:
    app = opened("pages/learn/step.py", step="c6-steplr-7416", width="1.5")
    link = next(each for each in app.get("page_link") if "Design" in each.proto.label)
    query = dict(part.split("=", 1) for part in link.proto.query_string.split("&"))
    assert query["from"] == "c6-steplr-7416"
    assert trace(from_code(query["design"])).parameters > 10_000


def test_train_takes_a_design_with_the_recipe_of_the_step_it_came_from() -> None:
    design = remove(A2, 2)
    app = opened("pages/experiment/train.py", design=to_code(design), **{"from": "a2-final-7758"})
    assert not app.exception
    assert app.selectbox(key="step_picker").options[0] == f"Your design · {design.name}"
    assert metric(app, "Parameters") == f"{trace(design).parameters:,}"
    app.number_input(key="recipe--epochs").set_value(1)
    next(button for button in app.button if button.label == "Start training").click().run()
    assert not app.exception
    run = RunStore(lab_home()).get(app.query_params["run"])
    RunStore(lab_home()).request_stop(run.id)
    assert (run.slug, run.architecture, run.epochs) == ("", design, 1)
    assert run.recipe.learning_rate == by_slug("a2-final-7758").recipe.learning_rate
    again = opened("pages/experiment/train.py", run=run.id)  # its link alone brings the design back
    assert from_code(again.query_params["design"]) == design


def test_a_step_can_be_picked_on_train_and_the_design_again() -> None:
    app = opened("pages/experiment/train.py", design=to_code(remove(A2, 2)))
    app.selectbox(key="step_picker").set_value("c6-steplr-7416").run()
    assert metric(app, "Parameters") == "7,416"
    app.selectbox(key="step_picker").set_value("").run()
    assert "step" not in app.query_params
    assert metric(app, "Parameters") == f"{trace(remove(A2, 2)).parameters:,}"


@pytest.mark.parametrize("page", [DESIGN, "pages/experiment/train.py"])
@pytest.mark.parametrize("code", ["", "x", "<script>", "A" * 40_000, to_code(A2)[:-7]])
def test_a_design_that_cannot_be_read_is_one_sentence_and_the_page_goes_on(page: str, code: str) -> None:
    app = opened(page, design=code)
    assert not app.exception
    assert len(app.error) == (1 if code else 0)
    assert metric(app, "Parameters") == "7,758"


def test_a_start_that_is_gone_is_one_sentence() -> None:
    for start in ("z9-gone", "saved:nobody", "saved:../../secrets"):
        app = opened(DESIGN, **{"from": start})
        assert not app.exception
        assert len(app.error) == 1
        assert metric(app, "Parameters") == "7,758"


def test_a_design_is_saved_under_its_name_found_again_and_deleted() -> None:
    app = click(opened(DESIGN, **{"from": "a2-final-7758"}), "op-duplicate")
    app.text_input(key="design-name").set_value("Mine, the second").run()
    click(app, "design-save")
    assert designs.saved_names() == ["Mine, the second"]
    assert designs.saved_design("Mine, the second") == shown(app)
    other = opened(DESIGN, **{"from": "saved:Mine, the second"})
    assert not other.error
    assert metric(other, "Parameters") == "8,498"
    assert other.button(key="design-delete").disabled, "another browser's"
    third = opened(DESIGN, **{"from": "a2-final-7758"})
    third.text_input(key="design-name").set_value("Mine, the second").run()
    click(third, "design-save")
    assert "somebody else's" in third.error[0].value
    assert designs.saved_design("Mine, the second") == shown(app)
    click(app, "design-delete")
    assert designs.saved_names() == []
    assert metric(app, "Parameters") == "8,498"  # what is on the page stays


def test_two_tabs_that_save_under_one_name_are_asked_and_neither_design_is_lost() -> None:
    first, second = (opened(DESIGN, **{"from": "a2-final-7758"}) for _ in range(2))
    key = Person("ada")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.experiment.design.saving.me", lambda: key)  # AppTest has no cookies
        patch.setattr("lab.experiment.design.editor.me", lambda: key)
        for app, times in ((first, 1), (second, 2)):
            app.text_input(key="design-name").set_value("Mine").run()
            for _ in range(times):
                click(app, "op-duplicate")
        click(first, "design-save")
        one, two = shown(first), shown(second)
        click(second, "design-save")
        assert designs.saved_design("Mine") == one
        (told,) = [each.value for each in second.warning if "has changed since this page showed it" in each.value]
        assert f"with {len(one.ops)} ops; yours has {len(two.ops)} and is not saved yet" in told
        click(second, "design-beside")
        assert shown(second) == designs.saved_design("Mine 2") == replace(two, name="Mine 2")
        assert designs.saved_design("Mine") == one
        second.text_input(key="design-name").set_value("Mine").run()
        click(second, "design-save")
        click(second, "design-theirs")
        assert shown(second) == one
        click(second, "undo")
        assert shown(second) == two, "its own is still there"
        click(second, "design-save")  # knowing the other now
        assert designs.saved_design("Mine") == two
        click(first, "design-delete")
        assert "it is not deleted" in first.error[0].value
        assert designs.saved_design("Mine") == two


def test_the_teacher_may_change_and_delete_any_design_and_it_stays_its_owners(home: Path) -> None:
    designs.save_design(A2, Person("anna"))
    assert designs.owner_of(A2.name) == "anna"
    for act in (lambda: designs.save_design(A2, Person("ben")), lambda: designs.delete_design(A2.name, Person("ben"))):
        with pytest.raises(ClassError, match="is somebody else's"):
            act()
    designs.save_design(A2, Person("teacher", teacher=True))
    assert designs.owner_of(A2.name) == "anna"
    designs.delete_design(A2.name, Person("teacher", teacher=True))
    assert list((home / "designs").iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\\b", "x" * 61, "nul\x00", "dot.", "a\nb", "c:d"])
def test_no_name_leads_out_of_the_folder(name: str, home: Path) -> None:
    for act in (designs.saved_design, designs.delete_design, lambda n: designs.save_design(Architecture(n, A2.ops))):
        with pytest.raises(SpecError, match="is no name for a file"):
            act(name)
    assert not (home / "designs").exists()


def test_so_many_designs_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(designs, "MAX_DESIGNS", 2)
    for name in ("one", "two"):
        designs.save_design(Architecture(name, A2.ops))
    with pytest.raises(SpecError, match="delete one first"):
        designs.save_design(Architecture("three", A2.ops))
    designs.save_design(Architecture("two", (ReLU(),)), seen=Architecture("two", A2.ops))  # in place of what was there


def test_a_saved_file_that_is_damaged_is_one_sentence(home: Path) -> None:
    (home / "designs").mkdir()
    for name, content in (("cut", b'{"name": "x"'), ("bytes", b"\xff\xfe\x00"), ("long", b" " * 100_000)):
        (home / "designs" / f"{name}.json").write_bytes(content)
        with pytest.raises(SpecError):
            designs.saved_design(name)
        assert len(opened(DESIGN, **{"from": f"saved:{name}"}).error) == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(home: Path) -> None:
    (home / "designs").write_text("a file is in the way")
    with pytest.raises(LabError, match="could not be saved"):
        designs.save_design(A2)


def test_a_json_file_is_opened_and_one_that_is_none_is_one_sentence() -> None:
    app = opened(DESIGN, **{"from": "empty"})
    given_file = architecture_to_json(by_slug("c6-steplr-7416").architecture).encode()
    app.file_uploader(key="design-upload").upload("mine.json", given_file, "application/json").run()
    assert not app.exception
    assert shown(app).ops == by_slug("c6-steplr-7416").architecture.ops
    app.file_uploader(key="design-upload").upload("mine.json", b"\xff{", "application/json").run()
    assert len(app.error) == 1
    assert "is not JSON" in app.error[0].value
    assert shown(app).ops == by_slug("c6-steplr-7416").architecture.ops


@given(architectures())
def test_the_json_to_take_along_is_read_back_and_has_a_line_for_each_op(architecture: Architecture) -> None:
    text = json_lines(architecture)
    assert json.loads(text) == json.loads(architecture_to_json(architecture))
    assert sum(line.startswith('  {"op"') for line in text.splitlines()) == len(architecture.ops)
    assert sum(line.lstrip().startswith('{"op"') for line in text.splitlines()) == len(list(every_op(architecture.ops)))


def test_back_in_the_browser_is_undo() -> None:
    app = click(opened(DESIGN, **{"from": "a2-final-7758"}), "op-duplicate")
    first = app.query_params["design"]
    click(app, "op-duplicate")
    app.query_params["design"] = first
    app.run()
    assert app.button(key="redo").proto.disabled is False
    click(app, "redo")
    assert len(shown(app).ops) == len(A2.ops) + 2


def test_the_design_is_still_at_hand_after_a_visit_elsewhere() -> None:
    app = click(opened(DESIGN, **{"from": "a2-final-7758"}), "op-remove")
    app.switch_page("pages/learn/ladder.py").run()
    app.switch_page(DESIGN).run()
    assert metric(app, "Parameters") == f"{trace(remove(A2, 0)).parameters:,}"


# -------------------------------------------------------------------------------------------------- the list's messages

CODE = "the design"
BODIES = Architecture("b", (Conv(8, 3), Residual((Conv(8, 3, padding=1), ReLU())), Repeat((ReLU(),), 3), ReLU()))


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ({"act": "select", "op": [-1]}, Asked("select", (-1,), (-1,))),
        ({"act": "select", "op": [1, 1, -1]}, Asked("select", (1, 1, -1), (1, 1, -1))),
        ({"act": "select", "op": [1, 0, 1], "last": [0]}, Asked("select", (0,), (1,))),
        ({"act": "select", "op": [1, 0, 1], "last": [1, 0, 0]}, Asked("select", (1, 0, 0), (1, 0, 1))),
        ({"act": "remove", "op": [3]}, Asked("remove", (3,), (3,))),
        ({"act": "duplicate", "op": [1, 0, 0], "last": [1, 0, 1]}, Asked("duplicate", (1, 0, 0), (1, 0, 1))),
        ({"act": "move", "op": [3], "to": [0]}, Asked("move", (3,), (3,), (0,))),
        ({"act": "move", "op": [0], "to": [1, 1, 0]}, Asked("move", (0,), (0,), (1, 1, 0))),
        ({"act": "move", "op": [2], "last": [3], "to": [1, 0, 2]}, Asked("move", (2,), (3,), (1, 0, 2))),
        ({"act": "in", "op": [3]}, Asked("in", (3,), (3,))),
        ({"act": "add", "op": [-1], "kind": "Conv"}, Asked("add", (-1,), (-1,), kind="Conv")),
        ({"act": "add", "op": [1, 1, -1], "kind": "Conv"}, Asked("add", (1, 1, -1), (1, 1, -1), kind="Conv")),
        ({"act": "group", "op": [0], "last": [2], "kind": "Repeat"}, Asked("group", (0,), (2,), kind="Repeat")),
        ({"act": "ungroup", "op": [1]}, Asked("ungroup", (1,), (1,))),
        ({"act": "remove", "op": [-1]}, None),
        ({"act": "remove", "op": [4]}, None),
        ({"act": "remove", "op": [True]}, None),
        ({"act": "remove", "op": 1}, None),
        ({"act": "remove", "op": [1, 0]}, None),
        ({"act": "remove", "op": [1, 1, -1]}, None),
        ({"act": "remove", "op": [3], "last": [0]}, None),
        ({"act": "remove", "op": [0], "last": [1, 0, 0]}, None),
        ({"act": "remove", "op": [0] * 100_000}, None),
        ({"act": "remove", "op": [10**400]}, None),
        ({"act": "move", "op": [1], "to": [5]}, None),
        ({"act": "move", "op": [1], "to": ["0"]}, None),
        ({"act": "move", "op": [1], "to": [1, 0, 0]}, None),  # into its own body
        ({"act": "move", "op": [0], "last": [2], "to": [1, 1, 0]}, None),
        ({"act": "group", "op": [0], "kind": "Conv"}, None),
        ({"act": "add", "op": [1], "kind": "__init__"}, None),
        ({"act": "explode", "op": [1]}, None),
        ({"act": ["remove"], "op": [1]}, None),
        ({}, None),
    ],
)
def test_the_list_is_done_as_it_asks_where_that_can_be(message: dict[str, object], asked: Asked | None) -> None:
    assert asked_for({"code": CODE, **message}, CODE, BODIES) == asked  # type: ignore[dict-item]


def test_a_message_about_an_older_design_is_dropped() -> None:
    assert asked_for({"code": "before", "act": "remove", "op": [1]}, CODE, BODIES) is None
    assert asked_for(None, CODE, BODIES) is None


@given(architectures(), st.data())
def test_the_list_has_a_row_for_each_op_and_each_start_and_every_gap_can_be_dropped_into(
    architecture: Architecture, data: st.DataObject
) -> None:
    places = places_in(architecture)
    starts = [place for place in places if place[-1] < 0]
    inner = list(every_op(architecture.ops))
    assert len(places) == len(set(places)) == 1 + len(inner) + sum(len(bodies(op)) for op in inner)
    assert len(starts) == 1 + sum(len(bodies(op)) for op in inner)
    gaps = [gap for place in places for gap in gaps_of(architecture, place)]
    homes = {place[:-1] for place in starts}
    assert set(gaps) == {(*home, number) for home in homes for number in range(len(ops_at(architecture, home)) + 1)}
    gap = data.draw(st.sampled_from(gaps))
    assert insert(architecture, gap, ReLU()) != architecture


def test_a_block_is_built_and_taken_apart_with_the_buttons_alone() -> None:
    app = opened(DESIGN, design=to_code(Architecture("b", (Conv(8, 3), BatchNorm(), ReLU()))))
    select(app, 1)
    app.get("menu_button")[0].click("Residual").run()
    assert shown(app).ops == (Conv(8, 3), Residual((BatchNorm(),)), ReLU())
    select(app, 2)
    click(app, "op-in")
    assert shown(app).ops == (Conv(8, 3), Residual((BatchNorm(), ReLU())))
    app.selectbox(key="op-select").set_value((1, 1, -1)).run()
    app.selectbox(key="op-add").set_value("Conv").run()
    assert shown(app).ops == (Conv(8, 3), Residual((BatchNorm(), ReLU()), (Conv(8, 1, bias=False),)))
    click(app, "op-up")
    assert shown(app).ops == (Conv(8, 3), Residual((BatchNorm(), ReLU(), Conv(8, 1, bias=False))))
    click(app, "op-out")
    assert shown(app).ops == (Conv(8, 3), Residual((BatchNorm(), ReLU())), Conv(8, 1, bias=False))
    select(app, 1)
    app.get("menu_button")[0].click("ungroup").run()
    assert shown(app).ops == (Conv(8, 3), BatchNorm(), ReLU(), Conv(8, 1, bias=False))
    assert not app.exception


@pytest.mark.parametrize("name", ["Residual block, half the size", "GhostBatchNorm"])
def test_an_op_and_a_block_of_the_menu_is_added_and_shows_its_fields(name: str) -> None:
    added = block(BODIES, (1,), name) if name in BLOCKS else (fresh(BODIES, (1,), OPS[name]),)
    app = select(opened(DESIGN, design=to_code(BODIES)), 0)
    app.selectbox(key="op-add").set_value(name).run()
    assert not app.exception
    assert shown(app).ops == insert(BODIES, 1, *added).ops
    labels = {each.label for kind in (app.number_input, app.toggle, app.selectbox) for each in kind}
    assert labels >= {field.name for field in fields(added[0]) if field.name not in ("body", "shortcut")}


def test_a_choice_and_a_tiny_number_are_edited_in_a_body() -> None:
    design = Architecture("g", (Residual((GELU(), BatchNorm())),))
    app = opened(DESIGN, design=to_code(design))
    app.selectbox(key="op-select").set_value((0, 0, 0)).run()
    app.selectbox(key="field-GELU-approximate").set_value("tanh").run()
    app.selectbox(key="op-select").set_value((0, 0, 1)).run()
    app.number_input(key="field-BatchNorm-eps").set_value(1e-9).run()
    assert not app.exception
    assert shown(app).ops == (Residual((GELU("tanh"), BatchNorm(eps=1e-9))),)


# ----------------------------------------------------------------------------------------------------------- the figure


@settings(max_examples=25)
@given(architectures(), st.data())
def test_the_boxes_stand_apart_in_their_lanes_and_to_scale(architecture: Architecture, data: st.DataObject) -> None:
    walked = trace(architecture)
    maps = feature_maps(walked)
    figure = design_figures.diagram(walked, data.draw(st.sampled_from(places_in(architecture))))
    fronts = [box for drawn in figure.data if drawn.showlegend for box in outlines(drawn.x, drawn.y)]
    assert [name for name, *_ in figure.data[-1].customdata] == [each.name for each in maps]
    sides = sorted(each.shape[1] if len(each.shape) == 3 else 1 for each in maps)
    assert sorted(round(high - low, 6) for _, _, low, high in fronts) == sides
    for one, other in combinations(fronts, 2):
        beside = one[1] < other[0] or other[1] < one[0]
        above = one[3] < other[2] or other[3] < one[2]
        assert beside or above
    low, high = figure.layout.yaxis.range
    left, right = figure.layout.xaxis.range
    assert all(left <= box[0] and box[1] <= right and low <= box[2] and box[3] <= high for box in fronts)


def test_what_is_in_a_body_is_drawn_between_the_two_ends_of_the_way_around_it() -> None:
    body = (Conv(8, 3, stride=2, padding=1), BatchNorm(), Conv(8, 3, padding=1))
    design = Architecture(
        "r", (Conv(4, 3), Residual(body, (Conv(8, 1, stride=2),)), Repeat((Conv(8, 3, padding=1),), 4))
    )
    drawn = drawing(trace(design))
    (path,), (frame,) = drawn.paths, drawn.frames
    where = {box.map.place: box for box in drawn.boxes}
    assert path.sign == "+"
    for place in ((1, 0, 0), (1, 0, 2), (1, 1, 0)):
        assert path.start < where[place].left < where[place].left + where[place].wide < path.end
    assert where[(0,)].left < path.start
    assert where[(1, 1, 0)].middle == path.top > where[(1, 0, 0)].middle == 0
    assert frame.times == 4
    assert path.end < frame.left < where[(2, 0, 0)].left < frame.right


def outlines(x: tuple[float | None, ...], y: tuple[float | None, ...]) -> list[tuple[float, float, float, float]]:
    """Left, right, bottom and top of each outline."""
    found, start = [], 0
    for end, value in enumerate(x):
        if value is None:
            across = [each for each in x[start:end] if each is not None]
            up = [each for each in y[start:end] if each is not None]
            found.append((min(across), max(across), min(up), max(up)))
            start = end + 1
    return found


def test_a_bomb_in_the_link_is_refused_on_the_page() -> None:
    bomb = urlsafe_b64encode(zlib.compress(b" " * 5_000_000, 9)).decode().rstrip("=")
    app = opened(DESIGN, design=bomb)
    assert "unpacks to more than" in app.error[0].value


def test_the_onnx_file_is_made_when_it_is_asked_for() -> None:
    import onnxruntime

    from lab.ui.export_menu import _content, of_network

    content = _content("onnx", of_network(A2, by_slug("a2-final-7758").recipe).leaving)
    assert onnxruntime.InferenceSession(io.BytesIO(content).read()).get_inputs()[0].shape == ["N", 1, 28, 28]


# --------------------------------------------------------------------------------------------------------- in a browser


@pytest.mark.own_data
def test_rows_are_dragged_into_a_body_and_out_and_the_keyboard_alone_builds_a_block(
    home: Path, browser_path: Path
) -> None:
    conv, body = Conv(8, 3, bias=False), (Conv(8, 3, padding=1),)
    design = Architecture("keys", (conv, BatchNorm(), ReLU(), Residual(body), GlobalAvgPool()))
    with serving(home) as server, browsing(browser_path) as page:
        page.goto(f"{server.address}/design?design={to_code(design)}")
        row(page, (3, 1, -1)).wait_for()
        settled(page)

        def is_now(*ops: Op) -> None:
            code = to_code(replace(design, ops=(*ops, GlobalAvgPool())))
            page.wait_for_url(lambda address: f"design={code}" in address)
            settled(page)

        first = to_code(replace(design, ops=(conv, ReLU(), Residual((*body, BatchNorm())), GlobalAvgPool())))

        def is_dragged() -> bool:  # once more where the rows were too new to listen, or the page still grew
            drag(page, (1,), (3, 0, 0), 150)
            with suppress(TimeoutError):
                page.wait_for_url(lambda address: f"design={first}" in address, timeout=milliseconds(10))
                return True
            return False

        wait(is_dragged, "the first row was dragged into the body")
        settled(page)
        drag(page, (2, 0, 1), (2, 1, -1), 150)  # to the right: into the empty shortcut
        is_now(conv, ReLU(), Residual(body, (BatchNorm(),)))
        drag(page, (2, 1, 0), (2, 1, 0), 45)  # to the left: out, though it stays where it is
        is_now(conv, ReLU(), Residual(body), BatchNorm())

        page.locator(".rows").focus()
        for keys, ops in (
            (("Home", "ArrowDown", "Shift+ArrowDown", "+"), (Residual((conv, ReLU())), Residual(body), BatchNorm())),
            (("Alt+ArrowDown",), (Residual(body), Residual((conv, ReLU())), BatchNorm())),
            (("Alt+ArrowRight",), (Residual((*body, Residual((conv, ReLU())))), BatchNorm())),
            (("u",), (Residual((*body, conv, ReLU())), BatchNorm())),
            (("Alt+ArrowLeft",), (Residual(body), conv, ReLU(), BatchNorm())),
            (("*",), (Residual(body), Repeat((conv, ReLU())), BatchNorm())),
        ):
            for key in keys:
                page.keyboard.press(key)
            is_now(*ops)
        page.keyboard.press("Enter")
        page.keyboard.press("Control+a")
        page.keyboard.type("5")
        page.keyboard.press("Enter")
        is_now(Residual(body), Repeat((conv, ReLU()), 5), BatchNorm())


def row(page: Page, place: Place) -> Locator:
    return page.locator(f"[id='op-{'-'.join(map(str, place))}']")


def drag(page: Page, place: Place, onto: Place, x: float) -> None:
    """Drag a row to the lower half of another one, x pixels from its left."""
    start, end = row(page, place).bounding_box(), row(page, onto).bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + 120, start["y"] + start["height"] / 2)
    page.mouse.down()
    for part in (0.5, 0.8):
        page.mouse.move(end["x"] + x, end["y"] + part * end["height"], steps=3)
    page.mouse.up()
