// Files that are known and not read, by suffix and content, with what to do about them.
#include <algorithm>
#include <cstddef>
#include <map>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/layout/names.h"
#include "data/layout/sets.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

struct Format {
  const char* what;
  const char* remedy;
  std::vector<const char*> suffixes;
};

const char* const whole_slide_remedy = "cut it into tiles and save them as PNG or TIFF";
const char* const microscope_remedy = "export it as TIFF (Fiji and Bio-Formats do)";
const char* const picture_remedy = "convert it to PNG";

/// Looked for in folders of images and masks, and everywhere where there are no cases.
const std::vector<Format>& formats() {
  static const std::vector<Format> all{
      {"a volume without its header", "put its .hdr, .mhd or .nhdr beside it", {".img", ".zraw"}},
      {"a slide scanner's image",
       whole_slide_remedy,
       {".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".bif", ".vmu"}},
      {"a microscope's image",
       microscope_remedy,
       {".czi", ".lif", ".nd2", ".lsm", ".oib", ".oif", ".vsi", ".ims", ".zvi"}},
      {"HEIF", picture_remedy, {".heic", ".heif", ".avif", ".hif"}},
      {"WebP", picture_remedy, {".webp"}},
      {"JPEG XL", picture_remedy, {".jxl"}},
      {"JPEG 2000", picture_remedy, {".jp2", ".j2k", ".jpf", ".jpx", ".j2c"}},
      {"a Netpbm image", picture_remedy, {".pnm", ".pbm", ".pgm", ".ppm", ".pam"}},
      {"a floating-point image", "save it as TIFF or .npy", {".pfm", ".exr", ".hdr"}},
      {"a camera's raw image", picture_remedy, {".raw", ".dng", ".cr2", ".nef", ".arw", ".orf"}},
      {"an image program's file",
       picture_remedy,
       {".psd", ".xcf", ".ico", ".tga", ".pcx", ".svg", ".pdf", ".eps", ".sgi", ".ras"}},
      {"MATLAB", "save its arrays as PNG, .npy or .npz", {".mat"}},
      {"a Python program's data",
       "save its arrays as PNG, .npy or .npz",
       {".pkl", ".pickle", ".pt", ".pth", ".npys"}},
      {"TensorFlow's data", "save its pictures as PNG", {".tfrecord", ".tfrecords"}},
      {"a film", "export its frames as PNG", {".mp4", ".avi", ".mov", ".mkv", ".wmv", ".mpg"}},
      {"an archive", "unpack it", {".zip", ".gz", ".bz2", ".xz", ".tar", ".tgz", ".rar", ".7z"}}};
  return all;
}

std::string suffix_of(const fs::path& file) {
  const std::string name = lower(file.filename().string());
  return name.ends_with(".nii.gz") ? ".nii.gz" : lower(file.extension().string());
}

const Format* format_of(const std::string& suffix) {
  for (const Format& format : formats()) {
    const auto& own = format.suffixes;
    if (std::find(own.begin(), own.end(), suffix) != own.end()) return &format;
  }
  return nullptr;
}

/// Whether a file of this suffix is text or the like, as lies beside pictures.
bool is_text(const std::string& suffix) {
  static const std::set<std::string> suffixes{
      ".txt", ".csv",  ".tsv",  ".json", ".xml",  ".md",  ".html", ".htm",    ".list", ".lst",
      ".log", ".yaml", ".yml",  ".toml", ".ini",  ".db",  ".py",   ".ipynb",  ".sh",   ".m",
      ".bib", ".xls",  ".xlsx", ".doc",  ".docx", ".rtf", ".url",  ".sha256", ".md5",  ".cfg"};
  return suffixes.contains(suffix);
}

/// Folders and names of the cases' files. A further copy of one of them is no finding.
std::set<std::string> names_of_cases(const fs::path& root, const Layout& layout) {
  std::set<std::string> out;
  const auto add = [&](const fs::path& file) {
    out.insert(place_of(file.lexically_relative(root)) + pairing_key(file));
  };
  for (const Case& item : layout.cases) {
    for (const ImageSource& image : item.images) add(image.file);
    for (const ImageSource& mask : item.masks) add(mask.file);
  }
  return out;
}

}  // namespace

/// Whether a file is what the header of a volume beside it speaks of, by its name.
bool is_voxels(const fs::path& file, const std::set<std::string>& headers) {
  static const std::set<std::string> suffixes{".img", ".raw", ".zraw", ".gz"};
  if (!suffixes.contains(lower(file.extension().string()))) return false;
  fs::path plain = file;
  while (plain.has_extension()) {
    plain.replace_extension();
    if (headers.contains(plain.string())) return true;
  }
  return false;
}

void add_unread(const fs::path& root, const std::vector<fs::path>& files, Layout& layout) {
  const std::set<std::string> known = names_of_cases(root, layout);
  std::set<std::string> headers;
  for (const fs::path& file : files) {
    if (holds_volume(file)) headers.insert((file.parent_path() / picture_stem(file)).string());
  }
  for (const fs::path& file : files) {
    if (has_image_suffix(file) || holds_volume(file) || has_container_suffix(file)) continue;
    if (is_voxels(file, headers)) continue;
    const fs::path relative = file.lexically_relative(root);
    const Role role = role_by_folder(relative, false);
    const bool inside = role == Role::image || role == Role::mask;
    const std::string suffix = suffix_of(file);
    const Format* format = format_of(suffix);
    if (format == nullptr) {
      if (layout.cases.empty() && inside && !suffix.empty() && !is_text(suffix)) {
        layout.unread.push_back({file, concat("is of a format that is not known (", suffix,
                                              "); convert it to PNG or TIFF")});
      }
      continue;
    }
    const std::string name = file.filename().string();
    const fs::path plain = name.substr(0, name.size() - suffix.size()) + ".x";
    const bool copy = known.contains(place_of(relative) + pairing_key(plain));
    if (!layout.cases.empty() && (!inside || copy)) continue;
    layout.unread.push_back(
        {file, concat("is ", format->what, suffix.empty() ? "" : " (" + suffix + ")",
                      ", which is not read; ", format->remedy)});
  }
}

FileNote why_no_pairs(const fs::path& root, const Layout& layout) {
  FileNote out{root, "no image with a mask was found", "no-pairs", ""};
  if (!layout.unread.empty()) {
    std::map<std::string, std::vector<const FileNote*>> by_suffix;
    for (const FileNote& note : layout.unread) by_suffix[suffix_of(note.file)].push_back(&note);
    const auto most = std::max_element(
        by_suffix.begin(), by_suffix.end(),
        [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    const FileNote& first = *most->second.front();
    const std::size_t count = most->second.size();
    const std::size_t remedy = first.what.rfind("; ");
    const std::string suffix = most->first.empty() ? "no suffix" : "the suffix " + most->first;
    out.what += concat(": ", count, count == 1 ? " file has " : " files have ", suffix, "; ",
                       first.file.string(), " ", first.what.substr(0, remedy));
    out.remedy = first.what.substr(remedy + 2);
    return out;
  }
  out.what += concat(" (", layout.images_alone.size() + layout.unlabelled.size(), " images, ",
                     layout.masks_alone.size(), " masks without a partner)");
  out.remedy =
      "put images into images/ and masks of the same names into masks/, or NAME and "
      "NAME_mask side by side";
  return out;
}

}  // namespace medurwkv::data
