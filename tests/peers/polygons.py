"""Outlines of every format that is read, against pycocotools and scikit-image.

skimage.draw.polygon asks for each pixel centre whether it is inside, as we do, with centres at whole numbers: shifted by
half a pixel it must give the same mask, pixel by pixel. pycocotools draws borders on a raster five times as fine: a
pixel that differs must lie within a pixel of the outline. Run lengths must be equal.

Usage: polygons.py PROGRAM. Exits with 1 on a difference."""
import base64
import io
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from skimage.draw import polygon as draw_polygon

program = sys.argv[1]
WIDTH, HEIGHT = 97, 71
random = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 20)


def centres():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return x + 0.5, y + 0.5


def filled(points):
    """By the pixels' centres, even-odd."""
    out = np.zeros((HEIGHT, WIDTH), bool)
    points = np.asarray(points, float)
    rows, columns = draw_polygon(points[:, 1] - 0.5, points[:, 0] - 0.5, shape=out.shape)
    out[rows, columns] = True
    return out


def near_outline(points):
    """Pixels whose centre is within a pixel of an edge."""
    x, y = centres()
    out = np.zeros((HEIGHT, WIDTH), bool)
    points = np.asarray(points, float)
    for a, b in zip(points, np.roll(points, -1, axis=0)):
        edge = b - a
        along = np.clip(((x - a[0]) * edge[0] + (y - a[1]) * edge[1]) / max(edge @ edge, 1e-12), 0, 1)
        out |= np.hypot(x - a[0] - along * edge[0], y - a[1] - along * edge[1]) <= 1
    return out


def star(points=None, tangled=False, beyond=1.15):
    """A polygon round some place, which may cross itself and the image's border."""
    count = points or int(random.integers(3, 40))
    angles = random.uniform(0, 2 * math.pi, count)
    if not tangled:
        angles.sort()
    radii = random.uniform(4, 30, count)
    middle = random.uniform([0, 0], [WIDTH, HEIGHT]) * beyond
    return np.round(np.stack([middle[0] + radii * np.cos(angles), middle[1] + radii * np.sin(angles)], 1), 4)


def write_image(path):
    Image.fromarray(random.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)).save(path)


def read_back(folder, copy):
    subprocess.run([program, "data", "check", folder, "--fix", copy, "--quiet"], stdout=subprocess.DEVNULL)
    masks = {}
    for file in sorted(Path(copy, "masks").iterdir()):
        mask = np.asarray(Image.open(file))
        masks[file.stem] = mask != 0
    assert masks, folder
    return masks


def flat(points):
    return [float(v) for v in np.asarray(points).ravel()]


