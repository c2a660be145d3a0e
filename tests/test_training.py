"""The training loop against loops written by hand, and against itself: one seed, one run, however often it stops."""

from __future__ import annotations

import copy
import itertools
import math
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import core.training.batches
from core.architecture.fresh import blurred_pool
from core.architecture.spec import Architecture, BatchNorm, Conv, Flatten, GlobalAvgPool, Linear, LogSoftmax
from core.architecture.spec import Dropout as DropoutOp
from core.data.embedded_digits import embedded_digits
from core.data.mnist import EMBEDDED, Dataset, Split, load
from core.errors import DeviceError, TrainingError
from core.ladder import catalogue
from core.ladder.ours import OURS
from core.training.averaging import Average
from core.training.batch_norm import count_batches
from core.training.dropout import Dropout
from core.training.evaluation import evaluate
from core.training.history import EpochRecord
from core.training.loop import EpochEnd, Points, RateFound, State, first_images, sample, train
from core.training.network import build
from core.training.range_test import range_test
from core.training.recipe import (
    SGD,
    Adadelta,
    Adam,
    AdamW,
    Augmentation,
    Cosine,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    EarlyStopping,
    Elastic,
    Erasing,
    Jitter,
    MultiStepLR,
    Muon,
    OneCycle,
    Optimizer,
    RangeTest,
    Recipe,
    ReduceLROnPlateau,
    RMSprop,
    StepLR,
    Zoom,
    plateau_rate,
    rate_at,
)
from core.training.resident import available_devices, choose_device, grey, normalised, resident
from core.training.step import loss_of
from tests.tiny import PLAIN, TINY, same, tiny_data, trained

AUGMENTED = Augmentation(rotation=Jitter(10), translation=Jitter(0.1, 0.5), contrast=Jitter(0.2))
EVERYTHING = Recipe(
    epochs=4,
    batch_size=32,
    learning_rate=0.05,
    optimizer=SGD(momentum=0.9, nesterov=True, weight_decay=1e-4),
    schedule=OneCycle(),
    label_smoothing=0.1,
    ema_decay=0.9,
    augmentation=AUGMENTED,
    seed=3,
)


def figures(ends: list[EpochEnd]) -> list[EpochRecord]:
    return [replace(end.record, seconds=0.0) for end in ends]


# ----------------------------------------------------------------------------------------------------------- one seed


@pytest.mark.parametrize("optimizer", [SGD(), Adam(), AdamW()], ids=str)
def test_the_same_seed_gives_the_same_run_bit_for_bit(optimizer: Optimizer) -> None:
    recipe, data = replace(EVERYTHING, optimizer=optimizer, epochs=2), tiny_data(validation=40)
    weights, ends = trained(recipe, data)
    torch.manual_seed(99)  # whatever has been drawn elsewhere
    torch.rand(5)
    again, ends_again = trained(recipe, data)
    assert same(weights, again)
    assert same(ends[-1].weights, ends_again[-1].weights)
    assert figures(ends) == figures(ends_again)


def test_another_seed_gives_another_run() -> None:
    data, recipe = tiny_data(), replace(EVERYTHING, epochs=1)
    assert not same(trained(recipe, data)[0], trained(replace(recipe, seed=4), data)[0])


def test_the_seed_decides_the_order_and_the_masks_too_not_only_the_first_weights() -> None:
    data, runs = tiny_data(), []
    for seed in (1, 2):
        network = build(TINY, 7)
        list(train(network, data, replace(EVERYTHING, epochs=1, augmentation=Augmentation(), seed=seed)))
        runs.append(network.state_dict())
    assert not same(*runs)


def test_training_and_building_leave_torchs_own_random_numbers_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trained(replace(EVERYTHING, epochs=1, range_test=RangeTest(iterations=20)), tiny_data())
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_that_build_at_the_same_time_get_the_weights_of_their_seeds() -> None:
    seeds = range(200)
    with ThreadPoolExecutor(8) as pool:
        side_by_side = list(pool.map(partial(build, catalogue.by_slug("a2-final-7758").architecture), seeds))
    for seed in seeds:
        alone = build(catalogue.by_slug("a2-final-7758").architecture, seed)
        assert all(map(torch.equal, side_by_side[seed].parameters(), alone.parameters())), seed


