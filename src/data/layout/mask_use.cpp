#include "data/layout/mask_use.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/model_description.h"
#include "core/threads.h"
#include "data/codecs/read.h"

namespace medurwkv::data {
namespace {

/// Distinct colours that are counted; a table has fewer.
constexpr std::size_t most_colors = 256;

/// Neighbours that differ by at most this have about the same value.
constexpr int about_same = 16;

std::int64_t sum_of(const ValueUse& use, std::size_t from, std::size_t to) {
  std::int64_t out = 0;
  for (std::size_t value = from; value < to; ++value) out += use[value];
  return out;
}

/// The values around a pixel, itself included.
struct Around {
  int least = 255, most = 0;
};

Around around(const MaskPixels& mask, std::int64_t x, std::int64_t y) {
  Around out;
  for (std::int64_t v = std::max<std::int64_t>(0, y - 1); v <= std::min(mask.height - 1, y + 1);
       ++v) {
    for (std::int64_t u = std::max<std::int64_t>(0, x - 1); u <= std::min(mask.width - 1, x + 1);
         ++u) {
      const int value = mask.values[static_cast<std::size_t>(v * mask.width + u)];
      out.least = std::min(out.least, value);
      out.most = std::max(out.most, value);
    }
  }
  return out;
}

void count_between(const MaskPixels& mask, MaskUse& out) {
  for (std::int64_t y = 0; y < mask.height; ++y) {
    for (std::int64_t x = 0; x < mask.width; ++x) {
      const std::size_t value = mask.values[static_cast<std::size_t>(y * mask.width + x)];
      if (value <= end_noise || value >= 255 - end_noise) continue;
      const Around near = around(mask, x, y);
      const auto own = static_cast<int>(value);
      const int black = static_cast<int>(end_noise);
      const bool explained = near.least <= std::max(own - about_same, black) &&
                             near.most >= std::min(own + about_same, 255 - black);
      if (!explained) ++out.unexplained[value];
      if (near.most - near.least <= about_same) ++out.flat[value];
    }
  }
}

/// Whether some value but 0 has two regions (8-connected) that are no specks.
bool is_scattered(const MaskPixels& mask) {
  constexpr std::int64_t speck = 4;
  std::vector<char> seen(mask.values.size(), 0);
  std::array<bool, 256> found{};
  std::vector<std::size_t> open;
  for (std::size_t start = 0; start < seen.size(); ++start) {
    const std::uint8_t value = mask.values[start];
    if (value == 0 || seen[start] != 0) continue;
    std::int64_t area = 0;
    open.assign(1, start);
    seen[start] = 1;
    while (!open.empty()) {
      const auto at = static_cast<std::int64_t>(open.back());
      open.pop_back();
      ++area;
      const std::int64_t x = at % mask.width;
      const std::int64_t y = at / mask.width;
      for (std::int64_t v = std::max<std::int64_t>(0, y - 1); v <= std::min(mask.height - 1, y + 1);
           ++v) {
        for (std::int64_t u = std::max<std::int64_t>(0, x - 1);
             u <= std::min(mask.width - 1, x + 1); ++u) {
          const auto next = static_cast<std::size_t>(v * mask.width + u);
          if (seen[next] != 0 || mask.values[next] != value) continue;
          seen[next] = 1;
          open.push_back(next);
        }
      }
    }
    if (area > speck && std::exchange(found[value], true)) return true;
  }
  return false;
}

void count_colors(const MaskPixels& mask, MaskUse& out) {
  out.color_files = 1;
  const auto pixels = static_cast<std::size_t>(mask.width * mask.height);
  for (std::size_t i = 0; i < pixels; ++i) {
    const Color color{mask.colors[3 * i], mask.colors[3 * i + 1], mask.colors[3 * i + 2]};
    if (out.colors.size() < most_colors || out.colors.contains(color)) ++out.colors[color];
  }
}

void count_palette(const MaskPixels& mask, const std::string& file, MaskUse& out) {
  for (const std::uint8_t index : mask.indices) ++out.indices[index];
  for (std::size_t index = 0; index < mask.palette.size(); ++index) {
    if (out.indices[index] == 0) continue;
    out.palette.emplace(static_cast<std::uint8_t>(index), std::pair(mask.palette[index], file));
  }
}

/// Counts the mask as one of values 1 to k without a gap, or as one with gaps.
void count_numbers(const MaskPixels& mask, const ValueUse& use, MaskUse& out) {
  const std::size_t largest = largest_below(use, use.size());
  if (largest == 0) return;
  const bool gap = std::any_of(use.begin() + 1, use.begin() + static_cast<std::ptrdiff_t>(largest),
                               [](std::int64_t pixels) { return pixels == 0; });
  if (gap) {
    out.with_gaps = 1;
    return;
  }
  out.numbered_to.insert(static_cast<int>(largest));
  out.numbered = 1;
  out.scattered = largest <= most_classes && is_scattered(mask) ? 1 : 0;
}

}  // namespace

bool used_between(const ValueUse& use, std::size_t from, std::size_t to) {
  return std::any_of(use.begin() + static_cast<std::ptrdiff_t>(from),
                     use.begin() + static_cast<std::ptrdiff_t>(to),
                     [](std::int64_t pixels) { return pixels > 0; });
}

std::size_t largest_below(const ValueUse& use, std::size_t end) {
  std::size_t largest = 0;
  for (std::size_t value = 0; value < end; ++value) {
    if (use[value] > 0) largest = value;
  }
  return largest;
}

bool indices_beside_255(const ValueUse& use) {
  return use[ignore_label] > 0 && used_between(use, 1, most_classes + 1) &&
         !used_between(use, most_classes + 1, 255);
}

void MaskUse::add(const MaskUse& other) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] += other.values[i];
    indices[i] += other.indices[i];
    gray_indices[i] += other.gray_indices[i];
    unexplained[i] += other.unexplained[i];
    flat[i] += other.flat[i];
  }
  for (const auto& [color, pixels] : other.colors) {
    if (colors.size() < most_colors || colors.contains(color)) colors[color] += pixels;
  }
  gray_files += other.gray_files;
  palette_files += other.palette_files;
  color_files += other.color_files;
  numbered_to.insert(other.numbered_to.begin(), other.numbered_to.end());
  numbered += other.numbered;
  scattered += other.scattered;
  with_gaps += other.with_gaps;
  indices_and_white += other.indices_and_white;
  if (!clash) clash = other.clash;
  for (const auto& [index, entry] : other.palette) {
    const auto [known, fresh] = palette.emplace(index, entry);
    if (fresh || clash || known->second.first == entry.first) continue;
    clash =
        PaletteClash{index, known->second.first, entry.first, known->second.second, entry.second};
  }
}

