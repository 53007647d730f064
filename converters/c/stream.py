"""The front end and the stream of a model in C."""

from __future__ import annotations

from struct import pack
from typing import Any

from tinytrain.converters.c.source import ConstantArray, ConstantBlock, ConstantStruct, constants_of
from tinytrain.frontend.constants import AudioConstants, StreamPlan
from tinytrain.frontend.hash import frontend_hash
from tinytrain.frontend.limits import channels_of, working_bytes
from tinytrain.model import Model


def stream_constants(
    model: Model, plan: StreamPlan
) -> tuple[list[ConstantArray], list[ConstantStruct]]:
    """The front end's constants, and the stream's, whose struct holds the smoother's."""
    arrays, constants = constants_of(plan.frontend, f"{model.name}_{frontend_kind(plan)}")
    name = f"{model.name}_stream"
    found, smoother = constants_of(plan.smoother, f"{model.name}_smoother", f"{name}.smoother")
    members = (
        ("frontend", f"&{model.name}_frontend"),
        ("frames", str(plan.frames)),
        ("stride", str(plan.stride)),
        ("classes", str(plan.classes)),
        ("ring_capacity", str(plan.ring_capacity)),
        ("smoother", smoother.initializer),
    )
    numbers = tuple(member for member, _ in members[1:5])
    values = pack("<4i", plan.frames, plan.stride, plan.classes, plan.ring_capacity)
    own = ConstantBlock(name, f"&{name}.frames", values, "<4i", numbers)
    stream = ConstantStruct(name, "tt_stream_constants", members, (own, *smoother.runs))
    return [*arrays, *found], [constants, _frontend_struct(model, plan), stream]


def stream_values(plan: StreamPlan) -> dict[str, Any]:
    """What the templates say of the front end and the stream."""
    frontend = plan.frontend
    return {
        "hash": f"{frontend_hash(frontend):08x}",
        "outputs": frontend.outputs,
        "classes": plan.classes,
        "bytes": f"TT_STREAM_BYTES({working_bytes(frontend)}u, {plan.ring_capacity}u, "
        f"{channels_of(frontend)}u, {plan.frames}u, {frontend.outputs}u, "
        f"{plan.smoother.average}u, {plan.classes}u)",
    }


def frontend_kind(plan: StreamPlan) -> str:
    return "audio" if isinstance(plan.frontend, AudioConstants) else "motion"


def _frontend_struct(model: Model, plan: StreamPlan) -> ConstantStruct:
    kind, name = frontend_kind(plan), f"{model.name}_frontend"
    numbers = {
        "hash": frontend_hash(plan.frontend),
        "channels": channels_of(plan.frontend),
        "outputs": plan.frontend.outputs,
        "bytes": working_bytes(plan.frontend),
    }
    members = (
        ("functions", f"&tt_{kind}_frontend"),
        (kind, f"&{model.name}_{kind}"),
        *(
            (member, f"{value}u" if member == "hash" else str(value))
            for member, value in numbers.items()
        ),
    )
    data = pack("<I3i", *numbers.values())
    run = ConstantBlock(name, f"&{name}.hash", data, "<I3i", tuple(numbers))
    return ConstantStruct(name, "tt_frontend", members, (run,))
