"""Windows that slide over images: ONNX's explicit pads as TensorFlow Lite's SAME, VALID or PAD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinytrain.converters.onnx.builder import Activation
from tinytrain.converters.onnx.layout import channels_last
from tinytrain.converters.onnx.values import Call
from tinytrain.graph import MAX_ELEMENTS, Attribute
from tinytrain.operators.convolution import MAX_STRIDE, window

Pair = tuple[int, int]
"""Height first. A signal of one spatial axis is an image of width 1."""


@dataclass(frozen=True)
class Sliding:
    size: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    """Padding in front."""
    outputs: Pair
    counted: bool = False
    """Whether padding counts as data, as zeros that an average takes in."""

    @property
    def padding(self) -> str | None:
        """VALID or SAME, where that reads the same elements; padding behind the last window that
        is reached does not count.
        """
        for padding in ("VALID",) if self.counted else ("VALID", "SAME"):
            found = [
                window(self.size[i], self.kernel[i], self.stride[i], self.dilation[i], padding)
                for i in (0, 1)
            ]
            if all(
                (found[i].outputs, found[i].before) == (self.outputs[i], self.before[i])
                for i in (0, 1)
            ):
                return padding
        return None

    def place(self, call: Call, x: Activation, fill: int | None = None) -> tuple[int, str]:
        """The image as the operator reads it (1, H, W, C), padded with zeros (or the int8 `fill`)
        where neither SAME nor VALID does, and the padding that is left.
        """
        ordered = call.builder.arranged(x, channels_last(len(x.shape)))
        image = call.builder.shaped(ordered, (1, *self.size, x.shape[1]))
        padding = self.padding
        if padding is not None:
            return image, padding
        pads = [(0, 0), *(self._pads(i) for i in (0, 1)), (0, 0)]
        return call.builder.padded(image, pads, fill), "VALID"

    def _pads(self, axis: int) -> Pair:
        """What the windows reach of the padding along one axis."""
        reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1
        end = (self.outputs[axis] - 1) * self.stride[axis] + reach
        return self.before[axis], max(end - self.size[axis] - self.before[axis], 0)

    def attributes(self, padding: str, activation: str, dilated: bool) -> dict[str, Attribute]:
        """As the .tflite front end gives them: of a convolution or, not dilated, a pool."""
        found: dict[str, Attribute] = {
            "padding": padding,
            "stride_height": self.stride[0],
            "stride_width": self.stride[1],
            "activation": activation,
        }
        extra, pair = ("dilation", self.dilation) if dilated else ("filter", self.kernel)
        return {**found, f"{extra}_height": pair[0], f"{extra}_width": pair[1]}


def sliding(call: Call, shape: Sequence[int], kernel: Sequence[int]) -> Sliding:
    """The window of a Conv or pool node on an input of `shape` (N, C, spatial axes)."""
    node, axes = call.node, len(shape) - 2
    ones = (1,) * axes
    stride, dilation = node.integers("strides", ones), node.integers("dilations", ones)
    given = node.integers("kernel_shape", tuple(kernel[:axes]))
    mode, pads = node.text("auto_pad", "NOTSET"), node.integers("pads", (0,) * 2 * axes)
    if any(len(values) != axes for values in (stride, dilation, given)) or len(pads) != 2 * axes:
        raise node.fail(f"strides, dilations, pads and kernel_shape do not fit {axes} axes")
    if given != tuple(kernel[:axes]):
        raise node.fail(f"kernel_shape {given} for a kernel of {tuple(kernel[:axes])}")
    for name, values in (("strides", stride), ("dilations", dilation), ("kernel_shape", given)):
        if not all(1 <= value <= MAX_STRIDE for value in values):
            raise node.fail(f"{name} {values}; 1 to {MAX_STRIDE} is supported")
    if not all(0 <= value <= MAX_STRIDE for value in pads):
        raise node.fail(f"pads {pads}; 0 to {MAX_STRIDE} is supported")
    if any(extent > MAX_ELEMENTS for extent in shape):
        raise node.fail(f"input of shape {shape} is too large")
    found = [
        _axis(call, shape[2 + i], given[i], stride[i], dilation[i], mode, (pads[i], pads[axes + i]))
        for i in range(axes)
    ]
    found += [_Axis(1, 0)] * (2 - axes)
    return Sliding(
        _pair(shape[2:]),
        _pair(given),
        _pair(stride),
        _pair(dilation),
        (found[0].before, found[1].before),
        (found[0].outputs, found[1].outputs),
    )


@dataclass(frozen=True)
class _Axis:
    outputs: int
    before: int


def _axis(
    call: Call, size: int, kernel: int, stride: int, dilation: int, mode: str, pads: Pair
) -> _Axis:
    """Outputs and padding in front along one axis, by the rules of ONNX's Conv and pools."""
    reach = (kernel - 1) * dilation + 1
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + reach - size, 0)
        return _Axis(outputs, (total + (mode == "SAME_LOWER")) // 2)
    if mode not in ("NOTSET", "VALID"):
        raise call.node.fail(f"auto_pad {mode}; NOTSET, VALID, SAME_UPPER, SAME_LOWER supported")
    before, after = pads if mode == "NOTSET" else (0, 0)
    room = size + before + after - reach
    if room < 0:
        raise call.node.fail(f"its window of {reach} does not fit a padded input of {room + reach}")
    outputs = room // stride + 1
    if call.node.integer("ceil_mode", 0):
        outputs = -(-room // stride) + 1
        # The last window has to start inside the input or the padding in front of it.
        outputs -= (outputs - 1) * stride >= size + before
    return _Axis(outputs, before)


def _pair(values: Sequence[int]) -> Pair:
    return values[0], values[1] if len(values) > 1 else 1
