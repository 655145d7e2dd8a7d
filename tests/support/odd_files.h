// Lists of odd and broken image files: each is read right, or refused by name, in one line, within
// bounds of memory.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/codecs/codecs.h"
#include "support/refusal.h"

namespace medurwkv::test {

/// Size, channels and the first pixel's first sample (of 0..1, within 0.03) as they are to be seen.
struct Seen {
  std::int64_t width = 0, height = 0, channels = 0;
  float first = 0;
};

/// A file in memory: `seen` says how it is read, else `refusal` what it is refused with; with
/// neither, damaged pixels, which may be read as others.
struct OddBytes {
  std::string name;
  std::string bytes;
  std::optional<Seen> seen = std::nullopt;
  std::vector<std::string> refusal = {};
};

inline std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

inline void expect_read_right(const OddBytes& odd, const data::Image& image) {
  EXPECT_EQ(image.width, odd.seen->width) << odd.name;
  EXPECT_EQ(image.height, odd.seen->height) << odd.name;
  EXPECT_EQ(image.channels, odd.seen->channels) << odd.name;
  EXPECT_NEAR(image.value(0, 0, 0), odd.seen->first, 0.03) << odd.name;
}

inline void expect_refused(const OddBytes& odd, const Refusal& refusal) {
  EXPECT_EQ(refusal.kind, ErrorKind::failure) << odd.name;
  EXPECT_EQ(refusal.message.rfind(odd.name + ": ", 0), 0U) << refusal.message;
  EXPECT_EQ(refusal.message.find('\n'), std::string::npos) << refusal.message;
  for (const std::string& word : odd.refusal) {
    EXPECT_TRUE(refusal.names(word)) << odd.name << ": " << refusal.message;
  }
}

inline void expect_read_or_refused(const std::vector<OddBytes>& all) {
  const std::int64_t before = peak_memory();
  for (const OddBytes& odd : all) {
    data::DecodedImage decoded;
    const auto refusal =
        refusal_of([&] { return decoded = data::decode_image(odd.name, odd.bytes); });
    if (refusal) {
      EXPECT_FALSE(odd.seen) << refusal->message;
      expect_refused(odd, *refusal);
      continue;
    }
    EXPECT_TRUE(odd.refusal.empty()) << odd.name << " was read";
    if (odd.seen) expect_read_right(odd, decoded.image);
    const data::ImageSize size{decoded.image.width, decoded.image.height};
    EXPECT_EQ(data::image_size(odd.name, odd.bytes), size) << odd.name;
  }
  EXPECT_LT(peak_memory() - before, std::int64_t{300} << 20) << "a header was taken at its word";
}

}  // namespace medurwkv::test
