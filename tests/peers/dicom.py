"""DICOM and NIfTI that others ship and write, read by us and by them.

1. Every test file of pydicom and nibabel, read where it lies: the values that they give, or refused with a reason.
2. A series of CT that pydicom writes, predicted: highdicom finds each voxel of the segmentation, of its probabilities
   and of the contours where the same prediction as NIfTI has it, and both on the image.

Usage: dicom.py PROGRAM DUMP MODEL (dump_volume, tests/cli/data/version1.model). Exits with 1 on a difference."""
import collections
import importlib.util
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import UID

warnings.filterwarnings("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
program, dumper, model = sys.argv[1:]
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
MEASURED = {"CT", "MR", "PT", "NM", "RTDOSE"}
# Where pydicom and we disagree, and why it is not ours to change.
SWAPPED = "pydicom 3.0 takes the palette's words for little endian; ours are those of OBXXXX1A.dcm"
KNOWN = {"OBXXXX1A_expb.dcm": SWAPPED, "OBXXXX1A_expb_2frame.dcm": SWAPPED}


def dump(path, scratch):
    """What is said of the volume and its voxels, or why it is refused."""
    done = subprocess.run([dumper, path, scratch], capture_output=True, text=True, timeout=120)
    if done.returncode == 2:
        reason = done.stderr.strip()
        assert path.name in reason and "\n" not in reason, (path, reason)
        return None, reason.split(": ", 1)[-1]
    assert done.returncode == 0, (path, done.returncode, done.stderr)
    said = json.loads(done.stdout)
    return said, np.fromfile(scratch, np.float32).reshape(said["shape"])


def group(dataset, frame, name):
    """An item of a functional group of a frame, of its own or shared."""
    for groups in (dataset.get("PerFrameFunctionalGroupsSequence", [])[frame:frame + 1],
                   dataset.get("SharedFunctionalGroupsSequence", [])):
        for one in groups:
            if name in one and len(one[name].value):
                return one[name].value[0]
    return dataset


def places(dataset, count):
    """Height of each frame along what stands upright on them; none where one does not say it."""
    out = []
    for frame in range(count):
        position = group(dataset, frame, "PlanePositionSequence").get("ImagePositionPatient")
        turn = group(dataset, frame, "PlaneOrientationSequence").get("ImageOrientationPatient")
        if not position or not turn or len(position) != 3 or len(turn) != 6:
            return None
        turn = [float(x) for x in turn]
        out.append(float(np.dot(np.cross(turn[:3], turn[3:]), [float(x) for x in position])))
    return out if count == 1 or len(set(np.round(out, 3))) > 1 else None


def window(values, dataset, least, most):
    """PS3.3 C.11.2.1.2, of 0 to 1."""
    center, width = (float(np.atleast_1d(dataset[name].value)[0]) for name in ("WindowCenter", "WindowWidth"))
    function = dataset.get("VOILUTFunction") or "LINEAR"
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - center) / width))
    if function == "LINEAR_EXACT":
        return (values - center) / width + 0.5
    if width == 1:
        return np.where(values <= center - 0.5, 0.0, 1.0)
    return (values - center + 0.5) / (width - 1) + 0.5


def shades(frame, dataset):
    """A frame as shades of 0 to 1."""
    values = apply_modality_lut(frame, dataset).astype(float)
    bits, sign = dataset.BitsStored, dataset.PixelRepresentation
    ends = np.array([-(2.0 ** (bits - 1)) if sign else 0.0, 2.0 ** (bits - (1 if sign else 0)) - 1])
    slope, intercept = float(dataset.get("RescaleSlope", 1) or 1), float(dataset.get("RescaleIntercept", 0) or 0)
    least, most = ends * slope + intercept
    if dataset.get("ModalityLUTSequence"):
        table = np.array(dataset.ModalityLUTSequence[0]["LUTData"].value)
        least, most = table.min(), table.max()
    if dataset.get("VOILUTSequence"):
        item = dataset.VOILUTSequence[0]
        out = apply_voi_lut(values.astype(int), dataset) / (2.0 ** item.LUTDescriptor[2] - 1)
    elif dataset.get("WindowCenter") not in (None, "") and float(np.atleast_1d(dataset.WindowWidth)[0]) >= 1:
        out = window(values, dataset, least, most)
    else:
        out = (values - least) / (most - least)
    out = np.clip(out, 0, 1)
    return 1 - out if dataset.PhotometricInterpretation == "MONOCHROME1" else out


