"""The checkpoints in the repository: each card is true of its weights, and the 7,416 network reads drawings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.analysis.study import Study, median_run
from core.checkpoints.checkpoint import load, normalisation_of
from core.data.drawn_digit import prepare
from core.data.mnist import load_split
from core.ladder import catalogue
from core.training.evaluation import log_probabilities, predict
from core.training.recipe_difference import recipe_differences
from core.training.resident import examples
from lab.studies.plan import subjects
from lab.studies.results import outdated_mark, studies, study_of
from lab.studies.shelf import SHIPPED as SHELF
from lab.studies.shelf import Shelved, shipped
from lab.studies.tables import PAGE, README, best_table, written
from tests.test_drawn_digit import on_canvas

SHIPPED = shipped()
# In what a recipe may differ from that of its study's runs, until these are trained anew.
TRAINED_ANEW = {"augmentation, rule"}
PROMISED = ("a2-final-7758", "a3-dilation-5340", "b4-rotation-7852", "c6-steplr-7416")


def test_the_promised_four_are_there() -> None:
    assert set(PROMISED) <= {shelved.reference for shelved in SHIPPED}


@pytest.mark.slow  # with the largest network, 40 s of the processor
@pytest.mark.parametrize("shelved", SHIPPED, ids=lambda shelved: shelved.reference)
def test_a_card_says_what_its_weights_do_on_the_test_set(shelved: Shelved, mnist_raw: Path) -> None:
    network, card = load(shelved.stem)
    found = predict(network, examples(load_split("MNIST", "test"), torch.device("cpu")), normalisation_of(card))
    assert found.accuracy == pytest.approx(card.record.test_accuracy, abs=1.5e-4)  # one image: another CPU rounds a tie


@pytest.mark.parametrize("shelved", SHIPPED, ids=lambda shelved: shelved.reference)
def test_a_shipped_network_is_its_steps_trained_as_its_write_up_says(shelved: Shelved) -> None:
    step, card = catalogue.by_slug(shelved.reference), shelved.card
    assert card.architecture == step.architecture
    assert replace(card.recipe, seed=step.recipe.seed) == step.measured_recipe
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


def test_the_ladders_page_says_what_the_studies_say() -> None:
    assert written(studies()) in PAGE.read_text(encoding="utf-8")
    assert best_table(studies()) in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("study", studies().values(), ids=lambda study: study.name)
def test_a_study_is_of_the_step_or_variant_that_it_is_named_after(study: Study) -> None:
    (subject,) = subjects([study.name])
    assert study.architecture == subject.architecture
    if differences := {row.field for row in recipe_differences(study.recipe, subject.recipe)}:
        assert differences <= TRAINED_ANEW
        assert outdated_mark(study), "as long as they differ, every page and table says so"
    assert study.dataset == "MNIST"
    assert study.train_images == 60_000 - subject.recipe.validation_size
    assert {len(run.history) for run in study.runs} == {subject.recipe.epochs}


@pytest.mark.parametrize("shelved", SHIPPED, ids=lambda shelved: shelved.reference)
def test_what_ships_is_the_median_seed_of_its_study(shelved: Shelved) -> None:
    study = study_of(shelved.reference)
    assert study is not None
    median = median_run(study.runs)
    card = shelved.card
    assert card.recipe.seed == median.seed
    rounding = 1e-3 if card.stored == "float16" else 0  # of the halved weights' accuracy
    assert card.record.test_accuracy == pytest.approx(median.last, abs=rounding)
    assert list(card.test_accuracies)[:-1] == [record.test_accuracy for record in median.history][:-1]


def test_all_that_is_shipped_stays_small() -> None:
    files = [path for path in SHELF.rglob("*") if path.is_file() and "runs" not in path.relative_to(SHELF).parts]
    assert sum(path.stat().st_size for path in files) < 60e6


def test_choices_were_made_without_the_test_set() -> None:
    tries = json.loads((SHELF / "choices" / "log.json").read_text(encoding="utf-8"))
    for each in tries:
        assert not [name for name in each if "test" in name]
        assert each["recipe"]["validation_size"] == 5000
        assert 0.9 < each["validation_accuracy"] < 1
