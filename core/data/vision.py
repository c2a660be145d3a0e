"""torchvision, importable beside a CPU-only torch.

PyPI's torchvision wheel is built for CUDA. Beside a torch without it, its extension does not load, and the import then
fails with `operator torchvision::nms does not exist`, because torchvision registers fake kernels for ops that are not
declared. So this module declares them first; the lab uses none of them. Import torchvision from this module.
"""

from __future__ import annotations

from torch import library

_declared: list[library.Library] = []  # the declarations last as long as their Library


def _declare_missing_ops() -> None:
    for schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        fragment = library.Library("torchvision", "FRAGMENT")
        fragment.define(schema)
        _declared.append(fragment)


try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    _declare_missing_ops()
    import torchvision

__all__ = ["torchvision"]
