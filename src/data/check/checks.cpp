#include "data/check/checks.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "core/file_name.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/image/geometry.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Whether `some` of `all` are a slip: one case, or at most a tenth, and never more than half. What
/// many cases do is how the set is.
bool is_exception(std::size_t some, std::size_t all) {
  return some > 0 && (some == 1 || 10 * some <= all) && 2 * some <= all;
}

std::string mask_name(const Examination& set, std::size_t i) {
  return set.layout.cases[i].masks.front().name();
}

std::string image_name(const Examination& set, std::size_t i) {
  return set.layout.cases[i].images.front().name();
}

/// A fault for every case with an odd shape, where few have it.
void check_shape(const Examination& set, const std::function<bool(const MaskShape&)>& is_odd,
                 const char* kind, const std::function<std::string(const MaskShape&)>& what,
                 const char* remedy, std::vector<Fault>& faults) {
  std::vector<std::size_t> odd;
  std::size_t all = 0;
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    if (!set.facts[i].shape) continue;
    ++all;
    if (is_odd(*set.facts[i].shape)) odd.push_back(i);
  }
  if (!is_exception(odd.size(), all)) return;
  for (const std::size_t i : odd) {
    faults.push_back(
        {Severity::warning, kind, mask_name(set, i), what(*set.facts[i].shape), remedy});
  }
}

/// Classes in no mask, or in so few that not every part can hold one.
void check_classes(const Examination& set, std::vector<Fault>& faults) {
  const auto& classes = set.meaning.classes;
  std::vector<std::int64_t> holders(classes.size());
  std::int64_t read = 0;
  for (const CaseFacts& fact : set.facts) {
    read += fact.class_pixels.empty() ? 0 : 1;
    for (std::size_t c = 0; c < fact.class_pixels.size(); ++c) {
      holders[c] += fact.class_pixels[c] > 0 ? 1 : 0;
    }
  }
  constexpr std::int64_t parts = 3;
  if (read <= parts) return;
  for (std::size_t c = 1; c < classes.size(); ++c) {
    const std::string where = concat("class ", c, " ", classes[c].name);
    if (holders[c] == 0) {
      faults.push_back({Severity::warning, "missing-class", where, "is in no mask",
                        "see whether masks were lost, or leave the class out of the table"});
    } else if (holders[c] < parts) {
      faults.push_back({Severity::warning, "rare-class", where,
                        concat("is in ", holders[c], " of ", read, " masks"),
                        "it cannot be in train, val and test; find more cases or join it with "
                        "another class"});
    }
  }
}

/// One fault that counts the images that differ from most in what `of` gives.
void check_minority(const Examination& set, const std::function<std::string(const CaseFacts&)>& of,
                    const char* kind, const char* remedy, std::vector<Fault>& faults) {
  std::map<std::string, std::vector<std::size_t>> by_value;
  std::size_t all = 0;
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    if (!set.facts[i].size) continue;
    by_value[of(set.facts[i])].push_back(i);
    ++all;
  }
  const auto most = std::max_element(
      by_value.begin(), by_value.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  for (auto it = by_value.begin(); it != by_value.end(); ++it) {
    if (it == most) continue;
    const std::vector<std::size_t>& some = it->second;
    faults.push_back(
        {Severity::warning, kind, image_name(set, some.front()),
         concat(some.size() == 1 ? std::string("is the one image that has ")
                                 : concat("is one of ", some.size(), " images that have "),
                it->first, "; ", most->second.size(), " of ", all, " have ", most->first),
         remedy});
  }
}

}  // namespace

