"""What every device can do, whatever its body: emulator, host process, QEMU or a board.

Letters: B samples, N bytes of a sample's inputs, O bytes of its outputs, C classes of
the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinytrain.variants.instruction_set import InstructionSet

Array = NDArray[Any]
"""Any array that holds one sample's inputs, or B of them: its bytes in C order are what counts."""


@dataclass(frozen=True)
class Info:
    """The model that a device runs. Sizes in bytes."""

    name: str
    source_hash: int
    """First 32 bits of the SHA-256 of the source file."""
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    operators: int
    constants: int
    head_operator: int
    """The operator that the head replaces; `operators` without a head."""
    classes: int
    """Of the factory head; 0 without a head, and so `features` and `rows`."""
    features: int
    rows: int
    largest_payload: int
    has_counter: bool
    """Whether `measure` works."""
    instruction_set: InstructionSet
    """Which bodies of the kernels it has."""


NOT_ASKED = 0xFFFF


@dataclass(frozen=True)
class LearnStep:
    """What one learning step reports."""

    crc: int
    """CRC-32 of all steps since the last reset."""
    predicted: int
    """The class given before learning; NOT_ASKED where learning has stopped for now."""
    rows_written: int
    """0 for a skipped step."""
    outcome: int
    """A learner.Outcome; of a plain head LEARNED or CONFIDENT."""


@dataclass(frozen=True)
class Observation:
    """What a sample did to normalization statistics."""

    crc: int
    """CRC-32 of the sums and arrays of the layer that looked at it; 0 where none did."""
    gain: int
    """Of the trial: bits, Q6, that the renewed statistics gained over the factory's, S."""
    squares: int
    """Q"""
    judges: int
    """m, the samples that the trial has weighed."""
    layers_left: int
    """That are still to be renewed."""
    samples: int
    """That the layer whose turn it is now has seen."""
    standing: int
    """A statistics.Standing."""


NOTHING = 0xFFFF
"""The class of the last detection before there was one."""


@dataclass(frozen=True)
class Pushed:
    """What became of samples."""

    taken: int
    lost: int
    """Since the stream began."""


@dataclass(frozen=True, eq=False)
class StreamStep:
    """What one step of a stream came to. C classes that the model has now."""

    event: int
    """A protocol.StreamEvent."""
    frame: NDArray[np.int8] | None = None
    """(outputs,); None where samples are missing."""
    probabilities: NDArray[np.uint16] | None = None
    """(C,) Q15 of an inference; None without one."""
    mean: NDArray[np.uint16] | None = None
    """(C,) the same, smoothed."""
    detected: int = NOTHING
    """Class of the last detection, after an inference."""


@dataclass(frozen=True)
class StreamCounters:
    """Of a stream, since it began."""

    received: int
    """Samples taken, modulo 2^32."""
    lost: int
    frames: int
    inferences: int
    detections: int
    refused: int
    """Pushes of the wrong length."""
    clipped: int
    """Values at an end of int16's range."""


@dataclass(frozen=True)
class Measurement:
    """The cost of one call."""

    instructions: int
    stack_bytes: int
    """At its deepest, from the call on."""


class Device(Protocol):
    """A model that infers and learns. Methods raise DeviceError; InputError for a wrong sample.

    Of a model with variables, the samples of all calls since the last reset are one stream, in
    order: each inference continues from the state that the one before left.
    """

    def info(self) -> Info:
        """The model that the device runs."""

    def infer(self, x: Array) -> NDArray[np.int8]:
        """The outputs' bytes [O] of one sample, by the model as it was converted."""

    def infer_many(self, x: Array) -> NDArray[np.int8]:
        """`infer` of B samples: [B, O]."""

    def trace(self, x: Array) -> NDArray[np.uint32]:
        """CRC-32 of each operator's first output for one sample: [operators]."""

    def trace_many(self, x: Array) -> NDArray[np.uint32]:
        """`trace` of B samples: [B, operators]."""

    def run(self, x: Array, end: int) -> None:
        """Loads one sample and runs operators 0 to end - 1, for `read` to look at."""

    def read(self, space: int, index: int, offset: int, length: int) -> bytes:
        """Bytes of a protocol.Space: of the arena, a constant, or a protocol.Region of the head."""

    def classify(self, x: Array) -> tuple[int, NDArray[np.int32]]:
        """The class of one sample by the head as it has learned so far, and its logits [C]."""

    def classify_many(self, x: Array) -> NDArray[np.int64]:
        """The classes of B samples: [B]."""

    def learn(self, x: Array, label: int) -> LearnStep:
        """One learning step."""

    def learn_many(self, x: Array, labels: Sequence[int] | Array) -> list[LearnStep]:
        """B learning steps, in order."""

    def observe(self, x: Array) -> tuple[int, bool]:
        """The class of one sample that the device meets, and whether a learner sees drift."""

    def add_class(self) -> int:
        """A new class of the head; gives its index. Raises DeviceError where no row is left."""

    def roll_back(self, version: int) -> None:
        """Back to the factory head (0), or a version that a learner kept (1 is the newest)."""

    def end_session(self) -> None:
        """After the last sample for now: a learner does what it would do after some more."""

    def new_day(self) -> None:
        """A learner's budget of the day is whole again."""

    def export_state(self) -> bytes:
        """All that a learner has learned and remembers: firmware/LEARNING.md, section 8."""

    def import_state(self, state: bytes) -> None:
        """Takes an exported state over. Raises DeviceError where it is of another model or learner,
        and nothing has changed; where it is damaged or a number in it is out of bounds, the
        learner is as from the factory."""

    def reset(self) -> None:
        """Back to the variables' first values, the factory head and the statistics of training;
        the trace starts anew."""

    def measure(self, kind: int, x: Array, label: int = 0) -> Measurement:
        """The cost of a protocol.Measure. LEARN_STEP changes the head, OBSERVE_STATISTICS what
        `observe_statistics` does."""

    def observe_statistics(self, x: Array) -> Observation:
        """One unlabelled sample for the normalization statistics of the layer whose turn it is."""

    def observe_statistics_many(self, x: Array) -> list[Observation]:
        """`observe_statistics` of B samples, in order."""

    def judge_statistics(self, x: Array, label: int) -> Observation:
        """One labelled sample for the trial of the renewed statistics."""

    def stream_begin(self, rate: int, channels: int) -> None:
        """A new stream of samples (Hz; motion: mHz); what the head has learned stays."""

    def stream_push(self, values: Array) -> Pushed:
        """Samples int16, channels interleaved: taken as far as the ring has room."""

    def stream_step(self) -> StreamStep:
        """At most one frame, and one inference."""

    def stream_counters(self) -> StreamCounters:
        """What was counted since the stream began."""

    def close(self) -> None:
        """Ends the device; nothing else may be called after it."""

    def __enter__(self) -> "Device":
        """The device itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes it."""
