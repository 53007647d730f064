"""Channels: which channels of a Keras network belong together, what each costs, and the smaller
network without some of them.

A layer that makes channels (a convolution, a dense layer) starts a group. What follows keeps the
group (a depthwise convolution, a normalization, an activation, pooling) or unites it with another
(an addition): a channel can only go in all of these places at once. The last axis of every tensor
is made of groups; behind a flattening each channel stands for several features. Whatever this
module does not know keeps all its channels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.libraries import Model
from tinytrain.training.walk import ELEMENTWISE, Shape, Step, Walk, activation_of, copied, walk

IndexArray = NDArray[np.int64]

CONVOLUTIONS = frozenset({"Conv1D", "Conv2D"})
DEPTHWISE = frozenset({"DepthwiseConv1D", "DepthwiseConv2D"})
SEPARABLE = frozenset({"SeparableConv1D", "SeparableConv2D"})
RESHAPES = frozenset({"Flatten", "Reshape"})
MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"})
KEEPERS = frozenset(
    "Activation AveragePooling1D AveragePooling2D Dropout ELU GaussianNoise "
    "GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D Identity "
    "LeakyReLU MaxPooling1D MaxPooling2D ReLU Relu Relu6 Sigmoid SpatialDropout1D "
    "SpatialDropout2D Tanh UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D".split()
)
"""Each channel from the same channel of the input."""

_BIAS_BYTES = 4


@dataclass(frozen=True)
class View:
    """What the last axis of a tensor is: the groups side by side, and that `positions` times."""

    groups: tuple[int, ...]
    positions: int = 1


@dataclass(frozen=True)
class Group:
    """Channels that go together."""

    width: int
    protected: bool
    """Never pruned: a part of the network's inputs or outputs, or of something unknown."""
    producers: tuple[str, ...]
    """Layers that make these channels."""
    bare: tuple[str, ...]
    """Those of them that no normalization follows."""
    norms: tuple[str, ...]
    """BatchNormalizations that scale them."""


@dataclass(frozen=True)
class Term:
    """A layer's cost: `macs` and `weights` times the widths of its inputs and outputs.

    None stands for 1: the input of a depthwise convolution, or a layer whose cost is fixed.
    """

    macs: int
    weights: int
    source: View | None
    target: View | None
    biases: int
    """Biases for each element of `target`."""


@dataclass(frozen=True, eq=False)
class Channels:
    """The groups of a network, and what it costs with any number of channels in each."""

    groups: tuple[Group, ...]
    terms: tuple[Term, ...]
    views: Mapping[str, tuple[View, View]]
    """The input's and the output's view of each layer that changes with the channels."""
    tensors: Mapping[int, View]
    """The view of every tensor of the walk, by id."""

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(group.width for group in self.groups)

    def macs(self, widths: Sequence[int]) -> int:
        """Multiply-accumulates of an inference with so many channels in each group; SAME padding
        counts as if it were data."""
        return sum(
            term.macs * extent(term.source, widths) * extent(term.target, widths)
            for term in self.terms
        )

    def weight_bytes(self, widths: Sequence[int]) -> int:
        """Bytes of int8 weights and int32 biases; normalizations are folded into these."""
        return sum(
            term.weights * extent(term.source, widths) * extent(term.target, widths)
            + _BIAS_BYTES * term.biases * extent(term.target, widths)
            for term in self.terms
        )

    def affected(self, group: int) -> tuple[Term, ...]:
        """The terms that a group's width is a factor of."""
        return tuple(
            term
            for term in self.terms
            if any(view is not None and group in view.groups for view in (term.source, term.target))
        )


def channels_of(model: Model, keep_inputs_of: Collection[str] = ()) -> Channels:
    """The channel groups of a functional network; the inputs of the layers named in
    `keep_inputs_of` are protected."""
    graph = walk(model)
    return Analysis(graph, keep_inputs_of).result()


def macs(model: Model) -> int:
    """Multiply-accumulates of one inference."""
    channels = channels_of(model)
    return channels.macs(channels.widths)


def weight_bytes(model: Model) -> int:
    """Bytes of the int8 network's weights and biases."""
    channels = channels_of(model)
    return channels.weight_bytes(channels.widths)


