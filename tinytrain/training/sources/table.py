"""Reading CSV files by the names of their columns; messages name file, line and column."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file."""

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    """The line of the file on which each row stands."""

    def place(self, row: int) -> str:
        return f"{self.path}:{self.lines[row]}"

    def text(self, key: str, column: str) -> list[str]:
        """A column's cells; none may be empty. `key` is the task's key that names the column."""
        index = self._index(key, column)
        cells = [row[index].strip() for row in self.rows]
        if "" in cells:
            raise InputError(f"{self.place(cells.index(''))}: column {column!r} is empty")
        return cells

    def numbers(self, key: str, column: str) -> NDArray[np.float64]:
        """A column of finite numbers."""
        index = self._index(key, column)
        values = np.empty(len(self.rows))
        for i, row in enumerate(self.rows):
            try:
                values[i] = float(row[index])
            except ValueError:
                raise InputError(
                    f"{self.place(i)}: column {column!r} is {row[index][:40]!r}; a number, with a "
                    "point for decimals, is needed"
                ) from None
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise InputError(
                f"{self.place(bad[0])}: column {column!r} is {self.rows[bad[0]][index]!r}, which "
                f"is no finite number; {len(bad)} cells are like that; mend or remove these rows"
            )
        return values

    def _index(self, key: str, column: str) -> int:
        if column in self.header:
            return self.header.index(column)
        close = difflib.get_close_matches(column, self.header, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise InputError(
            f"{self.path}:1: no column {column!r}{hint}, which {key} names; there are: "
            f"{', '.join(self.header)}"
        )


def read_table(path: Path) -> Table:
    """A CSV file with a header; its separator (comma, semicolon or tab) is that of the header."""
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count))
            header = tuple(name.strip() for name in next(reader, []))
            for row in reader:
                if any(cell.strip() for cell in row):
                    _check_width(path, reader.line_num, row, header)
                    rows.append(row)
                    lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 ({error.reason})") from error
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file: {error}") from error
    if not rows:
        raise InputError(f"{path}: no rows; a header and a row a sample are needed")
    return Table(path, header, rows, lines)


def _check_width(path: Path, line: int, row: Sequence[str], header: Sequence[str]) -> None:
    if len(row) != len(header):
        raise InputError(f"{path}:{line}: {len(row)} cells; the header has {len(header)}")
