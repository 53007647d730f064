"""About how long an inference takes, for any number of channels, without building the network."""

from __future__ import annotations

from collections.abc import Sequence

from tinytrain.training.channels import Channels, Term, extent
from tinytrain.variants.costs import FAST_CONV_2D, FAST_DEPTHWISE

OTHERS = 1.04
"""Pools, means, additions and softmax take 2 to 7 % beside, in the networks of the zoo."""


def instructions(channels: Channels, widths: Sequence[int]) -> int:
    """Of an inference on a Cortex-M4: the layers with weights by the estimates that the converter
    chooses kernels by, and a share for the others."""
    return round(OTHERS * sum(_of(term, widths) for term in channels.terms))


def _of(term: Term, widths: Sequence[int]) -> int:
    if not term.weights or term.target is None:
        return FAST_CONV_2D.instructions(1, 1, term.macs)
    pixels, target = term.macs // term.weights, extent(term.target, widths)
    if term.source is None:
        return FAST_DEPTHWISE.instructions(pixels, target, term.weights)
    depth = term.weights * extent(term.source, widths)
    return FAST_CONV_2D.instructions(pixels, target, depth)
