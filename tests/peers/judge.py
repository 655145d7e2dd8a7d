"""Holds the judge's profiles against the packages whose names they bear: makes masks of volumes in
slices, lets `medurwkv evaluate --predictions --profiles all` judge them, and computes every figure
again with medpy, monai and surface-distance, and by the published code's rules for the others.

    judge.py PROGRAM [--page FILE]

FILE becomes a page of what was compared. Ends with 1 when a figure is off.
"""
import csv
import subprocess
import sys
import tempfile
import types
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.ndimage

warnings.filterwarnings("ignore")
# surface-distance 0.1 is of the time of NumPy 1 and SciPy 1.7.
np.Inf, np.NaN = np.inf, np.nan
plain = types.SimpleNamespace(correlate=scipy.ndimage.correlate,
                              distance_transform_edt=scipy.ndimage.distance_transform_edt)
scipy.ndimage.filters = scipy.ndimage.morphology = plain

import surface_distance.metrics as deepmind
import torch
from medpy.metric import binary as medpy
from monai import metrics as monai
from PIL import Image

SPACING = (0.75, 1.5)  # width, height
TOLERANCE = 2.0
VOLUMES = 12
CLASSES = 4
# Relative above 1. What is float64 on both sides agrees to rounding; MONAI computes in float32.
LIMITS = {"monai": 2e-6}
LIMIT = 1e-9


