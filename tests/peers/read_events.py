"""What `train` writes for TensorBoard, as the real package reads it.

usage: read_events.py PROGRAM DATA    (DATA: a folder of images and masks)

Trains a small network for two epochs and compares every scalar of the event file with log.csv.
"""
import csv
import pathlib
import subprocess
import sys
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

program, data = sys.argv[1:3]
with tempfile.TemporaryDirectory() as folder:
    split, run = f"{folder}/split.json", f"{folder}/run"
    subprocess.run([program, "data", "split", data, "--out", split], check=True)
    subprocess.run([program, "train", "--data", data, "--split", split, "--preset", "nano", "--size", "64",
                    "--epochs", "2", "--out", run, "--quiet"], check=True)
    events = EventAccumulator(run)
    events.Reload()
    rows = list(csv.DictReader(pathlib.Path(run, "log.csv").open()))
    columns = {"rate": "rate", "loss/total": "loss", "loss/cross_entropy": "cross_entropy",
               "loss/dice_loss": "dice_loss", "validation/dice": "validation_dice"}
    tags = set(events.Tags()["scalars"])
    assert tags == set(columns), tags
    for tag, column in columns.items():
        scalars = events.Scalars(tag)
        assert [one.step for one in scalars] == [1, 2], scalars
        for one, row in zip(scalars, rows, strict=True):
            assert abs(one.value - float(row[column])) < 2e-6, (tag, one, row)
print("tensorboard reads every scalar of the event file")
