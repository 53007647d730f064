"""The command line: parses, calls, prints. What it calls is imported when a command runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinytrain import __version__
from tinytrain.errors import CheckError, DeviceError, InputError
from tinytrain.progress import Progress

if TYPE_CHECKING:
    from tinytrain.pipeline.runs import StageResult

BAD_INPUT = 2
CHECK_FAILED = 1
RESUMED = ("run", "train")
"""Commands that go on where they were interrupted."""

TARGETS = "emulator, host, cortex-m0, cortex-m4, cortex-m33, cortex-m55 or serial:PORT"


class Commands(click.Group):
    """Turns the errors that a user can mend into one line and an exit code."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _usage_in_one_line():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _usage_in_one_line():
                return super().invoke(ctx)
        except CheckError as error:
            _stop(f"error: {error}", CHECK_FAILED)
        except (InputError, DeviceError) as error:
            _stop(f"error: {error}")
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            hint = "; start it again to go on" if ctx.invoked_subcommand in RESUMED else ""
            _stop(f"interrupted{hint}", CHECK_FAILED)
        except BrokenPipeError:
            # The reader of our output left; there is nobody to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(CHECK_FAILED)
        except OSError as error:
            _stop(f"error: {error.filename or 'system'}: {error.strerror or error}")
        except Exception as error:
            if os.environ.get("TINYTRAIN_DEBUG"):
                raise
            kind = type(error).__name__
            _stop(
                f"error: a defect of tinytrain ({kind}: {error}); "
                "TINYTRAIN_DEBUG=1 shows where: please report it"
            )


def _stop(message: str, code: int = BAD_INPUT) -> None:
    """Ends with one line: whatever a device said before it died is joined."""
    click.echo(" | ".join(line.strip() for line in message.splitlines()), err=True)
    sys.exit(code)


@contextmanager
def _usage_in_one_line() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        message = error.format_message()
        if "\n" in message:
            # The whole help, for a call without a command.
            raise
        command = error.ctx.command_path if error.ctx else "tinytrain"
        _stop(f"error: {message} See `{command} --help`.")


@contextmanager
def _progress() -> Iterator[Progress]:
    """Bars on standard error, one for each thing counted; silent where nobody looks."""
    from tinytrain.report.progress import bars

    with bars() as advance:
        yield advance


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: tinytrain run watch --out demo",
)
@click.version_option(__version__, prog_name="tinytrain")
def main() -> None:
    """From a data set to a microcontroller that goes on learning, bit for bit."""


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
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of everything random.",
)


