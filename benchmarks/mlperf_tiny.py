"""MLPerf Tiny's four networks on the emulated boards, beside TFLite Micro with CMSIS-NN.

    python benchmarks/mlperf_tiny.py [--targets T,...] [--models-folder DIR] [--out DIR] [--record]

Instructions are QEMU's, exact; the Cortex-M4's cycles are modelled (needs the extra `bench`).
Prints every figure beside the bar that it has to reach, writes results.json and instructions.png to
--out, and exits with 1 where a bar is missed. --record: the tests compare with these counts from
now on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# As the tests import it: by its path from the root.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.recorded_counts import write_record
from benchmarks.reference_models import FOLDER, MACS, PUBLISHED, reference_project
from tinytrain.device.cycles import EXTRA, MODELLED, can_model
from tinytrain.device.opening import QEMU_TARGETS
from tinytrain.errors import DeviceError, InputError
from tinytrain.model import Model
from tinytrain.pipeline.bench import Bench, bench
from tinytrain.pipeline.output import new_file, write_json
from tinytrain.report.cost_picture import Bar, Panel, cost_bar, draw_costs
from tinytrain.report.tables import table
from tinytrain.variants.choose import BALANCED, SIZE, Optimize

TITLES = {
    "kws": "keyword spotting, DS-CNN",
    "ic": "image classification, ResNet-8",
    "vww": "person detection, MobileNetV1 0.25",
    "ad": "anomaly detection, autoencoder",
}


@dataclass(frozen=True)
class Peer:
    """The same network in another runtime."""

    instructions: Mapping[str, int]
    """By target."""
    cycles: int
    """Of a Cortex-M4, modelled by the same rules."""
    arena: int


PEER_NAME = "TFLite Micro 2026-08 with CMSIS-NN, release flags, same boards, same counting"
PEERS = {
    "kws": Peer(
        {
            "cortex-m0": 29_004_394,
            "cortex-m4": 7_700_245,
            "cortex-m33": 7_682_390,
            "cortex-m55": 1_816_160,
        },
        cycles=9_135_164,
        arena=22_820,
    ),
    "ic": Peer(
        {
            "cortex-m0": 97_557_796,
            "cortex-m4": 29_863_780,
            "cortex-m33": 29_962_488,
            "cortex-m55": 4_912_123,
        },
        cycles=36_347_627,
        arena=54_996,
    ),
    "vww": Peer(
        {
            "cortex-m0": 86_904_445,
            "cortex-m4": 24_102_783,
            "cortex-m33": 24_047_201,
            "cortex-m55": 6_559_158,
        },
        cycles=28_885_418,
        arena=100_708,
    ),
    "ad": Peer(
        {
            "cortex-m0": 1_763_140,
            "cortex-m4": 583_246,
            "cortex-m33": 583_633,
            "cortex-m55": 150_297,
        },
        cycles=723_568,
        arena=2_580,
    ),
}

ALLOWED = {"cortex-m0": 0.60, "cortex-m4": 0.70, "cortex-m55": 0.85}
"""Instructions, as a share of the peer's."""
ALLOWED_CYCLES = 0.75
ALLOWED_RUNTIME = {BALANCED: 24 * 1024, SIZE: 10 * 1024}
"""Bytes of code and constants without weights, of keyword spotting on the Cortex-M4."""
ALLOWED_ARENA = {"kws": 10_048, "ic": 33_312, "vww": 36_888, "ad": 768}
"""Bytes: what the arenas were before there were fast kernels."""
BUDGETS, ALLOWED_WITH_RAM = {"vww": (40_000, 31_488, 28_152), "ic": (23_552, 16_896)}, 1.3
"""Of arena, that a network has to fit, and instructions beside those without one. All but the first
take layers row by row."""


@dataclass(frozen=True)
class Figure:
    """One figure beside the peer's and the bar, where there are any."""

    target: str
    model: str
    figure: str
    ours: int
    peer: int | None
    allowed: float | None
    """A share of the peer's, for `--ram` of ours without it; without one, as many."""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    @property
    def met(self) -> bool | None:
        if self.allowed is None:
            return None
        return (self.ours if self.ratio is None else self.ratio) <= self.allowed


@dataclass(frozen=True)
class Options:
    targets: tuple[str, ...]
    folder: Path
    out: Path


Measured = Mapping[str, tuple[Model, Sequence[Bench]]]
"""By model."""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--targets", default=",".join(QEMU_TARGETS), help="separated by commas")
    arguments.add_argument("--models-folder", type=Path, default=FOLDER, metavar="DIR",
                           help="with the published files")  # fmt: skip
    arguments.add_argument("--out", type=Path, default=Path("build/bench/mlperf-tiny"))
    arguments.add_argument("--record", action="store_true", help="renew the recorded counts")
    given = arguments.parse_args()
    options = Options(tuple(given.targets.split(",")), given.models_folder, given.out)
    try:
        _check(options)
        measured = {name: _measure(name, options) for name in _present(options.folder)}
        figures = [figure for name, found in measured.items() for figure in _figures(name, found)]
        if MODELLED in options.targets:
            figures += [*_small_runtime(measured, options), *_small_arena(measured, options)]
        _write(measured, figures, options.out)
        if given.record:
            write_record(measured)
    except (InputError, DeviceError) as error:
        sys.exit(f"error: {error}")
    print(f"beside: {PEER_NAME}; with --ram and size, ours without")
    print(f"{_figures_text(figures)}\n\n{_memory_text(measured)}\n{SCRATCH}")
    return 0 if all(figure.met is not False for figure in figures) else 1


