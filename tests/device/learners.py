"""Random learners, and random things to do with them: what the tests of all devices share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.models import Operator, Tensor, build
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Array, Device
from tinytrain.errors import DeviceError, InputError
from tinytrain.head import Head, HeadOptions
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.learner import DriftConstants, Kind, LearnerConstants, LearnerParts
from tinytrain.model import Model
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.verify_learner import learner_difference
from tinytrain.project import Project, load_project

CHUNK = 200


@dataclass(frozen=True)
class Recipe:
    """A random learner in a few numbers."""

    kind: Kind = Kind.LDA
    classes: int = 4
    features: int = 9
    reserved: int = 2
    masters: int = 16
    blend: int = 0
    slots: int = 4
    held: int = 0
    hold_every: int = 0
    replays: int = 1
    implausible: int = 2048
    work_every: int = 3
    guard: bool = True
    margin: int = 8
    versions: int = 2
    patience: int = 0
    daily_steps: int = 0
    pseudo: int = 0
    drift: bool = True
    settle_shift: int = 4
    seed: int = 0

    def rules(self) -> LearnerConstants:
        return LearnerConstants(
            kind=self.kind, start=2, slots=self.slots, held=self.held, hold_every=self.hold_every,
            replays=self.replays, implausible=self.implausible, loss_cap=4096,
            work_every=self.work_every, guard=int(self.guard), margin=self.margin, confidence=8,
            versions=self.versions, patience=self.patience, daily_steps=self.daily_steps,
            pseudo=self.pseudo, seed=self.seed,
        )  # fmt: skip

    def clusters(self, samples: int, seed: int) -> tuple[Array, Array]:
        """int8 samples (samples, D) of every class and the reserved ones, and their labels."""
        means = np.random.default_rng(self.seed).normal(
            0, 25, (self.classes + self.reserved, self.features)
        )
        rng = np.random.default_rng((self.seed, seed))
        labels = rng.integers(0, len(means), samples)
        spread = rng.choice([4.0, 12.0, 60.0], samples)[:, None]
        values = means[labels] + spread * rng.normal(0, 1, (samples, self.features))
        return np.clip(np.rint(values), -128, 127).astype(np.int8), labels

    def parts(self, head: Head) -> LearnerParts:
        """The learner around a head, by samples of its own."""
        x, y = self.clusters(40 * self.classes, 1)
        at = y < self.classes
        lda = build_lda(
            x[at], y[at], head.constants.feature_zero_point, self.classes,
            head.constants.capacity, LdaOptions(blend=self.blend), head.feature_scale,
        )  # fmt: skip
        usual = np.full(self.classes, 900, np.int16)
        drift = DriftConstants(3, self.settle_shift, 128, 60 << 8, 160, 100 << 8, 200 << 8, usual)
        return LearnerParts(self.rules(), head.constants, lda, drift if self.drift else None)


def make_project(recipe: Recipe, directory: Path) -> Project:
    """A converted model whose only layer is dense, with the recipe's learner."""
    rng = np.random.default_rng(recipe.seed)
    shape = (recipe.classes, recipe.features)
    tensors = [
        Tensor((1, recipe.features), scale=0.05, zero_point=int(rng.integers(-128, 128))),
        Tensor(shape, scale=0.01, data=rng.integers(-128, 128, shape)),
        Tensor((recipe.classes,), "int32", data=rng.integers(-9000, 9000, recipe.classes)),
        Tensor((1, recipe.classes), scale=0.1),
    ]
    layer = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), "FullyConnectedOptions")
    source = directory / "dense.tflite"
    source.write_bytes(build(tensors, [layer], [0], [3]))

    def learner(model: Model) -> LearnerParts:
        assert model.head is not None
        return recipe.parts(model.head)

    options = HeadOptions(energy=4000.0, reserved=recipe.reserved, masters=recipe.masters)
    convert(source, directory / "project", options=options, make_learner=learner)
    return load_project(directory / "project")


def play(recipe: Recipe, devices: list[Device], steps: int) -> None:
    """Does the same random things with all devices; raises AssertionError where they part."""
    x, labels = recipe.clusters(steps, 2)
    rng = np.random.default_rng((recipe.seed, 3))
    for number, (sample, label) in enumerate(zip(x, labels, strict=True)):
        action = rng.choice(["learn", "observe", "add", "back", "day", "wrong", "end"],
                            p=[0.73, 0.18, 0.02, 0.01, 0.03, 0.01, 0.02])  # fmt: skip
        version = int(rng.integers(0, 3))
        given = int(label) if action != "wrong" else recipe.classes + recipe.reserved
        said = [_act(device, str(action), sample, given, version) for device in devices]
        assert all(one == said[0] for one in said), f"step {number}, {action}: {said}"
        if number % CHUNK == CHUNK - 1:
            compare(devices, f"after step {number}")
    compare(devices, "at the end")


def _act(device: Device, action: str, sample: Array, label: int, version: int) -> object:
    try:
        if action in ("learn", "wrong"):
            return device.learn(sample, label)
        if action == "observe":
            return device.observe(sample), device.classify(sample)[1].tolist()
        if action == "add":
            return device.add_class()
        if action == "back":
            return device.roll_back(version)
        return device.end_session() if action == "end" else device.new_day()
    except (DeviceError, InputError):
        return "refused"


def compare(devices: list[Device], when: str) -> None:
    """Every region of the state is the same everywhere."""
    reference, *others = devices
    assert isinstance(reference, EmulatedDevice)
    for other in others:
        _, difference = learner_difference(other, reference)
        assert difference is None, f"{when}: {difference}"
