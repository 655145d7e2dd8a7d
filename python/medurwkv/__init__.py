"""medurwkv: segments 2D medical images by Med-URWKV models, judges masks, and reads the weights of models.

    import medurwkv
    model = medurwkv.Model("best.model")
    image = medurwkv.read_image("image.png")  # or an array: height x width, or height x width x channels
    answer = model.segment(image)
    answer.labels                          # uint8, height x width
    answer.probabilities                   # float32, classes x height x width
    medurwkv.evaluate(answer.labels, truth)["dice"]

Arrays are NumPy's. Images are read where they lie, whatever their strides; calls release the GIL.
"""
from ._library import Error, Stopped, UsageError, version
from ._model import Model, Segmentation, read_image
from ._judge import Scores, evaluate
from ._commands import check, convert, evaluate_folder, export, inspect, run, split, train
from ._weights import weights

__version__ = version()
__all__ = ["Error", "Model", "Scores", "Segmentation", "Stopped", "UsageError", "check", "convert", "evaluate",
           "evaluate_folder", "export", "inspect", "read_image", "run", "split", "train", "weights"]
