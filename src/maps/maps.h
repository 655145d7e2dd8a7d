// `features` but for the arithmetic: which network the file holds, the arrays that come in, the
// files that go out. Both engines use it. Relies on weights/coverage.h, core/npy.h, library and
// train/run/config.h.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/listener.h"
#include "core/npy.h"
#include "core/shape.h"
#include "library/requests.h"
#include "library/results.h"
#include "net/config.h"
#include "weights/coverage.h"
#include "weights/weights_source.h"

namespace medurwkv::maps {

/// What an engine is asked to run.
struct Question {
  const weights::WeightsSource& file;
  const std::vector<weights::UsedTensor>& tensors;  ///< of the file, for all of the network's
  const net::NetworkConfig& network;
  Shape image;                  ///< 1 x channels x height x width
  NpyType type = NpyType::f32;  ///< of the image
};

/// An output for one image: f1 .. f4 or logits.
struct Map {
  std::string name;
  Shape shape;        ///< 1 x ...
  std::string bytes;  ///< row-major, of the type that the request asks for
};

/// Runs one image, given by its bytes.
using Run = std::function<std::vector<Map>(std::string_view image)>;
/// Throws Error where the network does not fit into memory or the file is damaged.
using Open = std::function<Run(const Question& question)>;

/// Writes what the network has into `out`: f1.npy .. f4.npy (N x C x height x width at strides 4,
/// 8, 16, 32; of the padded image, whose sides are multiples of 32) and logits.npy (N x classes x
/// height x width, or N x classes of a classifier). One image is run at a time. Throws Error, and
/// Stopped.
library::FeaturesResult write_maps(const library::FeaturesRequest& request, const Open& open,
                                   Listener& listener);

}  // namespace medurwkv::maps