def frames_of(dataset):
    """Frames of pydicom's, colours as RGB."""
    count = int(dataset.get("NumberOfFrames") or 1)
    array = pixel_array(dataset)
    return list(array) if count > 1 else [array]


def segments_of(dataset, frames):
    """Label maps of the places of a segmentation."""
    heights = places(dataset, len(frames))
    by_place = collections.defaultdict(lambda: np.zeros(frames[0].shape))
    full = int(dataset.get("MaximumFractionalValue", 1)) if dataset.SegmentationType == "FRACTIONAL" else 1
    for i, frame in enumerate(frames):
        number = group(dataset, i, "SegmentIdentificationSequence").ReferencedSegmentNumber
        place = by_place[round(heights[i], 3) if heights else 0]
        place[2 * frame >= full] = number
    return np.stack([by_place[key] for key in sorted(by_place)])[..., None], None


def expected(dataset):
    """What dump is to give, and how far from it it may be."""
    frames = frames_of(dataset)
    if dataset.SOPClassUID == SEGMENTATION:
        return (*segments_of(dataset, frames), 0)
    kind = str(dataset.PhotometricInterpretation)
    syntax = UID(dataset.file_meta.get("TransferSyntaxUID", pydicom.uid.ImplicitVRLittleEndian))
    lossy = 5 if syntax in (pydicom.uid.JPEGBaseline8Bit, pydicom.uid.JPEGExtended12Bit) else 0
    lossy = 2 if syntax == pydicom.uid.JPEG2000 else lossy
    if kind == "PALETTE COLOR":
        tables = [apply_color_lut(one, dataset) for one in frames]
        most = 65535 if tables[0].dtype.itemsize > 1 and max(one.max() for one in tables) > 255 else 255
        out = [one / most for one in tables]
    elif int(dataset.SamplesPerPixel) == 3:
        out = [one / (2.0 ** dataset.BitsStored - 1) for one in frames]
    elif dataset.get("Modality") in MEASURED:
        out = []
        for i, one in enumerate(frames):
            item = group(dataset, i, "PixelValueTransformationSequence")
            slope = item.get("RescaleSlope", 1)
            intercept = item.get("RescaleIntercept", 0)
            out.append(one * float(1 if slope in (None, "") else slope) +
                       float(0 if intercept in (None, "") else intercept))
    else:
        out = [shades(one, dataset) for one in frames]
    heights = places(dataset, len(frames))
    if heights and len(frames) > 1:
        out = [out[i] for i in np.argsort(heights, kind="stable")]
    array = np.stack(out)
    return array[..., None] if array.ndim == 3 else array, None, lossy


def pydicom_files():
    folders = [Path(pydicom.__file__).parent / "data"]
    more = importlib.util.find_spec("data_store")
    if more:
        folders.append(Path(more.origin).parent / "data")
    for folder in folders:
        yield from sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".py")


def compare_dicom(scratch):
    counts, refused, wrong = collections.Counter(), [], []
    for file in pydicom_files():
        try:
            dataset = pydicom.dcmread(file)
        except Exception:
            continue  # no DICOM
        said, ours = dump(file, scratch)
        theirs = None
        if said is None:
            refused.append((file.name, ours))
            counts["refused"] += 1
            continue
        try:
            theirs, _, lossy = expected(dataset)
        except Exception as error:
            counts["read by us, not by pydicom"] += 1
            print(f"  not by pydicom: {file.name}: {type(error).__name__} {str(error)[:100]}")
            continue
        if theirs.shape != ours.shape:
            wrong.append((file.name, f"{ours.shape}, pydicom {theirs.shape}"))
            continue
        most = said["most"] if dataset.SOPClassUID != SEGMENTATION else 0
        if most:  # shades, rounded
            difference = np.abs(ours / most - theirs).max() * 255
            allowed = max(lossy, 1.01 if int(dataset.SamplesPerPixel) == 3 else 0.51 * 255 / most + 1e-4)
        else:
            scale = max(1.0, float(np.abs(theirs).max()))
            slope = abs(float(dataset.get("RescaleSlope", 1) or 1))
            difference = np.abs(ours - theirs).max()
            allowed = 1e-6 * scale + lossy * slope * 2.0 ** max(0, dataset.BitsStored - 8)
        if difference > allowed * (1 + 1e-4):
            wrong.append((file.name, f"differs by {difference:.4g}, {allowed:.4g} are allowed"))
        else:
            counts["same values" if not lossy else "same values, lossy"] += 1
    print(f"DICOM of pydicom {pydicom.__version__}:", dict(counts))
    for name, reason in refused:
        print(f"  refused: {name}: {reason}")
    known = [one for one in wrong if one[0] in KNOWN]
    for name, what in known:
        print(f"  known: {name}: {what}: {KNOWN[name]}")
    return [one for one in wrong if one not in known]


