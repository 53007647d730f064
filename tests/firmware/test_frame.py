"""The firmware's frames against Python's, under sanitizers, and a device that is sent garbage."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytrain.device.build import build
from tinytrain.device.process import ProcessStream
from tinytrain.protocol import (
    REPLY,
    Frame,
    FrameError,
    Message,
    Status,
    decode_frame,
    encode_frame,
)

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"

PAYLOADS = st.binary(max_size=700) | st.integers(0, 1100).map(lambda n: b"\x55" * n)

FRAMES = st.builds(
    Frame,
    type=st.integers(0, 12) | st.integers(0, 255),
    sequence=st.integers(0, 65535),
    payload=st.binary(max_size=24) | PAYLOADS,
    version=st.just(1) | st.integers(0, 255),
)

GARBAGE = st.lists(st.binary(max_size=40) | FRAMES.map(encode_frame), max_size=12).map(b"".join)

SLOW = settings(max_examples=60, deadline=None)
"""A process for each example."""


@pytest.fixture(scope="session")
def frame_program(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> Path:
    program = tmp_path_factory.mktemp("frame") / "frame_program"
    sources = [FIRMWARE / "src" / "link" / name for name in ("frame.c", "crc32.c")]
    subprocess.run(
        [
            os.environ.get("CC", "cc"),
            *("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-g", "-O1"),
            *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
            f"-I{FIRMWARE / 'include'}",
            *("-o", program, Path(__file__).parent / "frame_program.c", *sources),
        ],
        check=True,
    )
    return program


def run(program: Path, *arguments: object, data: bytes) -> bytes:
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def expected_events(data: bytes, capacity: int) -> list[str]:
    """What a receiver has to make of `data`, by Python."""
    events = []
    for encoded in data.split(b"\0")[:-1]:
        if not encoded:
            continue
        try:
            if len(encoded) > capacity:
                raise FrameError("too long")
            frame = decode_frame(encoded)
        except FrameError:
            events.append(f"error {Status.FRAME.value}")
        else:
            fields = (frame.version, frame.type, frame.sequence, frame.payload.hex())
            events.append("frame " + " ".join(map(str, fields)))
    return events


@SLOW
@given(st.lists(PAYLOADS, max_size=20))
def test_python_reads_what_the_firmware_sends(frame_program: Path, payloads: list[bytes]) -> None:
    records = b"".join(len(p).to_bytes(4, "little") + p for p in payloads)
    encoded = run(frame_program, "encode", data=records)
    assert encoded == b"".join(encode_frame(Frame(2, i, p)) for i, p in enumerate(payloads))


@SLOW
@given(GARBAGE, st.integers(1, 800), st.integers(1, 900))
def test_the_receiver_takes_any_bytes_in_any_chunks(
    frame_program: Path, data: bytes, capacity: int, chunk: int
) -> None:
    printed = run(frame_program, "receive", capacity, chunk, data=data).decode().splitlines()
    assert [line.rstrip() for line in printed] == [
        line.rstrip() for line in expected_events(data, capacity)
    ]


@pytest.fixture(scope="session")
def device_stream(tiny_project: Callable[..., Path]) -> Iterator[ProcessStream]:
    """A device with nobody between us and its bytes."""
    program = build(tiny_project(), "host") / "device"
    stream = ProcessStream([str(program)], "host")
    yield stream
    stream.close()


def replies(stream: ProcessStream, count: int) -> list[Frame]:
    received = b""
    while received.count(b"\0") < count:
        received += stream.read()
    return [decode_frame(encoded) for encoded in received.split(b"\0")[:-1]]


@settings(max_examples=300, deadline=None)
@given(GARBAGE)
def test_a_device_answers_every_frame_and_the_good_one_after_garbage(
    device_stream: ProcessStream, garbage: bytes
) -> None:
    data = garbage + b"\0" + encode_frame(Frame(Message.INFO, 4711, b""))
    device_stream.write(data)
    *before, last = replies(device_stream, sum(map(bool, data.split(b"\0"))))
    assert (last.type, last.sequence) == (Message.INFO | REPLY, 4711)
    assert last.payload[:4] == bytes(4)
    for reply in before:
        if reply.type == REPLY and reply.sequence == 0:
            assert int.from_bytes(reply.payload[:4], "little", signed=True) < 0


def test_a_frame_that_is_too_long_is_reported_once(device_stream: ProcessStream) -> None:
    long = encode_frame(Frame(Message.INFER, 1, bytes(5000)))
    device_stream.write(long + encode_frame(Frame(Message.INFO, 2, b"")))
    first, second = replies(device_stream, 2)
    assert first == Frame(REPLY, 0, Status.FRAME.to_bytes(4, "little", signed=True))
    assert second.sequence == 2
