"""The first example of every notebook of the start, as a script in an empty folder. Ends with `N passed, N failed`.

    python tools/check/tutorials.py            # in this environment
    python tools/check/tutorials.py --fresh    # in a new one that has only what the package itself requires
    python tools/check/tutorials.py --wheel --python python3.13    # with the wheel, in a new one of that Python
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from execnb.nbio import read_nb
from nbdev.process import extract_directives

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chapters import NBS, ROOT


def first_example(path):
    "The code cells that a reader sees, as far as the first one that shows something."
    cells = [c for c in read_nb(path).cells if c.cell_type == "code"]
    seen = [c for c in cells if not {"hide", "eval:"} & extract_directives(c, remove=False).keys()]
    last = next((i for i, c in enumerate(seen) if c.get("outputs")), 0)
    return "\n".join(c["source"] for c in seen[:last + 1])


def wheel():
    "The wheel of this checkout, written to dist."
    for old in (ROOT / "dist").glob("*.whl"): old.unlink()
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(ROOT / "dist"), str(ROOT)],
                   check=True)
    return next((ROOT / "dist").glob("*.whl"))


def fresh_python(folder, python=sys.executable, package=ROOT):
    "The interpreter of a new environment with the package installed from this checkout, or from its wheel."
    subprocess.run([python, "-m", "venv", folder], check=True)
    python = Path(folder) / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(package)], check=True)
    return str(python)


def run(python, source):
    "'' if the lines run in an empty folder, else what they printed."
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | dict(PYTHONWARNINGS="ignore")
        done = subprocess.run([python, "-c", source], cwd=folder, capture_output=True, text=True, env=env)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="make a new environment and install the package there")
    parser.add_argument("--wheel", action="store_true", help="build the wheel into dist and install that")
    parser.add_argument("--python", default=sys.executable, help="the Python of the new environment")
    args, failed, paths = parser.parse_args(), 0, sorted((NBS / "0_start").glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        new = args.fresh or args.wheel
        python = fresh_python(folder, args.python, wheel() if args.wheel else ROOT) if new else sys.executable
        for path in paths:
            source, start = first_example(path), time.time()
            problem = run(python, source)
            failed += bool(problem)
            lines = sum(bool(line.strip()) for line in source.splitlines())
            said = f"{path.stem}: {lines} lines, {time.time() - start:.0f} s"
            print(f"{'FAILED' if problem else 'passed'}  {said}", flush=True)
            if problem: print(problem, flush=True)
    print(f"{len(paths) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