@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("through_a_file", [True, False])
@pytest.mark.parametrize("optimizer", [EVERYTHING.optimizer, Adam(), AdamW()], ids=["SGD", "Adam", "AdamW"])
def test_a_resumed_run_ends_as_the_undisturbed_one_bit_for_bit(
    after: int, through_a_file: bool, optimizer: Optimizer, tmp_path: Path
) -> None:
    recipe, data = replace(EVERYTHING, optimizer=optimizer), tiny_data(validation=40)
    weights, ends = trained(recipe, data)
    first = build(TINY, recipe.seed)
    stopped = next(e for e in train(first, data, recipe) if isinstance(e, EpochEnd) and e.record.epoch == after - 1)
    state: State = copy.deepcopy(stopped.state)
    if through_a_file:
        torch.save(stopped.state, tmp_path / "state.pt")
        state = torch.load(tmp_path / "state.pt", weights_only=True)
    second = build(TINY, seed=123)
    rest = [event for event in train(second, data, recipe, state) if isinstance(event, EpochEnd)]
    assert [end.record.epoch for end in rest] == list(range(after, recipe.epochs))
    assert same(second.state_dict(), weights)
    assert same(rest[-1].weights, ends[-1].weights)
    assert figures(rest) == figures(ends[after:])
    assert [dict(record, seconds=0) for record in cast(list[dict[str, float]], rest[-1].state["history"])] == [
        asdict(record) for record in figures(ends)
    ]


PARTS: dict[str, dict[str, object]] = {
    "Muon, one cycle of the momentum": {"optimizer": Muon(), "schedule": OneCycle(cycle_momentum=True)},
    "RMSprop, cyclic": {
        "optimizer": RMSprop(0.9, 0.5, True), "schedule": CyclicLR(0.001, 3, mode="exp_range", gamma=0.9)
    },
    "Adadelta, milestones": {"optimizer": Adadelta(), "schedule": MultiStepLR((1, 3))},
    "amsgrad, warm restarts": {"optimizer": Adam(amsgrad=True), "schedule": CosineAnnealingWarmRestarts(1, 2)},
    "plateau of the accuracy": {
        "schedule": ReduceLROnPlateau(0.5, 0, 0.3, mode="max", threshold_mode="abs", cooldown=1),
        "validation_size": 5000,
    },
    "every change of the images": {
        "augmentation": Augmentation(
            crop=Jitter(0.1), zoom=Zoom(0.3), elastic=Elastic(50, 0.5), erasing=Erasing(0.2), padding_mode="reflect"
        ),
        "plain_epochs": 1,
    },
    "penalty, clipping": {"l1": 1e-3, "gradient_clipping": 0.1, "clip_by": "value", "normalisation": "half"},
    "early stopping": {"early_stopping": EarlyStopping(2, min_delta=1.0), "epochs": 9},
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_with_every_part_that_a_recipe_may_have_a_resumed_run_ends_as_the_undisturbed_one(part: str) -> None:
    usual, data = replace(EVERYTHING, ema_decay=0.0, epochs=3), tiny_data(train=70, validation=30)
    recipe = replace(usual, **PARTS[part])  # type: ignore[arg-type]
    weights, ends = trained(recipe, data)
    assert len(ends) == 3
    assert part == "early stopping" or not same(weights, trained(usual, data)[0])
    for after in (1, 2):
        network = build(TINY, recipe.seed)
        events = train(network, data, recipe)
        stopped = next(e for e in events if isinstance(e, EpochEnd) and e.record.epoch == after - 1)
        state, second = copy.deepcopy(stopped.state), build(TINY, 123)
        rest = [event for event in train(second, data, recipe, state) if isinstance(event, EpochEnd)]
        assert same(second.state_dict(), weights)
        assert figures(rest) == figures(ends[after:])


def test_a_run_that_stops_early_ends_with_all_figures_of_a_last_epoch_and_does_not_go_on() -> None:
    recipe, data = replace(EVERYTHING, early_stopping=EarlyStopping(2, min_delta=1.0), epochs=9), tiny_data()
    network = build(TINY, recipe.seed)
    ends = [event for event in train(network, data, recipe) if isinstance(event, EpochEnd)]
    assert len(ends) == 3, "no epoch is better by a whole unit than the first"
    assert [end.record.plain_train_loss is None for end in ends] == [True, True, False]
    assert list(train(build(TINY, 1), data, recipe, copy.deepcopy(ends[-1].state))) == []
    assert recipe.watches_test, "no images are held out"


def test_the_last_epochs_without_augmentation_see_the_images_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Augmentation] = []
    augment = core.training.batches.augment

    def watched(images: Tensor, changes: Augmentation, generator: torch.Generator) -> Tensor:
        seen.append(changes)
        return augment(images, changes, generator)

    monkeypatch.setattr(core.training.batches, "augment", watched)
    trained(replace(EVERYTHING, plain_epochs=3, batch_size=150), tiny_data())
    assert seen == [AUGMENTED, Augmentation(), Augmentation(), Augmentation()]


