// Images that look alike: copies saved again, resized, recoloured a little, mirrored or turned.
// A perceptual hash of the DCT kind finds candidates; a small picture of each decides. Relies on
// data/image/image.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/listener.h"
#include "data/image/image.h"

namespace medurwkv::data {

/// The hash: amplitudes of the lowest 8 x 8 frequencies but the mean (orthonormal DCT-II), each
/// with its transposed one, so that mirroring and turning change nothing: sqrt(c(u,v)^2 + c(v,u)^2)
/// for u < v, |c(u,u)|. By the reverse triangle inequality two hashes are at most as far apart as
/// the tones that they were made of.
using FingerprintHash = std::array<float, 35>;

/// What is kept of an image to compare it with others.
struct Fingerprint {
  static constexpr std::size_t side = 32;

  /// Mean luma of side x side blocks, row by row, brought to mean 0 and norm 1; all 0 for an image
  /// of one tone.
  std::array<float, side * side> tones{};
  FingerprintHash hash{};
  /// The image has one tone all over, so it is like no other.
  bool blank = true;
};

Fingerprint fingerprint_of(const Image& image);

/// How two images are alike. Both are correlations, at most 1, in the position (of the eight that
/// mirroring and quarter turns make) in which the tones agree best.
struct Likeness {
  double tones = 0;
  double edges = 0;      ///< of the differences between neighbouring blocks
  bool upright = false;  ///< neither mirrored nor turned
};
Likeness likeness_of(const Fingerprint& a, const Fingerprint& b);

/// What counts as a near duplicate. Chosen on five sets of real images (docs/performance.md): every
/// pair above both limits was a duplicate, and no duplicate was lost that lies clearly above one of
/// them.
inline constexpr double least_tones = 0.96;
inline constexpr double least_edges = 0.75;

/// Images `a` and `b` (positions in a list) are near duplicates.
struct Alike {
  std::size_t a = 0;
  std::size_t b = 0;
  Likeness likeness;
};

/// All pairs a < b within a list, by (b, a). Compares every image with every other: 10,000 images
/// take about a second. Throws Stopped.
std::vector<Alike> find_alike(std::span<const Fingerprint> images, Listener& listener);

/// All pairs of an image `a` of one list and `b` of another, by (b, a). Throws Stopped.
std::vector<Alike> find_alike(std::span<const Fingerprint> first,
                              std::span<const Fingerprint> second, Listener& listener);

}  // namespace medurwkv::data
