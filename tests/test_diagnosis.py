"""What runs are diagnosed as: the ladder's measured ones, the write-ups' logs, and small real ones made to fail."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import catalogue, diagnosis
from core.diagnosis import DeadUnits, Finding, Kind, Other, Subject, diagnose, noise, straightness, trend, turning_point
from core.errors import TrainingError
from core.history import EpochRecord
from core.mnist import EMBEDDED, load
from core.network import build
from core.recipe import SGD, Augmentation, Jitter, Recipe
from core.resident import Examples, Resident, resident
from core.spec import Architecture, Conv, Dropout, Flatten, Linear, ReLU
from core.training import EpochEnd, Points, train
from lab.studies import studies, study_of
from tests.tiny import PLAIN, TINY, tiny_data

BIG = Architecture("big", (Conv(8, 5, stride=2), ReLU(), Flatten(), Linear(64), ReLU(), Linear(10)))
LINEAR = Architecture("linear", (*(Conv(6, 3) for _ in range(8)), Flatten(), Linear(10)))  # nothing between the layers


def kinds(findings: tuple[Finding, ...]) -> list[Kind]:
    return [finding.kind for finding in findings]


def subject(architecture: Architecture, recipe: Recipe, data: Resident) -> Subject:
    """A real run of the recipe."""
    history: list[EpochRecord] = []
    losses: list[float] = []
    failure = ""
    try:
        for event in train(build(architecture, recipe.seed), data, recipe):
            if isinstance(event, EpochEnd):
                history.append(event.record)
            elif isinstance(event, Points) and event.epoch == 0:
                losses += event.losses
    except TrainingError as error:
        failure = str(error)
    return Subject(tuple(history), recipe, len(data.test), tuple(losses), failure)


def embedded(recipe: Recipe) -> Resident:
    return resident(load(EMBEDDED), recipe, torch.device("cpu"))


# ------------------------------------------------------------------------------------------------- the ladder, measured

MEASURED: dict[str, dict[int, list[Kind]]] = {  # by study and seed
    "a2-final-7758": {5: ["target met", "unsteady"]},  # a rate of 0.1 to the end
    "a3-dilation-5340": {5: ["target met"]},
    "b1-setup-10970": {1: ["target missed", "overfits"]},  # "The gap between train and test"
    "b2-dropout-6864": {1: ["target missed", "underfits", "unsteady"]},  # "a lack of capacity, not of restraint"
    "b3-gap-8008": {1: ["target missed", "unsteady"]},  # "the last epochs moved by thirty images"
    "b4-rotation-7852": {1: ["target met"]},  # "the falling rate takes out the jitter"
    "c2-skeleton-7272": {1: ["target missed", "underfits", "still improving"]},  # "The network underfits"
    "c3-batchnorm-7448": {1: ["target missed", "unsteady", "still improving"]},
    "c4-dropout-7448": {1: ["target missed", "underfits", "unsteady"]},  # "leaves too little to fit with"
    "c5-rotation-7448": {1: ["target missed", "underfits", "unsteady"]},  # "A network that already underfits"
    "c6-steplr-7416": {1: ["target missed"]},  # "stays calm"
}


@pytest.mark.parametrize("name", MEASURED)
def test_the_measured_runs_of_the_ladder_are_diagnosed_as_its_analyses_say(name: str) -> None:
    study = study_of(name)
    assert study is not None
    has_dropout = any(isinstance(op, Dropout) and op.p > 0 for op in study.architecture.ops)
    found = {
        run.seed: kinds(diagnose(Subject(run.history, study.recipe, has_dropout=has_dropout))) for run in study.runs
    }
    assert {seed: found[seed] for seed in MEASURED[name] if seed in found} == {
        seed: expected for seed, expected in MEASURED[name].items() if seed in found
    }
    assert found.keys() & MEASURED[name].keys()


def test_of_the_ladders_own_runs_with_a_rate_that_falls_to_zero_none_has_a_fault() -> None:
    study = study_of("d3-averaged-7448")
    assert study is not None
    for run in study.runs:
        found = kinds(diagnose(Subject(run.history, study.recipe)))
        assert set(found) <= {"target met", "target missed", "still improving"}, run.seed


def test_the_thresholds_lie_where_their_reasons_say() -> None:
    """On measured runs of the ladder: how far each figure is from what counts."""
    scatter_falling, straight, gaps, rises = [], [], [], []
    for study in [study for name, study in studies().items() if name in (*MEASURED, "d3-averaged-7448")]:
        for run in study.runs:
            losses, _ = diagnosis.held_out(run.history)
            rates = [record.learning_rate for record in run.history]
            if rates[-diagnosis.WINDOW] < max(rates) / 2:  # well before the end
                window = losses[-diagnosis.WINDOW :]
                scatter_falling.append(trend(window).scatter / np.mean(window))
            straight += [straightness([r.train_loss for r in run.history[:n]]) for n in (3, 5, len(run.history))]
            gaps.append((diagnosis._mean_gap(run.history), study.name))
            means = np.convolve(losses, np.ones(3) / 3, "valid")
            rises.append((means[-1] / means.min(), study.name))
    assert max(scatter_falling) < 0.045 < diagnosis.UNSTEADY
    assert max(straight) < 0.36 < diagnosis.STRAIGHT
    assert max(gap for gap, name in gaps if name != "b1-setup-10970") < 0.0036 < diagnosis.GAP
    assert max(rise for rise, name in rises if name != "b1-setup-10970") < 1.12 < diagnosis.RISEN


def from_log(step: catalogue.Step) -> Subject:
    """A write-up's log, which has accuracies only; the losses are made to fall on and on, so that they say nothing."""
    claim = step.claim
    assert claim is not None
    logs = zip(claim.train_log, claim.test_log, strict=True)
    history = [
        EpochRecord(epoch, 0.5**epoch, train, None, None, 0.5**epoch, test, step.recipe.learning_rate, 1.0)
        for epoch, (train, test) in enumerate(logs)
    ]
    return Subject(tuple(history), step.recipe)


