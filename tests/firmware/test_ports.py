"""The application on every target: same answers, every error as a status, no failure unseen."""

import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain.device.build import build
from tinytrain.device.process import open_host, open_qemu
from tinytrain.device.stream import StreamDevice
from tinytrain.errors import DeviceError
from tinytrain.protocol import Measure, Message, Region, Space, Status
from tinytrain.variants.instruction_set import InstructionSet

CORTEX = ["cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55"]

TinyProject = Callable[..., Path]

WEIGHTS = np.array([[20, -30, 40], [-50, 60, -70]], np.int8)
"""The tiny model's head: constant 0."""

rng = np.random.default_rng(1)
SAMPLES = rng.integers(-128, 128, (40, 6)).astype(np.int8)
LABELS = rng.integers(0, 2, 40)


INSTRUCTION_SETS = {
    "host": InstructionSet.PORTABLE,
    "cortex-m0": InstructionSet.V6M,
    "cortex-m4": InstructionSet.DSP,
    "cortex-m33": InstructionSet.DSP,
    "cortex-m55": InstructionSet.MVE,
}


def open_device(project: Path, target: str, timeout: float = 60.0) -> StreamDevice:
    folder = build(project, target)
    if target == "host":
        return open_host(folder, timeout)
    return open_qemu(folder, target, timeout)


@pytest.fixture(params=["host", *CORTEX])
def target(request: pytest.FixtureRequest, require_target: Callable[[str], None]) -> str:
    name: str = request.param
    require_target(name)
    return name


@pytest.fixture(params=CORTEX)
def cortex(request: pytest.FixtureRequest, require_arm_gcc: None, require_qemu: None) -> str:
    name: str = request.param
    return name


@pytest.fixture
def device(target: str, tiny_project: TinyProject) -> Iterator[StreamDevice]:
    with open_device(tiny_project(), target) as opened:
        yield opened


def tensors(x: NDArray[np.int8]) -> list[NDArray[np.int8]]:
    """The outputs of tiny.c's operators, by numpy."""
    negated = np.minimum(-x.astype(int), 127)
    features = (negated[:3] + negated[3:]) // 2
    output = np.minimum(features[:2] + np.arange(2), 127)
    return [t.astype(np.int8) for t in (negated, features, output)]


def learned(device: StreamDevice) -> tuple[list[int], bytes, bytes]:
    steps = device.learn_many(SAMPLES, LABELS)
    weights = device.read(Space.HEAD, Region.MASTER_WEIGHTS, 0, 12)
    return [step.crc for step in steps], weights, device.read(Space.HEAD, Region.ERROR, 0, 8)


def test_a_device_tells_what_it_runs(device: StreamDevice, target: str) -> None:
    info = device.info()
    assert (info.name, info.source_hash) == ("tiny", 0xDEADBEEF)
    assert (info.input_bytes, info.output_bytes, info.arena_bytes) == (6, 2, 18)
    assert (info.operators, info.constants, info.head_operator) == (3, 2, 2)
    assert (info.classes, info.features, info.rows) == (2, 3, 2)
    assert info.has_counter == (target != "host")
    assert info.instruction_set == INSTRUCTION_SETS[target]


def test_inference_and_its_trace_are_the_models(device: StreamDevice) -> None:
    expected = [tensors(x) for x in SAMPLES]
    assert np.array_equal(device.infer_many(SAMPLES), [t[-1] for t in expected])
    crcs = [[zlib.crc32(t.tobytes()) for t in sample] for sample in expected]
    assert np.array_equal(device.trace_many(SAMPLES), crcs)
    assert np.array_equal(device.infer(SAMPLES[0]), expected[0][-1])
    assert np.array_equal(device.trace(SAMPLES[0]), crcs[0])


def test_run_stops_where_it_is_told(device: StreamDevice) -> None:
    device.run(SAMPLES[0], 3)
    negated, features, output = tensors(SAMPLES[1])
    old_output = tensors(SAMPLES[0])[-1]
    device.run(SAMPLES[1], 2)
    assert device.read(Space.ARENA, 0, 6, 6) == negated.tobytes()
    assert device.read(Space.ARENA, 0, 12, 3) == features.tobytes()
    assert device.read(Space.ARENA, 0, 16, 2) == old_output.tobytes()
    device.run(SAMPLES[1], 3)
    assert device.read(Space.ARENA, 0, 16, 2) == output.tobytes()


def test_constants_and_the_factory_head_can_be_read(device: StreamDevice) -> None:
    assert device.read(Space.CONSTANT, 0, 0, 6) == WEIGHTS.tobytes()
    assert device.read(Space.CONSTANT, 0, 2, 3) == WEIGHTS.tobytes()[2:5]
    assert device.read(Space.CONSTANT, 0, 6, 0) == b""
    masters = device.read(Space.HEAD, Region.MASTER_WEIGHTS, 0, 12)
    assert masters == (WEIGHTS.astype("<i2") * 128).tobytes()