void check_names(const Layout& layout, std::vector<Fault>& faults) {
  const auto add = [&](Severity severity, const char* kind, const std::vector<FileNote>& notes,
                       const char* remedy) {
    for (const FileNote& note : notes) {
      faults.push_back({severity, note.kind.empty() ? kind : note.kind, note.file.string(),
                        note.what, note.remedy.empty() ? remedy : note.remedy});
    }
  };
  add(Severity::error, "broken-layout", layout.broken,
      "correct it; until then no command opens the set");
  add(Severity::error, "unread-format", layout.unread, "convert it, or remove it from the folder");
  add(Severity::warning, "list-of-absent", layout.notes,
      "get the missing files or correct the list");
  for (const fs::path& path : layout.images_alone) {
    faults.push_back(
        {Severity::error, "image-without-mask", path.string(),
         layout.outlines ? "no file of outlines lists this image" : "no mask has this image's name",
         layout.outlines
             ? "add it to the file (without an outline when there is nothing) or remove it"
             : "add its mask (an all-black one when there is nothing) or remove it"});
  }
  for (const fs::path& path : layout.masks_alone) {
    faults.push_back({Severity::error, "mask-without-image", path.string(),
                      "no image has this mask's name", "add its image or remove it"});
  }
  for (const std::string& id : layout.ambiguous) {
    faults.push_back({Severity::error, "same-name-twice", id,
                      "two images have this name in one place, so masks cannot be told apart",
                      "keep one of them or rename both with their masks"});
  }
  std::map<std::string, std::size_t> by_lower;
  for (std::size_t i = 0; i < layout.cases.size(); ++i) {
    const Case& item = layout.cases[i];
    if (!is_utf8(item.id)) {
      faults.push_back({Severity::error, "name-not-utf8", item.images.front().name(),
                        "its name is not UTF-8, so no split or report can hold it",
                        "rename it and its mask"});
    }
    if (const std::string reason = why_no_path(item.id); !reason.empty()) {
      faults.push_back(
          {Severity::error, "name-leads-out", item.images.front().name(),
           concat("its id ", reason, ", so no file can be named after it"),
           "do not use the pack unless you trust who made it; pack the set's folder again"});
    }
    const auto [known, fresh] = by_lower.emplace(lower(item.id), i);
    if (fresh) continue;
    faults.push_back({Severity::warning, "names-differ-by-case", item.images.front().name(),
                      concat("differs from ", layout.cases[known->second].images.front().name(),
                             " only in upper and lower case"),
                      "rename one: Windows and macOS keep only one of them"});
  }
}

namespace {

/// Reports empty masks one by one where they are few, else their number. A folder of empty ones
/// alone (BUSI's `normal`) is meant so.
void check_empty(const Examination& set, std::vector<Fault>& faults) {
  std::map<std::string, bool> some_foreground;
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    const auto& shape = set.facts[i].shape;
    if (shape) some_foreground[set.layout.cases[i].stratum] |= shape->foreground > 0;
  }
  std::vector<std::size_t> empty;
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    const auto& shape = set.facts[i].shape;
    const std::string& stratum = set.layout.cases[i].stratum;
    const bool meant = !stratum.empty() && !some_foreground[stratum];
    if (shape && shape->foreground == 0 && !meant) empty.push_back(i);
  }
  const char* remedy = "make sure that nothing was to be marked";
  if (!is_exception(empty.size(), set.facts.size()) && empty.size() > 1) {
    faults.push_back({Severity::warning, "empty-mask", mask_name(set, empty.front()),
                      concat("is one of ", empty.size(), " masks without foreground"), remedy});
    return;
  }
  for (const std::size_t i : empty) {
    faults.push_back(
        {Severity::warning, "empty-mask", mask_name(set, i), "holds no foreground", remedy});
  }
}

}  // namespace

