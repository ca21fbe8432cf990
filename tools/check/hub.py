"""The way to the hub, walked without it: a server that answers as the hub does, with made-up rows and built-in models.

    python tools/check/hub.py     # the reference's example, the five datasets, and both again without a connection
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

# the example of the reference's README
EXAMPLE = ('--batch_size 32 --max_ctx 512 --ds_name sciq --loss logconf --n_docs 1000 --n_test_docs 100 '
           '--weak_model_size gpt2-medium --strong_model_size gpt2-large --seed 42').split()
PARQUET = "refs/convert/parquet"
LOAD = """import warnings; warnings.simplefilter("ignore")
from w2s_nb.data.rows import load_task
from w2s_nb.data.tasks import TASKS, task_from_hub
for config in ("plain", "hard"): task_from_hub("someone/scripted", name=config, config=config)
served = ("allenai/sciq", "google/boolq", "fancyzhx/amazon_polarity", "Anthropic/hh-rlhf", "allenai/cosmos_qa",
          "someone/scripted")
for name in [name for name, task in TASKS.items() if task.hub in served]:
    print(name, *(len(rows) for rows in load_task(name, n_train=20, n_test=10).values()))
"""


def repositories(folder):
    "Write folder/{datasets,models}/OWNER/NAME/REVISION/…: Parquet, gzipped lines, scripts with a branch, models."
    import pandas as pd
    from w2s_nb.models.ladder import MICRO_LADDER
    rows = {
        "sciq": ("question", "correct_answer", "distractor1", "distractor2", "distractor3", "support"),
        "boolq": ("passage", "question"),
        "cosmos_qa": ("context", "question", "answer0", "answer1", "answer2", "answer3"),
        "hh-rlhf": ("chosen", "rejected"),
        "amazon_polarity": ("title", "content"),
        "scripted": ("text",),
    }

    def table(name, n):
        made = {column: [f"the soup was good : {column} {i} of {name}" for i in range(n)] for column in rows[name]}
        if name not in ("sciq", "hh-rlhf"): made["answer" if name == "boolq" else "label"] = [i % 2 for i in range(n)]
        return pd.DataFrame(made)

    def put(repo, revision, path, data=None):
        file = folder / "datasets" / repo / revision.replace("/", "%") / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if data is None: file.write_text("raise SystemExit('a script was run')\n")
        elif path.endswith("parquet"): data.to_parquet(file)
        else: data.to_json(file, orient="records", lines=True)

    for split, n in (("train", 40), ("test", 20), ("validation", 20)):
        for repo in ("allenai/sciq", "google/boolq", "fancyzhx/amazon_polarity"):
            put(repo, "main", f"data/{split}-0.parquet", table(repo.split("/")[1], n))
        put("Anthropic/hh-rlhf", "main", f"harmless-base/{split}.jsonl.gz", table("hh-rlhf", n))
        put("allenai/cosmos_qa", PARQUET, f"default/{split}/0000.parquet", table("cosmos_qa", n))
        for config in ("plain", "hard"):
            put("someone/scripted", PARQUET, f"{config}/{split}/0000.parquet", table("scripted", n + len(config)))
    for repo in ("allenai/cosmos_qa", "someone/scripted"): put(repo, "main", f"{repo.split('/')[1]}.py")
    for name, rung in zip(("gpt2-medium", "gpt2-large"), MICRO_LADDER.values()):
        shutil.copytree(rung["path"], folder / "models" / "openai-community" / name / "main")


class Hub(BaseHTTPRequestHandler):
    "Answers the requests that datasets and transformers make."
    protocol_version = "HTTP/1.1"
    root = None
    path_of = re.compile(r"/(?:api/)?(?P<kind>datasets/|models/|)(?P<repo>[^/]+/[^/]+)"
                         r"(?:/(?P<what>resolve|tree|paths-info|revision)"
                         rf"/(?P<revision>{PARQUET}|[^/]+))?(?:/(?P<file>.*))?")

    def log_message(self, *args): pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in ({"Content-Length": len(body)} | headers).items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)

    def found(self, kind, repo, revision):
        "-> (folder of the revision, its commit), or (None, what is missing)."
        base = self.root / (kind.strip("/") or "models") / repo
        revisions = base.iterdir() if base.is_dir() else ()
        commits = {hashlib.sha1(str(folder).encode()).hexdigest(): folder for folder in revisions}
        for commit, folder in commits.items():
            if revision in (commit, folder.name.replace("%", "/")): return folder, commit
        return None, "RevisionNotFound" if commits else "RepoNotFound"

    def do_GET(self):
        url = urlsplit(self.path)
        part = self.path_of.fullmatch(unquote(url.path))
        if part is None: return self.answer(200 if url.path == "/" else 404)      # the front page: it is there
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        folder, commit = self.found(part["kind"], part["repo"], part["revision"] or "main")
        if folder is None: return self.answer(404, X_Error_Code=commit)
        entry = lambda p: dict(type="directory" if p.is_dir() else "file", path=str(p.relative_to(folder)),
                               size=p.stat().st_size, oid="0" * 40)
        json_of = lambda value: self.answer(200, json.dumps(value).encode(), Content_Type="application/json")
        target = folder / (part["file"] or "")
        if part["what"] == "resolve":
            if not target.is_file(): return self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            data = target.read_bytes()
            etag = f'"{hashlib.sha1(data).hexdigest()}"'
            return self.answer(200, data, ETag=etag, X_Repo_Commit=commit)
        if part["what"] == "tree":
            if not target.is_dir(): return self.answer(404, b"{}", X_Error_Code="EntryNotFound")
            deep = parse_qs(url.query).get("recursive", [""])[0].lower() == "true"
            return json_of([entry(p) for p in sorted(target.rglob("*") if deep else target.iterdir())])
        if part["what"] == "paths-info":
            paths = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body).get("paths", [])
            return json_of([entry(folder / p) for p in paths if (folder / p).exists()])
        files = [dict(rfilename=str(p.relative_to(folder))) for p in sorted(folder.rglob("*")) if p.is_file()]
        card = dict(private=False, disabled=False, gated=False, tags=[], downloads=0, likes=0)
        return json_of(dict(id=part["repo"], sha=commit, siblings=files, **card))

    do_HEAD = do_POST = do_GET


def problems(home):
    "What went wrong, a line each."
    Hub.root, found = home / "hub", []
    repositories(Hub.root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    example = [str(Path(sys.executable).parent / "w2s_train_weak_to_strong"), *EXAMPLE]

    def run(command, **more):
        address = f"http://127.0.0.1:{server.server_port}"
        env = os.environ | dict(HF_ENDPOINT=address, HF_HOME=str(home / "cache"),
                                W2S_CACHE_DIR=str(home / "tokens"), HF_HUB_DISABLE_XET="1",
                                HF_HUB_DISABLE_PROGRESS_BARS="1") | more
        env.pop("W2S_DATA_DIR", None)
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=home)

    loaded = [run([sys.executable, "-c", LOAD], HF_HUB_OFFLINE=offline) for offline in ("0", "1")]
    for done, how in zip(loaded, ("from the hub", "from its cache")):
        if done.returncode or len(done.stdout.splitlines()) < 7:
            found.append(f"datasets {how}: {done.stdout}{done.stderr}")
    scripted = [line.split(" ", 1) for line in loaded[0].stdout.splitlines() if line.split()[0] in ("plain", "hard")]
    if len({sizes for _, sizes in scripted}) != 1: found.append(loaded[0].stdout)
    unreachable = run(example, HF_HOME=str(home / "empty"), HF_HUB_OFFLINE="1")
    if unreachable.returncode != 2 or len(unreachable.stderr.strip().splitlines()) != 1:
        found.append(f"without the hub: {unreachable.returncode} {unreachable.stderr}")
    done = run(example)
    if done.returncode or "transfer_acc_logconf" not in done.stdout:
        found.append(f"the example: {done.stdout}{done.stderr}")
    server.shutdown()
    return found


def main():
    with tempfile.TemporaryDirectory() as home: found = problems(Path(home).resolve())
    print("\n".join(found) or "the example of the reference's README and every dataset of the hub: passed")
    sys.exit(bool(found))


if __name__ == "__main__": main()
