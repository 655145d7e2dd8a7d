#include "data/layout/pack.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/little_endian.h"
#include "core/memory.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/unicode.h"
#include "core/version.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"

namespace medurwkv::data {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int pack_version = 1;
constexpr std::string_view magic = "medurwkv-pack 1\n";
/// Start and size of the index, and its SHA-256 as text.
constexpr std::uint64_t trailer_bytes = 8 + 8 + 64;
constexpr std::uint64_t index_limit = std::uint64_t{1} << 30;

struct SampleName {
  SampleType type;
  const char* name;
  std::int64_t bytes;
};

constexpr std::array<SampleName, 3> sample_names{{{SampleType::u8, "uint8", 1},
                                                  {SampleType::u16, "uint16", 2},
                                                  {SampleType::f32, "float32", 4}}};

const SampleName& sample_of(SampleType type) {
  return *std::find_if(sample_names.begin(), sample_names.end(),
                       [&](const SampleName& one) { return one.type == type; });
}

[[noreturn]] void throw_broken(const std::string& file, const std::string& what) {
  throw_failure(concat(file, ": is a broken pack: ", shown(what), "; copy it again or pack again"));
}

/// A whole number of the index, at least 0.
std::uint64_t count_at(const json& from, const char* key) {
  const json& value = from.at(key);
  if (!value.is_number_unsigned()) throw std::domain_error(concat(key, " is not a whole number"));
  return value.get<std::uint64_t>();
}

Image form_from(const std::string& file, const json& from) {
  Image out;
  out.width =
      static_cast<std::int64_t>(std::min<std::uint64_t>(count_at(from, "width"), INT32_MAX));
  out.height =
      static_cast<std::int64_t>(std::min<std::uint64_t>(count_at(from, "height"), INT32_MAX));
  out.channels =
      static_cast<std::int64_t>(std::min<std::uint64_t>(count_at(from, "channels"), INT32_MAX));
  const auto type = from.at("type").get<std::string>();
  const auto* known = std::find_if(sample_names.begin(), sample_names.end(),
                                   [&](const SampleName& one) { return type == one.name; });
  if (known == sample_names.end()) throw std::domain_error("the sample type " + type);
  out.type = known->type;
  check_size(file, out.width, out.height, out.channels * known->bytes);
  if (from.contains("spacing")) {
    out.geometry = Geometry{from.at("spacing").get<std::array<double, 3>>(),
                            from.at("axes").get<std::array<double, 9>>()};
  }
  return out;
}

MaskEncoding encoding_named(const std::string& name) {
  try {
    return mask_encoding_from(name);
  } catch (const Error& error) {
    throw std::domain_error(error.what());
  }
}

Plane plane_named(const std::string& name) {
  try {
    return plane_from(name);
  } catch (const Error& error) {
    throw std::domain_error(error.what());
  }
}

json form_to(const Image& image) {
  json out{{"width", image.width},
           {"height", image.height},
           {"channels", image.channels},
           {"type", sample_of(image.type).name}};
  if (image.geometry) {
    out["spacing"] = image.geometry->spacing;
    out["axes"] = image.geometry->axes;
  }
  return out;
}

/// Deflated where that saves a third; else as it is, which is read faster.
std::string packed(std::string_view plain) {
  uLongf size = compressBound(plain.size());
  std::string out(size, '\0');
  constexpr int fast = 1;
  const int status = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                               reinterpret_cast<const Bytef*>(plain.data()), plain.size(), fast);
  if (status != Z_OK || 3 * size > 2 * plain.size()) return std::string(plain);
  out.resize(size);
  return out;
}

/// A case made ready for writing.
struct Ready {
  Image form;
  std::string image, labels;
};

