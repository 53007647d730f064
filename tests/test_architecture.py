"""The rooms of DESIGN.md hold what its table says, and import what it allows.

A room may import the rooms that its row names, and what those may import in turn. Imports for type
checkers alone do not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from tinytrain import model
from tinytrain.operators import table
from tinytrain.operators.kernel import Parameters
from tinytrain.variants.fast import CHANNEL

ROOT = Path(__file__).resolve().parent.parent
ABOVE_MODEL = {
    *("errors", "graph", "arithmetic", "operators", "variants", "head", "frontend", "plan"),
}
HOST_ROOMS = {
    *ABOVE_MODEL,
    *(
        "model",
        "frontend",
        "emulator",
        "lda",
        "converters",
        "project",
        "protocol",
        "device",
        "training",
        "adapt",
    ),
    "report",
}


@dataclass(frozen=True)
class Room:
    """A row of the table. `column`: its last column, word for word."""

    column: str
    modules: tuple[str, ...]
    """What is in it, as paths below the root without .py."""
    allowed: frozenset[str] | set[str]


ROOMS = {
    "errors": Room("nothing", ("tinytrain/errors", "tinytrain/progress"), set()),
    "graph": Room("errors", ("tinytrain/graph",), {"errors"}),
    "arithmetic": Room("nothing", ("tinytrain/arithmetic", "tinytrain/sigmoid"), set()),
    "operators": Room("graph, arithmetic", ("tinytrain/operators",), {"graph", "arithmetic"}),
    "variants": Room("operators", ("tinytrain/variants",), {"operators"}),
    "head": Room(
        "graph, operators, variants",
        (
            "tinytrain/head",
            "tinytrain/lda_constants",
            "tinytrain/learner",
            "tinytrain/learner_options",
            "tinytrain/learner_file",
            "tinytrain/parameters_file",
            "tinytrain/statistics",
        ),
        {"graph", "operators", "variants"},
    ),
    "frontend": Room(
        "errors, arithmetic, operators, head",
        ("tinytrain/frontend",),
        {"errors", "arithmetic", "operators", "head"},
    ),
    "plan": Room("graph, operators", ("tinytrain/plan",), {"graph", "operators"}),
    "model": Room("the rooms above", ("tinytrain/model",), ABOVE_MODEL),
    "emulator": Room(
        "graph, arithmetic, operators, head, frontend",
        ("tinytrain/emulator",),
        {"graph", "arithmetic", "operators", "head", "frontend"},
    ),
    "lda": Room("emulator", ("tinytrain/lda",), {"emulator"}),
    "converters": Room(
        "the rooms above, but not the emulator", ("converters",), {*ABOVE_MODEL, "model"}
    ),
    "project": Room("converters, model", ("tinytrain/project",), {"converters", "model"}),
    "protocol": Room(
        "graph, arithmetic, head, frontend",
        ("tinytrain/protocol", "tinytrain/generate"),
        {"graph", "arithmetic", "head", "frontend"},
    ),
    "device": Room(
        "emulator, project, protocol", ("tinytrain/device",), {"emulator", "project", "protocol"}
    ),
    "training": Room(
        "errors, progress, variants, head, frontend, emulator",
        ("tinytrain/training",),
        {"errors", "variants", "head", "frontend", "emulator"},
    ),
    "adapt": Room(
        "device, emulator, lda, training",
        ("tinytrain/adapt",),
        {"device", "emulator", "lda", "training"},
    ),
    "report": Room("nothing but results as data", ("tinytrain/report",), {"errors"}),
    "pipeline": Room("all but cli", ("tinytrain/pipeline",), HOST_ROOMS),
    "cli": Room(
        "pipeline, report; imported when a command runs",
        ("tinytrain/cli",),
        {"pipeline", "report"},
    ),
}
NO_PYTHON = {"firmware/", "tests/"}
"""Rows of the table that hold no module of the package."""

HEAVY = {
    **dict.fromkeys(("tensorflow", "keras", "sklearn", "PIL"), "training"),
    **dict.fromkeys(("onnx", "google"), "converters"),
    "matplotlib": "report",
    **dict.fromkeys(("serial", "unicorn", "capstone"), "device"),
}
"""Imported inside functions only, and in these rooms only."""


@dataclass(frozen=True)
class Import:
    name: str
    """The module, such as tinytrain.graph or numpy."""
    in_function: bool
    line: int


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its import name, links not followed twice."""
    found = {}
    for folder in ("tinytrain", "converters"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT)
            if relative.parts[:2] in (("tinytrain", "converters"), ("tinytrain", "firmware")):
                continue
            parts = ("tinytrain", *relative.parts) if folder == "converters" else relative.parts
            name = ".".join(parts).removesuffix(".py").removesuffix(".__init__")
            found[name] = path
    return found


