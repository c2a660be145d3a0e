"""Beyond the test set: distortions against the array itself, the shipped figures against the networks, and the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.analysis.distortion import accuracy, distorted, embedded_accuracy, homographies, subset
from core.analysis.proportion import standard_error
from core.analysis.robustness import (
    DISTORTIONS,
    IMAGES,
    NEUTRAL,
    Distortion,
    Robustness,
    is_current,
    read_robustness,
    write_robustness,
)
from core.checkpoints.checkpoint import load, normalisation_of
from core.data.embedded_digits import embedded_digits
from core.data.mnist import load_split
from core.data.vision import torchvision
from core.errors import CheckpointError
from core.training.evaluation import predict
from core.training.recipe import Augmentation, Jitter
from core.training.resident import examples
from lab.studies import robustness as robustness_table
from lab.studies import shelf
from lab.studies.robustness import measure_shipped, table
from lab.use.mistakes import robustness as robustness_view
from tests import tiny  # noqa: F401  (one thread)
from tests.test_learn_pages import opened, said
from tests.test_use_pages import save

oracle, BILINEAR = torchvision.transforms.functional, torchvision.transforms.InterpolationMode.BILINEAR
MISTAKES = "pages/use/mistakes.py"
SHIPPED = shelf.shipped()
REMEASURED = "c6-steplr-7416"


def digits(count: int = 50) -> torch.Tensor:
    """Real digits (count, 28, 28) whose rims, 3 pixels wide, are empty."""
    images, _ = embedded_digits()
    rims = np.ones((28, 28), bool)
    rims[3:-3, 3:-3] = False
    return torch.tensor(images[~images[:, rims].any(1)][:count])


def entry(name: str = "a", **changes: object) -> Robustness:
    """One that would be current for weights "ab"."""
    curves = {kind: tuple((each, 0.5) for each in amounts) for kind, amounts in DISTORTIONS.items()}
    given = Robustness(
        checkpoint=name, weights_sha256="ab", device="cpu", torch="2", images=IMAGES, embedded_accuracy=0.25,
        embedded_images=1797, **curves,
    )  # fmt: skip
    return replace(given, **changes)


# ---------------------------------------------------------------------------------------------------------- distortions


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_a_distortion_by_nothing_gives_the_same_bytes(kind: Distortion) -> None:
    for homography in homographies(kind, NEUTRAL[kind]):
        assert torch.equal(distorted(digits(), homography), digits())


def test_a_shift_by_whole_pixels_rolls_the_array_in_four_directions() -> None:
    array = digits().numpy()
    assert len(array) == 50
    for pixels in (1, 2, 3):
        right, left, down, up = (distorted(digits(), each).numpy() for each in homographies("shift", pixels))
        assert np.array_equal(right, np.roll(array, pixels, 2))
        assert np.array_equal(left, np.roll(array, -pixels, 2))
        assert np.array_equal(down, np.roll(array, pixels, 1))
        assert np.array_equal(up, np.roll(array, -pixels, 1))


def test_rotations_and_sizes_are_torchvisions() -> None:
    given = digits().unsqueeze(1).float()
    cases = [
        ("rotation", 22.5, -22.5, 1.0),
        ("rotation", -45, 45.0, 1.0),
        ("scale", 1.3, 0.0, 1.3),
        ("scale", 0.6, 0.0, 0.6),
    ]
    for kind, amount, clockwise, scale in cases:
        wanted = oracle.affine(given, clockwise, [0, 0], scale, [0.0], BILINEAR)
        (homography,) = homographies(kind, amount)
        assert (distorted(digits(), homography).float() - wanted.squeeze(1)).abs().max() <= 0.51


# -------------------------------------------------------------------------------------------------- the shipped figures


def test_each_shipped_checkpoint_has_a_current_entry() -> None:
    assert list(table()) == [shelved.reference for shelved in SHIPPED]
    assert [each.checkpoint for each in read_robustness(robustness_table.path())] == list(table())


@pytest.mark.parametrize("reference", [shelved.reference for shelved in SHIPPED])
def test_at_no_distortion_all_curves_agree(reference: str) -> None:
    found = table()[reference]
    assert len({dict(found.curve(kind))[NEUTRAL[kind]] for kind in DISTORTIONS}) == 1
    card = next(shelved.card for shelved in SHIPPED if shelved.reference == reference)
    undistorted = dict(found.shift)[0]
    error = standard_error(card.record.test_accuracy, IMAGES)
    assert undistorted == pytest.approx(card.record.test_accuracy, abs=4 * error)


def test_the_subset_undistorted_gives_its_plain_test_accuracy(mnist_raw: Path) -> None:
    network, card = load(next(shelved.stem for shelved in SHIPPED if shelved.reference == REMEASURED))
    test = load_split("MNIST", "test")
    every_fifth = np.arange(0, 10_000, 5)
    predictions = predict(network, examples(subset(test), torch.device("cpu")), normalisation_of(card))
    assert np.array_equal(predictions.labels, test.labels[every_fifth])
    assert len(predictions.labels) == IMAGES
    for kind in DISTORTIONS:
        stored = dict(table()[REMEASURED].curve(kind))[NEUTRAL[kind]]
        assert stored == pytest.approx(predictions.accuracy, abs=1.1 / IMAGES)  # one image: another CPU rounds a tie


def test_a_network_measured_again_gives_the_shipped_figures(mnist_raw: Path) -> None:
    network, card = load(next(shelved.stem for shelved in SHIPPED if shelved.reference == REMEASURED))
    stored, normalisation = table()[REMEASURED], normalisation_of(card)
    found, count = embedded_accuracy(network, normalisation)
    assert count == stored.embedded_images == 1797
    assert found == pytest.approx(stored.embedded_accuracy, abs=2.1 / count)
    given = examples(subset(load_split("MNIST", "test")), torch.device("cpu"))
    again = accuracy(network, normalisation, given, "rotation", 22.5)
    assert again == pytest.approx(dict(stored.rotation)[22.5], abs=2.1 / IMAGES)


def test_the_embedded_figure_is_plain_torchs() -> None:
    network, card = load(next(shelved.stem for shelved in SHIPPED if shelved.reference == REMEASURED))
    images, labels = embedded_digits()
    with torch.no_grad():
        scores = network((torch.tensor(images).unsqueeze(1) / 255 - card.normalisation_mean) / card.normalisation_sd)
    right = (scores.argmax(1).numpy() == labels).mean()
    assert table()[REMEASURED].embedded_accuracy == pytest.approx(right, abs=1.1 / 1797)


# ------------------------------------------------------------------------------------------------------------- the file


def test_entries_come_back_from_their_file_sorted(tmp_path: Path) -> None:
    path = tmp_path / "robustness.json"
    write_robustness([entry("b"), entry("a", embedded_accuracy=1 / 3)], path)
    assert read_robustness(path) == (entry("a", embedded_accuracy=0.33333), entry("b"))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_entries_of_other_weights_points_or_images_are_stale() -> None:
    assert is_current(entry(), "ab")
    assert not is_current(entry(), "cd")
    assert not is_current(entry(images=100), "ab")
    assert not is_current(entry(shift=entry().shift[1:]), "ab")


def test_stale_entries_and_those_not_shipped_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kept", "stale", "unmeasured"):
        save(tmp_path, name, "MNIST")
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    assert table() == {}
    sha256 = shelf.find("kept").card.weights_sha256
    kept = entry("kept", weights_sha256=sha256)
    write_robustness([kept, entry("stale"), entry("gone", weights_sha256=sha256)], robustness_table.path())
    assert table() == {"kept": kept}


def test_only_what_is_missing_or_stale_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mnist_raw: Path
) -> None:
    for name in ("kept", "stale"):
        save(tmp_path, name, "MNIST")
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    kept = entry("kept", weights_sha256=shelf.find("kept").card.weights_sha256)
    write_robustness([kept, entry("stale"), entry("gone")], robustness_table.path())
    told: list[str] = []
    measure_shipped(told.append)
    assert [line.split(":")[0] for line in told] == ["stale"]
    found = table()
    assert list(found) == ["kept", "stale"]
    assert found["kept"] == kept
    assert found["stale"].images == IMAGES
    before = robustness_table.path().read_bytes()
    measure_shipped(told.append)
    assert "already" in told[-1]
    assert robustness_table.path().read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: text.replace('"version": 1', '"version": 7'),
        lambda text: text.replace('"checkpoints"', '"networks"'),
        lambda text: text.replace("0.25", "1.25"),
        lambda text: text.replace("0.25", "NaN"),
        lambda text: text.replace("[1.0, 0.5]", "[1]"),
        lambda text: text.replace("[1.0, 0.5]", "[-1, 0.5]"),
        lambda text: text.replace("[1.0, 0.5]", "[1, true]"),
        lambda text: text.replace('"ab"', "17"),
        lambda text: text.replace('"images"', '"pictures"'),
        lambda text: "[" * 100_000,
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(damage: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "robustness.json"
    write_robustness([entry()], path)
    text = path.read_text(encoding="utf-8")
    assert damage(text) != text
    path.write_text(damage(text), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"robustness\.json"):
        read_robustness(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.json"):
        read_robustness(tmp_path / "nothing.json")


# ------------------------------------------------------------------------------------------------------------- the page


def test_the_page_shows_what_lies_beyond_the_test_set_below_the_mistakes() -> None:
    app = opened(MISTAKES, checkpoint=REMEASURED, beyond="true")
    assert not app.exception
    assert not app.error
    found = table()[REMEASURED]
    assert f"It classifies **{found.embedded_accuracy:.2%}** of the 1,797 embedded digits correctly" in said(app)
    (chart,) = app.get("plotly_chart")
    drawn = json.loads(chart.proto.spec)["data"]
    thick = [trace for trace in drawn if trace["line"]["width"] == 3]
    assert len(thick) == 3
    assert len(drawn) == 3 * len(SHIPPED)
    in_order = list(app.main)
    last_mistake = max(
        place for place, each in enumerate(in_order) if str(getattr(each, "key", "")).startswith("open-")
    )
    assert next(place for place, each in enumerate(in_order) if each.type == "expander") > last_mistake


def test_the_table_has_every_figure_of_every_shipped_network() -> None:
    app = opened(MISTAKES, checkpoint=REMEASURED, beyond="true")
    app.segmented_control(key="beyond_view").set_value("Table").run()
    assert not app.exception
    shown = app.dataframe[0].value
    assert shown.shape == (2 + sum(map(len, DISTORTIONS.values())), len(SHIPPED))
    assert shown.columns[0] == "C6"
    found = table()[REMEASURED]
    assert shown.loc["embedded digits", "C6"] == pytest.approx(100 * found.embedded_accuracy, abs=0.005)
    assert shown.loc["rotation +22.5°", "C6"] == pytest.approx(100 * dict(found.rotation)[22.5], abs=0.005)


def test_nothing_is_computed_or_shown_while_it_is_closed() -> None:
    app = opened(MISTAKES, checkpoint=REMEASURED)
    assert not app.exception
    assert not app.get("plotly_chart")
    assert any(each.label == "Beyond the test set" for each in app.expander)


def test_ones_own_network_has_no_such_part(home: Path) -> None:
    save(home, "own", "embedded digits")
    app = opened(MISTAKES, checkpoint="own", beyond="true")
    assert not app.exception
    assert not app.expander


@pytest.mark.parametrize(("content", "words"), [(None, "not measured"), ("{", "robustness.json")])
def test_without_figures_the_page_says_so_in_one_sentence(
    content: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "robustness.json"
    monkeypatch.setenv("LAB_HOME", str(tmp_path))  # of another folder not even the name would be shown
    if content is not None:
        path.write_text(content, encoding="utf-8")
    monkeypatch.setattr(robustness_table, "path", lambda: path)
    app = opened(MISTAKES, checkpoint=REMEASURED, beyond="true")
    assert not app.exception
    assert words in said(app).replace("\\", "")
    assert len(app.error) == (content is not None)


def test_the_shade_is_what_training_did() -> None:
    done = Augmentation(rotation=Jitter(7), translation=Jitter(0.125, 0.5), scale=Jitter(0.1, 0))
    assert robustness_view.seen_in_training(done) == {"shift": (0, 3.5), "rotation": (-7, 7)}
    figure = robustness_view.curves(entry(), [entry("b")], {}, robustness_view.seen_in_training(done))
    assert [(shape.x0, shape.x1, shape.xref) for shape in figure.layout.shapes] == [(0, 3.5, "x"), (-7, 7, "x2")]


def test_each_distortion_goes_in_even_steps_and_through_none() -> None:
    assert DISTORTIONS["shift"] == tuple(range(7))
    assert DISTORTIONS["rotation"] == tuple(np.linspace(-45, 45, 13))
    assert DISTORTIONS["scale"] == pytest.approx(tuple(np.linspace(0.6, 1.5, 10)))
    assert all(NEUTRAL[name] in levels for name, levels in DISTORTIONS.items())
