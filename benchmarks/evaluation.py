"""An evaluation of 80 images: batches of several sizes, both precisions and layouts.

    python benchmarks/evaluation.py [--repeats 3] [--images 80]

Prints the share of the time of 16 images at a time, channels first, in float32; and of a volume the
share of the time of one window at a time.
"""

import argparse
from functools import partial
from unittest import mock

import torch
from common import in_turn, synthetic, trial_of

from benchmark.training import evaluate, inference, layout
from benchmark.training.inference import View
from benchmark.training.trial import build_method

CPU = torch.device("cpu")
BATCHES, WINDOWS = (4, 8, 16, 32), (1, 2, 4, 8)


def main() -> None:
    """Read the arguments, print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--images", type=int, default=80)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    print_images(given.images, given.repeats)
    print_windows(given.repeats)


def print_images(count: int, repeats: int) -> None:
    data = synthetic(2, 1, 1, count)
    work = {
        (batch, precision, how): _evaluation(data, batch, precision, how)
        for batch in BATCHES
        for precision in ("float32", "bfloat16")
        for how in ("first", "as run")
    }
    times = in_turn(work, repeats)
    base = times[16, "float32", "first"]
    print(f"16 at a time, channels first, float32: {base:.2f} s\n")
    print("| at a time | float32, first | float32, as run | bfloat16, first | bfloat16, as run |")
    print("|---|---|---|---|---|")
    for batch in BATCHES:
        shares = [
            times[batch, p, how] / base
            for p in ("float32", "bfloat16")
            for how in ("first", "as run")
        ]
        print(f"| {batch} | {' | '.join(f'{share:.2f}' for share in shares)} |")


def print_windows(repeats: int) -> None:
    """Of a volume, which takes as many of them as three by three by three."""
    data = synthetic(3, 1, 1, 1)
    trial = trial_of("supervised", 3, "float32", 2)
    view = View(data, CPU, [64, 64, 48], "float32")
    method = build_method(trial, data)
    layout.arrange(method, 3)

    def run(windows: int) -> None:
        with mock.patch.object(inference, "_WINDOWS", windows):
            evaluate.evaluate(method, view)

    times = in_turn({n: partial(run, n) for n in WINDOWS}, repeats)
    print("\n| windows at a time | of one at a time |")
    print("|---|---|")
    for windows, seconds in times.items():
        print(f"| {windows} | {seconds / times[1]:.2f} |")


def _evaluation(data, batch: int, precision: str, how: str):
    method = build_method(trial_of("supervised", 2, precision, 4), data)
    view = View(data, CPU, None, precision)
    first = mock.patch.object(layout, "memory_format", lambda *_: torch.contiguous_format)

    def run():
        with mock.patch.object(inference, "_BATCH", batch):
            if how == "as run":
                evaluate.evaluate(method, view)
            else:
                with first:
                    evaluate.evaluate(method, view)

    if how == "as run":
        layout.arrange(method, 2)
    return run


if __name__ == "__main__":
    main()
