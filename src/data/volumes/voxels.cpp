// The bytes of a volume's voxels, and slices of them.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <span>

#include <zlib.h>

#include "core/error.h"
#include "core/files.h"
#include "core/inflater.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/volumes/formats.h"
#include "data/volumes/kept_voxels.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Unpacks a file from one of its bytes on, piece by piece, to the end and so past its checksums.
class Inflation {
 public:
  Inflation(const Volume& volume, std::uint64_t start)
      : name_(volume.data.string()),
        file_(volume.data),
        next_(start),
        gzip_(volume.packing == VoxelPacking::gzip),
        inflater_(gzip_ ? MAX_WBITS + 16 : MAX_WBITS) {}

  /// The next bytes, `most` at most; 0 at the end. Throws Error where they are damaged.
  std::uint64_t read(char* out, std::uint64_t most) {
    z_stream& stream = inflater_.stream();
    const auto room = static_cast<uInt>(std::min(most, piece));
    stream.next_out = reinterpret_cast<Bytef*>(out);
    stream.avail_out = room;
    while (stream.avail_out == room) {
      if (stream.avail_in == 0) fill();
      if (ended_) {
        // Several members of gzip are one stream; zeros behind the last one fill a block of a tape.
        if (!gzip_ || stream.avail_in == 0 || *stream.next_in == 0) return 0;
        inflateReset(&stream);
        ended_ = false;
      }
      if (stream.avail_in == 0) throw_failure(concat(name_, ": is cut off"));
      const int status = inflate(&stream, Z_NO_FLUSH);
      ended_ = status == Z_STREAM_END;
      if (status != Z_OK && !ended_) throw_failure(concat(name_, ": its packed bytes are damaged"));
    }
    return room - stream.avail_out;
  }

 private:
  static constexpr std::uint64_t piece = std::uint64_t{1} << 20;

  void fill() {
    const std::uint64_t count = std::min(piece, file_.size() - std::min(next_, file_.size()));
    if (count == 0) return;
    packed_.resize(count);
    file_.read(next_, packed_);
    next_ += count;
    inflater_.stream().next_in = reinterpret_cast<Bytef*>(packed_.data());
    inflater_.stream().avail_in = static_cast<uInt>(count);
  }

  std::string name_;
  FilePieces file_;
  std::uint64_t next_;
  bool gzip_;
  bool ended_ = false;
  std::string packed_;
  Inflater inflater_;
};

/// All bytes of the elements. Throws Error for damaged ones and for fewer than `needed`.
std::string inflated(const Volume& volume, std::uint64_t needed) {
  // A file of NIfTI is packed as a whole, with its header; NRRD and MetaImage pack the voxels.
  const bool whole = volume.format.starts_with("NIfTI");
  Inflation inflation(volume, whole ? 0 : volume.start);
  std::string beside(std::size_t{1} << 16, '\0');
  for (std::uint64_t before = whole ? volume.start : 0; before > 0;) {
    const std::uint64_t got =
        inflation.read(beside.data(), std::min<std::uint64_t>(before, beside.size()));
    if (got == 0) throw_failure(concat(volume.data.string(), ": is cut off before its voxels"));
    before -= got;
  }
  std::string out(needed, '\0');
  std::uint64_t made = 0;
  while (made < needed) {
    const std::uint64_t got = inflation.read(out.data() + made, needed - made);
    if (got == 0) {
      throw_failure(
          concat(volume.data.string(), ": is cut off: ", made, " of ", needed, " bytes of voxels"));
    }
    made += got;
  }
  constexpr std::uint64_t most_behind = std::uint64_t{1} << 24;
  for (std::uint64_t behind = 0;
       const std::uint64_t got = inflation.read(beside.data(), beside.size());) {
    behind += got;
    if (behind > most_behind) {
      throw_failure(concat(volume.data.string(), ": unpacks to more than its header says"));
    }
  }
  return out;
}

