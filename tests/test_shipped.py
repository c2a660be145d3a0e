"""The checkpoints in the repository: each card is true of its weights, and the 7,416 network reads drawings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core import catalogue
from core.checkpoint import load, normalisation_of
from core.drawn_digit import prepare
from core.evaluation import log_probabilities, predict
from core.mnist import load_split
from core.resident import examples
from lab.shelf import Shelved, shipped
from tests.test_drawn_digit import on_canvas

SHIPPED = shipped()
PROMISED = ("a2-final-7758", "a3-dilation-5340", "b4-rotation-7852", "c6-steplr-7416")


def test_the_promised_four_are_there() -> None:
    assert set(PROMISED) <= {shelved.reference for shelved in SHIPPED}


@pytest.mark.parametrize("shelved", SHIPPED, ids=lambda shelved: shelved.reference)
def test_a_card_says_what_its_weights_do_on_the_test_set(shelved: Shelved, mnist_raw: Path) -> None:
    network, card = load(shelved.stem)
    found = predict(network, examples(load_split("MNIST", "test"), torch.device("cpu")), normalisation_of(card))
    assert found.accuracy == pytest.approx(card.record.test_accuracy, abs=1.5e-4)  # one image: another CPU rounds a tie


@pytest.mark.parametrize("shelved", SHIPPED, ids=lambda shelved: shelved.reference)
def test_a_shipped_network_is_its_steps_trained_as_its_write_up_says(shelved: Shelved) -> None:
    step, card = catalogue.by_slug(shelved.reference), shelved.card
    assert card.architecture == step.architecture
    assert card.recipe == step.recipe
    assert (card.dataset, card.train_images, card.test_images) == ("MNIST", 60_000, 10_000)
    assert (card.choice, card.epoch, len(card.history)) == ("last", step.recipe.epochs - 1, step.recipe.epochs)


@pytest.mark.parametrize("filter", [Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
def test_the_7416_network_reads_digits_pasted_anywhere_at_any_size(mnist_raw: Path, filter: Image.Resampling) -> None:
    network, card = load(next(shelved.stem for shelved in SHIPPED if shelved.reference == "c6-steplr-7416"))
    split = load_split("MNIST", "test")
    random = np.random.default_rng(2)
    chosen = random.permutation(len(split))[:1000]
    prepared = np.stack([prepare(on_canvas(split.images[index], random, filter)).digit for index in chosen])
    scores = log_probabilities(network, torch.tensor(prepared), normalisation_of(card))
    accuracy = (scores.argmax(1).numpy() == split.labels[chosen]).mean()
    assert accuracy >= 0.985


@pytest.mark.parametrize("shelved", SHIPPED, ids=lambda shelved: shelved.reference)
def test_the_readme_says_what_the_card_says(shelved: Shelved) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if f"`{shelved.reference}`" in line and line.startswith("|"))
    card = shelved.card
    assert row.endswith(f"| {card.record.test_accuracy:.2%} | {max(card.test_accuracies):.2%} |")
