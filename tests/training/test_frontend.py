"""The device's features are those of the shared data sets, which others computed; front ends are
made from a task's keys.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.shared import shared_data
from tinytrain.errors import InputError
from tinytrain.training import frontend
from tinytrain.training.data import DataSet
from tinytrain.training.frontend import Clips
from tinytrain.training.tasks import Data, Frontend, Split, Task

DIGITS = Frontend("log_mel", rate=8000, fft=256, high_hz=3800.0)


def features(
    audio: NDArray[np.int16], settings: Frontend, split: Split | None = None, seed: int = 0
) -> DataSet:
    """The data set that clips (n, samples) become, of two classes and n people."""
    count = len(audio)
    y, people = np.arange(count) % 2, np.arange(count)
    empty = np.zeros(0, np.int64)
    dataset = DataSet(
        *("sounds", np.zeros((count, 0), np.int8), y, people, people, False, ("a", "b")),
        *(tuple(map(str, people)), np.ones(1, np.float32), np.zeros(1, np.float32), empty),
    )
    task = Task("sounds", Data("npz", "audio"), split=split or Split(), frontend=settings)
    return frontend.with_features(task, Clips(dataset, audio), seed, "sounds")


def noise(count: int = 6, samples: int = 8000, seed: int = 0) -> NDArray[np.int16]:
    """Clips as loud as their number."""
    drawn = np.random.default_rng(seed).normal(0, 1, (count, samples))
    return (drawn * 500 * np.arange(1, count + 1)[:, None]).astype(np.int16)


@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_spoken_digits_come_out_as_they_were_computed_elsewhere(arithmetic: str) -> None:
    with np.load(shared_data("kws_fsdd_8k.npz")) as arrays:
        clips = frontend.clips(arrays["audio"], arrays["offset"], DIGITS, "digits")[::4]
        expected = arrays["X"][::4].astype(int) - 128
    found = features(clips, replace(DIGITS, arithmetic=arithmetic))
    difference = np.abs(found.x - expected)
    # Of the whole file's 3,920,000 bytes, 10 are off by one in floating point.
    assert difference.max() <= 1
    assert (difference > 0).mean() < (1e-5 if arithmetic == "float" else 3e-3)
    assert (found.frontend is None) == (arithmetic == "float")


def test_arabic_words_are_off_by_the_noise_of_their_mu_law() -> None:
    with np.load(shared_data("kws_arabic_logmel.npz")) as arrays:
        keys = zip(arrays["y"], arrays["speaker"], arrays["take"], strict=True)
        row = {key: i for i, key in enumerate(keys)}
        theirs = arrays["X"]
    with np.load(shared_data("kws_arabic_wav_ulaw16k.npz")) as arrays:
        chosen = np.arange(0, 1920, 16)
        keys = zip(*(arrays[name][chosen] for name in ("y", "speaker", "take")), strict=True)
        expected = theirs[[row[key] for key in keys]].astype(int)
        clips = frontend.from_mu_law(arrays["ulaw"][chosen], "words")
    found = features(clips, Frontend("log_mel")).x.astype(int) + 128
    difference = np.abs(found - expected)
    # Quantization noise fills what was silent; half of all bytes are off by 1 at most.
    assert np.median(difference) <= 1
    assert difference[expected > 100].mean() < 1


@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_silence_is_the_lowest_value_and_scale_leads_back_to_the_logarithm(
    arithmetic: str,
) -> None:
    scaled = features(np.zeros((1, 8000), np.int16), replace(DIGITS, arithmetic=arithmetic))
    assert (scaled.x == -128).all()
    assert scaled.x.shape == (1, 49, 40)
    assert (-128 - scaled.zero) * scaled.scale == pytest.approx(np.log(1e-6), rel=1e-5)


@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_bands_that_hold_no_frequency_are_refused(arithmetic: str) -> None:
    narrow = Frontend("log_mel", fft=512, bands=128, arithmetic=arithmetic)
    with pytest.raises(InputError, match=r"bands hold no frequency of the transform|of them hold"):
        features(np.zeros((1, 16000), np.int16), narrow)


def test_offsets_beyond_the_end_are_refused() -> None:
    with pytest.raises(InputError, match=r"data.offsets has to ascend within the 10 samples"):
        frontend.clips(np.zeros(10), np.array([0, 11]), DIGITS, "digits")


def test_floats_are_rounded_to_what_a_converter_gives() -> None:
    audio = np.array([-1.0, -0.5, 0.00001, 0.00002, 1.0])
    assert frontend.to_int16(audio, "a.wav").tolist() == [-32768, -16384, 0, 1, 32767]
    with pytest.raises(InputError, match=r"a.wav: a sample that is not a finite number"):
        frontend.to_int16(np.array([np.nan]), "a.wav")
    with pytest.raises(InputError, match=r"a.npz: the waveforms are uint8; .*data.law = 'mu'"):
        frontend.to_int16(np.zeros(4, np.uint8), "a.npz")


def test_mu_law_is_symmetric_and_reaches_both_ends() -> None:
    codes = np.arange(256, dtype=np.uint8)
    decoded = frontend.from_mu_law(codes, "a.npz").astype(int)
    assert decoded[[0, 255]].tolist() == [-32768, 32767]
    assert (decoded[1:255] == -decoded[254:0:-1]).all()
    y = codes / 255 * 2 - 1
    expected = np.sign(y) * (256 ** np.abs(y) - 1) / 255 * 32768
    assert np.abs(decoded - expected).max() <= 1
    with pytest.raises(InputError, match=r"the waveforms are int16; data\.law 'mu' needs uint8"):
        frontend.from_mu_law(np.zeros(3, np.int16), "a.npz")


MFCC = Frontend("mfcc", rate=8000, fft=256, high_hz=3800.0, pre_emphasis=0.97)


def test_a_cepstrum_fills_the_ranges_of_the_training_people_alone() -> None:
    clips = noise()
    found = features(clips, MFCC, Split(unseen_groups=1, validation_groups=1))
    assert found.x.shape == (6, 49, 13)
    louder = clips.copy()
    # Seed 0 keeps out the first person to test on and the second to watch the training.
    louder[:2] = np.clip(louder[:2].astype(int) * 30, -32768, 32767)
    again = features(louder, MFCC, Split(unseen_groups=1, validation_groups=1))
    assert (again.x[2:] == found.x[2:]).all()
    other = features(louder, MFCC, Split(unseen_groups=1, validation_groups=1), seed=3)
    assert (other.x[2:] != found.x[2:]).any()
    assert (np.percentile(found.x[2:], 99, axis=(0, 1)) > 60).all()


@pytest.mark.parametrize("gain", [False, True])
def test_noise_reduction_quietens_what_goes_on_all_the_time(gain: bool) -> None:
    settings = replace(DIGITS, noise_reduction=True, gain_normalization=gain)
    found = features(noise(), settings).x
    assert found[:, 40:].mean() < found[:, :2].mean() - 10
