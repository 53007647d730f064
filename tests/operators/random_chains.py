"""Random networks of convolutions of every shape and additions, and chains in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case, extent, numbers
from tinytrain.graph import Graph
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.plan.budget import chainable
from tinytrain.plan.chains import Chain, make_chain
from tinytrain.plan.memory import MemoryPlan, plan_memory

LARGEST = 3000
"""Elements of a tensor."""


@dataclass(frozen=True)
class RandomChain(Case):
    """2 to 4 blocks: a convolution, or some around which a skip leads to an addition; one or two
    runs of operators are chains."""

    seed: int

    def build(self) -> bytes:
        rng = self.rng
        height, width = int(rng.choice([1, 2, 5, 9, 17])), int(rng.choice([1, 2, 7, 12]))
        shape = (1, height, width, int(rng.integers(1, 7)))
        image = Tensor(shape, scale=0.05, zero_point=int(rng.integers(-128, 128)))
        network = _Network(rng, [image])
        x = 0
        for _ in range(int(rng.integers(2, 5))):
            x = network.block(x)
        return build(network.tensors, network.operators, [0], [x])

    def chains(self, graph: Graph, kernels: tuple[Kernel, ...]) -> tuple[Chain, ...]:
        rng = self.rng
        found = list(chainable(graph, kernels, range(len(kernels))))
        # Long ones are few.
        ranges = [max((found[i] for i in rng.integers(len(found), size=3)), key=len)]
        apart = [r for r in found if r[-1] < ranges[0][0] or ranges[0][-1] < r[0]]
        if apart:
            ranges.append(apart[rng.integers(len(apart))])
        rows = [int(rng.choice([1, 1, 2, 3, 8])) for _ in ranges]
        return tuple(
            make_chain(graph, kernels, r[0], r[-1], n) for r, n in zip(ranges, rows, strict=True)
        )

    def plan(self, graph: Graph, kernels: tuple[Kernel, ...]) -> MemoryPlan:
        return plan_memory(graph, kernels, self.chains(graph, kernels))


@dataclass
class _Network:
    """A graph that grows from an image; x, y: tensors in it."""

    rng: np.random.Generator
    tensors: list[Tensor]
    operators: list[Operator] = field(default_factory=list)

    def block(self, x: int) -> int:
        """From x on; gives the last output."""
        kind = self.rng.choice(["layer", "layer", "skip", "projection", "earlier"])
        if kind == "skip":
            y = self.layers_alike(x, 1)
            return self.add(x, y)
        if kind == "projection":
            stride = self.stride()
            alike = stride, self.filters(x, stride)
            y = self.layers_alike(self.layer(x, alike), 0)
            return self.add(self.layer(x, alike), y)
        if kind == "earlier":
            shape = self.tensors[x].shape
            made = [0, *(operator.outputs[0] for operator in self.operators)]
            alike = [t for t in made if self.tensors[t].shape == shape]
            return self.add(x, int(self.rng.choice(alike)))
        return self.layer(x)

    def layers_alike(self, x: int, least: int) -> int:
        """Up to 2 convolutions that keep the shape."""
        for _ in range(int(self.rng.integers(least, 3))):
            x = self.layer(x, ((1, 1), self.tensors[x].shape[-1]))
        return x

    def add(self, x: int, y: int) -> int:
        if self.rng.random() < 0.5:
            x, y = y, x
        scales = [self.tensors[t].scale for t in (x, y)]
        # A large scale is none of those that the kernels' quick paths take.
        scale = float(np.linalg.norm(scales)) * float(self.rng.choice([0.6, 0.9, 1.5, 40.0]))
        options = {"fusedActivationFunction": str(self.rng.choice(["NONE", "RELU"]))}
        shape, zero_point = self.tensors[x].shape, int(self.rng.integers(-128, 128))
        self.tensors.append(Tensor(shape, scale=scale, zero_point=zero_point))
        output = len(self.tensors) - 1
        self.operators.append(Operator("ADD", (x, y), (output,), "AddOptions", options))
        return output

    def stride(self) -> tuple[int, int]:
        vertical, horizontal = self.rng.choice([1, 1, 2, 3], 2)
        return int(vertical), int(horizontal)

    def filters(self, x: int, stride: tuple[int, int]) -> int:
        """So many that the output is not too large."""
        height, width = (
            -(-n // s) for n, s in zip(self.tensors[x].shape[1:3], stride, strict=True)
        )
        return int(self.rng.integers(1, max(1, min(8, LARGEST // (height * width))) + 1))

    def layer(self, x: int, alike: tuple[tuple[int, int], int] | None = None) -> int:
        """A convolution of a kind that the fast kernels take; `alike`: with that stride and as many
        filters, all of the same output size."""
        rng, source = self.rng, self.tensors[x]
        _, height, width, channels = source.shape
        padding = "SAME" if alike else str(rng.choice(["SAME", "SAME", "VALID"]))
        depthwise = rng.random() < 0.4 and (alike is None or alike[1] == channels)
        stride = alike[0] if alike else self.stride()
        filters = alike[1] if alike else channels if depthwise else self.filters(x, stride)
        within = (height, width) if padding == "VALID" else (6, 4)
        kernel = [
            int(rng.integers(1, min(size, most) + 1))
            for size, most in zip(within, (6, 4), strict=True)
        ]
        size = [
            extent(*axis, 1, padding) for axis in zip((height, width), kernel, stride, strict=True)
        ]
        shape = (1, *kernel, filters) if depthwise else (filters, *kernel, channels)
        taps = kernel[0] * kernel[1] * (1 if depthwise else channels)
        assert isinstance(source.scale, float)
        # Outputs spread over the range: sums grow with the root of the taps.
        unit = source.scale * 0.02
        scale = float(unit * 40 * np.sqrt(taps))
        first = len(self.tensors)
        self.tensors += [
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
        self.operators.append(Operator(kind, (x, first, first + 1), (first + 2,), table, options))
        return first + 2


def laid_out(model: Model, plan: MemoryPlan) -> Model:
    """The model with that plan."""
    # A cached property, that nobody has asked for yet.
    model.__dict__["memory"] = plan
    return model
