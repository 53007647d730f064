"""Which programs a target needs, and which of them are missing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    program: str
    package: str
    """Of Debian and Ubuntu."""


HOST_TOOLS = (Tool("make", "make"), Tool("gcc", "gcc"))
ARM_TOOLS = (
    Tool("make", "make"),
    Tool("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
    Tool("qemu-system-arm", "qemu-system-arm"),
)


def missing_for(target: str) -> tuple[Tool, ...]:
    """What `target` needs and this machine does not have."""
    needed = {"emulator": (), "host": HOST_TOOLS}.get(target, ARM_TOOLS)
    if target.startswith("serial:"):
        needed = ()
    return tuple(tool for tool in needed if shutil.which(tool.program) is None)
