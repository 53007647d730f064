"""One flipped bit makes `verify` fail, and its message says where, and what both sides have.

Each test changes one thing in the C project of a small model, as a bad flash cell or a wrong edit
would, and verifies it against the emulator, which reads none of the C.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import CLASSES, classifier, done, tinytrain, windows
from tinytrain.converters.c.constants import constant_blocks
from tinytrain.device.build import build
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.head import HeadOptions
from tinytrain.pipeline.convert import convert
from tinytrain.project import load_project

VALUES = r"emulator (?P<ours>\S+), device (?P<theirs>\S+)$"
OPERATOR = rf"sample \d+, operator {{}}, output\[\d+\]: {VALUES}"
STEP = rf"step \d+, learning head, {{}}(?: \d+)?: {VALUES}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> Path:
    """A project with samples of which most have the label that the model gives, some another.

    Learning then meets steps with an error of exactly 0 and large ones; tau is 0, so that the
    comparison with it decides some steps.
    """
    folder = tmp_path_factory.mktemp("verify")
    (folder / "small.tflite").write_bytes(classifier())
    x = windows(250)
    y = EmulatedDevice(convert(folder / "small.tflite", folder / "first")).infer_many(x).argmax(1)
    y[::5] = np.random.default_rng(1).integers(0, CLASSES, 50)
    np.savez(folder / "samples.npz", x=x, y=y)
    options = HeadOptions(tau=0)
    convert(folder / "small.tflite", folder / "project", "small", "auto", options,
            folder / "samples.npz")  # fmt: skip
    build(folder / "project", "host")
    return folder / "project"


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    """A copy of the built project, in which only what is changed is compiled again."""
    return Path(shutil.copytree(built, tmp_path / "project"))


def difference(project: Path, target: str = "host") -> str:
    """What `verify` says, which must end with exit code 1."""
    result = tinytrain("verify", project, "--target", target)
    assert result.exit_code == 1, result.output
    (line,) = [line for line in result.stdout.splitlines() if "DIFFERS" in line]
    return line.partition("DIFFERS: ")[2]


def edit(path: Path, old: str, new: str) -> None:
    """Replaces the only occurrence of `old`."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name}: {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new))


def flip_in_array(path: Path, array: str, index: int) -> tuple[int, int]:
    """Flips the lowest bit of an element of a C array; the values before and after. What the DSP
    extension has in its place comes first."""
    text = path.read_text()
    pattern = rf" {array}\[\d+\](?: TT_ON_WORD)? = {{(.*?)}};"
    *_, body = re.finditer(pattern, text, re.DOTALL)
    number = list(re.finditer(r"-?\d+", body[1]))[index]
    start, end = (body.start(1) + at for at in number.span())
    flipped = int(number[0]) ^ 1
    path.write_text(f"{text[:start]}{flipped}{text[end:]}")
    return int(number[0]), flipped


def flip_field(path: Path, struct: str, field: str) -> int:
    """Flips the lowest bit of a field of a C struct; the value before."""
    text = path.read_text()
    body = re.search(rf" {struct} = {{.*?\.{field} = (-?\d+),", text, re.DOTALL)
    assert body is not None
    path.write_text(f"{text[: body.start(1)]}{int(body[1]) ^ 1}{text[body.end(1) :]}")
    return int(body[1])


def check_values_differ(pattern: str, message: str) -> None:
    found = re.fullmatch(pattern, message)
    assert found is not None, message
    assert found["ours"] != found["theirs"]


def test_an_untouched_project_has_no_difference(built: Path) -> None:
    text = done("verify", built, "--target", "host").stdout
    assert text.count("all bits equal") == 5
    assert "200 samples" in text
    assert "1,000 steps" in text


ARRAYS = [
    "small_0_conv_2d_weights",
    "small_3_fully_connected_weights",
    "small_head_units_logit_multiplier",
    "small_head_units_gradient_multiplier_shift",
]


@pytest.mark.parametrize("array", ARRAYS)
def test_a_bit_of_an_array_in_flash_is_named_with_its_index(array: str, project: Path) -> None:
    before, after = flip_in_array(project / "model" / "small.c", array, 3)
    assert difference(project) == f"{array}[3]: emulator {before}, device {after}"


def test_a_bit_of_a_channel_in_flash_is_named_with_its_field(project: Path) -> None:
    before, after = flip_in_array(project / "model" / "small.c", "small_0_conv_2d_channels", 3)
    expected = f"small_0_conv_2d_channels.shift of 0: emulator {before}, device {after}"
    assert difference(project) == expected


