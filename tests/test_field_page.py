"""The receptive-field page in AppTest, against a gradient; and its explorer in a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from core.architecture.link import to_code
from core.architecture.receptive_field import extent
from core.architecture.spec import (
    Architecture,
    Concatenate,
    Conv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Linear,
    MaxPool,
    ReLU,
    Repeat,
    Residual,
)
from core.architecture.trace import classifier, trace
from core.ladder import catalogue
from lab.learn.field.network import VIEWS, near, viewed
from lab.ui.caches import sample_digit
from lab.ui.explorer import Place, margin, read_place
from tests.app_server import browsing, serving, settled
from tests.test_learn_pages import opened, said

PAGE = "pages/learn/field.py"
A2, A3 = "a2-final-7758", "a3-dilation-5340"
DESIGN = Architecture("a design *of mine*", (Conv(4, 5, stride=2, padding=2), MaxPool(2), GlobalAvgPool(), Linear(10)))


@pytest.mark.parametrize("view", VIEWS)
def test_a_network_that_moves_no_field_opens_in_every_view(view: str) -> None:
    app = opened(PAGE, design=to_code(Architecture("still", (ReLU(),))), show=view)
    assert not app.exception
    assert not app.error


def test_what_is_measured_on_digits_follows_the_data_that_came_meanwhile(
    mnist_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    before = sample_digit(7)
    share = metric_of_effect()
    monkeypatch.setenv("LAB_DATA", str(mnist_raw.parents[1]))
    assert not np.array_equal(sample_digit(7), before)
    assert metric_of_effect() != share


def metric_of_effect() -> list[object]:
    """The table of the effective field, as the page shows it now."""
    rows: list[object] = opened(PAGE, step=A2, show="Effective field", op="conv3").dataframe[0].value.values.tolist()
    return rows


def seen(architecture: Architecture, name: str, row: int, column: int) -> tuple[list[int], list[int]]:
    """First and last row and column that move that unit, by the gradient of the same windows with weights of one."""
    windows = []
    for layer in trace(architecture).layers:
        window = layer.window
        windows.append(torch.nn.Conv2d(1, 1, window.kernel_size, window.stride, window.padding, window.dilation))
        torch.nn.init.ones_(windows[-1].weight)
        if layer.name == name:
            break
    image = torch.ones(1, 1, 28, 28, requires_grad=True)
    torch.nn.Sequential(*windows)(image)[0, 0, row, column].backward()
    assert image.grad is not None
    rows, columns = (image.grad[0, 0].sum(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return [rows[0], rows[-1]], [columns[0], columns[-1]]


@pytest.mark.parametrize("show", VIEWS)
@pytest.mark.parametrize("step", [A2, "b1-setup-10970", "c3-batchnorm-7448"])
def test_every_view_of_a_step_opens_by_its_link(step: str, show: str) -> None:
    app = opened(PAGE, step=step, show=show, op="conv2")
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("unit", ["0,7", "7,0", "3,4"])
def test_a_units_square_is_where_its_gradient_is(unit: str) -> None:
    row, column = map(int, unit.split(","))
    rows, columns = seen(catalogue.by_slug(A2).architecture, "conv5", row, column)
    words = said(opened(PAGE, step=A2, op="conv5", unit=unit, show="Formulas"))
    assert f"Unit ({row}, {column}) of **conv5** sees 14 x 14 pixels" in words
    assert f"rows {rows[0]} to {rows[1]}, columns {columns[0]} to {columns[1]}" in words


def test_at_the_border_the_part_that_is_padding_is_named() -> None:
    (first, last), _ = seen(catalogue.by_slug(A3).architecture, "conv7", 0, 0)
    words = said(opened(PAGE, step=A3, op="conv7", unit="0,0", show="Formulas"))
    assert "rows -6 to 25" in words
    assert f"Only {last - first + 1} x {last - first + 1} of them reach it: padding" in words


@pytest.mark.parametrize("slug", [A2, A3, "c1-setup-6379786"])
def test_every_formula_of_the_table_comes_to_the_traced_number(slug: str) -> None:
    table = opened(PAGE, step=slug, show="Formulas").dataframe[0].value
    layers = {layer.name: layer for layer in classifier(catalogue.by_slug(slug).architecture).layers}
    assert len(table) > 5
    for row in table.to_dict("records"):
        layer = layers[row["layer"]]
        expected = {"field r": layer.field.size, "jump j": layer.field.jump, "start": layer.field.start}
        for column, value in expected.items():
            formula, result = row[column].split(" = ")
            assert eval(formula.replace("−", "-").replace("·", "*")) == float(result) == value


def test_the_effective_field_is_shown_untrained_and_trained_with_its_share(mnist_raw: Path) -> None:
    app = opened(PAGE, step=A2, show="Effective field", op="conv6")
    table = app.dataframe[0].value
    assert table[""].tolist() == ["untrained", "trained"]
    shares = [float(each.rstrip("%")) for each in table["inside half the side"]]
    assert all(40 < share < 70 for share in shares)
    assert table["if spread evenly"].tolist() == ["25.0%", "25.0%"]
    assert table["theoretical size"].tolist() == ["18 pixels"] * 2
    assert "first 100 test digits of MNIST" in said(app)


def test_the_wrong_tables_stand_beside_the_right_ones() -> None:
    app = opened(PAGE, step=A3, show="Wrong tables")
    table = app.table[0].value
    for claim in catalogue.by_slug(A3).field_claims:
        assert f"field {claim.size}" in table["the write-up"][claim.layer]
    assert table["right"]["globalavgpool1"].startswith("field 40")
    assert "number that is lost is the **jump**" in said(app)
    assert "B1" in opened(PAGE, step="b1-setup-10970", show="Wrong tables").info[0].value


@pytest.mark.parametrize("show", VIEWS)
def test_a_design_in_the_link_is_shown_as_it_is(show: str) -> None:
    app = opened(PAGE, design=to_code(DESIGN), show=show, op="maxpool1", unit="0,6")
    assert not app.exception
    assert not app.error
    assert "a design \\*of mine\\*" in said(app)
    assert any(each.value == f"{classifier(DESIGN).parameters:,}" for each in app.metric)


@pytest.mark.parametrize("show", ["Formulas", "Effective field"])
def test_a_network_with_bodies_has_a_stage_for_each_block_and_says_what_no_window_shows(show: str) -> None:
    body = (Conv(4, 3, padding=1), GroupNorm(2), Conv(4, 3, padding=1))
    ends = (GlobalAvgPool(), Flatten(), Linear(10))
    blocks = (Residual(body), Repeat((Conv(4, 3, padding=1), ReLU()), 3), Concatenate((Conv(2, 1),)))
    design = Architecture("bodies", (Conv(4, 3), *blocks, *ends))
    app = opened(PAGE, design=to_code(design), op="repeat1", show=show)
    assert not app.exception
    assert not app.error
    names = app.selectbox(key="field_layer").options
    assert names[:5] == ["the image", "conv1", "residual1", "repeat1", "concatenate1"]
    network = viewed(design, None)
    assert [stage.size for stage in network.stages[:5]] == [1, 3, 7, 13, 13]  # 3 + 2 x 2, then 3 x 2 more
    assert "the mean of the whole map" in network.stages[2].says
    assert "depends on the whole map a little, through the mean that residual1 takes" in said(app)
    if show == "Formulas":
        row = app.dataframe[0].value.set_index("layer").loc["repeat1"]
        assert (row["field r"], row["map"]) == ("7 + (7 − 1)·1·1 = 13", "26, as its body gives")


def test_a_unit_that_looks_at_padding_alone_sees_nothing() -> None:
    lost = to_code(Architecture("lost", (Conv(4, 3, padding=10), GlobalAvgPool(), Linear(10))))
    app = opened(PAGE, design=lost, op="conv1", unit="0,0", show="Formulas")
    assert not app.exception
    assert "Only 0 x 0 of them reach it" in said(app)


def test_a_design_of_other_images_has_its_field_but_no_effective_one() -> None:
    other = to_code(Architecture("large", (Conv(4, 3, stride=2), Flatten(), Linear(10)), (3, 40, 40)))
    assert not opened(PAGE, design=other).exception
    app = opened(PAGE, design=other, show="Effective field")
    assert "takes other images" in app.info[0].value


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"op": "conv99"}, "conv99"),
        ({"op": "relu1"}, "relu1"),
        ({"op": "conv7", "unit": "4,0"}, "0 to 3"),
        ({"op": "conv7", "unit": "²,0"}, "0 to 3"),
        ({"design": "%%"}, "cut short"),
        ({"design": to_code(Architecture("too small", (Conv(4, 30),)))}, "only 28 wide"),
        ({"digit": "12"}, "0, 1, 2"),
        ({"step": "nowhere"}, "nowhere"),
    ],
)
def test_a_stale_link_is_one_sentence(parameters: dict[str, str], words: str) -> None:
    app = opened(PAGE, **parameters)
    assert not app.exception
    assert len(app.error) == 1
    assert words in app.error[0].value.replace("\\", "")


def test_the_layer_and_the_unit_are_chosen_by_keyboard_and_kept_in_the_link() -> None:
    app = opened(PAGE, step=A2, op="maxpool1", unit="2,5")
    app.selectbox(key="field_layer").select("conv5").run()
    assert (app.query_params["op"], app.query_params["unit"]) == (
        "conv5",
        "1,4",
    )  # around the same pixels, 8.5 and 14.5
    app.number_input(key="unit_row").set_value(0).run()
    assert app.query_params["unit"] == "0,4"
    assert not app.error


def test_a_layer_that_another_step_lacks_is_no_error_after_choosing_that_step() -> None:
    app = opened(PAGE, step="c1-setup-6379786", op="maxpool2")
    assert not app.error
    app.selectbox(key="step_picker").select(A2).run()
    assert not app.error
    assert app.selectbox(key="field_layer").value == "maxpool1"


def test_the_walk_stays_around_the_same_pixel_from_layer_to_layer() -> None:
    network = viewed(catalogue.by_slug(A2).architecture, None)
    place = Place(1, 20, 3)
    first = network.stages[1]
    for stage in range(1, len(network.stages)):
        found, now = near(network, place, stage), network.stages[stage]
        for unit, pixel in ((found.row, first.start + 20), (found.column, first.start + 3)):
            distances = [abs(now.start + each * now.jump - pixel) for each in range(now.units)]
            assert distances[unit] == min(distances)


def test_the_frame_holds_every_square_so_that_nothing_moves() -> None:
    for step in catalogue.LADDER:
        network = viewed(step.architecture, step)
        room = margin(network.stages, 28)
        for layer in network.layers:
            for unit in (0, layer.output[-1] - 1 if len(layer.output) == 3 else 0):
                first, last = extent(layer.field, unit)
                assert -room <= first
                assert last <= 27 + room


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3,4", "0,28,0", "99,0,0", "-1,0,0", "1,x,0", "1,²,0", None, 7])
def test_what_the_browser_may_not_say_is_no_place(text: object) -> None:
    assert read_place(text, viewed(DESIGN, None).stages) is None


def test_the_explorer_is_played_clicked_and_driven_by_keys(browser_path: Path, home: Path) -> None:
    with serving(home) as server, browsing(browser_path) as page:
        page.goto(f"{server.address}/field?step={A2}&op=maxpool1&unit=5,5")
        settled(page)
        sees, units = page.locator(".explorer .sees"), page.locator(".explorer svg.map")
        expect(sees).to_contain_text("rows 10 to 19, columns 10 to 19")
        units.press("ArrowRight")
        expect(sees).to_contain_text("columns 12 to 21")
        page.wait_for_url("**unit=5%2C6**")
        box = units.bounding_box()
        assert box is not None
        units.click(
            position={"x": box["width"] * 0.01, "y": box["height"] * 0.99}
        )  # beyond the border: the corner unit
        expect(sees).to_contain_text("Unit (9, 0)")
        page.wait_for_url("**unit=9%2C0**")
        page.get_by_role("button", name="Play").click()
        expect(page.locator(".explorer .says")).to_contain_text("10 + (3 − 1) · 2 = 14")
        page.wait_for_url("**op=conv8**")
        page.get_by_role("slider", name="Op").press("Home")
        expect(page.locator(".explorer .says")).to_contain_text("the image")
        settled(page)


def test_an_unknown_view_falls_back_to_the_first() -> None:
    app: AppTest = opened(PAGE, show="Nonsense")
    assert not app.exception
