"""Commands for a run, from data to a device that learns: run, its stages, search, adapt, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinytrain.cli.group import main
from tinytrain.cli.shared import (
    PATH,
    data_option,
    optimize_option,
    progress_bars,
    project_argument,
    ram_option,
    seed_option,
    target_option,
)
from tinytrain.errors import InputError

if TYPE_CHECKING:
    from tinytrain.pipeline.runs import StageResult

out_run_option = click.option(
    "--out", required=True, type=PATH, metavar="DIR", help="The run's folder."
)


@main.command(epilog="Example: tinytrain run watch --out demo")
@click.argument("task", default="watch")
@out_run_option
@seed_option
@data_option
@click.option(
    "--target",
    default=None,
    metavar="T",
    help="Where the users learn; default: cortex-m4 under QEMU, or host without it.",
)
@optimize_option("balanced")
@ram_option
def run(
    task: str,
    out: Path,
    seed: int,
    data: Path | None,
    target: str | None,
    optimize: str | None,
    ram: int | None,
) -> None:
    """Go the whole way: train, prune, quantize, convert, verify, and learn on the device.

    An interrupted run goes on when it is started again. A finished one of the same task, seed and
    data keeps its network, and only the C project is made, proved and measured anew, such as for
    another --optimize or --ram; a refusal changes nothing. To train anew choose another --out, or
    delete it.
    """
    from tinytrain.device.opening import check_target
    from tinytrain.pipeline.run import run as go
    from tinytrain.variants.choose import OPTIMIZATIONS

    if target is not None:
        check_target(target)
    with progress_bars() as progress:
        summary = go(
            task,
            out,
            seed,
            target,
            progress,
            data,
            OPTIMIZATIONS[optimize or "balanced"],
            ram,
            say=lambda line: click.echo(line, err=True),
        )
    click.echo(summary)


@main.command(epilog="Example: tinytrain train watch --out demo")
@click.argument("task", default="watch")
@out_run_option
@seed_option
@data_option
def train(task: str, out: Path, seed: int, data: Path | None) -> None:
    """Train a float network on all but the unseen people."""
    from tinytrain.pipeline.stages import train as go

    with progress_bars() as progress:
        result = go(task, out, seed, progress, data)
    _print_stage(out, result)


@main.command(epilog="Example: tinytrain search watch --macs 300000 --out found")
@click.argument("task", default="watch")
@click.option("--out", required=True, type=PATH, metavar="DIR", help="Where the results go.")
@click.option("--flash", type=click.IntRange(0), default=0, help="Bytes of weights, at most.")
@click.option("--ram", type=click.IntRange(0), default=0, help="Bytes of the arena, at most.")
@click.option("--macs", type=click.IntRange(0), default=0, help="Multiply-accumulates, at most.")
@seed_option
@data_option
def search(
    task: str, out: Path, flash: int, ram: int, macs: int, seed: int, data: Path | None
) -> None:
    """Find the width and depth of a task's network that are best under a budget.

    Trains many sizes; DIR/task.toml is the task with the best one. The budget is the task's own
    but for what the options say.
    """
    from tinytrain.pipeline.search import search as go
    from tinytrain.report.tables import search_text
    from tinytrain.training.tasks import Budget

    with progress_bars() as progress:
        found = go(task, out, seed, Budget(flash, ram, macs), progress, data)
    click.echo(search_text(found))
    click.echo(f"{out / 'task.toml'}: the task with this network; tinytrain run {out} --out run")


@main.command(epilog="Example: tinytrain prune demo")
@project_argument
def prune(directory: Path) -> None:
    """Take whole channels out of a run's network, and fine-tune."""
    from tinytrain.pipeline.stages import prune as go

    with progress_bars() as progress:
        result = go(directory, progress)
    _print_stage(directory, result)


@main.command(epilog="Example: tinytrain quantize demo")
@project_argument
def quantize(directory: Path) -> None:
    """Turn a run's pruned network into an int8 .tflite."""
    from tinytrain.pipeline.stages import quantize as go

    with progress_bars() as progress:
        result = go(directory, progress)
    _print_stage(directory, result)


