"""Tasks: everything that one run of the pipeline decides in advance, as plain data.

A task is written as a TOML file (`task_file.py`); each class here but Task is one of its tables.
What a key means and what it may hold stands once, beside the field: the reader's messages and the
commented file of `tinytrain tasks new` come from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SOURCES = ("npz", "csv", "images", "wav", "scikit-learn-digits", "idx")
KINDS = ("motion", "audio", "image")
NETWORKS = ("conv1d", "ds_cnn", "resnet8", "mobilenet_v1", "dense", "autoencoder")
FRONTENDS = ("none", "log_mel", "mfcc", "motion")
SOUNDS = ("log_mel", "mfcc")
"""Front ends of waveforms."""
ARITHMETICS = ("integer", "float")
FORMS = ("windows", "statistics")
LAWS = ("none", "mu")
LEARNERS = ("none", "sgd", "lda", "lda+sgd")
STATISTICS_GUARDS = ("labels", "confidence", "none")
CRITERIA = ("taylor", "batch_norm")
UNITS = ("macs", "bytes", "instructions")


def key(
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What a key of a task file means, and what it may hold; bounds are included."""
    return {"help": help, "low": low, "high": high, "choices": choices}


@dataclass(frozen=True)
class Data:
    """Where the samples come from."""

    source: str = field(
        metadata=key("npz, csv, images or wav: your own files; the others", choices=SOURCES)
    )
    kind: str = field(
        metadata=key("what a sample is: decides scaling and augmentation", choices=KINDS)
    )
    path: str = field(
        default="",
        metadata=key("file or folder, beside the task file, in --data DIR or TINYTRAIN_DATA"),
    )
    origin: str = field(
        default="", metadata=key("where to get it: said when the path is not found")
    )
    x: str = field(default="X", metadata=key("npz: the array of samples (n, ...)"))
    y: str = field(default="y", metadata=key("npz: the array of labels (n,)"))
    group: str = field(
        default="",
        metadata=key(
            "the person: npz: array; csv, manifest: column; folders of files: 'folder' or empty"
        ),
    )
    x_test: str = field(
        default="", metadata=key("npz: samples of a given test set, if there is one")
    )
    y_test: str = field(default="", metadata=key("npz: their labels"))
    offsets: str = field(
        default="", metadata=key("npz: where samples of unequal length begin in x, and its end")
    )
    rate: str = field(default="", metadata=key("npz: the array that holds the rate in Hz"))
    law: str = field(
        default="none",
        metadata=key("npz: mu: waveforms are bytes of 8-bit mu-law", choices=LAWS),
    )
    time: str = field(default="t", metadata=key("csv: column of the time in seconds"))
    channels: tuple[str, ...] = field(default=(), metadata=key("csv: columns of the channels"))
    label: str = field(default="label", metadata=key("csv, wav manifest: column of the class"))
    manifest: str = field(
        default="",
        metadata=key(
            "wav: CSV with columns file, the label's and the group's; else a folder a class"
        ),
    )
    labels: tuple[str, ...] = field(
        default=(), metadata=key("the classes to use, in this order; none: all, sorted")
    )
    background: float = field(
        default=0.0,
        metadata=key(
            "sounds: adds a class of half and reversed words and noise, made of the clips, never "
            "detected: this many times their number; 0: none",
            low=0,
            high=4,
        ),
    )
    height: int = field(default=32, metadata=key("images: rows", low=4, high=256))
    width: int = field(default=32, metadata=key("images: columns", low=4, high=256))
    colour: bool = field(default=True, metadata=key("images: three channels, not one"))
    overlap: bool = field(
        default=False, metadata=key("npz: neighbouring windows of a recording overlap by half")
    )
    triples: bool = field(
        default=False,
        metadata=key("motion: channels are x, y, z of one sensor after the other; share a scale"),
    )


@dataclass(frozen=True)
class Split:
    """Who is kept out of training."""

    unseen_groups: int = field(
        default=1,
        metadata=key("people that a seed keeps out, to test on; 0: a share of the samples", low=0),
    )
    validation_groups: int = field(
        default=1,
        metadata=key(
            "people kept out to watch the training; 0: a share of the others' samples", low=0
        ),
    )
    share: float = field(
        default=0.15, metadata=key("the share, where it is one", low=0.01, high=0.5)
    )


@dataclass(frozen=True)
class Window:
    """How csv recordings are cut."""

    rate: float = field(
        default=25.0, metadata=key("Hz; recordings are resampled", low=0.1, high=1e5)
    )
    length: int = field(default=64, metadata=key("samples of a window", low=4, high=4096))
    hop: int = field(default=32, metadata=key("samples from window to window", low=1, high=4096))


