#include "data/volumes/writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include <zlib.h>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

std::string deflated(std::string_view bytes, bool gzip) {
  z_stream stream{};
  // Besides lack of memory, only a zlib of another version than its header can fail here.
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip ? MAX_WBITS + 16 : MAX_WBITS, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  std::string out;
  std::array<char, std::size_t{1} << 16> room{};
  constexpr std::size_t piece = std::size_t{1} << 30;
  int status = Z_OK;
  for (std::size_t at = 0; status != Z_STREAM_END;) {
    const std::size_t count = std::min(piece, bytes.size() - at);
    // zlib does not write to its input, only its C interface says it might.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data() + at));
    stream.avail_in = static_cast<uInt>(count);
    at += count;
    do {
      stream.next_out = reinterpret_cast<Bytef*>(room.data());
      stream.avail_out = static_cast<uInt>(room.size());
      status = deflate(&stream, at == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
      out.append(room.data(), room.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  return out;
}

/// Voxels to be written: bytes, or floats of this machine.
struct Voxels {
  std::string_view bytes;
  bool floats = false;
};

/// Fields of a version of NIfTI that say where a volume lies: first byte and length.
struct Field {
  std::size_t at, length;
};

/// Writes numbers into a header of NIfTI.
class NiftiHeader {
 public:
  NiftiHeader(std::size_t length, bool swapped) : bytes_(length + 4, '\0'), swapped_(swapped) {}

  template <class Number>
  void put(std::size_t at, Number value) {
    auto raw = std::bit_cast<std::array<char, sizeof(Number)>>(value);
    if (swapped_) std::reverse(raw.begin(), raw.end());
    std::copy(raw.begin(), raw.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void keep(const std::string& from, Field field) {
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(field.at), field.length,
                bytes_.begin() + static_cast<std::ptrdiff_t>(field.at));
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
  bool swapped_;
};

/// sform and pixdim of NIfTI-1, whose axes run to the right, front and head.
void put_place(const Volume& like, NiftiHeader& out) {
  const Placing& at = like.placing;
  const auto geometry = geometry_of(at);
  out.put(76, 1.0F);
  for (std::size_t i = 0; i < 3; ++i) {
    out.put(80 + 4 * i, static_cast<float>(geometry ? geometry->spacing.at(i) : 1.0));
  }
  out.put(123, std::uint8_t{2});  // mm
  if (!geometry) return;
  out.put(254, std::int16_t{1});
  for (std::size_t row = 0; row < 3; ++row) {
    const double sign = row < 2 ? -1 : 1;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      out.put(280 + 16 * row + 4 * axis, static_cast<float>(sign * at.step.at(axis).at(row)));
    }
    out.put(280 + 16 * row + 12, static_cast<float>(sign * at.origin.at(row)));
  }
}

std::string nifti(const Volume& like, const Voxels& voxels, bool packed) {
  const bool own = like.format.starts_with("NIfTI");
  const bool second = like.format == "NIfTI-2";
  NiftiHeader out(second ? 540 : 348, own && like.swapped);
  const auto type = static_cast<std::int16_t>(voxels.floats ? 16 : 2);
  const auto bits = static_cast<std::int16_t>(voxels.floats ? 32 : 8);
  if (second) {
    for (const Field field :
         {Field{0, 12}, Field{16, 32}, Field{104, 64}, Field{344, 152}, Field{500, 4}}) {
      out.keep(like.header, field);
    }
    out.bytes()[5] = '+';
    out.put(12, type);
    out.put(14, bits);
    for (std::size_t i = 4; i < 8; ++i) out.put(16 + 8 * i, std::int64_t{1});
    out.put(16, std::int64_t{3});
    out.put(168, std::int64_t{544});
    out.put(176, 1.0);
  } else {
    const std::array<std::int64_t, 3> sides = like.sides();
    if (own) {
      for (const Field field :
           {Field{0, 4}, Field{40, 16}, Field{76, 32}, Field{123, 1}, Field{252, 76}}) {
        out.keep(like.header, field);
      }
    } else {
      out.put(0, std::int32_t{348});
      for (std::size_t i = 0; i < 3; ++i) {
        if (sides.at(i) > 32767) {
          throw_failure(concat(like.file.string(), ": has a side of ", sides.at(i),
                               " voxels, which NIfTI-1 cannot say; write NRRD"));
        }
        out.put(42 + 2 * i, static_cast<std::int16_t>(sides.at(i)));
      }
      put_place(like, out);
    }
    std::copy_n("n+1", 4, out.bytes().data() + 344);
    out.put(70, type);
    out.put(72, bits);
    for (std::size_t i = 4; i < 8; ++i) out.put(40 + 2 * i, std::int16_t{1});
    out.put(40, std::int16_t{3});
    out.put(108, 352.0F);
    out.put(112, 1.0F);
  }
  std::string bytes = std::move(out.bytes());
  const std::size_t head = bytes.size();
  bytes += voxels.bytes;
  if (own && like.swapped && voxels.floats) {
    for (auto at = bytes.begin() + static_cast<std::ptrdiff_t>(head); at != bytes.end(); at += 4) {
      std::reverse(at, at + 4);
    }
  }
  return packed ? deflated(bytes, true) : bytes;
}

/// The lines of a text header whose names, lower case before `mark`, are among `names`.
std::string lines_of(const std::string& header, char mark, const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& line : split(header, '\n')) {
    const std::string name = lower(trim(line.substr(0, line.find(mark))));
    if (std::find(names.begin(), names.end(), name) != names.end()) out += trim(line) + "\n";
  }
  return out;
}

/// Three numbers that read back as the same.
std::string numbers(const std::array<double, 3>& values, const char* between) {
  std::array<std::string, 3> out;
  for (std::size_t i = 0; i < 3; ++i) {
    std::array<char, 32> room{};
    const auto end = std::to_chars(room.data(), room.data() + room.size(), values.at(i)).ptr;
    out.at(i).assign(room.data(), end);
  }
  return concat(out[0], between, out[1], between, out[2]);
}

/// Where a volume with an axis of channels lies, without that axis.
std::string nrrd_place(const Volume& like) {
  const auto vector = [](const std::array<double, 3>& values) {
    return concat("(", numbers(values, ","), ")");
  };
  const Placing& at = like.placing;
  return concat("space: left-posterior-superior\nspace directions: ", vector(at.step[0]), " ",
                vector(at.step[1]), " ", vector(at.step[2]), "\nspace origin: ", vector(at.origin),
                "\n");
}

std::string nrrd(const Volume& like, const Voxels& voxels) {
  std::string out =
      concat("NRRD0004\ntype: ", voxels.floats ? "float" : "uchar",
             "\ndimension: 3\nsizes: ", like.columns, " ", like.rows, " ", like.slices,
             "\nencoding: gzip\n", voxels.floats ? "endian: little\n" : "");
  if (like.format == "NRRD" && like.channels == 1) {
    out += lines_of(like.header, ':',
                    {"space", "space directions", "space origin", "space units", "spacings",
                     "units", "measurement frame"});
  } else {
    out += nrrd_place(like);
  }
  return out + "\n" + deflated(voxels.bytes, true);
}

std::string metaimage_place(const Volume& like) {
  const auto geometry = geometry_of(like.placing);
  if (!geometry) return "";
  std::array<std::array<double, 3>, 3> axes{};
  for (std::size_t i = 0; i < 9; ++i) axes.at(i / 3).at(i % 3) = geometry->axes.at(i);
  return concat("TransformMatrix = ", numbers(axes[0], " "), " ", numbers(axes[1], " "), " ",
                numbers(axes[2], " "), "\nOffset = ", numbers(like.placing.origin, " "),
                "\nElementSpacing = ", numbers(geometry->spacing, " "), "\n");
}

std::string metaimage(const Volume& like, const Voxels& voxels) {
  const std::string packed = deflated(voxels.bytes, false);
  return concat(
      "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
      "CompressedData = True\nCompressedDataSize = ",
      packed.size(), "\n",
      like.format == "MetaImage"
          ? lines_of(like.header, '=',
                     {"transformmatrix", "rotation", "orientation", "offset", "origin", "position",
                      "centerofrotation", "anatomicalorientation", "elementspacing", "elementsize"})
          : metaimage_place(like),
      "DimSize = ", like.columns, " ", like.rows, " ", like.slices,
      "\nElementType = ", voxels.floats ? "MET_FLOAT" : "MET_UCHAR", "\nElementDataFile = LOCAL\n",
      packed);
}

std::string encoded(const Volume& like, const Voxels& voxels, const WrittenAs& as) {
  switch (as.format) {
    case VolumeFormat::nrrd: return nrrd(like, voxels);
    case VolumeFormat::metaimage: return metaimage(like, voxels);
    case VolumeFormat::nifti: return nifti(like, voxels, as.suffix == ".nii.gz");
    case VolumeFormat::dicom: break;
  }
  throw_internal("DICOM is written elsewhere");
}

}  // namespace

WrittenAs written_as(const fs::path& volume, std::optional<VolumeFormat> asked) {
  const std::string name = lower(volume.filename().string());
  WrittenAs own{VolumeFormat::dicom, ".dcm"};
  for (const auto& [end, as] : {std::pair{".nii.gz", WrittenAs{VolumeFormat::nifti, ".nii.gz"}},
                                std::pair{".nii", WrittenAs{VolumeFormat::nifti, ".nii"}},
                                std::pair{".hdr", WrittenAs{VolumeFormat::nifti, ".nii"}},
                                std::pair{".nrrd", WrittenAs{VolumeFormat::nrrd, ".nrrd"}},
                                std::pair{".nhdr", WrittenAs{VolumeFormat::nrrd, ".nrrd"}},
                                std::pair{".mha", WrittenAs{VolumeFormat::metaimage, ".mha"}},
                                std::pair{".mhd", WrittenAs{VolumeFormat::metaimage, ".mha"}}}) {
    if (own.format == VolumeFormat::dicom && name.ends_with(end)) own = as;
  }
  if (!asked || *asked == own.format) return own;
  switch (*asked) {
    case VolumeFormat::nifti: return {*asked, ".nii.gz"};
    case VolumeFormat::nrrd: return {*asked, ".nrrd"};
    case VolumeFormat::metaimage: return {*asked, ".mha"};
    case VolumeFormat::dicom: break;
  }
  return {*asked, ".dcm"};
}

std::string encode_labels(const Volume& like, std::span<const std::uint8_t> labels,
                          const WrittenAs& as) {
  if (std::ssize(labels) != like.voxels()) throw_internal("labels of another size");
  return encoded(like, {{reinterpret_cast<const char*>(labels.data()), labels.size()}}, as);
}

std::string encode_values(const Volume& like, std::span<const float> values, const WrittenAs& as) {
  if (std::ssize(values) != like.voxels()) throw_internal("values of another size");
  return encoded(like, {{reinterpret_cast<const char*>(values.data()), values.size_bytes()}, true},
                 as);
}

}  // namespace medurwkv::data
