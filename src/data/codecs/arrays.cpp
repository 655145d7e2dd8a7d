#include "data/codecs/arrays.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/own_library.h"
#include "core/text.h"
#include "core/zip.h"
#include "data/codecs/codecs.h"
#include "data/codecs/h5/entry.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr std::size_t message_size = 256;

const MedurwkvH5Library& h5_library(const std::string& file) {
  static constexpr ReadingLibrary library{
      .variable = "MEDURWKV_H5_LIBRARY",
      .name = "libmedurwkv_h5.so",
      .symbol = medurwkv_h5_symbol,
      .kind = "HDF5",
      .remedy = "build it (with libhdf5-dev) or save the arrays as .npz"};
  return open_library<MedurwkvH5Library>(library, medurwkv_h5_abi, file);
}

constexpr std::array<std::pair<MedurwkvH5Type, NpyType>, 11> h5_types{
    {{medurwkv_h5_bool, NpyType::boolean},
     {medurwkv_h5_u8, NpyType::u8},
     {medurwkv_h5_u16, NpyType::u16},
     {medurwkv_h5_u32, NpyType::u32},
     {medurwkv_h5_u64, NpyType::u64},
     {medurwkv_h5_i8, NpyType::i8},
     {medurwkv_h5_i16, NpyType::i16},
     {medurwkv_h5_i32, NpyType::i32},
     {medurwkv_h5_i64, NpyType::i64},
     {medurwkv_h5_f32, NpyType::f32},
     {medurwkv_h5_f64, NpyType::f64}}};

constexpr std::array<std::string_view, 2> image_names{"image", "img"};
constexpr std::array<std::string_view, 4> label_names{"label", "mask", "gt", "seg"};

template <std::size_t N>
bool is_one_of(const std::string& name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), lower(name)) != names.end();
}

/// Whether the name is one of an image or a label. Arrays of other names may be of types that are
/// not read, such as texts and Python objects.
bool means_pixels(const std::string& name) {
  return is_one_of(name, image_names) || is_one_of(name, label_names);
}

/// What a file of HDF5 lists. `unread`: names of what is no array of numbers.
struct H5List {
  std::vector<ArrayInfo> arrays;
  std::vector<std::string> unread;
};

void add_h5_array(void* user, const MedurwkvH5Array* array) {
  auto& list = *static_cast<H5List*>(user);
  for (const auto& [theirs, ours] : h5_types) {
    if (theirs != array->type) continue;
    list.arrays.push_back(
        {array->name, ours, Shape(array->shape, array->shape + array->rank), array->working});
    return;
  }
  list.unread.emplace_back(array->name);
}

/// Throws Error for an image or a label that is there and cannot be read: without it the rest of
/// the file would be taken for something else.
template <std::size_t N>
void refuse_unread(const fs::path& file, const H5List& list,
                   const std::array<std::string_view, N>& names) {
  for (const std::string& name : list.unread) {
    const auto stands_in = [&](const ArrayInfo& one) { return is_one_of(one.name, names); };
    if (!is_one_of(name, names) || std::any_of(list.arrays.begin(), list.arrays.end(), stands_in)) {
      continue;
    }
    throw_failure(concat(file.string(), " (array ", shown(name),
                         "): is not an array of numbers of a type that is read; save it as one of "
                         "uint8, uint16 or float32, in the file itself"));
  }
}

std::vector<ArrayInfo> list_h5(const fs::path& file) {
  const MedurwkvH5Library& library = h5_library(file.string());
  H5List out;
  std::array<char, message_size> message{};
  if (library.list(file.c_str(), &out, add_h5_array, message.data(), message.size()) != 0) {
    throw_failure(concat(file.string(), ": ", message.data()));
  }
  refuse_unread(file, out, image_names);
  refuse_unread(file, out, label_names);
  return std::move(out.arrays);
}

/// The name of an .npz member without .npy.
std::string array_name(std::string_view member) {
  constexpr std::string_view suffix = ".npy";
  if (!member.ends_with(suffix)) return "";
  return std::string(member.substr(0, member.size() - suffix.size()));
}

