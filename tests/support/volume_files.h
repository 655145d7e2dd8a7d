// Volumes written byte by byte after the formats' own texts, for the readers of data/volumes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <zlib.h>

namespace medurwkv::test {

/// A header of NIfTI-1 or -2 whose fields stand where the test puts them.
class NiftiBytes {
 public:
  explicit NiftiBytes(bool second = false, bool swapped = false)
      : second_(second), swapped_(swapped), bytes_(second ? 544 : 352, '\0') {
    set<std::int32_t>(0, second ? 540 : 348);
    bytes_.replace(second ? 4 : 344, second ? 8 : 4,
                   second ? std::string("n+2\0\r\n\032\n", 8) : std::string("n+1\0", 4));
    if (second) {
      set<std::int64_t>(168, 544);
    } else {
      set<float>(108, 352);
    }
    sizes({1, 1, 1});
  }

  template <class Number>
  NiftiBytes& set(std::size_t place, Number value) {
    std::array<char, sizeof(Number)> raw{};
    std::memcpy(raw.data(), &value, sizeof(Number));
    if (swapped_) std::reverse(raw.begin(), raw.end());
    bytes_.replace(place, raw.size(), raw.data(), raw.size());
    return *this;
  }
  NiftiBytes& text(std::size_t place, const std::string& value) {
    bytes_.replace(place, value.size(), value);
    return *this;
  }

  NiftiBytes& sides(const std::vector<std::int64_t>& values) {
    if (second_) {
      set<std::int64_t>(16, std::ssize(values));
      for (std::size_t i = 0; i < values.size(); ++i) set<std::int64_t>(24 + 8 * i, values[i]);
    } else {
      set<std::int16_t>(40, static_cast<std::int16_t>(values.size()));
      for (std::size_t i = 0; i < values.size(); ++i) {
        set<std::int16_t>(42 + 2 * i, static_cast<std::int16_t>(values[i]));
      }
    }
    return *this;
  }
  NiftiBytes& type(std::int16_t number, std::int16_t bits) {
    return set<std::int16_t>(second_ ? 12 : 70, number).set<std::int16_t>(second_ ? 14 : 72, bits);
  }
  /// Sizes of voxels behind qfac.
  NiftiBytes& sizes(const std::array<double, 3>& values, double first = 1) {
    number(second_ ? 104 : 76, first);
    for (std::size_t i = 0; i < 3; ++i) number((second_ ? 112 : 80) + width() * i, values.at(i));
    return *this;
  }
  NiftiBytes& scaling(double slope, double intercept) {
    return number(second_ ? 176 : 112, slope).number(second_ ? 184 : 116, intercept);
  }
  NiftiBytes& sform(const std::array<std::array<double, 4>, 3>& rows) {
    if (second_) {
      set<std::int32_t>(348, 1);
    } else {
      set<std::int16_t>(254, 1);
    }
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        number((second_ ? 400 : 280) + width() * (4 * i + j), rows.at(i).at(j));
      }
    }
    return *this;
  }
  NiftiBytes& qform(const std::array<double, 3>& quaternion, const std::array<double, 3>& offset) {
    if (second_) {
      set<std::int32_t>(344, 1);
    } else {
      set<std::int16_t>(252, 1);
    }
    for (std::size_t i = 0; i < 3; ++i) {
      number((second_ ? 352 : 256) + width() * i, quaternion.at(i));
      number((second_ ? 376 : 268) + width() * i, offset.at(i));
    }
    return *this;
  }

  /// The header, then the elements in the header's order of bytes.
  template <class Number>
  [[nodiscard]] std::string with(const std::vector<Number>& elements) const {
    std::string out = bytes_;
    for (const Number one : elements) {
      std::array<char, sizeof(Number)> raw{};
      std::memcpy(raw.data(), &one, sizeof(Number));
      if (swapped_) std::reverse(raw.begin(), raw.end());
      out.append(raw.data(), raw.size());
    }
    return out;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  [[nodiscard]] std::size_t width() const { return second_ ? 8 : 4; }
  NiftiBytes& number(std::size_t place, double value) {
    return second_ ? set<double>(place, value) : set<float>(place, static_cast<float>(value));
  }

  bool second_, swapped_;
  std::string bytes_;
};

/// Packed by zlib: as a member of gzip, or as its own stream.
inline std::string packed(const std::string& bytes, bool gzip) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, gzip ? MAX_WBITS + 16 : MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(bytes.size() + bytes.size() / 100 + 64, '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

template <class Number>
std::string elements(const std::vector<Number>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)};
}

}  // namespace medurwkv::test
