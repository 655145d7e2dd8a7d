"""What `medurwkv export` writes, run by ONNX Runtime and OpenVINO on real images at three sizes, against our own masks
and logits: labels equal on 99.9 % of the pixels, logits within 1e-3 of the largest.

Usage: onnx_runtimes.py PROGRAM IMAGES_AND_MASKS. Exits with 1 on a difference. A runtime that is not installed is named
and left out; one that refuses a file is named with its reason."""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
try:
    import openvino
except ImportError:
    openvino = None

program, data = sys.argv[1:]
SIZES = ((128, 128), (192, 160), (257, 300))  # width, height
failed = False


def medurwkv(*words):
    return subprocess.run([program, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout


class OnnxRuntime:
    name = f"ONNX Runtime {onnxruntime.__version__}" if onnxruntime else ""

    def __init__(self, file):
        self.session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def __call__(self, image):
        return self.session.run(None, {self.session.get_inputs()[0].name: image})[0]


class OpenVino:
    name = f"OpenVINO {openvino.__version__.split('-')[0]}" if openvino else ""

    def __init__(self, file):
        core = openvino.Core()
        # As exact as the others: OpenVINO may compute in bfloat16 otherwise.
        self.model = core.compile_model(core.read_model(str(file)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def __call__(self, image):
        return self.model(image)[0]


def compare(runtime, name, logits_file, labels_file, cases):
    global failed
    try:
        logits_of, labels_of = runtime(logits_file), runtime(labels_file)
        worst, same, pixels, seconds = 0.0, 0, 0, 0.0
        for case in cases:
            start = time.perf_counter()
            logits = logits_of(case["image"])
            seconds += time.perf_counter() - start
            worst = max(worst, np.abs(logits - case["logits"]).max() / np.abs(case["logits"]).max())
            labels = labels_of(case["pixels"])[0]
            same += int((labels == case["mask"]).sum())
            pixels += labels.size
    except RuntimeError as error:  # what both throw for an operator that they do not take
        print(f"{name}: {runtime.name} refuses it: {str(error).splitlines()[-1]}")
        failed = True
        return
    good = worst < 1e-3 and same >= 0.999 * pixels
    failed |= not good
    print(f"{'' if good else 'WRONG: '}{name}, {runtime.name}: logits within {worst:.1e} of the largest, labels equal on "
          f"{100 * same / pixels:.3f} % of {pixels} pixels, {seconds / len(cases):.3f} s an image")


runtimes = [one for one in (OnnxRuntime, OpenVino) if one.name]
if not runtimes:
    print("skip: neither onnxruntime nor openvino is installed")
    sys.exit(0)

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    medurwkv("data", "split", data, "--seed", 1, "--out", folder / "split.json")
    medurwkv("train", "--data", data, "--split", folder / "split.json", "--preset", "nano", "--size", 64, "--epochs", 6,
             "--set", "input.fit=native", "--out", folder / "run", "--quiet")
    test = json.loads((folder / "split.json").read_text())["test"][:4]
    sources = [next(Path(data, "images").glob(f"{case}.*")) for case in test]
    for mode in ("exact", "released32", "released16"):
        model = folder / f"{mode}.model"
        medurwkv("convert", folder / "run/best.model", model, "--wkv", mode)
        contract = json.loads(json.loads(medurwkv("inspect", model, "--json"))["about"]["metadata"]["input"])
        mean, deviation = (np.array(contract[key], "float32")[:, None, None] for key in ("mean", "deviation"))
        cases = []
        for size in SIZES:
            for source in sources:
                picture = folder / "pictures" / f"{source.stem}.png"
                picture.parent.mkdir(exist_ok=True)
                with Image.open(source) as opened:
                    opened.convert("RGB").resize(size).save(picture)
                    pixels = np.asarray(opened.convert("RGB").resize(size)).transpose(2, 0, 1)[None]
                image = (pixels.astype("float32") / 255 - mean) / deviation
                np.save(folder / "image.npy", image)
                medurwkv("features", model, folder / "image.npy", "--out", folder / "maps", "--force", "--quiet")
                medurwkv("predict", model, picture, "--out", folder / "masks", "--force", "--quiet")
                with Image.open(folder / "masks" / picture.name) as mask:
                    cases.append({"image": image, "pixels": pixels, "mask": np.asarray(mask),
                                  "logits": np.load(folder / "maps/logits.npy")})
        assert any(case["mask"].any() for case in cases), "no mask has a pixel: nothing is compared"
        files = {kind: folder / f"{mode}_{kind}.onnx" for kind in ("logits", "labels")}
        medurwkv("export", model, "--onnx", files["logits"])
        medurwkv("export", model, "--onnx", files["labels"], "--pixels", "--labels")
        for runtime in runtimes:
            compare(runtime, mode, files["logits"], files["labels"], cases)
sys.exit(failed)
