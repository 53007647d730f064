"""Rules of a task that span several keys: each broken one is a line that says how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from tinytrain.head import MAX_CLASSES
from tinytrain.lda_constants import FACTOR_BITS, MAX_FEATURES, MIN_RIDGE
from tinytrain.learner_options import LearnerOptions, contradictions
from tinytrain.training.tasks import SOUNDS, Frontend, Learner, Task

MIN_PRIOR = 1 / 16
LEAST_RIDGE = MIN_RIDGE / (1 << FACTOR_BITS)
"""What the device's integers can hold of learner.prior and learner.ridge."""
_KIND_OF_SOURCE = {
    "csv": "motion",
    "wav": "audio",
    "images": "image",
    "scikit-learn-digits": "image",
    "idx": "image",
}
_AUGMENTATION_OF = {
    "speed": ("motion", "audio"),
    "vocal_tract": ("audio",),
    "colour": ("audio",),
    "gain": ("motion", "audio"),
    "tilt_degrees": ("motion",),
    "mirror": ("motion",),
    "shift": ("audio", "image"),
    "flip": ("image",),
    "time_mask": ("audio",),
    "band_mask": ("audio",),
    "cutout": ("image",),
}


def broken_rules(task: Task) -> Iterator[str]:
    """What contradicts itself in a task, as `table.key is ...; what to do`."""
    yield from _source(task)
    yield from _waveforms(task)
    yield from _classes(task)
    yield from _window(task)
    yield from _frontend(task)
    yield from _augmentation(task)
    yield from _learner(task)
    yield from _statistics(task)


def learner_options(wanted: Learner) -> LearnerOptions:
    """A task's keys as options, but for those that are found out."""
    shared = {entry.name for entry in fields(LearnerOptions)} & {
        entry.name for entry in fields(Learner)
    }
    return LearnerOptions(**{name: getattr(wanted, name) for name in shared})


def _learner(task: Task) -> Iterator[str]:
    wanted = task.learner
    if wanted.kind == "none":
        return
    for name, wrong in contradictions(learner_options(wanted)):
        yield f"learner.{name}: {wrong}"
    if wanted.prior and wanted.prior < MIN_PRIOR:
        yield f"learner.prior: {wanted.prior:g}: 0 (found out), or {MIN_PRIOR:g} to 1024"
    if wanted.ridge and wanted.ridge < LEAST_RIDGE:
        yield f"learner.ridge: {wanted.ridge:g}: 0 (found out), or {LEAST_RIDGE:g} to 16"
    if wanted.kind != "sgd" or wanted.drift:
        yield from _analytic(task)
    if not task.network.classifies:
        yield (
            f"learner.kind: {wanted.kind!r}: an autoencoder has no classes to learn; take "
            "kind = 'none'"
        )
    if task.quantization.int16:
        yield (
            f"learner.kind: {wanted.kind!r}: quantization.int16 is true, and int16 activations "
            "leave no head that learns; set one of them to its default"
        )


def _analytic(task: Task) -> Iterator[str]:
    features = task.network.features
    if features > MAX_FEATURES:
        yield (
            f"network.features: {features}: the learner's analytic head takes {MAX_FEATURES} at "
            "most; or take learner.kind = 'sgd' with learner.drift = false"
        )


def _statistics(task: Task) -> Iterator[str]:
    layers = task.statistics.layers
    if "all" in layers and len(layers) > 1:
        yield f"statistics.layers: {list(layers)}: 'all' stands alone"
    twice = [name for name in layers if layers.count(name) > 1]
    if twice:
        yield f"statistics.layers: {twice[0]!r} is there twice"


def _source(task: Task) -> Iterator[str]:
    data = task.data
    source, kind = data.source, _KIND_OF_SOURCE.get(data.source, data.kind)
    if data.kind != kind:
        yield f"data.kind is {data.kind!r}; source {source!r} gives {kind!r}"
    if not data.path and source != "scikit-learn-digits":
        yield f"data.path is missing; source {source!r} reads a file or folder"
    if source == "csv" and not data.channels:
        yield "data.channels is missing; source 'csv' needs the names of the channels' columns"
    if source == "csv" and (
        missing := [key for key in ("time", "label") if not getattr(data, key)]
    ):
        yield f"data.{missing[0]} is empty; source 'csv' needs the name of a column"
    by_folder = source == "images" or (source == "wav" and not data.manifest)
    if by_folder and data.group not in ("", "folder"):
        yield (
            f"data.group is {data.group!r}; with a folder a class it is 'folder' (a folder a "
            "person between the class and the files) or empty"
        )
    if source in ("idx", "scikit-learn-digits") and data.group:
        yield f"data.group is {data.group!r}; source {source!r} knows no people: leave it empty"
    if bool(data.x_test) != bool(data.y_test):
        yield "data.x_test and data.y_test: give both, or neither"