def imports(module: str) -> list[Import]:
    """What a module imports at run time."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    return list(_imports(tree, in_function=False))


def _imports(node: ast.AST, in_function: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, in_function, node.lineno)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield Import(
                whole if whole in modules() else str(node.module), in_function, node.lineno
            )
    in_function |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    skipped = node.body if isinstance(node, ast.If) and _is_type_checking(node.test) else []
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _imports(child, in_function)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def room_of(module: str) -> str | None:
    """None for the package itself, which holds its version and nothing else."""
    if module == "tinytrain":
        return None
    place = module.replace(".", "/").replace("tinytrain/converters", "converters")
    found = [
        name
        for name, room in ROOMS.items()
        if any(place == inside or place.startswith(f"{inside}/") for inside in room.modules)
    ]
    assert len(found) == 1, f"{module} is in no room of DESIGN.md, or in several: {found}"
    return found[0]


@cache
def reach(room: str) -> frozenset[str]:
    """The rooms that a room may import: those it names, and what they may import."""
    allowed = ROOMS[room].allowed
    return frozenset({room, *allowed}.union(*(reach(other) for other in allowed)))


def design_table() -> list[tuple[list[str], str]]:
    """The rows of the table in DESIGN.md: the paths in the first column, and the last column."""
    section = (ROOT / "DESIGN.md").read_text(encoding="utf-8").split("## Rooms")[1]
    rows = re.findall(r"^\| (`.*?) \| .* \| (.*?) ?\|$", section.split("\n## ")[0], re.MULTILINE)
    return [(re.findall(r"`([\w/.]+)`", first), last) for first, last in rows]


def test_the_table_of_this_test_is_the_one_in_the_design() -> None:
    rows = [(paths, last) for paths, last in design_table() if paths[0] not in NO_PYTHON]
    assert [last for _, last in rows] == [room.column for room in ROOMS.values()]
    for (paths, _), room in zip(rows, ROOMS.values(), strict=True):
        names = {Path(path.removesuffix("/").removesuffix(".py")).name for path in paths}
        assert {Path(module).name for module in room.modules} == names - {"tinytrain.converters"}


def test_every_path_of_the_table_exists() -> None:
    for paths, _ in design_table():
        for path in paths:
            places = (ROOT / path, ROOT / "tinytrain" / path)
            assert path == "tinytrain.converters" or any(place.exists() for place in places), path


@pytest.mark.parametrize("module", modules())
def test_every_module_is_in_a_room_of_the_design(module: str) -> None:
    assert (room_of(module) is None) == (module == "tinytrain")


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    room = room_of(module)
    for found in imports(module):
        if not found.name.startswith("tinytrain"):
            continue
        other = room_of(found.name)
        place = f"{modules()[module].relative_to(ROOT)}:{found.line}"
        assert other is None or (room is not None and other in reach(room)), (
            f"{place}: {room} may not import {other} ({found.name})"
        )


def test_the_command_line_imports_its_work_when_a_command_runs() -> None:
    inside = {module for module in modules() if room_of(module) == "cli"}
    early = {found.name for module in inside for found in imports(module) if not found.in_function}
    ours = {name for name in early if name.startswith("tinytrain")} - inside
    assert ours == {"tinytrain", "tinytrain.errors", "tinytrain.progress"}
    assert not early & {"numpy", "rich"}


@pytest.mark.parametrize("module", modules())
def test_what_is_slow_to_import_is_imported_inside_functions_of_its_room(module: str) -> None:
    for found in imports(module):
        home = HEAVY.get(found.name.partition(".")[0])
        if home is not None:
            place = f"{modules()[module].relative_to(ROOT)}:{found.line}"
            assert (room_of(module), found.in_function) == (home, True), f"{place}: {found.name}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    edges = {
        module: {found.name for found in imports(module) if found.name in modules()} - {"tinytrain"}
        for module in modules()
    }
    left = dict(edges)
    while left:
        leaves = {module for module, others in left.items() if not others & left.keys()}
        assert leaves, f"a circle among {', '.join(sorted(left))}"
        for module in leaves:
            del left[module]


KERNEL_HEADERS = ("kernels.h", "state_kernels.h", "fast_kernels.h")
HEADERS = (
    *(*KERNEL_HEADERS, "head.h", "lda.h", "learner.h", "statistics.h"),
    *("frontend.h", "stream.h"),
)


def c_structs(header: str) -> dict[str, list[tuple[str, str]]]:
    """The structs of a header: (type, name) of each field, in order."""
    text = (ROOT / "firmware" / "include" / "tinytrain" / header).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    structs = re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.DOTALL)
    return {
        name: [
            (" ".join(kind.split()), field)
            for kind, field in re.findall(r"([\w\s]+\*?)\b(\w+);", body)
        ]
        for name, body in structs
    }


def parameter_classes(base: type = Parameters) -> list[type[Parameters]]:
    """Every dataclass that twins a struct."""
    assert table.OPERATORS and model.Model
    kinds = base.__subclasses__()
    return [found for kind in kinds for found in parameter_classes(kind) or [kind]]


NUMBERS = {int: "integer", float: "float"}


def c_type(hint: object) -> str:
    """The C type of a dataclass's field: a number, a struct, or a pointer to constants."""
    if isinstance(hint, type):
        return hint.structure if issubclass(hint, Parameters) else NUMBERS[hint]
    (dtype,) = get_args(get_args(hint)[1])
    if dtype in (np.generic, np.void):
        return "const void *" if dtype is np.generic else "const tt_channel *"
    return f"const {np.dtype(dtype).name}_t *"


