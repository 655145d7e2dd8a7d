"""Predicts a folder with Dask: shards of `medurwkv predict` are the tasks, the merge is the last one.

    predict_with_dask.py MODEL IMAGES --out MASKS [--shards 64] [--workers 2 | --scheduler tcp://HOST:8786]

A worker that is lost has its shards done again by another one: `--continue` keeps what a shard had written, and the merge
checks that each image is there once. Nothing but names of shards passes between the processes; on several machines
the model, IMAGES and MASKS must be on a file system that all of them see. Needs the packages dask and distributed.
"""
import argparse
import json
import os
import shutil
import subprocess

from dask.distributed import Client, LocalCluster, as_completed


def predict_shard(program, model, images, out, shard):
    """One shard, in a process that dies with the worker: its place is then free for the next one."""
    command = [program, "predict", model, images, "--out", out, "--shard", shard, "--continue", "--threads", "1", "--quiet"]
    die_with_worker = ["setpriv", "--pdeathsig", "KILL"]
    done = subprocess.run(die_with_worker + command, capture_output=True, text=True)
    if done.returncode != 0 and not is_complete(out, shard):
        raise RuntimeError(f"shard {shard}: {done.stderr}")
    return shard


def is_complete(out, shard):
    """Whether the shard went to its end. Images that failed are listed in its manifest."""
    manifest = os.path.join(out, f"manifest-{shard.replace('/', '-of-')}.json")
    if not os.path.exists(manifest):
        return False
    with open(manifest, encoding="utf-8") as file:
        return json.load(file)["complete"]


def merge(program, out):
    return subprocess.run([program, "predict", "--merge", "--out", out, "--force"]).returncode


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model")
    arguments.add_argument("images")
    arguments.add_argument("--out", default="predictions")
    arguments.add_argument("--shards", type=int, default=64)
    arguments.add_argument("--workers", type=int, default=2, help="processes of this machine, without --scheduler")
    arguments.add_argument("--scheduler", help="address of a Dask scheduler whose workers are to do it")
    arguments.add_argument("--program", default=shutil.which("medurwkv"))
    given = arguments.parse_args()
    program, model, images, out = (os.path.abspath(path) for path in (given.program, given.model, given.images, given.out))
    cluster = given.scheduler or LocalCluster(n_workers=given.workers, threads_per_worker=1, dashboard_address=None)
    with Client(cluster) as client:
        shards = [f"{index}/{given.shards}" for index in range(1, given.shards + 1)]
        tasks = [client.submit(predict_shard, program, model, images, out, shard, pure=False, retries=2) for shard in shards]
        for number, task in enumerate(as_completed(tasks), 1):
            print(f"shard {task.result()} done, {number} of {given.shards}", flush=True)
    raise SystemExit(merge(program, out))


if __name__ == "__main__":
    main()
