"""The learning head keeps its promises, and each step is the rules in exact integers.

Letters: D features, C classes in use, R rows of memory for classes, C0 classes at first.
"""

from __future__ import annotations

from dataclasses import replace
from math import log2

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.emulator.head_cases import (
    FIXED,
    Recipe,
    copied,
    equal_head,
    masters_of,
    prepared,
    recipes,
)
from tests.emulator.head_reference import BIAS_LIMIT, Reference
from tinytrain.emulator.head import (
    UNUSED,
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
