"""Bad input and wrong use end with exit code 2 and one line, and change no file."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.models import Operator, Tensor, build
from tests.test_cli import CLASSES, COMMAND, classifier, done, unsupported, windows
from tinytrain.cli import main
from tinytrain.errors import InputError
from tinytrain.pipeline.runs import read_data, start_run
from tinytrain.progress import silent
from tinytrain.project import read_arrays
from tinytrain.training import checkpoint
from tinytrain.training.task_file import find_task, task_text

Manifest = dict[str, Any]


def float_model() -> bytes:
    tensors = [Tensor((1, 4), "float32", name="in"), Tensor((1, 4), "float32", name="out")]
    return build(tensors, [Operator("SOFTMAX", (0,), (1,), "SoftmaxOptions")], [0], [1])


def write_streams(folder: Path) -> None:
    """Streams of four samples, each with one thing wrong."""
    x, y = windows(4), np.arange(4)
    streams: dict[str, dict[str, Any]] = {
        "good": {"x": x, "y": y},
        "no_y": {"x": x},
        "no_x": {"y": y},
        "nothing": {},
        "no_samples": {"x": x[:0], "y": y[:0]},
        "label_4": {"x": x, "y": np.array([0, 1, 2, 4])},
        "label_minus_1": {"x": x, "y": np.array([0, -1, 2, 3])},
        "label_huge": {"x": x, "y": np.array([0, 1, 2, 2**64 - 1], np.uint64)},
        "y_float": {"x": x, "y": y.astype(float)},
        "y_short": {"x": x, "y": y[:3]},
        "y_column": {"x": x, "y": y[:, None]},
        "x_float": {"x": x.astype(np.float32), "y": y},
        "x_uint8": {"x": x.view(np.uint8), "y": y},
        "x_short": {"x": x[:, 1:], "y": y},
        "x_scalar": {"x": np.int8(1), "y": y},
        "x_flat": {"x": x.reshape(4, -1), "y": y},
        "pickle": {"x": np.array([{}, 1], object), "y": y},
    }
    for name, arrays in streams.items():
        np.savez(folder / f"{name}.npz", **arrays)
    np.save(folder / "x.npy", x)
    np.savez_compressed(folder / "packed.npz", x=x, y=y)
    packed = bytearray((folder / "packed.npz").read_bytes())
    packed[90] ^= 0x55
    (folder / "packed.npz").write_bytes(packed)
    (folder / "zip.npz").write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(folder / "texts.npz", "w") as archive:
        archive.writestr("x", "no array")
    header = b"{'descr': '|i1', 'fortran_order': False, 'shape': (99999999999999, 8, 8, 2), }"
    (folder / "forged.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.ljust(117) + b"\n")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good model and its project, and with whatever is bad."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "small.tflite").write_bytes(classifier())
    (folder / "float.tflite").write_bytes(float_model())
    (folder / "odd.tflite").write_bytes(unsupported())
    (folder / "empty.tflite").touch()
    (folder / "half.tflite").write_bytes(classifier()[:700])
    (folder / "text").write_text("a file, no folder and no model\n")
    (folder / "folder").mkdir()
    (folder / "foreign").mkdir()
    (folder / "foreign" / "thesis.txt").write_text("years of work\n")
    (folder / "link").symlink_to("folder")
    write_streams(folder)
    done("convert", folder / "small.tflite", "--out", folder / "project")
    done("convert", folder / "small.tflite", "--out", folder / "headless", "--head", "none")
    (folder / "run").mkdir()
    (folder / "run" / "run.json").write_text('{"seed": 0}')
    (folder / "run" / "task.toml").write_text(task_text(find_task("watch")))
    return folder


@pytest.fixture
def here(material: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(material)
    return material


@pytest.fixture
def project(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, to be damaged; the current folder is the one that holds it."""
    shutil.copytree(material / "project", tmp_path / "project")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "project"


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below `folder`, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def refuse(arguments: list[str], *parts: str) -> None:
    """The command is refused with one line that holds `parts`, and leaves everything as it was."""
    before = contents(Path.cwd())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert "defect" not in lines[0]
    for part in parts:
        assert part in lines[0]
    assert contents(Path.cwd()) == before


