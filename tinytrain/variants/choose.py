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
from tinytrain.variants.paired import (
    Arrays,
    Paired,
    PairedConv2D,
    PairedFullyConnected,
    is_relu,
    paired,
)
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


CODE_BYTES = {
    "TT_BLOCK_CONV_2D": 700,
    "TT_BLOCK_CONV_2D_PAIRED": 600,
    "TT_BLOCK_DEPTHWISE": 1250,
    "TT_BLOCK_DENSE": 600,
}
PAIRED_CODE_BYTES = {8: 710, 4: 180, 2: 105, 1: 70}
"""Of a block for dense layers in pairs, by the groups of channels that it has."""
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
    read = renewed | ({shared} if shared is not None else set())
    found = [_fast(kernel, kernel.index in read, optimize) for kernel in kernels]
    users = Counter(fast.block for fast in found if fast)
    return tuple(
        _by_rows(kernel, fast)
        if kernel.index in chained
        else _keep(kernel)
        if fast is None
        else _choose(kernel, fast, users[fast.block], optimize, kernel.index in renewed)
        for kernel, fast in zip(kernels, found, strict=True)
    )


def row_operators(kernels: Sequence[Kernel], renewed: frozenset[int]) -> frozenset[int]:
    """Those that can have a kernel that makes some rows of its output alone. While the statistics
    of one in `renewed` are estimated, its input is looked at whole."""
    return frozenset(
        kernel.index
        for kernel in kernels
        if kernel.index not in renewed and rows_parameters(kernel.parameters) is not None
    )


def _by_rows(kernel: Kernel, fast: Variant | None) -> Variant:
    """Of an operator in a chain."""
    why = "computes a few rows at a time, for --ram"
    if fast is not None:
        return replace(fast, reason=why)
    found = rows_parameters(kernel.parameters)
    assert found is not None
    return Variant(found, why)


def _keep(kernel: Kernel) -> Variant:
    if isinstance(kernel.parameters, Convolution | FullyConnected):
        return Variant(kernel.parameters, "its shape, scales or size are none of the fast kernels'")
    return Variant(kernel.parameters, "the only kernel for it")


def _fast(kernel: Kernel, read: bool, optimize: Optimize) -> Variant | None:
    """With a fast kernel, where there is one: with weights in pairs where that is possible, and
    where nothing else on the device reads them."""
    fast = fast_parameters(kernel.parameters)
    if fast is None:
        return None
    pairs = None if read else paired(fast)
    layer, dsp = pairs or (fast, {})
    return Variant(layer, "", _scratch(layer), _block(layer, optimize), dsp)


def _choose(
    kernel: Kernel, variant: Variant, users: int, optimize: Optimize, renewed: bool
) -> Variant:
    """The fast kernel, or the plain one where that saves too little. Bytes that only the DSP
    extension does without count: the choice is one for all targets."""
    fast, block = variant.parameters, variant.block
    assert isinstance(fast, FastConvolution | FastDense) and block is not None
    plain, better = plain_instructions(fast), fast_instructions(fast)
    saved = plain - better
    code = _code_bytes(fast, block) * (UNROLLED if optimize.unrolled else 1) // users
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
    return replace(variant, reason=why)


def _code_bytes(fast: Fast, block: Block) -> int:
    if not isinstance(fast, PairedFullyConnected):
        return CODE_BYTES[block.macro]
    return sum(size for group, size in PAIRED_CODE_BYTES.items() if fast.groups & group)


PLAIN_CHANNEL_BYTES = 9
"""Bias, multiplier and shift."""
PLAIN_STRUCT_BYTES, FAST_STRUCT_BYTES = 88, 72
"""tt_convolution, which the estimation of statistics reads, and tt_fast_convolution, of 32-bit
processors."""
assert CHANNEL.itemsize > PLAIN_CHANNEL_BYTES


def _clamped(fast: Fast) -> int:
    return int((fast.activation_min, fast.activation_max) != (-128, 127))


def _block(fast: Fast, optimize: Optimize) -> Block:
    if isinstance(fast, PairedFullyConnected | PairedConv2D):
        return _paired_block(fast, optimize)
    ends = (_clamped(fast), int(optimize.unrolled))
    if isinstance(fast, FastDense):
        return Block("TT_BLOCK_DENSE", (fast.input_depth, *ends))
    if isinstance(fast, FastDepthwiseConv2D):
        kernel = fast.kernel_height, fast.kernel_width
        return Block("TT_BLOCK_DEPTHWISE", (*kernel, fast.output_channels, *ends))
    return Block("TT_BLOCK_CONV_2D", (_depth(fast), *ends))


def _paired_block(fast: Paired, optimize: Optimize) -> Block:
    a_round = 8 if optimize.unrolled else 4
    if isinstance(fast, PairedFullyConnected):
        words = fast.input_depth // 4 % a_round
        ends = (int(fast.uniform), int(is_relu(fast)), _clamped(fast))
        return Block("TT_BLOCK_DENSE_PAIRED", (a_round, words, fast.groups, *ends))
    # Those behind the first; of whole rounds there are any number.
    words = -(-_depth(fast) // 4) - 1
    if optimize.unrolled and words < 2 * a_round:
        a_round *= 2
    words = min(words, a_round + words % a_round)
    return Block("TT_BLOCK_CONV_2D_PAIRED", (a_round, words, int(is_relu(fast)), _clamped(fast)))


def _depth(fast: FastConvolution) -> int:
    return fast.kernel_height * fast.kernel_width * fast.input_channels


def _scratch(fast: Fast) -> str:
    if isinstance(fast, FastDense):
        kind = "_PAIRED" if isinstance(fast, PairedFullyConnected) else ""
        return f"TT_FAST_DENSE{kind}_SCRATCH({fast.input_depth}, {fast.output_depth})"
    if isinstance(fast, FastDepthwiseConv2D):
        taps = fast.kernel_height * fast.kernel_width
        return f"TT_FAST_DEPTHWISE_SCRATCH({taps}, {fast.output_channels})"
    return f"TT_FAST_CONV_2D_SCRATCH({_depth(fast)}, {fast.output_channels})"
