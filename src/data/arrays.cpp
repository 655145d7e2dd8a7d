#include "data/arrays.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/zip.h"
#include "data/codecs.h"
#include "data/h5/entry.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr const char* h5_library_name = "libmedurwkv_h5.so";
constexpr std::size_t message_size = 256;

/// Beside the program in a build folder, in ../lib/medurwkv when installed.
std::optional<fs::path> h5_library_path() {
  if (const char* chosen = std::getenv("MEDURWKV_H5_LIBRARY")) return fs::path(chosen);
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  for (const fs::path& place :
       {program / h5_library_name, program.parent_path() / "lib/medurwkv" / h5_library_name}) {
    if (fs::exists(place)) return place;
  }
  return std::nullopt;
}

const MedurwkvH5Library& h5_library(const std::string& file) {
  const auto path = h5_library_path();
  void* handle = path ? dlopen(path->c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (handle == nullptr) {
    throw_failure(concat(file, ": is HDF5, which ", h5_library_name, " reads; ",
                         path ? dlerror() : "it is not beside the program",
                         "; build it (with libhdf5-dev) or save the arrays as .npz"));
  }
  using Entry = const MedurwkvH5Library* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, medurwkv_h5_symbol));
  if (entry == nullptr || entry()->abi != medurwkv_h5_abi) {
    throw_failure(concat(path->string(),
                         ": is of another version than the program; build both "
                         "together with `make build`"));
  }
  return *entry();
}

constexpr std::array<std::pair<MedurwkvH5Type, NpyType>, 9> h5_types{
    {{medurwkv_h5_u8, NpyType::u8},
     {medurwkv_h5_u16, NpyType::u16},
     {medurwkv_h5_u32, NpyType::u32},
     {medurwkv_h5_i8, NpyType::i8},
     {medurwkv_h5_i16, NpyType::i16},
     {medurwkv_h5_i32, NpyType::i32},
     {medurwkv_h5_i64, NpyType::i64},
     {medurwkv_h5_f32, NpyType::f32},
     {medurwkv_h5_f64, NpyType::f64}}};

void add_h5_array(void* user, const MedurwkvH5Array* array) {
  for (const auto& [theirs, ours] : h5_types) {
    if (theirs != array->type) continue;
    static_cast<std::vector<ArrayInfo>*>(user)->push_back(
        {array->name, ours, Shape(array->shape, array->shape + array->rank)});
  }
}

std::vector<ArrayInfo> list_h5(const fs::path& file) {
  const MedurwkvH5Library& library = h5_library(file.string());
  std::vector<ArrayInfo> out;
  std::array<char, message_size> message{};
  if (library.list(file.c_str(), &out, add_h5_array, message.data(), message.size()) != 0) {
    throw_failure(concat(file.string(), ": ", message.data()));
  }
  return out;
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
    NpyHeader header = parse_npy_header(what, archive.start(member, longest_npy_start));
    out.push_back({name, header.type, std::move(header.shape)});
  }
  return out;
}

/// The one array, or among several the one that is called an image.
ArrayInfo choose(const ImageSource& source, std::vector<ArrayInfo> arrays) {
  const auto named = [&](const std::string& name) {
    return std::find_if(arrays.begin(), arrays.end(),
                        [&](const ArrayInfo& one) { return one.name == name; });
  };
  std::vector<std::string> wanted{"image", "img"};
  if (!source.array.empty()) wanted = {source.array};
  if (source.array.empty() && arrays.size() == 1) wanted = {arrays.front().name};
  for (const std::string& name : wanted) {
    if (const auto found = named(name); found != arrays.end()) return *found;
  }
  std::vector<std::string> names;
  for (const ArrayInfo& one : arrays) names.push_back(shown(one.name));
  throw_failure(concat(source.file.string(), ": has no array named ", join(wanted, " or "),
                       "; it holds ", names.empty() ? "none" : join(names, ", ")));
}

struct Chosen {
  ArrayInfo info;
  ArrayPictures pictures;
};