void check_masks(const Examination& set, std::vector<Fault>& faults) {
  if (!set.meaning.encoding) {
    faults.push_back({Severity::error, "unclear-encoding", "all masks", set.meaning.unclear.what,
                      set.meaning.unclear.remedy});
    return;
  }
  check_classes(set, faults);
  check_empty(set, faults);
  check_shape(
      set, is_inverted, "inverted-mask",
      [](const MaskShape&) { return "marks what surrounds the object, to the image's edge"; },
      "exchange foreground and background", faults);
  check_shape(
      set, is_outline, "outline-mask",
      [](const MaskShape& shape) {
        return concat("marks a line of ", shape.foreground, " pixels around ", shape.enclosed,
                      " that are not marked");
      },
      "fill it", faults);
  check_shape(
      set, has_specks, "specks",
      [](const MaskShape& shape) {
        return concat("marks ", shape.specks, shape.specks == 1 ? " spot" : " spots",
                      " of at most ", speck_pixels, " pixels far from larger regions");
      },
      "see whether they are slips of the pen", faults);
  const auto lossy = static_cast<std::size_t>(
      std::count_if(set.facts.begin(), set.facts.end(), [](const auto& f) { return f.lossy; }));
  const auto first = std::find_if(set.facts.begin(), set.facts.end(),
                                  [](const CaseFacts& fact) { return fact.lossy; });
  if (lossy > 0) {
    faults.push_back(
        {Severity::warning, "lossy-masks",
         mask_name(set, static_cast<std::size_t>(first - set.facts.begin())),
         lossy == 1
             ? std::string("is a JPEG, whose edges are not exact")
             : concat("is one of ", lossy, " masks that are JPEGs, whose edges are not exact"),
         "get them as PNG; if there are none, `--fix` saves what is read (cut at 127 / "
         "128)"});
  }
}

namespace {

/// Floats far from 0..1, with the window that brings them there.
void check_floats(const Examination& set, std::vector<Fault>& faults) {
  std::int64_t some = 0;
  std::string first;
  float least = 0;
  float most = 0;
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    const auto& floats = set.facts[i].floats;
    if (!floats) continue;
    least = std::min(least, floats->first);
    most = std::max(most, floats->second);
    if (!is_far_from_one(floats->first, floats->second)) continue;
    if (some++ == 0) first = image_name(set, i);
  }
  if (some == 0) return;
  faults.push_back(
      {Severity::warning, "float-range", first,
       concat(some == 1 ? std::string("is the one image") : concat("is one of ", some, " images"),
              " whose floats are far from 0..1; all images hold ", least, " to ", most),
       concat("train with --set input.window=percentile, which finds the window of each image or "
              "volume, with a window by name where they are CT in Hounsfield units (--set "
              "input.window=soft, lung, bone ...), with ",
              window_for(least, most),
              ", or save 8 bits per sample; training refuses them as they are")});
}

}  // namespace

void check_kinds(const Examination& set, std::vector<Fault>& faults) {
  check_floats(set, faults);
  check_minority(
      set,
      [](const CaseFacts& fact) {
        return concat(fact.channels, fact.channels == 1 ? " channel" : " channels");
      },
      "mixed-channels", "see whether they come from another source", faults);
  check_minority(
      set,
      [](const CaseFacts& fact) -> std::string {
        return fact.type == SampleType::u8    ? "8 bits per sample"
               : fact.type == SampleType::u16 ? "16 bits per sample"
                                              : "samples of 32-bit float";
      },
      "mixed-depth", "bring all to one depth", faults);
}

void check_for_patients(const Examination& set, std::vector<Fault>& faults) {
  std::vector<std::string> names;
  for (const Case& item : set.layout.cases) {
    if (item.group != item.id) return;
    names.push_back(name_in_folder(item));
  }
  const auto pattern = suggested_group_pattern(names);
  if (!pattern) return;
  faults.push_back({Severity::warning, "unknown-patients", set.dataset.root.string(),
                    concat("names look like many slices of few patients, as ", names.front(),
                           "; slices of one patient in train and test make scores too good"),
                    concat("split with --group-by '", *pattern, "' if they are")});
}

void check_groups(const Examination& set, const Parts& parts, std::vector<Fault>& faults) {
  std::map<std::string, std::map<std::string, std::string>> by_group;  // group, part, an id
  std::map<std::string, std::size_t> sizes;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Case& item = set.layout.cases[i];
    ++sizes[item.group];
    if (!parts[i].empty()) by_group[item.group].emplace(parts[i], item.id);
  }
  for (const auto& [group, in] : by_group) {
    if (in.size() < 2) continue;
    std::vector<std::string> names;
    names.reserve(in.size());
    for (const auto& [part, id] : in) names.push_back(concat(part, " (", id, ")"));
    faults.push_back(
        {Severity::error, "leak-group", group,
         concat("its ", sizes[group], " images are in more than one part: ", join(names, ", ")),
         "make the split again with `data split`, which keeps groups together"});
  }
}

}  // namespace medurwkv::data
