// A model, pictures and the program's own answers, for the tests of the shared library. Relies on
// the standard library and support/process.h.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/paths.h"
#include "support/process.h"

namespace library {

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// A nano for lesions, of an early version of the program.
inline std::string model_file() {
  return (medurwkv::test::source_folder() / "tests/cli/data/version1.model").string();
}

/// "0.1.0", as the project's CMakeLists.txt says.
inline std::string project_version() {
  const std::string text = bytes_of(medurwkv::test::source_folder() / "CMakeLists.txt");
  const std::size_t at =
      text.find("project(medurwkv VERSION ") + std::strlen("project(medurwkv VERSION ");
  return text.substr(at, text.find(' ', at) - at);
}

struct Picture {
  std::int64_t width, height, channels;
  std::vector<std::uint8_t> samples;

  [[nodiscard]] std::uint8_t at(std::int64_t x, std::int64_t y, std::int64_t c) const {
    return samples[static_cast<std::size_t>((y * width + x) * channels + c)];
  }
};

/// A dark disc on bright skin, which differs from size to size.
inline Picture picture(std::int64_t width, std::int64_t height, std::int64_t channels) {
  Picture out{width, height, channels, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t dx = 2 * x - width;
      const std::int64_t dy = 2 * y - height;
      const bool inside = 4 * dx * dx * height * height + 4 * dy * dy * width * width <
                          width * width * height * height;
      for (std::int64_t c = 0; c < channels; ++c) {
        out.samples.push_back(
            static_cast<std::uint8_t>((inside ? 60 : 190) + 15 * c + (x * 7 + y * 3) % 11));
      }
    }
  }
  return out;
}

struct Predicted {
  std::vector<float> probabilities;
};

/// What `medurwkv predict --probabilities npy` writes of a picture of three channels.
inline Predicted predicted_by_program(const Picture& from) {
  const medurwkv::test::TemporaryFolder folder;
  const auto image = folder.path() / "image.ppm";
  {
    std::ofstream out(image, std::ios::binary);
    out << "P6\n" << from.width << " " << from.height << "\n255\n";
    out.write(reinterpret_cast<const char*>(from.samples.data()),
              static_cast<std::streamsize>(from.samples.size()));
  }
  const auto done =
      medurwkv::test::run_program({"predict", model_file(), image.string(), "--probabilities",
                                   "npy", "--out", (folder.path() / "out").string()});
  if (done.code != 0) throw std::runtime_error(done.err);
  const std::string npy = bytes_of(folder.path() / "out/image_probabilities.npy");
  // Version 1 of the format: six bytes, two of the version, two of the header's length.
  const std::size_t header =
      static_cast<unsigned char>(npy[8]) + 256U * static_cast<unsigned char>(npy[9]);
  Predicted out;
  out.probabilities.resize((npy.size() - 10 - header) / sizeof(float));
  std::memcpy(out.probabilities.data(), npy.data() + 10 + header,
              out.probabilities.size() * sizeof(float));
  return out;
}

}  // namespace library
