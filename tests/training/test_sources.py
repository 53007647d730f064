"""Each source reads what a newcomer has, and names file and line of what it cannot read."""

from __future__ import annotations

import gzip
import importlib.util
import struct
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinytrain.errors import InputError
from tinytrain.training.data import DataSet
from tinytrain.training.frontend import from_mu_law
from tinytrain.training.sources import load
from tinytrain.training.sources.wav import read_wav
from tinytrain.training.task_file import find_task, parse_task
from tinytrain.training.tasks import Task

MOTION = """
[data]
source = "csv"
kind = "motion"
path = "rec"
channels = ["x", "y"]
group = "who"
[window]
rate = 10
length = 8
hop = 4
"""
SOUND = """
[data]
source = "wav"
kind = "audio"
path = "rec"
[frontend]
kind = "log_mel"
rate = 8000
fft = 256
high_hz = 3800
seconds = 0.5
"""
PICTURES = """
[data]
source = "images"
kind = "image"
path = "rec"
height = 4
width = 6
"""
ARRAYS = """
[data]
source = "npz"
kind = "motion"
path = "a.npz"
group = "who"
"""


def task(folder: Path, text: str, **data: object) -> Task:
    made = parse_task(text, "mine.toml", "mine", folder)
    return replace(made, data=replace(made.data, **data))


def arrays(folder: Path, **values: object) -> Path:
    n = 6
    plain = {
        "X": np.random.default_rng(0).normal(size=(n, 8, 3)),
        "y": np.arange(n) % 2,
        "who": np.arange(n) // 3,
    }
    np.savez(folder / "a.npz", **{**plain, **values})
    return folder


def recording(folder: Path, text: str, name: str = "one.csv") -> Path:
    (folder / "rec").mkdir(exist_ok=True)
    (folder / "rec" / name).write_text(text)
    return folder


def rows(seconds: float, rate: float, label: str, who: str, start: float = 0.0) -> str:
    times = start + np.arange(int(seconds * rate)) / rate
    return "".join(f"{t:.4f},{t:.4f},{-2 * t:.4f},{label},{who}\n" for t in times)


HEADER = "t,x,y,label,who\n"


def physical(dataset: DataSet) -> np.ndarray:
    return (dataset.x - dataset.zero) * dataset.scale


