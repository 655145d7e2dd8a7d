"""Judges a network inside a PyTorch or MONAI loop: every figure of docs/metrics.md, ten lines.

`batches` gives images (any form that `predict` takes) and truths (labels, N x height x width); `predict` gives labels.
"""
import numpy as np

import medurwkv


def judged(batches, predict, classes=2, spacing=(1, 1)):
    values = {}
    for images, truths in batches:
        predictions = np.asarray(predict(images))  # of a torch tensor: .argmax(1).cpu()
        for prediction, truth in zip(predictions, np.asarray(truths)):
            scores = medurwkv.evaluate(prediction, truth, classes=classes, spacing=spacing)
            for metric, value in scores.items():
                values.setdefault(metric, []).append(value)
    return {metric: float(np.nanmean(of_all)) for metric, of_all in values.items() if not np.isnan(of_all).all()}


if __name__ == "__main__":
    random = np.random.default_rng(0)
    truths = random.random((4, 2, 32, 32)) > 0.7
    print(judged(((truth, truth) for truth in truths), lambda images: np.roll(images, 1, 1)))
