// WebP in, through libwebp: the one picture of a file, lossy or lossless.
#include <webp/decode.h>
#include <webp/demux.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

const char* text_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY: return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "it uses what libwebp does not know";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return "it ends too early";
    default: return "its data are damaged";
  }
}

class Reader {
 public:
  Reader(std::string file, std::string_view bytes) : file_(std::move(file)), bytes_(bytes) {
    const VP8StatusCode status = WebPGetFeatures(start(), bytes_.size(), &features_);
    if (status != VP8_STATUS_OK) fail(text_of(status));
    if (features_.has_animation != 0) {
      throw_failure(concat(file_, ": is an animation; save the picture that is meant as PNG"));
    }
    // libwebp keeps 4 bytes of a lossless pixel beside ours.
    check_size(file_, features_.width, features_.height, 4 + samples());
    orientation_ = read_orientation();
  }

  /// The size as it is to be seen.
  [[nodiscard]] ImageSize size() const {
    const ImageSize stored{features_.width, features_.height};
    return orientation_ >= 5 ? ImageSize{stored.height, stored.width} : stored;
  }

  DecodedImage read() {
    const bool lossless = features_.format == 2;
    DecodedImage out{.image = {.width = features_.width,
                               .height = features_.height,
                               .channels = samples(),
                               .bytes = {}},
                     .lossy = !lossless};
    // A lossy block of 16 x 16 needs more than a bit for its modes. A lossless pixel may need none
    // at all; the best that libwebp writes is 26,000 pixels a byte.
    const std::int64_t best = lossless ? 100000 : 8 * 256;
    const MemoryClaim claim =
        claim_pixels(file_, {.size = {out.image.width, out.image.height},
                             .bytes_per_pixel = 4 + (orientation_ > 1 ? 2 : 1) * samples(),
                             .most = static_cast<std::int64_t>(bytes_.size()) * best});
    out.image.bytes.resize(
        static_cast<std::size_t>(out.image.width * out.image.height * out.image.channels));
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0) throw_internal("libwebp is of another version");
    config.output.colorspace = samples() == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = out.image.bytes.data();
    config.output.u.RGBA.stride = static_cast<int>(out.image.width * out.image.channels);
    config.output.u.RGBA.size = out.image.bytes.size();
    const VP8StatusCode status = WebPDecode(start(), bytes_.size(), &config);
    WebPFreeDecBuffer(&config.output);
    if (status != VP8_STATUS_OK) fail(text_of(status));
    if (samples() == 4) drop_alpha(out);
    out.image = oriented(std::move(out.image), orientation_);
    return out;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw_failure(concat(file_, ": broken WebP: ", what));
  }

  [[nodiscard]] const std::uint8_t* start() const {
    return reinterpret_cast<const std::uint8_t*>(bytes_.data());
  }

  [[nodiscard]] std::int64_t samples() const { return features_.has_alpha != 0 ? 4 : 3; }

  /// From the EXIF chunk, which lies behind the pixels. Throws Error for a file that announces one
  /// and ends before it.
  [[nodiscard]] int read_orientation() const {
    constexpr std::size_t flags = 20;
    if (bytes_.size() <= flags || bytes_.substr(12, 4) != "VP8X" ||
        (static_cast<unsigned>(bytes_[flags]) & EXIF_FLAG) == 0) {
      return 1;
    }
    const WebPData data{start(), bytes_.size()};
    const std::unique_ptr<WebPDemuxer, DeleteDemuxer> demuxer(WebPDemux(&data));
    if (demuxer == nullptr) fail("it ends too early");
    WebPChunkIterator chunk;
    if (WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) == 0) return 1;
    constexpr std::string_view magic("Exif\0\0", 6);
    std::string exif(reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size);
    WebPDemuxReleaseChunkIterator(&chunk);
    if (!exif.starts_with(magic)) exif.insert(0, magic);
    return exif_orientation(exif);
  }

  std::string file_;
  std::string_view bytes_;
  WebPBitstreamFeatures features_{};
  int orientation_ = 1;
};

}  // namespace

DecodedImage decode_webp(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read();
}

ImageSize webp_size(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).size();
}

}  // namespace medurwkv::data
