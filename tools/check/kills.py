"""Kill a sweep and single runs at random moments, and compare with those that nobody killed.

    python tools/check/kills.py            # a sweep of 40 runs: 30 SIGKILLs and 10 SIGTERMs; six kinds of long runs
    python tools/check/kills.py --short    # a sweep of 9 runs: 3 and 1; one long run

A command runs in a child that is forked from this process, which has imported the package already: so a kill falls into
the work and not into the import. The same command begins again until it ends by itself. Then every table, prediction,
weak label, log and weight must have the same bytes as without kills, no step may have been trained more often than the
kills and the interval of the checkpoints explain, and nothing may be left behind. Ends with `N passed, N failed`.
"""
import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd

import w2s_nb.commands.cli as cli
import w2s_nb.models.kinds        # noqa: F401   imported once, before the children are forked
import w2s_nb.results.figures     # noqa: F401
import w2s_nb.runs.learn as learn
import w2s_nb.runs.sweeps         # noqa: F401

import transformers.models.gpt2.modeling_gpt2   # noqa: F401, E402   after the package

INTERVAL = 3   # steps between two checkpoints
VARY = {"seconds", "rows_per_s", "peak_memory_mb", "path"}     # columns of a table that no two sweeps share
LONG = dict(xent=[], logconf=["--loss", "logconf", "--train_with_dropout"], stop=["--stop", "weak"],
            lora=["--tune", "lora"],
            probe=["--tune", "probe", "--n_docs", "600"], reading=["--generative_epochs", "4"])


class Work:
    "A command in a folder and a cache of its own."

    def __init__(self, home, name, command, words):
        self.root, self.cache = home / name, home / f"{name}-cache"
        self.steps, self.said = home / f"{name}.steps", home / f"{name}.txt"
        self.command = command
        self.words = [*words, "--results_folder", str(self.root), "--sweep_subfolder", "s", "--device", "cpu"]
        self.steps.touch()

    def run(self, number=None, steps=0, seconds=0.0):
        "Run it in a child, which gets a signal so long after so many steps: -> its exit status, negative for a signal."
        if pid := os.fork(): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        status = 70
        try:
            os.environ["W2S_CACHE_DIR"] = str(self.cache)
            with open(self.said, "a") as said:
                for stream in (1, 2): os.dup2(said.fileno(), stream)
            end = threading.Timer(seconds, lambda: os.kill(os.getpid(), number))
            end.daemon = True
            if number is not None and not steps: end.start()
            self.count_steps(steps if number is not None else 0, end)
            getattr(cli, self.command)(self.words)
            status = 0
        except SystemExit as e: status = e.code if isinstance(e.code, int) else 1
        except BaseException as e: os.write(2, f"{type(e).__name__}: {e}\n".encode())
        finally: os._exit(status)

    def count_steps(self, steps, end):
        "A byte for every step, in a file that all children share; after so many, the timer starts."
        plain, file, left = learn.fit, os.open(self.steps, os.O_WRONLY | os.O_APPEND), [steps]

        def fit(*args, **options):
            for record in plain(*args, **options):
                os.write(file, b".")
                left[0] -= 1
                if left[0] == 0: end.start()
                yield record

        learn.fit = fit

    def files(self):
        "{name: content} of everything that must not differ."
        found = {}
        for path in sorted(self.root.rglob("*")):
            if not path.is_file() or path.name in ("results_summary.json", "manifest.json", "transfer.html"): continue
            if path.suffix == ".yaml": continue                          # names the folder
            if any(part.startswith(".") for part in path.relative_to(self.root).parts): continue
            name, content = path.relative_to(self.root).as_posix(), path.read_bytes()
            if path.name == "results.csv":
                table = pd.read_csv(path)
                content = table.drop(columns=[c for c in table if c in VARY or c.endswith("path")]).to_csv()
            found[name] = content
        return found

    def left_behind(self):
        "Hidden files and folders, holds, and half-written files."
        found = [path for folder in (self.root, self.cache) for path in folder.rglob("*") if path.is_file()]
        hidden = lambda path: path.name.startswith(".") and path.name != ".lock"
        parts = [path for path in found if path.suffix in (".part", ".hold", ".held") or ".part" in path.name]
        partial = [path for path in self.root.rglob(".*") if path.name not in (".locks", ".failed", ".lock")]
        return sorted({str(path) for path in (*parts, *partial, *filter(hidden, found))})


