"""Streams of labelled samples, as one person gives them to one device: in good order and in bad.

A stream follows from its options, the seed, the person and its number, and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinytrain.errors import InputError
from tinytrain.training.data import IndexArray, Int8Array

SHUFFLED, CLASSES, BURSTS, DRIFT, NOISY = "shuffled", "classes", "bursts", "drift", "noisy"
ORDERS = (SHUFFLED, CLASSES, BURSTS, DRIFT, NOISY)
USUAL_NOISE = 0.2
"""Share of wrong labels in a stream called noisy, where nothing else is said."""
BURST = 4
"""Mean length of a run of one class."""
DRIFTED = 0.5
"""How far a stream's environment drifts: standard deviations of each channel."""


@dataclass(frozen=True)
class StreamOptions:
    """How a person gives samples to a device."""

    order: str = SHUFFLED
    """One of ORDERS. Classes: all samples of a class, then the next class. Bursts: runs of one
    class, of random length. Drift: shuffled, while an offset grows in each channel. Noisy:
    shuffled, with wrong labels."""
    noise: float | None = None
    """Share of the labels that name another class, any of them alike; None: 0, but USUAL_NOISE in
    a noisy stream."""
    passes: int = 1
    """How often the whole stream is given."""

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise InputError(f"stream {self.order!r}: one of {', '.join(ORDERS)}")
        if self.noise is not None and not 0 <= self.noise <= 1:
            raise InputError(f"noise {self.noise}: a share, 0 to 1")
        if self.passes < 1:
            raise InputError(f"passes {self.passes}: at least 1")

    @property
    def wrong(self) -> float:
        """Share of wrong labels."""
        if self.noise is None:
            return USUAL_NOISE if self.order == NOISY else 0.0
        return self.noise


@dataclass(frozen=True, eq=False)
class Stream:
    """T samples in the order in which the device sees them."""

    samples: IndexArray
    """(T,) what they are, of the samples that the stream was made from."""
    labels: IndexArray
    """(T,) what the person says they are."""
    offset: Int8Array | None = None
    """(channels,) what the environment has added to each channel when the stream ends; None where
    nothing drifts."""

    def inputs(self, x: Int8Array) -> Int8Array:
        """(T, *shape) what the device sees, of the samples x (n, *shape)."""
        taken = x[self.samples]
        if self.offset is None:
            return taken
        share = np.arange(1, len(taken) + 1) / len(taken)
        return _shifted(taken, share.reshape(-1, *[1] * (x.ndim - 1)) * self.offset)

    def at_the_end(self, x: Int8Array) -> Int8Array:
        """Other samples (n, *shape), as they are when the stream ends."""
        return x if self.offset is None else _shifted(x, self.offset.astype(np.float64))


def make_stream(
    x: Int8Array,
    labels: IndexArray,
    classes: int,
    options: StreamOptions,
    key: tuple[int, int, int],
) -> Stream:
    """A stream of all the samples x (n, *shape), whose channels are their last axis, with true
    labels (n,) below `classes`. `key`: seed, person, number of the stream.
    """
    generator = np.random.default_rng(key)
    order = np.tile(_order(labels, options.order, generator), options.passes)
    given = labels[order]
    wrong = generator.random(len(given)) < options.wrong
    others = (given + generator.integers(1, max(classes, 2), len(given))) % classes
    offset = _offset(x, generator) if options.order == DRIFT else None
    return Stream(order, np.where(wrong, others, given), offset)


def _order(labels: IndexArray, order: str, generator: np.random.Generator) -> IndexArray:
    shuffled = generator.permutation(len(labels))
    if order not in (CLASSES, BURSTS):
        return shuffled
    present = generator.permutation(np.unique(labels))
    queues = [shuffled[labels[shuffled] == label] for label in present]
    return np.concatenate(queues if order == CLASSES else _bursts(queues, generator))


def _bursts(queues: list[IndexArray], generator: np.random.Generator) -> list[IndexArray]:
    """Takes runs from the queues in turns of chance until they are empty."""
    runs: list[IndexArray] = []
    left = [queue for queue in queues if len(queue)]
    while left:
        place = int(generator.integers(len(left)))
        length = int(generator.geometric(1 / BURST))
        runs.append(left[place][:length])
        left[place] = left[place][length:]
        left = [queue for queue in left if len(queue)]
    return runs


def _offset(x: Int8Array, generator: np.random.Generator) -> Int8Array:
    """(channels,) up or down in each channel, and as far as its spread says."""
    flat = x.reshape(-1, x.shape[-1]).astype(np.float64)
    sign = generator.choice([-1.0, 1.0], x.shape[-1])
    return np.clip(np.rint(sign * DRIFTED * flat.std(axis=0)), -127, 127).astype(np.int8)


def _shifted(x: Int8Array, offset: np.typing.NDArray[np.float64]) -> Int8Array:
    return np.clip(x + np.rint(offset), -128, 127).astype(np.int8)