@main.command(epilog="Example: tinytrain convert model.tflite --out project --samples windows.npz")
@click.argument("model", metavar="MODEL", type=PATH)
@click.option("--out", required=True, type=PATH, metavar="DIR", help="Where the project goes.")
@click.option("--name", help="Prefix of the C names; default: from the file's name.")
@click.option(
    "--head",
    default="auto",
    show_default=True,
    help="What learns: auto, none, or the output tensor (name or index) of a FULLY_CONNECTED.",
)
@click.option(
    "--samples",
    type=PATH,
    metavar="FILE.npz",
    help="Real inputs x (n, *input shape) int8, labels y: set the head's step size, become the "
    "golden samples, and serve `verify`.",
)
@click.option(
    "--representative",
    type=PATH,
    metavar="x.npy",
    help="For a .keras: float32 inputs (n, *input shape), to quantize it with; several inputs: an "
    ".npz with an array for each.",
)
@click.option(
    "--frontend",
    metavar="TASK.toml",
    help="The task, or the folder of the run, that the model was trained in: its front end and its "
    "keys of detection go into the project.",
)
@click.option("--eta", default=1.0, show_default=True, help="Learning: step size, 0 to 16.")
@click.option(
    "--tau",
    default=0.1,
    show_default=True,
    help="Learning: skip samples whose class has probability 1 - tau or more.",
)
@click.option("--rows", default=2, show_default=True, help="Learning: rows written a step.")
@click.option(
    "--reserve", default=0, show_default=True, help="Learning: classes that the device can add."
)
@click.option(
    "--statistics",
    metavar="LAYER,...|all",
    help="Convolutions (output tensors) whose normalization statistics the device re-estimates "
    "without labels; those of training are measured on --samples.",
)
@click.option(
    "--statistics-samples",
    default=50,
    show_default=True,
    help="Forward passes that each of these layers looks at.",
)
def convert(
    model: Path,
    out: Path,
    name: str | None,
    head: str,
    samples: Path | None,
    representative: Path | None,
    frontend: str | None,
    eta: float,
    tau: float,
    rows: int,
    reserve: int,
    statistics: str | None,
    statistics_samples: int,
) -> None:
    """Turn a .tflite, .onnx or .keras file into a self-contained C project."""
    from tinytrain.head import HeadOptions
    from tinytrain.pipeline.convert import convert as run
    from tinytrain.statistics import StatisticsOptions

    layers = None
    if statistics is not None:
        layers = StatisticsOptions(tuple(statistics.split(",")), statistics_samples)
    options = HeadOptions(eta, tau, rows, reserved=reserve)
    make_stream = None
    if frontend is not None:
        from tinytrain.pipeline.frontend import of_task

        make_stream = of_task(frontend).plan
    done = run(
        *(model, out, name, head, options, samples, representative, layers),
        make_stream=make_stream,
    )
    click.echo(
        f"{out}: {len(done.kernels)} operators, {done.macs:,} MACs, {done.weight_bytes:,} bytes of "
        f"weights, arena {done.memory.arena_bytes:,} bytes"
    )
    for note in done.graph.notes:
        click.echo(note)
    if done.stream is not None:
        from tinytrain.frontend.hash import frontend_hash

        plan = done.stream
        click.echo(
            f"front end {frontend_hash(plan.frontend):08x}: {plan.frames} frames of "
            f"{plan.frontend.outputs} features, an inference every {plan.stride}"
        )
    if done.head is None:
        click.echo(
            "no learning head"
            + ("" if head == "none" else ": the model does not end in a FULLY_CONNECTED classifier")
        )
    else:
        k = done.head.constants
        click.echo(f"learning head: {k.classes} classes, {k.features} features")
        if samples is None:
            click.echo("its step size rests on an assumed feature energy; give --samples")
    if done.statistics is not None:
        click.echo(
            f"statistics without labels: {done.statistics.plan.layers} layers, "
            f"{done.statistics.memory_bytes:,} bytes of RAM"
        )


@main.command(epilog="Example: tinytrain verify project --target cortex-m4")
@project_argument
@proof_target_option
@click.option("--samples", default=200, show_default=True, help="Inferences to compare.")
@click.option("--steps", default=1000, show_default=True, help="Learning steps to compare.")
@click.option("--layers", is_flag=True, help="Show every operator, and the first that differs.")
@seed_option
def verify(directory: Path, target: str, samples: int, steps: int, layers: bool, seed: int) -> None:
    """Compare a device with the emulator, bit by bit; exit with 0 only if every bit agrees."""
    from tinytrain.pipeline.layers import compare_layers
    from tinytrain.pipeline.verify import verify as run
    from tinytrain.project import load_project
    from tinytrain.report.tables import layers_text, verification_text

    if samples < 0 or steps < 0 or samples + steps == 0:
        raise InputError(
            f"--samples {samples} --steps {steps}: neither may be negative, and not both 0"
        )
    project = load_project(directory)
    with _progress() as progress:
        found = run(project, target, samples, steps, seed, progress)
        rows = compare_layers(project, target, samples, seed, progress) if layers else ()
    if layers:
        click.echo(layers_text(rows) + "\n")
    click.echo(verification_text(found))
    sys.exit(0 if found.passed else CHECK_FAILED)


