// An image that is read from top to bottom, a few rows at a time: PNG that is not interlaced, TIFF
// by its strips and tiles, any other format by decoding it first. Relies on data/codecs/read.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "data/codecs/read.h"
#include "data/image/image.h"

namespace medurwkv::data {

/// What an image's pixels are.
struct ImageForm {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t channels = 0;
  SampleType type = SampleType::u8;

  [[nodiscard]] ImageSize size() const { return {width, height}; }
  [[nodiscard]] std::int64_t row_bytes() const {
    return width * channels * (type == SampleType::u8 ? 1 : type == SampleType::u16 ? 2 : 4);
  }
};
/// The form of an image in memory.
ImageForm form_of(const Image& image);

class ImageRows {
 public:
  explicit ImageRows(const ImageForm& form) : form_(form) {}
  ImageRows(const ImageRows&) = delete;
  ImageRows& operator=(const ImageRows&) = delete;
  ImageRows(ImageRows&&) = delete;
  ImageRows& operator=(ImageRows&&) = delete;
  virtual ~ImageRows() = default;

  [[nodiscard]] const ImageForm& form() const { return form_; }

  /// Bytes that reading will take at the most, beside the rows that are given, `rows` at a time.
  [[nodiscard]] virtual std::int64_t memory(std::int64_t rows) const = 0;

  /// The next `rows` rows, as many as are left at the end, as an image of that height. The pixels
  /// are those of read_image. Throws Error naming the file as it does.
  [[nodiscard]] Image next(std::int64_t rows);

  /// The windows that the rows are given with: those of the whole image.
  [[nodiscard]] const std::vector<FoundWindows>& windows() const { return windows_; }
  void set_windows(std::vector<FoundWindows> windows) { windows_ = std::move(windows); }

 private:
  /// `count` rows from `first`, where the last call ended; at least one.
  virtual Image read(std::int64_t first, std::int64_t count) = 0;

  ImageForm form_;
  std::int64_t at_ = 0;
  std::vector<FoundWindows> windows_;
};

/// Opens what `source` names. Throws Error naming the file as read_image does, but an image that is
/// read by rows may have any size up to 2^20 pixels a side.
std::unique_ptr<ImageRows> open_rows(const ImageSource& source);

/// An image in memory, which must outlive the rows. They have its windows.
std::unique_ptr<ImageRows> rows_of(const Image& image);
/// The same, kept by the rows.
std::unique_ptr<ImageRows> rows_of(Image&& image);

}  // namespace medurwkv::data
