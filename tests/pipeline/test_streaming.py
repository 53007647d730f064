"""`tinytrain stream`: recordings in, detections out, and one line for what is no recording."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.frontend_cases import make_project, small_audio, small_motion, small_plan, sounds
from tinytrain.cli import main
from tinytrain.device.interface import Pushed
from tinytrain.errors import CheckError
from tinytrain.pipeline import streaming
from tinytrain.pipeline.recordings import read_recording
from tinytrain.progress import silent
from tinytrain.project import Project, load_project


def wav(path: Path, samples: np.ndarray, rate: int = 8000) -> Path:
    """int16 (T,) or (T, channels) as a file."""
    rows = samples.reshape(len(samples), -1).astype("<i2")
    channels = rows.shape[1]
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", rows.nbytes) + rows.tobytes()
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def stream(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["stream", *map(str, arguments)])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(small_plan(small_audio()), tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Project:
    plan = small_plan(small_motion(), frames=1, stride=1, ring_capacity=40)
    return make_project(plan, tmp_path_factory.mktemp("motion"))


def test_a_wav_of_any_width_keeps_its_samples(project: Project, tmp_path: Path) -> None:
    assert project.model.stream is not None
    x = sounds(2000, 1).reshape(-1, 2)
    found = read_recording(wav(tmp_path / "x.wav", x), project.model.stream.frontend)
    assert np.array_equal(found.samples, x)


def test_detections_are_the_same_in_any_chunks_on_any_device(
    project: Project, tmp_path: Path, require_host_gcc: None
) -> None:
    file = wav(tmp_path / "x.wav", sounds(16_000, 3))
    results = []
    for more in ([], ["--chunk", 7], ["--chunk", 200, "--target", "host", "--verify"]):
        ended = stream(project.directory, file, "--json", *more)
        assert ended.exit_code == 0, ended.output
        results.append(json.loads(ended.stdout))
    (first,) = results[0]["files"]
    assert first["detections"] and first["counters"]["lost"] == 0
    assert all(result["files"] == results[0]["files"] for result in results)
    assert results[2]["compared_steps"] == first["counters"]["frames"]


def test_a_chunk_that_the_ring_cannot_hold_loses_samples_and_says_so(
    project: Project, tmp_path: Path
) -> None:
    file = wav(tmp_path / "x.wav", sounds(3000, 3))
    ended = stream(project.directory, file, "--json", "--chunk", 1000)
    (found,) = json.loads(ended.stdout)["files"]
    lost = found["counters"]["lost"]
    assert lost > 1000
    assert ended.exit_code == 0 and ended.stderr.count("\n") == 1
    said = f"warning: {file}: {lost} samples lost: pushes of 1000 are larger than the ring (399); "
    assert ended.stderr.startswith(f"{said}times are of the samples taken")
    ended = stream(project.directory, file, "--chunk", 390)
    assert "pushes of 390 do not fit beside what waits in the ring (399)" in ended.stderr


def test_tables_and_a_picture_show_what_was_heard(project: Project, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = wav(tmp_path / "x.wav", sounds(16_000, 3))
    ended = stream(project.directory, file, "--picture", tmp_path / "x.png")
    assert ended.exit_code == 0, ended.output
    assert "probability" in ended.stdout and "inferences" in ended.stdout
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


def test_a_recording_that_is_too_short_has_no_detections(project: Project, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for samples in (10, 400):
        file = wav(tmp_path / "x.wav", sounds(samples, 3))
        ended = stream(project.directory, file, "--picture", tmp_path / "x.png")
        assert ended.exit_code == 0, ended.output
        assert "no detections" in ended.stdout


def test_motion_comes_from_csv(motion: Project, tmp_path: Path) -> None:
    rows = sounds(300, 2).reshape(-1, 3)
    lines = [f"{i / 50:.3f},{a},{b},{c}" for i, (a, b, c) in enumerate(rows)]
    file = tmp_path / "m.csv"
    file.write_text("\n".join(["time,x,y,z", *lines]) + "\n")
    ended = stream(motion.directory, file, "--json")
    assert ended.exit_code == 0, ended.output
    (found,) = json.loads(ended.stdout)["files"]
    assert found["counters"]["frames"] == 24 == found["counters"]["inferences"]
    assert found["seconds"] == 2


def test_bad_sounds_end_with_one_line(project: Project, tmp_path: Path) -> None:
    good = wav(tmp_path / "good.wav", sounds(100, 1))
    cases = [
        ([wav(tmp_path / "rate.wav", sounds(100, 1), 16000)], "16000 Hz; the model's front end"),
        ([wav(tmp_path / "nine.wav", sounds(90, 1).reshape(-1, 9))], "9 channels; 1 to 8"),
        ([tmp_path / "none.wav"], "no such file"),
        ([tmp_path], "cannot read"),
        ([good, "--target", "emulator", "--verify"], "choose another --target"),
        ([good, "--target", "toaster"], "choose one of"),
        ([good, good, "--picture", tmp_path / "p.png"], "shows one FILE"),
        ([good, "--chunk", 0], "--chunk"),
        ([good, "--picture", tmp_path / "p.xyz"], "ends in '.xyz'; only .png is drawn"),
        ([good, "--picture", tmp_path / "p"], "has no ending; only .png"),
        ([good, "--picture", tmp_path], "a folder; name a file that ends in .png"),
    ]
    (tmp_path / "m.csv").write_text("t,x\n0,1\n")
    cases.append(([tmp_path / "m.csv"], "a CSV file; this model takes sound: WAV"))
    (tmp_path / "text.wav").write_text("hello")
    cases.append(([tmp_path / "text.wav"], "not a WAV file"))
    for arguments, message in cases:
        ended = stream(project.directory, *arguments)
        assert ended.exit_code == 2, (message, ended.output)
        assert message in ended.stderr and ended.stderr.count("\n") == 1, ended.stderr


def test_bad_motion_ends_with_one_line(motion: Project, tmp_path: Path) -> None:
    for text, message in [
        ("x,y\n1,2\n", "2 columns"),
        ("x,y,z\n1,2,0.5\n", "the sensor's own counts"),
        ("x,y,z\n1,2,32768\n", "the sensor's own counts"),
        ("x,y,z\n1,2,a\n", "a number"),
        ("x,y,z\n", "no rows"),
        ("0.1,0.2,0.3\n1,2,3\n", "a column is named '0.1', a number"),
        ("t,x,y,z\n0,1,2,3\n0.1,1,2,3\n", "10 Hz; the model's front end takes 50 Hz"),
        ("time,x,y,z\n0,1,2,3\n0.1,1,2,3\n", "10 Hz; the model's front end takes 50 Hz"),
        ("time,x,y,z\n0,1,2,3\n0,1,2,3\n", "stands still"),
    ]:
        (tmp_path / "m.csv").write_text(text)
        ended = stream(motion.directory, tmp_path / "m.csv")
        assert ended.exit_code == 2, (message, ended.output)
        assert message in ended.stderr and ended.stderr.count("\n") == 1, ended.stderr


def test_a_wav_is_no_motion(motion: Project, tmp_path: Path) -> None:
    for name in ("x.wav", "x.csv"):
        ended = stream(motion.directory, wav(tmp_path / name, sounds(300, 3)))
        assert ended.exit_code == 2
        assert "a WAV file; this model takes motion: CSV" in ended.stderr


@pytest.fixture
def named(motion: Project, tmp_path: Path) -> Path:
    """The same project, whose recordings have columns s, x, y, z in units of 0.01."""
    copy = tmp_path / "named"
    shutil.copytree(motion.directory, copy, ignore=shutil.ignore_patterns("build"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["frontend"]["columns"] = {"time": "s", "channels": ["x", "y", "z"], "unit": 0.01}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def test_columns_are_found_by_name_in_physical_units(
    motion: Project, named: Path, tmp_path: Path
) -> None:
    counts = sounds(300, 2).reshape(-1, 3)
    plain, physical = ["time,x,y,z"], ["who,z,s,y,x"]
    for i, (x, y, z) in enumerate(counts.tolist()):
        plain.append(f"{i / 50:.3f},{x},{y},{z}")
        physical.append(f"Ann,{z / 100 + 0.004:.4f},{i / 50:.3f},{y / 100:.2f},{x / 100:.2f}")
    (tmp_path / "plain.csv").write_text("\n".join(plain))
    (tmp_path / "physical.csv").write_text("\n".join(physical))
    columns = load_project(named).model.columns
    stream_of = motion.model.stream
    assert columns is not None and stream_of is not None
    found = read_recording(tmp_path / "physical.csv", stream_of.frontend, columns)
    as_before = read_recording(tmp_path / "plain.csv", stream_of.frontend)
    assert np.array_equal(as_before.samples, counts)
    inside = counts.clip(-32768, 32767)
    assert np.array_equal(found.samples, inside) and found.notes == ()
    rows = [f"{i / 50},0,0,{400 if i == 7 else 1}" for i in range(100)]
    (tmp_path / "one.csv").write_text("\n".join(["s,x,y,z", *rows]))
    ended = stream(named, tmp_path / "one.csv")
    assert ended.exit_code == 0, ended.output
    assert "one.csv:9: column 'z' is 400, outside of the sensor's int16" in ended.stderr
    assert ended.stderr.startswith("warning: ") and ended.stderr.count("\n") == 1


def test_columns_that_are_not_those_of_the_task_are_named(named: Path, tmp_path: Path) -> None:
    for text, message in [
        ("s,x,y\n0,1,2\n", "no column 'z', which the model's task names; there are: s, x, y"),
        ("x,y,z\n1,2,3\n", "no column 's'"),
        ("s,x,y,z,x\n0,1,2,3,4\n", "several columns are named 'x'"),
        ("s,x,y,z\n0,16384,2,3\n0.02,1,2,3\n", "give them in the units"),
        ("s,x,y,z\n0,1,2,3\n0.1,1,2,3\n", "10 Hz; the model's front end takes 50 Hz"),
    ]:
        (tmp_path / "m.csv").write_text(text)
        ended = stream(named, tmp_path / "m.csv")
        assert ended.exit_code == 2, (message, ended.output)
        assert message in ended.stderr and ended.stderr.count("\n") == 1, ended.stderr


@pytest.mark.parametrize(
    ("key", "value"),
    [("time", ""), ("channels", ["x", "y"]), ("channels", [1, 2, 3]), ("channels", None),
     ("channels", [["x"], ["y"], ["z"]]), ("unit", 0), ("unit", "g"), ("unit", True)],
)  # fmt: skip
def test_columns_of_a_damaged_manifest_are_refused(key: str, value: object, named: Path) -> None:
    path = named / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["frontend"]["columns"][key] = value
    path.write_text(json.dumps(manifest))
    ended = stream(named, "m.csv")
    assert ended.exit_code == 2 and ended.stderr.count("\n") == 1
    assert f"manifest.json: key frontend.columns.{key} is " in ended.stderr


def test_a_model_without_a_front_end_takes_no_recordings(tmp_path: Path) -> None:
    from tests.device.learners import Recipe
    from tests.device.learners import make_project as plain

    directory = plain(Recipe(), tmp_path).directory
    ended = stream(directory, wav(tmp_path / "x.wav", sounds(100, 1)))
    assert ended.exit_code == 2 and "no front end" in ended.stderr


def test_the_first_difference_from_the_emulator_is_named(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that adds one to a feature of frame 3, or loses a sample."""
    file = wav(tmp_path / "x.wav", sounds(2000, 3))
    real = streaming.EmulatedDevice

    class Wrong(real):  # type: ignore[misc, valid-type]
        made = 0
        loses = False

        def stream_step(self):  # type: ignore[no-untyped-def]
            step = super().stream_step()
            if step.frame is not None:
                self.made += 1
                if self.made == 4 and not self.loses:
                    return replace(step, frame=step.frame + np.int8(1))
            return step

        def stream_push(self, values):  # type: ignore[no-untyped-def]
            pushed = super().stream_push(values)
            return Pushed(pushed.taken, pushed.lost + 1) if self.loses else pushed

    monkeypatch.setattr(streaming, "open_device", lambda *_: Wrong(project.model))
    with pytest.raises(CheckError, match=r"feature 0 of frame 3 \(0\.046 s\) is -?\d+ on the"):
        streaming.stream(project, "host", [file], None, True, silent)
    monkeypatch.setattr(Wrong, "loses", True)
    with pytest.raises(CheckError, match="the push of sample 0"):
        streaming.stream(project, "host", [file], None, True, silent)
    ended = stream(project.directory, file, "--target", "host", "--verify")
    assert ended.exit_code == 1


