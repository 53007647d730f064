"""The protocol's client over the host build: many requests ahead, long reads, wrong use."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tinytrain.device.build import build
from tinytrain.device.process import ProcessStream, open_host
from tinytrain.device.stream import StreamDevice
from tinytrain.errors import DeviceError, InputError
from tinytrain.protocol import Space

TinyProject = Callable[..., Path]

rng = np.random.default_rng(2)


@pytest.fixture
def device(tiny_project: TinyProject) -> Iterator[StreamDevice]:
    with open_host(build(tiny_project(), "host")) as opened:
        yield opened


def test_thousands_of_requests_ahead_give_what_one_at_a_time_gives(
    device: StreamDevice, tiny_project: TinyProject
) -> None:
    """More than 65536, so that sequence numbers start anew; more than a pipe holds."""
    x = rng.integers(-128, 128, (70_000, 6)).astype(np.int8)
    many = device.infer_many(x)
    assert many.shape == (70_000, 2)
    picks = rng.integers(0, len(x), 50)
    assert np.array_equal(many[picks], [device.infer(x[i]) for i in picks])


def test_learning_ahead_gives_the_trace_of_learning_step_by_step(device: StreamDevice) -> None:
    x = rng.integers(-128, 128, (300, 6)).astype(np.int8)
    y = rng.integers(0, 2, 300)
    ahead = device.learn_many(x, y)
    device.reset()
    assert ahead == [device.learn(sample, int(label)) for sample, label in zip(x, y, strict=True)]


def test_no_window_means_one_request_at_a_time(tiny_project: TinyProject) -> None:
    program = build(tiny_project(), "host") / "device"
    x = rng.integers(-128, 128, (20, 6)).astype(np.int8)
    with (
        StreamDevice(ProcessStream([str(program)], "ahead"), "ahead") as ahead,
        StreamDevice(ProcessStream([str(program)], "single"), "single", window=0) as single,
    ):
        assert np.array_equal(single.infer_many(x), ahead.infer_many(x))


def test_a_read_longer_than_a_frame_comes_in_pieces(tiny_project: TinyProject) -> None:
    with open_host(build(tiny_project(TT_MODEL_ARENA_BYTES=5000), "host")) as device:
        assert device.info().largest_payload == 256
        device.run(np.arange(6, dtype=np.int8), 0)
        arena = device.read(Space.ARENA, 0, 0, 5000)
        assert arena == bytes(range(6)) + bytes(4994)
        assert device.read(Space.ARENA, 0, 3, 4997) == arena[3:]


def test_no_samples_give_no_results(device: StreamDevice) -> None:
    nothing = np.zeros((0, 6), np.int8)
    assert device.infer_many(nothing).shape == (0, 2)
    assert device.trace_many(nothing).shape == (0, 3)
    assert device.learn_many(nothing, []) == []


def test_an_error_in_the_midst_leaves_the_device_usable(device: StreamDevice) -> None:
    x = rng.integers(-128, 128, (50, 6)).astype(np.int8)
    labels = [0] * 25 + [2] + [1] * 24
    with pytest.raises(DeviceError, match=r"host: LEARN: the label is not one of .* \(status -5\)"):
        device.learn_many(x, labels)
    assert device.infer(x[0]).shape == (2,)


@pytest.mark.parametrize(
    "call",
    [
        lambda device: device.infer(np.zeros(7, np.int8)),
        lambda device: device.infer(np.zeros(6, np.int16)),
        lambda device: device.learn(np.zeros(6, np.int8), -1),
        lambda device: device.learn(np.zeros(6, np.int8), 65536),
        lambda device: device.learn_many(np.zeros((2, 6), np.int8), [1]),
        lambda device: device.run(np.zeros(6, np.int8), -1),
        lambda device: device.read(Space.ARENA, 0, -1, 4),
    ],
)
def test_wrong_use_is_named_before_anything_is_sent(
    device: StreamDevice, call: Callable[[StreamDevice], object]
) -> None:
    with pytest.raises(InputError):
        call(device)
    assert device.info().name == "tiny"


def test_a_program_that_speaks_something_else_is_no_device() -> None:
    with (
        StreamDevice(ProcessStream(["cat"], "cat"), "cat") as device,
        pytest.raises(DeviceError, match="is it a tinytrain device"),
    ):
        device.info()


def test_a_device_that_dies_is_reported_with_its_last_words() -> None:
    command = ["sh", "-c", "echo first >&2; echo last words >&2; exit 3"]
    with (
        StreamDevice(ProcessStream(command, "shell"), "shell") as device,
        pytest.raises(DeviceError, match=r"shell: died with code 3\n  first\n  last words"),
    ):
        time.sleep(0.2)
        device.info()


def test_a_device_that_takes_no_bytes_is_given_up() -> None:
    stream = ProcessStream(["sleep", "60"], "sleeper", timeout=0.3)
    with pytest.raises(DeviceError, match=r"no answer for 0\.3 s"):
        stream.write(bytes(1 << 20))
    stream.close()
