"""The learning head keeps its promises, and C gives the same bits at every step.

Letters: D features, C classes in use, R rows of memory for classes, C0 classes at first. Three implementations meet here: the emulator, the C head under the
undefined-behaviour sanitizer, and a step in Python integers, written here from the rules alone.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log2
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.models import Operator, Tensor, build
from tests.test_arithmetic import mbqm
from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.head import (
    UNUSED,
    Rows,
    Step,
    add_class,
    centered,
    classify,
    factory_rows,
    learn,
    logits,
    loss,
    softmax,
    trace,
)
from tinytrain.errors import InputError
from tinytrain.head import Head, HeadConstants, HeadOptions, build_head
from tinytrain.operators.table import require_kernels

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"

BIAS_LIMIT = 1 << 30


@dataclass(frozen=True)
class Recipe:
    """A random head in a few numbers."""

    classes: int
    features: int
    input_scale: float
    zero_point: int
    weight_scale: float
    per_row: bool
    eta: float
    tau: float
    rows: int
    seed: int
    extreme: bool = False
    """Weights, features and labels at their limits, not spread."""
    reserved: int = 0
    masters: int = 16

    def head(self) -> Head:
        """As `convert` makes it of a model whose only layer is dense."""
        rng = np.random.default_rng(self.seed)
        shape = (self.classes, self.features)
        weights = rng.choice([-128, 127], shape) if self.extreme else rng.integers(-128, 128, shape)
        spread = 2.0 ** rng.uniform(-2, 2, self.classes) if self.per_row else np.ones(1)
        tensors = [
            Tensor((1, self.features), scale=self.input_scale, zero_point=self.zero_point),
            Tensor(shape, scale=self.weight_scale * spread, data=weights),
            Tensor((self.classes,), "int32", data=rng.integers(-9000, 9000, self.classes)),
            Tensor((1, self.classes), scale=self.input_scale * self.weight_scale * 500),
        ]
        operator = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), "FullyConnectedOptions")
        graph = parse_tflite(build(tensors, [operator], [0], [3]), "head")
        energy = None if self.extreme else self.features * 5500.0
        options = HeadOptions(
            self.eta, self.tau, self.rows, energy, self.reserved, self.masters
        )
        return build_head(graph, require_kernels(graph), 0, options)

    def stream(self, steps: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Features (steps, D), a tenth of them at the zero point, and labels (steps,)."""
        rng = np.random.default_rng(self.seed + 1)
        shape = (steps, self.features)
        x = rng.choice([-128, 127], shape) if self.extreme else rng.integers(-128, 128, shape)
        x = np.where(rng.random(shape) < 0.1, self.zero_point, x)
        if self.extreme:
            x[:] = x[0]
        return x.astype(np.int8), rng.integers(0, self.classes, steps)


recipes = st.builds(
    Recipe,
    classes=st.integers(2, 12),
    features=st.integers(1, 40) | st.sampled_from([64, 255, 256, 257, 513]),
    input_scale=st.floats(2.0**-7, 0.5, width=32),
    zero_point=st.integers(-128, 127),
    weight_scale=st.floats(2.0**-12, 2.0**-4, width=32),
    per_row=st.booleans(),
    eta=st.floats(2.0**-4, 16.0),
    tau=st.floats(0.0, 1.0),
    rows=st.integers(1, 12),
    seed=st.integers(0, 2**31),
    extreme=st.booleans(),
    reserved=st.integers(0, 3),
    masters=st.sampled_from([16, 32]),
)


def prepared(recipe: Recipe) -> HeadConstants:
    """Its constants; draws whose scales `convert` refuses are passed over."""
    try:
        return recipe.head().constants
    except InputError:
        assume(False)
        raise


