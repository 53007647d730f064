"""Sounds become the frames that firmware/FRONTEND.md says, which are close to floating point.

Three implementations meet here: the emulator, the rules once more in Python's integers, and
floating point. The C front end meets the emulator in tests/firmware/test_audio.py.
"""

from __future__ import annotations

import os
from dataclasses import replace
from math import isqrt, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.frontend.audio_cases import (
    NORMALIZED,
    SETTINGS,
    Sound,
    all_settings,
    sounds,
    speech,
)
from tinytrain.emulator.audio import (
    AudioStream,
    features,
    frames_of,
    mixed,
    quantized,
    raw_features,
)
from tinytrain.emulator.fixed_log import exp2_q16, log2_q16
from tinytrain.emulator.fixed_transform import spectrum
from tinytrain.errors import InputError
from tinytrain.frontend.audio import AudioSettings, audio_constants, cepstral_ranges
from tinytrain.frontend.constants import AudioConstants
from tinytrain.frontend.fixed_log import EXP2_TABLE, LOG2_TABLE
from tinytrain.frontend.transform import transform_constants
from tinytrain.training.log_mel import log_mel
from tinytrain.training.tasks import Frontend

DRAWS = int(os.environ.get("DRAWS", "50"))


class Reference:
    """The rules of FRONTEND.md, section 2, a number at a time."""

    def __init__(self, k: AudioConstants) -> None:
        self.k = k
        self.estimate = [0] * k.bands

    def frames(self, samples: list[int]) -> list[list[int]]:
        """All frames of a stream."""
        k, made = self.k, []
        for start in range(0, len(samples) - k.window + 1, k.hop):
            before = samples[start - 1] if start else 0
            made.append(self.frame([before, *samples[start : start + k.window]]))
        return made

    def frame(self, x: list[int]) -> list[int]:
        k = self.k
        y = [x[i + 1] - ((k.pre_emphasis * x[i] + 2**14) >> 15) for i in range(k.window)]
        v = [(a * int(w)) >> 1 for a, w in zip(y, k.window_function, strict=True)]
        spectrum = self.transform(v + [0] * (k.transform.points - k.window))
        energy = self.bands([re * re + im * im for re, im in spectrum])
        if k.noise:
            logarithms = [self.reduced(b, e) for b, e in enumerate(energy)]
        else:
            logarithms = [log2_of(e + k.floor) for e in energy]
        if k.coefficients:
            logarithms = [
                (sum(int(d) * a for d, a in zip(row, logarithms, strict=True)) + 2**14) >> 15
                for row in k.cosines
            ]
        return [self.int8(i, a) for i, a in enumerate(logarithms)]

    def transform(self, v: list[int]) -> list[tuple[int, int]]:
        """X[0] to X[N/2]."""
        n = len(v)
        c, s = (
            [int(a) for a in self.k.transform.twiddles[:, 0]],
            [int(a) for a in self.k.transform.twiddles[:, 1]],
        )
        m, bits = n // 2, (n // 2).bit_length() - 1
        z = [(0, 0)] * m
        for i in range(m):
            z[int(f"{i:0{bits}b}"[::-1], 2)] = (v[2 * i], v[2 * i + 1])
        h = 1
        while h < m:
            for block in range(0, m, 2 * h):
                for k in range(h):
                    a, b = z[block + k], z[block + k + h]
                    place = k * n // (2 * h)
                    t = turned(b, c[place], s[place]) if k else (b[0] >> 1, b[1] >> 1)
                    z[block + k] = ((a[0] >> 1) + t[0], (a[1] >> 1) + t[1])
                    z[block + k + h] = ((a[0] >> 1) - t[0], (a[1] >> 1) - t[1])
            h *= 2
        x = [(0, 0)] * (m + 1)
        x[0] = ((z[0][0] >> 1) + (z[0][1] >> 1), 0)
        x[m] = ((z[0][0] >> 1) - (z[0][1] >> 1), 0)
        x[m // 2] = (z[m // 2][0] >> 1, z[m // 2][1] >> 1)
        for k in range(1, m // 2):
            (a_re, a_im), (b_re, b_im) = ((p >> 1, q >> 1) for p, q in (z[k], z[m - k]))
            e = (a_re + b_re, a_im - b_im)
            t = turned((a_im + b_im, b_re - a_re), c[k], s[k])
            x[k] = ((e[0] >> 1) + t[0], (e[1] >> 1) + t[1])
            x[m - k] = ((e[0] >> 1) - t[0], (e[1] >> 1) - t[1])
        for re, im in x:
            assert max(abs(re), abs(im)) < 2**31
        return x

    def bands(self, power: list[int]) -> list[int]:
        k, energy, place = self.k, [0] * (self.k.bands + 2), 0
        for g, bins in enumerate(k.segment_bins):
            for _ in range(bins):
                p = power[k.first_bin + place] >> 12
                u = p * int(k.rising[place])
                energy[g + 1] += u
                energy[g] += (p << 15) - u
                place += 1
        assert max(energy) < 2**64
        return energy[1:-1]

    def reduced(self, b: int, energy: int) -> int:
        k = self.k
        s = min(isqrt(energy >> 1), 2**31 - 1)
        smooth = k.smooth_odd if b & 1 else k.smooth_even
        noise = (s * smooth + self.estimate[b] * (2**14 - smooth)) >> 14
        self.estimate[b] = noise
        s = max(s - min(noise, s), (s * k.least) >> 14)
        if not k.gain:
            return log2_of(max(s, 1))
        x = 0
        if s:
            gain = k.lift - ((k.strength * log2_of(noise + k.gain_offset) + 2**14) >> 15)
            x = exp2_of(log2_of(s) + gain)
        s = (x * x) >> 20 if x < 2**13 else (x >> 6) - 64
        return log2_of(max(8 * s, 1))

    def int8(self, i: int, value: int) -> int:
        q = self.k.quantizer
        at = i if q.each else 0
        product = (value - int(q.offset[at])) * int(q.scale[at])
        assert abs(product) < 2**62
        return max(-128, min(127, (product + (1 << (q.shift - 1))) >> q.shift))


def half(x: int, w: int) -> int:
    return (x * w) >> 16


def turned(b: tuple[int, int], c: int, s: int) -> tuple[int, int]:
    return half(b[0], c) + half(b[1], s), half(b[1], c) - half(b[0], s)


def log2_of(v: int) -> int:
    e = v.bit_length() - 1
    m = v >> (e - 31) if e > 31 else v << (31 - e)
    i, r = (m >> 24) & 127, (m >> 8) & 65535
    return 65536 * e + LOG2_TABLE[i] + (((LOG2_TABLE[i + 1] - LOG2_TABLE[i]) * r + 2**15) >> 16)


def exp2_of(y: int) -> int:
    if y < 0:
        return 0
    if y >= 31 * 65536:
        return 2**31
    n, i, r = y >> 16, (y >> 10) & 63, y & 1023
    v = EXP2_TABLE[i] + (((EXP2_TABLE[i + 1] - EXP2_TABLE[i]) * r + 512) >> 10)
    return (v << n) >> 15


def rules(k: AudioConstants, samples: NDArray[np.int16]) -> NDArray[np.int8]:
    frames = Reference(k).frames([int(x) for x in samples])
    return np.array(frames, np.int8).reshape(-1, k.outputs)


@given(k=all_settings(), sound=sounds)
@settings(max_examples=DRAWS, deadline=None)
def test_frames_are_what_the_rules_say(k: AudioConstants, sound: Sound) -> None:
    samples = sound.samples(k.window + 2 * k.hop)
    assert np.array_equal(features(k, samples[None])[0], rules(k, samples))


@pytest.mark.parametrize("points", [64, 128, 256, 512, 1024])
@pytest.mark.parametrize("kind", ["alternating", "square", "constant", "uniform"])
def test_nothing_overflows_at_full_scale_under_a_window_of_ones(points: int, kind: str) -> None:
    made = AudioSettings(fft=points, frame_ms=points / 16, bands=4, low_hz=0, high_hz=8000)
    k = audio_constants(replace(made, pre_emphasis=float(kind == "alternating")))
    k = replace(k, window_function=np.full(points, 32767, np.int16))
    for seed in range(3):
        samples = Sound(kind, -32768, seed).samples(2 * points)
        assert np.array_equal(features(k, samples[None])[0], rules(k, samples))


@given(
    k=all_settings(),
    sound=sounds,
    lengths=st.lists(st.integers(0, 3000), min_size=1, max_size=12),
)
@settings(max_examples=DRAWS, deadline=None)
def test_a_stream_in_any_chunks_gives_the_frames_of_the_whole(
    k: AudioConstants, sound: Sound, lengths: list[int]
) -> None:
    samples = sound.samples(sum(lengths))
    stream = AudioStream(k)
    parts = [stream.push(part) for part in np.split(samples, np.cumsum(lengths)[:-1])]
    whole = features(k, samples[None])[0]
    assert len(whole) == frames_of(k, len(samples))
    assert np.array_equal(np.concatenate(parts), whole)
    stream.reset()
    assert np.array_equal(stream.push(samples), whole)


def test_clips_do_not_influence_each_other() -> None:
    k = audio_constants(AudioSettings(**NORMALIZED))
    clips = np.stack([Sound(kind, 900, 1).samples(9000) for kind in ("noise", "sine", "silence")])
    together = features(k, clips)
    for clip, frames in zip(clips, together, strict=True):
        assert np.array_equal(features(k, clip[None])[0], frames)


def test_too_short_a_clip_has_no_frames() -> None:
    k = audio_constants(AudioSettings())
    assert features(k, np.zeros((3, 479), np.int16)).shape == (3, 0, 40)
    assert features(k, np.zeros((3, 480), np.int16)).shape == (3, 1, 40)
    assert features(k, np.zeros((0, 480), np.int16)).shape == (0, 1, 40)


def test_other_samples_than_int16_are_refused() -> None:
    k = audio_constants(AudioSettings())
    with pytest.raises(InputError, match="int16 of shape"):
        features(k, np.zeros((1, 480)))
    with pytest.raises(InputError, match="int16 of shape"):
        features(k, np.zeros(480, np.int16))


def test_channels_are_mixed_rounding_down() -> None:
    assert mixed(np.array([1, 2, -1, -2, 32767, 32767, -32768, -32768]), 2).tolist() == [
        *(1, -2, 32767, -32768)
    ]


@given(st.lists(st.integers(1, 2**64 - 1), min_size=1))
def test_log2_is_what_the_rules_say(values: list[int]) -> None:
    edges = [w for e in range(64) for w in (2**e - 1, 2**e, 2**e + 1) if 0 < w < 2**64]
    given = values + edges
    found = log2_q16(np.array(given, np.uint64))
    assert found.tolist() == [log2_of(v) for v in given]
    assert np.abs(found - [65536 * log2(v) for v in given]).max() < 2


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1))
def test_exp2_is_what_the_rules_say(values: list[int]) -> None:
    edges = [w for n in range(33) for w in (65536 * n - 1, 65536 * n) if w < 2**31]
    given = values + edges + list(range(0, 31 * 65536, 4001))
    found = exp2_q16(np.array(given))
    assert found.tolist() == [exp2_of(y) for y in given]
    exact = np.array([2 ** (min(y, 31 << 16) / 65536) if y >= 0 else 0.0 for y in given])
    assert np.all(np.abs(found - exact) <= 1 + exact * 2.0**-14)


