"""The emulated device: the numpy reference behind the interface that every device has."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from tinytrain.converters.c.constants import constant_blocks
from tinytrain.device.emulated_head import EmulatedHead, make_head
from tinytrain.device.emulated_stream import EmulatedStream, failure, whole_numbers
from tinytrain.device.interface import (
    Array,
    Info,
    LearnStep,
    Measurement,
    Observation,
    Pushed,
    StreamCounters,
    StreamStep,
)
from tinytrain.emulator import statistics
from tinytrain.emulator.head import loss, softmax
from tinytrain.emulator.inference import (
    infer_bytes,
    initial_state,
    last_state,
    output_bytes,
    run,
    run_in_order,
    split_inputs,
    steps,
)
from tinytrain.emulator.kernels import Value
from tinytrain.errors import DeviceError
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.protocol import STATUS_TEXTS, Region, Space, Status
from tinytrain.statistics import Standing, Statistics
from tinytrain.variants.instruction_set import InstructionSet


class EmulatedDevice:
    """One device, in numpy. Same results as every other body, call by call."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._arena = np.zeros(model.memory.arena_bytes, np.uint8)
        self._head = self._new_head()
        self._statistics = statistics.start(model.kernels)
        self._variables = initial_state(model.graph)
        self._load_variables()
        self._stream = self._new_stream()

    def info(self) -> Info:
        model = self._model
        head = model.head.constants if model.head else None
        return Info(
            name=model.name,
            source_hash=int(model.source_sha256[:8], 16),
            input_bytes=model.input_bytes,
            output_bytes=model.output_bytes,
            arena_bytes=model.memory.arena_bytes,
            operators=len(model.kernels),
            constants=len(constant_blocks(model)),
            head_operator=model.head_operator,
            classes=head.classes if head else 0,
            features=head.features if head else 0,
            rows=head.rows if head else 0,
            largest_payload=1 << 16,
            has_counter=False,
            instruction_set=InstructionSet.PORTABLE,
        )

    def infer(self, x: Array) -> NDArray[np.int8]:
        return self.infer_many(x.reshape(1, -1))[0]

    def infer_many(self, x: Array) -> NDArray[np.int8]:
        graph, data = self._model.graph, self._bytes(x)
        if graph.variables:
            return output_bytes(graph, self._run(data)).view(np.int8)
        return infer_bytes(graph, self._kernels, data).view(np.int8)

    def trace(self, x: Array) -> NDArray[np.uint32]:
        return self.trace_many(x.reshape(1, -1))[0]

    def trace_many(self, x: Array) -> NDArray[np.uint32]:
        data = self._bytes(x)
        if not self._model.graph.variables:
            return self._trace(data)
        rows = [self._trace(data[i : i + 1]) for i in range(len(data))]
        return np.concatenate([np.zeros((0, len(self._model.kernels)), np.uint32), *rows])

    def run(self, x: Array, end: int) -> None:
        graph, kernels = self._model.graph, self._kernels
        inputs = split_inputs(graph, self._bytes(x.reshape(1, -1)))
        # In the order of writing, so that the arena holds what a device's holds.
        for written in steps(graph, kernels, inputs, end, self._variables):
            self._store(written)
            self._variables.update({t: v for t, v in written.items() if t in self._variables})

    def read(self, space: int, index: int, offset: int, length: int) -> bytes:
        data = self.memory(space, index)
        if offset < 0 or length < 0 or offset + length > len(data):
            raise DeviceError(f"read of {length} bytes at {offset}: only {len(data)} are there")
        return data[offset : offset + length]

    def classify(self, x: Array) -> tuple[int, NDArray[np.int32]]:
        (z,) = self._learner().logits(self._features(x.reshape(1, -1)))
        return int(np.argmax(z)), z.astype(np.int32)

    def classify_many(self, x: Array) -> NDArray[np.int64]:
        return np.argmax(self._learner().logits(self._features(x)), axis=1)

    def observe(self, x: Array) -> tuple[int, bool]:
        return self._learner().observe(self._features(x.reshape(1, -1)))

    def learn(self, x: Array, label: int) -> LearnStep:
        return self.learn_many(x.reshape(1, -1), [label])[0]

    def learn_many(self, x: Array, labels: Sequence[int] | Array) -> list[LearnStep]:
        head, features = self._learner(), self._features(x)
        return [
            head.learn(row[None], int(label)) for row, label in zip(features, labels, strict=True)
        ]

    def add_class(self) -> int:
        return self._learner().add_class()

    def roll_back(self, version: int) -> None:
        self._learner().roll_back(version)
        if version == 0:
            self._statistics = statistics.start(self._model.kernels)

    def end_session(self) -> None:
        self._learner().end_session()

    def new_day(self) -> None:
        self._learner().new_day()

    def export_state(self) -> bytes:
        return self._learner().export_state(self.info().source_hash)

    def import_state(self, state: bytes) -> None:
        self._learner().import_state(self.info().source_hash, state)

    def reset(self) -> None:
        self._variables = initial_state(self._model.graph)
        self._load_variables()
        self._head = self._new_head()
        self._statistics = statistics.start(self._model.kernels)
        self._stream = self._new_stream()

    def stream_begin(self, rate: int, channels: int) -> None:
        self._streaming("STREAM_BEGIN").begin(rate, channels)
        self._variables = initial_state(self._model.graph)
        self._load_variables()

    def stream_push(self, values: Array) -> Pushed:
        return self._streaming("STREAM_PUSH").push(whole_numbers(values))

    def stream_step(self) -> StreamStep:
        return self._streaming("STREAM_STEP").step()

    def stream_counters(self) -> StreamCounters:
        return self._streaming("STREAM_COUNTERS").counters()

    def observe_statistics(self, x: Array) -> Observation:
        found, before = self._named(), self._statistics
        if statistics.weighs(found, before, labelled=False):
            return self._weigh(found, x, None)
        inputs = split_inputs(self._model.graph, self._bytes(x.reshape(1, -1)))
        after = statistics.observe(self._model.graph, found, before, inputs)
        self._statistics = after
        looked = after is not before
        return self._observation(statistics.trace(found, after, before.layer) if looked else 0)

    def judge_statistics(self, x: Array, label: int) -> Observation:
        found = self._named()
        if not 0 <= label < self._learner().classes:
            raise DeviceError(f"emulator: {STATUS_TEXTS[Status.LABEL]}")
        if statistics.weighs(found, self._statistics, labelled=True):
            return self._weigh(found, x, label)
        return self._observation(0)

    def observe_statistics_many(self, x: Array) -> list[Observation]:
        return [self.observe_statistics(sample) for sample in x]

    def measure(self, kind: int, x: Array, label: int = 0) -> Measurement:
        del kind, x, label
        raise DeviceError("the emulator has no instruction counter; choose a cortex-m target")

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> EmulatedDevice:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _kernels(self) -> tuple[Kernel, ...]:
        """What answers."""
        taken = self._statistics.standing == Standing.TAKEN
        return self._statistics.kernels if taken else self._model.kernels

    def _named(self) -> Statistics:
        found = self._model.statistics
        if found is None:
            raise DeviceError("emulator: the model names no layers whose statistics are renewed")
        return found

    def _weigh(self, found: Statistics, x: Array, label: int | None) -> Observation:
        before, after = (
            self._loss(kernels, x, label)
            for kernels in (self._model.kernels, self._statistics.kernels)
        )
        known = label is not None
        self._statistics = statistics.weigh(found, self._statistics, before, after, known)
        return self._observation(0)

    def _loss(self, kernels: Sequence[Kernel], x: Array, label: int | None) -> NDArray[np.int64]:
        """(1,) bits, Q10, that the head loses on a sample; None: on what it takes it for."""
        head, graph = self._model.head, self._model.graph
        assert head is not None
        inputs = split_inputs(graph, self._bytes(x.reshape(1, -1)))
        features = run(graph, kernels, inputs, head.operator)[head.feature_tensor]
        z = self._learner().logits(features)
        _, total = softmax(z)
        labels = np.argmax(z, axis=1) if label is None else np.array([label])
        return loss(z, total, labels, np.array(z.shape[1]))

    def _observation(self, crc: int) -> Observation:
        state = self._statistics
        return Observation(
            crc,
            int(state.trial.gain[0]),
            int(state.trial.squares[0]),
            int(state.trial.samples[0]),
            self._named().plan.layers - state.layer,
            state.samples,
            int(state.standing),
        )

    def _bytes(self, x: Array) -> NDArray[np.uint8]:
        rows = np.ascontiguousarray(x).reshape(len(x), -1)
        return rows.view(np.uint8)

    def _run(self, x: NDArray[np.uint8], end: int | None = None) -> dict[int, Value]:
        """The values of samples that come one after the other; moves the variables on."""
        graph, kernels = self._model.graph, self._kernels
        inputs = split_inputs(graph, x)
        if not graph.variables:
            return run(graph, kernels, inputs, end)
        values = run_in_order(graph, kernels, inputs, end, self._variables)
        if len(x):
            self._variables = last_state(graph, values)
            self._load_variables()
        return values

    def _trace(self, x: NDArray[np.uint8]) -> NDArray[np.uint32]:
        """CRCs (n, operators) of what each operator wrote, just after it did."""
        graph, kernels = self._model.graph, self._kernels
        first, *writings = steps(graph, kernels, split_inputs(graph, x), None, self._variables)
        outputs = [
            written[kernel.outputs[0]] for kernel, written in zip(kernels, writings, strict=True)
        ]
        if graph.variables:
            for written in writings:
                first.update(written)
            self._variables = last_state(graph, first)
            self._load_variables()
        # Inside a chain an output is never whole: the CRC is that of nothing, as on a device.
        whole = [kernel.outputs[0] in self._model.memory.placements for kernel in kernels]
        rows = [
            [
                zlib.crc32(o[i].tobytes() if there else b"")
                for o, there in zip(outputs, whole, strict=True)
            ]
            for i in range(len(x))
        ]
        return np.array(rows, np.uint32)

    def _load_variables(self) -> None:
        self._store(self._variables)

    def _store(self, values: Mapping[int, Value]) -> None:
        """Puts the values of one inference where a device has them."""
        for tensor, value in values.items():
            place = self._model.memory.placements.get(tensor)
            if place is None:
                continue  # Inside a chain: never whole.
            data = np.ascontiguousarray(value[0]).view(np.uint8)
            self._arena[place.offset : place.offset + place.bytes] = data

    def _new_head(self) -> EmulatedHead | None:
        model = self._model
        return None if model.head is None else make_head(model.head, model.learner)

    def _new_stream(self) -> EmulatedStream | None:
        plan = self._model.stream
        return None if plan is None else EmulatedStream(plan, self._probabilities)

    def _streaming(self, message: str) -> EmulatedStream:
        if self._stream is None:
            raise failure(message, Status.NO_STREAM)
        return self._stream

    def _probabilities(self, frames: NDArray[np.int8]) -> NDArray[np.int64]:
        """(C,) Q15 of the model's input, that a stream has put together."""
        x = frames.reshape(1, -1)
        if self._head is not None:
            return self._head.probabilities(self._features(x))
        (output,) = self._model.graph.outputs
        values = self._run(self._bytes(x))[output]
        return (values.reshape(-1).astype(np.int64) + 128) << 7

    def _learner(self) -> EmulatedHead:
        if self._head is None:
            raise DeviceError("emulator: the model has no learning head")
        return self._head

    def _features(self, x: Array) -> NDArray[np.int8]:
        head = self._model.head
        assert head is not None
        return self._run(self._bytes(x), head.operator)[head.feature_tensor]

    def memory(self, space: int, index: int) -> bytes:
        """All bytes of a protocol.Space."""
        if space == Space.ARENA:
            return self._arena.tobytes()
        if space == Space.CONSTANT:
            return constant_blocks(self._model)[index].data
        if space == Space.LEARNER:
            return self._learner().learner_region(index)
        return self._learner().head_region(Region(index))