def test_learning_gives_the_same_bits_on_every_target_and_again_after_a_reset(
    device: StreamDevice, tiny_project: TinyProject
) -> None:
    with open_device(tiny_project(), "host") as host:
        expected = learned(host)
    assert learned(device) == expected
    assert len(set(expected[0])) > 1
    device.reset()
    assert learned(device) == expected


def test_a_class_can_be_added_learned_and_forgotten(device: StreamDevice) -> None:
    """The new row is the mean of the two; then the third and last row of memory is in use."""
    rows = WEIGHTS.astype(int) * 128
    assert device.add_class() == 2
    assert answer(device, Message.ADD_CLASS, b"") == Status.FULL
    weights = np.frombuffer(device.read(Space.HEAD, Region.MASTER_WEIGHTS, 0, 18), "<i2")
    assert weights.reshape(3, 3).tolist() == [*rows.tolist(), (rows.sum(axis=0) / 2).tolist()]
    assert device.read(Space.HEAD, Region.MASTER_BIAS, 8, 4) == bytes(4)
    assert device.classify(SAMPLES[0])[1].shape == (3,)
    assert device.learn(SAMPLES[0], 2).rows_written > 0
    device.reset()
    assert answer(device, Message.LEARN, b"\2\0" + bytes(6)) == Status.LABEL


def test_classify_tells_the_logits(device: StreamDevice) -> None:
    label, logits = device.classify(SAMPLES[3])
    assert logits.shape == (2,)
    assert label == np.argmax(logits)
    assert device.read(Space.HEAD, Region.LOGITS, 0, 8) == logits.tobytes()
    assert device.classify_many(SAMPLES)[3] == label


def test_learning_reports_rows_and_the_class_from_before(device: StreamDevice) -> None:
    for x, y in zip(SAMPLES, LABELS, strict=True):
        before, _ = device.classify(x)
        step = device.learn(x, int(y))
        assert step.predicted == before
        written = device.read(Space.HEAD, Region.WRITTEN, 0, 2 * step.rows_written)
        assert len(written) == 2 * step.rows_written


BAD_REQUESTS = [
    (Message.INFO, b"\1", Status.LENGTH),
    (Message.INFER, b"", Status.LENGTH),
    (Message.INFER, bytes(5), Status.LENGTH),
    (Message.INFER, bytes(7), Status.LENGTH),
    (Message.TRACE, bytes(7), Status.LENGTH),
    (Message.RUN, b"\0", Status.LENGTH),
    (Message.RUN, b"\4\0" + bytes(6), Status.RANGE),
    (Message.READ, bytes(11), Status.LENGTH),
    (Message.READ, bytes.fromhex("0400 0000 00000000 01000000"), Status.RANGE),
    (Message.READ, bytes.fromhex("0300 0000 00000000 01000000"), Status.NO_LEARNER),
    (Message.READ, bytes.fromhex("0000 0100 00000000 01000000"), Status.RANGE),
    (Message.READ, bytes.fromhex("0000 0000 12000000 01000000"), Status.RANGE),
    (Message.READ, bytes.fromhex("0000 0000 00000000 13000000"), Status.RANGE),
    (Message.READ, bytes.fromhex("0000 0000 ffffffff 02000000"), Status.RANGE),
    (Message.READ, bytes.fromhex("0000 0000 02000000 ffffffff"), Status.RANGE),
    (Message.READ, bytes.fromhex("0100 0200 00000000 01000000"), Status.RANGE),
    (Message.READ, bytes.fromhex("0200 0700 00000000 01000000"), Status.RANGE),
    (Message.READ, bytes.fromhex("0200 0500 00000000 02000000"), Status.RANGE),
    (Message.CLASSIFY, bytes(7), Status.LENGTH),
    (Message.LEARN, bytes(6), Status.LENGTH),
    (Message.LEARN, b"\2\0" + bytes(6), Status.LABEL),
    (Message.LEARN, b"\xff\xff" + bytes(6), Status.LABEL),
    (Message.RESET, b"\0", Status.LENGTH),
    (Message.MEASURE, bytes(9), Status.LENGTH),
    (Message.ADD_CLASS, b"\0", Status.LENGTH),
    (Message.OBSERVE, bytes(7), Status.LENGTH),
    (Message.ROLL_BACK, b"\0", Status.LENGTH),
    (Message.ROLL_BACK, b"\1\0", Status.RANGE),
    (Message.NEW_DAY, b"\0", Status.LENGTH),
    (Message.NEW_DAY, b"", Status.NO_LEARNER),
    (Message.END_SESSION, b"\0", Status.LENGTH),
    (15, b"", Status.MESSAGE),
    (0x7F, b"", Status.MESSAGE),
    (0xFF, b"", Status.MESSAGE),
]


def test_a_wrong_request_is_answered_with_its_status_and_changes_nothing(
    device: StreamDevice, target: str
) -> None:
    counted = target != "host"
    measured = [
        (b"\5\0\0\0" + bytes(6), Status.RANGE if counted else Status.UNSUPPORTED),
        (b"\xff\xff\0\0" + bytes(6), Status.RANGE if counted else Status.UNSUPPORTED),
        (b"\1\0\2\0" + bytes(6), Status.LABEL if counted else Status.UNSUPPORTED),
    ]
    first = device.learn(SAMPLES[0], 1)
    device.reset()
    for message, payload, status in BAD_REQUESTS:
        assert answer(device, message, payload) == status, (message, payload)
    for payload, status in measured:
        assert answer(device, Message.MEASURE, payload) == status, payload
    assert device.learn(SAMPLES[0], 1) == first


