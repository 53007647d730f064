"""Commands for what a learner has learned: save and load its state."""

from __future__ import annotations

from pathlib import Path

import click

from tinytrain.cli.group import main
from tinytrain.cli.shared import PATH, TARGETS, project_argument

device_option = click.option(
    "--target", required=True, metavar="T", help=f"One of {TARGETS}; a board keeps its state."
)


@main.group(
    epilog="Example: tinytrain learner save project --target serial:/dev/ttyACM0 --output state.bin"
)
def learner() -> None:
    """Keep what a device has learned, and give it to a device again."""


@learner.command(
    epilog="Example: tinytrain learner save project --target serial:/dev/ttyACM0 --output state.bin"
)
@project_argument
@device_option
@click.option(
    "--output", "out", required=True, type=PATH, metavar="state.bin", help="Where the state goes."
)
def save(directory: Path, target: str, out: Path) -> None:
    """Write the state of the learner on a device as it is now."""
    from tinytrain.pipeline.states import save as run
    from tinytrain.project import load_project

    count = run(load_project(directory), target, out)
    click.echo(f"{out}: the learner on {target}, {count:,} bytes")
    warn_forgetful(target, "this is the state of a new device")


@learner.command(
    epilog="Example: tinytrain learner load project --target serial:/dev/ttyACM0 --state state.bin"
)
@project_argument
@device_option
@click.option("--state", required=True, type=PATH, metavar="state.bin", help="The state to give.")
def load(directory: Path, target: str, state: Path) -> None:
    """Give a state to the learner on a device, which goes on from it."""
    from tinytrain.pipeline.states import load as run
    from tinytrain.project import load_project

    count = run(load_project(directory), target, state)
    click.echo(f"{target}: goes on from {state}, {count:,} bytes")
    warn_forgetful(target, "the state is good, and gone already")


def warn_forgetful(target: str, what: str) -> None:
    """Only a board keeps what it has learned when the command ends."""
    if not target.startswith("serial:"):
        click.echo(
            f"warning: {target} ends with this command and forgets: {what}; take --target "
            "serial:PORT for a board, or `learn --state --save-state`",
            err=True,
        )