Ready prepare(const Dataset& dataset, const Case& item) {
  Image image = read_image(item);
  const LabelMap labels = read_labels(dataset, item);
  Ready out;
  out.image = packed(as_text(std::span<const unsigned char>(image.bytes)));
  out.labels = packed(as_text(std::span<const std::uint8_t>(labels.labels)));
  image.bytes.clear();
  out.form = std::move(image);
  return out;
}

json case_to(const Case& item, const std::string& sha256) {
  json out{{"id", item.id}, {"group", item.group}, {"sha256", sha256}};
  if (!item.part.empty()) out["part"] = item.part;
  if (!item.stratum.empty()) out["stratum"] = item.stratum;
  if (!item.volume.empty()) {
    out["volume"] = item.volume;
    out["slice"] = item.slice;
    // Slices that are files of their own are images of their own.
    out["of_file"] = item.images.front().is_part() && item.images.front().slice.has_value();
  }
  return out;
}

Case case_from(const fs::path& file, const json& from) {
  Case out;
  out.id = from.at("id").get<std::string>();
  out.group = from.at("group").get<std::string>();
  out.part = from.value("part", "");
  out.stratum = from.value("stratum", "");
  out.volume = from.value("volume", "");
  out.slice = from.value("slice", std::int64_t{0});
  out.content = from.at("sha256").get<std::string>();
  if (out.id.empty()) throw std::domain_error("a case without id");
  const std::set<std::string> parts{"", "train", "val", "test"};
  if (!parts.contains(out.part)) throw std::domain_error("the part " + out.part);
  ImageSource source{.file = file};
  source.array = out.id;
  out.images = {source};
  out.masks = {source};
  return out;
}

std::string little_endian(std::uint64_t value) {
  return std::string(as_text(std::span<const std::uint64_t>(&value, 1)));
}

}  // namespace

bool is_pack(const fs::path& file) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return false;
  try {
    return read_start(file, magic.size()) == magic;
  } catch (const Error&) {
    return false;
  }
}

PackFile::PackFile(const fs::path& file) : name_(file.string()), file_(file) {
  const std::uint64_t size = file_.size();
  if (size < magic.size() + trailer_bytes) throw_broken(name_, "it ends too early");
  if (file_.read(0, magic.size()) != magic) throw_broken(name_, "it lacks a pack's signature");
  const std::uint64_t end = size - trailer_bytes;
  const std::string trailer = file_.read(end, trailer_bytes);
  const auto start = number_at<std::uint64_t>(trailer, 0);
  const auto length = number_at<std::uint64_t>(trailer, 8);
  if (start < magic.size() || !lies_within(start, length, end) || start + length != end ||
      length > index_limit) {
    throw_broken(name_, concat("its last ", trailer_bytes,
                               " bytes do not point to an index (is the file cut off?)"));
  }
  const std::string index = file_.read(start, length);
  if (sha256(index) != trailer.substr(16)) {
    throw_broken(name_, concat("the index at byte ", start, " does not match its checksum"));
  }
  read_index(index, start);
}