/// The array that the source means, its size checked, its slice there.
Chosen choose(const ImageSource& source) {
  Chosen out{.info = choose(source, list_arrays(source.file)), .pictures = {}};
  const std::string what = source.name();
  out.pictures = pictures_of(what, out.info.shape);
  const auto& [size, channels, slices] = out.pictures;
  check_size(what, size.width, size.height, channels * 4);
  if (slices.has_value() != source.slice.has_value()) {
    throw_failure(slices ? concat(what, ": is a volume of ", *slices,
                                  " slices; save them as one array each, or as an image set")
                         : concat(what, ": is one picture, not a volume"));
  }
  if (slices && (*source.slice < 0 || *source.slice >= *slices)) {
    throw_failure(concat(what, ": the volume has ", *slices, " slices"));
  }
  return out;
}

/// The elements as an array of rows x columns (x channels).
NpyArray read_elements(const ImageSource& source, const Chosen& chosen) {
  const std::string what = source.name();
  const auto& [size, channels, slices] = chosen.pictures;
  const Shape shape{size.height, size.width, channels};
  const auto bytes = static_cast<std::size_t>(element_count(shape) * size_of(chosen.info.type));
  const ArrayFile kind = array_file_kind(read_start(source.file, 16));
  std::string elements;
  if (kind == ArrayFile::h5) {
    elements.resize(bytes);
    std::array<char, message_size> message{};
    const MedurwkvH5Library& library = h5_library(source.file.string());
    if (library.read(source.file.c_str(), chosen.info.name.c_str(), source.slice.value_or(-1),
                     elements.data(), bytes, message.data(), message.size()) != 0) {
      throw_failure(concat(what, ": ", message.data()));
    }
  } else {
    const std::string contents = read_file(source.file, file_limit);
    NpyArray all;
    if (kind == ArrayFile::npz) {
      const ZipArchive archive(source.file.string(), contents);
      const ZipMember* member = archive.find(chosen.info.name + ".npy");
      if (member == nullptr) throw_failure(concat(what, ": vanished while it was read"));
      all = NpyArray::parse(what, archive.read(*member, file_limit));
    } else {
      all = NpyArray::parse(what, contents);
    }
    const auto first = static_cast<std::size_t>(source.slice.value_or(0)) * bytes;
    elements = std::string(all.data().substr(first, bytes));
    if (elements.size() != bytes) throw_failure(concat(what, ": changed while it was read"));
  }
  return NpyArray::parse(what, npy_header(chosen.info.type, shape) + elements);
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
      return {{"", header.type, std::move(header.shape)}};
    }
    case ArrayFile::none: break;
  }
  static_cast<void>(kind_of(file.string(), start));
  throw_failure(concat(file.string(), ": holds an image, expected arrays (.npy, .npz or HDF5)"));
}

ArrayPictures pictures_of(const std::string& what, const Shape& shape) {
  constexpr std::int64_t most_channels = 4;
  if (shape.size() == 2) return {{shape[1], shape[0]}, 1, std::nullopt};
  if (shape.size() == 3 && shape[2] <= most_channels) {
    return {{shape[1], shape[0]}, shape[2], std::nullopt};
  }
  if (shape.size() == 3) return {{shape[2], shape[1]}, 1, shape[0]};
  throw_failure(concat(what, ": has the shape ", shape_text(shape),
                       "; read are rows x columns, rows x columns x channels and slices x rows x "
                       "columns"));
}

Image read_array_image(const ImageSource& source) {
  const Chosen chosen = choose(source);
  const NpyArray elements = read_elements(source, chosen);
  const auto& [size, channels, slices] = chosen.pictures;
  Image out{.width = size.width, .height = size.height, .channels = channels, .bytes = {}};
  if (chosen.info.type == NpyType::u8 || chosen.info.type == NpyType::u16) {
    out.type = chosen.info.type == NpyType::u8 ? SampleType::u8 : SampleType::u16;
    out.bytes.assign(elements.data().begin(), elements.data().end());
    return out;
  }
  const std::vector<float> values = elements.floats();
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
    throw_failure(concat(source.name(), ": holds values that are not finite"));
  }
  out.type = SampleType::f32;
  out.bytes.resize(values.size() * sizeof(float));
  std::memcpy(out.bytes.data(), values.data(), out.bytes.size());
  return out;
}

ImageSize read_array_size(const ImageSource& source) {
  return choose(source).pictures.size;
}

}  // namespace medurwkv::data
