"""The C kernels give the emulator's bytes: on this machine under sanitizers, and on Cortex-M.

A fixed set of random models, the same for every target, goes through `convert`; all emitted models
are built into a few programs, which run the golden inputs and name every model that differs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from numpy.typing import NDArray

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case
from tests.operators.test_against_tflite_micro import EXAMPLES, STRATEGIES, Softmax, samples
from tinytrain.converters.tflite import read_tflite
from tinytrain.errors import InputError
from tinytrain.model import Model
from tinytrain.pipeline.convert import convert

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
CASES_PER_OPERATOR = 25
MODELS_PER_PROGRAM = 100
"""With their inputs and outputs well within the 512 KB of code memory of QEMU's Cortex-M55."""
FEW_PER_OPERATOR = 2
"""In the fast run, on the host alone."""
TARGETS = ("host", "cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55")

PROGRAM = """\
#include <string.h>

#include "models.h"
#include "port.h"
#include "tinytrain/tinytrain.h"

static tt_device device;
static uint8_t output[LARGEST_OUTPUT];

static void print(const char *text)
{
    tt_port_write((const uint8_t *)text, strlen(text));
}

int main(void)
{
    int failed = 0;
    for (size_t i = 0; i < MODELS; i++) {
        const test_model *test = &models[i];
        int wrong =
            tt_init(&device, test->model, test->arena, test->arena_bytes, NULL, 0) != TT_OK;
        for (size_t sample = 0; sample < test->samples && !wrong; sample++) {
            wrong = tt_infer(&device, test->input + sample * test->input_bytes, output) != TT_OK;
            wrong |= memcmp(output, test->output + sample * test->output_bytes,
                            test->output_bytes) != 0;
        }
        if (wrong) {
            print(test->model->name);
            print(" differs\\n");
            failed = 1;
        }
    }
    print("end\\n");
    return failed;
}
"""

HEADER = """\
typedef struct test_model {
    const tt_model *model;
    void *arena;
    size_t arena_bytes;
    size_t samples;
    size_t input_bytes;
    size_t output_bytes;
    const uint8_t *input;
    const uint8_t *output;
} test_model;
"""


