#include "predict/outputs.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/file_name.h"
#include "core/files.h"
#include "core/identity.h"
#include "core/model_description.h"
#include "core/npy.h"
#include "core/text.h"
#include "core/unicode.h"
#include "core/version.h"
#include "data/codecs/read.h"
#include "data/layout/channels.h"
#include "data/layout/dataset.h"
#include "data/layout/layout.h"
#include "data/layout/names.h"
#include "data/volumes/series.h"
#include "data/volumes/writer.h"
#include "weights/model_file.h"

namespace medurwkv::predict {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Found {
  std::vector<fs::path> files;
  fs::path subfolder;  ///< below the folder that was searched
  std::string stem;    ///< of the outputs
  std::string problem{};
};

struct Search {
  std::vector<Found> images;
  std::size_t masks_left_out = 0;
  std::vector<data::FileNote> unread;
};

// With links resolved as far as the path exists, so that one file has one name.
fs::path real_path(const fs::path& path) {
  std::error_code error;
  fs::path out = fs::weakly_canonical(path, error);
  return error ? fs::absolute(path).lexically_normal() : out;
}

// A folder to train from has masks beside its images. They are not predicted.
std::set<fs::path> masks_of_images(const data::Layout& layout) {
  std::set<fs::path> masks;
  std::set<fs::path> images;
  for (const data::Case& item : layout.cases) {
    for (const data::ImageSource& mask : item.masks) masks.insert(real_path(mask.file));
    for (const data::ImageSource& image : item.images) images.insert(real_path(image.file));
  }
  for (const fs::path& image : images) masks.erase(image);  // a file of arrays may hold both
  return masks;
}

bool holds_folders(const fs::path& folder) {
  const std::vector<fs::path> all = list_folder(folder);
  return std::any_of(all.begin(), all.end(), [](const fs::path& path) {
    std::error_code error;
    return fs::is_directory(path, error);
  });
}

Search find_images(const std::vector<fs::path>& inputs) {
  Search found;
  std::set<fs::path> seen;
  for (const fs::path& input : inputs) {
    std::error_code error;
    // A folder of one series and no folders is the series.
    const bool alone =
        fs::is_directory(input, error) && data::is_series(input) && !holds_folders(input);
    if (!fs::is_directory(input, error) || alone) {
      if (seen.insert(real_path(input)).second) {
        found.images.push_back({{input}, {}, path_without_identity(data::picture_stem(input))});
      }
      continue;
    }
    const data::Layout layout = data::find_layout(input);
    const std::set<fs::path> masks = masks_of_images(layout);
    found.unread.insert(found.unread.end(), layout.unread.begin(), layout.unread.end());
    for (const fs::path& file : data::list_images(input)) {
      const fs::path real_file = real_path(file);
      if (!seen.insert(real_file).second) continue;
      if (masks.contains(real_file)) {
        ++found.masks_left_out;
        continue;
      }
      const fs::path subfolder = file.parent_path().lexically_relative(input);
      const bool inside = !subfolder.empty() && subfolder != "." && *subfolder.begin() != "..";
      found.images.push_back(
          {{file},
           inside ? fs::path(path_without_identity(subfolder.string())) : fs::path(),
           path_without_identity(data::picture_stem(file))});
    }
  }
  return found;
}

/// How many of a folder's files, of which `first` is one, make one case for the model.
std::int64_t files_of_case(const fs::path& first, const InputContract& input) {
  if (input.files > 1 || input.channels == 1 || input.channels == 3) return input.files;
  try {  // the model's set has all channels of an image in one file
    return std::max<std::int64_t>(1,
                                  input.channels / data::read_channels(data::ImageSource{first}));
  } catch (const Error&) {
    return 1;  // reported when it is predicted
  }
}

std::int64_t channel_of(const Found& part) {
  return data::channel_name(part.stem)->channel;
}

/// The files of one case in the order of their channels; a problem unless these are 0 to
/// `count` - 1, once each.
Found joined(const std::string& stem, std::vector<Found> parts, std::int64_t count) {
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Found& a, const Found& b) { return channel_of(a) < channel_of(b); });
  Found out{.files = {}, .subfolder = parts.front().subfolder, .stem = stem};
  std::int64_t in_turn = 0;
  for (const Found& part : parts) {
    if (channel_of(part) == in_turn) ++in_turn;
    out.files.push_back(part.files.front());
  }
  if (in_turn < count) {
    out.problem = concat("the case ", stem, " lacks its file ", data::channel_stem(stem, in_turn),
                         "; the model takes ", count, " files per case");
  } else if (std::ssize(parts) > count) {
    out.problem =
        concat("the case ", stem, " has ", parts.size(), " files; the model takes ", count, ": ",
               data::channel_stem(stem, 0), " to ", data::channel_stem(stem, count - 1));
  }
  return out;
}