CONVERT = "convert small.tflite --out new"
MODELS = {
    "convert none.tflite --out new": ("none.tflite", "No such file"),
    "convert folder --out new": ("folder", "Is a directory"),
    "convert empty.tflite --out new": ("empty.tflite", "not a TFL3 file"),
    "convert text --out new": ("text", ".tflite", ".onnx", ".keras"),
    "convert half.tflite --out new": ("half.tflite", "damaged"),
    "convert float.tflite --out new": ("float.tflite", "'in'", "float32", "int8"),
    "convert odd.tflite --out new": ("operator 0 (RFFT2D)", "operator 1 (UNIQUE)", "'b'", "'c'"),
    "convert none --out new": ("none", "No such file"),
    "inspect none.tflite": ("none.tflite", "No such file"),
    "inspect none": ("none", "No such file"),
    "inspect text": ("text", ".tflite", ".onnx"),
}
PLACES = {
    "convert small.tflite --out text/new": ("text/new", "cannot write"),
    "convert small.tflite --out text": ("text", "not a directory"),
    "convert small.tflite --out none/../text": ("text", "not a directory"),
    "convert small.tflite --out foreign": ("foreign", "manifest.json", "--out"),
    "convert small.tflite --out link": ("link", "is a link"),
    "convert small.tflite --out .": ("current directory",),
    "convert small.tflite --out ..": ("current directory",),
    "run watch --out text/new": ("text/new", "cannot write"),
    "train watch --out foreign": ("foreign", "run.json", "--out"),
    "train watch --out project": ("project", "run.json", "--out"),
    "infer project --input x.npy --output text/y.npy": ("text/y.npy", "cannot write"),
    "infer project --input x.npy --output none/y.npy": ("none/y.npy", "cannot write"),
    "infer project --input x.npy --output folder": ("folder", "is a directory"),
    "infer project --input x.npy --output /dev/null": ("/dev/null", "regular file"),
    "learn project --stream good.npz --output text/h.npz": ("text/h.npz", "cannot write"),
}
CHOICES = {
    f"{CONVERT} --head nothing": ("--head nothing", "8 'logits'"),
    f"{CONVERT} --head 9": ("--head 9", "SOFTMAX", "FULLY_CONNECTED"),
    f"{CONVERT} --name 9lives": ("--name 9lives", "a letter first"),
    f"{CONVERT} --name Capital": ("--name Capital",),
    f"{CONVERT} --name int": ("--name int", "keyword"),
    f"{CONVERT} --name {'a' * 33}": ("--name", "32"),
    f"{CONVERT} --eta 0": ("eta 0",),
    f"{CONVERT} --eta nan": ("eta nan",),
    f"{CONVERT} --eta 17": ("eta 17", "16"),
    f"{CONVERT} --eta much": ("--eta", "much"),
    f"{CONVERT} --tau -0.1": ("tau -0.1",),
    f"{CONVERT} --tau 1.1": ("tau 1.1",),
    f"{CONVERT} --rows 0": ("rows 0",),
    f"{CONVERT} --rows -1": ("rows -1",),
    "verify project --target toaster": ("toaster", "emulator, host, cortex-m0, cortex-m4"),
    "verify project --target serial:": ("serial:", "choose"),
    "verify project --target serial:/dev/none": ("/dev/none",),
    "verify project --samples -1": ("-1", "negative"),
    "verify project --steps -1": ("-1", "negative"),
    "verify project --seed -1": ("--seed", "-1"),
    "infer project --target toaster --input x.npy --output y.npy": ("toaster",),
    "learn project --target toaster --stream good.npz --output h.npz": ("toaster",),
    "bench project --target toaster --json": ("toaster",),
    "run toast --out new": ("toast", "watch"),
    "train toast --out new": ("toast", "watch"),
    "run watch --out new --target toaster": ("toaster",),
    "run watch --out new --seed -1": ("--seed", "-1"),
    "adapt run --target toaster": ("toaster",),
    "toast": ("toast", "--help"),
    "--toast": ("--toast", "--help"),
    "convert small.tflite": ("--out", "convert --help"),
    "convert --out new": ("MODEL",),
    f"{CONVERT} --toast": ("--toast",),
}
FOLDERS = {
    "verify none": ("none", "manifest.json", "tinytrain convert"),
    "verify folder": ("folder", "manifest.json", "tinytrain convert"),
    "verify small.tflite": ("small.tflite", "not a project"),
    "infer none --input x.npy --output y.npy": ("none", "not a project"),
    "learn none --stream good.npz --output h.npz": ("none", "not a project"),
    "bench none --json": ("none", "not a project"),
    "inspect folder": ("folder", "not a project"),
    "prune folder": ("folder", "run.json", "tinytrain train"),
    "quantize folder": ("folder", "run.json", "tinytrain train"),
    "adapt folder": ("folder", "run.json", "tinytrain train"),
    "report folder": ("folder", "run.json", "tinytrain train"),
    "prune run": ("float.keras", "tinytrain train"),
    "quantize run": ("pruned.keras", "tinytrain prune"),
    "adapt run": ("run/project", "not a project"),
    "report run": ("float.json", "missing"),
}
STREAMS = {
    "none.npz": ("none.npz", "No such file"),
    "folder": ("folder", "Is a directory"),
    "text": ("text", ".npz"),
    "x.npy": ("x.npy", "no array y"),
    "no_y.npz": ("no_y.npz", "no array y"),
    "no_x.npz": ("no_x.npz", "no array x", "found y"),
    "nothing.npz": ("nothing.npz", "no array x"),
    "label_4.npz": ("label 4 of sample 3", f"0 to {CLASSES - 1}"),
    "label_minus_1.npz": ("label -1 of sample 1", f"0 to {CLASSES - 1}"),
    "label_huge.npz": ("label 18446744073709551615 of sample 3",),
    "y_float.npz": ("y is float64", "(4,) integers"),
    "y_short.npz": ("y is int64 of shape (3,)", "(4,)"),
    "y_column.npz": ("y is int64 of shape (4, 1)", "(4,)"),
    "x_float.npz": ("x is float32", "int8", "(n, 8, 8, 2)"),
    "x_uint8.npz": ("x is uint8", "int8"),
    "x_short.npz": ("x has shape (4, 7, 8, 2)", "(n, 8, 8, 2)"),
    "x_scalar.npz": ("x has shape ()", "(n, 8, 8, 2)"),
    "x_flat.npz": ("x has shape (4, 128)", "(n, 8, 8, 2)"),
    "pickle.npz": ("pickle.npz", "plain numbers"),
    "packed.npz": ("packed.npz", "not a readable"),
    "zip.npz": ("zip.npz", "not a readable"),
    "texts.npz": ("texts.npz", "x is no array"),
    "forged.npy": ("forged.npy", "not a readable"),
}


