"""Spoken words, from the samples of a person whom training never heard to decisions on a Cortex-M4.

    python benchmarks/demo_keywords.py [--out DIR] [--sounds DIR] [--data DIR] [--target T]

Trains the task `keywords`, or a network for SOUNDS/WORD/PERSON/*.wav, and writes the device's
project. Then the emulated board listens to one person's WAV files, learns some takes of each word,
and listens again. Prints a table, and draws a picture into --out. What is trained already is not
trained again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device, StreamStep
from tinytrain.device.opening import open_device
from tinytrain.device.toolchain import missing_for
from tinytrain.errors import CheckError, DeviceError, InputError
from tinytrain.model import Model
from tinytrain.pipeline import runs
from tinytrain.pipeline.recordings import read_recording
from tinytrain.pipeline.run import BOARD, make_project
from tinytrain.pipeline.tasks import own_data
from tinytrain.progress import Progress
from tinytrain.project import PROJECT, load_project
from tinytrain.protocol import StreamEvent
from tinytrain.report.picture import figure_type
from tinytrain.report.progress import bars
from tinytrain.report.tables import table
from tinytrain.training.data import IndexArray, personal_split
from tinytrain.training.frontend import Clips
from tinytrain.training.sources import recorded
from tinytrain.training.sources.files import locate
from tinytrain.training.task_file import find_task, task_text

PICTURE = "keywords.png"
_COMPARED = ("event", "frame", "probabilities", "mean", "detected")
"""Of each step."""


@dataclass(frozen=True)
class Heard:
    """What the device made of one WAV file."""

    features: NDArray[np.int8]
    """(frames, outputs)"""
    word: int
    """The class of the largest smoothed probability."""
    detected: bool
    """Whether it was sure enough to act."""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=Path("demo-keywords"))
    arguments.add_argument("--sounds", type=Path, help="own sounds, WORD/PERSON/*.wav")
    arguments.add_argument("--data", type=Path, help="where the data of `keywords` lie")
    arguments.add_argument("--target", help="where the person is heard; default: Cortex-M4 in QEMU")
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    try:
        with bars() as progress:
            text = demo(
                options.out, options.sounds, options.data, options.target, options.seed, progress
            )
    except CheckError as error:
        sys.exit(f"error: {error}")
    except (InputError, DeviceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def demo(
    out: Path,
    sounds: Path | None,
    data: Path | None,
    target: str | None,
    seed: int,
    progress: Progress,
) -> str:
    """Everything; gives what is to be printed."""
    task = _task(out, sounds, data)
    missing = missing_for(BOARD)
    wanted = target or ("host" if missing else BOARD)
    folder = out / ("keywords-run" if sounds is None else "sounds-run")
    found = make_project(task, folder, seed, progress, data)
    person = _worst_person(found)
    name = found.dataset.group_names[person]
    wavs = _write_wavs(out / "wavs", found, person, data)
    own = personal_split(
        found.dataset, person, found.task.head.shots, seed, within=found.split.unseen
    )
    project = load_project(found.directory / PROJECT)
    with open_device(project, wanted) as device:
        board = _Board(device, project.model, progress)
        before = board.listen(wavs, own.test, "before")
        board.learn(wavs, own.learn, found.dataset.y)
        after = board.listen(wavs, own.test, "after")
    _check(found, own.test, before + after)
    y, words = found.dataset.y[own.test], found.dataset.label_names
    _draw(out / PICTURE, before, after, y, words, name)
    where = "the Cortex-M4 in QEMU" if wanted == BOARD else wanted
    tools = ", ".join(tool.program for tool in missing)
    note = f" (for QEMU {tools} is missing)" if missing and not target else ""
    people = len(found.split.unseen_people)
    chosen = f", of {people} people the one understood worst" if people > 1 else ""
    return (
        f"{name}, whom training never heard{chosen}.\n"
        f"{len(own.test)} WAV files from samples to decisions on {where}{note},\n"
        f"before and after it learned from {len(own.learn)} others. Right: the likeliest word is "
        f"the one that was said;\nsure: its probability is at least "
        f"{found.task.frontend.threshold:g}, a detection.\n\n"
        f"{_table(before, after, y, words)}\n\n"
        f"0 differing bits in {board.steps:,} steps, frames and probabilities, between {where} "
        "and the emulator;\nthe features are those of training\n"
        f"picture: {out / PICTURE}; firmware: {found.directory / PROJECT}; sounds: {out / 'wavs'}"
    )


def _task(out: Path, sounds: Path | None, data: Path | None) -> str:
    """The built-in task, or a file with one for sounds of one's own."""
    if sounds is None:
        task = find_task("keywords")
        try:
            locate(task, data)
        except InputError as error:
            raise InputError(f"{error}; or give sounds of your own: SOUNDS=DIR") from error
        return task.name
    files = sorted(sounds.glob("*/*/*.wav"))
    if not files:
        raise InputError(f"{sounds}: no WORD/PERSON/*.wav in it")
    rate = _wav_rate(files[0])
    task = own_data("wav")
    high = min(7500.0, rate * 0.475)
    fft = max(64, 1 << (int(rate * task.frontend.frame_ms / 1000) - 1).bit_length())
    task = replace(
        task,
        name="sounds",
        data=replace(task.data, path=str(sounds.resolve())),
        frontend=replace(task.frontend, rate=rate, fft=fft, high_hz=high),
    )
    path = out / "sounds.toml"
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(task_text(task), encoding="utf-8")
    return str(path)


