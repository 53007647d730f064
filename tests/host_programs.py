"""Programs for this machine, of C sources."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path


def compile_program(
    program: Path, sources: Iterable[Path], flags: Iterable[str], folder: Path | None = None
) -> Path:
    """Writes `program`. Sources are compiled one by one, which ccache keeps; for it to know them
    again in a project of another place, they are named from the project's `folder`."""
    command = [os.environ.get("CC", "cc"), *flags]
    objects = []
    for number, source in enumerate(sources):
        objects.append(program.with_name(f"{program.name}-{number}.o"))
        subprocess.run([*command, "-c", source, "-o", objects[-1]], cwd=folder, check=True)
    subprocess.run([*command, *objects, "-o", program], check=True)
    return program
