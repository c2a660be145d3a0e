"""How long a run is expected to take: from the run before it that cost most nearly as much, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.architecture.json_form import architecture_to_json
from core.architecture.spec import Architecture, Conv, Flatten, GlobalAvgPool
from core.architecture.trace import classifier
from core.data.mnist import EMBEDDED
from core.training.recipe import Recipe, recipe_to_json
from lab.runs.expectation import jobs_of, on, seconds_per_batch
from lab.runs.rows import Speed, new_run
from lab.runs.store import RunStore
from tests.tiny import TINY

pytestmark = pytest.mark.own_data

RECIPE = Recipe(epochs=2, batch_size=100)
BATCHES = 15  # of 100, of the 1,437 embedded training digits


def network(width: int) -> Architecture:
    """One convolution: 26 * 26 * 9 * width multiplications, and ten times the width of those on its map."""
    return Architecture("made", (Conv(width, 3), Conv(10, 1), GlobalAvgPool(), Flatten()))


def speed(width: int, seconds: float, batch_size: int = 100) -> Speed:
    recipe = replace(RECIPE, batch_size=batch_size)
    return Speed(architecture_to_json(network(width)), recipe_to_json(recipe), EMBEDDED, seconds)


def test_the_run_before_that_cost_most_nearly_as_much_is_taken_and_scaled() -> None:
    assert classifier(network(8)).macs == 2 * classifier(network(4)).macs
    near, far = speed(4, 15.0), speed(64, 1.5)  # the far one was measured on a faster device, say
    for order in ([near, far], [far, near]):
        assert seconds_per_batch(network(4), RECIPE, order) == pytest.approx(15.0 / BATCHES)
        assert seconds_per_batch(network(8), RECIPE, order) == pytest.approx(2 * 15.0 / BATCHES)
        assert seconds_per_batch(network(64), RECIPE, order) == pytest.approx(1.5 / BATCHES)
        assert seconds_per_batch(network(32), RECIPE, order) == pytest.approx(0.5 * 1.5 / BATCHES)


def test_nearness_is_a_ratio_not_a_difference() -> None:
    """16 is 4 times 4 and a quarter of 64, as near to one as to the other; 20 is nearer to 64, by its ratio alone."""
    assert seconds_per_batch(network(20), RECIPE, [speed(4, 15.0), speed(64, 1.5)]) == pytest.approx(
        20 / 64 * 1.5 / BATCHES
    )


def test_a_batch_of_twice_as_many_images_costs_twice_as_much() -> None:
    once = seconds_per_batch(network(4), RECIPE, [speed(4, 15.0)])
    twice = seconds_per_batch(network(4), replace(RECIPE, batch_size=200), [speed(4, 15.0)])
    assert twice == pytest.approx(2 * once)


def test_a_processor_says_nothing_of_a_gpu() -> None:
    here = [replace(speed(4, 15.0), device_name=name) for name in ("cpu", "cuda: NVIDIA H200", "Ray: cpu", "")]
    assert [[each.device_name for each in on(kind, here)] for kind in ("cpu", "cuda", "mps", "ray")] == [
        ["cpu", ""],
        ["cuda: NVIDIA H200", ""],
        [""],
        ["Ray: cpu", ""],
    ]
    assert on("auto", here) == here, "no machine is known yet"


def test_nothing_is_expected_before_a_run_has_been_measured() -> None:
    assert seconds_per_batch(network(4), RECIPE, []) == 0.0


def test_the_seeds_of_a_group_are_one_job(store: RunStore) -> None:
    group = store.submit(new_run(TINY, RECIPE, EMBEDDED), seeds=(1, 2))
    (single,) = store.submit(new_run(TINY, RECIPE, EMBEDDED))
    assert jobs_of([group[0], single, group[1]]) == {group[0].job: group, single.id: [single]}


@pytest.fixture
def store(home: object) -> RunStore:
    from lab.settings import lab_home

    return RunStore(lab_home())
