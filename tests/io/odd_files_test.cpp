// A folder of odd files as people have them: each is read right, at the size and with the first
// pixel that went in, or refused with its name and the reason.
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/npy.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "data/layout/dataset.h"
#include "data/layout/layout.h"
#include "support/bmp_by_hand.h"
#include "support/gif_files.h"
#include "support/images.h"
#include "support/jpeg_files.h"
#include "support/paths.h"
#include "support/png_by_hand.h"
#include "support/refusal.h"
#include "support/tiff_files.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::bytes_of;
using test::make_png;
using test::TiffForm;

/// What is to be seen: size, channels and the first pixel's first sample of 0..1 (within 0.03, for
/// JPEG); or the words of a refusal.
struct Seen {
  std::int64_t width = 0, height = 0, channels = 0;
  float first = 0;
};
struct Odd {
  std::string name;
  std::function<void(const fs::path&)> make;
  std::optional<Seen> seen;
  std::vector<std::string> refusal = {};
};

std::function<void(const fs::path&)> bytes(std::string content) {
  return [content = std::move(content)](const fs::path& file) { write_file(file, content); };
}

Odd read(const std::string& name, const std::string& content, const Seen& seen) {
  return {name, bytes(content), seen};
}

Odd refused(const std::string& name, const std::string& content,
            const std::vector<std::string>& words) {
  return {name, bytes(content), std::nullopt, words};
}

/// 2 x 1 pixels, white first.
std::string png(const test::PngParts& parts) {
  return make_png(parts);
}

std::string good_png() {
  return png({.width = 2, .height = 1, .scanlines = bytes_of({0, 255, 0})});
}

std::string good_jpeg(const test::JpegForm& form = {}) {
  const Image image = test::make_image(16, 8, 3, [](auto, auto, auto) { return 204; });
  return test::jpeg_bytes(image, form);
}

std::vector<Odd> odd_pngs() {
  using test::PngParts;
  const PngParts bit{.width = 2, .height = 1, .depth = 1, .scanlines = bytes_of({0, 0x80})};
  const PngParts deep{
      .width = 2, .height = 1, .depth = 16, .scanlines = bytes_of({0, 255, 255, 0, 0})};
  const PngParts palette{.width = 2,
                         .height = 1,
                         .color = test::png_palette,
                         .palette = bytes_of({0, 0, 0, 255, 0, 0}),
                         .scanlines = bytes_of({0, 1, 0})};
  PngParts keyed = palette;
  keyed.transparency = bytes_of({0, 255});
  const PngParts gray_alpha{.width = 2,
                            .height = 1,
                            .color = test::png_gray_alpha,
                            .scanlines = bytes_of({0, 255, 0, 0, 255})};
  const PngParts rgba{.width = 2,
                      .height = 1,
                      .color = test::png_rgba,
                      .scanlines = bytes_of({0, 255, 0, 0, 0, 0, 0, 0, 255})};
  const PngParts interlaced{
      .width = 2, .height = 2, .interlace = 1, .scanlines = bytes_of({0, 255, 0, 0, 0, 0, 0})};
  PngParts huge{.width = 60000, .height = 60000, .scanlines = bytes_of({0})};
  PngParts large{.width = 20000,
                 .height = 20000,
                 .depth = 16,
                 .color = test::png_rgb,
                 .scanlines = bytes_of({0})};
  PngParts short_data{.width = 9, .height = 9, .scanlines = bytes_of({0, 1, 2, 3})};
  const std::string good = good_png();
  return {read("plain.png", good, {2, 1, 1, 1}),
          read("one bit.png", png(bit), {2, 1, 1, 1}),
          read("16 bit.png", png(deep), {2, 1, 1, 1}),
          read("palette.png", png(palette), {2, 1, 3, 1}),
          read("palette with alpha.png", png(keyed), {2, 1, 3, 1}),
          read("gray and alpha.png", png(gray_alpha), {2, 1, 1, 1}),
          read("rgba.png", png(rgba), {2, 1, 3, 1}),
          read("interlaced.png", png(interlaced), {2, 2, 1, 1}),
          read("really a png.jpg", good, {2, 1, 1, 1}),
          read("no suffix", good, {2, 1, 1, 1}),
          read("tail of junk.png", good + std::string(100, 'x'), {2, 1, 1, 1}),
          read("[brackets] (1) {2}.png", good, {2, 1, 1, 1}),
          read("  blanks  .png", good, {2, 1, 1, 1}),
          read("\xc3\xa4\xe6\x97\xa5\xe6\x9c\xac.png", good, {2, 1, 1, 1}),
          read("latin\xe4.png", good, {2, 1, 1, 1}),
          read("quote'\"$&;.png", good, {2, 1, 1, 1}),
          read("line\nbreak.png", good, {2, 1, 1, 1}),
          read(std::string(200, 'n') + ".png", good, {2, 1, 1, 1}),
          read("two.dots.png", good, {2, 1, 1, 1}),
          refused("huge header.png", png(huge), {"60000 x 60000", "1.1 GB", "tiles"}),
          refused("large.png", png(large), {"20000 x 20000", "6 bytes"}),
          refused("short.png", png(short_data), {"broken PNG"}),
          refused("cut.png", good.substr(0, good.size() - 20), {"broken PNG"}),
          refused("header alone.png", good.substr(0, 8), {"broken PNG"})};
}

