"""Quantize: a Keras network to a full int8 .tflite with TensorFlow's converter, quietly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.training.data import DataSet
from tinytrain.training.fit import split_of
from tinytrain.training.libraries import quiet_standard_error
from tinytrain.training.network import Model, as_network_input, load_tensorflow
from tinytrain.training.tasks import Task


def quantize(model: Model, windows: NDArray[np.int8]) -> bytes:
    """The bytes of a .tflite: int8 in and out, weights per channel, batch of 1.

    `windows` (n, T, C) int8 are training windows that set the activation ranges. The whole int8
    range is shown to the input, so that its scale is 1/128 and its zero point 0: the int8 windows
    of the data set are the network's input as they are.
    """
    if windows.dtype != np.int8 or windows.shape[1:] != model.input_shape[1:] or not len(windows):
        raise InputError(
            f"calibration windows are {windows.dtype} {windows.shape}; "
            f"needed are int8 (n, {', '.join(map(str, model.input_shape[1:]))}), n at least 1"
        )
    return to_tflite(model, [as_network_input(_with_full_range(windows))])


def to_tflite(model: Model, samples: Sequence[NDArray[np.float32]]) -> bytes:
    """The bytes of a .tflite of any Keras network: int8 in and out, weights per channel.

    `samples`: for each input of the network (n, *shape), which set the ranges of activations and
    the shape of the input, whose batch is 1. Raises InputError where TensorFlow cannot convert the
    network.
    """
    tensorflow = load_tensorflow()

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for sample in zip(*samples, strict=True):
            yield [array[None] for array in sample]

    signatures = [
        tensorflow.TensorSpec((1, *array.shape[1:]), tensorflow.float32, source.name)
        for source, array in zip(model.inputs, samples, strict=True)
    ]
    forward = tensorflow.function(
        lambda *given: model(given[0] if len(given) == 1 else [*given], training=False)
    )
    with quiet_standard_error(), warnings.catch_warnings():
        # The converter misses statistics for an int8 input, which calibration is about to find.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        try:
            concrete = forward.get_concrete_function(*signatures)
            converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([concrete])
            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative
            converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tensorflow.int8
            converter.inference_output_type = tensorflow.int8
            return bytes(converter.convert())
        except Exception as error:
            # TensorFlow raises most kinds; the first line says what it is about.
            first = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise InputError(
                f"model {model.name!r}: TensorFlow cannot make it int8: {first[0][:300]}"
            ) from error


def calibration_windows(task: Task, dataset: DataSet, seed: int) -> NDArray[np.int8]:
    """The task's number of windows (n, T, C) of training people, chosen by `seed`, for `quantize`.

    All of them where there are fewer.
    """
    train = split_of(task, dataset, seed).train
    chosen = np.random.default_rng(seed).permutation(train)[: task.calibration_windows]
    windows: NDArray[np.int8] = dataset.x[np.sort(chosen)]
    return windows


def _with_full_range(windows: NDArray[np.int8]) -> NDArray[np.int8]:
    """The windows, with a value at -128 and one at 127 where they do not reach that far."""
    full: NDArray[np.int8] = windows.copy()
    if full.min() > -128:
        full.flat[full.argmin()] = -128
    if full.max() < 127:
        full.flat[full.argmax()] = 127
    return full
