"""The choice of a C kernel for each operator, by what it costs in instructions and in flash.

Instructions are estimated (costs.py); bytes are those of the constants that a kernel needs beside
the weights, and of the code that is made for its shape. `tinytrain bench` measures what came of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tinytrain.operators.convolution import Convolution
from tinytrain.operators.dense import FullyConnected
from tinytrain.operators.kernel import Kernel, Parameters
from tinytrain.variants.costs import fast_instructions, plain_instructions
from tinytrain.variants.fast import (
    CHANNEL,
    Fast,
    FastConvolution,
    FastDense,
    FastDepthwiseConv2D,
    fast_parameters,
)
from tinytrain.variants.paired import Arrays, paired
from tinytrain.variants.rows import rows_parameters


@dataclass(frozen=True)
class Optimize:
    """What the choice goes by."""

    name: str
    instructions_a_byte: float
    """What a byte of flash has to save in one inference."""
    unrolled: bool
    """Whether inner loops are unrolled further, at the cost of code."""
    compiler: str
    """The compiler's optimization."""


SPEED = Optimize("speed", 0.0, True, "-O2")
BALANCED = Optimize("balanced", 2.0, False, "-O2")
SIZE = Optimize("size", float("inf"), False, "-Os")
OPTIMIZATIONS = {optimize.name: optimize for optimize in (SPEED, BALANCED, SIZE)}


@dataclass(frozen=True)
class Block:
    """An inner loop made for a shape: a macro of fast_blocks.h and its arguments."""

    macro: str
    arguments: tuple[int, ...]

    @property
    def name(self) -> str:
        """What follows the model's name and an underscore."""
        return "_".join([self.macro.removeprefix("TT_").lower(), *map(str, self.arguments)])


@dataclass(frozen=True, eq=False)
class Variant:
    """The kernel that an operator gets in C."""

    parameters: Parameters
    reason: str
    """Why this one, in a line."""
    scratch: str = ""
    """Bytes that it works in, as a C expression; empty for none."""
    block: Block | None = None
    dsp: Arrays = field(default_factory=dict)
    """Arrays that take the place of the parameters' where the DSP extension is used."""

    @property
    def kernel(self) -> str:
        """The C function's name."""
        return self.parameters.function

    @property
    def by_rows(self) -> bool:
        """Whether it can compute some rows of its output alone."""
        return isinstance(self.parameters, FastConvolution)


CODE_BYTES = {"TT_BLOCK_CONV_2D": 700, "TT_BLOCK_DEPTHWISE": 1250, "TT_BLOCK_DENSE": 600}
UNROLLED = 2
"""So much more code unrolled loops take."""


def choose_variants(
    kernels: Sequence[Kernel],
    renewed: frozenset[int],
    optimize: Optimize,
    shared: int | None = None,
    chained: frozenset[int] = frozenset(),
) -> tuple[Variant, ...]:
    """A variant for each kernel. The device re-estimates the statistics of those in `renewed`. The
    weights of `shared` stay what they are, because the head reads them. Those in `chained` are of
    `row_operators`, and run row by row."""
    found = [fast_parameters(k.parameters) for k in kernels]
    blocks = [_block(fast, optimize) if fast else None for fast in found]
    users = Counter(block for block in blocks if block)
    return tuple(
        _by_rows(kernel, fast, block)
        if kernel.index in chained
        else _keep(kernel)
        if fast is None or block is None
        else _pair(
            _choose(kernel, fast, block, users[block], optimize, kernel.index in renewed),
            kernel.index == shared,
        )
        for kernel, fast, block in zip(kernels, found, blocks, strict=True)
    )


def row_operators(kernels: Sequence[Kernel], renewed: frozenset[int]) -> frozenset[int]:
    """Those that can have a kernel that makes some rows of its output alone. While the statistics
    of one in `renewed` are estimated, its input is looked at whole."""
    return frozenset(
        kernel.index
        for kernel in kernels
        if kernel.index not in renewed and rows_parameters(kernel.parameters) is not None
    )


