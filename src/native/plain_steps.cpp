// Steps in loops over rows of channels, spread over threads.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>

#include "core/threads.h"
#include "native/steps.h"

namespace medurwkv::native {
namespace {

/// body(row) for rows [0, rows), on threads.
template <class Body>
void each_row(std::int64_t rows, const Body& body) {
  parallel_for(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) body(row);
  });
}

/// y = of(x), number by number.
template <class Of>
std::unique_ptr<Step> each_number(const StepQuestion& question, const Of& of) {
  return function_step([count = element_count(question.inputs[0]), of](const StepArrays& arrays) {
    const float* const x = arrays.in[0];
    float* const y = arrays.out[0];
    parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) y[i] = of(x[i]);
    });
  });
}

/// Neighbours of a place and their weights.
struct Taps {
  std::array<std::int64_t, 4> from{};
  std::array<float, 4> weight{};
};

/// Pixel centres aligned, borders repeated.
std::vector<Taps> taps_of(std::int64_t from, std::int64_t to, net::Interpolation how) {
  const bool bilinear = how == net::Interpolation::bilinear;
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  std::vector<Taps> out;
  for (std::int64_t i = 0; i < to; ++i) {
    double place = (static_cast<double>(i) + 0.5) * scale - 0.5;
    if (bilinear) place = std::max(0.0, place);
    const double below = std::floor(place);
    Taps& taps = out.emplace_back();
    for (std::size_t k = 0; k < 4; ++k) {
      const auto at = static_cast<std::int64_t>(below) + static_cast<std::int64_t>(k) - 1;
      taps.from[k] = std::clamp<std::int64_t>(at, 0, from - 1);
      const double d = std::abs(place - below - (static_cast<double>(k) - 1));
      constexpr double a = -0.75;
      const double cubic = d < 1   ? ((a + 2) * d - (a + 3)) * d * d + 1
                           : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
                                   : 0;
      taps.weight[k] = static_cast<float>(bilinear ? std::max(0.0, 1 - d) : cubic);
    }
  }
  return out;
}

}  // namespace

std::unique_ptr<Step> make_batch_norm(const StepQuestion& question) {
  const std::int64_t channels = question.inputs[0][1];
  const std::int64_t rows = element_count(question.inputs[0]) / channels;
  std::vector<float> slope;
  std::vector<float> shift;
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const auto at = [&](std::size_t input) {
      return static_cast<double>(question.constants[input].numbers[c]);
    };
    const double factor = at(1) / std::sqrt(at(4) + question.detail<plan::Epsilon>().value);
    slope.push_back(static_cast<float>(factor));
    shift.push_back(static_cast<float>(at(2) - at(3) * factor));
  }
  return function_step([=](const StepArrays& arrays) {
    each_row(rows, [&](std::int64_t row) {
      const float* const x = arrays.in[0] + row * channels;
      float* const y = arrays.out[0] + row * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        const auto i = static_cast<std::size_t>(c);
        y[c] = x[c] * slope[i] + shift[i];
      }
    });
  });
}

std::unique_ptr<Step> make_relu(const StepQuestion& question) {
  return each_number(question, [](float x) { return std::max(0.0F, x); });
}

std::unique_ptr<Step> make_gelu(const StepQuestion& question) {
  return each_number(question, [](float x) {
    return 0.5F * x * (1 + std::erf(x * (1 / std::numbers::sqrt2_v<float>)));
  });
}

std::unique_ptr<Step> make_tanh(const StepQuestion& question) {
  return each_number(question, [](float x) { return std::tanh(x); });
}

