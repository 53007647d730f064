"""Statistics without labels, from `convert --statistics` to the device and back."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.reference_models import reference_model
from tests.models import Operator, Tensor
from tests.models import build as build_tflite
from tests.test_cli import CLASSES, classifier, done, tinytrain, windows
from tinytrain.device.build import build
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.opening import open_device
from tinytrain.errors import DeviceError, InputError
from tinytrain.operators.convolution import Convolution
from tinytrain.operators.table import require_kernels
from tinytrain.project import load_project
from tinytrain.statistics import TRIAL, Standing, StatisticsOptions, find_layers

SAMPLES = 7
DEEP_SHAPE, DEEP_CLASSES = (8, 8, 4), 3
DEEP_LAYERS = (
    ("CONV_2D", (8, 3, 3, 4), (8, 8, 8)),
    # Two outputs an input: no fast kernel.
    ("DEPTHWISE_CONV_2D", (1, 3, 3, 16), (4, 4, 16)),
    ("CONV_2D", (12, 1, 1, 16), (4, 4, 12)),
    ("DEPTHWISE_CONV_2D", (1, 3, 3, 12), (4, 4, 12)),
)
"""Shapes of weights and outputs."""


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
    assert "statistics without labels: 1 layers, 192 bytes of RAM, and 72 for parameters" in text
    for guard in ("none", "confidence"):
        done(*convert, folder / guard, *options, "--statistics-guard", guard)
    return folder


def deep() -> bytes:
    """A classifier of DEEP_LAYERS."""
    rng = np.random.default_rng(11)
    tensors = [Tensor((1, *DEEP_SHAPE), scale=0.05, zero_point=3)]
    operators = []

    def weighted(kind: str, weights: tuple[int, ...], output: tuple[int, ...], taps: int,
                 table: str, options: dict[str, Any]) -> None:  # fmt: skip
        # Products vary by about 5400 and outputs, of the inputs' scale, by 40.
        first, scale = len(tensors), 1 / (135 * taps**0.5)
        bias = rng.integers(-500, 500, output[-1])
        tensors.extend((
            Tensor(weights, scale=scale, data=rng.integers(-127, 128, weights)),
            Tensor(bias.shape, "int32", scale=0.05 * scale, data=bias),
            Tensor((1, *output), scale=0.05, zero_point=-3),
        ))  # fmt: skip
        operators.append(
            Operator(kind, (first - 1, first, first + 1), (first + 2,), table, options)
        )

    for kind, weights, output in DEEP_LAYERS:
        stride = tensors[-1].shape[1] // output[0]
        options = {"padding": "SAME", "strideH": stride, "strideW": stride,
                   "dilationHFactor": 1, "dilationWFactor": 1}  # fmt: skip
        if kind == "CONV_2D":
            weighted(kind, weights, output, int(np.prod(weights[1:])), "Conv2DOptions", options)
        else:
            options["depthMultiplier"] = output[2] // tensors[-1].shape[3]
            weighted(kind, weights, output, 9, "DepthwiseConv2DOptions", options)
    image, features = len(tensors) - 1, int(np.prod(tensors[-1].shape))
    tensors.append(Tensor((1, features), scale=0.05, zero_point=-3))
    operators.append(Operator("RESHAPE", (image,), (image + 1,), "ReshapeOptions",
                              {"newShape": [1, features]}))  # fmt: skip
    weighted("FULLY_CONNECTED", (DEEP_CLASSES, features), (DEEP_CLASSES,), features,
             "FullyConnectedOptions", {})  # fmt: skip
    tensors.append(Tensor((1, DEEP_CLASSES), scale=1 / 256, zero_point=-128))
    last = len(tensors) - 1
    operators.append(Operator("SOFTMAX", (last - 1,), (last,), "SoftmaxOptions", {"beta": 1.0}))
    return build_tflite(tensors, operators, [0], [last])


@pytest.fixture(scope="module")
def deep_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Projects that renew all of DEEP_LAYERS: a folder for each optimization, and one for a trial
    of what is optimized for speed."""
    folder = tmp_path_factory.mktemp("deep")
    (folder / "deep.tflite").write_bytes(deep())
    x = np.random.default_rng(1).integers(-100, 100, (60, *DEEP_SHAPE)).astype(np.int8)
    np.savez(folder / "x.npz", x=x)
    options = ("--statistics", "all", "--statistics-samples", SAMPLES, "--samples")
    for name, optimize, guard in (
        ("speed", "speed", "none"), ("size", "size", "none"), ("trial", "speed", "confidence"),
    ):  # fmt: skip
        done("convert", folder / "deep.tflite", "--out", folder / name, *options, folder / "x.npz",
             "--optimize", optimize, "--statistics-guard", guard)  # fmt: skip
    return folder


