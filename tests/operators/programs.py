"""Models as C programs: every model runs its samples on a target, and is named where a byte differs
from the emulator's.

Many models share a program, and all programs of a target share the objects of the runtime.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.operators.test_against_tflite_micro import samples
from tinytrain.converters.c.constants import constant_blocks
from tinytrain.converters.c.rendering import model_files
from tinytrain.converters.formats import Source
from tinytrain.emulator.inference import infer_bytes
from tinytrain.model import Model
from tinytrain.project import prepare_model
from tinytrain.variants.choose import BALANCED, SIZE, SPEED, Optimize

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
TARGETS = ("host", "cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55")
PROGRAM_BYTES = 400_000
"""Of models and samples: with the runtime within the 512 KB of code memory of QEMU's Cortex-M55."""
MODEL_BYTES = 300
"""A model's code and descriptors."""

SELFTEST = """\
#include <string.h>

#include "port.h"
#include "programs.h"

static tt_device device;
static uint8_t output[LARGEST_OUTPUT];

static void print(const char *text)
{
    tt_port_write((const uint8_t *)text, strlen(text));
}

int main(void)
{
    int failed = 0;
    for (size_t i = 0; i < test_models; i++) {
        const test_model *test = &test_model_table[i];
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
#include "tinytrain/tinytrain.h"

#define LARGEST_OUTPUT {largest_output}

typedef struct test_model {{
    const tt_model *model;
    void *arena;
    size_t arena_bytes;
    size_t samples;
    size_t input_bytes;
    size_t output_bytes;
    const uint8_t *input;
    const uint8_t *output;
}} test_model;

extern const test_model test_model_table[];
extern const size_t test_models;
"""


@dataclass(frozen=True, eq=False)
class Entry:
    """A model with its samples."""

    source: Source
    model: Model
    inputs: list[NDArray[Any]]
    """(n, *shape) for each input."""
    input_bytes: NDArray[np.uint8]
    """(n, input bytes)"""
    output_bytes: NDArray[np.uint8]
    """(n, output bytes), the emulator's"""

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def size(self) -> int:
        """Bytes in a program, about."""
        constants = sum(len(block.data) for block in constant_blocks(self.model))
        return MODEL_BYTES + constants + self.input_bytes.size + self.output_bytes.size


CHOICES = (SPEED, replace(BALANCED, instructions_a_byte=0.0), SIZE)
"""Fast kernels however small a model is, with their loops unrolled and not; plain kernels."""


def entry_of(name: str, data: bytes, rng: np.random.Generator, optimize: Optimize = SPEED) -> Entry:
    """A .tflite with random and extreme inputs. May raise InputError."""
    source = Source(name, "tflite", data)
    model = prepare_model(source, name, lambda graph, kernels: None, optimize)
    inputs = samples([x.shape for x in model.inputs], rng, [x.dtype for x in model.inputs])
    given = side_by_side(inputs)
    return Entry(source, model, inputs, given, infer_bytes(model.graph, model.kernels, given))


def side_by_side(batches: Iterable[NDArray[Any]]) -> NDArray[np.uint8]:
    """The bytes of batches (n, ...), sample by sample: (n, bytes)."""
    return np.concatenate([x.reshape(len(x), -1).view(np.uint8) for x in batches], axis=1)


def write_programs(folder: Path, entries: Sequence[Entry]) -> None:
    """emitted/ has the models as converted projects have them, programs/ a file a program; the rest
    is a project without a model.
    """
    for made in ("emitted", "programs", "model", "runtime/app"):
        (folder / made).mkdir(parents=True)
    for part in ("include", "src", "port"):
        (folder / "runtime" / part).symlink_to(FIRMWARE / part)
    (folder / "runtime" / "app" / "selftest.c").write_text(SELFTEST)
    (folder / "model" / "golden.c").write_text("typedef int nothing;\n")
    largest = max(entry.model.output_bytes for entry in entries)
    (folder / "model" / "programs.h").write_text(HEADER.format(largest_output=largest))
    for entry in entries:
        for file, text in model_files(entry.model).items():
            (folder / "emitted" / file).write_text(text)
    for number, group in enumerate(groups(entries)):
        (folder / "programs" / f"{number:03}.c").write_text(program_of(group))


def groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """As many programs as it takes for each to fit into the smallest target's memory."""
    found: list[list[Entry]] = []
    taken = PROGRAM_BYTES
    for entry in entries:
        if taken + entry.size > PROGRAM_BYTES:
            found.append([])
            taken = 0
        found[-1].append(entry)
        taken += entry.size
    return found


def program_of(entries: Sequence[Entry]) -> str:
    """C of the models, their memory, their samples and the table of all of it."""
    lines = ['#include "programs.h"']
    lines += [f'#include "../emitted/{entry.name}.c"' for entry in entries]
    for entry in entries:
        lines.append(
            f"static uint32_t arena_{entry.name}[{-(-entry.model.memory.arena_bytes // 4)}];"
        )
        lines.append(array(f"input_{entry.name}", entry.input_bytes))
        lines.append(array(f"output_{entry.name}", entry.output_bytes))
    lines.append("const test_model test_model_table[] = {")
    for entry in entries:
        name, model = entry.name, entry.model
        lines.append(
            f"    {{&{name}_model, arena_{name}, sizeof arena_{name}, {len(entry.input_bytes)}, "
            f"{model.input_bytes}, {model.output_bytes}, input_{name}, output_{name}}},"
        )
    lines += ["};", f"const size_t test_models = {len(entries)};", ""]
    return "\n".join(lines)


def array(name: str, data: NDArray[np.uint8]) -> str:
    numbers: Iterable[str] = map(str, data.reshape(-1).tolist())
    return f"static const uint8_t {name}[] = {{{','.join(numbers)}}};"


def run_programs(folder: Path, target: str, *variables: str) -> list[str]:
    """Builds and runs all programs; gives the names of the models whose bytes differ.

    `variables` of project.mk, such as "OPTIMIZE=-O0".
    """
    return [
        name
        for program in sorted((folder / "programs").iterdir())
        for name in run_program(folder, program, target, *variables)
    ]


def run_program(folder: Path, program: Path, target: str, *variables: str) -> list[str]:
    shutil.copyfile(program, folder / "model" / "models.c")
    command = ["make", "--silent", "-j2", "-f", str(FIRMWARE / "project.mk"), f"TARGET={target}"]
    command += variables
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
