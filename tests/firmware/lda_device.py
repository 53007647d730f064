"""The analytic head in C on any target, driven by commands: the other end of lda_program.c."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.device.build import build
from tinytrain.emulator.lda import LdaState, empty_state
from tinytrain.lda_constants import LdaConstants

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
PROGRAM = Path(__file__).with_name("lda_program.c")
EXCHANGE = Path(__file__).with_name("exchange.h")
SOURCES = ("arithmetic.c", "learn/lda.c", "learn/solve.c")
TIMEOUT = 120

Array = NDArray[Any]


@dataclass(frozen=True)
class Command:
    """One command: 'a' add, 'r' row, 'w' row without, 's' solve, 'd' state, 'l' load state."""

    kind: str
    label: int = 0
    """The class; of a solve the number of classes."""
    x: Array | None = None
    """(D,)"""
    state: bytes = b""

    @property
    def message(self) -> bytes:
        label = b"" if self.kind in "dl" else struct.pack("<H", self.label)
        x = b"" if self.x is None else self.x.astype("<i2").tobytes()
        return self.kind.encode() + label + x + self.state


@dataclass(frozen=True)
class Answer:
    weights: Array
    """(rows, D) int16"""
    bias: Array
    """(rows,) int32"""
    instructions: tuple[int, ...]
    """Empty, or instructions; of a solve all, those of its longest slice, and the slices."""
    state: bytes
    """Of 'd': the memory that lasts."""


def build_program(
    folder: Path, target: str, program: Path = PROGRAM, sources: Sequence[str] = SOURCES
) -> list[str]:
    """The command that runs the program: built in `folder`, with the runtime's own Makefile."""
    (folder / "model").mkdir()
    (folder / "runtime" / "app").mkdir(parents=True)
    for part in ("include", "port"):
        (folder / "runtime" / part).symlink_to(FIRMWARE / part)
    for source in sources:
        place = folder / "runtime" / "src" / source
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(FIRMWARE / "src" / source)
    for header in (FIRMWARE / "src").glob("**/*.h"):
        if header.parent.name in ("src", "learn", "kernels", "fast", "frontend"):
            place = folder / "runtime" / header.relative_to(FIRMWARE)
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(header)
    shutil.copyfile(program, folder / "runtime" / "app" / "selftest.c")
    shutil.copyfile(EXCHANGE, folder / "runtime" / "app" / EXCHANGE.name)
    (folder / "model" / "golden.c").write_text("typedef int nothing;\n")
    shutil.copyfile(FIRMWARE / "project.mk", folder / "Makefile")
    made = build(folder, target, "selftest")
    return [*(made / "launch").read_text().split(), str(made / "selftest")]


def run(
    program: Sequence[str],
    constants: LdaConstants,
    commands: Sequence[Command],
    count: bool = False,
) -> list[Answer]:
    """What a device that has seen nothing answers to each command."""
    sent = _constants(constants, count) + b"".join(c.message for c in commands) + b"e"
    result = subprocess.run(program, input=sent, capture_output=True, timeout=TIMEOUT, check=False)
    assert result.returncode == 0, result.stderr.decode()[-3000:]
    answers, place = [], 0
    for command in commands:
        answer, place = _answer(constants, command, result.stdout, place, count)
        answers.append(answer)
    assert place == len(result.stdout)
    return answers


def _constants(k: LdaConstants, count: bool) -> bytes:
    small = (k.classes, k.capacity, k.features, k.prior, k.blend, count)
    wide = (k.whitening_shift, k.inverse_shift, k.weight_shift, k.ridge)
    arrays = (k.means, k.origin, k.whitening, k.inverse, k.correlation)
    return struct.pack("<6H4i", *small, *wide) + b"".join(a.astype("<i2").tobytes() for a in arrays)


def _answer(
    k: LdaConstants, command: Command, data: bytes, place: int, count: bool
) -> tuple[Answer, int]:
    """The answer at `place` of the data, and where the next one begins."""
    rows = {"a": 0, "r": 1, "w": 1, "s": command.label, "d": 0, "l": 0}[command.kind]
    figures = {"s": 3, "d": 0, "l": 0}.get(command.kind, 1) if count else 0
    state = state_bytes(k) if command.kind == "d" else 0
    ends = np.cumsum([place, 2 * rows * k.features, 4 * rows, 4 * figures, state])
    weights, bias, numbers, kept = (data[a:b] for a, b in pairwise(ends))
    return (
        Answer(
            np.frombuffer(weights, "<i2").reshape(rows, k.features),
            np.frombuffer(bias, "<i4"),
            struct.unpack(f"<{figures}I", numbers),
            kept,
        ),
        int(ends[-1]),
    )


def state_bytes(k: LdaConstants) -> int:
    """TT_LDA_STATE_BYTES."""
    return len(state_of(empty_state(k), 0))


def state_of(state: LdaState, device: int) -> bytes:
    """A device's memory that lasts: sums, scatter, counts, padding."""
    parts = (
        state.sums[device].astype("<i4").tobytes(),
        state.scatter[device].astype("<i4").tobytes(),
        state.counts[device].astype("<u2").tobytes(),
        state.scatter_count[device].astype("<u2").tobytes(),
    )
    data = b"".join(parts)
    return data + bytes(-len(data) % 4)
