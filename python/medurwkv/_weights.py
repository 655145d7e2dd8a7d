"""Weights of files of any kind."""
from __future__ import annotations

import ctypes
import os

import numpy as np
from numpy.typing import NDArray

from . import _library as c


def weights(path: str | os.PathLike) -> dict[str, NDArray[np.float32]]:
    """Every tensor of a model, safetensors or .pth file under its own name, as float32."""
    file = ctypes.c_void_p()
    c.call("weights_open", os.fsencode(path), ctypes.byref(file))
    try:
        out = {}
        for index in range(c.library.medurwkv_weights_count(file)):
            tensor = c.Tensor()
            c.call("weights_tensor", file, index, tensor)
            array = np.empty([tensor.shape[d] for d in range(tensor.dimensions)], np.float32)
            c.call("weights_read", file, index, array.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), array.size)
            out[tensor.name.decode()] = array
        return out
    finally:
        c.library.medurwkv_weights_close(file)
