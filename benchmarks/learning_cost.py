"""What one learning step costs: instructions on targets, beside bars and a plain float loop.

    python benchmarks/learning_cost.py

Every row of the table is a head of 64 features and 12 classes with random weights, its features
given; a step loads them, and runs forward, softmax and update. Exits with 1 where a bar is missed.
To add a row for another kind of head: a Case with its own `measure`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# The builder of small .tflite files lives with the tests, which are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bars import mean

from tests.models import Operator, Tensor, build
from tinytrain.device.interface import Measurement
from tinytrain.device.opening import open_device
from tinytrain.head import HeadOptions
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.samples import random_inputs
from tinytrain.project import Project, load_project
from tinytrain.protocol import Measure
from tinytrain.report.tables import table

FEATURES, CLASSES = 64, 12
STEPS = 8
SEED = 7

FLOAT_LOOP = {"cortex-m4": 9_703, "cortex-m0": 275_645}
"""Instructions of a float32 step of all rows in plain C, 64 features by 12 classes, -O2."""


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    head: str
    target: str
    measure: Callable[[Path, str], list[Measurement]]
    """Steps of a head, made in a folder, on a target."""
    bar: int | None = None
    """Instructions, mean of the steps."""


def sgd(rows: int, masters: int = 16) -> Callable[[Path, str], list[Measurement]]:
    """Steps that write all of `rows` rows."""

    def measure(folder: Path, target: str) -> list[Measurement]:
        options = HeadOptions(tau=0.0, rows=rows, energy=FEATURES * 5500.0, masters=masters)
        project = dense_project(folder, options)
        inputs = random_inputs(project.model, STEPS, np.random.default_rng(SEED))
        steps = []
        with open_device(project, target) as device:
            for x in inputs:
                device.reset()
                wrong = (device.classify(x)[0] + 1) % CLASSES
                steps.append(device.measure(Measure.LEARN_STEP, x, wrong))
        return steps

    return measure


CASES = (
    Case("gradient descent, 2 rows", "cortex-m4", sgd(2), 3_000),
    Case("gradient descent, 12 rows", "cortex-m4", sgd(12), 6_000),
    Case("the same, int32 masters", "cortex-m4", sgd(12, masters=32)),
    Case("gradient descent, 2 rows", "cortex-m0", sgd(2), 14_000),
    Case("gradient descent, 12 rows", "cortex-m0", sgd(12)),
    Case("the same, int32 masters", "cortex-m0", sgd(12, masters=32)),
)


def main() -> int:
    lines, missed = [], False
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            steps = case.measure(Path(folder), case.target)
        instructions = mean([step.instructions for step in steps])
        met = case.bar is None or instructions <= case.bar
        missed |= not met
        lines.append(
            (
                case.target,
                case.head,
                round(instructions),
                case.bar,
                met,
                FLOAT_LOOP[case.target],
                max(step.stack_bytes for step in steps),
            )
        )
    columns = ("target", "head", "instructions", "bar", "met", "float loop", "stack")
    print(table(columns, lines))
    return 1 if missed else 0


def dense_project(folder: Path, options: HeadOptions) -> Project:
    """A project whose model is one dense layer with random weights, so that x is the features.

    Weights are small enough for every class to have a probability: all rows have an error.
    """
    rng = np.random.default_rng(SEED)
    weights = rng.integers(-127, 128, (CLASSES, FEATURES))
    tensors = [
        Tensor((1, FEATURES), scale=0.05, zero_point=-5),
        Tensor(weights.shape, scale=0.00025, data=weights),
        Tensor((CLASSES,), "int32", data=rng.integers(-9000, 9000, CLASSES)),
        Tensor((1, CLASSES), scale=0.01),
    ]
    operator = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), "FullyConnectedOptions")
    model = folder / "dense.tflite"
    model.write_bytes(build(tensors, [operator], [0], [3]))
    convert(model, folder / "project", options=options)
    return load_project(folder / "project")


if __name__ == "__main__":
    sys.exit(main())