@pytest.mark.parametrize("command", MODELS)
def test_a_bad_model_is_refused(command: str, here: Path) -> None:
    refuse(command.split(), *MODELS[command])


@pytest.mark.parametrize("command", PLACES)
def test_a_bad_place_for_the_output_is_refused(command: str, here: Path) -> None:
    refuse(command.split(), *PLACES[command])


@pytest.mark.parametrize("command", CHOICES)
def test_a_bad_argument_is_refused(command: str, here: Path) -> None:
    refuse(command.split(), *CHOICES[command])


@pytest.mark.parametrize("command", FOLDERS)
def test_a_folder_that_is_not_what_is_needed_is_refused(command: str, here: Path) -> None:
    refuse(command.split(), *FOLDERS[command])


@pytest.mark.parametrize("stream", STREAMS)
def test_a_bad_stream_is_refused(stream: str, here: Path) -> None:
    refuse(["learn", "project", "--stream", stream, "--output", "head.npz"], *STREAMS[stream])


@pytest.mark.parametrize("stream", sorted(STREAMS.keys() - {"x.npy", "no_y.npz"}))
def test_bad_samples_are_refused_by_convert(stream: str, here: Path) -> None:
    refuse([*CONVERT.split(), "--samples", stream], *STREAMS[stream])


def test_convert_needs_at_least_one_sample(here: Path) -> None:
    refuse([*CONVERT.split(), "--samples", "no_samples.npz"], "no_samples.npz", "no samples")


@pytest.mark.parametrize("source", ["x_float.npz", "x_short.npz", "pickle.npz", "forged.npy"])
def test_bad_inputs_are_refused_by_infer(source: str, here: Path) -> None:
    refuse(["infer", "project", "--input", source, "--output", "y.npy"], source)