def test_another_protocol_version_is_refused(device: StreamDevice) -> None:
    assert answer(device, Message.INFO, b"", version=2) == Status.VERSION
    assert device.info().name == "tiny"


def answer(device: StreamDevice, message: int, payload: bytes, version: int = 1) -> int:
    """The status that a request of our own making gets."""
    reply = device.exchange(message, payload, version)
    return int.from_bytes(reply[:4], "little", signed=True)


def test_a_model_without_a_head_infers_and_refuses_to_learn(
    target: str, tiny_project: TinyProject
) -> None:
    project = tiny_project(
        TT_MODEL_CLASSES=0, TT_MODEL_CAPACITY=0, TT_MODEL_FEATURES=0, TT_MODEL_HEAD_BYTES=0
    )
    with open_device(project, target) as device:
        assert device.info().classes == 0
        assert device.info().head_operator == 3
        assert np.array_equal(device.infer(SAMPLES[0]), tensors(SAMPLES[0])[-1])
        for call in (
            lambda: device.learn(SAMPLES[0], 0),
            lambda: device.classify(SAMPLES[0]),
            lambda: device.read(Space.HEAD, Region.LOGITS, 0, 4),
        ):
            with pytest.raises(DeviceError, match="no learning head"):
                call()


def test_instruction_counts_are_exact(cortex: str, tiny_project: TinyProject) -> None:
    """The fault-injecting model spins (x - 9) million passes of three instructions at x >= 10."""
    with open_device(tiny_project(TINY_FAULTS=1), cortex) as device:
        x = np.zeros(6, np.int8)
        costs = {}
        for how in (10, 11, 30):
            x[0] = how
            costs[how] = device.measure(Measure.OPERATOR, x).instructions
        assert costs[11] - costs[10] == 3_000_000
        assert costs[30] - costs[10] == 60_000_000
        x[0] = 10
        again = {device.measure(Measure.OPERATOR, x).instructions for _ in range(5)}
        assert again == {costs[10]}


def test_measuring_counts_what_was_asked(cortex: str, tiny_project: TinyProject) -> None:
    with open_device(tiny_project(), cortex) as device:
        whole = device.measure(Measure.INFERENCE, SAMPLES[0])
        parts = [device.measure(Measure.OPERATOR + i, SAMPLES[0]) for i in range(3)]
        step = device.measure(Measure.LEARN_STEP, SAMPLES[0], 1)
    assert max(p.instructions for p in parts) < whole.instructions
    assert whole.instructions < sum(p.instructions for p in parts)
    assert step.instructions > 100
    assert 0 < whole.stack_bytes <= step.stack_bytes < 1024


FAULTS = {
    1: ("stack overflow", "stack-overflow"),
    2: ("hard fault", "AddressSanitizer"),
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_crash_is_reported_with_its_reason(
    how: int, target: str, tiny_project: TinyProject
) -> None:
    reason = FAULTS[how][target == "host"]
    with (
        open_device(tiny_project(TINY_FAULTS=1), target) as device,
        pytest.raises(DeviceError, match=reason),
    ):
        device.infer(np.array([how, 0, 0, 0, 0, 0], np.int8))


@pytest.mark.parametrize(
    ("machine", "reason"), [("host", "misaligned address"), ("cortex-m0", "hard fault")]
)
def test_an_unaligned_access_does_not_go_unseen(
    machine: str,
    reason: str,
    tiny_project: TinyProject,
    require_target: Callable[[str], None],
) -> None:
    require_target(machine)
    with (
        open_device(tiny_project(TINY_FAULTS=1), machine) as device,
        pytest.raises(DeviceError, match=reason),
    ):
        device.infer(np.array([4, 0, 0, 0, 0, 0], np.int8))


def test_a_hanging_device_is_ended(target: str, tiny_project: TinyProject) -> None:
    with (
        open_device(tiny_project(TINY_FAULTS=1), target, timeout=1.0) as device,
        pytest.raises(DeviceError, match="no answer"),
    ):
        device.infer(np.array([3, 0, 0, 0, 0, 0], np.int8))


def selftest(project: Path, target: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--silent", "-C", str(project), f"TARGET={target}", "selftest"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_self_test_passes(target: str, tiny_project: TinyProject) -> None:
    result = selftest(tiny_project(), target)
    assert (result.returncode, result.stdout) == (0, "golden: 2 of 2 samples equal\n")


def test_one_wrong_golden_bit_fails_the_self_test(
    target: str, tiny_project: TinyProject, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(tiny_project(), project, symlinks=True, ignore=shutil.ignore_patterns("build"))
    golden = project / "model" / "golden.c"
    golden.write_text(golden.read_text().replace("130}", "131}"))
    result = selftest(project, target)
    assert result.returncode != 0
    assert result.stdout == "golden: 1 of 2 samples equal\n"
