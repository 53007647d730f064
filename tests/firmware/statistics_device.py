"""One layer with re-estimated statistics in C on any target: the other end of
statistics_program.c."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.firmware import lda_device
from tinytrain.operators.convolution import Convolution
from tinytrain.statistics import LayerStatistics, StatisticsPlan
from tinytrain.variants.fast import FastConvolution

PROGRAM = Path(__file__).with_name("statistics_program.c")
SOURCES = (
    *("arithmetic.c", "tinytrain.c", "link/crc32.c"),
    *("kernels/convolution.c", "kernels/dot_product.c", "fast/copy_v6m.c", "fast/dense_v6m.c"),
    "fast/columns_dsp.c",
    *(
        f"fast/{kernel}_{body}.c"
        for kernel in ("convolution", "depthwise")
        for body in ("dsp", "mve", "portable", "v6m")
    ),
    *("learn/guard.c", "learn/head.c", "learn/row_loops.c", "learn/row_loops_dsp.c"),
    *("learn/statistics.c", "learn/statistics_functions.c"),
)
TIMEOUT = 120


@dataclass(frozen=True)
class Observed:
    left: int
    trace: int
    output: bytes
    """Of the layer, on the input that was observed."""


@dataclass(frozen=True)
class Answer:
    statuses: tuple[int, ...]
    observed: tuple[Observed, ...]
    undone: tuple[bytes, ...]
    """The output for the last input, after all was undone: by tt_statistics_undo, tt_reset and
    tt_init."""


def build_program(folder: Path, target: str) -> list[str]:
    """The command that runs the program."""
    return lda_device.build_program(folder, target, PROGRAM, SOURCES)


def run(
    program: Sequence[str],
    p: Convolution,
    layer: LayerStatistics,
    plan: StatisticsPlan,
    inputs: NDArray[np.int8],
    fast: FastConvolution | None,
) -> Answer:
    """What a device that has seen nothing makes of inputs (n, elements). `fast`: the same layer for
    its fast kernel; None: it has the plain one."""
    sent = _layer(p, layer, plan, fast) + struct.pack("<i", len(inputs)) + inputs.tobytes()
    result = subprocess.run(program, input=sent, capture_output=True, timeout=TIMEOUT, check=False)
    assert result.returncode == 0, result.stderr.decode()[-3000:]
    data = result.stdout
    size = p.output_height * p.output_width * p.output_channels
    observed = []
    for i in range(len(inputs)):
        place = 12 + i * (8 + size)
        left, trace = struct.unpack_from("<iI", data, place)
        observed.append(Observed(left, trace, data[place + 8 : place + 8 + size]))
    end = 12 + len(inputs) * (8 + size)
    assert len(data) == end + 3 * size
    undone = tuple(data[end + i * size :][:size] for i in range(3))
    return Answer(struct.unpack_from("<3i", data), tuple(observed), undone)


def _layer(
    p: Convolution, layer: LayerStatistics, plan: StatisticsPlan, fast: FastConvolution | None
) -> bytes:
    numbers = [getattr(p, field.name) for field in fields(p) if field.type == "int"]
    numbers += [plan.samples, plan.share, layer.depthwise, layer.accumulator_shift]
    numbers += [*astuple(layer.bounds), int(fast is not None)]
    arrays: list[NDArray[Any]] = [p.weights, p.bias, p.multiplier, p.shift]
    arrays += [layer.mean, layer.deviation]
    arrays += [] if fast is None else [fast.channels]
    return struct.pack(f"<{len(numbers)}i", *numbers) + b"".join(a.tobytes() for a in arrays)