def _wav_rate(path: Path) -> int:
    try:
        with wave.open(str(path), "rb") as file:
            return file.getframerate()
    except (wave.Error, EOFError) as error:
        raise InputError(f"{path}: not a WAV file of PCM: {error}") from error


def _worst_person(found: runs.Run) -> int:
    """The unseen person whom the int8 network understands worst, before any learning."""
    accuracy = runs.read_result(found.directory, runs.INT8).accuracy
    people = {found.dataset.group_names[person]: person for person in found.split.unseen_people}
    return people[min(people, key=lambda name: accuracy[name])]


def _write_wavs(
    folder: Path, found: runs.Run, person: int, data: Path | None
) -> Mapping[int, Path]:
    """The person's clips as WAV files, by the number of the sample."""
    clips = recorded(found.task, data)
    assert isinstance(clips, Clips)
    names, settings = found.dataset.label_names, found.task.frontend
    shutil.rmtree(folder, ignore_errors=True)
    paths = {}
    for index in np.flatnonzero(found.dataset.group == person).tolist():
        path = folder / names[found.dataset.y[index]] / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(settings.rate)
            file.writeframes(clips.audio[index].astype("<i2").tobytes())
        paths[index] = path
    return paths


class _Board:
    """A device that listens to files as it would to a microphone, and the emulator beside it."""

    def __init__(self, device: Device, model: Model, progress: Progress) -> None:
        assert model.stream is not None
        self._plan = model.stream
        self._both = (device, EmulatedDevice(model))
        self._progress = progress
        self.steps = 0
        """That were compared."""

    def listen(self, wavs: Mapping[int, Path], samples: IndexArray, stage: str) -> list[Heard]:
        heard = []
        for done, index in enumerate(samples.tolist()):
            self._progress(f"listening, {stage}", done, len(samples), wavs[index].name)
            heard.append(self._hear(wavs[index]))
        self._progress(f"listening, {stage}", len(samples), len(samples))
        return heard

    def learn(self, wavs: Mapping[int, Path], samples: IndexArray, labels: IndexArray) -> None:
        """What the person says, with the right answers: from the device's own features."""
        for heard, index in zip(self.listen(wavs, samples, "learning"), samples, strict=True):
            for one in self._both:
                one.learn(heard.features, int(labels[index]))
        for one in self._both:
            one.end_session()

    def _hear(self, path: Path) -> Heard:
        """One file from its first sample to its last, a hop at a time."""
        samples = read_recording(path, self._plan.frontend).samples
        for one in self._both:
            one.stream_begin(self._plan.frontend.rate, 1)
        frames, mean, detected = [], None, False
        for first in range(0, len(samples), self._plan.frontend.hop):
            for one in self._both:
                one.stream_push(samples[first : first + self._plan.frontend.hop])
            while (found := self._step(path)).frame is not None:
                frames.append(found.frame)
                mean = found.mean if found.mean is not None else mean
                detected |= found.event == StreamEvent.DETECTION
        if mean is None:
            raise CheckError(f"{path}: too short for an inference")
        return Heard(np.stack(frames), int(mean.argmax()), detected)

    def _step(self, path: Path) -> StreamStep:
        """A step of both, which have to come to the same."""
        mine, reference = (one.stream_step() for one in self._both)
        self.steps += 1
        if not all(np.array_equal(getattr(mine, f), getattr(reference, f)) for f in _COMPARED):
            raise CheckError(f"{path}: step {self.steps} differs from the emulator's")
        return mine


