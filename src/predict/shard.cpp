#include "predict/shard.h"

#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/output.h"
#include "core/text.h"
#include "core/unicode.h"

namespace medurwkv::predict {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int most_shards = 1000000;

/// As many as a message names.
constexpr std::size_t most_named = 5;

std::string named(const std::vector<std::string>& all) {
  const std::size_t count = std::min(all.size(), most_named);
  std::string out = join({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)}, ", ");
  if (all.size() > count) out += concat(" and ", all.size() - count, " more");
  return out;
}

/// A shard's manifest, read.
struct Part {
  fs::path file;
  Shard shard;
  std::size_t images = 0;   ///< of the whole list
  std::string list_sha256;  ///< of the whole list
  Json manifest;
};

Part read_part(const fs::path& file) {
  try {
    Part out{.file = file,
             .shard = {},
             .images = 0,
             .list_sha256 = {},
             .manifest = Json::parse(read_file(file))};
    refuse_another_format(file, out.manifest);
    const Json& shard = out.manifest.at("shard");
    shard.at("index").get_to(out.shard.index);
    shard.at("count").get_to(out.shard.count);
    shard.at("images").get_to(out.images);
    shard.at("list_sha256").get_to(out.list_sha256);
    if (manifest_name_of(out.shard) != file.filename()) {
      throw_failure(concat(file.string(), ": says that it is of shard ", to_string(out.shard)));
    }
    return out;
  } catch (const Json::exception& broken) {
    throw_failure(concat(file.string(), ": is a broken manifest: ", shown(broken.what()),
                         "; run its shard again"));
  }
}

/// The manifests of shards in the folder, by their index.
std::map<int, Part> read_parts(const fs::path& out) {
  static const std::regex name("manifest-[0-9]+-of-[0-9]+\\.json");
  std::map<int, std::map<int, Part>> by_count;
  for (const fs::path& file : list_folder(out)) {
    if (!std::regex_match(file.filename().string(), name)) continue;
    Part part = read_part(out / file.filename());
    const Shard shard = part.shard;
    by_count[shard.count].emplace(shard.index, std::move(part));
  }
  if (by_count.empty()) {
    throw_failure(concat(out.string(), ": no manifest of a shard (", manifest_name_of({1, 2}),
                         ") to merge; predict --shard writes them"));
  }
  if (by_count.size() > 1) {
    throw_failure(concat(by_count.begin()->second.begin()->second.file.string(), " and ",
                         by_count.rbegin()->second.begin()->second.file.string(),
                         ": are of different numbers of shards; remove those that are not meant"));
  }
  return std::move(by_count.begin()->second);
}

void refuse_missing_shards(const fs::path& out, const std::map<int, Part>& parts) {
  const int count = parts.begin()->second.shard.count;
  std::vector<std::string> missing;
  std::vector<std::string> begun;
  for (int index = 1; index <= count; ++index) {
    const auto part = parts.find(index);
    const std::string name = to_string(Shard{index, count});
    if (part == parts.end()) {
      missing.push_back(name);
    } else if (!part->second.manifest.at("complete").get<bool>()) {
      begun.push_back(name);
    }
  }
  if (!missing.empty()) {
    throw_failure(concat(out.string(), ": ", missing.size(), " of ", count,
                         " shards are missing: ", named(missing), "; run predict --shard for ",
                         missing.size() == 1 ? "it" : "each"));
  }
  if (!begun.empty()) {
    throw_failure(concat(
        out.string(), ": ", begun.size(), " of ", count, " shards are not complete: ", named(begun),
        "; run predict --shard --continue for ", begun.size() == 1 ? "it" : "each"));
  }
}

/// What all shards must have in common. The models' files may lie elsewhere on another machine;
/// their content may not differ.
Json common(const Part& part) {
  Json out;
  for (const char* key : {"medurwkv", "models", "classes", "options", "temperature"}) {
    out[key] = part.manifest.at(key);
  }
  for (Json& model : out.at("models")) model.erase("file");
  return out;
}