@pytest.mark.parametrize("points", [16, 64, 512, 1024])
def test_the_transform_is_that_of_floating_point(points: int) -> None:
    rng = np.random.default_rng(points)
    v = rng.integers(-(2**30), 2**30 + 1, (points, 50))
    v[:, 0], v[:, 1] = 2**30, -(2**30)
    re, im = spectrum(transform_constants(points), v)
    exact = np.fft.rfft(v, axis=0) / points
    # Cosines of 16 bits, of numbers of 30.
    assert np.abs(re - exact.real).max() < 2**15
    assert np.abs(np.abs(im) - np.abs(exact.imag)).max() < 2**15
    quiet = v >> 20
    re, im = spectrum(transform_constants(points), quiet)
    assert np.abs(re - np.fft.rfft(quiet, axis=0).real / points).max() < 10


def int8_steps(k: AudioConstants, clips: NDArray[np.int16]) -> NDArray[np.int64]:
    """Differences from the log-mel features in floating point."""
    exact = log_mel(clips / 32768, Frontend("log_mel")).astype(np.int64)
    return np.abs(features(k, clips) - exact)


def test_log_mel_of_synthetic_sounds_is_at_most_a_step_from_floating_point() -> None:
    rng = np.random.default_rng(0)
    levels = 2.0 ** rng.uniform(0, 14, (200, 1))
    noise = np.clip(rng.normal(0, 1, (200, 16000)) * levels, -32768, 32767).astype(np.int16)
    hard = [Sound(k, 32767, s) for k in ("square", "clipped", "pulses") for s in range(5)]
    clips = np.concatenate([noise, [sound.samples(16000) for sound in hard]])
    difference = int8_steps(audio_constants(AudioSettings()), clips)
    assert difference.max() <= 1
    assert difference.mean() < 0.01


