// Which files a prediction run reads and writes, and what it leaves behind about them
// (manifest.json, described in docs/formats.md). Relies on core, data, weights/model_file.h and
// nlohmann/json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/model_description.h"
#include "core/unicode.h"
#include "data/image/image.h"
#include "data/layout/layout.h"
#include "data/volumes/writer.h"
#include "predict/postprocess.h"

namespace medurwkv::predict {

/// How probabilities are written.
enum class Probabilities {
  none,
  npy,  ///< float32, classes x height x width
  png,  ///< a 16-bit gray image per class but the background, 65535 = 1
  /// Of a volume: a volume of float32 per class but the background, or one fractional segmentation
  /// of DICOM.
  volume,
};

/// What is written beside the mask, and how the mask is made.
struct OutputOptions {
  bool overlay = false;
  Probabilities probabilities = Probabilities::none;
  bool unsure = false;
  bool contours = false;
  bool geojson = false;  ///< contours of pictures as GeoJSON, as QuPath reads it, else ours
  std::optional<data::VolumeFormat> volume_format = {};  ///< none: that of the volume
  PostOptions post = {};
};

enum class What { mask, overlay, probabilities, unsure, contours };
/// "mask", "overlay", ...
const char* to_string(What what);

/// A file that is made of an image; its path is relative to the output folder.
struct Output {
  What what = What::mask;
  std::filesystem::path file;
  std::size_t class_index = 0;  ///< of a PNG of probabilities
};

/// One image, or the files of a case's channels, and the files made of it: SUBFOLDER/STEM.png (the
/// mask, always first; of a volume a volume), and, as asked for, STEM_overlay.png,
/// STEM_probabilities.npy or STEM_probabilities_CLASS.png, STEM_unsure.png, STEM_contours.json or
/// .geojson; of a volume those that are volumes, and of DICOM STEM_contours.dcm, a structure set.
struct Job {
  std::vector<std::filesystem::path> inputs;  ///< by channel where there are several
  std::vector<Output> outputs;
  bool volume = false;    ///< inputs are volumes, and the mask is one
  data::WrittenAs as{};   ///< of a volume
  std::string problem{};  ///< why the case cannot be read: a channel's file is missing
  std::size_t place = 0;  ///< in the whole list, of a shard's job (predict/shard.h)
  [[nodiscard]] const std::filesystem::path& input() const { return inputs.front(); }
};

inline constexpr char manifest_name[] = "manifest.json";

/// One of the parts into which a list of images is shared out (predict/shard.h).
struct Shard {
  int index = 1;  ///< 1 to `count`
  int count = 1;
};
/// "2/8".
std::string to_string(const Shard& shard);
/// "manifest-2-of-8.json".
std::string manifest_name_of(const Shard& shard);

/// A shard, and what tells whether others are of the same list.
struct PartOfList {
  Shard shard;
  std::size_t images = 0;   ///< of the whole list
  std::string list_sha256;  ///< of the names of all its masks
};

/// What a run is to do.
struct Plan {
  std::vector<Job> jobs;
  std::size_t masks_left_out = 0;           ///< in the folders that were searched
  std::vector<data::FileNote> unread = {};  ///< files there of formats that are not read
};

/// The images of `inputs` (files, or folders searched for images; images of a folder keep their
/// subfolder) and their output names. Where a case of the model's (`input`) has several files, or
/// the images of a folder have fewer channels than the model takes, the images of a folder that are
/// all named CASE_0000, CASE_0001, ... (data/layout/names.h) are joined to cases. Left out of a
/// folder are the files that a data set there would pair with an image as its mask
/// (data/layout/layout.h). Where two would write the same file, the later one's stem gets its
/// suffix ("scan_jpg") and, if that is taken too, a number; names that are too long are shortened
/// (core/file_name.h). The same input named twice is done once. A path that does not exist stays in
/// the list, so that reading it fails as for any other bad file. Throws Error when `out`, or a
/// folder below it that would be written into, lies in a folder of the inputs or is reached through
/// a link, and when an output would overwrite an input.
Plan plan_outputs(const std::vector<std::filesystem::path>& inputs,
                  const std::filesystem::path& out, const OutputOptions& options,
                  std::size_t class_count = 2, const InputContract& input = {});

/// float32 values of shape classes x height x width as a NumPy .npy file.
std::string encode_npy(const std::vector<float>& planes, std::int64_t channels,
                       data::ImageSize size);

/// Values of 0..1 as samples of 8 bits (255 = 1) or, `wide`, of 16 bits (65535 = 1, native byte
/// order), rounded to the nearest.
std::vector<unsigned char> gray_samples(std::span<const float> values, bool wide);
/// The same as a gray PNG.
std::string encode_gray(const float* values, data::ImageSize size, bool wide);

/// What a run is, as the manifest has it.
struct RunDescription {
  std::vector<ModelDescription> models;  ///< averaged; the classes are the first one's
  OutputOptions outputs;
  bool flips = false;
  std::int64_t tile = 0;  ///< side of tiles as the user asked for them; 0: as the models say
  std::optional<PartOfList> part = {};  ///< none: the whole list
};

/// An input as the manifest calls it: as text, and without what names a patient (core/identity.h).
std::string manifest_name_of(const std::filesystem::path& input);

/// A manifest as it is written.
std::string manifest_text(nlohmann::json manifest, bool complete = true);
/// Throws Error naming the file unless it is a manifest of ours, in the format of this version.
void refuse_another_format(const std::filesystem::path& file, const nlohmann::json& manifest);

/// Collects what was done.
class Manifest {
 public:
  /// `jobs`: every file that the run may write is listed until the run is complete.
  Manifest(const RunDescription& run, const std::vector<Job>& jobs);

  void add_image(const Job& job, nlohmann::json entry);
  void add_failure(const Job& job, const std::string& error);
  [[nodiscard]] std::string text(bool complete) const;
  [[nodiscard]] const nlohmann::json& json() const { return json_; }
  /// Of the file; a shard has one of its own.
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  void add(const char* list, const Job& job, nlohmann::json entry);

  nlohmann::json json_;
  std::string name_ = manifest_name;
};

/// What an earlier run left, for one that continues it.
class EarlierRun {
 public:
  EarlierRun() = default;
  /// Reads OUT/manifest.json, or the shard's; nothing was done where there is none. Throws a usage
  /// Error when that run had other models or options than `now`, and Error when it is not a
  /// manifest of ours.
  EarlierRun(const std::filesystem::path& out, const Manifest& now);

  /// The manifest's entry of a job that was done and whose inputs and outputs have not changed.
  [[nodiscard]] std::optional<nlohmann::json> entry_of(const Job& job) const;
  /// Whether that run planned to write the file, so a file of this name may be its output.
  [[nodiscard]] bool may_have_written(const std::filesystem::path& file) const {
    return files_.contains(readable(file.generic_string()));
  }

 private:
  struct Done {
    std::vector<std::pair<std::string, std::string>> inputs;  ///< with their SHA-256
    std::vector<std::pair<std::string, std::string>> files;   ///< with their SHA-256
    std::size_t entry = 0;                                    ///< in entries_
  };
  void read(const nlohmann::json& earlier);

  std::filesystem::path out_;
  std::vector<nlohmann::json> entries_;
  std::map<std::string, Done> images_;  ///< by first input
  std::set<std::string> files_;
};

}  // namespace medurwkv::predict
