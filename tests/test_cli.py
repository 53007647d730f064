"""The commands' fixed shapes: arguments, files, keys and exit codes that scripts rely on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from tflite_micro.python.tflite_micro.runtime import Interpreter

from tests.models import Operator, Tensor, build
from tinytrain.cli import main
from tinytrain.pipeline.flash import PARTS

COMMAND = [sys.executable, "-c", "from tinytrain.cli import main; main()"]
SHAPE, CLASSES, FEATURES = (8, 8, 2), 4, 24


def classifier() -> bytes:
    """A small convolutional classifier: a window of 8 x 8 x 2 to probabilities of 4 classes."""
    rng = np.random.default_rng(7)
    row_scale = np.array([0.004, 0.005, 0.006, 0.007])
    tensors = [
        Tensor((1, *SHAPE), scale=0.05, zero_point=-3, name="window"),
        Tensor((6, 3, 3, 2), scale=0.01, data=rng.integers(-127, 128, (6, 3, 3, 2))),
        Tensor((6,), "int32", scale=0.05 * 0.01, data=rng.integers(-500, 500, 6)),
        Tensor((1, 4, 4, 6), scale=0.05, zero_point=-128),
        Tensor((1, 2, 2, 6), scale=0.05, zero_point=-128),
        Tensor((1, FEATURES), scale=0.05, zero_point=-128, name="features"),
        Tensor((4, FEATURES), scale=row_scale, data=rng.integers(-127, 128, (4, FEATURES))),
        Tensor((4,), "int32", scale=0.05 * row_scale, data=rng.integers(-5000, 5000, 4)),
        Tensor((1, CLASSES), scale=0.15, zero_point=5, name="logits"),
        Tensor((1, CLASSES), scale=1 / 256, zero_point=-128, name="probabilities"),
    ]
    convolution = {
        "padding": "SAME",
        "strideH": 2,
        "strideW": 2,
        "dilationHFactor": 1,
        "dilationWFactor": 1,
        "fusedActivationFunction": "RELU",
    }
    pooling = {"padding": "VALID", "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    operators = [
        Operator("CONV_2D", (0, 1, 2), (3,), "Conv2DOptions", convolution),
        Operator("AVERAGE_POOL_2D", (3,), (4,), "Pool2DOptions", pooling),
        Operator("RESHAPE", (4,), (5,), "ReshapeOptions", {"newShape": [1, FEATURES]}),
        Operator("FULLY_CONNECTED", (5, 6, 7), (8,), "FullyConnectedOptions"),
        Operator("SOFTMAX", (8,), (9,), "SoftmaxOptions", {"beta": 1.0}),
    ]
    return build(tensors, operators, [0], [9])


def unsupported() -> bytes:
    """A model with two operators that no microcontroller's runtime has."""
    tensors = [Tensor((1, 4), scale=0.5, name=name) for name in ("a", "b", "c")]
    operators = [Operator("RFFT2D", (0,), (1,)), Operator("UNIQUE", (1,), (2,))]
    return build(tensors, operators, [0], [2])


def windows(count: int, seed: int = 0) -> np.ndarray:
    """Random inputs of the classifier."""
    return np.random.default_rng(seed).integers(-128, 128, (count, *SHAPE)).astype(np.int8)


