"""Activations besides ReLU, with torch's names and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from core.record import Range

Slope = Annotated[float, Range(-10, 10)]
Count = Annotated[int, Range(1, 4096)]


@dataclass(frozen=True)
class LeakyReLU:
    """x above 0, negative_slope * x below."""

    negative_slope: Slope = 0.01


@dataclass(frozen=True)
class PReLU:
    """Leaky ReLU with a learned slope: one, or one for each channel. He et al. 2015, arXiv:1502.01852."""

    num_parameters: Count = 1
    init: Slope = 0.25


@dataclass(frozen=True)
class ReLU6:
    """x between 0 and 6, cut at both ends."""


@dataclass(frozen=True)
class ELU:
    """x above 0, alpha * (exp(x) - 1) below. Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289."""

    alpha: Slope = 1.0


@dataclass(frozen=True)
class SELU:
    """A scaled ELU whose constants keep mean 0 and variance 1. Klambauer et al. 2017, arXiv:1706.02515."""


@dataclass(frozen=True)
class GELU:
    """x times the share of a normal distribution below x. Hendrycks & Gimpel 2016, arXiv:1606.08415."""

    approximate: Literal["none", "tanh"] = "none"


@dataclass(frozen=True)
class SiLU:
    """x * sigmoid(x), also called swish."""


@dataclass(frozen=True)
class Mish:
    """x * tanh(log(1 + exp(x))). Misra 2019, arXiv:1908.08681."""


@dataclass(frozen=True)
class Hardswish:
    """x * ReLU6(x + 3) / 6. Howard et al. 2019, arXiv:1905.02244."""


@dataclass(frozen=True)
class Hardsigmoid:
    """ReLU6(x + 3) / 6."""


@dataclass(frozen=True)
class Softplus:
    """log(1 + exp(x)): a smooth ReLU."""


@dataclass(frozen=True)
class Tanh:
    """The hyperbolic tangent, from -1 to 1."""


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x)), from 0 to 1."""