@dataclass(frozen=True)
class Frontend:
    """From samples to what the network takes, and from answers to detections, on the device."""

    kind: str = field(
        default="none",
        metadata=key("log_mel, mfcc: waveforms; motion: a sensor's samples", choices=FRONTENDS),
    )
    arithmetic: str = field(
        default="integer",
        metadata=key("integer: the device's; float: to compare with, log_mel", choices=ARITHMETICS),
    )
    rate: int = field(
        default=16000,
        metadata=key(
            "sounds: Hz of the waveforms; at 8000 take fft = 256, high_hz = 3800",
            low=1000,
            high=96000,
        ),
    )
    seconds: float = field(
        default=1.0, metadata=key("sounds: length of a clip", low=0.1, high=10.0)
    )
    frame_ms: float = field(
        default=30.0, metadata=key("sounds: length of a frame", low=5, high=100)
    )
    hop_ms: float = field(
        default=20.0, metadata=key("sounds: from frame to frame", low=2, high=100)
    )
    fft: int = field(
        default=512,
        metadata=key("sounds: points of the Fourier transform, a power of two", low=64, high=1024),
    )
    bands: int = field(default=40, metadata=key("sounds: mel bands", low=4, high=128))
    low_hz: float = field(
        default=125.0, metadata=key("sounds: lower edge of the lowest band", low=0)
    )
    high_hz: float = field(
        default=7500.0, metadata=key("sounds: upper edge of the highest band", low=1)
    )
    pre_emphasis: float = field(
        default=0.0,
        metadata=key(
            "sounds: share of the sample before that is subtracted; speech: 0.97; 0: none",
            low=0,
            high=0.99,
        ),
    )
    coefficients: int = field(
        default=13,
        metadata=key(
            "mfcc: how many of the cepstrum, from the first on; at most bands", low=2, high=128
        ),
    )
    noise_reduction: bool = field(
        default=False, metadata=key("sounds: subtract what each band has all the time")
    )
    gain_normalization: bool = field(
        default=False,
        metadata=key("sounds: even out loudness, band by band; needs noise_reduction"),
    )
    unit: float = field(
        default=0.001,
        metadata=key(
            "motion: what 1 of the device's int16 samples is worth, in the units of the data",
            low=1e-9,
        ),
    )
    input_rate: float = field(
        default=0.0,
        metadata=key("motion: Hz at which the device samples; 0: window.rate", low=0, high=10000),
    )
    form: str = field(
        default="windows",
        metadata=key("motion: the samples themselves, or figures of each window", choices=FORMS),
    )
    spectrum: int = field(
        default=0, metadata=key("motion: bands of the spectrum among the figures", low=0, high=64)
    )
    stride: int = field(
        default=0,
        metadata=key(
            "frames between inferences; 0: sounds 0.2 s, motion each window", low=0, high=1000
        ),
    )
    ring_ms: float = field(
        default=250.0,
        metadata=key("room for samples that wait while an inference runs", low=10, high=4000),
    )
    average: int = field(
        default=3, metadata=key("inferences whose probabilities are averaged", low=1, high=64)
    )
    threshold: float = field(
        default=0.7, metadata=key("mean probability of a detection", low=0, high=1)
    )
    refractory_ms: float = field(
        default=1000.0, metadata=key("from a detection to the next", low=0, high=60000)
    )
    ignore: tuple[str, ...] = field(
        default=(), metadata=key("classes that are never detected, such as noise")
    )


@dataclass(frozen=True)
class Augmentation:
    """How training samples are varied to stand for what was not recorded; 0 is off."""

    speed: float = field(
        default=0.0, metadata=key("motion, audio: speed 1 - speed to 1 + speed", low=0, high=0.45)
    )
    gain: float = field(
        default=0.0, metadata=key("motion, audio: strength 1 - gain to 1 + gain", low=0, high=0.9)
    )
    tilt_degrees: float = field(
        default=0.0,
        metadata=key(
            "motion: deviation of a sensor's rotation; channels are x, y, z", low=0, high=90
        ),
    )
    noise: float = field(
        default=0.0, metadata=key("deviation of added noise, of full scale", low=0, high=0.5)
    )
    mirror: tuple[int, ...] = field(
        default=(), metadata=key("motion: sign of each channel on the body's other side")
    )
    shift: float = field(
        default=0.0,
        metadata=key("audio, image: share of the axis to move by at most", low=0, high=0.5),
    )
    flip: bool = field(default=False, metadata=key("image: left to right, for half of them"))
    time_mask: float = field(
        default=0.0, metadata=key("audio: longest hidden stretch of time, share", low=0, high=0.5)
    )
    band_mask: float = field(
        default=0.0, metadata=key("audio: widest hidden stretch of bands, share", low=0, high=0.5)
    )
    cutout: float = field(
        default=0.0, metadata=key("image: side of a hidden square, share", low=0, high=0.5)
    )
    vocal_tract: float = field(
        default=0.0,
        metadata=key(
            "audio: bands are stretched 1 - x to 1 + x times: other voices", low=0, high=0.4
        ),
    )
    colour: float = field(
        default=0.0,
        metadata=key("audio: deviation in dB of another microphone's response", low=0, high=20),
    )
    mixup: float = field(
        default=0.0, metadata=key("Beta parameter of mixing two samples", low=0, high=2)
    )


