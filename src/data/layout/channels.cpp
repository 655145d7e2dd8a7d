#include "data/layout/channels.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <string_view>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/codecs/arrays.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/image/geometry.h"

namespace medurwkv::data {
namespace {

/// A header with what may stand before it (EXIF, colour profiles).
constexpr std::size_t start_bytes = std::size_t{1} << 17;

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

/// By the colour type in IHDR; a palette is decoded to colours, alpha is dropped.
std::optional<std::int64_t> png_channels(std::string_view start) {
  constexpr std::size_t color_type = 25;
  if (start.size() <= color_type) return std::nullopt;
  return (byte_at(start, color_type) & 2U) != 0 ? 3 : 1;
}

/// By the number of components in the first frame header (SOF: C0 to CF but C4, C8 and CC).
std::optional<std::int64_t> jpeg_channels(std::string_view start) {
  std::size_t at = 2;
  while (at + 10 <= start.size() && byte_at(start, at) == 0xff) {
    const std::uint8_t marker = byte_at(start, at + 1);
    const bool frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) {
      const std::uint8_t components = byte_at(start, at + 9);
      return components == 1 || components == 3 ? std::optional<std::int64_t>(components)
                                                : std::nullopt;
    }
    at += 2 + static_cast<std::size_t>(byte_at(start, at + 2) << 8U | byte_at(start, at + 3));
  }
  return std::nullopt;
}

}  // namespace

std::int64_t read_channels(const ImageSource& source) {
  if (source.store) return source.store->channels(source.array);
  if (is_of_volume(source)) return volume_of(source).channels;
  const std::string start = read_start(source.file, start_bytes);
  std::optional<std::int64_t> found;
  switch (kind_of(source.name(), start)) {
    case FileKind::png: found = png_channels(start); break;
    case FileKind::jpeg: found = jpeg_channels(start); break;
    case FileKind::arrays: return read_array_channels(source);
    default: break;
  }
  return found ? *found : read_image(source).channels;
}

std::int64_t read_channels(const Case& item) {
  std::int64_t out = 0;
  for (const ImageSource& source : item.images) out += read_channels(source);
  return out;
}

std::vector<std::int64_t> read_channels(const std::vector<Case>& cases) {
  std::vector<std::int64_t> out(cases.size());
  for_each_case(cases.size(), "", silence(),
                [&](std::size_t i) { out[i] = read_channels(cases[i]); });
  return out;
}

std::int64_t channels_for(const std::vector<std::int64_t>& channels) {
  return channels.front() == 1 ? 3 : channels.front();
}

void check_channels(const std::vector<Case>& cases, const std::vector<std::int64_t>& channels,
                    std::int64_t wanted, const std::string& setting) {
  const auto first_wrong = [&](std::int64_t network) {
    const auto taken = [&](std::int64_t image) { return channel_use(image, network).has_value(); };
    return static_cast<std::size_t>(std::find_if_not(channels.begin(), channels.end(), taken) -
                                    channels.begin());
  };
  const std::size_t wrong = first_wrong(wanted);
  if (wrong == channels.size()) return;
  const auto name = [&](std::size_t at) { return cases[at].images.front().name(); };
  const std::size_t files = cases[wrong].images.size();
  const std::string what =
      concat(name(wrong), files > 1 ? concat(" and ", files - 1, " more of its case") : "", ": ",
             channels_differ("network", wanted, channels[wrong]));
  const auto fits_all = [&](std::int64_t network) { return first_wrong(network) == cases.size(); };
  const auto fitting = std::find_if(channels.begin(), channels.end(), fits_all);
  if (fitting != channels.end()) throw_usage(concat(what, "; use ", setting, *fitting));
  // The first image that a network for this image's channels does not take.
  const std::size_t other = first_wrong(channels[wrong]);
  throw_usage(concat(what, "; ", setting, channels[wrong], " does not fit ", name(other),
                     ", whose number of channels is ", channels[other],
                     ": all images of a set must have the same number, or be gray and colour "
                     "images"));
}

}  // namespace medurwkv::data
