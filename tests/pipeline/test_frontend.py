"""A task's front end makes the features of its run, and goes into the run's project."""

from __future__ import annotations

import importlib.util
import json
import sys
import wave
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.models import Operator, Tensor, build
from tinytrain.cli import main
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.emulator.audio import features
from tinytrain.errors import InputError
from tinytrain.frontend.columns import Columns
from tinytrain.frontend.constants import AudioConstants, MotionConstants
from tinytrain.frontend.hash import frontend_hash
from tinytrain.pipeline import frontend, runs
from tinytrain.pipeline.run import make_project
from tinytrain.progress import silent
from tinytrain.project import load_project
from tinytrain.training.sources.wav import read_wav
from tinytrain.training.task_file import find_task, task_text

RATE, TAKES = 8000, 3
TASK = """
[data]
source = "wav"
kind = "audio"
path = "sounds"
group = "folder"
labels = ["high", "low", "noise"]
[split]
unseen_groups = 1
validation_groups = 1
[frontend]
kind = "log_mel"
rate = 8000
seconds = 0.2
fft = 256
bands = 8
high_hz = 3800
stride = 2
average = 4
threshold = 0.6
refractory_ms = 500
ignore = ["noise"]
[head]
shots = 1
rows = 2
"""
FRAMES, BANDS = 9, 8


def write_sounds(folder: Path) -> None:
    """FOLDER/CLASS/PERSON/take.wav: two tones, and noise."""
    generator = np.random.default_rng(0)
    time = np.arange(RATE // 5) / RATE
    for name, hertz in (("high", 2000), ("low", 400), ("noise", 0)):
        for person in ("Ann", "Bob", "Cid", "Dee"):
            place = folder / name / person
            place.mkdir(parents=True)
            for take in range(TAKES):
                tone = 8000 * np.sin(2 * np.pi * hertz * time + generator.uniform(0, 6))
                sound = tone + generator.normal(0, 100, len(time))
                with wave.open(str(place / f"{take}.wav"), "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(RATE)
                    file.writeframes(sound.astype("<i2").tobytes())


@pytest.fixture
def task(tmp_path: Path) -> Path:
    write_sounds(tmp_path / "sounds")
    path = tmp_path / "words.toml"
    path.write_text(TASK)
    return path


def classifier(inputs: int, classes: int = 3) -> bytes:
    """A .tflite of one FULLY_CONNECTED."""
    weights = np.random.default_rng(0).integers(-127, 128, (classes, inputs)).astype(np.int8)
    tensors = [
        Tensor((1, inputs), scale=0.1, name="x"),
        Tensor((classes, inputs), scale=0.01, data=weights, name="w"),
        Tensor((classes,), "int32", scale=0.001, data=np.zeros(classes, np.int32), name="b"),
        Tensor((1, classes), scale=0.5, name="y"),
    ]
    operator = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), "FullyConnectedOptions")
    return build(tensors, [operator], [0], [3])


def convert(folder: Path, task: object, *more: str, code: int = 0, inputs: int = 72) -> Result:
    (folder / "model.tflite").write_bytes(classifier(inputs))
    words = ["convert", folder / "model.tflite", "--out", folder / "project", *more]
    result = CliRunner().invoke(main, [*map(str, words), "--frontend", str(task)])
    assert result.exit_code == code, result.output
    return result


def test_a_runs_features_are_those_that_the_device_makes(task: Path, tmp_path: Path) -> None:
    found = runs.start_run(str(task), tmp_path / "run", 0, None, silent)
    again = runs.open_run(tmp_path / "run").dataset
    assert isinstance(again.frontend, AudioConstants)
    assert frontend_hash(again.frontend) == frontend_hash(found.dataset.frontend)
    with wave.open(str(tmp_path / "sounds/high/Ann/0.wav"), "rb") as file:
        clip = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert again.x.shape == (36, FRAMES, BANDS)
    assert (again.x[0] == features(again.frontend, clip[None])[0]).all()