def test_a_project_gives_its_front_end_back(project: Project, motion: Project) -> None:
    from tinytrain.frontend.file import frontend_bytes
    from tinytrain.frontend.hash import frontend_hash

    for one in (project, motion):
        again = load_project(one.directory).model.stream
        assert again is not None and one.model.stream is not None
        assert frontend_bytes(again) == frontend_bytes(one.model.stream)
        assert frontend_hash(again.frontend) == frontend_hash(one.model.stream.frontend)


@pytest.mark.parametrize("change", ["bytes", "hash", "sha256", "missing", "another"])
def test_a_front_end_that_is_not_the_projects_is_refused(
    change: str, project: Project, motion: Project, tmp_path: Path
) -> None:
    copy = tmp_path / "project"
    shutil.copytree(project.directory, copy, ignore=shutil.ignore_patterns("build"))
    manifest = json.loads((copy / "manifest.json").read_text())
    file = copy / "frontend.npz"
    if change == "bytes":
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    elif change == "missing":
        file.unlink()
    elif change == "another":
        shutil.copy(motion.directory / "frontend.npz", file)
        found = json.loads((motion.directory / "manifest.json").read_text())
        manifest["frontend"] = found["frontend"]
    else:
        manifest["frontend"][change] = "0" * len(manifest["frontend"][change])
    (copy / "manifest.json").write_text(json.dumps(manifest))
    ended = stream(copy, wav(tmp_path / "x.wav", sounds(100, 1)))
    assert ended.exit_code == 2 and ended.stderr.count("\n") == 1
    assert "frontend.npz" in ended.stderr
