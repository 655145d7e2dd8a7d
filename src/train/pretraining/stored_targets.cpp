#include "train/pretraining/stored_targets.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/half.h"
#include "core/table.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

namespace fs = std::filesystem;

fs::path list_of(const fs::path& file) {
  fs::path out = file;
  return out.replace_extension(".csv");
}

}  // namespace

StoredTargets::StoredTargets(const fs::path& file)
    : file_(file), list_(list_of(file)), bytes_(std::make_shared<const MappedFile>(file)) {
  const std::string_view bytes = bytes_->bytes();
  const NpyHeader header =
      parse_npy_header(file.string(), bytes.substr(0, std::min(bytes.size(), longest_npy_start)));
  type_ = header.type;
  const Shape& shape = header.shape;
  const bool known = type_ == NpyType::f16 || type_ == NpyType::f32;
  if (!known || header.fortran || header.swapped || (shape.size() != 2 && shape.size() != 4)) {
    throw_failure(concat(file.string(), ": is an array of ", to_string(type_), " and ",
                         shape_text(shape),
                         header.fortran   ? " in Fortran order"
                         : header.swapped ? ", big endian"
                                          : "",
                         "; expected float16 or float32, N x D or N x height x width x D"));
  }
  const std::uint64_t size =
      static_cast<std::uint64_t>(element_count(shape)) * static_cast<std::uint64_t>(size_of(type_));
  if (bytes.size() != header.start + size) {
    throw_failure(concat(file.string(), ": has ", bytes.size(), " bytes, its header says ",
                         header.start + size));
  }
  start_ = header.start;
  output_ = shape.size() == 2 ? Shape{shape[1]} : Shape{shape[3], shape[1], shape[2]};
  const Table table = read_table(list_);
  const std::size_t ids = table.column("id");
  const std::size_t hashes = table.column("sha256");
  for (const Table::Row& row : table.rows()) {
    const Row one{.index = rows_.size(), .sha256 = row.fields[hashes]};
    if (!rows_.emplace(row.fields[ids], one).second) {
      throw_failure(concat(list_.string(), ": line ", row.line, ": ", shown(row.fields[ids]),
                           " is there twice"));
    }
  }
  if (std::ssize(rows_) != shape[0]) {
    throw_failure(concat(list_.string(), ": names ", rows_.size(), " pictures, ", file.string(),
                         " has ", shape[0], " rows"));
  }
}

const StoredTargets::Row& StoredTargets::row(const std::string& id) const {
  const auto found = rows_.find(id);
  if (found == rows_.end()) {
    throw_failure(concat(list_.string(), ": has no row for ", shown(id),
                         "; store the targets of every picture, or leave that one out of the set"));
  }
  return found->second;
}

void StoredTargets::check(const std::string& id, const std::string& sha256) const {
  const Row& stored = row(id);
  if (stored.sha256 == sha256) return;
  throw_failure(concat(list_.string(), ": the picture ", shown(id),
                       " is not the one that its targets were made from: its file has the SHA-256 ",
                       sha256, ", the list says ", shown(stored.sha256)));
}

std::vector<float> StoredTargets::of(const std::string& id, const data::Affine& box) const {
  bytes_->check_same();
  const auto count = static_cast<std::size_t>(element_count(output_));
  const auto width = static_cast<std::size_t>(size_of(type_));
  const char* from = bytes_->bytes().data() + start_ + row(id).index * count * width;
  std::vector<float> values(count);
  if (type_ == NpyType::f32) {
    std::memcpy(values.data(), from, count * width);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, from + 2 * i, 2);
      values[i] = static_cast<float>(half_to_double(half));
    }
  }
  if (output_.size() == 1) return values;
  const std::int64_t depth = output_[0];
  const std::int64_t height = output_[1];
  const std::int64_t across = output_[2];
  const std::vector<float> cut =
      data::resample_map(values.data(), height, across, depth, box, {across, height});
  // Channels first, as LibTorch has maps.
  std::vector<float> out(count);
  const auto places = static_cast<std::size_t>(height * across);
  for (std::size_t place = 0; place < places; ++place) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(depth); ++c) {
      out[c * places + place] = cut[place * static_cast<std::size_t>(depth) + c];
    }
  }
  return out;
}

}  // namespace medurwkv::train
