"""A sweep of probes from cached features, beside the same sweep with its frozen backbones run again in every epoch.

    python tools/bench/probes.py     # built-in rows; about a quarter of an hour on two free cores, 3 GB of disk
    python tools/bench/probes.py --csv nbs/tables/bench_probes.csv    # the table of the probes notebook
    python tools/bench/probes.py --task sciq --data_dir DIR --tokenizer DIR --rows 128

Five random backbones of GPT-2 small's size, 15 pairs, 2 losses, 5 seeds: 25 runs on the ground truth and 150 students.
From the cache the whole sweep is run and timed. Through the backbone one run on the ground truth and one student of
each loss are run, with the same `train_run`; every other run is charged what its kind took, since all have as many rows
and as large a model. What they predict must be what the runs from the cache predict. Longer training is run from the
cache too, and charged through the backbone by the epoch. How many of its texts a seed shares with the others depends on
the task: the sweep is run with the task's own first rows, and a second line charges every seed what the first one paid
for its features, as if no two seeds had a text in common.
"""
import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

EPOCHS = (2, 20, 200)   # `RunConfig`'s default; a vision probe's; the paper's longest ([B] D.2)
LOSSES, SEEDS = ("xent", "logconf"), 5
GPT2_SMALL = [{}] * 5   # transformers' defaults: 124 million parameters


def random_models(folder, tokenizer, sizes):
    "GPT-2 models with random weights, one for each dict of changes to GPT-2 small's configuration, with the tokenizer."
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, logging
    logging.disable_progress_bar()
    words = AutoTokenizer.from_pretrained(tokenizer)
    for seed, size in enumerate(sizes):
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(GPT2Config(bos_token_id=None, eos_token_id=None, **size))
        model.save_pretrained(folder / f"random-{seed}")
        words.save_pretrained(folder / f"random-{seed}")
    return [str(folder / f"random-{seed}") for seed in range(len(sizes))]


def through_backbone(p, train, execution):
    "What `w2s_nb.runs.learn.begin` would give a probe if there were no cache."
    from w2s_nb.runs.learn import fine_tuned
    kind, spec = p.run.kind, p.run.spec
    outputs = kind.outputs(train.labels.shape[1])
    return fine_tuned(kind.classifier(spec, outputs, p.config, p.config.seed, None, execution), execution.room()), {}


def timed(call):
    start = time.perf_counter()
    out = call()
    return out, time.perf_counter() - start


def texts_of(configs, data_dir):
    "How many texts one seed has in its three parts, and how many are distinct over all seeds."
    from w2s_nb.data.runtime import Execution
    from w2s_nb.models.features import row_keys
    from w2s_nb.runs.config import identify
    from w2s_nb.runs.learn import prepare
    execution = Execution(data_dir=data_dir)
    inputs = [prepare(identify(config, execution), execution=execution).inputs for config in configs]
    keys = [{key for part in parts.values() for key in row_keys(part)} for parts in inputs]
    return len(keys[0]), len(set().union(*keys))


def slow_runs(configs, folder, options):
    "The runs through the backbone: wall-clock seconds and seconds of training alone of each."
    from w2s_nb.runs import runs
    kept, runs.begin = runs.begin, through_backbone
    try: return [timed(lambda: runs.train_run(config, folder, **options)) for config in configs]
    finally: runs.begin = kept


def counted(call):
    "Wall-clock seconds of a call, and those of them that computing or reading features took."
    from w2s_nb.models import kinds
    kept, spent = kinds.features, []

    def features(*args, **kwargs):
        out, seconds = timed(lambda: kept(*args, **kwargs))
        spent.append(seconds)
        return out

    kinds.features = features
    try: return timed(call)[1], sum(spent)
    finally: kinds.features = kept


def compare(slow, fast):
    "Largest difference of a test logit, and both accuracies, which must be the same."
    import numpy as np
    same = np.array_equal(slow.test.hard, fast.test.hard) and slow.accuracy.value == fast.accuracy.value
    assert same, (slow, fast)
    gap = float(np.abs(slow.test.logits - fast.test.logits).max())
    assert gap < 1e-5, (slow, fast, gap)
    return gap, slow.accuracy.value