def blobs(random, height, width, depth):
    """Labels of moving ellipses; from slice to slice they come and go."""
    z, y, x = np.mgrid[0:depth, 0:height, 0:width]
    out = np.zeros((depth, height, width), np.uint8)
    for label in range(1, CLASSES):
        for _ in range(random.integers(0, 3)):
            centre = random.uniform(0, 1, 3) * (depth, height, width)
            radius = random.uniform(0.1, 0.35, 3) * (depth * 2, height, width)
            out[((z - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2
                + ((x - centre[2]) / radius[2]) ** 2 <= 1] = label
    return out


def volumes():
    random = np.random.default_rng(5)
    out = {}
    for v in range(1, VOLUMES + 1):
        depth, height, width = random.integers(4, 9), random.integers(30, 90), random.integers(30, 90)
        truth = blobs(random, height, width, depth)
        prediction = np.roll(truth, random.integers(-4, 5, 2), (1, 2))
        noise = random.random(truth.shape) < 0.01
        prediction[noise] = random.integers(0, CLASSES, noise.sum())
        if v % 5 == 0:
            prediction[:] = 0
        if v % 7 == 0:
            truth[truth == 1] = 0
        out[f"patient{v:03}_frame01"] = truth, prediction
    return out


def run(program, sets, folder):
    pictures = np.random.default_rng(0)
    for name in ("images", "masks", "predictions"):
        (folder / name).mkdir()
    for volume, (truth, prediction) in sets.items():
        for s, (t, p) in enumerate(zip(truth, prediction)):
            file = f"{volume}_slice_{s}.png"
            # No two cases have the same image.
            Image.fromarray(pictures.integers(0, 256, t.shape, dtype=np.uint8)).save(
                folder / "images" / file)
            Image.fromarray(t).save(folder / "masks" / file)
            Image.fromarray(p).save(folder / "predictions" / file)
    data = folder / "set"
    data.mkdir()
    (folder / "images").rename(data / "images")
    (folder / "masks").rename(data / "masks")
    subprocess.run([program, "evaluate", "--predictions", folder / "predictions", "--data", data,
                    "--profiles", "all", "--spacing", "%g,%g" % SPACING, "--tolerance",
                    str(TOLERANCE), "--batch", "8", "--out", folder / "out", "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)
    with open(folder / "out/profiles.csv", newline="") as file:
        return {(row["profile"], row["name"], int(row["label"]), row["metric"]):
                float(row["value"]) if row["value"] else None for row in csv.DictReader(file)}


def or_none(value):
    value = float(value)
    return value if np.isfinite(value) else None


def tried(function, *arguments, **more):
    try:
        return or_none(function(*arguments, **more))
    except RuntimeError:
        return None


def by_medpy(truth, prediction):
    sampling = SPACING[::-1]
    return {"dice": medpy.dc(prediction, truth), "iou": medpy.jc(prediction, truth),
            "precision": medpy.precision(prediction, truth),
            "recall": medpy.recall(prediction, truth),
            "specificity": medpy.specificity(prediction, truth),
            "hd95": tried(medpy.hd95, prediction, truth, voxelspacing=sampling),
            "assd": tried(medpy.assd, prediction, truth, voxelspacing=sampling),
            "volume_difference": tried(medpy.ravd, prediction, truth)}


def by_monai(truth, prediction):
    hot = [torch.from_numpy(np.stack([~mask, mask])[None].astype(np.float32))
           for mask in (prediction, truth)]
    spacing = {"spacing": list(SPACING[::-1])}
    return {"dice": or_none(monai.DiceMetric(include_background=False)(*hot)),
            "iou": or_none(monai.MeanIoU(include_background=False)(*hot)),
            "hd95": or_none(monai.HausdorffDistanceMetric(percentile=95)(*hot, **spacing)),
            "asd": or_none(monai.SurfaceDistanceMetric()(*hot, **spacing)),
            "nsd": or_none(monai.SurfaceDiceMetric([TOLERANCE])(*hot, **spacing))}


def by_deepmind(truth, prediction):
    with np.errstate(all="ignore"):
        both = deepmind.compute_surface_distances(truth, prediction, SPACING[::-1])
        from_truth, from_prediction = deepmind.compute_average_surface_distance(both)
        return {"dice": or_none(deepmind.compute_dice_coefficient(truth, prediction)),
                "hd95": or_none(deepmind.compute_robust_hausdorff(both, 95)),
                "nsd": or_none(deepmind.compute_surface_dice_at_tolerance(both, TOLERANCE)),
                "asd_from_truth": or_none(from_truth),
                "asd_from_prediction": or_none(from_prediction)}


def by_transunet(truth, prediction):
    """calculate_metric_percase, over a whole volume."""
    if prediction.sum() > 0 and truth.sum() > 0:
        return {"dice": medpy.dc(prediction, truth), "hd95": medpy.hd95(prediction, truth)}
    return {"dice": float(prediction.sum() > 0), "hd95": 0.0}


def counts(truth, prediction):
    return ((truth & prediction).sum(), (~truth & prediction).sum(), (truth & ~prediction).sum(),
            (~truth & ~prediction).sum())


def by_pooled(pairs):
    tp, fp, fn, tn = np.sum([counts(*pair) for pair in pairs], axis=0)
    return {"dice": 2 * tp / (2 * tp + fp + fn), "iou": tp / (tp + fp + fn),
            "accuracy": (tp + tn) / (tp + fp + fn + tn), "recall": tp / (tp + fn),
            "specificity": tn / (tn + fp)}


def by_batch(pairs):
    both = sum((truth & prediction).sum() for truth, prediction in pairs)
    any_ = sum((truth | prediction).sum() for truth, prediction in pairs)
    iou = (both + 1e-5) / (any_ + 1e-5)
    return {"iou": iou, "dice": 2 * iou / (iou + 1)}


def by_isic(truth, prediction):
    tp, fp, fn, tn = (int(count) for count in counts(truth, prediction))

    def share(part, whole):
        return part / whole if whole else 1.0

    jaccard = share(tp, tp + fp + fn)
    return {"threshold_jaccard": jaccard if jaccard >= 0.65 else 0.0, "iou": jaccard,
            "dice": share(2 * tp, 2 * tp + fp + fn), "recall": share(tp, tp + fn),
            "specificity": share(tn, tn + fp), "accuracy": share(tp + tn, tp + fp + fn + tn)}


def expected(sets):
    slices = [(f"{volume}_slice_{s}", t, p) for volume, (truth, prediction) in sets.items()
              for s, (t, p) in enumerate(zip(truth, prediction))]
    slices.sort(key=lambda one: one[0])
    out = {}
    for label in range(1, CLASSES):
        pairs = [(name, t == label, p == label) for name, t, p in slices]
        for name, truth, prediction in pairs:
            for profile, judge in (("medpy", by_medpy), ("monai", by_monai),
                                   ("deepmind", by_deepmind), ("isic", by_isic)):
                for metric, value in judge(truth, prediction).items():
                    out[profile, name, label, metric] = value
        for volume, (truth, prediction) in sets.items():
            for metric, value in by_transunet(truth == label, prediction == label).items():
                out["transunet", volume, label, metric] = value
        masks = [pair[1:] for pair in pairs]
        for metric, value in by_pooled(masks).items():
            out["pooled", "set", label, metric] = value
        for first in range(0, len(masks), 8):
            for metric, value in by_batch(masks[first:first + 8]).items():
                out["batch", f"batch {first // 8 + 1}", label, metric] = value
    return out


SOURCES = {
    "medpy": lambda: f"`medpy.metric.binary` of medpy {version('medpy')}",
    "monai": lambda: f"`monai.metrics` of MONAI {version('monai')} (float32)",
    "deepmind": lambda: f"surface-distance {version('surface-distance')}",
    "transunet": lambda: f"the rules of TransUNet's `utils.py` over medpy {version('medpy')}",
    "pooled": lambda: "the formulas of VM-UNet's `engine.py`",
    "batch": lambda: "the formulas of CMUNeXt's `utils/metrics.py`",
    "isic": lambda: "the rules of isic-challenge-scoring's `metrics.py`",
}


def is_nan(value):
    return isinstance(value, float) and value != value


def compare(got, want):
    """Per profile and metric: values compared, undefined on both sides, largest difference."""
    table = {}
    wrong = []
    for key, value in want.items():
        profile, metric = key[0], key[3]
        row = table.setdefault((profile, metric), [0, 0, 0.0])
        own = got.get(key, "absent")
        if own == "absent" or (own is None) != (value is None) or is_nan(own) or is_nan(value):
            wrong.append(f"{key}: expected {value}, got {own}")
        elif value is None:
            row[1] += 1
        else:
            row[0] += 1
            row[2] = max(row[2], abs(own - value))
            if abs(own - value) > LIMITS.get(profile, LIMIT) * max(1, abs(value)):
                wrong.append(f"{key}: expected {value!r}, got {own!r}")
    for key in got:
        if key[0] in SOURCES and key not in want:
            wrong.append(f"{key}: not expected")
    return table, wrong


PAGE = """# Conformance of the profiles

Made by `make conformance` (`tests/peers/judge.py`): {slices} slices of {volumes} made-up volumes with
{classes} classes, some without truth or prediction, pixels of {spacing}, tolerance {tolerance}. Every
figure of every image, volume, batch and class, computed by `medurwkv evaluate --profiles all` and by:

| profile | by |
|---|---|
{sources}

Where one side leaves a figure out (not a number or infinite in the package), so must the other.

| profile | metric | figures compared | left out by both | largest difference |
|---|---|---|---|---|
{rows}

A figure that is off by more than {limit:g} ({float32:g} for MONAI, which computes in float32; of figures above
1 relative) fails `make test-peers`. The default profile and the boundary IoU are held against SciPy in `make test`.
"""


def page(table, sets):
    rows = "\n".join(f"| {profile} | {metric} | {compared} | {absent} | {off:.1e} |"
                     for (profile, metric), (compared, absent, off) in sorted(table.items()))
    return PAGE.format(
        slices=sum(len(truth) for truth, _ in sets.values()), volumes=len(sets),
        classes=CLASSES - 1, spacing="%g x %g" % SPACING, tolerance="%g" % TOLERANCE, rows=rows,
        sources="\n".join(f"| {name} | {text()} |" for name, text in SOURCES.items()), limit=LIMIT,
        float32=LIMITS["monai"])


def check_itself():
    """What is not a number is off, on either side."""
    key = "monai", "case", 1, "dice"
    for got, want in ((float("nan"), 0.5), (0.5, float("nan")), (float("nan"), float("nan"))):
        if not compare({key: got}, {key: want})[1]:
            sys.exit("the comparison lets figures pass that are not numbers")


def main():
    check_itself()
    sets = volumes()
    with tempfile.TemporaryDirectory() as folder:
        got = run(sys.argv[1], sets, Path(folder))
    table, wrong = compare(got, expected(sets))
    if "--page" in sys.argv:
        Path(sys.argv[sys.argv.index("--page") + 1]).write_text(page(table, sets))
    for (profile, metric), (compared, absent, off) in sorted(table.items()):
        print(f"{profile:10} {metric:20} {compared:5} compared, {absent:4} left out, off by {off:.1e}")
    for line in wrong[:20]:
        print("WRONG", line)
    print(f"{len(wrong)} figures are off")
    sys.exit(1 if wrong else 0)


main()
