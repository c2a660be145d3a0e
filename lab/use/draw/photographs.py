"""A picture from a file or a camera: what is read of it, a crop handle, and several digits one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.drawn_digit import Grey, prepare
from core.data.photograph import Photograph, photograph_of
from core.data.picture_file import WHOLE, Crop, read_colours
from core.errors import LabError
from lab.studies.shelf import Shelved
from lab.ui.formats import percent
from lab.ui.images import enlarged
from lab.ui.names import brief
from lab.ui.words import show_error

UPLOAD_MB = 5
DIMMED = 0.35  # of its brightness: what is cropped away

Reader = Callable[[Shelved, NDArray[np.uint8]], NDArray[np.float32]]  # digits (N, 28, 28) to (N, 10)


def from_file() -> tuple[Grey, ...]:
    """The digits of an uploaded picture; of any type, so that we can say what to do with it."""
    file = st.file_uploader("A picture of one digit, or of several", key="picture", max_upload_size=UPLOAD_MB)
    st.caption(
        "A photograph, a scan or a screenshot: dark on bright or bright on dark, on plain or ruled paper. "
        "On a phone, *Upload* offers the camera too."
    )
    return () if file is None else _digits_of(file.getvalue(), file.file_id)


def from_camera() -> tuple[Grey, ...]:
    """The digits before the camera."""
    photograph = st.camera_input("Hold the camera over the digit", key="camera")
    st.caption(
        "The button in the corner of the picture changes to the back camera. A browser gives a page the camera over "
        "https or on the lab's own computer; elsewhere take a photograph and choose *Picture*."
    )
    return () if photograph is None else _digits_of(photograph.getvalue(), photograph.file_id)


def _digits_of(data: bytes, name: str) -> tuple[Grey, ...]:
    """The digits read, with the crop handle; a sentence where it is not one digit on a ground, or cannot be read."""
    whole = _colours(data, WHOLE)
    said, handle = st.container(), st.expander("Crop the picture", icon=":material/crop:", key=f"crop_{name}")
    crop = _crop(handle, whole, name)
    try:
        photograph: Photograph = photograph_of(whole if crop == WHOLE else _colours(data, crop))
    except LabError as error:
        with said:
            show_error(error)
        return ()
    if photograph.remark:
        said.info(f"{photograph.remark} You can crop it below.", icon=":material/crop:")
    return photograph.digits


@st.cache_data(max_entries=16, show_spinner=False)
def _colours(data: bytes, crop: Crop) -> NDArray[np.uint8]:
    return read_colours(data, crop)


def _crop(handle: st.delta_generator.DeltaGenerator, whole: NDArray[np.uint8], name: str) -> Crop:
    """Two ranges over the picture; what is cropped away is dimmed."""
    shown = handle.empty()
    left, right = handle.slider("From left to right, %", 0, 100, (0, 100), key=f"across_{name}")
    top, bottom = handle.slider("From top to bottom, %", 0, 100, (0, 100), key=f"down_{name}")
    crop = Crop(left / 100, top / 100, max(right, left + 1) / 100, max(bottom, top + 1) / 100)
    x0, y0, x1, y1 = crop.box(whole.shape[1], whole.shape[0])
    dimmed = (whole * DIMMED).astype(np.uint8)
    dimmed[y0:y1, x0:x1] = whole[y0:y1, x0:x1]
    shown.image(dimmed, output_format="PNG", alt=f"The picture, read from {left}% to {right}% and {top}% to {bottom}%.")
    return crop


def which(count: int) -> int:
    """The digit of several that is looked at more closely."""
    if count < 2:
        return 0
    chosen = st.segmented_control(
        "Look closer at digit", range(count), default=0, format_func=lambda index: str(index + 1),
        key=f"which_of_{count}",
    )  # fmt: skip
    return 0 if chosen is None else int(chosen)


def one_by_one(pictures: Sequence[Grey], networks: Sequence[Shelved], read: Reader) -> None:
    """Each digit as the networks get it, with each one's answer; and all answers in a row."""
    digits = np.stack([prepare(picture).digit for picture in pictures])
    found = []
    for network in networks:
        try:
            found.append((network, read(network, digits)))
        except LabError as error:
            show_error(error)
    for network, values in found:
        st.markdown(f"{brief(network)} reads **{''.join(str(best) for best in values.argmax(axis=1))}**")
    grid = st.grid(min(len(pictures), 6), min_column_width=88, gap="small", key="one-by-one")
    for place, digit in enumerate(digits):
        with grid.container(gap="xxsmall"):
            st.image(enlarged(digit), width=84, output_format="PNG", alt=f"Digit {place + 1}, prepared.")
            for network, values in found:
                best = int(values[place].argmax())
                st.markdown(f":small[{brief(network)}: **{best}**, {percent(float(values[place][best]))}]")