def _check(found: runs.Run, samples: IndexArray, heard: Sequence[Heard]) -> None:
    """The features are those that training would have had, bit for bit."""
    expected = np.concatenate([found.dataset.x[samples]] * 2)
    if any((one.features != x).any() for one, x in zip(heard, expected, strict=True)):
        raise CheckError("the device's features differ from those of training")


def _table(
    before: Sequence[Heard], after: Sequence[Heard], y: IndexArray, words: Sequence[str]
) -> str:
    rows = [
        (words[word], int(mine.sum()), *(_right(heard, y, mine) for heard in (before, after)),
         *(_acted(heard, mine) for heard in (before, after)))
        for word, mine in [(word, y == word) for word in range(len(words))]
    ]  # fmt: skip
    everything = np.ones(len(y), bool)
    rows.append(
        ("all words", len(y), *(_right(heard, y, everything) for heard in (before, after)),
         *(_acted(heard, everything) for heard in (before, after)))
    )  # fmt: skip
    header = ("word", "spoken", "right before", "right after", "sure before", "sure after")
    return table(header, rows)


def _right(heard: Sequence[Heard], y: IndexArray, mine: NDArray[np.bool_]) -> float:
    """Share of the words, 0 to 1."""
    return float(np.mean([heard[i].word == y[i] for i in np.flatnonzero(mine)]))


def _acted(heard: Sequence[Heard], mine: NDArray[np.bool_]) -> float:
    """Share of the words, 0 to 1, of which the device was sure enough to act."""
    return float(np.mean([heard[i].detected for i in np.flatnonzero(mine)]))


def _draw(
    path: Path,
    before: Sequence[Heard],
    after: Sequence[Heard],
    y: IndexArray,
    words: Sequence[str],
    person: str,
) -> None:
    """What the device hears of one word, and how often each word is understood."""
    figure = figure_type()(figsize=(10, 4), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(before[0].features.T, origin="lower", aspect="auto")
    left.set_xlabel("frame")
    left.set_ylabel("band, int8 as the device computes it")
    left.set_title(f"what the device hears of {words[y[0]]!r}", fontsize=10)
    place = np.arange(len(words))
    for shift, heard, label in ((-0.2, before, "before"), (0.2, after, "after learning")):
        share = [100 * _right(heard, y, y == word) for word in place]
        right.bar(place + shift, share, 0.4, label=label)
    right.set_xticks(place, words, rotation=45, ha="right")
    right.set_ylabel("understood, %")
    right.set_title(f"{person}, whom training never heard", fontsize=10)
    right.legend(fontsize=8, loc="lower right")
    figure.savefig(path, format="png")


if __name__ == "__main__":
    sys.exit(main())
