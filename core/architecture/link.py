"""An architecture as a short code for a URL, and back: compact JSON, deflated, in the alphabet of URLs.

The code comes from a link, so it can hold anything: its length, the length of its content, and the content are
checked.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace

from core.architecture.json_form import architecture_from_dict, architecture_to_json
from core.architecture.spec import Architecture
from core.errors import SpecError

MAX_CODE = 32_768  # characters; the longest of the ladder has 296
MAX_BYTES = 65_536  # of the JSON; of the ladder's at most 1,179


def to_code(architecture: Architecture) -> str:
    """The architecture as letters, digits, - and _; equal architectures have equal codes."""
    deflated = zlib.compress(architecture_to_json(architecture).encode(), 9)
    return base64.urlsafe_b64encode(deflated).decode().rstrip("=")


def from_code(code: str) -> Architecture:
    """The inverse of `to_code`. Each op is checked, but not whether the ops fit together. Raises SpecError."""
    if len(code) > MAX_CODE:
        raise SpecError(f"the design in the link has {len(code):,} characters, at most {MAX_CODE:,} are allowed")
    try:
        data = json.loads(_inflated(code))
    except SpecError:
        raise
    except (ValueError, RecursionError, zlib.error):
        raise SpecError("the design in the link cannot be read: it is cut short or was changed") from None
    if isinstance(data, dict) and data.get("ops") == []:  # a new design is empty, which is no network
        return replace(architecture_from_dict({**data, "ops": [{"op": "ReLU"}]}), ops=())
    return architecture_from_dict(data)


def _inflated(code: str) -> bytes:
    """The content of the code. Raises zlib.error or ValueError, and SpecError for more than MAX_BYTES."""
    deflated = base64.b64decode(code.encode("ascii") + b"=" * (-len(code) % 4), altchars=b"-_", validate=True)
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(deflated, MAX_BYTES + 1)
    if len(inflated) > MAX_BYTES:
        raise SpecError(f"the design in the link unpacks to more than {MAX_BYTES:,} bytes")
    if not inflater.eof:
        raise ValueError("cut short")
    return inflated
