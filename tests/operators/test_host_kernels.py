"""The C kernels give the emulator's bytes: on this machine under sanitizers, and on Cortex-M.

A fixed set of random models, the same for every target, goes through `convert`; all emitted models
are built into one program, which runs the golden inputs of each and names every byte that differs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from numpy.typing import NDArray

from tests.operators.cases import Case
from tests.operators.test_against_tflite_micro import EXAMPLES, STRATEGIES, samples
from tinytrain.model import Model
from tinytrain.operators.table import OPERATORS
from tinytrain.pipeline.convert import convert

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
CASES_PER_OPERATOR = 25
TARGETS = [
    "host",
    *(
        pytest.param(target, marks=pytest.mark.slow)
        for target in ("cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55")
    ),
]

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


@dataclass(frozen=True)
class Batch:
    """A folder with the models of all cases, and what each is called there."""

    folder: Path
    cases: dict[str, Case]


@cache
def all_cases() -> dict[str, Case]:
    return {
        f"{kind.lower()}_{i}": case for kind in OPERATORS for i, case in enumerate(cases_of(kind))
    }


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """model/ with every emitted model and models.h; runtime/ is ours but for its application."""
    folder = tmp_path_factory.mktemp("batch")
    (folder / "model").mkdir()
    (folder / "runtime" / "app").mkdir(parents=True)
    for part in ("include", "src", "port"):
        (folder / "runtime" / part).symlink_to(FIRMWARE / part)
    (folder / "runtime" / "app" / "selftest.c").write_text(PROGRAM)
    (folder / "model" / "golden.c").write_text("typedef int nothing;\n")
    entries = [emit(name, case, folder) for name, case in all_cases().items()]
    (folder / "model" / "models.h").write_text(models_header(entries))
    return Batch(folder, all_cases())


@dataclass(frozen=True)
class Entry:
    model: Model
    inputs: NDArray[np.uint8]
    outputs: NDArray[np.uint8]


def emit(name: str, case: Case, folder: Path) -> Entry:
    """Converts a case and adds its C files to the batch."""
    source = folder / f"{name}.tflite"
    source.write_bytes(case.build())
    project = folder / "project"
    model = convert(source, project, name=name, head="none", samples=write_samples(case, source))
    for file in (f"{name}.c", f"{name}.h"):
        (project / "model" / file).rename(folder / "model" / file)
    with np.load(project / "golden.npz") as golden:
        return Entry(model, golden["x"], golden["y"])


def write_samples(case: Case, source: Path) -> Path | None:
    """Random and extreme inputs; None, and so what `convert` draws, for several inputs."""
    from tinytrain.converters.tflite import read_tflite

    graph = read_tflite(source)
    if len(graph.inputs) > 1:
        return None
    path = source.with_suffix(".npz")
    np.savez(path, x=samples([graph.tensors[graph.inputs[0]].shape], case.rng)[0])
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


@pytest.mark.parametrize("target", TARGETS)
def test_the_emitted_kernels_give_the_emulators_bytes(
    target: str, batch: Batch, request: pytest.FixtureRequest
) -> None:
    if target == "host":
        request.getfixturevalue("require_host_gcc")
    else:
        request.getfixturevalue("require_arm_gcc")
        request.getfixturevalue("require_qemu")
    command = ["make", "--silent", "-j2", "-f", str(FIRMWARE / "project.mk"), f"TARGET={target}"]
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {key: value for key, value in os.environ.items() if key not in outer}
    result = subprocess.run(
        [*command, "selftest"],
        cwd=batch.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    *differing, last = result.stdout.splitlines() or [""]
    wrong = [batch.cases[line.split()[0]] for line in differing]
    assert (wrong, last) == ([], "end"), result.stderr[-3000:]
    assert result.returncode == 0
