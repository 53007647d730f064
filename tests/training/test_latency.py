"""The estimate that pruning goes by, held to exact counts under QEMU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.small_tasks import small_task, waves
from tinytrain.pipeline.bench import bench
from tinytrain.pipeline.convert import convert
from tinytrain.progress import silent
from tinytrain.project import load_project
from tinytrain.training.channels import channels_of
from tinytrain.training.latency import instructions
from tinytrain.training.network import build
from tinytrain.training.prune import prune
from tinytrain.training.quantize import to_tflite
from tinytrain.training.tasks import Network, Pruning

pytestmark = pytest.mark.usefixtures("tensorflow")

CASES = [(Network("conv1d"), (64, 6)), (Network("ds_cnn", width=0.5), (49, 10))]


@pytest.mark.parametrize(("network", "shape"), CASES, ids=lambda case: getattr(case, "name", ""))
def test_the_estimate_is_near_the_count(
    network: Network,
    shape: tuple[int, ...],
    tmp_path: Path,
    require_arm_gcc: None,
    require_qemu: None,
) -> None:
    model = build(network, shape, 7)
    samples = np.random.default_rng(0).uniform(-1, 1, (20, *shape)).astype(np.float32)
    (tmp_path / "m.tflite").write_bytes(to_tflite(model, [samples]))
    convert(tmp_path / "m.tflite", tmp_path / "project", "m", head="none")
    counted = bench(load_project(tmp_path / "project"), "cortex-m4").inference
    channels = channels_of(model)
    assert instructions(channels, channels.widths) == pytest.approx(counted, rel=0.15)


def test_pruning_comes_down_to_a_share_of_the_instructions() -> None:
    task = small_task(
        pruning=Pruning(share=0.5, unit="instructions", epochs=0, rounds=1, max_group_loss=1.0)
    )
    model = build(task.network, (32, 3), 4)
    before, after = (
        instructions(channels := channels_of(one), channels.widths)
        for one in (model, prune(model, task, waves(4), 0, silent).model)
    )
    assert 0.4 * before < after <= 0.5 * before
