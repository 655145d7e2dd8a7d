#include "data/codecs/image_rows.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {
namespace {

/// Rows of an image that is there as a whole.
class WholeRows : public ImageRows {
 public:
  explicit WholeRows(const Image& image) : ImageRows(form_of(image)), image_(&image) {
    set_windows(image.windows);
  }
  explicit WholeRows(Image&& image)
      : ImageRows(form_of(image)), kept_(std::move(image)), image_(&kept_) {
    set_windows(kept_.windows);
  }

  [[nodiscard]] std::int64_t memory(std::int64_t /*rows*/) const override { return 0; }

 private:
  Image read(std::int64_t first, std::int64_t count) override {
    Image out{.width = image_->width,
              .height = count,
              .channels = image_->channels,
              .type = image_->type,
              .bytes = {}};
    const auto begin = image_->bytes.begin() + first * form().row_bytes();
    out.bytes.assign(begin, begin + count * form().row_bytes());
    return out;
  }

  Image kept_;
  const Image* image_;
};

}  // namespace

ImageForm form_of(const Image& image) {
  return {image.width, image.height, image.channels, image.type};
}

Image ImageRows::next(std::int64_t rows) {
  const std::int64_t count = std::min(rows, form_.height - at_);
  if (count <= 0) throw_internal("rows beyond an image's end");
  Image out = read(at_, count);
  out.extent = Extent::rows;
  out.windows = windows_;
  at_ += count;
  return out;
}

std::unique_ptr<ImageRows> rows_of(const Image& image) {
  return std::make_unique<WholeRows>(image);
}

std::unique_ptr<ImageRows> rows_of(Image&& image) {
  return std::make_unique<WholeRows>(std::move(image));
}

std::unique_ptr<ImageRows> open_rows(const ImageSource& source) {
  if (!source.store) {
    const std::string file = source.name();
    const auto kind = known_kind(read_start(source.file, 16));
    std::unique_ptr<ImageRows> out;
    if (kind == FileKind::png) out = png_rows(file, FileBytes(source.file));
    if (kind == FileKind::tiff) out = tiff_rows(file, FileBytes(source.file));
    if (out) return out;
  }
  return rows_of(read_image(source));
}

}  // namespace medurwkv::data
