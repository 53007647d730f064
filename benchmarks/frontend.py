"""What a sound front end costs and how exact it is, beside the bars it has to reach.

    python benchmarks/frontend.py [--targets cortex-m4 cortex-m0 cortex-m55]

Builds tests/firmware/audio_program.c for each target and runs it under QEMU; instructions are
exact. Speech comes from ../shared/data, and the microfrontend from the package pymicro-features;
rows that need what is absent are left out. Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

# The program and its other end live with the tests, which are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bars import Bar, at_least, at_most, bars_text

from tests.emulator.test_audio import int8_steps, microfrontend
from tests.firmware.audio_device import (
    build_program,
    constant_arrays,
    stream_frames,
    working_bytes,
)
from tests.firmware.test_audio import SECOND_BARS, every_kind
from tests.frontend.audio_cases import NORMALIZED, SETTINGS, Sound, speech
from tinytrain.emulator.audio import features, quantized, raw_features
from tinytrain.frontend.audio import AudioSettings, audio_constants
from tinytrain.report.tables import table

TARGETS = ("cortex-m4", "cortex-m0", "cortex-m55")
RING = 640
STRUCTS_IN_RAM = 56 + 20
"""tt_frontend_state and tt_ring where a pointer has 4 bytes."""
STRUCTS_IN_FLASH = 104 + 28
"""tt_audio_constants and tt_frontend."""
FRAMES = 500
"""Of each of SETTINGS on each target."""
OPTIONS = {
    "log-mel": {},
    "13 cepstral coefficients": {"coefficients": 13},
    "noise reduction": {"noise_reduction": True},
    "gain normalization": NORMALIZED,
}


@dataclass(frozen=True)
class Cost:
    """Of a second of audio, 49 frames."""

    instructions: int
    stack: int


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--targets", nargs="*", default=list(TARGETS))
    targets = arguments.parse_args().targets
    bars, rows = [*memory(), emulator_speed()], []
    compared = 0
    for target in ("host", *targets):
        with tempfile.TemporaryDirectory() as folder:
            program = build_program(Path(folder), target)
            frames, bits = differing_bits(program)
            compared += frames
            bars.append(at_most(f"{target}: differing bits of {frames} frames", bits, 0))
            if target != "host":
                costs = {name: cost(program, options) for name, options in OPTIONS.items()}
                rows += [
                    (target, name, found.instructions, found.stack) for name, found in costs.items()
                ]
                rows.append(
                    (
                        target,
                        "bytes of code, tables of log2 and exp2 included",
                        code_bytes(Path(folder), target),
                        None,
                    )
                )
                if target in SECOND_BARS:
                    bars.append(
                        at_most(
                            f"{target}: instructions of a second, log-mel",
                            costs["log-mel"].instructions,
                            SECOND_BARS[target],
                        )
                    )
    if len(targets) == len(TARGETS):
        bars.append(at_least("frames compared", compared, 10_000))
    bars += accuracy()
    print(bars_text(bars))
    print()
    print(table(("target", "of a second of audio", "instructions", "stack"), rows))
    return 0 if all(bar.met for bar in bars) else 1


def memory() -> Iterator[Bar]:
    """Of the default settings."""
    k = audio_constants(AudioSettings())
    arrays = sum(array.nbytes for array in constant_arrays(k))
    ram = working_bytes(k) + 2 * RING + STRUCTS_IN_RAM
    yield at_most(f"bytes of RAM, a ring of {RING} samples included", ram, 4096)
    yield at_most("bytes of constants", arrays + STRUCTS_IN_FLASH, 6144)


def emulator_speed() -> Bar:
    """The best of five: of a minute, in seconds of this process's own."""
    k = audio_constants(AudioSettings())
    clips = np.stack([Sound("noise", 2000, seed).samples(16000) for seed in range(60)])
    best = min(seconds_of(lambda: features(k, clips)) for _ in range(5))
    return at_least("emulator: times real time", round(60 / best), 200)


def seconds_of(work: object) -> float:
    start = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - start


def differing_bits(program: Sequence[str]) -> tuple[int, int]:
    """Frames of all settings, and the bits in which they are not the emulator's."""
    frames = bits = 0
    for options in SETTINGS.values():
        k = audio_constants(AudioSettings(**options))
        samples = every_kind(k.window + (FRAMES - 1) * k.hop)
        chunks = np.split(samples, range(2000, len(samples), 2000))
        found = np.concatenate([answer[0] for answer in stream_frames(program, k, chunks, 4096)])
        differing = found ^ features(k, samples[None])[0]
        bits += int(np.unpackbits(differing.view(np.uint8)).sum())
        frames += len(found)
    return frames, bits


def cost(program: Sequence[str], options: dict[str, object]) -> Cost:
    k = audio_constants(AudioSettings(**options))  # type: ignore[arg-type]
    chunks = np.split(Sound("noise", 1000, 0).samples(16000), 100)
    answers = stream_frames(program, k, chunks, RING, count=True)
    return Cost(sum(n for _, n, _ in answers), max(stack for *_, stack in answers))


def code_bytes(folder: Path, target: str) -> int:
    objects = [
        path for path in (folder / "build" / target).rglob("*.o") if path.parent.name == "frontend"
    ]
    sizes = subprocess.run(
        ["arm-none-eabi-size", *objects], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    return sum(int(line.split()[0]) for line in sizes)


def accuracy() -> Iterator[Bar]:
    """Against log-mel in floating point, and the microfrontend."""
    k = audio_constants(AudioSettings())
    noise = np.stack([Sound("noise", 2.0**e, e).samples(16000) for e in range(14)])
    yield from from_floating("noise", int8_steps(k, noise))
    try:
        words = speech(100, 19)
    except pytest.skip.Exception:
        return
    yield from from_floating("speech", int8_steps(k, words))
    try:
        theirs = np.stack([microfrontend(clip) for clip in words])
    except pytest.skip.Exception:
        return
    yield from from_microfrontend(words, theirs)


def from_floating(name: str, steps: NDArray[np.int64]) -> Iterator[Bar]:
    yield at_most(f"{name}: largest difference from floating point, steps", float(steps.max()), 1)
    yield at_most(f"{name}: mean difference from floating point, steps", float(steps.mean()), 0.02)


def from_microfrontend(words: NDArray[np.int16], theirs: NDArray[np.float64]) -> Iterator[Bar]:
    k = audio_constants(AudioSettings(hop_ms=10, **NORMALIZED))  # type: ignore[arg-type]
    raw = raw_features(k, words)
    ours = raw / 65536 * np.log(2) * 64
    pairs = zip(np.moveaxis(ours, -1, 0), np.moveaxis(theirs, -1, 0), strict=True)
    least = min(float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in pairs)
    difference = np.abs(ours - theirs)
    steps = np.clip((theirs * 256 + 333) // 666 - 128, -128, 127)
    steps = np.abs(quantized(k.quantizer, raw) - steps)
    yield at_least("microfrontend: least correlation of a band", least, 0.99)
    yield at_most("microfrontend: mean difference, of 666", float(difference.mean()), 4)
    yield at_most("microfrontend: largest difference, of 666", float(difference.max()), 300)
    loud = float(np.percentile(difference[theirs > 300], 99))
    yield at_most("microfrontend: difference of 99% above 300, of 666", loud, 30)
    yield at_most("microfrontend: median difference, int8 steps", float(np.median(steps)), 1)
    yield at_most("microfrontend: mean difference, int8 steps", float(steps.mean()), 1.5)


if __name__ == "__main__":
    sys.exit(main())
