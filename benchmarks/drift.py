"""Drift alarms of people whom nobody knew: how often they are false, and what real drift does.

    python benchmarks/drift.py [--out DIR] [--seeds 3] [--streams 4] [--rate 0.01] [TASK ...]

--out: a folder with the runs TASK-SEED that benchmarks/tasks.py makes. TASK is watch, hapt, arabic
or spoken_digits; all by default.

Every person that training and calibration did not see has a device for each stream. A stream is the
person's own samples over and over, in runs of a class ("bursts"), shuffled, or as they were
recorded: 256 for the baseline, 768 to be watched. With drift, the second half of a stream is the
same samples as a changed sensor would give them, or another unseen person's; "from the start" are
those whose whole stream is. Accuracy is that of the factory head on the changed samples.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinytrain.adapt.answers import answers
from tinytrain.adapt.calibrate import analytic, known_people
from tinytrain.adapt.drift import WATCHED, DriftOptions, alarms, bursts, drift_constants
from tinytrain.adapt.people import Class, class_of, features, head_of
from tinytrain.emulator.drift import Bool
from tinytrain.errors import InputError
from tinytrain.head import HeadConstants
from tinytrain.lda import LdaOptions
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import DriftConstants
from tinytrain.model import Model
from tinytrain.pipeline.run import convert_run
from tinytrain.pipeline.runs import Run, open_run
from tinytrain.project import load_project
from tinytrain.report.tables import table
from tinytrain.training.data import IndexArray, Int8Array

Float = npt.NDArray[np.float64]
Change = Callable[[Float, np.random.Generator], Float]

TASKS = ("watch", "hapt", "arabic", "spoken_digits")
SETTLED = 1 << DriftOptions().settle
LENGTH = SETTLED + WATCHED
CHANGE = LENGTH // 2
"""Where drift begins."""
LOUDER = 14.25
"""Twice the amplitude in steps of the log-mel front end: ln 4 of (11 + 6 ln 10) / 255 a step."""
SILENCE = -128
NOBODY = "another person"


def _spread(x: Float) -> Float:
    return np.asarray(x.reshape(-1, x.shape[-1]).std(axis=0))


def _heard(x: Float, louder: Float | float) -> Float:
    """Digital silence stays what it is."""
    return np.where(x == SILENCE, x, x + louder)


MOTION: dict[str, Change] = {
    "gain x0.5": lambda x, _: x / 2,
    "gain x2": lambda x, _: 2 * x,
    "all axes inverted": lambda x, _: -x,
    "axes turned": lambda x, _: x[..., [1, 2, 0, 4, 5, 3]],
    "noise, half the spread": lambda x, random: x + random.normal(0, 0.5, x.shape) * _spread(x),
}
SOUND: dict[str, Change] = {
    "gain x0.5": lambda x, _: _heard(x, -LOUDER),
    "gain x2": lambda x, _: _heard(x, LOUDER),
    "muffled, to -25 dB": lambda x, _: _heard(x, np.linspace(0, -4.15 * LOUDER, x.shape[-1])),
    "3 bands up": lambda x, _: np.roll(x, 3, axis=-1),
    "background noise": lambda x, random: np.maximum(x, random.normal(-50, 5, x.shape)),
}


@dataclass(frozen=True, eq=False)
class Watch:
    """The unseen people of one run, and what their devices watch by."""

    head: HeadConstants
    lda: LdaConstants
    drift: DriftConstants
    unseen: Class
    known: int
    """People whom the thresholds come from."""

    @property
    def labels(self) -> IndexArray:
        return self.unseen.dataset.y[self.unseen.samples]

    @property
    def groups(self) -> IndexArray:
        return self.unseen.dataset.group[self.unseen.samples]

    def alarms(self, streams: Sequence[Int8Array]) -> Bool:
        return alarms(self.head, self.lda, self.drift, np.stack(streams))


@dataclass
class Drifted:
    """What became of the devices that met one kind of drift."""

    accuracy: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    """Samples from the change to the alarm of each device, infinite where there is none; devices
    with a false alarm at the change are left out."""
    late: list[float] = field(default_factory=list)
    """Shares of the samples with an alarm, from 128 after the change on."""
    from_the_start: list[bool] = field(default_factory=list)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tasks", nargs="*", metavar="TASK", default=[*TASKS])
    arguments.add_argument("--out", type=Path, default=Path("build/bench/tasks"))
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--streams", type=int, default=4, help="of each person")
    arguments.add_argument("--rate", type=float, default=0.01, help="of false alarms, stated")
    given = arguments.parse_args()
    false, real = [], []
    try:
        for task in given.tasks:
            quiet: dict[str, list[Float]] = {"bursts": [], "shuffled": [], "recorded": []}
            drifted: dict[str, Drifted] = {}
            known = []
            for seed in range(given.seeds):
                watch = _watch(*_opened(given.out / f"{task}-{seed}"), given.rate)
                known.append(watch.known)
                _false_alarms(watch, given.streams, quiet)
                _real_drift(watch, given.streams, drifted)
                print(f"{task}-{seed}: done", file=sys.stderr)
            false.append(_false_row(task, known, given.rate, quiet))
            real += [_real_row(task, name, one) for name, one in drifted.items()]
    except InputError as error:
        sys.exit(f"error: {error}")
    print(_false_text(false), "", _real_text(real), sep="\n")
    return 0


def _opened(folder: Path) -> tuple[Run, Model]:
    found = open_run(folder)
    if not (folder / "project").exists():
        convert_run(folder)
    return found, load_project(folder / "project").model


def _watch(found: Run, model: Model, rate: float) -> Watch:
    head, data, split = head_of(model), found.dataset, found.split
    training = class_of(model, data, split.train)
    validation = class_of(model, data, split.validation)
    people = known_people(head, training, validation, found.task.head.shots, found.seed)
    lda = analytic(people, LdaOptions())
    options = DriftOptions(false_alarms=rate)
    drift = drift_constants(head.constants, lda, training, validation, options)
    known = np.unique(data.group[np.concatenate([split.train, split.validation])])
    unseen = class_of(model, data, split.unseen)
    return Watch(head.constants, lda, drift, unseen, len(known))


def _orders(watch: Watch, order: str, streams: int) -> list[IndexArray]:
    """Indices of the unseen samples, (LENGTH,) for each person and stream."""
    found = []
    for person in np.unique(watch.groups).tolist():
        own = np.flatnonzero(watch.groups == person)
        for number in range(1 if order == "recorded" else streams):
            found.append(own[_order(watch, own, order, (person, number))])
    return found


def _order(watch: Watch, own: IndexArray, order: str, key: tuple[int, int]) -> IndexArray:
    if order == "bursts":
        return bursts(watch.unseen.features[own], watch.labels[own], LENGTH, key)
    turns = -(-LENGTH // len(own))
    if order == "recorded":
        return np.tile(np.arange(len(own)), turns)[:LENGTH]
    random = np.random.default_rng(key)
    return np.concatenate([random.permutation(len(own)) for _ in range(turns)])[:LENGTH]


def _false_alarms(watch: Watch, streams: int, quiet: dict[str, list[Float]]) -> None:
    """Adds each device's share of observations with an alarm, after its baseline."""
    for order, shares in quiet.items():
        given = [watch.unseen.features[at] for at in _orders(watch, order, streams)]
        shares.append(watch.alarms(given)[:, SETTLED:].mean(axis=1))


