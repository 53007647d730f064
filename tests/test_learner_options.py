"""The options of the learner: their integers, and what is refused."""

from __future__ import annotations

import pytest

from tinytrain.errors import InputError
from tinytrain.learner import Kind
from tinytrain.learner_options import LearnerOptions, learner_constants


def test_options_become_the_integers_of_the_device() -> None:
    made = learner_constants(LearnerOptions("lda+sgd", held=2, hold_every=4, pseudo=0.5))
    assert (made.kind, made.guard, made.pseudo) == (Kind.LDA_SGD, 1, 1 << 14)
    assert (made.implausible, made.loss_cap) == (4 << 10, 4 << 10)
    assert (made.margin, made.confidence) == (64, 12)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"kind": "svm"}, "learner.kind: .*one of sgd, lda, lda"),
        ({"slots": 256}, "learner.slots: 256: 0 to 255"),
        ({"hold_every": 1}, "learner.hold_every: 1"),
        ({"held": 2}, "learner.held: .*both held and hold_every, or neither"),
        ({"held": 10, "hold_every": 4}, "fewer than the slots, 10"),
        ({"work_every": 0}, "slots and work_every"),
        ({"kind": "sgd"}, "sgd by held samples"),
        ({"slots": 0, "guard": False}, "implausible 0"),
        ({"slots": 0, "guard": False, "implausible": 0, "replays": 1}, "replays"),
    ],
)
def test_what_cannot_be_is_refused_by_name(options: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        learner_constants(LearnerOptions(**options))
