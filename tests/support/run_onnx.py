"""An ONNX file checked by libonnx, then run in NumPy by the text of the standard (https://onnx.ai/onnx/operators/):
the operators that `medurwkv export` writes, slowly, in the precision asked for.

Usage: run_onnx.py FILE float32|float64 [INPUT.npy OUTPUT_FOLDER]. Without an input it only checks. Exit code 77: no
NumPy or no onnx for this Python."""
import sys

try:
    import numpy as np
    import onnx
    from onnx import numpy_helper
except ImportError as error:
    print(f"no NumPy or onnx: {error}")
    sys.exit(77)

from math import erf

REAL = np.dtype(sys.argv[2])
TYPES = {onnx.TensorProto.FLOAT: REAL, onnx.TensorProto.UINT8: np.dtype("uint8"), onnx.TensorProto.INT64: np.dtype("int64")}


def decimal(number):
    """The number that its author wrote: an attribute is float32."""
    return REAL.type(str(np.float32(number)))


def divided(a, b):
    return a // b if a.dtype.kind == "i" else a / b  # of whole numbers that are not negative


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sliced(x, starts, ends, axes=None):
    index = [slice(None)] * x.ndim
    for start, end, axis in zip(starts, ends, range(len(starts)) if axes is None else axes):
        index[axis] = slice(int(start), int(end))
    return x[tuple(index)]


def reshaped(x, shape):
    return x.reshape([x.shape[i] if side == 0 else int(side) for i, side in enumerate(shape)])


def padded(x, pads, mode="constant"):
    return np.pad(x, list(zip(pads[: x.ndim], pads[x.ndim :])), mode=mode)


def summed(x, axis, exclusive=0, reverse=0):
    axis = int(axis)
    if reverse:
        return np.flip(summed(np.flip(x, axis), axis, exclusive), axis)
    total = np.cumsum(x, axis, dtype=x.dtype)
    if exclusive:
        total = np.concatenate([np.zeros_like(np.take(x, [0], axis)), np.take(total, range(x.shape[axis] - 1), axis)], axis)
    return total


def windows(x, kernel, strides, pads, fill):
    """batch x channels x rows x columns x kernel x kernel"""
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3))[:, :, :: strides[0], :: strides[1]]


def conv(x, weight, bias=None, strides=(1, 1), pads=(0, 0, 0, 0), group=1):
    parts = windows(x, weight.shape[2:], strides, pads, 0)
    n, _, rows, columns = parts.shape[:4]
    parts = parts.reshape(n, group, -1, rows, columns, *weight.shape[2:])
    kernels = weight.reshape(group, -1, *weight.shape[1:])
    out = np.einsum("ngirckl,goikl->ngorc", parts, kernels, optimize=True).reshape(n, -1, rows, columns)
    return out if bias is None else out + bias[:, None, None]


def conv_transpose(x, weight, bias=None, strides=(1, 1)):
    assert tuple(weight.shape[2:]) == tuple(strides)
    out = np.einsum("nirc,iokl->norkcl", x, weight, optimize=True)
    n, channels, rows, a, columns, b = out.shape
    out = out.reshape(n, channels, rows * a, columns * b)
    return out if bias is None else out + bias[:, None, None]


def max_pool(x, kernel_shape, strides, pads):
    return windows(x, tuple(kernel_shape), strides, pads, -np.inf).max((-2, -1))


def layer_norm(x, scale, bias, axis, epsilon):
    assert axis == -1
    y = x - x.mean(-1, keepdims=True)
    return y / np.sqrt((y * y).mean(-1, keepdims=True) + decimal(epsilon)) * scale + bias


def batch_norm(x, scale, bias, mean, variance, epsilon):
    wide = lambda v: v[:, None, None]
    return (x - wide(mean)) / np.sqrt(wide(variance) + decimal(epsilon)) * wide(scale) + wide(bias)