/// Numbers of a text as elements of the volume's type, little endian.
std::string parsed(const Volume& volume, std::uint64_t needed) {
  const std::string name = volume.data.string();
  const std::string text = read_file(volume.data, std::uint64_t{1} << 30);
  std::string out;
  out.reserve(needed);
  std::size_t at = std::min<std::size_t>(volume.start, text.size());
  const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  const auto append = [&]<class Number>(double value, Number /*type*/) {
    const bool fits = std::is_floating_point_v<Number> ||
                      (std::floor(value) == value &&
                       value >= static_cast<double>(std::numeric_limits<Number>::lowest()) &&
                       value <= static_cast<double>(std::numeric_limits<Number>::max()));
    if (!fits) throw_failure(concat(name, ": the voxel ", value, " is none of its type"));
    const auto number = static_cast<Number>(value);
    out.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };
  while (out.size() < needed) {
    while (at < text.size() && is_blank(text[at])) ++at;
    std::size_t end = at;
    while (end < text.size() && !is_blank(text[end])) ++end;
    if (end == at) break;
    const auto value = number_in(std::string_view(text).substr(at, end - at));
    if (!value) {
      throw_failure(concat(name, ": ", shown(text.substr(at, end - at)), " is no voxel"));
    }
    at = end;
    switch (volume.type) {
      case NpyType::i8: append(*value, std::int8_t{}); break;
      case NpyType::u8: append(*value, std::uint8_t{}); break;
      case NpyType::i16: append(*value, std::int16_t{}); break;
      case NpyType::u16: append(*value, std::uint16_t{}); break;
      case NpyType::i32: append(*value, std::int32_t{}); break;
      case NpyType::u32: append(*value, std::uint32_t{}); break;
      case NpyType::f32: append(*value, float{}); break;
      case NpyType::f64: append(*value, double{}); break;
      default: throw_failure(concat(name, ": 64-bit voxels as text are not read"));
    }
  }
  if (out.size() < needed) throw_failure(concat(name, ": is cut off: it has fewer voxels"));
  return out;
}

/// All bytes of elements that are not packed.
std::string stored(const Volume& volume, std::uint64_t needed) {
  const FilePieces file(volume.data);
  std::string out(needed, '\0');
  file.read(volume.at_the_end ? file.size() - needed : volume.start, out);
  return out;
}

std::uint64_t bytes_of(const Volume& volume) {
  return static_cast<std::uint64_t>(volume.voxels() * volume.channels * size_of(volume.type));
}

/// All elements, kept for the next call.
std::shared_ptr<const std::string> whole_elements(const Volume& volume) {
  const std::uint64_t needed = bytes_of(volume);
  return kept_voxels(concat(file_state(volume.data), volume.start, "\n", needed),
                     volume.data.string(), needed, [&] {
                       return volume.packing == VoxelPacking::ascii ? parsed(volume, needed)
                              : volume.packing == VoxelPacking::raw ? stored(volume, needed)
                                                                    : inflated(volume, needed);
                     });
}

/// `count` bytes of the elements from byte `at` on, into `out`.
void copy_elements(const Volume& volume, std::uint64_t at, std::span<char> out) {
  if (volume.packing != VoxelPacking::raw) {
    const auto elements = whole_elements(volume);
    std::memcpy(out.data(), elements->data() + at, out.size());
    return;
  }
  const FilePieces file(volume.data);
  const std::uint64_t start = volume.at_the_end ? file.size() - bytes_of(volume) : volume.start;
  file.read(start + at, out);
}

void swap_bytes(std::span<char> bytes, std::size_t size) {
  for (std::size_t i = 0; i + size <= bytes.size(); i += size) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + size));
  }
}

template <class Number>
void to_floats(std::string_view bytes, double slope, double intercept, std::vector<float>& out) {
  out.resize(bytes.size() / sizeof(Number));
  for (std::size_t i = 0; i < out.size(); ++i) {
    Number number;
    std::memcpy(&number, bytes.data() + i * sizeof(Number), sizeof(Number));
    out[i] = static_cast<float>(slope * static_cast<double>(number) + intercept);
  }
}

