"""Speed and memory of training and evaluation, beside the loops that people use: nbs/tables/speed*.csv.

    python tools/bench/speed.py --data DIR [--tokenizer NAME] [--reference CHECKOUT] [--device cuda] [--rounds 2]
                                [--batch 32]
    python tools/bench/speed.py --tiny          # a minute, to see that it runs; writes no table

Who is measured, on the same rows of sciq, boolq and amazon_polarity (`--data` holds NAME/SPLIT files, as W2S_DATA_DIR):
`fit` of this package; the loop of openai/weak-to-strong, from a checkout or written down here after it; and Hugging
Face's Trainer, plain and with batches grouped by length. All start from the same random weights, without dropout, with
batches of 32 rows (`--batch`). They take turns, one step each; a row of the table holds the median of the rounds and
their range.
"""
import argparse
import gc
import os
import platform
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from w2s_nb import __version__
from w2s_nb.data.rows import load_task
from w2s_nb.data.runtime import Execution, Room, pick_device
from w2s_nb.data.tasks import task_from_rows
from w2s_nb.data.tokens import lay_out, tokenize
from w2s_nb.learning.more_losses import LOSSES, ROWWISE
from w2s_nb.learning.training import OptimSettings, backward, fit, make_stepper, predict_logits
from w2s_nb.models.text_models import ModelSettings, load_classifier, load_tokenizer, model_spec

TABLES = Path(__file__).parents[2] / "nbs" / "tables"
TASKS = ("sciq", "boolq", "amazon_polarity")
BATCH, MAX_CTX, LR = 32, 256, 1e-5
NO_DROPOUT = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)


def configuration(size, words):
    "A transformers configuration without dropout; weights of it are drawn at random."
    import transformers
    shapes = {"tiny": dict(n_embd=64, n_layer=2, n_head=2), "gpt2": {},
              "gpt2-xl": dict(n_embd=1600, n_layer=48, n_head=25)}
    if size in shapes: return transformers.GPT2Config(**shapes[size], **NO_DROPOUT, vocab_size=words)
    if size == "qwen2.5-1.5b":
        return transformers.Qwen2Config(hidden_size=1536, intermediate_size=8960, num_hidden_layers=28,
                                        num_attention_heads=12, num_key_value_heads=2, vocab_size=words)
    raise SystemExit(f"--size {size} is not one of tiny, gpt2, gpt2-xl, qwen2.5-1.5b.")


def saved_model(size, tokenizer, folder, dtype, device="cpu"):
    "A folder with random weights, as `save_pretrained` writes them."
    import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    config = configuration(size, max(len(tokenizer), 64))
    with torch.device(device): model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def rows_of(task, tokenizer, args):
    "Tokens of a task's training rows."
    if args.tiny:
        rng = np.random.default_rng(0)
        texts = [" ".join(["good", "bad"][k % 2] for k in range(rng.integers(5, 40))) for _ in range(400)]
        task_from_rows(task, [dict(txt=text, label=i % 2) for i, text in enumerate(texts)], n_classes=2)
    rows = load_task(task, n_train=args.rows, n_test=50, data_dir=None if args.tiny else args.data)["train"]
    return tokenize(rows, tokenizer, MAX_CTX)


class Clock:
    "Seconds, and how far memory rises, while a block runs."

    def __init__(self, device): self.device = device

    def wait(self):
        if self.device.type == "cuda": torch.cuda.synchronize(self.device)

    @contextmanager
    def measure(self):
        gc.collect()
        self.wait()
        stop, seen = threading.Event(), [resident()]
        if self.device.type == "cuda": torch.cuda.reset_peak_memory_stats(self.device)
        watch = lambda: [seen.append(resident()) for _ in iter(lambda: stop.wait(0.02), True)]
        watcher = threading.Thread(target=watch)
        watcher.start()
        start = time.perf_counter()
        try:
            yield
            self.wait()
            self.seconds = time.perf_counter() - start
        finally: stop.set()
        watcher.join()
        cuda = self.device.type == "cuda"
        self.peak_mb = torch.cuda.max_memory_allocated(self.device) / 2**20 if cuda else max(seen) - seen[0]


def resident():
    "MiB that this process holds; 0 where the system does not tell."
    try: return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError): return 0.0


# Each of the following gives `(step, evaluate)`: step(row numbers) trains on a batch, evaluate(row numbers) predicts.

