// Volumes cut along the patient's axes: NIfTI in several orientations and DICOM against voxels that
// are counted along the patient, and what is predicted of them put back where the file has it.
#include "data/volumes/planes.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/listener.h"
#include "core/output.h"
#include "core/text.h"
#include "data/check/open.h"
#include "data/codecs/own_windows.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/layout/layout.h"
#include "data/layout/pack.h"
#include "data/split/split.h"
#include "data/volumes/derived.h"
#include "data/volumes/dicom.h"
#include "data/volumes/segmentation.h"
#include "predict/volume_run.h"
#include "support/array_files.h"
#include "support/bright_engine.h"
#include "support/paths.h"
#include "support/refusal.h"
#include "support/volume_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::NiftiBytes;

/// Voxels along the patient: to the left, to the back, to the head.
constexpr std::array<std::int64_t, 3> along{3, 4, 5};
/// Their sizes in mm.
constexpr std::array<double, 3> sizes{0.5, 2, 3};

/// The voxel at these places, which no other has.
std::int16_t voxel(std::int64_t left, std::int64_t back, std::int64_t head) {
  return static_cast<std::int16_t>(100 * left + 10 * back + head);
}

/// How a file has its columns, rows and slices: along which axis of the patient, and whether
/// against it.
struct Order {
  const char* name;
  std::array<std::size_t, 3> axis;
  std::array<bool, 3> against;
};

const std::vector<Order> orders{{"LPS", {0, 1, 2}, {false, false, false}},
                                {"RAS", {0, 1, 2}, {true, true, false}},
                                {"PIR", {1, 2, 0}, {false, true, true}},
                                {"SLA", {2, 0, 1}, {false, false, true}}};

std::vector<std::int16_t> voxels_of(const Order& order) {
  std::vector<std::int16_t> out;
  std::array<std::int64_t, 3> at{};
  const auto side = [&](std::size_t i) { return along.at(order.axis.at(i)); };
  for (at[2] = 0; at[2] < side(2); ++at[2]) {
    for (at[1] = 0; at[1] < side(1); ++at[1]) {
      for (at[0] = 0; at[0] < side(0); ++at[0]) {
        std::array<std::int64_t, 3> place{};
        for (std::size_t i = 0; i < 3; ++i) {
          place.at(order.axis.at(i)) = order.against.at(i) ? side(i) - 1 - at.at(i) : at.at(i);
        }
        out.push_back(voxel(place[0], place[1], place[2]));
      }
    }
  }
  return out;
}

/// The header of such a file; each axis leans by `lean` of its length along another one.
NiftiBytes header_of(const Order& order, double lean = 0) {
  // NIfTI counts to the right, front and head.
  constexpr std::array<double, 3> to_nifti{-1, -1, 1};
  std::array<std::array<double, 4>, 3> rows{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t axis = order.axis.at(i);
    const double step = (order.against.at(i) ? -1 : 1) * sizes.at(axis);
    rows.at(axis).at(i) = to_nifti.at(axis) * step;
    rows.at((axis + 1) % 3).at(i) = lean * step;
    rows.at(axis).at(3) =
        to_nifti.at(axis) *
        (order.against.at(i) ? sizes.at(axis) * static_cast<double>(along.at(axis) - 1) : 0);
  }
  std::vector<std::int64_t> sides;
  for (const std::size_t axis : order.axis) sides.push_back(along.at(axis));
  return NiftiBytes().sides(sides).sform(rows);
}

std::vector<double> values_of(const Image& image) {
  std::vector<double> out;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      out.push_back(image.type == SampleType::u8
                        ? image.bytes[static_cast<std::size_t>(y * image.width + x)]
                        : static_cast<double>(image.value(x, y, 0)));
    }
  }
  return out;
}

/// What a plane's slice holds: rows of columns.
std::vector<double> expected(Plane plane, std::int64_t slice,
                             const std::function<double(std::int16_t)>& of) {
  const auto [lefts, backs, heads] = along;
  std::vector<double> out;
  switch (plane) {
    case Plane::axial:
      for (std::int64_t back = 0; back < backs; ++back) {
        for (std::int64_t left = 0; left < lefts; ++left) {
          out.push_back(of(voxel(left, back, slice)));
        }
      }
      break;
    case Plane::coronal:
      for (std::int64_t head = heads - 1; head >= 0; --head) {
        for (std::int64_t left = 0; left < lefts; ++left) {
          out.push_back(of(voxel(left, slice, head)));
        }
      }
      break;
    case Plane::sagittal:
      for (std::int64_t head = heads - 1; head >= 0; --head) {
        for (std::int64_t back = 0; back < backs; ++back) {
          out.push_back(of(voxel(slice, back, head)));
        }
      }
      break;
    case Plane::stored: break;
  }
  return out;
}

