"""Words that a network never heard, learned from a few takes: eight Arabic words, on a network that
was trained on the other 24 words of the other speakers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tinytrain.pipeline.run import convert_run
from tinytrain.pipeline.runs import FLOAT, INT8, PRUNED, Run, has_stage, start_run
from tinytrain.pipeline.stages import prune, quantize, train
from tinytrain.progress import silent
from tinytrain.training.data import DataSet
from tinytrain.training.sources import load
from tinytrain.training.task_file import find_task, task_text

WORDS = 32
NEW = tuple(range(3, WORDS, 4))
"""Every fourth word, by the alphabet."""


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