/// Files of channels become cases, each in the place of its first file.
std::vector<Found> with_channels_joined(const std::vector<Found>& images,
                                        const InputContract& input) {
  std::map<fs::path, std::vector<std::string>> stems;
  std::map<fs::path, std::int64_t> counts;  ///< of files a case, by folder
  for (const Found& image : images) {
    stems[image.files.front().parent_path()].push_back(image.stem);
  }
  for (const Found& image : images) {
    const fs::path folder = image.files.front().parent_path();
    if (counts.contains(folder)) continue;
    counts[folder] =
        data::are_channels(stems[folder]) ? files_of_case(image.files.front(), input) : 1;
  }
  std::map<fs::path, std::vector<Found>> cases;
  const auto case_of = [](const Found& part) {
    return part.files.front().parent_path() / data::channel_name(part.stem)->key;
  };
  for (const Found& image : images) {
    if (counts[image.files.front().parent_path()] > 1) cases[case_of(image)].push_back(image);
  }
  std::vector<Found> out;
  for (const Found& image : images) {
    const std::int64_t count = counts[image.files.front().parent_path()];
    if (count == 1) {
      out.push_back(image);
    } else if (auto parts = cases.extract(case_of(image))) {
      out.push_back(joined(parts.key().filename().string(), std::move(parts.mapped()), count));
    }
  }
  return out;
}

/// What is asked for and cannot be made of a volume, and why; empty where there is nothing.
std::string problem_of_volume(const OutputOptions& options, bool is_dicom,
                              data::VolumeFormat format) {
  if (options.overlay) return "is a volume, of which no overlay is drawn; leave out --overlay";
  if (options.probabilities == Probabilities::npy || options.probabilities == Probabilities::png) {
    return "is a volume, whose probabilities are one, too; use --probabilities volume";
  }
  if (format == data::VolumeFormat::dicom && !is_dicom) {
    return "is no DICOM, so that a segmentation in DICOM could not say of which images it is; use "
           "another --volume-format";
  }
  if (format == data::VolumeFormat::dicom && options.unsure) {
    return "is DICOM, in which --unsure is not written; use --volume-format nifti";
  }
  if (options.contours && !is_dicom) {
    return "is a volume, of which outlines are written for DICOM alone; leave out --contours";
  }
  return "";
}

/// The outputs of a volume.
void name_volume(const std::string& source, const OutputOptions& options, std::size_t class_count,
                 Job& job, const std::function<void(What, const std::string&, std::size_t)>& add) {
  const bool is_dicom = data::written_as(source, std::nullopt).format == data::VolumeFormat::dicom;
  job.as = data::written_as(source, options.volume_format);
  const std::string& suffix = job.as.suffix;
  if (job.problem.empty()) job.problem = problem_of_volume(options, is_dicom, job.as.format);
  add(What::mask, suffix, 0);
  if (options.probabilities == Probabilities::volume) {
    if (job.as.format == data::VolumeFormat::dicom) {
      add(What::probabilities, "_probabilities" + suffix, 0);
    } else {
      for (std::size_t c = 1; c < class_count; ++c) {
        add(What::probabilities, concat("_probabilities_", c, suffix), c);
      }
    }
  }
  if (options.unsure) add(What::unsure, "_unsure" + suffix, 0);
  if (options.contours) add(What::contours, "_contours.dcm", 0);
}

