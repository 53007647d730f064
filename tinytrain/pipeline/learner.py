"""The learner of a run: what its task asks for, calibrated on the people of its data."""

from __future__ import annotations

from dataclasses import replace

from tinytrain.adapt.calibrate import Known, analytic, calibrated, known_people
from tinytrain.adapt.drift import DriftOptions, drift_constants
from tinytrain.adapt.people import Class, class_of, head_of
from tinytrain.adapt.thresholds import pseudo_label_threshold
from tinytrain.lda import LdaOptions
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import learner_constants
from tinytrain.model import Model
from tinytrain.pipeline.runs import Run
from tinytrain.training import tasks
from tinytrain.training.task_rules import learner_options


def learner_of(found: Run, model: Model) -> LearnerParts | None:
    """The learner that the run's task asks for, around the model's head; None for a plain one.

    Raises InputError where keys of the task do not go together, or not with the model.
    """
    wanted = found.task.learner
    if wanted.kind == "none":
        return None
    rules = learner_constants(learner_options(wanted))
    head = head_of(model)
    training = class_of(model, found.dataset, found.split.train)
    validation = class_of(model, found.dataset, found.split.validation)
    known = known_people(head, training, validation, found.task.head.shots, found.seed)
    needs_lda = wanted.kind != "sgd" or wanted.drift
    lda = analytic(known, _lda_options(wanted, known)) if needs_lda else None
    watched = validation if len(validation.samples) else training
    drift = None
    if wanted.drift and lda is not None:
        options = DriftOptions(false_alarms=wanted.false_alarms)
        drift = drift_constants(head.constants, lda, training, validation, options)
    if wanted.pseudo_labels:
        rules = replace(rules, pseudo=_threshold(model, watched))
    return LearnerParts(rules, head.constants, lda, drift)


def _lda_options(wanted: tasks.Learner, known: Known) -> LdaOptions:
    """What the task says, and the rest as it suits the validation people best."""
    found = calibrated(known, wanted.blend > 0)
    return replace(
        found,
        prior=wanted.prior or found.prior,
        ridge=wanted.ridge or found.ridge,
        blend=wanted.blend,
    )


def _threshold(model: Model, watched: Class) -> int:
    """Q15: from where on answers are right."""
    return min(round(pseudo_label_threshold(head_of(model).constants, watched) * 32768), 32768)
