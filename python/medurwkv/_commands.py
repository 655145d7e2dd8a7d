"""Commands of the program: requests and answers are dicts; docs/library.md has their keys."""
from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from . import _library as c

Progress = Callable[[str, int, int, str], Any]


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def run(command: str, request: Mapping[str, Any], *, progress: Progress | None = None,
        line: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """Runs "inspect", "convert", "check", "split", "train" or "evaluate".

    progress: called with what is being done, how many of how many steps, and on what; False stops with medurwkv.Stopped.
    line: called with lines for people, and with what failed while the rest goes on.
    """
    carried = c.Carried()
    listener = c.Listener()
    if line is not None:
        listener.line = listener.failure = c.Line(
            lambda _, text: carried.asks_to_stop(lambda: line(text.decode()) and None) and None)
    if progress is not None:
        listener.progress = c.Progress(lambda _, what, done, total, detail: carried.asks_to_stop(
            progress, what.decode(), done, total, detail.decode()))
    text = json.dumps({key: _plain(value) for key, value in request.items() if value is not None})
    answer = ctypes.c_void_p()
    try:
        c.call("run", command.encode(), text.encode(), listener, ctypes.byref(answer))
    finally:
        carried.reraise()
    try:
        return json.loads(ctypes.cast(answer, ctypes.c_char_p).value)
    finally:
        c.library.medurwkv_free(answer)


def check(folder: str | os.PathLike, *, progress: Progress | None = None, **request: Any) -> dict[str, Any]:
    """What is wrong with a folder of images and masks: {"sound": bool, "faults": [...], ...}, as `data check --json`."""
    return run("check", {"data": folder, **request}, progress=progress)


def split(folder: str | os.PathLike, out: str | os.PathLike, *, progress: Progress | None = None,
          **request: Any) -> dict[str, Any]:
    """Divides a set into parts and writes the split file `out`; its content. Keys: ratios, folds, group_by, seed, ..."""
    return run("split", {"data": folder, "out": out, **request}, progress=progress)


def train(data: str | os.PathLike, split: str | os.PathLike, out: str | os.PathLike, *, progress: Progress | None = None,
          line: Callable[[str], Any] | None = None, settings: Mapping[str, Any] | None = None,
          **request: Any) -> dict[str, Any]:
    """Trains a model into the folder `out`; needs the training library, which is not in a wheel.

    settings: of the configuration: {"network.preset": "nano", "run.epochs": 20}.
    """
    keys = [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in (settings or {}).items()]
    return run("train", {"data": data, "split": split, "out": out, "settings": keys, **request}, progress=progress,
               line=line)


def evaluate_folder(data: str | os.PathLike, out: str | os.PathLike, *, progress: Progress | None = None,
                    **request: Any) -> dict[str, Any]:
    """Judges a model, or masks of any tool (`predictions`), on a set; writes a report into `out`; its summary.json."""
    return run("evaluate", {"data": data, "out": out, **request}, progress=progress)


def inspect(file: str | os.PathLike | None = None, **request: Any) -> dict[str, Any]:
    """What a file of weights, or `preset`, holds: network, tensors, cost; as `inspect --json`."""
    return run("inspect", {"file": file, **request})


def convert(source: str | os.PathLike, to: str | os.PathLike, **request: Any) -> dict[str, Any]:
    """Turns .pth, safetensors and model files into each other."""
    return run("convert", {"from": source, "to": to, **request})


def export(model: str | os.PathLike, onnx: str | os.PathLike, **request: Any) -> dict[str, Any]:
    """Writes a model as an ONNX file; `pixels` and `labels` as the command's options. What the file takes and gives."""
    return run("export", {"model": model, "onnx": onnx, **request})
