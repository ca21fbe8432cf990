"""Full disks, folders that cannot be written, no home: what commands do there. Ends with `N passed, N failed`.

    python tools/check/disks.py            # every case
    python tools/check/disks.py --short    # one of each kind

The disks are small file systems in memory, mounted where no other process sees them: that needs Linux, and the right to
make a mount namespace. A command must succeed, or end in one sentence with status 2. What is stored stays as it was,
nothing half-written is left, and with room again the same command gives the bytes of one that was never disturbed.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kills import Work

import w2s_nb.commands.cli as cli
import w2s_nb.commands.vision as vision
import w2s_nb.models.networks     # noqa: F401   imported once, before the children are forked
from w2s_nb.data.files import check_manifest

FEW = ["--n_docs", "100", "--n_test_docs", "40"]
SWEEP = ["--model_sizes", "micro-8k,micro-12k", "--ds_names", "micro-grammar", "--seeds", "0", *FEW]
TRAIN = ["--ds_name", "micro-grammar", "--model_size", "micro-8k", *FEW]
PAIR = ["--ds_name", "micro-grammar", "--weak_model_size", "micro-8k", "--strong_model_size", "micro-12k", *FEW]
LOOK = ["--n_train", "100", "--n_test", "50", "--seeds", "0", "--n_epochs", "1"]
ROOM, OTHER = "Make room", "Give a folder that you can write to"
NOBODY = 12345   # a user without a name and without a home


def mount(folder, options):
    "A file system in memory at a folder; `remount,…` changes one that is there."
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


class Place(Work):
    "A command with a folder of results and a cache of its own."

    def __init__(self, home, name, command="w2s_train", words=TRAIN):
        super().__init__(home, name, command, words)
        if command in ("w2s_table", "w2s_plot", "w2s_vision", "w2s_audit"): self.words = list(words)
        self.without, self.user = (), None      # variables that are not set; the user who runs it

    def run(self, *more):
        "Run it in a child: -> its exit status, and what it said."
        self.said.write_text("")
        if pid := os.fork():
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            return status, self.said.read_text()
        status = 70
        try:
            os.environ["W2S_CACHE_DIR"] = str(self.cache)
            for name in self.without: os.environ.pop(name, None)
            with open(self.said, "a") as said:
                for stream in (1, 2): os.dup2(said.fileno(), stream)
            if self.user: os.getuid = lambda: self.user
            module = vision if self.command == "w2s_vision" else cli
            getattr(module, self.command)([*self.words, *more])
            status = 0
        except SystemExit as e: status = e.code if isinstance(e.code, int) else 1
        except BaseException as e: os.write(2, f"Traceback: {type(e).__name__}: {e}\n".encode())
        finally: os._exit(status)


def refused(place, *words, more=()):
    "'' if the command ends in one sentence with these words, else what it did."
    status, said = place.run(*more)
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if status == 2 and len(errors) == 1 and all(word in errors[0] for word in words) and "Traceback" not in said:
        print(f"    {errors[0]}".replace(str(place.root.parent), "…"))
        return ""
    return f"status {status}: {said[-500:]}"


def works(place, plain):
    "'' if the command succeeds and stores what it stores elsewhere, else what it did."
    status, said = place.run()
    if status or "Traceback" in said: return f"status {status}: {said[-500:]}"
    differ = [name for name, content in plain.files().items() if place.files().get(name) != content]
    return f"{len(differ)} files differ: {differ[:3]}" if differ else ""


def damaged(place):
    "'' if every stored run is what was written, and nothing half-written is left."
    for path in place.root.rglob("results_summary.json"): check_manifest(path.parent)
    left = place.left_behind() if place.root.is_dir() else []
    return f"left behind: {left[:4]}" if left else ""


def full(home, plain, share):
    "A disk that is full when a share of the sweep is written; then there is room."
    used = sum(path.stat().st_blocks * 512 for path in plain.root.rglob("*")) // 1024
    place = Place(home, f"full-{share}", "w2s_sweep", SWEEP)
    mount(place.root, f"size={max(8, int(used * share))}k")
    status, said = place.run()
    told = [line for line in said.splitlines() if ROOM in line]
    if status == 0 or not told or "Traceback" in said: return f"status {status}: {said[-700:]}"
    stored = len(list(place.root.rglob("results_summary.json")))
    print(f"    {used * share:.0f} of {used} kB: {stored} runs stored; {told[0].strip()}".replace(str(home), "…"))
    if problem := damaged(place): return problem
    mount(place.root, f"remount,size={4 * used}k")
    return works(place, plain) or damaged(place)


def closed(place):
    "Make its folder of results one that cannot be written."
    mount(place.root, "remount,ro")
    return place


def copied(home, name, plain, command, words):
    "A place with a copy of stored runs on a file system of its own."
    place = Place(home, name, command, words)
    mount(place.root, "size=50m")
    shutil.copytree(plain.root, place.root, dirs_exist_ok=True)
    return place


def odd_roots(home):
    "Folders of results that are none: -> {what: path}."
    (home / "a-file").write_text("")
    (home / "loop").symlink_to(home / "loop")
    (home / "dangling").symlink_to("/proc/nowhere/at/all")
    return {"a file": home / "a-file", "a link to itself": home / "loop", "a dangling link": home / "dangling",
            "/dev/null": Path("/dev/null"), "/proc": Path("/proc/nope"), "a name of 300 letters": home / ("n" * 300),
            "a path of 5,000 letters": home / "/".join(["n" * 99] * 50)}


def odd_caches(home):
    "Folders for caches in which nothing can be kept: -> {what: path}."
    mount(home / "no-room", "size=4k")
    mount(home / "read-only", "ro")
    (home / "not-a-folder").write_text("")
    return {"on a full disk": home / "no-room", "read-only": home / "read-only", "a file": home / "not-a-folder",
            "/dev/null": Path("/dev/null"), "/proc": Path("/proc/nope")}


def cases(home, short):
    "{what: function without arguments, giving '' or what is wrong}"
    sweep, train = Place(home, "sweep", "w2s_sweep", SWEEP), Place(home, "train")
    probe = Place(home, "probe", words=[*TRAIN, "--linear_probe"])
    for plain in (sweep, train, probe): assert plain.run()[0] == 0, plain.said.read_text()
    found = {f"full disk, {share:.0%} of the room": lambda share=share: full(home, sweep, share)
             for share in ((0.5,) if short else (0.02, 0.3, 0.5, 0.7, 0.9, 0.97))}

    def unreadable_home():
        place = Place(home, "homeless", words=[*TRAIN, "--linear_probe"])
        place.without, place.user = ("HOME", "W2S_CACHE_DIR"), NOBODY
        mount(place.root, "size=50m")
        return works(place, probe)

    def odd_root(what, path):
        place = Place(home, f"root {what}".replace("/", "-")[:40])
        place.words[place.words.index("--results_folder") + 1] = str(path)
        return refused(place, "Cannot write to")

    def odd_cache(what, path):
        place = Place(home, f"cache {what}".replace("/", "-"), words=[*TRAIN, "--linear_probe"])
        place.cache = path
        return works(place, probe)

    def new_run():
        place = copied(home, "new", train, "w2s_train", [*TRAIN, "--seed", "1"])
        return refused(closed(place), OTHER) or damaged(place)

    def all_stored(command, words):
        place = closed(copied(home, f"stored-{command}", sweep, command, words))
        if command == "w2s_table": place.words = ["--results_folder", str(place.root)]
        return works(place, sweep) if command in ("w2s_train", "w2s_table") else refused(place, OTHER)

    def writes(command, words, name):
        place = Place(home, f"{command}-{name}", command, words)
        mount(place.root, "size=4k")
        (place.root / "filler").write_bytes(bytes(4096))
        problem = refused(place, ROOM, more=("--out", str(place.root / name)))
        mount(place.root, "remount,ro")
        return problem or refused(place, OTHER, more=("--out", str(place.root / name)))

    stored = ["--results_folder", str(sweep.root)]
    found["read-only results, a new run"] = new_run
    found["no home"] = unreadable_home
    caches, roots = odd_caches(home), odd_roots(home)
    for what in list(caches)[:1] if short else caches:
        found[f"cache {what}"] = lambda what=what: odd_cache(what, caches[what])
    for what in list(roots)[:1] if short else roots:
        found[f"results folder {what}"] = lambda what=what: odd_root(what, roots[what])
    found["full disk, a table"] = lambda: writes("w2s_table", stored, "table.csv")
    if short: return found
    for command, words in dict(w2s_train=TRAIN, w2s_table=[], w2s_sweep=SWEEP).items():
        found[f"read-only results, all stored, {command}"] = lambda c=command, w=words: all_stored(c, w)
    found["full disk, a figure"] = lambda: writes("w2s_plot", stored, "figures")
    found["full disk, an audit"] = lambda: writes("w2s_audit", ["--ds_names", "micro-grammar"], "audit.csv")
    found |= whole_commands(home)
    return found


def whole_commands(home):
    "Other commands with their results on a read-only and on a full disk."
    def pair(options, word):
        place = Place(home, f"pair-{options}", "w2s_train_weak_to_strong", PAIR)
        mount(place.root, options)
        return refused(place, word)

    def look(options, word):
        place = Place(home, f"vision-{options}", "w2s_vision", LOOK)
        mount(place.root, options)
        return refused(place, word, more=("--results_folder", str(place.root)))

    def checkpoints():
        place = Place(home, "checkpoints", words=[*TRAIN, "--checkpoint_every", "1steps"])
        mount(place.root, "size=40k")
        return refused(place, ROOM)

    found = {f"{what}, w2s_train_weak_to_strong": lambda o=options, w=word: pair(o, w)
             for what, options, word in (("read-only", "ro", OTHER), ("full disk", "size=8k", ROOM))}
    found |= {f"{what}, w2s_vision": lambda o=options, w=word: look(o, w)
              for what, options, word in (("read-only", "ro", OTHER), ("full disk", "size=8k", ROOM))}
    return found | {"full disk, checkpoints": checkpoints}


def own_namespace():
    "Begin again where mounts are seen by nobody else; False if the system does not allow it."
    if "OWN_MOUNTS" in os.environ: return True
    words = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    try: allowed = subprocess.run([*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode
    except OSError: allowed = 1
    if allowed: return False
    os.environ["OWN_MOUNTS"] = "1"
    os.execvp(words[0], [*words, sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one of each kind")
    args = parser.parse_args()
    if not own_namespace():
        print("skipped: no file systems can be mounted here\n0 passed, 0 failed")
        return
    with tempfile.TemporaryDirectory() as folder:
        found, failed = cases(Path(folder), args.short), 0
        try:
            for what, case in found.items():
                problem = case()
                failed += bool(problem)
                print(f"{'FAILED' if problem else 'passed'}  {what}{': ' * bool(problem)}{problem}", flush=True)
        finally: subprocess.run(f"umount {folder}/*", shell=True, stderr=subprocess.DEVNULL)
    print(f"{len(found) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main()
