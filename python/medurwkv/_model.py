"""Models, and what they answer."""
from __future__ import annotations

import ctypes
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from . import _library as c

_SAMPLES = {np.dtype(np.uint8): 0, np.dtype(np.uint16): 1, np.dtype(np.float32): 2}


def _image(array: Any, name: str) -> tuple[c.Image, NDArray]:
    """A view of the array for the library, and what keeps it alive."""
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype == bool or array.dtype not in _SAMPLES:
        raise c.UsageError(f"{name} is of {array.dtype}; images are uint8, uint16 or float32")
    if array.ndim not in (2, 3):
        raise c.UsageError(f"{name} has the shape {array.shape}; expected height x width or height x width x channels")
    whole = array if array.ndim == 3 else array[:, :, None]
    height, width, channels = whole.shape
    row, pixel, channel = whole.strides
    if 0 in (row, pixel, channel) and whole.size > 1:  # broadcast; a stride of 0 is the library's default
        whole = np.ascontiguousarray(whole)
        row, pixel, channel = whole.strides
    return c.Image(data=whole.ctypes.data, width=width, height=height, channels=channels, row_stride=row, pixel_stride=pixel,
                   channel_stride=channel, sample=_SAMPLES[array.dtype]), whole


def read_image(path: str | os.PathLike) -> NDArray:
    """An image file of any format that is read: height x width x channels, uint8, uint16 or float32."""
    picture = ctypes.c_void_p()
    c.call("picture_read", os.fsencode(path), ctypes.byref(picture))
    try:
        image = c.Image()
        c.call("picture_image", picture, image)
        dtype = {number: dtype for dtype, number in _SAMPLES.items()}[image.sample]
        shape = image.height, image.width, image.channels
        size = int(np.prod(shape)) * dtype.itemsize
        return np.frombuffer(ctypes.string_at(image.data, size), dtype).reshape(shape).copy()
    finally:
        c.library.medurwkv_picture_free(picture)


class Segmentation:
    """A model's answer for one image, at the image's own size.

    labels: uint8, height x width; 0 is the background.
    probabilities: float32, classes x height x width, 0 to 1; their sum is 1 in each pixel.
    unsureness: float32, height x width, 0 to 1: 1 minus how far the likeliest class is ahead of the next.
    """

    def __init__(self, image: NDArray, classes: int, names: list[str], colors: NDArray):
        height, width = image.shape[:2]
        self.labels: NDArray[np.uint8] = np.empty((height, width), np.uint8)
        self.probabilities: NDArray[np.float32] = np.empty((classes, height, width), np.float32)
        self.unsureness: NDArray[np.float32] = np.empty((height, width), np.float32)
        self.classes = names
        self._image, self._colors = image, colors

    def __repr__(self) -> str:
        shares = np.bincount(self.labels.ravel(), minlength=len(self.classes)) / self.labels.size
        found = ", ".join(f"{name} {100 * share:.1f} %" for name, share in zip(self.classes, shares))
        return f"<medurwkv.Segmentation {self.labels.shape[1]} x {self.labels.shape[0]}: {found}>"

    def overlay(self) -> NDArray[np.uint8]:
        """The image with the outline of every class in the class's colour: uint8, height x width x 3."""
        image = self._image
        if image.dtype == np.uint16:
            image = image.astype(np.float32) / 65535
        if image.dtype == np.float32:
            low, high = float(np.nanmin(image)), float(np.nanmax(image))
            image = (255 * np.clip((image - low) / ((high - low) or 1), 0, 1)).astype(np.uint8)
        image = image[:, :, :3] if image.shape[2] >= 3 else np.repeat(image[:, :, :1], 3, 2)
        out = np.ascontiguousarray(image).copy()
        labels = np.pad(self.labels, 1, mode="edge")
        inner = labels[1:-1, 1:-1]
        outline = np.zeros(inner.shape, bool)
        for neighbour in (labels[:-2, 1:-1], labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:]):
            outline |= inner != neighbour
        outline &= inner > 0
        out[outline] = self._colors[inner[outline]]
        return out

    def _repr_png_(self) -> bytes:
        return _png(self.overlay())


def _png(image: NDArray[np.uint8]) -> bytes:
    """An RGB image as a PNG."""
    height, width = image.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = image.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b""))