void refuse_other_runs(const std::map<int, Part>& parts) {
  const Part& first = parts.begin()->second;
  const Json wanted = common(first);
  for (const auto& [index, part] : parts) {
    const Json own = common(part);
    for (const auto& [key, value] : own.items()) {
      if (value == wanted.at(key)) continue;
      const std::string what = key == "medurwkv" ? std::string("program versions") : key;
      throw_failure(concat(first.file.string(), " and ", part.file.string(),
                           ": were written with different ", what, " (",
                           shown(wanted.at(key).dump()), " and ", shown(value.dump()),
                           "); run the one that is not meant again"));
    }
    if (part.list_sha256 == first.list_sha256 && part.images == first.images) continue;
    throw_failure(concat(first.file.string(), " and ", part.file.string(),
                         ": are shards of different lists of images (", first.images, " and ",
                         part.images,
                         "); run predict --shard --continue for each, with the same "
                         "inputs"));
  }
}

/// Places of the list, filled by the shards' entries.
class Places {
 public:
  explicit Places(std::size_t count) : entries_(count) {}

  void add(const Part& part) {
    for (const Json& entry : part.manifest.at("images")) {
      put(part, entry);
      for (const Json& output : entry.at("outputs")) {
        const auto file = output.at("file").get<std::string>();
        if (!files_.insert(file).second) doubled_.push_back(file);
      }
    }
    for (const Json& entry : part.manifest.at("failed")) put(part, entry);
  }

  /// The entries in the list's order, each image once.
  [[nodiscard]] const std::vector<const Json*>& all(const fs::path& out) const {
    if (!doubled_.empty()) {
      throw_failure(concat(out.string(), ": ", doubled_.size(),
                           " images are in the shards' manifests twice: ", named(doubled_),
                           "; run their shards again with --force"));
    }
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i] == nullptr) missing.push_back(concat("number ", i + 1));
    }
    if (!missing.empty()) {
      throw_failure(concat(out.string(), ": ", missing.size(), " of ", entries_.size(),
                           " images of the list are in no shard's manifest: ", named(missing),
                           "; run predict --shard --continue for every shard"));
    }
    return entries_;
  }

 private:
  void put(const Part& part, const Json& entry) {
    const auto place = entry.at("place").get<std::size_t>();
    if (place >= entries_.size()) {
      throw_failure(concat(part.file.string(), ": has image ", place + 1, " of a list of ",
                           entries_.size(), "; run its shard again"));
    }
    if (entries_[place] != nullptr) doubled_.push_back(entry.at("input").get<std::string>());
    entries_[place] = &entry;
  }

  std::vector<const Json*> entries_;
  std::set<std::string> files_;
  std::vector<std::string> doubled_;
};

/// Files by the names that manifests have for them, for those whose bytes are no text.
class FilesByName {
 public:
  explicit FilesByName(fs::path folder) : folder_(std::move(folder)) {}

  fs::path find(const std::string& name) {
    const OutputPath plain = OutputPath(folder_) / name;
    std::error_code error;
    if (fs::is_regular_file(plain.path(), error)) return plain.path();
    const fs::path below = fs::path(name).parent_path();
    if (names_.insert(below).second) {
      const fs::path listed = (OutputPath(folder_) / below).path();
      if (!fs::is_directory(listed, error)) return {};
      for (const fs::path& file : list_folder(listed)) {
        const fs::path relative = below / file.filename();
        files_[readable(relative.generic_string())] = folder_ / relative;
      }
    }
    const auto found = files_.find(name);
    return found == files_.end() ? fs::path() : found->second;
  }

 private:
  fs::path folder_;
  std::set<fs::path> names_;  ///< folders that were listed
  std::map<std::string, fs::path> files_;
};

