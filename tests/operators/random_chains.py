"""Random runs of convolutions of every shape, and chains in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case, extent, numbers
from tinytrain.graph import Graph
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.plan.chains import Chain, make_chain
from tinytrain.plan.memory import MemoryPlan, plan_memory

LARGEST = 3000
"""Elements of a tensor."""


@dataclass(frozen=True)
class RandomChain(Case):
    """2 to 6 convolutions, each on the output of the one before; one or two runs of them are
    chains."""

    seed: int

    def build(self) -> bytes:
        rng = self.rng
        height, width = int(rng.choice([1, 2, 5, 9, 17])), int(rng.choice([1, 2, 7, 12]))
        shape = (1, height, width, int(rng.integers(1, 7)))
        tensors = [Tensor(shape, scale=0.05, zero_point=int(rng.integers(-128, 128)))]
        operators: list[Operator] = []
        for _ in range(int(rng.integers(2, 7))):
            add_layer(rng, tensors, operators)
        return build(tensors, operators, [0], [len(tensors) - 1])

    def chains(self, kernels: tuple[Kernel, ...]) -> tuple[Chain, ...]:
        rng, end = self.rng, len(kernels) - 1
        last = int(rng.integers(1, end + 1))
        ranges = [(int(rng.integers(0, last)), last)]
        if end - last >= 2:
            ranges.append((end - 1, end))
        return tuple(make_chain(kernels, *r, rows=int(rng.choice([1, 1, 2, 3, 8]))) for r in ranges)

    def plan(self, graph: Graph, kernels: tuple[Kernel, ...]) -> MemoryPlan:
        return plan_memory(graph, kernels, self.chains(kernels))


def add_layer(rng: np.random.Generator, tensors: list[Tensor], operators: list[Operator]) -> None:
    """A convolution of the last tensor, of a kind that the fast kernels take."""
    source = tensors[-1]
    _, height, width, channels = source.shape
    padding = str(rng.choice(["SAME", "SAME", "VALID"]))
    within = (height, width) if padding == "VALID" else (6, 4)
    kernel = tuple(
        int(rng.integers(1, min(size, most) + 1)) for size, most in zip(within, (6, 4), strict=True)
    )
    stride = tuple(int(n) for n in rng.choice([1, 1, 2, 3], 2))
    size = [extent(*axis, 1, padding) for axis in zip((height, width), kernel, stride, strict=True)]
    depthwise = rng.random() < 0.4
    most = max(1, min(8, LARGEST // (size[0] * size[1])))
    filters = channels if depthwise else int(rng.integers(1, most + 1))
    shape = (1, *kernel, filters) if depthwise else (filters, *kernel, channels)
    taps = kernel[0] * kernel[1] * (1 if depthwise else channels)
    assert isinstance(source.scale, float)
    # Outputs spread over the range: sums grow with the root of the taps.
    unit = source.scale * 0.02
    scale = float(unit * 40 * np.sqrt(taps))
    x = len(tensors) - 1
    tensors += [
        Tensor(shape, scale=0.02, data=numbers(rng, shape, "any")),
        Tensor((filters,), "int32", unit, data=rng.integers(-3000, 3000, filters)),
        Tensor((1, *size, filters), scale=scale, zero_point=int(rng.integers(-128, 128))),
    ]
    options: dict[str, Any] = {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "fusedActivationFunction": str(rng.choice(["NONE", "RELU"])),
    }
    kind, table = "CONV_2D", "Conv2DOptions"
    if depthwise:
        kind, table = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
        options["depthMultiplier"] = 1
    operators.append(Operator(kind, (x, x + 1, x + 2), (x + 3,), table, options))


def laid_out(model: Model, plan: MemoryPlan) -> Model:
    """The model with that plan."""
    # A cached property, that nobody has asked for yet.
    model.__dict__["memory"] = plan
    return model
