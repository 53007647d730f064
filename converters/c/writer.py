"""Writes a model as a self-contained C project.

The project's layout, every file of it, is described in DESIGN.md ("The C project").
"""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import numpy as np

from tinytrain.converters.c.manifest import manifest_of
from tinytrain.converters.c.rendering import Golden, golden_files, model_files
from tinytrain.converters.formats import Source
from tinytrain.frontend.file import FRONTEND_FILE, frontend_bytes
from tinytrain.learner_file import LEARNER_FILE, learner_bytes
from tinytrain.model import Model
from tinytrain.statistics import STATISTICS_FILE

RUNTIME_PARTS = ("include", "src", "app", "port")


def write_project(model: Model, source: Source, golden: Golden, directory: Path) -> None:
    """Writes the whole project into `directory`, which exists and is empty."""
    (directory / source.kept_as).write_bytes(source.data)
    manifest = json.dumps(manifest_of(model, source), indent=2)
    if model.learner is not None:
        (directory / LEARNER_FILE).write_bytes(learner_bytes(model.learner))
    (directory / "manifest.json").write_text(manifest + "\n", encoding="utf-8")
    if model.statistics is not None:
        (directory / STATISTICS_FILE).write_bytes(model.statistics.stored)
    if model.stream is not None:
        (directory / FRONTEND_FILE).write_bytes(frontend_bytes(model.stream))
    np.savez_compressed(directory / "golden.npz", x=golden.inputs, y=golden.outputs)
    _write_model(model, golden, directory / "model")
    _copy_runtime(directory)


def firmware_files() -> Path:
    """The runtime's sources, in the repository as in an installed package."""
    return Path(str(resources.files("tinytrain"))) / "firmware"


def _copy_runtime(directory: Path) -> None:
    source = firmware_files()
    for part in RUNTIME_PARTS:
        shutil.copytree(source / part, directory / "runtime" / part, copy_function=shutil.copyfile)
    shutil.copyfile(source / "project.mk", directory / "Makefile")
    shutil.copyfile(source / "LICENSE", directory / "runtime" / "LICENSE")


def _write_model(model: Model, golden: Golden, directory: Path) -> None:
    directory.mkdir()
    compiler = f"# What the model was converted for.\nOPTIMIZE ?= {model.optimize.compiler}\n"
    files = {**model_files(model), **golden_files(model, golden), "model.mk": compiler}
    for file, text in files.items():
        (directory / file).write_text(text, encoding="utf-8")
