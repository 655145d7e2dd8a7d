// `quantize`: a model that products of whole numbers can run. Relies on native/seen_numbers.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/listener.h"

namespace medurwkv::app {

struct QuantizeRequest {
  std::filesystem::path model;                ///< model file
  std::vector<std::filesystem::path> inputs;  ///< images like those it will see, or folders of them
  std::filesystem::path out;                  ///< model file to write
  std::size_t images = 32;                    ///< so many of them are used, spread evenly
  int threads = 0;                            ///< 0: all cores
  bool force = false;                         ///< overwrite the file to write
};

struct QuantizeResult {
  std::size_t images = 0;
  std::size_t products = 0;         ///< that could run in 8 bits
  std::vector<std::string> kept{};  ///< weights of those that stay in float32, the worst first
  /// Of the masks in 8 bits against those in float32, over the images with foreground in either.
  std::optional<double> mean_dice{}, least_dice{};
};

/// Runs the images in float32 and finds the range of what each product reads; then some of them
/// with one product after the other in 8 bits, and all of them with all products so, with more and
/// more of those that changed most left in float32, until the masks agree. Throws
/// Error, also where this processor has no such products.
QuantizeResult quantize(const QuantizeRequest& request, Listener& listener);

}  // namespace medurwkv::app
