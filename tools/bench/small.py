"""What surrounds training, where runs are small: nbs/tables/speed_small.csv.

    python tools/bench/small.py [--runs 100] [--tables DIR]

A run of the built-in ladder, a run that is already stored, a sweep whose runs are all finished, the help of a command
and the import of the package, each with the limit that we set ourselves.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TABLES = Path(__file__).parents[2] / "nbs" / "tables"
LIMITS = dict(surrounding_share=0.25, stored_run_ms=15.0, resume_s=2.0, help_s=1.0, import_s=0.15)


def seconds(call, repeats=5):
    "Median seconds of a call, after one that does not count."
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times[1:])


def program(*words):
    "Seconds of a Python process, beside those of an empty one."
    run = lambda *line: subprocess.run([sys.executable, *line], check=True, stdout=subprocess.DEVNULL)
    return seconds(lambda: run(*words)) - seconds(lambda: run("-c", "pass"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="finished runs that are resumed")
    parser.add_argument("--tables", default=str(TABLES), help="folder to write to")
    args = parser.parse_args()
    command = "import sys; sys.argv = ['w2s_train', '--help']; from w2s_nb.commands.cli import w2s_train; w2s_train()"
    found = dict(import_s=program("-c", "import w2s_nb"), help_s=program("-c", command))
    os.environ.update(W2S_CACHE_DIR=tempfile.mkdtemp(), W2S_DEVICE="cpu")
    import pandas as pd
    from w2s_nb import RunConfig, train_run
    from w2s_nb.runs.sweeps import run_all
    root = tempfile.mkdtemp()
    teacher = RunConfig("micro-reviews", "micro-8k")
    train_run(teacher, root, progress=False)                       # imports, rows, tokens
    student = RunConfig("micro-reviews", "micro-171k", teacher=teacher)
    start = time.perf_counter()
    run = train_run(student, root, progress=False, keep_model=False)
    whole = time.perf_counter() - start
    found["run_s"], found["training_s"] = whole, run.summary["seconds"]
    found["surrounding_share"] = 1 - run.summary["seconds"] / whole
    found["stored_run_ms"] = 1000 * seconds(lambda: train_run(student, root, progress=False), 20)
    small = dict(n_docs=40, n_test_docs=20, epochs=1)
    configs = [RunConfig("micro-reviews", "micro-8k", seed=i % 5, clip=1.0 + i, **small) for i in range(args.runs)]
    run_all(configs, root, progress=False, keep_model=False)
    resume = ("import sys, time\nfrom w2s_nb import RunConfig\nfrom w2s_nb.runs.sweeps import run_all\n"
              "import w2s_nb.runs.runs, transformers.models.gpt2.modeling_gpt2\nstart = time.perf_counter()\n"
              f"configs = [RunConfig('micro-reviews', 'micro-8k', seed=i % 5, clip=1.0 + i, **{small!r}) "
              f"for i in range({args.runs})]\n"
              f"run_all(configs, {root!r}, progress=False, keep_model=False)\nprint(time.perf_counter() - start)")
    again = subprocess.run([sys.executable, "-c", resume], check=True, capture_output=True, text=True)
    found["resume_s"] = float(again.stdout.split()[-1])
    table = pd.DataFrame([dict(measure=name, value=value, limit=LIMITS.get(name)) for name, value in found.items()])
    print(table.round(4).to_string(index=False))
    table.round(4).to_csv(Path(args.tables) / "speed_small.csv", index=False)


if __name__ == "__main__": main()