@pytest.mark.parametrize(
    ("slug", "expected"),
    [
        ("a1-skeleton-509946", ["overfits"]),  # "The gap opens after four epochs and never closes"
        ("b1-setup-10970", ["overfits"]),
        ("b2-dropout-6864", ["underfits"]),
        ("c1-setup-6379786", ["overfits"]),  # "Nearly perfect on the training images, stuck on the test images"
        ("c2-skeleton-7272", ["underfits"]),
        ("c3-batchnorm-7448", []),
        ("c4-dropout-7448", ["underfits"]),
        ("c5-rotation-7448", ["underfits"]),
        ("c6-steplr-7416", []),
        ("b4-rotation-7852", []),
    ],
)
def test_the_write_ups_logs_are_diagnosed_as_their_analyses_say(slug: str, expected: list[Kind]) -> None:
    found = kinds(diagnose(from_log(catalogue.by_slug(slug))))
    assert [kind for kind in found if kind in ("overfits", "underfits")] == expected


def test_a1_overfits_from_the_epoch_on_that_its_analysis_names() -> None:
    finding = diagnosis.overfits(from_log(catalogue.by_slug("a1-skeleton-509946")))
    assert finding is not None
    assert "from epoch 5 on" in finding.words  # "after four epochs"
    assert "0.76 points" in finding.evidence  # by hand: (0.65 + 0.86 + 0.77) / 3


# -------------------------------------------------------------------------------------------- real runs, made to fail


def test_a_run_that_diverged_says_so_in_the_loops_own_words() -> None:
    failed = subject(PLAIN, Recipe(epochs=6, batch_size=64, learning_rate=100, optimizer=SGD(0.99)), tiny_data())
    assert "loss is" in failed.failure
    (finding,) = diagnose(failed)
    assert (finding.kind, finding.page) == ("diverged", "learning rate")
    assert "learning rate 100" in finding.evidence


def test_a_rate_that_makes_the_loss_rise_in_the_first_epoch_is_too_high() -> None:
    recipe = Recipe(epochs=2, batch_size=64, learning_rate=10.0)
    found = diagnose(subject(TINY, recipe, embedded(recipe)))
    assert "rate too high" in kinds(found)


def test_a_loss_that_still_falls_in_a_line_tells_of_a_rate_that_is_too_low() -> None:
    recipe = Recipe(epochs=6, batch_size=64, learning_rate=0.05)
    found = diagnose(subject(TINY, recipe, embedded(recipe)))
    assert "rate too low" in kinds(found)
    assert not {"underfits", "still improving"} & set(kinds(found)), "it would be said twice"


def test_a_deep_network_without_a_bend_learns_nothing_at_a_tiny_rate() -> None:
    recipe = Recipe(epochs=3, batch_size=64, learning_rate=1e-4)
    assert "learns nothing" in kinds(diagnose(subject(LINEAR, recipe, embedded(recipe))))


def test_a_large_network_on_a_hundred_images_overfits() -> None:
    recipe = Recipe(epochs=25, batch_size=16, learning_rate=0.005)
    found = diagnose(subject(BIG, recipe, tiny_data(100, 0, 300)))
    assert "overfits" in kinds(found)


def test_learning_wrong_labels_by_heart_makes_the_test_loss_turn() -> None:
    data = tiny_data(100, 0, 300)
    labels = data.train.labels.clone()
    labels[:30] = (labels[:30] + 1) % 10
    recipe = Recipe(epochs=40, batch_size=16, learning_rate=0.005)
    run = subject(BIG, recipe, replace(data, train=Examples(data.train.images, labels)))
    finding = diagnosis.overfits(run)
    assert finding is not None
    turn = int(np.argmin([record.test_loss for record in run.history]))
    assert f"in epoch {turn + 1} to" in finding.evidence
    assert f"from epoch {turn + 1} on" in finding.words


