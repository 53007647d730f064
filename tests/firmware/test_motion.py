"""Motion's front end on the targets gives the emulator's bits, whatever comes and in what pieces.

On the host under sanitizers; on the Cortex-M under QEMU.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.firmware.motion_device import MAX_VALUES, MAX_WINDOWS, Device, build_program
from tests.frontend.motion_cases import RATES, SIGNALS, Case, case, cases, chunks, made
from tinytrain.emulator.motion import MotionStream
from tinytrain.frontend.motion import MotionSettings, motion_constants
from tinytrain.protocol import Status

DRAWS = int(os.environ.get("DRAWS", "25"))


@pytest.fixture(scope="module", params=["host", "cortex-m0", "cortex-m4", "cortex-m55"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    needs = (
        ("require_host_gcc",) if request.param == "host" else ("require_arm_gcc", "require_qemu")
    )
    for fixture in needs:
        request.getfixturevalue(fixture)
    return build_program(tmp_path_factory.mktemp("motion"), request.param)


@pytest.fixture(scope="module")
def host(require_host_gcc: None, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return build_program(tmp_path_factory.mktemp("host"), "host")


def play(device: Device, one: Case, seed: int) -> list[np.ndarray]:
    """Sends a case in pieces, and gives the windows that should come of each."""
    device.begin(one.constants, MAX_VALUES // one.constants.channels)
    stream = MotionStream(one.constants)
    expected = []
    for chunk in chunks(one.samples, seed):
        device.push(chunk)
        device.windows()
        expected += [len(chunk), stream.push(chunk)]
    return expected


def check(program: list[str], device: Device, expected: list[object]) -> None:
    for found, wanted in zip(device.run(program), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


FIXED = [
    # form, bands, length, hop, channels
    ("windows", 0, 64, 32, 6),
    ("windows", 0, 1, 1, 1),
    ("windows", 0, 50, 77, 3),
    ("statistics", 0, 50, 25, 3),
    ("statistics", 4, 64, 32, 6),
    ("statistics", 8, 16, 33, 2),
    ("statistics", 5, 512, 128, 2),
]


@pytest.mark.slow
@pytest.mark.parametrize("shape", FIXED, ids=str)
def test_targets_give_the_emulators_bits(program: list[str], shape: tuple) -> None:
    form, bands, length, hop, channels = shape
    device, expected = Device(), []
    for seed, (input_rate, rate) in enumerate(RATES):
        one = MotionSettings(input_rate, rate, channels, length, hop, 0.01, form, bands)
        room = min(MAX_VALUES, MAX_WINDOWS * hop // one.outputs) // channels
        count = min(round((length + 2.5 * hop) * input_rate / rate), room)
        for signal in SIGNALS:
            expected += play(device, case(one, signal, seed, count), seed)
    check(program, device, expected)


@settings(deadline=None, max_examples=DRAWS, suppress_health_check=[HealthCheck.too_slow])
@given(one=cases(), seed=st.integers(0, 999))
def test_any_settings_and_pieces_give_the_emulators_bits(
    host: list[str], one: Case, seed: int
) -> None:
    device = Device()
    check(host, device, play(device, one, seed))


def test_a_full_ring_keeps_the_oldest_samples_and_the_stream_goes_on(program: list[str]) -> None:
    constants = motion_constants(MotionSettings(50, 25, 3, 16, 8, 0.01), 0.0, 1.0)
    samples = made("loud noise", 0, 300, 3)
    device = Device()
    device.begin(constants, 41)
    kept, answers = [], []
    for start in range(0, 300, 60):
        device.push(samples[start : start + 60])
        device.counters()
        device.windows()
        kept.append(samples[start : start + 40])
    stream = MotionStream(constants)
    for number, chunk in enumerate(kept, 1):
        answers += [Status.OVERRUN, (20 * number, 40), stream.push(chunk)]
    check(program, device, answers)


def test_part_of_a_sample_is_refused(host: list[str]) -> None:
    device = Device()
    device.begin(motion_constants(MotionSettings(25, 25, 3, 4, 4, 0.01), 0.0, 1.0), 9)
    device.push(np.zeros((1, 4), np.int16))
    device.counters()
    assert device.run(host) == [Status.LENGTH, (0, 0)]


@pytest.mark.parametrize("form", ["windows", "statistics"])
def test_after_a_reset_nothing_is_left_of_the_stream(host: list[str], form: str) -> None:
    one = case(MotionSettings(104, 25, 2, 16, 24, 0.01, form), "loud noise", 1, 200)
    device = Device()
    device.begin(one.constants, 300)
    whole = MotionStream(one.constants).push(one.samples)
    expected: list[object] = []
    for cut in (10, 90, 150):
        device.push(one.samples[:cut])
        device.windows()
        device.push(one.samples[:50])
        device.reset()
        device.counters()
        device.push(one.samples)
        device.windows()
        device.reset()
        expected += [cut, MotionStream(one.constants).push(one.samples[:cut])]
        expected += [50, (0, 0), 200, whole]
    check(host, device, expected)


def test_a_ring_of_one_sample_is_enough(host: list[str]) -> None:
    one = case(MotionSettings(20, 50, 2, 8, 3, 0.01), "noise", 1, 30)
    device, expected, stream = Device(), [], MotionStream(one.constants)
    device.begin(one.constants, 2)
    for row in one.samples:
        device.push(row[None])
        device.windows()
        expected += [1, stream.push(row[None])]
    check(host, device, expected)
