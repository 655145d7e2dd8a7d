#include "data/layout_sets.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/class_file.h"
#include "data/encoding.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Lists, tables and descriptions are small.
constexpr std::uint64_t text_limit = std::uint64_t{1} << 26;

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
    } else {
      by_index[index] = name;
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

/// Rows of a small table with a header; quotes only around whole fields. Names are lower case.
std::vector<std::map<std::string, std::string>> read_table(const fs::path& file) {
  std::istringstream in(read_file(file, text_limit));
  std::string line;
  std::vector<std::string> names;
  std::vector<std::map<std::string, std::string>> out;
  while (std::getline(in, line)) {
    std::vector<std::string> fields = split(line, ',');
    for (std::string& field : fields) {
      field = trim(field);
      if (field.size() > 1 && field.front() == '"' && field.back() == '"') {
        field = trim(field.substr(1, field.size() - 2));
      }
    }
    if (names.empty()) {
      for (const std::string& field : fields) names.push_back(lower(field));
      continue;
    }
    std::map<std::string, std::string>& row = out.emplace_back();
    for (std::size_t i = 0; i < std::min(names.size(), fields.size()); ++i)
      row[names[i]] = fields[i];
  }
  return out;
}

/// Everything a list may call a case by, and the cases meant.
std::map<std::string, std::vector<std::size_t>> names_of_cases(const std::vector<Case>& cases) {
  std::map<std::string, std::vector<std::size_t>> out;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& item = cases[i];
    const fs::path& image = item.images.front().file;
    const std::set<std::string> names{item.id,
                                      item.id.substr(item.id.rfind('/') + 1),
                                      item.volume,
                                      image.filename().string(),
                                      image.stem().string(),
                                      whole_stem(image)};
    for (const std::string& name : names) {
      if (!name.empty()) out[name].push_back(i);
    }
  }
  return out;
}

/// The part a list of cases stands for, "" for other files. VOC's lists for other tasks are none.
std::string part_of_list(const fs::path& file) {
  static const std::map<std::string, std::string> parts{
      {"train", "train"},    {"train_slices", "train"}, {"val", "val"},      {"valid", "val"},
      {"validation", "val"}, {"test", "test"},          {"test_vol", "test"}};
  const std::string suffix = lower(file.extension().string());
  if (suffix != ".txt" && suffix != ".list" && suffix != ".lst") return "";
  const std::string folder = lower(file.parent_path().filename().string());
  if (folder == "main" || folder == "layout" || folder == "action") return "";
  const auto found = parts.find(lower(file.stem().string()));
  return found == parts.end() ? "" : found->second;
}

/// Cases that a line names: whole, else its last path component, else its first field.
const std::vector<std::size_t>* cases_named(
    const std::map<std::string, std::vector<std::size_t>>& names, const std::string& line) {
  const std::string field = split(split(line, '\t').front(), ',').front();
  const std::string word = split(line, ' ').front();
  for (const std::string& text : {line, field, word}) {
    for (const std::string& name :
         {text, fs::path(text).filename().string(), pairing_key(fs::path(text))}) {
      if (const auto found = names.find(name); found != names.end()) return &found->second;
    }
  }
  return nullptr;
}

/// Whether the first bytes of a text file hold all of `words`.
bool starts_with_words(const fs::path& file, const std::vector<std::string>& words) {
  constexpr std::size_t start = 65536;
  try {
    const std::string text = read_start(file, start);
    return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      return text.find(word) != std::string::npos;
    });
  } catch (const Error&) {
    return false;
  }
}