def compare_nifti(scratch):
    counts, wrong = collections.Counter(), []
    folder = Path(nibabel.__file__).parent / "tests" / "data"
    for file in sorted(folder.iterdir()):
        if not file.name.lower().endswith((".nii", ".nii.gz", ".hdr")):
            continue
        said, ours = dump(file, scratch)
        if said is None:
            counts["refused"] += 1
            print(f"  refused: {file.name}: {ours}")
            continue
        image = nibabel.load(file)
        theirs = np.asarray(image.dataobj, np.float32)
        theirs = theirs.reshape(theirs.shape[:3] + (1,) * (3 - theirs.ndim) + (-1,))
        theirs = np.transpose(theirs, (2, 1, 0, 3))
        turned = np.diag([-1, -1, 1, 1]) @ image.affine
        places = np.column_stack([*said["steps"], said["origin"]])
        if theirs.shape != ours.shape or not np.array_equal(theirs, ours):
            wrong.append((file.name, "other voxels"))
        elif not said["misplaced"].startswith("it does not say") and not np.allclose(places, turned[:3], atol=1e-4):
            wrong.append((file.name, f"lies at {places}, nibabel {turned[:3]}"))
        else:
            counts["same values"] += 1
    print(f"NIfTI of nibabel {nibabel.__version__}:", dict(counts))
    return wrong


def write_series(folder):
    """Five slices of a leaning ellipse in a turned volume, in files of another order."""
    z, y, x = np.mgrid[:5, :48, :64]
    voxels = np.where((x - 30 - 2 * z) ** 2 / 150 + (y - 24) ** 2 / 80 < 1, 60, 190 + x * y % 20).astype(np.uint16)
    turn = np.array([0.6, 0.8, 0, -0.48, 0.36, 0.8])
    upright = np.cross(turn[:3], turn[3:])
    origin = np.array([-20.5, 13.25, 99.75])
    study, series, frame = (pydicom.uid.generate_uid() for _ in range(3))
    for i in range(5):
        dataset = pydicom.Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = pydicom.uid.CTImageStorage, pydicom.uid.generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        dataset.Modality, dataset.PatientName, dataset.PatientID = "CT", "DOE^JANE", "QX-4711"
        dataset.PatientBirthDate = dataset.PatientSex = dataset.StudyTime = dataset.AccessionNumber = ""
        dataset.StudyDate, dataset.StudyID, dataset.ReferringPhysicianName = "20200102", "1", ""
        dataset.SeriesNumber, dataset.InstanceNumber, dataset.Manufacturer = 4, 5 - i, "none"
        dataset.PositionReferenceIndicator = ""
        dataset.ImagePositionPatient = [round(float(v), 6) for v in origin + 3.5 * i * upright]
        dataset.ImageOrientationPatient = list(turn)
        dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.9], 3.5
        dataset.Rows, dataset.Columns = voxels.shape[1:]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "0.0039215686", 0, "US"
        dataset.PixelData = voxels[i].tobytes()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        dataset.save_as(folder / f"{(3 * i) % 5}.dcm", enforce_file_format=True)
    return voxels, origin, turn, upright


def predict(*arguments):
    subprocess.run([program, "predict", model, *arguments, "--quiet"], check=True, stdout=subprocess.DEVNULL)


def one_file(folder, pattern):
    found = list(Path(folder).rglob(pattern))
    assert len(found) == 1, (folder, pattern, found)
    return found[0]


def rasterised(contours, shape, origin, turn, upright):
    """Voxels whose centres lie within an odd number of a slice's polygons (the crossing number)."""
    rows, columns = np.mgrid[:shape[1], :shape[2]]
    out = np.zeros(shape, np.uint8)
    for contour in contours:
        points = np.array(contour.ContourData, float).reshape(-1, 3) - origin
        x, y, z = points @ turn[:3] / 0.9, points @ turn[3:] / 0.7, points @ upright / 3.5
        index = int(round(z[0]))
        assert np.abs(z - index).max() < 1e-3, z
        inside = np.zeros(shape[1:], bool)
        for i in range(len(x)):
            j = (i + 1) % len(x)
            if y[i] == y[j]:
                continue
            crosses = (y[i] > rows) != (y[j] > rows)
            inside ^= crosses & (columns < (x[j] - x[i]) * (rows - y[i]) / (y[j] - y[i]) + x[i])
        out[index] ^= inside
    return out