std::vector<ArrayInfo> list_npz(const fs::path& file) {
  const std::string bytes = read_file(file, file_limit);
  const ZipArchive archive(file.string(), bytes);
  std::vector<ArrayInfo> out;
  for (const ZipMember& member : archive.members()) {
    const std::string name = array_name(member.name);
    if (name.empty()) continue;
    const std::string what = concat(file.string(), " (array ", name, ")");
    try {
      NpyHeader header = parse_npy_header(what, archive.start(member, longest_npy_start));
      out.push_back(
          {name, header.type, std::move(header.shape), static_cast<std::int64_t>(member.size)});
    } catch (const Error&) {
      if (archive.members().size() == 1 || means_pixels(name)) throw;
    }
  }
  return out;
}

template <std::size_t N>
const ArrayInfo* find_array(const std::vector<ArrayInfo>& arrays,
                            const std::array<std::string_view, N>& names) {
  for (const std::string_view name : names) {
    for (const ArrayInfo& one : arrays) {
      if (lower(one.name) == name) return &one;
    }
  }
  return nullptr;
}

/// The bytes of an image whose channels lie one behind the other, reordered so that those of a
/// pixel lie together.
std::vector<unsigned char> channels_last(const Image& image) {
  std::vector<unsigned char> out(image.bytes.size());
  const auto channels = static_cast<std::size_t>(image.channels);
  const auto pixels = static_cast<std::size_t>(image.width * image.height);
  const std::size_t sample = out.size() / (channels * pixels);
  for (std::size_t i = 0; i < channels * pixels; ++i) {
    const std::size_t to = i % pixels * channels + i / pixels;
    std::memcpy(&out[to * sample], &image.bytes[i * sample], sample);
  }
  return out;
}

/// The array that the source names. Else the one whose name fits `use`. Else the only array, unless
/// its name fits the other use: a label is no image.
ArrayInfo choose(const ImageSource& source, const std::vector<ArrayInfo>& arrays, ArrayUse use) {
  const bool for_image = use == ArrayUse::image;
  if (source.array.empty()) {
    const ArrayInfo* wanted = for_image ? find_image(arrays) : find_label(arrays);
    const ArrayInfo* other = for_image ? find_label(arrays) : find_image(arrays);
    if (wanted != nullptr) return *wanted;
    if (arrays.size() == 1 && other == nullptr) return arrays.front();
  }
  std::vector<std::string> names;
  for (const ArrayInfo& one : arrays) {
    if (!source.array.empty() && one.name == source.array) return one;
    names.push_back(shown(one.name));
  }
  throw_failure(concat(source.file.string(), ": has no array named ",
                       !source.array.empty() ? source.array
                       : for_image ? join({image_names.begin(), image_names.end()}, " or ")
                                   : join({label_names.begin(), label_names.end()}, " or "),
                       "; it holds ", names.empty() ? "none" : join(names, ", ")));
}

struct Chosen {
  ArrayInfo info;
  ArrayPictures pictures;
};

/// How the array `chosen` lies in pictures: as one of the file's image and label, or by itself.
ArrayPictures pictures_in(const ImageSource& source, const std::vector<ArrayInfo>& arrays,
                          const ArrayInfo& chosen, ArrayUse use) {
  const ArrayInfo* image = find_image(arrays);
  const ArrayInfo* label = find_label(arrays);
  const bool paired = image != nullptr && label != nullptr &&
                      (chosen.name == image->name || chosen.name == label->name);
  ArrayPictures out;
  if (paired) {
    const PairedPictures pair = paired_pictures(source.file.string(), image->shape, label->shape);
    out = chosen.name == image->name ? pair.image : pair.label;
  } else {
    out = pictures_of(source.name(), chosen.shape);
  }
  if (source.slice || !out.slices) return out;
  const bool colors = !paired && use == ArrayUse::image && *out.slices == 3;
  if (colors || *out.slices == 1) {
    out.channels = *out.slices;
    out.channels_first = true;
    out.slices.reset();
  }
  return out;
}

/// The array that the source means, its size checked, its slice there.
Chosen choose(const ImageSource& source, ArrayUse use) {
  const std::vector<ArrayInfo> arrays = list_arrays(source.file);
  Chosen out{.info = choose(source, arrays, use), .pictures = {}};
  const std::string what = source.name();
  out.pictures = pictures_in(source, arrays, out.info, use);
  const auto& [size, channels, slices, first] = out.pictures;
  check_size(what, size.width, size.height, channels * 4);
  if (slices.has_value() != source.slice.has_value()) {
    throw_failure(slices ? concat(what, ": has the shape ", shape_text(out.info.shape),
                                  ", which is a volume of ", *slices,
                                  " slices; save these as one array each, or channels as the last "
                                  "axis")
                         : concat(what, ": is one picture, not a volume"));
  }
  if (slices && (*source.slice < 0 || *source.slice >= *slices)) {
    throw_failure(concat(what, ": the volume has ", *slices, " slices"));
  }
  return out;
}

