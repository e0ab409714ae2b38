"""Many trials: what a study of thousands takes to keep, to read, and to run.

    python benchmarks/scale.py records OUT [--count 10000]       write such a study into OUT/scale
    python benchmarks/scale.py read OLD NEW OUT [--repeats 3]    two checkouts reading it in turn
    python benchmarks/scale.py trials [--count 2000]             tiny trials on Ray

`read` prints seconds, their ratio and the peak memory of status, report and the page; `trials`
seconds for each and the driver's memory.
"""

import argparse
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import CODE

from benchmark.store import layout, planned, record_file, tables
from benchmark.study import methods, presets
from benchmark.study.syntax import Variant
from benchmark.study.trials import DataFacts, trials
from benchmark.training import evaluate
from benchmark.training.job import Destination
from benchmark.training.metrics import THRESHOLDS, Counts
from benchmark.training.trial import TrialJob

EPOCHS, CASES, N = 50, 60, len(THRESHOLDS)
_FEW = 20  # tiny trials that measure what starting costs
CHECKOUT = Path(__file__).resolve().parent.parent
_PEAK = (
    "import atexit; atexit.register(lambda: print(next(l for l in open('/proc/self/status') "
    "if l.startswith('VmHWM')).split()[1], file=sys.stderr)); "
)
VERBS = {
    "status": ("status", "--study", "scale"),
    "report": ("report", "--study", "scale"),
    "page": ("report", "--study", "scale", "--format", "html"),
}


