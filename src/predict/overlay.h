// Pictures of masks on their images, for people. Relies on data/image/geometry.h.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/model_description.h"
#include "data/image/image.h"

namespace medurwkv::predict {

/// The image as 8-bit RGB with each foreground class tinted 35 % in its colour and outlined in the
/// full colour; the outline grows with the image so that it stays visible. Samples outside 0..1 are
/// clamped. Throws Error when the sizes differ. Labels outside `classes` are left untouched.
data::Image overlay(const data::Image& stored, const data::LabelMap& labels,
                    const std::vector<ClassInfo>& classes);

/// Colours of `comparison`, told apart by colour-blind readers and in gray.
inline constexpr std::array<std::uint8_t, 3> truth_color{0, 200, 255};       // bright blue
inline constexpr std::array<std::uint8_t, 3> prediction_color{255, 120, 0};  // orange

/// The image as 8-bit RGB with the outlines of the truth and of the prediction, dashed by turns
/// where both run along the same pixels. Shrunk to at most `longest_side` pixels (never enlarged).
data::Image comparison(const data::Image& stored, const data::LabelMap& truth,
                       const data::LabelMap& prediction, std::int64_t longest_side);

}  // namespace medurwkv::predict