MaskUse use_of(const MaskPixels& mask, const std::string& file) {
  MaskUse out;
  if (!mask.colors.empty()) {
    count_colors(mask, out);
  } else if (mask.colored_palette()) {
    out.palette_files = 1;
    count_palette(mask, file, out);
    count_numbers(mask, out.indices, out);
  } else {
    out.gray_files = 1;
    for (const std::uint8_t value : mask.values) ++out.values[value];
    for (const std::uint8_t index : mask.indices) ++out.gray_indices[index];
    if (used_between(out.values, end_noise + 1, 255 - end_noise)) count_between(mask, out);
    out.indices_and_white = indices_beside_255(out.values) ? 1 : 0;
    count_numbers(mask, out.values, out);
  }
  return out;
}

MaskUse count_values(const std::vector<Case>& cases) {
  std::vector<MaskUse> uses(cases.size());
  std::vector<std::exception_ptr> errors(cases.size());
  parallel_for(static_cast<std::int64_t>(cases.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        for (const ImageSource& mask : cases[i].masks) {
          uses[i].add(use_of(read_mask(mask), mask.name()));
        }
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  MaskUse sum;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (errors[i]) std::rethrow_exception(errors[i]);
    sum.add(uses[i]);
  }
  return sum;
}

/// Three marks of a level. Its pixels are not between darker and brighter ones, and neighbouring
/// values are rare. Or nearly all pixels between black and white have this one value. Or a good
/// part of these pixels lies inside patches, which JPEG blurs to a range of values.
std::vector<int> gray_levels(const MaskUse& use) {
  constexpr std::int64_t few = 4;
  constexpr std::int64_t some = 16;
  const std::size_t from = end_noise + 1;
  const std::size_t to = 255 - end_noise;
  const std::int64_t between = sum_of(use.values, from, to);
  std::vector<int> out;
  for (std::size_t v = from; v < to; ++v) {
    const std::int64_t own = use.unexplained[v];
    const bool alone = own >= few && 2 * own >= use.values[v] &&
                       own >= few * (use.unexplained[v - 1] + use.unexplained[v + 1]);
    const bool only = use.values[v] >= some && 5 * use.values[v] >= 4 * between;
    if (alone || only) out.push_back(static_cast<int>(v));
  }
  const std::int64_t flat = sum_of(use.flat, from, to);
  if (out.empty() && flat >= some && 5 * flat >= between) {
    const auto most = std::max_element(use.flat.begin(), use.flat.end());
    out.push_back(static_cast<int>(most - use.flat.begin()));
  }
  return out;
}

}  // namespace medurwkv::data
