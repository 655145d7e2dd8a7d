"""The Python package against NumPy and the program's own files. Run where medurwkv can be imported."""
import math
import struct
import threading
import zlib
from pathlib import Path

import medurwkv
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "tests/cli/data/version1.model"
DEMO = ROOT / "data/demo"


@pytest.fixture(scope="module")
def model():
    return medurwkv.Model(MODEL)


def picture(height=50, width=70, channels=3):
    y, x = np.mgrid[:height, :width]
    inside = (2 * x - width) ** 2 / width**2 + (2 * y - height) ** 2 / height**2 < 0.25
    image = np.where(inside, 60, 190) + (x * 7 + y * 3) % 11
    return np.stack([image + 15 * c for c in range(channels)], -1).astype(np.uint8)


def test_describes_itself(model):
    assert model.classes == ["background", "foreground"]
    assert (model.width, model.height, model.channels, model.network) == (64, 64, 3, "nano")
    assert "nano" in repr(model)
    assert medurwkv.__version__.count(".") == 2


def test_segments(model):
    image = picture()
    answer = model.segment(image)
    assert answer.labels.shape == (50, 70) and answer.labels.dtype == np.uint8
    assert answer.probabilities.shape == (2, 50, 70)
    np.testing.assert_allclose(answer.probabilities.sum(0), 1, atol=1e-6)
    np.testing.assert_array_equal(answer.labels, answer.probabilities.argmax(0))
    assert 0 < answer.labels.mean() < 1
    np.testing.assert_allclose(answer.unsureness, 1 - abs(answer.probabilities[1] - answer.probabilities[0]), atol=1e-6)
    assert "foreground" in repr(answer)


@pytest.mark.parametrize("change", [
    lambda a: np.asfortranarray(a), lambda a: np.repeat(a, 2, 0)[::2], lambda a: a[::-1].copy()[::-1],
    lambda a: a.transpose(2, 0, 1).copy().transpose(1, 2, 0), lambda a: np.pad(a, 3)[3:-3, 3:-3, 3:-3]])
def test_takes_any_strides(model, change):
    image = picture()
    np.testing.assert_array_equal(model.segment(change(image)).probabilities, model.segment(image).probabilities)


def test_takes_other_types(model):
    image = picture()
    want = model.segment(image).probabilities
    np.testing.assert_allclose(model.segment(image.astype(np.uint16) * 257).probabilities, want, atol=1e-5)
    np.testing.assert_allclose(model.segment(image.astype(np.float32) / 255).probabilities, want, atol=1e-5)
    swapped = (image.astype(np.float32) / 255).astype(">f4")
    np.testing.assert_allclose(model.segment(swapped).probabilities, want, atol=1e-5)
    gray = picture(channels=1)
    np.testing.assert_array_equal(model.segment(gray[:, :, 0]).labels, model.segment(gray.repeat(3, 2)).labels)
    np.testing.assert_array_equal(model.segment(np.broadcast_to(gray, (50, 70, 3))).labels,
                                  model.segment(gray.repeat(3, 2)).labels)


def test_reads_images(model):
    file = sorted((DEMO / "images").iterdir())[0]
    image = medurwkv.read_image(file)
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.std() > 0
    assert model.segment(image).labels.shape == image.shape[:2]
    with pytest.raises(medurwkv.Error, match="README.md"):
        medurwkv.read_image(ROOT / "README.md")


def test_batches_progress_and_stops(model):
    images = [picture(20, 30), picture(40, 25, 1), picture(64, 64)]
    heard = []
    answers = model.segment(images, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 3), (2, 3), (3, 3)]
    for image, answer in zip(images, answers):
        np.testing.assert_array_equal(answer.probabilities, model.segment(image).probabilities)
    with pytest.raises(medurwkv.Stopped):
        model.segment(images, progress=lambda done, total: done < 2)
    with pytest.raises(KeyError, match="mine"):
        model.segment(images, progress=lambda done, total: {}["mine"])
    assert model.segment([]) == []


def test_opens_from_bytes_and_clones(model):
    want = model.segment(picture()).probabilities
    np.testing.assert_array_equal(medurwkv.Model(MODEL.read_bytes()).segment(picture()).probabilities, want)
    got = [None] * 4

    def run(k):
        got[k] = (model.clone() if k % 2 else model).segment(picture()).probabilities

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in got:
        np.testing.assert_array_equal(one, want)


def test_shows_itself_as_a_png(model):
    answer = model.segment(picture())
    png = answer._repr_png_()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (70, 50)
    length, = struct.unpack(">I", png[33:37])
    rows = np.frombuffer(zlib.decompress(png[41:41 + length]), np.uint8).reshape(50, 1 + 3 * 70)
    np.testing.assert_array_equal(rows[:, 1:].reshape(50, 70, 3), answer.overlay())
    changed = (answer.overlay() != picture()).any(2)
    assert changed.any() and (answer.labels[changed] > 0).all()


def test_refuses_in_words(model):
    with pytest.raises(medurwkv.UsageError, match="uint8, uint16 or float32"):
        model.segment(picture().astype(np.float64))
    with pytest.raises(medurwkv.UsageError, match="height x width"):
        model.segment(np.zeros((1, 2, 3, 4), np.uint8))
    with pytest.raises(medurwkv.Error, match="channels"):
        model.segment(picture(channels=2))
    with pytest.raises(medurwkv.Error, match="nowhere.model"):
        medurwkv.Model("nowhere.model")
    with pytest.raises(ValueError, match="float32"):
        medurwkv.Model(MODEL, precision="float31")


