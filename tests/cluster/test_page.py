"""docs/cluster.md, followed literally on one machine that is two nodes, after a run without it.

All of it happens in a process namespace of its own, where `ray stop` ends nothing else. Only what a
page cannot know is replaced: the head's address, the port, the folder of the results; and each
`bench run` is made short.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import ray.util
import yaml

from tests.conftest import CHECKOUT
from tests.grids import BENCH, ONE_WORKER, TINY_RUN

PAGE = (CHECKOUT / "docs" / "cluster.md").read_text(encoding="utf-8")
SUBMIT = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
print(ray.get(ray.remote(lambda: "executed").remote(), timeout=60))
"""


LISTENING = """
import psutil
for process in psutil.process_iter():
    if "dashboard/dashboard.py" in " ".join(process.cmdline()):
        for found in process.net_connections(kind="tcp"):
            if found.status == psutil.CONN_LISTEN:
                print("A DASHBOARD LISTENS", found.laddr)
"""


def blocks(section: str, language: str) -> list[str]:
    """The fenced blocks of a section."""
    text = re.split(r"^## ", PAGE.partition(f"## {section}\n")[2], maxsplit=1, flags=re.M)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def scripts(tmp_path: Path, data_root: Path) -> str:
    """The page's commands in their order, with what is tried between them."""
    token, words, head, join, run, stop = blocks("A Ray cluster by hand", "bash")
    ip, port = ray.util.get_node_ip_address(), free_port()
    roots = ["--data-root", str(data_root), "--results", str(tmp_path / "results")]
    short = shlex.join([*TINY_RUN[1:], *ONE_WORKER, "--datasets", "phantom_glas", *roots])
    intruder = f"env -u RAY_AUTH_MODE -u RAY_AUTH_TOKEN_PATH HOME={tmp_path}/nobody"
    guesser = f"{intruder} RAY_AUTH_MODE=token RAY_AUTH_TOKEN={'0' * 64}"
    refused = "\n".join(
        f"if {who} timeout 60 {what} > {tmp_path}/{name} 2>&1; then echo LET IN: {name}; fi &"
        for name, who, what in (
            ("join-without", intruder, f"ray start --address=$HEAD:{port} --num-cpus=1"),
            ("join-wrong", guesser, f"ray start --address=$HEAD:{port} --num-cpus=1"),
            ("submit-without", intruder, f"python submit.py $HEAD:{port}"),
            ("submit-wrong", guesser, f"python submit.py $HEAD:{port}"),
            (
                "bench-without",
                intruder,
                f"bash -c '. ./bench.sh; bench run --address $HEAD:{port}'",
            ),
        )
    )
    (tmp_path / "submit.py").write_text(SUBMIT)
    (tmp_path / "listening.py").write_text(LISTENING)
    (tmp_path / "bench.sh").write_text(
        "bench() {\n"
        f'  if [ "$1" = run ]; then shift; {BENCH} run "$@" {short}; else {BENCH} "$@"; fi\n'
        "}\n"
    )
    whole = f"""
source bench.sh
bench run --study alone --seeds 1
{token}
stat -c 'MODE %a' ~/.ray/*
{words}
export HEAD
{head}
{join}
until [ "$(ray status | grep -c '^ 1 node_')" = 2 ]; do sleep 1; done
{refused}
wait
python submit.py $HEAD:{port}
{run}
python listening.py
{stop}
if pgrep raylet; then echo RAY RUNS; fi
"""
    whole, n = re.subn(r"^HEAD=.*", f"HEAD={ip}", whole, flags=re.M)
    assert n == 1
    return (
        whole.replace(":6379", f":{port}")
        .replace("=6379", f"={port}")
        .replace("/shared/results", str(tmp_path / "results"))
    )


@pytest.mark.slow
def test_the_page_makes_a_cluster_that_lets_nobody_in_without_its_token(tmp_path, data_root):
    namespace = ["unshare", "-rpf", "--mount-proc"]
    if subprocess.run([*namespace, "true"], check=False).returncode:
        pytest.skip("this system lets nobody make a process namespace")
    (tmp_path / "nobody").mkdir()
    script = tmp_path / "script.sh"
    script.write_text(f"set -euo pipefail\ncd {tmp_path}\n{scripts(tmp_path, data_root)}")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
    }
    done = subprocess.run(
        [*namespace, "bash", script], env=environment, capture_output=True, text=True, timeout=280
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-6000:]
    assert re.findall(r"MODE .*", done.stdout) == ["MODE 600"]  # nor did the first run leave one
    assert "executed" in done.stdout
    for sign in ("LET IN", "A DASHBOARD LISTENS", "RAY RUNS", "has no token"):
        assert sign not in printed, printed
    for name in ("join-without", "join-wrong"):
        assert "InvalidAuthToken" in (tmp_path / name).read_text()
    for name in ("submit-without", "submit-wrong"):
        text = (tmp_path / name).read_text()
        assert "Failed to connect to Ray cluster" in text and "executed" not in text
    told = (tmp_path / "bench-without").read_text()
    assert re.search(r"error: cannot connect to the Ray cluster at .*RAY_AUTH_MODE=token", told)
    assert re.search(r"all +2 +0 +0 +2$", done.stdout, re.M)  # bench status


def test_every_way_of_the_page_has_a_token():
    for section in ("A Ray cluster by hand", "SLURM, one job that is a Ray cluster"):
        text = "\n".join(blocks(section, "bash"))
        first = text.index("ray start")
        assert "RAY_AUTH_MODE=token" in text[:first] and "RAY_AUTH_TOKEN" in text[:first]
        assert text.count("ray start --head") == text.count("--include-dashboard=false") == 1
        assert "--node-ip-address=" in text


def test_the_manifest_is_closed_and_its_pods_are_alike():
    """Not the schema of KubeRay: what is said of the page around it."""
    (text,) = blocks("Kubernetes, with KubeRay", "yaml")
    cluster, policy = yaml.safe_load_all(text)
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    head, workers = cluster["spec"]["headGroupSpec"], cluster["spec"]["workerGroupSpecs"][0]
    assert head["rayStartParams"]["dashboard-host"] == "127.0.0.1"
    assert head["template"] == workers["template"]
    own = {"matchLabels": {"ray.io/cluster": cluster["metadata"]["name"]}}
    assert policy["spec"]["podSelector"] == own
    assert policy["spec"]["ingress"] == [{"from": [{"podSelector": own}]}]