def with_epochs(config, epochs):
    "A run and its supervisor, trained for so many epochs."
    return replace(config, epochs=epochs, teacher=config.teacher and replace(config.teacher, epochs=epochs))


def through(epochs, kinds):
    "Seconds of all runs through the backbone: what their kinds took, and the further epochs."
    more = epochs / EPOCHS[0] - 1
    each = {kind: wall + more * run.summary["seconds"] for kind, (run, wall) in kinds.items()}
    return SEEDS * (5 * each["ground truth"] + 15 * sum(each[loss] for loss in LOSSES))


def from_cache(by_seed, folder, options):
    "The whole sweep for each number of epochs: [(epochs, seconds of features by seed, seconds of the rest)]."
    from w2s_nb.runs.runs import train_run
    found, cold = [], None
    for epochs in EPOCHS:
        todo = [[with_epochs(c, epochs) for c in configs] for configs in by_seed]
        times = [counted(lambda: [train_run(c, folder, **options) for c in configs]) for configs in todo]
        cold = cold or [seconds for _, seconds in times]
        found.append((epochs, cold, sum(wall - seconds for wall, seconds in times)))
    return found


def measure(args, folder):
    "Run both ways, compare their predictions, and print and return the table."
    import torch
    from w2s_nb.models.text_models import model_spec
    from w2s_nb.runs.runs import train_run
    from w2s_nb.runs.sweeps import plan
    options = dict(data_dir=args.data_dir, keep_model=False, progress=False)
    few = dict(tune="probe", subset="first", n_docs=2 * args.rows, n_test_docs=args.rows, max_ctx=512, lr=1e-3)
    models = random_models(folder, args.tokenizer or model_spec("micro-8k").hub, GPT2_SMALL)
    by_seed = [plan(models, [args.task], LOSSES, [seed], **few) for seed in range(SEEDS)]
    one, distinct = texts_of([configs[0] for configs in by_seed], args.data_dir)
    print(f"{args.task}, {args.rows} rows in each half and in the test set, {torch.get_num_threads()} thread(s); "
          f"texts of a seed {one}, of all seeds {distinct}")
    students = [c for c in by_seed[0] if c.model == models[1] and c.teacher and c.teacher.model == models[0]]
    few_runs = [by_seed[0][0], *students]
    slow = slow_runs(few_runs, folder / "slow", options)
    kinds = dict(zip(("ground truth", *LOSSES), slow))
    for kind, (run, wall) in kinds.items():
        training = run.summary["seconds"]
        print(f"  through the backbone, {kind:12} {wall:7.1f} s, of which {training:.1f} s training", flush=True)
    table = []
    for epochs, cold, heads in from_cache(by_seed, folder / "fast", options):
        for texts, passes in ((f"{distinct} in {SEEDS} seeds", sum(cold)), ("anew for each seed", SEEDS * cold[0])):
            backbone = through(epochs, kinds)
            table.append(dict(epochs=epochs, texts=texts, runs=sum(map(len, by_seed)), backbone=backbone,
                              features=passes, heads=heads, ratio=backbone / (passes + heads)))
            print("  {epochs:3} epochs, texts {texts:18} {runs} runs: through the backbone {backbone:9.0f} s "
                  "(extrapolated), from the cache {features:6.0f} s for the features and {heads:4.0f} s for the rest: "
                  "{ratio:.0f} x".format(**table[-1]), flush=True)
    for (run, _), config in zip(slow, few_runs):
        gap, accuracy = compare(run, train_run(config, folder / "fast", **options))
        print(f"  {config.loss:8} same class on every test row, accuracy {accuracy:.4f}, largest difference {gap:.0e}")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="micro-reviews")
    parser.add_argument("--data_dir", default=os.environ.get("W2S_DATA_DIR"))
    parser.add_argument("--tokenizer", help="a folder with a tokenizer; default: the built-in models'")
    parser.add_argument("--rows", type=int, default=512, help="in each half and in the test set")
    parser.add_argument("--csv", help="write the table here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["W2S_CACHE_DIR"] = f"{folder}/cache"
        table = measure(args, Path(folder))
    if args.csv:
        import pandas as pd
        pd.DataFrame(table).round(1).to_csv(args.csv, index=False)


if __name__ == "__main__": main()
