"""Functions of single values in an ONNX graph, told by their values: exporters write SiLU, GELU or Mish in many ways.

A function is carried along as its values at the points of a grid. When an op takes it, it is compared with every
activation that the lab has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy import special

from core.architecture import activations, spec
from core.architecture.spec import Op

Numbers = NDArray[np.float64]

GRID: Numbers = np.concatenate([np.linspace(-8, 8, 641), [-40.0, -15.0, 15.0, 40.0]])
CLOSE = 2e-6  # constants in a file are float32


def _softplus(x: Numbers) -> Numbers:
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def _elu(x: Numbers, alpha: float) -> Numbers:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x: Numbers) -> Numbers:
    return np.asarray(x / 2 * (1 + special.erf(x / np.sqrt(2))))


def _tanh_gelu(x: Numbers) -> Numbers:
    found: Numbers = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return found


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

FIXED: tuple[tuple[Op, Callable[[Numbers], Numbers]], ...] = (
    (spec.ReLU(), lambda x: np.maximum(x, 0)),
    (activations.ReLU6(), lambda x: np.clip(x, 0, 6)),
    (activations.Sigmoid(), special.expit),
    (activations.Tanh(), np.tanh),
    (activations.SiLU(), lambda x: x * special.expit(x)),
    (activations.Mish(), lambda x: x * np.tanh(_softplus(x))),
    (activations.GELU(), _gelu),
    (activations.GELU("tanh"), _tanh_gelu),
    (activations.Hardswish(), lambda x: x * np.clip(x + 3, 0, 6) / 6),
    (activations.Hardsigmoid(), lambda x: np.clip(x + 3, 0, 6) / 6),
    (activations.Softplus(), _softplus),
    (activations.SELU(), lambda x: SELU_SCALE * _elu(x, SELU_ALPHA)),
)


def activation(curve: Numbers) -> Op | None:
    """The activation whose values these are; None for no one that the lab has."""
    at = {point: float(curve[np.argmin(abs(GRID - point))]) for point in (-40.0, -1.0)}
    slope = float(f"{-at[-1.0]:.6g}")
    alpha = float(f"{-at[-40.0]:.6g}")
    guessed: Iterator[tuple[Op, Numbers]] = chain(
        ((activations.LeakyReLU(slope), np.where(GRID > 0, GRID, slope * GRID)),) if abs(slope) <= 10 else (),
        ((activations.ELU(alpha), _elu(GRID, alpha)),) if abs(alpha) <= 10 else (),
    )
    with np.errstate(all="ignore"):
        for op, values in chain(((op, function(GRID)) for op, function in FIXED), guessed):
            if same(curve, values):
                return op
    return None


def same(curve: Numbers, values: Numbers) -> bool:
    """Whether two functions are one; a function that is not a number anywhere is like no other."""
    return bool((abs(curve - values) <= CLOSE * (1 + abs(values) + abs(GRID))).all())


def line(curve: Numbers) -> tuple[float, float] | None:
    """Factor and shift of a straight line; None for any other function."""
    shift = float(curve[np.argmin(abs(GRID))])
    factor = float(curve[np.argmin(abs(GRID - 1))]) - shift
    return (factor, shift) if np.isfinite(factor) and same(curve, factor * GRID + shift) else None


def unary(kind: str, attributes: Mapping[str, object]) -> Callable[[Numbers], Numbers] | None:
    """ONNX's function of that name; None for a name that is none of single values."""
    return _functions(kind, attributes).get(kind)


def _functions(kind: str, attributes: Mapping[str, object]) -> dict[str, Callable[[Numbers], Numbers]]:
    """Every function of single values; with the attributes of a node of that kind."""

    def number(name: str, default: float) -> float:
        value = attributes.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    alpha = number("alpha", {"LeakyRelu": 0.01, "HardSigmoid": 0.2, "Selu": SELU_ALPHA}.get(kind, 1.0))
    return {
        "Relu": lambda x: np.maximum(x, 0),
        "LeakyRelu": lambda x: np.where(x > 0, x, alpha * x),
        "Elu": lambda x: _elu(x, alpha),
        "Celu": lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
        "Selu": lambda x: number("gamma", SELU_SCALE) * _elu(x, alpha),
        "Sigmoid": special.expit,
        "HardSigmoid": lambda x: np.clip(alpha * x + number("beta", 0.5), 0, 1),
        "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        "Softplus": _softplus,
        "Softsign": lambda x: x / (1 + abs(x)),
        "Mish": lambda x: x * np.tanh(_softplus(x)),
        "Gelu": _tanh_gelu if attributes.get("approximate") == "tanh" else _gelu,
        "Swish": lambda x: x * special.expit(alpha * x),
        "Tanh": np.tanh,
        "Erf": special.erf,
        "Exp": np.exp,
        "Log": np.log,
        "Sqrt": np.sqrt,
        "Abs": np.abs,
        "Neg": np.negative,
        "Reciprocal": lambda x: 1 / x,
        "Sin": np.sin,
        "Cos": np.cos,
    }


BINARY: dict[str, Callable[[Numbers, Numbers], Numbers]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Max": np.maximum,
    "Min": np.minimum,
    "Greater": lambda x, y: np.where(x > y, 1.0, 0.0),
    "GreaterOrEqual": lambda x, y: np.where(x >= y, 1.0, 0.0),
    "Less": lambda x, y: np.where(x < y, 1.0, 0.0),
    "LessOrEqual": lambda x, y: np.where(x <= y, 1.0, 0.0),
}


CURVES = (*_functions("", {}), "Clip")  # the names of all of them
