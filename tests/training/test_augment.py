"""Augmentation: nothing without settings, within the int8 input, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.small import small_data, small_task
from tinytrain.training.augment import (
    Float32Array,
    long_windows,
    mix,
    sampler,
    vary_audio,
    vary_motion,
)
from tinytrain.training.data import DataSet
from tinytrain.training.tasks import Augmentation, Task

STRONG = Augmentation(
    speed=0.3,
    gain=0.5,
    tilt_degrees=20,
    noise=0.05,
    mirror=(-1, 1, 1),
    shift=0.3,
    flip=True,
    time_mask=0.4,
    band_mask=0.4,
    cutout=0.5,
)
CASES = {"motion": (16, 3), "audio": (20, 8), "image": (8, 10, 3)}


def case(kind: str, settings: Augmentation) -> tuple[Task, DataSet]:
    return replace(small_task(kind), augmentation=settings), small_data(CASES[kind])


def drawn(kind: str, settings: Augmentation, seed: int = 0) -> Float32Array:
    task, dataset = case(kind, settings)
    draw = sampler(task, dataset, np.arange(100))
    return draw(np.arange(100), np.random.default_rng(seed))


@pytest.mark.parametrize("kind", CASES)
def test_without_settings_samples_stay_what_they_are(kind: str) -> None:
    plain = small_data(CASES[kind]).x[:100] / np.float32(128)
    np.testing.assert_allclose(drawn(kind, Augmentation()), plain, atol=1e-6)


@pytest.mark.parametrize("kind", CASES)
def test_samples_are_what_the_int8_input_can_hold(kind: str) -> None:
    varied = drawn(kind, STRONG)
    assert varied.dtype == np.float32
    assert varied.shape == (100, *CASES[kind])
    assert varied.min() >= -1
    assert varied.max() <= 127 / 128


@pytest.mark.parametrize("kind", CASES)
def test_the_seed_decides_the_samples(kind: str) -> None:
    np.testing.assert_array_equal(drawn(kind, STRONG, 1), drawn(kind, STRONG, 1))
    assert (drawn(kind, STRONG, 1) != drawn(kind, STRONG, 2)).mean() > 0.5


def test_long_windows_move_in_time_and_nothing_else() -> None:
    ramp = np.tile(np.arange(96, dtype=np.float32)[None, :, None] / np.float32(128), (4, 1, 6))
    moved = vary_motion(ramp, np.random.default_rng(0), length=64, settings=Augmentation())
    assert moved.shape == (4, 64, 6)
    np.testing.assert_allclose(np.diff(moved, axis=1), 1 / 128, atol=1e-6)


def test_long_windows_go_on_with_the_next_window_of_the_recording() -> None:
    signal = np.arange(40, dtype=np.int8)
    x = np.stack([signal[start : start + 8] for start in (0, 4, 8)])[:, :, None]
    dataset = replace(small_data(), x=x, recording=np.array([0, 0, 1]), overlap=True)
    first, last = long_windows(dataset, np.array([0, 1]))[:, :, 0]
    np.testing.assert_array_equal(first, signal[:12])
    np.testing.assert_array_equal(last, [4, 5, 6, 7, 8, 9, 10, 11, 11, 10, 9, 8])


def test_a_tilted_sensor_measures_the_same_strength() -> None:
    windows = np.random.default_rng(0).uniform(-0.5, 0.5, (9, 16, 6)).astype(np.float32)
    tilted = vary_motion(
        windows, np.random.default_rng(1), length=16, settings=Augmentation(tilt_degrees=40)
    )
    for triple in (slice(0, 3), slice(3, 6)):
        before, after = (np.linalg.norm(w[:, :, triple], axis=2) for w in (windows, tilted))
        np.testing.assert_allclose(after, before, atol=1e-5)
    assert np.abs(tilted - windows).max() > 0.1


def test_noise_adds_power_and_gain_shifts_the_logarithm() -> None:
    frames = np.full((50, 20, 8), -0.6, np.float32)
    one = np.ones(8, np.float32)
    noisy = vary_audio(
        frames, np.random.default_rng(0), settings=Augmentation(noise=0.05), noise_power=one
    )
    assert (noisy >= frames - 1e-6).all()
    assert noisy.std() > 0
    louder = vary_audio(
        frames, np.random.default_rng(0), settings=Augmentation(gain=0.5), noise_power=one
    )
    span = (louder - frames) * (11 - np.log(1e-6)) * 128 / 255
    assert span.max() <= 2 * np.log(1.5) + 1e-4
    assert span.min() >= 2 * np.log(0.5) - 1e-4
    assert np.ptp(louder, axis=(1, 2)).max() < 1e-6


def test_masks_hide_no_more_than_their_share() -> None:
    frames = np.random.default_rng(0).uniform(-0.9, 0.9, (60, 20, 8)).astype(np.float32)
    settings = Augmentation(time_mask=0.25, band_mask=0.25)
    masked = vary_audio(
        frames, np.random.default_rng(0), settings=settings, noise_power=np.ones(8, np.float32)
    )
    hidden = masked != frames
    assert hidden.all(axis=2).sum(axis=1).max() == 5
    assert hidden.all(axis=1).sum(axis=1).max() == 2


def test_mixup_blends_targets_as_it_blends_samples() -> None:
    x = np.random.default_rng(0).uniform(-1, 0.9, (32, 5)).astype(np.float32)
    generator = np.random.default_rng(1)
    mixed, targets = mix(x, x[:, :3], generator, 0.4)
    np.testing.assert_allclose(targets, mixed[:, :3], atol=1e-6)
    assert (mixed != x).any()
    same, _ = mix(x, x, generator, 0.0)
    assert same is x
