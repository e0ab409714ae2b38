"""What a GPU makes of it, in ten minutes: one Markdown table, to be sent to us.

    python benchmarks/gpu.py [--methods supervised,cps,mean_teacher,ours] [--dims 2,3]

Milliseconds of a step in float32, TF32 and bfloat16, and peak memory; the share
of a step in which the GPU computes; then 1, 2 and 4 processes side by side: steps a second of all
together. Nobody has run it here: there was no GPU.
"""

import argparse
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from common import synthetic, trial_of

from benchmark import provenance
from benchmark.forecast.probe import computing
from benchmark.training import job as jobs
from benchmark.training import loop
from benchmark.training.layout import arrange
from benchmark.training.trial import build_method, stage_of

GPU = torch.device("cuda")
PRECISIONS = ("float32", "tf32", "bfloat16")
SECONDS = 5.0  # of each measurement


def main() -> None:
    """Read the arguments, print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--methods", default="supervised,cps,mean_teacher,ours")
    arguments.add_argument("--dims", default="2,3")
    given = arguments.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU: this script measures nothing else")
    print(f"{provenance.device_name(GPU)}, torch {torch.__version__}\n")
    print("| method | dims | precision | ms a step | MiB | GPU busy | x2 | x4 |")
    print("|---|---|---|---|---|---|---|---|")
    for dims in map(int, given.dims.split(",")):
        for method in given.methods.split(","):
            for precision in PRECISIONS:
                print(row(method, dims, precision), flush=True)


def row(method: str, dims: int, precision: str) -> str:
    """A line of the table; x2 and x4: steps a second of so many processes, against one alone."""
    alone = _side_by_side(1, method, dims, precision)
    ms, mib, busy = alone[0]
    more = []
    for n in (2, 4):
        try:
            found = _side_by_side(n, method, dims, precision)
            more.append(f"{sum(ms / each for each, _, _ in found):.2f}")
        except torch.OutOfMemoryError:
            more.append("out of memory")
    return (
        f"| {method} | {dims} | {precision} | {ms:.1f} | {mib:.0f} "
        f"| {busy:.0%} | {' | '.join(more)} |"
    )


def _side_by_side(n: int, *what: object) -> list[tuple[float, float, float]]:
    with ProcessPoolExecutor(n, mp_context=get_context("spawn")) as pool:
        return [found.result() for found in [pool.submit(measured, *what) for _ in range(n)]]


def measured(method: str, dims: int, precision: str) -> tuple[float, float, float]:
    """(milliseconds of a step, MiB at the peak, share of a step in which the GPU computes)."""
    trial, data = trial_of(method, dims, precision, 4), synthetic(dims, 16, 64, 1)
    jobs.settle(trial.conditions, GPU)
    network = arrange(build_method(trial, data).to(GPU), dims).train()
    stage, optimiser = stage_of(trial, data, GPU), loop.build_optimiser(network, trial.training)

    def step(number: int) -> None:
        loop.gradients(stage, network, number, GPU)
        loop.advance(stage, network, optimiser, number)

    for number in range(5):
        step(number)
    torch.cuda.synchronize()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        started = time.perf_counter()
        for number in range(10):  # as in the loop, which asks the GPU nothing in between
            step(number)
        torch.cuda.synchronize()
        times.append((time.perf_counter() - started) / 10)
    each = statistics.median(times)
    return 1000 * each, provenance.peak_memory_mib(GPU), min(computing(lambda: step(0)) / each, 1.0)


if __name__ == "__main__":
    main()