def _by_rows(kernel: Kernel, fast: Fast | None, block: Block | None) -> Variant:
    """Of an operator in a chain."""
    why = "computes a few rows at a time, for --ram"
    if fast is None:
        found = rows_parameters(kernel.parameters)
        assert found is not None
        return Variant(found, why)
    return Variant(fast, why, _scratch(fast), block)


def _keep(kernel: Kernel) -> Variant:
    if isinstance(kernel.parameters, Convolution | FullyConnected):
        return Variant(kernel.parameters, "its shape, scales or size are none of the fast kernels'")
    return Variant(kernel.parameters, "the only kernel for it")


def _choose(
    kernel: Kernel, fast: Fast, block: Block, users: int, optimize: Optimize, renewed: bool
) -> Variant:
    plain, better = plain_instructions(fast), fast_instructions(fast)
    saved = plain - better
    code = CODE_BYTES[block.macro] * (UNROLLED if optimize.unrolled else 1) // users
    more = fast.channels.nbytes - PLAIN_CHANNEL_BYTES * len(fast.channels)
    added = code + (fast.channels.nbytes + PLAIN_STRUCT_BYTES if renewed else more)
    share = "its share of the code" if users > 1 else "code"
    flash = f"{added:,} bytes of flash, {share} included"
    if renewed:
        flash += f", and {more:,} of RAM"
    if saved <= added * optimize.instructions_a_byte:
        # Estimates are for -O2.
        more_yet = "" if optimize.compiler == "-O2" else " or more"
        why = (
            f"saves {flash}; takes about {plain / better:.1f} times the fast kernel's "
            f"instructions{more_yet}"
        )
        return Variant(kernel.parameters, why)
    beyond = " beyond the plain kernel's" if renewed else ""
    why = f"about {better:,} instructions on a Cortex-M4, not {plain:,}, for {flash}{beyond}"
    return Variant(fast, why, _scratch(fast), block)


def _pair(variant: Variant, shared: bool) -> Variant:
    """With weights in pairs, where a fast dense kernel allows it."""
    fast, block = variant.parameters, variant.block
    if shared or block is None or not isinstance(fast, FastDense):
        return variant
    found = paired(fast)
    if found is None:
        return variant
    pairs = Block("TT_BLOCK_DENSE_PAIRED", block.arguments)
    scratch = _scratch(fast, "_PAIRED")
    return replace(variant, parameters=found[0], scratch=scratch, block=pairs, dsp=found[1])


PLAIN_CHANNEL_BYTES = 9
"""Bias, multiplier and shift."""
PLAIN_STRUCT_BYTES, FAST_STRUCT_BYTES = 88, 72
"""tt_convolution, which the estimation of statistics reads, and tt_fast_convolution, of 32-bit
processors."""
assert CHANNEL.itemsize > PLAIN_CHANNEL_BYTES


def _clamped(fast: Fast) -> int:
    return int((fast.activation_min, fast.activation_max) != (-128, 127))


def _block(fast: Fast, optimize: Optimize) -> Block:
    ends = (_clamped(fast), int(optimize.unrolled))
    if isinstance(fast, FastDense):
        return Block("TT_BLOCK_DENSE", (fast.input_depth, *ends))
    if isinstance(fast, FastDepthwiseConv2D):
        kernel = fast.kernel_height, fast.kernel_width
        return Block("TT_BLOCK_DEPTHWISE", (*kernel, fast.output_channels, *ends))
    return Block("TT_BLOCK_CONV_2D", (_depth(fast), *ends))


def _depth(fast: FastConvolution) -> int:
    return fast.kernel_height * fast.kernel_width * fast.input_channels


def _scratch(fast: Fast, kind: str = "") -> str:
    if isinstance(fast, FastDense):
        return f"TT_FAST_DENSE{kind}_SCRATCH({fast.input_depth}, {fast.output_depth})"
    if isinstance(fast, FastDepthwiseConv2D):
        taps = fast.kernel_height * fast.kernel_width
        return f"TT_FAST_DEPTHWISE_SCRATCH({taps}, {fast.output_channels})"
    return f"TT_FAST_CONV_2D_SCRATCH({_depth(fast)}, {fast.output_channels})"
