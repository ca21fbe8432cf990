"""Run the notebooks: `test` counts them as tests, `execute` also stores their outputs.

    python tools/check/notebooks.py test                 # every notebook, without cells flagged slow, cuda or notest
    python tools/check/notebooks.py test --flags slow    # the slow cells too
    python tools/check/notebooks.py execute nbs/3_learning/30_losses.ipynb

A test fails if a cell raises, or if the text that it shows is not the text that is stored (see outputs.py).
"""
import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import ROOT, cells, notebooks
from outputs import first_difference

SKIP = {"slow", "cuda", "notest"}


def run_one(path, flags, store, shell_type=None):
    "Execute one notebook in this process; print what is wrong; exit status 1 if a cell raised or shows other text."
    from nbdev.clean import clean_nb
    from execnb.nbio import read_nb, write_nb
    from execnb.shell import CaptureShell
    from nbdev.process import extract_directives
    os.chdir(path.parent)
    nb, shell, ran = read_nb(path), (shell_type or CaptureShell)(path), set()

    def skipped(cell):
        if cell.cell_type != "code": return True
        directives = extract_directives(cell, remove=False)
        if directives.get("eval:", [""])[0].lower() == "false": return True
        if (SKIP - flags) & directives.keys(): return True
        ran.add(cell.id)

    try: shell.run_all(nb, exc_stop=True, preproc=skipped)
    except (Exception, SystemExit): print(shell.prettytb(fname=path), file=sys.stderr)
    for cell in nb.cells:
        for out in cell.get("outputs", []):
            for line in "".join(out.get("text", "")).splitlines():
                if line.startswith("skipped:"): print(f"  {path.name}: {line}")
    if shell.exc: sys.exit(1)
    if store:
        clean_nb(nb)
        write_nb(nb, path)
    elif problem := first_difference(cells(path), nb.cells, ran):
        print(f"  stored outputs are not those of this code: {problem}")
        sys.exit(1)


def spawn(path, action, flags, workers, program=__file__):
    "Run one notebook in a fresh process: -> (passed, seconds, what it printed)."
    start = time.time()
    command = [sys.executable, program, action, str(path), "--alone", "--flags", flags]
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    env = os.environ | dict(PLOTLY_RENDERER="plotly_mimetype", IN_TEST="1", PYTHONWARNINGS="ignore",
                            OMP_NUM_THREADS=threads, TOKENIZERS_PARALLELISM="false", HF_HUB_DISABLE_PROGRESS_BARS="1")
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    return done.returncode == 0, time.time() - start, done.stdout + (done.stderr if done.returncode else "")


def run_all(paths, action, flags, workers, program=__file__):
    "Run notebooks, several at a time, each by `program`; print a line each; return how many failed."
    failed = 0
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda path: spawn(path, action, flags, workers, program), paths)
        for path, (ok, seconds, text) in zip(paths, results):
            failed += not ok
            print(f"{'passed' if ok else 'FAILED'}  {path.relative_to(ROOT)}  {seconds:.0f} s", flush=True)
            if text.strip(): print(text.rstrip(), flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["test", "execute"])
    parser.add_argument("paths", nargs="*", help="notebooks (default: all)")
    parser.add_argument("--flags", default="", help="space-separated flags of cells to run that are normally skipped")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="notebooks at a time")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_intermixed_args()
    paths = notebooks(args.paths)
    if args.alone: return run_one(paths[0], set(args.flags.split()), args.action == "execute")
    failed = run_all(paths, args.action, args.flags, args.workers)
    print(f"{len(paths) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
