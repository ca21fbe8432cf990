"""Every method end to end on real rows, with small local models: a smoke test that prints a table.

    python tools/bench/real_rows.py --data_dir DIR --tokenizer DIR              # three small random models
    python tools/bench/real_rows.py --data_dir DIR --models WEAK,MIDDLE,STRONG --csv nbs/tables/real_rows.csv

Small random models learn next to nothing from a few hundred rows, so the numbers say that a method runs, and no more.
"""
import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from probes import random_models
from w2s_nb.runs.config import RunConfig
from w2s_nb.data.tasks import TASKS
from w2s_nb.runs.runs import train_run

SIZES = ((16, 2), (32, 2), (64, 4))   # width, layers
SMALL = [dict(n_embd=width, n_layer=layers, n_head=4, n_positions=512) for width, layers in SIZES]
PROMPTS = ("zero-shot", "2-shot, truth", "2-shot, weak labels")


def with_noise(naive, errors):
    "The naive student with the truth of its rows, of which as many are wrong as its supervisor gets wrong."
    beside = (replace(naive, teacher=None),) if "confident" in errors else ()
    return replace(naive, labels=(("matched_noise", dict(errors=errors)),), beside=beside)


def methods(naive, middle):
    "Name -> function that makes the student's configuration; only when it is called for can it be wrong."
    top, teacher = replace(naive, teacher=None), naive.teacher
    other = replace(teacher, model=middle)
    held = replace(naive, teacher=replace(teacher, held_out=0.2))
    asked = dict(tune="prompt", shots=2)
    errors = ("random", "longest", "shortest", "unconfident", "confident")
    return {
        "ground truth": lambda: top,
        "naive": lambda: naive,
        "logconf": lambda: replace(naive, loss="logconf"),
        "chain": lambda: replace(naive, teacher=replace(naive, model=middle)),
        "chain, fresh rows": lambda: replace(naive, slices=2, teacher=replace(naive, model=middle, slices=2)),
        "generative": lambda: replace(naive, generative_epochs=1),
        "stop on weak labels": lambda: replace(naive, stop="weak"),
        "stop by the oracle": lambda: replace(naive, stop="oracle"),
        "probe": lambda: replace(naive, tune="probe"),
        "probe, L-BFGS": lambda: replace(naive, tune="probe", optimizer="lbfgs"),
        "lp-ft": lambda: replace(naive, tune="lp_ft"),
        "ft(weak)+lp(gt)": lambda: replace(top, tune="probe", backbone=naive),
        "zero-shot": lambda: replace(top, tune="prompt"),
        "2-shot, truth": lambda: replace(top, **asked),
        "2-shot, weak labels": lambda: replace(naive, **asked),
        **{f"errors: {e}": lambda e=e: with_noise(naive, e) for e in errors},
        "random labels": lambda: replace(naive, labels=("random_labels",)),
        "temperature": lambda: replace(held, labels=("temperature",)),
        "confident labels": lambda: replace(naive, labels=("confident",)),
        "contradiction": lambda: replace(naive, labels=(("contradiction", dict(k=10)),)),
        "mean of supervisors": lambda: replace(naive, labels=("mean",), beside=(other,)),
        "easy rows": lambda: replace(top, train_half="transfer", labels=(("easy", dict(hardest=2)),),
                                     beside=(teacher, other, top)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", default=os.environ.get("W2S_DATA_DIR"))
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--models", help="three model directories, smallest first")
    models.add_argument("--tokenizer", help="a folder with a tokenizer, to make three small random models with")
    parser.add_argument("--tasks", default="boolq,sciq,anthropic_hh_pairs,amazon_polarity")
    parser.add_argument("--n_docs", type=int, default=200)
    parser.add_argument("--csv", help="write the table here")
    args, table = parser.parse_args(), []
    with tempfile.TemporaryDirectory() as root:
        if args.models: weak, middle, strong = args.models.split(",")
        else: weak, middle, strong = random_models(Path(root), args.tokenizer, SMALL)
        for task in args.tasks.split(","):
            few = dict(n_docs=args.n_docs, n_test_docs=100, max_ctx=256, lr=1e-3, epochs=1)
            naive, start = RunConfig(task, strong, teacher=RunConfig(task, weak, **few), **few), time.time()
            print(f"{task}{' (pairs)' if TASKS[task].pairs else ''}")
            for name, make in methods(naive, middle).items():
                if TASKS[task].pairs and name in PROMPTS: continue        # a prompt shows one text
                run = train_run(make(), root, data_dir=args.data_dir, progress=False)
                table.append(dict(task=task, method=name, accuracy=run.accuracy.value, se=run.accuracy.se,
                                  n=run.accuracy.n, rows=run.summary["train_rows"]))
                print(f"  {name:<22}{run.accuracy}, {run.summary['train_rows']} rows learned", flush=True)
            print(f"  {time.time() - start:.0f} s", flush=True)
    if args.csv:
        import pandas as pd
        pd.DataFrame(table).round(4).to_csv(args.csv, index=False)


if __name__ == "__main__": main()
