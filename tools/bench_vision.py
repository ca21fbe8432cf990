"""Training a linear probe from cached features: the reference's loop beside ours, on one machine and the same data.

    python tools/bench_vision.py                # 40,000 x 2,048 features, 1,000 classes, 5 epochs
    python tools/bench_vision.py --epochs 20    # the full length

Each loop runs in a process of its own. CPU seconds are compared, since they do not depend on what else the machine is doing;
wall-clock seconds are printed beside them. The product of a batch with the weights, measured in the same process, is the bound.
"""
import importlib
import argparse
import json
import resource
import subprocess
import sys
import time

N, M, D, C = 40_000, 10_000, 2048, 1000


def data():
    "Features with a thousand overlapping clusters, in half precision as they are cached, and a supervisor's soft labels."
    import torch
    g = torch.Generator().manual_seed(0)
    centres = torch.randn(C, D, generator=g)
    truth = torch.randint(C, (N + M,), generator=g)
    x = torch.cat([(0.12 * centres[part] + torch.randn(len(part), D, generator=g)).relu().half() for part in truth.split(5000)])
    logits = torch.randn(N, C, generator=g)
    logits[torch.arange(N), truth[:N]] += 3.0
    return x[:N], torch.softmax(2 * logits, 1), x[N:], truth[N:]


def naive(x, labels, epochs, lr, batch_size):
    "The reference's loop as specified: a DataLoader over a TensorDataset, Adam, cosine annealing by step."
    import torch
    from torch.utils.data import DataLoader, TensorDataset
    loader = DataLoader(TensorDataset(x.float(), labels), batch_size=batch_size, shuffle=True)
    model = torch.nn.Linear(D, C)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for _ in range(epochs):
        for a, b in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(a), b).backward()
            optimizer.step(); schedule.step()
    return lambda test: model(test.float()).argmax(1)


def ours(x, labels, epochs, lr, batch_size):
    import torch
    from w2s_nb.vision import VisionConfig, probe_by_epoch
    config = VisionConfig("benchmark", n_train=N, epochs=epochs, lr=lr, batch_size=batch_size)
    probe, _ = probe_by_epoch(x.numpy(), labels.numpy(), config, lambda probe: {}, "cpu")
    return lambda test: torch.from_numpy(probe.logits(test.numpy()).argmax(1))


def product(batch_size):
    "Seconds of CPU of the two matrix products of a step."
    import torch
    a, w = torch.randn(batch_size, D), torch.randn(D, C)
    repeat = max(3, 6000 // batch_size)
    for measured in (False, True):
        start = time.process_time()
        for _ in range(repeat): g = a @ w; a.T @ g
    return (time.process_time() - start) / repeat


def measure(kind, epochs, lr, batch_size, threads):
    from w2s_nb.runtime import guard_torchvision
    guard_torchvision()
    import torch
    importlib.import_module("w2s_nb.vision")   # before the clock starts, in every process
    torch.set_num_threads(threads)
    x, labels, test, truth = data()
    step = product(batch_size)
    before, cpu, wall = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), time.time()
    with_weights = dict(naive=naive, ours=ours)[kind](x, labels, epochs, lr, batch_size)
    cpu, wall = time.process_time() - cpu, time.time() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.no_grad(): accuracy = (with_weights(test) == truth).float().mean().item()
    steps = -(-epochs * N // batch_size)
    print(json.dumps(dict(cpu=cpu, wall=wall, products=step * steps / cpu, added_mb=(peak - before) / 1024, accuracy=accuracy)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure: return measure(args.measure[0], args.epochs, float(args.measure[1]), int(args.measure[2]), args.threads)
    found = {}
    print(f"{N:,} x {D:,} features, {C:,} classes, {args.epochs} epochs, {args.threads} thread(s)")
    for name, words in {"reference's loop, batch 100": ("naive", "1e-3", "100"), "ours, batch 100": ("ours", "1e-3", "100"), "ours, batch 500": ("ours", "2e-3", "500")}.items():
        command = [sys.executable, __file__, "--epochs", str(args.epochs), "--threads", str(args.threads), "--measure", *words]
        found[name] = r = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        first = next(iter(found.values()))
        print(f"  {name:28} {r['cpu']:7.1f} s CPU ({first['cpu'] / r['cpu']:.2f} x), {r['wall']:7.1f} s wall, of which products {r['products']:.0%}, "
              f"{r['added_mb']:6.0f} MB added, accuracy {r['accuracy']:.4f}", flush=True)


if __name__ == "__main__": main()