def rebuild(model: Model, channels: Channels, kept: Mapping[int, IndexArray]) -> Model:
    """A new network with the `kept` channels (ascending indices) of each group, and their weights;
    groups that are not in `kept` stay whole. Layers keep their names."""
    whole = {group: np.arange(width) for group, width in enumerate(channels.widths)}
    left = {**whole, **kept}
    widths = [len(left[group]) for group in range(len(channels.groups))]

    def narrower(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in channels.views:
            _narrow(config, extent(channels.views[layer.name][1], widths))
        return type(layer).from_config(config)

    smaller = copied(model, narrower)
    for layer in model.layers:
        values = layer.get_weights()
        if layer.name in channels.views:
            source, target = channels.views[layer.name]
            values = _sliced(
                layer, values, _features(source, left, whole), _features(target, left, whole)
            )
        if values:
            smaller.get_layer(layer.name).set_weights(values)
    return smaller


def extent(view: View | None, widths: Sequence[int]) -> int:
    return 1 if view is None else view.positions * sum(widths[group] for group in view.groups)


def _features(
    view: View, left: Mapping[int, IndexArray], whole: Mapping[int, IndexArray]
) -> IndexArray:
    """The indices on the last axis that the kept channels stand for."""
    parts, width = [], 0
    for group in view.groups:
        parts.append(width + left[group])
        width += len(whole[group])
    once = np.concatenate(parts)
    repeated: IndexArray = (np.arange(view.positions)[:, None] * width + once).ravel()
    return repeated


def _narrow(config: dict[str, Any], width: int) -> None:
    """Write the width of the output's last axis into a layer's configuration."""
    for key in ("filters", "units"):
        if key in config:
            config[key] = width
    if "target_shape" in config and config["target_shape"][-1] != -1:
        config["target_shape"] = (*config["target_shape"][:-1], width)


def _sliced(
    layer: Any, values: list[NDArray[Any]], source: IndexArray, target: IndexArray
) -> list[NDArray[Any]]:
    """A layer's weights for the features `source` of its input and `target` of its output."""
    kind = type(layer).__name__
    if kind in CONVOLUTIONS or kind == "Dense":
        return [values[0][..., source, :][..., target], *(bias[target] for bias in values[1:])]
    if kind in DEPTHWISE:
        return [values[0][..., source, :], *(bias[target] for bias in values[1:])]
    if kind in SEPARABLE:
        taps, mixer, *biases = values
        return [
            taps[..., source, :],
            mixer[..., source, :][..., target],
            *(bias[target] for bias in biases),
        ]
    return [value[target] for value in values]


class Analysis:
    """The walk through a graph: a view for each tensor, and a union-find over groups.

    `know` and the rules may be overridden by who asks another question of the same graph.
    """

    def __init__(self, graph: Walk, keep_inputs_of: Collection[str]) -> None:
        self.graph = graph
        self.parents: list[int] = []
        self.widths: list[int] = []
        self.protected: set[int] = set()
        self.views: dict[int, View] = {}
        self.layers: dict[str, tuple[View, View]] = {}
        self.terms: list[Term] = []
        self.producers: list[tuple[str, int, bool]] = []
        self.norms: list[tuple[str, View]] = []
        uses = [step.name for step in graph.steps]
        self.shared = {name for name in uses if uses.count(name) > 1}
        for step in graph.steps:
            if not self.know(step):
                self._fix(step)
            if step.name in keep_inputs_of:
                self._protect(step.inputs)
        self._protect((*graph.inputs, *graph.outputs))

    def result(self) -> Channels:
        """The groups, numbered in the order in which they come."""
        roots = [group for group in range(len(self.parents)) if self._root(group) == group]
        number = {group: roots.index(self._root(group)) for group in range(len(self.parents))}
        held = {number[group] for group in self.protected}

        def renumbered(view: View | None) -> View | None:
            return view and View(tuple(number[group] for group in view.groups), view.positions)

        def group_of(place: int) -> Group:
            makers = [
                (name, bare) for name, group, bare in self.producers if number[group] == place
            ]
            norms = [
                name
                for name, view in self.norms
                if view.positions == 1 and [number[group] for group in view.groups] == [place]
            ]
            return Group(
                self.widths[roots[place]],
                place in held,
                tuple(name for name, _ in makers),
                tuple(name for name, bare in makers if bare),
                tuple(norms),
            )

        return Channels(
            groups=tuple(group_of(place) for place in range(len(roots))),
            terms=tuple(
                Term(t.macs, t.weights, renumbered(t.source), renumbered(t.target), t.biases)
                for t in self.terms
            ),
            views={
                name: (renumbered(source) or source, renumbered(target) or target)
                for name, (source, target) in self.layers.items()
            },
            tensors={tensor: renumbered(view) or view for tensor, view in self.views.items()},
        )

    def know(self, step: Step) -> bool:
        """Follow the channels through a step; False where that is not possible."""
        rules: tuple[tuple[Collection[str], Callable[[Step], bool]], ...] = (
            ((*CONVOLUTIONS, *SEPARABLE, "Dense"), self._produce),
            (DEPTHWISE, self.depthwise),
            (("BatchNormalization",), self._normalize),
            (KEEPERS, self._keep),
            (RESHAPES, self._reshape),
            (MERGES, self._merge),
            (("Concatenate",), self._concatenate),
        )
        layer = step.operation
        first = getattr(layer, "data_format", None) == "channels_first"
        repeated = step.name in self.shared and bool(getattr(layer, "weights", ()))
        if first or repeated or activation_of(layer) not in ELEMENTWISE:
            return False
        return any(step.kind in kinds and rule(step) for kinds, rule in rules)

    def _fix(self, step: Step) -> None:
        """A step that keeps its channels: what it reads is protected, what it gives is new."""
        self._protect(step.inputs)
        for tensor, shape in zip(step.outputs, step.output_shapes, strict=True):
            if tensor not in self.views:
                self.views[tensor] = View((self.new(_last(shape)),))
        self._protect(step.outputs)
        weights = [tuple(weight.shape) for weight in getattr(step.operation, "weights", ())]
        elements = [int(np.prod(shape)) for shape in weights if len(shape) > 1]
        if elements:
            biases = sum(shape[0] for shape in weights if len(shape) == 1)
            total = sum(elements)
            positions = _positions(step.output_shapes[0])
            self.terms.append(Term(positions * total, total, None, None, biases))

    def _produce(self, step: Step) -> bool:
        layer = step.operation
        if getattr(layer, "groups", 1) != 1 or getattr(layer, "depth_multiplier", 1) != 1:
            return False
        source = self.views[step.inputs[0]]
        target = View((self.new(_last(step.output_shapes[0])),))
        self.views[step.outputs[0]] = target
        positions = _positions(step.output_shapes[0])
        taps = int(np.prod(getattr(layer, "kernel_size", (1,))))
        if step.kind in SEPARABLE:
            self.terms.append(Term(positions * taps, taps, None, source, 1))
            taps = 1
        self.terms.append(Term(positions * taps, taps, source, target, 1))
        self.layers[step.name] = source, target
        readers = self.graph.readers(step.outputs[0])
        bare = not readers or any(reader.kind != "BatchNormalization" for reader in readers)
        self.producers.append((step.name, target.groups[0], bare))
        return True

    def depthwise(self, step: Step) -> bool:
        if step.operation.depth_multiplier != 1:
            return False
        view = self._passed_on(step)
        taps = int(np.prod(step.operation.kernel_size))
        self.terms.append(Term(_positions(step.output_shapes[0]) * taps, taps, None, view, 1))
        return True

    def _normalize(self, step: Step) -> bool:
        if step.operation.axis not in (-1, len(step.input_shapes[0]) - 1):
            return False
        self.norms.append((step.name, self._passed_on(step)))
        return True

    def _keep(self, step: Step) -> bool:
        if _last(step.input_shapes[0]) != _last(step.output_shapes[0]):
            return False
        self.views[step.outputs[0]] = self.views[step.inputs[0]]
        return True

    def _passed_on(self, step: Step) -> View:
        """The output of a step with weights that keeps its input's channels."""
        view = self.views[step.inputs[0]]
        self.views[step.outputs[0]] = view
        self.layers[step.name] = view, view
        return view

    def _reshape(self, step: Step) -> bool:
        view = self.views[step.inputs[0]]
        width = sum(self.widths[group] for group in view.groups)
        last = _last(step.output_shapes[0])
        # Channels are innermost, so element i of the flat tensor is channel i mod width.
        if last % width:
            return False
        target = View(view.groups, last // width)
        self.views[step.outputs[0]] = target
        self.layers[step.name] = view, target
        return True

    def _merge(self, step: Step) -> bool:
        views = [self.views[tensor] for tensor in step.inputs]
        shapes = [[self.widths[group] for group in view.groups] for view in views]
        alike = len(views) > 1 and all(
            view.positions == views[0].positions and shape == shapes[0]
            for view, shape in zip(views, shapes, strict=True)
        )
        if not alike:
            return False
        for view in views[1:]:
            for one, other in zip(views[0].groups, view.groups, strict=True):
                self._unite(one, other)
        self.views[step.outputs[0]] = views[0]
        return True

    def _concatenate(self, step: Step) -> bool:
        views = [self.views[tensor] for tensor in step.inputs]
        last = len(step.output_shapes[0]) - 1
        if step.operation.axis not in (-1, last) or any(view.positions != 1 for view in views):
            return False
        self.views[step.outputs[0]] = View(tuple(g for view in views for g in view.groups))
        return True

    def new(self, width: int) -> int:
        self.parents.append(len(self.parents))
        self.widths.append(width)
        return len(self.parents) - 1

    def _root(self, group: int) -> int:
        while self.parents[group] != group:
            group = self.parents[group]
        return group

    def _unite(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self.parents[second] = first

    def _protect(self, tensors: Sequence[int]) -> None:
        for tensor in tensors:
            self.protected.update(self.views[tensor].groups)


def _last(shape: Shape) -> int:
    return shape[-1] if len(shape) > 1 and shape[-1] is not None else 1


def _positions(shape: Shape) -> int:
    """How often a layer's weights are used: the extents between batch and channels."""
    return int(np.prod([extent or 1 for extent in shape[1:-1]], dtype=np.int64))
