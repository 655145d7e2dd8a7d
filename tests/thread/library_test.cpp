// The shared library and threads of the caller's, under the thread sanitizer, too: a model that
// several threads share, clones beside it, judging, and messages.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "medurwkv/medurwkv.hpp"
#include "support/paths.h"

namespace {

std::vector<std::uint8_t> samples(int seed) {
  std::vector<std::uint8_t> out;
  for (int i = 0; i < 3 * 40 * 30; ++i)
    out.push_back(static_cast<std::uint8_t>((i * 7 + seed * 13) % 251));
  return out;
}

TEST(LibraryThreads, ShareAndCloneAModel) {
  const std::string file =
      (medurwkv::test::source_folder() / "tests/cli/data/version1.model").string();
  const medurwkv::Model model(file, {.threads = 1});
  std::vector<std::vector<float>> want;
  for (int t = 0; t < 4; ++t) {
    const auto own = samples(t);
    want.push_back(model.segment(medurwkv::Image<std::uint8_t>(own, 40, 30, 3)).probabilities);
  }
  std::vector<std::vector<float>> got(want.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < got.size(); ++t) {
    threads.emplace_back([&, t] {
      const auto own = samples(static_cast<int>(t));
      const medurwkv::Image<std::uint8_t> image(own, 40, 30, 3);
      got[t] = t % 2 == 0 ? model.segment(image).probabilities
                          : model.clone().segment(image).probabilities;
      // Each thread hears why its own call failed.
      medurwkv_model* none = nullptr;
      const std::string name = "no model " + std::to_string(t);
      EXPECT_EQ(medurwkv_open(name.c_str(), nullptr, &none), MEDURWKV_FAILED);
      EXPECT_NE(std::string(medurwkv_message()).find(name), std::string::npos);
      const std::vector<std::uint8_t> labels(12, static_cast<std::uint8_t>(t % 2));
      EXPECT_EQ(medurwkv::judge({labels, 4, 3}, {labels, 4, 3}).mean("dice").has_value(),
                t % 2 == 1);
    });
  }
  for (std::thread& one : threads) one.join();
  EXPECT_EQ(got, want);
}

}  // namespace
