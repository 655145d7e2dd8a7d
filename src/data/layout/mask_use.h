// What the pixels of masks hold, counted over one mask or all of a set. Relies on
// data/codecs/codecs.h.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"

namespace medurwkv::data {

/// Pixels per gray value or palette index.
using ValueUse = std::array<std::int64_t, 256>;

/// Values up to this from black and from white are noise of JPEG where black and white dominate.
inline constexpr std::size_t end_noise = 16;

/// Indices of classes are at most this when nobody says what the values mean.
inline constexpr std::size_t most_classes = 20;

/// One index of coloured palettes that stands for two colours.
struct PaletteClash {
  std::uint8_t index = 0;
  Color first{}, second{};
  std::string first_file, second_file;
};

/// What one mask, or all of a set, holds.
struct MaskUse {
  ValueUse values{};        ///< of files without colours
  ValueUse indices{};       ///< of files with a coloured palette
  ValueUse gray_indices{};  ///< of files with a palette of grays, whose values are counted too
  /// Gray values between black and white that no soft edge explains: among the eight neighbours
  /// none is clearly darker, or none clearly brighter.
  ValueUse unexplained{};
  /// Gray values between black and white whose neighbours all have about the same value.
  ValueUse flat{};
  std::map<Color, std::int64_t> colors;  ///< pixels per colour of colour files, the first 256 met
  std::int64_t gray_files = 0, palette_files = 0, color_files = 0;
  /// Files without colours whose values are 0 and 1 to k without a gap, as numbered objects are:
  /// each k that occurred, how many files, and in how many of these a value has several regions.
  std::set<int> numbered_to;
  std::int64_t numbered = 0, scattered = 0;
  std::int64_t with_gaps = 0;          ///< files without colours and with a gap
  std::int64_t indices_and_white = 0;  ///< files that hold both small values and 255
  /// The colour of each index in use, and the file that has it so; the first two that differ.
  std::map<std::uint8_t, std::pair<Color, std::string>> palette;
  std::optional<PaletteClash> clash;

  void add(const MaskUse& other);
};

/// `file` names the mask in messages about palettes.
MaskUse use_of(const MaskPixels& mask, const std::string& file = {});

/// Reads every mask of every case (a field of view is none). Throws the first Error by the order of
/// cases.
MaskUse count_values(const std::vector<Case>& cases);

/// The largest value in use below `end`, 0 when there is none.
std::size_t largest_below(const ValueUse& use, std::size_t end);
/// Whether a value from `from` up to, but not including, `to` is in use.
bool used_between(const ValueUse& use, std::size_t from, std::size_t to);

/// Whether the values are 255 and class indices (1 to 20) and nothing in between.
bool indices_beside_255(const ValueUse& use);

/// Gray values between black and white that are levels of their own, not soft edges; ascending.
std::vector<int> gray_levels(const MaskUse& use);

}  // namespace medurwkv::data
