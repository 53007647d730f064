"""The shortcut of the elementwise reference kernels: outputs looked up by pairs of bytes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case
from tests.operators.test_host_kernels import cases_of
from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.elementwise_kernels import PAIRS
from tinytrain.emulator.inference import run
from tinytrain.operators.table import require_kernels

CASES = [case for kind in ("ADD", "SUB", "MUL") for case in cases_of(kind, 8)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: type(case).__name__)
def test_a_batch_that_is_looked_up_equals_samples_that_are_computed(case: Case) -> None:
    graph = parse_tflite(case.build(), "case")
    kernels = require_kernels(graph)
    output = graph.outputs[0]
    count = -(-PAIRS // graph.tensors[output].elements)
    rng = np.random.default_rng(0)
    inputs = [
        rng.integers(-128, 128, (count, graph.tensors[tensor].elements)).astype(np.int8)
        for tensor in graph.inputs
    ]
    together = run(graph, kernels, inputs)[output]
    chosen = rng.choice(count, min(count, 20), replace=False)
    alone = run(graph, kernels, [x[chosen] for x in inputs])[output]
    np.testing.assert_array_equal(together[chosen], alone)
