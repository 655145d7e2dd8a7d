// A folder of images and masks as a list of cases, and its split into parts. Relies on core and
// data/image.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/model_description.h"
#include "data/image.h"

namespace medurwkv::data {

/// How a mask's pixels become class indices; decided over all masks of a set.
enum class MaskEncoding {
  binary,     ///< 0 and 255 (or near them: cut at 127 / 128): background and one class
  index,      ///< the gray value is the class index; 255 is ignored
  palette,    ///< the palette index is the class index, whatever its colour; 255 is ignored
  colors,     ///< the colour is that of a class in a table
  instances,  ///< 0 is background, every other value an object of the one class
};

/// One image and its masks. Several masks of one case are united; one of a folder per class stands
/// for its own class (ImageSource::class_index).
struct Case {
  std::string id;     ///< the pairing key, unique in the set
  std::string group;  ///< cases of one group (patient) stay in one part; the id where none is known
  std::vector<ImageSource> images;  ///< one, or one file per channel, in the order of channels
  std::vector<ImageSource> masks;
  std::optional<ImageSource> field_of_view{};  ///< where it is 0, labels are ignored (DRIVE)
  std::string part{};      ///< "train", "val" or "test" where the set says so, else empty
  std::string stratum{};   ///< a folder that tells kinds of cases apart (BUSI's benign), or empty
  std::string volume{};    ///< the volume it is a slice of, or empty; volumes are judged whole
  std::int64_t slice = 0;  ///< position in the volume
};

struct Dataset {
  std::filesystem::path root;
  std::string layout{};     ///< what the folder was recognised as, for people
  std::vector<Case> cases;  ///< sorted by id
  MaskEncoding encoding = MaskEncoding::binary;
  std::vector<ClassInfo> classes;  ///< background first; with `colors` their colours are the table
  std::optional<std::uint8_t> ignored{};  ///< a value beside 255 that is ignored (nnU-Net's)
};

/// What to assume where the folder does not say.
struct DatasetOptions {
  std::optional<MaskEncoding> encoding;  ///< none = decide over all masks
  /// Background first; empty = what the set's own files say, else background and foreground, or
  /// background, class 1, ...
  std::vector<ClassInfo> classes{};
};

/// The options of a command: `encoding` by name or empty, `classes` by names or by a file of
/// --classes (data/class_file.h), or empty. Throws a usage Error when both are given.
DatasetOptions dataset_options(const std::string& encoding,
                               const std::vector<std::string>& class_names,
                               const std::filesystem::path& class_file = {});

/// Finds images and masks, pairs them by stem, decides the encoding over all masks. Throws Error
/// for a folder without pairs and for an encoding that cannot be told (listing the choices).
Dataset open_dataset(const std::filesystem::path& root, const DatasetOptions& options = {});

/// Images alone (for predict): every image file below `root`, or `root` itself when it is one.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& root);

/// The image of a case, its channels' files stacked. Throws Error when their sizes differ.
Image read_image(const Case& item);
ImageSize read_image_size(const Case& item);

/// Every file that a case is made of, each once, images first.
std::vector<std::filesystem::path> files_of(const Case& item);

/// The case's label map at the image's own size. Throws Error when sizes differ, naming both files.
LabelMap read_labels(const Dataset& dataset, const Case& item);

/// One part's case ids.
struct Split {
  std::vector<std::string> train, val, test;
  std::string data_sha256;  ///< over ids and contents of all files, so a change is seen
};

/// Parts of a set by name: "train", "val", "test" or "all". Throws usage Error for another name.
std::vector<Case> part_of(const Dataset& dataset, const Split& split, const std::string& part);

/// Seeded split by ratios; groups and exact duplicates stay together.
struct SplitRatios {
  double train = 0.7, val = 0.1, test = 0.2;
};
Split make_split(const Dataset& dataset, const SplitRatios& ratios, std::uint64_t seed);

/// Hash over ids and contents of all images and masks.
std::string content_hash(const Dataset& dataset);

/// split.json: format version, seed, ratios, encoding, classes, content hashes, case ids per part.
nlohmann::json split_to_json(const Dataset& dataset, const Split& split, const SplitRatios& ratios,
                             std::uint64_t seed);
/// Reads split.json and verifies it against the set: every id is known and contents are unchanged.
/// Throws Error naming the first difference.
Split read_split(const std::filesystem::path& file, const Dataset& dataset);
/// The options a split file fixes (encoding and class names), so that every command that gets the
/// file opens the set alike.
DatasetOptions split_options(const std::filesystem::path& file);

}  // namespace medurwkv::data
