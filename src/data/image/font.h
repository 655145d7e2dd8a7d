// Text on images, in one small font of fixed width. Relies on data/image/image.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "data/image/image.h"

namespace medurwkv::data {

inline constexpr std::int64_t glyph_width = 7;
inline constexpr std::int64_t glyph_height = 13;

/// Pixels that a text is wide. Characters beyond ASCII are drawn as '?'.
std::int64_t text_width(std::string_view text);

/// The text, its middle replaced by two dots where it is wider than `width` pixels.
std::string fitted(std::string_view text, std::int64_t width);

/// Draws on an 8-bit RGB image; what lies outside is cut off.
void draw_text(Image& canvas, std::int64_t left, std::int64_t top, std::string_view text,
               const std::array<std::uint8_t, 3>& color);

}  // namespace medurwkv::data
