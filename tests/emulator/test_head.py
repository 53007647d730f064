"""The learning head keeps its promises, and C gives the same bits at every step.

Letters: C classes, D features. Three implementations meet here: the emulator, the C head under the
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
from tinytrain.emulator.head import HeadState, classify, factory_state, learn, logits, trace
from tinytrain.errors import InputError
from tinytrain.head import Head, HeadConstants, HeadOptions, build_head
from tinytrain.operators.table import require_kernels

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"

WEIGHT_LIMIT = 127 * 256
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
        options = HeadOptions(self.eta, self.tau, self.rows, energy)
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
    features=st.integers(1, 40),
    input_scale=st.floats(2.0**-7, 0.5, width=32),
    zero_point=st.integers(-128, 127),
    weight_scale=st.floats(2.0**-12, 2.0**-4, width=32),
    per_row=st.booleans(),
    eta=st.floats(2.0**-4, 16.0),
    tau=st.floats(0.0, 1.0),
    rows=st.integers(1, 12),
    seed=st.integers(0, 2**31),
    extreme=st.booleans(),
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
]
"""Heads for long streams."""


def copied(state: HeadState) -> HeadState:
    return HeadState(state.master_weights.copy(), state.master_bias.copy())


EXP2 = [round(2**15 * 2 ** (-i / 256)) for i in range(256)]


class Reference:
    """One head, one step at a time, in Python integers: ARITHMETIC's rules in their order."""

    def __init__(self, constants: HeadConstants) -> None:
        self.k = constants
        self.weights = [[max(int(w), -127) * 256 for w in row] for row in constants.weights]
        self.bias = [int(b) * 256 for b in constants.bias]

    def logits(self, x: list[int]) -> list[int]:
        k = self.k
        found = []
        for c in range(k.classes):
            acc = sum((m + 128 >> 8) * v for m, v in zip(self.weights[c], x, strict=True))
            acc += self.bias[c] + 128 >> 8
            found.append(mbqm(acc, int(k.logit_multiplier[c]), int(k.logit_shift[c])))
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
        error[y] = -sum(p[c] for c in range(k.classes) if c != y)
        written: list[int] = []
        if -error[y] > k.tau:
            others = sorted((c for c in range(k.classes) if c != y), key=lambda c: (-error[c], c))
            written = [y, *[c for c in others[: k.rows - 1] if error[c] > 0]]
        for c in written:
            self.write(c, error[c], x)
        return z, p, error, written

    def write(self, c: int, error: int, x: list[int]) -> None:
        k = self.k
        g = mbqm(error, int(k.gradient_multiplier[c]), int(k.gradient_multiplier_shift[c]))
        g = min(max(g, -32767), 32767)
        half = 1 << k.gradient_shift - 1
        for i, v in enumerate(x):
            m = self.weights[c][i] - (g * v + half >> k.gradient_shift)
            self.weights[c][i] = min(max(m, -WEIGHT_LIMIT), WEIGHT_LIMIT)
        b = self.bias[c] - mbqm(error, int(k.bias_multiplier[c]), int(k.bias_multiplier_shift[c]))
        self.bias[c] = min(max(b, -BIAS_LIMIT), BIAS_LIMIT)


@given(recipes)
@example(FIXED[4])
@settings(deadline=None)
def test_every_step_is_the_rules_in_exact_integers(recipe: Recipe) -> None:
    constants = prepared(recipe)
    reference, state = Reference(constants), factory_state(constants)
    for x, y in zip(*recipe.stream(20), strict=True):
        step = learn(constants, state, x[None], np.array([y]))
        z, p, error, written = reference.learn(x, int(y))
        assert step.logits[0].tolist() == z
        assert step.probabilities[0].tolist() == p
        assert step.error[0].tolist() == error
        assert [row for row in step.written[0].tolist() if row >= 0] == written
        assert step.predicted[0] == z.index(max(z))
        assert state.master_weights[0].tolist() == reference.weights
        assert state.master_bias[0].tolist() == reference.bias


@given(recipes)
@settings(deadline=None)
def test_errors_sum_to_zero_and_only_the_true_row_is_pulled_up(recipe: Recipe) -> None:
    constants = prepared(recipe)
    state = factory_state(constants)
    for x, y in zip(*recipe.stream(20), strict=True):
        error = learn(constants, state, x[None], np.array([y])).error[0]
        assert error.sum() == 0
        assert error[y] <= 0
        assert np.delete(error, y).min() >= 0