std::vector<Odd> odd_jpegs() {
  const auto cmyk = [] {
    const Image four = test::make_image(8, 8, 4, [](auto, auto, auto) { return 40; });
    return test::jpeg_bytes(four);
  };
  const auto gray = [] {
    const Image one = test::make_image(8, 8, 1, [](auto, auto, auto) { return 51; });
    return test::jpeg_bytes(one);
  };
  test::JpegForm progressive;
  progressive.progressive = true;
  test::JpegForm turned;
  turned.exif = {test::exif_block(false, 6)};
  // So much before the frame that its size is not in the first bytes of the file.
  test::JpegForm prefaced;
  prefaced.exif.assign(6, "http://ns.adobe.com/xap/1.0/" + std::string(60000, ' '));
  const std::string good = good_jpeg();
  return {read("plain.jpg", good, {16, 8, 3, 0.8F}),
          read("progressive.jpg", good_jpeg(progressive), {16, 8, 3, 0.8F}),
          read("turned.jpg", good_jpeg(turned), {8, 16, 3, 0.8F}),
          read("long preface.jpg", good_jpeg(prefaced), {16, 8, 3, 0.8F}),
          read("gray.jpeg", gray(), {8, 8, 1, 0.2F}),
          read("really a jpeg.png", good, {16, 8, 3, 0.8F}),
          refused("cmyk.jpg", cmyk(), {"CMYK", "RGB"}),
          refused("cut.jpg", good.substr(0, good.size() / 2), {"broken JPEG"}),
          refused("start alone.jpg", good.substr(0, 3), {"broken JPEG"})};
}

std::vector<Odd> odd_tiffs() {
  const std::vector<std::string> row{bytes_of({255, 0})};
  const TiffForm plain{.width = 2, .height = 1};
  TiffForm bit{.width = 2, .height = 1, .bits = 1};
  TiffForm white = plain;
  white.photometric = PHOTOMETRIC_MINISWHITE;
  TiffForm deep{.width = 1, .height = 1, .bits = 16, .big_endian = true};
  TiffForm rgba{.width = 1, .height = 1, .samples = 4, .photometric = PHOTOMETRIC_RGB};
  TiffForm cmyk{.width = 1, .height = 1, .samples = 4, .photometric = PHOTOMETRIC_SEPARATED};
  TiffForm wide = plain;
  wide.wide = true;
  const std::string good = tiff_bytes(plain, row);
  // The width made huge: the entry of tag 256, a SHORT.
  std::string bomb = good;
  const std::size_t entry = bomb.find(std::string("\x00\x01\x03\x00\x01\x00\x00\x00", 8));
  bomb.replace(entry + 8, 2, std::string("\x00\x60", 2));
  return {read("plain.tif", good, {2, 1, 1, 1}),
          read("one bit.tiff", tiff_bytes(bit, {bytes_of({0x80})}), {2, 1, 1, 1}),
          read("white is zero.tif", tiff_bytes(white, {bytes_of({0, 255})}), {2, 1, 1, 1}),
          read("16 bit big endian.tif", tiff_bytes(deep, {bytes_of({255, 255})}), {1, 1, 1, 1}),
          read("rgba.tif", tiff_bytes(rgba, {bytes_of({255, 0, 0, 9})}), {1, 1, 3, 1}),
          read("BigTIFF.tif", tiff_bytes(wide, row), {2, 1, 1, 1}),
          refused("stack.tif", test::tiff_bytes({{plain, row}, {plain, row}}), {"2 pictures"}),
          refused("cmyk.tif", tiff_bytes(cmyk, {bytes_of({0, 0, 0, 0})}), {"convert"}),
          refused("bomb.tif", bomb, {"24576 x 1", "more than a file of its size"}),
          refused("cut.tif", good.substr(0, good.size() / 2), {"broken TIFF"}),
          refused("start alone.tif", std::string("II*\0", 4), {"broken TIFF"})};
}