@pytest.mark.parametrize("part", ["penalty, clipping", "Muon, one cycle of the momentum", "every change of the images"])
def test_a_range_test_takes_the_recipes_steps(part: str) -> None:
    recipe, data = replace(EVERYTHING, **PARTS[part]), tiny_data()  # type: ignore[arg-type]
    usual = range_test(build(TINY, 1), data, replace(EVERYTHING, optimizer=recipe.optimizer), RangeTest(iterations=20))
    found = range_test(build(TINY, 1), data, recipe, RangeTest(iterations=20))
    assert len(found.points) > 5
    assert (found.points == usual.points) == part.startswith("Muon"), "a range test has no schedule"


def test_a_resumed_run_keeps_the_rate_that_the_range_test_found() -> None:
    recipe, data = replace(EVERYTHING, epochs=2, range_test=RangeTest(iterations=60)), tiny_data()
    weights, _ = trained(recipe, data)
    events = iter(train(build(TINY, recipe.seed), data, recipe))
    end = next(event for event in events if isinstance(event, EpochEnd))
    network = build(TINY)
    rest = list(train(network, data, recipe, copy.deepcopy(end.state)))
    assert not any(isinstance(event, RateFound) for event in rest)
    assert same(network.state_dict(), weights)


def test_a_resumed_plateau_remembers_its_losses() -> None:
    schedule = ReduceLROnPlateau(factor=0.5, patience=0, threshold=0.5, min_lr=1e-6, monitor="test")
    recipe, data = replace(EVERYTHING, schedule=schedule, epochs=5), tiny_data()
    _, ends = trained(recipe, data)
    rates = [end.record.learning_rate for end in ends]
    losses = [end.record.test_loss for end in ends]
    assert rates == [plateau_rate(schedule, recipe.learning_rate, losses[:epoch]) for epoch in range(5)]
    assert len(set(rates)) > 1
    events = iter(train(build(TINY, recipe.seed), data, recipe))
    end = [next(event for event in events if isinstance(event, EpochEnd)) for _ in range(3)][-1]
    rest = [e for e in train(build(TINY), data, recipe, copy.deepcopy(end.state)) if isinstance(e, EpochEnd)]
    assert [end.record.learning_rate for end in rest] == rates[3:]


# ------------------------------------------------------------------------------------------------------- by hand


def by_hand(optimizer: torch.optim.Optimizer, network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> None:
    """The loop as any tutorial has it."""
    for images, labels in batches:
        optimizer.zero_grad()
        F.cross_entropy(network((images[:, None] / 255 - 0.1307) / 0.3081), labels).backward()
        optimizer.step()


def batches_of(recipe: Recipe) -> list[tuple[Tensor, Tensor]]:
    """The run's batches, from a permutation of the run's seed."""
    data = tiny_data()
    generator, batches = torch.Generator().manual_seed(recipe.seed), []
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(150, generator=generator).split(recipe.batch_size):
            batches.append((data.train.images[chosen], data.train.labels[chosen]))
    return batches


@pytest.mark.parametrize(
    ("settings", "theirs"),
    [
        (SGD(0.0), lambda p: torch.optim.SGD(p, 0.01)),
        (SGD(0.8, True, 0.01), lambda p: torch.optim.SGD(p, 0.01, momentum=0.8, nesterov=True, weight_decay=0.01)),
        (Adam(0.8, 0.99, 0.01), lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.99), weight_decay=0.01)),
        (AdamW(0.8, 0.99, 0.1), lambda p: torch.optim.AdamW(p, 0.01, (0.8, 0.99), weight_decay=0.1)),
    ],
    ids=["SGD", "SGD with nesterov", "Adam", "AdamW"],
)
def test_training_is_the_loop_that_one_would_write_by_hand(settings: Optimizer, theirs: object) -> None:
    recipe = Recipe(epochs=2, batch_size=50, learning_rate=0.01, optimizer=settings)
    network = build(PLAIN, recipe.seed)
    by_hand(theirs(network.parameters()), network, batches_of(recipe))  # type: ignore[operator]
    weights, _ = trained(recipe, tiny_data(), PLAIN)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(weights[name], tensor)


