"""Recorded instructions of inferences, so that no change makes a kernel slower unseen.

Counts are QEMU's, exact, and hold for one compiler and one file of each model. To record anew:
python benchmarks/mlperf_tiny.py --record
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinytrain.device.interface import Device
from tinytrain.model import Model
from tinytrain.pipeline.bench import STEPS, Bench
from tinytrain.pipeline.output import write_json
from tinytrain.pipeline.samples import project_samples
from tinytrain.project import Project
from tinytrain.protocol import Measure

FILE = Path(__file__).with_name("recorded.json")
RECORD_ANEW = "to record anew: python benchmarks/mlperf_tiny.py --record"


@dataclass(frozen=True)
class Counts:
    """Of one model on one target."""

    source_sha256: str
    instructions: int
    operators: tuple[int, ...]


@dataclass(frozen=True)
class Record:
    compiler: str
    """What it says of itself."""
    counts: Mapping[tuple[str, str], Counts]
    """By model and target."""


def compiler_version() -> str:
    said = subprocess.run(
        ["arm-none-eabi-gcc", "--version"], check=True, capture_output=True, text=True
    )
    return said.stdout.splitlines()[0]


def read_record(path: Path = FILE) -> Record:
    found = json.loads(path.read_text(encoding="utf-8"))
    counts = {
        (model, target): Counts(
            listed["source_sha256"], counted["instructions"], tuple(counted["operators"])
        )
        for model, listed in found["models"].items()
        for target, counted in listed["targets"].items()
    }
    return Record(found["compiler"], counts)


def write_record(measured: Mapping[str, tuple[Model, Sequence[Bench]]], path: Path = FILE) -> None:
    """Writes what was measured of each model; what another compiler recorded, or of another file,
    is left out, and the rest kept."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    compiler = compiler_version()
    models = kept["models"] if kept.get("compiler") == compiler else {}
    for name, (model, benches) in measured.items():
        before = models.get(name, {})
        same = before.get("source_sha256") == model.source_sha256
        targets = before["targets"] if same else {}
        for found in benches:
            operators = [operator.instructions for operator in found.operators]
            targets[found.target] = {"instructions": found.inference, "operators": operators}
        models[name] = {"source_sha256": model.source_sha256, "targets": targets}
    write_json(path, {"compiler": compiler, "models": models})


def growth(project: Project, device: Device, recorded: Counts) -> str | None:
    """How much more an inference takes than was recorded, and the operator that grew most; None
    where it takes no more."""
    model, x = project.model, project_samples(project, STEPS, seed=0).inputs[0]
    total = device.measure(Measure.INFERENCE, x).instructions
    if total <= recorded.instructions:
        return None
    counts = [device.measure(Measure.OPERATOR + k.index, x).instructions for k in model.kernels]
    grown = f"{total:,} instructions, recorded {recorded.instructions:,}"
    if len(counts) != len(recorded.operators):
        return f"{grown}; {len(counts)} operators, recorded {len(recorded.operators)}"
    most = max(range(len(counts)), key=lambda i: counts[i] - recorded.operators[i])
    return (
        f"{grown}; most by operator {most} ({model.kernels[most].kind}), {counts[most]:,} for "
        f"{recorded.operators[most]:,}"
    )
