"""What a Keras network takes on the device, before it has learnt anything."""

from __future__ import annotations

import numpy as np

from tinytrain.converters.tflite import parse_tflite
from tinytrain.operators.table import require_kernels
from tinytrain.plan.memory import plan_memory
from tinytrain.training.libraries import Model, load_keras
from tinytrain.training.quantize import to_tflite
from tinytrain.training.search import Cost

_SAMPLES = 4


def cost_of(model: Model) -> Cost:
    """The exact weights, arena and multiply-accumulates of a fresh network as int8.

    Its statistics are changed: those that normalizations start with let the signal of a deep
    network die away, until no scale can be found for it.
    """
    rng = np.random.default_rng(0)
    samples = rng.uniform(-1, 1, (_SAMPLES, *model.input_shape[1:])).astype(np.float32)
    for layer in model.layers:
        if isinstance(layer, load_keras().layers.BatchNormalization):
            layer.momentum = 0.0
    model(samples, training=True)
    graph = parse_tflite(to_tflite(model, [samples]), model.name)
    kernels = require_kernels(graph)
    return Cost(
        flash=sum(kernel.weight_bytes for kernel in kernels),
        ram=plan_memory(graph, kernels).arena_bytes,
        macs=sum(kernel.macs for kernel in kernels),
    )