std::int64_t slices_of(Plane plane) {
  return plane == Plane::axial ? along[2] : plane == Plane::coronal ? along[1] : along[0];
}

double as_it_is(std::int16_t value) {
  return value;
}
/// The class of a voxel.
double marked(std::int16_t value) {
  return value % 3 == 0 ? 1 : 0;
}

DatasetOptions cut_in(Plane plane) {
  DatasetOptions out;
  out.plane = plane;
  return out;
}

constexpr std::array seen_planes{Plane::axial, Plane::coronal, Plane::sagittal};

class Planes : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }

  /// A set of one volume with its mask, which may have another order.
  void write_set(const std::string& name, const Order& image, const Order& mask) const {
    test::write_in_folder(path(name + "/images/p1.nii"),
                          header_of(image).type(4, 16).with(voxels_of(image)));
    std::vector<std::uint8_t> labels;
    for (const std::int16_t value : voxels_of(mask)) {
      labels.push_back(static_cast<std::uint8_t>(marked(value)));
    }
    test::write_in_folder(path(name + "/labels/p1.nii"), header_of(mask).type(2, 8).with(labels));
  }
  static void expect_slices(const Dataset& set, Plane plane) {
    ASSERT_EQ(std::ssize(set.cases), slices_of(plane));
    EXPECT_EQ(set.plane, plane);
    for (std::int64_t i = 0; i < slices_of(plane); ++i) {
      const Case& item = set.cases[static_cast<std::size_t>(i)];
      EXPECT_EQ(values_of(read_image(item)), expected(plane, i, as_it_is)) << item.id;
      const LabelMap labels = read_labels(set, item);
      EXPECT_EQ(std::vector<double>(labels.labels.begin(), labels.labels.end()),
                expected(plane, i, marked))
          << item.id;
    }
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Planes, RunAlongThePatientInEveryOrientation) {
  for (const Order& order : orders) {
    for (const double lean : {0.0, 0.2}) {
      SCOPED_TRACE(concat(order.name, " ", lean));
      test::write_in_folder(path("a.nii"),
                            header_of(order, lean).type(4, 16).with(voxels_of(order)));
      const Volume stored = read_volume(path("a.nii"));
      for (const Plane plane : seen_planes) {
        const Volume seen = seen_in(stored, plane);
        ASSERT_EQ(seen.slices, slices_of(plane));
        for (std::int64_t i = 0; i < seen.slices; ++i) {
          EXPECT_EQ(values_of(read_slice(seen, i)), expected(plane, i, as_it_is))
              << to_string(plane) << " " << i;
        }
        EXPECT_EQ(as_stored(seen).turn, Turn{});
        EXPECT_EQ(as_stored(seen).sides(), stored.sides());
      }
      EXPECT_EQ(seen_in(stored, Plane::stored).turn, Turn{});
    }
  }
}

// Sizes of voxels are those along the slices' own columns, rows and slices.
TEST_F(Planes, HaveTheSizesOfTheirOwnAxes) {
  for (const Order& order : orders) {
    test::write_in_folder(path("a.nii"), header_of(order).type(4, 16).with(voxels_of(order)));
    const Volume stored = read_volume(path("a.nii"));
    const auto spacing = [&](Plane plane) {
      return geometry_of(seen_in(stored, plane).placing)->spacing;
    };
    const auto near = [](const std::array<double, 3>& got, const std::array<double, 3>& wanted) {
      for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(got.at(i), wanted.at(i), 1e-6) << i;
    };
    near(spacing(Plane::axial), {sizes[0], sizes[1], sizes[2]});
    near(spacing(Plane::coronal), {sizes[0], sizes[2], sizes[1]});
    near(spacing(Plane::sagittal), {sizes[1], sizes[2], sizes[0]});
    // The first voxel of the axial volume is the rightmost, foremost and lowest.
    for (const double at : seen_in(stored, Plane::axial).placing.origin) EXPECT_NEAR(at, 0, 1e-5);
  }
}

TEST_F(Planes, SetsHaveTheirMasksInThem) {
  for (const Order& image : orders) {
    for (const Order& mask : {orders[0], orders[3]}) {
      SCOPED_TRACE(concat(image.name, " ", mask.name));
      const std::string name = concat("set ", image.name, " ", mask.name);
      write_set(name, image, mask);
      for (const Plane plane : seen_planes) {
        expect_slices(open_dataset(path(name), cut_in(plane)), plane);
      }
    }
  }
}