std::vector<Odd> odd_others() {
  const std::vector<GifColorType> palette{{0, 0, 0}, {255, 255, 255}};
  const test::GifFrame frame{.width = 2, .height = 1, .indices = bytes_of({1, 0})};
  const std::string gif =
      test::gif_bytes({.width = 2, .height = 1, .palette = palette, .frames = {frame}});
  const std::string film =
      test::gif_bytes({.width = 2, .height = 1, .palette = palette, .frames = {frame, frame}});
  test::BmpForm bmp{.width = 2, .height = 1, .pixels = bytes_of({255, 255, 255, 0, 0, 0, 0, 0})};
  test::BmpForm bomb = bmp;
  bomb.width = 30000;
  bomb.height = 10000;
  test::BmpForm jpeg_inside = bmp;
  jpeg_inside.coding = 4;
  test::BmpForm run_bomb{.width = 16000,
                         .height = 16000,
                         .bits = 8,
                         .coding = 1,
                         .palette = {0},
                         .pixels = bytes_of({0, 1})};
  const std::string good = test::make_bmp(bmp);
  const std::string npy = npy_header(NpyType::f32, {1, 2}) + std::string("\0\0\x80\x3f\0\0\0\0", 8);
  return {
      read("plain.gif", gif, {2, 1, 3, 1}),
      refused("film.gif", film, {"animation"}),
      refused("cut.gif", gif.substr(0, gif.size() / 2), {"GIF"}),
      read("plain.bmp", good, {2, 1, 3, 1}),
      refused("bomb.bmp", test::make_bmp(bomb), {"30000 x 10000", "do not fit"}),
      refused("jpeg inside.bmp", test::make_bmp(jpeg_inside), {"coding 4"}),
      refused("run bomb.bmp", test::make_bmp(run_bomb), {"more than a file of its size"}),
      refused("cut.bmp", good.substr(0, 30), {"broken BMP"}),
      read("plain.npy", npy, {2, 1, 1, 1}),
      refused("cut.npy", npy.substr(0, npy.size() - 1), {"npy"}),
      refused("empty.png", "", {"is empty"}),
      refused("pointer.png", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
              {"Git LFS", "git lfs pull"}),
      refused("page.jpg", "<!DOCTYPE html><html>404</html>", {"XML or HTML"}),
      refused("webp.png", std::string("RIFF\x24\0\0\0WEBPVP8 ", 16), {"broken WebP"}),
      refused("film.avi.png", std::string("RIFF\x24\0\0\0AVI LIST", 16), {"AVI", "convert"}),
      refused("phone.jpg",
              std::string("\0\0\0\x18"
                          "ftypheic\0\0\0\0",
                          16),
              {"HEIC", "export"}),
      refused("jpeg xl.jpg", std::string("\0\0\0\x0cJXL \r\n\x87\n", 12), {"JPEG XL"}),
      refused("layers.png", "8BPS", {"Photoshop"}),
      refused("volume.png", "NRRD0004", {"NRRD"}),
      refused("plain nifti.png", std::string(344, '\0') + std::string("n+1\0", 4), {"NIfTI"}),
      refused("dicom.png", std::string(128, '\0') + "DICM", {"DICOM"}),
      refused("packed.png", std::string("\x1f\x8b\x08\0", 4), {"gzip"}),
      refused("jpeg 2000.png", std::string("\0\0\0\x0cjP  \r\n\x87\n", 12), {"JPEG 2000"}),
      refused("text.png", "hello", {"not an image"}),
      refused("zeros.png", std::string(1000, '\0'), {"not an image"})};
}