@dataclass(frozen=True)
class Network:
    """Which network of the zoo, and how large."""

    name: str = field(default="conv1d", metadata=key("from the zoo", choices=NETWORKS))
    width: float = field(
        default=1.0, metadata=key("channels, as a multiple of the published ones", low=0.1, high=4)
    )
    blocks: int = field(
        default=0,
        metadata=key("conv1d, ds_cnn, dense: blocks; 0: the network's own number", low=0, high=12),
    )
    features: int = field(
        default=0,
        metadata=key("length of the vector the head reads; 0: as it comes", low=0, high=1024),
    )
    dropout: float = field(
        default=0.2, metadata=key("share of features switched off in training", low=0, high=0.9)
    )

    @property
    def classifies(self) -> bool:
        """Whether it gives classes; an autoencoder gives the sample again."""
        return self.name != "autoencoder"


@dataclass(frozen=True)
class Training:
    """How the network is trained."""

    epochs: int = field(default=40, metadata=key("passes over the training set", low=1, high=2000))
    batch_size: int = field(default=64, metadata=key("samples a step", low=1, high=4096))
    learning_rate: float = field(
        default=3e-3, metadata=key("peak rate of AdamW; warm-up, then a cosine", low=1e-6, high=1.0)
    )
    weight_decay: float = field(default=1e-2, metadata=key("of AdamW", low=0, high=1))
    label_smoothing: float = field(default=0.0, metadata=key("share", low=0, high=0.5))
    class_weights: bool = field(
        default=False, metadata=key("rare classes count as much as frequent ones")
    )
    patience: int = field(
        default=0,
        metadata=key("epochs without progress until it stops; 0: never", low=0, high=2000),
    )
    teacher_width: float = field(
        default=0.0,
        metadata=key("distil from a network so many times as wide; 0: no teacher", low=0, high=8),
    )
    distillation: float = field(
        default=0.5, metadata=key("share of the teacher in the loss", low=0, high=1)
    )


@dataclass(frozen=True)
class Pruning:
    """How channels are taken out."""

    share: float = field(
        default=0.6, metadata=key("of the cost to remove; 0: no pruning", low=0, high=0.98)
    )
    unit: str = field(
        default="macs",
        metadata=key("of the cost; instructions are latency", choices=UNITS),
    )
    criterion: str = field(default="taylor", metadata=key("of importance", choices=CRITERIA))
    rounds: int = field(default=2, metadata=key("of choosing and fine-tuning", low=1, high=20))
    epochs: int = field(
        default=20, metadata=key("of fine-tuning, over all rounds", low=0, high=2000)
    )
    rate: float = field(
        default=0.5,
        metadata=key("of learning while fine-tuning, times training's", low=1e-3, high=10),
    )
    distillation: float = field(
        default=0.5,
        metadata=key("share of the unpruned network in the fine-tuning loss", low=0, high=1),
    )
    keep_features: bool = field(default=True, metadata=key("leave the head's features whole"))
    max_group_loss: float = field(
        default=0.02,
        metadata=key(
            "accuracy a group may lose, and chance on top; pruning backs off beyond", low=0, high=1
        ),
    )
    min_group_samples: int = field(
        default=30, metadata=key("samples that make a group count", low=1)
    )


@dataclass(frozen=True)
class Quantization:
    """How the network becomes int8."""

    calibration: int = field(
        default=200, metadata=key("training samples that set the activations' ranges", low=1)
    )
    max_loss: float = field(
        default=0.01, metadata=key("accuracy int8 may lose before it is fine-tuned", low=0, high=1)
    )
    max_group_loss: float = field(
        default=0.02, metadata=key("the same for one group", low=0, high=1)
    )
    epochs: int = field(
        default=5, metadata=key("of quantization-aware fine-tuning, where needed; 0: none", low=0)
    )
    int16: bool = field(
        default=False,
        metadata=key("int16 activations where int8 still loses more; no learning head"),
    )


