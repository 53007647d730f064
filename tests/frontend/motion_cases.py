"""Front ends of motion to try, and samples: ordinary ones, and the ends of what there may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinytrain.emulator import motion
from tinytrain.frontend.constants import MotionConstants
from tinytrain.frontend.motion import MotionSettings, motion_constants, statistics_ranges

Samples = NDArray[np.int16]

RATES = [(25.0, 25.0), (50.0, 25.0), (104.0, 25.0), (20.0, 50.0), (62.5, 50.0), (400.0, 25.0)]
SIGNALS = ("noise", "loud noise", "silence", "constant", "alternating", "steps", "sine")


@dataclass(frozen=True)
class Case:
    constants: MotionConstants
    samples: Samples
    """(T, C)"""


def case(settings: MotionSettings, signal: str, seed: int, count: int) -> Case:
    """Constants with ranges that the samples fill, and the samples."""
    samples = made(signal, seed, count, settings.channels)
    if settings.form == "windows":
        scale = settings.unit * np.random.default_rng(seed).uniform(20, 300, settings.channels)
        return Case(motion_constants(settings, float(seed % 5), scale), samples)
    found = motion.statistics(motion_constants(settings, 0.0, 1.0), samples)
    ranges = statistics_ranges(found) if len(found) else (np.zeros(1), np.full(1, 1000.0))
    return Case(motion_constants(settings, *ranges), samples)


def made(signal: str, seed: int, count: int, channels: int) -> Samples:
    """(count, channels) of one of SIGNALS."""
    rng = np.random.default_rng(seed)
    shape, turn = (count, channels), np.arange(count)[:, None]
    ends: NDArray[Any] = np.array([-32768, 32767])
    kinds: dict[str, Any] = {
        "noise": rng.normal(0, 3000, shape).round(),
        "loud noise": rng.integers(-32768, 32768, shape),
        "silence": np.zeros(shape),
        "constant": np.broadcast_to(rng.choice([-32768, 32767, -1, 1, 12345], channels), shape),
        "alternating": np.broadcast_to(ends[turn % 2], shape),
        "steps": ends[rng.integers(0, 2, shape)],
        "sine": 32767 * np.sin(turn * rng.uniform(0.01, 3, channels)),
    }
    return np.asarray(kinds[signal]).astype(np.int16)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any settings that fit into a small program."""
    form = draw(st.sampled_from(["windows", "statistics"]))
    bands = draw(st.integers(0, 6)) if form == "statistics" else 0
    lengths = st.sampled_from([16, 32, 64, 128, 256, 512]) if bands else st.integers(1, 70)
    length = draw(lengths)
    hop = draw(st.integers(1, 2 * length))
    input_rate, rate = draw(st.sampled_from(RATES))
    channels = draw(st.integers(1, 4 if length > 128 else 7))
    settings = MotionSettings(input_rate, rate, channels, length, hop, 0.01, form, bands)
    count = round((length + draw(st.integers(0, 3)) * hop) * input_rate / rate)
    count = min(count + draw(st.integers(0, 20)), 8000 // channels)
    return case(settings, draw(st.sampled_from(SIGNALS)), draw(st.integers(0, 999)), count)


def chunks(samples: Samples, seed: int) -> list[Samples]:
    """The samples in pieces of any size, some of them empty."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, len(samples) + 1, rng.integers(0, 12)))
    return np.split(samples, cuts)
