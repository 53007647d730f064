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
from tinytrain.project import Project
from tinytrain.protocol import Message, Status

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
    """Whether a device takes a state; it is as from the factory where it does not."""
    device.reset()
    factory = device.export_state()
    try:
        device.import_state(state)
    except DeviceError:
        assert device.export_state() == factory
        return False
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
    rng = np.random.default_rng(4)
    taken = []
    with open_device(blended.project, "host") as device:
        emulated = blended.emulated()
        for _ in range(300):
            end = 100 if rng.random() < 0.5 else len(blended.state) - 4
            value = rng.choice(np.array([0, 1, 2, 127, 255]))
            forged = changed(blended.state, int(rng.integers(16, end)), bytes([value]))
            both = [outcome(one, forged) for one in (emulated, device)]
            assert both[0] == both[1]
            taken.append(both[0])
    assert 0 < sum(taken) < len(taken)


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
