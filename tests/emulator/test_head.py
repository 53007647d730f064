"""The learning head keeps its promises, and C gives the same bits at every step.

Letters: D features, C classes in use, R rows of memory for classes, C0 classes at first. Three
implementations meet here: the emulator, the C head under the undefined-behaviour sanitizer, and a
step in Python integers, written here from the rules alone.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log2
from pathlib import Path
from typing import Any

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
from tinytrain.protocol import Status

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
        options = HeadOptions(self.eta, self.tau, self.rows, energy, self.reserved, self.masters)
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
    return Rows(rows.weights.copy(), rows.bias.copy(), rows.classes.copy(), rows.units.copy(), low)


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
            [int(w) * 128 * 2**self.fraction + (self.fraction and 0x8000) for w in row]
            for row in constants.weights
        ]
        self.bias = [int(b) * 128 for b in constants.bias]

    def logits(self, x: list[int]) -> list[int]:
        found = []
        for c, row in enumerate(self.masters):
            acc = sum((m >> self.fraction) * v for m, v in zip(row, x, strict=True))
            acc = acc + self.bias[c] + 64 >> 7
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
    acc = centered(k, x) @ k.weights.T.astype(np.int64) + k.bias
    real = acc * head.weight_scale * head.feature_scale * log2(np.e) * 1024
    found = logits((k.units,), factory_rows(k), centered(k, x))[:, : k.classes]
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
    assert classify((constants.units,), factory_rows(constants), centered(constants, x)) == [0]
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


@pytest.mark.parametrize("recipe", FIXED[4:6], ids=["all rows", "two rows"])
def test_weights_stay_within_their_limits_under_the_same_extreme_sample(recipe: Recipe) -> None:
    constants = recipe.head().constants
    rows = factory_rows(constants)
    rows.weights[:] *= 2  # The room above the factory's largest weight is used up.
    x, y = recipe.stream(1)
    highest = 0
    for step in range(3000):
        label = np.array([(int(y[0]) + step // 1000) % recipe.classes])
        learn(constants, rows, x, label)
        highest = max(highest, int(rows.weights.max()))
        assert np.abs(rows.bias.astype(np.int64)).max() <= BIAS_LIMIT
    assert highest == 32767


@pytest.mark.parametrize("masters", [16, 32])
def test_weights_saturate_where_a_step_leaves_their_range(masters: int) -> None:
    """Two rows at their ends, and a sample of the class that loses by its bias."""
    recipe = Recipe(2, 2, 0.1, 0, 0.01, False, 16.0, 0.0, 2, 9, masters=masters)
    constants = recipe.head().constants
    rows = factory_rows(constants)
    x = np.array([[127, -128]], np.int8)
    rows.weights[0] = [[32767, 32767], [-32768, -32768]]
    before = rows.weights.copy()
    rows.bias[0] = [-BIAS_LIMIT, BIAS_LIMIT]
    assert learn(constants, rows, x, np.array([0])).error[0, 1] > 32000
    assert rows.weights[0, 0, 0] == 32767
    assert rows.weights[0, 1, 0] == -32768
    assert rows.weights[0, 0, 1] < before[0, 0, 1]


@given(recipes, st.integers(2, 6))
@settings(deadline=None)
def test_devices_that_take_no_part_stay_as_they_are(recipe: Recipe, n: int) -> None:
    """Also where their label is no class of theirs."""
    constants = prepared(recipe)
    rows, alone = factory_rows(constants, n), factory_rows(constants, n)
    x, y = recipe.stream(n)
    devices = np.arange(n) % 2 == 0
    added = add_class(rows, devices)
    assert np.all((added >= 0) == (devices & (recipe.reserved > 0)))
    before = copied(rows)
    step = learn(constants, rows, x, np.where(devices, y, -7), devices)
    assert np.all(step.written[~devices] == -1)
    np.testing.assert_array_equal(rows.weights[~devices], alone.weights[~devices])
    np.testing.assert_array_equal(rows.bias[~devices], alone.bias[~devices])
    learn(constants, before, x, y)
    np.testing.assert_array_equal(rows.weights[devices], before.weights[devices])


def test_each_device_has_the_units_that_it_says() -> None:
    constants = FIXED[3].head().constants
    other = FIXED[3].head().constants.units
    other = replace(other, logit_shift=other.logit_shift - 1)
    rows = factory_rows(constants, 2)
    rows.units[:] = [0, 1]
    x, _ = FIXED[3].stream(1)
    z = logits((constants.units, other), rows, np.repeat(centered(constants, x), 2, axis=0))
    assert np.all(np.abs(z[0] - 2 * z[1]) <= 1)
    assert np.any(z[0] != z[1])


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
    units, test = (constants.units,), centered(constants, x[200:])
    untrained = np.mean(classify(units, factory_rows(constants), test) == y[200:])
    trained = np.mean(classify(units, rows, test) == y[200:])
    assert untrained < 0.6
    assert trained > 0.95


LIBRARY = """\
#include <string.h>

