"""Thresholds are chosen on some people, counted on others, and printed as a task's lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.pipeline.test_frontend import TASK, classifier, write_sounds
from tinytrain.cli import main
from tinytrain.errors import InputError
from tinytrain.pipeline import detection, frontend, runs
from tinytrain.pipeline.convert import convert
from tinytrain.progress import silent


def make_run(folder: Path, text: str, classes: int) -> Path:
    """A run with a project whose network is not trained."""
    write_sounds(folder / "sounds")
    (folder / "words.toml").write_text(text)
    found = runs.start_run(str(folder / "words.toml"), folder / "run", 0, None, silent)
    origin = frontend.of_run(found)
    assert origin is not None
    source = folder / "model.tflite"
    source.write_bytes(classifier(72, classes))
    convert(source, folder / "run" / "project", make_stream=origin.plan)
    return folder / "run"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "NOISE_SECONDS", 1)


def test_the_streams_are_of_keywords_of_two_groups_of_people(tmp_path: Path) -> None:
    run = make_run(tmp_path, TASK, 3)
    others = tmp_path / "sounds/noise/Ann/0.wav"
    made = detection.try_thresholds(run, [1e6], [others], tmp_path)
    kinds = [detection.KEYWORDS, detection.REVERSED, detection.NOISE, detection.OTHERS]
    assert list(made.choosing) == list(made.measuring) == list(made.present) == kinds
    # A person's three takes of two words: the class noise is none.
    assert [len(made.measuring[kind].stream.events) for kind in kinds] == [6, 0, 0, 0]
    assert made.measuring[detection.OTHERS].stream.seconds == 0.1
    assert {event.label for event in made.choosing[detection.KEYWORDS].stream.events} == {0, 1}
    assert made.best(1e6) in made.trials


def test_the_command_prints_lines_that_a_task_takes(tmp_path: Path) -> None:
    run = make_run(tmp_path, TASK, 3)
    words = ["thresholds", str(run), "--false-accepts", "1e6", "--data", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "at most (95 %)" in result.output
    lines = result.output.split("[frontend]\n")[1].splitlines()
    assert [line.split(" = ")[0] for line in lines] == ["average", "threshold", "refractory_ms"]
    other = TASK
    for line in lines:
        key = line.split(" = ")[0]
        other = "\n".join(line if old.startswith(f"{key} =") else old for old in other.split("\n"))
    (tmp_path / "words.toml").write_text(other)
    assert frontend.of_task(str(tmp_path / "words.toml")).settings.average == int(
        lines[0].split()[-1]
    )


def test_a_background_is_a_class_that_is_never_detected(tmp_path: Path) -> None:
    text = TASK.replace('path = "sounds"', 'path = "sounds"\nbackground = 0.5')
    run = make_run(tmp_path, text, 4)
    origin = frontend.of_run(runs.open_run(run))
    assert origin is not None
    assert origin.label_names == ("high", "low", "noise", "background")
    assert origin.settings.ignore == ("noise", "background")
    made = detection.try_thresholds(run, [1e6], data_folder=tmp_path)
    assert len(made.measuring[detection.KEYWORDS].stream.events) == 6


def test_a_run_without_waveforms_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, TASK, 3)
    convert(tmp_path / "model.tflite", run / "project")
    with pytest.raises(InputError, match="the model has no front end"):
        detection.try_thresholds(run, [1.0], data_folder=tmp_path)
