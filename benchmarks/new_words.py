"""Words that a network never heard, learned from a few takes: eight Arabic words, on a network that
was trained on the other 24 words of the other speakers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.adapt.calibrate import UNGUARDED
from tinytrain.adapt.people import features, head_of
from tinytrain.emulator import learner
from tinytrain.emulator.head import Rows, centered, factory_rows, logits
from tinytrain.emulator.learner_state import initial
from tinytrain.emulator.work import work
from tinytrain.head import Head, build_head
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import LearnerOptions, learner_constants
from tinytrain.model import Model
from tinytrain.pipeline.run import convert_run
from tinytrain.pipeline.runs import FLOAT, INT8, PRUNED, Run, has_stage, start_run
from tinytrain.pipeline.stages import prune, quantize, train
from tinytrain.progress import silent
from tinytrain.project import load_project
from tinytrain.training.data import DataSet
from tinytrain.training.sources import load
from tinytrain.training.task_file import find_task, task_text

WORDS = 32
NEW = tuple(range(3, WORDS, 4))
"""Every fourth word, by the alphabet."""

SHOTS = 5
WAYS: dict[str, tuple[LearnerOptions, LdaOptions | None]] = {
    "sgd": (replace(UNGUARDED, kind="sgd"), None),
    "sgd, 4 replays": (replace(UNGUARDED, kind="sgd", slots=SHOTS, replays=4), None),
    "lda frozen": (UNGUARDED, LdaOptions()),
    "lda blended": (UNGUARDED, LdaOptions(blend=100)),
}
Row = tuple[str, float, float, float, float]


def run_without_new_words(out: Path, seed: int, data: Path | None) -> Run:
    """Trains, quantizes and converts, unless that is there; nothing is pruned, to save time."""
    task = find_task("arabic")
    names = everything(data).label_names
    known = tuple(name for place, name in enumerate(names) if place not in NEW)
    path = out / "arabic_24.toml"
    out.mkdir(parents=True, exist_ok=True)
    changed = replace(
        task,
        name="arabic_24",
        data=replace(task.data, labels=known),
        pruning=replace(task.pruning, share=0.0),
    )
    path.write_text(task_text(changed), encoding="utf-8")
    folder = out / f"arabic_24-{seed}"
    found = start_run(str(path), folder, seed, data, silent)
    if not has_stage(found, FLOAT):
        train(str(path), folder, seed, silent, data)
    if not has_stage(found, PRUNED):
        prune(folder, silent)
    if not has_stage(found, INT8):
        quantize(folder, silent)
    if not (folder / "project").exists():
        convert_run(folder)
    return found


def everything(data: Path | None) -> DataSet:
    """All 32 words."""
    found = load(find_task("arabic"), data, silent)
    assert len(found.label_names) == WORDS and len(np.unique(found.y)) == WORDS
    return found


def rows_of_heads(out: Path, data: Path | None, seeds: int) -> list[Row]:
    """Each head's accuracies, the mean over unseen people and seeds: of the new words among all 32,
    of the new words among themselves, of the old words before and after."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in WAYS}
    for seed in range(seeds):
        run = run_without_new_words(out, seed, data)
        model = load_project(run.directory / "project").model
        every = everything(data)
        head = with_rows(model)
        lda_of = _lda_of(run, model, head)
        for person in run.split.unseen_people:
            own = np.flatnonzero(every.group == person)
            x, y = features(model, every.x[own]), _renamed(every.y[own])
            for name, (options, lda) in WAYS.items():
                rules = learner_constants(options)
                parts = LearnerParts(rules, head.constants, lda_of(lda))
                found[name].append(_accuracies(parts, x, y))
    return [(name, *np.mean(figures, axis=0).tolist()) for name, figures in found.items()]


def with_rows(model: Model) -> Head:
    """The model's head with rows for the new words."""
    head = head_of(model)
    options = replace(head.options, reserved=len(NEW))
    return build_head(model.graph, model.kernels, head.operator, options)


def _lda_of(run: Run, model: Model, head: Head) -> Callable[[LdaOptions | None], Any]:
    """Makes the analytic head of the training people's old words."""
    train = run.split.train
    x, y = features(model, run.dataset.x[train]), run.dataset.y[train]
    constants = head.constants
    sizes = constants.feature_zero_point, constants.classes, constants.capacity

    def build(options: LdaOptions | None) -> LdaConstants | None:
        return None if options is None else build_lda(x, y, *sizes, options, head.feature_scale)

    return cache(build)


def _renamed(words: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Old words first, as the network has them, then the new ones."""
    order = [*(word for word in range(WORDS) if word not in NEW), *NEW]
    return np.argsort(order)[words]


def _accuracies(
    parts: LearnerParts, x: npt.NDArray[np.int8], y: npt.NDArray[np.int64]
) -> tuple[float, ...]:
    state, one, old = initial(parts, 1), np.zeros(1, np.int64), WORDS - len(NEW)
    for _ in NEW:
        learner.add_class(parts, state, one)
    places = [np.flatnonzero(y == word)[:SHOTS] for word in range(old, WORDS)]
    taught = np.random.default_rng(0).permutation(np.concatenate(places))
    tested = np.setdiff1d(np.arange(len(y)), taught)
    new, known = tested[y[tested] >= old], tested[y[tested] < old]
    before = _logits(parts, factory_rows(parts.head), x[known])
    for place in taught.tolist():
        learner.learn(parts, state, one, x[place : place + 1], y[place : place + 1])
    work(parts, state, one)
    after = learner.answering_rows(parts, state, one)
    z, z_known = _logits(parts, after, x[new]), _logits(parts, after, x[known])
    return (
        float((z.argmax(axis=1) == y[new]).mean()),
        float((z[:, old:].argmax(axis=1) + old == y[new]).mean()),
        float((before.argmax(axis=1) == y[known]).mean()),
        float((z_known.argmax(axis=1) == y[known]).mean()),
    )


def _logits(parts: LearnerParts, rows: Rows, x: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    return logits(parts.units, rows, centered(parts.head, x))
