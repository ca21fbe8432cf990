"""Damage every file of stored runs and of the caches, and see whether anything uses it. Ends with `N passed, N failed`.

    python tools/check/damage.py            # every file, in every way
    python tools/check/damage.py --short    # one flipped byte for each file of a run, and of each kind of cache
    python tools/check/damage.py --table    # and print the table of file × damage × outcome

A case damages one file, and then uses the run in every way there is. Each use must end in one of three ways: a sentence
that names what is wrong (noticed), the result made again (made again), or a result equal to the last bit to that
of the whole file (same). A file passes if no use gives something else, and at least one notices or makes it again.
"""
import argparse
import hashlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd

import w2s_nb.models.kinds   # noqa: F401   what the children need, imported once, before they are forked
import w2s_nb.runs.sweeps    # noqa: F401
from w2s_nb import ConfigError, RunConfig, load_run, results_table, train_run

import peft          # noqa: F401, E402   after the package, which prepares torchvision for it
import transformers.models.gpt2.modeling_gpt2   # noqa: F401, E402

FEW = dict(n_docs=80, n_test_docs=40)
SUPERVISOR = RunConfig("micro-grammar", "micro-8k", held_out=0.2, **FEW)
RUNS = {   # what is damaged, and who is asked
    "full": SUPERVISOR,
    "lora": replace(SUPERVISOR, tune="lora"),
    "probe": replace(SUPERVISOR, tune="probe"),
    "images": RunConfig("image_world", "signs_cnn4", tune="probe", weak_share=0.5, **FEW),
}
CACHED = ("probe", "images")   # their training reads every cache


def digest(*arrays):
    "A hash of arrays and texts."
    found = hashlib.sha256()
    for array in arrays: found.update(array.tobytes() if hasattr(array, "tobytes") else repr(array).encode())
    return found.hexdigest()[:16]


def content(run):
    "A hash of everything that a run gives."
    return digest(run.test.logits, run.test.truth, run.transfer.logits, run.history, run.config, run.summary["kind"])


def weights(run):
    "A hash of the trained weights."
    state = run.load_model("cpu").state_dict()
    return digest(*[name for name in state], *[value.numpy() for value in state.values()])


def learned(root, config, **supervisor):
    "A hash of what a student of the run predicts; its own folder is new each time."
    student = replace(config, held_out=None, epochs=1, **supervisor)
    with tempfile.TemporaryDirectory() as apart:
        if "teacher" in supervisor:
            shutil.copytree(root, apart, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".locks"))
        run = train_run(student, apart, keep_model=False)
        return digest(run.test.logits, run.transfer.logits)


def uses(root, config, path):
    "Every way to use a stored run: {name: function without arguments, giving a hash}."
    def table():
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)    # the warning that a folder is left out
            return digest(results_table(root).drop(columns=["path", "seconds"], errors="ignore").to_csv())

    found = dict(load=lambda: content(load_run(path)), model=lambda: weights(load_run(path)), table=table,
                 again=lambda: content(train_run(config, root)))
    if config != SUPERVISOR: return found
    return found | dict(student=lambda: learned(root, config, teacher=config),
                        labels=lambda: learned(root, config, weak_labels=str(path)))


def hurt(path, how, seed):
    "Damage a file; False if this file cannot be damaged so."
    whole = path.read_bytes()
    if how != "deleted" and not whole: return False
    if how == "deleted": path.unlink()
    if how == "truncated": path.write_bytes(whole[:len(whole) // 2])
    if how == "emptied": path.write_bytes(b"")
    if how == "flipped":
        at = random.Random(seed).randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << seed % 8)]) + whole[at + 1:])
    return True


def outcome(use, expected, stamp=None):
    "How a use of something damaged ends."
    before = stamp and stamp()
    try: found = use()
    except (ConfigError, UserWarning): return "noticed"
    except Exception as e: return f"{type(e).__name__}: {e}"[:80]
    if found != expected: return "USED SILENTLY"
    return "made again" if stamp and stamp() != before else "same"


def quiet():
    "No cores, no bars, no conversations: the outcome alone counts."
    import torch
    torch.set_num_threads(1)
    os.environ["TQDM_DISABLE"] = "1"
    warnings.simplefilter("ignore")


