// A file is read by its content; a name that says another format is a finding.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/files.h"
#include "core/listener.h"
#include "data/check/faults.h"
#include "data/codecs/read.h"
#include "data/layout/names.h"
#include "support/images.h"
#include "support/jpeg2000_files.h"
#include "support/paths.h"
#include "support/webp_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

struct Named {
  std::string suffix;
  std::string bytes;
};

/// Gray blobs in formats that have more than one suffix.
std::vector<Named> files() {
  constexpr std::int64_t side = 64;
  const Image blobs = test::make_blobs(3, side, side, 3);
  const auto sample = [&](auto x, auto y, auto c) {
    return int{blobs.bytes[static_cast<std::size_t>((y * side + x) * 3 + c)]};
  };
  test::Jpeg2000Form form{.width = side, .height = side, .components = 3, .value = sample};
  const std::string bare = test::jpeg2000_bytes(form);
  form.boxed = true;
  const std::string raster(blobs.bytes.begin(), blobs.bytes.end());
  const std::string ppm = "P6 64 64 255 " + raster;
  return {
      {".webp", test::webp_bytes(blobs)},
      {".jp2", test::jpeg2000_bytes(form)},
      {".j2k", bare},
      {".jpc", bare},
      {".ppm", ppm},
      {".pnm", ppm},
      {".pgm", "P5 192 64 255 " + raster},
      {".pbm", "P4 64 64 " + raster},
      {".pam", "P7\nWIDTH 64\nHEIGHT 64\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" + raster}};
}

std::vector<std::string> wrong_suffixes(const Named& file, const std::string& suffix) {
  const test::TemporaryFolder folder;
  fs::create_directories(folder.path() / "images");
  write_file(folder.path() / "images" / ("a" + suffix), file.bytes);
  const ImageSize size = read_image_size(folder.path() / "images" / ("a" + suffix));
  test::write_gray(folder.path() / "masks/a.png", size.width, size.height,
                   [](auto x, auto y) { return x > 20 && y > 20 ? 255 : 0; });
  std::vector<std::string> out;
  for (const Fault& fault : check_dataset(folder.path(), {}, silence()).faults) {
    EXPECT_NE(fault.severity, Severity::error) << fault.kind << " " << fault.what;
    if (fault.kind == "wrong-suffix") out.push_back(fault.what);
  }
  return out;
}

TEST(Suffixes, ARightNameIsNoFinding) {
  for (const Named& file : files()) {
    EXPECT_TRUE(has_image_suffix("a" + file.suffix)) << file.suffix;
    EXPECT_TRUE(wrong_suffixes(file, file.suffix).empty()) << file.suffix;
  }
}

TEST(Suffixes, AWrongNameIsReadAndNamed) {
  for (const Named& file : files()) {
    const std::vector<std::string> found = wrong_suffixes(file, ".png");
    ASSERT_EQ(found.size(), 1U) << file.suffix;
    EXPECT_NE(found.front().find(".png"), std::string::npos) << found.front();
  }
}

}  // namespace
}  // namespace medurwkv::data
