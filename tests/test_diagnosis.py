"""What runs are diagnosed as: the ladder's measured ones, the write-ups' logs, and small real ones made to fail."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.analysis.diagnosis import diagnose
from core.analysis.diagnosis.ending import (
    T_OF_WINDOW,
    UNSTEADY,
    WINDOW,
    against_other,
    against_target,
    dead_units,
    trend,
    unsteady,
)
from core.analysis.diagnosis.finding import (
    DeadUnits,
    Finding,
    FindingKind,
    Other,
    RunFigures,
    contradict,
    held_out,
    train_longer,
)
from core.analysis.diagnosis.fitting import RISEN, overfits, turning_point, underfits
from core.analysis.diagnosis.learning_rate import LATE_RISE, STRAIGHT, STRAIGHT_EPOCHS, rate_too_high, straightness
from core.analysis.evidence import of_accuracies
from core.analysis.proportion import standard_error
from core.architecture.spec import Architecture, Conv, Dropout, Flatten, Linear, ReLU
from core.data.mnist import EMBEDDED, load
from core.errors import TrainingError
from core.ladder import catalogue
from core.ladder.model import Step
from core.training.history import EpochRecord
from core.training.loop import EpochEnd, Points, train
from core.training.network import build
from core.training.recipe import SGD, Augmentation, EarlyStopping, Jitter, Recipe
from core.training.resident import Examples, Resident, resident
from core.words import factor_words, loss_words, target_words
from lab.studies.results import studies, study_of
from tests.tiny import PLAIN, TINY, tiny_data

pytestmark = pytest.mark.own_data

STRAIGHTEST = 0.4  # of the measured runs, from five epochs on

BIG = Architecture("big", (Conv(8, 5, stride=2), ReLU(), Flatten(), Linear(64), ReLU(), Linear(10)))
LINEAR = Architecture("linear", (*(Conv(6, 3) for _ in range(8)), Flatten(), Linear(10)))  # nothing between the layers


def kinds(findings: tuple[Finding, ...]) -> list[FindingKind]:
    return [finding.kind for finding in findings]


def trained(architecture: Architecture, recipe: Recipe, data: Resident) -> RunFigures:
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
    return RunFigures(tuple(history), recipe, len(data.test), tuple(losses), failure)


def embedded(recipe: Recipe) -> Resident:
    return resident(load(EMBEDDED), recipe, torch.device("cpu"))


# ------------------------------------------------------------------------------------------------- the ladder, measured

MEASURED: dict[str, dict[int, list[FindingKind]]] = {  # by study and seed
    "a2-final-7758": {1: ["target missed"], 5: ["target met"]},
    "a3-dilation-5340": {5: ["target met"]},
    "b1-setup-10970": {1: ["target missed", "overfits"]},  # "The gap between train and test"
    "b2-dropout-6864": {1: ["target missed", "underfits", "unsteady"]},  # "a lack of capacity, not of restraint"
    "b3-gap-8008": {1: ["target missed", "unsteady"]},  # "the last epochs moved by thirty images"
    "b4-rotation-7852": {1: ["target met"]},  # "the falling rate takes out the jitter"
    "c2-skeleton-7272": {1: ["target missed", "underfits"]},  # "The network underfits"
    "c3-batchnorm-7448": {1: ["target missed", "unsteady"]},
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
        run.seed: kinds(diagnose(RunFigures(run.history, study.recipe, has_dropout=has_dropout))) for run in study.runs
    }
    assert {seed: found[seed] for seed in MEASURED[name] if seed in found} == {
        seed: expected for seed, expected in MEASURED[name].items() if seed in found
    }
    assert found.keys() & MEASURED[name].keys()


def test_of_the_ladders_own_runs_with_a_rate_that_falls_to_zero_none_has_a_fault() -> None:
    study = study_of("d3-averaged-7448")
    assert study is not None
    for run in study.runs:
        found = kinds(diagnose(RunFigures(run.history, study.recipe)))
        assert set(found) <= {"target met", "target missed", "still improving"}, run.seed


def every_measured_run() -> list[tuple[str, RunFigures]]:
    """Each run in checkpoints/studies, after each of its epochs and at its end."""
    return [
        (
            f"{name}, seed {run.seed}, epoch {epochs}",
            RunFigures(run.history[:epochs], study.recipe, architecture=network),
        )
        for name, study in studies().items()
        for network in (study.architecture,)
        for run in study.runs
        for epochs in range(1, len(run.history) + 1)
    ]


def test_the_thresholds_lie_where_their_reasons_say() -> None:
    """On every measured run: how far each figure is from what counts."""
    fallen, high, straight, rises, jumps = [], [], [], [], []
    for name, study in studies().items():
        for run in study.runs:
            losses, _ = held_out(run.history)
            rates = [record.learning_rate for record in run.history]
            scatter = trend(losses[-WINDOW:]).scatter / np.mean(losses[-WINDOW:])
            if rates[-WINDOW] < max(rates) / 2:  # before the window: a fall within it shakes the loss
                fallen.append(scatter)
            elif rates[-1] >= max(rates) / 2:
                high.append(scatter)
            for epochs in range(STRAIGHT_EPOCHS, len(run.history) - study.recipe.plain_epochs + 1):
                straight.append(straightness([record.train_loss for record in run.history[:epochs]]))
            means = np.convolve(losses, np.ones(3) / 3, "valid")
            rises.append((min(losses[-3:]) / means.min(), name))
            jumps.append((max(after / before - 1 for before, after in itertools.pairwise(losses)), name, run.seed))
    assert np.mean(np.array(fallen) > UNSTEADY) < 0.06
    assert np.mean(np.array(high) > UNSTEADY) > 0.6
    assert (np.median(fallen), np.median(high)) == pytest.approx((0.02, 0.08), abs=0.008)
    assert max(fallen) < 0.1
    assert max(straight) < STRAIGHTEST < STRAIGHT
    assert max(rises)[0] < 1.12 < RISEN
    *usual, spike = sorted(jumps)
    assert usual[-1][0] < 0.53 < LATE_RISE
    assert spike == (pytest.approx(0.794, abs=0.001), "d2-augmented-7448", 9)  # one epoch, and down again: no fault


def from_log(step: Step) -> RunFigures:
    """A write-up's log, which has accuracies only; the losses are made to fall on and on, so that they say nothing."""
    claim = step.claim
    assert claim is not None
    logs = zip(claim.train_log, claim.test_log, strict=True)
    history = [
        EpochRecord(epoch, 0.5**epoch, train, None, None, 0.5**epoch, test, step.recipe.learning_rate, 1.0)
        for epoch, (train, test) in enumerate(logs)
    ]
    return RunFigures(tuple(history), step.recipe)


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
def test_the_write_ups_logs_are_diagnosed_as_their_analyses_say(slug: str, expected: list[FindingKind]) -> None:
    found = kinds(diagnose(from_log(catalogue.by_slug(slug))))
    assert [kind for kind in found if kind in ("overfits", "underfits")] == expected