std::string unread_kind(const fs::path& file) {
  const std::string name = name_of(file);
  if (name.ends_with(".nii") || name.ends_with(".nii.gz")) {
    return "is NIfTI, which is not read yet; export its slices as PNG or .npz";
  }
  if (name.ends_with(".dcm")) {
    return "is DICOM, which is not read yet; export it as PNG or TIFF";
  }
  // Its lists may come in any order, and the first be long.
  if (name.ends_with(".json") && (starts_with_words(file, {"\"images\"", "\"file_name\""}) ||
                                  starts_with_words(file, {"\"images\"", "\"annotations\""}) ||
                                  starts_with_words(file, {"\"image_id\"", "\"segmentation\""}))) {
    return "is COCO JSON, which is not read yet; rasterise its polygons to PNG masks";
  }
  if (name.ends_with(".xml") && starts_with_words(file, {"<Annotation", "<Region"})) {
    return "holds polygons (ImageScope XML, as MoNuSeg), which are not read yet; rasterise them to "
           "PNG masks";
  }
  return "";
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
      return item.masks.front().file.stem().string().ends_with(suffix);
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

std::vector<ClassInfo> classes_of_folders(const std::vector<std::string>& folders) {
  std::vector<std::string> names{"background"};
  for (const std::string& folder : folders) {
    const bool number = std::all_of(folder.begin(), folder.end(),
                                    [](unsigned char c) { return std::isdigit(c) != 0; });
    names.push_back(number ? concat("class ", names.size()) : folder);
  }
  return make_classes(names.size(), names);
}

void add_classes(const fs::path& root, const std::vector<fs::path>& files, Layout& layout) {
  if (!layout.classes.empty()) return;
  const auto describe = [&](const fs::path& file, const auto& read) {
    try {
      layout.classes = read(file);
    } catch (const Error& error) {
      layout.broken.push_back(note_of(error, file));
    } catch (const json::exception& error) {
      layout.broken.push_back({file, concat("is not JSON: ", error.what())});
    }
  };
  const auto descriptions = files_named(files, {"dataset.json"});
  if (layout.name == "nnU-Net raw" && descriptions.size() == 1) {
    describe(descriptions.front(), [&](const fs::path& file) {
      const json all = json::parse(read_file(file, text_limit));
      if (!all.is_object() || !all.contains("labels") || !all["labels"].is_object()) {
        throw_failure("has no labels");
      }
      if (!all.contains("channel_names")) layout.name = "Medical Segmentation Decathlon";
      return classes_from_json(all["labels"], layout.ignored);
    });
  }
  const auto maps = files_named(files, {"labelmap.txt"});
  if (maps.size() == 1 && maps.front().parent_path() == root)
    describe(maps.front(), read_class_file);
}

void add_lists(const std::vector<fs::path>& files, Layout& layout) {
  const auto has_part = [](const Case& item) { return !item.part.empty(); };
  if (std::any_of(layout.cases.begin(), layout.cases.end(), has_part)) return;
  const auto names = names_of_cases(layout.cases);
  for (const fs::path& file : files) {
    const std::string part = part_of_list(file);
    if (part.empty()) continue;
    std::istringstream lines(read_file(file, text_limit));
    std::size_t found = 0;
    std::vector<std::string> absent;
    for (std::string line; std::getline(lines, line);) {
      line = trim(line);
      if (line.empty()) continue;
      const std::vector<std::size_t>* cases = cases_named(names, line);
      if (cases == nullptr) {
        absent.push_back(line);
        continue;
      }
      ++found;
      for (const std::size_t index : *cases) {
        Case& item = layout.cases[index];
        if (!item.part.empty() && item.part != part) {
          layout.broken.push_back({file, concat("lists the case ", item.id, ", which a list of ",
                                                item.part, " names too; remove it from one")});
        }
        item.part = part;
      }
    }
    if (found > 0 && !absent.empty()) {
      layout.notes.push_back({file, concat("lists ", absent.size(), " cases that are not there, ",
                                           absent.front(), " the first")});
    }
  }
}

void add_groups(const std::vector<fs::path>& files, Layout& layout) {
  const auto names = names_of_cases(layout.cases);
  for (const fs::path& file : files_named(files, {"metadata.csv", "grade.csv"})) {
    for (auto& row : read_table(file)) {
      const bool sequence = row.contains("sequence_id");
      const std::string group = sequence ? row["sequence_id"] : row["patient id"];
      if (group.empty()) continue;
      for (const char* column : {"frame_id", "name", "png_image_path", "tif_image_path"}) {
        const auto found = names.find(fs::path(row[column]).stem().string());
        if (found == names.end()) continue;
        for (const std::size_t index : found->second) {
          layout.cases[index].group = concat(sequence ? "sequence " : "patient ", group);
        }
        break;
      }
    }
  }
}

void add_unread(const std::vector<fs::path>& files, Layout& layout) {
  for (const fs::path& file : files) {
    const std::string kind = unread_kind(file);
    if (!kind.empty()) layout.unread.push_back({file, kind});
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
