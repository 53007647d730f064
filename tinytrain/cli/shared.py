"""What commands share: options, bars, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from tinytrain.errors import InputError
from tinytrain.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])

TARGETS = "emulator, host, cortex-m0, cortex-m4, cortex-m33, cortex-m55 or serial:PORT"

PATH = click.Path(path_type=Path)
project_argument = click.argument("directory", metavar="DIR", type=PATH)
proof_target_option = click.option(
    "--target", default="host", show_default=True, metavar="T", help=f"One of {TARGETS}."
)
target_option = click.option(
    "--target", default="emulator", show_default=True, metavar="T", help=f"One of {TARGETS}."
)
data_option = click.option(
    "--data", type=PATH, metavar="DIR", help="Where to look first for the task's data."
)


def optimize_option(default: str) -> Callable[[Command], Command]:
    """--optimize, None where it is not given; `default`: what then holds, in words."""
    return click.option(
        "--optimize",
        type=click.Choice(("speed", "balanced", "size")),
        help="What C kernels are chosen by: balanced, fast ones where they save two instructions "
        "or more a byte of flash; speed, wherever they save any, with longer loops on a Cortex-M4, "
        "M7 or M33 (others gain nothing); size, plain ones and -Os, at 8 to 10 times the "
        f"instructions on a Cortex-M4, 30 to 50 on a Cortex-M55. Default: {default}.",
    )


ram_option = click.option(
    "--ram",
    type=click.IntRange(1),
    metavar="BYTES",
    help="The most that the arena may take; layers run row by row where it takes that, by fast "
    "kernels whatever --optimize says. Scratch on the stack comes on top.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of everything random.",
)


def picture_option(text: str) -> Callable[[Command], Command]:
    """--picture FILE.png, refused before any work where no .png can come of it."""
    return click.option(
        "--picture", type=PATH, metavar="FILE.png", callback=_refuse_no_png, help=text
    )


def _refuse_no_png(_context: click.Context, _option: click.Parameter, path: Path | None) -> Any:
    if path is not None and path.is_dir():
        raise InputError(f"--picture {path}: a folder; name a file that ends in .png")
    if path is not None and path.suffix.lower() != ".png":
        ending = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        raise InputError(
            f"--picture {path}: {ending}; only .png is drawn: name a file that ends in .png"
        )
    return path


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars on standard error, one for each thing counted; silent where nobody looks."""
    from tinytrain.report.progress import bars

    with bars() as advance:
        yield advance


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))
