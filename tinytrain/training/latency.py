"""About how long an inference takes, for any number of channels, without building the network."""

from __future__ import annotations

from collections.abc import Sequence

from tinytrain.training.channels import Channels, Term, extent
from tinytrain.variants.costs import FAST_CONV_2D, FAST_DEPTHWISE


def instructions(channels: Channels, widths: Sequence[int]) -> int:
    """Of an inference on a Cortex-M4, in the layers with weights, by the estimates that the
    converter chooses kernels by; the others are a few percent of it."""
    return sum(_of(term, widths) for term in channels.terms)


def _of(term: Term, widths: Sequence[int]) -> int:
    if not term.weights or term.target is None:
        return FAST_CONV_2D.instructions(1, 1, term.macs)
    pixels, target = term.macs // term.weights, extent(term.target, widths)
    if term.source is None:
        return FAST_DEPTHWISE.instructions(pixels, target, term.weights)
    depth = term.weights * extent(term.source, widths)
    return FAST_CONV_2D.instructions(pixels, target, depth)
