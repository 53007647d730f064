"""Samples in, decisions out: the same bits on every body, whatever comes in whatever pieces."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.device.learners import Recipe
from tests.frontend_cases import (
    inputs_of,
    make_project,
    play,
    small_audio,
    small_motion,
    small_plan,
    sounds,
    told,
)
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device
from tinytrain.device.opening import open_device
from tinytrain.errors import DeviceError
from tinytrain.frontend.constants import StreamPlan
from tinytrain.learner import LearnerParts
from tinytrain.model import Model
from tinytrain.project import Project
from tinytrain.protocol import Measure, Message, Status, StreamEvent

PLANS: dict[str, Callable[[], StreamPlan]] = {
    "log-mel": lambda: small_plan(small_audio()),
    "cleaned": lambda: small_plan(
        small_audio(noise_reduction=True, gain_normalization=True, pre_emphasis=0.97),
        stride=1, average=1, refractory=0, ignored=0, ignore=np.zeros(0, np.uint16),
    ),
    "cepstrum": lambda: small_plan(
        small_audio(coefficients=5, hop_ms=25), frames=3, stride=5, ring_capacity=140
    ),
    "windows": lambda: small_plan(small_motion(), frames=1, stride=1, ring_capacity=40),
    "resampled": lambda: small_plan(
        small_motion(input_rate=104.0, hop=11), frames=2, stride=1, ring_capacity=30
    ),
    "statistics": lambda: small_plan(
        small_motion(form="statistics", length=16, hop=16, bands=3), frames=1, stride=1,
        ring_capacity=100,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    made: dict[tuple[str, str], Project] = {}

    def make(name: str, head: str = "auto") -> Project:
        if (name, head) not in made:
            made[name, head] = make_project(PLANS[name](), tmp_path_factory.mktemp(name), head)
        return made[name, head]

    return make


def plan_of(project: Project) -> StreamPlan:
    assert project.model.stream is not None
    return project.model.stream


def agree(project: Project, target: str, values: int) -> list[int]:
    plan, events = plan_of(project), []
    with open_device(project, target) as device:
        for seed, inputs in enumerate(inputs_of(plan)):
            reference = EmulatedDevice(project.model)
            events += play(plan, [reference, device], inputs, values, seed)
    return events


@pytest.mark.parametrize("head", ["auto", "none"])
@pytest.mark.parametrize("name", PLANS)
def test_the_host_gives_the_emulators_bits(
    name: str, head: str, projects: Callable[..., Project], require_host_gcc: None
) -> None:
    """Frames, probabilities, means, detections and counters, in pushes of random sizes that fill
    the ring at times; under sanitizers."""
    events = agree(projects(name, head), "host", 15_000)
    assert StreamEvent.IDLE in events
    assert {StreamEvent.INFERENCE, StreamEvent.DETECTION} & set(events)


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4"])
@pytest.mark.parametrize("name", ["cleaned", "resampled"])
def test_a_cortex_gives_the_emulators_bits(
    name: str,
    target: str,
    projects: Callable[..., Project],
    require_target: Callable[[str], None],
) -> None:
    require_target(target)
    events = agree(projects(name), target, 6_000)
    assert StreamEvent.DETECTION in events


def test_a_learner_answers_in_a_stream_and_follows_it(
    tmp_path: Path, require_host_gcc: None
) -> None:
    """Also with a class added meanwhile, labels learned, and learning from confident answers."""
    recipe = Recipe(classes=4, features=48, reserved=1, pseudo=20_000)

    def learner(model: Model) -> LearnerParts:
        assert model.head is not None
        return recipe.parts(model.head)

    plan = PLANS["log-mel"]()
    project = make_project(plan, tmp_path, make_learner=learner)
    x, labels = recipe.clusters(12, 2)
    with open_device(project, "host") as device:
        devices: list[Device] = [EmulatedDevice(project.model), device]
        play(plan, devices, 1, 6000, 1)
        for one in devices:
            one.add_class()
        for sample, label in zip(x, labels, strict=True):
            steps = [one.learn(sample, int(label)) for one in devices]
            assert steps[0] == steps[1]
        play(plan, devices, 2, 6000, 2)
        for one in devices:
            one.roll_back(0)
        play(plan, devices, 1, 3000, 3)


def bodies(project: Project) -> list[Device]:
    return [EmulatedDevice(project.model), open_device(project, "host")]


def test_all_of_a_ring_but_one_place_is_used_and_the_rest_is_counted(
    projects: Callable[..., Project], require_host_gcc: None
) -> None:
    project = projects("log-mel")
    for device in bodies(project):
        with device:
            device.stream_begin(8000, 2)
            pushed = device.stream_push(sounds(2 * 500, 1))
            assert (pushed.taken, pushed.lost) == (399, 101)
            again = device.stream_push(sounds(2 * 7, 1))
            assert (again.taken, again.lost) == (0, 108)
            counters = device.stream_counters()
            assert (counters.received, counters.lost) == (399, 108)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "status"),
    [
        ("log-mel", 16000, 1, -30),
        ("log-mel", 8000, 0, -31),
        ("log-mel", 8000, 9, -31),
        ("windows", 50, 3, -30),
        ("windows", 50_000, 2, -31),
    ],
)
def test_a_stream_of_another_rate_or_shape_is_refused_and_changes_nothing(
    name: str,
    rate: int,
    channels: int,
    status: int,
    projects: Callable[..., Project],
    require_host_gcc: None,
) -> None:
    project = projects(name)
    told_by = []
    for device in bodies(project):
        with device:
            device.stream_push(np.zeros(30, np.int16))
            with pytest.raises(DeviceError, match=rf"\(status {status}\)"):
                device.stream_begin(rate, channels)
            assert device.stream_counters().received == 30 // (1 if name == "log-mel" else 3)
            told_by.append(told(device.stream_step()))
    assert told_by[0] == told_by[1]


def test_a_model_without_a_front_end_says_so(
    tiny_project: Callable[..., Path], tmp_path: Path, require_host_gcc: None
) -> None:
    project = make_project(PLANS["log-mel"](), tmp_path)
    plain = replace(project.model, stream=None)
    with pytest.raises(DeviceError, match="no front end"):
        EmulatedDevice(plain).stream_step()
    from tinytrain.device.build import build
    from tinytrain.device.process import open_host

    with open_host(build(tiny_project(), "host")) as device:
        for call in (device.stream_step, device.stream_counters):
            with pytest.raises(DeviceError, match="no front end"):
                call()


def test_clipped_samples_are_counted_wherever_they_are(
    projects: Callable[..., Project], require_host_gcc: None
) -> None:
    x = np.array([32767, 0, -32768, 5, 32766, -32767], np.int16)
    for device in bodies(projects("log-mel")):
        with device:
            device.stream_begin(8000, 2)
            device.stream_push(x)
            assert device.stream_counters().clipped == 2


def test_a_reset_begins_a_new_stream(
    projects: Callable[..., Project], require_host_gcc: None
) -> None:
    for device in bodies(projects("log-mel")):
        with device:
            device.stream_begin(8000, 2)
            device.stream_push(np.zeros(300, np.int16))
            device.stream_step()
            device.reset()
            assert device.stream_counters().frames == 0
            assert device.stream_push(np.zeros(3, np.int16)).taken == 3


def test_a_device_refuses_a_front_end_that_its_model_was_not_trained_on(
    projects: Callable[..., Project], tmp_path: Path, require_host_gcc: None
) -> None:
    """The emitted hash, changed in one digit: the program ends before it answers."""
    project = projects("log-mel")
    copy = tmp_path / "project"
    shutil.copytree(project.directory, copy, ignore=shutil.ignore_patterns("build"))
    (source,) = (copy / "model").glob("dense.c")
    text = source.read_text()
    at = text.index(".frontend_hash = 0x") + len(".frontend_hash = 0x")
    source.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])
    with (
        pytest.raises(DeviceError, match="died with code 1"),
        open_device(replace(project, directory=copy), "host") as device,
    ):
        device.stream_step()


def test_a_step_is_measured(
    projects: Callable[..., Project], require_target: Callable[[str], None]
) -> None:
    require_target("cortex-m4")
    project = projects("log-mel")
    sample: Any = np.zeros(48, np.int8)
    with open_device(project, "cortex-m4") as device:
        idle = device.measure(Measure.STREAM_STEP, sample)
        device.stream_push(sounds(300, 1))
        frame = device.measure(Measure.STREAM_STEP, sample)
        assert frame.instructions > 20 * idle.instructions
        assert device.stream_counters().frames == 1


def test_a_model_without_a_front_end_links_nothing_of_streams(
    tmp_path: Path, require_arm_gcc: None
) -> None:
    from tests.device.learners import make_project as without
    from tinytrain.device.build import build

    symbols = []
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = without(Recipe(), tmp_path / "a").directory
    for directory in (plain, make_project(PLANS["log-mel"](), tmp_path / "b").directory):
        text = (build(directory, "cortex-m4") / "device.map").read_text()
        symbols.append(text.split("Linker script and memory map")[1])
    kept = [
        [line for line in text.splitlines() if name in line and "0x00000000 " not in line]
        for text in symbols
        for name in ("tt_stream_step", "tt_smoother_decide", "tt_ring_push")
    ]
    assert not any(kept[:3]) and all(kept[3:]), kept


def test_a_message_of_another_length_is_refused(
    projects: Callable[..., Project], require_host_gcc: None
) -> None:
    from tinytrain.device.stream import StreamDevice

    wrong = [
        (Message.STREAM_BEGIN, 5),
        (Message.STREAM_BEGIN, 7),
        (Message.STREAM_PUSH, 3),
        (Message.STREAM_STEP, 1),
        (Message.STREAM_COUNTERS, 2),
    ]
    with open_device(projects("log-mel"), "host") as device:
        assert isinstance(device, StreamDevice)
        for message, length in wrong:
            reply = device.exchange(message, bytes(length))
            assert int.from_bytes(reply, "little", signed=True) == Status.LENGTH, message
        assert device.stream_counters().refused == 1
        assert device.stream_push(np.zeros(0, np.int16)).taken == 0