def test_the_average_of_the_weights_is_that_of_a_hand_computation() -> None:
    recipe = Recipe(epochs=2, batch_size=50, learning_rate=0.05, ema_decay=0.8)
    network = build(PLAIN, recipe.seed)
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    average: dict[str, Tensor] = {}
    for batch in batches_of(recipe):
        by_hand(optimizer, network, [batch])
        now = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        average = {name: 0.8 * average[name] + 0.2 * now[name] for name in now} if average else now
    _, ends = trained(recipe, tiny_data(), PLAIN)
    for name, tensor in average.items():
        torch.testing.assert_close(ends[-1].weights[name], tensor)
    averaged = build(PLAIN)
    averaged.load_state_dict(average)
    data = tiny_data()
    assert ends[-1].record.test_loss == pytest.approx(evaluate(averaged, data.test, data.normalisation)[0], rel=1e-4)


def follow(network: nn.Module, ours: Average, theirs: AveragedModel, updates: int) -> None:
    """Train the network a little, and let both averages follow each step."""
    images, optimizer = torch.rand(8, 1, 28, 28), torch.optim.SGD(network.parameters(), 0.1)
    for _ in range(updates):
        F.cross_entropy(network.train()(images), torch.arange(8)).backward()
        optimizer.step()
        ours.update()
        theirs.update_parameters(network)


def test_the_average_is_torchs_with_batch_norms_figures_and_its_counts_are_copied() -> None:
    network = build(TINY, 1)
    ours = Average(network, Recipe(ema_decay=0.7))
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.7), use_buffers=True)
    count_batches(network, 5)  # which the loop does at the end of an epoch
    follow(network, ours, theirs, updates=5)
    expected, counts = theirs.module.state_dict(), 0
    for name, tensor in ours.network.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)
        else:
            counts += 1
            assert tensor == network.state_dict()[name] == 5
    assert counts == 1
    assert not same(ours.network.state_dict(), network.state_dict())


def test_an_average_that_warms_up_follows_torchs_with_the_decay_of_each_iteration() -> None:
    recipe = Recipe(ema_decay=0.6, ema_warm_up=True)
    decays = [min(0.6, (1 + t) / (10 + t)) for t in range(20)]
    assert [recipe.ema_decay_at(t) for t in range(20)] == decays
    assert decays[-1] == 0.6, "the warm-up has ended"
    network = build(TINY, 1)
    ours = Average(network, recipe)
    theirs = AveragedModel(
        network,
        multi_avg_fn=lambda averaged, current, count: get_ema_multi_avg_fn(decays[int(count)])(
            averaged, current, count
        ),
        use_buffers=True,
    )
    follow(network, ours, theirs, updates=20)
    expected = theirs.module.state_dict()
    for name, tensor in ours.network.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("warm_up", [False, True])
def test_a_run_whose_weights_are_averaged_goes_on_to_the_very_same_average(warm_up: bool) -> None:
    recipe = Recipe(epochs=3, batch_size=30, learning_rate=0.05, ema_decay=0.95, ema_warm_up=warm_up)
    data, network = tiny_data(), build(TINY, 1)
    ends = [copy.deepcopy(event) for event in train(network, data, recipe) if isinstance(event, EpochEnd)]
    resumed = [event for event in train(build(TINY, 9), data, recipe, ends[0].state) if isinstance(event, EpochEnd)]
    assert same(resumed[-1].weights, ends[-1].weights)


@pytest.mark.slow
def test_after_one_epoch_of_mnist_the_averaged_network_of_d8_is_worth_testing(mnist_raw: Path) -> None:
    step = catalogue.by_slug("d8-third-2495")
    recipe = replace(step.recipe, epochs=1)
    assert recipe.ema_decay == 0.998
    (end,) = [
        event
        for event in train(build(step.architecture, 1), resident(load("MNIST"), recipe, torch.device("cpu")), recipe)
        if isinstance(event, EpochEnd)
    ]
    assert end.record.test_accuracy > 0.95, "54.57% with a constant decay"


