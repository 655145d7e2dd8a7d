// The best guess that never looks at the image: one ellipse in the middle, fitted on training
// masks. A model that does not beat it has learnt no more than where objects tend to lie. Relies on
// data/image/image.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/image/image.h"

namespace medurwkv::judge {

/// Centred at (0.5, 0.5) of the image; semi-axes as fractions of its width and height. The ellipse
/// may reach over the image's edges (both axes at 0.71 cover it wholly).
struct Ellipse {
  double semi_axis_x = 0;
  double semi_axis_y = 0;
};

/// Label 1 where a pixel's centre lies in the ellipse, else 0.
data::LabelMap rasterise(const Ellipse& ellipse, data::ImageSize size);

/// Gathers training masks one by one (a mask is kept as 32 x 32 cells of the image folded onto one
/// quadrant, 4 KiB or so), then fits.
class EllipseFit {
 public:
  /// Of one class or, without a label, of all foreground merged. Masks without it are left out: any
  /// ellipse scores 0 on them.
  void add(const data::LabelMap& truth, std::optional<std::uint8_t> label = {});

  /// Masks with what is fitted.
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(masks_.size()); }

  /// The ellipse with the largest mean Dice of what was added (not of ignored pixels): a grid over
  /// both semi-axes, then finer grids around the best. Throws internal Error when no mask had any.
  [[nodiscard]] Ellipse fit() const;

 private:
  struct Folded {
    std::vector<float> foreground;  ///< per row of cells, running sums of the share of the image
    std::vector<float> judged;      ///< likewise of pixels not ignored; empty when none is ignored
    double foreground_total = 0;
  };
  [[nodiscard]] double mean_dice(const Ellipse& ellipse) const;

  std::vector<Folded> masks_;
};

}  // namespace medurwkv::judge
