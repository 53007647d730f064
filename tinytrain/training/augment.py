"""Augmentation: training samples varied to stand for what nobody recorded.

Samples are float32 as the network sees them, int8 / 128, and so are the results: in [-1, 127/128].
n samples, T steps, C sensor channels, B mel bands, H rows, W columns. All draws come from the
generator that is given, in one order, so that the same seed gives the same samples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.data import DataSet, IndexArray, Int8Array
from tinytrain.training.tasks import Augmentation, Frontend, Task

Float32Array = NDArray[np.float32]
Sampler = Callable[[IndexArray, np.random.Generator], Float32Array]
"""Positions (n,) among the training samples to varied samples (n, *shape)."""

LOUDEST = 11.0
QUIETEST = float(np.log(1e-6))
"""ln of the power that the bytes 127 and -128 of a log-mel front end stand for."""

_STEPS_PER_UNIT = 128.0 / 255.0 * (LOUDEST - QUIETEST)
"""ln power in a difference of 1 of the network's input."""


def sampler(task: Task, dataset: DataSet, train: IndexArray) -> Sampler:
    """What varies the samples `train` of the data set as the task says."""
    kind, settings = task.data.kind, task.augmentation
    samples = dataset.x[train]
    vary: Callable[[Float32Array, np.random.Generator], Float32Array]
    if kind == "motion":
        length = samples.shape[1]
        samples = long_windows(dataset, train) if dataset.overlap else samples
        vary = partial(vary_motion, length=length, settings=settings)
    elif kind == "audio":
        vary = partial(
            vary_audio,
            settings=settings,
            noise_power=_band_noise(task.frontend),
            unit=_unit(task.frontend, dataset),
        )
    else:
        vary = partial(vary_image, settings=settings)

    def draw(positions: IndexArray, generator: np.random.Generator) -> Float32Array:
        return vary(samples[positions] * np.float32(1 / 128), generator=generator)

    return draw


def long_windows(dataset: DataSet, train: IndexArray) -> Int8Array:
    """Each training window and the half window that follows it in the recording: (n, 3 T / 2, C).

    At the end of a recording the last half is played backwards instead.
    """
    half = dataset.x.shape[1] // 2
    here, follower = dataset.x[train], np.minimum(train + 1, len(dataset.x) - 1)
    goes_on = (dataset.recording[follower] == dataset.recording[train]) & (follower > train)
    backwards = here[:, half:][:, ::-1]
    tail = np.where(goes_on[:, None, None], dataset.x[follower, half:], backwards)
    return np.concatenate([here, tail], axis=1)