def test_features_of_another_front_end_are_refused_by_hash(task: Path, tmp_path: Path) -> None:
    runs.start_run(str(task), tmp_path / "run", 0, None, silent)
    path = tmp_path / "run" / "task.toml"
    path.write_text(path.read_text().replace("low_hz = 125.0", "low_hz = 200.0"))
    with pytest.raises(InputError, match=r"data.npz: its features were made by front end \w{8}, "):
        _ = runs.open_run(tmp_path / "run").dataset
    path.write_text(path.read_text().replace('arithmetic = "integer"', 'arithmetic = "float"'))
    with pytest.raises(InputError, match="asks for no integer front end; delete the run"):
        _ = runs.open_run(tmp_path / "run").dataset


def test_a_changed_front_end_makes_features_anew(task: Path, tmp_path: Path) -> None:
    before = runs.start_run(str(task), tmp_path / "run", 0, None, silent).dataset
    task.write_text(TASK.replace("bands = 8", "bands = 10"))
    after = runs.start_run(str(task), tmp_path / "run", 0, None, silent).dataset
    assert (before.x.shape[2], after.x.shape[2]) == (8, 10)
    # What happens behind the features leaves them as they are.
    task.write_text(TASK.replace("stride = 2", "stride = 5"))
    later = runs.start_run(str(task), tmp_path / "run", 0, None, silent).dataset
    assert frontend_hash(later.frontend) == frontend_hash(before.frontend)


@pytest.mark.parametrize("by", ["task", "run"])
def test_convert_gives_a_project_the_front_end_of_a_task(
    task: Path, tmp_path: Path, by: str
) -> None:
    if by == "run":
        runs.start_run(str(task), tmp_path / "run", 0, None, silent)
    said = convert(tmp_path, task if by == "task" else tmp_path / "run").stdout
    assert "9 frames of 8 features, an inference every 2" in said
    plan = load_project(tmp_path / "project").model.stream
    assert plan is not None
    assert (plan.frames, plan.stride, plan.classes) == (FRAMES, 2, 3)
    smoother = plan.smoother
    assert (smoother.average, smoother.threshold) == (4, round(0.6 * 32768))
    # An inference comes every 2 frames of 20 ms.
    assert smoother.refractory == 13
    assert smoother.ignore.tolist() == [2]
    manifest = json.loads((tmp_path / "project" / "manifest.json").read_text())
    assert manifest["frontend"]["hash"] == f"{frontend_hash(plan.frontend):08x}"
    # The window, a hop, 250 ms, and the one that is never used.
    assert plan.ring_capacity == 240 + 160 + 2000 + 1


def test_a_cepstrums_ranges_come_with_the_run(task: Path, tmp_path: Path) -> None:
    task.write_text(TASK.replace('"log_mel"', '"mfcc"\ncoefficients = 6'))
    found = runs.start_run(str(task), tmp_path / "run", 1, None, silent).dataset
    convert(tmp_path, tmp_path / "run", inputs=FRAMES * 6)
    plan = load_project(tmp_path / "project").model.stream
    assert plan is not None
    assert plan.frontend.quantizer.each == 1
    assert frontend_hash(plan.frontend) == frontend_hash(found.frontend)


def test_a_model_of_another_size_is_refused(task: Path, tmp_path: Path) -> None:
    said = convert(tmp_path, task, code=2, inputs=70).stderr
    assert "the front end's frames have 8 features, and the model takes 70" in said
    assert not (tmp_path / "project").exists()


def test_a_front_end_that_is_not_the_runs_is_refused(task: Path, tmp_path: Path) -> None:
    found = runs.start_run(str(task), tmp_path / "run", 0, None, silent).dataset.frontend
    assert found is not None
    theirs = f"{frontend_hash(found):08x}"
    other = tmp_path / "alt.toml"
    other.write_text(TASK.replace("fft = 256", "fft = 256\npre_emphasis = 0.97"))
    said = convert(tmp_path / "run", other, code=2).stderr
    ours = f"{frontend_hash(frontend.of_task(str(other)).constants):08x}"
    assert ours != theirs and ours in said and theirs in said and said.count("\n") == 1
    assert f"--frontend {tmp_path / 'run'}" in said
    assert not (tmp_path / "run" / "project").exists()
    for given in (task, tmp_path / "run"):
        assert convert(tmp_path / "run", given).stderr == ""
    # A copy of the run's model is the run's; of another file nothing says what it is.
    assert convert(tmp_path, tmp_path / "run").stderr == ""
    said = convert(tmp_path, task).stderr
    assert said.startswith("warning: ") and theirs in said and said.count("\n") == 1