def test_a1_overfits_from_the_epoch_on_that_its_analysis_names() -> None:
    finding = overfits(from_log(catalogue.by_slug("a1-skeleton-509946")))
    assert finding is not None
    assert "from epoch 5 on" in finding.words  # "after four epochs"
    assert "0.76 points" in finding.evidence  # by hand: (0.65 + 0.86 + 0.77) / 3


# -------------------------------------------------------------------------------------------- real runs, made to fail


def test_a_run_that_diverged_says_so_in_the_loops_own_words() -> None:
    failed = trained(PLAIN, Recipe(epochs=6, batch_size=64, learning_rate=100, optimizer=SGD(0.99)), tiny_data())
    assert "loss is" in failed.failure
    (finding,) = diagnose(failed)
    assert (finding.kind, finding.page) == ("diverged", "learning rate")
    assert "learning rate 100" in finding.evidence


def test_a_rate_that_makes_the_loss_rise_in_the_first_epoch_is_too_high() -> None:
    recipe = Recipe(epochs=2, batch_size=64, learning_rate=10.0)
    found = diagnose(trained(TINY, recipe, embedded(recipe)))
    assert "rate too high" in kinds(found)


@pytest.mark.slow
def test_a_loss_that_still_falls_in_a_line_tells_of_a_rate_that_is_too_low() -> None:
    recipe = Recipe(epochs=6, batch_size=64, learning_rate=0.05)
    found = diagnose(trained(TINY, recipe, embedded(recipe)))
    assert "rate too low" in kinds(found)
    assert not {"underfits", "still improving"} & set(kinds(found)), "it would be said twice"


