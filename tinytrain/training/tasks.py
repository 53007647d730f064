"""Tasks: everything that one run of the pipeline decides in advance, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from tinytrain.errors import InputError


@dataclass(frozen=True)
class Head:
    """How the device learns its last layer (ARITHMETIC.md section 2)."""

    eta: float
    """Step size: learning rate times mean |features|^2 of the training set; near 1."""
    tau: float
    """A step is skipped when 1 - p[label] is at most this; 0 <= tau < 1; 0 skips nothing."""
    rows: int
    """Rows written a step: the label's and the rows - 1 of largest error; 2..classes."""
    shots: int
    """Labelled windows of each class that a new person gives."""
    passes: int
    """How often the device sees each of these windows; at least 1."""


@dataclass(frozen=True)
class Augmentation:
    """How training motions are varied to stand for people who were not recorded; 0 is off."""

    speed: float
    """Playback speed is drawn from 1 - speed..1 + speed; 0 <= speed <= 0.45."""
    gain: float
    """Strength is drawn from 1 - gain..1 + gain."""
    tilt_degrees: float
    """Standard deviation of a rotation of the sensor; channels are then triples of x, y, z."""
    noise: float
    """Standard deviation of noise, in units of full scale."""
    mirror: tuple[int, ...]
    """Sign of each channel (+1 or -1) on the other side of the body; empty: no mirroring."""


@dataclass(frozen=True)
class Task:
    """One pipeline run: a data set, a network, how it is trained, made small and goes on learning.

    A person here is one group of the data set: people are split, windows never are.
    """

    name: str
    data_set: str
    """Name for `tinytrain.training.data.load`."""
    unseen_people: int
    """People a seed keeps out of training, for the experiment; at least 1."""
    validation_people: int
    """People a seed keeps out of training to watch it; at least 1."""
    width: int
    """Output channels of the first block; each later block has half as many more."""
    blocks: int
    """Convolutional blocks; each halves the time axis; 1..4 for windows of 64 samples."""
    features: int
    """Length of the feature vector that the learning head reads."""
    dropout: float
    """Share of features switched off in training, so that each class rests on many of them."""
    epochs: int
    """Epochs of the first training."""
    batch_size: int
    learning_rate: float
    """Peak learning rate of AdamW; it warms up and decays to 0 on a cosine."""
    prune_share: float
    """Share of the multiply-accumulates to remove; 0 <= share < 1."""
    prune_rounds: int
    """Rounds of choosing channels; the fine-tuning epochs are shared out over them."""
    fine_tune_epochs: int
    """Epochs after pruning, all rounds together."""
    calibration_windows: int
    """Training windows that set the activation ranges of the int8 network."""
    augmentation: Augmentation
    head: Head


BUILT_IN: dict[str, Task] = {
    "watch": Task(
        name="watch",
        data_set="watch",
        unseen_people=3,
        validation_people=1,
        width=32,
        blocks=3,
        features=32,
        dropout=0.4,
        epochs=40,
        batch_size=64,
        learning_rate=3e-3,
        prune_share=0.6,
        prune_rounds=2,
        fine_tune_epochs=20,
        calibration_windows=200,
        augmentation=Augmentation(
            speed=0.2,
            gain=0.15,
            tilt_degrees=15.0,
            noise=0.01,
            # Reflection across the body: acceleration is a polar vector, so its lateral component
            # changes sign; turning rate is an axial vector, so its other two components do.
            mirror=(-1, 1, 1, 1, -1, -1),
        ),
        head=Head(eta=1.0, tau=0.1, rows=2, shots=10, passes=1),
    ),
}


def task_by_name(name: str) -> Task:
    """The built-in task called `name`; InputError names the ones there are."""
    if name not in BUILT_IN:
        allowed = ", ".join(sorted(BUILT_IN))
        raise InputError(f"task {name!r} is not known; choose one of: {allowed}")
    return BUILT_IN[name]
