"""What is told of a job that failed."""

from benchmark.store import failures
from benchmark.store.record import Record

LOG = """\
02:18:53 cps/glas/20 %/seed 0 on cpu, node1, key 00112233445566ff
02:18:54 epoch 1/10 11.6 s  loss_supervised 0.9
02:19:11 cps/glas/20 %/seed 0 on cpu, node1, key 00112233445566ff
02:19:17 epoch 3/10 6.6 s  loss_supervised 0.5278
02:19:20 Traceback (most recent call last):
  File "/home/x/job.py", line 1, in run
    work()
  File "/home/x/trial.py", line 2, in work
    loop()
  File "/home/x/loop.py", line 3, in loop
    step()
  File "/home/x/cps.py", line 4, in step
    return networks[2]
  File "/home/x/list.py", line 5, in at
    raise IndexError("list index out of range")
IndexError: list index out of range

02:19:20 failed IndexError: list index out of range
"""


def failed(key: str = "00112233445566ff", error: str = "IndexError: list index out of range"):
    return Record(
        key=key, status="failed", error=error, configuration="c", study="first", preset="cpu",
        overrides="", dataset="glas", budget="20 %", budget_order=0.2, ratio=0.2, method="cps",
        variant="cps[weight=0.5]", seed=3, evaluate_on="dev", settings={}, data_hash="",
        code_version="1", host="node1", device="an old processor", peak_memory_mib=812.4,
        finished_at="",
    )  # fmt: skip


def test_a_failure_tells_how_far_it_came_and_how_to_see_it_again(tmp_path):
    folder = tmp_path / "first" / "trials" / "00112233445566ff"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(LOG)
    lines = failures.story(failed(), folder)
    assert lines == [
        "came to  training, after epoch 3/10 6.6 s  loss_supervised 0.5278",
        "node     node1, an old processor",
        "memory   812 MiB at its peak",
        f"log      {folder}/log.txt",
        '    File "/home/x/trial.py", line 2, in work',
        "      loop()",
        '    File "/home/x/loop.py", line 3, in loop',
        "      step()",
        '    File "/home/x/cps.py", line 4, in step',
        "      return networks[2]",
        '    File "/home/x/list.py", line 5, in at',
        '      raise IndexError("list index out of range")',
        "  IndexError: list index out of range",
        "again, alone, with a traceback: bench run "
        f"--preset {tmp_path}/first/study.yaml --methods 'cps[weight=0.5]' --datasets glas "
        f"--labels 20% --seeds 3, --results {tmp_path} --trial 00112233445566ff -v",
    ]


def test_the_phase_is_told_from_the_log(tmp_path):
    folder, key = tmp_path, "00112233445566ff"
    assert failures.reached(folder, key) == "its beginning, before an epoch was trained"
    (folder / "log.txt").write_text(LOG.replace("epoch 3/10", "epoch 10/10"))
    assert failures.reached(folder, key).startswith("the end, after training, after epoch 10/10")


def test_failures_of_one_message_are_one_line():
    found = [
        failed("a" * 16, "RuntimeError: 3 is not 4 in 0011223344556677"),
        failed("b" * 16, "Diverged: loss nan"),
        failed("c" * 16, "RuntimeError: 12.5 is not 4 in ffff223344556677"),
    ]
    assert failures.alike(found) == [
        "2 trials: RuntimeError: 3 is not 4 in 0011223344556677 (the first: bench show "
        "aaaaaaaaaaaaaaaa)",
        "1 trial: Diverged: loss nan (the first: bench show bbbbbbbbbbbbbbbb)",
    ]
