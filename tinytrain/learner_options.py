"""How a device learns, in the units of a user; and the integers that this becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinytrain.errors import InputError
from tinytrain.learner import GAIN_SHIFT, ONE_BIT, Kind, LearnerConstants

KINDS = {"sgd": Kind.SGD, "lda": Kind.LDA, "lda+sgd": Kind.LDA_SGD}


@dataclass(frozen=True)
class LearnerOptions:
    """How a device learns, in the units of a user; chosen per task."""

    kind: str = "lda"
    """One of KINDS."""
    start: int = 5
    """lda+sgd: samples of a class that LDA makes its row of. 1 to 2047."""
    slots: int = 10
    """Samples of a class that are remembered; 0: none. At most 255."""
    held: int = 0
    """How many of the slots are for held samples, which judge and are never learned from."""
    hold_every: int = 0
    """One in so many samples of a class is held aside; 0: none. At least 2."""
    replays: int = 0
    """Remembered samples that SGD learns again with each new one. At most 255."""
    implausible: float = 4.0
    """Bits that a sample has to lose at least for its label to be doubted; 0: none is."""
    loss_cap: float = 4.0
    """Bits that one sample can weigh, at most."""
    work_every: int = 8
    """Samples learned between two judgements (and solves); 0: there are none."""
    guard: bool = True
    """Only what is judged better than the factory head answers."""
    margin: float = 1.0
    """Bits, over all samples that judge, by which the factory head has to be beaten."""
    confidence: float = 0.75
    """Standard errors by which it has to be beaten."""
    versions: int = 1
    """Heads kept to go back to, besides the factory's. At most 4 (TT_MAX_VERSIONS)."""
    patience: int = 0
    """Judgements without a better head that stop learning for the day; 0: it goes on."""
    daily_steps: int = 0
    """Samples learned a day, at most; 0: no limit."""
    pseudo: float = 0.0
    """Probability from which on an answer without a label is learned; 0: none is."""
    seed: int = 0
    """Of everything random on the device, 32 bits."""


def learner_constants(options: LearnerOptions) -> LearnerConstants:
    """The integers of the device. Raises InputError where an option is out of range."""
    for name, wrong in contradictions(options):
        raise InputError(f"learner.{name}: {wrong}")
    return LearnerConstants(
        kind=KINDS[options.kind],
        start=options.start,
        slots=options.slots,
        held=options.held,
        hold_every=options.hold_every,
        replays=options.replays,
        implausible=round(options.implausible * ONE_BIT),
        loss_cap=round(options.loss_cap * ONE_BIT),
        work_every=options.work_every,
        guard=int(options.guard),
        margin=round(options.margin * (ONE_BIT >> GAIN_SHIFT)),
        confidence=round(options.confidence * 16),
        versions=options.versions,
        patience=options.patience,
        daily_steps=options.daily_steps,
        pseudo=round(options.pseudo * (1 << 15)),
        seed=options.seed,
    )


_RANGES: dict[str, tuple[float, float]] = {
    "start": (1, 2047),
    "slots": (0, 255),
    "held": (0, 254),
    "replays": (0, 255),
    "implausible": (0, 31),
    "loss_cap": (1, 31),
    "work_every": (0, 65535),
    "margin": (0, 1000),
    "confidence": (0, 16),
    "versions": (0, 4),
    "patience": (0, 65535),
    "daily_steps": (0, 65535),
    "pseudo": (0, 1),
    "seed": (0, 2**32 - 1),
}


def contradictions(options: LearnerOptions) -> Iterator[tuple[str, str]]:
    """What cannot be: a field, and what is wrong with its value and what to do."""
    yield from _out_of_range(options)
    yield from _not_together(options)


def _out_of_range(options: LearnerOptions) -> Iterator[tuple[str, str]]:
    if options.kind not in KINDS:
        yield "kind", f"{options.kind!r}: one of {', '.join(KINDS)}"
    for name, (low, high) in _RANGES.items():
        value = getattr(options, name)
        if not low <= value <= high:
            yield name, f"{value}: {low} to {high}"
    if options.hold_every and not 2 <= options.hold_every <= 65535:
        yield "hold_every", f"{options.hold_every}: 0, or 2 to 65535"


def _not_together(options: LearnerOptions) -> Iterator[tuple[str, str]]:
    held, every, slots = options.held, options.hold_every, options.slots
    if (held > 0) != (every > 0):
        missing = f"hold_every is {every}" if held else f"hold_every is {every} and needs held"
        yield "held", f"{held}, {missing}: give both held and hold_every, or neither"
    if held and held >= slots:
        yield "held", f"{held}: fewer than the slots, {slots}"
    if options.guard and not (slots and options.work_every):
        yield (
            "guard",
            f"true, slots {slots}, work_every {options.work_every}: the guard judges by what it "
            "remembers; give slots and work_every, or guard = false",
        )
    if options.guard and options.kind != "lda" and not held:
        yield (
            "guard",
            f"true: the guard judges {options.kind} by held samples only; give held and "
            "hold_every (such as 3 and 3), or guard = false",
        )
    if options.implausible > 0 and not slots:
        yield (
            "implausible",
            f"{options.implausible:g}: doubted samples wait in slots; give slots, or implausible 0",
        )
    if options.replays > 0 and not slots:
        yield "replays", f"{options.replays}: replays come from slots; give slots, or replays 0"
