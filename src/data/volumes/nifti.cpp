// NIfTI-1 and -2 (nifti1.h and nifti2.h of the NIfTI data format working group).
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

#include "core/error.h"
#include "core/files.h"
#include "core/little_endian.h"
#include "core/text.h"
#include "data/volumes/formats.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr std::size_t header1 = 348;
constexpr std::size_t header2 = 540;

/// Numbers of a header, of either byte order.
class Fields {
 public:
  Fields(std::string_view bytes, bool swapped) : bytes_(bytes), swapped_(swapped) {}

  template <class Number>
  [[nodiscard]] Number at(std::size_t place) const {
    std::array<char, sizeof(Number)> bytes{};
    std::copy_n(bytes_.data() + place, bytes.size(), bytes.data());
    if (swapped_) std::reverse(bytes.begin(), bytes.end());
    return std::bit_cast<Number>(bytes);
  }

 private:
  std::string_view bytes_;
  bool swapped_;
};

/// What both versions say.
struct Said {
  std::array<std::int64_t, 8> sides{};
  std::int64_t type = 0;
  std::array<double, 8> pixel{};
  double start = 0, slope = 0, intercept = 0;
  int qform = 0, sform = 0, units = 0;
  std::array<double, 3> quaternion{}, offset{};
  std::array<std::array<double, 4>, 3> rows{};
};

/// Where the fields of a version stand, and the types of its numbers.
template <class Whole, class Real, class Code>
struct Places {
  std::size_t sides, type, pixel, start, slope, intercept, units, qform, sform, quaternion, offset,
      rows;
};
constexpr Places<std::int16_t, float, std::int16_t> first_version{.sides = 40,
                                                                  .type = 70,
                                                                  .pixel = 76,
                                                                  .start = 108,
                                                                  .slope = 112,
                                                                  .intercept = 116,
                                                                  .units = 123,
                                                                  .qform = 252,
                                                                  .sform = 254,
                                                                  .quaternion = 256,
                                                                  .offset = 268,
                                                                  .rows = 280};
constexpr Places<std::int64_t, double, std::int32_t> second_version{.sides = 16,
                                                                    .type = 12,
                                                                    .pixel = 104,
                                                                    .start = 168,
                                                                    .slope = 176,
                                                                    .intercept = 184,
                                                                    .units = 500,
                                                                    .qform = 344,
                                                                    .sform = 348,
                                                                    .quaternion = 352,
                                                                    .offset = 376,
                                                                    .rows = 400};

template <class Whole, class Real, class Code>
Said said_by(const Fields& fields, const Places<Whole, Real, Code>& places) {
  Said out;
  for (std::size_t i = 0; i < 8; ++i) {
    out.sides.at(i) = fields.at<Whole>(places.sides + sizeof(Whole) * i);
    out.pixel.at(i) = fields.at<Real>(places.pixel + sizeof(Real) * i);
  }
  out.type = fields.at<std::int16_t>(places.type);
  // Of the second version a whole number.
  if constexpr (sizeof(Real) == 8) {
    out.start = static_cast<double>(fields.at<std::int64_t>(places.start));
  } else {
    out.start = fields.at<Real>(places.start);
  }
  out.slope = fields.at<Real>(places.slope);
  out.intercept = fields.at<Real>(places.intercept);
  out.units = sizeof(Real) == 8 ? fields.at<std::int32_t>(places.units)
                                : fields.at<std::int8_t>(places.units);
  out.qform = fields.at<Code>(places.qform);
  out.sform = fields.at<Code>(places.sform);
  for (std::size_t i = 0; i < 3; ++i) {
    out.quaternion.at(i) = fields.at<Real>(places.quaternion + sizeof(Real) * i);
    out.offset.at(i) = fields.at<Real>(places.offset + sizeof(Real) * i);
    for (std::size_t j = 0; j < 4; ++j) {
      out.rows.at(i).at(j) = fields.at<Real>(places.rows + sizeof(Real) * (4 * i + j));
    }
  }
  return out;
}

struct Kind {
  std::int64_t number;
  NpyType type;
  std::int64_t channels = 1;
};

