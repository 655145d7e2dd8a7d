// Run lengths of masks: COCO's two forms, LabelMe's and CVAT's.
#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {

/// As rleFrString of pycocotools' maskApi.c.
std::vector<std::uint32_t> coco_counts(std::string_view text) {
  std::vector<std::uint32_t> out;
  // The last byte of a number lacks the bit that says that there are more.
  out.reserve(static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return ((c - 48) & 0x20) == 0; })));
  std::size_t at = 0;
  while (at < text.size()) {
    std::int64_t value = 0;
    bool more = true;
    for (int shift = 0; more; shift += 5) {
      if (at == text.size()) throw_failure("the run lengths end in the middle of a number");
      const int byte = static_cast<unsigned char>(text[at++]) - 48;
      if (byte < 0 || byte > 63)
        throw_failure("the run lengths hold a byte that is none of theirs");
      if (shift > 35) throw_failure("a run is longer than 2^32");
      value |= static_cast<std::int64_t>(byte & 0x1f) << shift;
      more = (byte & 0x20) != 0;
      if (!more && (byte & 0x10) != 0) value |= -(std::int64_t{1} << (shift + 5));
    }
    if (out.size() > 2) value += out[out.size() - 2];
    if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) {
      throw_failure(concat("a run has the length ", value));
    }
    out.push_back(static_cast<std::uint32_t>(value));
  }
  return out;
}

void check_runs(const Runs& runs) {
  constexpr std::int64_t most = std::int64_t{1} << 24;
  const auto [width, height] = runs.size;
  if (width < 1 || height < 1 || width > most || height > most) {
    throw_failure(concat("run lengths of ", width, " x ", height, " pixels"));
  }
  std::int64_t sum = 0;  // of fewer than 2^31 numbers below 2^32
  for (const std::uint32_t count : runs.counts) sum += count;
  if (sum != width * height) {
    throw_failure(concat("the run lengths add up to ", sum, ", expected ", width, " x ", height,
                         " = ", width * height));
  }
}

Runs runs_of(std::int64_t left, std::int64_t top, ImageSize size,
             const std::vector<unsigned char>& pixels) {
  Runs out{.left = left, .top = top, .size = size, .counts = {0}};
  bool inside = false;
  for (const unsigned char pixel : pixels) {
    if ((pixel != 0) != inside) {
      inside = !inside;
      out.counts.push_back(0);
    }
    ++out.counts.back();
  }
  return out;
}

}  // namespace medurwkv::data
