"""The three loops of the benchmark train the same thing, and its document has the promised shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.data.mnist import EMBEDDED, load
from core.training.resident import resident
from lab.studies import bench


def test_the_three_loops_count_their_iterations() -> None:
    dataset = load(EMBEDDED)
    data = resident(dataset, bench.recipe_of(bench.NETWORKS[0]), torch.device("cpu"))
    for loop in (
        bench.write_up_loop(bench.NETWORKS[0], dataset, torch.device("cpu"), 0),
        bench.plain_loop(bench.NETWORKS[0], data),
        bench.our_loop(bench.NETWORKS[0], data),
    ):
        assert next(loop) == 1


def test_pil_digits_are_the_images_of_the_array() -> None:
    dataset = load(EMBEDDED)
    digits = bench.PilDigits(dataset, lambda image: torch.tensor(np.asarray(image).tolist()).view(28, 28))
    image, label = digits[5]
    assert torch.equal(image, torch.tensor(dataset.train.images[5]).long())
    assert label == dataset.train.labels[5]
    assert len(digits) == len(dataset.train)


def test_a_ratio_is_of_the_quickest_rounds() -> None:
    timings = tuple(
        bench.Timing(slug, variant, 128, 60_000, seconds)
        for slug in bench.NETWORKS
        for variant, seconds in zip(bench.VARIANTS, ([0.08, 0.09], [0.04, 0.05], [0.02, 0.9]), strict=True)
    )
    done = bench.Bench("cpu", timings, {}, 1.0, 0, 0)
    assert done.ratios[bench.NETWORKS[0]] == (pytest.approx(4), pytest.approx(2))
    assert timings[2].images_per_second == 6400
    assert timings[2].seconds_per_epoch == pytest.approx(9.375)
