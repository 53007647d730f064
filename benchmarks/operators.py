"""The table of operators: what each takes, and how it fares against tflite-micro.

    python benchmarks/operators.py [--draws 200] [--out operators.md]

Draws random models for every strategy of the tests, runs each on the emulator and on the PyPI
tflite-micro interpreter, and counts the models on which a byte differs. Exits with 1 if any does.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

# The strategies live with the tests, which are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.operators.cases import Case
from tests.operators.test_against_tflite_micro import (
    STRATEGIES,
    assert_equal_to_reference,
)
from tinytrain.converters.tflite_schema import OPTIONS
from tinytrain.operators.table import OPERATORS


@dataclass(frozen=True)
class Row:
    strategy: str
    types: str
    attributes: str
    draws: int
    differing: int


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=200)
    arguments.add_argument("--out", type=Path, default=Path("operators.md"))
    options = arguments.parse_args()
    rows = [judge(name, options.draws) for name in sorted(STRATEGIES)]
    options.out.write_text(markdown(rows), encoding="utf-8")
    print(f"{options.out}: {len(OPERATORS)} operators, {sum(row.draws for row in rows)} draws, "
          f"{sum(row.differing for row in rows)} with a difference")  # fmt: skip
    return 1 if any(row.differing for row in rows) else 0


def judge(name: str, draws: int) -> Row:
    """The figures of one strategy."""
    cases = 0
    differing = 0
    types: set[str] = set()

    @seed(0)
    @settings(
        max_examples=draws,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(STRATEGIES[name])
    def draw(case: Case) -> None:
        nonlocal cases, differing
        cases += 1
        model = case.build()
        types.add(types_of(model))
        try:
            assert_equal_to_reference(model, case.rng)
        except AssertionError:
            differing += 1

    draw()
    kind = name.split(maxsplit=1)[0]
    fields = OPTIONS[kind].fields if kind in OPTIONS else ()
    attributes = ", ".join(field.name for field in fields) or "-"
    return Row(name, "; ".join(sorted(types)), attributes, cases, differing)


def types_of(model: bytes) -> str:
    """The types that go in and come out."""
    from tinytrain.converters.tflite import parse_tflite

    graph = parse_tflite(model, "model")

    def of(tensors: tuple[int, ...]) -> str:
        return ", ".join(dict.fromkeys(graph.tensors[tensor].dtype for tensor in tensors))

    return f"{of(graph.inputs)} to {of(graph.outputs)}"


def markdown(rows: list[Row]) -> str:
    lines = [
        "# Operators",
        "",
        "Written by `python benchmarks/operators.py`. Each draw is a random model of one operator "
        "with several samples, random shapes, attributes, scales, zero points and data; the judge "
        f"is the PyPI package tflite-micro {version('tflite-micro')}. A second row of an operator "
        "is a second family of models. Fused activations are none, relu, relu6 and relu_n1_to_1 "
        "where an operator has them. The same cases run through the emitted C on the host under "
        "sanitizers and on Cortex-M0, M4, M33 and M55 in `tests/operators/test_host_kernels.py`, "
        "25 a row, against the emulator.",
        "",
        "| operator | types | attributes | draws | draws that differ |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {row.strategy} | {row.types} | {row.attributes} | {row.draws} | {row.differing} |"
            for row in rows
        ),
        "",
        "No judge, our own definition: SOFTMAX rows of 512 to 4095 elements, TRANSPOSE and "
        "broadcasting beyond the rank that tflite-micro takes (compared with numpy), QUANTIZE of "
        "floats beyond 2^31 steps or not a number (saturated; the lowest value).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