def sound(
    path: Path, rate: int = 8000, width: int = 2, channels: int = 1, seconds: float = 0.4
) -> None:
    """A tone, at half of full scale in each channel."""
    t = np.arange(int(seconds * rate)) / rate
    tone = np.repeat(0.5 * np.sin(2 * np.pi * 440 * t)[:, None], channels, axis=1)
    whole = np.round(tone * 2 ** (8 * width - 1)).astype("<i4")
    data = (
        (whole + 128).astype(np.uint8).tobytes()
        if width == 1
        else b"".join(
            int(value).to_bytes(width, "little", signed=True) for value in whole.reshape(-1)
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(data)


def test_arrays_of_floats_become_int8_that_lead_back(tmp_path: Path) -> None:
    dataset = load(task(arrays(tmp_path), ARRAYS))
    with np.load(tmp_path / "a.npz") as found:
        x = found["X"]
    assert dataset.x.dtype == np.int8
    # One value in a thousand may be clipped.
    assert np.percentile(np.abs(physical(dataset) - x), 99) < 0.6 * dataset.scale.max()
    assert dataset.group_names == ("person 0", "person 1")
    assert dataset.label_names == ("0", "1")


def test_triples_of_channels_share_a_scale(tmp_path: Path) -> None:
    dataset = load(task(arrays(tmp_path), ARRAYS, triples=True))
    assert len(set(dataset.scale.tolist())) == 1


def test_int16_keeps_the_unit_of_the_file(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(-3000, 3000, (6, 8, 3)).astype(np.int16)
    folder = arrays(tmp_path, X=x, scale=np.full(3, 0.01, np.float32))
    dataset = load(task(folder, ARRAYS))
    assert np.abs(physical(dataset) - x * 0.01).max() < 0.6 * dataset.scale.max()


def test_names_in_the_file_are_used_and_classes_without_samples_left_out(tmp_path: Path) -> None:
    folder = arrays(tmp_path, label_names=["no", "yes", "never"], who_names=["Ann", "Bob"])
    dataset = load(task(folder, ARRAYS))
    assert dataset.label_names == ("no", "yes")
    assert dataset.group_names == ("Ann", "Bob")
    picked = load(task(arrays(tmp_path, y=np.arange(6) % 3), ARRAYS, labels=("2", "0")))
    assert picked.y.tolist() == [1, 0, 1, 0]
    assert "2 of 6 samples are of classes not in data.labels" in picked.notes[0]


@pytest.mark.parametrize(
    ("values", "data", "message"),
    [
        (
            {},
            {"group": "whom"},
            r"data.group names the array 'whom' \(did you mean who\?\), which is",
        ),
        ({"y": np.zeros(6, int)}, {}, "all 6 samples are of class '0'"),
        ({"y": np.arange(5)}, {}, r"the labels are int64 of shape \(5,\)"),
        ({"X": np.zeros((6, 8))}, {}, r"has shape \(6, 8\); motion needs \(n, time, channels\)"),
        ({"X": np.array(["a"] * 6)}, {}, "the samples are <U1"),
        ({"who": np.zeros(6)}, {}, "who is float64"),
        ({"label_names": ["a"]}, {}, "row 1: label 1 is unknown; label_names has 1 classes"),
        ({}, {"labels": ("0", "7")}, "no sample of class '7'"),
        (
            {"X": np.where(np.arange(144).reshape(6, 8, 3) == 30, np.nan, 1.0)},
            {},
            "row 1: a value that is not a finite number .*; 1 of 6 samples",
        ),
        (
            {"Z": np.zeros((2, 8, 3)), "z": np.array([0, 9])},
            {"x_test": "Z", "y_test": "z", "group": ""},
            "z, row 1: class '9' is unknown; y has: 0, 1",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_named(
    values: dict[str, object], data: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load(task(arrays(tmp_path, **values), ARRAYS, **data))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_a_damaged_npz_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a.npz: "):
        load(task(tmp_path, ARRAYS))


def test_a_path_that_is_not_there_is_answered_with_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYTRAIN_DATA", "/elsewhere")
    (first := tmp_path / "first").mkdir()
    message = rf"'a.npz' not found; looked in: {first}, {tmp_path}, /elsewhere, \., data"
    with pytest.raises(InputError, match=message):
        load(task(tmp_path, ARRAYS), first)
    monkeypatch.setenv("TINYTRAIN_DATA", str(arrays(tmp_path)))
    assert len(load(task(Path("/nowhere"), ARRAYS)).y) == 6
    with pytest.raises(InputError, match=r"^--data /not/here: no such folder$"):
        load(task(tmp_path, ARRAYS), Path("/not/here"))


def test_recordings_are_resampled_and_cut(tmp_path: Path) -> None:
    text = (
        HEADER + rows(2, 20, "up", "Ann") + rows(2, 50, "down", "Ann") + rows(1.2, 13, "up", "Bob")
    )
    dataset = load(task(recording(tmp_path, text), MOTION))
    # 20, 20 and 12 samples at 10 Hz; windows of 8 that begin every 4.
    assert dataset.recording.tolist() == [0] * 4 + [1] * 4 + [2]
    assert dataset.label_names == ("down", "up")
    assert dataset.group_names == ("Ann", "Bob")
    assert dataset.gap == 1
    assert dataset.overlap
    first = physical(dataset)[0]
    assert np.abs(first[:, 0] - np.arange(8) / 10).max() < dataset.scale[0]
    assert np.abs(first[:, 1] + np.arange(8) / 5).max() < dataset.scale[1]
    assert dataset.origins[5].endswith("one.csv:42 + 0.4 s")


def test_no_window_spans_a_gap_in_time(tmp_path: Path) -> None:
    text = (
        HEADER
        + rows(1, 10, "up", "Ann")
        + rows(1, 10, "up", "Ann", start=9)
        + rows(1, 10, "b", "C")
    )
    dataset = load(task(recording(tmp_path, text), MOTION))
    assert dataset.recording.tolist() == [0, 1, 2]


def test_files_with_semicolons_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    text = HEADER + rows(1, 10, "up", "Ann") + rows(1, 10, "down", "Bob")
    recording(tmp_path, "\ufeff" + text.replace(",", ";"))
    assert len(load(task(tmp_path, MOTION)).y) == 2


def test_recordings_shorter_than_a_window_are_noted(tmp_path: Path) -> None:
    text = (
        HEADER + rows(1, 10, "up", "Ann") + rows(0.5, 10, "up", "Bob") + rows(1, 10, "down", "Bob")
    )
    (note,) = load(task(recording(tmp_path, text), MOTION)).notes
    assert note.startswith("1 of 3 recordings are shorter than a window of 0.8 s")


GOOD = rows(1, 10, "up", "Ann")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows; a header and a row a sample are needed"),
        (HEADER + "0,1,oops,up,Ann", r"one.csv:2: column 'y' is 'oops'; a number"),
        (HEADER + GOOD + "2,1,nan,up,Ann", r"one.csv:12: column 'y' is 'nan', which is no finite"),
        (
            HEADER + GOOD + "0.3,1,1,up,Ann",
            r"one.csv:12: column 't' goes from 0.9 to 0.3; time has",
        ),
        (HEADER + "0,1,2,up", r"one.csv:2: 4 cells; the header has 5"),
        (HEADER + "0,1,2,,Ann", r"one.csv:2: column 'label' is empty"),
        (
            "t,x,y,label,whom\n0,1,2,a,b",
            r"one.csv:1: no column 'who' \(did you mean whom\?\), which",
        ),
        (HEADER + rows(0.2, 10, "a", "b"), "1 of 1 recordings are shorter .*; none is left"),
        (HEADER + GOOD, "all 1 samples are of class 'up'"),
        (
            HEADER + "0,1,2,up,Ann\n100,1,2,up,Ann\n200,1,2,up,Ann",
            r"one.csv:3: column 't' mostly goes up by 100, which is 0.01 Hz; .* in seconds",
        ),
        ("t,x\n\x00", "one.csv"),
    ],
)
def test_what_is_wrong_in_a_recording_is_named_by_line(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load(task(recording(tmp_path, text), MOTION))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_sounds_of_any_width_give_the_same_features(
    width: int, channels: int, tmp_path: Path
) -> None:
    sound(tmp_path / "rec" / "yes" / "a.wav", width=width, channels=channels)
    sound(tmp_path / "rec" / "no" / "a.wav", width=2)
    dataset = load(task(tmp_path, SOUND))
    assert dataset.x.shape == (2, 24, 40)
    loud = dataset.x[0] > -20
    assert np.abs(dataset.x[0].astype(int) - dataset.x[1])[loud].max() <= 4


def test_sounds_lie_in_folders_of_people_below_their_class(tmp_path: Path) -> None:
    for place in ("yes/Ann", "yes/Bob", "no/Ann"):
        sound(tmp_path / "rec" / place / "1.wav")
    dataset = load(task(tmp_path, SOUND, group="folder"))
    assert dataset.label_names == ("no", "yes")
    assert dataset.group_names == ("Ann", "Bob")
    assert dataset.group.tolist() == [0, 0, 1]
    with pytest.raises(InputError, match=r"1.wav: lies 2 folders deep .*data.group = 'folder'"):
        load(task(tmp_path, SOUND))


def test_a_manifest_lists_sounds(tmp_path: Path) -> None:
    sound(tmp_path / "rec" / "1.wav")
    sound(tmp_path / "rec" / "2.wav", seconds=0.7)
    listed = tmp_path / "rec" / "list.csv"
    listed.write_text("file,label,who\n1.wav,yes,Ann\n2.wav,no,Bob\n")
    mine = task(tmp_path, SOUND, manifest="list.csv", group="who")
    dataset = load(mine)
    assert dataset.group_names == ("Ann", "Bob")
    assert "1 of 2 sounds are longer than 0.5 s" in dataset.notes[0]
    with pytest.raises(
        InputError, match=r"list.csv:1: no column 'speaker', which data.group names"
    ):
        load(task(tmp_path, SOUND, manifest="list.csv", group="speaker"))
    listed.write_text("file,label,who\n1.wav,yes,Ann\n3.wav,no,Bob\n")
    with pytest.raises(InputError, match=r"list.csv:3: .*3.wav: no such file"):
        load(mine)
    with pytest.raises(InputError, match=r"'other.csv' not found; looked in"):
        load(task(tmp_path, SOUND, manifest="other.csv"))


def test_sounds_of_another_rate_are_named(tmp_path: Path) -> None:
    sound(tmp_path / "rec" / "yes" / "1.wav")
    sound(tmp_path / "rec" / "yes" / "2.wav", rate=16000)
    with pytest.raises(InputError, match=r"2.wav: 16000 Hz; the task says frontend.rate = 8000"):
        load(task(tmp_path, SOUND))


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (lambda data: b"", "not a WAV file"),
        (lambda data: b"RIFX" + data[4:], "not a WAV file"),
        (lambda data: data[:30], "a broken WAV file: it says 16 bytes of fmt and holds 10"),
        (lambda data: data[:100], "a broken WAV file: it says 6400 bytes of data and holds 56"),
        (lambda data: data[:36], "no format or no samples"),
        (
            lambda data: data[:20] + struct.pack("<H", 7) + data[22:],
            "16 bits in format 7; readable",
        ),
        (lambda data: data[:22] + struct.pack("<H", 0) + data[24:], "0 channels of 16 bits"),
        (lambda data: data[:40] + struct.pack("<I", 0), "no samples in it"),
    ],
)
def test_a_broken_sound_is_named(cut, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rec" / "yes" / "1.wav"
    sound(path)
    path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(InputError, match=f"1.wav: .*{message}"):
        load(task(tmp_path, SOUND))


def test_floats_and_extensible_headers_are_read(tmp_path: Path) -> None:
    tone = (0.5 * np.sin(np.arange(3200) * 0.3)).astype("<f4")
    form = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, 8000, 32000, 4, 32, 22, 32, 4, 3) + bytes(14)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", tone.nbytes) + tone.tobytes()
    for name in ("yes", "no"):
        (tmp_path / "rec" / name).mkdir(parents=True)
        (tmp_path / "rec" / name / "1.wav").write_bytes(
            b"RIFF" + struct.pack("<I", len(body)) + body
        )
    assert load(task(tmp_path, SOUND)).x.max() > 0


def test_clipped_sounds_are_noted(tmp_path: Path) -> None:
    for name in ("yes", "no"):
        sound(tmp_path / "rec" / name / "1.wav")
    path = tmp_path / "rec" / "yes" / "1.wav"
    path.write_bytes(path.read_bytes()[:44] + b"\xff\x7f" * 3200)
    assert "1 of 2 sounds are clipped" in load(task(tmp_path, SOUND)).notes[0]


def test_pictures_are_averaged_to_their_size(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, grey in (("dark", 10), ("light", 250)):
        (tmp_path / "rec" / name).mkdir(parents=True)
        image.new("L", (60, 40), grey).save(tmp_path / "rec" / name / "1.png")
    dataset = load(task(tmp_path, PICTURES))
    assert dataset.x.shape == (2, 4, 6, 3)
    assert physical(dataset)[:, 0, 0, 0].tolist() == [10, 250]
    assert load(task(tmp_path, PICTURES, colour=False)).x.shape == (2, 4, 6, 1)
    (tmp_path / "rec" / "dark" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(InputError, match=r"2.png: not a picture that can be read"):
        load(task(tmp_path, PICTURES))


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rec").mkdir()
    with pytest.raises(InputError, match=r"rec: no .wav, .wave in it; the task wants CLASS/file"):
        load(task(tmp_path, SOUND))


def idx(path: Path, values: np.ndarray) -> None:
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(head + values.astype(np.uint8).tobytes()))


def test_idx_files_are_read_with_their_test_set(tmp_path: Path) -> None:
    for name, count in (("train", 6), ("t10k", 4)):
        idx(tmp_path / f"{name}-images-idx3-ubyte.gz", np.full((count, 5, 5), 200))
        idx(tmp_path / f"{name}-labels-idx1-ubyte.gz", np.arange(count) % 2)
    fashion = find_task("fashion_debian")
    mine = replace(fashion, data=replace(fashion.data, path=str(tmp_path)))
    dataset = load(mine)
    assert dataset.x.shape == (10, 5, 5, 1)
    assert dataset.given_test.tolist() == [6, 7, 8, 9]
    assert (physical(dataset) == 200).all()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 3])))
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte.gz: not an IDX file"):
        load(mine)


def test_the_digits_of_scikit_learn_are_read_or_asked_for() -> None:
    digits = find_task("digits")
    if importlib.util.find_spec("sklearn") is None:
        with pytest.raises(
            InputError, match=r"needs scikit-learn: pip install 'tinytrain\[digits\]'"
        ):
            load(digits)
    else:
        assert load(digits).x.shape == (1797, 8, 8, 1)


def test_what_is_passed_over_in_a_folder_is_noted(tmp_path: Path) -> None:
    for place in ("yes", "no"):
        sound(tmp_path / "rec" / place / "1.wav")
    (tmp_path / "rec" / "yes" / "2.mp3").write_bytes(b"ID3")
    (tmp_path / "rec" / "maybe").mkdir()
    notes = load(task(tmp_path, SOUND)).notes
    assert [note.removeprefix(str(tmp_path / "rec")) for note in notes[:2]] == [
        "/yes/2.mp3: not a file of the kind that is read; 1 are like that",
        "/maybe: a class without a file; 1 are like that",
    ]


def test_channels_are_mixed_as_the_device_mixes_them(tmp_path: Path) -> None:
    (tmp_path / "rec" / "a").mkdir(parents=True)
    path = tmp_path / "rec" / "a" / "1.wav"
    left_right = np.array([[1, 2], [-1, -2], [32767, 32767], [100, -101]], "<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(left_right.tobytes())
    found = read_wav(path, str(path), task(tmp_path, SOUND).frontend)
    assert found.tolist() == [1, -2, 32767, -1]


def test_mu_law_waveforms_in_an_npz_are_decoded_and_their_rate_is_checked(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (6, 4000)).astype(np.uint8)
    settings = SOUND.replace('"wav"', '"npz"').replace('"rec"', '"a.npz"')
    arrays(tmp_path, X=codes, hertz=np.array(8000))
    mine = task(tmp_path, settings, law="mu", rate="hertz", group="who")
    plain = load(task(arrays(tmp_path, X=from_mu_law(codes, "")), settings, group="who"))
    arrays(tmp_path, X=codes, hertz=np.array(8000))
    assert (load(mine).x == plain.x).all()
    arrays(tmp_path, X=codes, hertz=np.array(16000))
    with pytest.raises(InputError, match=r"a.npz: 16000 Hz; the task says frontend.rate = 8000"):
        load(mine)
    with pytest.raises(InputError, match=r"X: the waveforms are int16; data.law 'mu' needs uint8"):
        load(task(arrays(tmp_path, X=codes.astype(np.int16)), settings, law="mu"))
