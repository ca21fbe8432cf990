"""Small tables from results that others published as data, for the studies of public results and real supervisors.

    python tools/bench/public_results.py --data DIR [--tables nbs/tables]

DIR holds gpt2_runs.tar.gz (1,316 runs of a fork of the reference by M. Mahajan, github mayankmahajan24/weak-to-strong,
results/data), eleuther_blog.csv (figures of EleutherAI's blog post, github EleutherAI/w2s, branch repro_messy) and
automated_researcher_baselines.csv (github architectfromthefuture/automated-w2s-research). The data stay where they are.
"""
import argparse
import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from w2s_nb.results.collect import results_table
from w2s_nb.results.pgr import median_pgr_table

TABLES = Path(__file__).parents[2] / "nbs" / "tables"
N_RUNS, SIZES = 1316, ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"]
RIGHT = {("sciq", "xent"): 0.03, ("sciq", "logconf"): -0.28, ("boolq", "xent"): -0.24, ("boolq", "logconf"): -1.20}
SETS = {"chat": "chat preferences", "math": "math", "code": "code"}    # of the Automated Researcher


def read_runs(archive):
    "The results table of the runs, checked against their files."
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as packed: packed.extractall(folder, filter="data")
        table = results_table(folder)
        stored = [json.loads(Path(path, "results_summary.json").read_text())["accuracy"] for path in table.path]
        condition = [Path(path).relative_to(folder).parts[0] for path in table.path]
    assert len(table) == N_RUNS and table.accuracy.tolist() == stored, "accuracies differ from their files"
    table = table.assign(strategy=[strategy(dict(other)) for other in table.other],
                         share=[dict(other).get("gt_fraction", 0.0) for other in table.other], condition=condition)
    kept_apart = table[table.condition != "sciq_mixing"].groupby(["strategy", "share", "task"]).condition.nunique()
    assert (kept_apart == 1).all(), "conditions are mixed"
    key = ["task", "model", "teacher", "loss", "strategy", "share", "seed"]
    assert not table.duplicated(key).any(), "two runs have the same settings"
    return table.drop(columns="condition")


def strategy(other):
    "What the fork did with its budget of ground truth, in one word of its own."
    if other.get("gt_only"): return "truth alone"
    if not other: return "none"
    return other.get("mixing_strategy") or other.get("combination_method") or "random rows"


def students(table):
    "Students of other models, with the ratio of every single run where its ceiling is above its supervisor."
    found = table[table.teacher.notna() & (table.teacher != table.model)].copy()
    gap = found.ceiling_accuracy - found.weak_accuracy
    return found.assign(ratio=((found.accuracy - found.weak_accuracy) / gap).where(gap > 0))


SIDES = ["accuracy", "weak_accuracy", "ceiling_accuracy"]


def of_means(found):
    "Median over pairs of the PGR of the means over seeds."
    means = found.groupby(["teacher", "model"])[SIDES].mean()
    return students_ratio(means).median()


def students_ratio(means):
    "Ratios of means where the ceiling is above the supervisor."
    gap = means.ceiling_accuracy - means.weak_accuracy
    return ((means.accuracy - means.weak_accuracy) / gap)[gap > 0]


RULES = {
    "median over pairs and seeds": lambda f: f.ratio.median(),
    "median over pairs of PGRs of means": of_means,
    "median over pairs of means of PGRs": lambda f: f.groupby(["teacher", "model"]).ratio.mean().median(),
    "mean over pairs and seeds": lambda f: f.ratio.mean(),
}


def bootstrap(found, rule, n_boot=2000):
    "95 % interval of a rule: seeds drawn with replacement, all pairs of a seed together."
    rng, by_seed = np.random.default_rng(0), {seed: of for seed, of in found.groupby("seed")}
    seeds = list(by_seed)
    drawn = [rule(pd.concat([by_seed[seeds[i]] for i in rng.integers(len(seeds), size=len(seeds))]))
             for _ in range(n_boot)]
    return np.nanquantile(drawn, [0.025, 0.975])


def medians(table):
    "Median PGR of the plain runs under several rules, from all seeds and without single ones."
    plain, rows = students(table[table.strategy == "none"]), []
    for (task, loss), found in plain.groupby(["task", "loss"], sort=False):
        for name, rule in RULES.items():
            low, high = bootstrap(found, rule)
            of = dict(task=task, loss=loss, rule=name)
            rows.append(of | dict(seeds="all", value=rule(found), low=low, high=high, n=int(found.ratio.notna().sum())))
            for label, kept in (("first three", found[found.seed < 3]), ("without seed 4", found[found.seed != 4])):
                rows.append(of | dict(seeds=label, value=rule(kept), n=int(kept.ratio.notna().sum())))
    out = pd.DataFrame(rows)
    ours = median_pgr_table(table[table.strategy == "none"])
    ours = ours[ours.task != "all tasks"].assign(rule="this package: median over defined pairs", seeds="all")
    ours = ours.rename(columns=dict(median="value", n_defined="n"))[list(out)]
    for (task, loss), value in RIGHT.items():
        mine = out[(out.task == task) & (out.loss == loss) & (out.seeds == "all")]
        assert round(mine[mine.rule == "median over pairs and seeds"].value.item(), 2) == value, (task, loss)
    return pd.concat([out, ours])


