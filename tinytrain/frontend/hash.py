"""A front end's hash: what a model and a device compare, so that one trained on other features is
refused. The rule stands in firmware/FRONTEND.md, section 6.
"""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256

import numpy as np

from tinytrain.frontend.constants import FrontendConstants
from tinytrain.operators.kernel import Parameters


def frontend_hash(constants: FrontendConstants) -> int:
    """The first 32 bits of the SHA-256 of all constants, 0 to 2^32 - 1; never 0, which would stand
    for an unknown front end (1 takes its place).
    """
    return int.from_bytes(sha256(_bytes(constants)).digest()[:4], "big") or 1


def _bytes(parameters: Parameters) -> bytes:
    """Field by field in the order of the struct: numbers as int32, arrays by their elements, both
    little-endian; a struct inside the struct in its place.
    """
    parts: list[bytes] = []
    for field in fields(parameters):  # type: ignore[arg-type]
        value = getattr(parameters, field.name)
        if isinstance(value, Parameters):
            parts.append(_bytes(value))
        elif isinstance(value, int):
            parts.append((value & 0xFFFFFFFF).to_bytes(4, "little"))
        else:
            array = np.ascontiguousarray(value)
            parts.append(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return b"".join(parts)
