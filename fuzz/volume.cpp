// Bytes as a file of NIfTI, NRRD or MetaImage: its header, and its first and last slice, or an
// Error. Files that a header names beside it are not there.
#include <memory>
#include <string>

#include "core/text.h"
#include "data/codecs/read.h"
#include "data/volumes/dicom.h"
#include "data/volumes/volume.h"
#include "entry.h"
#include "scratch.h"

namespace {

namespace data = medurwkv::data;

/// Unpacking a gigabyte is allowed, but slow under a fuzzer.
constexpr std::int64_t fuzzed_voxels = 1 << 20;

void read_slices(std::string_view bytes) {
  if (data::is_dicom(bytes)) return;
  // A name for each: what was unpacked of a file is kept.
  static std::uint64_t count = 0;
  const medurwkv::fuzz::ScratchFile file(medurwkv::concat("-", ++count, ".nii"), bytes);
  const auto volume = std::make_shared<const data::Volume>(data::read_volume(file.path()));
  if (volume->voxels() * volume->channels > fuzzed_voxels) return;
  for (const std::int64_t slice : {std::int64_t{0}, volume->slices - 1}) {
    const data::Image image =
        data::read_volume_image({.file = file.path(), .slice = slice, .volume = volume});
    if (image.width != volume->columns || image.height != volume->rows) {
      medurwkv::throw_internal("a slice has another size than its volume");
    }
  }
  const data::Volume turned =
      data::turned(*volume, {.axis = {2, 0, 1}, .flipped = {true, false, true}});
  static_cast<void>(data::read_slice(turned, turned.slices - 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, read_slices);
}
