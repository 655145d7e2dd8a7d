#include "data/check/repair.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/case_loop.h"
#include "core/error.h"
#include "core/file_name.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/identity.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/check/checks.h"
#include "data/check/repair_volumes.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/image/geometry.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Every case must be one image file.
void check_cases(const Examination& set) {
  for (const Case& item : set.layout.cases) {
    if (item.images.size() == 1 && !item.images.front().is_part()) continue;
    throw_usage(concat(
        item.images.front().name(),
        ": a set of arrays, of several files per image, or of volumes and pictures cannot be "
        "repaired; remove by hand what `data check` reports"));
  }
}

/// The suffix by which programs know the contents.
std::string suffix_of(const fs::path& file) {
  return suffix_of_contents(read_start(file, 8)).value_or(lower(file.extension().string()));
}

/// A name that every system can hold: no folders, no bytes that are not UTF-8, none that differs
/// from another by case alone.
class Names {
 public:
  std::string give(const std::string& id) {
    std::string name;
    for (const char c : id) {
      const auto byte = static_cast<unsigned char>(c);
      name += c == '/' || byte < 32 ? '_' : c;
    }
    if (!is_utf8(name)) {
      for (char& c : name) {
        if (static_cast<unsigned char>(c) > 126) c = '_';
      }
    }
    // Image and mask have one stem, so it leaves room for any suffix.
    constexpr std::size_t room = longest_name - 16;
    std::string unique = shortened(name, room);
    for (int k = 2; !taken_.insert(lower(unique)).second; ++k) {
      unique = shortened(concat(name, "_", k), room);
    }
    return unique;
  }

 private:
  std::set<std::string> taken_;
};

/// Labels at the image's size, where they can be had; `what` says what was done for it.
std::optional<LabelMap> repaired_labels(const Examination& set, std::size_t i, std::string& what) {
  const CaseFacts& facts = set.facts[i];
  const Case& item = set.layout.cases[i];
  if (facts.shape) return read_labels(set.dataset, item);
  if (!facts.size || !facts.masks_read || item.masks.size() != 1) return std::nullopt;
  const MaskPixels mask = read_mask(item.masks.front());
  MaskEncoding encoding = set.dataset.encoding;
  if (facts.odd_encoding) {
    const auto own = encoding_from_values(facts.use);
    if (!own) return std::nullopt;
    what = concat("mask brought from ", to_string(*own), " to ", to_string(encoding));
    encoding = *own;
  }
  LabelMap labels = labels_from(item.masks.front().name(), encoding, mask, set.dataset.classes);
  for (const std::uint8_t label : labels.labels) {
    if (label >= set.dataset.classes.size() && label != ignore_label) return std::nullopt;
  }
  if (mask.width == facts.size->width && mask.height == facts.size->height) return labels;
  const double stretch = static_cast<double>(mask.width * facts.size->height) /
                         static_cast<double>(mask.height * facts.size->width);
  if (stretch < 0.98 || stretch > 1.02) return std::nullopt;
  what += concat(what.empty() ? "" : "; ", "mask resized from ", mask.width, " x ", mask.height,
                 " to ", facts.size->width, " x ", facts.size->height);
  return resize_nearest(labels, *facts.size);
}

/// A mask as PNG. `binary`: 0 and 255, which everybody reads; else, for more classes or ignored
/// pixels, a palette of the indices.
std::string mask_png(const LabelMap& labels, const std::vector<ClassInfo>& classes, bool binary) {
  if (!binary) return encode_png(labels, classes);
  Image image{.width = labels.width, .height = labels.height, .channels = 1, .bytes = {}};
  image.bytes.reserve(labels.labels.size());
  for (const std::uint8_t label : labels.labels) image.bytes.push_back(label == 0 ? 0 : 255);
  return encode_png(image);
}

