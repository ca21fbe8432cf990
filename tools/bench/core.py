"""Measured ratios of memory and time, each pair in one go on one machine.

    python tools/bench/core.py     # memory of a step; price of micro-batches, of a stored run, of a backbone
"""
import os
import platform
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median


def doll(folder, width, layers, positions):
    "A random GPT-2 whose activations outweigh its weights, saved in a folder."
    import torch
    import transformers
    from w2s_nb.data.runtime import guard_torchvision
    guard_torchvision()
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=100, bos_token_id=None, eos_token_id=None, n_positions=positions,
                                     n_embd=width, n_layer=layers, n_head=4)
    transformers.GPT2Model(config).save_pretrained(folder)
    return str(folder)


def batch_of(rows, length):
    import numpy as np
    import torch
    from w2s_nb.data.tokens import Batch
    generator = torch.Generator().manual_seed(0)
    labels = torch.softmax(torch.randn(rows, 2, generator=generator), 1)
    tokens = torch.randint(1, 100, (rows, length), generator=generator)
    return Batch(np.arange(rows).astype(str), tokens, torch.full((rows,), length), labels)


def one_step(model_folder, rows, micro_batch, length):
    "Resident memory that one logconf step adds, in MiB (run in a process of its own)."
    import resource
    from w2s_nb.learning.more_losses import LOSSES
    from w2s_nb.models.text_models import load_classifier, model_spec
    from w2s_nb.data.runtime import Room
    from w2s_nb.learning.training import backward
    model, loss = load_classifier(model_spec(model_folder), 2), partial(LOSSES["logconf"], step_frac=0.5)
    backward(model, batch_of(1, 8), loss, Room(rows=1))                         # allocate gradients and libraries first
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    backward(model, batch_of(rows, length), loss, Room(rows=micro_batch))
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def memory(folder, length=512):
    "Peak memory of a step: batch 4, batch 32 in micro-batches of 4, batch 32 at once."
    model = doll(folder / "memory", 128, 6, length)
    def measure(rows, micro_batch):
        words = [sys.executable, __file__, "--step", model, str(rows), str(micro_batch), str(length)]
        return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    found = {"batch 4": measure(4, 4), "batch 32, micro-batch 4": measure(32, 4), "batch 32 at once": measure(32, 32)}
    for name, value in found.items(): print(f"  {name:26} {value:8.0f} MiB   {value / found['batch 4']:5.2f} × batch 4")


def seconds(call, repeats=7):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times[1:])


def micro_batches(folder, length=128):
    "Time of a step: whole batch, against the exact gradient in micro-batches."
    from w2s_nb.learning.more_losses import LOSSES
    from w2s_nb.models.text_models import load_classifier, model_spec
    from w2s_nb.data.runtime import Room
    from w2s_nb.learning.training import backward
    model, batch = load_classifier(model_spec(doll(folder / "speed", 128, 4, length)), 2), batch_of(32, length)
    for loss, rowwise in (("xent", True), ("logconf", False)):
        step = partial(backward, model, batch, partial(LOSSES[loss], step_frac=0.5))
        whole = seconds(lambda: step(Room(rows=32), rowwise=rowwise))
        for size in (8, 4):
            ratio = seconds(lambda: step(Room(rows=size), rowwise=rowwise)) / whole
            print(f"  {loss:8} micro-batch {size}: {ratio:5.2f} × the whole batch at once")


def stored_runs(folder):
    "Time to find and read a stored run, against training it."
    import tokenizers
    import transformers
    from w2s_nb.runs.config import RunConfig
    from w2s_nb.data.tasks import task_from_rows
    from w2s_nb.runs.runs import train_run
    model = doll(folder / "runs", 32, 2, 64)
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({str(i): i for i in range(100)}, unk_token="0"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(model)
    text = lambda i: " ".join(str((i * k) % 97) for k in range(1, 20))
    task_from_rows("numbers", [dict(txt=text(i), label=i % 2) for i in range(1000)])
    configs = [RunConfig("numbers", model, lr=1e-3, clip=float(i + 1)) for i in range(10)]
    run_all = lambda: [train_run(config, folder / "results", progress=False) for config in configs]
    start = time.perf_counter()
    run_all()
    trained, stored = time.perf_counter() - start, seconds(run_all)
    print(f"  training {100 * trained:.0f} ms a run, reading it {100 * stored:.0f} ms: {trained / stored:.0f} × faster")


def backbones(folder):
    "Time to get a backbone of 124 million parameters: from its file, which was read before, and from a copy in memory."
    import copy
    import transformers
    from w2s_nb.models.text_models import load_backbone, model_spec
    transformers.logging.disable_progress_bar()
    transformers.GPT2Model(transformers.GPT2Config()).save_pretrained(folder / "gpt2-sized")
    spec = model_spec(str(folder / "gpt2-sized"))
    kept = load_backbone(spec)
    touched = lambda backbone: sum(p.sum() for p in backbone.parameters())  # a mapped file is read where it is touched
    read = seconds(lambda: touched(load_backbone(spec)), 4)
    copied = seconds(lambda: touched(copy.deepcopy(kept)), 4)
    print(f"  read {read:.2f} s, copied {copied:.2f} s")


def main():
    if sys.argv[1:2] == ["--step"]: return one_step(sys.argv[2], *map(int, sys.argv[3:]))
    import torch
    processor = platform.processor() or platform.machine()
    print(f"{processor}, {os.cpu_count()} cores, torch {torch.__version__}, CUDA: {torch.cuda.is_available()}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["W2S_CACHE_DIR"] = folder
        for measure in (memory, micro_batches, stored_runs, backbones):
            print(measure.__doc__)
            measure(Path(folder))


if __name__ == "__main__": main()