def make(home):
    "Train the runs, with a cache of their own, and hash what every use gives: {run: {use: hash}}, {run: folder}."
    quiet()
    os.environ["W2S_CACHE_DIR"] = str(home / "cache")
    expected, places = {}, {}
    for name, config in RUNS.items():
        run = train_run(config, home / name)
        places[name] = run.path
        expected[name] = {use: call() for use, call in uses(home / name, config, run.path).items()}
    return expected, places


def run_case(case):
    "Damage one file of a stored run, in a copy: -> {use: outcome}, or None."
    home, name, place, file, how, seed, expected = case
    quiet()
    os.environ["W2S_CACHE_DIR"] = str(home / "cache")
    root = Path(tempfile.mkdtemp(dir=home))
    found = {}
    for use in expected:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(home / name, root)
        path = root / place.relative_to(home / name)
        if not hurt(path / file, how, seed): return None
        stamp = lambda: (path / "manifest.json").stat().st_mtime_ns if (path / "manifest.json").exists() else None
        found[use] = outcome(uses(root, RUNS[name], path)[use], expected[use], stamp)
    shutil.rmtree(root)
    return found


def cache_case(case):
    "Damage one file of the cache, and train anew in an empty folder: -> {training: outcome}, or None."
    home, file, how, seed, expected = case
    quiet()
    cache = Path(tempfile.mkdtemp(dir=home))
    shutil.copytree(home / "cache", cache, dirs_exist_ok=True)
    os.environ["W2S_CACHE_DIR"] = str(cache)
    if not hurt(cache / file, how, seed): return None
    stamp = lambda: (cache / file).stat().st_mtime_ns if (cache / file).exists() else None
    found = {}
    for name in CACHED:
        with tempfile.TemporaryDirectory() as root:
            found[name] = outcome(lambda: content(train_run(RUNS[name], root)), expected[name], stamp)
    shutil.rmtree(cache)
    return found


def in_child(function, cases):
    "Each case in a process of its own, which has read nothing yet."
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        yield from pool.imap(function, cases, chunksize=1)


def files_of(folder):
    "The names of the files below a folder; locks hold nothing."
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")
                  if path.is_file() and not path.name.endswith(".lock"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one flipped byte for each file")
    parser.add_argument("--table", action="store_true", help="print every outcome")
    args = parser.parse_args()
    ways = [("flipped", 1)] if args.short else [("truncated", 0), ("emptied", 0), ("deleted", 0),
                                                *(("flipped", seed) for seed in range(2))]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        expected, places = next(in_child(make, [home]))
        names = list(RUNS)[:1] if args.short else list(RUNS)
        stored = [(home, name, places[name], file, how, seed, expected[name]) for name in names
                  for file in files_of(places[name]) for how, seed in ways]
        trained = {name: expected[name]["load"] for name in CACHED}
        kinds = {(Path(file).parts[0], *Path(file).suffixes): file for file in files_of(home / "cache")}
        chosen = kinds.values() if args.short else files_of(home / "cache")
        cached = [(home, file, how, seed, trained) for file in chosen for how, seed in ways]
        rows = [dict(what=case[1], file=case[3], damage=case[4]) | found
                for case, found in zip(stored, in_child(run_case, stored)) if found]
        kind = lambda file: file.split("/")[0] + "/…" + "".join(Path(file).suffixes)
        rows += [dict(what="cache", file=kind(case[1]), damage=case[2]) | found
                 for case, found in zip(cached, in_child(cache_case, cached)) if found]
    report(rows, args.table)


def report(rows, everything):
    "Print the outcomes, and end with the count of the cases."
    table = pd.DataFrame(rows)
    outcomes = table.drop(columns=["what", "file", "damage"])
    fine = outcomes.isin(["noticed", "made again", "same"]) | outcomes.isna()
    table["passed"] = fine.all(axis=1) & outcomes.isin(["noticed", "made again"]).any(axis=1)
    shown = table if everything else table[~table.passed]
    if len(shown): print(shown.fillna("").to_string(index=False))
    print(f"{table.passed.sum()} passed, {(~table.passed).sum()} failed")
    sys.exit(not table.passed.all())


if __name__ == "__main__": main()
