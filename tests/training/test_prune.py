"""Pruning: down to its target, the same every time, and never at the cost of one group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.training.small_tasks import small_task, waves
from tinytrain.errors import InputError
from tinytrain.progress import silent
from tinytrain.training.channels import channels_of, macs, rebuild, weight_bytes
from tinytrain.training.fit import train
from tinytrain.training.groups import EVERYONE
from tinytrain.training.importance import batch_norm_importance, taylor_importance
from tinytrain.training.libraries import make_deterministic
from tinytrain.training.network import as_network_input, build
from tinytrain.training.prune import choose_channels, lost_too_much, prune
from tinytrain.training.tasks import Network, Pruning

pytestmark = pytest.mark.usefixtures("tensorflow")

UNGUARDED = Pruning(epochs=0, rounds=1, max_group_loss=1.0)


@pytest.fixture(scope="module")
def untrained() -> Any:
    make_deterministic(0)
    return build(small_task().network, (32, 3), 4)


@pytest.fixture(scope="module")
def trained() -> Any:
    return train(small_task(), waves(), 0, silent).model


@pytest.mark.parametrize("criterion", ["taylor", "batch_norm"])
@pytest.mark.parametrize("unit", ["macs", "bytes"])
def test_pruning_reaches_its_target(untrained: Any, criterion: str, unit: str) -> None:
    pruning = replace(UNGUARDED, share=0.6, criterion=criterion, unit=unit)
    pruned = prune(untrained, small_task(pruning=pruning), waves(2), 0, silent)
    cost = macs if unit == "macs" else weight_bytes
    assert 0.3 * cost(untrained) < cost(pruned.model) <= 0.4 * cost(untrained)
    (only,) = pruned.rounds
    assert only.reached == cost(pruned.model)
    assert (only.macs, only.weight_bytes) == (macs(pruned.model), weight_bytes(pruned.model))
    assert pruned.notes == ()
    assert pruned.model.get_layer("head").input.shape[1] == 12


@pytest.mark.parametrize("name", ["autoencoder", "ds_cnn", "resnet8"])
def test_every_network_of_the_zoo_is_pruned(name: str) -> None:
    dataset = waves(2)
    if name == "resnet8":
        dataset = replace(dataset, x=dataset.x.reshape(-1, 8, 4, 3))
    network = Network(name, width=0.25)
    make_deterministic(0)
    model = build(network, dataset.x.shape[1:], 4)
    task = small_task(network=network, pruning=replace(UNGUARDED, share=0.5))
    pruned = prune(model, task, dataset, 0, silent)
    assert pruned.rounds[-1].macs <= 0.5 * macs(model)
    assert set(pruned.rounds[-1].accuracy) == {*dataset.group_names[1:], EVERYONE}


@pytest.mark.parametrize("criterion", [taylor_importance, batch_norm_importance])
def test_a_silent_channel_is_the_least_important(untrained: Any, criterion: Any) -> None:
    model = build(small_task().network, (32, 3), 4)
    model.set_weights(untrained.get_weights())
    norm = model.get_layer("block1_norm")
    gamma, *others = norm.get_weights()
    gamma[5] = 0
    norm.set_weights([gamma, *others])
    channels = channels_of(model)
    given = (waves(2), np.arange(32), 0) if criterion is taylor_importance else ()
    scores = criterion(model, channels, *given)
    (place,) = (i for i, group in enumerate(channels.groups) if "block1_norm" in group.norms)
    assert scores[place].argmin() == 5


def test_taylor_importance_is_the_change_of_the_loss_when_the_gates_close(trained: Any) -> None:
    """To first order: a channel that is a thousandth of itself changes the loss by as much."""
    dataset, channels = waves(), channels_of(trained)
    batch = np.arange(16)
    scores = taylor_importance(trained, channels, dataset, batch, 0)
    group = channels.groups[min(scores)]
    norm = trained.get_layer(group.norms[0])
    before = norm.get_weights()

    def loss() -> float:
        x = as_network_input(dataset.x[batch])
        answers = np.asarray(trained(x, training=False), np.float64)
        return -float(np.log(answers[np.arange(16), dataset.y[batch]]).mean())

    def closed(channel: int, share: float) -> float:
        gamma, beta = before[0].copy(), before[1].copy()
        gamma[channel] *= 1 - share
        beta[channel] *= 1 - share
        norm.set_weights([gamma, beta, *before[2:]])
        return loss()

    channel = int(scores[min(scores)].argmax())
    slope = (closed(channel, 0.01) - closed(channel, -0.01)) / 0.02
    norm.set_weights(before)
    assert scores[min(scores)][channel] == pytest.approx(slope**2, rel=0.05)


def test_channels_go_by_importance_for_the_cost_they_save(untrained: Any) -> None:
    channels = channels_of(untrained, ("head",))
    free = [place for place, group in enumerate(channels.groups) if not group.protected]
    scores = {place: np.arange(channels.widths[place], dtype=float) for place in free}
    floors = dict.fromkeys(free, 1)
    target = channels.macs(channels.widths) // 2
    kept = choose_channels(channels, scores, floors, channels.macs, target)
    widths = [len(kept.get(i, range(width))) for i, width in enumerate(channels.widths)]
    assert channels.macs(widths) <= target
    for place in free:
        assert kept[place].tolist() == list(
            range(channels.widths[place] - len(kept[place]), channels.widths[place])
        )


def test_a_target_out_of_reach_gives_what_is_possible_and_says_so(untrained: Any) -> None:
    pruning = replace(UNGUARDED, share=0.98, rounds=3)
    pruned = prune(untrained, small_task(pruning=pruning), waves(2), 0, silent)
    assert macs(pruned.model) < 0.4 * macs(untrained)
    assert min(channels_of(pruned.model).widths) == 1
    assert any("down to a tenth" in note for note in pruned.notes)
    assert any("were asked for" in note for note in pruned.notes)


def test_a_network_without_a_channel_to_spare_is_refused() -> None:
    thin = build(Network("conv1d", width=0.1, blocks=1, features=1), (32, 3), 4)
    first = channels_of(thin, ("head",))
    kept = {i: np.arange(1) for i, group in enumerate(first.groups) if not group.protected}
    with pytest.raises(InputError, match="start from a wider network"):
        prune(rebuild(thin, first, kept), small_task(pruning=UNGUARDED), waves(2), 0, silent)


def test_a_share_of_0_is_no_pruning(untrained: Any) -> None:
    pruned = prune(untrained, small_task(pruning=Pruning(share=0)), waves(2), 0, silent)
    assert pruned.model is untrained
    assert (pruned.rounds, pruned.history, pruned.notes) == ((), (), ())


def test_a_loss_counts_where_chance_does_not_explain_it() -> None:
    before = {"few": 1.0, "many": 1.0, "lost": 1.0}
    after = {"few": 1 - 1 / 30, "many": 0.97, "lost": 0.96}
    samples = {"few": 30, "many": 200, "lost": 200}
    assert lost_too_much(before, after, samples, 0.02) == ["lost"]


def test_the_guard_goes_half_the_way_and_then_stops(trained: Any) -> None:
    """Without fine-tuning nine tenths cannot go without loss."""
    pruning = replace(UNGUARDED, share=0.9, max_group_loss=0.0)
    pruned = prune(trained, small_task(pruning=pruning), waves(), 0, silent)
    whole, half = pruned.rounds
    assert half.asked == (macs(trained) + whole.asked) // 2
    assert not whole.kept
    assert "backed off to half the removal" in whole.guard
    assert whole.worst_loss > 0
    assert whole.worst_group in whole.accuracy
    if not half.kept:
        assert pruned.model is trained
        assert "stopped at the network before" in half.guard


def test_small_groups_are_watched_together(untrained: Any) -> None:
    pruning = replace(UNGUARDED, share=0.3, min_group_samples=1000)
    pruned = prune(untrained, small_task(pruning=pruning), waves(2), 0, silent)
    assert pruned.rounds[0].worst_group == EVERYONE


def test_half_of_the_cost_goes_without_loss_and_the_same_every_time(trained: Any) -> None:
    task = small_task(pruning=Pruning(share=0.5, epochs=6, max_group_loss=0.05))
    first, second = (prune(trained, task, waves(), 0, silent) for _ in range(2))
    assert macs(first.model) <= 0.5 * macs(trained)
    assert all(found.kept for found in first.rounds)
    assert len(first.history) == 6
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
