"""The log-mel features are those of the shared data sets, which others computed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.shared import shared_data
from tinytrain.errors import InputError
from tinytrain.training import frontend
from tinytrain.training.tasks import Frontend

DIGITS = Frontend("log_mel", rate=8000, fft=256, high_hz=3800.0)


def mu_law(code: NDArray[np.uint8]) -> NDArray[np.float64]:
    y = code / 255 * 2 - 1
    return np.sign(y) * (256 ** np.abs(y) - 1) / 255


def test_spoken_digits_come_out_as_they_were_computed_elsewhere() -> None:
    with np.load(shared_data("kws_fsdd_8k.npz")) as arrays:
        clips = frontend.clips(arrays["audio"], arrays["offset"], DIGITS, "digits")[::4]
        expected = arrays["X"][::4].astype(int) - 128
    difference = np.abs(frontend.features(clips, DIGITS, "digits").x - expected)
    # Of the whole file's 3,920,000 bytes, 10 are off by one.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-5


def test_arabic_words_are_off_by_the_noise_of_their_mu_law() -> None:
    with np.load(shared_data("kws_arabic_logmel.npz")) as arrays:
        keys = zip(arrays["y"], arrays["speaker"], arrays["take"], strict=True)
        row = {key: i for i, key in enumerate(keys)}
        features = arrays["X"]
    with np.load(shared_data("kws_arabic_wav_ulaw16k.npz")) as arrays:
        chosen = np.arange(0, 1920, 16)
        keys = zip(*(arrays[name][chosen] for name in ("y", "speaker", "take")), strict=True)
        expected = features[[row[key] for key in keys]].astype(int)
        clips = mu_law(arrays["ulaw"][chosen])
    found = frontend.features(clips, Frontend("log_mel"), "words").x.astype(int) + 128
    difference = np.abs(found - expected)
    # Quantization noise fills what was silent; half of all bytes are off by 1 at most.
    assert np.median(difference) <= 1
    assert difference[expected > 100].mean() < 1


def test_silence_is_the_lowest_value_and_scale_leads_back_to_the_logarithm() -> None:
    scaled = frontend.features(np.zeros((1, 8000), np.int16), DIGITS, "digits")
    assert (scaled.x == -128).all()
    assert scaled.x.shape == (1, 49, 40)
    assert (-128 - scaled.zero) * scaled.scale == pytest.approx(np.log(1e-6), rel=1e-5)


def test_bands_that_hold_no_frequency_are_refused() -> None:
    narrow = Frontend("log_mel", fft=512, bands=128)
    with pytest.raises(InputError, match="mel bands hold no frequency of the transform"):
        frontend.features(np.zeros((1, 16000)), narrow, "digits")


def test_offsets_beyond_the_end_are_refused() -> None:
    with pytest.raises(InputError, match=r"data.offsets has to ascend within the 10 samples"):
        frontend.clips(np.zeros(10), np.array([0, 11]), DIGITS, "digits")
