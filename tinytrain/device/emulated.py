"""The emulated device: the numpy reference behind the interface that every device has."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from tinytrain.converters.c.writer import constant_blocks
from tinytrain.device.interface import Array, Info, LearnStep, Measurement, Observation
from tinytrain.emulator import head as learning
from tinytrain.emulator import statistics
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
from tinytrain.head import Head
from tinytrain.model import Model
from tinytrain.protocol import Region, Space


class EmulatedDevice:
    """One device, in numpy. Same results as every other body, call by call."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._arena = np.zeros(model.memory.arena_bytes, np.uint8)
        self._crc = 0
        self._step: learning.Step | None = None
        self._state = None if model.head is None else learning.factory_state(model.head.constants)
        self._statistics = statistics.start(model.kernels)
        self._variables = initial_state(model.graph)
        self._load_variables()

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
        )

    def infer(self, x: Array) -> NDArray[np.int8]:
        return self.infer_many(x.reshape(1, -1))[0]

    def infer_many(self, x: Array) -> NDArray[np.int8]:
        graph, data = self._model.graph, self._bytes(x)
        if graph.variables:
            return output_bytes(graph, self._run(data)).view(np.int8)
        return infer_bytes(graph, self._statistics.kernels, data).view(np.int8)

    def trace(self, x: Array) -> NDArray[np.uint32]:
        return self.trace_many(x.reshape(1, -1))[0]

    def trace_many(self, x: Array) -> NDArray[np.uint32]:
        data = self._bytes(x)
        if not self._model.graph.variables:
            return self._trace(data)
        rows = [self._trace(data[i : i + 1]) for i in range(len(data))]
        return np.concatenate([np.zeros((0, len(self._model.kernels)), np.uint32), *rows])

    def run(self, x: Array, end: int) -> None:
        graph, kernels = self._model.graph, self._statistics.kernels
        inputs = split_inputs(graph, self._bytes(x.reshape(1, -1)))
        # In the order of writing, so that the arena holds what a device's holds.
        for written in steps(graph, kernels, inputs, end, self._variables):
            self._store(written)
            self._variables.update({t: v for t, v in written.items() if t in self._variables})

    def read(self, space: int, index: int, offset: int, length: int) -> bytes:
        data = self._memory(space, index)
        if offset < 0 or length < 0 or offset + length > len(data):
            raise DeviceError(f"read of {length} bytes at {offset}: only {len(data)} are there")
        return data[offset : offset + length]

    def classify(self, x: Array) -> tuple[int, NDArray[np.int32]]:
        head, state = self._learner()
        z = learning.logits(head.constants, state, self._features(x.reshape(1, -1)))
        return int(np.argmax(z[0])), z[0].astype(np.int32)

    def classify_many(self, x: Array) -> NDArray[np.int64]:
        head, state = self._learner()
        everyone = learning.HeadState(
            np.broadcast_to(state.master_weights, (len(x), *state.master_weights.shape[1:])),
            np.broadcast_to(state.master_bias, (len(x), *state.master_bias.shape[1:])),
        )
        return learning.classify(head.constants, everyone, self._features(x))

    def learn(self, x: Array, label: int) -> LearnStep:
        return self.learn_many(x.reshape(1, -1), [label])[0]

    def learn_many(self, x: Array, labels: Sequence[int] | Array) -> list[LearnStep]:
        head, state = self._learner()
        features = self._features(x)
        steps = []
        for row, label in zip(features, labels, strict=True):
            step = learning.learn(
                head.constants, state, row[None], np.array([int(label)], np.int64)
            )
            self._crc = learning.trace(state, step, self._crc)
            self._step = step
            written = int(step.rows_written[0])
            steps.append(LearnStep(self._crc, int(step.predicted[0]), written))
        return steps

    def reset(self) -> None:
        self._variables = initial_state(self._model.graph)
        self._load_variables()
        self._crc = 0
        self._step = None
        self._statistics = statistics.start(self._model.kernels)
        if self._model.head is not None:
            self._state = learning.factory_state(self._model.head.constants)

    def observe_statistics(self, x: Array) -> Observation:
        found = self._model.statistics
        if found is None:
            raise DeviceError("emulator: the model names no layers whose statistics are renewed")
        before, graph = self._statistics, self._model.graph
        inputs = split_inputs(graph, self._bytes(x.reshape(1, -1)))
        after = self._statistics = statistics.observe(graph, found, before, inputs)
        crc = 0 if after is before else statistics.trace(found, after, before.layer)
        return Observation(crc, found.plan.layers - after.layer, after.samples)

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

    def _bytes(self, x: Array) -> NDArray[np.uint8]:
        rows = np.ascontiguousarray(x).reshape(len(x), -1)
        return rows.view(np.uint8)

    def _run(self, x: NDArray[np.uint8], end: int | None = None) -> dict[int, Value]:
        """The values of samples that come one after the other; moves the variables on."""
        graph, kernels = self._model.graph, self._statistics.kernels
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
        graph, kernels = self._model.graph, self._statistics.kernels
        first, *writings = steps(graph, kernels, split_inputs(graph, x), None, self._variables)
        outputs = [
            written[kernel.outputs[0]] for kernel, written in zip(kernels, writings, strict=True)
        ]
        if graph.variables:
            for written in writings:
                first.update(written)
            self._variables = last_state(graph, first)
            self._load_variables()
        rows = [[zlib.crc32(o[i].tobytes()) for o in outputs] for i in range(len(x))]
        return np.array(rows, np.uint32)

    def _load_variables(self) -> None:
        self._store(self._variables)

    def _store(self, values: Mapping[int, Value]) -> None:
        """Puts the values of one inference where a device has them."""
        for tensor, value in values.items():
            place = self._model.memory.placements[tensor]
            data = np.ascontiguousarray(value[0]).view(np.uint8)
            self._arena[place.offset : place.offset + place.bytes] = data

    def _learner(self) -> tuple[Head, learning.HeadState]:
        if self._model.head is None or self._state is None:
            raise DeviceError("emulator: the model has no learning head")
        return self._model.head, self._state

    def _features(self, x: Array) -> NDArray[np.int8]:
        head, _ = self._learner()
        return self._run(self._bytes(x), head.operator)[head.feature_tensor]

    def _memory(self, space: int, index: int) -> bytes:
        if space == Space.ARENA:
            return self._arena.tobytes()
        if space == Space.CONSTANT:
            return constant_blocks(self._model)[index].data
        return self._region(Region(index))

    def _region(self, region: Region) -> bytes:
        _, state = self._learner()
        if region == Region.MASTER_WEIGHTS:
            return state.master_weights[0].astype("<i2").tobytes()
        if region == Region.MASTER_BIAS:
            return state.master_bias[0].astype("<i4").tobytes()
        if self._step is None:
            return b""
        step = self._step
        if region == Region.WRITTEN:
            written = step.written[0]
            return written[written >= 0].astype("<u2").tobytes()
        if region == Region.PROBABILITIES:
            return step.probabilities[0].astype("<u2").tobytes()
        values = step.logits if region == Region.LOGITS else step.error
        return values[0].astype("<i4").tobytes()
