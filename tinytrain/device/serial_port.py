"""Devices at a serial port: boards."""

import os
import time

from tinytrain.device.stream import StreamDevice
from tinytrain.errors import DeviceError

BAUD_RATE = 115200

TIMEOUT = 30.0
"""Seconds without a single byte from the board before it counts as gone."""

QUIET = 0.1
"""Seconds in which what the board still has to say from before arrives."""


class SerialStream:
    """The bytes of a serial port, by pyserial."""

    def __init__(self, port: str, baud_rate: int, timeout: float) -> None:
        try:
            import serial
        except ImportError:
            raise DeviceError("a serial port needs pyserial: pip install pyserial") from None
        self._failure: type[Exception] = serial.SerialException
        self._name = port
        try:
            self._serial = serial.Serial(
                port, baud_rate, timeout=timeout, write_timeout=timeout, exclusive=True
            )
        except (serial.SerialException, ValueError) as error:
            # With a number, pyserial's text has the system's message twice.
            number = getattr(error, "errno", None)
            told = os.strerror(number) if number else str(error)
            raise DeviceError(f"serial:{port}: cannot open it: {told}") from None

    def synchronize(self) -> None:
        """Ends whatever frame the board has begun, and drops what it answers."""
        self.write(b"\0")
        time.sleep(QUIET)
        self._serial.reset_input_buffer()

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except self._failure as error:
            raise DeviceError(f"serial:{self._name}: {error}") from None

    def read(self) -> bytes:
        try:
            data: bytes = self._serial.read(max(1, self._serial.in_waiting))
        except self._failure as error:
            raise DeviceError(f"serial:{self._name}: {error}") from None
        if not data:
            raise DeviceError(
                f"serial:{self._name}: no answer for {self._serial.timeout:g} s; does the board "
                f"run the tinytrain device at {self._serial.baudrate} baud?"
            )
        return data

    def close(self) -> None:
        self._serial.close()


def open_serial(port: str, baud_rate: int = BAUD_RATE, timeout: float = TIMEOUT) -> StreamDevice:
    """The board at `port`, such as /dev/ttyACM0 or COM3. One request at a time, because a board
    that computes may not be emptying its receiver."""
    stream = SerialStream(port, baud_rate, timeout)
    stream.synchronize()
    return StreamDevice(stream, f"serial:{port}", window=0)
