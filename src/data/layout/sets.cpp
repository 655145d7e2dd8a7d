#include "data/layout/sets.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/table.h"
#include "core/text.h"
#include "data/layout/class_file.h"
#include "data/layout/encoding.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string name_of(const fs::path& file) {
  return lower(file.filename().string());
}

/// Files with one of these names, lower case.
std::vector<fs::path> files_named(const std::vector<fs::path>& files,
                                  const std::set<std::string>& names) {
  std::vector<fs::path> out;
  for (const fs::path& file : files) {
    if (names.contains(name_of(file))) out.push_back(file);
  }
  return out;
}

/// Classes by index from nnU-Net's labels: {"lesion": 1} (version 2) or {"1": "lesion"} (version 1,
/// MSD). Throws Error without the file's name.
std::vector<ClassInfo> classes_from_json(const json& labels, std::optional<std::uint8_t>& ignored) {
  std::map<std::int64_t, std::string> by_index;
  for (const auto& [key, value] : labels.items()) {
    if (value.is_array()) {
      throw_failure(
          "labels are regions (lists of values), which are not read yet; write one value "
          "per class");
    }
    const bool first_version = value.is_string();
    const std::string name = first_version ? value.get<std::string>() : key;
    const std::string number = first_version ? key : value.dump();
    if (number.empty() || number.size() > 3 ||
        !std::all_of(number.begin(), number.end(),
                     [](unsigned char c) { return std::isdigit(c); })) {
      throw_failure(concat("label ", name, " has the value ", number, ", expected 0 to 254"));
    }
    const std::int64_t index = std::stoll(number);
    if (!first_version && name == "ignore") {
      ignored = static_cast<std::uint8_t>(std::min<std::int64_t>(index, ignore_label));
    } else if (const auto [place, is_new] = by_index.emplace(index, name); !is_new) {
      throw_failure(
          concat("labels ", place->second, " and ", name, " both have the value ", index));
    }
  }
  std::vector<std::string> names;
  for (const auto& [index, name] : by_index) {
    if (index != static_cast<std::int64_t>(names.size())) {
      throw_failure(
          concat("no label has the value ", names.size(), "; values are 0 (background) to n - 1"));
    }
    names.push_back(name);
  }
  if (names.size() < 2) throw_failure("fewer than two labels");
  return make_classes(names.size(), names);
}

bool all_equal(const std::vector<fs::path>& files) {
  return std::all_of(files.begin(), files.end(), [&](const fs::path& file) {
    return read_file(file, longest_text) == read_file(files.front(), longest_text);
  });
}

/// What tells known sets apart: names of folders and ids of cases.
struct Features {
  std::set<std::string> folders;
  const std::vector<Case>* cases = nullptr;

  [[nodiscard]] bool folder(const std::string& name) const { return folders.contains(name); }
  [[nodiscard]] bool folder_with(const std::string& part) const {
    return std::any_of(folders.begin(), folders.end(), [&](const std::string& name) {
      return name.find(part) != std::string::npos;
    });
  }
  [[nodiscard]] bool masks(const char* suffix) const {
    return std::all_of(cases->begin(), cases->end(), [&](const Case& item) {
      return picture_stem(item.masks.front().file).ends_with(suffix);
    });
  }
  [[nodiscard]] bool ids(const char* pattern) const {
    const std::regex wanted(pattern, std::regex::icase);
    return !cases->empty() && std::all_of(cases->begin(), cases->end(), [&](const Case& item) {
      return std::regex_match(item.id.substr(item.id.rfind('/') + 1), wanted);
    });
  }
};

struct KnownSet {
  const char* name;
  std::function<bool(const Features&)> fits;
};

/// The first that fits.
const std::vector<KnownSet>& known_sets() {
  static const std::vector<KnownSet> sets{
      {"Pascal VOC", [](const Features& f) { return f.folder("jpegimages"); }},
      {"Synapse",
       [](const Features& f) { return f.folder("train_npz") || f.folder("test_vol_h5"); }},
      {"ACDC", [](const Features& f) { return f.ids("patient[0-9]{3}_frame[0-9]{2}.*"); }},
      {"nnU-Net raw", [](const Features& f) { return f.folder("imagestr"); }},
      {"GlaS",
       [](const Features& f) { return f.ids("(train|testA|testB)_[0-9]+") && f.masks("_anno"); }},
      {"DRIVE", [](const Features& f) { return f.folder("1st_manual"); }},
      {"HRF", [](const Features& f) { return f.folder("manual1"); }},
      {"STARE", [](const Features& f) { return f.folder("labels-ah"); }},
      {"CHASE_DB1", [](const Features& f) { return f.ids("Image_[0-9]+[LR]"); }},
      {"PH2", [](const Features& f) { return f.ids("IMD[0-9]+") && f.folder_with("_lesion"); }},
      {"DSB2018", [](const Features& f) { return f.folder("stage1_train"); }},
      {"BUSI", [](const Features& f) { return f.ids("(benign|malignant|normal) \\([0-9]+\\)"); }},
      {"ISIC 2016", [](const Features& f) { return f.folder_with("isbi2016_isic"); }},
      {"ISIC 2017", [](const Features& f) { return f.folder_with("isic-2017"); }},
      {"ISIC 2018", [](const Features& f) { return f.folder_with("isic2018"); }},
      {"PraNet's polyps",
       [](const Features& f) { return f.folder("traindataset") || f.folder("testdataset"); }},
      {"CVC-ClinicDB",
       [](const Features& f) { return f.folder("original") && f.folder("ground truth"); }},
      {"Kvasir-SEG", [](const Features& f) { return f.folder("kvasir-seg"); }},
      {"MedT's folders", [](const Features& f) { return f.folder("labelcol"); }},
      {"mmsegmentation", [](const Features& f) { return f.folder("img_dir"); }}};
  return sets;
}