def grid_sample(x, grid, mode, padding_mode, align_corners):
    assert (mode, padding_mode, align_corners) == ("bilinear", "zeros", 0)
    n, _, height, width = x.shape
    column = ((grid[..., 0] + 1) * width - 1) / 2
    row = ((grid[..., 1] + 1) * height - 1) / 2
    left, top = np.floor(column), np.floor(row)
    out = 0
    for y in (top, top + 1):
        for z in (left, left + 1):
            weight = (1 - np.abs(row - y)) * (1 - np.abs(column - z))
            inside = (y >= 0) & (y < height) & (z >= 0) & (z < width)
            r = np.clip(y, 0, height - 1).astype(int)
            c = np.clip(z, 0, width - 1).astype(int)
            values = x[np.arange(n)[:, None, None], :, r, c]  # n x rows x columns x channels
            out = out + values * (weight * inside)[..., None]
    return np.moveaxis(out, -1, 1)


def resize_matrix(to, side, mode, a):
    out = np.zeros((to, side), REAL)
    for i in range(to):
        place = (i + 0.5) * side / to - 0.5
        below = int(np.floor(place))
        for tap in range(below - 1, below + 3):
            d = abs(place - tap)
            if mode == "linear":
                weight = max(0.0, 1 - d)
            elif d <= 1:
                weight = ((a + 2) * d - (a + 3)) * d * d + 1
            else:
                weight = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else 0
            out[i, min(max(tap, 0), side - 1)] += weight
    return out


def resize(x, roi, scales, sizes, mode, cubic_coeff_a, coordinate_transformation_mode):
    assert coordinate_transformation_mode == "half_pixel" and list(sizes[:2]) == list(x.shape[:2])
    rows = resize_matrix(int(sizes[2]), x.shape[2], mode, cubic_coeff_a)
    columns = resize_matrix(int(sizes[3]), x.shape[3], mode, cubic_coeff_a)
    return np.einsum("ncij,yi,xj->ncyx", x, rows, columns, optimize=True)


OPERATORS = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": divided, "Neg": np.negative, "Sqrt": np.sqrt, "Exp": np.exp,
    "Erf": lambda x: np.vectorize(erf, otypes=[REAL])(x), "Relu": lambda x: np.maximum(x, 0), "Tanh": np.tanh,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Softplus": lambda x: np.logaddexp(x, 0), "Softmax": softmax,
    "Clip": np.clip, "Identity": lambda x: x, "Cast": lambda x, to: x.astype(TYPES[to]),
    "Shape": lambda x: np.array(x.shape, "int64"), "Slice": sliced, "Reshape": reshaped, "Pad": padded,
    "Concat": lambda *parts, axis: np.concatenate(parts, axis), "Transpose": lambda x, perm: x.transpose(perm),
    "Unsqueeze": lambda x, axes: np.expand_dims(x, tuple(axes)), "Squeeze": np.squeeze,
    "Expand": lambda x, shape: np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape))),
    "Range": lambda start, end, step: np.arange(start, end, step), "MatMul": np.matmul,
    "Gather": lambda x, index, axis=0: np.take(x, index, axis), "CumSum": summed,
    "ReduceMax": lambda x, axes: x.max(tuple(axes), keepdims=True),
    "ReduceMean": lambda x, axes, keepdims: x.mean(tuple(axes), keepdims=bool(keepdims)),
    "ReduceSum": lambda x, axes, keepdims=1: x.sum(tuple(axes), keepdims=bool(keepdims)),
    "ArgMax": lambda x, axis, keepdims: np.argmax(x, axis), "Conv": conv, "ConvTranspose": conv_transpose,
    "MaxPool": max_pool, "LayerNormalization": layer_norm, "BatchNormalization": batch_norm,
    "GridSample": grid_sample, "Resize": resize,
}


def run(model, image):
    graph = model.graph
    values = {"": None, graph.input[0].name: image}
    for one in graph.initializer:
        value = numpy_helper.to_array(one)
        values[one.name] = value.astype(REAL) if value.dtype.kind == "f" else value
    for node in graph.node:
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        attributes = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
        inputs = [values[name] for name in node.input]
        out = OPERATORS[node.op_type](*inputs, **attributes)
        values[node.output[0]] = np.asarray(out, REAL) if np.asarray(out).dtype.kind == "f" else np.asarray(out)
    return {one.name: values[one.name] for one in graph.output}


model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)], model.opset_import
if len(sys.argv) > 3:
    image = np.load(sys.argv[3])
    for name, value in run(model, image.astype(REAL) if image.dtype.kind == "f" else image).items():
        np.save(f"{sys.argv[4]}/{name}.npy", value)
