"""The whole way on the watch data, on a Cortex-M4: one run, and everything that it promises."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import done, tinytrain
from tinytrain.pipeline.runs import open_run

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Run:
    folder: Path
    summary: str


@pytest.fixture(scope="session")
def run(
    tmp_path_factory: pytest.TempPathFactory,
    tensorflow: None,
    require_arm_gcc: None,
    require_qemu: None,
) -> Run:
    """`tinytrain run watch`, once for all tests."""
    folder = tmp_path_factory.mktemp("run") / "watch"
    return Run(folder, done("run", "watch", "--out", folder).stdout)


def figures(run: Run, name: str) -> dict[str, object]:
    return json.loads((run.folder / name).read_text())


def test_a_run_leaves_the_files_of_every_stage_and_no_others(run: Run) -> None:
    assert {path.name for path in run.folder.iterdir()} == {
        *("run.json", ".tinytrain", "task.toml", "data.npz", "checks.json"),
        *("history.json", "rounds.json", "samples.npz", "project"),
        *("float.keras", "float.json", "pruned.keras", "pruned.json"),
        *("model.tflite", "model.json", "adapt.json", "results.json"),
        *("learning.png", "confusion.png", "groups.txt", "summary.txt"),
    }
    for picture in ("learning.png", "confusion.png"):
        assert (run.folder / picture).read_bytes().startswith(b"\x89PNG")


def test_the_summary_has_the_figures_and_fits_on_a_screen(run: Run) -> None:
    for part in (
        "float32 ",
        "float32, pruned",
        "int8, pruned",
        "before  after",
        "instructions, one inference",
        "instructions, one learning step",
        "flash, weights without folded biases (bytes)",
        "C project: kernels by --optimize balanced, no --ram",
        "flash, code and constants (bytes)",
        "RAM, arena (bytes)",
        "RAM, learning head (bytes)",
        "host: 0 differing bits",
        "cortex-m4: 0 differing bits",
        str(run.folder / "project"),
    ):
        assert part in run.summary
    for user in figures(run, "adapt.json")["users"]:
        assert user["user"] in run.summary
    assert len(run.summary.splitlines()) < 50
    assert (run.folder / "summary.txt").read_text() == run.summary


def test_the_proofs_are_on_200_real_samples_and_1000_steps(run: Run) -> None:
    proofs = figures(run, "results.json")["verified"]
    assert [proof["target"] for proof in proofs] == ["host", "cortex-m4"]
    for proof in proofs:
        assert "real samples" in proof["origin"]
        compared = {check["name"]: check["compared"] for check in proof["checks"]}
        assert compared["inference"] == 200
        assert compared["learning"] == 1000
        assert all(check["difference"] is None for check in proof["checks"])


def test_nobody_in_the_results_was_in_training(run: Run) -> None:
    found = open_run(run.folder)
    dataset, split = found.dataset, found.split
    trained = {dataset.group_names[person] for person in dataset.group[split.train]}
    watched = {dataset.group_names[person] for person in dataset.group[split.validation]}
    for name in ("float.json", "pruned.json", "model.json"):
        people = set(figures(run, name)["accuracy"])
        assert len(people) == found.task.split.unseen_groups
        assert not people & (trained | watched)
    learners = {user["user"] for user in figures(run, "adapt.json")["users"]}
    assert learners == set(figures(run, "model.json")["accuracy"])


def test_the_kept_samples_are_windows_of_people_not_in_training(run: Run) -> None:
    dataset, split = (found := open_run(run.folder)).dataset, found.split
    unseen = {window.tobytes() for window in dataset.x[split.unseen]}
    kept = np.load(run.folder / "samples.npz")["x"]
    assert len(kept) >= 200
    assert all(window.tobytes() in unseen for window in kept)


def test_learning_reaches_what_the_issue_asks_for(run: Run) -> None:
    """The bounds hold for the mean of three seeds; this one alone stays inside them too."""
    users = figures(run, "adapt.json")["users"]
    before, after, floating, written = (
        np.mean([user[key] for user in users])
        for key in ("before", "after", "float_after", "rows_written")
    )
    assert after >= before + 0.03
    assert after >= floating - 0.01
    assert written <= 0.2


def test_the_cost_of_the_board_stays_within_its_bounds(run: Run) -> None:
    results = figures(run, "results.json")["bench"]
    assert results["ram"]["head"] <= 4096
    assert results["flash"]["firmware"] < 24 * 1024
    floating, int8 = figures(run, "float.json"), figures(run, "model.json")
    assert int8["macs"] <= floating["macs"] / 2


def test_the_board_learns_what_the_emulator_learns(run: Run, tmp_path: Path) -> None:
    samples = np.load(run.folder / "samples.npz")
    np.savez(tmp_path / "s.npz", x=samples["x"][:100], y=samples["y"][:100])
    heads = []
    for target in ("emulator", "cortex-m4"):
        head = tmp_path / f"{target}.npz"
        done("learn", run.folder / "project", "--target", target, "--stream", tmp_path / "s.npz",
             "--output", head)  # fmt: skip
        heads.append(np.load(head))
    assert len(heads[0]["trace"]) == 100
    for key in heads[0]:
        assert np.array_equal(heads[0][key], heads[1][key]), key


def test_report_prints_the_summary_again(run: Run) -> None:
    picture = (run.folder / "learning.png").read_bytes()
    assert done("report", run.folder).stdout == run.summary
    assert (run.folder / "learning.png").read_bytes() == picture


def test_the_stages_on_their_own_give_the_same_bytes(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "stages"
    for command in (("train", "watch", "--out"), ("prune",), ("quantize",)):
        done(*command, folder)
    for name in ("model.tflite", "samples.npz", "float.json", "pruned.json", "model.json"):
        assert (folder / name).read_bytes() == (run.folder / name).read_bytes(), name


def test_adapt_compares_all_heads_and_recommends_one(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "watch"
    shutil.copytree(run.folder, copy)
    text = done("adapt", copy, "--compare", "--stream", "bursts", "--streams", 2).stdout
    assert "6 devices of 3 people" in text
    for name in ("sgd", "lda frozen", "lda blended", "lda+sgd", "float32 sgd", "recommended: "):
        assert name in text
    stem = "comparison-bursts-noise0-streams2-seed0"
    figures = json.loads((copy / f"{stem}.json").read_text())
    assert figures["order"] == "bursts"
    assert len(figures["heads"]) == 10
    for picture in (f"{stem}.png", f"{stem}-confusion.png"):
        assert (copy / picture).read_bytes().startswith(b"\x89PNG")


def test_other_streams_leave_the_result_of_the_run_alone(run: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    own = ("adapt.json", "learning.png", "confusion.png")
    before = {name: (copy / name).read_bytes() for name in own}
    text = done("adapt", copy, "--noise", 0.3, "--streams", 2).stdout
    stem = "adapt-shuffled-noise0.3-streams2-seed0"
    for end in (".json", ".png", "-confusion.png"):
        assert (copy / f"{stem}{end}").is_file()
        assert str(copy / f"{stem}{end}") in text
    assert "sgd without a guard, stream shuffled, 30 % of the labels wrong, seed 0" in text
    assert {name: (copy / name).read_bytes() for name in own} == before
    done("adapt", copy, "--seed", 7)
    assert json.loads((copy / "adapt-shuffled-noise0-seed7.json").read_text())["seed"] == 7
    assert {name: (copy / name).read_bytes() for name in own} == before
    assert "stream shuffled, 0 % of the labels wrong, seed 0" in done("report", copy).stdout


def test_adapt_on_the_emulator_gives_the_accuracies_of_the_board(run: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    done("adapt", copy, "--target", "emulator")
    again = json.loads((copy / "adapt.json").read_text())
    assert again["target"] == "emulator"
    assert again["users"] == figures(run, "adapt.json")["users"]


DAMAGE = {
    "float.json": ('{"stage": "float"', "run that stage again"),
    "model.json": ('{"stage": "model", "macs": 1, "accuracy": {}}', "damaged"),
    "adapt.json": ('{"users": [{}]}', "tinytrain adapt"),
    "results.json": ("{}", "damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_figures_are_one_line_and_the_old_summary_stays(
    name: str, run: Run, tmp_path: Path
) -> None:
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    text, part = DAMAGE[name]
    (copy / name).write_text(text)
    result = tinytrain("report", copy)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert str(copy) in line
    assert part in line
    assert "defect" not in line
    assert (copy / "summary.txt").read_text() == run.summary


@pytest.mark.parametrize(
    ("name", "command"), [("float.keras", "prune"), ("pruned.keras", "quantize")]
)
def test_a_damaged_network_is_refused_by_the_stage_that_reads_it(
    name: str, command: str, run: Run, tmp_path: Path
) -> None:
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    (copy / name).write_bytes((copy / name).read_bytes()[:1000])
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    result = tinytrain(command, copy)
    assert result.exit_code == 2
    assert name in result.stderr
    assert "defect" not in result.stderr
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before
