"""What a training step of each method costs, as a multiple of a step of `supervised`.

    python benchmarks/cost.py [--methods all] [--size 64] [--repeats 15] > table.csv

All methods take their steps in turn on one thread, in images of the preset `cpu`'s size, batches
and precision; a step is its batch, loss, gradients, optimiser and what follows. Prints, as CSV:
method, median milliseconds, and the median over the repetitions of its time by `supervised`'s.
"""

import argparse
import statistics
from collections.abc import Callable

import common
import torch
from common import synthetic, times_in_turn, trial_of
from step import parts_of_a_step

from benchmark.data.split.trial_data import TrialData
from benchmark.study import methods


def main() -> None:
    """Read the arguments, print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--methods", default="all")
    arguments.add_argument("--size", type=int, default=64)
    arguments.add_argument("--repeats", type=int, default=15)
    arguments.add_argument("--precision", default="bfloat16")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    common.SIDES[2] = (given.size, given.size)
    asked = methods.defaults() if given.methods == "all" else given.methods.split(",")
    names = list(dict.fromkeys(["supervised", *asked]))
    data = synthetic(2, 8, 16, 1)
    work = {name: _step(name, given.precision, data) for name in names}
    times = times_in_turn(work, given.repeats)
    print("method,milliseconds,of_supervised")
    for name in sorted(names):
        shares = [own / base for own, base in zip(times[name], times["supervised"], strict=True)]
        print(f"{name},{1000 * statistics.median(times[name]):.1f},{statistics.median(shares):.2f}")


def _step(method: str, precision: str, data: TrialData) -> Callable[[], None]:
    whole, _, _ = parts_of_a_step(trial_of(method, 2, precision, 4), data, is_arranged=True)
    return whole


if __name__ == "__main__":
    main()