void PackFile::read_index(std::string_view index, std::uint64_t end) {
  std::string at = "the index";
  constexpr std::int64_t json_growth = 24;  // of its text, at most
  const MemoryClaim claim(name_ + " (its index)", json_growth * std::ssize(index));
  try {
    const json from = json::parse(index);
    if (from.at("format_version") != pack_version) {
      throw_failure(concat(name_, ": is of pack format ", from.at("format_version").dump(),
                           "; medurwkv ", medurwkv::version, " reads format ", pack_version));
    }
    encoding_ = encoding_named(from.at("mask_encoding").get<std::string>());
    layout_ = from.at("layout").get<std::string>();
    if (from.contains("plane")) plane_ = plane_named(from["plane"].get<std::string>());
    for (const json& one : from.at("classes")) {
      classes_.push_back({one.at("name").get<std::string>(), one.at("color").get<Color>()});
    }
    if (classes_.size() < 2 || classes_.size() > ignore_label) {
      throw std::domain_error(concat(classes_.size(), " classes"));
    }
    const std::string wrong = wrong_class_names(names_of(classes_));
    if (!wrong.empty()) throw std::domain_error(wrong);
    const auto piece_from = [&](const json& piece, std::uint64_t size) {
      Piece out{count_at(piece, "start"), count_at(piece, "bytes"), size,
                piece.at("sha256").get<std::string>()};
      if (out.start < magic.size() || !lies_within(out.start, out.packed, end)) {
        throw std::domain_error(concat("bytes ", out.start, " + ", out.packed, " of ", end));
      }
      // Deflate makes at most 1032 bytes of one.
      if (out.packed > size || size / 1032 > out.packed) {
        throw std::domain_error(concat(out.packed, " bytes for ", size));
      }
      return out;
    };
    for (const json& one : from.at("cases")) {
      at = concat("case ", entries_.size());
      Case item = case_from(name_, one);
      at = concat("case ", item.id);
      Entry entry{form_from(name_, one.at("image")), {}, {}, {}};
      const auto pixels = static_cast<std::uint64_t>(entry.form.width * entry.form.height);
      const auto sample =
          static_cast<std::uint64_t>(sample_of(entry.form.type).bytes * entry.form.channels);
      entry.image = piece_from(one.at("image"), pixels * sample);
      entry.labels = piece_from(one.at("labels"), pixels);
      if (!entries_.emplace(item.id, std::move(entry)).second) {
        throw std::domain_error("it is there twice");
      }
      if (!item.volume.empty()) {
        Entry& own = entries_.at(item.id);
        own.untold = !one.contains("of_file");
        if (own.untold || one["of_file"].get<bool>()) {
          own.volume = item.volume;
          own.form.extent = Extent::slice;
        }
      }
      cases_.push_back(std::move(item));
    }
  } catch (const json::exception& error) {
    throw_broken(name_, concat(at, ": ", error.what()));
  } catch (const std::domain_error& error) {
    throw_broken(name_, concat(at, ": ", error.what()));
  }
  std::vector<const Case*> slices;
  for (const Case& item : cases_) {
    if (!entries_.at(item.id).volume.empty()) slices.push_back(&item);
  }
  std::sort(slices.begin(), slices.end(), [](const Case* a, const Case* b) {
    return std::tie(a->volume, a->slice) < std::tie(b->volume, b->slice);
  });
  for (const Case* item : slices) volumes_[item->volume].push_back(item->id);
  std::sort(cases_.begin(), cases_.end(), [](const Case& a, const Case& b) { return a.id < b.id; });
}

const PackFile::Entry& PackFile::entry(const std::string& id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end()) throw_failure(concat(name_, ": holds no case ", id));
  return found->second;
}

std::string PackFile::unpacked(const std::string& what, const Piece& piece) const {
  // The packed bytes, the unpacked ones, and the image that is made of these.
  const MemoryClaim claim(concat(name_, " (", what, ")"),
                          static_cast<std::int64_t>(piece.packed + 2 * piece.size));
  std::string bytes = file_.read(piece.start, piece.packed);
  if (sha256(bytes) != piece.sha256) {
    throw_broken(name_, concat(what, " at byte ", piece.start, " does not match its checksum"));
  }
  if (piece.packed == piece.size) return bytes;
  std::string out(piece.size, '\0');
  uLongf size = out.size();
  const int status = uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (status != Z_OK || size != out.size()) {
    throw_broken(name_, concat(what, " at byte ", piece.start, " does not unpack to ", piece.size,
                               " bytes"));
  }
  return out;
}

Image PackFile::image(const std::string& id) const {
  const Entry& found = entry(id);
  Image out = found.form;
  const std::string bytes = unpacked("the image of " + id, found.image);
  out.bytes.assign(bytes.begin(), bytes.end());
  return out;
}

