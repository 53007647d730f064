"""Statistics without labels, from `convert --statistics` to the device and back."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import classifier, done, tinytrain, windows
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.opening import open_device
from tinytrain.errors import DeviceError
from tinytrain.project import load_project

SAMPLES = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, samples, a project with statistics and one without."""
    folder = tmp_path_factory.mktemp("statistics")
    (folder / "small.tflite").write_bytes(classifier())
    np.savez(folder / "x.npz", x=windows(60))
    convert = ("convert", folder / "small.tflite", "--samples", folder / "x.npz", "--out")
    done(*convert, folder / "plain")
    options = ("--statistics", "all", "--statistics-samples", SAMPLES)
    text = done(*convert, folder / "project", *options).stdout
    assert "statistics without labels: 1 layers, 150 bytes of RAM" in text
    return folder


@pytest.mark.parametrize("target", ["host", "cortex-m4", "cortex-m0"])
def test_a_device_renews_its_statistics_as_the_emulator_does(
    target: str, folder: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    text = done("verify", folder / "project", "--target", target, "--steps", 30).stdout
    assert f"statistics: {SAMPLES} samples, all bits equal" in text


def test_a_project_read_back_has_the_statistics_it_was_made_with(folder: Path) -> None:
    model = load_project(folder / "project").model
    assert model.statistics is not None
    assert model.statistics.stored == (folder / "project" / "statistics.bin").read_bytes()
    assert model.statistics.options.samples == SAMPLES
    assert [layer.operator_index for layer in model.statistics.layers] == [0]


def test_a_reset_undoes_what_was_renewed(folder: Path) -> None:
    device = EmulatedDevice(load_project(folder / "project").model)
    x = windows(20, seed=3)
    factory = device.trace_many(x)
    # Half the volume: what another microphone may do.
    found = device.observe_statistics_many((windows(SAMPLES) // 2).astype(np.int8))
    assert [o.layers_left for o in found] == [1] * (SAMPLES - 1) + [0]
    assert (device.trace_many(x) != factory).any()
    device.reset()
    np.testing.assert_array_equal(device.trace_many(x), factory)


def test_nothing_is_emitted_without_the_option(folder: Path) -> None:
    plain = folder / "plain"
    for path in [*(plain / "model").iterdir(), plain / "manifest.json"]:
        assert "statistics" not in path.read_text(), path
    assert not (plain / "statistics.bin").exists()
    without = json.loads((folder / "project" / "manifest.json").read_text())
    del without["statistics"]
    assert without == json.loads((plain / "manifest.json").read_text())


@pytest.mark.parametrize("target", ["emulator", "host"])
def test_a_model_without_named_layers_says_so(target: str, folder: Path) -> None:
    with (
        open_device(load_project(folder / "plain"), target) as device,
        pytest.raises(DeviceError, match="the model names no layers"),
    ):
        device.observe_statistics(windows(1)[0])


def test_verify_names_the_sample_at_which_a_device_parts(folder: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(folder / "project", tmp_path / "project"))
    header = project / "runtime" / "src" / "learn" / "statistics_constants.h"
    text = header.read_text()
    assert text.count("TT_SHARE_ONE 256") == 1
    header.write_text(text.replace("TT_SHARE_ONE 256", "TT_SHARE_ONE 257"))
    result = tinytrain("verify", project, "--target", "host", "--steps", 30)
    assert result.exit_code == 1
    assert f"DIFFERS: sample {SAMPLES - 1}: emulator" in result.stdout


BAD_OPTIONS = [
    (("nowhere",), r"nowhere: no operator writes a tensor of that name or index; all and these"),
    (("features",), r"features: operator 2 is RESHAPE; only int8 CONV_2D and DEPTHWISE_CONV_2D"),
    (("all", "--statistics-samples", 0), r"0 samples: 1 to 65535"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_layers_that_cannot_renew_theirs_are_refused_in_one_line(
    options: tuple[object, ...], message: str, folder: Path, tmp_path: Path
) -> None:
    arguments = ("convert", folder / "small.tflite", "--out", tmp_path / "p")
    samples = ("--samples", folder / "x.npz", "--statistics")
    result = tinytrain(*arguments, *samples, *options)
    assert result.exit_code == 2
    assert re.search(message, result.stderr), result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "p").exists()


def test_statistics_without_samples_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    result = tinytrain(
        "convert", folder / "small.tflite", "--out", tmp_path / "p", "--statistics", "all"
    )
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "give --samples" in result.stderr


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("operators", [9], "key statistics.operators"),
        ("operators", [1], "only int8 CONV_2D"),
        ("operators", [], "key statistics.operators"),
        ("operators", ["all"], "key statistics.operators"),
        ("samples", 0, "0 samples"),
        ("share", 2, "a share of 2"),
        ("share", "half", "key statistics.share"),
        ("sha256", "0", "not what the manifest says"),
    ],
)
def test_damaged_statistics_of_a_project_are_refused_in_one_line(
    key: str, value: object, message: str, folder: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(folder / "project", tmp_path / "project"))
    manifest = json.loads((project / "manifest.json").read_text())
    manifest["statistics"][key] = value
    (project / "manifest.json").write_text(json.dumps(manifest))
    result = tinytrain("verify", project, "--target", "emulator")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr


@pytest.mark.parametrize("data", [b"", b"123", b"\0" * 52, b"\xff" * 48, b"\xff\xff\xff\x7f" * 12])
def test_forged_statistics_are_refused_in_one_line(
    data: bytes, folder: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(folder / "project", tmp_path / "project"))
    manifest = json.loads((project / "manifest.json").read_text())
    manifest["statistics"]["sha256"] = sha256(data).hexdigest()
    (project / "manifest.json").write_text(json.dumps(manifest))
    (project / "statistics.bin").write_bytes(data)
    result = tinytrain("verify", project, "--target", "emulator")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