FIXED = [
    Recipe(2, 1, 0.1, 0, 0.01, False, 1.0, 0.0, 1, 1),
    Recipe(3, 40, 0.02, -128, 0.004, True, 1.0, 0.1, 2, 2),
    Recipe(12, 24, 0.05, 5, 0.01, True, 4.0, 0.05, 3, 3),
    Recipe(7, 16, 0.1, 127, 0.002, True, 0.25, 0.0, 7, 4),
    Recipe(10, 33, 0.02, -3, 0.01, False, 16.0, 0.0, 10, 5, extreme=True),
    Recipe(5, 8, 0.03, -128, 0.008, True, 16.0, 0.5, 2, 6, extreme=True),
    Recipe(5, 17, 0.03, -7, 0.01, True, 4.0, 0.0, 5, 7, reserved=2, masters=32),
    Recipe(6, 300, 0.02, 9, 0.02, True, 1.0, 0.0, 3, 8, reserved=3),
]
"""Heads for long streams."""


def copied(rows: Rows) -> Rows:
    low = None if rows.low is None else rows.low.copy()
    return Rows(
        rows.weights.copy(), rows.bias.copy(), rows.classes.copy(), rows.units.copy(), low
    )


def masters_of(rows: Rows, device: int = 0) -> list[list[int]]:
    """Weights of the rows in use, with their low bits where there are any."""
    used = rows.classes[device]
    weights = rows.weights[device, :used].astype(np.int64)
    if rows.low is not None:
        weights = weights * 65536 + rows.low[device, :used]
    return weights.tolist()


def factors(constants: HeadConstants, kind: str, row: int) -> tuple[int, int]:
    """A row's multiplier and shift."""
    shift = "logit_shift" if kind == "logit" else f"{kind}_multiplier_shift"
    units = constants.units
    return int(getattr(units, f"{kind}_multiplier")[row]), int(getattr(units, shift)[row])


EXP2 = [round(2**15 * 2 ** (-i / 256)) for i in range(256)]


