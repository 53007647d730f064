"""The benchmark beside TFLite Micro: what its bars mean, and what it says without its files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mlperf_tiny import ALLOWED, PEERS, TITLES, Figure, _present
from benchmarks.reference_models import BUILT, MACS
from tinytrain.device.opening import QEMU_TARGETS

ROOT = Path(__file__).resolve().parents[2]


def test_every_network_has_a_peer_on_every_board() -> None:
    assert set(PEERS) == set(TITLES) == set(MACS)
    assert all(set(peer.instructions) == set(QEMU_TARGETS) for peer in PEERS.values())
    assert set(ALLOWED) <= set(QEMU_TARGETS)


def test_a_bar_is_a_share_of_the_peer_or_else_a_number() -> None:
    assert Figure("cortex-m4", "kws", "instructions", 70, 100, 0.7).met
    assert Figure("cortex-m4", "kws", "instructions", 71, 100, 0.7).met is False
    assert Figure("cortex-m4", "kws", "firmware, bytes", 24_576, None, 24_576).met
    assert Figure("cortex-m4", "kws", "firmware, bytes", 24_577, None, 24_576).met is False
    assert Figure("cortex-m33", "kws", "instructions", 70, 100, None).met is None


def test_networks_without_their_file_are_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ad01_int8.tflite").touch()
    assert set(_present(tmp_path)) == {"ad", *BUILT}
    assert "kws: left out" in capsys.readouterr().err


def test_the_script_runs_by_its_path_and_refuses_what_it_cannot_measure(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "mlperf_tiny.py"), "--targets", "host"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "error: --targets host: choose of cortex-m0, cortex-m4, cortex-m33, cortex-m55"
    ]
