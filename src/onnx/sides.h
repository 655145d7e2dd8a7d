// Lengths that depend on the image, in an ONNX graph. Relies on onnx/graph.h and net/config.h.
#pragma once

#include <cstdint>
#include <vector>

#include "net/config.h"
#include "onnx/graph.h"

namespace medurwkv::onnx {

/// The plan of a network has the lengths of one image. It is recorded for an image of `step` a x
/// `step` b pixels, a and b being primes that are larger than any length that is no image's: so a
/// height is a multiple of a, a width one of b, a number of tokens one of both.
struct Units {
  std::int64_t height = 1009;
  std::int64_t width = 1013;
};

/// Where a length stands in a plan.
enum class Along { height, width, tokens };

class Sides {
 public:
  /// `height` and `width`: values of the graph, arrays of one whole number, which count what the
  /// units count in the plan.
  Sides(Graph& graph, Units units, Name height, Name width)
      : graph_(graph), units_(units), height_(std::move(height)), width_(std::move(width)) {}

  /// An array of one whole number: `length`, which the plan has for its image.
  Name of(std::int64_t length, Along along) const;
  /// The same as a number without sides.
  Name scalar(std::int64_t length, Along along) const;
  /// As float32, an array of one.
  Name real(std::int64_t length, Along along) const;

  /// The sides of an array: of those that are 0 the input's own is taken, -1 is what is left.
  Name shape(const std::vector<Name>& sides) const { return joined(sides); }
  Name fixed(std::int64_t side) const { return graph_.whole_numbers({side}); }
  Name height(net::Grid grid) const { return of(grid.height, Along::height); }
  Name width(net::Grid grid) const { return of(grid.width, Along::width); }
  Name joined(const std::vector<Name>& parts) const {
    return graph_.node("Concat", parts, {{"axis", std::int64_t{0}}});
  }

  /// 0, 1, ... length - 1 as whole numbers.
  Name range(std::int64_t length, Along along) const;

 private:
  Graph& graph_;
  Units units_;
  Name height_, width_;
};

}  // namespace medurwkv::onnx
