"""What a network makes of a split: probabilities, loss and accuracy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.mistakes import Predictions
from core.network import lay_out
from core.resident import Examples, Normalisation, grey, normalised

BATCH = 1_000  # images evaluated at once: large enough to be fast, small enough for a laptop


@torch.no_grad()
def log_probabilities(network: nn.Module, images: Tensor, normalisation: Normalisation) -> Tensor:
    """(N, 10) for images (N, 28, 28) uint8, in evaluation mode; the network is left in the mode it was in."""
    was_training = network.training
    lay_out(network, images.device)
    network.eval()
    parts = [F.log_softmax(network(normalised(grey(part), normalisation)), 1) for part in images.split(BATCH)]
    network.train(was_training)
    return torch.cat(parts)


def evaluate(network: nn.Module, examples: Examples, normalisation: Normalisation) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    scores = log_probabilities(network, examples.images, normalisation)
    hits = (scores.argmax(1) == examples.labels).sum()
    return F.nll_loss(scores, examples.labels).item(), hits.item() / len(examples)


def predict(network: nn.Module, examples: Examples, normalisation: Normalisation) -> Predictions:
    """The probabilities of every image, on the CPU."""
    scores = log_probabilities(network, examples.images, normalisation)
    return Predictions(scores.exp().cpu().numpy(), examples.labels.cpu().numpy())
