"""A learner's state over the link: the same bits on every device, and nothing forged is taken."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.device.learners import Recipe, compare, make_project, play
from tests.device.test_learners import RECIPES
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device
from tinytrain.device.opening import open_device
from tinytrain.errors import DeviceError
from tinytrain.learner import Kind
from tinytrain.project import Project
from tinytrain.protocol import Message, Space, Status

KINDS = ["sgd", "sgd-wide", "lda", "lda-blended", "lda-sgd"]
OFFSET = struct.Struct("<I")


@dataclass(frozen=True)
class Learned:
    """A project, and the state of a device that has learned."""

    recipe: Recipe
    project: Project
    state: bytes

    def emulated(self) -> EmulatedDevice:
        return EmulatedDevice(self.project.model)


def learned(name: str, folder: Path) -> Learned:
    recipe = RECIPES[name]
    project = make_project(recipe, folder)
    device = EmulatedDevice(project.model)
    play(recipe, [device], 250)
    return Learned(recipe, project, device.export_state())


@pytest.mark.parametrize(
    ("target", "name"), [*(("host", name) for name in KINDS), ("cortex-m4", "lda-blended")]
)
def test_a_device_goes_on_from_a_state_as_the_emulator_does(
    target: str, name: str, tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    known = learned(name, tmp_path)
    emulated = known.emulated()
    with open_device(known.project, target) as device:
        for one in (emulated, device):
            one.import_state(known.state)
            assert one.export_state() == known.state
        compare([emulated, device], "after the import")
        play(known.recipe, [emulated, device], 120)
        assert device.export_state() == emulated.export_state()


@pytest.fixture(scope="module")
def blended(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> Learned:
    return learned("lda-blended", tmp_path_factory.mktemp("blended"))


def sealed(state: bytes) -> bytes:
    """With the right checksum."""
    return state[:-4] + struct.pack("<I", zlib.crc32(state[:-4]))


def changed(state: bytes, place: int, value: bytes) -> bytes:
    return sealed(state[:place] + value + state[place + len(value) :])


SOURCE = 16 + 7 * 4
"""Where the counters say which rows answer."""


def outcome(device: Device, state: bytes) -> bool:
    """Whether a device takes a state; it gives back the same bytes then, and is as from the factory
    where it does not."""
    device.reset()
    factory = device.export_state()
    try:
        device.import_state(state)
    except DeviceError:
        assert device.export_state() == factory
        return False
    assert device.export_state() == state
    return True


def test_a_damaged_or_forged_state_leaves_the_factory_learner(blended: Learned) -> None:
    state = blended.state
    wrong = [
        b"",
        state[:10],
        state[:16],
        state[:-1],
        state + b"\0",
        state[:-5],
        state[:100] + bytes([state[100] ^ 1]) + state[101:],
        state[:-1] + bytes([state[-1] ^ 1]),
        changed(state, 4, b"\1\2\3\4"),
        changed(state, 12, b"\xff\xff\xff\xff"),
        changed(state, SOURCE, b"\2\0\0\0"),
        changed(state, SOURCE, b"\xff\xff\xff\xff"),
        changed(state, 16 + 9 * 4, b"\xff\xff\0\0"),
    ]
    with open_device(blended.project, "host") as device:
        for one in (blended.emulated(), device):
            assert [outcome(one, forged) for forged in wrong] == [False] * len(wrong)
            assert outcome(one, state)


def test_the_emulator_and_c_refuse_the_same_forged_states(blended: Learned) -> None:
    check_forged(blended, 300)


@pytest.mark.parametrize("name", ["sgd-wide", "lda"])
def test_so_they_do_without_a_guard_or_a_solve(
    name: str, tmp_path: Path, require_host_gcc: None
) -> None:
    check_forged(learned(name, tmp_path), 200)


def check_forged(known: Learned, states: int) -> None:
    """States with one byte changed: some are taken, and both sides take the same ones."""
    rng = np.random.default_rng(4)
    taken = []
    with open_device(known.project, "host") as device:
        emulated = known.emulated()
        for _ in range(states):
            end = 108 if rng.random() < 0.5 else len(known.state) - 4
            value = rng.choice(np.array([0, 1, 2, 127, 255]))
            forged = changed(known.state, int(rng.integers(16, end)), bytes([value]))
            both = [outcome(one, forged) for one in (emulated, device)]
            assert both[0] == both[1]
            taken.append(both[0])
    assert 0 < sum(taken) < len(taken)


SUMS, SEEN, OFFERED = 4, 6, 7
"""Regions, by index."""
KEPT, ACTIVE_CLASSES, VERSION_CLASSES = 8, 10, 11
"""Words of the counters."""


def place_of(known: Learned, region: int, back: int = 0) -> int:
    """Where a region begins in an exported state, or `back` bytes before it ends."""
    device = known.emulated()
    sizes = [len(device.memory(Space.LEARNER, index)) for index in range(region + 1)]
    return 16 + sum(sizes) - (back or sizes[-1])


@pytest.mark.parametrize("name", ["sgd-wide", "sgd", "lda", "lda-blended"])
def test_a_number_that_nothing_uses_is_0_or_the_state_is_refused(
    name: str, tmp_path: Path, require_host_gcc: None
) -> None:
    recipe = RECIPES[name]
    project = make_project(recipe, tmp_path)
    factory = EmulatedDevice(project.model).export_state()
    known = Learned(recipe, project, factory)
    # A class that is not there yet has no samples; nor has a learner versions that it cannot keep.
    forgeries = [
        (place_of(known, SEEN, 2), b"\1\0"),
        (place_of(known, OFFERED, 2), b"\1\0"),
        (16 + 4 * (VERSION_CLASSES + 3), b"\4\0\0\0"),
    ]
    if not recipe.guard:
        forgeries += [(16 + 4 * word, bytes([1, 0, 0, 0])) for word in (KEPT, ACTIVE_CLASSES)]
    if recipe.kind != Kind.SGD:
        # counts [6], one of the scatter, and one that fills the word
        forgeries += [(place_of(known, SUMS, back), b"\1\0") for back in (2, 6)]
    if recipe.kind != Kind.SGD and not recipe.blend:
        forgeries.append((place_of(known, SUMS, 4), b"\1\0"))
    forged = [changed(factory, place, value) for place, value in forgeries]
    with open_device(project, "host") as device:
        for one in (known.emulated(), device):
            assert [outcome(one, state) for state in forged] == [False] * len(forged)
            assert outcome(one, factory)


def test_while_a_state_comes_the_factory_answers_and_nothing_is_learned(blended: Learned) -> None:
    x = np.zeros((1, blended.recipe.features), np.int8)
    sample = x.tobytes()
    busy, done, wrong = (
        struct.pack("<i", status) for status in (Status.BUSY, Status.OK, Status.RANGE)
    )
    with open_device(blended.project, "host") as device:
        device.import_state(blended.state)
        device.reset()
        factory = device.classify(x[0])[1].tolist()

        def ask(message: int, payload: bytes = b"") -> bytes:
            return device.exchange(message, payload)

        header, first = blended.state[:16], blended.state[16:216]
        assert ask(Message.IMPORT_WRITE, OFFSET.pack(16) + first) == wrong
        assert ask(Message.IMPORT_END, bytes(4)) == wrong
        assert ask(Message.IMPORT_BEGIN, header) == done
        assert ask(Message.IMPORT_WRITE, OFFSET.pack(17) + first) == wrong
        assert ask(Message.IMPORT_WRITE, OFFSET.pack(16) + first) == done
        assert ask(Message.IMPORT_WRITE, OFFSET.pack(16) + first) == wrong
        for message, payload in (
            (Message.LEARN, b"\0\0" + sample),
            (Message.ADD_CLASS, b""),
            (Message.ROLL_BACK, b"\0\0"),
            (Message.READ, struct.pack("<HHII", 3, 0, 0, 4)),
            (Message.EXPORT, struct.pack("<II", 0, 4)),
        ):
            assert ask(message, payload) == busy
        assert ask(Message.END_SESSION) == ask(Message.NEW_DAY) == done
        assert device.classify(x[0])[1].tolist() == factory
        assert device.observe(x[0])[1] is False
        assert ask(Message.IMPORT_END, bytes(4)) == struct.pack("<i", Status.FRAME)
        assert device.learn(x[0], 0).predicted < blended.recipe.classes


def test_another_learner_and_a_plain_head_have_no_use_for_it(
    blended: Learned, tmp_path: Path, require_host_gcc: None
) -> None:
    other = make_project(RECIPES["lda-sgd"], tmp_path)
    with open_device(other, "host") as device:
        for one in (EmulatedDevice(other.model), device):
            with pytest.raises(DeviceError, match="of another model or learner"):
                one.import_state(blended.state)
