#include "data/image/fingerprint.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/threads.h"

namespace medurwkv::data {
namespace {

constexpr std::size_t side = Fingerprint::side;
constexpr std::size_t frequencies = 8;

/// Part of position `at` (covering [at, at + 1) of `size`) that lies in each of `side` equal bins:
/// the first bin and one share per bin from there on.
struct Shares {
  std::size_t first = 0;
  std::vector<float> share;
};

std::vector<Shares> shares_of(std::int64_t size) {
  std::vector<Shares> out(static_cast<std::size_t>(size));
  const double bin = static_cast<double>(size) / static_cast<double>(side);
  for (std::size_t at = 0; at < out.size(); ++at) {
    const auto begin = static_cast<double>(at);
    Shares& shares = out[at];
    shares.first = std::min(side - 1, static_cast<std::size_t>(begin / bin));
    for (std::size_t j = shares.first; j < side; ++j) {
      const double low = std::max(begin, static_cast<double>(j) * bin);
      const double high = std::min(begin + 1, static_cast<double>(j + 1) * bin);
      if (low >= high && j > shares.first) break;
      shares.share.push_back(static_cast<float>(std::max(0.0, high - low) / bin));
    }
  }
  return out;
}

/// Luma of 8-bit RGB (ITU-R BT.601), else the mean of the channels; in any unit.
void luma_of_row(const Image& image, std::int64_t y, std::vector<float>& row) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t first = static_cast<std::size_t>(y) * row.size() * channels;
  if (image.type == SampleType::u8 && channels == 1) {
    for (std::size_t x = 0; x < row.size(); ++x) row[x] = image.bytes[first + x];
    return;
  }
  if (image.type == SampleType::u8 && channels == 3) {
    const unsigned char* from = &image.bytes[first];
    for (std::size_t x = 0; x < row.size(); ++x) {
      const int sum = 299 * from[3 * x] + 587 * from[3 * x + 1] + 114 * from[3 * x + 2];
      row[x] = static_cast<float>(sum) * 1e-3F;
    }
    return;
  }
  for (std::size_t x = 0; x < row.size(); ++x) {
    float sum = 0;
    for (std::int64_t c = 0; c < image.channels; ++c) {
      const float value = image.value(static_cast<std::int64_t>(x), y, c);
      if (std::isfinite(value)) sum += value;
    }
    row[x] = sum / static_cast<float>(channels) * 255;
  }
}

std::array<float, side * side> block_means(const Image& image) {
  std::array<float, side * side> out{};
  const std::vector<Shares> across = shares_of(image.width);
  const std::vector<Shares> down = shares_of(image.height);
  std::vector<float> row(static_cast<std::size_t>(image.width));
  for (std::int64_t y = 0; y < image.height; ++y) {
    luma_of_row(image, y, row);
    std::array<float, side> bins{};
    for (std::size_t x = 0; x < row.size(); ++x) {
      const Shares& shares = across[x];
      for (std::size_t k = 0; k < shares.share.size(); ++k) {
        bins[shares.first + k] += shares.share[k] * row[x];
      }
    }
    const Shares& rows = down[static_cast<std::size_t>(y)];
    for (std::size_t k = 0; k < rows.share.size(); ++k) {
      float* to = &out[(rows.first + k) * side];
      for (std::size_t x = 0; x < side; ++x) to[x] += rows.share[k] * bins[x];
    }
  }
  return out;
}

/// Blocks whose standard deviation (of 255) is at most this are one tone. Compression leaves such
/// differences in a blank image.
constexpr double least_deviation = 0.25;

/// Brings to mean 0 and norm 1; false for one tone.
bool standardise(std::array<float, side * side>& tones) {
  double sum = 0;
  for (const float tone : tones) sum += static_cast<double>(tone);
  const double mean = sum / static_cast<double>(tones.size());
  double squares = 0;
  for (const float tone : tones) squares += (tone - mean) * (tone - mean);
  if (!(squares > least_deviation * least_deviation * static_cast<double>(tones.size()))) {
    tones.fill(0);
    return false;
  }
  const double norm = std::sqrt(squares);
  for (float& tone : tones) tone = static_cast<float>((tone - mean) / norm);
  return true;
}

/// Row u: the basis vector of frequency u of the orthonormal DCT-II.
const std::array<std::array<double, side>, frequencies>& cosines() {
  static const auto table = [] {
    std::array<std::array<double, side>, frequencies> out{};
    for (std::size_t u = 0; u < frequencies; ++u) {
      for (std::size_t x = 0; x < side; ++x) {
        const double scale = std::sqrt((u == 0 ? 1.0 : 2.0) / static_cast<double>(side));
        out[u][x] = scale * std::cos(std::numbers::pi * static_cast<double>((2 * x + 1) * u) /
                                     static_cast<double>(2 * side));
      }
    }
    return out;
  }();
  return table;
}

void hash_tones(Fingerprint& print) {
  std::array<std::array<double, side>, frequencies> rows{};  // frequency along x, then y
  for (std::size_t u = 0; u < frequencies; ++u) {
    for (std::size_t y = 0; y < side; ++y) {
      for (std::size_t x = 0; x < side; ++x) {
        rows[u][y] += cosines()[u][x] * print.tones[y * side + x];
      }
    }
  }
  const auto coefficient = [&](std::size_t u, std::size_t v) {
    double sum = 0;
    for (std::size_t y = 0; y < side; ++y) sum += cosines()[v][y] * rows[u][y];
    return sum;
  };
  // Low frequencies first: they tell most, so a comparison ends early.
  std::size_t at = 0;
  for (std::size_t order = 1; order <= 2 * (frequencies - 1); ++order) {
    for (std::size_t u = 0; 2 * u <= order; ++u) {
      const std::size_t v = order - u;
      if (v >= frequencies) continue;
      const double value =
          u == v ? std::abs(coefficient(u, u)) : std::hypot(coefficient(u, v), coefficient(v, u));
      print.hash[at++] = static_cast<float>(value);
    }
  }
}

/// Where the block (x, y) of the image in position `pose` (0 upright, 1 mirrored, then each turned
/// by quarters) comes from.
std::size_t source_of(std::size_t pose, std::size_t x, std::size_t y) {
  const std::size_t last = side - 1;
  for (std::size_t turn = 0; turn < pose / 2; ++turn) {
    const std::size_t turned = last - x;
    x = y;
    y = turned;
  }
  return y * side + (pose % 2 == 1 ? last - x : x);
}

const std::array<std::array<std::uint16_t, side * side>, 8>& poses() {
  static const auto table = [] {
    std::array<std::array<std::uint16_t, side * side>, 8> out{};
    for (std::size_t pose = 0; pose < 8; ++pose) {
      for (std::size_t i = 0; i < side * side; ++i) {
        out[pose][i] = static_cast<std::uint16_t>(source_of(pose, i % side, i / side));
      }
    }
    return out;
  }();
  return table;
}

/// Correlation of the differences between neighbours; 0 where one has none.
double edge_correlation(const std::array<float, side * side>& a,
                        const std::array<float, side * side>& b) {
  double both = 0;
  double own_a = 0;
  double own_b = 0;
  const auto add = [&](std::size_t i, std::size_t j) {
    const double da = static_cast<double>(a[i]) - static_cast<double>(a[j]);
    const double db = static_cast<double>(b[i]) - static_cast<double>(b[j]);
    both += da * db;
    own_a += da * da;
    own_b += db * db;
  };
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      const std::size_t i = y * side + x;
      if (x + 1 < side) add(i + 1, i);
      if (y + 1 < side) add(i + side, i);
    }
  }
  return own_a > 0 && own_b > 0 ? both / std::sqrt(own_a * own_b) : 0;
}