def test_every_array_of_the_model_is_among_those_compared(built: Path) -> None:
    blocks = {block.name for block in constant_blocks(load_project(built).model)}
    text = (built / "model" / "small.c").read_text()
    types = r"(?:u?int\d+_t|tt_channel)"
    declared = re.findall(rf"^static const {types} (\w+)\[\d+\][^;]* = {{", text, re.MULTILINE)
    assert blocks >= set(declared) >= {*ARRAYS, "small_0_conv_2d_channels"}


FIELDS = [
    ("small_0_conv_2d", "input_zero_point"),
    ("small_3_fully_connected", "activation_max"),
    ("small_4_softmax", "difference_min"),
    ("small_head", "tau"),
    ("small_head.units", "gradient_shift"),
]


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
def test_a_bit_of_a_struct_is_named_even_where_no_sample_shows_it(
    field: tuple[str, str], project: Path
) -> None:
    struct, name = field
    before = flip_field(project / "model" / "small.c", struct.split(".")[0], name)
    expected = f"{'.'.join(field)}: emulator {before}, device {before ^ 1}"
    assert difference(project) == expected


def test_a_size_that_is_wrong_is_named_before_anything_runs(project: Path) -> None:
    edit(project / "model" / "small.h", "OUTPUT_BYTES 4", "OUTPUT_BYTES 4 ")
    source = project / "model" / "small.c"
    edit(source, ".bytes = 128}", ".bytes = 129}")
    assert difference(project) == "input_bytes: emulator 128, device 129"


CODE = {
    "rounding_of_ties": (
        "include/tinytrain/arithmetic.h",
        "uint32_t threshold = (mask >> 1) + (x < 0 ? 1u : 0u);",
        "uint32_t threshold = (mask >> 1);",
        OPERATOR.format(r"\d \(\w+\)"),
    ),
    "constant_of_the_exponential": (
        "src/arithmetic.c",
        "#define EXP_MINUS_ONE_EIGHTH 1895147668",
        "#define EXP_MINUS_ONE_EIGHTH 1795147668",
        OPERATOR.format(r"4 \(SOFTMAX\)"),
    ),
    "first_entry_of_the_power_table": (
        "src/learn/head_constants.h",
        "    32768, ",
        "    32767, ",
        STEP.format("probability"),
    ),
    "gate_of_small_errors": (
        "src/learn/head.c",
        "if (-head->error[label] > head->constants->tau)",
        "if (-head->error[label] >= head->constants->tau)",
        STEP.format("rows written"),
    ),
    "order_of_equal_errors": (
        "src/learn/head.c",
        "error[row] <= error[written[place]]",
        "error[row] < error[written[place]]",
        STEP.format("(?:row written|master weight|master bias)"),
    ),
    "sign_of_the_true_error": (
        "src/learn/head.c",
        "head->error[label] -= sum;",
        "head->error[label] -= sum + 1;",
        STEP.format("error"),
    ),
    "limit_of_the_bias": (
        "src/learn/head.c",
        "head->rows.bias[row] = tt_clamp(bias, ",
        "head->rows.bias[row] = tt_clamp(bias + 1, ",
        STEP.format("master bias"),
    ),
    "reset_of_the_factory_head": (
        "src/learn/head.c",
        "rows->bias[row] = constants->bias[row] * (1 << TT_WEIGHT_FRACTION_BITS);",
        "rows->bias[row] = constants->bias[row] * (1 << TT_WEIGHT_FRACTION_BITS) + 1;",
        STEP.format("master bias"),
    ),
}


@pytest.mark.parametrize("change", CODE)
def test_a_change_of_the_code_is_named_by_what_it_changes(change: str, project: Path) -> None:
    file, old, new, pattern = CODE[change]
    edit(project / "runtime" / file, old, new)
    check_values_differ(pattern, difference(project))


def test_the_difference_is_the_same_every_time(project: Path) -> None:
    flip_field(project / "model" / "small.c", "small_0_conv_2d", "input_zero_point")
    assert difference(project) == difference(project)


@pytest.mark.slow
def test_a_cortex_m4_with_one_bit_flipped_is_found(
    project: Path, require_arm_gcc: None, require_qemu: None
) -> None:
    assert tinytrain("verify", project, "--target", "cortex-m4").exit_code == 0
    array = "small_3_fully_connected_bias"
    before, after = flip_in_array(project / "model" / "small.c", array, 2)
    found = difference(project, "cortex-m4")
    assert found == f"{array}[2]: emulator {before}, device {after}"


def test_layers_mark_the_first_operator_that_differs(project: Path) -> None:
    flip_in_array(project / "model" / "small.c", "small_0_conv_2d_weights", 3)
    ended = tinytrain("verify", project, "--target", "host", "--layers", "--steps", "0")
    assert ended.exit_code == 1
    marked = [line for line in ended.stdout.splitlines() if line.endswith("<- first")]
    assert len(marked) == 1
    assert "CONV_2D" in marked[0]
