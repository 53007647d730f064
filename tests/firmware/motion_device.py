"""Front ends of motion in C on any target, driven by commands, for motion_program.c."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.firmware import lda_device
from tinytrain.frontend.constants import MotionConstants
from tinytrain.frontend.motion import memory_bytes

PROGRAM = Path(__file__).with_name("motion_program.c")
SOURCES = (
    "arithmetic.c",
    *(f"frontend/{name}.c" for name in ("ring", "fixed_log", "transform", "motion", "frontend")),
)
MAX_VALUES = 16384
"""Of a push, and of a ring."""
MAX_WINDOWS = 32768
"""Bytes of the windows of one answer."""
TIMEOUT = 300

Array = NDArray[Any]


def build_program(folder: Path, target: str) -> list[str]:
    """The command that runs the program: built in `folder`, with the runtime's own Makefile."""
    return lda_device.build_program(folder, target, PROGRAM, SOURCES)


@dataclass
class Device:
    """Commands for one run of the program, and its answers when it has run."""

    count: bool = False
    sent: list[bytes] = field(default_factory=list)
    expects: list[tuple[str, int]] = field(default_factory=list)
    """Kinds of answers, and outputs of a window."""
    outputs: int = 0

    def begin(self, k: MotionConstants, capacity: int) -> None:
        """Another front end, and a ring of so many samples."""
        self.outputs = k.outputs
        q = k.quantizer
        numbers = (
            *(k.rate, k.channels, k.up, k.down, k.taps, k.length, k.hop, k.form, k.bands),
            *(k.transform.points, q.each, q.shift, k.outputs, memory_bytes(k), len(q.offset)),
            *(self.count, capacity),
        )
        arrays = (
            *(k.transform.twiddles, k.taps_of_phase, k.window_function, k.edges),
            *(q.offset, q.scale),
        )
        self.sent.append(b"k" + struct.pack("<17i", *numbers))
        self.sent += [a.tobytes() for a in arrays]

    def push(self, samples: Array) -> None:
        """Samples (T, C). Answers tt_ring_push's result."""
        values = samples.astype("<i2").ravel()
        assert len(values) <= MAX_VALUES
        self._command("p", struct.pack("<H", len(values)) + values.tobytes())

    def windows(self) -> None:
        """Answers the windows there are (n, outputs), and with counting the most instructions of
        one and bytes of stack."""
        self._command("n")

    def counters(self) -> None:
        """Answers (lost, waiting)."""
        self._command("q")

    def reset(self) -> None:
        self.sent.append(b"r")

    def run(self, program: Sequence[str]) -> list[Any]:
        """The answers, in order."""
        sent = b"".join(self.sent) + b"e"
        result = subprocess.run(
            program, input=sent, capture_output=True, timeout=TIMEOUT, check=False
        )
        assert result.returncode == 0, (result.returncode, result.stderr.decode()[-3000:])
        answers, place = [], 0
        for kind, outputs in self.expects:
            answer, place = self._answer(kind, outputs, result.stdout, place)
            answers.append(answer)
        assert place == len(result.stdout)
        return answers

    def _command(self, kind: str, data: bytes = b"") -> None:
        self.sent.append(kind.encode() + data)
        self.expects.append((kind, self.outputs))

    def _answer(self, kind: str, outputs: int, data: bytes, place: int) -> tuple[Any, int]:
        if kind == "p":
            return struct.unpack_from("<i", data, place)[0], place + 4
        if kind == "q":
            return struct.unpack_from("<2I", data, place), place + 8
        numbers = 3 if self.count else 1
        count, *cost = struct.unpack_from(f"<{numbers}I", data, place)
        place += 4 * numbers
        found = np.frombuffer(data, np.int8, count * outputs, place).reshape(count, outputs)
        return (found, *cost) if self.count else found, place + found.size
