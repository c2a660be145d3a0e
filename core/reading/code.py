"""PyTorch or Keras code, pasted or from a file, as architectures. It is read, never run."""

from __future__ import annotations

from core.errors import SpecError
from core.reading.record import CodeRead


def read_code(text: str, name: str = "") -> CodeRead:
    """The networks in a text: Python, a notebook's JSON, or Keras's to_json. `name`: of the file, if it is one.

    Raises SpecError, one sentence, where there is no network in it.
    """
    raise SpecError("code is not read yet")
