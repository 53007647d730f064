"""The analytic head that is built decides as linear discriminant analysis in float does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain import arithmetic as fixed
from tinytrain.emulator import lda as emulator
from tinytrain.errors import InputError
from tinytrain.head import WEIGHT_FRACTION_BITS
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.lda_constants import WHITENING_BITS, LdaConstants

Array = NDArray[Any]

ZERO_POINT = -20
SCALE = 0.05
BLENDS = [0, 50]


@dataclass(frozen=True)
class World:
    """Classes as Gaussians with one covariance; quantized features, a few of them nearly dead."""

    means: Array
    """(C, D) in quantized units above the zero point."""
    mixing: Array
    """(D, D)"""

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """int8 features (count, D) and labels (count,)."""
        labels = rng.integers(0, len(self.means), count)
        x = self.means[labels] + rng.normal(size=(count, len(self.mixing))) @ self.mixing
        return np.clip(np.rint(x) + ZERO_POINT, -128, 127).astype(np.int8), labels

    def of_a_user(self, rng: np.random.Generator) -> World:
        """Who does everything a little differently."""
        change = rng.normal(0, 20, self.means.shape) / np.sqrt(self.means.shape[1])
        return World(self.means + change, self.mixing * 1.2)


def world(classes: int, features: int, rng: np.random.Generator) -> World:
    mixing = rng.normal(0, 1.5, (features, features)) + 9 * np.eye(features)
    means = 50 + rng.normal(0, 45, (classes, features)) / np.sqrt(features)
    means[:, :2], mixing[:, :2] = 1, mixing[:, :2] * 0.02
    return World(means, mixing)


def float_rows(k: LdaConstants, options: LdaOptions, means: Array, covariance: Array) -> Any:
    """Weights (C, D) and bias (C,) by the textbook, with the same whitening."""
    per_deviation = k.whitening / 2.0 ** (WHITENING_BITS + k.whitening_shift)
    scale = np.outer(per_deviation, per_deviation)
    inverse = np.linalg.inv(covariance * scale + options.ridge * np.eye(len(scale))) * scale
    weights = (means - k.origin / 128) @ inverse
    return weights, -0.5 * (weights * (means + k.origin / 128)).sum(axis=1)


def agreement(rows: Any, others: Any, features: Array) -> float:
    """On how many samples both decide alike."""
    x = features.astype(np.float64) - ZERO_POINT
    first, second = (np.argmax(x @ w.T.astype(np.float64) + b, axis=1) for w, b in (rows, others))
    return float(np.mean(first == second))


def moments(features: Array, labels: Array) -> tuple[Array, Array]:
    """Class means (C, D) and covariance within classes (D, D)."""
    x = features.astype(np.float64) - ZERO_POINT
    means = np.stack([x[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
    return means, (x - means[labels]).T @ (x - means[labels]) / len(x)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize(("classes", "features"), [(4, 9), (12, 64)])
def test_rows_decide_as_in_float_before_and_after_a_user(
    classes: int, features: int, blend: int
) -> None:
    rng = np.random.default_rng(features)
    people = world(classes, features, rng)
    train, labels = people.draw(3000, rng)
    options = LdaOptions(blend=blend)
    k = build_lda(train, labels, ZERO_POINT, classes, classes + 2, options, SCALE)
    means, covariance = moments(train, labels)
    user = people.of_a_user(rng)
    test, _ = user.draw(4000, rng)
    factory = float_rows(k, options, means, covariance)
    assert agreement((k.weights, k.bias), factory, test) >= 0.995

    state = emulator.empty_state(k)
    sums, counts = options.prior * means, np.full(classes, options.prior)
    scatter = blend * covariance
    for x, y in zip(*user.draw(70, rng), strict=True):
        centred = x.astype(np.int64) - ZERO_POINT
        emulator.add(k, state, centred[None], np.array([y]))
        sums[y] += centred
        counts[y] += 1
        deviation = centred - sums[y] / counts[y]
        scatter += np.outer(deviation, deviation)
    if blend:
        covariance = scatter / (blend + 70)
    learned = float_rows(k, options, sums / counts[:, None], covariance)
    weights, bias = emulator.solve_all(k, state, classes)
    assert agreement((weights[0], bias[0]), learned, test) >= 0.995
    assert agreement((weights[0], bias[0]), factory, test) < 0.995


@pytest.mark.parametrize("blend", BLENDS)
def test_the_rows_of_the_prior_leave_room_for_those_of_a_device(blend: int) -> None:
    rng = np.random.default_rng(1)
    for features in (3, 40):
        train, labels = world(5, features, rng).draw(400, rng)
        k = build_lda(train, labels, ZERO_POINT, 5, 5, LdaOptions(blend=blend), SCALE)
        assert 1 << 11 < np.abs(k.weights.astype(int)).max() <= 1 << 13
        assert np.abs(k.bias.astype(np.int64)).max() <= 1 << 28
        assert 1 << 13 < k.whitening.max() <= 32767


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("count", [1, 6, 40])
def test_few_samples_constant_features_and_missing_classes_give_finite_rows(
    count: int, blend: int
) -> None:
    rng = np.random.default_rng(2)
    train, labels = world(3, 30, rng).draw(count, rng)
    train[:, 5:9] = 17
    k = build_lda(train, labels, ZERO_POINT, 5, 6, LdaOptions(blend=blend), SCALE)
    assert k.weights.shape == (5, 30)
    missing = np.setdiff1d(np.arange(5), labels)
    assert not k.weights[missing].any()
    if count == 40:
        x = train.astype(np.int64) - ZERO_POINT
        scores = x @ k.weights.T.astype(np.int64) + k.bias
        assert np.mean(np.argmax(scores, axis=1) == labels) > 0.9


@pytest.mark.parametrize("blend", BLENDS)
def test_features_that_never_change_give_rows_that_say_nothing(blend: int) -> None:
    train = np.full((9, 4), 100, np.int8)
    labels = np.arange(9) % 3
    k = build_lda(train, labels, -128, 3, 3, LdaOptions(blend=blend), SCALE)
    assert not k.weights.any()
    assert not k.bias.any()


def test_what_is_out_of_range_is_said_in_a_line() -> None:
    features, labels = np.zeros((4, 300), np.int8), np.zeros(4, np.int64)
    for message, arguments in {
        "300 features": (features, labels, 0, 1, 1, LdaOptions()),
        "no training samples": (features[:0, :3], labels[:0], 0, 1, 1, LdaOptions()),
        "3 classes in 2 rows": (features[:, :3], labels, 0, 3, 2, LdaOptions()),
        "a label": (features[:, :3], labels + 2, 0, 2, 2, LdaOptions()),
        "prior 0": (features[:, :3], labels, 0, 2, 2, LdaOptions(prior=0)),
        "ridge 0.01": (features[:, :3], labels, 0, 2, 2, LdaOptions(ridge=0.01)),
        "temperature 0": (features[:, :3], labels, 0, 2, 2, LdaOptions(temperature=0)),
        "features of the training samples": (features[:, :3], labels, 0, 1, 1, LdaOptions()),
        "blend 70000": (features[:, :3], labels, 0, 2, 2, LdaOptions(blend=70_000)),
    }.items():
        with pytest.raises(InputError, match=message):
            build_lda(*arguments, SCALE)


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_logits_are_the_posterior_in_log2_units_times_the_temperature(temperature: float) -> None:
    rng = np.random.default_rng(3)
    train, labels = world(4, 9, rng).draw(2000, rng)
    options = LdaOptions(temperature=temperature)
    k = build_lda(train, labels, ZERO_POINT, 4, 6, options, SCALE)
    assert k.units.logit_multiplier.shape == (6,)
    x = train[:50].astype(np.int64) - ZERO_POINT
    sums = x @ k.weights.T.astype(np.int64) + k.bias
    logits = fixed.multiply_by_quantized_multiplier(
        fixed.round_half_up(sums, WEIGHT_FRACTION_BITS),
        k.units.logit_multiplier[:4],
        k.units.logit_shift[:4],
    )
    weights, bias = float_rows(k, options, *moments(train, labels))
    exact = (x @ weights.T + bias) * np.log2(np.e) * 1024 * temperature
    np.testing.assert_allclose(logits, exact, atol=60)


def test_a_step_is_worth_the_same_for_any_scale_of_the_rows() -> None:
    """eta = lr E|x|^2: the step moves a logit by eta times the error times |x|^2 / E|x|^2."""
    rng = np.random.default_rng(4)
    train, labels = world(4, 9, rng).draw(2000, rng)
    k = build_lda(train, labels, ZERO_POINT, 4, 4, LdaOptions(), SCALE, eta=2.0)
    x = train[0].astype(np.int64) - ZERO_POINT
    energy = float(((train.astype(float) - ZERO_POINT) ** 2).sum(axis=1).mean())
    error = 1 << 14
    g = fixed.multiply_by_quantized_multiplier(
        error, k.units.gradient_multiplier[0], k.units.gradient_multiplier_shift[0]
    )
    change = (g * x / 2.0**k.units.gradient_shift) @ x
    nats = change * LdaOptions().temperature * 2.0 ** (k.weight_shift - 19 - k.whitening_shift)
    assert nats == pytest.approx(2.0 * 0.5 * float(x @ x) / energy, rel=0.01)


def test_a_step_size_that_does_not_fit_is_refused() -> None:
    rng = np.random.default_rng(4)
    train, labels = world(4, 9, rng).draw(2000, rng)
    with pytest.raises(InputError, match=r"the analytic head: eta 1000000000\.0 leaves"):
        build_lda(train, labels, ZERO_POINT, 4, 4, LdaOptions(), SCALE, eta=1e9)