@pytest.mark.parametrize(("plain", "told"), [(0, True), (2, True), (5, False), (8, True), (12, True)])
def test_a_straight_fall_counts_in_the_epochs_with_the_same_images(plain: int, told: bool) -> None:
    falling = [1.0 - 0.1 * epoch for epoch in range(8)]
    recipe = Recipe(epochs=8, plain_epochs=plain, augmentation=Augmentation(rotation=Jitter(9)), target_accuracy=0.999)
    assert ("rate too low" in kinds(diagnose(RunFigures(history(falling, falling), recipe)))) == told


@pytest.mark.slow
def test_a_deep_network_without_a_bend_learns_nothing_at_a_tiny_rate() -> None:
    recipe = Recipe(epochs=3, batch_size=64, learning_rate=1e-4)
    assert "learns nothing" in kinds(diagnose(trained(LINEAR, recipe, embedded(recipe))))


@pytest.mark.slow
def test_a_large_network_on_a_hundred_images_overfits() -> None:
    recipe = Recipe(epochs=25, batch_size=16, learning_rate=0.005)
    found = diagnose(trained(BIG, recipe, tiny_data(100, 0, 300)))
    assert "overfits" in kinds(found)


@pytest.mark.slow
def test_learning_wrong_labels_by_heart_makes_the_test_loss_turn() -> None:
    data = tiny_data(100, 0, 300)
    labels = data.train.labels.clone()
    labels[:30] = (labels[:30] + 1) % 10
    recipe = Recipe(epochs=40, batch_size=16, learning_rate=0.005)
    run = trained(BIG, recipe, replace(data, train=Examples(data.train.images, labels)))
    finding = overfits(run)
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


def test_a_run_that_stopped_early_has_no_epochs_left_and_is_not_told_to_go_on() -> None:
    improving = history([0.5, 0.3, 0.2])
    for early, left, advice in (
        (None, 12, "Let it go on: 12 epochs of its 15 are left."),
        (EarlyStopping(2, min_delta=1.0), 0, "A longer patience: it stopped early, after 3 of 15 epochs."),
    ):
        run = RunFigures(improving, Recipe(epochs=15, early_stopping=early))
        assert run.epochs_left == left
        assert train_longer(run) == advice


def test_a_run_with_all_its_epochs_has_not_stopped_early_though_its_patience_ended_with_them() -> None:
    early = EarlyStopping(2, min_delta=1.0)
    run = RunFigures(history([0.5, 0.3, 0.2]), Recipe(epochs=3, early_stopping=early))
    assert not run.stopped_early
    assert RunFigures(run.history, Recipe(epochs=4, early_stopping=early)).stopped_early


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
    finding = rate_too_high(RunFigures(history([1.0, 0.5, 0.9, 0.4, 0.65]), Recipe()))
    assert finding is not None
    assert "from 0.5000 to 0.9000 in epoch 3, by 80%" in finding.evidence
    assert "2 times" in finding.evidence
    assert rate_too_high(RunFigures(history([1.0, 0.5, 0.7, 0.4, 0.6]), Recipe())) is None
    lasting = rate_too_high(RunFigures(history([1.0, 0.5, 0.9, 0.85, 0.95]), Recipe()))
    assert lasting is not None
    assert "It stayed up." in lasting.evidence


def test_validation_is_looked_at_where_there_is_any() -> None:
    records = [replace(each, validation_loss=0.5 * each.epoch, validation_accuracy=0.9) for each in history([9, 9, 9])]
    assert held_out(records) == ([0, 0.5, 1], "validation")
    assert held_out(history([1, 2]))[1] == "test"


def test_a_constant_rate_with_a_scattering_loss_is_unsteady_and_a_fallen_one_is_not() -> None:
    records = history([0.5, 0.1, 0.05, 0.04, 0.05, 0.03, 0.04, 0.03, 0.045, 0.03])
    assert unsteady(RunFigures(records, Recipe())) is not None
    fallen = (*records[:-1], replace(records[-1], learning_rate=0.001))
    assert unsteady(RunFigures(fallen, Recipe())) is None
    assert unsteady(RunFigures(records[:8], Recipe())) is None, "too few"


