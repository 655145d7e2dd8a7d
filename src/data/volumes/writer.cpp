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

std::string_view as_bytes(std::span<const std::uint8_t> labels) {
  return {reinterpret_cast<const char*>(labels.data()), labels.size()};
}

/// Fields of a version of NIfTI that say where a volume lies: first byte and length.
struct Field {
  std::size_t at, length;
};

std::string nifti(const Volume& like, std::span<const std::uint8_t> labels) {
  const bool second = like.format == "NIfTI-2";
  const std::size_t length = second ? 540 : 348;
  std::string out(length + 4, '\0');
  const auto keep = [&](Field field) {
    std::copy_n(like.header.data() + field.at, field.length, out.data() + field.at);
  };
  const auto put = [&]<class Number>(std::size_t at, Number value) {
    auto raw = std::bit_cast<std::array<char, sizeof(Number)>>(value);
    if (like.swapped) std::reverse(raw.begin(), raw.end());
    std::copy(raw.begin(), raw.end(), out.data() + at);
  };
  if (second) {
    for (const Field field :
         {Field{0, 12}, Field{16, 32}, Field{104, 64}, Field{344, 152}, Field{500, 4}}) {
      keep(field);
    }
    out[5] = '+';
    put(12, std::int16_t{2});
    put(14, std::int16_t{8});
    for (std::size_t i = 4; i < 8; ++i) put(16 + 8 * i, std::int64_t{1});
    put(16, std::int64_t{3});
    put(168, std::int64_t{544});
    put(176, 1.0);
  } else {
    for (const Field field :
         {Field{0, 4}, Field{40, 16}, Field{76, 32}, Field{123, 1}, Field{252, 76}}) {
      keep(field);
    }
    std::copy_n("n+1", 4, out.data() + 344);
    put(70, std::int16_t{2});
    put(72, std::int16_t{8});
    for (std::size_t i = 4; i < 8; ++i) put(40 + 2 * i, std::int16_t{1});
    put(40, std::int16_t{3});
    put(108, 352.0F);
    put(112, 1.0F);
  }
  out += as_bytes(labels);
  return like.packing == VoxelPacking::gzip ? deflated(out, true) : out;
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

std::string nrrd(const Volume& like, std::span<const std::uint8_t> labels) {
  std::string out = concat("NRRD0004\ntype: uchar\ndimension: 3\nsizes: ", like.columns, " ",
                           like.rows, " ", like.slices, "\nencoding: gzip\n");
  if (like.channels == 1) {
    out += lines_of(like.header, ':',
                    {"space", "space directions", "space origin", "space units", "spacings",
                     "units", "measurement frame"});
  } else {
    out += nrrd_place(like);
  }
  return out + "\n" + deflated(as_bytes(labels), true);
}

std::string metaimage(const Volume& like, std::span<const std::uint8_t> labels) {
  const std::string packed = deflated(as_bytes(labels), false);
  return concat(
      "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
      "CompressedData = True\nCompressedDataSize = ",
      packed.size(), "\n",
      lines_of(like.header, '=',
               {"transformmatrix", "rotation", "orientation", "offset", "origin", "position",
                "centerofrotation", "anatomicalorientation", "elementspacing", "elementsize"}),
      "DimSize = ", like.columns, " ", like.rows, " ", like.slices,
      "\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n", packed);
}

}  // namespace

std::string labels_suffix(const fs::path& volume) {
  const std::string name = lower(volume.filename().string());
  for (const auto& [end, suffix] :
       {std::pair{".nii.gz", ".nii.gz"}, std::pair{".nii", ".nii"}, std::pair{".hdr", ".nii"},
        std::pair{".nrrd", ".nrrd"}, std::pair{".nhdr", ".nrrd"}, std::pair{".mha", ".mha"},
        std::pair{".mhd", ".mha"}}) {
    if (name.ends_with(end)) return suffix;
  }
  throw_internal("labels of what is no volume");
}

std::string encode_labels(const Volume& like, std::span<const std::uint8_t> labels) {
  if (std::ssize(labels) != like.voxels()) throw_internal("labels of another size");
  if (like.format == "NRRD") return nrrd(like, labels);
  if (like.format == "MetaImage") return metaimage(like, labels);
  return nifti(like, labels);
}

}  // namespace medurwkv::data
