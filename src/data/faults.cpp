#include "data/faults.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/text.h"
#include "core/threads.h"
#include "data/encoding.h"
#include "data/layout.h"

namespace medurwkv::data {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// What reading one case gave.
struct CaseFacts {
  std::vector<Fault> faults;
  std::optional<ImageSize> size;
  std::string image_hash, mask_hash;
  MaskUse use;
  bool masks_read = false;
};

CaseFacts examine(const Case& item) {
  CaseFacts out;
  try {
    const Image image = read_image(item);
    out.size = {image.width, image.height};
    for (const ImageSource& source : item.images) out.image_hash += sha256_file(source.file);
  } catch (const Error& error) {
    out.faults.push_back({Severity::error, "unreadable-image", item.images.front().name(),
                          error.what(), "replace the file or remove it together with its mask"});
  }
  std::string mask_hashes;
  out.masks_read = true;
  for (const ImageSource& source : item.masks) {
    try {
      const MaskPixels mask = read_mask(source);
      out.use.add(use_of(mask));
      mask_hashes += sha256_file(source.file);
      const ImageSize size{mask.width, mask.height};
      if (out.size && size != *out.size) {
        out.faults.push_back(
            {Severity::error, "size-mismatch", source.name(),
             concat("the mask is ", size.width, " x ", size.height, ", its image ",
                    item.images.front().name(), " is ", out.size->width, " x ", out.size->height),
             "bring both to one size (masks with nearest neighbour)"});
      }
    } catch (const Error& error) {
      out.masks_read = false;
      out.faults.push_back({Severity::error, "unreadable-mask", source.name(), error.what(),
                            "replace the file or remove it together with its image"});
    }
  }
  out.mask_hash = sha256(mask_hashes);
  return out;
}

void add_partnerless(const Layout& layout, CheckReport& report) {
  for (const fs::path& path : layout.images_alone) {
    report.faults.push_back({Severity::error, "image-without-mask", path.string(),
                             "no mask has this image's name",
                             "add its mask (an all-black one when there is nothing) or remove it"});
  }
  for (const fs::path& path : layout.masks_alone) {
    report.faults.push_back({Severity::error, "mask-without-image", path.string(),
                             "no image has this mask's name", "add its image or remove it"});
  }
  for (const std::string& id : layout.ambiguous) {
    report.faults.push_back(
        {Severity::error, "same-name-twice", id,
         "two images have this name in one place, so masks cannot be told apart",
         "keep one of them or rename both with their masks"});
  }
}

void add_unreadable_names(const std::vector<Case>& cases, CheckReport& report) {
  for (const Case& item : cases) {
    if (is_utf8(item.id)) continue;
    report.faults.push_back({Severity::error, "name-not-utf8", item.images.front().name(),
                             "its name is not UTF-8, so no split or report can hold it",
                             "rename it and its mask"});
  }
}

/// What is not UTF-8 replaced, so that JSON can hold the name of any file.
json readable(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

/// Same image contents under two names.
void add_duplicates(const std::vector<Case>& cases, const std::vector<CaseFacts>& facts,
                    CheckReport& report) {
  std::map<std::string, std::size_t> first;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (facts[i].image_hash.empty()) continue;
    const auto [known, fresh] = first.emplace(facts[i].image_hash, i);
    if (fresh) continue;
    const std::size_t other = known->second;
    const bool same_mask = facts[i].mask_hash == facts[other].mask_hash;
    report.faults.push_back({same_mask ? Severity::warning : Severity::error, "duplicate-image",
                             cases[i].images.front().name(),
                             concat("has the same contents as ", cases[other].images.front().name(),
                                    same_mask ? "" : ", but another mask"),
                             same_mask ? "remove one; `data split` keeps both in one part"
                                       : "find out which mask is right and remove the other pair"});
  }
}

/// Pixels of each gray value or palette index, whichever the masks hold.
ValueUse all_values(const MaskUse& use) {
  ValueUse out = use.values;
  for (std::size_t value = 0; value < out.size(); ++value) out[value] += use.indices[value];
  return out;
}

std::size_t label_of(MaskEncoding encoding, std::size_t value) {
  if (encoding == MaskEncoding::binary) return value > 127 ? 1 : 0;
  return encoding == MaskEncoding::instances ? std::min<std::size_t>(value, 1) : value;
}

/// Encoding over all readable masks, then what single masks say against it.
void add_encoding(const Layout& layout, const std::vector<CaseFacts>& facts,
                  const DatasetOptions& options, CheckReport& report) {
  MaskUse all;
  for (const CaseFacts& fact : facts) all.add(fact.use);
  const Meaning meaning = meaning_of(layout, all, options);
  if (!meaning.encoding) {
    report.encoding = "unknown";
    report.faults.push_back({Severity::error, "unclear-encoding", "all masks", meaning.unclear,
                             "say what they mean with --mask-encoding or --classes"});
    return;
  }
  const MaskEncoding encoding = *meaning.encoding;
  report.encoding = to_string(encoding);
  report.classes = meaning.classes;
  report.class_pixels.assign(report.classes.size(), 0);
  const ValueUse values = all_values(all);
  for (std::size_t value = 0; value < values.size(); ++value) {
    const std::size_t label = label_of(encoding, value);
    if (label < report.class_pixels.size()) report.class_pixels[label] += values[value];
  }
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (!facts[i].masks_read || facts[i].use.color_files > 0) continue;
    const auto own = encoding_from_values(facts[i].use, meaning.classes);
    const ValueUse own_values = all_values(facts[i].use);
    std::int64_t foreground = 0;
    std::size_t largest = 0;
    for (std::size_t value = 1; value < own_values.size(); ++value) {
      if (own_values[value] > 0) largest = value;
      if (label_of(encoding, value) > 0) foreground += own_values[value];
    }
    const std::string where = layout.cases[i].masks.front().name();
    // A mask of a binary set that holds only small values is encoded otherwise, not empty; JPEG
    // noise of an empty mask stays within the first values too, so ask for a real area.
    const bool index_in_binary = encoding == MaskEncoding::binary && own == MaskEncoding::index &&
                                 own_values[largest] > 0 && largest <= 20 && foreground == 0 &&
                                 where.ends_with(".png");
    // Indices beside 255 are unclear over a set; in one mask of a decided set 1 to 20 are noise.
    const bool own_unclear =
        encoding != MaskEncoding::instances && !own && !indices_beside_255(facts[i].use.values);
    if (index_in_binary || own_unclear) {
      report.faults.push_back(
          {Severity::error, "mixed-encoding", where,
           concat("the set is ", report.encoding, ", this mask's largest value is ", largest),
           "bring all masks to one encoding"});
    } else if (foreground == 0) {
      ++report.empty_masks;
      report.faults.push_back({Severity::warning, "empty-mask", where, "holds no foreground",
                               "make sure that nothing was to be marked"});
    }
  }
}

