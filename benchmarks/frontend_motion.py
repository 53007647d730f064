"""What motion's front end costs: instructions of a window, stack, memory, and constants in flash.

    python benchmarks/frontend_motion.py [--targets cortex-m4 cortex-m0]

Builds tests/firmware/motion_program.c for each target, gives it noise, and counts under QEMU the
most instructions of a window, its samples' resampling and quantizing included. Exits with 1 where a
bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

# The program and its other end live with the tests, which are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.firmware.motion_device import Device, build_program
from tests.frontend.motion_cases import Case, case
from tinytrain.emulator import motion
from tinytrain.frontend.constants import MotionConstants
from tinytrain.frontend.motion import MotionSettings, memory_bytes
from tinytrain.report.tables import table

UNIT = 9.81 / 8192
FRONT_ENDS = {
    "windows, 25 Hz as it comes": MotionSettings(25, 25, 6, 64, 32, UNIT),
    "windows, 25 Hz from 50 Hz": MotionSettings(50, 25, 6, 64, 32, UNIT),
    "windows, 25 Hz from 104 Hz": MotionSettings(104, 25, 6, 64, 32, UNIT),
    "statistics, 25 Hz as it comes": MotionSettings(25, 25, 6, 64, 32, UNIT, "statistics"),
    "statistics, 4 bands, 25 Hz as it comes": MotionSettings(
        25, 25, 6, 64, 32, UNIT, "statistics", 4
    ),
    "statistics, 4 bands, 25 Hz from 50 Hz": MotionSettings(
        50, 25, 6, 64, 32, UNIT, "statistics", 4
    ),
}
BARS = {"cortex-m4": 150_000, "cortex-m0": 250_000}
"""Instructions of a window, every 1.28 s: less than 1 % of what 16 MHz can do, and 2 %."""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--targets", nargs="*", default=list(BARS))
    rows, missed = [], False
    for target in arguments.parse_args().targets:
        with tempfile.TemporaryDirectory() as folder:
            program = build_program(Path(folder), target)
            for name, settings in FRONT_ENDS.items():
                one = case(settings, "noise", 0, round(4 * 64 * settings.input_rate / 25))
                instructions, stack = cost(program, one)
                missed |= instructions > BARS.get(target, instructions)
                sizes = memory_bytes(one.constants), flash_bytes(one.constants)
                rows.append((target, name, instructions, stack, *sizes))
    head = ("target", "front end of 64 x 6", "instructions a window", "stack", "RAM", "constants")
    print(table(head, rows))
    return int(missed)


def cost(program: list[str], one: Case) -> tuple[int, int]:
    """The most instructions of a window after the first, which takes twice the samples; stack."""
    device = Device(count=True)
    k = one.constants
    first = round(k.length * k.down / k.up) + 1
    device.begin(k, len(one.samples) + 1)
    device.push(one.samples[:first])
    device.windows()
    device.push(one.samples[first:])
    device.windows()
    _, (start, *_), _, (rest, instructions, stack) = device.run(program)
    expected = motion.windows(k, one.samples)
    np.testing.assert_array_equal(np.concatenate([start, rest]), expected)
    return instructions, stack


def flash_bytes(k: MotionConstants) -> int:
    """Arrays of the constants; the code and its tables come once for all."""
    q = k.quantizer
    arrays = (k.transform.twiddles, k.taps_of_phase, k.window_function, k.edges, q.offset, q.scale)
    return sum(array.nbytes for array in arrays)


if __name__ == "__main__":
    sys.exit(main())