@pytest.mark.parametrize("kind", parameter_classes(), ids=lambda kind: kind.__name__)
def test_a_struct_in_c_has_the_fields_of_its_dataclass_in_order(kind: type[Parameters]) -> None:
    structs = {name: found for header in HEADERS for name, found in c_structs(header).items()}
    hints = get_type_hints(kind)
    ours = [(c_type(hints[field.name]), field.name) for field in fields(kind)]  # type: ignore[arg-type]
    integers = {"int32_t", "uint16_t"}
    theirs = [("integer" if c in integers else c, name) for c, name in structs[kind.structure]]
    # A function, which the writer names.
    assert ours == [field for field in theirs if field != ("tt_block *", "block")]


def test_every_struct_of_the_kernels_has_a_dataclass() -> None:
    twins = {kind.structure for kind in parameter_classes()}
    found = {name for header in KERNEL_HEADERS for name in c_structs(header)}
    elsewhere = {"tt_head_constants", "tt_lda_constants", "tt_units"}
    elsewhere |= {"tt_learner_constants", "tt_drift_constants"}
    elsewhere |= {"tt_layer_statistics", "tt_statistics_plan", "tt_renewal_bounds"}
    elsewhere |= {"tt_quantizer", "tt_transform", "tt_audio_constants", "tt_motion_constants"}
    elsewhere |= {"tt_smoother_constants"}
    assert found - {"tt_channel", "tt_band"} == twins - elsewhere


def test_an_entry_of_the_channels_has_the_fields_of_the_struct() -> None:
    names = [name for _, name in c_structs("fast_kernels.h")["tt_channel"]]
    assert CHANNEL.names == tuple(names)


def test_every_kernel_in_c_is_one_that_a_dataclass_names() -> None:
    folder = ROOT / "firmware" / "include" / "tinytrain"
    text = "".join((folder / header).read_text(encoding="utf-8") for header in KERNEL_HEADERS)
    declared = set(re.findall(r"^void (tt_\w+)\(", text, re.MULTILINE))
    assert declared == {kind.function for kind in parameter_classes() if kind.function}
