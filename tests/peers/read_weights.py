"""What `medurwkv convert` writes, read by the Python packages safetensors and torch, and the other way round.

Usage: read_weights.py PROGRAM GOLDEN (tests/golden/data/adapter_nano.safetensors). Exits with 1 on a difference.
"""
import json
import subprocess
import sys
import tempfile

import safetensors
import safetensors.torch
import torch

program, golden = sys.argv[1:]


def convert(source, target):
    subprocess.run([program, "convert", source, target], check=True, stdout=subprocess.DEVNULL)


def same(a, b):
    assert sorted(a) == sorted(b), set(a) ^ set(b)
    for name, tensor in a.items():
        assert tensor.dtype == b[name].dtype and torch.equal(tensor, b[name]), name


with tempfile.TemporaryDirectory() as folder:
    everything = safetensors.torch.load_file(golden)
    weights = {name[2:]: tensor for name, tensor in everything.items() if name.startswith("p.")}
    types = {
        str(kind): torch.arange(6).reshape(2, 3).to(kind)
        for kind in (torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.int16,
                     torch.int8, torch.uint8, torch.bool)
    }
    for name, tensors in (("weights", weights), ("types", types)):
        theirs = f"{folder}/{name}_theirs"
        ours = f"{folder}/{name}_ours"
        safetensors.torch.save_file(tensors, theirs + ".safetensors")
        torch.save({"state_dict": tensors}, theirs + ".pth")
        torch.save({"state_dict": tensors}, theirs + "_legacy.pth", _use_new_zipfile_serialization=False)
        for source in (".safetensors", ".pth", "_legacy.pth"):
            convert(theirs + source, f"{ours}{source}.safetensors")
            convert(theirs + source, f"{ours}{source}.pth")
            same(tensors, safetensors.torch.load_file(f"{ours}{source}.safetensors"))
            same(tensors, torch.load(f"{ours}{source}.pth", weights_only=True)["state_dict"])
        if name == "weights":
            with safetensors.safe_open(ours + ".pth.safetensors", "pt") as file:
                network = json.loads(file.metadata()["network"])
                assert (network["preset"], network["wkv"]) == ("nano", "released32"), network
print(f"read_weights: equal both ways (safetensors {safetensors.__version__}, torch {torch.__version__})")
