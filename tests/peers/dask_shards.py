"""examples/predict_with_dask.py with a worker that is killed on the way, beside one run over the same images.

usage: dask_shards.py PROGRAM EXAMPLE DATA    (DATA: a folder of images and masks)

Of two workers the one that is at a shard is killed (SIGKILL). Each image must then be in the merged manifest once, and its
mask must be that of the one run.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

program, example, data = (os.path.abspath(path) for path in sys.argv[1:4])
shards = 6


def shard_at_work(out):
    """(process, its worker's) of a shard that has written something; None before there is one."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):  # it has ended
            continue
        if b"--shard" in words and os.fsencode(out) in words and words[0].endswith(b"medurwkv"):
            shard = words[words.index(b"--shard") + 1].decode()
            if os.path.exists(f"{out}/manifest-{shard.replace('/', '-of-')}.json"):
                return int(entry.name), parent
    return None


def ended(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


with tempfile.TemporaryDirectory() as folder:
    split, run, images = f"{folder}/split.json", f"{folder}/run", f"{folder}/images"
    subprocess.run([program, "data", "split", data, "--out", split], check=True, capture_output=True)
    subprocess.run([program, "train", "--data", data, "--split", split, "--preset", "nano", "--size", "64",
                    "--epochs", "1", "--out", run, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    for copy in range(10):
        shutil.copytree(f"{data}/images", f"{images}/copy{copy}")
    model, whole, out = f"{run}/best.model", f"{folder}/whole", f"{folder}/out"
    subprocess.run([program, "predict", model, images, "--out", whole, "--threads", "1", "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    dask = subprocess.Popen([sys.executable, example, model, images, "--out", out, "--shards", str(shards), "--workers", "2",
                             "--program", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = None
    while found is None:
        assert dask.poll() is None, dask.stdout.read()
        time.sleep(0.01)
        found = shard_at_work(out)
    process, worker = found
    os.kill(worker, signal.SIGKILL)
    text = dask.communicate(timeout=300)[0]
    assert dask.returncode == 0, text
    assert ended(process), "the killed worker's shard went on"
    assert f"{shards} of {shards}" in text, text
    merged = json.loads(pathlib.Path(out, "manifest.json").read_text())
    one = json.loads(pathlib.Path(whole, "manifest.json").read_text())
    names = [image["input"] for image in merged["images"]]
    assert len(set(names)) == len(names) == 900, len(names)
    assert merged == one, "the merged manifest is not that of one run"
    for image in one["images"]:
        mask = image["outputs"][0]["file"]
        assert pathlib.Path(out, mask).read_bytes() == pathlib.Path(whole, mask).read_bytes(), mask
print(f"ok: Dask, {len(names)} images in {shards} shards, a worker killed: none lost, none doubled")
