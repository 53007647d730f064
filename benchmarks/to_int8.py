"""A run up to int8; what is there of it is not done again."""

from __future__ import annotations

from pathlib import Path

from tinytrain.pipeline import runs, stages
from tinytrain.pipeline.runs import FLOAT, INT8, PRUNED, Run
from tinytrain.progress import silent


def run_to_int8(task: str, seed: int, folder: Path, data: Path | None) -> Run:
    """Trains, prunes and quantizes a task, given by name or file, in `folder`."""
    found = runs.start_run(task, folder, seed, data, silent)
    if not runs.has_stage(found, FLOAT):
        stages.train(task, folder, seed, silent, data)
    if not runs.has_stage(found, PRUNED):
        stages.prune(folder, silent)
    if not runs.has_stage(found, INT8):
        stages.quantize(folder, silent)
    return runs.open_run(folder)
