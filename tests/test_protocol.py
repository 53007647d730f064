"""The protocol's frames, and the files that are generated from it."""

import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytrain import generate
from tinytrain.protocol import (
    STATUS_TEXTS,
    Frame,
    FrameError,
    Message,
    Region,
    Space,
    Status,
    cobs_decode,
    cobs_encode,
    decode_frame,
    encode_frame,
)

DOCUMENT = (Path(__file__).parent.parent / "firmware" / "PROTOCOL.md").read_text()

FRAMES = st.builds(
    Frame,
    type=st.integers(0, 255),
    sequence=st.integers(0, 65535),
    payload=st.binary(max_size=600) | st.integers(0, 1100).map(lambda n: b"\7" * n),
    version=st.integers(0, 255),
)


@given(FRAMES)
def test_a_frame_survives_the_wire(frame: Frame) -> None:
    encoded = encode_frame(frame)
    assert encoded.endswith(b"\0")
    assert decode_frame(encoded[:-1]) == frame


@given(FRAMES)
def test_only_the_end_of_a_frame_is_zero(frame: Frame) -> None:
    assert 0 not in encode_frame(frame)[:-1]


@given(FRAMES, st.data())
def test_one_changed_byte_is_noticed(frame: Frame, data: st.DataObject) -> None:
    encoded = bytearray(encode_frame(frame)[:-1])
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        decode_frame(bytes(encoded))


@pytest.mark.parametrize(
    ("decoded", "encoded"),
    [
        (b"", "01"),
        (b"\0", "0101"),
        (b"\0\0", "010101"),
        (b"\x11\x22\0\x33", "0311220233"),
        (b"\x11\x22\x33\x44", "0511223344"),
        (b"\x11\0\0\0", "0211010101"),
        (bytes(range(1, 255)), "ff" + bytes(range(1, 255)).hex()),
        (bytes(range(255)), "01ff" + bytes(range(1, 255)).hex()),
        (bytes(range(1, 256)), "ff" + bytes(range(1, 255)).hex() + "02ff"),
        (bytes([*range(2, 256), 0]), "ff" + bytes(range(2, 256)).hex() + "0101"),
        (bytes([*range(3, 256), 0, 1]), "fe" + bytes(range(3, 256)).hex() + "0201"),
    ],
)
def test_cobs_gives_the_published_examples(decoded: bytes, encoded: str) -> None:
    """Wikipedia's table for consistent overhead byte stuffing."""
    assert cobs_encode(decoded).hex() == encoded
    assert cobs_decode(bytes.fromhex(encoded)) == decoded


def test_every_status_has_a_name_and_a_text() -> None:
    assert set(STATUS_TEXTS) == set(Status)
    assert all(status < 0 for status in Status if status is not Status.OK)


def test_generated_files_are_up_to_date() -> None:
    assert generate.outdated(generate.ROOT) == []


def test_check_notices_a_changed_file(tmp_path: Path) -> None:
    for path, _ in generate.FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    generate.write(tmp_path)
    assert generate.outdated(tmp_path) == []
    changed, _ = generate.FILES[0]
    (tmp_path / changed).write_text("something else")
    assert generate.outdated(tmp_path) == [changed]


def test_the_document_lists_every_id() -> None:
    for ids in (Message, Space, Region, Status):
        for member in ids:
            row = rf"^\| {re.escape(str(member.value))} \| `{member.name}` \|"
            assert re.search(row, DOCUMENT, re.MULTILINE), f"{member!r} is not in PROTOCOL.md"


def test_the_document_shows_true_bytes() -> None:
    request, reply, damaged = (
        bytes.fromhex(line) for line in re.findall(r"^ {4}((?:[0-9a-f]{2} )+00)$", DOCUMENT, re.M)
    )
    assert request == encode_frame(
        Frame(Message.READ, 7, bytes.fromhex("010000000000000003000000"))
    )
    assert decode_frame(reply[:-1]).payload[4:] == bytes([0x14, 0xE2, 0x28])
    assert decode_frame(damaged[:-1]) == Frame(
        0x80, 0, Status.FRAME.to_bytes(4, "little", signed=True)
    )


def test_the_checksum_is_zlibs() -> None:
    decoded = cobs_decode(encode_frame(Frame(1, 2, b"three"))[:-1])
    assert decoded[-4:] == zlib.crc32(decoded[:-4]).to_bytes(4, "little")
