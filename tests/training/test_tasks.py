"""Task files say what they mean: they round-trip, and what is wrong in them is named."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from tinytrain.errors import InputError
from tinytrain.training.task_file import (
    built_in_names,
    find_task,
    parse_task,
    read_task,
    task_text,
)
from tinytrain.training.tasks import Task

NPZ = '[data]\nsource = "npz"\nkind = "motion"\npath = "a.npz"\n'
WAV = '[data]\nsource = "wav"\nkind = "audio"\npath = "a"\n'
CSV = '[data]\nsource = "csv"\nkind = "motion"\npath = "a"\nchannels = ["x", "y"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


LDA = '[learner]\nkind = "lda"\n'


@pytest.mark.parametrize("name", built_in_names())
def test_a_task_is_the_same_after_it_was_written_and_read(name: str, tmp_path: Path) -> None:
    task = find_task(name)
    assert task.name == name
    assert read_task(written(tmp_path, task_text(task))) == task


def test_a_written_task_explains_every_key() -> None:
    text = task_text(find_task("watch"))
    for table in (getattr(find_task("watch"), entry.name) for entry in fields(Task)):
        if is_dataclass(table):
            for entry in fields(table):
                assert f"\n{entry.name} = " in text
                assert entry.metadata["help"] in text


def test_names_with_any_letters_survive(tmp_path: Path) -> None:
    name = 'a "quoted" \\ \n\t\x7f ü'
    task = read_task(written(tmp_path, NPZ))
    text = task_text(task).replace('name = "mine"', f"name = {_literal(name)}", 1)
    again = read_task(written(tmp_path, text))
    assert again.name == name
    assert read_task(written(tmp_path, task_text(again))).name == name


def _literal(name: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in name) + '"'


def test_a_task_is_found_in_a_file_and_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(NPZ)
    assert find_task(str(tmp_path)) == find_task(str(tmp_path / "task.toml"))
    assert find_task(str(tmp_path)).name == tmp_path.name
    assert find_task(str(tmp_path)).folder == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data", "not a TOML file: Expected"),
        ("x = [" * 5000, "not a TOML file"),
        ('[data]\nkind = "audio"', "data.source is missing; allowed: one of: npz, csv"),
        (NPZ + "[trainin]", r"unknown table: 'trainin' \(did you mean training\?\)"),
        (
            NPZ + "[training]\nepoch = 3",
            r"unknown key in \[training\]: 'epoch' \(did you mean epochs",
        ),
        (
            NPZ + "[training]\nepochs = 0",
            "training.epochs is 0; allowed: a whole number from 1 to 2000",
        ),
        (NPZ + "[training]\nepochs = 2.5", "training.epochs is 2.5; allowed: a whole number"),
        (NPZ + "[training]\nepochs = true", "training.epochs is True; allowed: a whole number"),
        (NPZ + "[training]\nlearning_rate = nan", "learning_rate is nan; allowed: a number from"),
        (NPZ + f"[head]\nshots = 1{'0' * 400}", "head.shots is 1000.*; allowed: a whole number"),
        (NPZ + f"[head]\neta = 1{'0' * 400}", "head.eta is 1000.*; allowed: a number from"),
        (NPZ + 'labels = ["a", 1]', r"data.labels is \['a', 1\]; allowed: a list of texts"),
        (NPZ + "colour = 1", "data.colour is 1; allowed: true or false"),
        (
            NPZ.replace("npz", "nzp", 1),
            r"data.source is 'nzp' \(did you mean npz\?\); allowed: one of",
        ),
        ("data = 3", r"data is 3; it is a table: \[data\]"),
        ("name = 3\n" + NPZ, "name is 3; allowed: text in quotes"),
        (NPZ.replace('path = "a.npz"', ""), "data.path is missing; source 'npz' reads a file"),
        (CSV + "[window]\nhop = 65", "window.hop is 65; at most window.length, 64"),
        (
            CSV + "[augmentation]\nmirror = [1]",
            "augmentation.mirror has 1 signs; there are 2 channels",
        ),
        (CSV + "[augmentation]\nmirror = [1, 2]", r"mirror is \[1, 2\]; each sign is -1 or 1"),
        (CSV + "triples = true", "data.triples is true; 2 channels are no triples"),
        (CSV + "[augmentation]\ntilt_degrees = 3", "data.triples has to be true"),
        (
            CSV + "[augmentation]\nflip = true",
            "augmentation.flip is for image; data.kind is 'motion'",
        ),
        (CSV.replace('channels = ["x", "y"]', ""), "data.channels is missing; source 'csv' needs"),
        (CSV.replace("motion", "audio"), "data.kind is 'audio'; source 'csv' gives 'motion'"),
        (WAV, "frontend.kind is 'none'; source 'wav' needs 'log_mel'"),
        (
            WAV + 'group = "who"\n[frontend]\nkind = "log_mel"',
            "data.group is 'who'; with a folder a",
        ),
        (
            WAV + '[frontend]\nkind = "log_mel"\nfft = 256',
            "fft is 256; at least 480, the samples of",
        ),
        (WAV + '[frontend]\nkind = "log_mel"\nfft = 500', "frontend.fft is 500; a power of two"),
        (
            WAV + '[frontend]\nkind = "log_mel"\nrate = 8000',
            "high_hz is 7500; at most half the rate, 4000",
        ),
        (
            WAV + '[frontend]\nkind = "log_mel"\nfft = 2048',
            r"frontend.fft is 2048; allowed: a whole number from 64 to 1024",
        ),
        (
            WAV + '[frontend]\nkind = "mfcc"\ncoefficients = 41',
            "frontend.coefficients is 41; at most bands, 40",
        ),
        (
            WAV + '[frontend]\nkind = "mfcc"\n[augmentation]\ncolour = 4',
            "augmentation.colour varies mel bands; frontend.kind is 'mfcc': set it to 0",
        ),
        (
            WAV + '[frontend]\nkind = "mfcc"\n[augmentation]\ncolour = 4\nnoise = 0.1\ngain = 0.2',
            "augmentation.colour, augmentation.gain, augmentation.noise vary mel bands; "
            "frontend.kind is 'mfcc': set them to 0",
        ),
        (
            CSV
            + '[frontend]\nkind = "motion"\nform = "statistics"\n[network]\nname = "dense"\n'
            + "[augmentation]\nspeed = 0.1\ngain = 0.2",
            "augmentation.speed, augmentation.gain vary samples; frontend.form is 'statistics'",
        ),
        (
            WAV + '[frontend]\nkind = "log_mel"\ngain_normalization = true',
            "frontend.gain_normalization needs the estimate of noise_reduction",
        ),
        (
            WAV
            + '[frontend]\nkind = "log_mel"\nnoise_reduction = true\n[augmentation]\nnoise = 0.1',
            "augmentation.noise is what frontend.noise_reduction takes out again",
        ),
        (
            WAV + '[frontend]\nkind = "mfcc"\narithmetic = "float"',
            "'float', which is plain log_mel alone; frontend.kind is 'mfcc': take 'integer'",
        ),
        (
            WAV + 'labels = ["a", "b"]\n[frontend]\nkind = "log_mel"\nignore = ["c"]',
            "frontend.ignore has 'c', which is not in data.labels",
        ),
        (
            CSV
            + '[network]\nname = "dense"\n[augmentation]\ngain = 0.1\n'
            + '[frontend]\nkind = "motion"\nform = "statistics"',
            "augmentation.gain varies samples; frontend.form is 'statistics'",
        ),
        (
            CSV + '[frontend]\nkind = "motion"\nspectrum = 4',
            "frontend.spectrum is 4; frontend.form has to be 'statistics'",
        ),
        (CSV + '[frontend]\nkind = "log_mel"', "source 'csv' has no waveforms: 'none'"),
        (NPZ + 'law = "mu"', "data.law is for waveforms; frontend.kind has to be 'log_mel'"),
        (NPZ + 'labels = ["a", "b"]\n[head]\nrows = 3', "head.rows is 3; there are 2 classes"),
        (NPZ + 'labels = ["a", "a"]', "data.labels has 'a' twice"),
        (NPZ + 'x_test = "z"', "data.x_test and data.y_test: give both, or neither"),
        (NPZ + LDA + "held = 20", "learner.held: 20, hold_every is 0: give both"),
        (NPZ + LDA + "held = 20\nhold_every = 3", "learner.held: 20: fewer than the slots, 10"),
        (NPZ + LDA + "hold_every = 1\nheld = 1", "learner.hold_every: 1: 0, or 2 to 65535"),
        (NPZ + LDA + "slots = 0", "learner.guard: true, slots 0, .* or guard = false"),
        (NPZ + LDA + "guard = false\nslots = 0", "learner.implausible: 4: doubted samples wait"),
        (NPZ + LDA + "prior = 0.01", r"learner.prior: 0.01: 0 \(found out\), or 0.0625 to 1024"),
        (NPZ + LDA + "ridge = 0.01", r"learner.ridge: 0.01: 0 \(found out\), or 0.03125 to 16"),
        (NPZ + LDA + "[network]\nfeatures = 512", "network.features: 512: the learner's analytic"),
        (NPZ + LDA + "[quantization]\nint16 = true", "learner.kind: 'lda': quantization.int16 is"),
        (NPZ + LDA + '[network]\nname = "autoencoder"', "learner.kind: 'lda': an autoencoder has"),
        (NPZ + LDA.replace("lda", "sgd"), "learner.guard: true: the guard judges sgd by held"),
        (NPZ + '[statistics]\nlayers = ["all", "a"]', "statistics.layers: .*'all' stands alone"),
        (NPZ + '[statistics]\nlayers = ["a", "a"]', "statistics.layers: 'a' is there twice"),
        (
            NPZ + 'labels = ["a", "b"]\n[head]\nreserved = 1022\nmasters = 17',
            "head.masters is 17; 16 or 32",
        ),
    ],
)
def test_what_is_wrong_is_named_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=message) as found:
        read_task(path)
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)


def test_every_learner_that_the_documents_show_can_be_had() -> None:
    documents = Path(__file__).resolve().parents[2] / "docs"
    shown = [
        block
        for block in re.findall(
            r"^```toml\n(.*?)^```$", (documents / "own-data.md").read_text(), re.M | re.S
        )
        if "[learner]" in block
    ]
    assert len(shown) >= 4
    for block in shown:
        assert parse_task(NPZ + block, "own-data.md", "shown", Path()).learner.kind == "lda"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_task(tmp_path / "mine.toml")


def test_an_unknown_task_is_answered_with_what_there_is() -> None:
    with pytest.raises(
        InputError, match=r"'wach' is not known \(did you mean watch\?\); choose one"
    ):
        find_task("wach")
    with pytest.raises(InputError, match=r"none.toml: no such task file; .*tasks new"):
        find_task("none.toml")