def ours(tokens, folder, device, dtype, loss, compile=False):
    "This package: packed rows, activations kept as by the others; logconf with a sixth of the batch in memory."
    spec, execution = model_spec(folder), Execution(device=str(device), checkpointing=False, compile=compile)
    model = load_classifier(spec, 2, ModelSettings(dtype=dtype), execution=execution)
    stepper = make_stepper(model, 10**6, OptimSettings(optimizer="adam", lr=LR, schedule="constant"))
    queue = []
    def batches():
        while True: yield tokens.batch(queue.pop(0) if queue else np.arange(1))

    def step(rows):
        room = Room(tokens=int(tokens.lengths[rows].sum()) // 6) if loss == "logconf" else Room(tokens=2**15)
        queue[:] = [rows]
        next(iter(fit(model, batches(), 10**6, LOSSES[loss], stepper, room, loss in ROWWISE)))

    return step, lambda rows: predict_logits(model, tokens.select(rows)), model


class Restated(torch.nn.Module):
    "The reference's classifier: the last token's hidden state, found by counting ids that are not 0."

    def __init__(self, folder, device, dtype):
        super().__init__()
        from transformers import AutoModelForCausalLM
        self.lm = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device)
        self.score = torch.nn.Linear(self.lm.config.hidden_size, 2, bias=False).to(device, dtype)
        torch.nn.init.zeros_(self.score.weight)

    def forward(self, input_ids):
        lengths = (input_ids != 0).sum(dim=-1)
        hidden = self.lm.base_model(input_ids)[0]
        return self.score(torch.stack([hidden[i, lengths[i] - 1, :] for i in range(len(lengths))]))


def restated(tokens, folder, device, dtype, micro_batch):
    "The reference's loop after its specification: padded micro-batches in order, joined logits, one backward pass."
    model = Restated(folder, device, torch.bfloat16 if dtype == "bf16-true" else torch.float32).eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    def step(rows):
        parts = [rows[i:i + micro_batch] for i in range(0, len(rows), micro_batch)]
        logits = torch.cat([model(padded(tokens, part, device)) for part in parts]).float()
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(tokens.labels[rows]).to(device))
        loss.item()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step, partial(evaluated, model, tokens, device), model


def padded(tokens, rows, device):
    ids = [tokens.flat[tokens.starts[i]:tokens.starts[i] + tokens.lengths[i]].astype(int) for i in rows]
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(one) for one in ids], batch_first=True).to(device)


@torch.no_grad()
def evaluated(model, tokens, device, rows):
    "The reference's evaluation: batches of 32 rows in their order."
    return [model(padded(tokens, rows[i:i + BATCH], device)).cpu() for i in range(0, len(rows), BATCH)]


def checkout(tokens, folder, device, dtype, micro_batch, reference, batch):
    "The reference's own code; on a machine without CUDA its calls of it do nothing."
    sys.path.insert(0, str(reference))
    if device.type != "cuda":
        torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *args, **options: self
        moved = torch.Tensor.to
        torch.Tensor.to = lambda self, *to, **more: self if to and to[0] in ("cuda", 0) else moved(self, *to, **more)
    from weak_to_strong.model import TransformerWithHead
    from weak_to_strong.train import train_model
    model = TransformerWithHead.from_pretrained(folder, num_labels=2)
    def rows_as_theirs(rows):
        return [dict(input_ids=tokens.flat[tokens.starts[i]:tokens.starts[i] + tokens.lengths[i]].tolist(),
                     soft_label=tokens.labels[i].tolist(), hard_label=int(tokens.labels[i].argmax())) for i in rows]

    def step(rows):
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            train_model(model, rows_as_theirs(rows), batch_size=batch, lr=LR, minibatch_size=micro_batch, epochs=1,
                        eval_every=10**6, lr_schedule="constant")

    return step, partial(evaluated, model, tokens, device), model


