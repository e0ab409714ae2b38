"""An evaluation of 80 images: batches of several sizes, both precisions and layouts.

    python benchmarks/evaluation.py [--repeats 3]

Prints the share of the time of 16 images at a time, channels first, in float32.
"""

import argparse
from unittest import mock

import torch
from common import in_turn, synthetic, trial_of

from benchmark.training import evaluate, layout
from benchmark.training.inference import View
from benchmark.training.trial import build_method

CPU = torch.device("cpu")


def main() -> None:
    """Read the arguments, print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=3)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    data = synthetic(2, 1, 1, 80)
    work = {
        (batch, precision, how): _evaluation(data, batch, precision, how)
        for batch in (4, 8, 16, 32)
        for precision in ("float32", "bfloat16")
        for how in ("first", "as run")
    }
    times = in_turn(work, given.repeats)
    base = times[16, "float32", "first"]
    print(f"16 at a time, channels first, float32: {base:.2f} s\n")
    print("| at a time | float32, first | float32, as run | bfloat16, first | bfloat16, as run |")
    print("|---|---|---|---|---|")
    for batch in (4, 8, 16, 32):
        shares = [
            times[batch, p, how] / base
            for p in ("float32", "bfloat16")
            for how in ("first", "as run")
        ]
        print(f"| {batch} | {' | '.join(f'{share:.2f}' for share in shares)} |")


def _evaluation(data, batch: int, precision: str, how: str):
    method = build_method(trial_of("supervised", 2, precision, 4), data)
    view = View(data, CPU, None, precision)
    first = mock.patch.object(layout, "memory_format", lambda *_: torch.contiguous_format)

    def run():
        with mock.patch.object(evaluate, "_BATCH", batch):
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
