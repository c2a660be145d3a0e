"""The spellings that people have for augmentation: torchvision's transforms, Keras's ranges, numbers. No torch."""

from __future__ import annotations

from dataclasses import fields

from core.errors import RecipeError
from core.record import Json, short
from core.training.augmentation import MAX_STRENGTH, Augmentation
from core.training.spelling import Fields, is_off, number, pair, part, put, renamed, spellings, squashed

SIDE = 28  # pixels of a digit
PLACE = "recipe: augmentation"
CHANGES = spellings(
    (field.name for field in fields(Augmentation)),
    {
        "rotation": "rotate random_rotation rotation_range degrees",
        "translation": "translate shift random_translation random_shift",
        "scale": "random_scale zoom_range random_zoom scaling",
        "shear": "shear_range random_shear",
        "perspective": "random_perspective",
        "brightness": "random_brightness brightness_range",
        "contrast": "random_contrast contrast_range",
        "crop": "random_crop",
        "zoom": "random_resized_crop resized_crop",
        "elastic": "elastic_transform elastic_deformation random_elastic",
        "erasing": "random_erasing erase random_erase cutout",
        "fill": "cval fill_value",
        "padding_mode": "fill_mode border border_mode pad_mode",
        "interpolation": "resample",
        "affine": "random_affine",
        "jitter": "color_jitter colour_jitter",
        "normalize": "normalize normalise",
        "width_shift": "width_shift_range",
        "height_shift": "height_shift_range",
    },
)
STRENGTH = spellings(
    ("strength", "probability"),
    {"probability": "p prob", "strength": "amount max degrees distortion_scale alpha magnitude range factor limit"},
)
OF_ONE = {
    "erasing": spellings(("strength", "least", "value", "scale", "ratio"), {"probability": "probability p prob"}),
    "zoom": spellings(("strength", "scale", "ratio", "size"), {"probability": "probability p prob"}),
    "crop": STRENGTH | spellings(("padding", "size", "padding_mode", "fill"), {"padding": "pad"}),
    "translation": STRENGTH | {"translate": "strength"},
    "scale": STRENGTH | {"scale": "strength"},
    "shear": STRENGTH | {"shear": "strength"},
    "brightness": STRENGTH | {"brightness": "strength"},
    "contrast": STRENGTH | {"contrast": "strength"},
}
BY_NAME: dict[str, Fields] = {  # what a transform of torchvision does that is given without arguments
    "randomerasing": {"strength": 0.33},
    "randomperspective": {"strength": 0.5, "probability": 0.5},
    "elastictransform": {"strength": 50},
    "randomresizedcrop": {"strength": 0.92},
}
PADDING = {"zeros": "constant", "border": "edge", "replicate": "edge", "nearest": "edge", "reflection": "symmetric"}
NOTHING = ("totensor", "compose", "topilimage", "grayscale", "toimage", "todtype", "resize", "none", "identity")


def plain_augmentation(recipe: Fields) -> None:
    """The recipe's augmentation by the lab's names; a Normalize in it becomes the recipe's normalisation."""
    given = recipe.get("augmentation")
    if "augmentation" in recipe and is_off(given):
        del recipe["augmentation"]
        return
    if isinstance(given, str) or (isinstance(given, dict) and isinstance(given.get("name"), str)):
        given = [given]
    if isinstance(given, list):
        given = _from_list(given)
    if not isinstance(given, dict):
        return
    found: Fields = {}
    for written, value in given.items():
        name = CHANGES.get(squashed(written), written)
        if squashed(written) in NOTHING:
            continue
        if name in ("affine", "jitter") and isinstance(value, dict):
            for key, each in value.items():
                if squashed(key) not in ("name", "saturation", "hue"):  # grey images have none
                    _take(found, recipe, CHANGES.get(squashed(key), key), each, f"{written}: {key}")
        else:
            _take(found, recipe, name, value, written)
    recipe["augmentation"] = found


def _from_list(listed: list[Json]) -> Fields:
    """A list of transforms as one object. Raises RecipeError for one that comes twice, or has no name.

    They are torchvision's, or Keras's: torchvision's fill is a grey level of the image that a transform gets, a whole
    number up to 255 as long as ToTensor has not run, and its rotations take the nearest pixel.
    """
    found: Fields = {}
    most = 255.0
    for each in listed:
        if isinstance(each, list):  # a Compose within the list
            for key, value in _from_list(each).items():
                put(found, key, value, PLACE, key)
            continue
        fields_of = part(each, PLACE)
        if not isinstance(fields_of, dict) or not isinstance(name := fields_of.pop("name", None), str):
            raise RecipeError(f"{PLACE}: {short(each)} has no name, such as RandomRotation")
        if squashed(name) in ("totensor", "todtype"):
            most = 1.0
        if "fill" in fields_of:
            fields_of["fill"] = _share(fields_of["fill"], most)
        if squashed(name) in ("randomrotation", "randomaffine") and "factor" not in fields_of:  # Keras's has a factor
            fields_of.setdefault("interpolation", "nearest")
        if squashed(name) in ("randomperspective", "randomaffine"):
            found["rule"] = "torchvision"
        if squashed(name) == "imagedatagenerator":  # Keras's: its arguments are the changes
            for key, value in fields_of.items():
                put(found, key, value, PLACE, key)
        else:
            put(found, name, fields_of, PLACE, name)
    return found


def _share(value: Json, most: float) -> Json:
    """A grey level, or the one in a list, as a share of the largest; a fraction is one already."""
    alone = value[0] if isinstance(value, list) and len(value) == 1 else value
    level = number(alone)
    return alone if level is None or level % 1 else level / most


