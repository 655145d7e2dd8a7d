// Segments a made-up image and judges the answer against a truth, in C++.
//
//   find_package(medurwkv REQUIRED)
//   target_link_libraries(judge PRIVATE medurwkv::medurwkv)
#include <cstdint>
#include <iostream>
#include <vector>

#include <medurwkv/medurwkv.hpp>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: judge MODEL\n";
    return 2;
  }
  try {
    const medurwkv::Model model(argv[1]);
    constexpr std::int64_t side = 96;
    std::vector<std::uint8_t> samples;
    std::vector<std::uint8_t> truth;
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const bool inside = (x - 48) * (x - 48) + (y - 40) * (y - 40) < 20 * 20;
        for (int channel = 0; channel < 3; ++channel) samples.push_back(inside ? 90 : 200);
        truth.push_back(inside ? 1 : 0);
      }
    }
    const auto answer = model.segment(medurwkv::Image<std::uint8_t>(samples, side, side, 3));
    const auto scores =
        medurwkv::judge({truth, side, side}, {answer.labels, side, side},
                        {.classes = 2, .metrics = "cldice", .spacing = {0.5, 0.5, 1}});
    for (const auto& metric : scores.metrics()) {
      const auto value = scores.mean(metric);
      std::cout << metric << " " << (value ? std::to_string(*value) : "-") << "\n";
    }
  } catch (const medurwkv::Failure& failure) {
    std::cerr << failure.what() << "\n";
    return 1;
  }
}
