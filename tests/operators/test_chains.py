"""Chains of convolutions run row by row give the emulator's bytes, in C on every target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.operators.programs import Entry, entry_of, run_programs, write_programs
from tests.operators.random_chains import RandomChain, laid_out
from tests.operators.test_against_tflite_micro import DRAWS
from tinytrain.model import Model

FEW = 25
TARGETS = ("cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55")


@cache
def entries(count: int) -> tuple[Entry, ...]:
    return tuple(entry(seed) for seed in range(count))


def entry(seed: int) -> Entry:
    case = RandomChain(seed)
    made = entry_of(f"chain_{seed}", case.build(), case.rng)
    model = replace(made.model)
    return replace(made, model=laid_out(model, case.plan(model.graph, model.kernels)))


def test_a_few_chains_give_the_emulators_bytes_on_the_host(
    tmp_path: Path, require_host_gcc: None
) -> None:
    write_programs(tmp_path, entries(FEW))
    assert run_programs(tmp_path, "host") == []


def test_the_models_of_these_tests_run_in_chains() -> None:
    def joined(model: Model) -> int:
        return sum(len(chain.operators) for chain in model.memory.chains)

    assert min(joined(made.model) for made in entries(FEW)) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("target", ["host", *TARGETS])
def test_chains_give_the_emulators_bytes(
    target: str, tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    write_programs(tmp_path, entries(max(DRAWS, FEW)))
    assert run_programs(tmp_path, target) == []