@main.command(epilog="Example: tinytrain adapt demo --compare --stream bursts")
@click.argument("source", metavar="DIR|TASK")
@target_option
@click.option(
    "--out", type=PATH, metavar="DIR", help="Run TASK into this folder first, where it is missing."
)
@click.option("--compare", is_flag=True, help="All heads beside each other, in the emulator.")
@click.option(
    "--stream",
    type=click.Choice(["shuffled", "classes", "bursts", "drift", "noisy"]),
    default="shuffled",
    show_default=True,
    help="How a person gives the samples.",
)
@click.option("--noise", type=click.FloatRange(0, 1), help="Share of wrong labels.")
@click.option(
    "--streams",
    type=click.IntRange(1, 1000),
    help="Streams of each person; default: 4 with --compare, else 1.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Of the streams, and with --out of the run; default: the run's own.",
)
@data_option
def adapt(
    source: str,
    target: str,
    out: Path | None,
    compare: bool,
    stream: str,
    noise: float | None,
    streams: int | None,
    seed: int | None,
    data: Path | None,
) -> None:
    """Let each unseen person of a run teach the device; accuracy before and after.

    With usual streams this is the run's own result; other streams go to files of their own.
    """
    from tinytrain.adapt.streams import StreamOptions
    from tinytrain.device.opening import check_target
    from tinytrain.pipeline.compare import STREAMS, compare_heads
    from tinytrain.pipeline.learning import adapt as go
    from tinytrain.pipeline.run import make_project
    from tinytrain.report.learning import comparison_text
    from tinytrain.report.summary import users_text

    check_target(target)
    if compare and target != "emulator":
        raise InputError(
            f"--compare --target {target}: heads are compared in the emulator, which gives the "
            "devices' bits; leave out --target, or leave out --compare"
        )
    options = StreamOptions(stream, noise)
    directory = out or Path(source)
    with progress_bars() as progress:
        if out is not None:
            make_project(source, out, seed or 0, progress, data)
        if compare:
            heads, files = compare_heads(directory, options, streams or STREAMS, progress, seed)
            text = comparison_text(heads)
        else:
            found, files = go(directory, target, progress, options, streams or 1, seed)
            text = users_text(found)
    click.echo(text)
    click.echo("\nwritten: " + ", ".join(str(path) for path in files.all if path.exists()))


@main.command(epilog="Example: tinytrain thresholds demo --false-accepts 1 --others radio.wav")
@project_argument
@click.option(
    "--false-accepts",
    "limit",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="An hour, at most.",
)
@click.option(
    "--others",
    multiple=True,
    type=PATH,
    metavar="FILE.wav",
    help="A recording without any keyword; may be given several times.",
)
@data_option
def thresholds(directory: Path, limit: float, others: tuple[Path, ...], data: Path | None) -> None:
    """Choose a keyword run's threshold, average and refractory time.

    Chosen on streams of the validation people's clips and noise, then counted on the unseen
    people's: keywords missed, false accepts an hour. Prints the lines of [frontend].
    """
    from tinytrain.pipeline.detection import try_thresholds
    from tinytrain.report.stream import choice_text

    with progress_bars() as progress:
        found = try_thresholds(directory, [limit], others, data, progress)
    click.echo(choice_text(found.trials, found.present, found.best(limit), limit))


@main.command(epilog="Example: tinytrain report demo")
@project_argument
def report(directory: Path) -> None:
    """Print a run's summary and draw its picture anew."""
    from tinytrain.pipeline.run import report as go

    click.echo(go(directory))


def _print_stage(directory: Path, result: StageResult) -> None:
    click.echo(
        f"{directory}: {result.stage}, {result.macs:,} MACs, {result.measure} on unseen people "
        f"{result.mean:.3f} (worst {result.worst:.3f})"
    )
