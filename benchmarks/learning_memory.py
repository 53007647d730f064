"""What learning takes of a device's memory, option by option: 64 features, 12 classes.

    python benchmarks/learning_memory.py

Bytes of the learner's buffer, of which the header that `convert` writes has the macro; the
learner's own struct, some 400 bytes on a Cortex-M, comes on top. Exits with 1 where a bar is
missed.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from bars import at_most, bars_text

from tinytrain.adapt.cost import learner_bytes
from tinytrain.head import HeadConstants, units
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import LearnerOptions, learner_constants
from tinytrain.report.tables import table

CLASSES, FEATURES = 12, 64
SMALL, LARGE = 16 * 1024, 32 * 1024

PLAIN = LearnerOptions("sgd", slots=0, implausible=0, work_every=0, guard=False, versions=0)
GUARDED = replace(PLAIN, slots=12, held=2, hold_every=5, work_every=8, guard=True)
LDA = replace(PLAIN, kind="lda")

ROWS: tuple[tuple[str, LearnerOptions, int, int], ...] = (
    ("sgd alone", PLAIN, 16, 0),
    ("sgd, int32 masters", PLAIN, 32, 0),
    ("sgd, replay of 10 a class", replace(PLAIN, slots=10, replays=1), 16, 0),
    ("sgd, replay of 10, guard with 2 held a class", GUARDED, 16, 0),
    ("sgd, the same and a kept version", replace(GUARDED, versions=1), 16, 0),
    ("sgd, int32 masters, replay of 10, guard", GUARDED, 32, 0),
    ("lda, frozen", LDA, 16, 0),
    ("lda, frozen, memory of 10 a class, guard", replace(LDA, slots=10, work_every=8, guard=True),
     16, 0),
    ("lda, frozen, the same and a kept version",
     replace(LDA, slots=10, work_every=8, guard=True, versions=1), 16, 0),
    ("lda, blended", replace(LDA, work_every=8), 16, 50),
    ("lda, blended, memory of 10 a class, guard",
     replace(LDA, slots=10, work_every=8, guard=True), 16, 50),
)  # fmt: skip


def main() -> int:
    # The bar speaks of replay, guard and masters; a version to go back to is the user's to add.
    rows = [
        (
            name,
            _bytes(options, masters, blend),
            None if options.versions else LARGE if blend else SMALL,
        )
        for name, options, masters, blend in ROWS
    ]
    print(table(("learner, 64 features, 12 classes", "RAM, bytes", "allowed"), rows))
    bars = [at_most(name, used, allowed) for name, used, allowed in rows if allowed is not None]
    missed = [bar for bar in bars if not bar.met]
    print("", bars_text(missed) if missed else "every option with a bar is within it", sep="\n")
    return 1 if missed else 0


def _bytes(options: LearnerOptions, masters: int, blend: int) -> int:
    rng = np.random.default_rng(0)
    head = HeadConstants(
        CLASSES, CLASSES, FEATURES, 2, 3277, int(masters == 32), 0,
        units(np.full(CLASSES, 0.01), 0.05, FEATURES, 1.0, 4000.0),
        np.zeros((CLASSES, FEATURES), np.int8), np.zeros(CLASSES, np.int32),
    )  # fmt: skip
    features = rng.integers(-99, 99, (400, FEATURES)).astype(np.int8)
    lda = build_lda(
        features, np.arange(400) % CLASSES, 0, CLASSES, CLASSES, LdaOptions(blend=blend), 0.05
    )
    return learner_bytes(LearnerParts(learner_constants(options), head, lda))


if __name__ == "__main__":
    sys.exit(main())