TEST_F(Planes, APackAndASplitKeepTheirs) {
  write_set("set", orders[1], orders[0]);
  const Dataset set = open_dataset(path("set"), cut_in(Plane::sagittal));
  write_pack(set, path("set.pack"), silence());
  expect_slices(open_dataset(path("set.pack")), Plane::sagittal);
  const auto refused = test::refusal_of(
      [&] { return open_dataset(path("set.pack"), cut_in(Plane::axial)).cases.size(); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("--plane axial")) << refused->message;
  SplitPlan plan;
  for (const Case& item : set.cases) plan.parts.train.push_back(item.id);
  write_file(path("split.json"), split_to_json(set, plan).dump());
  EXPECT_EQ(split_options(path("split.json")).plane, Plane::sagittal);
  const Dataset stored = open_dataset(path("set"));
  write_file(path("stored.json"), split_to_json(stored, plan).dump());
  EXPECT_EQ(split_options(path("stored.json")).plane, Plane::stored);
  EXPECT_FALSE(split_to_json(stored, plan).contains("plane"));
}

// A volume's window does not depend on the plane.
TEST_F(Planes, HaveTheWindowOfTheirVolume) {
  write_set("set", orders[2], orders[0]);
  const OwnWindow own{.low = 25, .high = 75};
  const auto windows = [&](Plane plane) {
    return read_image(open_dataset(path("set"), cut_in(plane)).cases[1], {own}).windows;
  };
  for (const Plane plane : seen_planes) EXPECT_EQ(windows(plane), windows(Plane::stored));
}

TEST_F(Planes, WhatDoesNotSayWhereItLiesIsRefused) {
  write_set("set", orders[0], orders[0]);
  const std::string silent =
      NiftiBytes().sides({along[0], along[1], along[2]}).type(4, 16).with(voxels_of(orders[0]));
  write_file(path("set/images/p1.nii"), silent);
  EXPECT_EQ(std::ssize(open_dataset(path("set")).cases), along[2]);
  const auto refused = test::refusal_of(
      [&] { return open_dataset(path("set"), cut_in(Plane::axial)).cases.size(); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("p1.nii") && refused->names("axial")) << refused->message;
  // An array has slices, but no place.
  const test::NamedArray<float> image{"image", {2, 3, 4}, std::vector<float>(24, 1)};
  const test::NamedArray<std::uint8_t> label{"label", {2, 3, 4}, std::vector<std::uint8_t>(24, 1)};
  test::write_in_folder(path("arrays/v.npz"), test::npz_bytes(image, label));
  const auto array = test::refusal_of(
      [&] { return open_dataset(path("arrays"), cut_in(Plane::axial)).cases.size(); });
  ASSERT_TRUE(array);
  EXPECT_TRUE(array->names("v.npz")) << array->message;
}

/// Marks what is brighter than the middle of the window, and notes the sizes that it sees.
class PlaneEngine : public test::BrightEngine {
 public:
  explicit PlaneEngine(Plane plane) {
    description_.input.fit = Fit::native;
    description_.input.window = Window{0, 245};
    description_.input.plane = plane;
    description_.file = to_string(plane);
  }
  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    seen.push_back({shape.width, shape.height});
    test::BrightEngine::run(shape, input, logits);
  }
  std::vector<ImageSize> seen;
};

TEST_F(Planes, LabelsLieWhereTheFileHasItsVoxels) {
  for (const Order& order : orders) {
    test::write_in_folder(path("a.nii"), header_of(order).type(4, 16).with(voxels_of(order)));
    std::vector<std::uint8_t> wanted;
    for (const std::int16_t value : voxels_of(order)) wanted.push_back(value > 122 ? 1 : 0);
    for (const Plane plane : all_planes) {
      SCOPED_TRACE(concat(order.name, " ", to_string(plane)));
      PlaneEngine engine(plane);
      predict::Job job;
      job.inputs = {path("a.nii")};
      job.volume = true;
      job.as = written_as(job.input(), {});
      predict::OutputOptions options;
      options.unsure = true;
      options.probabilities = predict::Probabilities::volume;
      const std::vector<std::string> hashes;
      const predict::Destination to{job, hashes, path("out"), options,
                                    engine.description().classes};
      const predict::PredictedVolume got = predict::predict_volume(engine, to, {});
      EXPECT_EQ(got.labels, wanted);
      EXPECT_EQ(got.like.turn, Turn{});
      const auto [lefts, backs, heads] = along;
      const std::array<std::size_t, 3>& axis = order.axis;
      const ImageSize size = plane == Plane::axial     ? ImageSize{lefts, backs}
                             : plane == Plane::coronal ? ImageSize{lefts, heads}
                             : plane == Plane::sagittal
                                 ? ImageSize{backs, heads}
                                 : ImageSize{along.at(axis[0]), along.at(axis[1])};
      ASSERT_FALSE(engine.seen.empty());
      EXPECT_EQ(engine.seen.front(), size);
      // A voxel is the surer the farther it is from the middle.
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        EXPECT_EQ(got.probabilities.at(0)[i] > 0.5F, wanted[i] == 1) << i;
      }
      const auto at = [&](std::int16_t value) {
        const auto all = voxels_of(order);
        return got.unsureness[static_cast<std::size_t>(std::find(all.begin(), all.end(), value) -
                                                       all.begin())];
      };
      EXPECT_GT(at(123), at(233));
    }
  }
}