/// Why a case is left out, by case; none where it stays.
class Verdicts {
 public:
  Verdicts(const Examination& set, Listener& listener) : set_(set), reasons_(set.facts.size()) {
    for (std::size_t i = 0; i < set.facts.size(); ++i) judge_files(i);
    const std::vector<std::vector<Twin>> twins = find_twins(set, listener);
    for (std::size_t i = 0; i < twins.size(); ++i) {
      for (const Twin& twin : twins[i]) judge_twins(twin.other, i, twin.equal);
    }
  }
  [[nodiscard]] const std::string& reason(std::size_t i) const { return reasons_[i]; }

 private:
  void judge_files(std::size_t i) {
    for (const Fault& fault : set_.facts[i].faults) {
      const bool kept = fault.severity == Severity::warning || fault.kind == "mixed-encoding" ||
                        fault.kind == "size-mismatch";
      if (!kept) reasons_[i] = concat(fault.kind, ": ", fault.what);
    }
    const std::string& id = set_.layout.cases[i].id;
    for (const std::string& name : set_.layout.ambiguous) {
      if (name == id || name.ends_with("/" + id)) reasons_[i] = "two images have its name";
    }
  }

  /// Leaves out both where equal images have different masks, else one. Of twins in two parts the
  /// one in the later part (train, val, test) stays.
  void judge_twins(std::size_t first, std::size_t second, bool equal) {
    const Case& a = set_.layout.cases[first];
    const Case& b = set_.layout.cases[second];
    const bool crosses = !a.part.empty() && !b.part.empty() && a.part != b.part;
    if (!equal && !(crosses && a.group != b.group)) return;
    const bool same_mask = have_same_labels(set_.facts[first], set_.facts[second]);
    if (equal && !same_mask) {
      leave_out(first, concat("equal to ", b.id, ", with another mask"));
      leave_out(second, concat("equal to ", a.id, ", with another mask"));
      return;
    }
    const auto rank = [](const std::string& part) {
      return part == "test" ? 2 : part == "val" ? 1 : 0;
    };
    const bool keep_first = !crosses || rank(a.part) > rank(b.part);
    const Case& kept = keep_first ? a : b;
    leave_out(keep_first ? second : first, concat(equal ? "equal to " : "looks like ", kept.id,
                                                  kept.part.empty() ? "" : " in ", kept.part));
  }

  void leave_out(std::size_t i, const std::string& reason) {
    if (reasons_[i].empty()) reasons_[i] = reason;
  }

  const Examination& set_;
  std::vector<std::string> reasons_;
};

void list_files_left_out(const Layout& layout, std::vector<Repair>& repairs) {
  for (const fs::path& file : layout.images_alone) {
    repairs.push_back({path_without_identity(file.string()), "left out: it has no mask"});
  }
  for (const fs::path& file : layout.masks_alone) {
    repairs.push_back({path_without_identity(file.string()), "left out: it has no image"});
  }
  for (const FileNote& note : layout.unread) {
    repairs.push_back({path_without_identity(note.file.string()), "left out: " + note.what});
  }
  for (const std::string& id : layout.ambiguous) {
    repairs.push_back({id, "a further image of this name left out"});
  }
}

[[noreturn]] void refuse_repair_folder(const fs::path& out) {
  throw_usage(concat(out.string(), ": exists and is not an empty folder; name another"));
}

