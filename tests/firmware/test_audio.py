"""Sounds become the same frames in C as in the emulator, bit for bit, on every target.

The emulator is held against the rules in tests/emulator/test_audio.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emulator.test_audio import exp2_of, log2_of
from tests.firmware.audio_device import (
    MAX_ARGUMENTS,
    MAX_VALUES,
    Device,
    build_program,
    constant_arrays,
    stream_frames,
    working_bytes,
)
from tests.frontend.audio_cases import KINDS, SETTINGS, Sound, all_settings, sounds, speech
from tinytrain.emulator.audio import features, mixed
from tinytrain.frontend.audio import AudioSettings, audio_constants, cepstral_ranges
from tinytrain.frontend.constants import AudioConstants
from tinytrain.protocol import Status

TARGETS = ("host", "cortex-m0", "cortex-m4", "cortex-m55")
DRAWS = int(os.environ.get("DRAWS", "40"))
FRAMES = 420
"""Of each of SETTINGS on each target: 10,000 in all."""
CAPACITY = 4096
SECOND_BARS = {"cortex-m4": 4_000_000, "cortex-m0": 12_000_000}
"""Instructions of a second of audio: 49 frames of the default settings."""

Programs = Callable[[str], list[str]]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Programs:
    """The command for a target, built once a session."""
    made: dict[str, list[str]] = {}

    def get(target: str) -> list[str]:
        host = ("require_host_gcc",)
        for fixture in host if target == "host" else ("require_arm_gcc", "require_qemu"):
            request.getfixturevalue(fixture)
        if target not in made:
            made[target] = build_program(tmp_path_factory.mktemp(target), target)
        return made[target]

    return get


def every_kind(samples: int) -> Any:
    """One kind of sound after the other, as long as is asked for."""
    part = -(-samples // (2 * len(KINDS)))
    parts = [Sound(k, a, 3).samples(part) for a in (700, 32767) for k in KINDS]
    return np.concatenate(parts)[:samples]


def compare(program: list[str], k: AudioConstants, samples: Any, chunk: int = 2000) -> int:
    """The frames of a stream in C, which are the emulator's."""
    chunks = [samples[i : i + chunk] for i in range(0, len(samples), chunk)]
    found = np.concatenate([a[0] for a in stream_frames(program, k, chunks, CAPACITY)])
    expected = features(k, samples[None])[0]
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)
    return len(found)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("target", TARGETS)
def test_frames_of_every_kind_of_sound_are_the_emulators(
    target: str, name: str, program: Programs
) -> None:
    k = audio_constants(AudioSettings(**SETTINGS[name]))
    samples = every_kind(k.window + (FRAMES - 1) * k.hop)
    assert compare(program(target), k, samples) == FRAMES


@pytest.mark.parametrize("name", ["log_mel", "gain_normalization", "cepstrum"])
@pytest.mark.parametrize("target", TARGETS)
def test_frames_of_speech_are_the_emulators(target: str, name: str, program: Programs) -> None:
    words = speech(4).reshape(-1)
    k = audio_constants(AudioSettings(**SETTINGS[name]))
    assert compare(program(target), k, words) > 190


