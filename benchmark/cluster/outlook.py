"""What a plan would run, in words; without what only the running needs, which loads slowly."""

from dataclasses import replace

from benchmark.store import record
from benchmark.study.plan import Plan
from benchmark.wording import counted

_LISTED = 20  # trials of a dry run, without -v


def with_done(plan: Plan) -> Plan:
    """The plan with the trials whose records say that they are done."""
    return replace(plan, done=frozenset(record.done_keys(plan.folder)))


def describe(plan: Plan) -> list[str]:
    """What would run, what is done, and how many images each budget labels."""
    missing = plan.missing
    wanted = {trial.pretraining.key for trial in missing if trial.pretraining}
    before = sum(record.usable_pretraining(plan.folder, key) is None for key in wanted)
    first = f", after {counted(before, 'pretraining')} without labels" if before else ""
    return [
        f"study {plan.study.name} (preset {plan.study.preset}) in {plan.folder}",
        f"evaluated on: {plan.study.conditions.evaluate_on}",
        *plan.labelled_counts(),
        f"{_count(plan)}: {len(plan.own) - len(missing)} done, {len(missing)} to run{first}",
    ]


def listed(plan: Plan, *, verbose: bool) -> list[str]:
    """Keys and names of the trials that would run; of many, the first."""
    missing = plan.missing
    shown = missing if verbose else missing[:_LISTED]
    lines = [f"  {trial.key}  {trial.label}" for trial in shown]
    if len(shown) < len(missing):
        lines.append(f"  … and {len(missing) - len(shown)} more (-v shows all)")
    return lines


def _count(plan: Plan) -> str:
    if plan.shard.is_whole:
        return counted(len(plan.trials), "trial")
    part = f"shard {plan.shard.index}/{plan.shard.count}"
    return f"{part}, {len(plan.own)} of {counted(len(plan.trials), 'trial')}"