def _waveforms(task: Task) -> Iterator[str]:
    data, kind, source = task.data, task.frontend.kind, task.data.source
    if source == "wav" and kind not in SOUNDS:
        yield f"frontend.kind is {kind!r}; source 'wav' needs 'log_mel' or 'mfcc'"
    if source not in ("wav", "npz") and kind in SOUNDS:
        yield f"frontend.kind is {kind!r}; source {source!r} has no waveforms: 'none'"
    if kind in SOUNDS and data.kind != "audio":
        yield f"frontend.kind is {kind!r}, for sounds; data.kind is {data.kind!r}: 'audio'"
    if kind == "motion" and data.kind != "motion":
        yield f"frontend.kind is 'motion'; data.kind is {data.kind!r}: 'motion'"
    for name, given in (("offsets", bool(data.offsets)), ("law", data.law != "none")):
        if given and kind not in SOUNDS:
            yield f"data.{name} is for waveforms; frontend.kind has to be 'log_mel' or 'mfcc'"
    if data.law != "none" and source != "npz":
        yield f"data.law is {data.law!r}; source {source!r} has a format of its own: 'none'"


def _classes(task: Task) -> Iterator[str]:
    labels = task.data.labels
    twice = [name for name in labels if labels.count(name) > 1]
    if twice:
        yield f"data.labels has {twice[0]!r} twice"
    if len(labels) == 1:
        yield "data.labels has one class; a classifier needs two"
    if len(labels) > 1 and task.head.rows > len(labels):
        yield f"head.rows is {task.head.rows}; there are {len(labels)} classes in data.labels"
    if task.head.masters not in (16, 32):
        yield f"head.masters is {task.head.masters}; 16 or 32"
    rows = len(labels) + task.head.reserved
    if rows > MAX_CLASSES:
        yield (
            f"head.reserved is {task.head.reserved}; with {len(labels)} classes in data.labels at "
            f"most {MAX_CLASSES - len(labels)}"
        )


def _window(task: Task) -> Iterator[str]:
    window = task.window
    if task.data.source == "csv" and window.hop > window.length:
        yield f"window.hop is {window.hop}; at most window.length, {window.length}"


def _frontend(task: Task) -> Iterator[str]:
    front, labels = task.frontend, task.data.labels
    unknown = [name for name in front.ignore if labels and name not in labels]
    if unknown:
        yield f"frontend.ignore has {unknown[0]!r}, which is not in data.labels"
    if front.kind in SOUNDS:
        yield from _sounds(front)
    if front.kind == "motion":
        yield from _motion(task)


def _motion(task: Task) -> Iterator[str]:
    front, window, augmentation = task.frontend, task.window, task.augmentation
    if front.arithmetic == "float":
        yield "frontend.arithmetic is 'float'; motion has the device's alone: 'integer'"
    if front.form == "windows":
        if front.spectrum:
            yield f"frontend.spectrum is {front.spectrum}; frontend.form has to be 'statistics'"
        return
    powers = (16, 32, 64, 128, 256, 512)
    if front.spectrum and window.length not in powers:
        yield (
            f"window.length is {window.length}; frontend.spectrum needs one of "
            f"{', '.join(map(str, powers))}"
        )
    if task.network.name not in ("dense", "autoencoder"):
        yield (
            f"network.name is {task.network.name!r}; statistics have no time axis: take 'dense' or "
            "'autoencoder'"
        )
    names = ("speed", "gain", "tilt_degrees", "mirror")
    if found := [name for name in names if getattr(augmentation, name)]:
        verb, them = ("varies", "it") if len(found) == 1 else ("vary", "them")
        yield (
            f"{_augmentations(found)} {verb} samples; frontend.form is 'statistics': leave {them} "
            "out, or take 'windows'"
        )


