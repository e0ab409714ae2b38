"""Memory of a step of `ours`: more rounds must not take more of it.

    python benchmarks/memory.py [--rounds 1,10]

Each number of rounds runs in a process of its own; prints the peak of the process and what a step
adds to what it held before, each with its ratio to the first.
"""

import argparse
import dataclasses
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from common import synthetic, trial_of

from benchmark import provenance
from benchmark.training import loop
from benchmark.training.batches import draw_batch
from benchmark.training.layout import arrange
from benchmark.training.trial import build_method

CPU = torch.device("cpu")


def main() -> None:
    """Read the arguments, print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", default="1,10")
    given = arguments.parse_args()
    rounds = list(map(int, given.rounds.split(",")))
    found = {}
    for number in rounds:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found[number] = pool.submit(measured, number).result()
    print("| rounds | MiB at the peak | ratio | MiB of a step | ratio |\n|---|---|---|---|---|")
    first = found[rounds[0]]
    for number, (peak, added) in found.items():
        print(
            f"| {number} | {peak:.0f} | {peak / first[0]:.2f} | {added:.0f} "
            f"| {added / first[1]:.2f} |"
        )


def measured(rounds: int) -> tuple[float, float]:
    """MiB at the peak of a step, and how many more than the process held before."""
    torch.set_num_threads(1)
    trial, data = trial_of("ours", 2, "float32", 4), synthetic(2, 8, 8, 1)
    trial = dataclasses.replace(trial, hyperparameters=trial.hyperparameters | {"rounds": rounds})
    method = arrange(build_method(trial, data), 2).train()
    optimiser, batch = loop.build_optimiser(method, trial.training), draw_batch(trial, data, 0, CPU)

    def step() -> None:
        loop.backward(method, batch, 0.5, "float32")
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    step()
    provenance.reset_peak_memory(CPU)
    before = provenance.peak_memory_mib(CPU)
    step()
    peak = provenance.peak_memory_mib(CPU)
    return peak, peak - before


if __name__ == "__main__":
    main()