@given(k=all_settings(), sound=sounds, chunk=st.integers(1, 3000))
@settings(
    max_examples=DRAWS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_settings_and_any_chunks_give_the_emulators_frames(
    k: AudioConstants, sound: Sound, chunk: int, program: Programs
) -> None:
    samples = sound.samples(k.window + 4 * k.hop)
    chunk = max(chunk, len(samples) // 40)
    compare(program("host"), k, samples, min(chunk, CAPACITY - 1 - k.window))


def test_outputs_may_have_ranges_of_their_own(program: Programs) -> None:
    k = audio_constants(AudioSettings(coefficients=13))
    raw = np.random.default_rng(0).integers(-(2**20), 2**20, (50, 13)) * np.arange(1, 14)
    fitted = audio_constants(AudioSettings(coefficients=13), cepstral_ranges(k, raw))
    assert fitted.quantizer.each
    assert compare(program("host"), fitted, every_kind(30000)) > 90


def test_a_reset_is_the_beginning_of_a_stream(program: Programs) -> None:
    k = audio_constants(AudioSettings(**SETTINGS["gain_normalization"], pre_emphasis=0.9))
    samples = every_kind(3000)
    device = Device(k, CAPACITY)
    for _ in range(2):
        device.push(samples)
        device.frames()
        device.push(samples[:777])
        device.reset()
    first, second = device.run(program("host"))[1::3]
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[0], features(k, samples[None])[0])


def test_a_full_ring_loses_the_newest_and_goes_on_with_what_it_kept(program: Programs) -> None:
    k = audio_constants(AudioSettings())
    samples = every_kind(9000)
    device, kept = Device(k, 1000), []
    for i, part in enumerate(np.split(samples, 6)):
        device.push(part)
        device.frames()
        device.counters()
        # 999 places; 339 samples wait after the frames at 0 and 320, at most so many ever.
        kept.append(part)
        assert i < 6
    answers = device.run(program("host"))
    waiting, lost, received = 0, 0, 0
    taken, found = [], []
    for part, result, frames, counted in zip(
        kept, answers[::3], answers[1::3], answers[2::3], strict=True
    ):
        room = 999 - waiting
        count = min(room, len(part))
        taken.append(part[:count])
        lost, received = lost + len(part) - count, received + count
        assert result == (Status.OVERRUN if count < len(part) else count)
        assert counted[:2] == (lost, received)
        waiting = counted[2]
        found.append(frames[0])
    stream = np.concatenate(taken)
    assert lost > 0
    assert np.array_equal(np.concatenate(found), features(k, stream[None])[0])


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_channels_are_mixed_and_a_part_of_a_sample_is_refused(
    channels: int, program: Programs
) -> None:
    k = audio_constants(AudioSettings())
    values = Sound("uniform", 0, channels).samples(1600 * channels)
    values[:channels], values[channels : 2 * channels] = -32768, 32767
    device = Device(k, CAPACITY)
    device.push(values, channels)
    if channels > 1:
        device.push(values[: 2 * channels - 1], channels)
    device.push(values[:0], channels)
    device.frames()
    answers = device.run(program("host"))
    assert answers[0] == 1600
    assert answers[1:-1] == [Status.LENGTH, 0][1 - (channels > 1) :]
    assert np.array_equal(answers[-1][0], features(k, mixed(values, channels)[None])[0])


def test_more_channels_than_can_be_mixed_are_refused(program: Programs) -> None:
    device = Device(audio_constants(AudioSettings()), CAPACITY)
    device.push(np.zeros(18, np.int16), 9)
    device.push(np.zeros(MAX_VALUES, np.int16)[:16], 8)
    assert device.run(program("host")) == [Status.CHANNELS, 2]


@pytest.mark.parametrize("target", TARGETS)
def test_logarithm_power_and_root_are_what_the_rules_say(target: str, program: Programs) -> None:
    rng = np.random.default_rng(0)
    random = [
        int(x) >> int(s) or 1
        for x, s in zip(
            rng.integers(0, 2**64, 2000, dtype=np.uint64), rng.integers(0, 64, 2000), strict=True
        )
    ]
    edges = [w for e in range(65) for w in (2**e - 1, 2**e, 2**e + 1) if 0 < w < 2**64]
    wide = random + edges
    powers = [int(y) % 2**32 for y in rng.integers(-(2**17), 2**22, 2000)]
    powers += [w % 2**32 for n in range(33) for w in (65536 * n - 1, 65536 * n, -(2**31))]
    signed = [y - 2**32 if y >= 2**31 else y for y in powers]
    device, expected = Device(audio_constants(AudioSettings()), CAPACITY), []
    for name, given_, results in (
        ("l", wide, [log2_of(v) for v in wide]),
        ("x", powers, [exp2_of(y) for y in signed]),
        ("i", wide, [isqrt(v) for v in wide]),
    ):
        for i in range(0, len(given_), MAX_ARGUMENTS):
            device.primitive(name, given_[i : i + MAX_ARGUMENTS])
            expected.append(tuple(results[i : i + MAX_ARGUMENTS]))
    assert device.run(program(target)) == expected


@pytest.mark.parametrize("target", SECOND_BARS)
def test_a_second_of_audio_takes_no_more_instructions_than_allowed(
    target: str, program: Programs
) -> None:
    k = audio_constants(AudioSettings())
    samples = Sound("clipped", 0, 0).samples(16000)
    # What waits for its frame, 479 samples at most, and 10 ms: 639, the places of a ring of 640.
    chunks = np.split(samples, 100)
    answers = stream_frames(program(target), k, chunks, 640, count=True)
    assert sum(len(found) for found, *_ in answers) == 49
    assert sum(instructions for _, instructions, _ in answers) <= SECOND_BARS[target]
    assert max(stack for *_, stack in answers) <= 512


def test_memory_and_constants_are_no_more_than_allowed() -> None:
    k = audio_constants(AudioSettings())
    assert working_bytes(k) + 2 * 640 <= 4096
    assert sum(array.nbytes for array in constant_arrays(k)) <= 6144