def killed(work, signals, steps):
    "Run a command with a signal for each, at random moments, and then to its end: -> a line for each signal."
    lines = []
    for number in signals:
        moment = dict(steps=random.randint(0, steps), seconds=random.choice((0.001, 0.03, 0.3)) * random.random())
        lines.append((signal.Signals(number).name, work.run(number, **moment), moment))
        if lines[-1][1] == 0: break
    return lines, work.run()


def compare(name, plain, other, lines, last, least):
    "Print what happened, and say what is wrong: a list of sentences."
    ours, theirs = plain.files(), other.files()
    differ = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
    steps, expected = other.steps.stat().st_size, plain.steps.stat().st_size
    kills = sum(name == "SIGKILL" for name, *_ in lines)
    odd = [line for line in lines if line[1] not in (0, -9, -15, 130)]   # -15: before the command has begun
    left = other.left_behind()
    print(f"{name}: {kills} SIGKILL, {len(lines) - kills} SIGTERM; {len(ours)} files compared, {len(differ)} differ; "
          f"{expected} steps, {steps - expected} more with kills; left behind: {len(left)}", flush=True)
    found = [f"{len(differ)} files differ: {differ[:3]}"] if differ or not ours else []
    if steps - expected > len(lines) * INTERVAL: found.append(f"{steps - expected} steps were trained again")
    if left: found.append(f"left behind: {left[:4]}")
    if last or odd: found.append(f"ended with {last}, {odd[:3]}: {other.said.read_text()[-600:]}")
    if 2 * len(lines) < least: found.append(f"only {len(lines)} of {least} signals came before the end")
    return found


def sweep(home, short):
    "A sweep that is killed over and over."
    models = "micro-8k,micro-12k,micro-36k" + ("" if short else ",micro-73k,micro-171k")
    words = ["--model_sizes", models, "--ds_names", "micro-grammar", "--seeds", "0" if short else "0,1", "--losses",
             "xent", "--n_docs", "200", "--n_test_docs", "60", "--checkpoint_every", f"{INTERVAL}steps"]
    plain, other = (Work(home, f"sweep-{which}", "w2s_sweep", words) for which in ("plain", "killed"))
    plain.run()
    signals = [signal.SIGKILL] * (3 if short else 30) + [signal.SIGTERM] * (1 if short else 10)
    random.shuffle(signals)
    lines, last = killed(other, signals, plain.steps.stat().st_size * 3 // (2 * len(signals)))
    return compare("sweep", plain, other, lines, last, len(signals))


def long_run(home, name, options):
    "One run of many steps, killed three times."
    words = ["--ds_name", "micro-grammar", "--model_size", "micro-36k", "--n_docs", "300", "--n_test_docs", "60",
             "--epochs", "12", "--checkpoint_every", f"{INTERVAL}steps", *options]
    plain, other = (Work(home, f"{name}-{which}", "w2s_train", words) for which in ("plain", "killed"))
    plain.run()
    signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL]
    lines, last = killed(other, signals, plain.steps.stat().st_size * 2 // 5)
    return compare(name, plain, other, lines, last, len(signals))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer runs and kills")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments")
    args = parser.parse_args()
    random.seed(args.seed)
    print(f"seed {args.seed}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        cases = {"sweep": lambda: sweep(Path(folder), args.short)}
        for name in list(LONG)[:1] if args.short else LONG:
            cases[name] = lambda name=name: long_run(Path(folder), name, LONG[name])
        for name, case in cases.items():
            problems = case()
            failed += bool(problems)
            for problem in problems: print(f"FAILED  {name}: {problem}", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
