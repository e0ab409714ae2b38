"""What a plan would run, in words; without what only the running needs, which loads slowly."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmark.store import checkpoints, datasets, layout, record_file
from benchmark.study import sources
from benchmark.study.plan import Plan
from benchmark.study.trials import Trial
from benchmark.wording import counted

_LISTED = 20  # trials of a dry run, without -v


def with_done(plan: Plan, *, mend: Iterable[Trial] = ()) -> Plan:
    """The plan with the trials whose records say that they are done, and by which code.

    mend: trials whose damaged records are set aside, as a run may that holds the study.
    """
    own = {trial.key for trial in plan.own}
    done, older, by_other_tool = set(), Counter(), 0
    there = record_file.survey(plan.folder)
    for found in there.records:
        if not found.is_done:
            continue
        code = sources.code_of(found.method)
        has_older = found.method_code not in ("", code.method)
        if has_older and found.method in plan.rerun:
            continue
        done.add(found.key)
        if found.key in own:
            older[found.method] += has_older
            by_other_tool += found.tool_code not in ("", code.tool)
    mended = list(mend)
    left_out = _set_aside(there, {trial.key for trial in mended}) + there.notes
    left_out += _started_over([trial for trial in mended if trial.key not in done], plan.folder)
    return replace(
        plan,
        done=frozenset(done),
        older=+older,
        other_data=[
            line
            for manifest in plan.manifests.values()
            for line in datasets.others(plan.folder, there.records, manifest)
        ],
        by_other_tool=by_other_tool,
        left_out=left_out,
    )


def _set_aside(there: record_file.Found, keys: set[str]) -> list[str]:
    """Take these trials' damaged records out of what was found; what was done, for people."""
    lines = []
    for folder in [folder for folder in there.damaged if folder.name in keys]:
        del there.damaged[folder]
        lines.append(
            f"damaged record set aside: {record_file.set_aside(folder)}; the trial runs again"
        )
    return lines


def _started_over(trials: Iterable[Trial], study_folder: Path) -> list[str]:
    """Which jobs cannot go on from their checkpoints, and why."""
    folders = {}
    for trial in trials:
        if trial.pretraining:
            folder = layout.pretraining_folder(study_folder, trial.pretraining.key)
            folders[folder] = trial.pretraining.label, trial.method
        folders[layout.trial_folder(study_folder, trial.key)] = trial.label, trial.method
    return [
        f"{label} starts over: {why}"
        for folder, (label, method) in folders.items()
        if (why := checkpoints.objection(folder, sources.code_of(method)))
    ]


def kept(plan: Plan) -> list[str]:
    """What is kept though it is of other data, or other code made it, and what runs it again."""
    lines = [f"note: {line}" for line in plan.other_data]
    lines += [
        f"{counted(n, 'trial')} of {method} {'was' if n == 1 else 'were'} made by other code of "
        f"methods/{method} than there is now: kept; the same command with --rerun {method} runs "
        f"{'it' if n == 1 else 'them'} again"
        for method, n in plan.older.items()
    ]
    if plan.by_other_tool:
        lines.append(
            f"{plan.by_other_tool} of {counted(len(plan.own), 'trial')} made by other code of this "
            "tool than there is now: kept"
        )
    return lines


def describe(plan: Plan) -> list[str]:
    """What would run, what is done, and how many images each budget labels."""
    missing = plan.missing
    wanted = {t.pretraining.key: t.method for t in missing if t.pretraining}
    reasons = {
        key: record_file.unusable(plan.folder, key, sources.code_of(method))
        for key, method in wanted.items()
    }
    before = sum(why is not None for why in reasons.values())
    first = f", after {counted(before, 'pretraining')} without labels" if before else ""
    return [
        f"study {plan.study.name} (preset {plan.study.preset}) in {plan.folder}",
        f"evaluated on: {plan.study.conditions.evaluate_on}",
        *plan.labelled_counts(),
        f"{_count(plan)}: {len(plan.own) - len(missing)} done, {len(missing)} to run{first}",
        *(f"pretraining {key} is made anew: {why}" for key, why in reasons.items() if why),
        *plan.left_out,
        *kept(plan),
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