def vary_motion(
    windows: Float32Array, generator: np.random.Generator, *, length: int, settings: Augmentation
) -> Float32Array:
    """The same motions by other people: (n, L, C) to (n, length, C), length at most L.

    Each comes out at another speed and phase, from a sensor that sits a little askew (the same
    rotation for each triple of channels), with another strength, and half of them mirrored. What
    reaches beyond a window is played backwards.
    """
    count, _, channels = windows.shape
    moved = _played(windows, generator, length, settings.speed)
    if settings.tilt_degrees:
        tilt = _rotations(generator, count, settings.tilt_degrees)
        triples = moved.reshape(count, length * channels // 3, 3)
        moved = (triples @ np.swapaxes(tilt, 1, 2)).reshape(count, length, channels)
    strength = generator.uniform(1 - settings.gain, 1 + settings.gain, (count, 1, 1))
    if settings.mirror:
        flip = generator.random((count, 1, 1)) < 0.5
        strength = strength * np.where(flip, np.array(settings.mirror), 1)
    moved *= strength.astype(np.float32)
    if settings.noise:
        noise = generator.standard_normal(moved.shape, np.float32)
        moved += noise * np.float32(settings.noise)
    return _clipped(moved)


_COLOUR_POINTS = 5


def vary_audio(
    frames: Float32Array,
    generator: np.random.Generator,
    *,
    settings: Augmentation,
    noise_power: Float32Array,
    unit: float = _STEPS_PER_UNIT,
) -> Float32Array:
    """The same words, spoken earlier or later, louder, in noise, partly hidden: (n, T, B).

    noise_power (B,): what white noise of deviation 1 has in each band; `unit`: ln power in a
    difference of 1. A frame, but for front ends with noise reduction, is
    255 / 128 (ln power - ln 1e-6) / (11 - ln 1e-6) - 1, so strength is a sum here, and noise is
    added after an exponential. A shorter or longer vocal tract moves all resonances by one factor,
    nearly a stretch of the mel axis (Jaitly and Hinton, ICML workshop 2013). The masks are
    SpecAugment's (Park et al., Interspeech 2019, section 2), one on each axis, filled with the mean
    of the clip.
    """
    count, steps, bands = frames.shape
    varied = _moved_in_time(frames, generator, round(settings.shift * steps))
    if settings.speed:
        varied = _stretched(varied, generator, settings.speed)
    if settings.vocal_tract:
        bent = _stretched(varied.swapaxes(1, 2), generator, settings.vocal_tract)
        varied = np.ascontiguousarray(bent.swapaxes(1, 2))
    if settings.colour:
        varied += _coloured(generator, count, bands, settings.colour, unit)
    if settings.gain:
        strength = generator.uniform(1 - settings.gain, 1 + settings.gain, (count, 1, 1))
        varied += (2 * np.log(strength) / unit).astype(np.float32)
    if settings.noise:
        varied = _in_noise(varied, generator, settings.noise, noise_power)
    mean = varied.mean(axis=(1, 2), keepdims=True)
    hidden = _stretches(generator, count, steps, settings.time_mask)[:, :, None]
    hidden = hidden | _stretches(generator, count, bands, settings.band_mask)[:, None, :]
    return _clipped(np.where(hidden, mean, varied))


def vary_image(
    images: Float32Array, generator: np.random.Generator, *, settings: Augmentation
) -> Float32Array:
    """The same things elsewhere, from the other side, partly hidden: (n, H, W, C).

    What moves in from outside repeats the border. The hidden square (DeVries and Taylor, "Cutout",
    arXiv 1708.04552) may reach over the border and is filled with the mean of the image.
    """
    count, height, width, _ = images.shape
    row, column = np.arange(count)[:, None, None], np.arange(width)[None, None, :]
    down = _offsets(generator, count, round(settings.shift * height))
    right = _offsets(generator, count, round(settings.shift * width))
    if settings.flip:
        column = np.where(generator.random((count, 1, 1)) < 0.5, width - 1 - column, column)
    rows = np.clip(np.arange(height)[None, :, None] + down, 0, height - 1)
    varied = images[row, rows, np.clip(column + right, 0, width - 1)]
    side = round(settings.cutout * min(height, width))
    if side:
        mean = varied.mean(axis=(1, 2), keepdims=True)
        hidden = _square(generator, count, height, side)[:, :, None, None]
        hidden = hidden & _square(generator, count, width, side)[:, None, :, None]
        varied = np.where(hidden, mean, varied)
    return _clipped(varied)


def mix(
    samples: Float32Array, targets: Float32Array, generator: np.random.Generator, alpha: float
) -> tuple[Float32Array, Float32Array]:
    """mixup (Zhang et al., ICLR 2018): each sample and its target (n, K), blended with another's.

    The share of the other is drawn from Beta(alpha, alpha); 0 leaves both as they are.
    """
    if not alpha:
        return samples, targets
    other = generator.permutation(len(samples))
    share = generator.beta(alpha, alpha, len(samples)).astype(np.float32)
    across = share.reshape(-1, *[1] * (samples.ndim - 1))
    mixed = samples + across * (samples[other] - samples)
    return mixed, targets + share[:, None] * (targets[other] - targets)


def _played(
    windows: Float32Array, generator: np.random.Generator, length: int, speed_range: float
) -> Float32Array:
    """(n, L, C) to (n, length, C) at a drawn speed and phase, linearly interpolated."""
    count, long, _ = windows.shape
    speed = generator.uniform(1 - speed_range, 1 + speed_range, (count, 1))
    start = generator.uniform(0, 1, (count, 1)) * (long - 1 - speed * (length - 1))
    place = np.abs(start + speed * np.arange(length))
    place = long - 1 - np.abs(long - 1 - place)
    left = np.minimum(place.astype(np.int64), long - 2)
    weight = (place - left).astype(np.float32)[:, :, None]
    row = np.arange(count)[:, None]
    here = windows[row, left]
    return here + (windows[row, left + 1] - here) * weight


def _rotations(generator: np.random.Generator, count: int, degrees: float) -> Float32Array:
    """(count, 3, 3) rotations about random axes by normal angles (Rodrigues' formula)."""
    axis = generator.normal(size=(count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.radians(generator.normal(0, degrees, (count, 1, 1)))
    # Column i of the cross-product matrix of an axis is axis x unit vector i.
    cross = np.swapaxes(np.cross(axis[:, None, :], np.eye(3)), 1, 2)
    turned = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return turned.astype(np.float32)


def _moved_in_time(
    frames: Float32Array, generator: np.random.Generator, furthest: int
) -> Float32Array:
    """Up to `furthest` frames later or earlier; the gap is as quiet as the clip ever is."""
    if not furthest:
        return frames.copy()
    count, steps, _ = frames.shape
    place = np.arange(steps) + _offsets(generator, count, furthest)[:, :, 0]
    outside = (place < 0) | (place >= steps)
    moved = frames[np.arange(count)[:, None], np.clip(place, 0, steps - 1)]
    return np.where(outside[:, :, None], frames.min(axis=(1, 2), keepdims=True), moved)


def _stretched(frames: Float32Array, generator: np.random.Generator, most: float) -> Float32Array:
    """The axis after the first, (n, T, B), 1 - most to 1 + most times as long, about its middle;
    what comes in at the ends goes on as the end was."""
    count, extent, _ = frames.shape
    factor = generator.uniform(1 - most, 1 + most, (count, 1))
    middle = (extent - 1) / 2
    place = np.clip((np.arange(extent) - middle) / factor + middle, 0, extent - 1)
    left = np.minimum(place.astype(np.int64), extent - 2)
    weight = (place - left).astype(np.float32)[:, :, None]
    row = np.arange(count)[:, None]
    return frames[row, left] * (1 - weight) + frames[row, left + 1] * weight


def _coloured(
    generator: np.random.Generator, count: int, bands: int, decibels: float, unit: float
) -> Float32Array:
    """(n, 1, B): the frequency response of another microphone: a smooth curve of that standard
    deviation, through five random points."""
    points = generator.normal(0, decibels * np.log(10) / 10, (count, _COLOUR_POINTS))
    place = np.linspace(0, _COLOUR_POINTS - 1, bands)
    left = np.minimum(place.astype(np.int64), _COLOUR_POINTS - 2)
    weight = place - left
    curve = points[:, left] * (1 - weight) + points[:, left + 1] * weight
    return (curve / unit).astype(np.float32)[:, None, :]


def _in_noise(
    frames: Float32Array, generator: np.random.Generator, most: float, noise_power: Float32Array
) -> Float32Array:
    """Noise of a deviation from 0 to `most` added to each clip.

    The power of white noise in a bin of its spectrum is exponentially distributed.
    """
    deviation = generator.uniform(0, most, (len(frames), 1, 1)).astype(np.float32)
    noise = generator.standard_exponential(frames.shape, np.float32) * noise_power
    power = np.exp((frames + 1) * np.float32(_STEPS_PER_UNIT) + np.float32(QUIETEST))
    power += noise * deviation * deviation
    return (np.log(power) - np.float32(QUIETEST)) / np.float32(_STEPS_PER_UNIT) - 1


def _unit(frontend: Frontend, dataset: DataSet) -> float:
    """ln power in a difference of 1; after noise reduction features are amplitudes' logarithms."""
    if not frontend.noise_reduction:
        return _STEPS_PER_UNIT
    return float(2 * 128 * dataset.scale[0])


def _band_noise(frontend: Frontend) -> Float32Array:
    """(B,): the mean power that white noise of deviation 1 has in each mel band.

    A Hann window of N samples passes 3 N / 8 of it into each bin, and a triangle sums up half of
    its base (HTK: mel = 2595 log10(1 + f / 700)).
    """
    low, high = (2595 * np.log10(1 + f / 700) for f in (frontend.low_hz, frontend.high_hz))
    edges = 700 * (10 ** (np.linspace(low, high, frontend.bands + 2) / 2595) - 1)
    bins = (edges[2:] - edges[:-2]) / 2 / (frontend.rate / frontend.fft)
    window = 3 / 8 * frontend.rate * frontend.frame_ms / 1000
    return (window * bins).astype(np.float32)


def _offsets(generator: np.random.Generator, count: int, furthest: int) -> IndexArray:
    """(count, 1, 1) whole steps from -furthest to furthest."""
    return generator.integers(-furthest, furthest + 1, (count, 1, 1))


def _stretches(
    generator: np.random.Generator, count: int, extent: int, longest: float
) -> NDArray[np.bool_]:
    """(count, extent): a stretch of 0 to longest * extent steps that is inside."""
    length = generator.integers(0, round(longest * extent) + 1, (count, 1))
    first = (generator.random((count, 1)) * (extent - length + 1)).astype(np.int64)
    place = np.arange(extent)
    return (place >= first) & (place < first + length)


def _square(
    generator: np.random.Generator, count: int, extent: int, side: int
) -> NDArray[np.bool_]:
    """(count, extent): `side` steps around a centre that is inside."""
    first = generator.integers(0, extent, (count, 1)) - side // 2
    place = np.arange(extent)
    return (place >= first) & (place < first + side)


def _clipped(samples: Float32Array) -> Float32Array:
    return np.clip(samples, np.float32(-1), np.float32(127 / 128))
