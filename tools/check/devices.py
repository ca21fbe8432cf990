"""Train one run by two processes, and compare with one process. Ends with `N passed, N failed`.

    python tools/check/devices.py            # xent and logconf, full, LoRA and probe, ddp and fsdp2; files; memory
    python tools/check/devices.py --short    # logconf under fsdp2

The processes meet over gloo on the CPU, so no GPU is needed. They are forked from this one, which has imported the
package already. Final logits must agree to 1e-5, the first process alone may write, and the stored weights must be
whole. For the memory, a model of 170 million parameters takes two steps: a rank's peak under FSDP2 must be at most 0.65
of that of one process.
"""
import argparse
import ctypes
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import torch

import w2s_nb.models.kinds        # noqa: F401   imported once, before the children are forked
import w2s_nb.runs.learn          # noqa: F401
from w2s_nb import RunConfig, load_run, train_run
from w2s_nb.data.runtime import Execution
from w2s_nb.data.tokens import Tokens
from w2s_nb.learning.more_losses import LOSSES
from w2s_nb.learning.training import OptimSettings, fit, make_stepper, predict_logits
from w2s_nb.models.devices import join_processes, spread
from w2s_nb.models.text_models import Classifier

import peft                       # noqa: F401, E402   after the package
import torch.distributed.fsdp     # noqa: F401, E402   counts as an import, not as a rank's memory
from transformers import GPT2Config, GPT2Model   # noqa: E402

MOST, SHARE = 1e-5, 0.65
NO_DROPOUT = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
FEW = dict(n_docs=200, n_test_docs=60)
TEACHER = RunConfig("micro-grammar", "micro-8k", **FEW)
TUNES = ("full", "lora", "probe")


