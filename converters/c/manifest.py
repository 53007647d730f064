"""What a project says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tinytrain import __version__
from tinytrain.converters.c.stream import frontend_kind
from tinytrain.converters.formats import Source
from tinytrain.frontend.columns import Columns
from tinytrain.frontend.constants import StreamPlan
from tinytrain.frontend.file import FRONTEND_FILE, frontend_bytes
from tinytrain.frontend.hash import frontend_hash
from tinytrain.frontend.limits import channels_of
from tinytrain.graph import Tensor
from tinytrain.head import Head
from tinytrain.learner import Kind, LearnerParts
from tinytrain.learner_file import learner_bytes
from tinytrain.model import Model
from tinytrain.statistics import Statistics

MANIFEST_FORMAT = 2


def manifest_of(model: Model, source: Source) -> dict[str, Any]:
    """What the project says of itself; DESIGN.md ("The C project") describes every key."""
    return {
        "format": MANIFEST_FORMAT,
        "tinytrain": __version__,
        "name": model.name,
        "source": {
            "file": source.file,
            "format": source.format,
            "sha256": model.source_sha256,
            "bytes": len(source.data),
        },
        "optimize": model.optimize.name,
        "macs": model.macs,
        "weights": model.weight_bytes,
        "arena": model.memory.arena_bytes,
        "ram": model.ram,
        "inputs": [_tensor_entry(tensor) for tensor in model.inputs],
        "outputs": [_tensor_entry(tensor) for tensor in model.outputs],
        "variables": [_tensor_entry(model.graph.tensors[i]) for i in model.graph.variables],
        "operators": [
            {
                "index": kernel.index,
                "name": kernel.kind,
                "kernel": model.variants[kernel.index].kernel,
                "output": model.graph.tensors[kernel.outputs[0]].name,
                "macs": kernel.macs,
            }
            for kernel in model.kernels
        ],
        "head": None if model.head is None else _head_entry(model.head),
        "learner": None if model.learner is None else _learner_entry(model.learner),
        **(
            {}
            if model.statistics is None
            else {"statistics": _statistics_entry(model, model.statistics)}
        ),
        **(
            {}
            if model.stream is None
            else {"frontend": _frontend_entry(model.stream, model.columns)}
        ),
    }


def _tensor_entry(tensor: Tensor) -> dict[str, Any]:
    found = tensor.quantization
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": float(found.scale[0]) if found else None,
        "zero_point": int(found.zero_point[0]) if found else None,
    }


def _head_entry(head: Head) -> Mapping[str, Any]:
    return {
        "operator": head.operator,
        "classes": head.constants.classes,
        "features": head.constants.features,
        "eta": head.options.eta,
        "tau": head.options.tau,
        "rows": head.options.rows,
        "reserved": head.options.reserved,
        "masters": head.options.masters,
        "energy": head.energy,
        "energy_measured": head.options.energy is not None,
    }


def _learner_entry(learner: LearnerParts) -> Mapping[str, Any]:
    return {
        "kind": Kind(learner.rules.kind).name.lower().replace("_", "+"),
        "blended": learner.blended,
        "guard": bool(learner.rules.guard),
        "slots": learner.rules.slots,
        "sha256": sha256(learner_bytes(learner)).hexdigest(),
    }


def _frontend_entry(plan: StreamPlan, columns: Columns | None) -> Mapping[str, Any]:
    return {
        "file": FRONTEND_FILE,
        "sha256": sha256(frontend_bytes(plan)).hexdigest(),
        "hash": f"{frontend_hash(plan.frontend):08x}",
        "kind": frontend_kind(plan),
        "rate": plan.frontend.rate,
        "channels": channels_of(plan.frontend),
        "outputs": plan.frontend.outputs,
        "frames": plan.frames,
        "stride": plan.stride,
        **({} if columns is None else {"columns": columns.as_json()}),
    }


def _statistics_entry(model: Model, statistics: Statistics) -> Mapping[str, Any]:
    return {
        "operators": [layer.operator_index for layer in statistics.layers],
        "samples": statistics.options.samples,
        "share": statistics.options.share,
        "guard": statistics.options.guard,
        "bytes": model.statistics_bytes,
        "sha256": sha256(statistics.stored).hexdigest(),
    }