def trainer(tokens, folder, device, dtype, batch):
    "Hugging Face's Trainer with its defaults, on batches that are given to it."
    import transformers
    weights = torch.bfloat16 if dtype == "bf16-true" else torch.float32
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=weights)
    pad = model.config.pad_token_id = model.config.vocab_size - 1
    def example(i):
        ids = tokens.flat[tokens.starts[i]:tokens.starts[i] + tokens.lengths[i]]
        return dict(input_ids=torch.from_numpy(ids.astype(int)), labels=int(tokens.labels[i].argmax()))

    def collate(examples):
        ids = torch.nn.utils.rnn.pad_sequence([e["input_ids"] for e in examples], True, pad)
        real = torch.arange(ids.shape[1]) < torch.tensor([len(e["input_ids"]) for e in examples])[:, None]
        return dict(input_ids=ids, attention_mask=real.long(), labels=torch.tensor([e["labels"] for e in examples]))

    class Timed(transformers.TrainerCallback):
        "Only the step itself counts, not what the Trainer sets up before it."
        def on_step_begin(self, *args, **options):
            clock.wait()
            self.start = time.perf_counter()

        def on_step_end(self, *args, **options):
            clock.wait()
            self.seconds = time.perf_counter() - self.start

    clock, timed = Clock(device), Timed()
    home = tempfile.mkdtemp()
    given = transformers.TrainingArguments(
        home, per_device_train_batch_size=batch, per_device_eval_batch_size=BATCH, max_steps=1, learning_rate=LR,
        train_sampling_strategy="sequential", save_strategy="no", logging_strategy="no", report_to=[],
        disable_tqdm=True, use_cpu=device.type == "cpu", dataloader_pin_memory=device.type == "cuda")

    def loop(rows):
        examples = [example(i) for i in rows]
        return transformers.Trainer(model, given, collate, train_dataset=examples, callbacks=[timed]), examples

    def step(rows):
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere): loop(rows)[0].train()
        return timed.seconds

    def evaluate(rows):
        one, examples = loop(rows)
        return one.predict(examples)

    return step, evaluate, model


def grouped(lengths, rounds, batch):
    "Batches that the Trainer's group_by_length would form, of the lengths that occur: one a round."
    from transformers.trainer_pt_utils import LengthGroupedSampler
    order = list(LengthGroupedSampler(batch, lengths=lengths.tolist(), generator=torch.Generator().manual_seed(0)))
    batches = [np.array(order[i:i + batch]) for i in range(0, len(order) - batch + 1, batch)]
    batches.sort(key=lambda rows: lengths[rows].sum())
    return [batches[int((r + 0.5) / rounds * len(batches))] for r in range(rounds)]


def product_rate(device, dtype):
    "Floating-point operations a second of a square matrix product."
    n = 8192 if device.type == "cuda" else 2048         # a GPU needs more to be busy
    (a, b), clock = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2)), Clock(device)
    a @ b
    best = 0.0
    for _ in range(3):
        with clock.measure(): a @ b
        best = max(best, 2 * n**3 / clock.seconds)
    return best


def padding_of(who, tokens, rows, model, micro_batch):
    "Share of the tokens computed that are padding."
    lengths = tokens.lengths[rows]
    if who.startswith("ours"):
        computed = sum(laid.input_ids.numel() for laid in lay_out(tokens.batch(rows), model.layout))
    else:
        parts = np.split(lengths, range(micro_batch, len(lengths), micro_batch))
        computed = sum(len(part) * part.max() for part in parts)
    return 1 - lengths.sum() / computed


def contestants(args, device, first):
    "name -> (how it is made, precision, loss, rows in memory at a time)"
    large = args.size not in ("gpt2", "tiny")
    dtype, made = "bf16-true" if large else "fp32", {}
    if not large: made["ours, fp32"] = (partial(ours, dtype="fp32", loss="xent"), "fp32", "xent", BATCH)
    made["ours, bf16"] = (partial(ours, dtype="bf16-true" if large else "bf16", loss="xent"), "bf16", "xent", BATCH)
    if args.compiled:
        made["ours, bf16, compiled"] = (partial(ours, dtype=dtype, loss="xent", compile=True), "bf16", "xent", BATCH)
    elif first: made["ours, logconf"] = (partial(ours, dtype=dtype, loss="logconf"), dtype[:4], "logconf", BATCH)
    own = partial(checkout, reference=args.reference, batch=args.batch) if args.reference else restated
    sizes = (BATCH,) if args.compiled else (1, BATCH) if first or device.type == "cuda" else (1,)
    for size in sizes:
        made[f"reference, micro-batch {size}"] = (partial(own, dtype=dtype, micro_batch=size), dtype[:4], "xent", size)
    made["Trainer"] = (partial(trainer, dtype=dtype, batch=args.batch), dtype[:4], "xent", args.batch)
    if not args.compiled: made["Trainer, grouped by length"] = made["Trainer"]
    return made


