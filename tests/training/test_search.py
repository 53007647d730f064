"""Search: exact costs, the budget kept, the better half trained longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.small import small_data, small_task
from tinytrain.errors import InputError
from tinytrain.pipeline.costs import cost_of
from tinytrain.progress import silent
from tinytrain.report.picture import draw_search
from tinytrain.report.tables import search_text
from tinytrain.training.libraries import Model
from tinytrain.training.network import build
from tinytrain.training.search import Cost, search
from tinytrain.training.tasks import Budget, Network

pytestmark = pytest.mark.usefixtures("tensorflow")


def cheap_cost(model: Model) -> Cost:
    """Weights alone, for tests that are not about costs."""
    weights = model.count_params()
    return Cost(flash=weights, ram=100, macs=10 * weights)


@pytest.fixture
def few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinytrain.training.search.WIDTHS", (0.5, 1.0, 2.0))
    monkeypatch.setattr("tinytrain.training.search.DEPTHS", {"conv1d": (1, 2)})


def test_costs_are_those_of_the_model_on_the_device() -> None:
    cost = cost_of(build(Network(name="mobilenet_v1"), (96, 96, 3), 2))
    assert cost.macs == 7_489_664
    assert cost.ram <= 55_296
    assert cost.flash > 208_000


def test_what_fits_is_trained_and_the_better_half_for_longer(
    few_sizes: None, tmp_path: Path
) -> None:
    task, dataset = small_task(epochs=4), small_data()
    sizes = sorted(
        cheap_cost(build(replace(task.network, width=width, blocks=blocks), (16, 3), 3)).flash
        for width in (0.125, 0.25, 0.5)
        for blocks in (1, 2)
    )
    task = replace(task, budget=Budget(flash=sizes[3]))
    found = search(task, dataset, 0, silent, cheap_cost)
    assert [c.cost.flash for c in found.candidates] == sizes
    assert [c.fits for c in found.candidates] == [True] * 4 + [False] * 2
    assert sorted(c.epochs for c in found.candidates) == [0, 0, 2, 2, 4, 4]
    assert found.best.epochs == 4
    assert found.best.accuracy == max(c.accuracy for c in found.candidates if c.epochs == 4)
    text = search_text(found)
    assert text.count("beyond the budget") == 2
    assert text.count("<- best") == 1
    draw_search(found, tmp_path / "search.png")
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")


def test_a_budget_that_nothing_fits_is_said(few_sizes: None) -> None:
    task = replace(small_task(), budget=Budget(flash=10, macs=5))
    with pytest.raises(InputError, match=r"fits the budget flash 10, MACs 5; the smallest takes"):
        search(task, small_data(), 0, silent, cheap_cost)
