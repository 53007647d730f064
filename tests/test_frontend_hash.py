"""A front end's hash and file: every number counts, and what no device takes is refused."""

from __future__ import annotations

import struct
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.frontend_cases import small_audio, small_motion, small_plan
from tinytrain.errors import InputError
from tinytrain.frontend.constants import AudioConstants
from tinytrain.frontend.file import frontend_bytes, read_frontend
from tinytrain.frontend.hash import frontend_hash
from tinytrain.frontend.limits import check_plan
from tinytrain.project import read_arrays


def test_the_hash_is_of_the_constants_as_they_lie_in_flash() -> None:
    k = small_audio()
    assert isinstance(k, AudioConstants)
    data = struct.pack("<16i", *(getattr(k, field.name) for field in fields(k)[:16]))
    data += struct.pack("<i", 128) + k.transform.twiddles.astype("<i2").tobytes()
    data += struct.pack("<2i", k.quantizer.each, k.quantizer.shift)
    data += k.quantizer.offset.astype("<i4").tobytes() + k.quantizer.scale.astype("<i4").tobytes()
    for array in (k.window_function, k.segment_bins, k.rising, k.cosines):
        data += array.tobytes()
    assert frontend_hash(k) == int(sha256(data).hexdigest()[:8], 16)


def test_every_number_changes_the_hash() -> None:
    for k in (small_audio(), small_motion(form="statistics", length=16, bands=2)):
        known = {frontend_hash(k)}
        for field in fields(k):
            value: Any = getattr(k, field.name)
            if isinstance(value, int):
                known.add(frontend_hash(replace(k, **{field.name: value + 1})))
            elif isinstance(value, np.ndarray) and value.size:
                changed = value.copy()
                changed.reshape(-1)[-1] ^= 1
                known.add(frontend_hash(replace(k, **{field.name: changed})))
        assert len(known) > 10
        numbers = sum(1 for f in fields(k) if isinstance(getattr(k, f.name), int))
        assert len(known) > numbers


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 0}, "frames is 0; 1 to 65535"),
        ({"stride": 0}, "stride is 0"),
        ({"ring_capacity": 128}, "ring_capacity is 128; 129 to 65535"),
        ({"average": 65}, "smoother.average is 65; 1 to 64"),
        ({"threshold": 32769}, "smoother.threshold is 32769"),
        ({"refractory": -1}, "smoother.refractory is -1"),
        ({"ignored": 2}, "smoother.ignore has 1 elements; 2 are expected"),
    ],
)
def test_a_plan_that_no_device_takes_is_named(changes: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=f"here: {message}"):
        check_plan(small_plan(small_audio(), **changes), "here")


def test_a_forged_file_is_refused(tmp_path: Path) -> None:
    plan = small_plan(small_audio())
    path = tmp_path / "frontend.npz"
    path.write_bytes(frontend_bytes(plan))
    arrays = read_arrays(path)
    for name, value in [
        ("audio.window", np.array(200)),
        ("audio.window", np.array([16])),
        ("audio.first_bin", np.array(-1)),
        ("audio.segment_bins", np.full(9, 60_000, np.uint16)),
        ("audio.rising", arrays["audio.rising"].astype(np.int64)),
        ("audio.transform.points", np.array(1 << 20)),
        ("audio.quantizer.shift", np.array(0)),
        ("smoother.ignore", np.zeros(3, np.uint16)),
    ]:
        np.savez(path, **{**arrays, name: value})  # type: ignore[arg-type]
        digest = sha256(path.read_bytes()).hexdigest()
        with pytest.raises(InputError, match=r"frontend\.npz: "):
            read_frontend(path, digest, read_arrays)
    np.savez(path, **{name: value for name, value in arrays.items() if name != "stream.frames"})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"no array 'stream\.frames'"):
        read_frontend(path, sha256(path.read_bytes()).hexdigest(), read_arrays)
