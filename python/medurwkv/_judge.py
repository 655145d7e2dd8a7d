"""Judging masks."""
from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _library as c


class Scores(Mapping):
    """Metrics by their keys ("dice", "hd95", ...): the mean over the classes that have a value; nan where none has.

    by_class: metric -> value of each class, from label 1 on; nan where it is left out.
    """

    def __init__(self, by_class: dict[str, list[float]]):
        self.by_class = by_class

    def __getitem__(self, metric: str) -> float:
        known = [value for value in self.by_class[metric] if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_class)

    def __len__(self) -> int:
        return len(self.by_class)

    def __repr__(self) -> str:
        return "<medurwkv.Scores " + ", ".join(f"{key} {value:.4g}" for key, value in self.items()) + ">"


def _labels(array: ArrayLike, name: str) -> NDArray[np.uint8]:
    array = np.asarray(array)
    if array.ndim not in (2, 3):
        raise c.UsageError(f"{name} has the shape {array.shape}; expected height x width, or slices x height x width")
    if array.dtype == bool:
        array = array.view(np.uint8)
    if array.dtype.kind not in "ui":
        raise c.UsageError(f"{name} is of {array.dtype}; labels are whole numbers from 0 to 255")
    if array.dtype != np.uint8:
        if array.size and (array.min() < 0 or array.max() > 255):
            raise c.UsageError(f"{name} holds values from {array.min()} to {array.max()}; labels are 0 to 255")
        array = array.astype(np.uint8)
    return np.ascontiguousarray(array)


def evaluate(prediction: ArrayLike, truth: ArrayLike, *, classes: int | None = None, profile: str | None = None,
             metrics: str | Sequence[str] = (), spacing: Sequence[float] = (1, 1), tolerance: float | None = None,
             probabilities: ArrayLike | None = None) -> Scores:
    """Judges labels against the truth, by the rules of docs/metrics.md.

    prediction, truth: labels from 0 (background); height x width, or slices x height x width. 255 in the truth: ignored.
    classes: background included; None: as many as the largest label of both needs, two at least.
    profile: rules of others ("medpy", "monai", ...); None: "default", of volumes "volumes".
    metrics: further ones of the profile default: "cldice", "objects", "mcc", ...; "auc" and "brier" need probabilities.
    spacing: width and height of a pixel and, of volumes, the distance of slices.
    tolerance: of NSD, in the unit of the spacing; None: 2 pixels.
    probabilities: float32, classes x height x width, of the prediction.
    """
    predicted, true = _labels(prediction, "the prediction"), _labels(truth, "the truth")
    if predicted.shape != true.shape:
        raise c.UsageError(f"the prediction has the shape {predicted.shape}, the truth {true.shape}")
    if classes is None:
        largest = max((int(np.max(array, initial=0, where=array != 255)) for array in (predicted, true)), default=0)
        classes = max(2, largest + 1)

    def struct(array: NDArray[np.uint8]) -> c.Labels:
        return c.Labels(data=array.ctypes.data, width=array.shape[-1], height=array.shape[-2],
                        depth=array.shape[0] if array.ndim == 3 else 0)

    x, y, z = (*spacing, 1)[:3]
    wanted = metrics if isinstance(metrics, str) else ",".join(metrics)
    options = c.JudgeOptions(class_count=classes, profile=profile.encode() if profile else None,
                             metrics=wanted.encode() if wanted else None, spacing_x=x, spacing_y=y, spacing_z=z,
                             tolerance=tolerance or 0, has_tolerance=tolerance is not None)
    kept = None
    if probabilities is not None:
        kept = np.ascontiguousarray(probabilities, np.float32)
        if kept.shape != (classes, *true.shape):
            raise c.UsageError(f"probabilities have the shape {kept.shape}, expected {(classes, *true.shape)}")
        options.probabilities = kept.ctypes.data
    scores = ctypes.c_void_p()
    c.call("judge", struct(true), struct(predicted), options, ctypes.byref(scores))
    try:
        count = c.library.medurwkv_scores_count(scores)
        return Scores({c.library.medurwkv_scores_key(scores, m).decode():
                       [c.library.medurwkv_scores_value(scores, label, m) for label in range(1, classes)]
                       for m in range(count)})
    finally:
        c.library.medurwkv_scores_free(scores)
