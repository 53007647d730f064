"""From clips to features: by the device's front end in integers, or in floating point.

Letters: n clips, S samples of a clip, T frames, F features of a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.emulator import audio as emulator
from tinytrain.errors import InputError
from tinytrain.frontend.audio import (
    AudioSettings,
    audio_constants,
    cepstral_ranges,
    power_bits,
)
from tinytrain.frontend.constants import AudioConstants, FrontendConstants, MotionConstants
from tinytrain.progress import Progress, silent
from tinytrain.training import log_mel
from tinytrain.training.data import DataSet, split
from tinytrain.training.motion import motion_settings, unranged
from tinytrain.training.scaling import Float32Array
from tinytrain.training.tasks import Frontend, Task

Int16Array = NDArray[np.int16]
_CLIPS_AT_ONCE = 64


@dataclass(frozen=True)
class Clips:
    """A data set of waveforms: all of it but the features."""

    dataset: DataSet
    """x is (n, 0)."""
    audio: Int16Array
    """(n, S)"""


def with_features(
    task: Task, clips: Clips, seed: int, where: str, progress: Progress = silent
) -> DataSet:
    """The data set with the features of its clips. `seed`: of the split: ranges of a cepstrum are
    those of the training people.
    """
    settings, dataset = task.frontend, clips.dataset
    if settings.arithmetic == "float":
        _refuse_empty_bands(settings, where)
        made = _in_parts(
            clips.audio, lambda part: log_mel.log_mel(part / 32768, settings), progress
        )
        scale, zero = np.full(1, log_mel.STEP), np.full(1, log_mel.ZERO)
        return replace(
            dataset, x=made, scale=scale.astype(np.float32), zero=zero.astype(np.float32)
        )
    try:
        constants = _sound_constants(task, clips, seed, progress)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    made = _in_parts(clips.audio, lambda part: emulator.features(constants, part), progress)
    scale, zero = _physical(constants)
    return replace(dataset, x=made, scale=scale, zero=zero, frontend=constants)


def sound_settings(settings: Frontend) -> AudioSettings:
    """A task's keys as the front end has them."""
    return AudioSettings(
        rate=settings.rate,
        frame_ms=settings.frame_ms,
        hop_ms=settings.hop_ms,
        fft=settings.fft,
        bands=settings.bands,
        low_hz=settings.low_hz,
        high_hz=settings.high_hz,
        pre_emphasis=settings.pre_emphasis,
        coefficients=settings.coefficients if settings.kind == "mfcc" else 0,
        noise_reduction=settings.noise_reduction,
        gain_normalization=settings.gain_normalization,
    )


def samples_of_clip(settings: Frontend) -> int:
    """Samples of a clip."""
    return round(settings.seconds * settings.rate)


def to_int16(audio: NDArray[Any], where: str) -> Int16Array:
    """Waveforms as the device gets them: int16 as it is, floats in [-1, 1] rounded to it."""
    if audio.dtype == np.int16:
        return audio
    if audio.dtype.kind != "f":
        raise InputError(
            f"{where}: the waveforms are {audio.dtype}; int16, or float in [-1, 1], is needed "
            "(bytes of mu-law: data.law = 'mu')"
        )
    if not np.isfinite(audio).all():
        raise InputError(f"{where}: a sample that is not a finite number (NaN or infinity)")
    rounded = np.round(audio.astype(np.float64) * 32768)
    return np.clip(rounded, -32768, 32767).astype(np.int16)


def from_mu_law(code: NDArray[Any], where: str) -> Int16Array:
    """Bytes of 8-bit mu-law to int16: y = b / 255 * 2 - 1, x = sign(y) (256^|y| - 1) / 255."""
    if code.dtype != np.uint8:
        raise InputError(f"{where}: the waveforms are {code.dtype}; data.law 'mu' needs uint8")
    y = np.arange(256) / 255 * 2 - 1
    return to_int16(np.sign(y) * (256 ** np.abs(y) - 1) / 255, where)[code]


