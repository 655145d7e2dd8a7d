"""Holds the judge's further metrics against packages and against the papers' own rules in NumPy.

    judge_more.py PROGRAM [--page FILE]

Volumes in three dimensions: MONAI and medpy. Objects: torchmetrics (PQ), and the rules of the papers for AJI and the GlaS
challenge. MCC and AUC: torchmetrics. clDice: scikit-image's `thin`. Intervals of shares and Holm: statsmodels. FILE
gets the figures below those of judge.py. Ends with 1 when a figure is off or is not a number.
"""
import csv
import json
import math
import re
import subprocess
import sys
import tempfile
import types
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.ndimage
import torch
from medpy.metric import binary as medpy
from monai import metrics as monai
from PIL import Image
from skimage.morphology import thin
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from torchmetrics.classification import BinaryAUROC, BinaryMatthewsCorrCoef
from torchmetrics.detection import PanopticQuality

warnings.filterwarnings("ignore")
# surface-distance 0.1 is of the time of NumPy 1 and SciPy 1.7.
np.Inf, np.NaN = np.inf, np.nan
plain = types.SimpleNamespace(correlate=scipy.ndimage.correlate,
                              distance_transform_edt=scipy.ndimage.distance_transform_edt)
scipy.ndimage.filters = scipy.ndimage.morphology = plain
import surface_distance.metrics as deepmind

SPACING = (0.75, 1.5, 2.5)  # width, height, between slices
TOLERANCE = 2.0
FLOAT32 = 3e-6  # what MONAI and torchmetrics compute in
FLOAT64 = 1e-9


class Results:
    def __init__(self):
        self.rows, self.wrong = {}, []

    def add(self, name, by, key, got, want, limit):
        row = self.rows.setdefault((name, by), [0, 0, 0.0])
        nan = any(value is not None and math.isnan(value) for value in (got, want))
        if nan or (got is None) != (want is None):
            self.wrong.append(f"{name} of {key} by {by}: expected {want}, got {got}")
        elif want is None:
            row[1] += 1
        else:
            row[0] += 1
            row[2] = max(row[2], abs(got - want))
            if abs(got - want) > limit * max(1, abs(want)):
                self.wrong.append(f"{name} of {key} by {by}: expected {want!r}, got {got!r}")


def or_none(value):
    value = float(value)
    return value if math.isfinite(value) else None


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


PICTURES = np.random.default_rng(0)


def picture(shape):
    """One that no other case has."""
    return PICTURES.integers(0, 256, shape, dtype=np.uint8)


def evaluated(program, folder, *options):
    subprocess.run([program, "evaluate", "--data", folder / "set", "--out", folder / "out", "--quiet", "--force", *options],
                   check=True, stdout=subprocess.DEVNULL)


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def value(text):
    return float(text) if text else None


# Volumes


