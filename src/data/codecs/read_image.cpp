#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/codecs/arrays.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"

namespace medurwkv::data {
namespace {

/// Bytes that tell what a file is, and mostly its size.
constexpr std::size_t start_bytes = std::size_t{1} << 18;

/// Arrays and volumes, of which a part may be the image.
bool holds_several(const ImageSource& source) {
  return is_of_volume(source) ||
         array_file_kind(read_start(source.file, start_bytes)) != ArrayFile::none;
}

Image read_one_of_several(const ImageSource& source) {
  Image out = is_of_volume(source) ? read_volume_image(source) : read_array_image(source);
  if (source.slice) out.extent = Extent::slice;
  return out;
}

}  // namespace

std::string ImageSource::name() const {
  std::string out = file.string();
  if (!array.empty()) {
    out += concat(store ? " (" : " (array ", array, slice ? concat(", slice ", *slice) : "", ")");
  } else if (slice) {
    out += concat(" (slice ", *slice, ")");
  }
  return out;
}

std::vector<std::filesystem::path> ImageSource::files() const {
  if (!volume || !volume->dicom) return files_behind(file);
  std::vector<std::filesystem::path> out;
  for (const DicomSlice& one : volume->dicom->slices) {
    if (out.empty() || out.back() != one.file->file) out.push_back(one.file->file);
  }
  return out;
}

std::string sha256_of(const std::vector<std::filesystem::path>& files) {
  if (files.size() == 1) return sha256_file(files.front());
  std::string text;
  for (const std::filesystem::path& file : files) text += sha256_file(file);
  return sha256(text);
}

bool is_of_volume(const ImageSource& source) {
  return source.volume != nullptr || is_series(source.file) ||
         is_volume(source.file, read_start(source.file, start_bytes));
}

Volume volume_of(const ImageSource& source) {
  Volume out = source.volume ? *source.volume : read_volume(source.file);
  check_size(source.name(), out.columns, out.rows, 4 * out.channels);
  if (!source.slice && out.slices > 1) {
    throw_failure(concat(source.name(), ": is a volume of ", out.slices,
                         " slices, and one picture is wanted here; a set of volumes is read "
                         "slice by slice"));
  }
  if (source.slice && (*source.slice < 0 || *source.slice >= out.slices)) {
    throw_failure(concat(source.name(), ": the volume has ", out.slices, " slices"));
  }
  return out;
}

Image read_volume_image(const ImageSource& source) {
  const Volume volume = volume_of(source);
  const std::int64_t slice = source.slice.value_or(0);
  return volume.dicom ? dicom_slice(volume, slice) : read_slice(volume, slice);
}

Image read_image(const std::filesystem::path& path) {
  return read_image(ImageSource{path});
}

ImageSize read_image_size(const std::filesystem::path& path) {
  return read_image_size(ImageSource{path});
}

Image read_image(const ImageSource& source) {
  if (source.store) return source.store->image(source.array);
  if (holds_several(source)) return read_one_of_several(source);
  return decode_image(source.name(), read_file(source.file, file_limit)).image;
}

HashedImage read_hashed(const ImageSource& source) {
  if (source.store) return {source.store->image(source.array), {}};
  // Only a part of the file is read for the image.
  if (holds_several(source)) return {read_one_of_several(source), sha256_of(source.files())};
  const std::string bytes = read_file(source.file, file_limit);
  return {decode_image(source.name(), bytes).image, sha256(bytes)};
}

/// The size stands near the beginning, except in TIFF, and in files with much before it.
ImageSize read_image_size(const ImageSource& source) {
  if (source.store) return source.store->size(source.array);
  if (is_of_volume(source)) {
    const Volume volume = volume_of(source);
    return {volume.columns, volume.rows};
  }
  const std::string file = source.name();
  const std::string start = read_start(source.file, start_bytes);
  const FileKind kind = kind_of(file, start);
  if (kind == FileKind::arrays) return read_array_size(source);
  if (kind != FileKind::tiff) {
    try {
      return image_size(file, start);
    } catch (const Error&) {
      if (start.size() < start_bytes) throw;
    }
  }
  return image_size(file, read_file(source.file, file_limit));
}

}  // namespace medurwkv::data
