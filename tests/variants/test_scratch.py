"""The bound on scratch that the choice goes by holds for the macros of every instruction set."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.variants.test_fast import dense, folded
from tinytrain.variants.fast import (
    CHANNEL,
    MAX_SCRATCH,
    FastConv2D,
    FastConvolution,
    FastDepthwiseConv2D,
    most_scratch,
)

INCLUDE = Path(__file__).resolve().parents[2] / "firmware" / "include"
PROGRAM = """\
#include <stdio.h>

#define TT_FAST_WORDS(BYTES) (((BYTES) + 3) / 4 * 4)
#include "tinytrain/{name}_scratch.h"

int main(void)
{{
    long a, b;
    while (scanf("%ld %ld", &a, &b) == 2) {{
        printf("%ld %ld\\n", (long)TT_FAST_CONV_2D_SCRATCH(a, b),
               (long)TT_FAST_DEPTHWISE_SCRATCH(a, b));
    }}
    return 0;
}}
"""


def layer(kind: type[FastConvolution], taps: int, inputs: int, outputs: int) -> FastConvolution:
    return kind(
        *(4, 4, inputs, 4, 4, outputs, 1, taps, 1, 1, 0, 0, 0, -128, 127),
        weights=np.zeros(0, np.int8),
        channels=np.zeros(0, CHANNEL),
    )


@pytest.mark.parametrize("name", ["dsp", "mve", "v6m"])
def test_no_instruction_set_takes_more_than_the_bound(
    name: str, tmp_path: Path, require_host_gcc: None
) -> None:
    (tmp_path / "scratch.c").write_text(PROGRAM.format(name=name))
    program = tmp_path / "scratch"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, f"-I{INCLUDE}", "-o", program, tmp_path / "scratch.c"], check=True)
    rng = np.random.default_rng(0)
    pairs = [(int(a), int(b)) for a, b in 2 ** rng.uniform(0, 10, (500, 2))]
    given = "\n".join(f"{a} {b}" for a, b in pairs)
    found = subprocess.run([program], input=given, capture_output=True, text=True, check=True)
    for (a, b), line in zip(pairs, found.stdout.splitlines(), strict=True):
        conv_2d, depthwise = map(int, line.split())
        assert conv_2d <= most_scratch(layer(FastConv2D, 1, a, b))
        assert depthwise <= most_scratch(layer(FastDepthwiseConv2D, a, b, b))


def test_a_layer_that_would_take_more_stack_keeps_the_plain_kernel() -> None:
    depth = MAX_SCRATCH // 2
    plain = dense(channels=1, input_depth=depth, weights=np.ones((1, depth), np.int8))
    assert folded(plain) is not None
    wider = np.ones((1, depth + 1), np.int8)
    assert folded(replace(plain, input_depth=depth + 1, weights=wider)) is None
