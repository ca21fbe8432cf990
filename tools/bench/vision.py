"""Training a linear probe from cached features: the reference's loop beside ours, on one machine and the same data.

    python tools/bench/vision.py                # 40,000 x 2,048 features, 1,000 classes, 20 epochs: eight minutes
    python tools/bench/vision.py --epochs 2     # in a tenth of the time
    python tools/bench/vision.py --csv nbs/tables/bench_vision.csv    # the table of the notebook

Each loop runs in a process of its own, one after the other. Wall-clock and CPU seconds are both printed; the latter
depend less on what else the machine is doing. "products" is the time that the two matrix products of every step take by
themselves, measured in the same process and at the same precision, as a share of the loop's CPU time: what is left over
is overhead. Memory is the peak of the resident set while training, above what the process held before it read the data.
"""
import argparse
import importlib
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N, M, D, C = 40_000, 10_000, 2048, 1000  # rows to learn, rows to test, features, classes
LOOPS = {"reference's loop, batch 100": ("reference", "fp32", "1e-3", "100"),
         "reference's loop, batch 500": ("reference", "fp32", "2e-3", "500"),
         "ours, batch 100, fp32": ("ours", "fp32", "1e-3", "100"),
         "ours, batch 100": ("ours", "", "1e-3", "100"),
         "ours, batch 500, fp32": ("ours", "fp32", "2e-3", "500"),
         "ours, batch 500": ("ours", "", "2e-3", "500")}


def make_data(folder):
    """Features in half precision as they are cached, and a supervisor's soft labels.

    The supervisor is right as often as AlexNet (57 %) and as sure of itself as that. The features' variances fall off
    as those of natural representations do, and the classes are so far apart that a probe trained in batches of 500 is
    about as often right as the published student on DINO's ResNet-50 (62 %): the accuracy is one that matters."""
    import numpy as np
    import torch
    g = torch.Generator().manual_seed(0)
    centers, truth = torch.randn(C, D, generator=g), torch.randint(C, (N + M,), generator=g)
    mix = torch.linalg.qr(torch.randn(D, D, generator=g))[0] * torch.arange(1, D + 1)[:, None] ** -0.5
    mix /= mix.square().sum(0).sqrt()    # every feature has unit variance, and few directions most of it
    of = lambda part: ((0.29 * centers[part] + torch.randn(len(part), D, generator=g)) @ mix).relu().half()
    x = torch.cat([of(part) for part in truth.split(5000)])
    logits = torch.randn(N, C, generator=g)
    logits[torch.arange(N), truth[:N]] += 3.4
    for name, value in dict(x=x[:N], labels=torch.softmax(3.5 * logits, 1), x_test=x[N:], truth=truth[N:]).items():
        np.save(folder / f"{name}.npy", value.numpy())


def reference(x, labels, epochs, lr, batch_size, dtype):
    "As specified: a DataLoader over a TensorDataset, Adam, cosine annealing by step."
    import torch
    from torch.utils.data import DataLoader, TensorDataset
    rows = TensorDataset(torch.from_numpy(x()).float(), torch.from_numpy(labels()))
    loader = DataLoader(rows, batch_size=batch_size, shuffle=True)
    model = torch.nn.Linear(D, C)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for _ in range(epochs):
        for a, b in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(a), b).backward()
            optimizer.step()
            schedule.step()
    return model.weight.detach().numpy(), model.bias.detach().numpy(), "fp32"


def ours(x, labels, epochs, lr, batch_size, dtype):
    "The package's own: `adam_probe`, which is the training loop on features."
    from w2s_nb.data.runtime import Execution
    from w2s_nb.learning.probes import ProbeSettings, adam_probe, probe_precision
    from w2s_nb.learning.training import OptimSettings
    optim = OptimSettings(epochs=epochs, lr=lr, batch_size=batch_size, schedule="cosine_anneal")
    settings = ProbeSettings(bias=True, probe_dtype=dtype or None)
    probe, _ = adam_probe(x(), labels(), optim=optim, probe=settings, execution=Execution(device="cpu"))
    return probe.weight, probe.bias, dtype or probe_precision(D, C, "cpu")


def product(batch_size, dtype):
    "Seconds of CPU of the two matrix products of a step."
    import torch
    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    a, w, g = (torch.randn(*shape).to(kind) for shape in ((batch_size, D), (D, C), (batch_size, C)))
    repeat = max(3, 6000 // batch_size)
    for measured in (False, True):
        start = time.process_time()
        for _ in range(repeat): _ = a @ w, a.T @ g
    return (time.process_time() - start) / repeat


def resident(what):
    "Resident memory of this process in MB: 'VmRSS' now, or 'VmHWM' at its highest since it was last reset."
    return int(re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def measure(folder, kind, dtype, lr, batch_size, epochs, threads):
    import numpy as np
    from w2s_nb.data.runtime import guard_torchvision
    guard_torchvision()
    import torch
    importlib.import_module("w2s_nb.learning.probes")   # before the clock starts, in every process
    torch.set_num_threads(threads)
    read = lambda name: (lambda: np.load(Path(folder, f"{name}.npy")))
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    cpu, wall = time.process_time(), time.time()
    loop = dict(reference=reference, ours=ours)[kind]
    weight, bias, dtype = loop(read("x"), read("labels"), epochs, lr, batch_size, dtype)
    cpu, wall, peak = time.process_time() - cpu, time.time() - wall, resident("VmHWM")
    right = (read("x_test")().astype(np.float32) @ weight.T + bias).argmax(1) == read("truth")()
    steps, step = -(-epochs * N // batch_size), product(batch_size, dtype)
    found = dict(dtype=dtype, cpu=cpu, wall=wall, products=step * steps / cpu, mb=peak - before)
    print(json.dumps(found | dict(accuracy=float(right.mean()))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", help="write the table here")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        folder, kind, dtype, lr, batch_size = args.measure
        return measure(folder, kind, dtype, float(lr), int(batch_size), args.epochs, args.threads)
    print(f"{N:,} x {D:,} features, {C:,} classes, {args.epochs} epochs, {args.threads} thread(s)")
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder))
        first, table = None, []
        for name, words in LOOPS.items():
            how = ["--epochs", str(args.epochs), "--threads", str(args.threads), "--measure", folder, *words]
            done = subprocess.run([sys.executable, __file__, *how], capture_output=True, text=True, check=True)
            r = json.loads(done.stdout.splitlines()[-1])
            first = first or r
            r |= dict(speed=first["wall"] / r["wall"], cpu_speed=first["cpu"] / r["cpu"])
            table.append(dict(loop=name, batch=words[3]) | r)
            print(f"  {name:28} {r['dtype']}  {r['wall']:6.1f} s ({r['speed']:.2f} x)  "
                  f"{r['cpu']:6.1f} s of CPU ({r['cpu_speed']:.2f} x)  products {r['products']:4.0%}  "
                  f"{r['mb']:5.0f} MB  accuracy {r['accuracy']:.4f}", flush=True)
    for r in table:
        theirs = next(other["accuracy"] for other in table if other["batch"] == r["batch"])
        chance = 2 * (2 * theirs * (1 - theirs) / M) ** 0.5
        assert r["accuracy"] > theirs - chance, f"{r['loop']}: {r['accuracy']:.4f}, the reference's loop {theirs:.4f}"
    if args.csv:
        import pandas as pd
        pd.DataFrame(table).drop(columns="batch").round(4).to_csv(args.csv, index=False)


if __name__ == "__main__": main()
