"""The shared library by ctypes: its structs, its functions, its errors. medurwkv.h says what each means."""
from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint8, c_uint64, c_void_p
from pathlib import Path

OK, FAILED, USAGE, STOPPED, NO_MEMORY, INTERNAL = range(6)


class Error(Exception):
    """The work failed: a bad file, an image that the model does not take, a full disk. It says why."""


class UsageError(Error, ValueError):
    """An argument is wrong."""


class Stopped(Error):
    """A progress function returned False."""


def _open() -> ctypes.CDLL:
    """Beside this package as in a wheel; else what MEDURWKV_LIBRARY names, else as the system finds it."""
    named = os.environ.get("MEDURWKV_LIBRARY")
    beside = sorted((Path(__file__).parent / "lib").glob("libmedurwkv.so*"))
    try:
        return ctypes.CDLL(named or (str(beside[0]) if beside else "libmedurwkv.so.0"))
    except OSError as error:
        raise ImportError(f"{error}; install the medurwkv library, or name it in MEDURWKV_LIBRARY") from error


class _Struct(ctypes.Structure):
    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(type(self)), **fields)


ImageProgress = ctypes.CFUNCTYPE(c_int, c_void_p, c_int64, c_int64)
Line = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)
Progress = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_int64, c_int64, c_char_p)


class OpenOptions(_Struct):
    _fields_ = [("struct_size", c_size_t), ("threads", c_int32), ("precision", c_char_p)]


class Description(_Struct):
    _fields_ = [("struct_size", c_size_t), ("width", c_int32), ("height", c_int32), ("channels", c_int32),
                ("class_count", c_int32), ("fit", c_char_p), ("network", c_char_p), ("precision", c_char_p),
                ("content_sha256", c_char_p)]


class Image(_Struct):
    _fields_ = [("struct_size", c_size_t), ("data", c_void_p), ("width", c_int64), ("height", c_int64),
                ("channels", c_int64), ("row_stride", c_int64), ("pixel_stride", c_int64), ("channel_stride", c_int64),
                ("sample", c_int32)]


class Result(_Struct):
    _fields_ = [("struct_size", c_size_t), ("labels", c_void_p), ("label_stride", c_int64), ("probabilities", c_void_p),
                ("unsureness", c_void_p)]


class SegmentOptions(_Struct):
    _fields_ = [("struct_size", c_size_t), ("flips", c_int32), ("use_threshold", c_int32), ("threshold", c_double),
                ("fill_holes", c_int32), ("largest", c_int32), ("min_area", c_int64), ("tile", c_int64),
                ("progress", ImageProgress), ("user", c_void_p)]


class Labels(_Struct):
    _fields_ = [("struct_size", c_size_t), ("data", c_void_p), ("width", c_int64), ("height", c_int64), ("depth", c_int64),
                ("row_stride", c_int64), ("slice_stride", c_int64)]


class JudgeOptions(_Struct):
    _fields_ = [("struct_size", c_size_t), ("class_count", c_int32), ("profile", c_char_p), ("metrics", c_char_p),
                ("spacing_x", c_double), ("spacing_y", c_double), ("spacing_z", c_double), ("tolerance", c_double),
                ("has_tolerance", c_int32), ("probabilities", c_void_p)]


class Tensor(_Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("type", c_char_p), ("shape", POINTER(c_int64)),
                ("dimensions", c_size_t), ("elements", c_uint64)]


class Listener(_Struct):
    _fields_ = [("struct_size", c_size_t), ("line", Line), ("failure", Line), ("progress", Progress), ("user", c_void_p)]


library = _open()
_FUNCTIONS = {
    "message": (c_char_p,), "version": (c_char_p,), "api_major": (c_int,), "api_minor": (c_int,),
    "free": (None, c_void_p),
    "open": (c_int, c_char_p, POINTER(OpenOptions), POINTER(c_void_p)),
    "open_memory": (c_int, c_void_p, c_size_t, POINTER(OpenOptions), POINTER(c_void_p)),
    "clone": (c_int, c_void_p, POINTER(c_void_p)),
    "close": (None, c_void_p),
    "describe": (c_int, c_void_p, POINTER(Description)),
    "class_name": (c_char_p, c_void_p, c_int32),
    "class_color": (c_int, c_void_p, c_int32, POINTER(c_uint8)),
    "segment": (c_int, c_void_p, POINTER(Image), c_size_t, POINTER(SegmentOptions), POINTER(Result)),
    "judge": (c_int, POINTER(Labels), POINTER(Labels), POINTER(JudgeOptions), POINTER(c_void_p)),
    "scores_count": (c_size_t, c_void_p), "scores_key": (c_char_p, c_void_p, c_size_t),
    "scores_value": (c_double, c_void_p, c_int32, c_size_t), "scores_free": (None, c_void_p),
    "weights_open": (c_int, c_char_p, POINTER(c_void_p)), "weights_count": (c_size_t, c_void_p),
    "weights_tensor": (c_int, c_void_p, c_size_t, POINTER(Tensor)),
    "weights_read": (c_int, c_void_p, c_size_t, POINTER(c_float), c_uint64), "weights_close": (None, c_void_p),
    "picture_read": (c_int, c_char_p, POINTER(c_void_p)), "picture_image": (c_int, c_void_p, POINTER(Image)),
    "picture_free": (None, c_void_p),
    "run": (c_int, c_char_p, c_char_p, POINTER(Listener), POINTER(c_void_p)),
}
for _name, (_result, *_arguments) in _FUNCTIONS.items():
    _function = getattr(library, "medurwkv_" + _name)
    _function.restype, _function.argtypes = _result, _arguments


def call(name: str, *arguments) -> None:
    """Calls a function that returns a code, and raises what the code says."""
    code = getattr(library, "medurwkv_" + name)(*arguments)
    if code == OK:
        return
    message = library.medurwkv_message().decode()
    if code == NO_MEMORY:
        raise MemoryError(message)
    raise {USAGE: UsageError, STOPPED: Stopped}.get(code, Error)(message)


def version() -> str:
    """The library's version."""
    return library.medurwkv_version().decode()


class Carried:
    """Carries what a caller's function raises over the library."""

    def __init__(self):
        self.raised: BaseException | None = None

    def asks_to_stop(self, function, *arguments) -> int:
        """What a progress function of the library returns: 1 where `function` returns False, or raises."""
        try:
            return 1 if function(*arguments) is False else 0
        except BaseException as error:  # noqa: B902: KeyboardInterrupt, too, must not get lost in C
            self.raised = error
            return 1

    def reraise(self) -> None:
        if self.raised is not None:
            raise self.raised