@main.command(epilog="Example: tinytrain infer project --target host --input x.npy --output y.npy")
@project_argument
@target_option
@click.option(
    "--input",
    "source",
    required=True,
    type=PATH,
    metavar="x.npy",
    help="Inputs (n, *input shape) int8.",
)
@click.option(
    "--output", "out", required=True, type=PATH, metavar="y.npy", help="Where the int8 outputs go."
)
def infer(directory: Path, target: str, source: Path, out: Path) -> None:
    """Run the model on a device: int8 inputs to int8 outputs."""
    from tinytrain.pipeline.use import infer as run
    from tinytrain.project import load_project

    with _progress() as progress:
        count = run(load_project(directory), target, source, out, progress)
    click.echo(f"{out}: outputs of {count} samples by {target}")


@main.command(
    epilog="Example: tinytrain learn project --target cortex-m4 --stream s.npz --output head.npz"
)
@project_argument
@target_option
@click.option(
    "--stream",
    required=True,
    type=PATH,
    metavar="s.npz",
    help="x (n, *input shape) int8 and labels y (n,), learned in order.",
)
@click.option(
    "--output",
    "out",
    required=True,
    type=PATH,
    metavar="head.npz",
    help="Where the head goes: weights, bias, trace.",
)
def learn(directory: Path, target: str, stream: Path, out: Path) -> None:
    """Learn a stream of labelled samples on a device, from the factory head on."""
    from tinytrain.pipeline.use import learn as run
    from tinytrain.project import load_project

    with _progress() as progress:
        count = run(load_project(directory), target, stream, out, progress)
    click.echo(f"{out}: the head after {count} steps on {target}")


