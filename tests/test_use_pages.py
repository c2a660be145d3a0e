"""Mistakes and Draw in AppTest: alone, by deep link, with what a stale link may carry, and with drawings put in."""

from __future__ import annotations

import base64
import csv
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from core.analysis.mistakes import ORDERS, confusion_matrix, mistakes
from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.checkpoints.card import Card
from core.data.disputed import DISPUTED
from core.data.drawn_digit import STAGES, centre
from core.data.embedded_digits import embedded_digits
from core.data.mnist import EMBEDDED, EMBEDDED_TEST, load_split
from core.training.history import EpochRecord
from core.training.network import build
from core.training.predictions import Predictions
from core.training.recipe import Recipe
from lab.classroom.handwriting import Handwriting
from lab.studies import shelf
from lab.ui import images
from lab.ui.predictions import one_thread
from lab.use.draw.ensemble import vote_told
from lab.use.mistakes import gallery
from lab.use.mistakes.figures import confusion
from tests.patience import patient
from tests.test_learn_pages import metric, opened, said
from tests.tiny import TINY

MISTAKES, DRAW = "pages/use/mistakes.py", "pages/use/draw.py"
ONE, SEVEN = [(150, 50), (140, 230)], [(70, 60), (200, 60), (130, 230)]


@pytest.fixture
def tiny(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The reference of an untrained network that claims to come from the embedded digits; MNIST is absent."""
    monkeypatch.setenv("LAB_DATA", "/nonexistent")
    save(home, "tiny", EMBEDDED)
    return "tiny"


def save(home: Path, reference: str, dataset: str, seed: int = 3, name: str = "") -> None:
    weights = build(TINY, seed).state_dict()
    record = EpochRecord(0, 2.3, 0.1, None, None, 2.3, 0.1, 0.01, 1.0)
    card = Card(
        name=name or reference, slug="", architecture=TINY, recipe=Recipe(), dataset=dataset, choice="last", epoch=0,
        history=(record,), parameters=classifier(TINY).parameters, normalisation_mean=0.1307,
        normalisation_sd=0.3081, train_images=1437, validation_images=0, test_images=360, device="cpu", versions={},
        seconds=1.0, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    checkpoint.save(home, reference, weights, card)


def answers() -> Predictions:
    """What the untrained network makes of the embedded test split, by plain torch."""
    images, labels = embedded_digits()
    given = torch.tensor(images[-EMBEDDED_TEST:]).unsqueeze(1) / 255
    with torch.no_grad():
        scores = build(TINY, seed=3).eval()((given - 0.1307) / 0.3081)
    return Predictions(scores.softmax(1).numpy(), labels[-EMBEDDED_TEST:].astype(np.int64))


def commonest(predictions: Predictions) -> tuple[int, int]:
    """The confusion cell with the most mistakes."""
    counts = confusion_matrix(predictions)
    np.fill_diagonal(counts, 0)
    true, predicted = np.unravel_index(counts.argmax(), counts.shape)
    return int(true), int(predicted)


def captions(app: AppTest) -> list[str]:
    """What stands under the digits of the gallery."""
    return [button.label for button in app.button if str(button.key).startswith("open-")]


def test_the_pages_explain_every_order_there_is() -> None:
    assert tuple(gallery.ORDERS) == ORDERS


def test_mistakes_counts_what_torch_counts(tiny: str) -> None:
    app = opened(MISTAKES, checkpoint=tiny)
    assert not app.exception
    assert not app.error
    wrong = int((answers().predicted != answers().labels).sum())
    assert f"{wrong} of 360 wrong" in said(app)
    assert "without augmentation" in said(app)
    assert len(captions(app)) == images.PER_PAGE


def test_the_gallery_begins_with_the_least_confident_mistake(tiny: str) -> None:
    predictions = answers()
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    first = wrong[predictions.confidence[wrong].argmin()]
    caption = captions(opened(MISTAKES, checkpoint=tiny))[0]
    assert f"{predictions.labels[first]} read as {predictions.predicted[first]}" in caption


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("split", ["test", "train"])
def test_every_order_of_both_splits_opens_by_its_link(tiny: str, order: str, split: str) -> None:
    app = opened(MISTAKES, checkpoint=tiny, order=order, split=split)
    assert not app.exception
    assert f"of {360 if split == 'test' else '1,437'} wrong" in said(app)
    assert captions(app)


def test_a_cell_in_the_link_filters_the_gallery(tiny: str) -> None:
    true, predicted = commonest(answers())
    app = opened(MISTAKES, checkpoint=tiny, true=str(true), predicted=str(predicted))
    assert captions(app)
    assert all(f"{true} read as {predicted}" in caption for caption in captions(app))
    assert f"{confusion_matrix(answers())[true, predicted]} of them" in said(app)


def test_all_mistakes_come_back_at_a_button(tiny: str) -> None:
    app = opened(MISTAKES, checkpoint=tiny, true="5", predicted="5")
    assert not captions(app)
    next(button for button in app.button if button.label == "Show all mistakes").click().run()
    assert len(captions(app)) == images.PER_PAGE


def test_the_matrix_prints_its_counts_and_lets_mistakes_be_clicked(tiny: str) -> None:
    app = opened(MISTAKES, checkpoint=tiny, show="matrix")
    assert not app.exception
    drawn = json.loads(app.get("plotly_chart")[0].proto.spec)
    counts = confusion_matrix(answers())
    texts = {(note["y"], note["x"]): note["text"] for note in drawn["layout"]["annotations"]}
    assert texts == {(row, column): f"{counts[row, column]:,}" for row, column in np.argwhere(counts)}
    clickable = confusion(counts, "black").data[1].customdata
    assert len(clickable) == (counts > 0).sum() - (np.diag(counts) > 0).sum()
    assert all(counts[true, predicted] and true != predicted for true, predicted in clickable)


def other_answers() -> Predictions:
    """What a second untrained network, of another seed, makes of the embedded test split, by plain torch."""
    images, labels = embedded_digits()
    given = torch.tensor(images[-EMBEDDED_TEST:]).unsqueeze(1) / 255
    with torch.no_grad():
        scores = build(TINY, seed=4).eval()((given - 0.1307) / 0.3081)
    return Predictions(scores.softmax(1).numpy(), labels[-EMBEDDED_TEST:].astype(np.int64))


def test_the_images_that_two_networks_disagree_on_are_counted_and_shown(tiny: str, home: Path) -> None:
    save(home, "second", EMBEDDED, seed=4)
    one, two = answers(), other_answers()
    right, then = one.predicted == one.labels, two.predicted == two.labels
    app = opened(MISTAKES, checkpoint=tiny, show="disagree", other="second")
    assert not app.exception
    assert not app.error
    counts = app.table[0].value.to_numpy().tolist()
    wanted = [[(right & then).sum(), (right & ~then).sum()], [(~right & then).sum(), (~right & ~then).sum()]]
    assert counts == [[f"{count:,}" for count in row] for row in wanted]
    assert f"{(right != then).sum():,} images classified correctly by only one of them" in said(app)
    differ = np.flatnonzero(one.predicted != two.predicted)
    shown = {int(str(button.key).removeprefix("open-")) for button in app.button if str(button.key).startswith("open-")}
    assert len(shown) == images.PER_PAGE
    assert shown <= set(differ.tolist())
    first = next(index for index in differ if one.confidence[index] == one.confidence[differ].min())
    assert f"{one.labels[first]}: {one.predicted[first]} " in captions(app)[0]
    assert f", {two.predicted[first]} " in captions(app)[0]
    assert "then what tiny and second read" in said(app)


@pytest.mark.parametrize("group", ["first", "second", "neither", "alike", "nonsense"])
def test_each_group_of_disagreement_opens_by_its_link(tiny: str, home: Path, group: str) -> None:
    save(home, "second", EMBEDDED, seed=4)
    one, two = answers(), other_answers()
    right, then = one.predicted == one.labels, two.predicted == two.labels
    same = one.predicted == two.predicted
    wanted = {
        "first": right & ~then, "second": ~right & then, "neither": ~right & ~then & ~same,
        "alike": ~right & ~then & same, "nonsense": ~same,
    }[group]  # fmt: skip
    app = opened(MISTAKES, checkpoint=tiny, show="disagree", other="second", group=group)
    assert not app.exception
    indices = [
        int(str(button.key).removeprefix("open-")) for button in app.button if str(button.key).startswith("open-")
    ]
    assert len(indices) == min(images.PER_PAGE, wanted.sum())
    assert wanted[indices].all()


def test_a_second_network_that_is_not_there_is_one_sentence_and_without_any_it_is_said(tiny: str, home: Path) -> None:
    save(home, "second", EMBEDDED, seed=4)
    app = opened(MISTAKES, checkpoint=tiny, show="disagree", other="nowhere")
    assert not app.exception
    assert ["'nowhere'" in each.value for each in app.error] == [True]
    assert app.table
    save(home, "clothes", "FashionMNIST")
    app = opened(MISTAKES, checkpoint="second", show="disagree", other="clothes")
    assert ["'clothes'" in each.value for each in app.error] == [True]  # its answers would be about clothes


def test_calibration_tells_the_error_that_a_loop_finds(tiny: str) -> None:
    predictions = answers()
    error = 0.0
    for low in range(15):
        held = (predictions.confidence > low / 15) & (predictions.confidence <= (low + 1) / 15)
        if held.any():
            right = (predictions.predicted == predictions.labels)[held]
            error += held.mean() * abs(predictions.confidence[held].mean() - right.mean())
    for shown in ("Chart", "Table"):
        app = opened(MISTAKES, checkpoint=tiny, show="calibration", calibration_as=shown)
        assert not app.exception
        assert f"Expected calibration error **{100 * error:.2f} points** (n 360" in said(app)
        assert bool(app.dataframe) == (shown == "Table")
    assert not opened(MISTAKES, checkpoint=tiny, show="calibration", bins="equal count").exception


def test_disputed_labels_are_marked_where_they_stand(mnist_raw: Path) -> None:
    if "c6-steplr-7416" not in [shelved.reference for shelved in shelf.shipped()]:
        pytest.skip("checkpoints/c6-steplr-7416 is not there")
    app = opened(MISTAKES, checkpoint="c6-steplr-7416", image="947")
    assert not app.exception
    words = said(app)
    assert "among the 15 images whose label people dispute" in words
    assert "The label is disputed: of five people 0 saw an 8, 5 a 9" in words
    marked = {button.key for button in app.button if images.MARK in button.label}
    assert marked
    assert marked <= {f"open-{each.index}" for each in DISPUTED}


def test_one_image_opens_by_its_link(tiny: str) -> None:
    index = int(mistakes(answers())[5])
    app = opened(MISTAKES, checkpoint=tiny, image=str(index))
    assert not app.exception
    assert f"Image {index:,} of {EMBEDDED}'s test split" in said(app)


def test_a_link_to_the_worst_mistake_opens_the_one_that_costs_most_and_names_it_in_the_url(tiny: str) -> None:
    predictions = answers()
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    worst = wrong[predictions.probabilities[wrong, predictions.labels[wrong]].argmin()]
    app = opened(MISTAKES, **images.worst_mistake(tiny))
    assert not app.exception
    assert f"Image {worst:,} of {EMBEDDED}'s test split" in said(app)
    assert app.query_params["image"] == [str(worst)] or app.query_params["image"] == str(worst)


def test_a_close_look_tells_what_another_network_reads(tiny: str, home: Path) -> None:
    save(home, "second", EMBEDDED, seed=4)
    index = int(mistakes(answers())[0])
    true, read = int(answers().labels[index]), int(other_answers().predicted[index])
    words = said(opened(MISTAKES, checkpoint=tiny, image=str(index)))
    assert f"{int(read == true)} of 1 other network" in words
    assert f"a **{read}**: second" in words


def test_a_click_on_a_digit_puts_it_into_the_link(tiny: str) -> None:
    app = opened(MISTAKES, checkpoint=tiny)
    button = next(button for button in app.button if str(button.key).startswith("open-"))
    button.click().run()
    assert app.query_params["image"] == str(button.key).removeprefix("open-")


def test_the_csv_holds_every_mistake_in_order(tiny: str) -> None:
    predictions = answers()
    order = mistakes(predictions, "most confident")
    view = images.InView(load_split(EMBEDDED, "test"), EMBEDDED, "test")
    rows = list(csv.DictReader(io.StringIO(gallery.as_csv(view, predictions, order))))
    assert list(rows[0]) == ["index", "true", "predicted", "confidence", "margin", "entropy", "disputed"]
    assert [int(row["index"]) for row in rows] == order.tolist()
    assert all(row["true"] != row["predicted"] for row in rows)
    confidences = [float(row["confidence"]) for row in rows]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] == pytest.approx(predictions.confidence[order[0]], abs=1e-6)
    assert any("CSV" in button.proto.label for button in opened(MISTAKES, checkpoint=tiny).get("download_button"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("checkpoint", "nowhere"), ("true", "12"), ("predicted", "x"), ("image", "360"), ("image", "-1"), ("image", "²")],
)
def test_a_stale_link_to_mistakes_is_one_sentence(tiny: str, name: str, value: str) -> None:
    app = opened(MISTAKES, **{"checkpoint": tiny, name: value})
    assert not app.exception
    assert len(app.error) == 1
    assert value in app.error[0].value


def test_an_mnist_network_is_evaluated_on_the_embedded_digits_where_mnist_is_not(tiny: str, home: Path) -> None:
    save(home, "from-mnist", "MNIST")
    words = said(opened(MISTAKES, checkpoint="from-mnist"))
    assert f"{EMBEDDED}, test split, used in place of MNIST" in words


def test_nothing_stands_in_for_fashion(tiny: str, home: Path) -> None:
    save(home, "clothes", "FashionMNIST")
    app = opened(MISTAKES, checkpoint="clothes")
    assert not app.exception
    assert "FashionMNIST" in app.error[0].value


def test_weights_cut_short_are_one_sentence(tiny: str, home: Path) -> None:
    weights = home / "tiny.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    for page in (MISTAKES, DRAW):
        app = opened(page, checkpoint=tiny, source="Test digit", digit="0")
        assert not app.exception
        assert len(app.error) == 1
        assert "cut short" in app.error[0].value


@pytest.mark.parametrize("page", [MISTAKES, DRAW])
def test_without_a_checkpoint_the_way_leads_to_train(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    app = opened(page)
    assert not app.exception
    assert "no checkpoint yet" in said(app)


def test_draw_opens_with_an_invitation(tiny: str) -> None:
    app = opened(DRAW, checkpoint=tiny)
    assert not app.exception
    assert not app.error
    assert [each.value for each in app.metric] == ["—"]


def test_draw_says_which_checkpoint_is_not_there_and_falls_back(tiny: str) -> None:
    app = opened(DRAW, checkpoint="nowhere")
    assert len(app.error) == 1
    assert "'nowhere'" in app.error[0].value
    assert app.metric


def test_a_test_digit_is_given_to_the_network_as_it_is(tiny: str) -> None:
    app = opened(DRAW, checkpoint=tiny, source="Test digit", digit="17")
    assert not app.exception
    predictions = answers()
    assert app.metric[0].value == str(predictions.predicted[17])
    assert f"a **{predictions.labels[17]}**" in said(app)


@pytest.mark.parametrize("digit", ["360", "-1", "x"])
def test_a_test_digit_that_is_not_there_is_one_sentence(tiny: str, digit: str) -> None:
    app = opened(DRAW, checkpoint=tiny, source="Test digit", digit=digit)
    assert not app.exception
    assert len(app.error) == 1
    assert "0 to 359" in app.error[0].value


@pytest.mark.parametrize(("name", "value"), [("split", "train"), ("order", "most confident")])
def test_a_click_in_the_matrix_opens_its_cell_and_leaves_what_else_was_chosen(tiny: str, name: str, value: str) -> None:
    app = opened(MISTAKES, checkpoint=tiny, show="matrix", **{name: value})
    chart = app.get("plotly_chart")[0].proto
    states = app._tree.get_widget_states()  # AppTest clicks in no chart
    point = {"customdata": [5, 3], "point_index": [5, 3]}
    clicked = {"selection": {"points": [point], "point_indices": [], "box": [], "lasso": []}}
    states.widgets.add(id=chart.id, string_value=json.dumps(clicked))
    app._run(states)
    assert not app.exception
    assert gallery.Cell(5, 3).words in said(app)
    assert app.query_params["checkpoint"] == tiny
    assert app.query_params[name] == value


def test_a_digit_in_the_link_that_is_none_is_said_and_never_marked_up(tiny: str) -> None:
    app = opened(MISTAKES, checkpoint=tiny, true="[here](http://example.org)" + "x" * 500)
    assert len(app.error) == 1
    assert "[" not in app.error[0].value.replace("\\[", "")
    assert "any, 0, 1, 2" in app.error[0].value
    assert len(app.error[0].value) < 200


def test_the_class_game_says_what_stands_in_for_mnist(tiny: str) -> None:
    app = opened("pages/use/read.py", checkpoint=tiny)
    assert not app.exception
    assert EMBEDDED in app.info[0].value


def drawn(app: AppTest, strokes: list[tuple[int, int]] | None, version: int = 0) -> AppTest:
    """The page after a drawing; None draws the outline of a 0."""
    canvas = Image.new("RGBA", (280, 280), "black")
    pen = ImageDraw.Draw(canvas)
    if strokes is None:
        pen.ellipse((80, 40, 200, 240), outline="white", width=20)
    elif strokes:
        pen.line(strokes, fill="white", width=20, joint="curve")
    file = io.BytesIO()
    canvas.save(file, "PNG")
    data = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    raw = {"objects": [{"type": "path"}] if strokes != [] else []}
    app.session_state[f"pad_{version}"] = {"drawing": {"raw": raw, "data": data}, "backgroundFit": None}
    return app.run()


def test_a_drawing_is_read_shown_at_each_stage_and_cleared(tiny: str) -> None:
    app = drawn(opened(DRAW, checkpoint=tiny), SEVEN)
    assert not app.exception
    assert app.metric[0].value in "0123456789"
    words = said(app)
    for stage in ("1. given, 280 × 280", "2. its ink", "3. scaled", "× 20", "4. centred, 28 × 28"):
        assert stage in words
    next(button for button in app.button if button.label == "Clear").click().run()
    assert app.metric[0].value == "—"


def test_a_drawing_survives_a_visit_to_another_page(tiny: str) -> None:
    app = drawn(opened(DRAW, checkpoint=tiny), SEVEN)
    read = app.metric[0].value
    app.switch_page(MISTAKES).run()
    assert app.title[0].value == "Mistakes"
    app.switch_page(DRAW)
    app.query_params["checkpoint"] = tiny
    assert app.run().metric[0].value == read


def test_a_networks_name_is_no_markup_above_its_answer(home: Path) -> None:
    save(home, "tiny", EMBEDDED, name="![x](http://e)")
    assert opened(DRAW, checkpoint="tiny").metric[0].label.startswith("!\\[x\\](http\\:\u2060//e), ")


def test_two_drawings_read_at_once_leave_torch_its_threads() -> None:
    usual, both = torch.get_num_threads(), threading.Barrier(2)
    torch.set_num_threads(3)

    def read(last: bool) -> None:
        with one_thread():
            both.wait()
            if last:
                first.join()

    first, second = (threading.Thread(target=read, args=(last,)) for last in (False, True))
    try:
        for thread in (first, second):
            thread.start()
        second.join()
        with ThreadPoolExecutor(1) as later:  # a thread that begins now is what a session's next run is
            assert later.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(usual)


def test_an_empty_canvas_is_an_invitation_and_no_error(tiny: str) -> None:
    app = drawn(opened(DRAW, checkpoint=tiny), [])
    assert not app.error
    assert app.metric[0].value == "—"


@pytest.mark.parametrize(("strokes", "digit"), [(ONE, "1"), (None, "0"), (SEVEN, "7")])
def test_a_shipped_network_reads_what_is_drawn(strokes: list[tuple[int, int]] | None, digit: str) -> None:
    shipped = [shelved.reference for shelved in shelf.shipped()]
    if "c6-steplr-7416" not in shipped:
        pytest.skip("checkpoints/c6-steplr-7416 is not there")
    app = drawn(opened(DRAW, checkpoint="c6-steplr-7416"), strokes)
    assert [each.value for each in app.metric] == [digit]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no picture at all", "not a picture"), ("huge", "50.0 megapixels"), ("blank", "blank")],
)
def test_a_picture_that_cannot_be_read_is_one_sentence(tiny: str, content: bytes | str, words: str) -> None:
    if isinstance(content, str):
        file = io.BytesIO()
        Image.new("1", (10_000, 5_000) if content == "huge" else (60, 60), 1).save(file, "PNG")
        content = file.getvalue()
    app = opened(DRAW, checkpoint=tiny, source="Picture")
    app.file_uploader[0].upload("digit.png", content, "image/png").run()
    assert not app.exception
    assert len(app.error) == 1
    assert words in app.error[0].value


def test_a_picture_of_ink_on_paper_is_read(tiny: str) -> None:
    picture = Image.new("L", (300, 200), 230)
    ImageDraw.Draw(picture).line([(120, 40), (180, 40), (140, 160)], fill=30, width=14)
    file = io.BytesIO()
    picture.save(file, "PNG")
    app = opened(DRAW, checkpoint=tiny, source="Picture")
    app.file_uploader[0].upload("seven.png", file.getvalue(), "image/png").run()
    assert not app.error
    assert metric(app, f"tiny, {classifier(TINY).parameters:,}") in "0123456789"
    assert "4. centred, 28 × 28" in said(app)


def test_a_stage_left_out_is_shown_and_given_to_the_networks(tiny: str) -> None:
    app = drawn(opened(DRAW, checkpoint=tiny, prepare="true"), SEVEN)
    assert not app.exception
    assert said(app).count("Without **") == len(STAGES)
    app = drawn(opened(DRAW, checkpoint=tiny, prepare="true", stage="Cut out the ink"), SEVEN)  # alone
    assert not app.exception
    assert "3. scaled, 14 × 18" in said(app)  # by a tenth, as the canvas is
    assert "3. scaled, 15 × 20" in said(drawn(opened(DRAW, checkpoint=tiny), SEVEN))


def test_what_is_closed_alters_nothing(tiny: str) -> None:
    plain = drawn(opened(DRAW, checkpoint=tiny), SEVEN).metric[0]
    closed = drawn(opened(DRAW, checkpoint=tiny, turn="90", noise="100"), SEVEN).metric[0]
    assert (closed.value, closed.delta) == (plain.value, plain.delta)
    turned = drawn(opened(DRAW, checkpoint=tiny, alter="true", turn="90", noise="100"), SEVEN)
    assert not turned.exception
    assert turned.metric[0].delta != plain.delta
    turned = next(button for button in turned.button if button.label == "Back to how it was").click().run()
    assert turned.metric[0].delta == plain.delta


def test_a_test_digit_can_be_altered_too(tiny: str) -> None:
    predictions = answers()
    app = opened(DRAW, checkpoint=tiny, source="Test digit", digit="17", alter="true", right="3")
    assert not app.exception
    images, _ = embedded_digits()
    moved = np.roll(images[-EMBEDDED_TEST:][17], 3, axis=1)
    with torch.no_grad():
        scores = build(TINY, seed=3).eval()((torch.tensor(moved.copy())[None, None] / 255 - 0.1307) / 0.3081)
    assert app.metric[0].value == str(int(scores.argmax()))
    assert predictions.predicted[17] is not None


@pytest.mark.parametrize(("name", "value"), [("turn", "x"), ("size", "99"), ("stage", "nothing"), ("noise", "-5")])
def test_a_stale_link_to_an_extra_leaves_the_digit_readable(tiny: str, name: str, value: str) -> None:
    app = drawn(opened(DRAW, checkpoint=tiny, alter="true", prepare="true", **{name: value}), SEVEN)
    assert not app.exception
    assert app.metric[0].value in "0123456789"


def test_several_networks_vote(tiny: str, home: Path) -> None:
    for seed in (4, 5):
        save(home, f"of-seed-{seed}", EMBEDDED, seed=seed)
    app = AppTest.from_file(str(Path(__file__).parents[1] / "streamlit_app.py"), default_timeout=patient(60))
    app.switch_page(DRAW)
    app.query_params["checkpoint"] = [tiny, "of-seed-4", "of-seed-5"]
    app = drawn(app.run(), SEVEN)
    assert not app.exception
    read = [each.value for each in app.metric]
    assert len(read) == 3
    most = max(map(read.count, read))
    if most == 1:
        assert "a tie between" in said(app)
    else:
        assert f"{most} of 3 read **{max(read, key=read.count)}**" in said(app)


def test_a_vote_is_the_majority_and_the_mean_probability() -> None:
    def sure(digit: int, share: float, other: int) -> np.ndarray:
        row = np.zeros(10, np.float32)
        row[digit], row[other] = share, 1 - share
        return row

    two_hesitate = [sure(7, 0.55, 1), sure(7, 0.55, 1), sure(1, 0.99, 7)]
    told = vote_told(two_hesitate)
    assert "2 of 3 read **7**" in told
    assert "mean probability: **1** with 63%, then 7 with 37%" in told
    assert "a tie between **1** and **7**" in vote_told(two_hesitate[1:])
    assert vote_told([]) == "**Vote.** —"


def test_a_drawing_is_kept_prepared_with_its_true_label_whatever_is_switched_off(tiny: str, home: Path) -> None:
    app = drawn(
        opened(
            DRAW, checkpoint=tiny, keep="true", prepare="true", stage="Soft edges", alter="true", turn="90", me="Ada"
        ),
        SEVEN,
    )
    app = next(button for button in app.button if button.key == "keep-7").click().run()
    assert not app.exception
    assert "Kept as number 1" in "".join(each.value for each in app.success)
    (kept,) = Handwriting(home).drawings()
    assert (kept.label, kept.nickname) == (7, "Ada")
    assert np.array_equal(centre(kept.digit), kept.digit)
    longer = max(np.ptp(np.flatnonzero(kept.digit.any(axis))) + 1 for axis in (0, 1))
    assert longer == 20
    app = next(button for button in app.button if button.key == "keep-7").click().run()
    assert "kept already, as number 1" in app.error[0].value
    assert Handwriting(home).count() == 1


def test_a_test_digit_cannot_be_kept_as_ours(tiny: str) -> None:
    app = opened(DRAW, checkpoint=tiny, source="Test digit", digit="0", keep="true")
    assert not app.exception
    assert "test digits are not ours" in said(app)
    assert not [button for button in app.button if str(button.key).startswith("keep-")]