def cases_of(kind: str) -> list[Case]:
    """The same random cases every time, and those that failed once."""
    found = list(EXAMPLES.get(kind, ()))

    @seed(1)
    @settings(
        max_examples=CASES_PER_OPERATOR,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(STRATEGIES[kind])
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


@cache
def all_cases() -> dict[str, Case]:
    return {
        f"{kind.lower().replace(' ', '_')}_{i}": case
        for kind in STRATEGIES
        for i, case in enumerate(cases_of(kind))
    }


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """As many programs as it takes for each to fit into the smallest target's memory."""
    return write_batches(all_cases(), tmp_path_factory)


def write_batches(
    cases: Mapping[str, Case], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    models = {name: (case.build(), case.rng) for name, case in cases.items()}
    folders: list[Path] = []
    programs = -(-len(models) // MODELS_PER_PROGRAM)
    for number in range(programs):
        folders.append(tmp_path_factory.mktemp("batch"))
        write_batch(folders[-1], dict(list(models.items())[number::programs]))
    return folders


def write_batch(folder: Path, models: Mapping[str, tuple[bytes, np.random.Generator]]) -> None:
    """model/ with every emitted model and models.h; runtime/ is ours but for its application."""
    (folder / "model").mkdir()
    (folder / "runtime" / "app").mkdir(parents=True)
    for part in ("include", "src", "port"):
        (folder / "runtime" / part).symlink_to(FIRMWARE / part)
    (folder / "runtime" / "app" / "selftest.c").write_text(PROGRAM)
    (folder / "model" / "golden.c").write_text("typedef int nothing;\n")
    entries = [emit(name, model, rng, folder) for name, (model, rng) in models.items()]
    (folder / "model" / "models.h").write_text(models_header(entries))


@dataclass(frozen=True, eq=False)
class Entry:
    model: Model
    inputs: NDArray[np.uint8]
    outputs: NDArray[np.uint8]


def emit(name: str, data: bytes, rng: np.random.Generator, folder: Path) -> Entry:
    """Converts a model and adds its C files to the batch. May raise InputError."""
    source = folder / f"{name}.tflite"
    source.write_bytes(data)
    project = folder / "project"
    model = convert(source, project, name=name, head="none", samples=write_samples(source, rng))
    for file in (f"{name}.c", f"{name}.h"):
        (project / "model" / file).rename(folder / "model" / file)
    with np.load(project / "golden.npz") as golden:
        return Entry(model, golden["x"], golden["y"])


def write_samples(source: Path, rng: np.random.Generator) -> Path | None:
    """Random and extreme inputs; None, and so what `convert` draws, for several inputs."""
    graph = read_tflite(source)
    if len(graph.inputs) > 1:
        return None
    path = source.with_suffix(".npz")
    tensor = graph.tensors[graph.inputs[0]]
    np.savez(path, x=samples([tensor.shape], rng, [tensor.dtype])[0])
    return path


def models_header(entries: list[Entry]) -> str:
    lines = [f'#include "{entry.model.name}.h"' for entry in entries]
    lines += ["", HEADER]
    for entry in entries:
        name = entry.model.name
        words = (entry.model.memory.arena_bytes + 3) // 4
        lines.append(f"static uint32_t arena_{name}[{words}];")
        lines.append(array(f"input_{name}", entry.inputs))
        lines.append(array(f"output_{name}", entry.outputs))
    lines.append("static const test_model models[] = {")
    for entry in entries:
        name, count = entry.model.name, len(entry.inputs)
        lines.append(
            f"    {{&{name}_model, arena_{name}, sizeof arena_{name}, {count}, "
            f"{entry.inputs.shape[1]}, {entry.outputs.shape[1]}, input_{name}, output_{name}}},"
        )
    largest = max(entry.outputs.shape[1] for entry in entries)
    lines += ["};", f"#define MODELS {len(entries)}", f"#define LARGEST_OUTPUT {largest}", ""]
    return "\n".join(lines)


def array(name: str, data: NDArray[np.uint8]) -> str:
    numbers: Iterable[str] = map(str, data.reshape(-1).tolist())
    return f"static const uint8_t {name}[] = {{{','.join(numbers)}}};"


def run_batch(folder: Path, target: str) -> list[str]:
    """Builds and runs a batch; gives the names of the models whose bytes differ."""
    command = ["make", "--silent", "-j2", "-f", str(FIRMWARE / "project.mk"), f"TARGET={target}"]
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    result = subprocess.run(
        [*command, "selftest"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key not in outer},
        capture_output=True,
        text=True,
        check=False,
    )
    *differing, last = result.stdout.splitlines() or [""]
    assert last == "end", result.stderr[-3000:]
    assert (result.returncode != 0) == bool(differing), result.stderr[-3000:]
    return [line.split()[0] for line in differing]


def test_a_few_emitted_kernels_give_the_emulators_bytes_on_the_host(
    tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None
) -> None:
    few = {
        name: case
        for name, case in all_cases().items()
        if int(name.rsplit("_", 1)[1]) < FEW_PER_OPERATOR
    }
    for folder in write_batches(few, tmp_path_factory):
        assert [few[name] for name in run_batch(folder, "host")] == []


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_emitted_kernels_give_the_emulators_bytes(
    target: str, batches: list[Path], request: pytest.FixtureRequest
) -> None:
    if target == "host":
        request.getfixturevalue("require_host_gcc")
    else:
        request.getfixturevalue("require_arm_gcc")
        request.getfixturevalue("require_qemu")
    for folder in batches:
        assert [all_cases()[name] for name in run_batch(folder, target)] == []


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
        write_batch(tmp_path, {name: (EXTREMES[name], np.random.default_rng(0))})
    except InputError:
        return
    assert run_batch(tmp_path, "host") == []
