"""Squeeze-and-excite in an ONNX graph: maps times what two small layers make of their means."""

from __future__ import annotations

import numpy as np

from core.architecture import activations, spec
from core.architecture.spec import Op
from core.importing.onnx_link import Array, Flow, add, is_before, path_between


def squeeze_excite(first: Flow, second: Flow, place: str) -> Flow | None:
    """The product of two flows as one op; None where neither is such a gate of the other."""
    for maps, gate in ((first, second), (second, first)):
        if not is_before(maps.link, gate.link) or len(maps.link.shape) != 3:
            continue
        path = [link for link in path_between(maps.link, gate.link) if not isinstance(link.op, spec.Flatten)]
        match [link.op for link in path]:
            case [spec.GlobalAvgPool(), squeeze, spec.ReLU(), excite, activations.Sigmoid()] if _is_dense(
                squeeze
            ) and _is_dense(excite):
                weights = dict[str, Array]()
                for name, link in (("fc1", path[1]), ("fc2", path[3])):
                    out = link.shape[0]
                    weights[f"{name}.weight"] = link.weights["weight"].reshape(out, -1, 1, 1)
                    weights[f"{name}.bias"] = link.weights.get("bias", np.zeros(out, np.float32))
                return add(maps, spec.SqueezeExcite(path[1].shape[0]), place, weights)
    return None


def _is_dense(op: Op | None) -> bool:
    return isinstance(op, spec.Linear) or (isinstance(op, spec.Conv) and op.kernel_size == 1)
