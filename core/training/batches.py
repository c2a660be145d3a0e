"""The batches of an epoch, or of a range test: gathered, augmented and normalised, on the device."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from core.training.augment import augment
from core.training.augmentation import Augmentation
from core.training.resident import Resident, grey, normalised

PART = 16_384  # images that a GPU makes at once: 51 MB of them


def batches(
    data: Resident,
    order: Tensor,
    batch_size: int,
    augmentation: Augmentation,
    generator: torch.Generator,
    at_once: int | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Training images as the network sees them, (B, 1, 28, 28), and their labels (B,), in the `order` (N,) of indices.

    `at_once` images, a multiple of the batch size, are made when the first of them is asked for.
    """
    at_once = at_once or made_at_once(data.device, batch_size)
    for chosen in order.split(at_once):
        images = augment(grey(data.train.images.index_select(0, chosen)), augmentation, generator)
        labels = data.train.labels.index_select(0, chosen)
        yield from zip(normalised(images, data.normalisation).split(batch_size), labels.split(batch_size), strict=True)


def made_at_once(device: torch.device, batch_size: int) -> int:
    """On a CPU one batch, which stays in its cache. A GPU needs longer to start a hundred kernels than to run them on a
    batch: there it is many batches at once, of which each is then a slice.
    """
    return batch_size if device.type == "cpu" else max(1, PART // batch_size) * batch_size