def together(work, n):
    "Run a function in n forked processes that can find each other: -> exit statuses."
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pids = []
    for rank in range(n):
        if pid := os.fork():
            pids.append(pid)
            continue
        status = 1
        try:
            if n > 1: os.environ |= dict(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(n),
                                         MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
            torch.set_num_threads(1)
            work(rank)
            status = 0
        except BaseException: traceback.print_exc()
        finally: os._exit(status)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def trained(root, config, n, how=None, only="-from-"):
    "The run as n processes have trained it; what is wrong, in words."
    statuses = together(lambda rank: train_run(config, root, device="cpu", micro_batch=4, accelerate_config=how), n)
    if any(statuses): return None, f"exit statuses {statuses}"
    (path,) = [path.parent for path in Path(root).rglob("manifest.json") if only in path.parent.name]
    return load_run(path), ""


def same_logits(home, tune, loss, how):
    "The largest difference between the logits of two processes and of one, and of the stored weights from them."
    config = RunConfig("micro-grammar", "micro-36k", teacher=TEACHER, tune=tune, loss=loss, **FEW)
    one, problem = trained(home / f"{tune}-{loss}-1", config, 1)
    two, other = trained(home / f"{tune}-{loss}-{how}", config, 2, how)
    if problem or other: return problem or other
    far = max(np.abs(getattr(one, part).logits - getattr(two, part).logits).max() for part in ("test", "transfer"))
    found, weights = [], [run.load_model("cpu").state_dict() for run in (one, two)]
    if weights[0].keys() != weights[1].keys(): found.append("other weights are stored")
    moved = max((weights[0][name] - weights[1][name]).abs().max().item() for name in weights[0])
    if one.path.name != two.path.name: found.append("another name")
    if far > MOST: found.append(f"logits differ by {far:.1e}")
    differ = f"logits differ by {far:.1e}, weights by {moved:.1e}"
    print(f"{how}, {tune}, {loss}: {differ}, {len(two.history)} steps", flush=True)
    return ", ".join(found)


def by_file(home, kind):
    "What is wrong where `w2s_train` is told how to share a run by a file of accelerate, in words."
    about = dict(distributed_type=kind, num_processes=2, num_machines=1, machine_rank=0, use_cpu=True,
                 mixed_precision="no")
    if kind == "FSDP": about["fsdp_config"] = dict(fsdp_version=2, fsdp_auto_wrap_policy="TRANSFORMER_BASED_WRAP")
    (home / f"{kind}.yaml").write_text(json.dumps(about))            # JSON is YAML
    words = f"--ds_name micro-grammar --model_size micro-36k --n_docs 200 --n_test_docs 60 --device cpu " \
            f"--results_folder {home / kind} --accelerate_config {home / kind}.yaml".split()
    start = "from w2s_nb.commands.cli import w2s_train; w2s_train()"
    done = subprocess.run([sys.executable, "-c", start, *words], capture_output=True, text=True)
    if done.returncode: return f"exit status {done.returncode}: {done.stderr[-300:]}"
    (path,) = [path.parent for path in (home / kind).rglob("manifest.json")]
    one, problem = trained(home / f"{kind}-1", RunConfig("micro-grammar", "micro-36k", **FEW), 1, only="")
    far = np.abs(one.test.logits - load_run(path).test.logits).max()
    print(f"accelerate's file, {kind}: logits differ by {far:.1e}", flush=True)
    return problem or (f"logits differ by {far:.1e}" if far > MOST or one.path.name != path.name else "")


def peak(how, n, folder):
    "MB that a process takes at most for two steps of a model whose weights dominate, beyond what it began with."
    def work(rank):
        execution = Execution(device="cpu", accelerate_config=how)
        begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        join_processes(execution)
        torch.manual_seed(0)
        shape = dict(vocab_size=64, n_positions=32, n_embd=768, n_layer=24, n_head=4) | NO_DROPOUT
        model = spread(Classifier(GPT2Model(GPT2Config(**shape)), 2), execution)
        rng, lengths = np.random.default_rng(0), np.full(8, 8)
        tokens = Tokens(np.array([f"{i}" for i in range(8)]), rng.integers(0, 64, 64).astype(np.int32),
                        np.arange(0, 64, 8), lengths, np.eye(2, dtype=np.float32)[rng.integers(0, 2, 8)], (), 0)
        stepper = make_stepper(model, 2, OptimSettings(optimizer="adam", lr=1e-5))
        batches = [tokens.batch(np.arange(8))] * 2
        losses = [record["loss"] for record in fit(model, batches, 2, LOSSES["logconf"], stepper)]
        predict_logits(model, tokens)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        (folder / f"{how}-{n}-{rank}").write_text(f"{(most - begun) / 1024} {most / 1024} {losses[-1]}")

    statuses = together(work, n)
    if any(statuses): return None
    return [tuple(map(float, (folder / f"{how}-{n}-{rank}").read_text().split())) for rank in range(n)]


def memory(folder):
    "What is wrong with the memory of a rank, in words."
    if sys.platform == "linux": ctypes.CDLL("libc.so.6").mallopt(-3, 1 << 16)   # freed memory is given back: count live
    one, two = peak("ddp", 1, folder), peak("fsdp2", 2, folder)
    if not one or not two: return "a process failed"
    grown, whole = (max(rank[i] for rank in two) / one[0][i] for i in (0, 1))
    print(f"memory: one process {one[0][0]:.0f} MB, ranks {[round(rank[0]) for rank in two]} MB beyond the imports: "
          f"{grown:.2f}; with them {whole:.2f}; loss {one[0][2]:.6f} and {two[0][2]:.6f}", flush=True)
    return f"a rank takes {grown:.2f} of one process" if grown > SHARE else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one case")
    args = parser.parse_args()
    every = [(tune, loss, how) for how in ("ddp", "fsdp2") for tune in TUNES for loss in ("xent", "logconf")]
    cases = [("full", "logconf", "fsdp2")] if args.short else every
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["W2S_CACHE_DIR"] = str(home / "cache")
        problems = {case: same_logits(home, *case) for case in cases}
        if not args.short:
            problems |= {f"a file of accelerate, {kind}": by_file(home, kind) for kind in ("MULTI_CPU", "FSDP")}
            problems["memory"] = memory(home)
    for name, problem in problems.items():
        if problem: print(f"FAILED  {name}: {problem}")
    failed = sum(map(bool, problems.values()))
    print(f"{len(problems) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
