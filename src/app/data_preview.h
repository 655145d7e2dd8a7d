// `data preview`: a contact sheet of what the network will see. Relies on app/set.h and
// data/image/image.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "app/set.h"
#include "core/listener.h"
#include "data/image/image.h"

namespace medurwkv::app {

/// Limits of a contact sheet's input.
inline constexpr std::int64_t longest_input_side = 16384;
inline constexpr std::int64_t most_input_channels = 64;

struct PreviewRequest {
  SetRequest set;
  std::filesystem::path out;    ///< PNG file
  std::filesystem::path split;  ///< empty: all cases are drawn from
  std::string part = "train";   ///< part of the split
  std::optional<int> fold{};    ///< fold used for validation, 1 to K, of a split with folds
  /// A run's configuration (TOML); the other fields override it.
  std::filesystem::path config;
  std::string augment;  ///< preset; empty: the configuration's, else medium
  std::string fit;      ///< empty: the configuration's, else stretch
  std::optional<data::ImageSize> size{};
  std::optional<std::int64_t> channels{};  ///< none: the images'
  std::optional<std::uint64_t> seed{};     ///< none: the configuration's, else 0
  std::int64_t cases = 6;                  ///< rows
  std::int64_t epochs = 5;                 ///< augmented samples of each case
  bool force = false;                      ///< replace an existing file
};

struct PreviewResult {
  std::size_t drawn = 0;
  std::int64_t cases = 0;  ///< to draw from
};

/// Throws Error, and Stopped.
PreviewResult preview_data(const PreviewRequest& request, Listener& listener);

}  // namespace medurwkv::app