def test_log_mel_of_speech_is_at_most_a_step_from_floating_point() -> None:
    difference = int8_steps(audio_constants(AudioSettings()), speech(100, 19))
    assert difference.max() <= 1
    assert difference.mean() < 0.005


def test_beside_a_tone_of_full_scale_a_step_is_what_lies_85_db_below_it() -> None:
    # Cosines of 16 bits leave a floor there, which floating point does not have.
    sines = np.stack([Sound("sine", 0, seed).samples(16000) for seed in range(40)])
    k = audio_constants(AudioSettings())
    difference, lowest = int8_steps(k, sines), np.log(1e-6)
    level = (features(k, sines) + 128.0) * (11 - lowest) / 255 + lowest
    tone = 2 * np.log(np.hanning(480).sum() / 2)
    assert difference[level > tone - 8.5 * np.log(10)].max() <= 1
    assert difference.max() <= 20
    assert difference.mean() < 1.2


def test_silence_is_the_lowest_value() -> None:
    for options in SETTINGS.values():
        if "coefficients" not in options:
            k = audio_constants(AudioSettings(**options))
            assert (features(k, np.zeros((1, 16000), np.int16)) == -128).all()


def test_the_cepstrum_is_the_cosine_transform_of_the_logarithms() -> None:
    clips = Sound("noise", 3000, 5).samples(16000)[None]
    plain = raw_features(audio_constants(AudioSettings()), clips)
    k = audio_constants(AudioSettings(coefficients=40))
    n, b = np.arange(40)[:, None], np.arange(40)
    rows = np.sqrt(np.where(n == 0, 1, 2) / 40) * np.cos(np.pi * n * (2 * b + 1) / 80)
    # Each of 40 cosines is off by half of 2^-15 at most, of logarithms up to 60 65536.
    assert np.abs(raw_features(k, clips) - plain @ rows.T).max() < 40 * 60
    assert np.allclose(rows @ rows.T, np.eye(40))


