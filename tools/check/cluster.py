"""Executors on real clusters: processes on one folder, Ray with two nodes, Slurm. Ends with `N passed, N failed`.

    python tools/check/cluster.py              # all of them; about five minutes on two cores
    python tools/check/cluster.py folder ray   # some of them

Every sweep must give the predictions of one process. Each cluster loses a worker or a job in the middle of a run. Slurm
takes part if W2S_SLURM_SETUP names a program that starts and stops one: `PROGRAM start`, `PROGRAM stop`.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from w2s_nb.data.runtime import load_plugins
from w2s_nb.runs.clusters import Ray, Slurm
from w2s_nb.runs.executors import Local
from w2s_nb.runs.store import load_run
from w2s_nb.runs.sweeps import plan, run_all

PLUGIN = '''
import os
import signal
from pathlib import Path
from w2s_nb import LOSSES
def once(end):
    def loss(logits, labels, step_frac):
        if step_frac == 0:
            with open(Path(__file__).with_name("begun"), "a") as file: file.write(f"{os.getpid()}\\n")
        marker = Path(__file__).with_name("ended")
        if end and step_frac > 0.3 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), end)
        return LOSSES["xent"](logits, labels, step_frac)
    return loss
LOSSES["plain"], LOSSES["killed"], LOSSES["stopped"] = once(0), once(signal.SIGKILL), once(signal.SIGSTOP)
'''
FEW = dict(n_docs=200, n_test_docs=100, epochs=1)
ONE = "import sys; from cluster import begin; begin(*sys.argv[1:])"


def runs_of(loss, seeds=1):
    "Five runs for each seed: two models on the ground truth, three students with a loss of the plugin."
    return plan(["micro-8k", "micro-12k"], ["micro-sums"], losses=[loss], seeds=list(range(seeds)), **FEW)


def begin(home, loss, seeds):
    "What each process on a shared folder does."
    load_plugins([str(Path(home, "losses.py"))])
    run_all(runs_of(loss, int(seeds)), Path(home, "results"), progress=False)


class Home:
    "A folder with the plugin and results of its own."

    def __init__(self, name):
        self.path = Path(tempfile.mkdtemp(), name)
        self.path.mkdir()
        (self.path / "losses.py").write_text(PLUGIN)
        load_plugins([str(self.path / "losses.py")])

    def lines(self, name):
        file = self.path / name
        return file.read_text().split() if file.exists() else []


def logits(root):
    "The test logits of every run below a folder, by task and name."
    found = {path.parent.name: load_run(path.parent).test.logits for path in Path(root).rglob("results_summary.json")}
    return found


def differs(home, loss, seeds=1):
    "'' if the results are those of one process, else a sentence."
    alone = Home("alone")
    (alone.path / "ended").touch()
    run_all(runs_of(loss, seeds), alone.path / "results", progress=False)
    here, there = logits(home.path / "results"), logits(alone.path / "results")
    if here.keys() != there.keys(): return f"{len(here)} runs, and {len(there)} of one process"
    worst = max(float(np.abs(here[name] - there[name]).max()) for name in here)
    return "" if worst < 1e-4 else f"logits differ by {worst:.1e}"


def left(home):
    "'' if nothing is left behind, else a sentence."
    found = [path.name for path in home.path.rglob("*") if path.suffix == ".hold" or ".partial" in path.name]
    return f"left behind: {', '.join(found)}" if found else ""


def check_folder():
    "Four processes on one folder train each of 40 runs once; one that is stopped is replaced."
    home = Home("folder")
    paths = f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"
    env = os.environ | dict(PYTHONPATH=paths, OMP_NUM_THREADS="1", W2S_HOLD_SECONDS="10")
    start = lambda: subprocess.Popen([sys.executable, "-c", ONE, str(home.path), "stopped", "8"], env=env)
    began = time.time()
    processes = [start() for _ in range(4)]
    while any(p.poll() is None for p in processes):
        time.sleep(0.2)
        state = lambda p: Path(f"/proc/{p.pid}/status").read_text() if p.poll() is None else ""
        asleep = [p for p in processes if "T (stopped)" in state(p)]
        if asleep and all(p.poll() is not None for p in processes if p not in asleep):
            print(f"  the others finished {time.time() - began:.0f} s after the start; the stopped one goes on")
            for p in asleep: p.send_signal(signal.SIGCONT)
    if any(p.returncode for p in processes): return f"statuses {[p.returncode for p in processes]}"
    begun = home.lines("begun")
    print(f"  students begun by each process: {[begun.count(str(p.pid)) for p in processes]}")
    if len(begun) != 24 + 1: return f"{len(begun)} trainings of 24 students begun; 25 with the one that was stopped"
    return differs(home, "stopped", 8) or left(home)


def check_ray():
    "Ray with two nodes: a worker is killed, and the runs are those of one process."
    if not find_spec("ray"): return skipped("Ray is not installed")
    from ray.cluster_utils import Cluster
    cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=1))
    try:
        cluster.add_node(num_cpus=1)
        return on_cluster(Ray(cluster.address))
    finally: cluster.shutdown()


def check_slurm():
    "Slurm: a job is killed, and the runs are those of one process."
    setup = os.environ.get("W2S_SLURM_SETUP")
    if not find_spec("submitit"): return skipped("submitit is not installed")
    if not setup: return skipped("W2S_SLURM_SETUP names no program that starts Slurm")
    subprocess.run(["bash", setup, "start"], check=True, stdout=subprocess.DEVNULL)
    try: return on_cluster(Slurm(time=30))
    finally: subprocess.run(["bash", setup, "stop"], check=False)


def on_cluster(executor):
    "A sweep whose first student kills its process once; then the time of one without, beside two local workers."
    home = Home("cluster")
    run_all(runs_of("killed"), home.path / "results", executor=executor, progress=False)
    if not (home.path / "ended").exists(): return "no worker was killed"
    problem = differs(home, "killed") or left(home)
    for name, how in {type(executor).__name__: executor, "two local workers": Local(workers=2)}.items():
        start = time.time()
        run_all(runs_of("plain"), Home("timed").path / "results", executor=how, progress=False)
        print(f"  five runs by {name}: {time.time() - start:.1f} s")
    return problem


def skipped(why):
    print(f"  skipped: {why}")
    return ""


CHECKS = dict(folder=check_folder, ray=check_ray, slurm=check_slurm)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", help=f"some of {', '.join(CHECKS)}; all if left out")
    names = parser.parse_args().checks or list(CHECKS)
    if unknown := set(names) - CHECKS.keys(): parser.error(f"no such check: {', '.join(sorted(unknown))}")
    failed = 0
    for name in names:
        start = time.time()
        problem = CHECKS[name]()
        failed += bool(problem)
        print(f"{'FAILED' if problem else 'passed'}  {name}  {time.time() - start:.0f} s  {problem}", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
