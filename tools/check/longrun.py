"""Many runs in one process: does it keep memory, open files or threads? Ends with `N passed, N failed`.

    python tools/check/longrun.py             # 500 runs, of all tasks, sizes, losses and ways of tuning
    python tools/check/longrun.py --runs 100

What the process holds after the first tenth of the runs is compared with what it holds after the last.
"""
import argparse
import gc
import os
import sys
import tempfile
import threading
from pathlib import Path

from w2s_nb.runs.config import RunConfig
from w2s_nb.runs.runs import train_run

ALLOWED_MB = 50
TASKS = ("micro-reviews", "micro-grammar", "micro-sums", "micro-most")


def held():
    "Resident memory in MB, open files and threads of this process."
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return dict(mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6, files=len(os.listdir("/proc/self/fd")),
                threads=threading.active_count())


def one(i, root):
    "The i-th run: all are different, and each fourth is looked up once more."
    few = dict(n_docs=60, n_test_docs=30, epochs=1, seed=i)
    config = RunConfig(TASKS[i % 4], ("micro-8k", "micro-12k")[i % 2], loss=("xent", "logconf")[i // 2 % 2],
                       tune=("full", "full", "probe", "lora")[i // 4 % 4], **few)
    train_run(config, root=root)
    if i % 4 == 0: train_run(config, root=root)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as root:
        for i in range(runs):
            one(i, root)
            if i + 1 == runs // 10: before = held()
            if (i + 1) % (runs // 10) == 0: print(i + 1, held(), flush=True)
    after = held()
    checks = dict(memory=after["mb"] - before["mb"] <= ALLOWED_MB, files=after["files"] <= before["files"],
                  threads=after["threads"] <= before["threads"])
    for name, fine in checks.items(): print("passed" if fine else "FAILED", name)
    print(f"{sum(checks.values())} passed, {len(checks) - sum(checks.values())} failed")
    sys.exit(not all(checks.values()))


if __name__ == "__main__": main()
