"""No inference of the reference networks takes more instructions than were recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.recorded_counts import (
    RECORD_ANEW,
    Record,
    compiler_version,
    growth,
    read_record,
    write_record,
)
from benchmarks.reference_models import BUILT, FOLDER, MACS, reference_project
from tinytrain.device.opening import QEMU_TARGETS, open_device
from tinytrain.pipeline.bench import Bench, OperatorCost
from tinytrain.project import Project

Projects = Callable[[str], Project]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Converts each of the networks once."""
    made: dict[str, Project] = {}
    folder = tmp_path_factory.mktemp("reference")

    def make(name: str) -> Project:
        if name not in BUILT and not FOLDER.is_dir():
            pytest.skip("the published models are not beside the repository")
        if name not in made:
            made[name] = reference_project(name, FOLDER, folder)
        return made[name]

    return make


@pytest.fixture(scope="module")
def record(require_arm_gcc: None, require_qemu: None) -> Record:
    """Of this compiler; the test is skipped where another one recorded."""
    found = read_record()
    here = compiler_version()
    if here != found.compiler:
        pytest.skip(f"recorded with {found.compiler}, and {here} is here; {RECORD_ANEW}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("target", QEMU_TARGETS)
@pytest.mark.parametrize("name", MACS)
def test_an_inference_takes_no_more_than_was_recorded(
    name: str, target: str, projects: Projects, record: Record
) -> None:
    project, recorded = projects(name), record.counts[name, target]
    if project.model.source_sha256 != recorded.source_sha256:
        pytest.fail(f"{name} is another file than was recorded; {RECORD_ANEW}", pytrace=False)
    with open_device(project, target) as device:
        found = growth(project, device, recorded)
    if found is not None:
        pytest.fail(f"{name} on {target}: {found}; {RECORD_ANEW}", pytrace=False)


def bench_of(target: str, counts: list[int]) -> Bench:
    operators = tuple(OperatorCost(i, "ADD", "tt_add", count) for i, count in enumerate(counts))
    return Bench(target, sum(counts), None, operators, None, 0, 0, None, None, None)


@pytest.mark.slow
def test_what_grew_most_is_named(projects: Projects, record: Record, tmp_path: Path) -> None:
    """Recorded with one operator a thousand cheaper than it is, and another two thousand."""
    project, was = projects("ic"), record.counts["ic", "cortex-m4"]
    counts = list(was.operators)
    counts[3], counts[5] = counts[3] - 2000, counts[5] - 1000
    path = tmp_path / "recorded.json"
    write_record({"ic": (project.model, [bench_of("cortex-m4", counts)])}, path)
    smaller = read_record(path).counts["ic", "cortex-m4"]
    with open_device(project, "cortex-m4") as device:
        found = growth(project, device, smaller)
    assert found is not None and f"operator 3 (ADD), {was.operators[3]:,} for" in found


def test_recording_keeps_what_else_was_recorded(
    projects: Projects, require_arm_gcc: None, tmp_path: Path
) -> None:
    path, model = tmp_path / "recorded.json", projects("ic").model
    write_record({"ic": (model, [bench_of("cortex-m4", [1, 2])])}, path)
    write_record({"ic": (model, [bench_of("cortex-m0", [3])])}, path)
    found = read_record(path)
    assert found.compiler == compiler_version()
    assert {key: counts.operators for key, counts in found.counts.items()} == {
        ("ic", "cortex-m4"): (1, 2),
        ("ic", "cortex-m0"): (3,),
    }