def test_a_model_without_a_head_cannot_learn(here: Path) -> None:
    refuse("learn headless --stream good.npz --output h.npz".split(), "headless", "--head")


def test_an_existing_output_survives_a_refusal(project: Path, material: Path) -> None:
    Path("head.npz").write_bytes(b"an earlier head")
    stream = str(material / "label_4.npz")
    refuse(["learn", "project", "--stream", stream, "--output", "head.npz"], "label 4")


def test_nothing_at_all_shows_the_help() -> None:
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "Commands:" in result.output


MANIFESTS: dict[str, tuple[Callable[[Manifest], object], tuple[str, ...]]] = {
    "no_format": (lambda m: m.pop("format"), ("format is missing",)),
    "other_format": (lambda m: m.update(format=1), ("format 1", "2 is supported")),
    "text_format": (lambda m: m.update(format="1"), ("format", "'1'")),
    "no_ram": (lambda m: m.pop("ram"), ("ram is missing",)),
    "no_budget": (lambda m: m.update(ram=0), ("ram is 0",)),
    "other_ram": (lambda m: m.update(ram="40k"), ("ram is", "int")),
    "no_optimize": (lambda m: m.pop("optimize"), ("optimize is missing",)),
    "other_optimize": (lambda m: m.update(optimize="best"), ("optimize is 'best'", "balanced")),
    "no_name": (lambda m: m.pop("name"), ("name is missing",)),
    "number_name": (lambda m: m.update(name=5), ("name is 5",)),
    "injected_name": (lambda m: m.update(name="a; b"), ("name is 'a; b'",)),
    "no_source": (lambda m: m.pop("source"), ("source.format is missing",)),
    "text_source": (lambda m: m.update(source="x"), ("source.format is missing",)),
    "foreign_source": (lambda m: m["source"].update(format="../x"), ("'../x'", "tflite, onnx")),
    "other_source": (lambda m: m["source"].update(format="onnx"), ("source.onnx", "No such file")),
    "number_hash": (lambda m: m["source"].update(sha256=5), ("source.sha256 is 5",)),
    "other_hash": (lambda m: m["source"].update(sha256="0" * 64), ("SHA-256",)),
    "no_head_key": (lambda m: m.pop("head"), ("head is missing",)),
    "list_head": (lambda m: m.update(head=[]), ("head is []",)),
    "empty_head": (lambda m: m.update(head={}), ("head.operator is missing",)),
    "head_beyond": (lambda m: m["head"].update(operator=99), ("99", "5 operators")),
    "head_before": (lambda m: m["head"].update(operator=-1), ("-1", "5 operators")),
    "head_elsewhere": (lambda m: m["head"].update(operator=0), ("CONV_2D", "FULLY_CONNECTED")),
    "true_operator": (lambda m: m["head"].update(operator=True), ("head.operator is True",)),
    "text_eta": (lambda m: m["head"].update(eta="1"), ("head.eta is '1'",)),
    "large_eta": (lambda m: m["head"].update(eta=99), ("eta 99",)),
    "list_tau": (lambda m: m["head"].update(tau=[1]), ("head.tau is [1]",)),
    "half_rows": (lambda m: m["head"].update(rows=1.5), ("head.rows is 1.5",)),
    "no_energy": (lambda m: m["head"].update(energy=0), ("head.energy is 0",)),
    "tiny_energy": (lambda m: m["head"].update(energy=1e-300), ("head.energy",)),
    "endless_energy": (lambda m: m["head"].update(energy=float("inf")), ("head.energy is inf",)),
}


@pytest.mark.parametrize("damage", MANIFESTS)
def test_a_damaged_manifest_is_refused(damage: str, project: Path) -> None:
    change, parts = MANIFESTS[damage]
    manifest = json.loads((project / "manifest.json").read_text())
    change(manifest)
    (project / "manifest.json").write_text(json.dumps(manifest))
    refuse(["verify", "project"], *parts)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "\xff", "[" * 100_000])
def test_a_manifest_that_is_no_object_is_refused(text: str, project: Path) -> None:
    (project / "manifest.json").write_text(text, encoding="latin-1")
    refuse(["verify", "project"], "project/manifest.json", "convert the model again")


