"""The candidate in numpy: how it answers and how it learns one sample. firmware/LEARNING.md,
sections 2 to 4 and 6 ("Head learn"), has the rules.

Letters: k devices taking part, R rows, D features. `devices` is (k,) ascending indices; x is (k, D)
features less their zero point, labels are (k,).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import head
from tinytrain.emulator import lda as analytic
from tinytrain.emulator import row_copies as copies
from tinytrain.emulator.learner_state import State
from tinytrain.learner import Kind, LearnerParts, Source

Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answer:
    """What rows answer to k samples."""

    z: Int
    """(k, R) logits."""
    p: Int
    """(k, R) probabilities."""
    total: Int
    """(k,) E"""
    best: Int
    """(k,) the class."""

    def of(self, at: Int) -> Answer:
        """Of some of the samples."""
        return Answer(self.z[at], self.p[at], self.total[at], self.best[at])


def answer(parts: LearnerParts, rows: head.Rows, x: Int) -> Answer:
    """By any rows."""
    z = head.logits(parts.units, rows, x)
    p, total = head.softmax(z)
    return Answer(z, p, total, np.argmax(z, axis=1))


def forward(parts: LearnerParts, state: State, devices: Int, x: Int) -> Answer:
    """By the candidates."""
    return answer(parts, copies.take(state.candidate, devices), x)


def loss(state: State, devices: Int, seen: Answer, labels: Int) -> Int:
    """(k,) of the candidates that answered, Q10 bits."""
    return head.loss(seen.z, seen.total, labels, state.candidate.classes[devices])


def learn(
    parts: LearnerParts, state: State, devices: Int, x: Int, labels: Int, seen: Answer
) -> Int:
    """One sample on each device, which `seen` answered; the rows written (k, most), or -1."""
    written = np.full((len(devices), parts.head.rows), -1, np.int64)
    by_lda = np.zeros(len(devices), bool)
    if state.lda is not None:
        count = state.lda.counts[devices, labels]
        by_lda = (count < parts.rules.start) | (parts.rules.kind == Kind.LDA)
    at = np.flatnonzero(by_lda)
    if len(at):
        written[at, 0] = _add(parts, state, devices[at], x[at], labels[at])
    at = np.flatnonzero(~by_lda)
    if len(at):
        written[at] = _descend(parts, state, devices[at], x[at], labels[at], seen.of(at))
    if not parts.rules.guard:
        state.source[devices] = Source.CANDIDATE
    fold(state, devices, seen, written)
    return written


def descend(parts: LearnerParts, state: State, devices: Int, x: Int, labels: Int) -> None:
    """One sample again, by gradient descent."""
    seen = forward(parts, state, devices, x)
    fold(state, devices, seen, _descend(parts, state, devices, x, labels, seen))


def _descend(
    parts: LearnerParts, state: State, devices: Int, x: Int, labels: Int, seen: Answer
) -> Int:
    rows = copies.take(state.candidate, devices)
    _, written = head.step(parts.head, parts.units, rows, x, seen.p, labels)
    copies.assign(state.candidate, devices, rows)
    return written


def _add(parts: LearnerParts, state: State, devices: Int, x: Int, labels: Int) -> Int:
    """To the sums of the analytic head; the rows made anew (k,), or -1."""
    assert parts.analytic is not None and state.lda is not None
    everyone = len(state.step)
    mask = np.zeros(everyone, bool)
    all_x, all_labels = np.zeros((everyone, x.shape[1]), np.int64), np.zeros(everyone, np.int64)
    mask[devices], all_x[devices], all_labels[devices] = True, x, labels
    analytic.add(parts.analytic, state.lda, all_x, all_labels, mask)
    if parts.blended:
        return np.full(len(devices), -1, np.int64)
    sums = take_lda(state.lda, devices)
    weights, bias = analytic.row(parts.analytic, sums, labels[:, None])
    state.candidate.weights[devices, labels] = weights[:, 0]
    state.candidate.bias[devices, labels] = bias[:, 0]
    return labels


def take_lda(state: analytic.LdaState, devices: Int) -> analytic.LdaState:
    """Of k devices, each once, to read from."""
    return state if len(devices) == len(state.counts) else gather_lda(state, devices)


def gather_lda(state: analytic.LdaState, devices: Int) -> analytic.LdaState:
    """Copies for devices in any order, as often as they are named."""
    return analytic.LdaState(
        state.sums[devices],
        state.counts[devices],
        state.scatter[devices],
        state.scatter_count[devices],
    )


def fold(state: State, devices: Int, seen: Answer, written: Int) -> None:
    """Into the trace of each device: what answered, and the rows written (k, most)."""
    if state.crc is None:
        return
    rows = copies.take(state.candidate, devices)
    step = head.Step(seen.best, seen.z, seen.p, seen.p, written)
    for place, device in enumerate(devices):
        state.crc[device] = head.trace(rows, step, state.crc[device], place)


def fold_numbers(state: State, devices: Int, values: Int, width: int) -> None:
    """Into the trace of each device: values (k, ...), `width` bytes each."""
    if state.crc is None:
        return
    for device, numbers in zip(devices, values, strict=True):
        data = numbers.astype(f"<i{width}").tobytes()
        state.crc[device] = zlib.crc32(data, state.crc[device])
