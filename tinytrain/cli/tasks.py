"""Commands for tasks: list, new, show, check."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tinytrain.cli.group import BAD_INPUT, main
from tinytrain.cli.shared import PATH, data_option, progress_bars, seed_option
from tinytrain.errors import InputError


@main.group(invoke_without_command=True, epilog="Example: tinytrain tasks new my-task --source wav")
@click.pass_context
def tasks(context: click.Context) -> None:
    """List tasks, show one, write your own, and check its data."""
    if context.invoked_subcommand is None:
        context.invoke(tasks_list)


@tasks.command("list", epilog="Example: tinytrain tasks list")
def tasks_list() -> None:
    """List the built-in tasks."""
    from tinytrain.pipeline.tasks import task_lines

    click.echo("\n".join(task_lines()))


@tasks.command("new", epilog="Example: tinytrain tasks new my-task --source csv")
@click.argument("directory", metavar="DIR", type=PATH)
@click.option("--from", "origin", metavar="TASK", help="Start from this task; default: watch.")
@click.option(
    "--source",
    type=click.Choice(["csv", "wav", "images", "npz"]),
    help="Start with settings for your own data in this form.",
)
def tasks_new(directory: Path, origin: str | None, source: str | None) -> None:
    """Write DIR/task.toml, with a comment for every key."""
    from tinytrain.pipeline.tasks import new_task

    if origin and source:
        raise InputError("--from and --source: give one of them")
    path = new_task(directory, origin, source)
    click.echo(f"{path}: edit it, then: tinytrain tasks check {directory}")


@tasks.command("show", epilog="Example: tinytrain tasks show watch")
@click.argument("task")
def tasks_show(task: str) -> None:
    """Print a task, with a comment for every key."""
    from tinytrain.training.task_file import find_task, task_text

    click.echo(task_text(find_task(task)), nl=False)


@tasks.command("check", epilog="Example: tinytrain tasks check my-task")
@click.argument("task")
@data_option
@seed_option
@click.option(
    "--out", type=PATH, metavar="checks.json", help="Where all findings go, with index and file."
)
def tasks_check(task: str, data: Path | None, seed: int, out: Path | None) -> None:
    """Read a task's data, count samples, and tell what looks wrong; exit with 2 if refused."""
    from tinytrain.pipeline.tasks import check_task, write_findings
    from tinytrain.report.tables import task_check_text

    with progress_bars() as progress:
        found = check_task(task, data, seed, progress)
    click.echo(task_check_text(found))
    if out is not None:
        write_findings(found, out)
        click.echo(f"{out}: all {len(found.findings)} findings")
    sys.exit(BAD_INPUT if found.refused else 0)