class Model:
    """A model that segments.

    source: path of a model file, or its bytes.
    threads: of its runs; 0: every core that this process may use.
    precision: "float32", "bfloat16", "int8" or "auto": what the processor does fastest.

    One model computes for one thread at a time; others wait. clone() makes one that runs beside it.
    """

    def __init__(self, source: str | os.PathLike | bytes, *, threads: int = 0, precision: str = "float32"):
        self._model = ctypes.c_void_p()
        options = c.OpenOptions(threads=threads, precision=precision.encode())
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = np.frombuffer(source, np.uint8)
            c.call("open_memory", data.ctypes.data, data.size, options, ctypes.byref(self._model))
        else:
            c.call("open", os.fsencode(source), options, ctypes.byref(self._model))
        self._describe()

    def _describe(self) -> None:
        about = c.Description()
        c.call("describe", self._model, about)
        self.width: int = about.width
        self.height: int = about.height
        self.channels: int = about.channels
        self.fit: str = about.fit.decode()
        self.network: str = about.network.decode()
        self.precision: str = about.precision.decode()
        self.content_sha256: str = about.content_sha256.decode()
        self.classes: list[str] = []
        self.colors: NDArray[np.uint8] = np.zeros((about.class_count, 3), np.uint8)
        for label in range(about.class_count):
            self.classes.append(c.library.medurwkv_class_name(self._model, label).decode())
            rgb = (ctypes.c_uint8 * 3)()
            c.call("class_color", self._model, label, rgb)
            self.colors[label] = rgb

    def clone(self) -> Model:
        """A second model that may run at the same time, with weights of its own."""
        out = object.__new__(Model)
        out._model = ctypes.c_void_p()
        c.call("clone", self._model, ctypes.byref(out._model))
        out._describe()
        return out

    def __del__(self):
        model = getattr(self, "_model", None)
        if model and c is not None:
            c.library.medurwkv_close(model)

    def __repr__(self) -> str:
        return (f"<medurwkv.Model {self.network}, {self.channels} x {self.height} x {self.width} ({self.fit}), classes "
                f"{', '.join(self.classes)}>")

    @overload
    def segment(self, image: NDArray, **options: Any) -> Segmentation: ...
    @overload
    def segment(self, image: Sequence[NDArray], **options: Any) -> list[Segmentation]: ...

    def segment(self, image, *, flips: bool = False, threshold: float | None = None, fill_holes: bool = False,
                largest: bool = False, min_area: int = 0, tile: int = 0,
                progress: Callable[[int, int], Any] | None = None):
        """Segments an image, or a list of images of any sizes.

        image: uint8, uint16 or float32 (0 to 1, or as the model's window says); height x width or height x width x
            channels, any strides.
        flips: the mean over the mirror images, too; four times the time.
        threshold: a pixel has its likeliest foreground class where that has this probability at least; None: the
            likeliest of all classes.
        fill_holes: background that a class encloses becomes that class.
        largest: of each class the largest object alone.
        min_area: objects of fewer pixels become background.
        tile: side of the tiles of models that see images as they are; 0: as the model says.
        progress: called with how many of all images are done; False stops with medurwkv.Stopped.
        """
        many = isinstance(image, (list, tuple))
        images = list(image) if many else [image]
        from_ = (c.Image * len(images))()
        to = (c.Result * len(images))()
        answers = []
        for k, one in enumerate(images):
            from_[k], whole = _image(one, f"image {k}" if many else "the image")
            answer = Segmentation(whole, len(self.classes), self.classes, self.colors)
            to[k] = c.Result(labels=answer.labels.ctypes.data, probabilities=answer.probabilities.ctypes.data,
                             unsureness=answer.unsureness.ctypes.data)
            answers.append(answer)
        carried = c.Carried()
        options = c.SegmentOptions(flips=flips, use_threshold=threshold is not None, threshold=threshold or 0,
                                   fill_holes=fill_holes, largest=largest, min_area=min_area, tile=tile)
        if progress is not None:
            options.progress = c.ImageProgress(lambda _, done, total: carried.asks_to_stop(progress, done, total))
        try:
            c.call("segment", self._model, from_, len(images), options, to)
        finally:
            carried.reraise()
        return answers if many else answers[0]
