"""Search for the size of a task's network under its budget; leaves the task with the best one."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from tinytrain.pipeline.costs import cost_of
from tinytrain.pipeline.output import new_directory, write_json
from tinytrain.progress import Progress
from tinytrain.report.picture import draw_search
from tinytrain.training.search import Search, sized
from tinytrain.training.search import search as search_sizes
from tinytrain.training.sources import load
from tinytrain.training.task_file import FILE_NAME, find_task, task_text
from tinytrain.training.tasks import Budget

MARKER, PICTURE = "search.json", "search.png"


def search(
    name_or_path: str,
    out: Path,
    seed: int,
    budget: Budget,
    progress: Progress,
    data_folder: Path | None = None,
) -> Search:
    """Writes search.json, search.png and task.toml into `out`. What `budget` leaves at 0 is as the
    task has it.
    """
    task = find_task(name_or_path)
    given = {name: limit for name, limit in asdict(budget).items() if limit}
    task = replace(task, budget=replace(task.budget, **given))
    with new_directory(out, MARKER) as aside:
        dataset = load(task, data_folder, progress, seed)
        found = search_sizes(task, dataset, seed, progress, cost_of)
        (aside / FILE_NAME).write_text(task_text(sized(task, found.best)), encoding="utf-8")
        draw_search(found, aside / PICTURE)
        write_json(aside / MARKER, asdict(found))
    return found
