"""Ten kinds of clothes in five steps of two, on features of a network that never saw any picture.

The network is a layer of random kernels, rectified and averaged over a grid: nothing in it was
trained. The device leaves the factory with the first two classes, and what the analytic head knows
of the covariance is theirs, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.adapt.calibrate import UNGUARDED
from tinytrain.adapt.floating import quantized_head
from tinytrain.emulator import head as rows
from tinytrain.emulator import learner
from tinytrain.emulator.learner_state import State, initial
from tinytrain.emulator.work import work
from tinytrain.head import Head, HeadOptions
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import LearnerOptions, learner_constants

CLASSES, STEP = 10, 2
A_CLASS = 300
"""Pictures of each class to learn from."""
KERNELS, SIZE, CELL = 16, 5, 6
"""24 x 24 places, averaged over 4 x 4 cells: 256 features."""
SLOTS = 20
ONE = np.zeros(1, np.int64)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Features of pictures, int8 with a zero point of -128."""

    learn: npt.NDArray[np.int8]
    learn_labels: npt.NDArray[np.int64]
    test: npt.NDArray[np.int8]
    test_labels: npt.NDArray[np.int64]
    scale: float


def random_features(
    x: npt.NDArray[np.int8],
    labels: npt.NDArray[np.int64],
    test: npt.NDArray[np.int8],
    test_labels: npt.NDArray[np.int64],
    seed: int,
) -> Pictures:
    """Of A_CLASS pictures (n, 28, 28, 1) of each class, and of all to test on."""
    generator = np.random.default_rng(seed)
    kernels = generator.normal(size=(SIZE * SIZE, KERNELS))
    kernels -= kernels.mean(axis=0)
    own = [generator.permutation(np.flatnonzero(labels == c))[:A_CLASS] for c in range(CLASSES)]
    chosen = np.concatenate(own)
    real, real_test = _convolved(x[chosen], kernels), _convolved(test, kernels)
    scale = float(np.quantile(real[labels[chosen] < STEP], 0.999)) / 255
    both = (np.clip(np.rint(f / scale) - 128, -128, 127).astype(np.int8) for f in (real, real_test))
    learn, tested = both
    return Pictures(learn, labels[chosen], tested, test_labels, scale)


def _convolved(
    x: npt.NDArray[np.int8], kernels: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(n, cells * KERNELS)"""
    grey = (x.reshape(len(x), 28, 28).astype(np.float64) + 128) / 255
    parts = []
    for part in np.array_split(grey, max(1, len(grey) // 500)):
        windows = np.lib.stride_tricks.sliding_window_view(part, (SIZE, SIZE), axis=(1, 2))
        maps = np.maximum(windows.reshape(len(part), 24, 24, SIZE * SIZE) @ kernels, 0)
        cells = maps.reshape(len(part), 24 // CELL, CELL, 24 // CELL, CELL, KERNELS)
        parts.append(cells.mean(axis=(2, 4)).reshape(len(part), -1))
    return np.concatenate(parts)


def first_head(pictures: Pictures, reserved: int) -> Head:
    """Of the first classes, by their means and one variance: what a factory would ship."""
    known = pictures.learn_labels < STEP
    x = (pictures.learn[known].astype(np.float64) + 128) * pictures.scale
    labels = pictures.learn_labels[known]
    means = np.stack([x[labels == label].mean(axis=0) for label in range(STEP)])
    weights = (means - means.mean(axis=0)) / x.var(axis=0).mean()
    bias = -(weights * (means + means.mean(axis=0))).sum(axis=1) / 2
    options = HeadOptions(reserved=reserved)
    return quantized_head(weights, bias, pictures.learn[known], pictures.scale, -128, options)


def in_steps(pictures: Pictures, options: LearnerOptions, lda: LdaOptions | None) -> list[float]:
    """Accuracy among the classes known after each of the five steps."""
    head = first_head(pictures, CLASSES - STEP)
    parts = LearnerParts(learner_constants(options), head.constants, _lda(pictures, head, lda))
    state = initial(parts, 1)
    found = []
    generator = np.random.default_rng(0)
    for end in range(STEP, CLASSES + 1, STEP):
        now = np.flatnonzero((pictures.learn_labels >= end - STEP) & (pictures.learn_labels < end))
        if end > STEP:
            for _ in range(STEP):
                learner.add_class(parts, state, ONE)
        for place in generator.permutation(now).tolist():
            label = pictures.learn_labels[place : place + 1]
            learner.learn(parts, state, ONE, pictures.learn[place : place + 1], label)
        work(parts, state, ONE)
        found.append(_accuracy(parts, state, pictures, end))
    return found


def _lda(pictures: Pictures, head: Head, options: LdaOptions | None) -> object:
    if options is None:
        return None
    known = pictures.learn_labels < STEP
    constants = head.constants
    return build_lda(
        pictures.learn[known], pictures.learn_labels[known], -128, STEP, constants.capacity,
        options, pictures.scale,
    )  # fmt: skip


def _accuracy(parts: LearnerParts, state: State, pictures: Pictures, classes: int) -> float:
    asked = pictures.test_labels < classes
    answering = learner.answering_rows(parts, state, ONE)
    x = rows.centered(parts.head, pictures.test[asked])
    return float((rows.classify(parts.units, answering, x) == pictures.test_labels[asked]).mean())


def jointly(pictures: Pictures) -> float:
    """Linear discriminant analysis of all classes at once, in float: what no order can harm."""
    x, tested = (f.astype(np.float64) + 128 for f in (pictures.learn, pictures.test))
    labels = pictures.learn_labels
    means = np.stack([x[labels == label].mean(axis=0) for label in range(CLASSES)])
    within = x - means[labels]
    deviation = within.std(axis=0) + 1e-6
    correlation = (within / deviation).T @ (within / deviation) / len(x)
    inverse = np.linalg.inv(correlation + 0.2 * np.eye(len(correlation)))
    weights = means @ (inverse / np.outer(deviation, deviation))
    z = tested @ weights.T - (weights * means).sum(axis=1) / 2
    return float((z.argmax(axis=1) == pictures.test_labels).mean())


WAYS: Sequence[tuple[str, LearnerOptions, LdaOptions | None]] = (
    (
        "sgd, no replay",
        LearnerOptions("sgd", slots=0, implausible=0, work_every=0, guard=False),
        None,
    ),
    (
        "sgd, 20 replays a class",
        LearnerOptions("sgd", slots=SLOTS, implausible=0, work_every=0, guard=False, replays=8),
        None,
    ),
    ("lda frozen", UNGUARDED, LdaOptions()),
    ("lda blended", UNGUARDED, LdaOptions(blend=25)),
)
