"""About how long an inference takes, for any number of channels, without building the network."""

from __future__ import annotations

from collections.abc import Sequence

from tinytrain.training.channels import Channels, Term, extent

PER_MAC, PER_OUTPUT, PER_TAP, PER_DEPTHWISE_TAP = 5.9, 98.0, 17.7, 12.0
"""Instructions of the portable kernels on the Cortex-M4, fitted to what `tinytrain bench` counts
for the layers of MLPerf Tiny's keyword spotting and ResNet-8."""


def instructions(channels: Channels, widths: Sequence[int]) -> int:
    """Of an inference, in the layers with weights; the others are a few percent of it."""
    return round(sum(_of(term, widths) for term in channels.terms))


def _of(term: Term, widths: Sequence[int]) -> float:
    source, target = extent(term.source, widths), extent(term.target, widths)
    if not term.weights or term.target is None:
        return PER_MAC * term.macs
    taps = term.weights
    outputs = term.macs // taps * target
    if term.source is None:
        return outputs * (PER_OUTPUT + PER_DEPTHWISE_TAP * taps)
    return outputs * (PER_OUTPUT + taps * (PER_TAP + PER_MAC * source))
