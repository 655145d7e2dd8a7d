#include "data/layout/named_pictures.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/text.h"
#include "core/unicode.h"
#include "data/layout/names.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// "train", "val", "test" or "" by the words of a name, whose digits are no part of a word:
/// instances_train2017.
std::string part_of_name(std::string name) {
  for (char& c : name) {
    if (c >= '0' && c <= '9') c = '_';
  }
  return part_of_folder(name);
}

/// The last names of a path in any system's writing; those that lead elsewhere are no names.
std::vector<std::string> names_in(const std::string& path) {
  std::string plain = nfc(path);
  std::replace(plain.begin(), plain.end(), '\\', '/');
  std::vector<std::string> out;
  for (std::string& name : split(plain, '/')) {
    if (!name.empty() && name != "." && name != "..") out.push_back(std::move(name));
  }
  return out;
}

/// How many names at the end of both are equal.
std::size_t shared_end(const std::vector<std::string>& names, const fs::path& relative) {
  std::vector<std::string> own;
  for (const fs::path& one : relative) own.push_back(one.string());
  std::size_t out = 0;
  while (out < names.size() && out < own.size() &&
         names[names.size() - 1 - out] == own[own.size() - 1 - out]) {
    ++out;
  }
  return out;
}

}  // namespace

std::string part_of_file(const fs::path& relative) {
  std::string part = part_by_folder(relative);
  return part.empty() ? part_of_name(relative.stem().string()) : part;
}

NamedPictures::NamedPictures(const fs::path& root, const std::vector<fs::path>& files)
    : root_(root) {
  for (const fs::path& file : files) {
    if (!has_image_suffix(file)) continue;
    NamedPicture picture{file, nfc(file.lexically_relative(root).string())};
    if (role_by_folder(picture.relative, false) == Role::passed) continue;
    by_name_[picture.relative.filename().string()].push_back(all_.size());
    by_stem_[picture.relative.stem().string()].push_back(all_.size());
    all_.push_back(std::move(picture));
  }
}

std::vector<std::size_t> NamedPictures::named(const std::string& name, const fs::path& file) const {
  const std::vector<std::string> names = names_in(name);
  if (names.empty()) return {};
  const auto found = by_name_.find(names.back());
  if (found == by_name_.end()) return {};
  std::size_t most = 0;
  for (const std::size_t i : found->second) {
    most = std::max(most, shared_end(names, all_[i].relative));
  }
  std::vector<std::size_t> out;
  for (const std::size_t i : found->second) {
    if (shared_end(names, all_[i].relative) == most) out.push_back(i);
  }
  return nearest(std::move(out), file);
}

std::vector<std::size_t> NamedPictures::called_as(const fs::path& file) const {
  const std::string stem = nfc(file.stem().string());
  std::vector<std::size_t> out;
  for (const auto* index : {&by_stem_, &by_name_}) {
    const auto found = index->find(stem);
    if (found != index->end()) out.insert(out.end(), found->second.begin(), found->second.end());
  }
  return nearest(std::move(out), file);
}

std::vector<std::size_t> NamedPictures::nearest(std::vector<std::size_t> some,
                                                const fs::path& file) const {
  if (some.size() < 2) return some;
  const fs::path relative = nfc(file.lexically_relative(root_).string());
  const auto beside = [&](std::size_t i) {
    return all_[i].relative.parent_path() == relative.parent_path();
  };
  const auto in_place = [&](std::size_t i) {
    return place_of(all_[i].relative) == place_of(relative);
  };
  const auto of_part = [&](std::size_t i) {
    std::string part;
    for (const fs::path& folder : all_[i].relative.parent_path()) {
      const std::string own = part_of_name(folder.string());
      if (!own.empty()) part = own;
    }
    return part == part_of_file(relative);
  };
  const auto narrowed = [&](const auto& fits) {
    std::vector<std::size_t> out;
    std::copy_if(some.begin(), some.end(), std::back_inserter(out), fits);
    return out;
  };
  for (std::vector<std::size_t> out : {narrowed(beside), narrowed(in_place), narrowed(of_part)}) {
    if (!out.empty()) return out;
  }
  return some;
}

}  // namespace medurwkv::data
