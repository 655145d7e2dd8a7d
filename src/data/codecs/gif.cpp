// GIF in, through giflib: the one picture of a file, as DRIVE's masks are.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {
namespace {

int read_bytes(GifFileType* gif, GifByteType* to, int count) {
  auto* rest = static_cast<std::string_view*>(gif->UserData);
  const std::size_t got = std::min(static_cast<std::size_t>(std::max(count, 0)), rest->size());
  std::memcpy(to, rest->data(), got);
  rest->remove_prefix(got);
  return static_cast<int>(got);
}

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

class Reader {
 public:
  Reader(std::string file, std::string_view bytes)
      : file_(std::move(file)), bytes_(bytes.size()), rest_(bytes) {
    int error = 0;
    gif_.reset(DGifOpen(&rest_, read_bytes, &error));
    if (gif_ == nullptr) fail(error);
    check_size(file_, gif_->SWidth, gif_->SHeight, 3);
  }

  [[nodiscard]] ImageSize size() const { return {gif_->SWidth, gif_->SHeight}; }

  DecodedImage read() {
    // An LZW code of 12 bits stands for 4096 pixels at most. A pixel takes an index and a colour.
    const MemoryClaim claim = claim_pixels(
        file_,
        {.size = size(), .bytes_per_pixel = 4, .most = static_cast<std::int64_t>(bytes_) * 2800});
    DecodedImage out;
    Image indices;
    bool found = false;
    for (GifRecordType kind = next(); kind != TERMINATE_RECORD_TYPE; kind = next()) {
      if (kind == EXTENSION_RECORD_TYPE) {
        pass_extension();
      } else if (kind == IMAGE_DESC_RECORD_TYPE) {
        if (found) {
          throw_failure(concat(file_, ": is an animation; save the picture that is meant as PNG"));
        }
        found = true;
        indices = read_picture(out.palette);
      }
    }
    if (!found) throw_failure(concat(file_, ": broken GIF: it holds no picture"));
    expand_palette(file_, std::move(indices), out);
    return out;
  }

 private:
  [[noreturn]] void fail(int error) {
    const char* text = GifErrorString(error);
    throw_failure(concat(file_, ": broken GIF: ", text != nullptr ? text : "it cannot be read"));
  }
  void check(int outcome) {
    if (outcome == GIF_ERROR) fail(gif_->Error);
  }

  GifRecordType next() {
    GifRecordType kind = UNDEFINED_RECORD_TYPE;
    check(DGifGetRecordType(gif_.get(), &kind));
    return kind;
  }

  void pass_extension() {
    int code = 0;
    GifByteType* block = nullptr;
    check(DGifGetExtension(gif_.get(), &code, &block));
    while (block != nullptr) check(DGifGetExtensionNext(gif_.get(), &block));
  }

  /// The picture's indices on the whole screen, what it leaves out in the background's index.
  Image read_picture(std::vector<Color>& palette) {
    check(DGifGetImageDesc(gif_.get()));
    const GifImageDesc& area = gif_->Image;
    const ColorMapObject* colors = area.ColorMap != nullptr ? area.ColorMap : gif_->SColorMap;
    if (colors == nullptr) throw_failure(concat(file_, ": broken GIF: it has no palette"));
    if (area.Left < 0 || area.Top < 0 || area.Width < 1 || area.Height < 1 ||
        area.Left + area.Width > gif_->SWidth || area.Top + area.Height > gif_->SHeight) {
      throw_failure(concat(file_, ": broken GIF: its picture does not fit within its screen"));
    }
    for (int i = 0; i < colors->ColorCount; ++i) {
      palette.push_back({colors->Colors[i].Red, colors->Colors[i].Green, colors->Colors[i].Blue});
    }
    Image out{.width = gif_->SWidth, .height = gif_->SHeight, .channels = 1, .bytes = {}};
    out.bytes.assign(static_cast<std::size_t>(out.width * out.height),
                     static_cast<unsigned char>(gif_->SBackGroundColor));
    // Interlaced pictures hold every 8th row, then those between.
    const std::vector<std::pair<int, int>> passes =
        area.Interlace ? std::vector<std::pair<int, int>>{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
                       : std::vector<std::pair<int, int>>{{0, 1}};
    for (const auto& [first, step] : passes) {
      for (int y = first; y < area.Height; y += step) {
        const auto at = static_cast<std::size_t>((area.Top + y) * out.width + area.Left);
        check(DGifGetLine(gif_.get(), out.bytes.data() + at, area.Width));
      }
    }
    return out;
  }

  std::string file_;
  std::size_t bytes_;
  std::string_view rest_;
  std::unique_ptr<GifFileType, CloseGif> gif_;
};

}  // namespace

DecodedImage decode_gif(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read();
}

ImageSize gif_size(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).size();
}

}  // namespace medurwkv::data
