"""Data of one's own, as a new user brings them: a task is written, a few keys are edited, the data
are checked, and the run goes the whole way.
"""

from __future__ import annotations

import csv
import json
import re
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.training.shared import shared_data
from tinytrain.cli import main
from tinytrain.errors import InputError
from tinytrain.pipeline import run as pipeline_run
from tinytrain.pipeline import runs, stages
from tinytrain.progress import silent
from tinytrain.project import load_project
from tinytrain.training.task_file import read_task
from tinytrain.variants.choose import SIZE

pytestmark = pytest.mark.usefixtures("tensorflow")

FILES = {
    *("run.json", ".tinytrain", "task.toml", "data.npz", "checks.json"),
    *("history.json", "rounds.json", "samples.npz", "project"),
    *("float.keras", "float.json", "pruned.keras", "pruned.json"),
    *("model.tflite", "model.json", "results.json", "groups.txt", "summary.txt"),
}
LEARNED = {"adapt.json", "learning.png", "confusion.png"}


def tinytrain(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def edit(task: Path, keys: Mapping[str, str]) -> None:
    """What a user does in an editor: `table.key` to the text of its new value."""
    text = task.read_text()
    for name, value in keys.items():
        table, key = name.split(".")
        pattern = rf"(?ms)(^\[{table}\]$.*?^{key} = )[^\n]*"
        text, count = re.subn(pattern, lambda found, new=value: found[1] + new, text, count=1)
        assert count == 1, name
    task.write_text(text)


@dataclass(frozen=True)
class Figures:
    """Of a finished run."""

    unseen: float
    """Accuracy of int8 on people that training never saw."""
    learned: float
    """After they taught the device."""


def figures(folder: Path) -> Figures:
    """Read from a run's folder, which has to be whole, with a proof of 0 differing bits."""
    assert {path.name for path in folder.iterdir()} == FILES | LEARNED
    (proof,) = json.loads((folder / "results.json").read_text())["verified"]
    compared = {check["name"]: check["compared"] for check in proof["checks"]}
    assert (compared["inference"], compared["learning"]) == (200, 1000)
    assert all(check["difference"] is None for check in proof["checks"])
    result = runs.read_result(folder, runs.INT8)
    assert not result.accuracy.keys() & result.seen.keys()
    return Figures(result.mean, pipeline_run.read_experiment(folder).mean("after"))


WORDS = ("zero", "one", "two", "three")
TAKES = 15


def write_sounds(folder: Path) -> None:
    """FOLDER/WORD/SPEAKER/take.wav: 8 kHz, four speakers."""
    with np.load(shared_data("kws_fsdd_8k.npz")) as found:
        audio, offset, names = found["audio"], found["offset"], found["speaker_names"]
        label, speaker = found["y"], found["speaker"]
    for who in np.unique(speaker):
        for digit, word in enumerate(WORDS):
            place = folder / word / str(names[who])
            place.mkdir(parents=True)
            for take in np.flatnonzero((speaker == who) & (label == digit))[:TAKES]:
                with wave.open(str(place / f"{take}.wav"), "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(8000)
                    file.writeframes(audio[offset[take] : offset[take + 1]].tobytes())


def write_recordings(folder: Path, people: int = 6, classes: int = 4) -> None:
    """A CSV for each person: 50 Hz, one recording after the other from windows put together."""
    with np.load(shared_data("har_watch_50hz.npz")) as found:
        windows, label, names = found["X"] * found["scale"], found["y"], found["label_names"]
        subject, side = found["subject"], found["side"]
    folder.mkdir(parents=True)
    for person in np.unique(subject)[:people]:
        with (folder / f"person{person}.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["t", "ax", "ay", "az", "gx", "gy", "gz", "label", "person"])
            for arm in np.unique(side):
                for one in range(classes):
                    own = windows[(subject == person) & (side == arm) & (label == one)]
                    signal = np.concatenate([own[0, :64], *own[:, 64:]]) if len(own) else []
                    for step, row in enumerate(signal):
                        cells = [f"{value:.4f}" for value in row]
                        out.writerow([f"{step / 50:.2f}", *cells, names[one], f"P{person}"])


def test_a_folder_of_sounds_becomes_a_device_that_hears_new_speakers(
    tmp_path: Path, require_host_gcc: None
) -> None:
    task = tmp_path / "My digits"
    write_sounds(task / "sounds")
    tinytrain("tasks", "new", task, "--source", "wav")
    wrong = tinytrain("tasks", "check", task, code=2).stderr
    assert "8000 Hz; the task says frontend.rate = 16000" in wrong
    edit(
        task / "task.toml",
        {
            **{"frontend.rate": "8000", "frontend.fft": "256", "frontend.high_hz": "3800"},
            # Of four speakers, three to train on.
            **{"split.validation_groups": "0", "training.epochs": "30", "pruning.epochs": "20"},
        },
    )
    assert "240 samples of 49 x 40, 4 classes" in tinytrain("tasks", "check", task).stdout
    # Of the four, the one of seed 0 sounds like none of the others; three people cannot teach that.
    out = tmp_path / "result"
    summary = tinytrain("run", task, "--out", out, "--target", "host", "--seed", 3).stdout
    assert "host: 0 differing bits" in summary
    found = figures(out)
    # A quarter would be chance.
    assert found.unseen >= 0.6
    assert found.learned >= 0.7


def test_recordings_in_csv_files_become_a_device_that_knows_new_people(
    tmp_path: Path, require_host_gcc: None
) -> None:
    task = tmp_path / "exercises"
    write_recordings(task / "recordings")
    tinytrain("tasks", "new", task, "--source", "csv")
    assert "no column 'x'" in tinytrain("tasks", "check", task, code=2).stderr
    edit(
        task / "task.toml",
        {
            "data.channels": '["ax", "ay", "az", "gx", "gy", "gz"]',
            **{"split.unseen_groups": "2", "training.epochs": "12", "pruning.epochs": "8"},
        },
    )
    assert "samples of 64 x 6, 4 classes" in tinytrain("tasks", "check", task).stdout
    summary = tinytrain("run", task, "--out", tmp_path / "result", "--target", "host").stdout
    assert "2 people that training never saw" in summary
    found = figures(tmp_path / "result")
    assert found.unseen >= 0.8
    assert found.learned >= 0.8


SMALL = {
    **{"network.width": "0.25", "network.blocks": "1", "network.features": "8"},
    **{"training.epochs": "3", "pruning.rounds": "1", "pruning.epochs": "1"},
    **{"pruning.max_group_loss": "1.0", "quantization.epochs": "0"},
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A task in a folder, with four people's waves of two frequencies, and a tiny network."""
    task = tmp_path / "waves"
    tinytrain("tasks", "new", task, "--source", "npz")
    generator = np.random.default_rng(0)
    person, y, _ = (part.reshape(-1) for part in np.indices((4, 2, 20)))
    phase = generator.uniform(0, 2 * np.pi, (len(y), 1, 3))
    x = np.sin(np.arange(32)[:, None] * (0.3 + 0.6 * y[:, None, None]) + phase)
    x += generator.normal(0, 0.1, x.shape)
    np.savez(task / "samples.npz", X=x.astype(np.float32), y=y, person=person)
    edit(task / "task.toml", SMALL)
    return task


def interrupt_at(stage: str, done: int):
    """What Ctrl-C does when `stage` is so far."""

    def progress(what: str, now: int, total: int, message: str = "") -> None:
        if (what, now) == (stage, done):
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_training_goes_on_after_its_last_finished_epoch(
    small: Path, tmp_path: Path
) -> None:
    for out, interruption in (("a", silent), ("b", interrupt_at("train", 2))):
        try:
            stages.train(str(small), tmp_path / out, 0, interruption)
        except KeyboardInterrupt:
            assert not (tmp_path / out / "float.keras").exists()
    seen: list[int] = []
    stages.train(str(small), tmp_path / "b", 0, lambda what, done, *_: seen.append(done))
    assert seen == [2, 3]
    assert not (tmp_path / "b" / "unfinished").exists()
    histories = [(tmp_path / out / "history.json").read_text() for out in ("a", "b")]
    assert histories[0] == histories[1]


def test_an_interruption_is_one_line_that_says_how_to_go_on(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "train", interrupted)
    ended = tinytrain("train", small, "--out", tmp_path / "result", code=130)
    assert ended.stderr == "interrupted; start it again to go on\n"


def test_an_interrupted_run_goes_on_with_the_stage_that_was_not_finished(
    small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "result"
    with pytest.raises(KeyboardInterrupt):
        pipeline_run.run(str(small), out, 0, "emulator", interrupt_at("prune 1/1", 0))
    before = (out / "float.json").stat().st_mtime_ns
    stopped: list[str] = []

    def progress(what: str, done: int, total: int, message: str = "") -> None:
        stopped.append(what)
        if what == "quantize":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline_run.run(str(small), out, 0, "emulator", progress)
    assert set(stopped) == {"prune 1/1", "quantize"}
    assert (out / "float.json").stat().st_mtime_ns == before


def test_a_run_goes_on_with_another_budget_than_one_that_nothing_fits(
    small: Path, tmp_path: Path, require_host_gcc: None
) -> None:
    out = tmp_path / "result"
    run = ("run", small, "--out", out, "--target", "host")
    said = tinytrain(*run, "--ram", 100, code=2).stderr
    assert said.startswith("error: --ram 100: the smallest arena is ")
    edit(small / "task.toml", {"budget.ram": "101"})
    said = tinytrain(*run, code=2).stderr
    assert said.startswith("error: task 'waves': budget.ram = 101: the smallest arena is ")
    assert not (out / "project").exists()
    for command in (("adapt", out), ("adapt", out, "--compare"), ("verify", out / "project")):
        said = tinytrain(*command, code=2).stderr
        assert f"; start `tinytrain run TASK --out {out}` again, which makes one" in said
    before = (out / "float.keras").stat().st_mtime_ns
    edit(small / "task.toml", {"budget.ram": "4096"})
    summary = tinytrain(*run, "--optimize", "size").stdout
    assert "C project: kernels by --optimize size, --ram 4096" in summary
    made = load_project(out / "project").model
    assert (made.optimize.name, made.ram) == ("size", 4096)
    assert read_task(out / "task.toml").budget.ram == 4096
    assert (out / "float.keras").stat().st_mtime_ns == before


@pytest.mark.parametrize("by", ["--ram", "budget.ram"])
def test_a_budget_below_a_sample_is_refused_before_training(
    by: str, small: Path, tmp_path: Path
) -> None:
    if by == "--ram":
        more, asked = (by, 95), "--ram 95"
    else:
        edit(small / "task.toml", {by: "95"})
        more, asked = (), "task 'waves': budget.ram = 95"
    (line,) = tinytrain("run", small, "--out", tmp_path / "r", *more, code=2).stderr.splitlines()
    assert line.startswith(f"error: {asked}: one sample takes 96 bytes, ")
    assert not (tmp_path / "r").exists()
    # Nor does a training that was interrupted go on for it.
    with pytest.raises(KeyboardInterrupt):
        stages.train(str(small), tmp_path / "r", 0, interrupt_at("train", 1))
    said = tinytrain("run", small, "--out", tmp_path / "r", *more, code=2).stderr
    assert "one sample takes 96 bytes" in said


@pytest.fixture
def finished(small: Path, tmp_path: Path, require_host_gcc: None) -> Path:
    """A run of `small`."""
    out = tmp_path / "result"
    assert tinytrain("run", small, "--out", out, "--target", "host").stderr == ""
    return out


def content(folder: Path) -> dict[str, bytes]:
    """Of every file, but for what make builds."""
    files = (path for path in folder.rglob("*") if path.is_file() and "build" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_finished_run_is_as_it_was_where_another_project_fails(
    small: Path, finished: Path
) -> None:
    before = content(finished)
    (line,) = tinytrain("run", small, "--out", finished, "--ram", 100, code=2).stderr.splitlines()
    assert line.startswith("error: --ram 100: the smallest arena is ")
    assert content(finished) == before
    for stage in ("bench", "users"):
        stop = interrupt_at(stage, 1)
        with pytest.raises(KeyboardInterrupt):
            pipeline_run.run(str(small), finished, 0, "emulator", stop, optimize=SIZE)
        assert content(finished) == before
    # A person who teaches it asks for no other project.
    tinytrain("adapt", small, "--out", finished, "--noise", 0.3)
    assert {name: file for name, file in content(finished).items() if name in before} == before


def test_a_finished_run_keeps_its_network_for_another_project(small: Path, finished: Path) -> None:
    trained = [finished / f"{name}.keras" for name in ("float", "pruned")]
    trained.append(finished / "model.tflite")
    before = [path.stat().st_mtime_ns for path in trained]
    again = ("run", small, "--out", finished, "--target", "host", "--optimize", "size")
    done = tinytrain(*again, "--ram", 4096)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{finished}: the network of the finished run was taken over")
    assert "C project: kernels by --optimize size, --ram 4096" in done.stdout
    assert load_project(finished / "project").model.optimize.name == "size"
    assert [path.stat().st_mtime_ns for path in trained] == before
    figures(finished)
    # A budget is no setting of the network.
    edit(small / "task.toml", {"budget.ram": "5000"})
    assert "taken over" in tinytrain(*again).stderr
    assert load_project(finished / "project").model.ram == 5000
    assert [path.stat().st_mtime_ns for path in trained] == before


@pytest.mark.parametrize("what", ["data", "settings", "seed", "network"])
def test_a_finished_run_begins_anew_with_other(what: str, small: Path, finished: Path) -> None:
    seed = 0
    if what == "data":
        with np.load(small / "samples.npz") as found:
            arrays = dict(found)
        arrays["X"][0, 0, 0] += 0.2
        np.savez(small / "samples.npz", **arrays)
    elif what == "settings":
        edit(small / "task.toml", {"pruning.share": "0.5"})
    elif what == "seed":
        seed = 1
    else:
        (finished / "pruned.json").unlink()
    before = (finished / "run.json").stat().st_mtime_ns
    runs.start_run(str(small), finished, seed, None, silent, keep=True)
    assert (finished / "run.json").stat().st_mtime_ns != before
    assert not (finished / "float.keras").exists()


def test_an_unfinished_run_is_not_lost_to_other_settings(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "result"
    tinytrain("train", small, "--out", out)
    before = (out / "float.keras").read_bytes()
    edit(small / "task.toml", {"pruning.share": "0.5"})
    said = tinytrain("run", small, "--out", out, code=2).stderr
    assert "holds an unfinished run with pruning.share = 0.6; go on with that" in said
    edit(small / "task.toml", {"pruning.share": "0.6"})
    assert "--seed 0" in tinytrain("run", small, "--out", out, "--seed", 1, code=2).stderr
    said = tinytrain("run", "watch", "--out", out, code=2).stderr
    assert "holds a run of task 'waves', not 'watch'" in said
    assert (out / "float.keras").read_bytes() == before


def test_more_shots_than_a_person_has_are_refused_before_training(
    small: Path, tmp_path: Path
) -> None:
    edit(small / "task.toml", {"head.shots": "20"})
    (line,) = tinytrain("run", small, "--out", tmp_path / "result", code=2).stderr.splitlines()
    assert "head.shots: person 0 has 20 unseen samples of class 0; 20 shots" in line
    assert line.endswith("at most 19 for this person")
    assert not (tmp_path / "result").exists()
    assert "refused: shots" in tinytrain("tasks", "check", small, code=2).stdout


def test_a_search_leaves_the_task_with_the_best_size(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinytrain.training.search.WIDTHS", (0.5, 1.0, 4.0))
    monkeypatch.setattr("tinytrain.training.search.DEPTHS", {"conv1d": (1,)})
    out = tmp_path / "found"
    text = tinytrain("search", small, "--macs", 20_000, "--out", out).stdout
    assert {path.name for path in out.iterdir()} == {
        *("task.toml", "search.json", "search.png", ".tinytrain")
    }
    found = json.loads((out / "search.json").read_text())
    network = read_task(out / "task.toml").network
    assert (network.width, network.blocks) == (found["best"]["width"], found["best"]["blocks"])
    assert found["best"]["cost"]["macs"] <= 20_000
    assert (out / "search.png").read_bytes().startswith(b"\x89PNG")
    assert "<- best" in text
    assert "beyond the budget" in text


def test_a_search_under_a_budget_that_nothing_fits_leaves_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinytrain.training.search.WIDTHS", (1.0,))
    monkeypatch.setattr("tinytrain.training.search.DEPTHS", {"conv1d": (1,)})
    out = tmp_path / "found"
    (line,) = tinytrain("search", small, "--macs", 10, "--out", out, code=2).stderr.splitlines()
    assert re.search(r"fits the budget MACs 10; the smallest takes flash [\d,]+, RAM [\d,]+", line)
    assert not out.exists()


def test_an_autoencoder_goes_the_whole_way_but_for_learning(
    small: Path, tmp_path: Path, require_host_gcc: None
) -> None:
    keys = {"network.name": '"autoencoder"', "training.epochs": "20", "data.labels": '["1", "0"]'}
    edit(small / "task.toml", keys)
    out = tmp_path / "result"
    summary = tinytrain("run", small, "--out", out, "--target", "host").stdout
    assert {path.name for path in out.iterdir()} == FILES
    assert "Area under the curve on 1 person that training never saw" in summary
    assert "host: 0 differing bits" in summary
    assert runs.read_result(out, runs.INT8).mean >= 0.7
    assert json.loads((out / "project" / "manifest.json").read_text())["head"] is None
    with pytest.raises(InputError, match="an autoencoder has no classes"):
        pipeline_run.adapt(out, "emulator", silent)