def test_an_unsteady_run_is_told_the_rate_of_its_last_epoch() -> None:
    records = history([0.5, 0.1, 0.05, 0.04, 0.05, 0.03, 0.04, 0.03, 0.045, 0.03])
    found = unsteady(RunFigures((*records[:-1], replace(records[-1], learning_rate=0.00625)), Recipe()))
    assert found is not None
    assert found.evidence.endswith("The rate is still 0.00625.")


def test_a_trend_counts_from_students_one_sided_1_percent_point_on() -> None:
    assert pytest.approx(stats.t.ppf(0.99, WINDOW - 2), abs=5e-4) == T_OF_WINDOW


def test_augmentation_and_dropout_are_what_less_of_is_advised() -> None:
    records = history([1, 1, 1], accuracy=0.98)
    records = tuple(replace(record, train_accuracy=0.97) for record in records)
    plain, hard = Recipe(), Recipe(augmentation=Augmentation(rotation=Jitter(7)))
    advice = [
        underfits(RunFigures(records, recipe, has_dropout=dropout))
        for recipe, dropout in ((plain, False), (plain, True), (hard, False), (hard, True))
    ]
    assert [finding and finding.advice.split(" capacity")[0] for finding in advice] == [
        "More",
        "Less dropout; or more",
        "Less augmentation; or more",
        "Less dropout and augmentation; or more",
    ]


def test_fewer_than_three_epochs_are_too_short_and_none_say_nothing() -> None:
    assert kinds(diagnose(RunFigures(history([0.1]), Recipe()))) == ["target missed", "too short"]
    assert diagnose(RunFigures((), Recipe())) == ()
    assert diagnose(RunFigures((), Recipe(), failure="the disk is full")) == ()


def test_dead_units_are_told_layer_by_layer_where_they_are_more_than_a_few() -> None:
    layers = (DeadUnits("relu1", 3, 8, 500), DeadUnits("relu2", 0, 16, 500), DeadUnits("relu3", 1, 64, 500))
    finding = dead_units(RunFigures(history([1]), Recipe(), dead=layers))
    assert finding is not None
    assert "all of 500 test images: 3 of 8 in relu1." in finding.evidence
    assert dead_units(RunFigures(history([1]), Recipe(), dead=layers[1:])) is None


def test_the_noise_of_an_accuracy_is_a_coins() -> None:
    """Against the deviation of a hundred thousand test sets drawn at random."""
    hits = np.random.default_rng(1).binomial(10_000, 0.994, 100_000) / 10_000
    assert standard_error(0.994, 10_000) == pytest.approx(hits.std(), rel=0.01)


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (0.9934, (0.9943, 0.9938, 0.9949), "within noise"),
        (0.9789, (0.9934,), "within noise"),  # one run each has no spread
        (0.9940, (0.9921, 0.9922, 0.9921), "better"),
        (0.9910, (0.9921, 0.9922, 0.9921), "worse"),
    ],
)
def test_whether_a_run_differs_from_others_is_what_the_evidence_says(
    mine: float, theirs: tuple[float, ...], expected: FindingKind
) -> None:
    finding = against_other(RunFigures(history([1], accuracy=mine), Recipe(), other=Other("C3", theirs)))
    assert finding is not None
    assert finding.kind == expected
    found = of_accuracies(theirs, [mine])
    assert (found.told == "cannot be told") == (expected == "within noise")
    assert f"(n {len(theirs)})" in finding.evidence
    assert ("one run each" in finding.evidence) == (len(theirs) == 1)
    assert "±0." in finding.evidence, "the test images' own error stands beside the seeds'"


def test_the_seeds_deviation_widens_what_counts_as_noise() -> None:
    close = against_other(RunFigures(history([1], accuracy=0.994), Recipe(), other=Other("C3", (0.990, 0.9901))))
    wide = against_other(RunFigures(history([1], accuracy=0.994), Recipe(), other=Other("C3", (0.986, 0.9942))))
    assert close is not None
    assert wide is not None
    assert (close.kind, wide.kind) == ("better", "within noise")


