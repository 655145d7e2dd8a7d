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

/// How a mask's pixel values become class indices; decided over all masks of a set.
enum class MaskEncoding {
  binary,  ///< 0 and 255 (or near them: cut at 127 / 128): background and one class
  index,   ///< the pixel value is the class index
};

/// One image and its masks (several masks of one case are united).
struct Case {
  std::string id;     ///< the pairing key, unique in the set
  std::string group;  ///< cases of one group (patient) stay in one part; the id where none is known
  std::filesystem::path image;
  std::vector<std::filesystem::path> masks;
};

struct Dataset {
  std::filesystem::path root;
  std::vector<Case> cases;  ///< sorted by id
  MaskEncoding encoding = MaskEncoding::binary;
  std::vector<ClassInfo> classes;  ///< background first
};

/// What to assume where the folder does not say.
struct DatasetOptions {
  std::optional<MaskEncoding> encoding;  ///< none = decide over all masks
  std::vector<std::string> class_names;  ///< empty = background, lesion / class 1, class 2, ...
};

/// Finds images and masks, pairs them by stem, decides the encoding over all masks. Throws Error
/// for a folder without pairs and for an encoding that cannot be told (listing the choices).
Dataset open_dataset(const std::filesystem::path& root, const DatasetOptions& options = {});

/// Images alone (for predict): every image file below `root`, or `root` itself when it is one.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& root);

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
