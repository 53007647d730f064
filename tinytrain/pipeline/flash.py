"""Flash of a linked firmware by section and by use, from GNU ld's map."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinytrain.model import Model

PARTS: Mapping[str, str] = {
    "weights": "model's weights, and biases that are not folded",
    "model": "model's other constants, blocks and calls",
    "kernels": "kernels and runtime",
    "learning": "learning",
    "frontend": "front end and stream",
    "link": "link and device application",
    "library": "compiler's and C library",
    "port": "port",
}
"""What flash holds, in order, and how tables call it."""


@dataclass(frozen=True)
class Flash:
    """Bytes of a linked firmware: text + rodata + data is all of it, and so is the sum of parts."""

    text: int
    rodata: int
    data: int
    parts: Mapping[str, int]
    """By each of PARTS."""

    @property
    def weights(self) -> int:
        return self.parts["weights"]

    @property
    def port(self) -> int:
        """Start-up, link and measuring of the emulated board."""
        return self.parts["port"]

    @property
    def firmware(self) -> int:
        """Code and constants but for the weights and the port."""
        return self.text + self.rodata + self.data - self.weights - self.port

    @property
    def runtime(self) -> int:
        """What inference alone takes beside the weights: no learning, no link, no port."""
        return sum(self.parts[part] for part in ("model", "kernels", "library"))

    @property
    def named(self) -> dict[str, int]:
        """The parts, as tables call them."""
        return {PARTS[part]: size for part, size in self.parts.items()}

    def as_json(self) -> dict[str, int]:
        """Its sections, its parts, and the firmware."""
        sections = {"text": self.text, "rodata": self.rodata, "data": self.data}
        sums = {"runtime": self.runtime, "firmware": self.firmware}
        return {**sections, **self.parts, **sums}


UNKNOWN = dict.fromkeys(("text", "rodata", "data", *PARTS, "runtime", "firmware"))
"""The same of a target that cannot tell."""

_INPUT_SECTION = re.compile(
    r"^ (?P<section>\.[\w.$-]+)\s+0x[0-9a-f]+\s+0x(?P<size>[0-9a-f]+) (?P<object>\S.*)$", re.M
)


def read_map(path: Path, model: Model) -> tuple[Flash, int]:
    """Flash, and bytes of .bss, of a firmware of `model`."""
    linked = path.read_text(encoding="utf-8").split("Linker script and memory map", 1)[1]
    kinds: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for found in _INPUT_SECTION.finditer(linked):
        kind, size = _kind(found["section"]), int(found["size"], 16)
        if kind is None:
            continue
        kinds[kind] += size
        if kind != "bss":
            parts[_part(found["section"], found["object"], model)] += size
    listed = {part: parts[part] for part in PARTS}
    return Flash(kinds["text"], kinds["rodata"], kinds["data"], listed), kinds["bss"]


_KINDS: Mapping[str, str] = {
    ".vectors": "text",
    ".text": "text",
    ".rodata": "rodata",
    ".data": "data",
    ".bss": "bss",
}


def _kind(section: str) -> str | None:
    return next(
        (
            kind
            for start, kind in _KINDS.items()
            if section == start or section.startswith(start + ".")
        ),
        None,
    )


_FOLDERS: Mapping[str, str] = {
    "/port/": "port",
    "/object/model/": "model",
    "/src/learn/": "learning",
    "/src/frontend/": "frontend",
    "/src/link/": "link",
    "/app/": "link",
    "/src/": "kernels",
}
"""The part that an object in a folder belongs to; the first that fits."""


def _part(section: str, object_file: str, model: Model) -> str:
    if _is_weights(section, model):
        return "weights"
    return next((part for place, part in _FOLDERS.items() if place in object_file), "library")


def _is_weights(section: str, model: Model) -> bool:
    start = f".rodata.{model.name}_"
    return section.startswith(start) and section.endswith(("_weights", "_bias"))