# ------------------------------------------------------------------------------------------------------ rule by rule


def history(test: list[float], train: list[float] | None = None, accuracy: float = 0.99) -> tuple[EpochRecord, ...]:
    train = train or [0.1 * 0.9**n for n in range(len(test))]
    pairs = zip(train, test, strict=True)
    return tuple(
        EpochRecord(n, one, 0.99, None, None, other, accuracy, 0.01, 1) for n, (one, other) in enumerate(pairs)
    )


def test_a_trend_is_numpys_least_squares() -> None:
    values = [0.5, 0.3, 0.42, 0.2, 0.25, 0.1]
    (slope, start), covariance = np.polyfit(range(6), values, 1, cov=True)
    residual = np.array(values) - start - slope * np.arange(6)
    line = trend(values)
    assert line.slope == pytest.approx(slope)
    assert line.scatter == pytest.approx(math.sqrt((residual**2).sum() / 4))
    assert line.t == pytest.approx(slope / math.sqrt(covariance[0, 0]))
    assert trend([1, 1, 1]).t == 0


def test_straightness_is_one_for_a_line_and_little_for_a_curve_that_flattens() -> None:
    assert straightness([6, 5, 4, 3, 2, 1]) == pytest.approx(1)
    assert straightness([1, 0.1, 0.02, 0.015, 0.011, 0.01]) < 0.02
    assert straightness([1, 2]) == straightness([1, 2, 3]) == straightness([2.302, 2.302, 2.302]) == 0


def test_the_turn_is_where_the_loss_was_least() -> None:
    assert turning_point([5, 4, 3, 2, 1.9, 2.5, 2.8, 3.0]) == 4
    assert turning_point([5, 4, 3, 2, 1]) is None
    assert turning_point([5, 4, 3, 2.00, 2.1, 2.0, 2.1]) is None, "chance"
    assert turning_point([1, 2, 3]) is None, "too few"


def test_a_jump_of_the_held_out_loss_tells_of_a_rate_that_is_too_high_and_names_the_epoch() -> None:
    finding = diagnosis.rate_too_high(Subject(history([1.0, 0.5, 0.9, 0.4]), Recipe()))
    assert finding is not None
    assert "from 0.5000 to 0.9000 in epoch 3, by 80%" in finding.evidence
    assert diagnosis.rate_too_high(Subject(history([1.0, 0.5, 0.7, 0.4]), Recipe())) is None


def test_validation_is_looked_at_where_there_is_any() -> None:
    records = [replace(each, validation_loss=0.5 * each.epoch, validation_accuracy=0.9) for each in history([9, 9, 9])]
    assert diagnosis.held_out(records) == ([0, 0.5, 1], "validation")
    assert diagnosis.held_out(history([1, 2]))[1] == "test"


def test_a_constant_rate_with_a_scattering_loss_is_unsteady_and_a_fallen_one_is_not() -> None:
    records = history([0.5, 0.1, 0.05, 0.04, 0.05, 0.03, 0.04, 0.03, 0.045, 0.03])
    assert diagnosis.unsteady(Subject(records, Recipe())) is not None
    fallen = (*records[:-1], replace(records[-1], learning_rate=0.001))
    assert diagnosis.unsteady(Subject(fallen, Recipe())) is None
    assert diagnosis.unsteady(Subject(records[:8], Recipe())) is None, "too few"


def test_augmentation_and_dropout_are_what_less_of_is_advised() -> None:
    records = history([1, 1, 1], accuracy=0.98)
    records = tuple(replace(record, train_accuracy=0.97) for record in records)
    plain, hard = Recipe(), Recipe(augmentation=Augmentation(rotation=Jitter(7)))
    advice = [
        diagnosis.underfits(Subject(records, recipe, has_dropout=dropout))
        for recipe, dropout in ((plain, False), (plain, True), (hard, False), (hard, True))
    ]
    assert [finding and finding.advice.split(" capacity")[0] for finding in advice] == [
        "More",
        "Less dropout; or more",
        "Less augmentation; or more",
        "Less dropout and augmentation; or more",
    ]


def test_fewer_than_three_epochs_are_too_short_and_none_say_nothing() -> None:
    assert kinds(diagnose(Subject(history([0.1]), Recipe()))) == ["target missed", "too short"]
    assert diagnose(Subject((), Recipe())) == ()
    assert diagnose(Subject((), Recipe(), failure="the disk is full")) == ()


