#include "predict/outputs.h"

#include <array>
#include <bit>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/version.h"
#include "data/dataset.h"

namespace medurwkv::predict {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Found {
  fs::path file;
  fs::path subfolder;  ///< below the folder that was searched
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

std::vector<Found> find_images(const std::vector<fs::path>& inputs, const fs::path& out) {
  std::vector<Found> found;
  std::set<fs::path> seen;
  const fs::path real_out = real_path(out);
  for (const fs::path& input : inputs) {
    std::error_code error;
    if (!fs::is_directory(input, error)) {
      if (seen.insert(real_path(input)).second) found.push_back({input, {}});
      continue;
    }
    // Masks of an earlier run into a folder inside the input are no images to predict.
    const bool out_inside = lies_below(real_out, real_path(input));
    for (const fs::path& file : data::list_images(input)) {
      const fs::path real_file = real_path(file);
      if (out_inside && lies_below(real_file, real_out)) continue;
      if (!seen.insert(real_file).second) continue;
      const fs::path subfolder = file.parent_path().lexically_relative(input);
      const bool inside = !subfolder.empty() && subfolder != "." && *subfolder.begin() != "..";
      found.push_back({file, inside ? subfolder : fs::path()});
    }
  }
  return found;
}

Job named(const Found& found, const std::string& stem, const OutputOptions& options) {
  Job job;
  job.input = found.file;
  job.mask = found.subfolder / (stem + ".png");
  if (options.overlay) job.overlay = found.subfolder / (stem + "_overlay.png");
  if (options.probabilities) job.probabilities = found.subfolder / (stem + "_probabilities.npy");
  return job;
}

Job distinct(const Found& found, const OutputOptions& options, std::set<fs::path>& taken) {
  const std::string stem = found.file.stem().string();
  const std::string suffix = found.file.extension().string();
  const std::string longer = suffix.size() > 1 ? concat(stem, "_", suffix.substr(1)) : stem;
  for (int attempt = 0;; ++attempt) {
    const std::string name = attempt == 0   ? stem
                             : attempt == 1 ? longer
                                            : concat(longer, "_", attempt);
    Job job = named(found, name, options);
    bool free = true;
    for (const fs::path& file : job.outputs()) free = free && !taken.contains(file);
    if (!free) continue;
    for (const fs::path& file : job.outputs()) taken.insert(file);
    return job;
  }
}

}  // namespace

std::vector<fs::path> Job::outputs() const {
  std::vector<fs::path> out{mask};
  if (!overlay.empty()) out.push_back(overlay);
  if (!probabilities.empty()) out.push_back(probabilities);
  return out;
}

std::vector<Job> plan_outputs(const std::vector<fs::path>& inputs, const fs::path& out,
                              const OutputOptions& options) {
  const std::vector<Found> found = find_images(inputs, out);
  std::vector<Job> jobs;
  std::set<fs::path> taken;
  std::set<fs::path> read;
  for (const Found& image : found) {
    jobs.push_back(distinct(image, options, taken));
    read.insert(real_path(image.file));
  }
  for (const Job& job : jobs) {
    for (const fs::path& file : job.outputs()) {
      if (!read.contains(real_path(out / file))) continue;
      throw_usage(
          concat((out / file).string(), " would overwrite an input image; choose another --out"));
    }
  }
  return jobs;
}

std::string encode_npy(const std::vector<float>& planes, std::int64_t channels,
                       data::ImageSize size) {
  static_assert(std::endian::native == std::endian::little);
  const auto expected = static_cast<std::size_t>(channels * size.width * size.height);
  if (planes.size() != expected) throw_internal("encode_npy with a wrong number of values");
  std::string header = concat("{'descr': '<f4', 'fortran_order': False, 'shape': (", channels, ", ",
                              size.height, ", ", size.width, "), }");
  // Magic, version and length take 10 bytes; the values begin at a multiple of 64 (NEP 1).
  constexpr std::size_t alignment = 64;
  constexpr std::size_t preamble = 10;
  const std::size_t used = preamble + header.size() + 1;
  header.append((alignment - used % alignment) % alignment, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xff);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out += as_text(std::span<const float>(planes));
  return out;
}

Manifest::Manifest(const ModelDescription& model, const OutputOptions& options) {
  Json classes = Json::array();
  for (const ClassInfo& info : model.classes) {
    classes.push_back({{"name", info.name}, {"color", info.color}});
  }
  const Json about_model{{"file", model.file},
                         {"sha256", model.sha256},
                         {"network", model.network},
                         {"classes", classes}};
  const Json about_options{{"overlay", options.overlay}, {"probabilities", options.probabilities}};
  json_ = std::make_unique<Json>(Json{{"format", 1},
                                      {"program", "medurwkv"},
                                      {"version", version},
                                      {"model", about_model},
                                      {"options", about_options},
                                      {"images", Json::array()},
                                      {"failed", Json::array()}});
}

Manifest::~Manifest() = default;

void Manifest::add_image(const Job& job, const data::LabelMap& labels) {
  std::vector<std::int64_t> pixels((*json_)["model"]["classes"].size(), 0);
  for (const std::uint8_t label : labels.labels) {
    if (label < pixels.size()) ++pixels[label];
  }
  (*json_)["images"].push_back({{"input", job.input.string()},
                                {"sha256", sha256_file(job.input)},
                                {"width", labels.width},
                                {"height", labels.height},
                                {"class_pixels", pixels},
                                {"outputs", Json::array()}});
}

void Manifest::add_output(const fs::path& file, std::string_view bytes, const char* what) {
  (*json_)["images"].back()["outputs"].push_back(
      {{"file", file.generic_string()}, {"sha256", sha256(bytes)}, {"what", what}});
}

void Manifest::add_failure(const fs::path& input, const std::string& error) {
  (*json_)["failed"].push_back({{"input", input.string()}, {"error", error}});
}

std::string Manifest::text(bool complete) const {
  Json out = *json_;
  out["complete"] = complete;
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace medurwkv::predict
