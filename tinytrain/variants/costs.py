"""Estimates of a layer's instructions on a Cortex-M4, for the choice of its kernel.

Terms for a multiply-accumulate, an output and an element of a window, fitted to the layers of
MLPerf Tiny's networks and of the zoo's conv1d as they were measured (least squares of the relative
error), with their weights in pairs and in bytes.
`python benchmarks/kernel_costs.py` prints how far each layer is from its estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinytrain.variants.fast import Fast, FastDense, FastDepthwiseConv2D
from tinytrain.variants.paired import Paired


@dataclass(frozen=True)
class Terms:
    a_mac: float
    an_output: float
    a_window_element: float = 0.0
    """Of every pixel's window: it is copied or widened once for all channels."""

    def instructions(self, pixels: int, channels: int, depth: int) -> int:
        """Of `pixels` with `channels` sums of `depth` products each."""
        outputs = pixels * channels
        elements = pixels * depth
        return round(
            self.a_mac * outputs * depth
            + self.an_output * outputs
            + self.a_window_element * elements
        )


FAST_CONV_2D = Terms(0.74, 8.8, 3.9)
"""With weights in pairs, as nearly all are."""
_BYTES_CONV_2D = Terms(0.87, 10.4, 3.4)
FAST_DEPTHWISE = Terms(1.5, 21.9)
_PAIRED_DENSE = Terms(0.92, 6.3, 3.1)
_BYTES_DENSE = Terms(1.33, 10.0, 5.4)
_PLAIN_CONV_2D = Terms(5.7, 120.0, 13.0)
_PLAIN_DEPTHWISE = Terms(22.7, 2.5)
_PLAIN_DENSE = Terms(6.0, 54.0)


def fast_instructions(fast: Fast) -> int:
    """Of one inference with the fast kernel."""
    if isinstance(fast, Paired):
        return _estimate(fast, FAST_CONV_2D, FAST_DEPTHWISE, _PAIRED_DENSE)
    return _estimate(fast, _BYTES_CONV_2D, FAST_DEPTHWISE, _BYTES_DENSE)


def plain_instructions(fast: Fast) -> int:
    """Of one inference with the plain kernel of the same layer."""
    return _estimate(fast, _PLAIN_CONV_2D, _PLAIN_DEPTHWISE, _PLAIN_DENSE)


def _estimate(fast: Fast, conv_2d: Terms, depthwise: Terms, dense: Terms) -> int:
    if isinstance(fast, FastDense):
        return dense.instructions(fast.rows, fast.output_depth, fast.input_depth)
    pixels, taps = fast.output_height * fast.output_width, fast.kernel_height * fast.kernel_width
    if isinstance(fast, FastDepthwiseConv2D):
        return depthwise.instructions(pixels, fast.output_channels, taps)
    return conv_2d.instructions(pixels, fast.output_channels, taps * fast.input_channels)