constexpr std::array<Kind, 11> kinds{{{2, NpyType::u8},
                                      {4, NpyType::i16},
                                      {8, NpyType::i32},
                                      {16, NpyType::f32},
                                      {64, NpyType::f64},
                                      {128, NpyType::u8, 3},
                                      {256, NpyType::i8},
                                      {512, NpyType::u16},
                                      {768, NpyType::u32},
                                      {1024, NpyType::i64},
                                      {1280, NpyType::u64}}};

/// "Method 2" of the standard, to the right, front and head.
Placing by_quaternion(const Said& said) {
  const auto [b, c, d] = said.quaternion;
  const double a = std::sqrt(std::max(0.0, 1 - (b * b + c * c + d * d)));
  const double last = said.pixel[0] < 0 ? -1 : 1;
  const std::array<std::array<double, 3>, 3> turn{
      {{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
       {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
       {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}}};
  Placing out{.origin = said.offset};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    for (std::size_t i = 0; i < 3; ++i) {
      out.step.at(axis).at(i) =
          turn.at(i).at(axis) * said.pixel.at(axis + 1) * (axis == 2 ? last : 1);
    }
  }
  return out;
}

/// "Method 3".
Placing by_rows(const Said& said) {
  Placing out;
  for (std::size_t i = 0; i < 3; ++i) {
    out.origin.at(i) = said.rows.at(i)[3];
    for (std::size_t axis = 0; axis < 3; ++axis) out.step.at(axis).at(i) = said.rows.at(i).at(axis);
  }
  return out;
}

/// "Method 1": sizes of voxels alone.
Placing by_sizes(const Said& said) {
  Placing out;
  for (std::size_t axis = 0; axis < 3; ++axis) out.step.at(axis).at(axis) = said.pixel.at(axis + 1);
  return out;
}

double millimetres(int units) {
  switch (units & 7) {
    case 1: return 1000;
    case 3: return 0.001;
    default: return 1;
  }
}

/// In mm, to the left, back and head.
Placing in_our_axes(Placing placing, double unit) {
  const auto turned = [&](std::array<double, 3>& place) {
    // 0 * -1 would be -0.
    place = {0 - place[0] * unit, 0 - place[1] * unit, place[2] * unit};
  };
  turned(placing.origin);
  for (auto& step : placing.step) turned(step);
  return placing;
}

/// Whether the placings put a corner of the volume farther apart than half a voxel.
bool differ(const Placing& a, const Placing& b, const Volume& volume) {
  double least = INFINITY;
  for (const auto& step : a.step) least = std::min(least, std::hypot(step[0], step[1], step[2]));
  return !(farthest_apart(a, b, volume.sides()) <= least / 2);
}

/// The sides of the standard's dim: their number first. 4 and more are channels.
void set_sides(const fs::path& file, const Said& said, std::int64_t own_channels, Volume& volume) {
  const std::int64_t count = said.sides[0];
  if (count < 1 || count > 7) {
    throw_failure(
        concat(file.string(), ": is no sound NIfTI: it says that it has ", count, " dimensions"));
  }
  std::vector<std::int64_t> sides(said.sides.begin() + 1, said.sides.begin() + 1 + count);
  std::int64_t channels = own_channels;
  for (std::size_t i = 3; i < sides.size(); ++i) {
    if (sides[i] < 1 || sides[i] > (std::int64_t{1} << 31)) channels = -1;
    if (channels > 0 && channels <= (std::int64_t{1} << 20)) channels *= sides[i];
  }
  sides.resize(std::min<std::size_t>(sides.size(), 3));
  set_sides(volume, sides, channels);
}

fs::path data_file(const fs::path& header, bool& gzip) {
  std::string name = header.string();
  if (lower(name).ends_with(".gz")) name.resize(name.size() - 3);
  const bool upper = name.ends_with(".HDR");
  name.replace(name.size() - std::min<std::size_t>(name.size(), 4), 4, upper ? ".IMG" : ".img");
  if (fs::exists(name)) {
    gzip = false;
    return name;
  }
  gzip = true;
  if (fs::exists(name + ".gz")) return name + ".gz";
  throw_failure(
      concat(header.string(), ": its voxels should be in ", name, ", which is not there"));
}

}  // namespace