def cut_to_length(audio: Int16Array, settings: Frontend, where: str) -> Int16Array:
    """Waveforms (n, any) cut, or padded with silence at their ends, to (n, S)."""
    if audio.ndim != 2:
        raise InputError(f"{where}: the waveforms have shape {audio.shape}; (n, samples) is needed")
    length = samples_of_clip(settings)
    kept = audio[:, :length]
    return np.pad(kept, ((0, 0), (0, length - kept.shape[1])))


def clips(audio: NDArray[Any], offsets: NDArray[Any], settings: Frontend, where: str) -> Any:
    """Clips that lie one behind the other, each cut or padded at its end: (n, S)."""
    inside = offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets) > 1
    if not inside or np.any(np.diff(offsets) <= 0) or offsets[0] < 0 or offsets[-1] > len(audio):
        raise InputError(
            f"{where}: data.offsets has to ascend within the {len(audio)} samples of data.x"
        )
    length = samples_of_clip(settings)
    made = np.zeros((len(offsets) - 1, length), audio.dtype)
    for i, (start, end) in enumerate(pairwise(offsets)):
        clip = audio[start : min(end, start + length)]
        made[i, : len(clip)] = clip
    return made


def check_rate(where: Path | str, rate: int, settings: Frontend) -> None:
    """All waveforms of a task have one rate."""
    if rate != settings.rate:
        raise InputError(
            f"{where}: {rate} Hz; the task says frontend.rate = {settings.rate}; resample the file "
            "or change the task: rates are not mixed"
        )


def plain_constants(settings: Frontend) -> AudioConstants:
    """The front end of a task; of a cepstrum without the ranges of any data."""
    return audio_constants(sound_settings(settings))


def expected(task: Task, made: FrontendConstants | None) -> FrontendConstants | None:
    """The front end of a task as it is today, with the ranges of the one that made features."""
    settings = task.frontend
    if settings.kind == "none" or settings.arithmetic == "float":
        return None
    today: FrontendConstants
    if settings.kind == "motion":
        channels = made.channels if isinstance(made, MotionConstants) else 1
        today = unranged(motion_settings(task, channels))
    else:
        today = plain_constants(settings)
    if settings.kind == "log_mel" or made is None:
        return today
    return replace(today, quantizer=made.quantizer)


def _sound_constants(task: Task, clips: Clips, seed: int, progress: Progress) -> AudioConstants:
    """The front end; of a cepstrum with the ranges that the training people's clips fill."""
    settings = sound_settings(task.frontend)
    plain = audio_constants(settings)
    if not settings.coefficients:
        return plain
    training = clips.audio[split(clips.dataset, task.split, seed).train]
    raw = _in_parts(training, lambda part: emulator.raw_features(plain, part), progress)
    return audio_constants(settings, cepstral_ranges(plain, raw))


def _physical(constants: AudioConstants) -> tuple[Float32Array, Float32Array]:
    """(scale, zero) that lead back to the natural logarithm of power, of audio in [-1, 1]; of a
    cepstrum and after noise reduction to natural logarithms in the front end's units.
    """
    quantizer = constants.quantizer
    unit = np.log(2) / 65536
    scale = 2.0**quantizer.shift / quantizer.scale * unit
    plain = not (constants.noise or constants.coefficients)
    offset = quantizer.offset * unit
    offset -= power_bits(constants.transform.points) * np.log(2) if plain else 0.0
    return scale.astype(np.float32), (-offset / scale).astype(np.float32)


def _in_parts(
    audio: Int16Array, make: Callable[[Int16Array], NDArray[Any]], progress: Progress
) -> NDArray[Any]:
    """Features (n, T, F) of clips (n, S), some at a time, for a transform needs memory."""
    parts = []
    for first in range(0, len(audio), _CLIPS_AT_ONCE):
        progress("features", first, len(audio))
        parts.append(make(audio[first : first + _CLIPS_AT_ONCE]))
    progress("features", len(audio), len(audio))
    return np.concatenate(parts)


def _refuse_empty_bands(settings: Frontend, where: str) -> None:
    empty = ~log_mel.filterbank(settings).any(axis=1)
    if empty.any():
        raise InputError(
            f"{where}: {int(empty.sum())} of {settings.bands} mel bands hold no frequency of the "
            "transform; take a larger frontend.fft or fewer frontend.bands"
        )