def ground_truth(table):
    "Accuracy of every plain model trained on ground truth, a column a seed."
    plain = table[(table.strategy == "none") & table.teacher.isna() & (table.loss == "xent")]
    wide = plain.pivot(index=["task", "model"], columns="seed", values="accuracy")
    order = [(task, model) for task in ("sciq", "boolq") for model in SIZES]
    return wide.loc[order].rename(columns=lambda seed: f"seed{seed}").reset_index()


def interval(values):
    "Mean of one number a seed, with Student's t interval."
    values = np.asarray(values, float)
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return dict(gain=values.mean(), low=values.mean() - half, high=values.mean() + half, n_seeds=len(values))


def budgets(table):
    """Accuracy gained over the plain student of the same pair, loss and seed, by strategy and share of ground truth:
    mean over pairs in every seed, then mean and t interval over seeds. A model trained on the truth alone is compared
    with the plain student of gpt2."""
    plain = table[(table.strategy == "none") & table.teacher.notna()]
    key, rows = ["task", "teacher", "model", "seed"], []
    of_plain = {loss: f.set_index(key).accuracy for loss, f in plain.groupby("loss")}
    mixed = table[table.strategy != "none"]
    for (task, loss, how, share), found in mixed.groupby(["task", "loss", "strategy", "share"]):
        gained = found.set_index(key).accuracy - of_plain[loss].reindex(pd.MultiIndex.from_frame(found[key]))
        by_seed = gained.dropna().groupby("seed").mean()
        rows.append(dict(task=task, loss=loss, strategy=how, share=share) | interval(by_seed)
                    | dict(n_pairs=len(found[["teacher", "model"]].drop_duplicates())))
    ceilings = plain.assign(gain=plain.ceiling_accuracy - plain.accuracy).groupby(["task", "loss", "seed"]).gain.mean()
    for (task, loss), of in ceilings[ceilings.index.get_level_values("seed") < 3].groupby(["task", "loss"]):
        rows.append(dict(task=task, loss=loss, strategy="ceiling", share=1.0) | interval(of) | dict(n_pairs=10))
    return pd.DataFrame(rows)


def against_truth(table):
    "Mixing at random minus the truth alone: the same model, loss, seed and rows of truth, supervisor gpt2."
    mixed = table[(table.strategy == "random rows") & (table.teacher == "gpt2") & (table.task == "boolq")]
    alone, key = table[table.strategy == "truth alone"], ["task", "loss", "share", "model", "seed"]
    difference = (mixed.set_index(key).accuracy - alone.set_index(key).accuracy).dropna()
    rows = [dict(zip(("task", "loss", "share"), of)) | interval(d.groupby("seed").mean()) | dict(n_models=4)
            for of, d in difference.groupby(["task", "loss", "share"])]
    return pd.DataFrame(rows)


def sets(eleuther, researcher):
    "PGR by set, naive and with the confidence loss, of EleutherAI's 21 sets and the Automated Researcher's three."
    read = eleuther[(eleuther.figure == "14_2") & eleuther.series.isin(["xent", "logconf"])]
    wide = read.pivot(index="dataset", columns="series", values="value").reset_index()
    rows = [dict(source="EleutherAI", dataset=r.dataset, naive=r.xent, confidence=r.logconf) for r in wide.itertuples()]
    naive = researcher[(researcher.idea == "vanilla_w2s") & researcher.pgr.notna()]
    for name, found in naive.groupby("dataset"):
        of = interval(found.pgr)
        rows.append(dict(source="Automated Researcher", dataset=SETS[name], naive=of["gain"], low=of["low"],
                         high=of["high"], n_seeds=of["n_seeds"]))
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", type=Path, default=TABLES)
    args = parser.parse_args()
    runs = read_runs(args.data / "gpt2_runs.tar.gz")
    print(f"{len(runs)} runs, every accuracy equal to its file; strategies and shares:")
    print(runs.groupby(["strategy", "share"]).size().unstack(fill_value=0).to_string())
    blog, researcher = (pd.read_csv(args.data / name) for name in ("eleuther_blog.csv",
                                                                   "automated_researcher_baselines.csv"))
    made = dict(public_medians=medians(runs), public_truth=ground_truth(runs), public_budgets=budgets(runs),
                public_against_truth=against_truth(runs), public_sets=sets(blog, researcher))
    for name, table in made.items():
        table.to_csv(args.tables / f"{name}.csv", index=False, float_format="%.4g")
        print(name, len(table), "rows")


if __name__ == "__main__": main()
