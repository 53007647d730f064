"""What one learning step costs: instructions on targets, beside bars and a plain float loop.

    python benchmarks/learning_cost.py

Every row of the table is a head of 64 features and 12 classes with random weights, its features
given; a step loads them, and runs forward, softmax and update. Instructions are QEMU's, exact, the
mean of eight steps; the cycles of a Cortex-M4 are modelled (needs the extra `bench`).
Exits with 1 where a bar is missed. To add a row for another kind of head: a Case with its own
`measure`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

# The builder of small .tflite files lives with the tests, which are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bars import mean

from tests.device.learners import Recipe, make_project
from tests.models import Operator, Tensor, build
from tinytrain.device.build import build as build_firmware
from tinytrain.device.cycles import Firmware
from tinytrain.device.opening import open_device
from tinytrain.head import HeadOptions
from tinytrain.learner import Kind
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.samples import random_inputs
from tinytrain.project import Project, load_project
from tinytrain.protocol import Measure
from tinytrain.report.tables import table

FEATURES, CLASSES = 64, 12
STEPS = 8
SEED = 7
HEAD_OFFSET = 8
"""Of the head in a tt_device."""
ANY = 1 << 16
"""Bytes said of a buffer that is large enough."""

FLOAT_LOOP = {"cortex-m4": 9_703, "cortex-m0": 275_645}
"""Instructions of a float32 step of all rows in plain C, 64 features by 12 classes, -O2."""


@dataclass(frozen=True)
class Cost:
    """Means of STEPS steps, and the deepest stack."""

    instructions: float
    cycles: float | None
    """On a Cortex-M4; None on others."""
    stack_bytes: int


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    head: str
    target: str
    measure: Callable[[Path, str], Cost]
    """What a head, made in a folder, costs on a target."""
    bar: int | None = None
    """Instructions."""


def sgd(rows: int, masters: int = 16) -> Callable[[Path, str], Cost]:
    """Steps that write all of `rows` rows."""

    def measure(folder: Path, target: str) -> Cost:
        options = HeadOptions(tau=0.0, rows=rows, energy=FEATURES * 5500.0, masters=masters)
        project = dense_project(folder, options)
        inputs = random_inputs(project.model, STEPS, np.random.default_rng(SEED))
        steps = []
        with open_device(project, target) as device:
            for x in inputs:
                device.reset()
                wrong = (device.classify(x)[0] + 1) % CLASSES
                steps.append(device.measure(Measure.LEARN_STEP, x, wrong))
        return Cost(
            mean([step.instructions for step in steps]),
            mean(sgd_cycles(project, inputs)) if target == "cortex-m4" else None,
            max(step.stack_bytes for step in steps),
        )

    return measure


def sgd_cycles(project: Project, inputs: npt.NDArray[np.uint8]) -> list[float]:
    """Modelled cycles of the same steps."""
    firmware = Firmware(build_firmware(project.directory, "cortex-m4") / "device")
    place = firmware.symbols
    arena, memory = place["arena"], place["head_memory"]
    firmware.call("tt_init", place["device"], place["dense_model"], arena, ANY, memory, ANY)
    head = place["device"] + HEAD_OFFSET
    cycles = []
    for x in inputs:
        firmware.write(arena, x.tobytes())
        firmware.call("tt_head_reset", head)
        wrong = (firmware.call("tt_head_classify", head, arena).result + 1) % CLASSES
        cycles.append(float(firmware.call("tt_head_learn", head, arena, wrong).cycles))
    return cycles


def learner(recipe: Recipe) -> Callable[[Path, str], Cost]:
    """Samples that a learner learns, the work after them left out."""

    def measure(folder: Path, target: str) -> Cost:
        project = make_project(recipe, folder)
        x, labels = recipe.clusters(STEPS, SEED)
        with open_device(project, target) as device:
            steps = [
                device.measure(Measure.LEARN_STEP, sample, int(label))
                for sample, label in zip(x, labels, strict=True)
            ]
        count = mean([step.instructions for step in steps])
        return Cost(count, None, max(step.stack_bytes for step in steps))

    return measure


FULL = Recipe(Kind.LDA, CLASSES, FEATURES, reserved=0, slots=10, work_every=8)
"""Memory, doubt, guard."""
BARE = replace(FULL, slots=0, implausible=0, guard=False)

CASES = (
    Case("gradient descent, 2 rows", "cortex-m4", sgd(2), 3_000),
    Case("gradient descent, 12 rows", "cortex-m4", sgd(12), 6_000),
    Case("the same, int32 masters", "cortex-m4", sgd(12, masters=32)),
    Case("analytic, frozen", "cortex-m4", learner(BARE), 40_000),
    Case("the same, memory, doubt, guard", "cortex-m4", learner(FULL), 40_000),
    Case("analytic, blended", "cortex-m4", learner(replace(BARE, blend=50)), 10_000),
    Case("the same, memory, doubt, guard", "cortex-m4", learner(replace(FULL, blend=50))),
    Case("gradient descent, 2 rows", "cortex-m0", sgd(2), 14_000),
    Case("gradient descent, 12 rows", "cortex-m0", sgd(12)),
    Case("the same, int32 masters", "cortex-m0", sgd(12, masters=32)),
    Case("analytic, frozen", "cortex-m0", learner(BARE)),
    Case("analytic, blended", "cortex-m0", learner(replace(BARE, blend=50))),
)


def main() -> int:
    lines, missed = [], False
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            cost = case.measure(Path(folder), case.target)
        met = case.bar is None or cost.instructions <= case.bar
        missed |= not met
        cycles = None if cost.cycles is None else round(cost.cycles)
        figures = (round(cost.instructions), case.bar, None if case.bar is None else met, cycles)
        peer = FLOAT_LOOP[case.target]
        lines.append((case.target, case.head, *figures, cost.stack_bytes, peer))
    columns = ("target", "head", "instructions", "bar", "met", "cycles", "stack", "float loop")
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
