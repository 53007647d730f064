"""The learner on every device: the same bits as the emulator over random things to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.device.learners import Recipe, make_project, play
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.opening import open_device
from tinytrain.learner import Kind

RECIPES = {
    "sgd": Recipe(Kind.SGD, slots=6, held=2, hold_every=3, replays=2, seed=1),
    "sgd-wide": Recipe(Kind.SGD, masters=32, guard=False, slots=3, replays=1, seed=2),
    "lda": Recipe(Kind.LDA, seed=3, pseudo=31_000),
    "lda-blended": Recipe(Kind.LDA, blend=10, features=12, seed=4),
    "lda-sgd": Recipe(Kind.LDA_SGD, slots=5, held=1, hold_every=4, replays=3, seed=5),
    "lda-limits": Recipe(Kind.LDA, daily_steps=9, patience=2, versions=1, seed=6, drift=False),
}

recipes = st.builds(
    Recipe,
    kind=st.sampled_from(Kind),
    classes=st.integers(2, 6),
    features=st.integers(1, 20),
    reserved=st.integers(0, 3),
    masters=st.sampled_from([16, 32]),
    blend=st.sampled_from([0, 0, 1, 30]),
    slots=st.integers(2, 6),
    held=st.just(1),
    hold_every=st.integers(0, 4),
    replays=st.integers(0, 3),
    implausible=st.sampled_from([0, 500, 3000]),
    work_every=st.integers(0, 9),
    guard=st.booleans(),
    margin=st.sampled_from([0, 30]),
    versions=st.integers(0, 4),
    patience=st.sampled_from([0, 3]),
    daily_steps=st.sampled_from([0, 20]),
    pseudo=st.sampled_from([0, 25_000]),
    drift=st.booleans(),
    seed=st.integers(0, 1000),
)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(recipe=recipes)
def test_random_learners_on_the_host(
    recipe: Recipe, tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None
) -> None:
    project = make_project(recipe, tmp_path_factory.mktemp("learner"))
    with open_device(project, "host") as host:
        play(recipe, [EmulatedDevice(project.model), host], 150)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("target", ["host", "cortex-m4", "cortex-m0"])
def test_the_same_bits_on_every_target(
    name: str, target: str, tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    recipe = RECIPES[name]
    project = make_project(recipe, tmp_path)
    with open_device(project, target) as device:
        play(recipe, [EmulatedDevice(project.model), device], 600)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["host", "cortex-m4", "cortex-m0"])
def test_ten_thousand_steps(
    target: str, tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    """2,000 of each kind; a learner that was read back from its project learns the same."""
    require_target(target)
    for name in ("sgd", "sgd-wide", "lda", "lda-blended", "lda-sgd"):
        recipe = replace(RECIPES[name], seed=RECIPES[name].seed + 100)
        directory = tmp_path / name
        directory.mkdir()
        project = make_project(recipe, directory)
        with open_device(project, target) as device:
            play(recipe, [EmulatedDevice(project.model), device], 2_000)
