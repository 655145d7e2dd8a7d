// Bytes as a DICOM file, through libmedurwkv_dicom.so and so through DCMTK: what it says of its
// pixels, and its first and last frame, or an Error.
#include <memory>
#include <string>

#include "core/text.h"
#include "data/codecs/read.h"
#include "data/volumes/dicom.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"
#include "entry.h"
#include "scratch.h"

namespace {

namespace data = medurwkv::data;

constexpr std::int64_t fuzzed_pixels = 1 << 20;

void read_frames(std::string_view bytes) {
  // Without the preamble every file would be one.
  if (!data::is_dicom(bytes)) return;
  // A name for each: what is known of a file is kept.
  static std::uint64_t count = 0;
  const medurwkv::fuzz::ScratchFile file(medurwkv::concat("-", ++count, ".dcm"), bytes);
  const auto volume = std::make_shared<const data::Volume>(data::dicom_volume(file.path()));
  if (volume->columns * volume->rows > fuzzed_pixels) return;
  for (const std::int64_t slice : {std::int64_t{0}, volume->slices - 1}) {
    const data::Image image =
        data::read_volume_image({.file = file.path(), .slice = slice, .volume = volume});
    if (image.width != volume->columns || image.height != volume->rows) {
      medurwkv::throw_internal("a slice has another size than its volume");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, read_frames);
}