def test_a_front_end_of_other_seconds_is_refused(task: Path, tmp_path: Path) -> None:
    task.write_text(TASK.replace("seconds = 0.2", "seconds = 0.16"))
    said = convert(tmp_path, task, code=2).stderr
    assert "frontend.seconds is 0.16, which is 7 frames; the model takes 9 (0.19 s" in said


def test_floating_point_is_no_devices(task: Path, tmp_path: Path) -> None:
    task.write_text(TASK.replace('"log_mel"', '"log_mel"\narithmetic = "float"'))
    said = convert(tmp_path, task, code=2).stderr
    assert "words.toml: frontend.arithmetic is 'float'" in said
    with pytest.raises(InputError, match="set it to 'integer' and train again"):
        make_project(str(task), tmp_path / "run", 0, silent)
    assert not (tmp_path / "run").exists()
    assert "frontend.kind is 'none'" in convert(tmp_path, "watch", code=2).stderr


def test_what_a_device_hears_of_a_file_is_what_training_saw(task: Path, tmp_path: Path) -> None:
    dataset = runs.start_run(str(task), tmp_path / "run", 0, None, silent).dataset
    convert(tmp_path, tmp_path / "run")
    device = EmulatedDevice(load_project(tmp_path / "project").model)
    for index in (0, 17, 35):
        device.stream_begin(RATE, 1)
        clip = read_wav(Path(dataset.origins[index]), "", find_task(str(task)).frontend)
        steps = []
        for chunk in np.array_split(clip, 7):
            device.stream_push(chunk)
            while (step := device.stream_step()).frame is not None:
                steps.append(step)
        assert (np.stack([step.frame for step in steps]) == dataset.x[index]).all()
        # The first inference comes when the model's input is full.
        assert [step.mean is not None for step in steps] == [False] * (FRAMES - 1) + [True]
        predicted, _ = device.classify(dataset.x[index])
        assert steps[-1].mean.argmax() == predicted


def test_the_demonstration_takes_sounds_of_any_rate(task: Path, tmp_path: Path) -> None:
    made = find_task(demonstration()._task(tmp_path / "demo", tmp_path / "sounds", None))
    assert (made.frontend.rate, made.frontend.fft, made.frontend.high_hz) == (RATE, 256, 3800.0)
    assert made.data.group == "folder"
    with pytest.raises(InputError, match=r"nowhere: no WORD/PERSON/\*.wav in it"):
        demonstration()._task(tmp_path / "demo", tmp_path / "nowhere", None)


def test_the_demonstration_says_where_to_get_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYTRAIN_DATA", raising=False)
    with pytest.raises(InputError, match=r"to get it: .*; or give sounds of your own: SOUNDS=DIR"):
        demonstration()._task(tmp_path / "demo", None, None)


