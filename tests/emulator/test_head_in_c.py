"""The learning head in C, under the undefined-behaviour sanitizer, gives the emulator's bits at
every step."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from tests.emulator.head_cases import (
    FIXED,
    Recipe,
    prepared,
    recipes,
)
from tinytrain.emulator.head import (
    Rows,
    Step,
    add_class,
    factory_rows,
    learn,
    loss,
    softmax,
    trace,
)
from tinytrain.head import HeadConstants
from tinytrain.protocol import Status

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"

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