def balls(random, shape):
    z, y, x = np.mgrid[0:shape[0], 0:shape[1], 0:shape[2]]
    out = np.zeros(shape, np.uint8)
    for label in (1, 2):
        centre = random.uniform(0.2, 0.8, 3) * shape
        radius = random.uniform(0.15, 0.4, 3) * shape
        out[((z - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2
            + ((x - centre[2]) / radius[2]) ** 2 <= 1] = label
    return out


def check_volumes(program, folder, results):
    random = np.random.default_rng(11)
    volumes = {}
    for v in range(8):
        shape = np.array([random.integers(4, 9), random.integers(20, 40), random.integers(20, 40)])
        truth = balls(random, shape)
        prediction = np.roll(truth, random.integers(-3, 4, 2), (1, 2))
        noise = random.random(truth.shape) < 0.005
        prediction[noise] = random.integers(0, 3, noise.sum())
        if v == 6:
            prediction[:] = 0
        if v == 7:
            truth[truth == 1] = 0
        volumes[f"scan{v}"] = truth, prediction
        for s in range(shape[0]):
            name = f"scan{v}-z{s:02}.png"
            save(folder / "set/images" / name, picture(truth[s].shape))
            save(folder / "set/masks" / name, truth[s])
            save(folder / "masks" / name, prediction[s])
    evaluated(program, folder, "--predictions", folder / "masks", "--profiles", "volumes", "--volumes", "(.+)-z([0-9]+)",
              "--spacing", ",".join(map(str, SPACING)), "--tolerance", str(TOLERANCE))
    spacing = SPACING[::-1]
    for row in table(folder / "out/profiles.csv"):
        truth, prediction = (mask == int(row["label"]) for mask in volumes[row["name"]])
        got, metric, key = value(row["value"]), row["metric"], (row["name"], row["label"])
        if truth.any() and prediction.any():
            hot = [torch.from_numpy(np.stack([~mask, mask])[None].astype(np.float32)) for mask in (prediction, truth)]
            by = {"hd95": lambda: monai.HausdorffDistanceMetric(percentile=95)(*hot, spacing=list(spacing)),
                  "assd": lambda: monai.SurfaceDistanceMetric(symmetric=True)(*hot, spacing=list(spacing)),
                  "nsd": lambda: monai.SurfaceDiceMetric([TOLERANCE])(*hot, spacing=list(spacing)),
                  "dice": lambda: monai.DiceMetric(include_background=False)(*hot)}.get(metric)
            if by:
                results.add(f"3D {metric}", "monai", key, got, or_none(by()), FLOAT32)
            if metric == "dice":
                # Its distances are of surface elements (the profile deepmind, in slices); only Dice is the same.
                results.add("3D dice", "surface-distance", key, got, deepmind.compute_dice_coefficient(truth, prediction), FLOAT64)
            if metric == "assd":
                results.add("3D assd", "medpy", key, got, medpy.assd(prediction, truth, voxelspacing=spacing), FLOAT64)
            if metric == "volume_difference":
                results.add("3D volume_difference", "medpy", key, got, medpy.ravd(prediction, truth), FLOAT64)
        elif metric in ("hd95", "assd") and (truth.any() or prediction.any()):
            diagonal = math.sqrt(sum((n * s) ** 2 for n, s in zip(truth.shape, spacing)))
            results.add(f"3D {metric}", "the rule", key, got, diagonal, FLOAT64)


# Objects


def discs(random, height, width, count):
    y, x = np.mgrid[0:height, 0:width]
    out = np.zeros((height, width), np.uint16)
    for k in range(1, count + 1):
        disc = (y - random.uniform(0, height)) ** 2 + (x - random.uniform(0, width)) ** 2 <= random.uniform(3, 12) ** 2
        out[disc & (out == 0)] = k
    return renumbered(out)


def renumbered(ids):
    return np.searchsorted(np.unique(np.append(ids, 0)), ids).astype(np.uint16)


def intersections(truth, prediction):
    pairs, counts = np.unique(np.stack([truth.ravel(), prediction.ravel()]), axis=1, return_counts=True)
    return {(int(t), int(p)): int(n) for (t, p), n in zip(pairs.T, counts) if t and p}


def objects_by_rule(truth, prediction):
    """Rules of Kumar et al. (AJI) and of the GlaS challenge, object by object; lengths in pixels."""
    of_truth = [truth == k for k in range(1, truth.max() + 1)]
    predicted = [prediction == k for k in range(1, prediction.max() + 1)]
    if not of_truth and not predicted:
        return {"aji": None, "object_dice": None, "object_hausdorff": None}
    both = intersections(truth, prediction)
    intersection = union = 0
    used = set()
    for t, mask in enumerate(of_truth, 1):
        best = max(((n / (mask.sum() + predicted[p - 1].sum() - n), -p) for (k, p), n in both.items() if k == t), default=None)
        if best is None:
            union += int(mask.sum())
            continue
        p = -best[1]
        n = both[t, p]
        intersection += n
        union += int(mask.sum() + predicted[p - 1].sum() - n)
        used.add(p)
    union += sum(int(mask.sum()) for p, mask in enumerate(predicted, 1) if p not in used)
    out = {"aji": intersection / union}
    if not of_truth or not predicted:
        return {**out, "object_dice": 0.0, "object_hausdorff": math.hypot(*truth.shape)}

    def hausdorff(a, b):
        return max(scipy.ndimage.distance_transform_edt(~b)[a].max(), scipy.ndimage.distance_transform_edt(~a)[b].max())

    def side(own, others, shared):
        whole = sum(int(mask.sum()) for mask in own)
        dice = distance = 0.0
        for k, mask in enumerate(own, 1):
            best = max(((n, -o) for (i, o), n in shared.items() if i == k), default=None)
            weight = int(mask.sum()) / whole
            if best:
                other = others[-best[1] - 1]
                dice += weight * 2 * best[0] / int(mask.sum() + other.sum())
                distance += weight * hausdorff(mask, other)
            else:
                distance += weight * min(hausdorff(mask, other) for other in others)
        return dice, distance

    first = side(of_truth, predicted, both)
    second = side(predicted, of_truth, {(p, t): n for (t, p), n in both.items()})
    return {**out, "object_dice": (first[0] + second[0]) / 2, "object_hausdorff": (first[1] + second[1]) / 2}


def check_objects(program, folder, results):
    random = np.random.default_rng(3)
    cases = {}
    for i in range(10):
        height, width = random.integers(60, 120, 2)
        truth = discs(random, height, width, int(random.integers(5, 40)))
        prediction = np.roll(truth, random.integers(-2, 3, 2), (0, 1))
        prediction[np.isin(prediction, random.choice(np.arange(1, truth.max() + 1), truth.max() // 5 + 1))] = 0
        false = discs(random, height, width, 3)
        prediction = np.where((prediction == 0) & (false > 0), false + prediction.max(), prediction)
        prediction = renumbered(prediction)
        if i == 8:
            truth = np.zeros_like(truth)
        if i == 9:
            prediction = np.zeros_like(prediction)
        cases[f"c{i}"] = truth, prediction
        save(folder / f"set/images/c{i}.png", picture(truth.shape))
        save(folder / f"set/masks/c{i}.png", truth)
        save(folder / f"masks/c{i}.png", prediction)
    evaluated(program, folder, "--predictions", folder / "masks", "--mask-encoding", "instances", "--prediction-encoding",
              "instances", "--metrics", "mcc,cldice,objects", "--tolerance", "1,3")
    for row in table(folder / "out/cases.csv"):
        truth, prediction = cases[row["case"]]
        key = row["case"]
        inside = torch.from_numpy((truth > 0).astype(int)), torch.from_numpy((prediction > 0).astype(int))
        if truth.any() and prediction.any():
            results.add("mcc", "torchmetrics", key, value(row["mcc"]), or_none(BinaryMatthewsCorrCoef()(inside[1], inside[0])),
                        FLOAT32)
            lines = thin(truth > 0), thin(prediction > 0)
            precision, recall = (truth > 0)[lines[1]].mean(), (prediction > 0)[lines[0]].mean()
            results.add("cldice", "scikit-image", key, value(row["cldice"]), 2 * precision * recall / (precision + recall),
                        FLOAT64)
            panoptic = PanopticQuality(things={1}, stuffs={0}, allow_unknown_preds_category=True)
            maps = [torch.from_numpy(np.stack([(ids > 0).astype(int), ids.astype(int)], -1)[None]) for ids in cases[key]]
            # The background would count as a class: its quality is taken out of the mean.
            background = iou_of_background(truth, prediction)
            pq = 2 * float(panoptic(maps[1], maps[0])) - background
            results.add("pq", "torchmetrics", key, value(row["pq"]), pq, FLOAT32)
        for metric, want in objects_by_rule(truth, prediction).items():
            results.add(metric, "the paper's rule", key, value(row[metric]), want, FLOAT64)


def iou_of_background(truth, prediction):
    both = ((truth == 0) & (prediction == 0)).sum()
    any_ = ((truth == 0) | (prediction == 0)).sum()
    return both / any_ if both / any_ > 0.5 else 0.0


# Probabilities


def check_probabilities(program, folder, results):
    demo = Path(__file__).resolve().parent.parent.parent / "data/demo"
    split = folder / "split.json"
    subprocess.run([program, "data", "split", demo, "--out", split, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([program, "train", "--data", demo, "--split", split, "--preset", "nano", "--size", "64", "--epochs", "2",
                    "--out", folder / "run", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    model = folder / "run/best.model"
    subprocess.run([program, "evaluate", model, "--data", demo, "--metrics", "auc,brier", "--out", folder / "out", "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run([program, "predict", model, demo / "images", "--probabilities", "npy", "--out", folder / "predicted",
                    "--quiet"], check=True, stdout=subprocess.DEVNULL)
    files = {path.name.split("_probabilities")[0]: path for path in (folder / "predicted").rglob("*_probabilities.npy")}
    masks = {re.sub("_segmentation$|_mask$", "", path.stem): path for path in (demo / "masks").iterdir()}
    for row in table(folder / "out/cases.csv"):
        stem = Path(row["case"]).name
        probabilities = np.load(files[stem])[1].astype(np.float64)
        truth = np.asarray(Image.open(masks[stem]).convert("L")) > 127
        auc = BinaryAUROC()(torch.from_numpy(probabilities), torch.from_numpy(truth.astype(int)))
        results.add("auc", "torchmetrics", stem, value(row["auc"]), or_none(auc) if truth.any() else None, 1e-5)
        results.add("brier", "numpy", stem, value(row["brier"]), ((probabilities - truth) ** 2).mean(), FLOAT64)


# Statistics


def check_statistics(program, folder, results):
    random = np.random.default_rng(1)
    for i in range(30):
        mask = np.zeros((16, 16), np.uint8)
        mask[2:2 + i % 3 * 4, 3:9] = 255
        save(folder / f"set/images/c{i:02}.png", picture((16, 16)))
        save(folder / f"set/masks/c{i:02}.png", mask)
        for tool in "ab":
            own = np.roll(mask, random.integers(-2, 3), 1)
            if random.random() < 0.25:
                own = 255 - own if tool == "a" else np.zeros_like(own)
            save(folder / tool / f"c{i:02}.png", own)
    for tool in "ab":
        evaluated(program, folder, "--predictions", folder / tool)
        (folder / "out").rename(folder / f"out-{tool}")
    images = json.loads((folder / "out-a/summary.json").read_text())["images"][0]
    for name, part, whole in (("sensitivity", images["found"], images["found"] + images["missed"]),
                              ("specificity", images["clean"], images["clean"] + images["hallucinated"])):
        for got, want in zip(images[name]["interval"], proportion_confint(part, whole, method="wilson")):
            results.add("Wilson's interval", "statsmodels", name, got, float(want), FLOAT64)
    subprocess.run([program, "compare", folder / "out-a", folder / "out-b", "--metrics", "dice,iou,recall,nsd", "--out",
                    folder / "comparison", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    tests = [one["wilcoxon"] for one in json.loads((folder / "comparison/comparison.json").read_text())["pairs"][0]["metrics"]]
    corrected = multipletests([one["p"] for one in tests], method="holm")[1]
    for one, want in zip(tests, corrected):
        results.add("p (Holm)", "statsmodels", "pair", one["p_holm"], float(want), FLOAT64)


def page(results):
    rows = "\n".join(f"| {name} | {by} | {compared} | {absent} | {off:.1e} |"
                     for (name, by), (compared, absent, off) in sorted(results.rows.items()))
    names = ", ".join(f"{name} {version(name)}" for name in ("monai", "medpy", "surface-distance", "torchmetrics", "scikit-image", "statsmodels"))
    return f"""
## Further metrics

Made by the same command (`tests/peers/judge_more.py`), on made-up volumes, objects and shares and on the demonstration
set, with {names}. Rules: the paper's, object by object in NumPy and SciPy.

| figure | by | compared | left out by both | largest difference |
|---|---|---|---|---|
{rows}
"""


def main():
    results = Results()
    for check in (check_volumes, check_objects, check_probabilities, check_statistics):
        with tempfile.TemporaryDirectory() as folder:
            check(sys.argv[1], Path(folder), results)
    for (name, by), (compared, absent, off) in sorted(results.rows.items()):
        print(f"{name:22} {by:18} {compared:5} compared, {absent:4} left out, off by {off:.1e}")
    if "--page" in sys.argv:
        with open(sys.argv[sys.argv.index("--page") + 1], "a") as file:
            file.write(page(results))
    for line in results.wrong[:20]:
        print("WRONG", line)
    print(f"{len(results.wrong)} figures are off")
    sys.exit(1 if results.wrong else 0)


main()