/// The folder written into, emptied again unless everything was written.
class Target {
 public:
  explicit Target(const fs::path& folder) : folder_(folder), existed_(is_there(folder)) {
    make_folder(folder);
    lock_.emplace(folder);
    // Another run may have written since the folder was looked at.
    for (const fs::path& entry : list_folder(folder)) {
      if (entry.filename() != FolderLock::name) refuse_repair_folder(folder);
    }
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  Target(Target&&) = delete;
  Target& operator=(Target&&) = delete;
  ~Target() {
    if (kept_) return;
    try {
      std::error_code ignored;
      for (const fs::path& entry : list_folder(folder_)) {
        if (entry.filename() != FolderLock::name) fs::remove_all(entry, ignored);
      }
      lock_.reset();
      if (!existed_) fs::remove(folder_, ignored);
    } catch (const Error&) {
      return;  // what ended the work is on its way, and names the folder
    }
  }
  void keep() { kept_ = true; }

 private:
  fs::path folder_;
  bool existed_;
  bool kept_ = false;
  std::optional<FolderLock> lock_;
};

void write_list(const RepairReport& report, const OutputPath& file) {
  nlohmann::json list = nlohmann::json::array();
  for (const Repair& repair : report.repairs) {
    list.push_back({{"where", repair.where}, {"what", repair.what}});
  }
  const nlohmann::json out{{"pairs", report.written}, {"repairs", list}};
  write_file(file, out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace

void check_repair_folder(const fs::path& out) {
  if (!is_there(out)) return;
  std::error_code error;
  const bool empty = fs::is_directory(out, error) && fs::is_empty(out, error);
  if (!empty || error) refuse_repair_folder(out);
}

RepairReport write_repaired(const Examination& set, const fs::path& out, Listener& listener) {
  refuse_within(out, {set.dataset.root});
  check_repair_folder(out);
  const bool volumes = holds_volumes_alone(set);
  if (!volumes) check_cases(set);
  if (!set.meaning.encoding) {
    const Unclear& unclear = set.meaning.unclear;
    throw_failure(concat(set.dataset.root.string(), ": cannot be repaired: ", unclear.what, "; ",
                         unclear.remedy));
  }
  if (volumes) {
    Target target(out);
    RepairReport report = write_volumes_anew(set, out, listener);
    list_files_left_out(set.layout, report.repairs);
    write_list(report, OutputPath(out) / "repairs.json");
    target.keep();
    return report;
  }
  const std::vector<Case>& cases = set.layout.cases;
  const Verdicts verdicts(set, listener);
  Names names;
  std::vector<std::string> given(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    // An id may begin with its part's folder, which becomes a folder again.
    const std::string& part = cases[i].part;
    const std::string& id = cases[i].id;
    const bool prefixed = !part.empty() && id.starts_with(part + "/");
    given[i] = names.give(prefixed ? id.substr(part.size() + 1) : id);
  }
  Target target(out);
  std::mutex mutex;
  std::map<std::size_t, std::vector<Repair>> done;
  std::int64_t written = 0;
  // 255 as "ignored" needs a palette, or it would read as foreground.
  const bool ignores = std::any_of(set.facts.begin(), set.facts.end(), [](const CaseFacts& facts) {
    return facts.shape && facts.shape->pixels < facts.size->width * facts.size->height;
  });
  const bool binary = set.dataset.classes.size() == 2 && !ignores;
  for_each_case(cases.size(), "repairing", listener, [&](std::size_t i) {
    const std::string& where = cases[i].images.front().name();
    const auto note = [&](const std::string& what) {
      const std::lock_guard lock(mutex);
      done[i].push_back({where, what});
    };
    std::string reason = verdicts.reason(i);
    std::string what;
    std::optional<LabelMap> labels;
    if (reason.empty()) {
      try {
        labels = repaired_labels(set, i, what);
        if (!labels) reason = "its mask has another shape or means something else";
      } catch (const Error& error) {
        reason = error.what();
      }
    }
    if (!reason.empty()) {
      note("left out: " + reason);
      return;
    }
    const fs::path& image = cases[i].images.front().file;
    const std::string suffix = suffix_of(image);
    const OutputPath folder = OutputPath(out) / cases[i].part;
    make_folder(folder / "images");
    make_folder(folder / "masks");
    const std::string name = given[i] + suffix;
    write_file(folder / "images" / name, read_file(image, file_limit));
    write_file(folder / "masks" / (given[i] + ".png"),
               mask_png(*labels, set.dataset.classes, binary));
    if (!what.empty()) note(what);
    if (name != image.filename().string()) note("now named " + name);
    const std::lock_guard lock(mutex);
    ++written;
  });
  RepairReport report{.written = written, .repairs = {}};
  for (auto& [unused, some] : done) {
    report.repairs.insert(report.repairs.end(), some.begin(), some.end());
  }
  list_files_left_out(set.layout, report.repairs);
  write_list(report, OutputPath(out) / "repairs.json");
  target.keep();
  return report;
}

}  // namespace medurwkv::data