@pytest.mark.slow
@pytest.mark.parametrize("slug", [step.slug for step in OURS if step.recipe.ema_decay])
def test_on_few_images_an_averaged_network_follows_its_training(slug: str) -> None:
    step = catalogue.by_slug(slug)
    recipe = replace(step.recipe, epochs=5)  # 60 iterations; the average of D6 to D8 spans 500 in the end
    *_, end = train(build(step.architecture, 1), resident(load(EMBEDDED), recipe, torch.device("cpu")), recipe)
    assert isinstance(end, EpochEnd)
    assert end.record.test_accuracy > 0.6, "with a constant decay it was 10.28%, even after 8 epochs"


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
@pytest.mark.parametrize("tested", [None, RangeTest(iterations=20)])
def test_a_network_is_copied_only_for_what_the_recipe_asks_and_never_with_the_runs_generator(
    ema_decay: float, tested: RangeTest | None
) -> None:
    copied = []

    class Watched(Dropout):
        def __deepcopy__(self, memo: dict[int, object]) -> Dropout:
            copied.append(self.generator)
            return Dropout(self.p)

    network = nn.Sequential(Watched(0.1), *build(PLAIN, 1))
    list(train(network, tiny_data(), Recipe(epochs=1, batch_size=50, ema_decay=ema_decay, range_test=tested)))
    assert copied == [None] * ((ema_decay > 0) + (tested is not None))


def test_the_last_epoch_says_what_training_images_give_without_dropout_and_augmentation() -> None:
    hard = Architecture("hard", (*PLAIN.ops[:-2], DropoutOp(0.5), *PLAIN.ops[-2:]))
    recipe = Recipe(epochs=3, batch_size=50, learning_rate=0.05, augmentation=Augmentation(rotation=Jitter(60)))
    data, network = tiny_data(), build(hard, 1)
    *others, last = [event.record for event in train(network, data, recipe) if isinstance(event, EpochEnd)]
    assert {each.plain_train_accuracy for each in others} == {None}
    assert (last.plain_train_loss, last.plain_train_accuracy) == evaluate(network, data.train, data.normalisation)


def test_a_sample_of_the_training_images_is_the_same_each_time_and_from_all_over() -> None:
    examples = tiny_data().train
    few = sample(examples, 10)
    assert len(few) == 10
    assert torch.equal(few.images[0], examples.images[0])
    assert torch.equal(few.images[-1], examples.images[-1])
    assert torch.equal(few.images, sample(examples, 10).images)
    assert torch.equal(sample(examples, 10**9).images, examples.images)


def test_the_rates_of_a_run_are_those_the_recipe_foretells() -> None:
    recipe = Recipe(epochs=3, batch_size=40, learning_rate=0.05, schedule=OneCycle())  # 4 iterations an epoch
    points = [event for event in train(build(PLAIN, 1), tiny_data(), recipe) if isinstance(event, Points)]
    told = [rate for event in points for rate in event.learning_rates]
    assert told == [rate_at(recipe, iteration, 4) for iteration in range(12)]
    assert max(told) == pytest.approx(0.05, rel=0.05)


def test_the_step_schedule_divides_the_rate_at_its_epochs() -> None:
    _, ends = trained(Recipe(epochs=5, learning_rate=0.08, schedule=StepLR(2, 0.5)), tiny_data())
    assert [end.record.learning_rate for end in ends] == [0.08, 0.08, 0.04, 0.04, 0.02]


def test_a_schedule_runs_from_the_first_iteration_to_the_last() -> None:
    recipe = Recipe(epochs=3, batch_size=32, learning_rate=0.08, schedule=Cosine())
    events = [event for event in train(build(TINY, 1), tiny_data(), recipe) if isinstance(event, Points)]
    rates = [rate for event in events for rate in event.learning_rates]
    assert rates == pytest.approx([0.04 * (1 + math.cos(math.pi * i / 14)) for i in range(15)])


# ------------------------------------------------------------------------------------------------------------ losses