def test_dead_units_are_told_layer_by_layer_where_they_are_more_than_a_few() -> None:
    layers = (DeadUnits("relu1", 3, 8, 500), DeadUnits("relu2", 0, 16, 500), DeadUnits("relu3", 1, 64, 500))
    finding = diagnosis.dead_units(Subject(history([1]), Recipe(), dead=layers))
    assert finding is not None
    assert "all of 500 test images: 3 of 8 in relu1." in finding.evidence
    assert diagnosis.dead_units(Subject(history([1]), Recipe(), dead=layers[1:])) is None


def test_the_noise_of_an_accuracy_is_a_coins() -> None:
    """Against the deviation of a hundred thousand test sets drawn at random."""
    hits = np.random.default_rng(1).binomial(10_000, 0.994, 100_000) / 10_000
    assert noise(0.994, 10_000) == pytest.approx(hits.std(), rel=0.01)


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (0.9934, (0.9943, 0.9938, 0.9949), "within noise"),
        (0.9789, (0.9934,), "worse"),
        (0.9934, (0.9789,), "better"),
        (0.9940, (0.9921,), "within noise"),  # 19 images; two standard errors are 23.6
        (0.9940, (0.9910,), "better"),  # 30 images; 24.4
    ],
)
def test_a_difference_counts_beyond_two_standard_errors(mine: float, theirs: tuple[float, ...], expected: Kind) -> None:
    finding = diagnosis.against_other(Subject(history([1], accuracy=mine), Recipe(), other=Other("C3", theirs)))
    assert finding is not None
    assert finding.kind == expected
    assert f"(n {len(theirs)})" in finding.evidence


def test_the_seeds_deviation_widens_what_counts_as_noise() -> None:
    close = diagnosis.against_other(Subject(history([1], accuracy=0.994), Recipe(), other=Other("C3", (0.990, 0.9901))))
    wide = diagnosis.against_other(Subject(history([1], accuracy=0.994), Recipe(), other=Other("C3", (0.986, 0.9942))))
    assert close is not None
    assert wide is not None
    assert (close.kind, wide.kind) == ("better", "within noise")


def test_a_shorter_run_that_is_worse_is_not_yet_compared() -> None:
    other = Other("C3", (0.993, 0.9931), epochs=15)
    found = {
        (epochs, mine): diagnosis.against_other(Subject(history([1] * epochs, accuracy=mine), Recipe(), other=other))
        for epochs in (2, 15)
        for mine in (0.98, 0.999)
    }
    told = {key: finding and (finding.kind, finding.words, finding.page) for key, finding in found.items()}
    assert told[2, 0.98] == ("worse", "It is worse than C3, in 2 of its 15 epochs.", "train")
    assert told[15, 0.98] == ("worse", "It is worse than C3, by more than chance explains.", "compare")
    better = ("better", "It is better than C3, by more than chance explains.", "compare")
    assert told[2, 0.999] == told[15, 0.999] == better


def test_the_target_is_met_or_missed_by_so_many_images() -> None:
    met = diagnosis.verdict(Subject(history([1, 1, 1], accuracy=0.9945), Recipe()))
    near = diagnosis.verdict(Subject(history([1, 1], accuracy=0.9934), Recipe()))
    far = diagnosis.verdict(Subject(history([1, 1], accuracy=0.99), Recipe()))
    assert met.kind == "target met"
    assert met.evidence.startswith("5 images above 99.4%, held for 3 epochs.")
    assert "8 images" in met.evidence, "the standard error: sqrt(0.994 x 0.006 x 10,000) = 7.7"
    assert (near.kind, far.kind) == ("target missed", "target missed")
    assert "6 images short of 99.4%. That is within noise" in near.words
    assert far.words == "It ends at 99.00%, 40 images short of 99.4%."


def test_a_target_is_told_as_it_was_set() -> None:
    found = diagnosis.verdict(Subject(history([1, 1], accuracy=0.9946), Recipe(target_accuracy=0.9945)))
    assert found.evidence.startswith("1 image above 99.45%, held for 2 epochs.")
    assert [diagnosis.spelt_target(each) for each in (0.994, 0.9925, 0.99, 1)] == ["99.4%", "99.25%", "99%", "100%"]


def test_a_loss_of_zero_to_the_end_is_no_fault() -> None:
    assert diagnosis.unsteady(Subject(history([0.5, 0.1, *[0.0] * 8], accuracy=1.0), Recipe())) is None


def test_underfitting_names_the_images_that_it_is_measured_by() -> None:
    records = tuple(
        replace(each, train_accuracy=0.97, validation_loss=1, validation_accuracy=0.975)
        for each in history([1, 1, 1], accuracy=0.98)
    )
    found = diagnosis.underfits(Subject(records, Recipe()))
    assert found is not None
    assert "train is 0.50 points below validation over the last three epochs" in found.evidence
