"""The training loop: a generator of events. The caller logs and saves; to stop the run, it stops iterating.

Seven modules make it fast, each with a test that the results stay the same: the data are on the device (`resident`), a
batch is augmented by one resampling (`augment`), small networks have kernels of their own on a CPU (`cpu_kernels`),
where others have random bytes as masks (`dropout`) and maps stored channels last (`batch_norm`), weights are averaged
without waiting (`averaging`), and a GPU replays a recording of the whole iteration (`replay`).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, astuple, dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import CheckpointError, TrainingError
from core.record import range_of, short
from core.training.augment import augment
from core.training.averaging import Average
from core.training.batch_norm import count_batches
from core.training.batches import batches
from core.training.computing import computing
from core.training.dropout import draw_from
from core.training.evaluation import evaluate
from core.training.history import MAX_LOSS, PLAIN_SAMPLE, EpochRecord, stopped_early
from core.training.memory import out_of_memory
from core.training.precision import computed_in
from core.training.range_test import RangeTestResult, range_test
from core.training.recipe import Recipe, ReduceLROnPlateau, momentum_at, plateau_rate, rate_at
from core.training.replay import Replayed
from core.training.resident import Examples, Resident, grey
from core.training.step import (
    allow_tf32,
    batch_sizes,
    change_gradients,
    check_smallest_batch,
    forward,
    make_optimizer,
    set_momentum,
    set_rate,
)

SECONDS_BETWEEN_POINTS = 0.25  # of live curves; reading a loss makes the device wait, so not in every iteration
log = logging.getLogger(__name__)

State = dict[str, object]  # tensors, numbers and lists of them, which torch.load(weights_only=True) reads


@dataclass(frozen=True)
class RateFound:
    """The range test before training, and the learning rate that it gave."""

    result: RangeTestResult
    learning_rate: float
    reason: str  # where the rate comes from, in words


@dataclass(frozen=True)
class Points:
    """Consecutive iterations since the last event. `iteration` counts through the whole run, from 0."""

    epoch: int
    iteration: int  # of the first one
    iterations: int  # in the whole run
    losses: list[float]
    accuracies: list[float]
    learning_rates: list[float]
    images_per_second: float


@dataclass(frozen=True)
class EpochEnd:
    """An epoch is over and evaluated. Training goes on with the same tensors: copy or save them first."""

    record: EpochRecord
    weights: dict[str, Tensor]  # as evaluated: averaged, where the recipe averages
    state: State  # all that `train` needs to continue from here


Event = RateFound | Points | EpochEnd


def train(
    network: nn.Module,
    data: Resident,
    recipe: Recipe,
    resume: State | None = None,
    rate_factor: Callable[[], float] = lambda: 1.0,
) -> Iterator[Event]:
    """Train the network in place and yield events. The same seed on the same device gives the same run.

    With the `state` of an earlier EpochEnd the run continues as if it had never stopped. Before each iteration the
    schedule's rate is multiplied by `rate_factor()`. To pause the run, do not ask for the next event. Raises
    TrainingError if the loss is not a number any more, or larger than MAX_LOSS.
    """
    check_smallest_batch(network, data, recipe)
    recipe = computed_in(recipe, data.device)
    compute = computing(network, data.device, recipe.precision == "bf16")
    allow_tf32(recipe)
    generator = torch.Generator(data.device).manual_seed(recipe.seed)
    history: list[EpochRecord] = []
    if recipe.range_test and resume is None:
        found = _find_rate(network, data, recipe)
        recipe = replace(recipe, learning_rate=found.learning_rate)
        yield found
    optimizer = make_optimizer(network, recipe)
    averaged = Average(network, recipe) if recipe.ema_decay else None
    masks = draw_from(network, generator)  # after all copies, which would copy the generator too
    iterations = math.ceil(len(data.train) / recipe.batch_size)  # of an epoch
    if resume is not None:
        history, recipe = _restore(resume, recipe, network, averaged, optimizer, generator, iterations)
    evaluated = averaged.network if averaged else network
    numbers = torch.arange(iterations, device=data.device)
    sums = torch.zeros(2, iterations, device=data.device)  # loss and hits of each batch: .item() would wait

    def iterate(images: Tensor, labels: Tensor, number: Tensor) -> None:
        masks.draw(images)
        logits, loss = forward(compute, images, labels, recipe)
        optimizer.zero_grad()
        loss.backward()
        change_gradients(network, recipe)
        optimizer.step()
        if averaged:
            averaged.update()
        hits = (logits.argmax(1) == labels).sum()
        sums.index_copy_(1, number, torch.stack([loss.detach(), hits]).unsqueeze(1))

    unrecorded = "" if momentum_at(recipe, 0, iterations) is None else "its momentum is no tensor, and it changes"
    iteration = Replayed(iterate, data.device, generator, unrecorded)
    for epoch in range(len(history), recipe.epochs):
        if stopped_early(recipe.early_stopping, history):
            return
        network.train()
        started = told = time.perf_counter()
        rates: list[float] = []
        shown = 0  # batches already in an event
        order = torch.randperm(len(data.train), generator=generator, device=data.device)
        changes = recipe.augmentation_in(epoch)
        for batch, (images, labels) in enumerate(batches(data, order, recipe.batch_size, changes, generator)):
            done = epoch * iterations + batch
            rates.append(rate_factor() * _rate(recipe, done, iterations, history))
            set_rate(optimizer, rates[-1], rates[-1] / recipe.learning_rate)
            if (momentum := momentum_at(recipe, done, iterations)) is not None:
                set_momentum(optimizer, momentum)
            iteration(images, labels, numbers[batch : batch + 1])
            if batch in (0, iterations - 1) or time.perf_counter() - told > SECONDS_BETWEEN_POINTS:
                losses, hits = sums[:, shown : len(rates)].tolist()  # waits for the device to finish these iterations
                now = time.perf_counter()  # after the wait, which is training time
                yield _points(data, recipe, epoch, rates, losses, hits, now - started)
                shown, told = len(rates), time.perf_counter()
                started += told - now  # without the time of the caller, who may pause the run
        for each in (network, evaluated):
            count_batches(each, iterations * (epoch + 1))
        record = _epoch_record(evaluated, data, recipe, epoch, sums, rates[-1], started)
        if epoch == recipe.epochs - 1 or stopped_early(recipe.early_stopping, [*history, record]):
            record = replace(_with_plain_figures(record, evaluated, data), seconds=time.perf_counter() - started)
        history.append(record)
        yield EpochEnd(record, evaluated.state_dict(), _state(network, averaged, optimizer, generator, history, recipe))


def first_images(data: Resident, recipe: Recipe, count: int) -> Tensor:
    """The first training images of a run, (count, 1, 28, 28), augmented, as grey levels: for a preview."""
    generator = torch.Generator(data.device).manual_seed(recipe.seed)
    order = torch.randperm(len(data.train), generator=generator, device=data.device)
    chosen = order[: recipe.batch_size]
    return augment(grey(data.train.images[chosen]), recipe.augmentation, generator)[:count]


def _rate(recipe: Recipe, iteration: int, batches: int, history: list[EpochRecord]) -> float:
    """The learning rate of one iteration, without `rate_factor`; a plateau depends on the losses so far."""
    if isinstance(recipe.schedule, ReduceLROnPlateau):
        split, figure = recipe.schedule.monitor, "accuracy" if recipe.schedule.mode == "max" else "loss"
        figures = [getattr(record, f"{split}_{figure}") or 0.0 for record in history]
        return plateau_rate(recipe.schedule, recipe.learning_rate, figures)
    return rate_at(recipe, iteration, batches)


def _find_rate(network: nn.Module, data: Resident, recipe: Recipe) -> RateFound:
    assert recipe.range_test is not None
    result = range_test(deepcopy(network), data, recipe, recipe.range_test)
    suggestion = result.suggestion(recipe.range_test.pick)
    if suggestion is None:
        return RateFound(result, recipe.learning_rate, f"the recipe's own rate: {result.reason}")
    rate = max(
        suggestion, range_of(Recipe, "learning_rate").least
    )  # a tenth of the smallest tested rate may be too small for a recipe
    return RateFound(result, rate, f"the range test's suggestion, {recipe.range_test.pick}")


def _points(
    data: Resident,
    recipe: Recipe,
    epoch: int,
    rates: list[float],
    losses: list[float],
    hits: list[float],
    seconds: float,
) -> Points:
    """The event for the latest batches, with these losses and hits. Raises TrainingError if one of them diverged."""
    sizes = batch_sizes(len(data.train), recipe.batch_size)
    shown = len(rates) - len(losses)
    for batch, loss in enumerate(losses, start=shown):
        if found := _diverged(loss):
            raise TrainingError(
                f"epoch {epoch}, iteration {batch}: the loss is {found} at learning rate {rates[batch]:.4g}; "
                "a smaller rate or batch norm keeps it finite"
            )
    return Points(
        epoch=epoch,
        iteration=epoch * len(sizes) + shown,
        iterations=recipe.epochs * len(sizes),
        losses=losses,
        accuracies=[hit / size for hit, size in zip(hits, sizes[shown : len(rates)], strict=True)],
        learning_rates=rates[shown:],
        images_per_second=sum(sizes[: len(rates)]) / seconds,
    )


def _diverged(loss: float) -> str:
    """A diverged loss in words; "" for one that has not diverged."""
    if not math.isfinite(loss):
        return str(loss)
    return f"{loss:.2g} (more than {MAX_LOSS:g})" if loss > MAX_LOSS else ""


def _epoch_record(
    network: nn.Module, data: Resident, recipe: Recipe, epoch: int, sums: Tensor, rate: float, started: float
) -> EpochRecord:
    """Evaluate the network and collect the figures of the epoch."""
    sizes = torch.tensor(batch_sizes(len(data.train), recipe.batch_size), device=data.device)
    test_loss, test_accuracy = evaluate(network, data.test, data.normalisation)
    validation_loss = validation_accuracy = None
    if data.validation is not None:
        validation_loss, validation_accuracy = evaluate(network, data.validation, data.normalisation)
    for split, loss in (("test", test_loss), ("validation", validation_loss)):
        if loss is not None and (found := _diverged(loss)):
            raise TrainingError(
                f"epoch {epoch}: after its last iteration, at learning rate {rate:.4g}, the {split} loss is {found}; "
                "a smaller rate or batch norm keeps it finite"
            )
    return EpochRecord(
        epoch=epoch,
        train_loss=(sums[0] * sizes).sum().item() / len(data.train),
        train_accuracy=sums[1].sum().item() / len(data.train),
        validation_loss=validation_loss,
        validation_accuracy=validation_accuracy,
        test_loss=test_loss,
        test_accuracy=test_accuracy,
        learning_rate=rate,
        seconds=time.perf_counter() - started,
    )


def _with_plain_figures(record: EpochRecord, network: nn.Module, data: Resident) -> EpochRecord:
    """The record with the results on training images without dropout and augmentation."""
    loss, accuracy = evaluate(network, sample(data.train, PLAIN_SAMPLE), data.normalisation)
    if _diverged(loss):  # while the test loss has not: the run is valid without these figures
        return record
    return replace(record, plain_train_loss=loss, plain_train_accuracy=accuracy)


def sample(examples: Examples, count: int) -> Examples:
    """`count` of the examples at equal distances, or all; the same ones each time."""
    chosen = torch.linspace(0, len(examples) - 1, min(count, len(examples)), device=examples.images.device).long()
    return Examples(examples.images[chosen], examples.labels[chosen])


def _state(
    network: nn.Module,
    averaged: Average | None,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    history: list[EpochRecord],
    recipe: Recipe,
) -> State:
    return {
        "network": network.state_dict(),
        "averaged": averaged.network.state_dict() if averaged else {},
        "optimizer": optimizer.state_dict(),
        "generator": generator.get_state(),
        "history": [asdict(record) for record in history],
        "learning_rate": recipe.learning_rate,  # the one the range test found, where there was one
    }


def history_of(state: State) -> list[EpochRecord]:
    """The epochs that a saved state stands after. Raises CheckpointError for one that is no state of a run."""
    try:
        records = [EpochRecord(**record) for record in cast(list[dict[str, Any]], state["history"])]
        figures = [figure for record in records for figure in astuple(record) if figure is not None]
        if not all(isinstance(each, int | float) for each in [*figures, state["learning_rate"]]):
            raise TypeError("a figure is no number")
    except (KeyError, TypeError, IndexError) as error:
        raise CheckpointError(f"the state that the run left is none: {short(str(error))}; retry it instead") from None
    return records


def _restore_generator(generator: torch.Generator, state: Tensor, seed: int, epoch: int) -> None:
    """As it was; on another kind of device, whose random numbers are others, anew from the seed and the epoch."""
    if len(state) == len(generator.get_state()):  # each kind has its own: 5,056 bytes on a CPU, 16 on CUDA
        generator.set_state(state)
        return
    random = np.random.SeedSequence([seed % 2**32, epoch]).generate_state(1, np.uint64)
    generator.manual_seed(int(random[0]) % 2**63)
    log.warning("the run goes on on another kind of device (%s): its random numbers are others", generator.device.type)


def _restore(
    state: State,
    recipe: Recipe,
    network: nn.Module,
    averaged: Average | None,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    iterations: int,
) -> tuple[list[EpochRecord], Recipe]:
    """Restore everything from a state; returns the history, and the recipe with the learning rate in use.

    Raises CheckpointError for the state of another network, or for anything else.
    """
    history, saved = history_of(state), cast(dict[str, Any], state)
    here = [dict(group) for group in optimizer.param_groups]
    try:
        network.load_state_dict(saved["network"])
        if averaged:
            averaged.load_state_dict(saved["averaged"], len(history) * iterations)
        optimizer.load_state_dict(saved["optimizer"])
        for group, fresh in zip(
            optimizer.param_groups, here, strict=True
        ):  # not from the state: how the device makes a step
            group.update({name: fresh[name] for name in ("lr", "fused", "capturable") if name in fresh})
        _restore_generator(generator, saved["generator"].cpu(), recipe.seed, len(history))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        if out_of_memory(error):  # which says nothing of the state
            raise
        reason = short(" ".join(str(error).split()))
        raise CheckpointError(f"the run cannot go on from the state that it left: {reason}; retry it instead") from None
    return history, replace(recipe, learning_rate=saved["learning_rate"])