LOGITS = torch.randn(20, 10, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(20) % 10


def test_cross_entropy_on_log_probabilities_is_their_negative_log_likelihood() -> None:
    logs = LOGITS.log_softmax(1)
    torch.testing.assert_close(loss_of(logs, LABELS, Recipe()), F.nll_loss(logs, LABELS))
    torch.testing.assert_close(loss_of(LOGITS, LABELS, Recipe()), F.nll_loss(logs, LABELS))


def test_a_final_log_softmax_changes_no_weight() -> None:
    recipe, data = Recipe(epochs=1, batch_size=50), tiny_data()
    with_it = Architecture("log", (*PLAIN.ops, LogSoftmax()))
    for name, tensor in trained(recipe, data, with_it)[0].items():
        torch.testing.assert_close(tensor, trained(recipe, data, PLAIN)[0][name])


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    target = torch.full((20, 10), 0.2 / 10)
    target[torch.arange(20), LABELS] += 0.8
    by_hand = -(target * LOGITS.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss_of(LOGITS, LABELS, Recipe(label_smoothing=0.2)), by_hand)


def test_mean_squared_error_is_that_of_the_probabilities() -> None:
    p = LOGITS.exp() / LOGITS.exp().sum(1, keepdim=True)
    by_hand = ((p - torch.eye(10)[LABELS]) ** 2).mean()
    recipe = Recipe(loss="mean_squared_error")
    torch.testing.assert_close(loss_of(LOGITS, LABELS, recipe), by_hand)
    torch.testing.assert_close(loss_of(LOGITS.log_softmax(1), LABELS, recipe), by_hand)


def test_a_run_with_mean_squared_error_learns() -> None:
    recipe = Recipe(epochs=15, batch_size=30, optimizer=Adam(), loss="mean_squared_error")
    _, ends = trained(recipe, tiny_data(), PLAIN)
    assert ends[-1].record.train_accuracy > 0.9 > ends[0].record.train_accuracy
    assert ends[-1].record.train_loss < ends[0].record.train_loss < 0.1


# --------------------------------------------------------------------------------------------------- what is reported


def test_the_running_train_accuracy_is_that_of_a_recount() -> None:
    data, seen = tiny_data(), []
    network = build(TINY, EVERYTHING.seed)
    network.register_forward_hook(lambda net, given, logits: seen.append(logits.argmax(1)) if net.training else None)
    recipe = replace(EVERYTHING, epochs=1)
    (end,) = [event for event in train(network, data, recipe) if isinstance(event, EpochEnd)]
    order = torch.randperm(150, generator=torch.Generator().manual_seed(recipe.seed))
    hits = int((torch.cat(seen) == data.train.labels[order]).sum())
    assert end.record.train_accuracy == hits / 150


def test_the_figures_of_an_epoch_are_those_of_its_points() -> None:
    events = list(train(build(TINY, 1), tiny_data(), Recipe(epochs=1, batch_size=64)))
    points = [event for event in events if isinstance(event, Points)]
    sizes = [64, 64, 22]
    losses = list(itertools.chain(*(event.losses for event in points)))
    accuracies = list(itertools.chain(*(event.accuracies for event in points)))
    record = cast(EpochEnd, events[-1]).record
    assert record.train_loss == pytest.approx(np.average(losses, weights=sizes))
    assert record.train_accuracy == pytest.approx(np.average(accuracies, weights=sizes))


def test_validation_and_test_figures_are_those_of_the_evaluated_weights() -> None:
    data = tiny_data(validation=40)
    _, ends = trained(replace(EVERYTHING, epochs=2), data)
    network = build(TINY)
    network.load_state_dict(ends[-1].weights)
    record = ends[-1].record
    assert data.validation is not None
    assert (record.test_loss, record.test_accuracy) == evaluate(network, data.test, data.normalisation)
    held_out = evaluate(network, data.validation, data.normalisation)
    assert (record.validation_loss, record.validation_accuracy) == held_out


def test_iterations_are_counted_through_the_run_without_a_gap() -> None:
    events = list(train(build(TINY, 1), tiny_data(), Recipe(epochs=3, batch_size=7)))
    points = [event for event in events if isinstance(event, Points)]
    counted = [event.iteration + n for event in points for n in range(len(event.losses))]
    assert counted == list(range(3 * math.ceil(150 / 7)))
    assert {event.iterations for event in points} == {len(counted)}
    for event in points:
        assert len(event.losses) == len(event.accuracies) == len(event.learning_rates) > 0
        assert event.epoch == event.iteration // math.ceil(150 / 7)
    assert [event.record.epoch for event in events if isinstance(event, EpochEnd)] == [0, 1, 2]


def test_a_loss_that_is_no_number_ends_the_run_and_names_the_iteration() -> None:
    data = tiny_data()
    network = build(PLAIN, 1)

    def poison(module: nn.Module, given: tuple[Tensor], logits: Tensor) -> Tensor:
        calls.append(len(given[0]))
        return logits * math.nan if len(calls) == 4 else logits

    calls: list[int] = []
    network.register_forward_hook(poison)
    with pytest.raises(TrainingError, match=r"epoch 0, iteration 3: the loss is nan at learning rate 0.01"):
        list(train(network, data, Recipe(epochs=1, batch_size=10)))


def test_weights_that_the_last_iteration_of_an_epoch_ruins_end_the_run_too() -> None:
    network = build(PLAIN, 1)
    network.register_forward_hook(lambda module, given, logits: logits if module.training else logits * math.nan)
    with pytest.raises(TrainingError, match=r"epoch 0: after its last iteration, .* 0\.01, the test loss is nan"):
        list(train(network, tiny_data(), Recipe(epochs=2)))


def test_a_validation_loss_that_is_no_number_ends_the_run_too() -> None:
    network, data = build(PLAIN, 1), tiny_data(validation=40)
    network.register_forward_hook(  # evaluated whole, the validation images are told by how many they are
        lambda module, given, logits: logits * math.inf if not module.training and len(logits) == 40 else logits
    )
    with pytest.raises(TrainingError, match=r"epoch 0: .* the validation loss is (nan|inf)"):
        list(train(network, data, Recipe(epochs=2)))


def test_a_loss_that_is_finite_and_beyond_all_bounds_ends_the_run_too() -> None:
    for scale, ends in ((1e15, False), (1e30, True), (1e35, True)):
        network = build(PLAIN, 1)
        network.register_forward_hook(lambda module, given, logits, scale=scale: logits * scale)
        events = train(network, tiny_data(), Recipe(epochs=1, batch_size=150, learning_rate=1e-9))
        if ends:
            with pytest.raises(TrainingError, match=r"iteration 0: the loss is \d\.\de\+\d\d \(more than 1e\+19\)"):
                list(events)
        else:
            assert 1e13 < next(event.losses[0] for event in events if isinstance(event, Points)) < 1e18


def test_a_rate_that_is_far_too_high_is_an_error_of_ours() -> None:
    deep = Architecture("linear", (Flatten(), *(Linear(50),) * 6, Linear(10)))
    recipe = Recipe(epochs=30, batch_size=10, learning_rate=100, optimizer=SGD(0.99))
    with pytest.raises(TrainingError, match="learning rate 100"):
        trained(recipe, tiny_data(), deep)


def test_who_stops_iterating_stops_the_training_and_has_a_network_that_works() -> None:
    data = tiny_data()
    network = build(TINY, 1)
    events = train(network, data, EVERYTHING)
    next(event for event in events if isinstance(event, EpochEnd))
    next(events)  # the first point of the second epoch
    events.close()  # type: ignore[attr-defined]
    before = copy.deepcopy(network.state_dict())
    loss, accuracy = evaluate(network, data.test, data.normalisation)
    assert math.isfinite(loss)
    assert 0 <= accuracy <= 1
    assert same(network.state_dict(), before)
    list(train(network, data, replace(EVERYTHING, epochs=1)))


def test_the_preview_shows_the_very_images_of_the_first_batch() -> None:
    data, seen = tiny_data(), []
    network = build(PLAIN, 1)
    network.register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()))
    recipe = replace(EVERYTHING, range_test=None)
    next(iter(train(network, data, recipe)))
    assert torch.equal(normalised(first_images(data, recipe, 12), data.normalisation), seen[0][:12])
    assert not torch.equal(first_images(data, recipe, 12), first_images(data, replace(recipe, seed=4), 12))


