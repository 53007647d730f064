"""A class of what is no keyword, made from a task's own clips: a stream is mostly that.

A window that slides over speech sees half words, the end of one and the beginning of the next,
words of no class, noise and silence; a network that was shown whole keywords alone has no other
answer than one of these. Letters: n clips, S samples of a clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.training.frontend import Clips
from tinytrain.training.sources.samples import standing_alone

Int16 = NDArray[np.int16]
Float = NDArray[np.float64]
Rng = np.random.Generator

BACKGROUND = "background"
"""The class's name, the last of a task's classes. It is never detected."""

_PART = (0.1, 0.4)
"""Of a word's energy that a half word keeps."""
_NOISE = (-70.0, -20.0)
"""dB of full scale."""


def with_background(clips: Clips, share: float, where: str) -> Clips:
    """The clips, and behind them for each person `share` times as many of the class BACKGROUND.

    They stay with the person whose clips they were made of, so that a split by people holds. The
    same clips give the same background.
    """
    dataset = clips.dataset
    if BACKGROUND in dataset.label_names:
        raise InputError(
            f"{where}: data.background makes a class {BACKGROUND!r}, and the data have one: set it "
            "to 0, and name the class in frontend.ignore"
        )
    rng = np.random.default_rng(0)
    made, people = [], []
    for person in np.unique(dataset.group):
        own = clips.audio[dataset.group == person]
        count = max(1, round(share * len(own)))
        made += [_one(own, rng) for _ in range(count)]
        people += [person] * count
    group = np.concatenate([dataset.group, people])
    y = np.concatenate([dataset.y, np.full(len(made), len(dataset.label_names))])
    origins = (*dataset.origins, *[f"made for {BACKGROUND}"] * len(made))
    grown = replace(
        dataset,
        x=np.zeros((len(y), 0), np.int8),
        y=y,
        group=group,
        recording=standing_alone(group, y),
        label_names=(*dataset.label_names, BACKGROUND),
        origins=origins if dataset.origins else (),
    )
    return Clips(grown, np.concatenate([clips.audio, made]))


def pink_noise(samples: int, level: float, rng: Rng, tilt: float = 0.5) -> Float:
    """(samples,) noise whose amplitude falls as frequency^-tilt: 0 white, 0.5 pink, 1 brown.

    `level`: its root mean square, in dB of int16's full scale.
    """
    spectrum = np.fft.rfft(rng.normal(size=samples))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** -tilt
    spectrum[0] = 0
    noise: Float = np.fft.irfft(spectrum, samples)
    return noise / max(float(noise.std()), 1e-12) * 10 ** (level / 20) * 32768


def to_int16(sound: Float) -> Int16:
    """Rounded; saturates."""
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def _one(own: Int16, rng: Rng) -> Int16:
    """One clip (S,) out of a person's clips (n, S)."""
    kinds: tuple[Callable[[Int16, Rng], Float], ...] = (_reversed, _half, _between, _noise)
    return to_int16(kinds[rng.choice(4, p=(0.3, 0.3, 0.2, 0.2))](own, rng))


def _reversed(own: Int16, rng: Rng) -> Float:
    """A word of no language, with the person's voice and loudness."""
    return own[rng.integers(len(own))][::-1].astype(np.float64)


def _half(own: Int16, rng: Rng) -> Float:
    """A word's beginning at the clip's end, or its end at the clip's beginning."""
    clip = own[rng.integers(len(own))].astype(np.float64)
    energy = np.cumsum(clip**2)
    kept = rng.uniform(*_PART) * energy[-1]
    made = np.zeros(len(clip))
    if rng.random() < 0.5:
        end = int(np.searchsorted(energy, kept))
        made[len(clip) - end :] = clip[:end]
    else:
        start = int(np.searchsorted(energy, energy[-1] - kept))
        made[: len(clip) - start] = clip[start:]
    return made


def _between(own: Int16, rng: Rng) -> Float:
    """The end of one word, and the beginning of another."""
    return np.clip(_half(own, rng) + _half(own, rng), -32768, 32767)


def _noise(own: Int16, rng: Rng) -> Float:
    """From near silence to loud, from white to brown."""
    return pink_noise(own.shape[1], rng.uniform(*_NOISE), rng, rng.uniform(0, 1))
