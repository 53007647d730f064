"""The summary says what was measured, on whom, and leaves out what nobody measured."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinytrain.adapt.experiment import Experiment, UserResult
from tinytrain.pipeline.runs import AREA, StageResult
from tinytrain.report.confusion import draw_confusion
from tinytrain.report.picture import draw_learning
from tinytrain.report.summary import experiment_title, groups_text, summary_text, users_text

USER = UserResult("Ann", 20, 20, 0.5, 0.75, 0.75, 0.1, ((0, 0.5), (20, 0.75)))
EXPERIMENT = Experiment("words", "host", 0, (USER,))


def costs(instructions: int | None) -> dict[str, Any]:
    return {
        "bench": {
            "target": "host",
            "instructions": {"inference": instructions, "learn_step": instructions},
            "flash": {"weights": instructions, "firmware": instructions},
            "ram": {"arena": 100, "head": 0, "stack": instructions},
        },
        "verified": [],
    }


def stages_of(unseen: str, **facts: Any) -> list[StageResult]:
    return [
        StageResult(stage, 1000, 100, {unseen: 0.9}, {"everyone": 0.95}, **facts)
        for stage in ("float", "pruned", "model")
    ]


def test_one_person_has_neither_a_mean_nor_a_worst() -> None:
    text = summary_text(Path("run"), stages_of("Ann"), costs(1), EXPERIMENT, 2)
    assert "Accuracy on 1 person that training never saw" in text
    assert "worst" not in text
    assert not [line for line in text.splitlines() if line.startswith("mean")]
    assert text.startswith("2 things deserve a look: run/checks.json")


def test_data_without_people_have_samples_that_training_never_saw() -> None:
    text = summary_text(Path("run"), stages_of("everyone"), costs(1), EXPERIMENT, 0)
    assert text.startswith("Accuracy on samples that training never saw")


def test_what_the_target_cannot_count_is_left_out_and_said_once() -> None:
    text = summary_text(Path("run"), stages_of("Ann"), costs(None), EXPERIMENT, 0)
    assert "instructions, one inference" not in text
    assert text.count("cortex-m targets only") == 1
    assert "cortex-m targets only" not in summary_text(
        Path("run"), stages_of("Ann"), costs(1), EXPERIMENT, 0
    )


def test_the_summary_says_what_the_projects_kernels_were_chosen_by() -> None:
    for ram, said in ((None, "no --ram"), (1800, "--ram 1800")):
        chosen = {**costs(1), "optimize": "size", "ram": ram}
        text = summary_text(Path("run"), stages_of("Ann"), chosen, EXPERIMENT, 0)
        assert f"C project: kernels by --optimize size, {said}\n" in text
    # The figures of a run that was made before they told.
    assert "C project: kernels" not in summary_text(
        Path("run"), stages_of("Ann"), costs(1), EXPERIMENT, 0
    )


def test_an_autoencoder_has_areas_and_no_learning() -> None:
    results = stages_of("Ann", measure=AREA)
    text = summary_text(Path("run"), results, costs(1), None, 0)
    assert text.startswith("Area under the curve on 1 person")
    assert "Learning on" not in text
    assert "learning.png" not in text
    assert groups_text(results).splitlines()[0] == "Area under the curve of every group"


def test_points_lost_line_up(tmp_path: Path) -> None:
    lines = groups_text(stages_of("Ann")).splitlines()
    assert lines[1].endswith("points lost")
    assert lines[3].endswith("       +0.0")
    assert len(lines[3]) == len(lines[1])


def test_streams_of_a_person_are_no_people_and_the_conditions_are_named() -> None:
    many = replace(
        EXPERIMENT,
        users=(USER, replace(USER, stream=1)),
        head="lda frozen with the guard",
        order="noisy",
        noise=0.2,
    )
    told = "lda frozen with the guard, stream noisy, 20 % of the labels wrong, seed 0"
    title = experiment_title(many).splitlines()
    assert title[0].startswith("1 person that training never saw, 2 streams each: ")
    assert title[1] == told
    lines = users_text(many).splitlines()
    assert lines[1] == told
    assert lines[2].split()[:2] == ["person", "stream"]
    assert [line.split()[:2] for line in lines[4:]] == [["Ann", "1"], ["Ann", "2"], ["mean", "-"]]
    assert "stream " not in users_text(EXPERIMENT).splitlines()[2]


@pytest.mark.parametrize("classes", [3, 20])
def test_a_confusion_is_drawn_of_few_classes_and_of_many(classes: int, tmp_path: Path) -> None:
    names = [f"class {i}" for i in range(classes)]
    before = tuple(tuple(range(classes)) for _ in names)
    after = tuple(tuple(5 * (i == j) for j in range(classes)) for i in range(classes))
    draw_confusion(before, after, names, "title", tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_one_person_is_drawn(tmp_path: Path) -> None:
    draw_learning(EXPERIMENT, tmp_path / "learning.png")
    assert (tmp_path / "learning.png").read_bytes().startswith(b"\x89PNG")


def test_statistics_without_labels_bring_their_ram() -> None:
    renewing = costs(5)
    renewing["bench"]["ram"]["statistics"] = 12_345
    text = summary_text(Path("run"), stages_of("Ann"), renewing, EXPERIMENT, 0)
    assert re.search(r"RAM, statistics \(bytes\) +12,345\n", text)


def test_a_front_end_brings_the_streams_costs_and_the_command_that_listens() -> None:
    listening = costs(5)
    listening["bench"]["ram"]["stream"] = 12_345
    listening["bench"]["instructions"]["inference_step"] = 6
    text = summary_text(Path("run"), stages_of("Ann"), listening, EXPERIMENT, 0, "FILE.wav")
    assert "RAM, stream (bytes)" in text and "12,345" in text
    assert "RAM, statistics" not in text
    assert "instructions, one with a frame and an inference" in text
    assert text.endswith("tinytrain stream run/project FILE.wav")
    assert "cortex-m targets only" not in text
    assert "stream run" not in summary_text(Path("run"), stages_of("Ann"), costs(5), EXPERIMENT, 0)
