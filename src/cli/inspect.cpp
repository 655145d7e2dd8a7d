// `medurwkv inspect`: what a preset is made of, counted from the plan, and what is in a file of
// weights.
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "net/presets.h"
#include "plan/counting.h"
#include "weights/contents.h"
#include "weights/model_file.h"
#include "weights/values.h"

namespace medurwkv::cli {
namespace {

using nlohmann::json;

struct InspectOptions {
  CommonOptions common;
  std::string file, preset;
  std::int64_t classes = 2;
  std::int64_t channels = 3;
  std::int64_t size = 0;
  bool names = false;
};

json to_json(const plan::Cost& cost) {
  json stages = json::array();
  for (const plan::StageCost& stage : cost.stages) {
    stages.push_back({{"stage", stage.stage},
                      {"parameters", stage.parameters},
                      {"multiply_adds", stage.multiply_adds},
                      {"peak_activation_bytes", stage.peak_bytes}});
  }
  return {{"parameters", cost.parameters},
          {"buffers", cost.buffers},
          {"multiply_adds", cost.multiply_adds},
          {"wkv_token_channels", cost.wkv_token_channels},
          {"peak_activation_bytes", cost.peak_bytes},
          {"stages", stages}};
}

std::string cell(const std::string& text, int width) {
  std::ostringstream out;
  out << std::setw(width) << text;
  return out.str();
}

void print_row(const std::string& stage, std::int64_t parameters, std::int64_t multiply_adds,
               std::int64_t bytes) {
  std::cout << std::left << std::setw(24) << stage << std::right
            << cell(with_thousands(parameters), 14)
            << cell(fixed(static_cast<double>(multiply_adds) * 1e-9, 3) + " G", 14)
            << cell(human_bytes(static_cast<double>(bytes)), 14) << "\n";
}

void print_table(const plan::Cost& cost) {
  std::cout << std::left << std::setw(24) << "stage" << std::right << cell("parameters", 14)
            << cell("multiply-adds", 14) << cell("peak memory", 14) << "\n";
  for (const plan::StageCost& stage : cost.stages) {
    print_row(stage.stage, stage.parameters, stage.multiply_adds, stage.peak_bytes);
  }
  print_row("whole network", cost.parameters, cost.multiply_adds, cost.peak_bytes);
  std::cout << "\nMultiply-adds of linear maps and convolutions, one image; memory of float32 "
               "activations while running.\n";
}

std::string layout(const InputContract& input) {
  return concat(input.channels, " x ", input.height, " x ", input.width);
}

/// What is known beside the cost.
struct Subject {
  std::optional<net::NetworkConfig> network;  ///< none: unknown tensors
  InputContract input;
  json about = json::object();
  std::vector<weights::TensorInfo> tensors;  ///< of a file
};

std::string kind_of(const weights::TensorFile& file, const weights::Contents& contents) {
  if (weights::is_model(file.metadata())) {
    return file.metadata().contains("checkpoint") ? "checkpoint" : "model";
  }
  switch (contents.kind) {
    case weights::Content::med_urwkv: return "med_urwkv";
    case weights::Content::adapter: return "adapter";
    case weights::Content::classifier: return "classifier";
    case weights::Content::trunk: return "trunk";
    case weights::Content::unknown: return "tensors";
  }
  throw_internal("unknown content");
}

/// Numbers, types and sizes of a file's tensors.
void describe_tensors(const weights::TensorFile& file, json& about) {
  std::uint64_t bytes = 0;
  std::map<std::string, std::int64_t> types;
  for (const weights::TensorInfo& tensor : file.tensors()) {
    bytes += tensor.bytes;
    ++types[weights::to_string(tensor.type)];
  }
  json bad = json::array();
  for (const weights::BadValues& one : weights::bad_values(file)) {
    bad.push_back({{"name", one.tensor}, {"nan", one.nan}, {"infinite", one.infinite}});
  }
  about["tensors"] = file.tensors().size();
  about["types"] = types;
  about["bytes"] = bytes;
  about["not_finite"] = bad;
}

/// What a model of ours says in its metadata.
void describe_model(const weights::TensorFile& file, Subject& out) {
  const weights::ModelInfo info = weights::model_info(file.file(), file.metadata());
  out.input = info.input;
  json classes = json::array();
  for (const ClassInfo& one : info.classes) classes.push_back(one.name);
  out.about["classes"] = classes;
  out.about["provenance"] = info.provenance;
  if (!file.metadata().contains("checkpoint")) return;
  const json written = weights::metadata_json(file.file(), file.metadata(), "checkpoint");
  const json::json_pointer step("/state/step");
  if (written.contains(step)) {
    out.about["finished_steps"] = written.at(step);
  }
}

Subject subject_of(const InspectOptions& options) {
  if (options.file.empty()) {
    Subject out{.network = net::preset(options.preset, options.classes, options.channels),
                .input = {.channels = options.channels, .mean = {}, .deviation = {}},
                .tensors = {}};
    out.about = {{"kind", "preset"}, {"name", options.preset}};
    return out;
  }
  const weights::TensorFile file = weights::read_checked(options.file);
  const weights::Contents contents = weights::contents_of(file);
  Subject out{.network = contents.network, .input = {}, .tensors = file.tensors()};
  out.about = {{"kind", kind_of(file, contents)},
               {"name", options.file},
               {"container", weights::to_string(file.kind())},
               {"sha256", sha256_file(options.file)},
               {"metadata", file.metadata()}};
  if (contents.kind != weights::Content::unknown) {
    out.about["content"] = weights::to_string(contents.kind);
    out.about["prefix"] = contents.whole;
  }
  if (!contents.network) out.about["problem"] = contents.problem;
  if (contents.network) {
    out.input.channels = contents.network->channels;
    out.about["stated"] = contents.stated;
    out.about["known_sizes"] = contents.known_sizes;
  }
  describe_tensors(file, out.about);
  if (weights::is_model(file.metadata())) describe_model(file, out);
  return out;
}

/// One entry a line; a text of several lines, such as the configuration, as it was written.
void print_entries(const json& entries) {
  for (const auto& [key, value] : entries.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::cout << "  " << shown(key);
    if (text.find('\n') == std::string::npos) {
      std::cout << ": " << shown(text) << "\n";
      continue;
    }
    std::cout << "\n";
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::cout << "    " << shown(line) << "\n";
    }
  }
}

void print_network(const Subject& subject) {
  const net::NetworkConfig& network = *subject.network;
  std::cout << "network " << net::to_string(network.architecture) << " (" << network.preset << ")";
  if (network.architecture != net::Architecture::encoder) {
    std::cout << ", " << network.classes << " classes";
  }
  std::cout << ", " << network.channels << " channels";
  if (network.architecture != net::Architecture::unet) {
    std::cout << ", " << (network.encoder.post_norm ? "post" : "pre") << "-norm";
    std::cout << ", bi-WKV " << net::to_string(network.wkv);
  }
  std::cout << "\ninput " << layout(subject.input) << "\n";
  if (!subject.about.value("stated", true)) {
    std::cout
        << "The file names no bi-WKV mode (released32 is what weights without one were trained "
           "in); pre- or post-norm cannot be seen in it and is "
        << (subject.about.value("known_sizes", false)
                ? "what the preset of these sizes has"
                : "unknown for these sizes (pre-norm is assumed)")
        << ".\n";
  }
}

void print_values(const json& bad) {
  if (bad.empty()) {
    std::cout << "values: all finite\n";
    return;
  }
  std::cout << "values: NaN or infinite in " << bad.size() << " tensors\n";
  for (const json& one : bad) {
    std::cout << "  " << shown(one.at("name").get<std::string>()) << ": " << one.at("nan")
              << " NaN, " << one.at("infinite") << " infinite\n";
  }
}

/// Metadata of others; ours are told in words.
void print_metadata(const json& metadata) {
  if (metadata.empty() || metadata.value("format", "").starts_with("medurwkv-")) return;
  std::cout << "metadata\n";
  print_entries(metadata);
}

void print_file(const Subject& subject) {
  const json& about = subject.about;
  std::cout << about.at("name").get<std::string>() << ": " << about.at("kind").get<std::string>()
            << " (" << about.at("container").get<std::string>() << "), " << about.at("tensors")
            << " tensors";
  for (const auto& [type, count] : about.at("types").items()) {
    std::cout << ", " << count << " " << type;
  }
  std::cout << ", " << human_bytes(about.at("bytes").get<double>()) << "\n";
  if (subject.network) {
    print_network(subject);
  } else {
    std::cout << "network unknown: " << about.at("problem").get<std::string>() << "\n";
  }
  if (const std::string prefix = about.value("prefix", ""); !prefix.empty()) {
    std::cout << "names stand behind '" << shown(prefix) << "'\n";
  }
  if (about.contains("finished_steps")) {
    std::cout << "finished steps " << about.at("finished_steps") << "\n";
  }
  std::cout << "sha256 " << about.at("sha256").get<std::string>() << "\n";
  print_values(about.at("not_finite"));
  if (about.contains("classes")) std::cout << "classes " << about.at("classes").dump() << "\n";
  if (about.contains("provenance")) {
    std::cout << "provenance\n";
    print_entries(about.at("provenance"));
  }
  print_metadata(about.at("metadata"));
}

/// Every tensor of a file, or every parameter of a preset.
json tensor_list(const Subject& subject, const plan::Plan* plan) {
  json out = json::array();
  if (!subject.about.contains("container")) {
    for (const net::ParameterSpec& spec : plan->parameters) {
      out.push_back({{"name", spec.name}, {"shape", spec.shape}, {"buffer", spec.buffer}});
    }
    return out;
  }
  for (const weights::TensorInfo& tensor : subject.tensors) {
    out.push_back({{"name", tensor.name},
                   {"type", weights::to_string(tensor.type)},
                   {"shape", tensor.shape},
                   {"bytes", tensor.bytes}});
  }
  return out;
}

void print_tensors(const json& tensors) {
  std::cout << "\n";
  for (const json& one : tensors) {
    std::cout << shown(one.at("name").get<std::string>()) << " "
              << shape_text(one.at("shape").get<Shape>());
    if (one.contains("type")) {
      std::cout << " " << one.at("type").get<std::string>() << " "
                << human_bytes(one.at("bytes").get<double>());
    }
    std::cout << (one.value("buffer", false) ? " (buffer)" : "") << "\n";
  }
}

int run_inspect(const InspectOptions& options) {
  if (options.file.empty() == options.preset.empty()) {
    throw_usage("name either a file or a --preset");
  }
  Subject subject = subject_of(options);
  if (options.size > 0) subject.input.width = subject.input.height = options.size;
  std::optional<plan::Plan> plan;
  if (subject.network) {
    plan = plan::record(*subject.network, 1, subject.input.height, subject.input.width);
  }
  const json tensors =
      options.names ? tensor_list(subject, plan ? &*plan : nullptr) : json::array();
  if (options.common.json) {
    json out = plan ? to_json(plan::count(*plan)) : json::object();
    out["about"] = subject.about;
    if (plan) {
      out["network"] = weights::to_json(*subject.network);
      out["size"] = {subject.input.height, subject.input.width};
    }
    if (options.names) out["tensors"] = tensors;
    std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
    return exit_done;
  }
  if (options.file.empty()) {
    std::cout << options.preset << ": ";
    print_network(subject);
  } else {
    print_file(subject);
  }
  if (plan) {
    std::cout << "\n";
    print_table(plan::count(*plan));
  }
  if (options.names) print_tensors(tensors);
  return exit_done;
}

}  // namespace

void add_inspect(CLI::App& root) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* command = add_command(
      root, "inspect",
      "Show what a preset or a file of weights holds: network, tensors, provenance, cost.",
      "medurwkv inspect --preset tiny --classes 2 --size 256");
  command->add_option("file", options->file, "model file, checkpoint, safetensors or .pth");
  command->add_option("--preset", options->preset,
                      concat("one of ", join(net::preset_names(), ", ")));
  command->add_option("--classes", options->classes, "classes, background included")
      ->capture_default_str();
  command->add_option("--channels", options->channels, "channels of the image")
      ->capture_default_str();
  command->add_option("--size", options->size, "height and width (default: the model's, or 256)")
      ->check(CLI::Range(1, 65536));
  command->add_flag("--names", options->names, "list every tensor");
  add_json(*command, options->common);
  on_run(*command, [options] { return run_inspect(*options); });
}

}  // namespace medurwkv::cli