std::vector<CaseFacts> examine_all(const std::vector<Case>& cases, const StopSignal& stop,
                                   bool quiet) {
  std::vector<CaseFacts> facts(cases.size());
  Progress progress("checking", static_cast<std::int64_t>(cases.size()), quiet);
  std::mutex mutex;
  std::int64_t done = 0;
  parallel_for(static_cast<std::int64_t>(cases.size()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end && stop == 0; ++i) {
      facts[static_cast<std::size_t>(i)] = examine(cases[static_cast<std::size_t>(i)]);
      const std::lock_guard lock(mutex);
      progress.update(++done);
    }
  });
  throw_if_stopped(stop);
  return facts;
}

}  // namespace

CheckReport check_dataset(const fs::path& root, const DatasetOptions& options,
                          const StopSignal& stop, bool quiet) {
  const Layout layout = find_layout(root);
  const std::vector<CaseFacts> facts = examine_all(layout.cases, stop, quiet);
  CheckReport report;
  report.pairs = static_cast<std::int64_t>(layout.cases.size());
  report.images = report.pairs +
                  static_cast<std::int64_t>(layout.images_alone.size() + layout.ambiguous.size());
  report.masks = static_cast<std::int64_t>(layout.masks_alone.size());
  for (const Case& item : layout.cases) {
    report.masks += static_cast<std::int64_t>(item.masks.size());
  }
  for (const CaseFacts& fact : facts) {
    report.faults.insert(report.faults.end(), fact.faults.begin(), fact.faults.end());
    if (!fact.size) continue;
    const auto area = [](ImageSize size) { return size.width * size.height; };
    if (report.largest.width == 0 || area(*fact.size) > area(report.largest)) {
      report.largest = *fact.size;
    }
    if (report.smallest.width == 0 || area(*fact.size) < area(report.smallest)) {
      report.smallest = *fact.size;
    }
  }
  add_unreadable_names(layout.cases, report);
  add_partnerless(layout, report);
  add_duplicates(layout.cases, facts, report);
  if (layout.cases.empty()) {
    report.faults.push_back({Severity::error, "no-pairs", root.string(),
                             "no image with a mask was found",
                             "put images into images/ and masks of the same names into masks/"});
  } else {
    add_encoding(layout, facts, options, report);
  }
  std::stable_sort(report.faults.begin(), report.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.severity > b.severity; });
  return report;
}

json to_json(const CheckReport& report) {
  json classes = json::array();
  for (std::size_t i = 0; i < report.classes.size(); ++i) {
    classes.push_back({{"name", report.classes[i].name}, {"pixels", report.class_pixels[i]}});
  }
  json faults = json::array();
  for (const Fault& fault : report.faults) {
    faults.push_back({{"severity", fault.severity == Severity::error ? "error" : "warning"},
                      {"kind", fault.kind},
                      {"where", readable(fault.where)},
                      {"what", readable(fault.what)},
                      {"remedy", fault.remedy}});
  }
  return {{"pairs", report.pairs},
          {"images", report.images},
          {"masks", report.masks},
          {"empty_masks", report.empty_masks},
          {"smallest", {report.smallest.width, report.smallest.height}},
          {"largest", {report.largest.width, report.largest.height}},
          {"mask_encoding", report.encoding},
          {"classes", classes},
          {"faults", faults}};
}

}  // namespace medurwkv::data
