"""A Keras functional graph as a list of steps, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinytrain.training.libraries import Model, load_keras

Shape = tuple[int | None, ...]

ELEMENTWISE = frozenset(
    "elu gelu hard_sigmoid hard_silu leaky_relu linear relu relu6 selu sigmoid silu softplus "
    "softsign tanh".split()
)
"""Activations that give each element from itself alone."""


@dataclass(frozen=True, eq=False)
class Step:
    """One use of a layer or of an operator of `keras.ops`."""

    operation: Any
    kind: str
    """The class's name; empty where the class is not one of Keras's own."""
    inputs: tuple[int, ...]
    """Ids of the tensors it reads."""
    outputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    tensors: tuple[Any, ...]
    """The outputs themselves, symbolic."""

    @property
    def name(self) -> str:
        return str(self.operation.name)


@dataclass(frozen=True, eq=False)
class Walk:
    """All steps of a network; steps that the outputs do not need are not among them."""

    steps: tuple[Step, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def readers(self, tensor: int) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if tensor in step.inputs)

    def writer(self, tensor: int) -> Step:
        (found,) = (step for step in self.steps if tensor in step.outputs)
        return found


def walk(model: Model) -> Walk:
    """The steps of a functional network (or of a Sequential one that has been built)."""
    graph = model._functional if hasattr(model, "_functional") else model
    levels = graph._nodes_by_depth
    nodes = [node for depth in sorted(levels, reverse=True) for node in levels[depth]]
    return Walk(
        steps=tuple(_step(node) for node in nodes),
        inputs=_ids(graph.inputs),
        outputs=_ids(graph.outputs),
    )


def copied(
    model: Model,
    layer_function: Callable[[Any], Any],
    call_function: Callable[..., Any] | None = None,
) -> Model:
    """The same graph with `layer_function(layer)` in each layer's place, under the same names.

    `call_function(layer, *inputs)`, where given, is what runs in place of `layer(*inputs)`.
    """
    return load_keras().models.clone_model(
        model, clone_function=layer_function, call_function=call_function
    )


def activation_of(layer: Any) -> str:
    """The name of a layer's activation, `linear` where it has none."""
    found = getattr(layer, "activation", None)
    return "linear" if found is None else str(getattr(found, "__name__", found))


def _step(node: Any) -> Step:
    operation = node.operation
    ours = type(operation).__module__.startswith("keras.")
    sources = node.input_tensors
    return Step(
        operation=operation,
        kind=type(operation).__name__ if ours else "",
        inputs=_ids(sources),
        outputs=_ids(node.outputs),
        input_shapes=tuple(tuple(tensor.shape) for tensor in sources),
        output_shapes=tuple(tuple(tensor.shape) for tensor in node.outputs),
        tensors=tuple(node.outputs),
    )


def _ids(tensors: Sequence[Any]) -> tuple[int, ...]:
    return tuple(id(tensor) for tensor in tensors)
