"""A training step: each method, in images and volumes, in both precisions and layouts.

    python benchmarks/step.py [--methods em,cps] [--dims 2,3] [--patch 112,112,80] [--repeats 5]

Prints, as Markdown: milliseconds with channels first, the share of that in the layout that a run
uses, the share of the step outside loss and gradients (drawing the batch, the optimiser), and the
share of what the processor does in matrix products.
"""

import argparse
from unittest import mock

import common
import torch
from common import in_turn, peak, synthetic, trial_of

from benchmark.training import layout, loop
from benchmark.training.batches import draw_batch
from benchmark.training.trial import build_method

CPU = torch.device("cpu")


def main() -> None:
    """Read the arguments, print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--methods", default="supervised,em,cps,mean_teacher,ours")
    arguments.add_argument("--dims", default="2")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--patch", default="112,112,80", help="Sides of a volume's patch.")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    common.SIDES[3] = tuple(map(int, given.patch.split(",")))
    peaks = {name: peak(getattr(torch, name)) for name in ("float32", "bfloat16")}
    print(
        ", ".join(
            f"{name}: {value:.0f} GFLOP/s in matrix products" for name, value in peaks.items()
        )
    )
    print("\n| method | dims | precision | channels first, ms | as run | outside | of peak |")
    print("|---|---|---|---|---|---|---|")
    for dims in map(int, given.dims.split(",")):
        for method in given.methods.split(","):
            for precision, fastest in peaks.items():
                print(row(method, dims, precision, fastest, given.repeats), flush=True)


def row(method: str, dims: int, precision: str, fastest: float, repeats: int) -> str:
    """A line of the table."""
    batch = 4 if dims == 2 else 1
    data, trial = synthetic(dims, 8, 16, 1), trial_of(method, dims, precision, batch)
    work, flops = {}, 0
    for name in ("first", "as run"):
        whole, core, flops = parts_of_a_step(trial, data, is_arranged=name == "as run")
        work |= {name: whole, f"{name}, core": core}
    times = in_turn(work, repeats)
    first, run, core = times["first"], times["as run"], times["as run, core"]
    return (
        f"| {method} | {dims} | {precision} | {1000 * first:.0f} | {run / first:.2f} "
        f"| {max(0.0, 1 - core / run):.1%} | {flops / run / 1e9 / fastest:.0%} |"
    )


def parts_of_a_step(trial, data, *, is_arranged: bool):
    """(a whole step, its loss and gradients alone, its floating-point operations)."""
    dims, precision = data.spatial_dims, trial.conditions.precision
    first = mock.patch.object(layout, "memory_format", lambda *_: torch.contiguous_format)

    def draw():
        if is_arranged:
            return draw_batch(trial, data, 0, CPU)
        with first:
            return draw_batch(trial, data, 0, CPU)

    method = build_method(trial, data).train()
    if is_arranged:
        layout.arrange(method, dims)
    optimiser, batch = loop.build_optimiser(method, trial.training), draw()
    with loop.counting_flops() as counter:
        loop.backward(method, batch, 0.5, precision)

    def core():
        loop.backward(method, batch, 0.5, precision)

    def whole():
        loop.backward(method, draw(), 0.5, precision)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        method.after_step(0.5)

    return whole, core, counter.get_total_flops()


if __name__ == "__main__":
    main()