def _take(found: Fields, recipe: Fields, name: str, value: Json, written: str) -> None:
    """One change, or one setting of all changes, into what is found."""
    if name in MAX_STRENGTH:
        put(found, name, _change(found, name, value, written), PLACE, written)
    elif name in ("width_shift", "height_shift"):
        put(found, "translation", {"strength": value}, PLACE, written)
    elif name == "normalize":
        put(recipe, "normalisation", value, "recipe", "Normalize")
    elif name == "fill":
        alone = value[0] if isinstance(value, list) and len(value) == 1 else value
        put(found, name, alone, PLACE, written)
    elif name == "padding_mode" and isinstance(value, str):
        put(found, name, PADDING.get(value, value), PLACE, written)
    elif name == "interpolation" and isinstance(value, str | int):
        word = {"0": "nearest", "2": "bilinear"}.get(str(value), str(value).rpartition(".")[2].lower())
        put(found, name, word, PLACE, written)
    elif squashed(written) in ("randomhorizontalflip", "randomverticalflip", "horizontalflip", "verticalflip"):
        if value is not False:
            raise RecipeError(
                f"{PLACE}: {written}: a mirrored digit is no digit, so the lab has no mirror; leave it out"
            )
    elif squashed(written) == "centercrop":
        raise RecipeError(
            f"{PLACE}: {written}: the lab does not cut out the middle; write scale, such as "
            '{"strength": 0.27, "probability": 0.1}, which makes digits larger or smaller'
        )
    else:
        found[name] = value


def _change(found: Fields, name: str, value: Json, written: str) -> Json:
    """A change as the object of its fields."""
    place = f"{PLACE}: {written}"
    usual: Fields = BY_NAME.get(squashed(written), {})
    if is_off(value):
        return {}
    if value is True:
        return dict(usual) or value
    if not isinstance(value, dict):
        value = {"size": value} if squashed(written) == "cutout" else {"strength": value}
    if name == "rotation" and (turn := number(value.get("factor"))) is not None:  # Keras's: a share of a whole turn
        value = {("degrees" if key == "factor" else key): each for key, each in value.items()} | {"degrees": 360 * turn}
    fields_of = renamed(value, OF_ONE.get(name, STRENGTH), place)
    for key in ("fill", "padding_mode", "interpolation"):  # arguments of one transform, in the lab one for all
        if key in fields_of:
            _take(found, {}, key, fields_of.pop(key), key)
    if fields_of.get("inplace", True) is False:
        del fields_of["inplace"]
    match name:
        case "crop":
            _crop(fields_of, place)
        case "erasing":
            _erasing(fields_of, place)
        case "zoom":
            _zoom(fields_of, place)
    if "strength" in fields_of:
        fields_of["strength"] = _strength(name, fields_of["strength"])
    return {**usual, **fields_of}


def _strength(name: str, value: Json) -> Json:
    """[-7, 7] as 7, [0.9, 1.1] as 0.1, (0.1, 0.1) as 0.1; what is not symmetric stays, and is refused."""
    both = pair(value)
    if both is None:
        return value
    low, high = both
    around = 1 if name in ("scale", "brightness", "contrast") else 0
    if name == "translation" and low == high:
        return low
    if abs(low + high - 2 * around) < 1e-9 and high >= around:
        return round(high - around, 12)
    return value


def _crop(found: Fields, place: str) -> None:
    """RandomCrop's padding in pixels as a share of the side."""
    if (size := found.pop("size", SIDE)) not in (SIDE, [SIDE, SIDE]):
        raise RecipeError(f"{place}: size is {short(size)}, but the network takes {SIDE} x {SIDE}; give a padding")
    strength = number(found.get("strength"))
    if "padding" not in found and strength is not None and strength >= 1:
        found["padding"] = found.pop("strength")
    both = pair(found.get("padding"))
    padding = both[0] if both and both[0] == both[1] else number(found.get("padding"))
    if padding is not None:
        del found["padding"]
        put(found, "strength", padding / SIDE, place, "padding")


def _erasing(found: Fields, place: str) -> None:
    """RandomErasing's ranges as their ends; a cutout's side as an area. `p` alone has torchvision's area."""
    if (side := number(found.get("size"))) is not None and 0 < side <= SIDE:
        del found["size"]
        share = (side / SIDE) ** 2
        found |= {"strength": share, "least": share, "least_ratio": 1.0, "most_ratio": 1.0}
        found.setdefault("probability", 1.0)
    if (scale := pair(found.get("scale"))) is not None:
        del found["scale"]
        put(found, "least", scale[0], place, "scale")
        put(found, "strength", scale[1], place, "scale")
    if (ratio := pair(found.get("ratio"))) is not None:
        del found["ratio"]
        found |= {"least_ratio": ratio[0], "most_ratio": ratio[1]}


def _zoom(found: Fields, place: str) -> None:
    """RandomResizedCrop's ranges."""
    if (size := found.pop("size", SIDE)) not in (SIDE, [SIDE, SIDE]):
        raise RecipeError(f"{place}: size is {short(size)}, but the network takes {SIDE} x {SIDE}")
    if (scale := pair(found.get("scale"))) is not None and scale[1] == 1:
        del found["scale"]
        put(found, "strength", round(1 - scale[0], 12), place, "scale")
    ratio = pair(found.get("ratio"))
    if ratio is not None and ratio[0] > 0 and abs(ratio[0] * ratio[1] - 1) < 0.01:
        found["ratio"] = ratio[1]
