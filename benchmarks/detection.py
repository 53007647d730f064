"""What a stream of speech costs the keywords: false accepts an hour, misses, delay.

    python benchmarks/detection.py [--out RUNS] [--data DIR] [--seeds 3] [--allowed 1 10]

Trains `keywords` with each seed as it is, and with a class of background made from the training
people's own clips (`data.background`), both unpruned; what is already in RUNS is not done again. A
threshold is chosen on the validation people's streams for so many false accepts an hour, with each
average and refractory time, and counted on the unseen people's. Words that no network was trained
on: English digits, two speakers to choose on, two others to count on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from to_int8 import run_to_int8

from tinytrain.adapt.detection import Clip, Counted, LabelledStream, build_stream
from tinytrain.adapt.smoothing import Trial, best, pooled
from tinytrain.errors import InputError
from tinytrain.pipeline.detection import noise_floor, try_thresholds
from tinytrain.pipeline.run import convert_run
from tinytrain.project import PROJECT
from tinytrain.report.stream import kinds_text, trials_text
from tinytrain.report.tables import table
from tinytrain.training.frontend import Clips
from tinytrain.training.sources import recorded
from tinytrain.training.sources.background import to_int16
from tinytrain.training.task_file import find_task, task_text

TASK, OTHER_WORDS, DIGITS = "keywords", "digits_wav", "English digits"
BACKGROUNDS = (0.0, 1.0)
"""`data.background` of the networks."""


@dataclass(frozen=True, eq=False)
class Found:
    background: float
    seed: int
    present: Mapping[str, Counted]
    """On unseen people with the task's own smoother."""
    trials: tuple[Trial, ...]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=Path("build/bench/detection"))
    arguments.add_argument("--data", type=Path, help="where the data sets lie")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--allowed", type=float, nargs="+", default=[1.0, 10.0])
    options = arguments.parse_args()
    found = []
    try:
        for seed in range(options.seeds):
            for background in BACKGROUNDS:
                run = _run(background, seed, options.out, options.data)
                more = _digit_streams(seed, options.data)
                made = try_thresholds(run, options.allowed, data_folder=options.data, more=more)
                found.append(Found(background, seed, made.present, made.trials))
                print(f"{run}: done", file=sys.stderr, flush=True)
    except InputError as error:
        sys.exit(f"error: {error}")
    for background in BACKGROUNDS:
        print(_text([one for one in found if one.background == background], options.allowed))
    return 0


def _run(background: float, seed: int, out: Path, data: Path | None) -> Path:
    """The folder of a run with a project."""
    name = "background" if background else "plain"
    task = find_task(TASK)
    task = replace(
        task,
        data=replace(task.data, background=background),
        pruning=replace(task.pruning, share=0.0),
    )
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.toml"
    path.write_text(task_text(task), encoding="utf-8")
    folder = out / f"{name}-{seed}"
    run_to_int8(str(path), seed, folder, data)
    if not (folder / PROJECT).is_dir():
        convert_run(folder)
    return folder


def _digit_streams(
    seed: int, data: Path | None
) -> tuple[Mapping[str, LabelledStream], Mapping[str, LabelledStream]]:
    """Each digit of two speakers once, at twice the rate, and of the two others."""
    clips = recorded(find_task(OTHER_WORDS), data)
    assert isinstance(clips, Clips)
    rate = 2 * find_task(OTHER_WORDS).frontend.rate
    made = []
    for half in (0, 1):
        rng = np.random.default_rng((seed, half, 1))
        chosen = clips.audio[clips.dataset.group // 2 == half]
        words = [Clip(_without_end(_doubled(one)), None) for one in chosen]
        made.append({DIGITS: build_stream(words, noise_floor(rate, rng), rate, rng, (0.2, 1.0))})
    return made[0], made[1]


def _doubled(clip: NDArray[np.int16]) -> NDArray[np.int16]:
    """At twice the rate, by a spectrum that is empty above the old band."""
    spectrum = np.fft.rfft(clip.astype(np.float64))
    return to_int16(2 * np.fft.irfft(spectrum, 2 * len(clip)))


def _without_end(clip: NDArray[np.int16]) -> NDArray[np.int16]:
    """Without the silence that filled it up to a second."""
    return clip[: int(np.flatnonzero(np.abs(clip) > 20)[-1]) + 1]


def _text(found: Sequence[Found], limits: Sequence[float]) -> str:
    share = found[0].background
    together = [_together(trials) for trials in zip(*[one.trials for one in found], strict=True)]
    parts = [f"\ndata.background = {share:g}, {len(found)} seeds together; '-': in some seed no "
             "threshold keeps to what is allowed", trials_text(together)]  # fmt: skip
    parts += ["\nwith the task's own average, threshold and refractory time",
              kinds_text(_kinds([one.present for one in found]))]  # fmt: skip
    for limit in limits:
        chosen = [best(one.trials, limit) for one in found]
        rows = [
            (one.seed, trial.average, trial.refractory_ms, trial.chosen.threshold / (1 << 15))
            for one, trial in zip(found, chosen, strict=True)
            if trial is not None and trial.chosen is not None
        ]
        parts.append(f"\nat most {limit:g} an hour: the best of each seed's validation people")
        parts.append(table(("seed", "average", "refractory ms", "threshold"), rows))
        if good := [trial for trial in chosen if trial is not None]:
            parts.append(kinds_text(_together(good).kinds))
    return "\n".join(parts)


def _together(trials: Sequence[Trial]) -> Trial:
    """The seeds' trials as one, their thresholds' mean; nothing found where one found nothing."""
    first = trials[0]
    if any(one.chosen is None or one.measured is None for one in trials):
        return replace(first, chosen=None, measured=None, kinds={})
    kinds = _kinds([one.kinds for one in trials])
    chosen = _pooled_mean([one.chosen for one in trials if one.chosen is not None])
    return replace(first, chosen=chosen, measured=kinds["all"], kinds=kinds)


def _kinds(found: Sequence[Mapping[str, Counted]]) -> dict[str, Counted]:
    """The seeds as one, by kind of stream, and all together."""
    kinds = {kind: pooled([one[kind] for one in found]) for kind in found[0]}
    return {**kinds, "all": pooled(list(kinds.values()))}


def _pooled_mean(counted: Sequence[Counted]) -> Counted:
    mean = sum(one.threshold for one in counted) // len(counted)
    return replace(pooled(counted), threshold=mean)


if __name__ == "__main__":
    sys.exit(main())
