"""The reference kernels of operators that move elements and compute nothing.

Shapes and registration as in kernels.py: (n, elements) arrays, one function a parameters dataclass.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain.emulator.kernels import Value, evaluate
from tinytrain.operators.gather import Gather
from tinytrain.operators.parts import Concatenate, Split
from tinytrain.operators.rearrange import StridedCopy

Index = npt.NDArray[np.int64]


def _bytes(x: Value) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(x).view(np.uint8)


def _places(offsets: list[Index], run: int) -> Index:
    """The byte index of every byte of every run: sums of one offset of each axis."""
    places = np.zeros(1, np.int64)
    for axis in (*offsets, np.arange(run)):
        places = (places[:, None] + axis).reshape(-1)
    return places


@evaluate.register
def strided_copy(p: StridedCopy, x: Value) -> Value:
    source = _bytes(x)
    read = _places([n * np.arange(s) for n, s in zip(p.input_stride, p.extent, strict=True)], p.run)
    written = _places(
        [n * np.arange(s) for n, s in zip(p.output_stride, p.extent, strict=True)], p.run
    )
    size = p.fill_bytes or read.size
    output = np.full((len(source), size), p.fill_value, np.int8).view(np.uint8)
    output[:, p.output_offset + written] = source[:, p.input_offset + read]
    return output.view(x.dtype)


@evaluate.register
def gather(p: Gather, x: Value) -> Value:
    tables = np.split(p.offset.astype(np.int64), np.cumsum(p.extent)[:-1])
    return np.ascontiguousarray(_bytes(x)[:, _places(tables, p.run)]).view(x.dtype)


@evaluate.register
def concatenate(p: Concatenate, *inputs: Value) -> Value:
    parts = [_bytes(x).reshape(len(x), p.outer, -1) for x in inputs]
    whole = np.concatenate(parts, axis=2)
    return whole.reshape(len(whole), -1).view(inputs[0].dtype)


@evaluate.register
def split(p: Split, x: Value) -> tuple[Value, ...]:
    rows = _bytes(x).reshape(len(x), p.outer, -1)
    parts = np.split(rows, np.cumsum(p.bytes)[:-1], axis=2)
    return tuple(np.ascontiguousarray(part).reshape(len(x), -1).view(x.dtype) for part in parts)