bool is_nifti(std::string_view start) {
  if (start.size() < header1) return false;
  const std::string_view first = start.substr(344, 4);
  return first == "n+1\0"sv || first == "ni1\0"sv || start.substr(4, 8) == "n+2\0\r\n\032\n"sv ||
         start.substr(4, 8) == "ni2\0\r\n\032\n"sv;
}

Volume nifti_volume(const fs::path& file, std::string_view start, bool gzip) {
  const std::string name = file.string();
  const bool second = start.substr(4, 2) == "n+" || start.substr(4, 2) == "ni";
  const std::size_t length = second ? header2 : header1;
  if (start.size() < length) throw_failure(concat(name, ": is cut off in its header"));
  const Fields as_is(start, false);
  const bool swapped = as_is.at<std::int32_t>(0) != static_cast<std::int32_t>(length);
  const Fields fields(start, swapped);
  if (fields.at<std::int32_t>(0) != static_cast<std::int32_t>(length)) {
    throw_failure(concat(name, ": is no sound NIfTI: its header says that it has ",
                         as_is.at<std::int32_t>(0), " bytes"));
  }
  const Said said = second ? said_by(fields, second_version) : said_by(fields, first_version);
  Volume out{.format = second ? "NIfTI-2" : "NIfTI-1", .file = file};
  const auto* const kind = std::find_if(kinds.begin(), kinds.end(),
                                        [&](const Kind& one) { return one.number == said.type; });
  if (kind == kinds.end()) {
    throw_failure(concat(name, ": has voxels of type ", said.type,
                         " (complex numbers, bits or others), which is not read; save it as int16 "
                         "or float32"));
  }
  out.type = kind->type;
  out.swapped = swapped;
  out.header = start.substr(0, length);
  set_sides(file, said, kind->channels, out);
  out.channels_together = kind->channels > 1;
  if (kind->channels > 1 && out.channels > kind->channels) {
    throw_failure(concat(name, ": is a series of volumes in colour, which is not read"));
  }
  // 0 says that nothing is scaled, and so does what is no number.
  if (said.slope != 0 && std::isfinite(said.slope)) {
    if (!std::isfinite(said.intercept)) {
      throw_failure(concat(name, ": is no sound NIfTI: scl_inter is no number"));
    }
    out.slope = said.slope;
    out.intercept = said.intercept;
  }
  const double unit = millimetres(said.units);
  const Placing by_q = in_our_axes(by_quaternion(said), unit);
  const Placing by_s = in_our_axes(by_rows(said), unit);
  out.placing = said.sform > 0 ? by_s : said.qform > 0 ? by_q : in_our_axes(by_sizes(said), unit);
  if (!geometry_of(out.placing)) {
    out.misplaced = "a voxel's size is 0 or no number";
  } else if (said.sform <= 0 && std::any_of(said.pixel.begin() + 1, said.pixel.begin() + 4,
                                            [](double size) { return size < 0; })) {
    out.misplaced = "a voxel's size is negative";
  } else if (said.sform > 0 && said.qform > 0 && differ(by_s, by_q, out)) {
    out.misplaced = "its sform and its qform place it differently; the sform is taken";
  } else if (said.sform <= 0 && said.qform <= 0) {
    out.misplaced = "it does not say where in the patient it lies";
  }

  const bool single = start.substr(second ? 4 : 344, 2) == "n+";
  out.data = file;
  out.packing = gzip ? VoxelPacking::gzip : VoxelPacking::raw;
  const double least = single ? static_cast<double>(length) : 0;
  // The standard's own start is 4 bytes of extension flags behind the header.
  const double place = single && said.start == 0 ? static_cast<double>(length + 4) : said.start;
  if (!(place >= least && place <= 0x1p53) || std::floor(place) != place) {
    throw_failure(concat(name, ": is no sound NIfTI: its voxels begin at byte ", said.start));
  }
  out.start = static_cast<std::uint64_t>(place);
  if (!single) {
    bool packed = false;
    out.data = data_file(file, packed);
    out.packing = packed ? VoxelPacking::gzip : VoxelPacking::raw;
  }
  return out;
}

}  // namespace medurwkv::data
