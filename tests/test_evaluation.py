"""Accuracy, confusion and mistakes against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.analysis.mistakes import ORDERS, confusion_matrix, mistakes
from core.architecture.spec import Architecture, Conv, GlobalAvgPool, Linear, LogSoftmax, ReLU
from core.training.evaluation import BATCH, MAX_BYTES, evaluate, images_at_once, log_probabilities, predict
from core.training.network import build
from core.training.predictions import Predictions
from core.training.resident import Normalisation
from tests.tiny import PLAIN, TINY, tiny_data

pytestmark = pytest.mark.own_data


def certain(true: int, said: int, confidence: float, true_class: float | None = None) -> tuple[list[float], int]:
    """Ten probabilities with `confidence` for what was said and, where it is wrong, `true_class` for what is true."""
    rest = 1 - confidence - (true_class or 0)
    row = [rest / (9 if true_class is None else 8)] * 10
    row[said] = confidence
    if true_class is not None:
        row[true] = true_class
    return row, true


ROWS = [
    certain(3, 3, 0.9),
    certain(3, 5, 0.6, 0.3),
    certain(7, 1, 0.95, 0.01),
    certain(5, 5, 0.4),
    certain(3, 5, 0.5, 0.1),
    certain(0, 9, 0.8, 0.19),
]
BY_HAND = Predictions(np.array([row for row, _ in ROWS], np.float32), np.array([true for _, true in ROWS]))


def test_accuracy_and_confusion_are_those_of_a_hand_count() -> None:
    assert BY_HAND.accuracy == 2 / 6
    wanted = np.zeros((10, 10), int)
    for true, said, count in ((3, 3, 1), (3, 5, 2), (7, 1, 1), (5, 5, 1), (0, 9, 1)):
        wanted[true, said] = count
    assert (confusion_matrix(BY_HAND) == wanted).all()


@pytest.mark.parametrize(
    ("order", "indices"),
    [
        ("least confident", [4, 1, 5, 2]),
        ("most confident", [2, 5, 1, 4]),
        ("smallest margin", [1, 4, 5, 2]),  # by hand: 0.30, 0.40, 0.61, 0.94
        ("highest entropy", [4, 1, 5, 2]),  # by hand: 2.56, 1.60, 0.81 and 0.44 bits
        ("true class least likely", [2, 4, 5, 1]),
        ("largest loss", [2, 4, 5, 1]),
    ],
)
def test_mistakes_come_in_the_order_asked_for(order: str, indices: list[int]) -> None:
    assert mistakes(BY_HAND, order).tolist() == indices  # type: ignore[arg-type]


def test_the_confusion_matrix_of_many_predictions_is_that_of_a_loop() -> None:
    random = np.random.default_rng(1)
    probabilities = random.dirichlet(np.ones(10), 500).astype(np.float32)
    labels = random.integers(0, 10, 500)
    wanted = np.zeros((10, 10), int)
    for row, true in zip(probabilities, labels, strict=True):
        wanted[true, row.argmax()] += 1
    predictions = Predictions(probabilities, labels)
    matrix = confusion_matrix(predictions)
    assert (matrix == wanted).all()
    assert matrix.trace() / 500 == predictions.accuracy
    for order in ORDERS:
        assert len(mistakes(predictions, order)) == 500 - matrix.trace()
        assert (predictions.predicted[mistakes(predictions, order)] != labels[mistakes(predictions, order)]).all()


def test_a_network_without_mistakes_has_none_in_any_order() -> None:
    right = Predictions(np.eye(10, dtype=np.float32), np.arange(10))
    assert all(len(mistakes(right, order)) == 0 for order in ORDERS)


@pytest.mark.parametrize("architecture", [PLAIN, TINY, Architecture("log", (*PLAIN.ops, LogSoftmax()))])
def test_probabilities_are_the_softmax_of_what_the_network_says_in_evaluation_mode(architecture: Architecture) -> None:
    network, data = build(architecture, 1), tiny_data()
    with torch.no_grad():
        logits = network.eval()((data.test.images[:, None] / 255 - 0.1307) / 0.3081)
    network.train()
    predictions = predict(network, data.test, data.normalisation)
    assert network.training
    torch.testing.assert_close(torch.tensor(predictions.probabilities), logits.softmax(1))
    loss, accuracy = evaluate(network, data.test, data.normalisation)
    assert loss == pytest.approx(F.cross_entropy(logits, data.test.labels).item(), rel=1e-5)
    assert accuracy == pytest.approx(predictions.accuracy)
    assert (predictions.confidence == predictions.probabilities.max(1)).all()


def test_evaluating_leaves_no_gradient_and_no_statistic_behind() -> None:
    network = build(TINY, 1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    scores = log_probabilities(network, tiny_data().test.images, Normalisation())
    assert not scores.requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_margin_and_entropy_are_those_worked_out_by_hand() -> None:
    half, sure, even = [0.5, 0.5] + [0.0] * 8, [0.0] * 9 + [1.0], [0.1] * 10
    predictions = Predictions(np.array([half, sure, even], np.float32), np.array([0, 9, 4]))
    np.testing.assert_allclose(predictions.margin, [0, 1, 0], atol=1e-7)
    np.testing.assert_allclose(predictions.entropy, [1, 0, np.log2(10)], atol=1e-6)
    np.testing.assert_allclose(BY_HAND.margin, [0.9 - 0.1 / 9, 0.3, 0.94, 0.4 - 0.6 / 9, 0.4, 0.61], atol=1e-3)


def test_entropy_is_that_of_scipy() -> None:
    from scipy.stats import entropy

    probabilities = np.random.default_rng(2).dirichlet(np.full(10, 0.1), 300).astype(np.float32)
    predictions = Predictions(probabilities, np.zeros(300, np.int64))
    np.testing.assert_allclose(predictions.entropy, entropy(probabilities, base=2, axis=1), atol=1e-5)


def test_of_a_network_with_wide_maps_fewer_images_go_at_once_and_come_to_the_same() -> None:
    wide = build(Architecture("wide", (Conv(2_000, 1), ReLU(), GlobalAvgPool(), Linear(10))), 0).eval()
    images = torch.randint(0, 256, (40, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    at_once = images_at_once(wide, images)
    assert 4 * at_once * 2_000 * 28 * 28 <= MAX_BYTES < 4 * (at_once + 1) * 2_000 * 28 * 28
    whole = wide((images.unsqueeze(1) / 255 - 0.1307) / 0.3081).log_softmax(1)
    torch.testing.assert_close(log_probabilities(wide, images, Normalisation()), whole, atol=1e-5, rtol=1e-4)
    assert images_at_once(build(TINY, 0), images) == BATCH
