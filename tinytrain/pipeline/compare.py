"""The heads beside each other on a run's unseen people: figures and pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tinytrain.adapt.calibrate import Known, known_people
from tinytrain.adapt.comparison import Comparison, compare
from tinytrain.adapt.people import class_of, head_of, pupils
from tinytrain.adapt.streams import StreamOptions
from tinytrain.errors import InputError
from tinytrain.model import Model
from tinytrain.pipeline.output import new_file, write_json
from tinytrain.pipeline.runs import Run, open_run
from tinytrain.progress import Progress
from tinytrain.project import load_project
from tinytrain.report.learning import draw_comparison, draw_confusion
from tinytrain.training.data import IndexArray

PROJECT = "project"
FIGURES, CURVES, CONFUSION = "comparison.json", "comparison.png", "confusion.png"
MOST_SAMPLES = 6000
"""Training samples that the analytic head is made from; more change nothing."""


def compare_heads(
    directory: Path, options: StreamOptions, streams: int, progress: Progress
) -> Comparison:
    """Teaches every unseen person's devices with every head, in the emulator; writes the figures,
    the curves, and what is taken for what before and after with the recommended head.

    `options`: of the streams, but for the passes, which are the task's.
    """
    found = open_run(directory)
    if not found.task.network.classifies:
        raise InputError(f"{directory}: an autoencoder has no classes that a person could teach")
    model = load_project(directory / PROJECT).model
    progress("features", 0, 2)
    known = known_of(found, model)
    progress("features", 1, 2)
    unseen = class_of(model, found.dataset, found.split.unseen)
    progress("features", 2, 2)
    people, shots = found.split.unseen_people, found.task.head.shots
    options = replace(options, passes=found.task.head.passes)
    taught = pupils(unseen, people, shots, options, streams, found.seed)
    progress("heads", 0, 1)
    names = found.dataset.label_names
    heads = compare(known, taught)
    progress("heads", 1, 1)
    result = Comparison(found.task.name, found.seed, options.order, options.wrong, names, heads)
    _write(directory, result)
    return result


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


def _write(directory: Path, result: Comparison) -> None:
    write_json(directory / FIGURES, result.as_json())
    with new_file(directory / CURVES) as aside:
        draw_comparison(result, aside)
    chosen = result.recommended
    if chosen is not None:
        with new_file(directory / CONFUSION) as aside:
            draw_confusion(
                chosen.confusion_before, chosen.confusion_after, result.label_names, aside
            )
