"""Tables and the summary say what the figures are, in columns that line up."""

from __future__ import annotations

from tinytrain.adapt.experiment import Experiment, UserResult
from tinytrain.pipeline.bench import Bench, OperatorCost
from tinytrain.pipeline.tasks import TaskCheck
from tinytrain.pipeline.verify import Check, Verification
from tinytrain.report.summary import users_text
from tinytrain.report.tables import bench_text, table, task_check_text, verification_text
from tinytrain.training.checks import Finding


def test_text_is_to_the_left_and_numbers_to_the_right() -> None:
    text = table(("name", "bytes", "share"), [("a", 1234567, 0.5), ("longer", 8, 0.25)])
    assert text.splitlines() == [
        "name        bytes  share",
        "------  ---------  -----",
        "a       1,234,567  0.500",
        "longer          8  0.250",
    ]


def test_what_is_not_known_is_a_dash_and_stays_in_line() -> None:
    assert table(("n",), [(None,), (1000,)]).splitlines() == ["    n", "-----", "    -", "1,000"]


def test_a_table_without_rows_is_its_header() -> None:
    assert table(("name", "n"), []).splitlines() == ["name  n", "----  -"]


def test_a_difference_stands_out_and_what_agrees_says_so() -> None:
    checks = (
        Check("constants", 1234, "bytes", None),
        Check("inference", 200, "samples", "sample 3: emulator 1, device 2"),
    )
    text = verification_text(Verification("host", "20 real samples", checks))
    assert text.splitlines() == [
        "host against the emulator, on 20 real samples:",
        "  constants: 1,234 bytes, all bits equal",
        "  inference: 200 samples, DIFFERS: sample 3: emulator 1, device 2",
    ]


def test_a_verification_passes_only_without_a_difference() -> None:
    good, bad = Check("constants", 1, "bytes", None), Check("head", 1, "values", "where")
    assert Verification("host", "", (good, good)).passed
    assert not Verification("host", "", (good, bad)).passed


def test_bench_without_a_counter_says_which_targets_have_one() -> None:
    bench = Bench("host", None, None, (), None, 100, 20, None, None, None)
    assert "cortex-m" in bench_text(bench).splitlines()[-1]


def test_bench_of_operators_that_run_in_anothers_call_divides_by_nothing() -> None:
    """A chain's cost is its last operator's."""
    operators = (
        OperatorCost(0, "CONV_2D", "tt_conv_2d", 0, 1000, 0),
        OperatorCost(1, "ADD", "tt_add", 4000, 0, 5000),
    )
    bench = Bench("cortex-m4", 4000, None, operators, None, 100, 0, 0, 0, 64, cycles=5000)
    text = bench_text(bench).splitlines()
    assert text[3].split() == ["0", "CONV_2D", "tt_conv_2d", "1,000", "0", "-", "0", "0"]
    assert text[4].split() == ["1", "ADD", "tt_add", "-", "4,000", "-", "5,000", "100"]
    assert text[5].split() == ["-", "all", "1,000", "4,000", "4.000", "5,000", "100"]
    nothing = Bench("cortex-m4", 0, None, (), None, 100, 0, 0, 0, 64)
    assert "pip install" in bench_text(nothing)


def test_findings_beyond_the_first_of_a_kind_are_counted() -> None:
    findings = tuple(
        Finding("mislabelled", "warning", f"sample {i}", "looks odd", "look at it", i, f"{i}.wav")
        for i in range(13)
    )
    found = TaskCheck("words", (4,), ("a", "b"), ("Ann",), ((5, 5),), 6, 2, 2, ("Ann",), findings)
    lines = task_check_text(found).splitlines()
    assert sum(line.startswith("warning") for line in lines) == 10
    assert lines[-1].startswith("mislabelled: 3 more")


def test_the_experiment_ends_with_the_mean_of_its_people() -> None:
    def user(name: str, before: float, after: float) -> UserResult:
        return UserResult(name, 70, 140, before, after, after, 0.1, ((0, before), (140, after)))

    people = (user("person 1", 0.8, 0.9), user("person 2", 0.6, 0.9))
    lines = users_text(Experiment("watch", "cortex-m4", 0, people)).splitlines()
    assert "cortex-m4" in lines[0]
    assert "70 samples (140 steps)" in lines[0]
    assert lines[-1].split() == ["mean", "0.700", "0.900", "0.900", "0.100"]