def _sounds(front: Frontend) -> Iterator[str]:
    frame, hop = (int(front.rate * ms / 1000) for ms in (front.frame_ms, front.hop_ms))
    if front.fft & (front.fft - 1):
        yield f"frontend.fft is {front.fft}; a power of two from 64 to 1024"
    if front.fft < frame:
        yield (
            f"frontend.fft is {front.fft}; at least {frame}, the samples of a frame of "
            f"{front.frame_ms:g} ms at {front.rate} Hz: make frontend.frame_ms shorter, or fft "
            "larger, 1024 at most"
        )
    if hop < 1:
        yield f"frontend.hop_ms is {front.hop_ms:g}; less than a sample at {front.rate} Hz"
    if front.high_hz > front.rate / 2:
        yield f"frontend.high_hz is {front.high_hz:g}; at most half the rate, {front.rate / 2:g}"
    if front.low_hz >= front.high_hz:
        yield f"frontend.low_hz is {front.low_hz:g}; less than high_hz, {front.high_hz:g}"
    if front.seconds * 1000 < front.frame_ms + front.hop_ms:
        yield f"frontend.seconds is {front.seconds:g}; at least two frames have to fit"
    if front.kind == "mfcc" and front.coefficients > front.bands:
        yield f"frontend.coefficients is {front.coefficients}; at most bands, {front.bands}"
    if front.gain_normalization and not front.noise_reduction:
        yield "frontend.gain_normalization needs the estimate of noise_reduction: set it to true"
    beyond = {
        "kind": front.kind != "log_mel",
        "pre_emphasis": front.pre_emphasis > 0,
        "noise_reduction": front.noise_reduction,
    }
    for name in (name for name, used in beyond.items() if used and front.arithmetic == "float"):
        yield (
            f"frontend.arithmetic is 'float', which is plain log_mel alone; frontend.{name} is "
            f"{getattr(front, name)!r}: take 'integer'"
        )


def _augmentation(task: Task) -> Iterator[str]:
    augmentation, kind = task.augmentation, task.data.kind
    for name, kinds in _AUGMENTATION_OF.items():
        if getattr(augmentation, name) and kind not in kinds:
            yield f"augmentation.{name} is for {' and '.join(kinds)}; data.kind is {kind!r}"
    yield from _lost_variations(task)
    if any(sign not in (-1, 1) for sign in augmentation.mirror):
        yield f"augmentation.mirror is {list(augmentation.mirror)}; each sign is -1 or 1"
    channels = len(task.data.channels)
    if channels and augmentation.mirror and len(augmentation.mirror) != channels:
        yield (
            f"augmentation.mirror has {len(augmentation.mirror)} signs; there are {channels} "
            "channels in data.channels"
        )
    if augmentation.tilt_degrees and not task.data.triples:
        yield "augmentation.tilt_degrees turns x, y, z; data.triples has to be true"
    if channels and task.data.triples and channels % 3:
        yield f"data.triples is true; {channels} channels are no triples of x, y, z"


def _lost_variations(task: Task) -> Iterator[str]:
    """Augmentations that mean nothing in the features of a front end, in one line."""
    front = task.frontend
    names: tuple[str, ...]
    if front.kind == "mfcc":
        names = ("vocal_tract", "colour", "gain", "noise", "band_mask")
        verbs, why = ("varies", "vary"), "mel bands; frontend.kind is 'mfcc'"
        or_else = ", or take 'log_mel'"
    elif front.kind == "log_mel" and front.gain_normalization:
        names = ("colour", "gain", "noise")
        verbs, why = ("is", "are"), "what frontend.gain_normalization takes out again"
        or_else = ""
    elif front.kind == "log_mel" and front.noise_reduction:
        names = ("noise",)
        verbs, why = ("is", "are"), "what frontend.noise_reduction takes out again"
        or_else = ""
    else:
        return
    if found := [name for name in names if getattr(task.augmentation, name)]:
        several = len(found) > 1
        them = "them" if several else "it"
        yield f"{_augmentations(found)} {verbs[several]} {why}: set {them} to 0{or_else}"


def _augmentations(names: Sequence[str]) -> str:
    return ", ".join(f"augmentation.{name}" for name in names)
