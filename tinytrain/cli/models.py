"""Commands for a model and its C project: convert, verify, infer, learn, bench, inspect."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tinytrain.cli.group import CHECK_FAILED, main
from tinytrain.cli.shared import (
    PATH,
    TARGETS,
    json_option,
    optimize_option,
    picture_option,
    print_json,
    progress_bars,
    project_argument,
    proof_target_option,
    ram_option,
    seed_option,
    target_option,
)
from tinytrain.errors import InputError

if TYPE_CHECKING:
    from tinytrain.model import Model


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
@optimize_option("balanced")
@ram_option
@click.option(
    "--statistics",
    metavar="LAYER,...|all",
    help="Convolutions (name or index of the output tensor, which `inspect --kernels` shows) whose "
    "normalization statistics the device re-estimates without labels; those of training are "
    "measured on --samples. These layers do not run row by row, so --ram can save less.",
)
@click.option(
    "--statistics-samples",
    default=50,
    show_default=True,
    help="Forward passes that each of these layers looks at.",
)
@click.option(
    "--statistics-guard",
    default="labels",
    show_default=True,
    metavar="labels|confidence|none",
    help="What renewed statistics need in order to answer: labelled samples on which they do "
    "better; before the first label also a surer head; nothing.",
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
    optimize: str | None,
    ram: int | None,
    statistics: str | None,
    statistics_samples: int,
    statistics_guard: str,
) -> None:
    """Turn a .tflite, .onnx or .keras file into a self-contained C project."""
    from tinytrain.head import HeadOptions
    from tinytrain.pipeline.convert import convert as run
    from tinytrain.statistics import StatisticsOptions
    from tinytrain.variants.choose import OPTIMIZATIONS

    layers = None
    if statistics is not None:
        names = tuple(name.strip() for name in statistics.split(","))
        layers = StatisticsOptions(names, statistics_samples, guard=statistics_guard)
    else:
        _refuse_alone("--statistics-samples", "--statistics-guard")
    options = HeadOptions(eta, tau, rows, reserved=reserve)
    make_stream = columns = warning = None
    if frontend is not None:
        from tinytrain.pipeline.frontend import doubt, of_task

        origin = of_task(frontend)
        warning = doubt(model, origin, frontend)
        make_stream, columns = origin.plan, origin.columns
    done = run(
        *(model, out, name, head, options, samples, representative, layers),
        make_stream=make_stream,
        columns=columns,
        optimize=OPTIMIZATIONS[optimize or "balanced"],
        ram=ram,
    )
    if warning is not None:
        click.echo(f"warning: {warning}", err=True)
    _say_what_was_made(done, out, head, samples is not None)


def _refuse_alone(*options: str) -> None:
    """Those that say nothing without --statistics."""
    context = click.get_current_context()
    for option in options:
        source = context.get_parameter_source(option.removeprefix("--").replace("-", "_"))
        if source is not ParameterSource.DEFAULT:
            raise InputError(f"{option}: of layers whose statistics are renewed; give --statistics")


def _say_what_was_made(done: Model, out: Path, head: str, measured: bool) -> None:
    """`head`: what was asked for; `measured`: whether there were samples."""
    from tinytrain.report.tables import chain_text

    click.echo(
        f"{out}: {len(done.kernels)} operators, {done.macs:,} MACs, {done.weight_bytes:,} bytes of "
        f"weights, arena {done.memory.arena_bytes:,} bytes"
    )
    fast = sum(variant.block is not None for variant in done.variants)
    click.echo(f"kernels by --optimize {done.optimize.name}: {fast} of them fast ones")
    for chain in done.memory.chains:
        click.echo(chain_text(chain.first, chain.last, chain.rows))
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
        if not measured:
            click.echo("its step size rests on an assumed feature energy; give --samples")
    if done.statistics is not None:
        click.echo(
            f"statistics without labels: {done.statistics.plan.layers} layers, "
            f"{done.statistics_bytes:,} bytes of RAM, and {done.renewed_struct_bytes:,} for "
            "parameters, otherwise in flash"
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
    with progress_bars() as progress:
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

    with progress_bars() as progress:
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
@click.option(
    "--state", type=PATH, metavar="before.bin", help="Go on from what a learner had learned."
)
@click.option(
    "--save-state", type=PATH, metavar="after.bin", help="Where all that was learned goes."
)
def learn(
    directory: Path,
    target: str,
    stream: Path,
    out: Path,
    state: Path | None,
    save_state: Path | None,
) -> None:
    """Learn a stream of labelled samples on a device, from the factory head on."""
    from tinytrain.pipeline.use import learn as run
    from tinytrain.project import load_project
    from tinytrain.report.tables import learned_text

    with progress_bars() as progress:
        found = run(load_project(directory), target, stream, out, progress, state, save_state)
    click.echo(f"{out}: the head after {found.steps} steps on {target}")
    click.echo(learned_text(found))


@main.command(epilog="Example: tinytrain stream project --target cortex-m4 hall.wav --verify")
@project_argument
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@target_option
@click.option("--chunk", type=click.IntRange(1), help="Samples a push; default: one hop.")
@click.option("--verify", "check", is_flag=True, help="Compare every frame and decision.")
@picture_option("Draw one FILE's features, answers.")
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

    A CSV is read by the names of the columns that the model's task gave (data.time, data.channels;
    others are passed over), each value divided by frontend.unit and rounded to int16. A project
    without these names takes a column a channel, in the order of training, of the sensor's own
    whole numbers, and t or time in seconds beside them.

    With --verify exits with 1 at the first bit that is not the emulator's.
    """
    from tinytrain.pipeline.streaming import stream as run
    from tinytrain.project import load_project
    from tinytrain.report.stream import draw_stream, stream_text

    if picture is not None and len(files) > 1:
        raise InputError(f"--picture {picture}: it shows one FILE, and {len(files)} are given")
    with progress_bars() as progress:
        found = run(load_project(directory), target, files, chunk, check, progress)
    if picture is not None:
        draw_stream(found.results[0], picture)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        print_json(found.as_json())
    else:
        click.echo(stream_text(found))