def compare(task, tokens, folder, args, device, first):
    "Rows of the table: every contestant's training and evaluation on a task, taking turns."
    clock, rng, found = Clock(device), np.random.default_rng(1), []
    batches = [rng.permutation(len(tokens))[:args.batch] for _ in range(args.rounds)]
    by_length = grouped(tokens.lengths, args.rounds, args.batch)
    made = contestants(args, device, first)
    short = np.argsort(tokens.lengths)[:BATCH]
    for r in range(args.rounds):
        rates = dict(fp32=product_rate(device, torch.float32), bf16=product_rate(device, torch.bfloat16))
        for who, (make, dtype, loss, micro_batch) in made.items():
            step, evaluate, model = make(tokens, folder, device)      # one at a time, so that memory is its own
            with clock.measure(): step(short)                         # allocate moments and buffers; compile
            first_s, rows = clock.seconds, by_length[r] if "grouped" in who else batches[r]
            if args.compiled: step(rows)                              # other shapes may be compiled once more
            taken, peaks = [], []
            while len(taken) < (5 if device.type == "cuda" else 1) and sum(taken) < 5:    # of milliseconds: the median
                with clock.measure(): inside = step(rows)
                taken.append(inside or clock.seconds)
                peaks.append(clock.peak_mb)
            seconds = float(np.median(taken))
            row = dict(task=task, who=who, dtype=dtype, loss=loss, round=r, rows=len(rows), product=rates[dtype],
                       tokens=int(tokens.lengths[rows].sum()), weights=body_size(model), first_s=first_s)
            training = dict(phase="training", seconds=seconds, peak_mb=max(peaks))
            found.append(row | training | dict(padding=padding_of(who, tokens, rows, model, micro_batch)))
            if loss != "xent" or "grouped" in who or who == f"reference, micro-batch {BATCH}": continue
            if device.type == "cuda" or args.compiled: evaluate(rows)   # the first call chooses kernels, or makes them
            with clock.measure(): evaluate(rows)
            evaluation = dict(phase="evaluation", seconds=clock.seconds, peak_mb=clock.peak_mb)
            found.append(row | evaluation | dict(who=who.split(", micro")[0],
                                                 padding=padding_of(who, tokens, rows, model, BATCH)))
        taken = [f"{f['who']} {f['seconds']:.2f} s" for f in found if f["round"] == r and f["phase"] == "training"]
        print(f"  {task}, round {r + 1}: {', '.join(taken)}", flush=True)
    return found


def body_size(model):
    "Weights that are multiplied with every token: all but embeddings and heads."
    embeddings = {id(p) for m in model.modules() if isinstance(m, torch.nn.Embedding) for p in m.parameters()}
    body = [p for name, p in model.named_parameters() if p.ndim > 1 and "head" not in name and "score" not in name]
    return sum(p.numel() for p in body if id(p) not in embeddings)


def table_of(found):
    "Medians and ranges of the rounds; `product_share` is the real tokens' arithmetic over the measured product."
    df = pd.DataFrame(found)
    df["tokens_per_s"] = df.tokens / df.seconds
    df["rows_per_s"] = df.rows / df.seconds
    passes = np.where(df.phase == "training", 6, 2)                                 # operations a weight and token
    df["product_share"] = passes * df.weights * df.tokens_per_s / df["product"]
    groups = df.groupby(["task", "phase", "who", "dtype", "loss"], sort=False)
    table = groups[["seconds", "rows_per_s", "tokens_per_s", "product_share", "padding", "peak_mb", "first_s"]].median()
    table.insert(3, "tokens_per_s_low", groups.tokens_per_s.min())
    table.insert(4, "tokens_per_s_high", groups.tokens_per_s.max())
    table["rounds"] = groups.size()
    return table.reset_index()


def parts_of_step(task, tokens, folder, device, dtype):
    "Where the time of one step goes, in seconds, for a batch of this package."
    clock, found = Clock(device), {}
    rows = np.random.default_rng(1).permutation(len(tokens))[:BATCH]
    _, _, model = ours(tokens, folder, device, dtype, "xent")
    stepper = make_stepper(model, 10**6, OptimSettings(optimizer="adam", lr=LR, schedule="constant"))
    def timed(name, call):
        with clock.measure(): result = call()
        found[name] = clock.seconds
        return result

    for _ in range(2):
        batch = timed("rows to a batch", lambda: tokens.batch(rows).to(device))
        timed("layout", lambda: lay_out(batch, model.layout))
        loss = timed("forward", lambda: torch.nn.functional.cross_entropy(model.train()(batch), batch.labels))
        timed("backward", loss.backward)
        timed("optimizer", stepper.optimizer.step)
        stepper.optimizer.zero_grad()
    return [dict(task=task, part=part, seconds=seconds) for part, seconds in found.items()]


