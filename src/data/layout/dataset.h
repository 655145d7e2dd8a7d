// A set of images and masks as a list of cases, and what a case holds. Relies on
// data/codecs/read.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/codecs/image_rows.h"
#include "data/codecs/read.h"
#include "data/image/image.h"

namespace medurwkv::data {

/// How a mask's pixels become class indices; decided over all masks of a set.
enum class MaskEncoding {
  binary,     ///< 0 and 255 (or near them: cut at 127 / 128): background and one class
  index,      ///< the gray value is the class index; 255 is ignored
  palette,    ///< the palette index is the class index, whatever its colour; 255 is ignored
  colors,     ///< the colour, or gray level, is that of a class in a table
  one_hot,    ///< the one of three channels that is not 0 is the class, from 1
  instances,  ///< 0 is background, every other value an object of the one class
};

/// One image and its masks. Several masks of one case are united; one of a folder per class stands
/// for its own class (ImageSource::class_index).
struct Case {
  std::string id;  ///< the pairing key, its folder before it where keys repeat; unique in the set
  std::string group;  ///< cases of one group (patient) stay in one part; the id where none is known
  std::vector<ImageSource> images;  ///< one, or one file per channel, in the order of channels
  std::vector<ImageSource> masks;
  std::optional<ImageSource> field_of_view{};  ///< where it is 0, labels are ignored (DRIVE)
  std::string folder{};    ///< its folders but those of images and masks, as `P0/`; or empty
  std::string part{};      ///< "train", "val" or "test" where the set says so, else empty
  std::string stratum{};   ///< a folder that tells kinds of cases apart (BUSI's benign), or empty
  std::string volume{};    ///< the volume it is a slice of, or empty; volumes are judged whole
  std::int64_t slice = 0;  ///< position in the volume
  /// SHA-256 over the files it was made of, where they are not at hand (a pack), else empty.
  std::string content{};
};

/// The id, with its folder before it where it lacks that: `P0/000`.
std::string name_in_folder(const Case& item);

struct Dataset {
  std::filesystem::path root;
  std::string layout{};     ///< what the folder was recognised as, for people
  std::vector<Case> cases;  ///< sorted by id
  MaskEncoding encoding = MaskEncoding::binary;
  std::vector<ClassInfo> classes;  ///< background first; with `colors` their colours are the table
  std::optional<std::uint8_t> ignored{};  ///< a value beside 255 that is ignored (nnU-Net's)
  /// What is left out, with counts, one line each, for the user to see.
  std::vector<std::string> notes{};
  Plane plane = Plane::stored;  ///< into whose slices volumes are cut
};

/// What to assume where the folder does not say.
struct DatasetOptions {
  std::optional<MaskEncoding> encoding{};  ///< none = decide over all masks
  /// Background first; empty = what the set's own files say, else background and foreground, or
  /// background, class 1, ...
  std::vector<ClassInfo> classes{};
  std::optional<Plane> plane{};  ///< of volumes; none = as stored, or as a pack was cut
};

/// The options of a command: `encoding` by name or empty, `classes` by names or by a file of
/// --classes (data/layout/class_file.h), or empty. Throws a usage Error when both are given.
DatasetOptions dataset_options(const std::string& encoding,
                               const std::vector<std::string>& class_names,
                               const std::filesystem::path& class_file = {});

/// The image of a case, its channels' files stacked. Throws Error when their sizes or sample types
/// differ. With the windows that are wanted of it (data/codecs/own_windows.h), those of each file
/// for its channels: what a network is to see is read with the windows of its contract.
Image read_image(const Case& item, const std::vector<OwnWindow>& wanted = {});
/// The same, with the SHA-256 of each of its files (data/codecs/read.h), by the order of images.
Image read_image(const Case& item, std::vector<std::string>& hashes,
                 const std::vector<OwnWindow>& wanted = {});
ImageSize read_image_size(const Case& item);
/// The same image by rows (data/codecs/image_rows.h).
std::unique_ptr<ImageRows> open_rows(const Case& item, const std::vector<OwnWindow>& wanted = {});

/// Every file that a case is made of, each once, images first.
std::vector<std::filesystem::path> files_of(const Case& item);

/// The case's label map at the image's own size. Throws Error when sizes differ, naming both files.
LabelMap read_labels(const Dataset& dataset, const Case& item);

/// SHA-256 of each case over its files, by the order of cases.
std::vector<std::string> case_hashes(const Dataset& dataset);
/// SHA-256 over ids and contents of all cases.
std::string content_hash(const Dataset& dataset);

}  // namespace medurwkv::data