void refuse_changed_files(const fs::path& out, const std::vector<const Json*>& entries, int shards,
                          Listener& listener) {
  FilesByName files(out);
  std::vector<std::string> changed;
  std::set<std::string> again;
  std::int64_t done = 0;
  for (const Json* entry : entries) {
    throw_if_stopped(listener);
    for (const Json& output : entry->value("outputs", Json::array())) {
      const auto name = output.at("file").get<std::string>();
      const fs::path file = files.find(name);
      if (!file.empty() && sha256_file(file) == output.at("sha256").get<std::string>()) continue;
      changed.push_back(name);
      const auto mask = entry->at("outputs").at(0).at("file").get<std::string>();
      again.insert(to_string(Shard{shard_of(mask, shards), shards}));
    }
    listener.progress("checking", ++done, std::ssize(entries), "");
  }
  if (changed.empty()) return;
  throw_failure(
      concat(out.string(), ": ", changed.size(),
             " files are gone or no longer what the shards' manifests say: ", named(changed),
             "; run predict --shard --continue for ", named({again.begin(), again.end()})));
}

std::string merged_text(const Part& first, const std::vector<const Json*>& entries) {
  Json out = first.manifest;
  out.erase("shard");
  out["images"] = Json::array();
  out["failed"] = Json::array();
  for (const Json* entry : entries) {
    Json& list = out[entry->contains("error") ? "failed" : "images"];
    list.push_back(*entry);
    list.back().erase("place");
  }
  return manifest_text(out);
}

void refuse_another_manifest(const fs::path& file, const std::string& text, bool force) {
  if (force || !is_there(file)) return;
  std::error_code error;
  if (fs::is_regular_file(file, error) && read_file(file) == text) return;
  throw_failure(
      concat(file.string(), " exists and is not what these shards make; --force overwrites it"));
}

}  // namespace

Shard shard_from(const std::string& text) {
  Shard out;
  const char* end = text.data() + text.size();
  const auto [slash, wrong] = std::from_chars(text.data(), end, out.index);
  bool good = wrong == std::errc() && slash != end && *slash == '/';
  if (good) {
    const auto [stop, error] = std::from_chars(slash + 1, end, out.count);
    good = error == std::errc() && stop == end && out.index >= 1 && out.index <= out.count &&
           out.count <= most_shards;
  }
  if (!good) {
    throw_usage(concat("--shard ", text, ": expected I/N with I from 1 to N, as in 2/8"));
  }
  return out;
}

int shard_of(const fs::path& mask, int count) {
  // 15 hexadecimal digits fit into 64 bits.
  const std::uint64_t hash = std::stoull(sha256(mask.generic_string()).substr(0, 15), nullptr, 16);
  return static_cast<int>(hash % static_cast<std::uint64_t>(count)) + 1;
}

PartOfList take_shard(std::vector<Job>& jobs, const Shard& shard) {
  std::string names;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].place = i;
    names += jobs[i].outputs.front().file.generic_string();
    names += '\0';
  }
  PartOfList out{.shard = shard, .images = jobs.size(), .list_sha256 = sha256(names)};
  std::erase_if(jobs, [&](const Job& job) {
    return shard_of(job.outputs.front().file, shard.count) != shard.index;
  });
  return out;
}

Merged merge_shards(const fs::path& out, bool force, Listener& listener) {
  std::error_code error;
  if (!fs::is_directory(out, error)) {
    throw_failure(concat(out.string(), ": no folder with manifests of shards"));
  }
  const FolderLock lock(out);
  const std::map<int, Part> parts = read_parts(out);
  const Part& first = parts.begin()->second;
  const fs::path file = out / manifest_name;
  try {
    refuse_missing_shards(out, parts);
    refuse_other_runs(parts);
    Places places(first.images);
    for (const auto& [index, part] : parts) places.add(part);
    const std::vector<const Json*>& entries = places.all(out);
    refuse_changed_files(out, entries, first.shard.count, listener);
    const std::string text = merged_text(first, entries);
    refuse_another_manifest(file, text, force);
    remove_leftovers(out, {manifest_name});
    write_file(file, text);
    Merged merged{
        .shards = first.shard.count, .images = entries.size(), .failed = 0, .manifest = file};
    for (const Json* entry : entries) merged.failed += entry->contains("error") ? 1 : 0;
    return merged;
  } catch (const Json::exception& broken) {
    throw_failure(concat(out.string(), ": a manifest of a shard is broken: ", shown(broken.what()),
                         "; run the shards again"));
  }
}

}  // namespace medurwkv::predict