def tinytrain(*arguments: object) -> Result:
    """Runs a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: object) -> Result:
    """Runs a command that must succeed."""
    result = tinytrain(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(classifier())
    return path


@pytest.fixture(scope="module")
def project(model: Path) -> Path:
    done("convert", model, "--out", model.parent / "project")
    return model.parent / "project"


@pytest.fixture(params=["emulator", "host"])
def target(request: pytest.FixtureRequest) -> str:
    if request.param == "host":
        request.getfixturevalue("require_host_gcc")
    return str(request.param)


def test_convert_writes_every_file_of_a_project(project: Path) -> None:
    files = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    assert files >= {
        "manifest.json",
        "source.tflite",
        "golden.npz",
        "Makefile",
        "model/small.c",
        "model/small.h",
        "model/model.h",
        "model/golden.c",
        "runtime/LICENSE",
        "runtime/include/tinytrain/tinytrain.h",
    }


def test_a_project_stands_alone(project: Path) -> None:
    assert not [path for path in project.rglob("*") if path.is_symlink()]


def test_the_manifest_says_what_the_model_is(model: Path, project: Path) -> None:
    manifest = json.loads((project / "manifest.json").read_text())
    assert (manifest["format"], manifest["name"]) == (2, "small")
    assert manifest["source"]["bytes"] == model.stat().st_size
    assert [entry["name"] for entry in manifest["operators"]] == [
        "CONV_2D",
        "AVERAGE_POOL_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert manifest["macs"] == 4 * 4 * 6 * 3 * 3 * 2 + CLASSES * FEATURES
    assert (manifest["head"]["classes"], manifest["head"]["features"]) == (CLASSES, FEATURES)


def test_convert_gives_the_same_files_every_time(
    model: Path, project: Path, tmp_path: Path
) -> None:
    done("convert", model, "--out", tmp_path / "again")
    for again in (tmp_path / "again").rglob("*"):
        if again.is_file():
            assert (
                again.read_bytes() == (project / again.relative_to(tmp_path / "again")).read_bytes()
            )


def test_convert_replaces_a_project_whole(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "project"
    done("convert", model, "--out", out, "--name", "first")
    done("convert", model, "--out", out, "--name", "second")
    assert {path.name for path in (out / "model").iterdir()} == {
        "second.c",
        "second.h",
        "model.h",
        "model.mk",
        "golden.c",
        "golden.h",
    }
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(("head", "operator"), [("none", None), ("logits", 3), ("8", 3)])
def test_the_head_can_be_chosen(
    head: str, operator: int | None, model: Path, tmp_path: Path
) -> None:
    done("convert", model, "--out", tmp_path / "project", "--head", head)
    entry = json.loads((tmp_path / "project" / "manifest.json").read_text())["head"]
    assert (entry and entry["operator"]) == operator


def test_samples_are_kept_and_set_the_step_size(model: Path, tmp_path: Path) -> None:
    x, y = windows(10), np.arange(10) % CLASSES
    np.savez(tmp_path / "s.npz", x=x, y=y)
    done("convert", model, "--out", tmp_path / "p", "--samples", tmp_path / "s.npz")
    kept = np.load(tmp_path / "p" / "samples.npz")
    assert np.array_equal(kept["x"], x)
    assert np.array_equal(kept["y"], y)
    assert json.loads((tmp_path / "p" / "manifest.json").read_text())["head"]["energy_measured"]


def test_infer_gives_the_outputs_of_tflite_micro(
    target: str, project: Path, tmp_path: Path
) -> None:
    x = windows(30)
    np.save(tmp_path / "x.npy", x)
    done("infer", project, "--target", target, "--input", tmp_path / "x.npy", "--output",
         tmp_path / "y.npy")  # fmt: skip
    judge = Interpreter.from_bytes(classifier())
    expected = []
    for sample in x:
        judge.set_input(sample[None], 0)
        judge.invoke()
        expected.append(judge.get_output(0)[0].copy())
    y = np.load(tmp_path / "y.npy")
    assert (y.dtype, y.shape) == (np.int8, (30, CLASSES))
    assert np.array_equal(y, np.stack(expected))


def test_learn_gives_the_head_and_a_crc_a_step(target: str, project: Path, tmp_path: Path) -> None:
    head = learn(project, target, tmp_path)
    assert {"weights", "bias", "trace"} <= set(head)
    assert (head["weights"].dtype, head["weights"].shape) == (np.int16, (CLASSES, FEATURES))
    assert (head["bias"].dtype, head["bias"].shape) == (np.int32, (CLASSES,))
    assert (head["trace"].dtype, head["trace"].shape) == (np.uint32, (60,))
    assert len(set(head["trace"].tolist())) == 60


def test_learning_changes_the_head_and_starts_from_the_factory_each_time(
    project: Path, tmp_path: Path
) -> None:
    short = learn(project, "emulator", tmp_path, steps=1)
    first, second = (learn(project, "emulator", tmp_path) for _ in range(2))
    assert not np.array_equal(short["weights"], first["weights"])
    assert np.array_equal(first["weights"], second["weights"])


def test_learn_says_in_a_line_what_became_of_the_samples(project: Path, tmp_path: Path) -> None:
    stream = tmp_path / "stream.npz"
    np.savez(stream, x=windows(40), y=np.arange(40) % CLASSES)
    text = done("learn", project, "--stream", stream, "--output", tmp_path / "h.npz").stdout
    last = text.splitlines()[-1]
    head = np.load(tmp_path / "h.npz")
    right = int((head["predicted"] == np.arange(40) % CLASSES).sum())
    assert re.match(r"\d+ learned", last)
    assert f"; {right} of 40 predicted right before learning; " in last
    assert last.endswith("at the end what was learned answers")


def test_a_stream_without_samples_is_refused(project: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=windows(0), y=np.zeros(0, int))
    result = tinytrain("learn", project, "--stream", tmp_path / "s.npz", "--output",
                       tmp_path / "h.npz")  # fmt: skip
    assert result.exit_code == 2
    assert "s.npz: no samples" in result.stderr
    assert not (tmp_path / "h.npz").exists()


def test_a_folder_that_holds_the_project_is_answered_with_its_path(project: Path) -> None:
    assert project.name == "project"
    for command in ("inspect", "bench"):
        result = tinytrain(command, project.parent)
        assert result.exit_code == 2
        assert f"did you mean {project}?" in result.stderr


def test_a_project_in_a_run_is_answered_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "run.json").write_text("{}")
    result = tinytrain("adapt", tmp_path / "project")
    assert result.exit_code == 2
    assert f"did you mean {tmp_path}?" in result.stderr


def test_heads_are_compared_in_the_emulator_only(tmp_path: Path) -> None:
    result = tinytrain("adapt", tmp_path, "--compare", "--target", "host")
    assert result.exit_code == 2
    assert "--compare --target host" in result.stderr


def test_the_host_learns_what_the_emulator_learns(
    project: Path, tmp_path: Path, require_host_gcc: None
) -> None:
    emulator, host = (learn(project, target, tmp_path) for target in ("emulator", "host"))
    for key in emulator:
        assert np.array_equal(emulator[key], host[key]), key


def learn(project: Path, target: str, directory: Path, steps: int = 60) -> dict[str, np.ndarray]:
    stream, head = directory / "stream.npz", directory / "head.npz"
    np.savez(stream, x=windows(steps), y=np.arange(steps) % CLASSES)
    done("learn", project, "--target", target, "--stream", stream, "--output", head)
    return dict(np.load(head))


def test_verify_ends_with_0_where_every_bit_agrees(target: str, project: Path) -> None:
    result = done(
        "verify", project, "--target", target, "--samples", 20, "--steps", 40, "--seed", 3
    )
    assert "20 samples, all bits equal" in result.stdout
    assert "40 steps, all bits equal" in result.stdout


INSPECTION = {"arena", "macs", "weights", "inputs", "outputs", "operators"}
ROW = {"index", "name", "output", "shape", "macs", "weights", "supported"}


def test_inspect_prints_one_json_object_of_a_model_and_of_its_project(
    model: Path, project: Path
) -> None:
    of_model, of_project = (
        json.loads(done("inspect", path, "--json").stdout) for path in (model, project)
    )
    assert set(of_model) >= INSPECTION
    assert set(of_model["operators"][0]) >= ROW
    assert of_model == of_project
    assert of_model["operators"][0]["shape"] == [1, 4, 4, 6]
    assert of_model["operators"][0]["weights"] == 6 * 3 * 3 * 2 + 6 * 4
    assert of_model["macs"] == sum(row["macs"] for row in of_model["operators"])


def test_inspect_shows_what_cannot_be_converted(tmp_path: Path) -> None:
    (tmp_path / "odd.tflite").write_bytes(unsupported())
    found = json.loads(done("inspect", tmp_path / "odd.tflite", "--json").stdout)
    assert [row["supported"] for row in found["operators"]] == [False, False]
    assert found["arena"] is None


def check_bench(found: dict[str, dict[str, object]]) -> None:
    assert set(found) >= {"instructions", "flash", "ram", "operators"}
    assert set(found["instructions"]) >= {"inference", "learn_step"}
    assert set(found["flash"]) >= {"text", "rodata", "data"}
    assert set(found["ram"]) >= {"arena", "head", "data", "bss", "stack"}
    assert len(found["operators"]) == 5
    for row in found["operators"]:
        assert set(row) >= {"index", "name", "kernel", "instructions"}


def test_bench_prints_one_json_object_even_without_a_counter(target: str, project: Path) -> None:
    found = json.loads(done("bench", project, "--target", target, "--json").stdout)
    check_bench(found)
    assert found["instructions"]["inference"] is None
    assert not re.search(r" -$", done("bench", project, "--target", target).stdout, re.M)
    assert found["ram"]["head"] == CLASSES * 16 + FEATURES * 4 + CLASSES * FEATURES * 2


@pytest.mark.slow
def test_bench_counts_on_a_cortex_m4_and_gives_the_same_counts_every_time(
    project: Path, require_arm_gcc: None, require_qemu: None
) -> None:
    first, second = (
        json.loads(done("bench", project, "--target", "cortex-m4", "--json").stdout)
        for _ in range(2)
    )
    check_bench(first)
    assert first == second
    counts = [row["instructions"] for row in first["operators"]]
    # Each is measured with a call of its own around it.
    assert abs(sum(counts) - first["instructions"]["inference"]) < 50 * len(counts)
    assert first["instructions"]["learn_step"] > 0
    for figure in (*first["flash"].values(), *first["ram"].values()):
        assert isinstance(figure, int)
    flash = first["flash"]
    assert sum(flash[part] for part in PARTS) == flash["text"] + flash["rodata"] + flash["data"]
    assert min(flash[part] for part in ("weights", "kernels", "learning", "link", "port")) > 0


@pytest.mark.slow
def test_bench_takes_several_targets_and_draws_a_bar_for_each(
    project: Path, tmp_path: Path, require_arm_gcc: None, require_qemu: None
) -> None:
    targets = ("--target", "cortex-m4", "--target", "cortex-m0")
    picture = tmp_path / "costs.png"
    found = json.loads(done("bench", project, *targets, "--json", "--picture", picture).stdout)
    assert [each["target"] for each in found["targets"]] == ["cortex-m4", "cortex-m0"]
    for each in found["targets"]:
        check_bench(each)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_what_is_not_counted_is_refused(project: Path, tmp_path: Path) -> None:
    picture = tmp_path / "costs.png"
    refused = tinytrain("bench", project, "--target", "emulator", "--picture", picture)
    assert refused.exit_code == 2
    assert "emulator has no instruction counter" in refused.output
    assert not picture.exists()


def test_targets_are_refused_before_the_first_is_built(
    project: Path, tmp_path: Path, only_make_in_path: None
) -> None:
    """Where there is no compiler, whose lack would else be told first."""
    wrong = {"host": ("--picture", tmp_path / "costs.png"), "toaster": ()}
    for target, options in wrong.items():
        targets = ("--target", "cortex-m4", "--target", target)
        refused = tinytrain("bench", project, *targets, *options)
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
        assert target in refused.stderr and "missing" not in refused.stderr


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_helps_with_an_example(name: str) -> None:
    text = done(name, "--help").stdout
    assert f"Example: tinytrain {name}" in text
    assert isinstance(main.commands[name], click.Command)
    assert main.commands[name].help


def test_the_commands_of_the_design_exist() -> None:
    stages = {"run", "train", "prune", "quantize", "convert", "verify", "report"}
    assert set(main.commands) >= stages | {"inspect", "infer", "learn", "bench", "adapt", "tasks"}


def test_tasks_names_the_task_that_is_built_in() -> None:
    assert done("tasks").stdout.startswith("watch: ")


def test_help_comes_in_less_than_300_ms() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3, times


def imported_by(*arguments: object) -> set[str]:
    """The top-level modules that a command has imported when it ends."""
    code = (
        "import sys; from tinytrain.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print('MODULES', *{name.partition('.')[0] for name in sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
    )
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("MODULES ")]
    return set(line.split()[1:])


def test_help_imports_neither_numpy_nor_tensorflow() -> None:
    assert not imported_by("--help") & {"numpy", "tensorflow", "keras", "rich", "jinja2"}


def test_convert_and_inspect_import_no_tensorflow(model: Path, tmp_path: Path) -> None:
    training = {"tensorflow", "keras", "matplotlib", "flatbuffers"}
    assert not imported_by("convert", model, "--out", tmp_path / "project") & training
    assert not imported_by("inspect", model) & training


def test_json_is_all_there_is_on_standard_output(project: Path) -> None:
    for command in (["inspect", project], ["bench", project, "--target", "emulator"]):
        result = subprocess.run(
            [*COMMAND, *map(str, command), "--json"], check=True, capture_output=True, text=True
        )
        assert isinstance(json.loads(result.stdout), dict)
        assert result.stderr == ""


def test_a_reader_that_leaves_ends_the_command_quietly(model: Path) -> None:
    command = f"{sys.executable} -c 'from tinytrain.cli import main; main()' inspect {model}"
    result = subprocess.run(
        ["bash", "-c", f"{command} | true"], check=False, capture_output=True, text=True
    )
    assert result.stderr == ""