Job named(const Found& found, const std::string& stem, const OutputOptions& options,
          std::size_t class_count) {
  Job job{.inputs = found.files, .outputs = {}, .problem = found.problem};
  const auto add = [&](What what, const std::string& end, std::size_t class_index = 0) {
    job.outputs.push_back({what, found.subfolder / file_name(stem, end), class_index});
  };
  job.volume = data::holds_volume(found.files.front());
  if (job.volume) {
    name_volume(found.files.front().string(), options, class_count, job, add);
    return job;
  }
  if (options.probabilities == Probabilities::volume && job.problem.empty()) {
    job.problem = "is a picture, whose probabilities are no volume; use --probabilities npy or png";
  }
  add(What::mask, ".png");
  if (options.overlay) add(What::overlay, "_overlay.png");
  if (options.probabilities == Probabilities::npy) {
    add(What::probabilities, "_probabilities.npy");
  }
  if (options.probabilities == Probabilities::png) {
    for (std::size_t c = 1; c < class_count; ++c) {
      add(What::probabilities, concat("_probabilities_", c, ".png"), c);
    }
  }
  if (options.unsure) add(What::unsure, "_unsure.png");
  if (options.contours) {
    add(What::contours, options.geojson ? "_contours.geojson" : "_contours.json");
  }
  return job;
}

Job distinct(const Found& found, const OutputOptions& options, std::size_t class_count,
             std::set<fs::path>& taken) {
  const std::string& stem = found.stem;
  const std::string suffix = found.files.front().extension().string();
  const std::string longer = suffix.size() > 1 ? concat(stem, "_", suffix.substr(1)) : stem;
  for (int attempt = 0;; ++attempt) {
    const std::string name = attempt == 0   ? stem
                             : attempt == 1 ? longer
                                            : concat(longer, "_", attempt);
    Job job = named(found, name, options, class_count);
    const auto is_taken = [&](const Output& one) { return taken.contains(one.file); };
    if (std::any_of(job.outputs.begin(), job.outputs.end(), is_taken)) continue;
    for (const Output& one : job.outputs) taken.insert(one.file);
    return job;
  }
}

Json to_json(const ModelDescription& model) {
  Json out{{"file", model.file},
           {"content_sha256", model.content_sha256},
           {"network", model.network},
           {"input", weights::to_json(model.input)}};
  if (model.temperature) out["temperature"] = *model.temperature;
  return out;
}

Json options_json(const RunDescription& run) {
  const OutputOptions& options = run.outputs;
  const PostOptions& post = options.post;
  const char* probabilities = options.probabilities == Probabilities::npy      ? "npy"
                              : options.probabilities == Probabilities::png    ? "png"
                              : options.probabilities == Probabilities::volume ? "volume"
                                                                               : nullptr;
  Json out{{"overlay", options.overlay},
           {"probabilities", probabilities == nullptr ? Json() : Json(probabilities)},
           {"unsure", options.unsure},
           {"contours", options.contours},
           {"threshold", post.threshold ? Json(*post.threshold) : Json()},
           {"fill_holes", post.fill_holes},
           {"largest", post.largest},
           {"min_area", post.min_area},
           {"tta", run.flips}};
  // Manifests of versions that knew none of them lack these, and can be continued.
  if (options.geojson) out["contours_format"] = "geojson";
  if (options.volume_format) {
    out["volume_format"] =
        data::volume_format_names.at(static_cast<std::size_t>(*options.volume_format));
  }
  // Manifests of versions that knew no tiles lack it, too, and can be continued.
  if (run.tile > 0) out["tile"] = run.tile;
  // So do those of versions that computed in float32 alone.
  const std::string& precision = run.models.front().precision;
  if (precision != "float32") out["precision"] = precision;
  return out;
}

std::vector<Json> model_hashes(const Json& manifest) {
  std::vector<Json> out;
  for (const Json& model : manifest.at("models")) out.push_back(model.value("content_sha256", ""));
  return out;
}

constexpr const char* format_name = "medurwkv-predictions";
constexpr int format_version = 1;

}  // namespace

const char* to_string(What what) {
  switch (what) {
    case What::mask: return "mask";
    case What::overlay: return "overlay";
    case What::probabilities: return "probabilities";
    case What::unsure: return "unsure";
    case What::contours: return "contours";
  }
  throw_internal("unknown output");
}