/// Shape and bytes of the elements that are read.
struct Elements {
  Shape shape;  ///< rows x columns x channels, or channels x rows x columns
  std::int64_t count = 0;
  std::size_t bytes = 0;
};

Elements elements_of(const Chosen& chosen) {
  const ArrayPictures& pictures = chosen.pictures;
  const auto [width, height] = pictures.size;
  Elements out;
  out.shape = pictures.channels_first ? Shape{pictures.channels, height, width}
                                      : Shape{height, width, pictures.channels};
  out.count = element_count(out.shape);
  out.bytes = static_cast<std::size_t>(out.count * size_of(chosen.info.type));
  return out;
}

/// The most that reading takes: the file and what is unpacked of it, twice where an order of
/// elements or bytes is changed; the elements; and the image, twice where its channels come first.
std::int64_t memory_to_read(const ImageSource& source, const Chosen& chosen) {
  const Elements elements = elements_of(chosen);
  const std::int64_t image = elements.count * std::min<std::int64_t>(4, size_of(chosen.info.type));
  const ArrayFile kind = array_file_kind(read_start(source.file, 16));
  std::int64_t file = kind == ArrayFile::h5 ? 0 : chosen.info.working;
  if (kind == ArrayFile::npz) file += static_cast<std::int64_t>(fs::file_size(source.file));
  return static_cast<std::int64_t>(elements.bytes) + 2 * image + chosen.info.working + file;
}

std::string read_h5(const ImageSource& source, const Chosen& chosen, const Elements& elements) {
  const MedurwkvH5Library& library = h5_library(source.file.string());
  const char* name = chosen.info.name.c_str();
  const std::int64_t slice = source.slice.value_or(-1);
  std::array<char, message_size> message{};
  if (library.check(source.file.c_str(), name, slice, message.data(), message.size()) != 0) {
    throw_failure(concat(source.name(), ": ", message.data()));
  }
  std::string out = npy_header(chosen.info.type, elements.shape);
  const std::size_t start = out.size();
  out.resize(start + elements.bytes);
  if (library.read(source.file.c_str(), name, slice, out.data() + start, elements.bytes,
                   message.data(), message.size()) != 0) {
    throw_failure(concat(source.name(), ": ", message.data()));
  }
  return out;
}

std::string read_npy(const ImageSource& source, const Chosen& chosen, const Elements& elements) {
  const std::string what = source.name();
  std::string contents = read_file(source.file, file_limit);
  if (array_file_kind(contents) == ArrayFile::npz) {
    const ZipArchive archive(source.file.string(), contents);
    const ZipMember* member = archive.find(chosen.info.name + ".npy");
    if (member == nullptr) throw_failure(concat(what, ": vanished while it was read"));
    contents = archive.read(*member, file_limit);
  }
  const NpyArray all = NpyArray::parse(what, std::move(contents));
  const auto first = static_cast<std::size_t>(source.slice.value_or(0)) * elements.bytes;
  const std::string_view part = all.data().substr(std::min(first, all.data().size()));
  if (part.size() < elements.bytes) throw_failure(concat(what, ": changed while it was read"));
  std::string out = npy_header(chosen.info.type, elements.shape);
  out += part.substr(0, elements.bytes);
  return out;
}

/// The elements as an array of rows x columns x channels, or channels x rows x columns.
NpyArray read_elements(const ImageSource& source, const Chosen& chosen) {
  const Elements elements = elements_of(chosen);
  const bool h5 = array_file_kind(read_start(source.file, 16)) == ArrayFile::h5;
  return NpyArray::parse(
      source.name(), h5 ? read_h5(source, chosen, elements) : read_npy(source, chosen, elements));
}

}  // namespace

ArrayFile array_file_kind(std::string_view start) {
  if (start.starts_with("\x93NUMPY"sv)) return ArrayFile::npy;
  if (start.starts_with("PK\3\4"sv)) return ArrayFile::npz;
  if (start.starts_with("\x89HDF\r\n\x1a\n"sv)) return ArrayFile::h5;
  return ArrayFile::none;
}

