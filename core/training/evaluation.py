"""A network's results on a split: probabilities, loss and accuracy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.training.computing import computing
from core.training.network import evaluating
from core.training.predictions import Predictions
from core.training.resident import Examples, Normalisation, grey, normalised

FEW = 100  # images, for which it is not worth while to prepare a faster way
BATCH = 1_000  # images evaluated at once: large enough to be fast, small enough for a laptop
MAX_BYTES = 80e6  # of one op's output for all of them; of a network with wide maps, fewer images go at once


@torch.no_grad()
def log_probabilities(network: nn.Module, images: Tensor, normalisation: Normalisation) -> Tensor:
    """(N, 10) for images (N, 28, 28) uint8, in evaluation mode; the network is left in the mode it was in.

    The network may end in logits, in log-probabilities or in probabilities.
    """
    compute = computing(network, images.device) if len(images) >= FEW else network
    with evaluating(network):
        parts = [
            log_scores(network, compute(normalised(grey(part), normalisation)))
            for part in images.split(images_at_once(network, images))
        ]
    return torch.cat(parts)


def log_scores(network: nn.Module, outputs: Tensor) -> Tensor:
    """A log-softmax of log-probabilities would give the same once more; one of probabilities would level them."""
    if ends_in(network, nn.Softmax):
        return outputs.clamp(min=torch.finfo(outputs.dtype).tiny).log()
    return outputs if ends_in(network, nn.LogSoftmax) else F.log_softmax(outputs, 1)


def ends_in(network: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether the network's last module is of that kind."""
    return isinstance(next(reversed(list(network.children())), None), kind)


@torch.no_grad()
def images_at_once(network: nn.Module, images: Tensor) -> int:
    """How many of the images (N, 28, 28) to evaluate at once, from the size of the network's largest output."""
    if len(images) <= 1:
        return BATCH
    widest = 1

    def see(_module: nn.Module, _given: object, output: Tensor) -> None:
        nonlocal widest
        widest = max(widest, output.numel())

    handles = [module.register_forward_hook(see) for module in network.modules()]
    try:
        network(grey(images[:1]))
    finally:
        for handle in handles:
            handle.remove()
    return max(1, min(BATCH, int(MAX_BYTES / (4 * widest))))


def evaluate(network: nn.Module, examples: Examples, normalisation: Normalisation) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    scores = log_probabilities(network, examples.images, normalisation)
    hits = (scores.argmax(1) == examples.labels).sum()
    return F.nll_loss(scores, examples.labels).item(), hits.item() / len(examples)


def predict(network: nn.Module, examples: Examples, normalisation: Normalisation) -> Predictions:
    """The probabilities of every image, on the CPU."""
    scores = log_probabilities(network, examples.images, normalisation)
    return Predictions(scores.exp().cpu().numpy(), examples.labels.cpu().numpy())
