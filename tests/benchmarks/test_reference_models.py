"""The networks that benchmarks build are MLPerf Tiny's in shape, and models like any other."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reference_models import BUILT, FOLDER, MACS, reference_model
from tests.operators.test_against_tflite_micro import assert_equal_to_reference
from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import run
from tinytrain.errors import InputError
from tinytrain.operators.table import require_kernels


@pytest.mark.parametrize("name", MACS)
def test_a_network_has_the_published_number_of_multiply_accumulates(name: str) -> None:
    if name not in BUILT and not FOLDER.is_dir():
        pytest.skip("the published models are not beside the repository")
    kernels = require_kernels(parse_tflite(reference_model(name), name))
    assert sum(kernel.macs for kernel in kernels) == MACS[name]


@pytest.mark.parametrize("name", BUILT)
def test_a_network_is_the_same_every_time(name: str) -> None:
    assert reference_model(name) == reference_model(name)


@pytest.mark.parametrize("name", BUILT)
def test_activations_use_their_range(name: str) -> None:
    """On inputs that the scales were not chosen on: no layer is flat, none saturates."""
    graph = parse_tflite(reference_model(name), name)
    kernels = require_kernels(graph)
    x = np.random.default_rng(9).integers(-128, 128, (4, graph.tensors[0].elements), np.int8)
    values = run(graph, kernels, [x])
    for kernel in kernels:
        if kernel.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD"):
            found = values[kernel.outputs[0]]
            assert found.std() > 30, kernel.index
            assert (found == 127).mean() < 0.05, kernel.index


@pytest.mark.parametrize("name", BUILT)
def test_multipliers_are_those_of_trained_networks(name: str) -> None:
    """Well below a half."""
    for kernel in require_kernels(parse_tflite(reference_model(name), name)):
        if kernel.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            assert vars(kernel.parameters)["shift"].max() <= -2, kernel.index


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT)
def test_the_emulator_gives_the_bytes_of_tflite_micro(name: str) -> None:
    model = reference_model(name)
    for seed in range(3):
        assert_equal_to_reference(model, np.random.default_rng(seed))


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(
        InputError, match=r"kws_ref_model\.tflite is not here: give --models-folder"
    ):
        reference_model("kws", tmp_path)
