"""The C kernels give the emulator's bytes: on this machine under sanitizers, and on Cortex-M.

The same random models for every target, DRAWS of each strategy, and tflite-micro judges them, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case
from tests.operators.programs import (
    CHOICES,
    TARGETS,
    Entry,
    entry_of,
    run_programs,
    side_by_side,
    write_programs,
)
from tests.operators.test_against_tflite_micro import (
    DRAWS,
    EXAMPLES,
    STRATEGIES,
    Softmax,
    reference,
)
from tinytrain.errors import InputError

FEW_PER_OPERATOR = 3
"""In the fast run, on the host alone."""


@cache
def cases_of(kind: str, draws: int = DRAWS) -> tuple[Case, ...]:
    """The same random cases every time for a number of draws, and those that failed once."""
    found = list(EXAMPLES.get(kind, ()))

    @seed(1)
    @settings(
        max_examples=draws,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(STRATEGIES[kind])
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return tuple(found)


def named(kind: str, cases: Sequence[Case]) -> dict[str, Case]:
    """Cases by what their models are called in C."""
    return {f"{kind.lower().replace(' ', '_')}_{i}": case for i, case in enumerate(cases)}


def entries_of(cases: Mapping[str, Case]) -> list[Entry]:
    return [
        entry_of(name, case.build(), case.rng, CHOICES[number % len(CHOICES)])
        for number, (name, case) in enumerate(cases.items())
    ]


def equals_tflite_micro(entry: Entry) -> bool:
    """Whether the outputs that the C programs are held to are those of TensorFlow Lite Micro."""
    judged = reference(entry.source.data, entry.inputs, len(entry.model.outputs))
    return np.array_equal(side_by_side(judged), entry.output_bytes)


@cache
def all_cases() -> dict[str, Case]:
    return {name: case for kind in STRATEGIES for name, case in named(kind, cases_of(kind)).items()}


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return entries_of(all_cases())


@pytest.fixture(scope="module")
def programs(entries: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    write_programs(folder, entries)
    return folder


def test_a_few_emitted_kernels_give_the_emulators_bytes_on_the_host(
    tmp_path: Path, require_host_gcc: None
) -> None:
    few = {
        name: case
        for kind in STRATEGIES
        for name, case in named(kind, cases_of(kind, FEW_PER_OPERATOR)).items()
    }
    write_programs(tmp_path, entries_of(few))
    assert [few[name] for name in run_programs(tmp_path, "host")] == []


@pytest.mark.slow
def test_every_operator_has_as_many_cases_as_are_asked_for() -> None:
    assert min(len(cases_of(kind)) for kind in STRATEGIES) >= DRAWS


@pytest.mark.slow
def test_tflite_micro_gives_the_bytes_of_the_same_cases(entries: list[Entry]) -> None:
    assert [all_cases()[entry.name] for entry in entries if not equals_tflite_micro(entry)] == []


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_emitted_kernels_give_the_emulators_bytes(
    target: str, programs: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    assert [all_cases()[name] for name in run_programs(programs, target)] == []


@pytest.fixture(scope="module")
def fast_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of a few models for every fast kernel."""
    kinds = ("ADD", *(kind for kind in STRATEGIES if kind.endswith(" fast")))
    cases = {name: case for kind in kinds for name, case in named(kind, cases_of(kind, 6)).items()}
    folder = tmp_path_factory.mktemp("fast")
    write_programs(folder, entries_of(cases))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("optimize", ["-O0", "-Os"])
@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4", "cortex-m55"])
def test_fast_kernels_give_the_same_bytes_however_they_are_compiled(
    target: str, optimize: str, fast_programs: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    assert run_programs(fast_programs, target, f"OPTIMIZE={optimize}") == []


def softmax_of_equals(depth: int) -> bytes:
    """Exponentials that sum to `depth`, for every input."""
    return Softmax((1,), depth, scale=2.0**-20, zero_point=0, beta=1.0, seed=0).build()


def largest_sum(bias: int, shift: int) -> bytes:
    """A convolution by 0 whose sums are `bias`, times 2^shift but for one unit in 2^30."""
    small = 2.0**-15
    tensors = [
        Tensor((1, 1, 1, 1), scale=1 + small),
        Tensor((1, 1, 1, 1), scale=1 - small, data=[0]),
        Tensor((1,), "int32", data=[bias]),
        Tensor((1, 1, 1, 1), scale=2.0**-shift, zero_point=127 if bias > 0 else -128),
    ]
    options = {"strideH": 1, "strideW": 1}
    operator = Operator("CONV_2D", (0, 1, 2), (3,), "Conv2DOptions", options)
    return build(tensors, [operator], [0], [3])


EXTREMES = {
    "softmax_511": softmax_of_equals(511),
    "softmax_512": softmax_of_equals(512),
    "softmax_5000": softmax_of_equals(5000),
    "sum_highest": largest_sum((1 << 31) - 1, 0),
    "sum_lowest": largest_sum(1 - (1 << 31), 0),
    "sum_shifted_to_highest": largest_sum((1 << 30) - 1, 1),
    "sum_shifted_over": largest_sum((1 << 30) + 5, 3),
    "sum_shifted_by_30": largest_sum(1 << 20, 30),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_an_extreme_model_is_refused_or_free_of_undefined_behaviour(
    name: str, tmp_path: Path, require_host_gcc: None
) -> None:
    try:
        entry = entry_of(name, EXTREMES[name], np.random.default_rng(0))
    except InputError:
        return
    write_programs(tmp_path, [entry])
    assert run_programs(tmp_path, "host") == []
