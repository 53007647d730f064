"""A sound front end in C on any target, driven by commands: the other end of audio_program.c."""

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
from tinytrain.frontend.constants import AudioConstants

PROGRAM = Path(__file__).with_name("audio_program.c")
SOURCES = (
    "arithmetic.c",
    *(f"frontend/{name}.c" for name in ("ring", "fixed_log", "transform", "audio", "frontend")),
)
MAX_VALUES = 16384
MAX_FEATURES = 65536
MAX_ARGUMENTS = 256
TIMEOUT = 300

Array = NDArray[Any]


def build_program(folder: Path, target: str) -> list[str]:
    """The command that runs the program: built in `folder`, with the runtime's own Makefile."""
    return lda_device.build_program(folder, target, PROGRAM, SOURCES)


def working_bytes(k: AudioConstants) -> int:
    """tt_frontend.bytes."""
    return 8 * k.bands + 4 * k.transform.points + 4 * k.bands * k.noise


@dataclass
class Device:
    """Commands for one run of the program, and its answers when it has run."""

    constants: AudioConstants
    capacity: int
    count: bool = False
    sent: list[bytes] = field(default_factory=list)
    expects: list[str] = field(default_factory=list)

    def push(self, values: Array, inputs: int = 0) -> None:
        """Answers tt_ring_push's result; tt_ring_push_mixed's where there are inputs."""
        assert len(values) <= MAX_VALUES
        head = struct.pack("<HH", inputs, len(values))
        self._command("p", head + values.astype("<i2").tobytes())

    def frames(self) -> None:
        """Answers (features (F, outputs), instructions, bytes of stack)."""
        self._command("n")

    def counters(self) -> None:
        """Answers (lost, received, waiting)."""
        self._command("q")

    def primitive(self, name: str, arguments: Sequence[int]) -> None:
        """'l' log2, 'x' exp2, 'i' isqrt. Answers the results."""
        data = struct.pack(f"<H{len(arguments)}Q", len(arguments), *arguments)
        self._command(name, data, f"l{len(arguments)}")

    def reset(self) -> None:
        self.sent.append(b"r")

    def run(self, program: Sequence[str]) -> list[Any]:
        """The answers, in order."""
        sent = self._constants() + b"".join(self.sent) + b"e"
        result = subprocess.run(
            program, input=sent, capture_output=True, timeout=TIMEOUT, check=False
        )
        assert result.returncode == 0, (result.returncode, result.stderr.decode()[-3000:])
        answers, place = [], 0
        for kind in self.expects:
            answer, place = self._answer(kind, result.stdout, place)
            answers.append(answer)
        assert place == len(result.stdout)
        return answers

    def _command(self, kind: str, data: bytes = b"", expects: str = "") -> None:
        self.sent.append(kind.encode() + data)
        self.expects.append(expects or kind)

    def _constants(self) -> bytes:
        k = self.constants
        numbers = (
            *(k.rate, k.window, k.hop, k.pre_emphasis, k.bands, k.first_bin, k.coefficients),
            *(k.noise, k.gain, k.smooth_even, k.smooth_odd, k.least, k.strength, k.gain_offset),
            *(k.lift, k.floor, k.transform.points, k.quantizer.each, k.quantizer.shift),
            *(self.capacity, len(k.rising), self.count),
        )
        return struct.pack("<22i", *numbers) + b"".join(a.tobytes() for a in constant_arrays(k))

    def _answer(self, kind: str, data: bytes, place: int) -> tuple[Any, int]:
        if kind == "p":
            return struct.unpack_from("<i", data, place)[0], place + 4
        if kind == "q":
            return struct.unpack_from("<3I", data, place), place + 12
        if kind == "n":
            return self._features(data, place)
        count = int(kind[1:])
        return struct.unpack_from(f"<{count}I", data, place), place + 4 * count

    def _features(self, data: bytes, place: int) -> tuple[Any, int]:
        numbers = 3 if self.count else 1
        frames, *cost = struct.unpack_from(f"<{numbers}I", data, place)
        outputs = self.constants.outputs
        place += 4 * numbers
        found = np.frombuffer(data, np.int8, frames * outputs, place).reshape(frames, outputs)
        return (found, *cost), place + found.size


def constant_arrays(k: AudioConstants) -> tuple[Array, ...]:
    """All arrays of the constants, little-endian, in the order in which the program takes them."""
    return (
        *(k.transform.twiddles, k.window_function, k.segment_bins, k.rising, k.cosines),
        *(k.quantizer.offset, k.quantizer.scale),
    )


def stream_frames(
    program: Sequence[str],
    constants: AudioConstants,
    chunks: Sequence[Array],
    capacity: int,
    count: bool = False,
) -> list[Any]:
    """Pushes chunks and takes all frames after each: for each (features, *cost)."""
    device = Device(constants, capacity, count)
    for chunk in chunks:
        device.push(chunk)
        device.frames()
    answers = device.run(program)
    assert answers[::2] == [len(chunk) for chunk in chunks]
    return answers[1::2]
