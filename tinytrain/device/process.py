"""Devices that run as a child process: the host build, and QEMU."""

import os
import select
import shlex
import subprocess
import tempfile
from pathlib import Path

from tinytrain.device.stream import StreamDevice
from tinytrain.errors import DeviceError

TIMEOUT = 120.0
"""Seconds without a single byte from a device before it counts as hung."""

END_TIMEOUT = 5.0
"""Seconds that a device has to end after its input was closed."""

CHUNK = 1 << 16

PACKAGES = {"qemu-system-arm": "qemu-system-arm"}
"""The Debian package of each emulator."""

STDERR_LINES = 12
"""How much of what a dead device said is passed on."""


class ProcessStream:
    """The standard input and output of a child process, with what it says on standard error."""

    def __init__(self, command: list[str], name: str, timeout: float = TIMEOUT) -> None:
        self._name = name
        self._timeout = timeout
        # A file, because nobody reads it while the device runs, and a pipe could fill up.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
            )
        except OSError as error:
            self._errors.close()
            raise DeviceError(_cannot_start(name, command[0], error)) from None
        assert self._process.stdin and self._process.stdout
        self._input = self._process.stdin.fileno()
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._input, False)

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            self._wait_for(self._input, select.POLLOUT)
            try:
                left = left[os.write(self._input, left) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._died() from None

    def read(self) -> bytes:
        self._wait_for(self._output, select.POLLIN)
        data = os.read(self._output, CHUNK)
        if not data:
            raise self._died()
        return data

    def _wait_for(self, file: int, event: int) -> None:
        poll = select.poll()
        poll.register(file, event)
        if not poll.poll(self._timeout * 1000):
            raise self._hung()

    def close(self) -> None:
        if self._process.returncode is None:
            self._end()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            if file and not file.closed:
                file.close()

    def _end(self) -> None:
        """Closes the device's input, on which it ends; kills it if it does not."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _hung(self) -> DeviceError:
        self._process.kill()
        self._process.wait()
        text = f"{self._name}: no answer for {self._timeout:g} s; ended it"
        return DeviceError(text + self._said())

    def _died(self) -> DeviceError:
        self._end()
        return DeviceError(f"{self._name}: died with code {self._process.returncode}{self._said()}")

    def _said(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return "".join(f"\n  {line}" for line in _telling(lines))


def open_host(build_dir: Path, timeout: float = TIMEOUT) -> StreamDevice:
    """The device built for this machine, in `build_dir` (see build.py)."""
    return _open([], build_dir, "host", timeout)


def open_qemu(build_dir: Path, target: str, timeout: float = TIMEOUT) -> StreamDevice:
    """The device built for `target`, in `build_dir`, under the emulator that its port names."""
    launch = build_dir / "launch"
    if not launch.is_file():
        raise DeviceError(f"{build_dir}: no firmware here; run `make TARGET={target}` first")
    return _open(shlex.split(launch.read_text(encoding="utf-8")), build_dir, target, timeout)


def _open(launch: list[str], build_dir: Path, target: str, timeout: float) -> StreamDevice:
    program = build_dir / "device"
    if not program.is_file():
        raise DeviceError(f"{program}: no firmware here; run `make TARGET={target}` first")
    return StreamDevice(ProcessStream([*launch, str(program.resolve())], target, timeout), target)


def _cannot_start(name: str, program: str, error: OSError) -> str:
    package = PACKAGES.get(program)
    if package and isinstance(error, FileNotFoundError):
        return f"{name}: {program} is missing; on Debian or Ubuntu: apt-get install {package}"
    return f"{name}: cannot start {program}: {error.strerror}"


def _telling(lines: list[str]) -> list[str]:
    """The lines that tell most: a sanitizer's report from its headline on, else the last ones."""
    for index, line in enumerate(lines):
        if "runtime error:" in line or "Sanitizer" in line:
            return lines[index : index + STDERR_LINES]
    return lines[-STDERR_LINES:]
