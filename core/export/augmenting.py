"""The part of a training script that changes the images: a recipe's augmentation in torchvision's transforms."""

from __future__ import annotations

from collections.abc import Iterator

from core.export.section import Section, Subject, literal
from core.training.recipe import Augmentation

SIDE = 28
MARGIN = 14  # pixels on each side of an image whose border is not of one grey: half its side, as far as it can move
RESAMPLING = ("RandomAffine", "RandomRotation", "RandomPerspective", "RandomResizedCrop", "ElasticTransform")
AFFINE = ("shear", "scale", "rotation", "translation")  # in the order in which they happen


def augmenting(subject: Subject) -> Section:
    """The section that makes `augment`, for one image (1, 28, 28) of grey levels from 0 to 1."""
    changes = list(_changes(subject.recipe.augmentation))
    if len(changes) == 1:
        code = f"augment = {changes[0]}"
    else:
        code = "\n".join(["augment = v2.Compose([", *(f"    {each}," for each in changes), "])"])
    for name in ("BILINEAR", "NEAREST"):
        if f"={name}" in code:
            code = f"{name} = v2.InterpolationMode.{name}\n\n{code}"
    plain = subject.recipe.plain_epochs
    last = f" The last {plain} epochs train on the images as they are." if plain else ""
    return Section("Augmentation", f"Each time an image is used, it is changed at random.{last}", code)


def _changes(of: Augmentation) -> Iterator[str]:
    first, then = [*_affine(of), *_crop(of)], list(_perspective(of))
    moves = [*then, *first] if of.rule == "torchvision" else [*first, *then]
    yield from _within_border(of, moves) if len(moves) > len(list(_crop(of))) else moves
    if of.has("zoom"):
        ratio = f"({1 / of.zoom.ratio:.4g}, {of.zoom.ratio:.4g})"
        zoom = f"v2.RandomResizedCrop({SIDE}, scale=({1 - of.zoom.strength:.6g}, 1), ratio={ratio}{_nearest(of)})"
        yield _sometimes(zoom, of.zoom.probability)
    if of.has("elastic"):
        alpha, sigma = (float(each) for each in (of.elastic.strength, of.elastic.sigma))
        elastic = f"v2.ElasticTransform({alpha}, {sigma}{_nearest(of)}{_fill(of)})"
        yield from _within_border(of, [_sometimes(elastic, of.elastic.probability)])
    for name in ("brightness", "contrast"):
        if of.has(name):
            jitter = getattr(of, name)
            yield _sometimes(f"v2.ColorJitter({name}={jitter.strength:.6g})", jitter.probability)
    if of.has("erasing"):
        erased = of.erasing
        yield (
            f"v2.RandomErasing({erased.probability}, scale=({erased.least}, {erased.strength}), "
            f"ratio=({erased.least_ratio}, {erased.most_ratio}), value={erased.value})"
        )


def _within_border(of: Augmentation, moves: list[str]) -> list[str]:
    """The changes of an image that goes on beyond its sides, where it does: these transforms know only a grey there."""
    if of.padding_mode == "constant":
        return moves
    return [f"v2.Pad({MARGIN}, padding_mode={literal(of.padding_mode)})", *moves, f"v2.CenterCrop({SIDE})"]


def _side(of: Augmentation) -> int:
    """Pixels of the side of an image that is moved, with its border."""
    bordered = of.padding_mode != "constant" and any(map(of.has, (*AFFINE, "perspective")))
    return SIDE + 2 * MARGIN if bordered else SIDE


def _crop(of: Augmentation) -> Iterator[str]:
    if of.has("crop"):
        border = _fill(of) if of.padding_mode == "constant" else f", padding_mode={literal(of.padding_mode)}"
        crop = f"v2.RandomCrop({_side(of)}, padding={round(SIDE * of.crop.strength)}{border})"
        yield _sometimes(crop, of.crop.probability)


def _perspective(of: Augmentation) -> Iterator[str]:
    if of.has("perspective"):
        amounts = f"{of.perspective.strength:.6g}, p={of.perspective.probability:.6g}"
        yield f"v2.RandomPerspective({amounts}{_nearest(of)}{_fill(of)})"


def _affine(of: Augmentation) -> Iterator[str]:
    """One transform for all of them; one for each, where one of them happens only sometimes."""
    there = [name for name in AFFINE if of.has(name)]
    bilinear = ", interpolation=BILINEAR" if of.interpolation == "bilinear" else ""
    together = all(getattr(of, name).probability == 1 for name in there)
    for names in [there] if together and there else [[name] for name in there]:
        if names == ["rotation"]:
            made = f"v2.RandomRotation({of.rotation.strength:.6g}{bilinear}{_fill(of)})"
        else:
            made = f"v2.RandomAffine({_amounts(of, names)}{bilinear}{_fill(of)})"
        yield _sometimes(made, min(getattr(of, name).probability for name in names))


def _amounts(of: Augmentation, names: list[str]) -> str:
    amounts = [f"degrees={of.rotation.strength:.6g}" if "rotation" in names else "degrees=0"]
    if "translation" in names:
        share = f"{of.translation.strength * SIDE / _side(of):.6g}"
        amounts.append(f"translate=({share}, {share})")
    if "scale" in names:
        amounts.append(f"scale=({1 - of.scale.strength:.6g}, {1 + of.scale.strength:.6g})")
    if "shear" in names:
        amounts.append(f"shear={of.shear.strength:.6g}")
    return ", ".join(amounts)


def _fill(of: Augmentation) -> str:
    """The grey of what comes in from outside; the write-ups' is 1 of 255."""
    if not of.fill:
        return ""
    level = 255 * of.fill
    return f", fill={round(level)} / 255" if abs(level - round(level)) < 1e-9 else f", fill={of.fill!r}"


def _nearest(of: Augmentation) -> str:
    return ", interpolation=NEAREST" if of.interpolation == "nearest" else ""


def _sometimes(transform: str, probability: float) -> str:
    return transform if probability == 1 else f"v2.RandomApply([{transform}], p={probability:.6g})"


def differences(of: Augmentation) -> list[str]:
    """What torchvision's transforms do in another way than the lab, a sentence each."""
    found = []
    moves = [name for name in (*AFFINE, "perspective", "zoom", "elastic") if of.has(name)]
    steps = sum(any(kind in each for kind in RESAMPLING) for each in _changes(of))
    in_the_lab = 1
    if of.rule == "torchvision":
        in_the_lab = any(map(of.has, AFFINE)) + sum(map(of.has, ("perspective", "zoom", "elastic")))
    elif whole := [name for name in ("translation", "perspective") if of.has(name)]:
        found.append(f"{' and '.join(whole).capitalize()}: by whole pixels here, in the lab by parts of pixels too.")
    if steps > in_the_lab:
        found.append(f"{', '.join(moves).capitalize()}: {steps} resamplings of an image here, {in_the_lab} in the lab.")
    if of.padding_mode != "constant" and (_side(of) > SIDE or of.has("elastic")):
        found.append(f"The border goes on for {MARGIN} pixels here, then comes black; in the lab it goes on for ever.")
        if of.has("perspective"):
            found.append("Perspective moves the corners of the image with its border, in the lab those of the image.")
    return found