def coco(folder):
    """Polygons alone, united, tangled; run lengths in both forms. Returns the masks that are due, and what is checked."""
    images, annotations, due, theirs = [], [], {}, {}
    for i in range(60):
        name = f"i{i:03}"
        write_image(folder / f"{name}.png")
        images.append({"id": i, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT})
        kind = ("one", "parts", "tangled", "compressed", "counts")[i % 5]
        parts = [star(tangled=kind == "tangled") for _ in range(3 if kind == "parts" else 1)]
        outline = [flat(part) for part in parts]
        mask = np.any([filled(part) for part in parts], 0)
        if kind == "compressed" or kind == "counts":
            runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
            outline = {"size": [HEIGHT, WIDTH], "counts": runs["counts"].decode()}
            if kind == "counts":
                line = np.concatenate([[0], mask.T.ravel().astype(int), [2]])
                ends = np.flatnonzero(np.diff(line))
                outline["counts"] = [int(n) for n in np.diff(np.concatenate([[0], ends]))]
        annotations.append({"id": i, "image_id": i, "category_id": 3, "iscrowd": 0, "segmentation": outline})
        due[name] = mask
        if kind in ("one", "parts", "tangled"):
            runs = coco_mask.merge(coco_mask.frPyObjects(outline, HEIGHT, WIDTH))
            near = np.any([near_outline(part) for part in parts], 0)
            theirs[name] = (coco_mask.decode(runs).astype(bool), near)
        else:
            runs = outline if kind == "compressed" else coco_mask.frPyObjects(outline, HEIGHT, WIDTH)
            theirs[name] = (coco_mask.decode(runs).astype(bool), np.zeros_like(mask))
    categories = [{"id": 3, "name": "lesion"}]
    (folder / "instances.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return due, theirs


def inside_ellipse(cx, cy, rx, ry):
    x, y = centres()
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1


def labelme(folder):
    due = {}
    for i in range(12):
        name = f"l{i:03}"
        write_image(folder / f"{name}.png")
        points = star()
        circle = random.uniform([10, 10, 3], [80, 60, 20])
        box = np.sort(random.uniform([0, 0], [WIDTH, HEIGHT], (2, 2)), axis=0)
        mask = random.integers(0, 2, (9, 14)).astype(bool)
        packed = io.BytesIO()
        Image.fromarray(mask).save(packed, "PNG")
        shapes = [{"label": "a", "points": points.tolist(), "shape_type": "polygon"},
                  {"label": "a", "points": box.tolist(), "shape_type": "rectangle"},
                  {"label": "a", "points": [[circle[0], circle[1]], [circle[0] + circle[2], circle[1]]], "shape_type": "circle"},
                  {"label": "a", "points": [[5, 7], [18, 15]], "shape_type": "mask", "mask": base64.b64encode(packed.getvalue()).decode()},
                  {"label": "a", "points": [[1, 1]], "shape_type": "point"}]
        (folder / f"{name}.json").write_text(json.dumps(
            {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.png", "imageData": None,
             "imageHeight": HEIGHT, "imageWidth": WIDTH}))
        x, y = centres()
        due[name] = filled(points) | inside_ellipse(circle[0], circle[1], circle[2], circle[2])
        due[name] |= (x >= box[0, 0]) & (x < box[1, 0]) & (y >= box[0, 1]) & (y < box[1, 1])
        due[name][7:16, 5:19] |= mask
    return due


def via(folder):
    due, images = {}, {}
    for i in range(12):
        name = f"v{i:03}"
        write_image(folder / f"{name}.png")
        points = star()
        ellipse = random.uniform([20, 20, 3, 3], [70, 50, 20, 15])
        regions = [{"shape_attributes": {"name": "polygon", "all_points_x": points[:, 0].tolist(), "all_points_y": points[:, 1].tolist()},
                    "region_attributes": {"tissue": "gland"}},
                   {"shape_attributes": dict(zip(("name", "cx", "cy", "rx", "ry"), ("ellipse", *ellipse.tolist()))),
                    "region_attributes": {"tissue": "gland"}}]
        size = (folder / f"{name}.png").stat().st_size
        images[f"{name}.png{size}"] = {"filename": f"{name}.png", "size": size, "regions": regions, "file_attributes": {}}
        due[name] = filled(points) | inside_ellipse(*ellipse)
    (folder / "via_region_data.json").write_text(json.dumps(images))
    return due


def cvat(folder):
    due, texts = {}, []
    for i in range(12):
        name = f"c{i:03}"
        write_image(folder / f"{name}.png")
        points = star()
        mask = random.integers(0, 2, (6, 11)).astype(bool)
        line = np.concatenate([[0], mask.ravel().astype(int), [2]])
        runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(line))]))
        cx, cy, rx, ry, angle = random.uniform([20, 20, 5, 5, 0], [70, 50, 20, 15, 180])
        texts.append(f'<image id="{i}" name="{name}.png" width="{WIDTH}" height="{HEIGHT}">'
                     f'<polygon label="a" points="{";".join(f"{x},{y}" for x, y in points)}" z_order="0"/>'
                     f'<ellipse label="a" cx="{cx}" cy="{cy}" rx="{rx}" ry="{ry}" rotation="{angle}"/>'
                     f'<mask label="a" rle="{", ".join(map(str, runs))}" left="30" top="20" width="11" height="6"/></image>')
        x, y = centres()
        turn = math.radians(angle)
        u = (x - cx) * math.cos(turn) + (y - cy) * math.sin(turn)
        v = -(x - cx) * math.sin(turn) + (y - cy) * math.cos(turn)
        due[name] = filled(points) | ((u / rx) ** 2 + (v / ry) ** 2 <= 1)
        due[name][20:26, 30:41] |= mask
    (folder / "annotations.xml").write_text('<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>' + "".join(texts) + "</annotations>")
    return due


def imagescope(folder):
    due = {}
    for i in range(12):
        name = f"s{i:03}"
        write_image(folder / f"{name}.tif")
        outer, hole = star(20, beyond=1), None
        hole = (outer - outer.mean(0)) * 0.4 + outer.mean(0)
        text = "".join(f'<Region Id="{k}" Type="0" NegativeROA="{k}"><Vertices>' + "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in ring) + "</Vertices></Region>"
                       for k, ring in enumerate((outer, hole)))
        (folder / f"{name}.xml").write_text(f'<Annotations MicronsPerPixel="0.25"><Annotation Id="1" Name=""><Regions>{text}</Regions></Annotation></Annotations>')
        due[name] = filled(outer) & ~filled(hole)
    return due


def qupath(folder):
    due = {}
    for i in range(12):
        name = f"q{i:03}"
        write_image(folder / f"{name}.png")
        parts = []
        for _ in range(2):
            outer = star(16, beyond=1)
            parts.append((outer, (outer - outer.mean(0)) * 0.5 + outer.mean(0)))
        closed = lambda ring: ring.tolist() + [ring[0].tolist()]
        feature = {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [[closed(a), closed(b)] for a, b in parts]},
                   "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}}}
        (folder / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        due[name] = np.any([filled(a) & ~filled(b) for a, b in parts], 0)
    return due


differing = {}
with tempfile.TemporaryDirectory() as root:
    for make in (coco, labelme, via, cvat, imagescope, qupath):
        folder = Path(root, make.__name__)
        folder.mkdir()
        due = make(folder)
        due, theirs = due if make is coco else (due, {})
        ours = read_back(folder, Path(root, make.__name__ + "_copy"))
        assert ours.keys() == due.keys(), (make.__name__, sorted(due.keys() - ours.keys()))
        for name, mask in due.items():
            differs = ours[name] != mask
            assert not differs.any(), (make.__name__, name, np.argwhere(differs)[:5].tolist())
        border = 0
        for name, (mask, near) in theirs.items():
            differs = ours[name] != mask
            assert not (differs & ~near).any(), ("pycocotools", name, np.argwhere(differs & ~near)[:5].tolist())
            border += int(differs.sum())
        differing[make.__name__] = f"{len(due)} masks equal to scikit-image's"
        if theirs:
            total = sum(int(mask.sum()) for mask, _ in theirs.values())
            differing[make.__name__] += f"; {border} of {total} pixels differ from pycocotools', all within a pixel of an outline"
for name, text in differing.items():
    print(f"{name}: {text}")
