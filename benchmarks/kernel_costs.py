"""How far the layers of MLPerf Tiny's networks are from what their kernels were estimated to take,
and what an inference takes by --optimize size.

    python benchmarks/kernel_costs.py [--models-folder DIR] [--out DIR]

Estimates (tinytrain/variants/costs.py) are for a Cortex-M4 and -O2; so are the measurements of
layers. Exits with 1 where one is more than twice or less than half of what was measured.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# As the tests import it: by its path from the root.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.reference_models import FOLDER, MACS, PUBLISHED, reference_project
from tinytrain.device.interface import Device
from tinytrain.device.opening import open_device
from tinytrain.pipeline.samples import project_samples
from tinytrain.project import Project
from tinytrain.protocol import Measure
from tinytrain.report.tables import table
from tinytrain.variants.choose import BALANCED, SIZE, Optimize
from tinytrain.variants.costs import fast_instructions, plain_instructions
from tinytrain.variants.fast import fast_parameters

TARGET = "cortex-m4"
TARGETS = (TARGET, "cortex-m55")
"""Of whole inferences."""
FAR = 2.0


@dataclass(frozen=True)
class Layer:
    model: str
    operator: int
    kernel: str
    estimated: int
    measured: int

    @property
    def ratio(self) -> float:
        return self.estimated / self.measured


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--models-folder", type=Path, default=FOLDER, metavar="DIR",
                           help="with the published files")  # fmt: skip
    arguments.add_argument("--out", type=Path, default=Path("build/bench/kernel-costs"))
    given = arguments.parse_args()
    names = [
        name
        for name in MACS
        if name not in PUBLISHED or (given.models_folder / PUBLISHED[name]).is_file()
    ]
    sizes = [row for name in names for row in size_of(name, given.models_folder, given.out)]
    # The plain kernels with the compiler's options of the fast ones.
    os.environ["OPTIMIZE"] = BALANCED.compiler
    layers = [
        layer
        for optimize in (BALANCED, SIZE)
        for name in names
        for layer in layers_of(name, given.models_folder, given.out, optimize)
    ]
    rows = [(x.model, x.operator, x.kernel, x.estimated, x.measured, x.ratio) for x in layers]
    print(table(("model", "#", "kernel", "estimated", "measured", "ratio"), rows))
    print("\nInstructions of an inference\n")
    print(table(("model", "target", BALANCED.name, SIZE.name, "times"), sizes))
    return int(any(not 1 / FAR <= layer.ratio <= FAR for layer in layers))


def layers_of(name: str, folder: Path, out: Path, optimize: Optimize) -> Iterator[Layer]:
    """The layers that there is a fast kernel for."""
    project = reference_project(name, folder, out / optimize.name, optimize)
    x = project_samples(project, 1, seed=0).inputs[0]
    with open_device(project, TARGET) as device:
        for kernel, variant in zip(project.model.kernels, project.model.variants, strict=True):
            fast = fast_parameters(kernel.parameters)
            if fast is not None:
                plain = variant.parameters is kernel.parameters
                taken = fast if plain else variant.parameters
                estimated = (plain_instructions if plain else fast_instructions)(taken)
                measured = _measured(device, kernel.index, x)
                yield Layer(name, kernel.index, variant.kernel, estimated, measured)


def size_of(name: str, folder: Path, out: Path) -> Iterator[tuple[str, str, int, int, float]]:
    """A row a target: model, target, instructions by balanced and by size, and their ratio."""
    projects = [reference_project(name, folder, out / o.name, o) for o in (BALANCED, SIZE)]
    for target in TARGETS:
        fast, plain = (_inference(project, target) for project in projects)
        yield name, target, fast, plain, plain / fast


def _inference(project: Project, target: str) -> int:
    x = project_samples(project, 1, seed=0).inputs[0]
    with open_device(project, target) as device:
        return device.measure(Measure.INFERENCE, x).instructions


def _measured(device: Device, operator: int, x: object) -> int:
    return device.measure(Measure.OPERATOR + operator, x).instructions  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
