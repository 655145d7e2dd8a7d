#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/codecs/arrays.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"

namespace medurwkv::data {
namespace {

/// Bytes that tell what a file is, and mostly its size.
constexpr std::size_t start_bytes = std::size_t{1} << 18;

bool holds_arrays(const ImageSource& source) {
  return array_file_kind(read_start(source.file, start_bytes)) != ArrayFile::none;
}

}  // namespace

std::string ImageSource::name() const {
  std::string out = file.string();
  if (!array.empty())
    out += concat(" (array ", array, slice ? concat(", slice ", *slice) : "", ")");
  return out;
}

Image read_image(const std::filesystem::path& path) {
  return read_image(ImageSource{path});
}

ImageSize read_image_size(const std::filesystem::path& path) {
  return read_image_size(ImageSource{path});
}

Image read_image(const ImageSource& source) {
  if (source.store) return source.store->image(source.array);
  if (holds_arrays(source)) return read_array_image(source);
  return decode_image(source.name(), read_file(source.file, file_limit)).image;
}

HashedImage read_hashed(const ImageSource& source) {
  if (source.store) return {source.store->image(source.array), {}};
  // Of a file of arrays only a part is read for the image.
  if (holds_arrays(source)) return {read_array_image(source), sha256_file(source.file)};
  const std::string bytes = read_file(source.file, file_limit);
  return {decode_image(source.name(), bytes).image, sha256(bytes)};
}

/// The size stands near the beginning, except in TIFF, and in files with much before it.
ImageSize read_image_size(const ImageSource& source) {
  if (source.store) return source.store->size(source.array);
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
