"""The parts of an iteration: a batch, its loss, the optimizer. The training loop and the range test share them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import TrainingError
from core.training.computing import Computing
from core.training.cpu_kernels import Accelerated
from core.training.evaluation import ends_in
from core.training.muon import MuonAndAdam
from core.training.recipe import SGD, Adadelta, Adam, AdamW, Muon, Recipe, RMSprop
from core.training.resident import Resident, grey, normalised


def forward(compute: Computing, images: Tensor, labels: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Logits (B, 10) and their loss, in float32, computed with the recipe's precision."""
    bf16 = recipe.precision == "bf16"
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16, cache_enabled=False):
        logits = compute(images)
    logits = logits.float()
    network = compute.network if isinstance(compute, Accelerated) else compute
    return logits.detach(), loss_of(logits, labels, recipe, ends_in(network, nn.LogSoftmax))


def allow_tf32(recipe: Recipe) -> None:
    """Allow or forbid, as the recipe says, that an NVIDIA GPU rounds the factors of products to 10 bits."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = recipe.precision == "tf32"


def loss_of(logits: Tensor, labels: Tensor, recipe: Recipe, are_log_probabilities: bool = False) -> Tensor:
    """The mean loss of a batch. Cross-entropy on log-probabilities is their NLL: log-softmax twice is log-softmax.

    So where it is known that they are log-probabilities, there is no second one, which costs two kernels.
    """
    if recipe.loss == "mean_squared_error":
        return F.mse_loss(logits.softmax(1), F.one_hot(labels, logits.shape[1]).to(logits.dtype))
    if are_log_probabilities and not recipe.label_smoothing:
        return F.nll_loss(logits, labels)
    return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over all the network's parameters.

    On CUDA its learning rate and its count of steps are tensors, so that a CUDA graph can use them, and it is one
    kernel where torch has that.
    """
    settings, weights = recipe.optimizer, list(network.parameters())
    device = weights[0].device
    on_gpu = device.type == "cuda"
    rate = torch.tensor(recipe.learning_rate, device=device) if on_gpu else recipe.learning_rate
    fused = on_gpu or None
    match settings:
        case SGD():
            return torch.optim.SGD(weights, lr=rate, **asdict(settings), fused=fused)
        case Adam() | AdamW():
            kind = torch.optim.Adam if isinstance(settings, Adam) else torch.optim.AdamW
            own = asdict(settings)
            betas = (own.pop("beta1"), own.pop("beta2"))
            return kind(weights, lr=rate, betas=betas, **own, fused=fused, capturable=on_gpu)
        case RMSprop():
            return torch.optim.RMSprop(weights, lr=rate, **asdict(settings), capturable=on_gpu)
        case Adadelta():
            return torch.optim.Adadelta(weights, lr=rate, **asdict(settings), capturable=on_gpu)
        case Muon():
            return MuonAndAdam(weights, rate, settings)


def set_rate(optimizer: torch.optim.Optimizer, rate: float, factor: float = 1.0) -> None:
    """Set the learning rate, without waiting for the device; a rate of a group's own is multiplied by the factor."""
    for group in optimizer.param_groups:
        value = group["own_rate"] * factor if "own_rate" in group else rate
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(value)
        else:
            group["lr"] = value


def set_momentum(optimizer: torch.optim.Optimizer, momentum: float) -> None:
    """Set the momentum, or beta1 of an optimizer without one, as torch's schedulers do. A CUDA graph cannot see it."""
    for group in optimizer.param_groups:
        if "momentum" in group:
            group["momentum"] = momentum
        elif "momentum" not in optimizer.param_groups[0]:
            group["betas"] = (momentum, *group["betas"][1:])


def change_gradients(network: nn.Module, recipe: Recipe) -> None:
    """Add the gradient of the L1 penalty, and clip: what a recipe asks for between the backward pass and the step."""
    weights = [each for each in network.parameters() if each.grad is not None]
    if recipe.l1:
        gradients = [each.grad for each in weights if each.grad is not None]
        signs = [each.detach().sign() for each in weights]  # 0 at 0, as the gradient of torch's abs
        torch._foreach_add_(gradients, signs, alpha=recipe.l1)
    if recipe.gradient_clipping and recipe.clip_by == "norm":
        nn.utils.clip_grad_norm_(weights, recipe.gradient_clipping)
    elif recipe.gradient_clipping:
        nn.utils.clip_grad_value_(weights, recipe.gradient_clipping)


def check_smallest_batch(network: nn.Module, data: Resident, recipe: Recipe) -> None:
    """Raises TrainingError for a batch of one image if the network has batch norm on a 1 x 1 map."""
    if min(batch_sizes(len(data.train), recipe.batch_size)) > 1:
        return
    try:
        deepcopy(network).train()(normalised(grey(data.train.images[:1]), data.normalisation))
    except ValueError:
        raise TrainingError(
            f"batch_size {recipe.batch_size:,} leaves a batch of 1 of the {len(data.train):,} images, and batch norm "
            "of a 1 x 1 map needs at least 2 to have a variance; choose another batch size"
        ) from None


def batch_sizes(images: int, batch_size: int) -> list[int]:
    """The sizes of the batches of an epoch; the last one may be smaller."""
    return [min(batch_size, images - start) for start in range(0, images, batch_size)]