def test_a_shorter_run_that_is_worse_is_not_yet_compared() -> None:
    other = Other("C3", (0.993, 0.9931), epochs=15)
    found = {
        (epochs, mine): against_other(RunFigures(history([1] * epochs, accuracy=mine), Recipe(), other=other))
        for epochs in (2, 15)
        for mine in (0.98, 0.999)
    }
    told = {key: finding and (finding.kind, finding.words, finding.page) for key, finding in found.items()}
    assert told[2, 0.98] == ("worse", "It is worse than C3, in 2 of its 15 epochs.", "train")
    assert told[15, 0.98] == ("worse", "It is worse than C3, by more than chance explains.", "compare")
    better = ("better", "It is better than C3, by more than chance explains.", "compare")
    assert told[2, 0.999] == told[15, 0.999] == better


def test_the_target_is_met_or_missed_by_so_many_images() -> None:
    met = against_target(RunFigures(history([1, 1, 1], accuracy=0.9945), Recipe()))
    near = against_target(RunFigures(history([1, 1], accuracy=0.9934), Recipe()))
    far = against_target(RunFigures(history([1, 1], accuracy=0.99), Recipe()))
    assert met.kind == "target met"
    assert met.evidence.startswith("5 images above 99.4%, held for 3 epochs.")
    assert "8 images" in met.evidence, "the standard error: sqrt(0.994 x 0.006 x 10,000) = 7.7"
    assert (near.kind, far.kind) == ("target missed", "target missed")
    assert "6 images short of 99.4%. That is within noise" in near.words
    assert far.words == "It ends at 99.00%, 40 images short of 99.4%."


def test_a_target_is_told_as_it_was_set() -> None:
    found = against_target(RunFigures(history([1, 1], accuracy=0.9946), Recipe(target_accuracy=0.9945)))
    assert found.evidence.startswith("1 image above 99.45%, held for 2 epochs.")
    assert [target_words(each) for each in (0.994, 0.9925, 0.99, 1)] == ["99.4%", "99.25%", "99%", "100%"]


def test_a_loss_of_zero_to_the_end_is_no_fault() -> None:
    assert unsteady(RunFigures(history([0.5, 0.1, *[0.0] * 8], accuracy=1.0), Recipe())) is None


def test_underfitting_names_the_images_that_it_is_measured_by() -> None:
    records = tuple(
        replace(each, train_accuracy=0.97, validation_loss=1, validation_accuracy=0.975)
        for each in history([1, 1, 1], accuracy=0.98)
    )
    found = underfits(RunFigures(records, Recipe()))
    assert found is not None
    assert "train is 0.50 points below validation over the last three epochs" in found.evidence
    assert "Train accuracy is measured while the weights change" in found.evidence


# ----------------------------------------------------------------------------------------- laws that no history breaks

shares = st.integers(0, 10_000).map(lambda images: images / 10_000)
some_losses = st.one_of(st.floats(1e-4, 3), st.floats(0, 1e19))


@st.composite
def runs(draw: st.DrawFn) -> RunFigures:
    """Any run at all: random figures, with and without held-out images, an average, plain figures, other runs."""
    epochs = draw(st.integers(1, 16))
    column = st.lists(some_losses, min_size=epochs, max_size=epochs)
    part = st.lists(shares, min_size=epochs, max_size=epochs)
    held = draw(st.booleans())
    rows = zip(draw(column), draw(part), draw(column), draw(part), draw(column), draw(part), strict=True)
    records = [
        EpochRecord(n, a, b, c if held else None, d if held else None, e, f, draw(st.sampled_from([0.1, 0.01])), 1.0)
        for n, (a, b, c, d, e, f) in enumerate(rows)
    ]
    if draw(st.booleans()):
        records[-1] = replace(records[-1], plain_train_loss=0.1, plain_train_accuracy=draw(shares))
    recipe = Recipe(
        epochs=draw(st.integers(1, 20)),
        augmentation=Augmentation(rotation=Jitter(draw(st.sampled_from([0, 7])))),
        ema_decay=draw(st.sampled_from([0.0, 0.99, 0.998])),
        ema_warm_up=draw(st.booleans()),
        validation_size=5000 if held else 0,
    )
    return RunFigures(
        tuple(records),
        recipe,
        test_images=draw(st.sampled_from([360, 10_000])),
        first_losses=tuple(draw(st.lists(some_losses, max_size=8))),
        has_dropout=draw(st.booleans()),
        dead=tuple(
            draw(
                st.lists(
                    st.builds(DeadUnits, st.just("relu1"), st.integers(0, 8), st.just(8), st.just(500)), max_size=2
                )
            )
        ),
        other=draw(st.none() | st.builds(Other, st.just("C3"), st.tuples(shares, shares, shares), st.integers(0, 20))),
        architecture=draw(st.sampled_from([None, TINY, catalogue.by_slug("a2-final-7758").architecture])),
    )


