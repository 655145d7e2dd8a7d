// Views of photographs for pretraining: random resized crop, colours, RandAugment, random erasing;
// and the view to be judged on. Formulas and their order are in docs/augmentation.md. Relies on
// data/image/warp.h, data/image/photometric.h, data/feed/rand_augment.h and core/random.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/model_description.h"
#include "data/feed/rand_augment.h"
#include "data/image/geometry.h"
#include "data/image/photometric.h"
#include "data/image/warp.h"

namespace medurwkv::data {

/// How far each change may go, and with which chance it is drawn at all.
struct ViewSettings {
  double crop_least = 0.08;     ///< least share of the image's area
  double crop_ratio = 4.0 / 3;  ///< width / height of the crop is 1 / crop_ratio .. crop_ratio
  double flip_x = 0.5;          ///< chance to mirror left and right
  double flip_y = 0;            ///< chance to mirror up and down
  double quarter_turns = 0;     ///< chance of a turn by 0, 90, 180 or 270 degrees, equally likely
  double hue = 0;               ///< degrees, either way
  double saturation = 0;        ///< factor 1 - saturation .. 1 + saturation
  double contrast = 0;          ///< factor 1 - contrast .. 1 + contrast
  double brightness = 0;        ///< added, either way
  double rand_ops = 0;          ///< operations of RandAugment, a whole number
  double rand_magnitude = 9;    ///< their strength, 0 to 10
  double erase = 0;             ///< chance of random erasing

  bool operator==(const ViewSettings&) const = default;
};

/// A setting by name, with its least and largest value.
struct ViewField {
  const char* name;
  double ViewSettings::*value;
  double least;
  double most;
};
std::span<const ViewField> view_fields();

/// A part of a view in unit coordinates: 0..1 from the left and the upper edge.
struct UnitBox {
  double left = 0, top = 0;
  double width = 1, height = 1;

  bool operator==(const UnitBox&) const = default;
};

/// All that is random about a view. It holds for every size it is rendered at, so that a teacher
/// sees the student's crop in more pixels.
struct ViewDraw {
  /// From unit coordinates of the view to those of the image: crop, flips, turns and RandAugment's
  /// maps. Pixel x of a side of n has its centre at (x + 0.5) / n.
  Affine box;
  ColorChange colors;
  std::vector<RandChange> changes;               ///< RandAugment's changes of values, in this order
  std::optional<UnitBox> erased;                 ///< of the view
  std::uint64_t seed = 0, epoch = 0, index = 0;  ///< names the stream of the erased part's noise
};

/// A pure function of its arguments, so the same on any number of threads and after a resume. The
/// crop is torchvision's RandomResizedCrop: up to ten tries of a share of the area, uniform in
/// crop_least .. 1, and a ratio of sides, log-uniform; else the largest central crop of an allowed
/// ratio. `image` in pixels.
ViewDraw draw_view(const ViewSettings& settings, ImageSize image, std::uint64_t seed,
                   std::uint64_t epoch, std::uint64_t index);

/// The view in `to` pixels: channels x height x width, normalised as `contract` says (its own size
/// and fit do not matter). Sampled once: bicubic, after averaging over whole blocks where it
/// shrinks, mirrored beyond the image's border. Of the draw's changes of values those are made that
/// are on in `settings`: colours where one of their four is not 0, RandAugment's where rand_ops is
/// not, erasing where its chance is not. Hue and saturation change pictures of three channels
/// alone. Throws Error as image_planes does.
std::vector<float> render_view(const Image& image, const InputContract& contract,
                               const ViewSettings& settings, const ViewDraw& draw, ImageSize to);

/// A view and where in the image it lies.
struct View {
  Planes planes;  ///< of the contract's size, normalised
  Affine box;     ///< as ViewDraw's
};
View make_view(const Image& image, const InputContract& contract, const ViewSettings& settings,
               std::uint64_t seed, std::uint64_t epoch, std::uint64_t index);

/// Where the view to be judged on lies, as ViewDraw's box: of the largest window of the aspect
/// ratio of `to`, in the middle of the image, the share `crop_share` of each side. For a square
/// that is torchvision's Resize to 1 / crop_share of the side, then CenterCrop. 0: the whole image,
/// stretched. Throws a usage Error for a share that is not 0..1.
Affine central_box(ImageSize image, ImageSize to, double crop_share);

/// The view to be judged on, of the contract's width and height, normalised; sampled as
/// render_view, and with a crop_share of 0 as to_network_input of a contract that stretches.
std::vector<float> render_central(const Image& image, const InputContract& contract,
                                  double crop_share = 0.875);

/// A feature map of an image (height x width x depth, row-major), as a view with `box` sees it:
/// `to` cells, bilinear between the centres of cells, beyond the outermost centres as there. Where
/// the box shrinks nothing is averaged.
std::vector<float> resample_map(const float* map, std::int64_t height, std::int64_t width,
                                std::int64_t depth, const Affine& box, ImageSize to);

}  // namespace medurwkv::data
