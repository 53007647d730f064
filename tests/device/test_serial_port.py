"""A device at a serial port: a pseudo-terminal with the host build at its other end."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tinytrain.device.build import build
from tinytrain.device.serial_port import open_serial
from tinytrain.errors import DeviceError

pytest.importorskip("serial")


@pytest.fixture
def port(tiny_project: Callable[..., Path]) -> Iterator[str]:
    board, terminal = os.openpty()
    command = [str(build(tiny_project(), "host") / "device")]
    process = subprocess.Popen(command, stdin=board, stdout=board)
    os.close(board)
    yield os.ttyname(terminal)
    process.kill()
    process.wait()
    os.close(terminal)


def test_a_board_at_a_serial_port_infers_and_learns(port: str) -> None:
    x = np.random.default_rng(3).integers(-128, 128, (30, 6)).astype(np.int8)
    with open_serial(port, timeout=10) as device:
        assert device.info().name == "tiny"
        assert device.infer_many(x).shape == (30, 2)
        first = device.learn_many(x, [0, 1] * 15)
        device.reset()
        assert device.learn_many(x, [0, 1] * 15) == first


def test_half_a_frame_from_before_does_no_harm(port: str) -> None:
    with Path(port).open("wb", buffering=0) as before:
        before.write(b"\x07half a")
    with open_serial(port, timeout=10) as device:
        assert device.info().name == "tiny"


def test_a_port_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match="serial:/dev/nothing-here") as found:
        open_serial("/dev/nothing-here")
    assert str(found.value).count("No such file") == 1


def test_a_silent_port_is_named_with_what_to_check() -> None:
    board, terminal = os.openpty()
    with (
        open_serial(os.ttyname(terminal), timeout=0.3) as device,
        pytest.raises(DeviceError, match=r"no answer for 0\.3 s; does the board"),
    ):
        device.info()
    os.close(board)
    os.close(terminal)