std::vector<ArrayInfo> list_arrays(const fs::path& file) {
  const std::string start = read_start(file, longest_npy_start);
  switch (array_file_kind(start)) {
    case ArrayFile::npz: return list_npz(file);
    case ArrayFile::h5: return list_h5(file);
    case ArrayFile::npy: {
      NpyHeader header = parse_npy_header(file.string(), start);
      return {{"", header.type, std::move(header.shape),
               static_cast<std::int64_t>(fs::file_size(file))}};
    }
    case ArrayFile::none: break;
  }
  static_cast<void>(kind_of(file.string(), start));
  throw_failure(concat(file.string(), ": holds an image, expected arrays (.npy, .npz or HDF5)"));
}

const ArrayInfo* find_image(const std::vector<ArrayInfo>& arrays) {
  return find_array(arrays, image_names);
}

const ArrayInfo* find_label(const std::vector<ArrayInfo>& arrays) {
  return find_array(arrays, label_names);
}

PairedPictures paired_pictures(const std::string& what, const Shape& image, const Shape& label) {
  const auto misfit = [&](const std::string& remedy) {
    throw_failure(concat(what, ": its image is ", shape_text(image), ", its label ",
                         shape_text(label), "; ", remedy));
  };
  Shape flat = label;  // without an axis of 1 that the image does not have
  if (flat.size() == 3 && flat[2] == 1) {
    flat.pop_back();
  } else if (flat.size() == 3 && flat[0] == 1 && flat != image) {
    flat.erase(flat.begin());
  }
  if (image.size() != 3 || flat.size() != 2) {
    PairedPictures out{pictures_of(concat(what, " (array image)"), image),
                       pictures_of(concat(what, " (array label)"), flat)};
    if (out.image.size != out.label.size || out.image.slices != out.label.slices) {
      misfit("bring both to one size, the label with one number for each pixel");
    }
    return out;
  }
  const bool last = image[0] == flat[0] && image[1] == flat[1];
  const bool first = image[1] == flat[0] && image[2] == flat[1];
  if (!last && !first) {
    misfit("bring both to one size, the label with one number for each pixel");
  }
  if (last && first) {
    misfit(
        "which axis has the channels cannot be told: make the picture larger, or save it as TIFF");
  }
  const ImageSize size{flat[1], flat[0]};
  const std::int64_t channels = last ? image[2] : image[0];
  if (channels > most_channels) {
    misfit(concat("an image of ", channels, " channels: at most ", most_channels, " are read"));
  }
  return {{.size = size, .channels = channels, .channels_first = first}, {.size = size}};
}

ArrayPictures pictures_of(const std::string& what, const Shape& shape) {
  constexpr std::int64_t most_last = 4;
  if (shape.size() == 2) return {{shape[1], shape[0]}, 1, std::nullopt};
  if (shape.size() == 3 && shape[2] <= most_last) {
    return {{shape[1], shape[0]}, shape[2], std::nullopt};
  }
  if (shape.size() == 3) return {{shape[2], shape[1]}, 1, shape[0]};
  throw_failure(concat(what, ": has the shape ", shape_text(shape),
                       "; expected rows x columns, rows x columns x channels or slices x rows x "
                       "columns"));
}

Image read_array_image(const ImageSource& source, ArrayUse use) {
  const Chosen chosen = choose(source, use);
  const MemoryClaim claim(source.name(), memory_to_read(source, chosen));
  const NpyArray elements = read_elements(source, chosen);
  const ArrayPictures& pictures = chosen.pictures;
  Image out{.width = pictures.size.width,
            .height = pictures.size.height,
            .channels = pictures.channels,
            .bytes = {}};
  if (chosen.info.type == NpyType::u8 || chosen.info.type == NpyType::u16) {
    out.type = chosen.info.type == NpyType::u8 ? SampleType::u8 : SampleType::u16;
    out.bytes.assign(elements.data().begin(), elements.data().end());
  } else {
    const std::vector<float> values = elements.floats();
    out.type = SampleType::f32;
    out.bytes.resize(values.size() * sizeof(float));
    std::memcpy(out.bytes.data(), values.data(), out.bytes.size());
    check_finite(source.name(), out);
  }
  if (pictures.channels_first) out.bytes = channels_last(out);
  return out;
}

ImageSize read_array_size(const ImageSource& source) {
  return choose(source, ArrayUse::image).pictures.size;
}

std::int64_t read_array_channels(const ImageSource& source) {
  return choose(source, ArrayUse::image).pictures.channels;
}

}  // namespace medurwkv::data