def test_ranges_from_data_fill_int8() -> None:
    clips = np.stack([Sound("noise", 2.0**e, e).samples(16000) for e in range(2, 14)])
    k = audio_constants(AudioSettings(coefficients=13))
    raw = raw_features(k, clips)
    fitted = audio_constants(AudioSettings(coefficients=13), cepstral_ranges(k, raw))
    assert np.array_equal(raw_features(fitted, clips), raw)
    x = features(fitted, clips)
    assert np.array_equal(quantized(fitted.quantizer, raw), x)
    assert (x.min(axis=(0, 1)) == -128).all() and (x.max(axis=(0, 1)) == 127).all()
    assert (np.abs(x.astype(int)) > 126).mean() < 0.02


def microfrontend(clip: NDArray[np.int16]) -> NDArray[np.float64]:
    """(F, 40): TensorFlow Lite Micro's features, 0 to 666 and above."""
    package = pytest.importorskip("pymicro_features")
    judge, data, frames = package.MicroFrontend(), clip.tobytes(), []
    while len(data) >= 320:
        found = judge.process_samples(data[:320])
        data = data[2 * found.samples_read :]
        if found.features:
            frames.append(found.features)
    return np.array(frames) / 0.0390625


def test_gain_normalization_follows_the_microfrontend() -> None:
    # It cannot be the same: theirs has a transform of 16 bits, triangles over mel, a window of 12
    # bits. Quiet bands differ most, where their amplitudes are a few units.
    clips = speech(48)
    k = audio_constants(AudioSettings(hop_ms=10, **NORMALIZED))
    theirs = np.stack([microfrontend(clip) for clip in clips])
    raw = raw_features(k, clips)
    assert raw.shape == theirs.shape
    ours = raw / 65536 * np.log(2) * 64
    for band in range(40):
        assert np.corrcoef(ours[..., band].ravel(), theirs[..., band].ravel())[0, 1] > 0.99
    loud = theirs > 300
    assert np.abs(ours - theirs)[loud].mean() < 3
    assert np.abs(ours - theirs).mean() < 4
    steps = np.clip((theirs * 256 + 333) // 666 - 128, -128, 127)
    difference = np.abs(quantized(k.quantizer, raw) - steps)
    assert np.median(difference) <= 1
    assert difference.mean() < 1.5