@pytest.fixture(params=range(0, 8 * len(classifier()), 8 * 131 + 3))
def bit(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_a_source_with_one_bit_changed_is_refused_by_its_hash(bit: int, project: Path) -> None:
    source = bytearray((project / "source.tflite").read_bytes())
    source[bit // 8] ^= 1 << bit % 8
    (project / "source.tflite").write_bytes(source)
    refuse(["inspect", "project"], "project/source.tflite", "SHA-256")


def test_a_project_without_its_source_is_refused(project: Path) -> None:
    (project / "source.tflite").unlink()
    refuse(["verify", "project"], "project/source.tflite", "No such file")


def test_a_project_whose_samples_are_damaged_is_refused(project: Path) -> None:
    for x in (windows(4)[:, 1:], windows(0)):
        np.savez(project / "samples.npz", x=x, y=np.zeros(len(x), np.int64))
        refuse(["verify", "project"], "project/samples.npz")


RUNS = ["", "[]", "{}", '{"task": 1}', '{"task": "watch", "seed": "x"}', '{"task": "x", "seed": 0}']


@pytest.mark.parametrize("text", RUNS)
def test_a_damaged_run_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(text)
    refuse(["report", "run"])


@pytest.fixture
def scratch(project: Path, require_host_gcc: None) -> Iterator[Path]:
    """A project that is built for the host, so that its folder may change."""
    yield project


def refuse_on_host(*parts: str) -> None:
    result = subprocess.run(
        [*COMMAND, "verify", "project", "--target", "host"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert "defect" not in line
    for part in parts:
        assert part in line


def test_code_that_does_not_compile_is_one_line_with_its_place(scratch: Path) -> None:
    with (scratch / "model" / "small.c").open("a") as file:
        file.write("int broken(void) { return nothing; }\n")
    refuse_on_host("model/small.c:", "nothing")


def test_a_project_without_a_makefile_is_refused(scratch: Path) -> None:
    (scratch / "Makefile").unlink()
    refuse_on_host("Makefile", "tinytrain convert")


def test_a_file_in_the_way_of_the_build_is_one_line(scratch: Path) -> None:
    (scratch / "build").write_text("in the way")
    refuse_on_host("build")


def test_a_device_that_dies_is_one_line_with_what_it_said(scratch: Path) -> None:
    kernel = scratch / "runtime" / "src" / "kernels" / "softmax.c"
    text = kernel.read_text()
    assert "int8_t *output)\n{\n" in text
    kernel.write_text(
        text.replace("int8_t *output)\n{\n", "int8_t *output)\n{\n    output[100000] = 1;\n")
    )
    refuse_on_host("host: died", "AddressSanitizer")


def test_firmware_of_another_model_is_refused(scratch: Path) -> None:
    source = scratch / "model" / "small.c"
    text = source.read_text()
    (line,) = [line for line in text.splitlines() if ".source_hash = " in line]
    source.write_text(text.replace(line, "    .source_hash = 0x12345678u,"))
    refuse_on_host("12345678", "flash")


def test_standard_error_holds_nothing_else_in_a_real_process(here: Path) -> None:
    for command in (
        ["convert", "float.tflite", "--out", "new"],
        ["learn", "project", "--stream", "label_4.npz", "--output", "h.npz"],
        ["train", "watch", "--out", "text/new"],
        ["toast"],
    ):
        result = subprocess.run([*COMMAND, *command], check=False, capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1
    assert not Path("new").exists()


@pytest.mark.parametrize(
    "read",
    [read_arrays, read_data, lambda path: checkpoint.load(path, "")],
    ids=["arrays", "data", "checkpoint"],
)
def test_a_damaged_archive_is_closed(read: Callable[[Path], object], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.npz"
    np.savez(damaged, x=np.arange(100))
    damaged.write_bytes(damaged.read_bytes()[:500])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(InputError, match=r"damaged\.npz"):
            read(damaged)
        gc.collect()
    assert not [str(found.message) for found in caught]


def test_the_damaged_data_of_a_run_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    start_run("watch", Path("run"), 0, None, silent)
    data = (tmp_path / "run" / "data.npz").read_bytes()
    middle = len(data) // 2
    for damaged in (b"", data[:middle], data[:middle] + bytes(64) + data[middle + 64 :]):
        (tmp_path / "run" / "data.npz").write_bytes(damaged)
        refuse(["train", "watch", "--out", "run"], "data.npz", "start the run again")