@dataclass(frozen=True)
class Head:
    """How the device learns its last layer."""

    eta: float = field(
        default=1.0,
        metadata=key("step size: learning rate times mean |features|^2", low=1e-6, high=16),
    )
    tau: float = field(
        default=0.1, metadata=key("skip samples of probability 1 - tau or more", low=0, high=0.999)
    )
    rows: int = field(default=2, metadata=key("rows written a step", low=2))
    reserved: int = field(
        default=0, metadata=key("classes that the device can add to its own", low=0, high=1022)
    )
    masters: int = field(
        default=16, metadata=key("bits of the weights that learn: 16 or 32", low=16, high=32)
    )
    shots: int = field(
        default=10, metadata=key("labelled samples of each class that a new person gives", low=1)
    )
    passes: int = field(default=1, metadata=key("how often the device sees each", low=1, high=100))


@dataclass(frozen=True)
class Learner:
    """How the device learns, remembers and guards itself; of kind none, no other key counts."""

    kind: str = field(
        default="none",
        metadata=key("none: sgd alone; lda: few samples teach it most", choices=LEARNERS),
    )
    start: int = field(
        default=5, metadata=key("lda+sgd: samples of a class that LDA learns", low=1, high=2047)
    )
    prior: float = field(
        default=0.0,
        metadata=key("weight of training's means, in samples; 0: found out", low=0, high=1024),
    )
    ridge: float = field(
        default=0.0,
        metadata=key("added to the correlations' diagonal; 0: found out", low=0, high=16),
    )
    blend: int = field(
        default=0,
        metadata=key(
            "weight of training's covariance, in samples; 0: it is all there is", low=0, high=65535
        ),
    )
    slots: int = field(
        default=10, metadata=key("samples of a class that are remembered", low=0, high=255)
    )
    held: int = field(default=0, metadata=key("of them, only to judge", low=0, high=254))
    hold_every: int = field(
        default=0, metadata=key("one sample in so many of a class is held", low=0, high=65535)
    )
    replays: int = field(
        default=0, metadata=key("old samples that sgd learns with a new one", low=0, high=255)
    )
    implausible: float = field(
        default=4.0,
        metadata=key("bits of loss from which a label is doubted; 0: never", low=0, high=31),
    )
    work_every: int = field(
        default=8, metadata=key("samples learned between two judgements", low=0, high=65535)
    )
    guard: bool = field(default=True, metadata=key("only what is judged better answers"))
    margin: float = field(
        default=1.0, metadata=key("bits by which it has to be better", low=0, high=1000)
    )
    confidence: float = field(default=0.75, metadata=key("and standard errors", low=0, high=16))
    versions: int = field(default=1, metadata=key("kept to go back to", low=0, high=4))
    patience: int = field(
        default=0,
        metadata=key("judgements in vain that end a day's learning; 0: none", low=0, high=65535),
    )
    daily_steps: int = field(
        default=0, metadata=key("samples learned a day; 0: no limit", low=0, high=65535)
    )
    pseudo_labels: bool = field(
        default=False, metadata=key("learn from confident answers without a label")
    )
    drift: bool = field(default=True, metadata=key("watch for inputs unlike a device's first"))
    false_alarms: float = field(
        default=0.01, metadata=key("share of samples at which drift may cry", low=1e-4, high=0.5)
    )


@dataclass(frozen=True)
class Statistics:
    """Which convolutions re-estimate their normalization statistics on the device."""

    layers: tuple[str, ...] = field(
        default=(),
        metadata=key("output tensors in model.tflite, or all; no labels needed; none: off"),
    )
    samples: int = field(
        default=50, metadata=key("forward passes that each looks at", low=1, high=65535)
    )
    share: float = field(
        default=0.6, metadata=key("of the new person; the rest is training's", low=0, high=1)
    )
    guard: str = field(
        default="labels",
        metadata=key(
            "they answer once labelled samples, or also the head's confidence, say so; none: at "
            "once",
            choices=STATISTICS_GUARDS,
        ),
    )


@dataclass(frozen=True)
class Budget:
    """What the device has, for search; 0: no limit."""

    flash: int = field(default=0, metadata=key("bytes of weights", low=0))
    ram: int = field(
        default=0,
        metadata=key("bytes of the arena; for run what --ram is, where that is not given", low=0),
    )
    macs: int = field(default=0, metadata=key("multiply-accumulates of an inference", low=0))


@dataclass(frozen=True)
class Task:
    """One pipeline run: a data set, a network, how it is trained, made small and goes on learning.

    A person here is one group of the data set: people are split, samples never are.
    """

    name: str
    data: Data
    split: Split = Split()
    window: Window = Window()
    frontend: Frontend = Frontend()
    augmentation: Augmentation = Augmentation()
    network: Network = Network()
    training: Training = Training()
    pruning: Pruning = Pruning()
    quantization: Quantization = Quantization()
    head: Head = Head()
    learner: Learner = Learner()
    statistics: Statistics = Statistics()
    budget: Budget = Budget()
    folder: str = field(default="", compare=False)
    """Where the task file lies, from which `data.path` starts; no key of the file."""