@given(recipes)
@settings(deadline=None)
def test_a_step_writes_only_its_rows_and_nothing_where_it_is_skipped(recipe: Recipe) -> None:
    constants = prepared(recipe)
    state = factory_state(constants)
    for x, y in zip(*recipe.stream(20), strict=True):
        before = copied(state)
        step = learn(constants, state, x[None], np.array([y]))
        rows = [int(row) for row in step.written[0] if row >= 0]
        assert step.rows_written[0] == len(rows) <= min(recipe.rows, recipe.classes)
        assert len(set(rows)) == len(rows)
        skipped = -int(step.error[0, y]) <= round(recipe.tau * (1 << 15))
        assert rows[:1] == ([] if skipped else [y])
        kept = [c for c in range(constants.classes) if c not in rows]
        zero = x == constants.feature_zero_point
        for now, then in (
            (state.master_weights[0, kept], before.master_weights[0, kept]),
            (state.master_bias[0, kept], before.master_bias[0, kept]),
            (state.master_weights[0][:, zero], before.master_weights[0][:, zero]),
        ):
            np.testing.assert_array_equal(now, then)


@given(recipes, st.integers(2, 6))
@settings(deadline=None)
def test_many_devices_at_once_are_as_many_single_devices(recipe: Recipe, n: int) -> None:
    constants = prepared(recipe)
    x, y = recipe.stream(8 * n)
    x, y = x.reshape(8, n, -1), y.reshape(8, n)
    together = factory_state(constants, n)
    alone = [factory_state(constants) for _ in range(n)]
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
        np.testing.assert_array_equal(together.master_weights[i], alone[i].master_weights[0])
        np.testing.assert_array_equal(together.master_bias[i], alone[i].master_bias[0])


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
    found = logits(k, factory_state(k, 10), x)
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
    assert classify(constants, factory_state(constants), x) == [0]
    step = learn(constants, factory_state(constants), x, np.array([label]))
    lowest = [row for row in range(5) if row != label][:2]
    assert step.predicted == [0]
    assert step.written[0].tolist() == [label, *lowest]


def test_tau_of_one_never_learns_and_tau_of_zero_always_does() -> None:
    x = np.array([[3, -4, 5]], np.int8)
    for tau, rows_written in ((1 << 15, 0), (0, 2)):
        constants = replace(equal_head(classes=4, rows=2), tau=tau)
        step = learn(constants, factory_state(constants), x, np.array([1]))
        assert step.rows_written == [rows_written]


@pytest.mark.parametrize("recipe", FIXED[4:], ids=["all rows", "two rows"])
def test_masters_stay_within_their_limits_under_the_same_extreme_sample(recipe: Recipe) -> None:
    constants = recipe.head().constants
    state = factory_state(constants)
    x, y = recipe.stream(1)
    highest = 0
    for step in range(3000):
        label = np.array([(int(y[0]) + step // 1000) % recipe.classes])
        learn(constants, state, x, label)
        highest = max(highest, int(np.abs(state.master_weights.astype(np.int64)).max()))
        assert np.abs(state.master_bias.astype(np.int64)).max() <= BIAS_LIMIT
    assert highest == WEIGHT_LIMIT


def test_masters_saturate_where_every_step_pushes_the_same_way() -> None:
    """tau = 0 and rows of equal weights: the gradient never turns before the limit."""
    constants = replace(equal_head(classes=2, rows=2), tau=0)
    state = factory_state(constants)
    x = np.array([[127, -128, 0]], np.int8)
    state.master_weights[0, :, 0] = [WEIGHT_LIMIT - 1, -WEIGHT_LIMIT + 1]
    state.master_weights[0, :, 1] = [WEIGHT_LIMIT - 1, -WEIGHT_LIMIT + 1]
    state.master_bias[0] = [BIAS_LIMIT - 1, -BIAS_LIMIT + 1]
    for label in (0, 1):
        for _ in range(50):
            learn(constants, state, x, np.array([label]))
            assert np.abs(state.master_weights.astype(np.int64)).max() <= WEIGHT_LIMIT
            assert np.abs(state.master_bias.astype(np.int64)).max() <= BIAS_LIMIT


@pytest.mark.parametrize("label", [-1, 4, 1000])
def test_a_label_out_of_range_changes_nothing(label: int) -> None:
    constants = equal_head(classes=4, rows=2)
    state = factory_state(constants, 2)
    before = copied(state)
    with pytest.raises(InputError, match="0 to 3"):
        learn(constants, state, np.full((2, 3), 7, np.int8), np.array([1, label]))
    np.testing.assert_array_equal(state.master_weights, before.master_weights)
    np.testing.assert_array_equal(state.master_bias, before.master_bias)


def test_separable_classes_are_learned_from_200_samples() -> None:
    """Even from random weights, which are wrong and sure of it."""
    constants = Recipe(4, 16, 0.05, -10, 0.005, True, 1.0, 0.1, 2, 11).head().constants
    rng = np.random.default_rng(0)
    centres = rng.integers(-90, 91, (4, 16))
    y = rng.integers(0, 4, 400)
    x = np.clip(centres[y] + rng.normal(0, 15, (400, 16)), -128, 127).astype(np.int8)
    state = factory_state(constants)
    for i in range(200):
        learn(constants, state, x[i : i + 1], y[i : i + 1])
    weights, bias = (np.repeat(a, 200, axis=0) for a in (state.master_weights, state.master_bias))
    untrained = np.mean(classify(constants, factory_state(constants, 200), x[200:]) == y[200:])
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
