"""The optimizers as data, with torch's names and defaults; `core.training.step` makes them. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from core.record import Range

Share = Annotated[float, Range(0, 1)]
Momentum = Annotated[float, Range(0, 0.9999)]
Rate = Annotated[float, Range(0, 100)]
Epsilon = Annotated[float, Range(1e-16, 1)]  # added to a denominator


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum."""

    momentum: Momentum = 0.9
    nesterov: bool = False
    weight_decay: Share = 0.0
    dampening: Share = 0.0  # of the gradient that goes into the momentum


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015, arXiv:1412.6980. Weight decay is added to the gradient."""

    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    weight_decay: Share = 0.0
    eps: Epsilon = 1e-8
    amsgrad: bool = False


@dataclass(frozen=True)
class AdamW:
    """Loshchilov & Hutter 2019, arXiv:1711.05101. Weight decay shrinks the weights directly."""

    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    weight_decay: Share = 0.01
    eps: Epsilon = 1e-8
    amsgrad: bool = False


@dataclass(frozen=True)
class RMSprop:
    """Tieleman & Hinton 2012, lecture 6.5 of their course: the gradient over the root of its mean square."""

    alpha: Momentum = 0.99  # of the mean square
    momentum: Momentum = 0.0
    centered: bool = False  # over the standard deviation instead
    weight_decay: Share = 0.0
    eps: Epsilon = 1e-8


@dataclass(frozen=True)
class Adadelta:
    """Zeiler 2012, arXiv:1212.5701. It finds the size of its steps itself: a learning rate of 1 changes nothing."""

    rho: Momentum = 0.9  # of the mean squares
    weight_decay: Share = 0.0
    eps: Epsilon = 1e-6


@dataclass(frozen=True)
class Muon:
    """Jordan 2024, kellerjordan.github.io/posts/muon: the momentum of a convolution's weights, as a matrix
    (out, rest), is made orthogonal before each step.

    All other weights train by Adam, with torch's defaults and a rate of its own, which the schedule scales likewise.
    Weight decay shrinks the weights of convolutions directly.
    """

    momentum: Momentum = 0.95
    nesterov: bool = True
    weight_decay: Share = 0.1
    ns_steps: Annotated[int, Range(1, 20)] = 5  # of Newton and Schulz's iteration
    adam_learning_rate: Rate = 0.001


Optimizer = SGD | Adam | AdamW | RMSprop | Adadelta | Muon
