"""A pretrained encoder on real rows at default settings: probe, LoRA and full fine-tuning beside the majority class.

    python tools/bench/encoder.py MODEL_FOLDER --data_dir DIR                       # amazon_polarity, three seeds
    python tools/bench/encoder.py MODEL_FOLDER --data_dir DIR --csv nbs/tables/real_encoder.csv

Every run learns the ground truth of the supervisor's half. Test accuracy with its 95 % interval for the rows, and the
share of the more frequent class among them.
"""
import argparse
import os
import tempfile

import pandas as pd

from w2s_nb.runs.config import RunConfig
from w2s_nb.runs.runs import train_run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data_dir", default=os.environ.get("W2S_DATA_DIR"))
    parser.add_argument("--task", default="amazon_polarity")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--n_docs", type=int, default=1000)
    parser.add_argument("--n_test_docs", type=int, default=1000)
    parser.add_argument("--csv")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for seed in args.seeds:
            for tune in ("probe", "lora", "full"):
                config = RunConfig(args.task, args.model, seed=seed, tune=tune, n_docs=args.n_docs,
                                   n_test_docs=args.n_test_docs)
                run = train_run(config, root=root, data_dir=args.data_dir)
                share, found = run.test.true_class.mean(), run.accuracy
                about = dict(task=args.task, tune=tune, seed=seed, rows=args.n_docs // 2, test_rows=found.n)
                measured = dict(accuracy=found.value, low=found.low, high=found.high)
                rows.append(about | dict(majority=float(max(share, 1 - share))) | measured)
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.pivot(index="seed", columns="tune", values="accuracy").round(3))
    if args.csv: table.to_csv(args.csv, index=False, float_format="%.4f")


if __name__ == "__main__": main()
