"""The protocol's client: a device at the other end of a byte stream."""

import struct
import zlib
from collections.abc import Sequence
from itertools import islice
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
from tinytrain.errors import DeviceError, InputError
from tinytrain.protocol import (
    CHECKSUM,
    PROTOCOL_VERSION,
    REPLY,
    STATE_HEADER_BYTES,
    STATUS_TEXTS,
    Frame,
    FrameError,
    Message,
    Status,
    StreamEvent,
    decode_frame,
    encode_frame,
)
from tinytrain.variants.instruction_set import InstructionSet

INFO = struct.Struct("<IIIIHHHHHHIB")
STATUS = struct.Struct("<i")
LEARN_STEP = struct.Struct("<IHHH")
OBSERVED = struct.Struct("<HH")
OBSERVATION = struct.Struct("<IiIHHHH")
MEASUREMENT = struct.Struct("<QI")
OFFSET = struct.Struct("<I")
PUSHED = struct.Struct("<II")
STREAM_COUNTERS = struct.Struct("<7I")
STEP = struct.Struct("<HH")

PIPE_BYTES = 8192
"""Requests sent ahead of their replies. Less than a pipe holds (64 KB on Linux, 16 KB on macOS), so
that a device which waits for its replies to be read cannot make us wait for our writing."""

SEQUENCES = 1 << 16

U32_MAX = (1 << 32) - 1


class Stream(Protocol):
    """Bytes to and from a device. Both methods raise DeviceError when the device is gone or too
    slow."""

    def write(self, data: bytes) -> None:
        """Sends all of `data`."""

    def read(self) -> bytes:
        """The next bytes: at least one."""

    def close(self) -> None:
        """Ends the stream."""


