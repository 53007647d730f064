"""Thresholds for a run: chosen on its validation people, counted on those whom training never saw.

Three streams for each, put together from their clips and noise: keywords, the same reversed in time
(words of no language), and noise alone; and recordings in which no keyword is spoken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinytrain.adapt.detection import (
    Clip,
    Counted,
    Int16,
    LabelledStream,
    build_stream,
    count_detections,
    plan_of,
    stream_probabilities,
)
from tinytrain.adapt.smoothing import Heard, Trial, best, try_smoothers
from tinytrain.errors import InputError
from tinytrain.frontend.constants import AudioConstants
from tinytrain.model import Model
from tinytrain.pipeline import runs
from tinytrain.pipeline.frontend import hop_seconds
from tinytrain.pipeline.recordings import read_recording
from tinytrain.progress import Progress, silent
from tinytrain.project import PROJECT, load_project
from tinytrain.training.data import IndexArray
from tinytrain.training.frontend import Clips
from tinytrain.training.sources import recorded
from tinytrain.training.sources.background import BACKGROUND, pink_noise, to_int16

KEYWORDS, REVERSED, NOISE, OTHERS = "keywords", "reversed words", "noise", "other sounds"
FLOOR = (-80.0, -60.0, -50.0, -40.0)
"""dB of full scale: noise below and between the words, a level after the other."""
NOISE_LEVELS = (-60.0, -50.0, -40.0, -30.0, -20.0)
"""Of the stream of noise alone: for each white, pink and brown."""
NOISE_SECONDS = 40
_FLOOR_SECONDS = 20


@dataclass(frozen=True, eq=False)
class Detectable:
    """What was tried, and on what. Streams by kind."""

    present: Mapping[str, Counted]
    """With the project's own smoother on the streams of `measuring`."""
    trials: tuple[Trial, ...]
    choosing: Mapping[str, Heard]
    measuring: Mapping[str, Heard]

    def best(self, limit: float) -> Trial | None:
        """The smoother that is recommended; None where no threshold keeps to the limit."""
        return best(self.trials, limit)


def try_thresholds(
    directory: Path,
    limits: Sequence[float],
    others: Sequence[Path] = (),
    data_folder: Path | None = None,
    progress: Progress = silent,
    more: tuple[Mapping[str, LabelledStream], Mapping[str, LabelledStream]] = ({}, {}),
) -> Detectable:
    """Trials for each number of false accepts an hour in `limits`, of a run with a project.

    `others`: WAV files without any keyword; the first half of each is listened to in choosing, the
    second in measuring. `more`: further streams for the one and the other. Raises InputError for
    a run whose samples are no waveforms.
    """
    found = runs.open_run(directory)
    model = load_project(directory / PROJECT).model
    plan = plan_of(model)
    clips = recorded(found.task, data_folder)
    if not isinstance(clips, Clips) or not isinstance(plan.frontend, AudioConstants):
        raise InputError(
            f"{directory}: its task has no waveforms, of which a stream could be put together; "
            "`tinytrain stream` plays recordings"
        )
    ignored = {found.dataset.label_names[i] for i in plan.smoother.ignore} | {BACKGROUND}
    words = np.array([
        i for i, label in enumerate(clips.dataset.y)
        if clips.dataset.label_names[label] not in ignored
    ])  # fmt: skip
    heard = []
    for number, people in enumerate((found.split.validation, found.split.unseen)):
        rng = np.random.default_rng((found.seed, number))
        streams = _streams(clips, np.intersect1d(people, words), plan.frontend.rate, rng)
        if others:
            streams[OTHERS] = _half(others, plan.frontend, number)
        heard.append(_listen(model, {**streams, **more[number]}, progress))
    seconds = plan.stride * hop_seconds(plan.frontend)
    trials = try_smoothers(plan, seconds, heard[0], heard[1], limits)
    own = {
        kind: count_detections(plan, one.probabilities, one.stream, [plan.smoother.threshold])[0]
        for kind, one in heard[1].items()
    }
    return Detectable(own, trials, heard[0], heard[1])


def noise_floor(rate: float, rng: np.random.Generator) -> Int16:
    """(T,) pink noise of the levels in FLOOR, one after the other."""
    return _noise(FLOOR, (0.5,), _FLOOR_SECONDS, rate, rng)


def _streams(
    clips: Clips, indices: IndexArray, rate: float, rng: np.random.Generator
) -> dict[str, LabelledStream]:
    audio, y = clips.audio[indices], clips.dataset.y[indices]
    floor = noise_floor(rate, rng)
    words = [Clip(one, int(label)) for one, label in zip(audio, y, strict=True)]
    backwards = [Clip(one[::-1], None) for one in audio]
    noise = _noise(NOISE_LEVELS, (0.0, 0.5, 1.0), NOISE_SECONDS, rate, rng)
    return {
        KEYWORDS: build_stream(words, floor, rate, rng),
        REVERSED: build_stream(backwards, floor, rate, rng, (0.2, 1.0)),
        NOISE: LabelledStream(noise[:, None], (), len(noise) / rate),
    }


def _noise(
    levels: Sequence[float],
    tilts: Sequence[float],
    seconds: int,
    rate: float,
    rng: np.random.Generator,
) -> Int16:
    """(T,) so many seconds of each level and tilt."""
    samples = round(seconds * rate)
    return np.concatenate(
        [to_int16(pink_noise(samples, level, rng, tilt)) for level in levels for tilt in tilts]
    )


def _half(paths: Sequence[Path], frontend: AudioConstants, number: int) -> LabelledStream:
    """The first or second half of each recording, its channels' mean, one behind the other."""
    parts = []
    for path in paths:
        samples = read_recording(path, frontend).samples
        middle = len(samples) // 2
        part = samples[middle:] if number else samples[:middle]
        parts.append(np.floor(part.mean(axis=1)).astype(np.int16))
    whole = np.concatenate(parts)
    return LabelledStream(whole[:, None], (), len(whole) / frontend.rate)


def _listen(
    model: Model, streams: Mapping[str, LabelledStream], progress: Progress
) -> dict[str, Heard]:
    heard = {}
    for place, (kind, stream) in enumerate(streams.items()):
        progress("listening", place, len(streams))
        heard[kind] = Heard(stream, stream_probabilities(model, stream.samples))
    progress("listening", len(streams), len(streams))
    return heard
