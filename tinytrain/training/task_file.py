"""Task files: from TOML to a Task, and back with a comment for every key."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from tinytrain.errors import InputError
from tinytrain.training import tasks
from tinytrain.training.task_rules import broken_rules
from tinytrain.training.tasks import Task

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_NAME = "task.toml"
"""Of a task in a folder."""
_HERE = Path(__file__).parent
_BUILT_IN = _HERE / "built_in"
SHIPPED_DATA = _HERE / "data"
"""The folder of the data that come with the package."""
_MOST = 2**31 - 1
"""Whole numbers end here where their key names no bound."""
_KINDS = {
    str: "text in quotes",
    bool: "true or false",
    tuple[str, ...]: "a list of texts",
    tuple[int, ...]: "a list of whole numbers",
}


def built_in_names() -> tuple[str, ...]:
    """The tasks that come with tinytrain, `watch` first."""
    names = sorted(path.stem for path in _BUILT_IN.glob("*.toml"))
    return tuple(sorted(names, key=lambda name: name != "watch"))


def find_task(name_or_path: str) -> Task:
    """A built-in task by name, or the one in a .toml file or in a folder with a task.toml."""
    if name_or_path in built_in_names():
        return read_task(_BUILT_IN / f"{name_or_path}.toml")
    path = Path(name_or_path)
    if path.is_dir() and (path / FILE_NAME).is_file():
        return read_task(path / FILE_NAME)
    if path.is_file():
        return read_task(path)
    if path.suffix == ".toml":
        raise InputError(f"{path}: no such task file; `tinytrain tasks new DIR` writes one")
    names = built_in_names()
    raise InputError(
        f"task {name_or_path!r} is not known{_did_you_mean(name_or_path, names)}; choose one of: "
        f"{', '.join(names)}; or give a .toml file or a folder with a {FILE_NAME}"
    )


def read_task(path: Path) -> Task:
    """The task in a TOML file; InputError names file, table.key, what it is and what is allowed."""
    folder = SHIPPED_DATA if path.parent == _BUILT_IN else path.resolve().parent
    default_name = path.resolve().parent.name if path.name == FILE_NAME else path.stem
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 ({error.reason})") from error
    return parse_task(content, str(path), default_name, folder)


def parse_task(content: str, where: str, default_name: str, folder: Path) -> Task:
    """The task in TOML text; `where` stands for the file in messages."""
    try:
        values = tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not a TOML file: {error}") from error
    _refuse_unknown(where, "table", values, ["name", *_tables()])
    name = values.get("name", default_name)
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"{where}: name is {_shown(name)}; allowed: text in quotes")
    made = {table: _table(where, table, kind, values) for table, kind in _tables().items()}
    task = Task(name=name, folder=str(folder), **made)
    for broken in broken_rules(task):
        raise InputError(f"{where}: {broken}")
    return task


def task_text(task: Task) -> str:
    """A task file with every key, what it means and what it may hold; reading it gives `task`."""
    lines = [
        "# A task of tinytrain: data, network, training, pruning, quantization, learning.",
        "# Keys that are left out have the values shown in brackets.",
        f"name = {_toml(task.name)}",
    ]
    for table, kind in _tables().items():
        lines += ["", f"# {kind.__doc__}", f"[{table}]"]
        for entry in fields(kind):
            lines += [
                f"# {entry.metadata['help']} ({_allowed(kind, entry)}){_default(entry)}",
                f"{entry.name} = {_toml(getattr(getattr(task, table), entry.name))}",
            ]
    return "\n".join(lines) + "\n"


def differences(first: Task, second: Task) -> list[str]:
    """The keys in which two tasks differ, with the values of the first."""
    return [
        f"{table}.{entry.name} = {_toml(getattr(getattr(first, table), entry.name))}"
        for table, kind in _tables().items()
        for entry in fields(kind)
        if getattr(getattr(first, table), entry.name) != getattr(getattr(second, table), entry.name)
    ]


@cache
def _tables() -> dict[str, Any]:
    """The tables of a task file, in order: name and dataclass."""
    return {name: kind for name, kind in _hints(Task).items() if is_dataclass(kind)}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, vars(tasks))


def _table(where: str, table: str, kind: Any, values: Mapping[str, Any]) -> Any:
    """One table's dataclass; what is left out has its default."""
    found = values.get(table, {})
    if not isinstance(found, dict):
        raise InputError(f"{where}: {table} is {_shown(found)}; it is a table: [{table}]")
    known = {entry.name: entry for entry in fields(kind)}
    _refuse_unknown(where, f"key in [{table}]", found, known)
    for name, entry in known.items():
        if name not in found and entry.default is MISSING:
            raise InputError(
                f"{where}: {table}.{name} is missing; allowed: {_allowed(kind, entry)}"
            )
    return kind(
        **{
            name: _value(f"{where}: {table}.{name}", kind, known[name], value)
            for name, value in found.items()
        }
    )


def _value(where: str, kind: Any, entry: Field[Any], value: Any) -> Any:
    """A key's value in its field's type, within its bounds."""
    wanted = _hints(kind)[entry.name]
    converted = _converted(wanted, value)
    low, high, choices = (entry.metadata[name] for name in ("low", "high", "choices"))
    number = isinstance(converted, int | float) and wanted is not bool
    high = _MOST if high is None and number else high
    if (
        converted is None
        or (choices and converted not in choices)
        or (number and not ((low is None or converted >= low) and converted <= high))
    ):
        hint = _did_you_mean(value, choices) if isinstance(value, str) else ""
        raise InputError(f"{where} is {_shown(value)}{hint}; allowed: {_allowed(kind, entry)}")
    return converted


def _converted(wanted: Any, value: Any) -> Any:
    """`value` as `wanted`, or None where it is of another type."""
    if wanted is float:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if plain and abs(value) <= _MOST and math.isfinite(value) else None
    if wanted is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if wanted in (str, bool):
        return value if isinstance(value, wanted) else None
    inner = wanted.__args__[0]
    if not isinstance(value, list) or any(_converted(inner, part) is None for part in value):
        return None
    return tuple(value)


def _allowed(kind: Any, entry: Field[Any]) -> str:
    """What a key may hold, for a human."""
    low, high, choices = (entry.metadata[name] for name in ("low", "high", "choices"))
    wanted = _hints(kind)[entry.name]
    if choices:
        return f"one of: {', '.join(choices)}"
    if wanted in _KINDS:
        return _KINDS[wanted]
    name = "whole number" if wanted is int else "number"
    if low is not None and high is not None:
        return f"a {name} from {low:g} to {high:g}"
    return f"a {name}" if low is None else f"a {name}, at least {low:g}"


def _default(entry: Field[Any]) -> str:
    return "" if entry.default is MISSING else f" [{_toml(entry.default)}]"


def _refuse_unknown(where: str, what: str, found: Iterable[str], known: Iterable[str]) -> None:
    names = list(known)
    for name in found:
        if name not in names:
            raise InputError(
                f"{where}: unknown {what}: {_shown(name)}{_did_you_mean(name, names)}; "
                f"there are: {', '.join(names)}"
            )


def _did_you_mean(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _shown(value: object) -> str:
    """A value in a message, in one short line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return '"' + "".join(_escaped(letter) for letter in str(value)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return f"\\u{ord(letter):04x}" if ord(letter) < 32 or ord(letter) == 127 else letter