def activations(tokens, folder):
    "MiB of activations at the peak of a step on the CPU, from torch's own record of allocations."
    rows = np.argsort(-tokens.lengths, kind="stable")[:BATCH]
    batch = tokens.batch(rows)
    _, _, model = ours(tokens, folder, torch.device("cpu"), "fp32", "xent")
    steps = {"xent, whole batch": ("xent", Room()), "logconf, whole batch": ("logconf", Room()),
             "logconf, a sixth": ("logconf", Room(tokens=int(tokens.lengths[rows].sum()) // 6))}
    found = []
    for name, (loss, room) in steps.items():
        call = partial(backward, model, batch, partial(LOSSES[loss], step_frac=0.5), room, loss in ROWWISE)
        call()
        cpu = [torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=cpu, profile_memory=True) as profile: call()
        changes = sorted((event.time_range.start, event.self_cpu_memory_usage) for event in profile.events())
        found.append(dict(step=name, peak_mb=float(np.cumsum([change for _, change in changes]).max()) / 2**20))
    return found


def machine(device):
    "What the numbers were measured on."
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    cpu = next((line.split(": ")[1] for line in lines if "model name" in line), cpu)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    import transformers
    return dict(processor=name, threads=torch.get_num_threads(), torch=torch.__version__,
                transformers=transformers.__version__, w2s_nb=__version__)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("W2S_DATA_DIR"), help="folder of local rows")
    parser.add_argument("--tokenizer", default="openai-community/gpt2", help="of the rows: a hub id or a folder")
    parser.add_argument("--reference", help="a checkout of openai/weak-to-strong")
    parser.add_argument("--device", help="cpu, cuda or mps")
    parser.add_argument("--size", default="gpt2", help="gpt2, gpt2-xl, qwen2.5-1.5b")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="whose rows are read")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=BATCH, help="rows of a training step")
    parser.add_argument("--rows", type=int, default=1600, help="rows of a task that are read")
    parser.add_argument("--tables", default=str(TABLES), help="folder to write to")
    parser.add_argument("--compiled", action="store_true", help="compile=True beside the default, and fewer others")
    parser.add_argument("--tiny", action="store_true", help="a tiny model on made-up rows, to see that everything runs")
    args = parser.parse_args()
    os.environ["W2S_CACHE_DIR"] = tempfile.mkdtemp()
    device, tasks = pick_device(args.device), args.tasks if not args.tiny else ("tiny rows",)
    if args.tiny: args.size = "tiny"
    name = "micro-8k" if args.tiny else args.tokenizer
    tokenizer = load_tokenizer(model_spec(name) if args.tiny else replace(model_spec("gpt2"), hub=name))
    start, found, parts = time.time(), [], []
    big = args.size in ("gpt2-xl", "qwen2.5-1.5b")
    with tempfile.TemporaryDirectory() as home:
        folder = saved_model(args.size, tokenizer, Path(home) / "model", torch.bfloat16 if big else torch.float32,
                             device)
        for task in tasks:
            tokens = rows_of(task, tokenizer, args)
            found += compare(task, tokens, folder, args, device, first=task == tasks[0])
            if not args.compiled: parts += parts_of_step(task, tokens, folder, device, "bf16-true" if big else "fp32")
            if task == tasks[0] and device.type == "cpu" and not args.compiled: memory = activations(tokens, folder)
    table = table_of(found).assign(size=args.size, batch=args.batch, **machine(device))
    print(table.drop(columns=["processor", "torch", "transformers", "w2s_nb"]).round(3).to_string(index=False))
    print(f"{time.time() - start:.0f} s")
    if args.tiny: return
    out = Path(args.tables)
    suffix = "" if device.type == "cpu" else f"_{device.type}_{args.size}"
    if args.compiled: suffix = f"_compiled{suffix}"
    if args.batch != BATCH: suffix += f"_batch_{args.batch}"
    table.round(4).to_csv(out / f"speed{suffix}.csv", index=False)
    if parts and not args.compiled: pd.DataFrame(parts).round(5).to_csv(out / f"speed_parts{suffix}.csv", index=False)
    if device.type == "cpu" and not args.compiled:
        pd.DataFrame(memory).round(2).to_csv(out / "speed_memory.csv", index=False)


if __name__ == "__main__": main()