def main() -> None:
    """Read the arguments, do one of the three."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = arguments.add_subparsers(dest="verb", required=True)
    written = verbs.add_parser("records")
    written.add_argument("out", type=Path)
    written.add_argument("--count", type=int, default=10_000)
    read = verbs.add_parser("read")
    read.add_argument("checkouts", nargs=2, type=Path)
    read.add_argument("out", type=Path)
    read.add_argument("--repeats", type=int, default=3)
    run = verbs.add_parser("trials")
    run.add_argument("--count", type=int, default=2_000)
    given = arguments.parse_args()
    if given.verb == "records":
        write_study(given.out / "scale", given.count)
    elif given.verb == "read":
        read_in_turn(given.checkouts, given.out, given.repeats)
    else:
        run_trials(given.count)


def write_study(folder: Path, count: int) -> None:
    """Four datasets, five budgets, all methods, as many seeds as it takes; scores are noise."""
    names = methods.names()
    seeds = -(-count // (4 * 5 * len(names)))
    study = presets.load(
        "paper", [f"training.epochs={EPOCHS}"], known_methods=names, name="scale",
        datasets=["a", "b", "c", "d"], labels=["1%", "2%", "5%", "10%", "20%"],
        seeds=[*range(seeds)],
    )  # fmt: skip
    facts = {name: methods.facts(name) for name in names}
    data = {name: DataFacts(hash=16 * name) for name in study.datasets}
    made = trials(study, [Variant(name) for name in names], facts, data)[:count]
    folder.mkdir(parents=True)
    (folder / layout.SETTINGS).write_text("name: scale\n")
    planned.add(folder, map(planned.row, made))
    for i, trial in enumerate(made):
        _write_trial(folder, trial)
        if i % 1000 == 999:
            print(f"{i + 1} of {len(made)}", flush=True)
    tables.rebuild(folder)


def _write_trial(folder: Path, trial) -> None:
    rng = np.random.default_rng(int(trial.key, 16))
    own = layout.trial_folder(folder, trial.key)
    own.mkdir(parents=True)
    at = {"supervised": 0.7}.get(trial.method, 0.72)
    rows = []
    for epoch in range(1, EPOCHS + 1):
        counts = _counts(rng, at * (1 - 0.5 ** (epoch / 5)))
        final = counts.at(N // 2)
        scores = evaluate._scores(final, []) | evaluate._best(counts, []) | evaluate._empty(final)
        losses = {"loss_supervised": float(rng.random()), "loss_own": float(rng.random())}
        rows.append(
            {"epoch": epoch, "step": 25 * epoch, "learning_rate": 0.003, **losses, **scores}
        )
    tables.write_table(own / "history.csv", rows)
    dc, ji = (evaluate.metrics.per_case(m, final)[:, 0]
              for m in (evaluate.metrics.dice, evaluate.metrics.jaccard))  # fmt: skip

    def at_argmax(case: int) -> dict[str, int]:
        counts = {"tp": final.tp, "fp": final.fp, "fn": final.fn}
        return {name: int(found[case].sum()) for name, found in counts.items()}

    tables.write_table(
        own / "cases.csv",
        [
            {"case": f"c{i}", "dc": dc[i], "ji": ji[i], "hd95_joint_voxels": 9.0, **at_argmax(i)}
            for i in range(CASES)
        ],
    )
    floor = {
        f"all_{what}_{metric}_{aggregate}": 0.0 if what == "background" else 0.6
        for what, metric, aggregate in itertools.product(
            ("background", "foreground"), ("dc", "ji"), ("pooled", "case")
        )
    }
    distances = {"hd95_joint_voxels": 9.0, "asd_joint_voxels": 2.0, "n_one_empty": 0}
    scores = {k: v for k, v in rows[-1].items() if re.match("(dc|ji|n)_", k)}
    labelled = round(1000 * trial.budget.share)
    found = TrialJob(trial)._record(
        Destination(folder, "scale", "paper"),
        status="done",
        metrics=scores | distances | evaluate.oracle(rows) | floor | {"n_lost_classes": 0},
        n_labelled=labelled, n_unlabelled=1000 - labelled, n_test=CASES,
        n_labelled_foreground=labelled,
        parameters=3_627_524, parameters_tested=1_813_762, flops_per_step=17_641_242_624,
        steps=25 * EPOCHS, seconds_train=100 + float(rng.random()), subset_hash="0" * 16,
        split_hash="0" * 16,
    )  # fmt: skip
    found.seconds_total, found.peak_memory_mib, found.device = 101.0, 900.0, "a processor"
    record_file.write(own, found)


def _counts(rng: np.random.Generator, share: float) -> Counts:
    """Of CASES cases at each threshold, around a share of hits that has its peak in the middle."""
    size = 16_384
    bend = 1 - ((np.arange(N) - N // 2) / N)[None, :, None] ** 2
    true = rng.integers(size // 8, size // 2, (CASES, 1, 1))
    hits = np.clip(share * bend * rng.uniform(0.8, 1.2, (CASES, 1, 1)), 0.01, 0.99)
    tp = (true * hits).astype(int)
    return Counts(tp, true - tp, true - tp)


def read_in_turn(checkouts: list[Path], out: Path, repeats: int) -> None:
    """Print the table of what each verb takes."""
    print("| verb | seconds, old | new | ratio | MiB, old | new |")
    print("|---|---|---|---|---|---|")
    for name, words in VERBS.items():
        found = [[_timed(c, (*words, "--results", str(out.resolve()))) for c in checkouts]
                 for _ in range(repeats)]  # fmt: skip
        seconds = [statistics.median(row[i][0] for row in found) for i in (0, 1)]
        ratio = statistics.median(new[0] / old[0] for old, new in found)
        memory = [max(row[i][1] for row in found) for i in (0, 1)]
        print(f"| {name} | {seconds[0]:.1f} | {seconds[1]:.1f} | {ratio:.2f} "
              f"| {memory[0]:.0f} | {memory[1]:.0f} |", flush=True)  # fmt: skip


def _timed(checkout: Path, words: tuple[str, ...]) -> tuple[float, float]:
    """Seconds of a command, and the peak of its memory in MiB."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {_PEAK}{CODE}", *words],
        env=os.environ | {"PYTHONPATH": str(checkout.resolve())},
        cwd=checkout,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, int(done.stderr.split()[-1]) / 1024


def run_trials(count: int) -> None:
    """Two trials at a time, each of two tiny steps; the driver is this process's child."""
    with tempfile.TemporaryDirectory() as folder:
        few, _ = _timed(CHECKOUT, _tiny(folder, _FEW))
        all_seconds, mib = _timed(CHECKOUT, _tiny(folder, count))
    each = (all_seconds - few) / (count - _FEW)
    print(
        f"{count} trials: {all_seconds:.0f} s, {each:.2f} s each after the first {_FEW}; "
        f"{mib:.0f} MiB"
    )


def _tiny(folder: str, count: int) -> tuple[str, ...]:
    """So many trials of one step on images of 32 × 32, in a study of their own."""
    return (
        "run", "--preset", "demo", "--study", f"tiny-{count}", "--methods", "supervised",
        "--labels", "20", "--seeds", f"{count}", "size=[32,32]", "network.widths=[4,8]",
        "network.dropout=[0,0]", "training.epochs=1", "training.steps_per_epoch=1",
        "--data-root", f"{folder}/data", "--results", f"{folder}/results",
    )  # fmt: skip


if __name__ == "__main__":
    main()