def test_a_rate_found_by_the_range_test_is_told_and_used_and_costs_the_network_nothing() -> None:
    data, recipe = tiny_data(), Recipe(epochs=1, batch_size=30, range_test=RangeTest(iterations=60), optimizer=Adam())
    network = build(PLAIN, recipe.seed)
    events = train(network, data, recipe)
    found = next(iter(events))
    assert isinstance(found, RateFound)
    assert same(network.state_dict(), build(PLAIN, recipe.seed).state_dict())
    assert found.learning_rate == found.result.suggestion("valley")
    points = [event for event in events if isinstance(event, Points)]
    assert points[0].learning_rates[0] == found.learning_rate


# ----------------------------------------------------------------------------------------------------------- the data


def fake_mnist() -> Dataset:
    """60,000 labels as MNIST's train files have them, one image for all: only the split is looked at."""
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # of each digit
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(10, dtype=np.uint8), counts))
    images = np.zeros((60_000, 28, 28), np.uint8)
    images[:, 0, :4] = np.arange(60_000, dtype=">u4").view(np.uint8).reshape(-1, 4)  # each image carries its number
    return Dataset("MNIST", Split(images, labels), Split(images[:10], labels[:10]))


def numbers(images: Tensor) -> set[int]:
    return set(images[:, 0, :4].contiguous().numpy().view(">u4").ravel().tolist())