def obeys_the_laws(run: RunFigures) -> None:
    """What holds of the diagnosis of any run."""
    found = diagnose(run)
    said, last = kinds(found), run.history[-1]
    train = last.train_accuracy if last.plain_train_accuracy is None else last.plain_train_accuracy
    if "overfits" in said:
        assert last.held_out_accuracy < train, "it does worse on images that it has not seen"
        assert len(run.history) >= 3
        assert not {"underfits", "still improving", "average lags"} & set(said)
    for one, other in itertools.combinations(found, 2):
        for a, b in itertools.product(one.advises, other.advises):
            assert not contradict(a, b), (one, other)
    assert len(set(said)) == len(said)
    assert said[0] in ("target met", "target missed")
    for finding in found:
        text = " ".join((finding.words, finding.evidence, finding.advice))
        assert not re.search(r"\d{9}", text.replace(",", "")), text
        assert not re.search(r"(?<![.\d])\d{5,}", text), text  # 12,345 has its comma
        assert "nan" not in text
        if run.epochs_left and "more epochs" in finding.advises and finding.kind != "worse":
            assert f"of its {run.recipe.epochs}" in finding.advice, "it has them already"
        if finding.kind == "overfits":
            since = re.search(r"from epoch (\d+) on", finding.words)
            assert since
            assert 3 <= int(since[1]) <= len(run.history)
            assert run.augments == ("stronger augmentation" in finding.advice.lower())
            assert run.has_dropout == ("stronger dropout" in finding.advice.lower())
        if finding.kind in ("overfits", "underfits") and "accuracy" in finding.evidence:
            how = "without dropout and augmentation" if last.plain_train_accuracy is not None else "while the weights"
            assert how in finding.evidence, "what is compared says how it was measured"


@given(runs())
def test_no_run_whatever_its_figures_is_told_what_they_deny(run: RunFigures) -> None:
    obeys_the_laws(run)


def test_no_measured_run_after_any_of_its_epochs_is_told_what_its_figures_deny() -> None:
    for where, run in every_measured_run():
        try:
            obeys_the_laws(run)
        except AssertionError as error:
            raise AssertionError(where) from error


@given(st.lists(st.floats(0.02, 0.04), min_size=8, max_size=15), st.floats(3, 1e6), st.data())
def test_one_isolated_spike_of_the_held_out_loss_is_no_rate_too_high(
    losses: list[float], spike: float, data: st.DataObject
) -> None:
    calm = [0.03 + 0.1 * (loss - 0.03) for loss in losses]  # within 3% of its level
    calm[data.draw(st.integers(1, len(calm) - 1))] *= spike
    run = RunFigures(history(calm), Recipe())
    assert rate_too_high(run) is None


@given(st.lists(st.floats(0.9, 1.1), min_size=4, max_size=40), st.floats(3, 1e6), st.data())
def test_one_batch_with_a_high_loss_is_no_rate_too_high(losses: list[float], spike: float, data: st.DataObject) -> None:
    losses[data.draw(st.integers(1, len(losses) - 1))] *= spike
    assert rate_too_high(RunFigures(history([0.1] * 3), Recipe(), first_losses=tuple(losses))) is None


@pytest.mark.parametrize("epochs", [3, 4, 5, 6, 10, 15])
@pytest.mark.parametrize("scatter", [0.01, 0.05, 0.2])
def test_pure_noise_is_no_trend(epochs: int, scatter: float) -> None:
    """Losses that are drawn around one level: of a thousand runs hardly any is said to improve, overfit or go slow."""
    draw, times = np.random.default_rng(epochs), 1_000
    told = {"still improving": 0, "overfits": 0, "rate too low": 0}
    for _ in range(times):
        test, train = (list(0.05 * np.exp(scatter * draw.standard_normal(epochs))) for _ in range(2))
        for kind in kinds(diagnose(RunFigures(history(test, train, accuracy=0.985), Recipe(epochs=epochs)))):
            told[kind] = told.get(kind, 0) + 1
    assert told["still improving"] < 0.02 * times
    assert told["rate too low"] < 0.02 * times
    if epochs < 5:
        assert told["overfits"] == times, "0.5 points above held-out accuracy throughout: that is no noise"


