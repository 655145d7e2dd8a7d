"""Volumes that nibabel and SimpleITK write, predicted, and the labels read by both: every voxel lies where it did, and
the labels do not depend on the format.

Usage: volumes.py PROGRAM MODEL (tests/cli/data/version1.model). Exits with 1 on a difference."""
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

program, model = sys.argv[1:]
random = np.random.default_rng(1)
z, y, x = np.mgrid[:5, :48, :64]
voxels = np.where((x - 30 - 2 * z) ** 2 / 150 + (y - 24) ** 2 / 80 < 1, 60, 190 + x * y % 20).astype(np.uint8)


def turned():
    """An orthogonal matrix, and not the identity."""
    q, _ = np.linalg.qr(random.standard_normal((3, 3)))
    return q


with tempfile.TemporaryDirectory() as folder:
    images, masks = Path(folder, "images"), Path(folder, "masks")
    images.mkdir()
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        affine = np.eye(4)
        affine[:3, :3] = turned() * [0.71, 0.83, 3.37]
        affine[:3, 3] = random.standard_normal(3) * 100
        image = kind(voxels.T, affine)
        image.header["descrip"] = "DOE^JANE"
        nibabel.save(image, images / f"{kind.__name__}.nii.gz")
    for suffix in ("nii", "nii.gz", "nrrd", "nhdr", "mha", "mhd"):
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((0.71, 0.83, 3.37))
        image.SetOrigin(tuple(random.standard_normal(3) * 100))
        image.SetDirection(tuple(turned().ravel()))
        sitk.WriteImage(image, str(images / f"sitk_{suffix.replace('.', '_')}.{suffix}"), useCompression=suffix in ("nrrd", "mha"))
    subprocess.run([program, "predict", model, images, "--out", masks, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    single = {".nhdr": ".nrrd", ".mhd": ".mha"}
    labels = []
    for file in sorted(images.iterdir()):
        if file.suffix in (".raw", ".zraw") or file.name.endswith(".raw.gz"):
            continue
        out = masks / (file.with_suffix(single[file.suffix]).name if file.suffix in single else file.name)
        if "Nifti2" not in file.name:  # which SimpleITK does not read
            before, after = sitk.ReadImage(str(file)), sitk.ReadImage(str(out))
            assert before.GetSize() == after.GetSize(), file
            for get in ("GetOrigin", "GetSpacing", "GetDirection"):
                assert getattr(before, get)() == getattr(after, get)(), (file, get)
            labels.append(sitk.GetArrayFromImage(after))
        if ".nii" in file.name:
            ours, theirs = nibabel.load(out), nibabel.load(file)
            assert np.array_equal(ours.affine, theirs.affine) and ours.header.get_zooms() == theirs.header.get_zooms(), file
            for code in ("qform_code", "sform_code", "xyzt_units"):
                assert ours.header[code] == theirs.header[code], (file, code)
            labels.append(np.asarray(ours.dataobj).T)
            assert b"DOE" not in bytes(ours.header.binaryblock), file
    assert len(labels) == 11 and all(np.array_equal(one, labels[0]) for one in labels) and labels[0].any()
print(f"volumes: labels of 8 files lie where their volumes do (nibabel {nibabel.__version__}, SimpleITK "
      f"{sitk.Version.VersionString()})")
