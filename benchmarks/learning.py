"""What devices learn from people: every figure beside the bar that it has to reach.

    python benchmarks/learning.py [--out DIR] [--data DIR] [--seeds 3] [--streams 4] [TASK ...]

--out: a folder with the runs TASK-SEED that benchmarks/tasks.py makes (benchmarks/watch.py's runs
seed-SEED serve as the watch's). TASK is watch, hapt, arabic, spoken_digits, fashion, new_classes,
new_words or speed; all by default. new_words trains a network on first use. Exits with 1 where a
bar is missed.

Figures are of the emulator, which gives the bits of the devices. A device is one person with one
stream. "lda frozen" with the guard is what a device does unless it is told otherwise, and the harm
that is measured is its harm.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from bars import Bar, at_least, at_most, bars_text, mean
from many_devices import steps_a_second
from new_classes import WAYS, in_steps, jointly, random_features
from new_words import rows_of_heads
from shifts import SHIFTS, shifted

from tinytrain.adapt.comparison import (
    BLENDED,
    FLOAT,
    FROZEN,
    LDA_SGD,
    SGD,
    HeadResult,
    compare,
)
from tinytrain.adapt.people import Pupil, class_of, features, pupils
from tinytrain.adapt.simulation import Lesson
from tinytrain.adapt.streams import NOISY, SHUFFLED, StreamOptions, make_stream
from tinytrain.errors import InputError
from tinytrain.model import Model
from tinytrain.pipeline.compare import known_of
from tinytrain.pipeline.run import convert_run
from tinytrain.pipeline.runs import Run, open_run
from tinytrain.progress import silent
from tinytrain.project import load_project
from tinytrain.report.tables import table
from tinytrain.training.sources import load
from tinytrain.training.task_file import find_task

SHOTS = {"watch": 10, "hapt": 10, "arabic": 3, "spoken_digits": 5, "fashion": 10}
BEST = {"watch": 0.88, "arabic": 0.95, "spoken_digits": 0.82, "fashion": 0.62}
"""Accuracy that the best head has to reach with so many samples a class."""
SHIFT_TESTS = 1000
"""Pictures of each shift to test on."""
STEPS_A_SECOND = 20_000


@dataclass(frozen=True)
class Options:
    out: Path
    data: Path | None
    seeds: int
    streams: int


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tasks", nargs="*", metavar="TASK", default=[*SHOTS, *OTHERS])
    arguments.add_argument("--out", type=Path, default=Path("build/bench/tasks"))
    arguments.add_argument("--data", type=Path, help="where the data sets lie")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--streams", type=int, default=4, help="of each person")
    given = arguments.parse_args()
    options = Options(given.out, given.data, given.seeds, given.streams)
    bars: list[Bar] = []
    try:
        for task in given.tasks:
            bars += OTHERS[task](options) if task in OTHERS else _people(task, options)
    except InputError as error:
        sys.exit(f"error: {error}")
    print(bars_text(bars))
    return 0 if all(bar.met for bar in bars) else 1


def _people(task: str, options: Options) -> list[Bar]:
    """Users of one task, all seeds together."""
    clean: list[tuple[HeadResult, ...]] = []
    noisy: list[tuple[HeadResult, ...]] = []
    for seed in range(options.seeds):
        found, model = _opened(task, seed, options.out)
        known = known_of(found, model)
        for order, results in ((SHUFFLED, clean), (NOISY, noisy)):
            taught = _taught(task, found, model, order, options.streams)
            results.append(compare(known, taught))
        print(f"{task}-{seed}: done", file=sys.stderr)
    heads, under_noise = _together(clean), _together(noisy)
    print(_heads_text(f"{task}, {SHOTS[task]} samples a class", heads), "", sep="\n")
    print(_heads_text(f"{task}, 20 % of the labels wrong", under_noise), "", sep="\n")
    return _people_bars(task, heads, under_noise)


def _opened(task: str, seed: int, out: Path) -> tuple[Run, Model]:
    folder = out / f"{task}-{seed}"
    if task == "watch" and not folder.exists():
        folder = out / f"seed-{seed}"
    found = open_run(folder)
    if not (folder / "project").exists():
        convert_run(folder)
    shots = replace(found.task.head, shots=SHOTS[task])
    changed = replace(found, task=replace(found.task, head=shots))
    return changed, load_project(folder / "project").model


def _taught(task: str, found: Run, model: Model, order: str, streams: int) -> tuple[Pupil, ...]:
    options = StreamOptions(order)
    if task == "fashion":
        return _shifted_pupils(found, model, options, streams)
    unseen = class_of(model, found.dataset, found.split.unseen)
    people, shots = found.split.unseen_people, found.task.head.shots
    return pupils(unseen, people, shots, options, streams, found.seed)


def _shifted_pupils(
    found: Run, model: Model, options: StreamOptions, streams: int
) -> tuple[Pupil, ...]:
    """A device for each shift and stream, with pictures that training never saw."""
    data, taught = found.dataset, []
    order = np.random.default_rng(found.seed).permutation(found.split.unseen)
    classes = len(data.label_names)
    shots = found.task.head.shots
    learn = np.concatenate([order[data.y[order] == label][:shots] for label in range(classes)])
    test = np.setdiff1d(order, learn)[:: max(1, len(order) // SHIFT_TESTS)]
    for place, name in enumerate(SHIFTS):
        x = features(model, shifted(data.x[learn], name))
        tested = features(model, shifted(data.x[test], name))
        for number in range(streams):
            key = found.seed, place, number
            stream = make_stream(data.x[learn], data.y[learn], classes, options, key)
            lesson = Lesson(x[stream.samples], stream.labels, tested, data.y[test])
            taught.append(Pupil(name, lesson))
    return tuple(taught)


def _together(seeds: Sequence[tuple[HeadResult, ...]]) -> dict[tuple[str, bool], HeadResult]:
    """Each head with the devices of all seeds."""
    found = {}
    for same in zip(*seeds, strict=True):
        devices = tuple(
            replace(device, person=f"{seed}: {device.person}")
            for seed, head in enumerate(same)
            for device in head.devices
        )
        found[same[0].head, same[0].guarded] = replace(same[0], devices=devices)
    return found


def _heads_text(title: str, heads: dict[tuple[str, bool], HeadResult]) -> str:
    rows = [
        (
            head.head,
            head.guarded,
            head.mean("before"),
            head.mean("after"),
            100 * head.worst,
            100 * head.gainers,
            100 * head.losers,
            None if head.rows_written is None else 100 * head.rows_written,
        )
        for head in heads.values()
    ]
    header = ("head", "guard", "before", "after", "worst, points", "gain, %", "lose, %",
              "rows written, %")  # fmt: skip
    devices = len(next(iter(heads.values())).devices)
    return f"{title}: {devices} devices\n{table(header, rows)}"


def _people_bars(
    task: str,
    heads: dict[tuple[str, bool], HeadResult],
    noisy: dict[tuple[str, bool], HeadResult],
) -> list[Bar]:
    own, own_noisy, sgd = heads[FROZEN, True], noisy[FROZEN, True], heads[SGD, False]
    best = max((heads[name, True] for name in (SGD, FROZEN, BLENDED, LDA_SGD)),
               key=lambda head: head.mean("after"))  # fmt: skip
    bars = []
    if task in BEST:
        name = f"{task}: best head, guarded ({best.head})"
        bars.append(at_least(name, best.mean("after"), BEST[task]))
    if task == "hapt":
        lost = -100 * own.worst_person
        bars.append(at_most(f"{task}: points lost by the person who loses most", lost, 1.0))
        lost = -100 * own.worst
        bars.append(at_most(f"{task}: points lost by the device that loses most", lost, 1.0))
        bars.append(at_least(f"{task}: points gained", 100 * own.gain, 0.0))
    floating = heads[FLOAT, False].mean("after")
    return [
        *bars,
        at_most(f"{task}: float32 sgd less sgd, points", 100 * (floating - sgd.mean("after")), 1.0),
        at_most(f"{task}: rows written by sgd, %", 100 * (sgd.rows_written or 0), 20.0),
        at_most(f"{task}: devices that lose, %", 100 * own.losers, 2.0),
        at_most(f"{task}: devices that lose, noisy, %", 100 * own_noisy.losers, 5.0),
        at_least(f"{task}: gain kept under noise, %", 100 * own_noisy.gain / own.gain, 50.0),
    ]


def _new_classes(options: Options) -> list[Bar]:
    """Clothes in five steps of two classes."""
    data = load(find_task("fashion"), options.data, silent)
    test = data.given_test
    learn = np.setdiff1d(np.arange(len(data.y)), test)
    rows: list[tuple[object, ...]] = []
    for seed in range(options.seeds):
        pictures = random_features(data.x[learn], data.y[learn], data.x[test], data.y[test], seed)
        rows += [(seed, name, *in_steps(pictures, o, lda)) for name, o, lda in WAYS]
        rows.append((seed, "jointly, float", None, None, None, None, jointly(pictures)))
    header = ("seed", "head", *(f"{count} classes" for count in range(2, 11, 2)))
    title = "Clothes in 5 steps of 2 classes, features of random kernels"
    print(f"{title}\n{table(header, rows)}", "", sep="\n")
    ways = [name for name, _, _ in WAYS]
    ends = {name: mean([float(str(r[-1])) for r in rows if r[1] == name]) for name in ways}
    best = max(ends, key=lambda name: ends[name])
    return [at_least(f"ten classes in five steps, best head ({best})", ends[best], 0.75)]


def _new_words(options: Options) -> list[Bar]:
    heads = rows_of_heads(options.out, options.data, options.seeds)
    header = ("head", "8 new among 32", "new among new", "24 old, before", "24 old, after")
    title = "Arabic: 8 words that the network never heard, 5 takes each; nobody says old words"
    print(f"{title}\n{table(header, heads)}", "", sep="\n")
    best = max(heads, key=lambda head: head[1])
    return [at_least(f"8 new words, 5 shots, best head ({best[0]})", best[1], 0.90)]


def _speed(options: Options) -> list[Bar]:
    del options
    ways = [(kind, guarded) for kind in ("sgd", "lda", "lda+sgd") for guarded in (False, True)]
    rates = {way: steps_a_second(*way) for way in ways}
    rows = [(kind, guarded, round(rate)) for (kind, guarded), rate in rates.items()]
    title = "Learning steps a second, 1,000 devices"
    print(f"{title}\n{table(('head', 'guard', 'steps'), rows)}", "", sep="\n")
    slowest = min(rates[kind, False] for kind in ("sgd", "lda"))
    return [at_least("learning steps a second, 1,000 devices", slowest, STEPS_A_SECOND)]


OTHERS: dict[str, Callable[[Options], list[Bar]]] = {
    "new_classes": _new_classes,
    "new_words": _new_words,
    "speed": _speed,
}


if __name__ == "__main__":
    sys.exit(main())
