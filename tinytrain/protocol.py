"""The device protocol: every id, and frames to and from bytes.

The single source of the numbers: `python -m tinytrain.generate` writes the C headers from this
file. firmware/PROTOCOL.md gives the same in prose, with every byte.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

PROTOCOL_VERSION = 1

REPLY = 0x80
"""A reply's type is its request's with this bit; alone it answers a frame that was damaged."""

HEADER = struct.Struct("<BBH")
"""Version, type, sequence."""

CHECKSUM = struct.Struct("<I")
"""CRC-32 as zlib's, over all before it."""

NAME_BYTES = 64
"""The longest model name that INFO gives; a longer one is cut."""

FULL_BLOCK = 254
"""The most bytes that one COBS block can carry."""


class Status(IntEnum):
    """What an answer begins with: OK or an error. Errors are negative."""

    OK = 0
    FRAME = -1
    VERSION = -2
    MESSAGE = -3
    LENGTH = -4
    LABEL = -5
    NO_HEAD = -6
    MEMORY = -7
    RANGE = -8
    UNSUPPORTED = -9
    FULL = -10
    BUSY = -11
    MODEL = -12
    NO_LEARNER = -13
    NO_STATISTICS = -20
    RATE = -30
    CHANNELS = -31
    OVERRUN = -32
    FRONTEND = -33
    NO_STREAM = -34


STATUS_TEXTS: Mapping[Status, str] = MappingProxyType(
    {
        Status.OK: "done",
        Status.FRAME: "damaged frame: wrong encoding, length or checksum",
        Status.VERSION: "the frame is of another protocol version",
        Status.MESSAGE: "unknown message type",
        Status.LENGTH: "the payload has the wrong length for its message",
        Status.LABEL: "the label is not one of the head's classes",
        Status.NO_HEAD: "the model has no learning head",
        Status.MEMORY: "a buffer is too small or misaligned",
        Status.RANGE: "an index, offset or length is out of bounds",
        Status.UNSUPPORTED: "this device cannot do that (it has no instruction counter)",
        Status.FULL: "no row is left for another class",
        Status.BUSY: "there is work to finish first",
        Status.MODEL: "the state is of another model or learner",
        Status.NO_LEARNER: "the model's head is a plain one: it has no learner",
        Status.NO_STATISTICS: "the model names no layers whose statistics are re-estimated",
        Status.RATE: "samples of another rate than the front end's",
        Status.CHANNELS: "a number of channels that the front end does not take",
        Status.OVERRUN: "the ring is full: samples were lost",
        Status.FRONTEND: "the model was trained on another front end",
        Status.NO_STREAM: "the model has no front end",
    }
)


class Message(IntEnum):
    """What a request asks for: the type of its frame."""

    INFO = 1
    INFER = 2
    TRACE = 3
    RUN = 4
    READ = 5
    CLASSIFY = 6
    LEARN = 7
    RESET = 8
    MEASURE = 9
    ADD_CLASS = 10
    OBSERVE = 11
    ROLL_BACK = 12
    NEW_DAY = 13
    END_SESSION = 14
    OBSERVE_STATISTICS = 32
    STREAM_BEGIN = 40
    STREAM_PUSH = 41
    STREAM_STEP = 42
    STREAM_COUNTERS = 43


class Space(IntEnum):
    """What READ reads from."""

    ARENA = 0
    CONSTANT = 1
    HEAD = 2
    LEARNER = 3


class Region(IntEnum):
    """The head's arrays: the index of READ in Space.HEAD. C classes in use, D features."""

    MASTER_WEIGHTS = 0
    """int16 [C][D], the weights themselves; Q7.8 in the factory's units"""
    MASTER_BIAS = 1
    """int32 [C], units of the weights' sums"""
    LOGITS = 2
    """int32 [C] of the last sample, log2 units, Q10"""
    PROBABILITIES = 3
    """uint16 [C] of the last step, Q15"""
    ERROR = 4
    """int32 [C] of the last step, Q15"""
    WRITTEN = 5
    """uint16 [rows written] of the last step, in order of writing"""
    MASTER_LOW = 6
    """uint16 [C][D], 16 bits below each weight; empty where masters have 16 bits"""


class Measure(IntEnum):
    """What MEASURE counts; OPERATOR + i is operator i alone."""

    INFERENCE = 0
    LEARN_STEP = 1
    OPERATOR = 2
    OBSERVE_STATISTICS = 0x8000
    STREAM_STEP = 0x8001


class StreamEvent(IntEnum):
    """What STREAM_STEP came to: TT_STREAM_* of stream.h."""

    IDLE = 0
    """Samples are missing."""
    FRAME = 1
    """A frame, no inference."""
    INFERENCE = 2
    """An inference, nothing detected."""
    DETECTION = 3
    """An inference that came to a detection."""


class FrameError(ValueError):
    """Bytes that are no frame: wrong encoding, length or checksum."""


@dataclass(frozen=True)
class Frame:
    """One request or reply. `type`: 0 to 255; `sequence`: 0 to 65535, chosen by the client."""

    type: int
    sequence: int
    payload: bytes
    version: int = PROTOCOL_VERSION


def encode_frame(frame: Frame) -> bytes:
    """The bytes on the wire, the closing 0x00 included."""
    body = HEADER.pack(frame.version, frame.type, frame.sequence) + frame.payload
    return cobs_encode(body + CHECKSUM.pack(zlib.crc32(body))) + b"\0"


def decode_frame(encoded: bytes) -> Frame:
    """The frame in `encoded`, the bytes before its closing 0x00. Raises FrameError."""
    decoded = cobs_decode(encoded)
    if len(decoded) < HEADER.size + CHECKSUM.size:
        raise FrameError(f"{len(decoded)} bytes are too few for a frame")
    body = decoded[: -CHECKSUM.size]
    (checksum,) = CHECKSUM.unpack_from(decoded, len(body))
    if zlib.crc32(body) != checksum:
        raise FrameError("wrong checksum")
    version, kind, sequence = HEADER.unpack_from(body)
    return Frame(kind, sequence, body[HEADER.size :], version)


def cobs_encode(data: bytes) -> bytes:
    """Consistent overhead byte stuffing (Cheshire and Baker, 1999): `data` free of 0x00."""
    encoded = bytearray()
    runs = data.split(b"\0")
    for index, run in enumerate(runs):
        start = 0
        while len(run) - start >= FULL_BLOCK:
            encoded.append(FULL_BLOCK + 1)
            encoded += run[start : start + FULL_BLOCK]
            start += FULL_BLOCK
        # A full block stands for no zero, so that one at the very end needs no block after it.
        if start and start == len(run) and index == len(runs) - 1:
            break
        encoded.append(len(run) - start + 1)
        encoded += run[start:]
    return bytes(encoded)


def cobs_decode(encoded: bytes) -> bytes:
    """The inverse of cobs_encode. Raises FrameError."""
    decoded = bytearray()
    position = 0
    while position < len(encoded):
        code = encoded[position]
        end = position + code
        if code == 0 or end > len(encoded):
            raise FrameError("a block does not end inside its frame")
        block = encoded[position + 1 : end]
        if 0 in block:
            raise FrameError("a zero inside a block")
        decoded += block
        if code <= FULL_BLOCK and end < len(encoded):
            decoded.append(0)
        position = end
    return bytes(decoded)
