"""The emulator's speed beside the PyPI tflite-micro interpreter, in one run, on the same inputs.

    python benchmarks/emulator.py --resnet8 MODEL.tflite [MODEL.tflite ...]

--resnet8 adds ResNet-8 with random weights, made on the spot. Prints images a second for a batch of
256, the best of several rounds of each taken in turn, and the number of output bytes that differ.
Exits with 1 where a ratio is below 10 or a byte differs.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tflite_micro.python.tflite_micro import runtime

from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import infer_bytes
from tinytrain.operators.table import require_kernels
from tinytrain.report.tables import table

BATCH = 256
ROUNDS = 5
WANTED = 10.0


@dataclass(frozen=True)
class Speed:
    model: str
    emulator: float
    """Images a second."""
    reference: float
    differing: int

    @property
    def ratio(self) -> float:
        return self.emulator / self.reference


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("models", nargs="*", type=Path, metavar="MODEL.tflite")
    arguments.add_argument("--resnet8", action="store_true")
    options = arguments.parse_args()
    speeds = [measure(path.name, path.read_bytes()) for path in options.models]
    if options.resnet8:
        speeds.append(measure("ResNet-8", random_resnet8()))
    rows = [(s.model, s.emulator, s.reference, s.ratio, s.differing) for s in speeds]
    print(table(("model", "emulator, 1/s", "tflite-micro, 1/s", "ratio", "bytes differ"), rows))
    return 0 if all(s.ratio >= WANTED and s.differing == 0 for s in speeds) else 1


def random_resnet8() -> bytes:
    """The int8 network with the weights that Keras starts from."""
    from tinytrain.training.network import build, load_keras
    from tinytrain.training.quantize import to_tflite
    from tinytrain.training.tasks import Network

    load_keras().utils.set_random_seed(0)
    inputs = np.random.default_rng(0).uniform(-1, 1, (20, 32, 32, 3)).astype(np.float32)
    return to_tflite(build(Network("resnet8"), (32, 32, 3), 10), [inputs])


def measure(name: str, data: bytes) -> Speed:
    graph = parse_tflite(data, name)
    kernels = require_kernels(graph)
    shape = graph.tensors[graph.inputs[0]].shape
    seed = int(hashlib.sha256(data).hexdigest()[:8], 16)
    x = np.random.default_rng(seed).integers(-128, 128, (BATCH, *shape[1:]), np.int8)
    inputs = x.reshape(BATCH, -1).view(np.uint8)
    interpreter = runtime.Interpreter.from_bytes(data)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        found = infer_bytes(graph, kernels, inputs)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        expected = np.stack([_reference(interpreter, sample) for sample in x])
        theirs.append(time.perf_counter() - start)
    differing = int((found.view(np.int8) != expected).sum())
    return Speed(name, BATCH / min(ours), BATCH / min(theirs), differing)


def _reference(interpreter: runtime.Interpreter, sample: np.ndarray) -> np.ndarray:
    interpreter.set_input(sample[None], 0)
    interpreter.invoke()
    return interpreter.get_output(0).reshape(-1)


if __name__ == "__main__":
    sys.exit(main())