/// The word before the number of BUSI's names; the set of PraNet's test images.
std::string stratum_of(const std::string& set, const Case& item) {
  const std::string name = item.id.substr(item.id.rfind('/') + 1);
  if (set == "BUSI") return name.substr(0, name.find(' '));
  if (set == "PraNet's polyps") {
    const fs::path above = item.images.front().file.parent_path().parent_path();
    if (item.part == "test") return above.filename().string();
  }
  return "";
}

}  // namespace

FileNote note_of(const Error& error, const fs::path& file) {
  std::string what = error.what();
  const std::string name = file.string() + ": ";
  if (what.starts_with(name)) what.erase(0, name.size());
  return {file, what};
}

std::vector<std::string> class_names_of_folders(const std::vector<std::string>& folders) {
  std::vector<std::string> names{"background"};
  for (const std::string& folder : folders) {
    const bool number = std::all_of(folder.begin(), folder.end(),
                                    [](unsigned char c) { return std::isdigit(c) != 0; });
    names.push_back(number ? concat("class ", names.size()) : folder);
  }
  return names;
}

void add_classes(const fs::path& root, const std::vector<fs::path>& files, Layout& layout) {
  if (!layout.classes.empty()) return;
  const auto describe = [&](const fs::path& file, const auto& read) {
    try {
      read(file);
      layout.classes_file = file;
    } catch (const Error& error) {
      layout.broken.push_back(note_of(error, file));
    } catch (const json::exception& error) {
      layout.broken.push_back({file, concat("is not JSON: ", error.what())});
    }
  };
  const auto descriptions = files_named(files, {"dataset.json"});
  if (layout.name == "nnU-Net raw" && descriptions.size() == 1) {
    describe(descriptions.front(), [&](const fs::path& file) {
      const json all = json::parse(read_text(file));
      if (!all.is_object() || !all.contains("labels") || !all["labels"].is_object()) {
        throw_failure("has no labels");
      }
      if (!all.contains("channel_names")) layout.name = "Medical Segmentation Decathlon";
      layout.classes = classes_from_json(all["labels"], layout.ignored);
    });
    return;
  }
  // The first of these names for which there is a file counts. Roboflow writes a copy into the
  // folder of each part.
  for (const char* name :
       {"labelmap.txt", "class_dict.csv", "_classes.csv", "class_names.txt", "classes.txt"}) {
    std::vector<fs::path> found = files_named(files, {name});
    const bool anywhere = std::string_view(name) == "_classes.csv" && all_equal(found);
    std::erase_if(found, [&](const fs::path& file) {
      return !anywhere && file.parent_path().lexically_relative(root) != ".";
    });
    if (found.empty()) continue;
    describe(found.front(), [&](const fs::path& file) {
      ClassTable table = read_class_file(file);
      layout.classes = std::move(table.classes);
      layout.classes_have_colors = table.has_colors;
    });
    return;
  }
}

void recognise(const fs::path& root, const std::vector<fs::path>& files, Layout& layout) {
  Features features{.folders = {}, .cases = &layout.cases};
  features.folders.insert(lower(fs::absolute(root).lexically_normal().filename().string()));
  for (const fs::path& file : files) {
    for (const fs::path& folder : file.lexically_relative(root).parent_path()) {
      features.folders.insert(lower(folder.string()));
    }
  }
  const auto& sets = known_sets();
  const auto found = std::find_if(sets.begin(), sets.end(),
                                  [&](const KnownSet& set) { return set.fits(features); });
  if (found == sets.end()) {
    if (layout.by_folder) layout.name = "a folder of masks per class (UNet++)";
    return;
  }
  layout.name = found->name;
  for (Case& item : layout.cases) {
    item.stratum = stratum_of(layout.name, item);
    if (layout.name != "GlaS") continue;
    item.part = lower(item.id).starts_with("train") ? "train" : "test";
  }
  if (layout.name == "GlaS") layout.encoding = MaskEncoding::instances;
  if (layout.name == "Pascal VOC") {
    layout.unlabelled.insert(layout.unlabelled.end(), layout.images_alone.begin(),
                             layout.images_alone.end());
    layout.images_alone.clear();
  }
}

std::vector<ClassInfo> published_classes(const std::string& layout, std::size_t count) {
  // TransUNet's nine organs; the CASCADE, MERIT and EMCAD packs hold the challenge's own labels.
  static const std::vector<std::string> transunet{"background",  "aorta",        "gallbladder",
                                                  "left kidney", "right kidney", "liver",
                                                  "pancreas",    "spleen",       "stomach"};
  static const std::vector<std::string> btcv{"background",
                                             "spleen",
                                             "right kidney",
                                             "left kidney",
                                             "gallbladder",
                                             "esophagus",
                                             "liver",
                                             "stomach",
                                             "aorta",
                                             "inferior vena cava",
                                             "portal and splenic vein",
                                             "pancreas",
                                             "right adrenal gland",
                                             "left adrenal gland"};
  static const std::vector<std::string> acdc{"background", "right ventricle", "myocardium",
                                             "left ventricle"};
  const std::map<std::string, std::vector<const std::vector<std::string>*>> known{
      {"Synapse", {&transunet, &btcv}}, {"ACDC", {&acdc}}};
  const auto found = known.find(layout);
  if (found == known.end()) return {};
  for (const std::vector<std::string>* names : found->second) {
    if (count <= names->size()) return make_classes(names->size(), *names);
  }
  return {};
}

}  // namespace medurwkv::data
