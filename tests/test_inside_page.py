"""Look inside in AppTest: every view, against torch; drawings, epochs that a run kept, and stale links."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from core.analysis.inside import filters_of
from core.architecture.spec import Conv
from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.checkpoints.card import Card
from core.data.embedded_digits import embedded_digits
from core.data.mnist import EMBEDDED, EMBEDDED_TEST
from core.training.history import EpochRecord
from core.training.network import build
from core.training.recipe import Recipe
from lab.runs.training_job import SNAPSHOTS
from lab.studies import shelf
from lab.ui.predictions import FILM_CHANNELS, through_epochs
from lab.use.inside import figures as inside_figures
from lab.use.inside.snapshots import FOLDER, snapshots
from tests.test_learn_pages import metric, opened, said
from tests.tiny import TINY

PAGE = "pages/use/inside.py"
VIEWS = ("Feature maps", "One pixel", "Filters", "What counts", "Dead filters", "Over the epochs")
SEVEN = [(50, 42), (140, 42), (90, 160)]


@pytest.fixture
def tiny(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The reference of a run's last checkpoint; it kept the weights of each of its three epochs. MNIST is absent."""
    monkeypatch.setenv("LAB_DATA", "/nonexistent")
    for epoch in range(3):
        keep(home / "run" / SNAPSHOTS, f"epoch-{epoch:03}", epoch)
    keep(home / "run", "last", 2)
    return "run/last"


