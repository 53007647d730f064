"""A model ready for use: the graph, its kernels, their memory and its learning head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tinytrain.frontend.columns import Columns
from tinytrain.frontend.constants import StreamPlan
from tinytrain.graph import Graph, Tensor
from tinytrain.head import Head
from tinytrain.learner import LearnerParts
from tinytrain.operators.kernel import Kernel
from tinytrain.plan.budget import plan_within
from tinytrain.plan.memory import MemoryPlan
from tinytrain.statistics import Statistics
from tinytrain.variants.choose import (
    BALANCED,
    FAST_STRUCT_BYTES,
    PLAIN_CHANNEL_BYTES,
    PLAIN_STRUCT_BYTES,
    Optimize,
    Variant,
    choose_variants,
    row_operators,
)
from tinytrain.variants.fast import CHANNEL, FastConvolution


@dataclass(frozen=True, eq=False)
class Model:
    name: str
    """The C prefix."""
    source_sha256: str
    graph: Graph
    kernels: tuple[Kernel, ...]
    head: Head | None
    learner: LearnerParts | None = None
    """None: a plain head, that only descends."""
    statistics: Statistics | None = None
    """The layers whose statistics the device re-estimates."""
    stream: StreamPlan | None = None
    """The front end, and what turns its frames into decisions."""
    columns: Columns | None = None
    """What tables of recordings call the front end's channels, where its task said so."""
    optimize: Optimize = BALANCED
    """What the C kernels are chosen by."""
    ram: int | None = None
    """Bytes that the arena may have at most; None: no layer has to run row by row."""

    @cached_property
    def memory(self) -> MemoryPlan:
        """Where every activation lies. Raises TooLittleRam where `ram` is."""
        if self.ram is None:
            return plan_within(self.graph, self.kernels, (), None)
        by_rows = row_operators(self.kernels, self._renewed)
        others = row_operators(self.kernels, frozenset()) - by_rows
        return plan_within(self.graph, self.kernels, by_rows, self.ram, others)

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The C kernel of each operator."""
        chained = frozenset(i for chain in self.memory.chains for i in chain.operators)
        head = None if self.head is None else self.head.operator
        return choose_variants(self.kernels, self._renewed, self.optimize, head, chained)

    def kernel_name(self, operator: int) -> str:
        """The C function that computes an operator, and in which operator's turn if not its own."""
        function = self.variants[operator].kernel
        chain = self.memory.chain_of(operator)
        if chain is None or operator == chain.last:
            return function
        return f"{function}, within {chain.last}"

    @property
    def _renewed(self) -> frozenset[int]:
        """Operators whose statistics the device re-estimates."""
        layers = self.statistics.layers if self.statistics else ()
        return frozenset(layer.operator_index for layer in layers)

    @property
    def fast_renewed_channels(self) -> int:
        """Output channels of the layers with re-estimated statistics that have a fast kernel."""
        found = (self.variants[operator].parameters for operator in self._renewed)
        return sum(p.output_channels for p in found if isinstance(p, FastConvolution))

    @property
    def statistics_bytes(self) -> int:
        """Of the device's memory for re-estimated statistics (TT_STATISTICS_BYTES)."""
        if self.statistics is None:
            return 0
        plan, fast = self.statistics.plan, self.fast_renewed_channels
        plain = plan.channels - fast
        return plan.widest * 16 + fast * CHANNEL.itemsize + plain * PLAIN_CHANNEL_BYTES

    @property
    def renewed_struct_bytes(self) -> int:
        """Of parameter structs that are in RAM rather than flash: renewed arrays take the places of
        theirs."""
        found = (self.variants[operator].parameters for operator in self._renewed)
        fast = sum(isinstance(p, FastConvolution) for p in found)
        return fast * FAST_STRUCT_BYTES + (len(self._renewed) - fast) * PLAIN_STRUCT_BYTES

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(self.graph.tensors[index] for index in self.graph.inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return tuple(self.graph.tensors[index] for index in self.graph.outputs)

    @property
    def input_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.inputs)

    @property
    def output_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.outputs)

    @property
    def head_operator(self) -> int:
        """The operator that the head replaces; the number of operators without a head."""
        return len(self.kernels) if self.head is None else self.head.operator

    @property
    def capacity(self) -> int:
        """Classes: the head's with its reserved rows, or the elements of all outputs."""
        if self.head is not None:
            return self.head.constants.capacity
        return sum(tensor.elements for tensor in self.outputs)

    @property
    def macs(self) -> int:
        return sum(kernel.macs for kernel in self.kernels)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights and biases."""
        return sum(kernel.weight_bytes for kernel in self.kernels)
