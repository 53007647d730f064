"""MLPerf Tiny's int8 files: the emitted C gives the bytes of tflite-micro on every target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.operators.programs import TARGETS, entry_of, run_programs, write_programs
from tests.operators.test_against_tflite_micro import MODELS
from tests.operators.test_host_kernels import equals_tflite_micro

FILES = {"keyword_spotting": "kws_ref_model.tflite", "anomaly_detection": "ad01_int8.tflite"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not MODELS.is_dir():
        pytest.skip("the published models are not beside the repository")
    entries = [
        entry_of(name, (MODELS / file).read_bytes(), np.random.default_rng(0))
        for name, file in FILES.items()
    ]
    assert [entry.name for entry in entries if not equals_tflite_micro(entry)] == []
    folder = tmp_path_factory.mktemp("published")
    write_programs(folder, entries)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_emitted_c_gives_the_same_bytes(
    target: str, programs: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    assert run_programs(programs, target) == []