def keep(folder: Path, name: str, epoch: int) -> None:
    """The pair of an untrained network, another one for each epoch."""
    history = tuple(EpochRecord(n, 2.3, 0.1, None, None, 2.3, 0.1 + n / 10, 0.01, 1.0) for n in range(epoch + 1))
    card = Card(
        name="tiny", slug="", architecture=TINY, recipe=Recipe(), dataset=EMBEDDED, choice="last", epoch=epoch,
        history=history, parameters=classifier(TINY).parameters, normalisation_mean=0.1307,
        normalisation_sd=0.3081, train_images=1437, validation_images=0, test_images=360, device="cpu", versions={},
        seconds=1.0, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    checkpoint.save(folder, name, build(TINY, seed=epoch).state_dict(), card)


def given(index: int) -> torch.Tensor:
    """A digit of the embedded test split, as the network is given it."""
    digit = embedded_digits()[0][-EMBEDDED_TEST:][index]
    return (torch.tensor(digit)[None, None] / 255 - 0.1307) / 0.3081


def test_the_folder_that_is_read_is_the_one_that_runs_write() -> None:
    assert FOLDER == SNAPSHOTS


@pytest.mark.parametrize("show", VIEWS)
def test_every_view_of_a_test_digit_opens_by_its_link(tiny: str, show: str) -> None:
    app = opened(PAGE, checkpoint=tiny, show=show, image="17")
    assert not app.exception
    assert not app.error
    with torch.no_grad():
        read = build(TINY, seed=2).eval()(given(17)).softmax(1)[0]
    assert f"Read as **{int(read.argmax())}** with {float(read.max()):.0%}" in said(app)


@pytest.mark.parametrize("show", VIEWS)
@pytest.mark.parametrize("reference", ["a2-final-7758", "c2-skeleton-7272"])
def test_every_view_of_a_shipped_network_opens(reference: str, show: str) -> None:
    if reference not in [shelved.reference for shelved in shelf.shipped()]:
        pytest.skip(f"checkpoints/{reference} is not there")
    app = opened(PAGE, checkpoint=reference, show=show)
    assert not app.exception
    assert not app.error


def test_each_layer_is_shown_with_its_shape_field_and_range(tiny: str) -> None:
    words = said(opened(PAGE, checkpoint=tiny, image="3"))
    values = given(3)
    with torch.no_grad():
        for layer, module in zip(classifier(TINY).layers, build(TINY, seed=2).eval(), strict=True):
            values = module(values)
            if layer.name.startswith(("conv", "relu", "maxpool", "linear")):
                told = words.split(f"**{layer.name}**")[1].split("**")[0]
                assert f"field {layer.field.size}" in told
                assert f"{float(values.min()):.2f} to {float(values.max()):.2f}".replace("-", "−") in told


def test_a_pixel_is_worked_out_and_equals_what_torch_puts_out(tiny: str) -> None:
    app = opened(PAGE, checkpoint=tiny, show="One pixel", layer="conv2", channel="5", unit="1,0", image="4")
    with torch.no_grad():
        value = build(TINY, seed=2).eval()[:6](given(4))[0, 5, 1, 0].item()
    words = said(app)
    assert f"= **{value:.5f}**" in words
    assert f"puts out **{value:.5f}**" in words
    table = app.dataframe[0].value
    assert table[""].tolist() == [*(f"channel {n}" for n in range(4)), "bias", "together"]
    assert table["adds"].tolist()[-1] == pytest.approx(value, abs=1e-4)
    assert sum(table["adds"].tolist()[:-1]) == pytest.approx(value, abs=1e-4)


def test_black_and_white_are_told_as_the_networks_own_normalisation_has_them(tiny: str, home: Path) -> None:
    found = shelf.find(tiny)
    card = replace(found.card, normalisation_mean=0.25, normalisation_sd=0.5)
    checkpoint.save(home / "run", "last", build(TINY, seed=2).state_dict(), card)
    app = opened(PAGE, checkpoint=tiny, show="One pixel", layer="conv1", unit="5,5")
    assert not app.exception
    assert "black is −0.50, white 1.50" in said(app)


def test_channel_row_and_column_are_chosen_by_keyboard_and_kept_in_the_link(tiny: str) -> None:
    app = opened(PAGE, checkpoint=tiny, show="One pixel")
    app.selectbox(key="layer_picker").select("conv2").run()
    app.number_input(key="channel_picker").set_value(3).run()
    app.number_input(key="unit_row").set_value(2).run()
    app.number_input(key="unit_column").set_value(1).run()
    assert [app.query_params[name] for name in ("layer", "channel", "unit")] == ["conv2", "3", "2,1"]
    assert not app.error
    app.selectbox(key="layer_picker").select("conv1").run()
    assert "channel" not in app.query_params


def test_the_epochs_that_a_run_kept_are_opened_one_by_one(tiny: str) -> None:
    app = opened(PAGE, checkpoint=tiny, image="5", epochs="1")
    assert metric(app, "Test accuracy") == "10.00%"
    with torch.no_grad():
        read = build(TINY, seed=0).eval()(given(5)).softmax(1)[0]
    assert f"Read as **{int(read.argmax())}**" in said(app)
    app.select_slider(key="epochs_picker").set_value(2).run()
    assert app.query_params["epochs"] == "2"
    assert metric(app, "Test accuracy") == "20.00%"


def test_the_film_has_a_row_for_every_epoch_kept(tiny: str) -> None:
    app = opened(PAGE, checkpoint=tiny, show="Over the epochs", image="5")
    table = app.dataframe[0].value
    assert table["after"].tolist() == ["1 epoch", "2 epochs", "3 epochs"]
    with torch.no_grad():
        reads = [int(build(TINY, seed=epoch).eval()(given(5)).argmax()) for epoch in range(3)]
    assert table["reads"].tolist() == [str(read) for read in reads]


def test_the_film_keeps_no_more_channels_than_it_shows() -> None:
    shelved = shelf.find("a2-final-7758")
    network, card = checkpoint.load(shelved.stem)
    layers = classifier(card.architecture).layers
    wholes = {each.name: filters_of(network, each) for each in layers if isinstance(each.op, Conv)}
    assert max(map(len, wholes.values())) > FILM_CHANNELS
    for name, whole in wholes.items():
        maps, kernels, _ = through_epochs(((str(shelved.stem), card.weights_sha256),), bytes(784), name)
        count = min(len(whole), FILM_CHANNELS)
        assert maps.shape[:2] == (1, count)
        assert np.array_equal(kernels[0], whole[:count, 0])


def test_epochs_are_listed_in_order_and_those_that_cannot_be_read_with_the_reason(tiny: str, home: Path) -> None:
    (home / "run" / SNAPSHOTS / "epoch-001.safetensors").unlink()
    (found,) = [shelved for shelved in shelf.own() if shelved.reference == tiny]
    whole, damaged = snapshots(found)
    assert [each.card.epoch for each in whole] == [0, 2]
    reason = "its weights, epoch-001.safetensors, are missing"
    assert [(each.reference, each.reason) for each in damaged] == [("snapshots/epoch-001", reason)]
    app = opened(PAGE, checkpoint=tiny)
    assert not app.exception
    assert "1 epoch cannot be read" in [panel.label for panel in app.expander]
    assert reason in said(app)


def test_a_shipped_checkpoint_says_how_epochs_would_be_kept() -> None:
    app = opened(PAGE, show="Over the epochs")
    assert "Keep the weights of every epoch" in app.info[-1].value


def test_a_silenced_filter_is_listed_as_dead_with_n(tiny: str, home: Path) -> None:
    network = build(TINY, seed=2)
    weights = network.state_dict()
    weights["5.weight"][6] = 0
    weights["5.bias"][6] = -1
    (found,) = [shelved for shelved in shelf.own() if shelved.reference == tiny]
    checkpoint.save(home / "run", "last", weights, found.card)
    app = opened(PAGE, checkpoint=tiny, show="Dead filters")
    rows = app.dataframe[0].value.set_index("after")
    assert "6" in rows["dead"]["relu2"].split(", ")
    assert "first 360 test digits" in said(app)  # there are no 1,000 here


def drawn(app: AppTest, strokes: list[tuple[int, int]]) -> AppTest:
    canvas = Image.new("RGBA", (196, 196), "black")
    if strokes:
        ImageDraw.Draw(canvas).line(strokes, fill="white", width=14, joint="curve")
    file = io.BytesIO()
    canvas.save(file, "PNG")
    data = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    raw = {"objects": [{"type": "path"}] if strokes else []}
    app.session_state["inside_pad_0"] = {"drawing": {"raw": raw, "data": data}, "backgroundFit": None}
    return app.run()


def test_a_drawing_is_prepared_and_looked_into() -> None:
    app = opened(PAGE, **{"from": "Drawing", "checkpoint": "c6-steplr-7416"})
    assert "Draw a digit on the left" in said(app)
    drawn(app, SEVEN)
    assert not app.exception
    assert "Your drawing, prepared as MNIST was. Read as **7**" in said(app)
    next(button for button in app.button if button.label == "Clear").click().run()
    assert "Draw a digit on the left" in said(app)


def test_the_drawing_from_the_page_draw_is_taken_where_there_is_none_here() -> None:
    app = opened(PAGE, **{"from": "Drawing", "checkpoint": "c6-steplr-7416"})
    picture = Image.new("L", (280, 280))
    ImageDraw.Draw(picture).line([(70, 60), (200, 60), (130, 230)], fill=255, width=20)
    app.session_state["pad_picture"] = np.asarray(picture)
    app.run()
    assert "from the page Draw, prepared as MNIST was. Read as **7**" in said(app)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"checkpoint": "nowhere"}, "nowhere"),
        ({"image": "360"}, "0 to 359"),
        ({"image": "²"}, "0 to 359"),
        ({"epochs": "4"}, "1, 2, 3"),
        ({"show": "One pixel", "layer": "relu1"}, "conv1, conv2"),
        ({"show": "One pixel", "channel": "4"}, "0 to 3"),
        ({"show": "One pixel", "unit": "13,0"}, "0 to 12"),
    ],
)
def test_a_stale_link_is_one_sentence(tiny: str, parameters: dict[str, str], words: str) -> None:
    app = opened(PAGE, **{"checkpoint": tiny, **parameters})
    assert not app.exception
    assert len(app.error) == 1
    assert words in app.error[0].value