class Reference:
    """One head, one step at a time, in Python integers: LEARNING.md's rules in their order."""

    def __init__(self, constants: HeadConstants) -> None:
        self.k = constants
        self.fraction = 16 if constants.wide else 0
        self.masters = [
            [int(w) * 256 * 2**self.fraction + (self.fraction and 0x8000) for w in row]
            for row in constants.weights
        ]
        self.bias = [int(b) * 256 for b in constants.bias]

    def logits(self, x: list[int]) -> list[int]:
        found = []
        for c, row in enumerate(self.masters):
            acc = sum((m >> self.fraction) * v for m, v in zip(row, x, strict=True))
            acc = acc + self.bias[c] + 128 >> 8
            found.append(mbqm(acc, *factors(self.k, "logit", c)))
        return found

    def learn(
        self, features: NDArray[np.int8], y: int
    ) -> tuple[list[int], list[int], list[int], list[int]]:
        """Logits, probabilities, errors and the rows written."""
        k = self.k
        x = [int(v) - k.feature_zero_point for v in features]
        z = self.logits(x)
        e = [EXP2[(max(z) - v & 1023) >> 2] >> min(max(z) - v >> 10, 31) for v in z]
        p = [(v << 15) // sum(e) for v in e]
        error = list(p)
        error[y] = -sum(p[c] for c in range(len(p)) if c != y)
        written: list[int] = []
        if -error[y] > k.tau:
            others = sorted((c for c in range(len(p)) if c != y), key=lambda c: (-error[c], c))
            written = [y, *[c for c in others[: k.rows - 1] if error[c] > 0]]
        for c in written:
            self.write(c, error[c], x)
        return z, p, error, written

    def write(self, c: int, error: int, x: list[int]) -> None:
        g = mbqm(error, *factors(self.k, "gradient", c))
        g = min(max(g, -32767), 32767)
        limit = 1 << 15 + self.fraction
        for i, v in enumerate(x):
            step = g * v * 2 ** (16 - self.k.units.gradient_shift)
            m = self.masters[c][i] - (step if self.fraction else step + 32768 >> 16)
            self.masters[c][i] = min(max(m, -limit), limit - 1)
        b = self.bias[c] - mbqm(error, *factors(self.k, "bias", c))
        self.bias[c] = min(max(b, -BIAS_LIMIT), BIAS_LIMIT)

    def add_class(self) -> None:
        """The mean of the weights; of wide masters, of their upper halves."""
        columns = zip(*self.masters, strict=True)
        means = [mean([m >> self.fraction for m in column]) for column in columns]
        self.masters.append([m * 2**self.fraction + (self.fraction and 0x8000) for m in means])
        self.bias.append(mean(self.bias))


def mean(values: list[int]) -> int:
    """To nearest, ties away from zero."""
    total, count = sum(values), len(values)
    magnitude = (2 * abs(total) + count) // (2 * count)
    return magnitude if total >= 0 else -magnitude


@given(recipes)
@example(FIXED[4])
@settings(deadline=None)
def test_every_step_is_the_rules_in_exact_integers(recipe: Recipe) -> None:
    """Learning on 20 samples, with a class added before every fifth where a row is free."""
    constants = prepared(recipe)
    reference, rows = Reference(constants), factory_rows(constants)
    for i, (x, y) in enumerate(zip(*recipe.stream(20), strict=True)):
        if i % 5 == 4:
            free = len(reference.bias) < constants.capacity
            assert add_class(rows) == [len(reference.bias) if free else -1]
            if free:
                reference.add_class()
        classes = len(reference.bias)
        step = learn(constants, rows, x[None], np.array([y]))
        z, p, error, written = reference.learn(x, int(y))
        assert rows.classes == [classes]
        assert step.logits[0].tolist() == z + [UNUSED] * (constants.capacity - classes)
        unused = [0] * (constants.capacity - classes)
        assert step.probabilities[0].tolist() == p + unused
        assert step.error[0].tolist() == error + unused
        assert [row for row in step.written[0].tolist() if row >= 0] == written
        assert step.predicted[0] == z.index(max(z))
        assert masters_of(rows) == reference.masters
        assert rows.bias[0, :classes].tolist() == reference.bias


@given(recipes)
@settings(deadline=None)
def test_the_loss_is_the_negative_logarithm_of_the_probability(recipe: Recipe) -> None:
    constants = prepared(recipe)
    rows = factory_rows(constants)
    x, y = recipe.stream(20)
    z = logits((constants.units,), rows, centered(constants, x))
    p, total = softmax(z)
    bits = loss(z, total, y, np.full(20, recipe.classes))
    own = p[np.arange(20), y] / 2.0**15
    known = own > 0.01
    assert np.all(np.abs(bits + 1024 * np.log2(np.maximum(own, 1e-9)))[known] < 30)
    unknown = loss(z, total, np.full(20, recipe.classes), np.full(20, recipe.classes))
    assert unknown.tolist() == [31 * 1024] * 20


@given(recipes)
@settings(deadline=None)
def test_errors_sum_to_zero_and_only_the_true_row_is_pulled_up(recipe: Recipe) -> None:
    constants = prepared(recipe)
    rows = factory_rows(constants)
    for x, y in zip(*recipe.stream(20), strict=True):
        error = learn(constants, rows, x[None], np.array([y])).error[0]
        assert error.sum() == 0
        assert error[y] <= 0
        assert np.delete(error, y).min() >= 0


@given(recipes)
@settings(deadline=None)
def test_a_step_writes_only_its_rows_and_nothing_where_it_is_skipped(recipe: Recipe) -> None:
    constants = prepared(recipe)
    rows = factory_rows(constants)
    for x, y in zip(*recipe.stream(20), strict=True):
        before = copied(rows)
        step = learn(constants, rows, x[None], np.array([y]))
        own = [int(row) for row in step.written[0] if row >= 0]
        assert step.rows_written[0] == len(own) <= min(recipe.rows, recipe.classes)
        assert len(set(own)) == len(own)
        skipped = -int(step.error[0, y]) <= round(recipe.tau * (1 << 15))
        assert own[:1] == ([] if skipped else [y])
        kept = [c for c in range(constants.classes) if c not in own]
        zero = x == constants.feature_zero_point
        for now, then in (
            (rows.weights[0, kept], before.weights[0, kept]),
            (rows.bias[0, kept], before.bias[0, kept]),
            (rows.weights[0][:, zero], before.weights[0][:, zero]),
        ):
            np.testing.assert_array_equal(now, then)


@given(recipes, st.integers(2, 6))
@settings(deadline=None)
def test_many_devices_at_once_are_as_many_single_devices(recipe: Recipe, n: int) -> None:
    constants = prepared(recipe)
    x, y = recipe.stream(8 * n)
    x, y = x.reshape(8, n, -1), y.reshape(8, n)
    together = factory_rows(constants, n)
    alone = [factory_rows(constants) for _ in range(n)]
    crcs = [[0, 0] for _ in range(n)]
    for step in range(8):
        all_at_once = learn(constants, together, x[step], y[step])
        for i in range(n):
            single = learn(constants, alone[i], x[step, i : i + 1], y[step, i : i + 1])
            for name in ("predicted", "logits", "probabilities", "error", "written"):
                np.testing.assert_array_equal(
                    getattr(all_at_once, name)[i], getattr(single, name)[0]
                )
            crcs[i][0] = trace(together, all_at_once, crcs[i][0], i)
            crcs[i][1] = trace(alone[i], single, crcs[i][1])
    assert all(a == b for a, b in crcs)
    for i in range(n):
        np.testing.assert_array_equal(together.weights[i], alone[i].weights[0])
        np.testing.assert_array_equal(together.bias[i], alone[i].bias[0])


@given(recipes)
@settings(deadline=None)
def test_the_first_logits_are_the_factory_layers(recipe: Recipe) -> None:
    """Weights, bias and scales of the layer itself, in log2 units: to one unit of rounding."""
    head = prepared(recipe) and recipe.head()
    k = head.constants
    x, _ = recipe.stream(10)
    weights = np.maximum(k.weights.astype(np.int64), -127)
    acc = (x.astype(np.int64) - k.feature_zero_point) @ weights.T + k.bias
    real = acc * head.weight_scale * head.feature_scale * log2(np.e) * 1024
    found = logits(k, factory_rows(k, 10), x)
    assert np.all(np.abs(found - real) <= 1 + np.abs(real) * 2.0**-29)


def equal_head(classes: int, rows: int) -> HeadConstants:
    """A head whose rows are all the same, so that everything is a tie."""
    constants = Recipe(classes, 3, 0.1, 0, 0.01, False, 1.0, 0.0, rows, 9).head().constants
    weights = np.repeat(constants.weights[:1], classes, axis=0)
    return replace(constants, weights=weights, bias=np.zeros(classes, np.int32))


@pytest.mark.parametrize("label", range(5))
def test_ties_go_to_the_lowest_index(label: int) -> None:
    constants = equal_head(classes=5, rows=3)
    x = np.array([[3, -4, 5]], np.int8)
    assert classify(constants, factory_rows(constants), x) == [0]
    step = learn(constants, factory_rows(constants), x, np.array([label]))
    lowest = [row for row in range(5) if row != label][:2]
    assert step.predicted == [0]
    assert step.written[0].tolist() == [label, *lowest]


def test_tau_of_one_never_learns_and_tau_of_zero_always_does() -> None:
    x = np.array([[3, -4, 5]], np.int8)
    for tau, rows_written in ((1 << 15, 0), (0, 2)):
        constants = replace(equal_head(classes=4, rows=2), tau=tau)
        step = learn(constants, factory_rows(constants), x, np.array([1]))
        assert step.rows_written == [rows_written]


@pytest.mark.parametrize("recipe", FIXED[4:], ids=["all rows", "two rows"])
def test_masters_stay_within_their_limits_under_the_same_extreme_sample(recipe: Recipe) -> None:
    constants = recipe.head().constants
    rows = factory_rows(constants)
    x, y = recipe.stream(1)
    highest = 0
    for step in range(3000):
        label = np.array([(int(y[0]) + step // 1000) % recipe.classes])
        learn(constants, rows, x, label)
        highest = max(highest, int(np.abs(rows.weights.astype(np.int64)).max()))
        assert np.abs(rows.bias.astype(np.int64)).max() <= BIAS_LIMIT
    assert highest == WEIGHT_LIMIT


def test_masters_saturate_where_every_step_pushes_the_same_way() -> None:
    """tau = 0 and rows of equal weights: the gradient never turns before the limit."""
    constants = replace(equal_head(classes=2, rows=2), tau=0)
    rows = factory_rows(constants)
    x = np.array([[127, -128, 0]], np.int8)
    rows.weights[0, :, 0] = [WEIGHT_LIMIT - 1, -WEIGHT_LIMIT + 1]
    rows.weights[0, :, 1] = [WEIGHT_LIMIT - 1, -WEIGHT_LIMIT + 1]
    rows.bias[0] = [BIAS_LIMIT - 1, -BIAS_LIMIT + 1]
    for label in (0, 1):
        for _ in range(50):
            learn(constants, rows, x, np.array([label]))
            assert np.abs(rows.weights.astype(np.int64)).max() <= WEIGHT_LIMIT
            assert np.abs(rows.bias.astype(np.int64)).max() <= BIAS_LIMIT


@pytest.mark.parametrize("label", [-1, 4, 1000])
def test_a_label_out_of_range_changes_nothing(label: int) -> None:
    constants = equal_head(classes=4, rows=2)
    rows = factory_rows(constants, 2)
    before = copied(rows)
    with pytest.raises(InputError, match="0 to 3"):
        learn(constants, rows, np.full((2, 3), 7, np.int8), np.array([1, label]))
    np.testing.assert_array_equal(rows.weights, before.weights)
    np.testing.assert_array_equal(rows.bias, before.bias)


def test_separable_classes_are_learned_from_200_samples() -> None:
    """Even from random weights, which are wrong and sure of it."""
    constants = Recipe(4, 16, 0.05, -10, 0.005, True, 1.0, 0.1, 2, 11).head().constants
    rng = np.random.default_rng(0)
    centres = rng.integers(-90, 91, (4, 16))
    y = rng.integers(0, 4, 400)
    x = np.clip(centres[y] + rng.normal(0, 15, (400, 16)), -128, 127).astype(np.int8)
    rows = factory_rows(constants)
    for i in range(200):
        learn(constants, rows, x[i : i + 1], y[i : i + 1])
    weights, bias = (np.repeat(a, 200, axis=0) for a in (rows.weights, rows.bias))
    untrained = np.mean(classify(constants, factory_rows(constants, 200), x[200:]) == y[200:])
    trained = np.mean(classify(constants, HeadState(weights, bias), x[200:]) == y[200:])
    assert untrained < 0.6
    assert trained > 0.95


LIBRARY = """\
#include <string.h>

#include "tinytrain/head.h"

/* Learns `steps` samples; gives for each the class before it, the running trace, and the rows. */
int32_t learn(const tt_head_constants *constants, void *memory, uint32_t bytes, int32_t steps,
              const int8_t *features, const uint16_t *labels, int32_t *predicted, uint32_t *crcs,
              int32_t *rows, int16_t *weights, int32_t *bias, int8_t *forward)
{
    tt_head head;
    int32_t status = tt_head_init(&head, constants, memory, bytes);
    size_t size = (size_t)constants->classes * constants->features;
    uint32_t crc = 0;
    for (int32_t i = 0; i < steps && status == 0; i++) {
        predicted[i] = tt_head_learn(&head, features + (size_t)i * constants->features, labels[i]);
        crc = tt_head_trace(&head, crc);
        crcs[i] = crc;
        rows[i] = head.rows_written;
    }
    if (status == 0) {
        memcpy(weights, head.master_weights, size * sizeof *weights);
        memcpy(bias, head.master_bias, constants->classes * sizeof *bias);
        memcpy(forward, head.forward_weights, size);
    }
    return status;
}
"""


class CConstants(ctypes.Structure):
    """tt_head_constants."""

    _fields_ = (
        *((name, ctypes.c_uint16) for name in ("classes", "features", "rows", "tau")),
        ("feature_zero_point", ctypes.c_int32),
        ("gradient_shift", ctypes.c_int32),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "weights",
                "bias",
                "logit_multiplier",
                "logit_shift",
                "gradient_multiplier",
                "gradient_multiplier_shift",
                "bias_multiplier",
                "bias_multiplier_shift",
            )
        ),
    )


def head_bytes(classes: int, features: int) -> int:
    """TT_HEAD_BYTES."""
    return classes * 16 + features * 2 + classes * features * 3


@dataclass(frozen=True, eq=False)
class Run:
    """A stream of steps; arrays over steps, and what the head has become."""

    predicted: NDArray[np.int32]
    crcs: NDArray[np.uint32]
    rows: NDArray[np.int32]
    weights: NDArray[np.int16]
    bias: NDArray[np.int32]
    forward: NDArray[np.int8]


Learn = Callable[[HeadConstants, NDArray[np.int8], NDArray[np.int64]], Run]


@pytest.fixture(scope="module")
def learn_in_c(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> Learn:
    folder = tmp_path_factory.mktemp("head")
    (folder / "library.c").write_text(LIBRARY)
    sanitize = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    flags = "-std=c99 -O2 -fPIC -shared -Wall -Wextra -Wconversion -Werror".split()
    sources = [
        folder / "library.c",
        *(FIRMWARE / "src" / file for file in ("arithmetic.c", "learn/head.c", "link/crc32.c")),
    ]
    library = folder / "library.so"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, *flags, *sanitize, f"-I{FIRMWARE / 'include'}", "-o", library, *sources]
    subprocess.run(command, check=True)
    function = ctypes.CDLL(str(library)).learn

    def call(constants: HeadConstants, x: NDArray[np.int8], y: NDArray[np.int64]) -> Run:
        size = (constants.classes, constants.features)
        values = {}
        arrays = []
        for name, _ in CConstants._fields_:
            value = getattr(constants, name)
            if isinstance(value, np.ndarray):
                arrays.append(np.ascontiguousarray(value))
                value = arrays[-1].ctypes.data
            values[name] = value
        run = Run(
            np.zeros(len(x), np.int32),
            np.zeros(len(x), np.uint32),
            np.zeros(len(x), np.int32),
            np.zeros(size, np.int16),
            np.zeros(size[0], np.int32),
            np.zeros(size, np.int8),
        )
        arrays += [np.ascontiguousarray(x), y.astype(np.uint16)]
        memory = np.zeros(head_bytes(*size), np.uint8)
        status = function(
            ctypes.byref(CConstants(**values)),
            memory.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint32(memory.size),
            ctypes.c_int32(len(x)),
            *(
                array.ctypes.data_as(ctypes.c_void_p)
                for array in (*arrays[-2:], run.predicted, run.crcs, run.rows, run.weights,
                              run.bias, run.forward)
            ),
        )  # fmt: skip
        assert status == 0
        return run

    return call


def learn_emulated(constants: HeadConstants, x: NDArray[np.int8], y: NDArray[np.int64]) -> Run:
    state = factory_state(constants)
    predicted, crcs, rows = [], [0], []
    for i in range(len(x)):
        step = learn(constants, state, x[i : i + 1], y[i : i + 1])
        predicted.append(step.predicted[0])
        crcs.append(trace(state, step, crcs[-1]))
        rows.append(step.rows_written[0])
    weights = state.master_weights[0]
    forward = (weights.astype(np.int64) + 128 >> 8).astype(np.int8)
    return Run(
        np.array(predicted, np.int32),
        np.array(crcs[1:], np.uint32),
        np.array(rows, np.int32),
        weights,
        state.master_bias[0],
        forward,
    )


def assert_equal_runs(found: Run, expected: Run) -> None:
    for name in ("crcs", "predicted", "rows", "weights", "bias", "forward"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


@pytest.mark.parametrize("recipe", FIXED, ids=str)
def test_c_and_the_emulator_agree_at_each_of_1000_steps(recipe: Recipe, learn_in_c: Learn) -> None:
    constants = recipe.head().constants
    x, y = recipe.stream(1000)
    expected = learn_emulated(constants, x, y)
    assert_equal_runs(learn_in_c(constants, x, y), expected)
    assert expected.rows.max() > 0


def test_c_and_the_emulator_agree_on_random_heads(learn_in_c: Learn) -> None:
    @given(recipes)
    @settings(deadline=None)
    def check(recipe: Recipe) -> None:
        constants = prepared(recipe)
        x, y = recipe.stream(30)
        assert_equal_runs(learn_in_c(constants, x, y), learn_emulated(constants, x, y))

    check()