LabelMap PackFile::labels(const std::string& id) const {
  const Entry& found = entry(id);
  const std::string bytes = unpacked("the mask of " + id, found.labels);
  LabelMap out{found.form.width, found.form.height, {bytes.begin(), bytes.end()}};
  for (const std::uint8_t label : out.labels) {
    if (label >= classes_.size() && label != ignore_label) {
      throw_broken(name_, concat("the mask of ", id, " holds the class ", int{label}, " of ",
                                 classes_.size()));
    }
  }
  return out;
}

ImageSize PackFile::size(const std::string& id) const {
  const Image& form = entry(id).form;
  return {form.width, form.height};
}

std::int64_t PackFile::channels(const std::string& id) const {
  return entry(id).form.channels;
}

std::vector<std::string> PackFile::slices_beside(const std::string& id) const {
  const Entry& own = entry(id);
  if (own.untold) {
    throw_failure(concat(name_,
                         ": an earlier medurwkv packed it and did not write which cases are ",
                         "slices of one file, on which the window of a volume depends; pack again, "
                         "or take --set input.window_over=image"));
  }
  return own.volume.empty() ? std::vector{id} : volumes_.at(own.volume);
}

Layout pack_layout(const fs::path& file) {
  const auto pack = std::make_shared<const PackFile>(file);
  Layout out;
  out.name = pack->layout() + ", packed";
  out.cases = pack->cases();
  for (Case& item : out.cases) {
    item.images.front().store = pack;
    item.masks.front().store = pack;
  }
  out.classes = pack->classes();
  out.plane = pack->plane();
  out.pack = pack;
  return out;
}

void write_pack(const Dataset& dataset, const fs::path& file, Listener& listener) {
  const std::vector<Case>& cases = dataset.cases;
  for (const Case& item : cases) {
    if (is_utf8(item.id)) continue;
    throw_failure(concat(item.images.front().name(),
                         ": its name is not UTF-8, so no pack can hold it; rename it"));
  }
  const std::vector<std::string> hashes = case_hashes(dataset);
  json classes = json::array();
  for (const ClassInfo& one : dataset.classes) {
    classes.push_back({{"name", one.name}, {"color", one.color}});
  }
  json index{{"format", "medurwkv-pack"},
             {"format_version", pack_version},
             {"medurwkv", medurwkv::version},
             {"layout", dataset.layout},
             {"mask_encoding", to_string(dataset.encoding)},
             {"classes", classes},
             {"cases", json::array()}};
  if (dataset.plane != Plane::stored) index["plane"] = to_string(dataset.plane);
  write_file(file, [&](const AppendBytes& append) {
    std::uint64_t at = 0;
    const auto put = [&](std::string_view bytes) {
      append(bytes);
      at += bytes.size();
    };
    const auto piece = [&](const std::string& bytes) {
      json out{{"start", at}, {"bytes", bytes.size()}, {"sha256", sha256(bytes)}};
      put(bytes);
      return out;
    };
    put(magic);
    // The number of cases in memory at a time.
    const std::size_t block = 4 * static_cast<std::size_t>(thread_count());
    for (std::size_t first = 0; first < cases.size(); first += block) {
      std::vector<Ready> ready(std::min(block, cases.size() - first));
      for_each_case(ready.size(), "", listener,
                    [&](std::size_t i) { ready[i] = prepare(dataset, cases[first + i]); });
      for (std::size_t i = 0; i < ready.size(); ++i) {
        json one = case_to(cases[first + i], hashes[first + i]);
        one["image"] = form_to(ready[i].form);
        one["image"].update(piece(ready[i].image));
        one["labels"] = piece(ready[i].labels);
        index["cases"].push_back(std::move(one));
      }
      listener.progress("packing", static_cast<std::int64_t>(first + ready.size()),
                        std::ssize(cases), "");
    }
    const std::uint64_t start = at;
    const std::string text = index.dump();
    put(text);
    put(little_endian(start) + little_endian(text.size()) + sha256(text));
  });
}

}  // namespace medurwkv::data