def test_the_validation_split_is_5_000_of_the_60_000_even_per_class_disjoint_and_always_the_same() -> None:
    dataset, cpu = fake_mnist(), torch.device("cpu")
    data = resident(dataset, Recipe(validation_size=5000), cpu)
    again = resident(dataset, Recipe(validation_size=5000, seed=9), cpu)
    assert data.validation is not None
    assert again.validation is not None
    held_out, kept = numbers(data.validation.images), numbers(data.train.images)
    assert (len(held_out), len(kept), len(held_out | kept)) == (5_000, 55_000, 60_000)
    assert numbers(again.validation.images) == held_out
    others = resident(dataset, Recipe(validation_size=5000, split_seed=1), cpu).validation
    assert others is not None
    assert len(numbers(others.images) & held_out) < 600, "another split: about a twelfth of it is the same"
    share = np.bincount(dataset.train.labels) / 12
    assert np.abs(data.validation.labels.bincount().numpy() - share).max() <= 1
    assert (dataset.train.labels[sorted(held_out)] == data.validation.labels.numpy()).all()
    assert resident(dataset, Recipe(), cpu).validation is None


def test_a_blurred_pool_is_a_max_pool_and_a_binomial_window_of_stride_2_and_padding_1() -> None:
    images = torch.rand(2, 3, 24, 24)
    binomial = torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor([1.0, 2.0, 1.0])) / 16
    expected = F.conv2d(F.max_pool2d(images, 2, 1), binomial.expand(3, 1, 3, 3), stride=2, padding=1, groups=3)
    found = build(Architecture("blurred", blurred_pool(), (3, 24, 24)), 0)(images)
    torch.testing.assert_close(found, expected)


def test_normalisation_by_the_training_split_gives_mean_zero_and_deviation_one() -> None:
    images, labels = embedded_digits()
    labels = labels.astype(np.uint8)
    dataset = Dataset("digits", Split(images[:600], labels[:600]), Split(images, labels))
    data = resident(dataset, Recipe(normalisation="training_split", validation_size=5000), torch.device("cpu"))
    given = normalised(grey(data.train.images), data.normalisation)
    assert given.mean().item() == pytest.approx(0, abs=1e-5)
    assert given.std().item() == pytest.approx(1, abs=1e-4)
    assert len(data.train) == 550


def test_the_training_splits_mean_and_deviation_are_exact_without_the_split_as_float64() -> None:
    images = np.random.default_rng(1).integers(0, 256, (20_000, 28, 28), np.uint8)
    dataset = Dataset("noise", Split(images, np.zeros(len(images), np.uint8)), Split(images[:1], np.zeros(1, np.uint8)))
    exact = images.astype(np.float64) / 255
    mean, sd = exact.mean(), exact.std()
    del exact
    tracemalloc.start()
    measured = resident(dataset, Recipe(normalisation="training_split"), torch.device("cpu")).normalisation
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (measured.mean, measured.sd) == pytest.approx((mean, sd), rel=1e-12)
    assert peak < images.nbytes  # of numpy's memory; as float64 the images take eight times theirs


def test_mnists_constants_are_those_of_its_training_images(mnist_raw: Path) -> None:
    from core.data.mnist import load

    dataset = load("MNIST")
    measured = resident(dataset, Recipe(normalisation="training_split"), torch.device("cpu")).normalisation
    assert (round(measured.mean, 4), round(measured.sd, 4)) == (0.1307, 0.3081)


def test_a_device_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    absent = next(kind for kind in ("cuda", "mps") if kind not in available_devices())
    with pytest.raises(DeviceError, match=f"{absent} was asked for.*cpu"):
        choose_device(absent)
    with pytest.raises(DeviceError, match="no device 'tpu'"):
        choose_device("tpu")


def test_a_batch_of_one_image_that_batch_norm_cannot_take_is_refused_before_training() -> None:
    ops = (Conv(4, 3), GlobalAvgPool(), BatchNorm(), Flatten(), Linear(10))
    network = build(Architecture("one", ops), 1)
    recipe = Recipe(epochs=1, batch_size=1436)
    data = resident(load(EMBEDDED), recipe, torch.device("cpu"))
    with pytest.raises(TrainingError, match=r"batch_size 1,436 leaves a batch of 1 of the 1,437 images"):
        next(iter(train(network, data, recipe)))