std::string to_string(const Shard& shard) {
  return concat(shard.index, "/", shard.count);
}

std::string manifest_name_of(const Shard& shard) {
  return concat("manifest-", shard.index, "-of-", shard.count, ".json");
}

Plan plan_outputs(const std::vector<fs::path>& inputs, const fs::path& out,
                  const OutputOptions& options, std::size_t class_count,
                  const InputContract& input) {
  refuse_within(out, inputs);
  Search found = find_images(inputs);
  std::vector<Job> jobs;
  std::set<fs::path> taken{manifest_name};
  std::set<fs::path> read;
  for (const Found& image : with_channels_joined(found.images, input)) {
    jobs.push_back(distinct(image, options, class_count, taken));
    for (const fs::path& file : image.files) read.insert(real_path(file));
  }
  std::set<fs::path> folders;
  for (const Job& job : jobs) {
    const OutputPath folder = (OutputPath(out) / job.outputs.front().file).folder();
    if (folders.insert(folder.path()).second) {
      refuse_within(folder, inputs);
      refuse_links(folder);
    }
    for (const Output& one : job.outputs) {
      if (!read.contains(real_path(out / one.file))) continue;
      throw_usage(concat((out / one.file).string(),
                         " would overwrite an input image; choose another --out"));
    }
  }
  return {.jobs = std::move(jobs),
          .masks_left_out = found.masks_left_out,
          .unread = std::move(found.unread)};
}

std::string encode_npy(const std::vector<float>& planes, std::int64_t channels,
                       data::ImageSize size) {
  const Shape shape{channels, size.height, size.width};
  if (std::ssize(planes) != element_count(shape)) {
    throw_internal("encode_npy with a wrong number of values");
  }
  std::string out = npy_header(NpyType::f32, shape);
  out += as_text(std::span<const float>(planes));
  return out;
}

std::vector<unsigned char> gray_samples(std::span<const float> values, bool wide) {
  std::vector<unsigned char> out;
  out.reserve(values.size() * (wide ? 2 : 1));
  const float most = wide ? 65535.0F : 255.0F;
  for (const float value : values) {
    const long sample = std::lround(std::clamp(value, 0.0F, 1.0F) * most);
    out.push_back(static_cast<unsigned char>(sample & 0xff));
    if (wide) out.push_back(static_cast<unsigned char>(sample >> 8));
  }
  return out;
}

std::string encode_gray(const float* values, data::ImageSize size, bool wide) {
  const auto pixels = static_cast<std::size_t>(size.width * size.height);
  return data::encode_png(data::Image{size.width, size.height, 1,
                                      wide ? data::SampleType::u16 : data::SampleType::u8,
                                      gray_samples({values, pixels}, wide)});
}

Manifest::Manifest(const RunDescription& run, const std::vector<Job>& jobs) {
  Json classes = Json::array();
  for (const ClassInfo& info : run.models.front().classes) {
    classes.push_back({{"name", info.name}, {"color", info.color}});
  }
  Json models = Json::array();
  for (const ModelDescription& model : run.models) models.push_back(to_json(model));
  Json planned = Json::array();
  for (const Job& job : jobs) {
    for (const Output& one : job.outputs) planned.push_back(readable(one.file.generic_string()));
  }
  json_ = {{"format", format_name},   {"format_version", format_version},
           {"medurwkv", version},     {"models", models},
           {"classes", classes},      {"options", options_json(run)},
           {"images", Json::array()}, {"failed", Json::array()},
           {"planned", planned}};
  std::vector<std::optional<double>> temperatures;
  for (const ModelDescription& model : run.models) temperatures.push_back(model.temperature);
  json_["temperature"] = common_temperature(temperatures);
  if (!run.part) return;
  const PartOfList& part = *run.part;
  name_ = manifest_name_of(part.shard);
  json_["shard"] = {{"index", part.shard.index},
                    {"count", part.shard.count},
                    {"images", part.images},
                    {"list_sha256", part.list_sha256}};
}

void Manifest::add(const char* list, const Job& job, Json entry) {
  if (json_.contains("shard")) entry["place"] = job.place;
  json_[list].push_back(std::move(entry));
}

