"""TensorFlow and Keras: imported late, quietly, and so that the same seed gives the same bits."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from tinytrain.errors import InputError

Model = Any
"""A `keras.Model`; Keras is imported late, so its types are not at hand here."""

Library = Any
"""The module tensorflow or keras."""

Tensor = Any
"""A `tensorflow.Tensor` or `keras.KerasTensor`."""

_THREADS = 2


def load_tensorflow() -> Library:
    """Import TensorFlow, quietly, so that two runs on the same machine give the same bits.

    Sums are split over threads, so their number is fixed: it would change the last bits. oneDNN's
    convolutions halve a step; they depend on the machine's vector unit, and so do those of Eigen.
    Raises InputError where it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        # It says on standard error, past any setting, that oneDNN is on.
        with nullcontext() if "tensorflow" in sys.modules else quiet_standard_error():
            import tensorflow
    except ImportError as error:
        raise InputError(
            "this needs TensorFlow, which is not installed: pip install 'tinytrain[train]'"
        ) from error
    tensorflow.config.threading.set_intra_op_parallelism_threads(_THREADS)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow


def load_keras() -> Library:
    """Import Keras on TensorFlow."""
    load_tensorflow()
    import keras

    return keras


def make_deterministic(seed: int) -> None:
    """Seed Python, numpy and TensorFlow, and forbid operators that depend on thread timing."""
    load_keras().utils.set_random_seed(seed)
    load_tensorflow().config.experimental.enable_op_determinism()


@contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Hold back what C++ writes to file descriptor 2; show it after all if the block fails, but
    for an InputError, a missing package or an interruption, which say it all.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except (InputError, ImportError, KeyboardInterrupt):
            raise
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
