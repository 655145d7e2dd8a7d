#include "predict/outputs.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/npy.h"
#include "core/text.h"
#include "core/version.h"
#include "data/dataset.h"
#include "data/layout.h"
#include "weights/model_file.h"

namespace medurwkv::predict {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Found {
  fs::path file;
  fs::path subfolder;  ///< below the folder that was searched
};

struct Search {
  std::vector<Found> images;
  std::size_t masks_left_out = 0;
};

// With links resolved as far as the path exists, so that one file has one name.
fs::path real_path(const fs::path& path) {
  std::error_code error;
  fs::path out = fs::weakly_canonical(path, error);
  return error ? fs::absolute(path).lexically_normal() : out;
}

bool lies_below(const fs::path& file, const fs::path& folder) {
  const fs::path relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != ".." && relative != ".";
}

// Masks beside their images, as a folder to train from has them, are no images to predict.
std::set<fs::path> masks_of_images(const fs::path& folder) {
  std::set<fs::path> masks;
  std::set<fs::path> images;
  for (const data::Case& item : data::find_layout(folder).cases) {
    for (const data::ImageSource& mask : item.masks) masks.insert(real_path(mask.file));
    for (const data::ImageSource& image : item.images) images.insert(real_path(image.file));
  }
  for (const fs::path& image : images) masks.erase(image);  // a file of arrays may hold both
  return masks;
}

Search find_images(const std::vector<fs::path>& inputs, const fs::path& out) {
  Search found;
  std::set<fs::path> seen;
  const fs::path real_out = real_path(out);
  for (const fs::path& input : inputs) {
    std::error_code error;
    if (!fs::is_directory(input, error)) {
      if (seen.insert(real_path(input)).second) found.images.push_back({input, {}});
      continue;
    }
    const std::set<fs::path> masks = masks_of_images(input);
    // Masks of an earlier run into a folder inside the input are no images to predict.
    const bool out_inside = lies_below(real_out, real_path(input));
    for (const fs::path& file : data::list_images(input)) {
      const fs::path real_file = real_path(file);
      if (out_inside && lies_below(real_file, real_out)) continue;
      if (!seen.insert(real_file).second) continue;
      if (masks.contains(real_file)) {
        ++found.masks_left_out;
        continue;
      }
      const fs::path subfolder = file.parent_path().lexically_relative(input);
      const bool inside = !subfolder.empty() && subfolder != "." && *subfolder.begin() != "..";
      found.images.push_back({file, inside ? subfolder : fs::path()});
    }
  }
  return found;
}

Job named(const Found& found, const std::string& stem, const OutputOptions& options,
          std::size_t class_count) {
  Job job{.input = found.file, .outputs = {}};
  const auto add = [&](What what, const std::string& end, std::size_t class_index = 0) {
    job.outputs.push_back({what, found.subfolder / (stem + end), class_index});
  };
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
  if (options.contours) add(What::contours, "_contours.json");
  return job;
}

Job distinct(const Found& found, const OutputOptions& options, std::size_t class_count,
             std::set<fs::path>& taken) {
  const std::string stem = found.file.stem().string();
  const std::string suffix = found.file.extension().string();
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
  return {{"file", model.file},
          {"sha256", model.sha256},
          {"network", model.network},
          {"input", weights::to_json(model.input)}};
}

Json to_json(const OutputOptions& options, bool flips) {
  const PostOptions& post = options.post;
  const char* probabilities = options.probabilities == Probabilities::npy   ? "npy"
                              : options.probabilities == Probabilities::png ? "png"
                                                                            : nullptr;
  return {{"overlay", options.overlay},
          {"probabilities", probabilities == nullptr ? Json() : Json(probabilities)},
          {"unsure", options.unsure},
          {"contours", options.contours},
          {"threshold", post.threshold ? Json(*post.threshold) : Json()},
          {"fill_holes", post.fill_holes},
          {"largest", post.largest},
          {"min_area", post.min_area},
          {"tta", flips}};
}

std::vector<Json> model_hashes(const Json& manifest) {
  std::vector<Json> out;
  for (const Json& model : manifest.at("models")) out.push_back(model.at("sha256"));
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

void check_inside(const fs::path& out, const fs::path& file) {
  const fs::path target = real_path((out / file).parent_path());
  const fs::path allowed = real_path(out);
  if (target == allowed || lies_below(target, allowed)) return;
  throw_failure(concat((out / file).string(), ": a link leads to ", target.string(), ", out of ",
                       out.string(), "; choose another --out"));
}

Plan plan_outputs(const std::vector<fs::path>& inputs, const fs::path& out,
                  const OutputOptions& options, std::size_t class_count) {
  const Search found = find_images(inputs, out);
  std::vector<Job> jobs;
  std::set<fs::path> taken{manifest_name};
  std::set<fs::path> read;
  for (const Found& image : found.images) {
    jobs.push_back(distinct(image, options, class_count, taken));
    read.insert(real_path(image.file));
  }
  for (const Job& job : jobs) {
    check_inside(out, job.outputs.front().file);
    for (const Output& one : job.outputs) {
      if (!read.contains(real_path(out / one.file))) continue;
      throw_usage(concat((out / one.file).string(),
                         " would overwrite an input image; choose another --out"));
    }
  }
  return {.jobs = std::move(jobs), .masks_left_out = found.masks_left_out};
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

std::string encode_gray(const float* values, data::ImageSize size, bool wide) {
  const auto pixels = static_cast<std::size_t>(size.width * size.height);
  data::Image out{
      size.width, size.height, 1, wide ? data::SampleType::u16 : data::SampleType::u8, {}};
  out.bytes.reserve(pixels * (wide ? 2 : 1));
  const float most = wide ? 65535.0F : 255.0F;
  for (std::size_t i = 0; i < pixels; ++i) {
    const long sample = std::lround(std::clamp(values[i], 0.0F, 1.0F) * most);
    out.bytes.push_back(static_cast<unsigned char>(sample & 0xff));
    if (wide) out.bytes.push_back(static_cast<unsigned char>(sample >> 8));
  }
  return data::encode_png(out);
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
    for (const Output& one : job.outputs) planned.push_back(one.file.generic_string());
  }
  json_ = {{"format", format_name},   {"format_version", format_version},
           {"medurwkv", version},     {"models", models},
           {"classes", classes},      {"options", to_json(run.outputs, run.flips)},
           {"images", Json::array()}, {"failed", Json::array()},
           {"planned", planned}};
}

void Manifest::add_image(Json entry) {
  json_["images"].push_back(std::move(entry));
}

void Manifest::add_failure(const fs::path& input, const std::string& error) {
  json_["failed"].push_back({{"input", input.string()}, {"error", error}});
}

std::string Manifest::text(bool complete) const {
  Json out = json_;
  if (complete) out.erase("planned");
  out["complete"] = complete;
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

EarlierRun::EarlierRun(const fs::path& out, const Manifest& now) : out_(out) {
  const fs::path file = out / manifest_name;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(file, error))) return;
  const Json& wanted = now.json();
  try {
    const Json earlier = Json::parse(read_file(file));
    if (earlier.at("format") != format_name) {
      throw_failure(concat(file.string(), ": is no manifest of predictions; choose another --out"));
    }
    if (earlier.at("format_version") != format_version) {
      throw_failure(concat(file.string(), ": is of format ",
                           shown(earlier.at("format_version").dump()), "; medurwkv ", version,
                           " reads format ", format_version, "; use a newer medurwkv"));
    }
    if (model_hashes(earlier) != model_hashes(wanted)) {
      throw_usage(
          concat(file.string(), ": tells of other models; --continue goes on with the same"));
    }
    if (earlier.at("options") != wanted.at("options")) {
      throw_usage(concat(file.string(), ": tells of other options (",
                         shown(earlier.at("options").dump()),
                         "); --continue goes on with the same"));
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
    Done done{
        .sha256 = image.at("sha256").get<std::string>(), .files = {}, .entry = entries_.size()};
    entries_.push_back(image);
    for (const Json& one : image.at("outputs")) {
      done.files.emplace_back(one.at("file").get<std::string>(),
                              one.at("sha256").get<std::string>());
      files_.insert(done.files.back().first);
    }
    images_[image.at("input").get<std::string>()] = std::move(done);
  }
}

std::optional<Json> EarlierRun::entry_of(const Job& job) const {
  const auto found = images_.find(job.input.string());
  if (found == images_.end() || found->second.files.size() != job.outputs.size()) {
    return std::nullopt;
  }
  const auto same = [](const fs::path& file, const std::string& hash) {
    std::error_code error;
    return fs::is_regular_file(file, error) && sha256_file(file) == hash;
  };
  const Done& done = found->second;
  bool all = same(job.input, done.sha256);
  for (std::size_t i = 0; all && i < job.outputs.size(); ++i) {
    const auto& [file, hash] = done.files[i];
    all = file == job.outputs[i].file.generic_string() && same(out_ / file, hash);
  }
  return all ? std::optional(entries_[done.entry]) : std::nullopt;
}

}  // namespace medurwkv::predict
