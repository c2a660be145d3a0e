"""What somebody pasted and dropped, opened: each file by what it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import streamlit as st

from core.errors import LabError
from core.importing.opened import Opened, open_file, open_text

TYPES = ["py", "ipynb", "json", "txt", "pt", "pth", "ckpt", "bin", "safetensors", "npz", "onnx", "h5", "keras", "pkl"]
UPLOAD_MB = 32  # the server's own limit; an optimizer's state may be beside the weights
MOST_FILES = 4
MAX_PASTED = 200_000  # characters


@dataclass
class Brought:
    """All that is on the page: at most one network, one set of weights, one table."""

    source: Opened | None = None  # code, a network or a recipe as JSON, or ONNX
    tensors: Opened | None = None
    table: str = ""
    key: str = ""  # of the files' content
    errors: list[LabError] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.source or self.tensors or self.table or self.errors)


def brought() -> Brought:
    """The fields, and what is in them."""
    pasted = st.text_area(
        "Paste code, or a torchsummary table",
        key="bring-text",
        height=220,
        max_chars=MAX_PASTED,
        placeholder="class Net(nn.Module): ...",
    )
    files = st.file_uploader(
        "Drop files: the network, its weights, or both",
        TYPES,
        accept_multiple_files=True,
        key="bring-files",
        max_upload_size=UPLOAD_MB,
        help="Code (.py, .ipynb), a network or recipe (.json), weights (.pt, .pth, .safetensors, .npz), ONNX, "
        "or a table of layers (.txt). Nothing in a file is run.",
    )
    found = Brought()
    if pasted.strip():
        _place(found, lambda: open_text(pasted), pasted.encode("utf-8", "replace"))
    for file in files[:MOST_FILES]:
        content, name = file.getvalue(), file.name
        _place(found, lambda content=content, name=name: _opened(content, name), content)
    return found


@st.cache_resource(max_entries=8, show_spinner="Opening the file...")
def _opened(content: bytes, name: str) -> Opened:
    return open_file(content, name)


def _place(found: Brought, read: object, content: bytes) -> None:
    """Open one thing, and put it where it belongs; of two of a kind the later one counts."""
    try:
        opened: Opened = read()  # type: ignore[operator]
    except LabError as error:
        found.errors.append(error)
        return
    found.key += hashlib.sha256(content).hexdigest()
    if opened.tensors:
        found.tensors = opened
    elif opened.table:
        found.table = opened.table
    else:
        found.source = opened


def what_it_takes() -> None:
    """What can be brought, where nothing is yet."""
    st.markdown(
        """
| You have | Bring it as | Then |
|---|---|---|
| a class or `nn.Sequential`, in PyTorch or Keras | pasted, `.py`, `.ipynb` | open it in Design, train it |
| a training script, with the network or without | pasted, `.py`, `.ipynb` | train with its recipe |
| trained weights | `torch.save(model.state_dict(), "weights.pt")`, `.safetensors`, `.npz` | see its mistakes |
| an exported network | `.onnx` | both at once |
| a torchsummary or torchinfo table | pasted beside a network | see where it differs |
"""
    )
    st.caption(
        "Code is read and never run. A pickled module, TorchScript and HDF5 are not opened: the page says how to save "
        "the weights instead."
    )
