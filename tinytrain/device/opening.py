"""From a target's name to a device that runs a project."""

from __future__ import annotations

from tinytrain.device.build import build
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device
from tinytrain.device.process import open_host, open_qemu
from tinytrain.errors import DeviceError, InputError
from tinytrain.project import Project

QEMU_TARGETS = ("cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55")
TARGETS = ("emulator", "host", *QEMU_TARGETS, "serial:PORT")


def check_target(target: str) -> str:
    """The target itself, or InputError that names what there is."""
    if target in TARGETS[:-1] or (target.startswith("serial:") and len(target) > len("serial:")):
        return target
    raise InputError(f"--target {target}: choose one of {', '.join(TARGETS)}")


def open_device(project: Project, target: str) -> Device:
    """Builds what the target needs and starts it. Raises DeviceError where it cannot.

    A device that runs another model than the project's is refused.
    """
    device = _open(project, check_target(target))
    info = device.info()
    expected = int(project.model.source_sha256[:8], 16)
    if info.source_hash != expected:
        device.close()
        raise DeviceError(
            f"{target}: runs model '{info.name}' ({info.source_hash:08x}), but {project.directory} "
            f"holds '{project.model.name}' ({expected:08x}); flash the project's firmware"
        )
    return device


def _open(project: Project, target: str) -> Device:
    if target == "emulator":
        return EmulatedDevice(project.model)
    if target == "host":
        return open_host(build(project.directory, target))
    if target in QEMU_TARGETS:
        return open_qemu(build(project.directory, target), target)
    from tinytrain.device.serial_port import open_serial

    return open_serial(target.removeprefix("serial:"))