TEST_F(Planes, ModelsOfTwoPlanesAreNotAveraged) {
  PlaneEngine axial(Plane::axial);
  PlaneEngine coronal(Plane::coronal);
  EXPECT_EQ(predict::plane_of({&coronal, &coronal}), Plane::coronal);
  const auto refused = test::refusal_of([&] {
    return to_string(predict::plane_of({&axial, &coronal}));
  });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::usage);
}

/// A CT of the same voxels: axial slices from the feet up, columns to the left, rows to the back.
void write_series(const fs::path& folder) {
  for (std::int64_t head = 0; head < along[2]; ++head) {
    std::vector<unsigned char> pixels;
    for (std::int64_t back = 0; back < along[1]; ++back) {
      for (std::int64_t left = 0; left < along[0]; ++left) {
        // The file's numbers become Hounsfield units by its intercept.
        const auto stored = static_cast<std::uint16_t>(voxel(left, back, head) + 1000);
        pixels.push_back(static_cast<unsigned char>(stored & 255U));
        pixels.push_back(static_cast<unsigned char>(stored >> 8U));
      }
    }
    const nlohmann::json elements{
        {"00020010", text("UI", "1.2.840.10008.1.2.1")},
        {"00080016", text("UI", "1.2.840.10008.5.1.4.1.1.2")},
        {"00080018", text("UI", uid_of(concat("slice ", head)))},
        {"00080060", text("CS", "CT")},
        {"0020000D", text("UI", uid_of("study"))},
        {"0020000E", text("UI", uid_of("series"))},
        {"00200011", element("IS", nlohmann::json::array({"1"}))},
        {"00200052", text("UI", uid_of("frame of reference"))},
        {"00200032", decimals({0, 0, sizes[2] * static_cast<double>(head)})},
        {"00200037", decimals({1, 0, 0, 0, 1, 0})},
        {"00280002", number("US", 1)},
        {"00280004", text("CS", "MONOCHROME2")},
        {"00280010", number("US", along[1])},
        {"00280011", number("US", along[0])},
        {"00280030", decimals({sizes[1], sizes[0]})},
        {"00280100", number("US", 16)},
        {"00280101", number("US", 16)},
        {"00280102", number("US", 15)},
        {"00280103", number("US", 0)},
        {"00281052", decimals({-1000})},
        {"00281053", decimals({1})}};
    // Names do not rise with the place.
    test::write_in_folder(folder / concat("i", (head * 3) % along[2], ".dcm"),
                          encode_dicom(elements, pixels));
  }
}

TEST_F(Planes, OfDicomAreThose) {
#ifndef MEDURWKV_DICOM
  GTEST_SKIP() << "built without DICOM";
#else
  write_series(path("set/images/p1"));
  const Volume stored = read_volume(path("set/images/p1"));
  ASSERT_EQ(stored.sides(), along);
  std::vector<std::uint8_t> labels;
  for (const std::int16_t value : voxels_of(orders[0])) {
    labels.push_back(static_cast<std::uint8_t>(marked(value)));
  }
  const std::vector<ClassInfo> classes{{"background", {}}, {"lesion", {255, 0, 0}}};
  fs::create_directories(path("set/labels"));
  write_file(path("set/labels/p1.dcm"), encode_segmentation(stored, labels, classes, "seed"));
  expect_slices(open_dataset(path("set"), cut_in(Plane::axial)), Plane::axial);
  expect_slices(open_dataset(path("set"), cut_in(Plane::coronal)), Plane::coronal);
  expect_slices(open_dataset(path("set"), cut_in(Plane::sagittal)), Plane::sagittal);
  // A mask in NIfTI of another order, too.
  fs::remove(path("set/labels/p1.dcm"));
  std::vector<std::uint8_t> turned_labels;
  for (const std::int16_t value : voxels_of(orders[3])) {
    turned_labels.push_back(static_cast<std::uint8_t>(marked(value)));
  }
  write_file(path("set/labels/p1.nii"), header_of(orders[3]).type(2, 8).with(turned_labels));
  expect_slices(open_dataset(path("set"), cut_in(Plane::sagittal)), Plane::sagittal);
#endif
}

}  // namespace
}  // namespace medurwkv::data