#include "tinytrain/head.h"

#define ADD_CLASS 0xFFFF

/* Learns `steps` samples; a label of ADD_CLASS adds a class instead. Gives for each the class
 * before it or the new one, the running trace, the rows, and what it lost. */
int32_t learn(const tt_head_constants *constants, void *memory, uint32_t bytes, int32_t steps,
              const int8_t *features, const uint16_t *labels, int32_t *predicted, uint32_t *crcs,
              int32_t *rows, int32_t *losses, int16_t *weights, int32_t *bias, uint16_t *low)
{
    tt_head head;
    int32_t status = tt_head_init(&head, constants, memory, bytes);
    size_t size = (size_t)constants->capacity * constants->features;
    uint32_t crc = 0;
    for (int32_t i = 0; i < steps && status == 0; i++) {
        if (labels[i] == ADD_CLASS) {
            predicted[i] = tt_head_add_class(&head);
            continue;
        }
        predicted[i] = tt_head_learn(&head, features + (size_t)i * constants->features, labels[i]);
        crc = tt_head_trace(&head, crc);
        crcs[i] = crc;
        rows[i] = head.rows_written;
        losses[i] = tt_head_loss(&head, (uint16_t)predicted[i], labels[i], head.rows.classes);
    }
    if (status == 0) {
        memcpy(weights, head.rows.weights, size * sizeof *weights);
        memcpy(bias, head.rows.bias, constants->capacity * sizeof *bias);
        if (head.low != NULL) {
            memcpy(low, head.low, size * sizeof *low);
        }
    }
    return status;
}
"""

ADD_CLASS = 0xFFFF
FULL = int(Status.FULL)


class CUnits(ctypes.Structure):
    """tt_units."""

    _fields_ = (
        ("gradient_shift", ctypes.c_int32),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "logit_multiplier",
                "logit_shift",
                "gradient_multiplier",
                "gradient_multiplier_shift",
                "bias_multiplier",
                "bias_multiplier_shift",
            )
        ),
    )


class CConstants(ctypes.Structure):
    """tt_head_constants."""

    _fields_ = (
        *(
            (name, ctypes.c_uint16)
            for name in ("classes", "capacity", "features", "rows", "tau", "wide")
        ),
        ("feature_zero_point", ctypes.c_int32),
        ("units", CUnits),
        ("weights", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
    )


def c_struct(kind: type[ctypes.Structure], value: Any, arrays: list[Any]) -> ctypes.Structure:
    """A dataclass of parameters as its struct; what it points to is appended to `arrays`."""
    values = {}
    for name, inner in kind._fields_:
        found = getattr(value, name)
        if isinstance(found, np.ndarray):
            arrays.append(np.ascontiguousarray(found))
            found = arrays[-1].ctypes.data
        elif issubclass(inner, ctypes.Structure):
            found = c_struct(inner, found, arrays)
        values[name] = found
    return kind(**values)


@dataclass(frozen=True, eq=False)
class Run:
    """A stream of steps; arrays over steps, and what the rows in use have become."""

    predicted: NDArray[np.int32]
    crcs: NDArray[np.uint32]
    rows: NDArray[np.int32]
    losses: NDArray[np.int32]
    weights: NDArray[np.int16]
    bias: NDArray[np.int32]
    low: NDArray[np.uint16]


Learn = Callable[[HeadConstants, NDArray[np.int8], NDArray[np.int64]], Run]


@pytest.fixture(scope="module")
def learn_in_c(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> Learn:
    folder = tmp_path_factory.mktemp("head")
    (folder / "library.c").write_text(LIBRARY)
    sanitize = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    flags = "-std=c99 -O2 -fPIC -shared -Wall -Wextra -Wconversion -Werror".split()
    files = ("arithmetic.c", "learn/head.c", "learn/row_loops.c", "link/crc32.c")
    sources = [folder / "library.c", *(FIRMWARE / "src" / file for file in files)]
    library = folder / "library.so"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, *flags, *sanitize, f"-I{FIRMWARE / 'include'}", "-o", library, *sources]
    subprocess.run(command, check=True)
    function = ctypes.CDLL(str(library)).learn

    def call(constants: HeadConstants, x: NDArray[np.int8], y: NDArray[np.int64]) -> Run:
        size = (constants.capacity, constants.features)
        arrays: list[Any] = []
        struct = c_struct(CConstants, constants, arrays)
        kinds = (np.int32, np.uint32, np.int32, np.int32)
        run = Run(
            *(np.zeros(len(x), kind) for kind in kinds),
            np.zeros(size, np.int16),
            np.zeros(size[0], np.int32),
            np.zeros(size, np.uint16),
        )
        memory = np.zeros(constants.bytes, np.uint8)
        inputs = (np.ascontiguousarray(x), y.astype(np.uint16))
        status = function(
            ctypes.byref(struct),
            memory.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint32(memory.size),
            ctypes.c_int32(len(x)),
            *(a.ctypes.data_as(ctypes.c_void_p) for a in (*inputs, *vars(run).values())),
        )
        assert status == 0
        return run

    return call


def learn_emulated(constants: HeadConstants, x: NDArray[np.int8], y: NDArray[np.int64]) -> Run:
    rows = factory_rows(constants)
    predicted, crcs, counts, losses = (np.zeros(len(x), np.int64) for _ in range(4))
    crc = 0
    for i in range(len(x)):
        if y[i] == ADD_CLASS:
            (new,) = add_class(rows)
            predicted[i] = new if new >= 0 else FULL
            continue
        step = learn(constants, rows, x[i : i + 1], y[i : i + 1])
        crcs[i] = crc = trace(rows, step, crc)
        predicted[i], counts[i] = step.predicted[0], step.rows_written[0]
        losses[i] = loss_of(step, y[i : i + 1], rows)
    low = np.zeros_like(rows.weights[0], np.uint16) if rows.low is None else rows.low[0]
    return Run(
        predicted.astype(np.int32),
        crcs.astype(np.uint32),
        counts.astype(np.int32),
        losses.astype(np.int32),
        rows.weights[0],
        rows.bias[0],
        low,
    )


def loss_of(step: Step, label: NDArray[np.int64], rows: Rows) -> int:
    _, total = softmax(step.logits)
    return int(loss(step.logits, total, label, rows.classes)[0])


def with_new_classes(recipe: Recipe, steps: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """The recipe's stream, with a class added after each seventh step, and learned where it can."""
    x, y = recipe.stream(steps)
    classes = recipe.classes
    for i in range(steps):
        if i % 7 == 6:
            y[i] = ADD_CLASS
            classes = min(classes + 1, recipe.classes + recipe.reserved)
        elif i % 3 == 0:
            y[i] = classes - 1
    return x, y


def assert_equal_runs(found: Run, expected: Run, classes: int) -> None:
    for name in ("crcs", "predicted", "rows", "losses"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    for name in ("weights", "bias", "low"):
        ours, theirs = getattr(expected, name)[:classes], getattr(found, name)[:classes]
        np.testing.assert_array_equal(theirs, ours, name)


@pytest.mark.parametrize("recipe", FIXED, ids=str)
def test_c_and_the_emulator_agree_at_each_of_1000_steps(recipe: Recipe, learn_in_c: Learn) -> None:
    constants = recipe.head().constants
    x, y = with_new_classes(recipe, 1000)
    expected = learn_emulated(constants, x, y)
    assert_equal_runs(learn_in_c(constants, x, y), expected, constants.capacity)
    assert expected.rows.max() > 0


def test_c_and_the_emulator_agree_on_random_heads(learn_in_c: Learn) -> None:
    @given(recipes)
    @settings(deadline=None)
    def check(recipe: Recipe) -> None:
        constants = prepared(recipe)
        x, y = with_new_classes(recipe, 30)
        expected = learn_emulated(constants, x, y)
        assert_equal_runs(learn_in_c(constants, x, y), expected, constants.capacity)

    check()