class StreamDevice:
    """A Device at the other end of a stream (see interface.py for the methods).

    `name` stands in errors; `window` is how many bytes of requests may be under way at once: 0
    sends the next request only after the last one's reply.
    """

    def __init__(self, stream: Stream, name: str, window: int = PIPE_BYTES) -> None:
        self._stream = stream
        self._name = name
        self._window = window
        self._sequence = 0
        self._received = bytearray()
        self._info: Info | None = None
        self._channels = 1
        """Of the stream that has begun."""

    def info(self) -> Info:
        if self._info is None:
            self._info = _parse_info(self._ask(Message.INFO))
        return self._info

    def infer(self, x: Array) -> NDArray[np.int8]:
        return np.frombuffer(self._ask(Message.INFER, self._sample(x)), np.int8)

    def infer_many(self, x: Array) -> NDArray[np.int8]:
        replies = self._ask_many(Message.INFER, self._samples(x))
        rows = np.frombuffer(b"".join(replies), np.int8)
        return rows.reshape(len(replies), self.info().output_bytes)

    def trace(self, x: Array) -> NDArray[np.uint32]:
        return np.frombuffer(self._ask(Message.TRACE, self._sample(x)), "<u4")

    def trace_many(self, x: Array) -> NDArray[np.uint32]:
        replies = self._ask_many(Message.TRACE, self._samples(x))
        rows = np.frombuffer(b"".join(replies), "<u4")
        return rows.reshape(len(replies), self.info().operators)

    def run(self, x: Array, end: int) -> None:
        self._ask(Message.RUN, _u16("operator", end) + self._sample(x))

    def read(self, space: int, index: int, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > U32_MAX:
            raise InputError(f"cannot read {length} bytes from offset {offset}")
        most = self.info().largest_payload - STATUS.size
        place = _u16("space", space) + _u16("index", index)
        requests = [
            place + struct.pack("<II", offset + start, min(most, length - start))
            for start in range(0, max(length, 1), most)
        ]
        return b"".join(self._ask_many(Message.READ, requests))

    def classify(self, x: Array) -> tuple[int, NDArray[np.int32]]:
        reply = self._ask(Message.CLASSIFY, self._sample(x))
        return int.from_bytes(reply[:2], "little"), np.frombuffer(reply, "<i4", offset=2)

    def classify_many(self, x: Array) -> NDArray[np.int64]:
        replies = self._ask_many(Message.CLASSIFY, self._samples(x))
        return np.array([int.from_bytes(reply[:2], "little") for reply in replies], np.int64)

    def learn(self, x: Array, label: int) -> LearnStep:
        reply = self._ask(Message.LEARN, _u16("label", label) + self._sample(x))
        return LearnStep(*LEARN_STEP.unpack(reply))

    def learn_many(self, x: Array, labels: Sequence[int] | Array) -> list[LearnStep]:
        samples = self._samples(x)
        if len(samples) != len(labels):
            raise InputError(f"{len(samples)} samples but {len(labels)} labels")
        requests = [
            _u16("label", int(label)) + sample
            for sample, label in zip(samples, labels, strict=True)
        ]
        replies = self._ask_many(Message.LEARN, requests)
        return [LearnStep(*LEARN_STEP.unpack(reply)) for reply in replies]

    def add_class(self) -> int:
        return int.from_bytes(self._ask(Message.ADD_CLASS), "little")

    def observe(self, x: Array) -> tuple[int, bool]:
        label, alarm = OBSERVED.unpack(self._ask(Message.OBSERVE, self._sample(x)))
        return label, bool(alarm)

    def roll_back(self, version: int) -> None:
        self._ask(Message.ROLL_BACK, _u16("version", version))

    def end_session(self) -> None:
        self._ask(Message.END_SESSION)

    def new_day(self) -> None:
        self._ask(Message.NEW_DAY)

    def export_state(self) -> bytes:
        header = self._ask(Message.EXPORT, struct.pack("<II", 0, STATE_HEADER_BYTES))
        end = STATE_HEADER_BYTES + int.from_bytes(header[12:], "little")
        most = self.info().largest_payload - STATUS.size
        requests = [
            struct.pack("<II", start, min(most, end - start))
            for start in range(STATE_HEADER_BYTES, end, most)
        ]
        state = header + b"".join(self._ask_many(Message.EXPORT, requests))
        return state + CHECKSUM.pack(zlib.crc32(state))

    def import_state(self, state: bytes) -> None:
        self._ask(Message.IMPORT_BEGIN, state[:STATE_HEADER_BYTES])
        # What is too long is cut, so that the end, with a wrong checksum, is reached in any case.
        end = STATE_HEADER_BYTES + int.from_bytes(state[12:STATE_HEADER_BYTES], "little")
        end = max(min(end, len(state) - CHECKSUM.size), STATE_HEADER_BYTES)
        most = self.info().largest_payload - OFFSET.size
        for start in range(STATE_HEADER_BYTES, end, most):
            piece = state[start : min(start + most, end)]
            self._ask(Message.IMPORT_WRITE, OFFSET.pack(start) + piece)
        checksum = state[end:] if len(state) == end + CHECKSUM.size else bytes(CHECKSUM.size)
        self._ask(Message.IMPORT_END, checksum)

    def reset(self) -> None:
        self._ask(Message.RESET)

    def observe_statistics(self, x: Array) -> Observation:
        return self.observe_statistics_many(x.reshape(1, -1))[0]

    def observe_statistics_many(self, x: Array) -> list[Observation]:
        replies = self._ask_many(Message.OBSERVE_STATISTICS, self._samples(x))
        return [Observation(*OBSERVATION.unpack(reply)) for reply in replies]

    def judge_statistics(self, x: Array, label: int) -> Observation:
        request = _u16("label", label) + self._sample(x)
        return Observation(*OBSERVATION.unpack(self._ask(Message.JUDGE_STATISTICS, request)))

    def measure(self, kind: int, x: Array, label: int = 0) -> Measurement:
        fields = _u16("kind", kind) + _u16("label", label)
        reply = self._ask(Message.MEASURE, fields + self._sample(x))
        return Measurement(*MEASUREMENT.unpack(reply))

    def stream_begin(self, rate: int, channels: int) -> None:
        if not 0 <= rate <= U32_MAX:
            raise InputError(f"rate {rate} is not in 0 to {U32_MAX}")
        self._ask(Message.STREAM_BEGIN, struct.pack("<I", rate) + _u16("channels", channels))
        self._channels = channels

    def stream_push(self, values: Array) -> Pushed:
        """Splits between whole samples what one frame of the link cannot hold."""
        data = np.ascontiguousarray(values, "<i2").reshape(-1)
        whole = self._channels
        most = max(self.info().largest_payload // 2 // whole, 1) * whole
        # A part of a sample is for the device to refuse, and nothing of the rest is to be taken.
        if len(data) % whole:
            data = data[: len(data) % most] if len(data) > most else data
        parts = [data[i : i + most].tobytes() for i in range(0, max(len(data), 1), most)]
        replies = [PUSHED.unpack(reply) for reply in self._ask_many(Message.STREAM_PUSH, parts)]
        return Pushed(sum(taken for taken, _ in replies), replies[-1][1])

    def stream_step(self) -> StreamStep:
        return _parse_step(self._ask(Message.STREAM_STEP))

    def stream_counters(self) -> StreamCounters:
        return StreamCounters(*STREAM_COUNTERS.unpack(self._ask(Message.STREAM_COUNTERS)))

    def exchange(self, message: int, payload: bytes, version: int = PROTOCOL_VERSION) -> bytes:
        """Any request, and its reply's payload with the status: for testing a device."""
        sequence = self._sequence
        self._sequence = (sequence + 1) % SEQUENCES
        self._stream.write(encode_frame(Frame(message, sequence, payload, version)))
        return self._receive(message, sequence).payload

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> "StreamDevice":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _sample(self, x: Array) -> bytes:
        sample = np.ascontiguousarray(x).tobytes()
        if len(sample) != self.info().input_bytes:
            raise InputError(
                f"a sample of shape {np.shape(x)} has {len(sample)} bytes; "
                f"{self.info().name} takes {self.info().input_bytes}"
            )
        return sample

    def _samples(self, x: Array) -> list[bytes]:
        return [self._sample(sample) for sample in x]

    def _ask(self, message: Message, payload: bytes = b"") -> bytes:
        return self._ask_many(message, [payload])[0]

    def _ask_many(self, message: Message, payloads: Sequence[bytes]) -> list[bytes]:
        """The replies to several requests, without their status, in order."""
        replies: list[bytes] = []
        while len(replies) < len(payloads):
            first = self._sequence
            count = self._send(message, payloads, len(replies))
            # All replies are taken before an error is raised, so that none is left behind.
            frames = [self._receive(message, (first + i) % SEQUENCES) for i in range(count)]
            replies += [self._checked(message, frame) for frame in frames]
        return replies

    def _send(self, message: Message, payloads: Sequence[bytes], start: int) -> int:
        """Sends the requests from `start` on that fit the window, at least one; their number."""
        batch = bytearray()
        count = 0
        for payload in islice(payloads, start, start + SEQUENCES // 2):
            encoded = encode_frame(Frame(message, self._sequence, payload))
            if count and len(batch) + len(encoded) > self._window:
                break
            batch += encoded
            count += 1
            self._sequence = (self._sequence + 1) % SEQUENCES
        self._stream.write(bytes(batch))
        return count

    def _receive(self, message: int, sequence: int) -> Frame:
        """The reply to the request with this sequence number."""
        try:
            frame = decode_frame(self._next())
        except FrameError as error:
            raise DeviceError(
                f"{self._name}: a damaged reply to {_name(message)}: {error}"
            ) from None
        if frame.version != PROTOCOL_VERSION:
            raise DeviceError(
                f"{self._name}: speaks protocol version {frame.version}, this is version "
                f"{PROTOCOL_VERSION}; build its firmware with this tinytrain"
            )
        if frame.type == REPLY:
            self._checked(message, frame)
        if (frame.type, frame.sequence) != (message | REPLY, sequence):
            raise DeviceError(
                f"{self._name}: expected the reply {sequence} to {_name(message)}, got a frame of "
                f"type 0x{frame.type:02x} with the number {frame.sequence}; is it a tinytrain "
                "device, and nobody else talking to it?"
            )
        return frame

    def _next(self) -> bytes:
        """The bytes of the next frame that is not empty, without its closing 0x00."""
        searched = 0
        while True:
            end = self._received.find(0, searched)
            if end < 0:
                searched = len(self._received)
                self._received += self._stream.read()
                continue
            encoded = bytes(self._received[:end])
            del self._received[: end + 1]
            searched = 0
            if encoded:
                return encoded

    def _checked(self, message: int, frame: Frame) -> bytes:
        """The reply's data. Raises DeviceError where its status is not OK."""
        if len(frame.payload) < STATUS.size:
            raise DeviceError(f"{self._name}: the reply to {_name(message)} is too short")
        (status,) = STATUS.unpack_from(frame.payload)
        if status != Status.OK:
            text = STATUS_TEXTS.get(status, "unknown status")
            raise DeviceError(f"{self._name}: {_name(message)}: {text} (status {status})")
        return frame.payload[STATUS.size :]


def _parse_info(reply: bytes) -> Info:
    """INFO's reply: its fields in the order of the wire."""
    (
        source_hash,
        input_bytes,
        output_bytes,
        arena_bytes,
        operators,
        constants,
        head_operator,
        classes,
        features,
        rows,
        largest_payload,
        body,
    ) = INFO.unpack_from(reply)
    return Info(
        name=reply[INFO.size :].decode("utf-8", errors="replace"),
        source_hash=source_hash,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        arena_bytes=arena_bytes,
        operators=operators,
        constants=constants,
        head_operator=head_operator,
        classes=classes,
        features=features,
        rows=rows,
        largest_payload=largest_payload,
        has_counter=bool(body & 1),
        instruction_set=_instruction_set(body >> 4),
    )


def _instruction_set(number: int) -> InstructionSet:
    """Raises DeviceError for one that is not known."""
    try:
        return InstructionSet(number)
    except ValueError as error:
        raise DeviceError(
            f"the device's kernels have instruction set {number}; this tinytrain knows 0 to "
            f"{max(InstructionSet)}: update it"
        ) from error


def _parse_step(reply: bytes) -> StreamStep:
    """STREAM_STEP's reply: an event and the number of classes, then what there is of the rest."""
    event, classes = STEP.unpack_from(reply)
    if event == StreamEvent.IDLE:
        return StreamStep(event)
    tail = 4 * classes + 2 if event >= StreamEvent.INFERENCE else 0
    end = len(reply) - tail
    frame = np.frombuffer(reply[STEP.size : end], np.int8)
    if not tail:
        return StreamStep(event, frame)
    numbers = np.frombuffer(reply[end:], "<u2")
    return StreamStep(
        event, frame, numbers[:classes], numbers[classes : 2 * classes], int(numbers[-1])
    )


def _name(message: int) -> str:
    return Message(message).name if message in set(Message) else f"message {message}"


def _u16(what: str, value: int) -> bytes:
    if not 0 <= value <= 0xFFFF:
        raise InputError(f"{what} {value} is not in 0 to 65535")
    return value.to_bytes(2, "little")