def round_trip(folder):
    folder = Path(folder)
    (folder / "ct").mkdir()
    voxels, origin, turn, upright = write_series(folder / "ct")
    common = ["--probabilities", "volume", "--contours"]
    predict(folder / "ct", "--out", folder / "seg", *common)
    predict(folder / "ct", "--out", folder / "nifti", "--probabilities", "volume", "--volume-format", "nifti")
    files = {path.name: path for path in (folder / "seg").rglob("*.dcm")}
    datasets = {name: pydicom.dcmread(path) for name, path in files.items()}
    segmentations = {one.SegmentationType: files[name] for name, one in datasets.items() if one.Modality == "SEG"}
    contours, = [one for one in datasets.values() if one.Modality == "RTSTRUCT"]
    # NIfTI, by nibabel: axes to the right and front.
    by_name = {path.name: path for path in (folder / "nifti").rglob("*.nii.gz")} or \
        {path.name: path for path in (folder / "nifti").rglob("*.nii")}
    labels_file, = [path for name, path in by_name.items() if "probabilities" not in name]
    labels = nibabel.load(labels_file)
    mask = np.asarray(labels.dataobj).T
    assert mask.shape == voxels.shape and 0 < mask.mean() < 1, mask.mean()
    affine = np.diag([-1, -1, 1, 1.0]) @ labels.affine
    wanted = np.column_stack([turn[:3] * 0.9, turn[3:] * 0.7, upright * 3.5, origin])
    assert np.allclose(affine[:3], wanted, atol=1e-4), (affine, wanted)
    # The segmentation, by highdicom: frames by the images that they were made of.
    seg = highdicom.seg.segread(segmentations["BINARY"])
    images = sorted((pydicom.dcmread(path) for path in (folder / "ct").iterdir()),
                    key=lambda one: np.dot(upright, [float(x) for x in one.ImagePositionPatient]))
    pixels = seg.get_pixels_by_source_instance([one.SOPInstanceUID for one in images], ignore_spatial_locations=False,
                                               assert_missing_frames_are_empty=True, combine_segments=True)
    assert np.array_equal(pixels, mask), np.abs(pixels.astype(int) - mask).sum()
    volume = seg.get_volume(combine_segments=True)
    z = [int(i) for i in np.flatnonzero(mask.any(axis=(1, 2)))]
    inside = volume.array.shape[0]
    assert inside in (len(mask), z[-1] - z[0] + 1), (inside, z)
    # Probabilities.
    fractional = highdicom.seg.segread(segmentations["FRACTIONAL"])
    shares = fractional.get_pixels_by_source_instance([one.SOPInstanceUID for one in images],
                                                      assert_missing_frames_are_empty=True)[..., 0]
    probability_files = [path for name, path in by_name.items() if "probabilities" in name]
    foreground = np.asarray(nibabel.load(sorted(probability_files)[-1]).dataobj, float).T
    if foreground.ndim == 4:
        foreground = foreground[-1]
    assert np.abs(shares - foreground).max() < 0.51 / 255 + 1e-3, np.abs(shares - foreground).max()
    # Contours, rasterised again.
    back = rasterised([item for roi in contours.ROIContourSequence for item in roi.ContourSequence], mask.shape, origin,
                      turn, upright)
    assert np.array_equal(back, mask), np.abs(back.astype(int) - mask).sum()
    try:
        import SimpleITK as sitk
        read = sitk.ReadImage(str(labels_file))
        assert np.allclose(read.GetOrigin(), origin, atol=1e-4) and np.allclose(read.GetSpacing(), (0.9, 0.7, 3.5), atol=1e-4)
        assert np.array_equal(sitk.GetArrayFromImage(read), mask)
    except ImportError:
        print("skip: SimpleITK is not here")
    # We read what we wrote, too.
    for path in segmentations.values():
        said, ours = dump(path, folder / "scratch")
        assert said is not None and ours.any(), ours
    print(f"round trip: segmentation, probabilities and contours of {int(mask.sum())} voxels lie where NIfTI has them "
          f"(highdicom {highdicom.__version__})")


with tempfile.TemporaryDirectory() as folder:
    wrong = compare_dicom(Path(folder, "scratch")) + compare_nifti(Path(folder, "scratch"))
    for name, what in wrong:
        print(f"wrong: {name}: {what}")
    round_trip(folder)
sys.exit(1 if wrong else 0)