def quiet(count: int) -> NDArray[np.int8]:
    """Half the volume: what another microphone may do."""
    return (windows(count, seed=5) // 2).astype(np.int8)


def emulated(project: Path) -> EmulatedDevice:
    return EmulatedDevice(load_project(project).model)


def classes_by(folder: Path, renewed: bool) -> list[int]:
    """What the head takes the quiet windows for, with the factory's or the renewed statistics."""
    device = emulated(folder / "none")
    if renewed:
        device.observe_statistics_many(quiet(SAMPLES))
    return [int(label) for label in device.classify_many(quiet(100))]


def trial(folder: Path, labels: list[int]) -> tuple[EmulatedDevice, list[Standing]]:
    """A device whose renewed statistics are judged, and where they stood after each sample."""
    device = emulated(folder / "project")
    device.observe_statistics_many(quiet(SAMPLES))
    judged = [device.judge_statistics(x, y) for x, y in zip(quiet(100), labels, strict=True)]
    return device, [Standing(found.standing) for found in judged]


@pytest.mark.parametrize("target", ["host", "cortex-m4", "cortex-m0"])
def test_a_device_renews_its_statistics_as_the_emulator_does(
    target: str, folder: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    text = done("verify", folder / "project", "--target", target, "--steps", 30).stdout
    assert f"statistics: {2 * SAMPLES + 30} samples, all bits equal" in text


def test_layers_whose_statistics_are_renewed_have_fast_kernels(deep_folder: Path) -> None:
    fast = ["tt_fast_conv_2d", "tt_depthwise_conv_2d", "tt_fast_conv_2d",
            "tt_fast_depthwise_conv_2d"]  # fmt: skip
    plain = ["tt_conv_2d", "tt_depthwise_conv_2d"] * 2
    channels, widest = (8, 16, 12, 12), 16
    for optimize, kernels, wide in (("speed", fast, 32), ("size", plain, 0)):
        model = load_project(deep_folder / optimize).model
        assert [variant.kernel for variant in model.variants[:4]] == kernels
        manifest = json.loads((deep_folder / optimize / "manifest.json").read_text())
        assert manifest["statistics"]["bytes"] == 16 * widest + 9 * sum(channels) + 7 * wide


@pytest.mark.parametrize("optimize", ["speed", "size"])
def test_what_statistics_take_of_the_ram_is_shown(
    optimize: str, deep_folder: Path, require_arm_gcc: None
) -> None:
    project = deep_folder / optimize
    manifest = json.loads((project / "manifest.json").read_text())["statistics"]["bytes"]
    shown = json.loads(done("bench", project, "--target", "emulator", "--json").stdout)
    assert shown["ram"]["statistics"] == manifest
    text = done("bench", project, "--target", "emulator").stdout
    assert re.search(rf"RAM: statistics, bytes +{manifest:,}\n", text)
    symbols = subprocess.run(
        ["arm-none-eabi-nm", "--print-size", build(project, "cortex-m4") / "device"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    structs = re.findall(r"^\w+ (\w+) d deep_\d+_\w+$", symbols, re.M)
    assert len(structs) == len(DEEP_LAYERS)
    assert (
        sum(int(size, 16) for size in structs) == load_project(project).model.renewed_struct_bytes
    )


@pytest.mark.parametrize(
    ("optimize", "target"),
    [("speed", "host"), ("speed", "cortex-m0"), ("speed", "cortex-m4"), ("speed", "cortex-m33"),
     ("speed", "cortex-m55"), ("size", "host"), ("size", "cortex-m4"), ("trial", "host"),
     ("trial", "cortex-m4")],
)  # fmt: skip
def test_fast_and_plain_kernels_of_renewed_layers_give_the_emulators_bits(
    optimize: str, target: str, deep_folder: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    project = load_project(deep_folder / optimize)
    reference = EmulatedDevice(project.model)
    x = np.random.default_rng(2).integers(-50, 90, (5 * SAMPLES, *DEEP_SHAPE)).astype(np.int8)
    with open_device(project, target) as device:
        factory, _ = (body.trace_many(x) for body in (reference, device))
        ours, theirs = (body.observe_statistics_many(x) for body in (reference, device))
        assert ours == theirs
        assert ours[-1].layers_left == 0
        assert ours[-1].judges == (SAMPLES if optimize == "trial" else 0)
        renewed = reference.trace_many(x)
        np.testing.assert_array_equal(device.trace_many(x), renewed)
        if ours[-1].standing == Standing.TAKEN:
            assert (renewed != factory).any(axis=0)[: len(DEEP_LAYERS)].all()
        for body in (reference, device):
            body.roll_back(0)
        np.testing.assert_array_equal(device.trace_many(x), factory)


@pytest.mark.parametrize("guard", ["project", "confidence", "none"])
@pytest.mark.parametrize("target", ["host", "cortex-m4", "cortex-m0"])
def test_a_device_judges_its_statistics_as_the_emulator_does(
    target: str, guard: str, folder: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    project = load_project(folder / guard)
    reference = EmulatedDevice(project.model)
    x = quiet(60)
    standings = set()
    with open_device(project, target) as device:
        for renewed in (True, False):
            labels = classes_by(folder, renewed)
            for body in (reference, device):
                body.reset()
            observed = [
                body.observe_statistics_many(x[: SAMPLES + 3]) for body in (reference, device)
            ]
            assert observed[0] == observed[1]
            # One teaches the head: samples are judged by what answers.
            assert reference.learn(x[0], 1) == device.learn(x[0], 1)
            for sample, label in zip(x, labels, strict=False):
                ours = reference.judge_statistics(sample, label)
                assert ours == device.judge_statistics(sample, label)
                standings.add(ours.standing)
            ours, theirs = (
                body.observe_statistics_many(x[:SAMPLES]) for body in (reference, device)
            )
            assert ours == theirs
            np.testing.assert_array_equal(reference.infer_many(x), device.infer_many(x))
            for body in (reference, device):
                body.roll_back(0)
            np.testing.assert_array_equal(reference.trace_many(x), device.trace_many(x))
    assert Standing.TAKEN in standings
    assert guard == "none" or {Standing.TRIAL, Standing.REFUSED} <= standings


def test_renewed_statistics_answer_once_labelled_samples_find_them_better(folder: Path) -> None:
    factory = emulated(folder / "project").trace_many(quiet(100))
    device, standings = trial(folder, classes_by(folder, renewed=True))
    assert standings[0] == Standing.TRIAL
    assert standings[-1] == Standing.TAKEN
    assert (device.trace_many(quiet(100)) != factory).any()
    device.roll_back(0)
    np.testing.assert_array_equal(device.trace_many(quiet(100)), factory)


def test_renewed_statistics_that_do_worse_are_refused(folder: Path) -> None:
    factory = emulated(folder / "project").trace_many(quiet(100))
    device, standings = trial(folder, classes_by(folder, renewed=False))
    assert Standing.TAKEN not in standings
    assert standings[-1] == Standing.REFUSED
    np.testing.assert_array_equal(device.trace_many(quiet(100)), factory)
    later = device.observe_statistics_many(quiet(SAMPLES))
    assert {found.standing for found in later} == {Standing.REFUSED}


def test_without_a_label_the_factorys_statistics_answer(folder: Path) -> None:
    device = emulated(folder / "project")
    factory = device.trace_many(quiet(20))
    last = device.observe_statistics_many(quiet(20 * SAMPLES))[-1]
    assert (last.standing, last.judges) == (Standing.TRIAL, 0)
    np.testing.assert_array_equal(device.trace_many(quiet(20)), factory)


def test_confidence_decides_after_as_many_samples_as_a_layer_looks_at(folder: Path) -> None:
    device = emulated(folder / "confidence")
    found = device.observe_statistics_many(quiet(2 * SAMPLES))
    assert [o.standing for o in found[SAMPLES - 1 : -1]] == [Standing.TRIAL] * SAMPLES
    assert found[-1].standing in (Standing.TAKEN, Standing.REFUSED)
    assert found[-1].judges == SAMPLES


def test_the_first_label_outweighs_confidence(folder: Path) -> None:
    device = emulated(folder / "confidence")
    assert device.observe_statistics_many(quiet(SAMPLES + 3))[-1].judges == 3
    assert device.judge_statistics(quiet(1)[0], 0).judges == 1
    assert device.observe_statistics_many(quiet(SAMPLES))[-1].judges == 1


def judged_alike(folder: Path) -> tuple[NDArray[np.int8], int]:
    """A sample and a label on which both sets of statistics lose as much."""
    for x in quiet(100):
        for label in range(CLASSES):
            device = emulated(folder / "project")
            device.observe_statistics_many(quiet(SAMPLES))
            if device.judge_statistics(x, label).gain == 0:
                return x, label
    raise AssertionError


@pytest.mark.parametrize("target", ["emulator", "host"])
def test_a_trial_without_a_result_ends_in_refusal(target: str, folder: Path) -> None:
    x, label = judged_alike(folder)
    with open_device(load_project(folder / "project"), target) as device:
        device.observe_statistics_many(quiet(SAMPLES))
        standings = [device.judge_statistics(x, label).standing for _ in range(TRIAL.samples)]
    assert standings == [Standing.TRIAL] * (TRIAL.samples - 1) + [Standing.REFUSED]


@pytest.mark.parametrize("target", ["emulator", "host"])
def test_a_label_that_the_head_does_not_have_is_refused(target: str, folder: Path) -> None:
    project = load_project(folder / "project")
    with (
        open_device(project, target) as device,
        pytest.raises(DeviceError, match="the label is not one of the head's classes"),
    ):
        device.judge_statistics(quiet(1)[0], 99)


@pytest.mark.parametrize(("name", "linked"), [("plain", False), ("project", True)])
def test_only_a_model_that_names_layers_links_the_code(
    name: str, linked: bool, folder: Path, require_target: Callable[[str], None]
) -> None:
    require_target("cortex-m0")
    program = build(folder / name, "cortex-m0") / "device"
    symbols = subprocess.run(
        ["arm-none-eabi-nm", program], check=True, capture_output=True, text=True
    ).stdout
    for symbol in ("tt_statistics_observe", "tt_statistics_judge", "tt_statistics_undo",
                   "tt_guard_judge", "tt_isqrt64"):  # fmt: skip
        assert (re.search(rf"\b{symbol}\b", symbols) is not None) == linked, symbol
    # Nor is a learner, which shares the guard.
    assert "tt_learner_learn" not in symbols


def test_a_project_read_back_has_the_statistics_it_was_made_with(folder: Path) -> None:
    model = load_project(folder / "project").model
    assert model.statistics is not None
    assert model.statistics.stored == (folder / "project" / "statistics.bin").read_bytes()
    assert model.statistics.options.samples == SAMPLES
    assert [layer.operator_index for layer in model.statistics.layers] == [0]


def test_a_reset_undoes_what_was_renewed(folder: Path) -> None:
    device = emulated(folder / "none")
    x = windows(20, seed=3)
    factory = device.trace_many(x)
    found = device.observe_statistics_many(quiet(SAMPLES))
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
    with_defaults = json.loads((plain / "manifest.json").read_text())
    del without["statistics"]
    # A layer whose statistics are renewed has a kernel of its own.
    for operator in (*without["operators"], *with_defaults["operators"]):
        del operator["kernel"]
    assert without == with_defaults


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
    (("nowhere",), r"nowhere: no operator writes a tensor of that name or index; give all, or "),
    (("all,features",), r"'all,features': all stands alone"),
    ((",",), r"',': a name is empty"),
    (("3 , nowhere",), r": nowhere: no operator"),
    (("features",), r"features: operator 2 is RESHAPE; only int8 CONV_2D and DEPTHWISE_CONV_2D"),
    (("all", "--statistics-samples", 0), r"0 samples: 1 to 65535"),
    (("all", "--statistics-guard", "luck"), r"guard 'luck': one of none, labels, confidence"),
    (("all", "--head", "none"), r"no learning head judges them; .*--statistics-guard none"),
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


@pytest.mark.parametrize("option", [("--statistics-guard", "none"), ("--statistics-samples", 50)])
def test_options_of_statistics_without_statistics_are_refused(
    option: tuple[object, ...], folder: Path, tmp_path: Path
) -> None:
    result = tinytrain("convert", folder / "small.tflite", "--out", tmp_path / "p", *option)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"{option[0]}: " in result.stderr and "give --statistics\n" in result.stderr
    assert not (tmp_path / "p").exists()


def test_layers_are_found_by_the_index_that_inspect_shows(
    deep_folder: Path, tmp_path: Path
) -> None:
    rows = json.loads(done("inspect", deep_folder / "deep.tflite", "--json").stdout)["operators"]
    indices = [row["tensor"] for row in rows[:2]]
    shown = done("inspect", deep_folder / "deep.tflite", "--kernels").stdout
    assert re.search(rf"^ *1  DEPTHWISE_CONV_2D +{indices[1]}  tt_", shown, re.M)
    done("convert", deep_folder / "deep.tflite", "--out", tmp_path / "p", "--samples",
         deep_folder / "x.npz", "--statistics", f" {indices[1]} , {indices[0]}")  # fmt: skip
    statistics = load_project(tmp_path / "p").model.statistics
    assert statistics is not None
    assert [layer.operator_index for layer in statistics.layers] == [0, 1]


def test_a_refusal_names_the_layers_that_there_are_in_a_short_line(
    deep_folder: Path, tmp_path: Path
) -> None:
    graph = load_project(deep_folder / "speed").model.graph
    named = [replace(tensor, name=f"{i}" * 200) for i, tensor in enumerate(graph.tensors)]
    long = replace(graph, tensors=tuple(named))
    with pytest.raises(InputError) as refused:
        find_layers(long, require_kernels(long), StatisticsOptions(("nowhere",)), True)
    said = str(refused.value)
    assert len(said) < 300
    outputs = [operator.outputs[0] for operator in graph.operators[: len(DEEP_LAYERS)]]
    assert re.findall(r"\b(\d+)(?: \(|,|$)", said.partition("among")[2]) == list(map(str, outputs))


def test_too_many_pixels_for_the_samples_are_the_reason_of_all_layers(deep_folder: Path) -> None:
    graph = load_project(deep_folder / "speed").model.graph
    kernels = [
        replace(k, parameters=replace(k.parameters, output_height=1 << 16))
        if isinstance(k.parameters, Convolution)
        else k
        for k in require_kernels(graph)
    ]
    for layers in (("all",), (str(kernels[0].outputs[0]),)):
        with pytest.raises(InputError, match=r"operator 0 has \d+ pixels; with 60000 samples"):
            find_layers(graph, kernels, StatisticsOptions(layers, 60_000), True)


def test_where_no_layer_can_renew_its_own_that_is_said_first(tmp_path: Path) -> None:
    (tmp_path / "ad.tflite").write_bytes(reference_model("ad"))
    for guard in ("labels", "none"):
        result = tinytrain("convert", tmp_path / "ad.tflite", "--out", tmp_path / "p",
                           "--statistics", "all", "--statistics-guard", guard)  # fmt: skip
        assert result.exit_code == 2
        assert "no layer is an int8 CONV_2D" in result.stderr


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
        ("guard", 1, "key statistics.guard"),
        ("guard", "luck", "guard 'luck'"),
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