def test_weights_cut_short_are_one_sentence(tiny: str, home: Path) -> None:
    weights = home / "run" / "last.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    app = opened(PAGE, checkpoint=tiny)
    assert not app.exception
    assert "cut short" in app.error[0].value


def test_without_a_checkpoint_the_way_leads_to_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    app = opened(PAGE)
    assert not app.exception
    assert "no checkpoint yet" in said(app)


# --------------------------------------------------------------------------------------------------------- the pictures


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_a_sheet_has_each_value_as_a_square_of_its_colour() -> None:
    tiles = np.array([[[1.0, 0.0], [-1.0, 0.5]], [[0.0, 0.0], [0.0, -0.5]]])
    picture = pixels(inside_figures.sheet(tiles, 2, tile=32))
    assert picture.shape == (32, 66, 4)
    left = picture[8::16, 8:32:16, :3].astype(int)
    assert left[0, 1].tolist() == [0, 0, 0]  # zero is black
    assert left[0, 0].sum() > left[1, 1].sum() > 0  # the more, the brighter
    assert left[0, 0, 0] >= left[0, 0, 2]  # above zero: reddish
    assert left[1, 0, 2] > left[1, 0, 0]  # below: bluish
    assert (picture[:, 32:34, 3] == 0).all()  # between tiles: nothing


@pytest.mark.parametrize(("count", "per_row"), [(1, 1), (10, 10), (16, 8), (20, 10), (32, 8), (64, 10)])
def test_rows_of_tiles_are_about_as_long_as_one_another(count: int, per_row: int) -> None:
    assert inside_figures.in_rows(count) == per_row


def test_the_sheets_of_a_view_stay_far_below_300_kilobytes(mnist_raw: Path) -> None:
    from core.analysis.inside import feature_maps
    from core.data.mnist import load_split

    network, card = checkpoint.load(shelf.find("a2-final-7758").stem)
    digit = load_split("MNIST", "test").images[0]
    maps = feature_maps(network, card.architecture, digit, checkpoint.normalisation_of(card))
    sheets = [
        inside_figures.sheet(each, inside_figures.in_rows(len(each)))
        for each in maps.outputs.values()
        if each.ndim == 3
    ]
    assert sum(map(len, sheets)) < 200_000