/// Hashes side by side, so that a scan reads nothing else.
std::vector<FingerprintHash> hashes_of(std::span<const Fingerprint> images) {
  std::vector<FingerprintHash> out;
  out.reserve(images.size());
  for (const Fingerprint& image : images) out.push_back(image.hash);
  return out;
}

/// Whether the hashes are near enough for a correlation of least_tones: |a - b|^2 = 2 - 2 r.
bool may_be_alike(const FingerprintHash& a, const FingerprintHash& b) {
  // A little more, for the rounding of tones and hash.
  constexpr float most = static_cast<float>(2 - 2 * least_tones) * 1.001F + 1e-5F;
  constexpr std::size_t step = 5;
  static_assert(std::tuple_size_v<FingerprintHash> % step == 0);
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); i += step) {
    for (std::size_t k = i; k < i + step; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
    if (sum > most) return false;
  }
  return true;
}

/// Pairs (a, b) with a below count_a(b), by (b, a), on all threads.
template <class Count>
std::vector<Alike> find_pairs(std::span<const Fingerprint> first,
                              std::span<const Fingerprint> second, const Count& count_a,
                              Listener& listener) {
  const std::vector<FingerprintHash> first_hashes = hashes_of(first);
  const std::vector<FingerprintHash> second_hashes = hashes_of(second);
  std::vector<std::vector<Alike>> found(second.size());
  std::atomic<std::size_t> next{0};
  parallel_for(thread_count(), [&](std::int64_t /*begin*/, std::int64_t /*end*/) {
    for (std::size_t b = next++; b < second.size() && listener.stop_signal() == 0; b = next++) {
      if (second[b].blank) continue;
      for (std::size_t a = 0; a < count_a(b); ++a) {
        if (!may_be_alike(first_hashes[a], second_hashes[b]) || first[a].blank) continue;
        const Likeness likeness = likeness_of(first[a], second[b]);
        if (likeness.tones >= least_tones && likeness.edges >= least_edges) {
          found[b].push_back({a, b, likeness});
        }
      }
    }
  });
  throw_if_stopped(listener);
  std::vector<Alike> out;
  for (const auto& some : found) out.insert(out.end(), some.begin(), some.end());
  return out;
}

}  // namespace

Fingerprint fingerprint_of(const Image& image) {
  Fingerprint out;
  out.tones = block_means(image);
  out.blank = !standardise(out.tones);
  if (!out.blank) hash_tones(out);
  return out;
}

Likeness likeness_of(const Fingerprint& a, const Fingerprint& b) {
  Likeness best{.tones = -1};
  std::size_t best_pose = 0;
  for (std::size_t pose = 0; pose < 8; ++pose) {
    double sum = 0;
    for (std::size_t i = 0; i < a.tones.size(); ++i) {
      sum += static_cast<double>(a.tones[i] * b.tones[poses()[pose][i]]);
    }
    if (sum > best.tones) {
      best.tones = sum;
      best_pose = pose;
    }
  }
  best.upright = best_pose == 0;
  std::array<float, side * side> posed{};
  for (std::size_t i = 0; i < posed.size(); ++i) posed[i] = b.tones[poses()[best_pose][i]];
  best.edges = edge_correlation(a.tones, posed);
  return best;
}

std::vector<Alike> find_alike(std::span<const Fingerprint> images, Listener& listener) {
  return find_pairs(
      images, images, [](std::size_t b) { return b; }, listener);
}

std::vector<Alike> find_alike(std::span<const Fingerprint> first,
                              std::span<const Fingerprint> second, Listener& listener) {
  return find_pairs(
      first, second, [&](std::size_t) { return first.size(); }, listener);
}

}  // namespace medurwkv::data
