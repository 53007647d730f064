"""A compiler that takes what it compiled before from a folder: tests build the same runtime often.

`put_in_path` links programs named as the compilers to this file. What is compiled is known by the
compiler, its arguments and the preprocessed source, so that a change of any of them compiles anew.
Everything but the compilation of one C file goes to the compiler as it is.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("cc", "gcc", "arm-none-eabi-gcc")


def put_in_path(folder: Path) -> str:
    """A PATH with the compilers in it that keep what they compile in `folder`."""
    programs = folder / "programs"
    programs.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if shutil.which(name) and not (programs / name).exists():
            aside = programs / f"{name}.{os.getpid()}"
            aside.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" -IS "{Path(__file__).resolve()}" "$0" "$@"\n'
            )
            aside.chmod(0o755)
            aside.replace(programs / name)
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


def main(program: Path, arguments: list[str]) -> None:
    """Compiles, or becomes the compiler."""
    elsewhere = [p for p in os.environ["PATH"].split(os.pathsep) if Path(p) != program.parent]
    compiler = shutil.which(program.name, path=os.pathsep.join(elsewhere))
    if compiler is None:
        sys.exit(f"{program.name} is missing")
    if "-c" in arguments and "-o" in arguments and "-MMD" in arguments:
        place = arguments.index("-o")
        if compile_once(
            compiler,
            arguments[:place] + arguments[place + 2 :],
            Path(arguments[place + 1]),
            program.parent.parent,
        ):
            return
    os.execv(compiler, [compiler, *arguments])


def compile_once(compiler: str, arguments: list[str], out: Path, folder: Path) -> bool:
    """Writes `out` and its list of headers; False where the compiler has to tell why it cannot."""
    listed = ["-MF", str(out.with_suffix(".d")), "-MT", str(out)]
    before = [a for a in arguments if a != "-c"] + ["-E", "-fno-working-directory", *listed]
    read = subprocess.run([compiler, *before], capture_output=True, check=False)
    if read.returncode != 0:
        return False
    said = "\0".join([compiler, *arguments, ""]).encode()
    kept = folder / f"{hashlib.sha256(said + read.stdout).hexdigest()}.o"
    if not kept.exists():
        aside = folder / f"{kept.name}.{os.getpid()}"
        command = [compiler, *(a for a in arguments if a not in ("-MMD", "-MP"))]
        made = subprocess.run([*command, "-o", str(aside)], capture_output=True, check=False)
        if made.returncode != 0 or made.stderr:
            aside.unlink(missing_ok=True)
            return False
        aside.replace(kept)
    shutil.copyfile(kept, out)
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