std::unique_ptr<Step> make_add(const StepQuestion& question) {
  const std::int64_t part = element_count(question.inputs[1]);
  const std::int64_t parts = element_count(question.inputs[0]) / part;
  // Pieces that are spread over threads lie within one repetition of the second operand.
  const std::int64_t piece = std::min<std::int64_t>(part, 4096);
  const std::int64_t pieces = (part + piece - 1) / piece;
  return function_step([=](const StepArrays& arrays) {
    each_row(parts * pieces, [&](std::int64_t index) {
      const std::int64_t begin = index % pieces * piece;
      const std::int64_t end = std::min(begin + piece, part);
      const float* const a = arrays.in[0] + index / pieces * part;
      const float* const b = arrays.in[1];
      float* const y = arrays.out[0] + index / pieces * part;
      for (std::int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
    });
  });
}

std::unique_ptr<Step> make_mean_tokens(const StepQuestion& question) {
  const Shape& shape = question.inputs[0];
  return function_step([=](const StepArrays& arrays) {
    for (std::int64_t n = 0; n < shape[0]; ++n) {
      float* const y = arrays.out[0] + n * shape[2];
      for (std::int64_t c = 0; c < shape[2]; ++c) {
        double sum = 0;
        for (std::int64_t t = 0; t < shape[1]; ++t) {
          sum += static_cast<double>(arrays.in[0][(n * shape[1] + t) * shape[2] + c]);
        }
        y[c] = static_cast<float>(sum / static_cast<double>(shape[1]));
      }
    }
  });
}

std::unique_ptr<Step> make_concat(const StepQuestion& question) {
  const Shape& to = question.outputs[0];
  // Tokens are joined image by image, maps pixel by pixel.
  const bool maps = to.size() == 4;
  const std::int64_t rows = maps ? to[0] * to[2] * to[3] : to[0];
  std::vector<std::int64_t> counts;
  std::int64_t whole = 0;
  for (const Shape& part : question.inputs) {
    counts.push_back(element_count(part) / rows);
    whole += counts.back();
  }
  return function_step([=](const StepArrays& arrays) {
    each_row(rows, [&](std::int64_t row) {
      float* y = arrays.out[0] + row * whole;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        std::memcpy(y, arrays.in[i] + row * counts[i],
                    static_cast<std::size_t>(counts[i]) * sizeof(float));
        y += counts[i];
      }
    });
  });
}

std::unique_ptr<Step> make_slice(const StepQuestion& question) {
  const auto& range = question.detail<plan::Range>();
  const Shape& from = question.inputs[0];
  const std::int64_t inner = from[2];
  return function_step([=](const StepArrays& arrays) {
    each_row(from[0], [&](std::int64_t n) {
      std::memcpy(arrays.out[0] + n * range.count * inner,
                  arrays.in[0] + (n * from[1] + range.start) * inner,
                  static_cast<std::size_t>(range.count * inner) * sizeof(float));
    });
  });
}

std::unique_ptr<Step> make_resize(const StepQuestion& question) {
  const auto& resize = question.detail<plan::Resize>();
  const Shape& from = question.inputs[0];
  const std::int64_t channels = from[1];
  return function_step([=, rows = taps_of(from[2], resize.to.height, resize.how),
                        columns = taps_of(from[3], resize.to.width, resize.how)](
                           const StepArrays& arrays) {
    each_row(from[0] * resize.to.height, [&](std::int64_t line) {
      const std::int64_t n = line / resize.to.height;
      const Taps& row = rows[static_cast<std::size_t>(line % resize.to.height)];
      for (std::int64_t x = 0; x < resize.to.width; ++x) {
        const Taps& column = columns[static_cast<std::size_t>(x)];
        float* const y = arrays.out[0] + (line * resize.to.width + x) * channels;
        std::fill_n(y, channels, 0.0F);
        for (std::size_t i = 0; i < 4; ++i) {
          for (std::size_t j = 0; j < 4; ++j) {
            const float weight = row.weight[i] * column.weight[j];
            if (weight == 0) continue;
            const float* const source =
                arrays.in[0] + ((n * from[2] + row.from[i]) * from[3] + column.from[j]) * channels;
            for (std::int64_t c = 0; c < channels; ++c) y[c] += weight * source[c];
          }
        }
      }
    });
  });
}

std::unique_ptr<Step> make_from_planes(const StepQuestion& question) {
  const Shape& from = question.inputs[0];
  const Shape& to = question.outputs[0];
  return function_step([=](const StepArrays& arrays) {
    const std::int64_t channels = from[1];
    each_row(to[0] * to[2], [&](std::int64_t line) {
      const std::int64_t n = line / to[2];
      const std::int64_t row = std::min(line % to[2], from[2] - 1);
      float* y = arrays.out[0] + line * to[3] * channels;
      for (std::int64_t x = 0; x < to[3]; ++x) {
        for (std::int64_t c = 0; c < channels; ++c) {
          *y++ =
              arrays
                  .in[0][((n * channels + c) * from[2] + row) * from[3] + std::min(x, from[3] - 1)];
        }
      }
    });
  });
}

std::unique_ptr<Step> make_to_planes(const StepQuestion& question) {
  const Shape& from = question.inputs[0];
  const Shape& to = question.outputs[0];
  return function_step([=](const StepArrays& arrays) {
    const std::int64_t channels = from[1];
    each_row(to[0] * to[2], [&](std::int64_t line) {
      const std::int64_t n = line / to[2];
      const std::int64_t row = line % to[2];
      const float* const x = arrays.in[0] + (n * from[2] + row) * from[3] * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        float* const y = arrays.out[0] + ((n * channels + c) * to[2] + row) * to[3];
        for (std::int64_t i = 0; i < to[3]; ++i) y[i] = x[i * channels + c];
      }
    });
  });
}

}  // namespace medurwkv::native