@main.command(epilog="Example: tinytrain stream project --target cortex-m4 hall.wav --verify")
@project_argument
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@target_option
@click.option("--chunk", type=click.IntRange(1), help="Samples a push; default: one hop.")
@click.option("--verify", "check", is_flag=True, help="Compare every frame and decision.")
@click.option("--picture", type=PATH, metavar="FILE.png", help="Draw one FILE's features, answers.")
@json_option
def stream(
    directory: Path,
    files: tuple[Path, ...],
    target: str,
    chunk: int | None,
    check: bool,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Play recordings to front end and model on a device: WAV for sounds, CSV for motion.

    With --verify exits with 1 at the first bit that is not the emulator's.
    """
    from tinytrain.pipeline.streaming import stream as run
    from tinytrain.project import load_project
    from tinytrain.report.stream import draw_stream, stream_text

    if picture is not None and len(files) > 1:
        raise InputError(f"--picture {picture}: it shows one FILE, and {len(files)} are given")
    with _progress() as progress:
        found = run(load_project(directory), target, files, chunk, check, progress)
    if picture is not None:
        draw_stream(found.results[0], picture)
    if as_json:
        _print_json(found.as_json())
    else:
        click.echo(stream_text(found))


@main.command(epilog="Example: tinytrain bench project --target cortex-m4 --json")
@project_argument
@click.option(
    "--target", default="cortex-m4", show_default=True, metavar="T", help=f"One of {TARGETS}."
)
@json_option
def bench(directory: Path, target: str, as_json: bool) -> None:
    """Count instructions exactly, and bytes of flash and RAM."""
    from tinytrain.pipeline.bench import bench as run
    from tinytrain.project import load_project
    from tinytrain.report.tables import bench_text

    found = run(load_project(directory), target)
    if as_json:
        _print_json(found.as_json())
    else:
        click.echo(bench_text(found))


@main.command(epilog="Example: tinytrain inspect model.tflite --memory --picture memory.png")
@click.argument("model", metavar="MODEL|DIR", type=PATH)
@click.option("--memory", is_flag=True, help="Show what lies where in the arena, and when.")
@click.option("--picture", type=PATH, metavar="FILE.png", help="Draw the arena over time.")
@json_option
def inspect(model: Path, memory: bool, picture: Path | None, as_json: bool) -> None:
    """Show a model, a row an operator, and what of it cannot be converted."""
    from tinytrain.pipeline.inspection import inspect as run
    from tinytrain.pipeline.inspection import picture_memory
    from tinytrain.report.tables import inspection_text, memory_text

    found = run(model)
    if picture is not None:
        picture_memory(found, picture)
    if as_json:
        _print_json(found.as_json())
        return
    click.echo(inspection_text(found))
    if memory and found.memory:
        click.echo("\n" + memory_text(found))


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
def run(task: str, out: Path, seed: int, data: Path | None, target: str | None) -> None:
    """Go the whole way: train, prune, quantize, convert, verify, and learn on the device.

    An interrupted run goes on when it is started again.
    """
    from tinytrain.device.opening import check_target
    from tinytrain.pipeline.run import run as go

    if target is not None:
        check_target(target)
    with _progress() as progress:
        summary = go(task, out, seed, target, progress, data)
    click.echo(summary)


@main.command(epilog="Example: tinytrain train watch --out demo")
@click.argument("task", default="watch")
@out_run_option
@seed_option
@data_option
def train(task: str, out: Path, seed: int, data: Path | None) -> None:
    """Train a float network on all but the unseen people."""
    from tinytrain.pipeline.stages import train as go

    with _progress() as progress:
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

    with _progress() as progress:
        found = go(task, out, seed, Budget(flash, ram, macs), progress, data)
    click.echo(search_text(found))
    click.echo(f"{out / 'task.toml'}: the task with this network; tinytrain run {out} --out run")


@main.command(epilog="Example: tinytrain prune demo")
@project_argument
def prune(directory: Path) -> None:
    """Take whole channels out of a run's network, and fine-tune."""
    from tinytrain.pipeline.stages import prune as go

    with _progress() as progress:
        result = go(directory, progress)
    _print_stage(directory, result)


@main.command(epilog="Example: tinytrain quantize demo")
@project_argument
def quantize(directory: Path) -> None:
    """Turn a run's pruned network into an int8 .tflite."""
    from tinytrain.pipeline.stages import quantize as go

    with _progress() as progress:
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
@seed_option
@data_option
def adapt(
    source: str,
    target: str,
    out: Path | None,
    compare: bool,
    stream: str,
    noise: float | None,
    streams: int | None,
    seed: int,
    data: Path | None,
) -> None:
    """Let each unseen person of a run teach the device; accuracy before and after."""
    from tinytrain.adapt.streams import StreamOptions
    from tinytrain.device.opening import check_target
    from tinytrain.pipeline.compare import compare_heads
    from tinytrain.pipeline.run import adapt as go
    from tinytrain.pipeline.run import make_project
    from tinytrain.report.learning import comparison_text
    from tinytrain.report.summary import users_text

    check_target(target)
    options = StreamOptions(stream, noise)
    directory = out or Path(source)
    with _progress() as progress:
        if out is not None:
            make_project(source, out, seed, progress, data)
        if compare:
            text = comparison_text(compare_heads(directory, options, streams or 4, progress))
        else:
            text = users_text(go(directory, target, progress, options, streams or 1))
    click.echo(text)


@main.command(epilog="Example: tinytrain report demo")
@project_argument
def report(directory: Path) -> None:
    """Print a run's summary and draw its picture anew."""
    from tinytrain.pipeline.run import report as go

    click.echo(go(directory))


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
def tasks_check(task: str, data: Path | None, seed: int) -> None:
    """Read a task's data, count samples, and tell what looks wrong; exit with 2 if refused."""
    from tinytrain.pipeline.tasks import check_task
    from tinytrain.report.tables import task_check_text

    with _progress() as progress:
        found = check_task(task, data, seed, progress)
    click.echo(task_check_text(found))
    sys.exit(BAD_INPUT if found.refused else 0)


def _print_stage(directory: Path, result: StageResult) -> None:
    click.echo(
        f"{directory}: {result.stage}, {result.macs:,} MACs, {result.measure} on unseen people "
        f"{result.mean:.3f} (worst {result.worst:.3f})"
    )