def test_judges():
    truth = np.array([[0, 1, 1, 1, 0, 0]], np.uint8)
    prediction = np.array([[0, 0, 1, 1, 1, 0]])
    scores = medurwkv.evaluate(prediction, truth, metrics=["mcc", "objects"], spacing=(0.5, 0.5))
    assert scores["dice"] == pytest.approx(4 / 6)
    assert scores["assd"] == pytest.approx(0.5 * 2 / 6)
    assert scores["mcc"] == pytest.approx(1 / 3)
    assert scores.by_class["dice"] == [scores["dice"]]
    assert "dice 0.6667" in repr(scores)
    assert math.isnan(medurwkv.evaluate(truth * 0, truth * 0)["dice"])
    assert medurwkv.evaluate(truth > 0, truth > 0)["dice"] == 1
    two = medurwkv.evaluate(np.array([[1, 2, 0]]), np.array([[1, 2, 255]]))
    assert two.by_class["dice"] == [1, 1]
    with pytest.raises(medurwkv.UsageError, match="shape"):
        medurwkv.evaluate(truth, truth[:, :3])
    with pytest.raises(medurwkv.UsageError, match="did you mean dice|unknown metric"):
        medurwkv.evaluate(truth, truth, metrics="dise")
    with pytest.raises(medurwkv.UsageError, match="0 to 255"):
        medurwkv.evaluate(np.array([[256]]), np.array([[1]]))


def test_judges_volumes():
    truth, prediction = np.zeros((2, 2, 4, 4), np.uint8)
    truth[0, 1, 1] = prediction[1, 1, 1] = 1
    assert medurwkv.evaluate(prediction, truth, spacing=(1, 1, 3))["hd95"] == 3
    assert medurwkv.evaluate(prediction, truth, profile="transunet")["hd95"] == 1


def test_judges_probabilities():
    truth = np.array([[1, 0, 0, 0]])
    foreground = np.array([[0.75, 0.5, 0.25, 0]], np.float32)
    scores = medurwkv.evaluate(truth, truth, probabilities=np.stack([1 - foreground, foreground]), metrics="auc,brier")
    assert scores["auc"] == 1
    assert scores["brier"] == pytest.approx((0.0625 + 0.25 + 0.0625) / 4)


def test_gives_weights():
    weights = medurwkv.weights(MODEL)
    file = MODEL.read_bytes()
    header, = struct.unpack("<Q", file[:8])
    import json
    names = json.loads(file[8:8 + header])
    names.pop("__metadata__")
    assert set(weights) == set(names)
    for name, about in list(names.items())[::40]:
        start, end = about["data_offsets"]
        if about["dtype"] != "F32":
            continue
        want = np.frombuffer(file[8 + header + start:8 + header + end], np.float32).reshape(about["shape"])
        np.testing.assert_array_equal(weights[name], want)


def test_runs_commands(tmp_path):
    heard = []
    report = medurwkv.check(DEMO, progress=lambda *what: heard.append(what))
    assert report["sound"] and report["pairs"] == 90 and heard
    split = medurwkv.split(DEMO, tmp_path / "split.json", seed=3)
    assert len(split["train"]) + len(split["val"]) + len(split["test"]) == 90
    assert medurwkv.inspect(preset="tiny")["parameters"] > 1e6
    assert medurwkv.inspect(MODEL)["about"]["kind"] == "model"
    medurwkv.convert(MODEL, tmp_path / "encoder.safetensors", encoder=True)
    assert len(medurwkv.weights(tmp_path / "encoder.safetensors")) > 100
    written = medurwkv.export(MODEL, tmp_path / "model.onnx", pixels=True)
    assert (written["input_type"], written["outputs"]) == ("uint8", ["logits"])
    summary = medurwkv.evaluate_folder(DEMO, tmp_path / "out", model=MODEL, split=tmp_path / "split.json", metrics=["mcc"])
    assert 0 < summary["mean_dice"] < 1 and (tmp_path / "out/report.html").exists()
    with pytest.raises(medurwkv.UsageError, match="did you mean seed"):
        medurwkv.split(DEMO, tmp_path / "other.json", sede=1)
    with pytest.raises(medurwkv.Stopped):
        medurwkv.check(DEMO, progress=lambda *what: False)


def test_trains_where_the_training_library_is(tmp_path):
    medurwkv.split(DEMO, tmp_path / "split.json")
    heard = []
    request = dict(settings={"network.preset": "nano", "input.width": 64, "input.height": 64, "run.epochs": 2, "run.calibrate": False})
    try:
        result = medurwkv.train(DEMO, tmp_path / "split.json", tmp_path / "run", progress=lambda *what: heard.append(what),
                                **request)
    except medurwkv.Error as error:
        if "is not beside the program" not in str(error):
            raise
        pytest.skip(str(error))
    assert result["runs"][0]["epochs"] == 2 and heard
    assert medurwkv.Model(tmp_path / "run/best.model").segment(picture()).labels.shape == (50, 70)
    with pytest.raises(medurwkv.Stopped):
        medurwkv.train(DEMO, tmp_path / "split.json", tmp_path / "other", progress=lambda *what: False, **request)


def test_readmes_example_and_the_loop(tmp_path, monkeypatch, capsys):
    text = (ROOT / "README.md").read_text()
    block = text.split("```python\n")[1].split("```")[0]
    (tmp_path / "best.model").write_bytes(MODEL.read_bytes())
    (tmp_path / "image.png").write_bytes(sorted((DEMO / "images").iterdir())[0].read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert "1.0" in capsys.readouterr().out
    loop = {}
    exec(compile((ROOT / "examples/evaluate_in_a_loop.py").read_text(), "loop", "exec"), loop)
    truth = np.zeros((2, 1, 8, 8), bool)
    truth[:, :, 2:6, 2:6] = True
    got = loop["judged"](((one, one) for one in truth), lambda images: images)
    assert got["dice"] == 1 and got["hd95"] == 0