std::vector<Odd> odd_entries() {
  std::vector<Odd> out;
  out.push_back({"pipe.png",
                 [](const fs::path& file) { ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0); },
                 std::nullopt,
                 {"regular file"}});
  out.push_back({"folder.png",
                 [](const fs::path& file) { fs::create_directory(file); },
                 std::nullopt,
                 {"regular file"}});
  out.push_back({"link to itself.png",
                 [](const fs::path& file) { fs::create_symlink(file.filename(), file); },
                 std::nullopt,
                 {"open"}});
  out.push_back({"link to nothing.png",
                 [](const fs::path& file) { fs::create_symlink("absent.png", file); },
                 std::nullopt,
                 {"open"}});
  out.push_back({"link to a file.png",
                 [](const fs::path& file) { fs::create_symlink("plain.png", file); },
                 Seen{2, 1, 1, 1}});
  out.push_back({"absent.jpg", [](const fs::path&) {}, std::nullopt, {"open"}});
  return out;
}

std::vector<Odd> corpus() {
  std::vector<Odd> out;
  for (auto part : {odd_pngs(), odd_jpegs(), odd_tiffs(), odd_others(), odd_entries()}) {
    std::move(part.begin(), part.end(), std::back_inserter(out));
  }
  return out;
}

std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

class OddFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const Odd& odd : odd_) odd.make(folder_.path() / odd.name);
    fs::create_directory_symlink(folder_.path(), folder_.path() / "loop");
  }
  test::TemporaryFolder folder_;
  std::vector<Odd> odd_ = corpus();
};

TEST_F(OddFiles, AreAtLeastFifty) {
  EXPECT_GE(odd_.size(), 50U);
}

TEST_F(OddFiles, AreReadRightOrRefusedByName) {
  const std::int64_t before = peak_memory();
  for (const Odd& odd : odd_) {
    const fs::path file = folder_.path() / odd.name;
    Image image;
    const auto refusal = test::refusal_of([&] { return image = read_image(file); });
    if (!odd.seen) {
      ASSERT_TRUE(refusal) << odd.name;
      EXPECT_EQ(refusal->kind, ErrorKind::failure) << odd.name;
      EXPECT_TRUE(refusal->names(odd.name)) << refusal->message;
      for (const std::string& word : odd.refusal) {
        EXPECT_TRUE(refusal->names(word)) << odd.name << ": " << refusal->message;
      }
      continue;
    }
    ASSERT_FALSE(refusal) << refusal->message;
    EXPECT_EQ(image.width, odd.seen->width) << odd.name;
    EXPECT_EQ(image.height, odd.seen->height) << odd.name;
    EXPECT_EQ(image.channels, odd.seen->channels) << odd.name;
    EXPECT_NEAR(image.value(0, 0, 0), odd.seen->first, 0.03) << odd.name;
    EXPECT_EQ(read_image_size(file), (ImageSize{image.width, image.height})) << odd.name;
  }
  EXPECT_LT(peak_memory() - before, std::int64_t{300} << 20) << "no header is taken at its word";
}

// The listing of a folder with all of them: what is no file is not there, the loop ends.
TEST_F(OddFiles, AreListedAndPairedWithoutHarm) {
  const std::vector<fs::path> files = list_files(folder_.path());
  const auto listed = [&](const std::string& name) {
    return std::find(files.begin(), files.end(), folder_.path() / name) != files.end();
  };
  EXPECT_TRUE(listed("plain.png"));
  EXPECT_TRUE(listed("link to nothing.png"));
  EXPECT_FALSE(listed("pipe.png"));
  EXPECT_FALSE(listed("folder.png"));
  EXPECT_LE(files.size(), odd_.size());
  const auto refusal = test::refusal_of([&] { return open_dataset(folder_.path()); });
  ASSERT_TRUE(refusal) << "no image here has a mask";
  EXPECT_EQ(refusal->kind, ErrorKind::failure);
}

}  // namespace
}  // namespace medurwkv::data
