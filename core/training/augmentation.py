"""Random changes of the training images, as data; `core.training.augment` makes them. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from core.record import Range

Share = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class Jitter:
    """One random change: its strength (units are in Augmentation) and how often it is applied."""

    strength: Annotated[float, Range(0, 180)] = 0.0
    probability: Share = 1.0


@dataclass(frozen=True)
class Zoom:
    """torchvision's RandomResizedCrop: a part of the image fills all of it. Strength 0.2: 80 to 100% of the area."""

    strength: Share = 0.0  # the largest share of the area that is lost
    probability: Share = 1.0
    ratio: Annotated[float, Range(1, 10)] = 4 / 3  # width to height is 1 / ratio to ratio


@dataclass(frozen=True)
class Elastic:
    """torchvision's ElasticTransform: each pixel is read beside its place, near ones in the same direction."""

    strength: Annotated[float, Range(0, 1000)] = 0.0  # torchvision's alpha, 50 there
    probability: Share = 1.0
    sigma: Annotated[float, Range(0.1, 6.5)] = 5.0  # pixels: how far the direction stays the same


@dataclass(frozen=True)
class Erasing:
    """torchvision's RandomErasing (Zhong et al. 2017, arXiv:1708.04896): a rectangle of one grey level."""

    strength: Share = 0.0  # the largest share of the area that is erased, torchvision's scale[1], 0.33 there
    probability: Share = 0.5
    least: Share = 0.02  # share of the area, torchvision's scale[0]
    least_ratio: Annotated[float, Range(0.01, 100)] = 0.3  # height to width
    most_ratio: Annotated[float, Range(0.01, 100)] = 3.3
    value: Share = 0.0  # grey level, before the normalisation


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the training images.

    Rule "composed": all amounts are continuous, and each image is resampled once for all its changes. Rule
    "torchvision": the translation and the corners of a perspective move by whole pixels; the perspective comes first
    with a resampling of its own, exactly like RandomPerspective and then RandomAffine; zoom and elastic follow, each
    with its own.
    """

    rotation: Jitter = Jitter()  # degrees, uniform in +- strength
    translation: Jitter = Jitter()  # share of the side, uniform in +- strength, each axis
    scale: Jitter = Jitter()  # factor uniform in 1 +- strength
    shear: Jitter = Jitter()  # degrees, uniform in +- strength, along the rows
    perspective: Jitter = Jitter()  # torchvision's distortion_scale, 0 to 1
    brightness: Jitter = Jitter()  # factor uniform in 1 +- strength
    contrast: Jitter = Jitter()  # factor uniform in 1 +- strength, around the image's mean
    crop: Jitter = Jitter()  # RandomCrop with a padding of this share of the side, rounded to whole pixels
    zoom: Zoom = Zoom()
    elastic: Elastic = Elastic()
    erasing: Erasing = Erasing()
    fill: Share = 0.0  # grey level outside the image: 0 black, 1 white
    padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = "constant"  # constant: the fill
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    rule: Literal["composed", "torchvision"] = "composed"

    @property
    def geometric(self) -> bool:
        """Whether any image is resampled."""
        return any(map(self.has, GEOMETRIC))

    @property
    def photometric(self) -> bool:
        """Whether any grey level is changed, or erased."""
        return any(self.has(name) for name in MAX_STRENGTH if name not in GEOMETRIC)

    @property
    def changes(self) -> bool:
        """Whether any image is ever changed."""
        return self.geometric or self.photometric

    def has(self, name: str) -> bool:
        """Whether a change of this name is ever made."""
        change: Jitter | Zoom | Elastic | Erasing = getattr(self, name)
        return change.strength > 0 and change.probability > 0


# The largest value of each strength: with more, images turn inside out or vanish.
MAX_STRENGTH = {
    "rotation": 180.0,
    "translation": 0.5,
    "scale": 0.9,
    "shear": 60.0,
    "perspective": 1.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "crop": 0.5,
    "zoom": 0.95,
    "elastic": 1000.0,
    "erasing": 0.9,
}
GEOMETRIC = ("rotation", "translation", "scale", "shear", "perspective", "crop", "zoom", "elastic")