def _check(options: Options) -> None:
    """Before any work."""
    for target in options.targets:
        if target not in QEMU_TARGETS:
            raise InputError(f"--targets {target}: choose of {', '.join(QEMU_TARGETS)}")
    if MODELLED in options.targets and not can_model():
        raise InputError(f"modelled cycles need unicorn and capstone: {EXTRA}")


def _present(folder: Path) -> list[str]:
    """The networks that are built here, and those of which `folder` has the file."""
    missing = [name for name, file in PUBLISHED.items() if not (folder / file).is_file()]
    for name in missing:
        path = folder / PUBLISHED[name]
        print(f"{name}: left out: {path} is not here; give --models-folder", file=sys.stderr)
    return [name for name in MACS if name not in missing]


def _measure(name: str, options: Options) -> tuple[Model, Sequence[Bench]]:
    project = reference_project(name, options.folder, options.out)
    found = []
    for target in options.targets:
        print(f"{name}: {target} ...", file=sys.stderr)
        found.append(bench(project, target))
    return project.model, found


def _figures(name: str, measured: tuple[Model, Sequence[Bench]]) -> list[Figure]:
    peer, figures = PEERS[name], []
    for found in measured[1]:
        target = found.target
        assert found.inference is not None and found.flash is not None
        theirs, allowed = peer.instructions[target], ALLOWED.get(target)
        figures.append(Figure(target, name, "instructions", found.inference, theirs, allowed))
        if found.cycles is not None:
            figures.append(
                Figure(target, name, "cycles", found.cycles, peer.cycles, ALLOWED_CYCLES)
            )
        if (name, target) == ("kws", MODELLED):
            figures.append(_runtime(found, BALANCED))
        if target == MODELLED:
            arena = ALLOWED_ARENA[name]
            figures.append(Figure(target, name, "arena, bytes", found.arena, None, arena))
    return figures


def _runtime(found: Bench, optimize: Optimize) -> Figure:
    assert found.flash is not None
    name = f"runtime, {optimize.name}, bytes"
    allowed = ALLOWED_RUNTIME[optimize]
    return Figure(found.target, "kws", name, found.flash.runtime, None, allowed)


def _small_runtime(measured: Measured, options: Options) -> Iterator[Figure]:
    """Keyword spotting in the least flash."""
    if "kws" in measured:
        print(f"kws: {MODELLED}, size ...", file=sys.stderr)
        project = reference_project("kws", options.folder, options.out / "size", SIZE)
        found = bench(project, MODELLED)
        assert found.inference is not None
        (fast,) = (each for each in measured["kws"][1] if each.target == MODELLED)
        yield _runtime(found, SIZE)
        yield Figure(MODELLED, "kws", "instructions, size", found.inference, fast.inference, None)


def _small_arena(measured: Measured, options: Options) -> Iterator[Figure]:
    """Networks within budgets."""
    for name, budgets in BUDGETS.items():
        (plain,) = (found for found in measured[name][1] if found.target == MODELLED)
        for budget in budgets:
            print(f"{name}: {MODELLED}, --ram {budget} ...", file=sys.stderr)
            folder = options.out / f"ram-{budget}"
            found = bench(reference_project(name, options.folder, folder, ram=budget), MODELLED)
            assert found.inference is not None
            arena, took = f"arena, --ram {budget}", f"instructions, --ram {budget}"
            yield Figure(MODELLED, name, arena, found.arena, None, budget)
            yield Figure(MODELLED, name, took, found.inference, plain.inference, ALLOWED_WITH_RAM)


def _figures_text(figures: Sequence[Figure]) -> str:
    ordered = sorted(figures, key=lambda f: (QEMU_TARGETS.index(f.target), f.figure == "cycles"))
    rows = [
        (f.target, f.model, f.figure, f.ours, f.peer, f.ratio, f.allowed, f.met) for f in ordered
    ]
    return table(("target", "model", "figure", "ours", "beside", "ratio", "allowed", "met"), rows)


SCRATCH = (
    "TFLite Micro has the scratch of its convolutions in the arena, we have it on the stack; what "
    "its stack takes is not known. runtime: code and constants of inference without weights."
)


def _memory_text(measured: Measured) -> str:
    """Bytes of RAM and flash; the arena is the same on all targets."""
    rows = [
        (
            found.target,
            name,
            found.arena,
            PEERS[name].arena,
            found.stack,
            None if found.flash is None else found.flash.runtime,
            None if found.flash is None else found.flash.weights,
        )
        for name, (_, benches) in measured.items()
        for found in benches
    ]
    rows.sort(key=lambda row: QEMU_TARGETS.index(row[0]))
    return table(
        ("target", "model", "arena", "peer's arena", "peak stack", "runtime", "weights"), rows
    )


def _write(measured: Measured, figures: Sequence[Figure], out: Path) -> None:
    figures_json = [{**asdict(f), "ratio": f.ratio, "met": f.met} for f in figures]
    benches = {
        name: {"peer": asdict(PEERS[name]), "targets": [found.as_json() for found in benches]}
        for name, (_, benches) in measured.items()
    }
    write_json(
        out / "results.json", {"peer": PEER_NAME, "figures": figures_json, "models": benches}
    )
    panels = [_panel(name, benches) for name, (_, benches) in measured.items()]
    with new_file(out / "instructions.png") as aside:
        draw_costs(panels, aside)


def _panel(name: str, benches: Sequence[Bench]) -> Panel:
    bars = []
    for found in benches:
        bars.append(cost_bar(found))
        bars.append(Bar("TFLite Micro", PEERS[name].instructions[found.target]))
    return Panel(TITLES[name], tuple(bars))


if __name__ == "__main__":
    sys.exit(main())