void Manifest::add_image(const Job& job, Json entry) {
  add("images", job, std::move(entry));
}

void Manifest::add_failure(const Job& job, const std::string& error) {
  add("failed", job,
      {{"input", manifest_name_of(job.input())}, {"error", without_identity(error)}});
}

std::string Manifest::text(bool complete) const {
  return manifest_text(json_, complete);
}

std::string manifest_name_of(const fs::path& input) {
  return readable(path_without_identity(input.string()));
}

std::string manifest_text(Json manifest, bool complete) {
  if (complete) manifest.erase("planned");
  manifest["complete"] = complete;
  return manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void refuse_another_format(const fs::path& file, const Json& manifest) {
  if (manifest.at("format") != format_name) {
    throw_failure(
        concat(file.string(), ": is not a manifest of predictions; choose another --out"));
  }
  if (manifest.at("format_version") != format_version) {
    throw_failure(concat(file.string(), ": is of manifest format ",
                         shown(manifest.at("format_version").dump()), "; medurwkv ", version,
                         " reads format ", format_version, "; use a newer medurwkv"));
  }
}

EarlierRun::EarlierRun(const fs::path& out, const Manifest& now) : out_(out) {
  const fs::path file = out / now.name();
  std::error_code error;
  if (!fs::exists(fs::symlink_status(file, error))) return;
  const Json& wanted = now.json();
  try {
    const Json earlier = Json::parse(read_file(file));
    refuse_another_format(file, earlier);
    if (model_hashes(earlier) != model_hashes(wanted)) {
      throw_usage(concat(file.string(),
                         ": was written with other models; --continue needs the same models"));
    }
    if (earlier.at("options") != wanted.at("options")) {
      throw_usage(concat(file.string(), ": was written with other options (",
                         shown(earlier.at("options").dump()),
                         "); --continue needs the same options"));
    }
    read(earlier);
  } catch (const Json::exception& broken) {
    throw_failure(concat(file.string(), ": is a broken manifest: ", shown(broken.what()),
                         "; choose another --out"));
  }
}

void EarlierRun::read(const Json& earlier) {
  for (const Json& one : earlier.value("planned", Json::array())) {
    files_.insert(one.get<std::string>());
  }
  for (const Json& image : earlier.at("images")) {
    Done done{.inputs = {}, .files = {}, .entry = entries_.size()};
    entries_.push_back(image);
    for (const Json& one : image.value("inputs", Json::array({image}))) {
      done.inputs.emplace_back(one.at("input").get<std::string>(),
                               one.at("sha256").get<std::string>());
    }
    for (const Json& one : image.at("outputs")) {
      done.files.emplace_back(one.at("file").get<std::string>(),
                              one.at("sha256").get<std::string>());
      files_.insert(done.files.back().first);
    }
    images_[image.at("input").get<std::string>()] = std::move(done);
  }
}

std::optional<Json> EarlierRun::entry_of(const Job& job) const {
  const auto found = images_.find(manifest_name_of(job.input()));
  if (found == images_.end() || found->second.files.size() != job.outputs.size() ||
      found->second.inputs.size() != job.inputs.size()) {
    return std::nullopt;
  }
  const auto same = [](const fs::path& file, const std::string& hash) {
    std::error_code error;
    return fs::is_regular_file(file, error) && sha256_file(file) == hash;
  };
  const auto same_input = [&](const fs::path& input, const std::string& hash) {
    return data::is_series(input) ? data::sha256_of(data::files_behind(input)) == hash
                                  : same(input, hash);
  };
  const Done& done = found->second;
  bool all = true;
  for (std::size_t i = 0; all && i < job.inputs.size(); ++i) {
    const auto& [file, hash] = done.inputs[i];
    all = file == manifest_name_of(job.inputs[i]) && same_input(job.inputs[i], hash);
  }
  for (std::size_t i = 0; all && i < job.outputs.size(); ++i) {
    const auto& [file, hash] = done.files[i];
    const fs::path& output = job.outputs[i].file;
    all = file == readable(output.generic_string()) && same(out_ / output, hash);
  }
  return all ? std::optional(entries_[done.entry]) : std::nullopt;
}

}  // namespace medurwkv::predict
