"""Estimates of a layer's instructions on a Cortex-M4, for the choice of its kernel.

Terms for a multiply-accumulate, an output and an element of a window, fitted to the layers of
MLPerf Tiny's networks as they were measured (least squares of the relative error).
`python benchmarks/kernel_costs.py` prints how far each layer is from its estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinytrain.variants.fast import Fast, FastDense, FastDepthwiseConv2D


@dataclass(frozen=True)
class _Terms:
    a_mac: float
    an_output: float
    a_window_element: float = 0.0
    """Of every pixel's window: it is copied or widened once for all channels."""


_FAST_CONV_2D = _Terms(0.87, 10.0, 3.3)
_FAST_DEPTHWISE = _Terms(3.85, 0.4)
_FAST_DENSE = _Terms(1.05, 11.4, 5.3)
_PLAIN_CONV_2D = _Terms(5.7, 120.0, 13.0)
_PLAIN_DEPTHWISE = _Terms(22.7, 2.5)
_PLAIN_DENSE = _Terms(6.0, 54.0)


def fast_instructions(fast: Fast) -> int:
    """Of one inference with the fast kernel."""
    return _estimate(fast, _FAST_CONV_2D, _FAST_DEPTHWISE, _FAST_DENSE)


def plain_instructions(fast: Fast) -> int:
    """Of one inference with the plain kernel of the same layer."""
    return _estimate(fast, _PLAIN_CONV_2D, _PLAIN_DEPTHWISE, _PLAIN_DENSE)


def _estimate(fast: Fast, conv_2d: _Terms, depthwise: _Terms, dense: _Terms) -> int:
    if isinstance(fast, FastDense):
        return _sum(dense, fast.rows, fast.output_depth, fast.input_depth)
    pixels, taps = fast.output_height * fast.output_width, fast.kernel_height * fast.kernel_width
    if isinstance(fast, FastDepthwiseConv2D):
        return _sum(depthwise, pixels, fast.output_channels, taps)
    return _sum(conv_2d, pixels, fast.output_channels, taps * fast.input_channels)


def _sum(terms: _Terms, pixels: int, channels: int, depth: int) -> int:
    """Of `pixels` with `channels` sums of `depth` products each."""
    outputs = pixels * channels
    return round(
        terms.a_mac * outputs * depth
        + terms.an_output * outputs
        + terms.a_window_element * pixels * depth
    )
