"""Sound front ends and sounds to try them with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.training.shared import shared_data
from tinytrain.errors import InputError
from tinytrain.frontend.audio import AudioSettings, audio_constants
from tinytrain.frontend.constants import AudioConstants

Samples = NDArray[np.int16]
NOISY = {"noise_reduction": True}
NORMALIZED = {"noise_reduction": True, "gain_normalization": True}

SETTINGS: dict[str, dict[str, Any]] = {
    "log_mel": {},
    "cepstrum": {"coefficients": 13, "pre_emphasis": 0.97},
    "noise_reduction": {**NOISY, "hop_ms": 10.0},
    "gain_normalization": {**NORMALIZED, "hop_ms": 10.0},
    "apart": {"hop_ms": 50.0, "fft": 1024, "frame_ms": 40.0, "bands": 32},
    "small": {"rate": 8000, "fft": 64, "frame_ms": 7.9, "hop_ms": 7.0, "bands": 9, "high_hz": 4000},
}
"""What differs from the defaults."""


@dataclass(frozen=True)
class Sound:
    """A sound in a few numbers."""

    kind: str
    amplitude: float
    seed: int

    def samples(self, count: int) -> Samples:
        rng, t = np.random.default_rng(self.seed), np.arange(count)
        made = {
            "silence": lambda: np.zeros(count),
            "constant": lambda: np.full(count, self.amplitude),
            "alternating": lambda: np.where(t & 1, 32767, -32768),
            "square": lambda: np.where(np.sin(t * rng.uniform(0.02, 3)) < 0, -32768, 32767),
            "sine": lambda: 32767 * np.sin(t * rng.uniform(0.01, 3.1)),
            "noise": lambda: rng.normal(0, abs(self.amplitude), count),
            "clipped": lambda: rng.normal(0, 60000, count),
            "pulses": lambda: self.amplitude * (rng.random(count) < 0.01),
            "uniform": lambda: rng.integers(-32768, 32768, count),
        }[self.kind]()
        return np.asarray(np.clip(np.round(made), -32768, 32767)).astype(np.int16)


KINDS = (
    *("silence", "constant", "alternating", "square", "sine"),
    *("noise", "clipped", "pulses", "uniform"),
)

sounds = st.builds(
    Sound,
    kind=st.sampled_from(KINDS),
    amplitude=st.sampled_from([1, 20, 1000, -32768, 32767]),
    seed=st.integers(0, 2**31),
)


@st.composite
def all_settings(draw: st.DrawFn) -> AudioConstants:
    """Front ends of every size and with every option; draws that are refused are passed over."""
    fft = draw(st.sampled_from([64, 128, 256, 512, 1024]))
    rate = draw(st.sampled_from([4000, 8000, 11025, 16000, 44100]))
    window = draw(st.integers(16, fft))
    bands = draw(st.integers(1, max(1, fft // 16)))
    low = draw(st.floats(0, rate / 4))
    noise = draw(st.booleans())
    settings = AudioSettings(
        rate=rate,
        frame_ms=(window + 0.5) * 1000 / rate,
        hop_ms=(draw(st.integers(1, 2 * fft)) + 0.5) * 1000 / rate,
        fft=fft,
        bands=bands,
        low_hz=low,
        high_hz=draw(st.floats(low, rate / 2)),
        pre_emphasis=draw(st.sampled_from([0.0, 0.5, 0.97, 1.0])),
        coefficients=draw(st.sampled_from([0, 1, bands])),
        noise_reduction=noise,
        gain_normalization=noise and draw(st.booleans()),
    )
    try:
        return audio_constants(settings)
    except InputError:
        assume(False)
        raise


def speech(clips: int, step: int = 40) -> Samples:
    """(clips, 16000): real words at 16 kHz; skips the test where they are absent."""
    with np.load(shared_data("kws_arabic_wav_ulaw16k.npz")) as arrays:
        code = arrays["ulaw"][::step][:clips].astype(np.float64)
    y = code / 255 * 2 - 1
    x = np.sign(y) * (256 ** np.abs(y) - 1) / 255
    return np.round(x * 32767).astype(np.int16)