def demonstration() -> ModuleType:
    """benchmarks/demo_keywords.py, which is no package's."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "demo_keywords.py"
    spec = importlib.util.spec_from_file_location("demo_keywords", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo_keywords"] = module
    spec.loader.exec_module(module)
    return module


MOTION = """
[data]
source = "csv"
kind = "motion"
path = "recordings"
group = "person"
channels = ["x", "y", "z"]
triples = true
[window]
rate = 25.0
length = 32
hop = 16
[frontend]
kind = "motion"
unit = 0.001
input_rate = 50.0
"""


def write_recordings(folder: Path) -> None:
    """A CSV for each of three people: two motions, 20 s each at 50 Hz."""
    folder.mkdir()
    time = np.arange(1000) / 50
    for number, person in enumerate(("Ann", "Bob", "Cid")):
        lines = ["t,x,y,z,label,person"]
        for label, hertz in (("fast", 3.0), ("slow", 0.7)):
            signal = np.sin(2 * np.pi * hertz * time[:, None] + [number, 1, 2]) * [1, 2, 0.5]
            lines += [
                f"{t:.2f},{','.join(f'{v:.4f}' for v in row)},{label},{person}"
                for t, row in zip(time, signal, strict=True)
            ]
        (folder / f"{person}.csv").write_text("\n".join(lines))


@pytest.mark.parametrize("form", ["windows", "statistics"])
def test_motion_is_what_the_device_makes_of_its_sensors_samples(tmp_path: Path, form: str) -> None:
    write_recordings(tmp_path / "recordings")
    task = tmp_path / "moves.toml"
    network = "dense" if form == "statistics" else "conv1d"
    spectrum = 4 if form == "statistics" else 0
    task.write_text(
        f'{MOTION}form = "{form}"\nspectrum = {spectrum}\n[network]\nname = "{network}"\n'
    )
    found = runs.start_run(str(task), tmp_path / "run", 0, None, silent).dataset
    assert isinstance(found.frontend, MotionConstants)
    shape = (32, 3) if form == "windows" else (3, 8)
    assert found.x.shape[1:] == shape
    assert len(found.y) == 3 * 2 * ((500 - 32) // 16 + 1)
    again = runs.open_run(tmp_path / "run").dataset
    assert frontend_hash(again.frontend) == frontend_hash(found.frontend)
    if form == "windows":
        # Beyond the filter's beginning, the slow motion in the units of the file.
        assert np.abs(found.x[-5:] * found.scale).max(axis=(0, 1)) == pytest.approx(
            [1, 2, 0.5], rel=0.05
        )
    convert(tmp_path, tmp_path / "run", inputs=shape[0] * shape[1])
    plan = load_project(tmp_path / "project").model.stream
    assert plan is not None
    assert (plan.frames, plan.stride) == (1, 1)
    # A window every 0.64 s.
    assert plan.smoother.refractory == 2
    columns = load_project(tmp_path / "project").model.columns
    assert columns == Columns("t", ("x", "y", "z"), 0.001)
    # What it was trained on is what a stream takes, in a run's project as it lies there.
    said = CliRunner().invoke(
        main,
        ["stream", str(tmp_path / "project"), str(tmp_path / "recordings" / "Ann.csv"), "--json"],
    )
    assert said.exit_code == 0 and said.stderr == "", said.output
    (played,) = json.loads(said.stdout)["files"]
    assert played["seconds"] == 40 and played["counters"]["inferences"] > 50


def test_a_unit_that_does_not_hold_the_motion_is_refused(tmp_path: Path) -> None:
    write_recordings(tmp_path / "recordings")
    task = tmp_path / "moves.toml"
    task.write_text(MOTION.replace("unit = 0.001", "unit = 0.00001"))
    with pytest.raises(InputError, match=r"leave int16 with frontend.unit = 1e-05; at least 6"):
        runs.start_run(str(task), tmp_path / "run", 0, None, silent)


@pytest.mark.parametrize("name", ["keywords", "digits_wav"])
def test_the_built_in_sounds_have_a_front_end(name: str, tmp_path: Path) -> None:
    task = find_task(name)
    path = tmp_path / "task.toml"
    path.write_text(task_text(replace(task, name=name)))
    found = frontend.of_task(str(path))
    assert isinstance(found.constants, AudioConstants)
    convert(tmp_path, path, inputs=49 * 40)


def test_rates_that_no_filter_joins_are_named_with_the_task(tmp_path: Path) -> None:
    write_recordings(tmp_path / "recordings")
    task = tmp_path / "moves.toml"
    task.write_text(MOTION.replace("input_rate = 50.0", "input_rate = 51.37"))
    with pytest.raises(InputError, match=r"task 'moves': \[window\] and \[frontend\].*51.37"):
        runs.start_run(str(task), tmp_path / "run", 0, None, silent)