def _real_drift(watch: Watch, streams: int, drifted: dict[str, Drifted]) -> None:
    data, samples = watch.unseen.dataset, watch.unseen.samples
    orders = _orders(watch, "bursts", streams)
    changes = MOTION if data.x.shape[-1] == 6 else SOUND
    for name, change in {"none": lambda x, _: x, **changes}.items():
        x = change(data.x[samples].astype(np.float64), np.random.default_rng(0))
        changed = features(watch.unseen.model, np.clip(np.rint(x), -128, 127).astype(np.int8))
        given = [np.concatenate([watch.unseen.features[at[:CHANGE]], changed[at[CHANGE:]]])
                 for at in orders]  # fmt: skip
        found = drifted.setdefault(name, Drifted())
        right = answers(watch.head, changed).classes == watch.labels
        found.accuracy.append(float(right.mean()))
        _add(found, watch.alarms(given))
        begun = watch.alarms([changed[at] for at in orders])
        found.from_the_start += begun[:, SETTLED:].mean(axis=1).__gt__(0.5).tolist()
    if len(np.unique(watch.groups)) > 1:
        _taken_over(watch, orders, streams, drifted.setdefault(NOBODY, Drifted()))


def _taken_over(watch: Watch, orders: list[IndexArray], streams: int, found: Drifted) -> None:
    """Each device goes to the next person."""
    after = [*orders[streams:], *orders[:streams]]
    given = [watch.unseen.features[np.concatenate([mine[:CHANGE], next_[CHANGE:]])]
             for mine, next_ in zip(orders, after, strict=True)]  # fmt: skip
    right = answers(watch.head, watch.unseen.features).classes == watch.labels
    found.accuracy.append(float(right.mean()))
    _add(found, watch.alarms(given))


def _add(found: Drifted, on: Bool) -> None:
    for device in on:
        if not device[CHANGE - 1]:
            late = np.flatnonzero(device[CHANGE:])
            found.waited.append(float(late[0] + 1) if len(late) else np.inf)
    found.late.append(float(on[:, CHANGE + 128 :].mean()))


def _false_row(
    task: str, known: list[int], rate: float, quiet: dict[str, list[Float]]
) -> tuple[object, ...]:
    together = {order: np.concatenate(shares) for order, shares in quiet.items()}
    mixed = together["bursts"]
    people = "/".join(str(count) for count in sorted(set(known)))
    shares = [100 * float(one.mean()) for one in together.values()]
    return (task, people, len(mixed), 100 * rate, *shares, 100 * float((mixed > 0).mean()),
            100 * float(mixed.max()))  # fmt: skip


def _false_text(rows: list[tuple[object, ...]]) -> str:
    header = ("task", "known people", "devices", "stated, %", "bursts, %", "shuffled, %",
              "as recorded, %", "devices with any", "worst device, %")  # fmt: skip
    return f"False alarms, share of the samples of strangers\n{table(header, rows)}"


def _real_row(task: str, name: str, found: Drifted) -> tuple[object, ...]:
    waited = np.array(found.waited)
    seen = waited[np.isfinite(waited)]
    begun = found.from_the_start
    return (
        task,
        name,
        100 * float(np.mean(found.accuracy)),
        100 * len(seen) / len(waited),
        float(np.median(seen)) if len(seen) else None,
        100 * float(np.mean(found.late)),
        100 * float(np.mean(begun)) if begun else None,
    )


def _real_text(rows: list[tuple[object, ...]]) -> str:
    header = ("task", "change", "accuracy, %", "devices that alarm, %", "after, samples",
              "alarm on, %", "from the start, %")  # fmt: skip
    return f"Devices whose input changes after {CHANGE} samples\n{table(header, rows)}"


if __name__ == "__main__":
    sys.exit(main())