@main.command(epilog="Example: tinytrain bench project --target cortex-m4 --json")
@project_argument
@click.option(
    "--target",
    "targets",
    default=["cortex-m4"],
    show_default=True,
    multiple=True,
    metavar="T",
    help=f"One of {TARGETS}; given several times, one after the other.",
)
@picture_option("Draw the operators' instructions, a bar a target.")
@json_option
def bench(directory: Path, targets: tuple[str, ...], picture: Path | None, as_json: bool) -> None:
    """Count instructions exactly, model a Cortex-M4's cycles, and count bytes of flash and RAM."""
    from tinytrain.pipeline.bench import bench_all, picture_costs
    from tinytrain.project import load_project
    from tinytrain.report.tables import bench_text

    project = load_project(directory)
    found = bench_all(project, targets, picture)
    if picture is not None:
        picture_costs(f"{project.model.name}, {project.model.optimize.name}", found, picture)
    if as_json:
        one = found[0].as_json()
        print_json(one if len(found) == 1 else {"targets": [each.as_json() for each in found]})
    else:
        click.echo("\n\n".join(bench_text(each) for each in found))


@main.command(epilog="Example: tinytrain inspect model.tflite --memory --picture memory.png")
@click.argument("model", metavar="MODEL|DIR", type=PATH)
@click.option("--memory", is_flag=True, help="Show what lies where in the arena, and when.")
@click.option("--kernels", is_flag=True, help="Show which C kernel each operator gets, and why.")
@optimize_option("balanced; of a project, its own")
@ram_option
@picture_option("Draw the arena over time.")
@json_option
def inspect(
    model: Path,
    memory: bool,
    kernels: bool,
    optimize: str | None,
    ram: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Show a model, a row an operator, and what of it cannot be converted."""
    from tinytrain.pipeline.inspection import inspect as run
    from tinytrain.pipeline.inspection import picture_memory
    from tinytrain.report.tables import inspection_text, kernels_text, memory_text
    from tinytrain.variants.choose import OPTIMIZATIONS

    found = run(model, OPTIMIZATIONS[optimize] if optimize else None, ram)
    if picture is not None:
        picture_memory(found, picture)
    if as_json:
        print_json(found.as_json())
        return
    click.echo(inspection_text(found))
    if kernels:
        click.echo("\n" + kernels_text(found))
    if memory and found.memory:
        click.echo("\n" + memory_text(found))
