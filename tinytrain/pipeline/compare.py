"""The heads beside each other on a run's unseen people: figures and pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tinytrain.adapt.calibrate import UNGUARDED, Known, known_people
from tinytrain.adapt.comparison import OWN, Comparison, Way, compare, task_keys
from tinytrain.adapt.people import class_of, head_of, pupils
from tinytrain.adapt.streams import StreamOptions
from tinytrain.lda import LdaOptions
from tinytrain.lda_constants import FACTOR_BITS
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import learner_constants
from tinytrain.model import Model
from tinytrain.pipeline.learning import (
    Files,
    asked_for,
    files_of,
    open_classifier,
)
from tinytrain.pipeline.output import new_file, write_json
from tinytrain.pipeline.runs import Run
from tinytrain.progress import Progress
from tinytrain.project import PROJECT, load_project
from tinytrain.report.confusion import draw_confusion
from tinytrain.report.learning import comparison_title, draw_comparison
from tinytrain.training.data import IndexArray
from tinytrain.training.task_rules import learner_options

STREAMS = 4
"""Of each person, where nothing else is said."""
MOST_SAMPLES = 6000
"""Training samples that the analytic head is made from; more change nothing."""


def compare_heads(
    directory: Path,
    options: StreamOptions,
    streams: int,
    progress: Progress,
    seed: int | None = None,
) -> tuple[Comparison, Files]:
    """Teaches every unseen person's devices with every head, in the emulator; writes the figures,
    the curves, and what is taken for what before and after with the recommended head.

    `options`: of the streams, but for the passes, which are the task's. `seed`: of the streams;
    None for the run's.
    """
    found = open_classifier(directory)
    seed = found.seed if seed is None else seed
    model = load_project(directory / PROJECT).model
    progress("features", 0, 2)
    known = known_of(found, model)
    progress("features", 1, 2)
    unseen = class_of(model, found.dataset, found.split.unseen)
    progress("features", 2, 2)
    people, shots = found.split.unseen_people, found.task.head.shots
    options = replace(options, passes=found.task.head.passes)
    taught = pupils(unseen, people, shots, options, streams, seed)
    progress("heads", 0, 1)
    names = found.dataset.label_names
    heads = compare(known, taught, own=own_way(found, model))
    progress("heads", 1, 1)
    result = Comparison(found.task.name, seed, options.order, options.wrong, names, heads)
    asked = asked_for(options, streams, STREAMS, seed, found.seed)
    files = files_of(directory, "comparison", asked)
    _write(files, result)
    return result, files


def own_way(found: Run, model: Model) -> Way:
    """What the run's own devices learn by; drift changes nothing of that."""
    head, wanted = head_of(model), found.task.learner
    if model.learner is None:
        rules = learner_constants(replace(UNGUARDED, kind="sgd"))
        return Way(OWN, LearnerParts(rules, head.constants), {"kind": "none"}, head.constants.bytes)
    lda, options = model.learner.lda, None
    if lda is not None and wanted.kind != "sgd":
        options = LdaOptions(lda.prior / 16, round(lda.ridge / (1 << FACTOR_BITS), 6), lda.blend)
    keys = task_keys(learner_options(wanted), options)
    return Way(OWN, replace(model.learner, drift=None), keys)


def known_of(found: Run, model: Model) -> Known:
    """What the training and validation people of a run tell."""
    data, split = found.dataset, found.split
    training = class_of(model, data, _some(split.train, found.seed))
    validation = _some(split.validation, found.seed)
    return known_people(
        head_of(model), training, class_of(model, data, validation), found.task.head.shots,
        found.seed,
    )  # fmt: skip


def _some(indices: IndexArray, seed: int) -> IndexArray:
    return np.sort(np.random.default_rng(seed).permutation(indices)[:MOST_SAMPLES])


def _write(files: Files, result: Comparison) -> None:
    write_json(files.figures, result.as_json())
    with new_file(files.curves) as aside:
        draw_comparison(result, aside)
    chosen = result.recommended
    if chosen is None:
        # What an earlier comparison recommended is not of this one.
        files.confusion.unlink(missing_ok=True)
        return
    before, after = chosen.confusion_before, chosen.confusion_after
    title = comparison_title(result, chosen)
    with new_file(files.confusion) as aside:
        draw_confusion(before, after, result.label_names, title, aside)