std::vector<float> floats(const Volume& volume, std::string_view bytes) {
  std::vector<float> out;
  const auto read = [&]<class Number>(Number /*type*/) {
    to_floats<Number>(bytes, volume.slope, volume.intercept, out);
  };
  switch (volume.type) {
    case NpyType::i8: read(std::int8_t{}); break;
    case NpyType::u8: read(std::uint8_t{}); break;
    case NpyType::i16: read(std::int16_t{}); break;
    case NpyType::u16: read(std::uint16_t{}); break;
    case NpyType::i32: read(std::int32_t{}); break;
    case NpyType::u32: read(std::uint32_t{}); break;
    case NpyType::i64: read(std::int64_t{}); break;
    case NpyType::u64: read(std::uint64_t{}); break;
    case NpyType::f32: read(float{}); break;
    case NpyType::f64: read(double{}); break;
    default: throw_internal("a volume of a type that is not read");
  }
  return out;
}

/// The elements of a slice that the file has in one piece, or in one for each channel.
std::string slice_as_stored(const Volume& volume, std::size_t index) {
  const auto element = static_cast<std::size_t>(size_of(volume.type));
  const auto pixels = static_cast<std::size_t>(volume.columns * volume.rows);
  const auto channels = static_cast<std::size_t>(volume.channels);
  std::string out(pixels * channels * element, '\0');
  if (volume.channels_together || channels == 1) {
    copy_elements(volume, index * out.size(), out);
    return out;
  }
  const std::size_t plane = pixels * element;
  const auto slices = static_cast<std::size_t>(volume.slices);
  std::string one(plane, '\0');
  for (std::size_t c = 0; c < channels; ++c) {
    copy_elements(volume, (c * slices + index) * plane, one);
    for (std::size_t i = 0; i < pixels; ++i) {
      std::memcpy(&out[(i * channels + c) * element], &one[i * element], element);
    }
  }
  return out;
}

}  // namespace

Image read_slice(const Volume& volume, std::int64_t slice) {
  if (slice < 0 || slice >= volume.slices) {
    throw_failure(concat(volume.file.string(), ": has no slice ", slice, ", but ", volume.slices));
  }
  const auto element = static_cast<std::size_t>(size_of(volume.type));
  const auto pixels = static_cast<std::size_t>(volume.columns * volume.rows);
  const auto channels = static_cast<std::size_t>(volume.channels);
  const auto index = static_cast<std::size_t>(slice);
  const MemoryClaim claim(volume.file.string(),
                          static_cast<std::int64_t>(pixels * channels * (2 * element + 4)));
  std::string bytes = volume.turn == Turn{}
                          ? slice_as_stored(volume, index)
                          : slice_as_seen(volume, index, *whole_elements(volume), element,
                                          volume.channels_together || volume.channels == 1);
  if (volume.swapped && volume.packing != VoxelPacking::ascii) swap_bytes(bytes, element);
  Image out{.width = volume.columns,
            .height = volume.rows,
            .channels = volume.channels,
            .bytes = {},
            .geometry = geometry_of(volume.placing)};
  const bool kept = !volume.scaled() && (volume.type == NpyType::u8 || volume.type == NpyType::u16);
  if (kept) {
    out.type = element == 1 ? SampleType::u8 : SampleType::u16;
    out.bytes.assign(bytes.begin(), bytes.end());
    return out;
  }
  const std::vector<float> values = floats(volume, bytes);
  const bool finite =
      std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
  if (!finite) {
    throw_failure(concat(volume.file.string(), " (slice ", slice,
                         "): has voxels that are NaN or infinite; replace them"));
  }
  out.type = SampleType::f32;
  out.bytes.resize(values.size() * sizeof(float));
  std::memcpy(out.bytes.data(), values.data(), out.bytes.size());
  return out;
}

}  // namespace medurwkv::data