@pytest.mark.parametrize("level", [0.1, 0.1135, 0.205, 0.41])
def test_an_accuracy_that_stands_still_far_from_good_has_learnt_nothing(level: float) -> None:
    records = tuple(replace(each, train_accuracy=level) for each in history([2.2, 2.2, 2.2, 2.2], accuracy=level))
    found = diagnose(RunFigures(records, Recipe(epochs=4)))
    assert "learns nothing" in kinds(found)
    assert "underfits" not in kinds(found)


def test_a_run_whose_average_has_not_caught_up_is_no_overfitting_one() -> None:
    """D8 as it was measured, three epochs with a constant decay: 69.6, 98.3 and 98.9% on the test images."""
    figures = ((0.92, 0.696, 1.2), (0.977, 0.983, 0.07), (0.983, 0.989, 0.045))
    records = tuple(
        EpochRecord(n, 0.3 / (n + 1), train, None, None, loss, test, 0.01, 10.0)
        for n, (train, test, loss) in enumerate(figures)
    )
    recipe = replace(catalogue.by_slug("d8-third-2495").measured_recipe, epochs=3)
    after_one = diagnose(RunFigures(records[:1], replace(recipe, epochs=1)))
    assert kinds(after_one) == ["target missed", "average lags", "too short"]
    assert "about 500 iterations, and 469 have been made" in after_one[1].evidence
    assert not {"overfits", "average lags"} & set(kinds(diagnose(RunFigures(records, recipe))))
    warm = replace(recipe, epochs=1, ema_warm_up=True)
    assert "average lags" not in kinds(diagnose(RunFigures(records[:1], warm)))


def test_what_is_measured_without_dropout_and_augmentation_decides() -> None:
    """Training accuracy below test accuracy, as augmentation makes it; plainly measured it is far above."""
    flat = history([0.04] * 8, [0.04] * 8, accuracy=0.990)
    records = tuple(replace(each, train_accuracy=0.985) for each in flat)
    assert "overfits" not in kinds(diagnose(RunFigures(records, Recipe(epochs=8))))
    plain = (*records[:-1], replace(records[-1], plain_train_loss=0.001, plain_train_accuracy=0.9995))
    found = {each.kind: each for each in diagnose(RunFigures(plain, Recipe(epochs=8)))}
    assert "0.95 points above test accuracy (99.95% and 99.00% in the last" in found["overfits"].evidence
    assert "Both are measured without dropout and augmentation." in found["overfits"].evidence


def test_a_factor_and_a_loss_are_numbers_that_a_person_can_read() -> None:
    assert [factor_words(each) for each in (1.4, 38.2, 4483, 999_999.4, 1e6)] == [
        "1.40 times", "38 times", "4,483 times", "999,999 times", "more than a million times",
    ]  # fmt: skip
    assert [loss_words(each) for each in (0.02345, 999.96, 4483, 1e19)] == ["0.02345", "1,000", "4,483", "1.0e+19"]
    missed = against_target(RunFigures(history([1, 1], accuracy=0.5457), Recipe()))
    assert "4,483 images short" in missed.words


def test_capacity_is_advised_within_what_the_challenge_leaves() -> None:
    records = tuple(replace(each, train_accuracy=0.97) for each in history([1, 1, 1], accuracy=0.98))
    small = underfits(
        RunFigures(records, Recipe(epochs=3), architecture=catalogue.by_slug("d8-third-2495").architecture)
    )
    large = underfits(RunFigures(records, Recipe(epochs=3), architecture=catalogue.by_slug("b3-gap-8008").architecture))
    assert small is not None
    assert large is not None
    assert "(5,505 of 8,000 parameters are left)" in small.advice
    assert "an activation" not in small.advice
    assert "the same parameters spent elsewhere" in large.advice
