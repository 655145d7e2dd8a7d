// `medurwkv inspect`: what a preset or a model file is made of, counted from the plan.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "net/presets.h"
#include "plan/counting.h"
#include "weights/model_file.h"

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

/// What is known of a file beside its cost.
struct Subject {
  net::NetworkConfig network;
  InputContract input;
  json about = json::object();
};

Subject subject_of(const InspectOptions& options) {
  if (options.file.empty()) {
    Subject out{.network = net::preset(options.preset, options.classes, options.channels),
                .input = {.channels = options.channels, .mean = {}, .deviation = {}}};
    out.about = {{"kind", "preset"}, {"name", options.preset}};
    return out;
  }
  const weights::TensorFile file = weights::TensorFile::read(options.file);
  const weights::ModelInfo info = weights::model_info(options.file, file.metadata());
  json classes = json::array();
  for (const ClassInfo& one : info.classes) classes.push_back(one.name);
  return {.network = info.network,
          .input = info.input,
          .about = {{"kind", file.metadata().contains("checkpoint") ? "checkpoint" : "model"},
                    {"name", options.file},
                    {"sha256", sha256_file(options.file)},
                    {"tensors", file.tensors().size()},
                    {"classes", classes},
                    {"provenance", info.provenance}}};
}

/// One entry a line; a text of several lines, such as the configuration, as it was written.
void print_provenance(const json& provenance) {
  for (const auto& [key, value] : provenance.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::cout << "  " << key;
    if (text.find('\n') == std::string::npos) {
      std::cout << ": " << text << "\n";
      continue;
    }
    std::cout << "\n";
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) std::cout << "    " << line << "\n";
  }
}

void print_about(const Subject& subject) {
  const net::NetworkConfig& network = subject.network;
  std::cout << subject.about.at("name").get<std::string>() << ": "
            << net::to_string(network.architecture) << " (" << network.preset << "), "
            << network.classes << " classes, " << network.channels << " channels, bi-WKV "
            << net::to_string(network.wkv) << "\ninput " << layout(subject.input) << "\n";
  if (subject.about.contains("sha256")) {
    std::cout << "sha256 " << subject.about.at("sha256").get<std::string>() << "\nclasses "
              << subject.about.at("classes").dump() << "\nprovenance\n";
    print_provenance(subject.about.at("provenance"));
  }
  std::cout << "\n";
}

int run_inspect(const InspectOptions& options) {
  if (options.file.empty() == options.preset.empty()) {
    throw_usage("name either a model file or a --preset");
  }
  Subject subject = subject_of(options);
  if (options.size > 0) subject.input.width = subject.input.height = options.size;
  const plan::Plan plan =
      plan::record(subject.network, 1, subject.input.height, subject.input.width);
  const plan::Cost cost = plan::count(plan);
  json parameters = json::array();
  for (const net::ParameterSpec& spec : plan.parameters) {
    parameters.push_back({{"name", spec.name}, {"shape", spec.shape}, {"buffer", spec.buffer}});
  }
  if (options.common.json) {
    json out = to_json(cost);
    out["about"] = subject.about;
    out["network"] = weights::to_json(subject.network);
    out["size"] = {subject.input.height, subject.input.width};
    if (options.names) out["tensors"] = parameters;
    std::cout << out.dump(2) << "\n";
    return exit_done;
  }
  print_about(subject);
  print_table(cost);
  if (options.names) {
    std::cout << "\n";
    for (const net::ParameterSpec& spec : plan.parameters) {
      std::cout << spec.name << " " << shape_text(spec.shape) << (spec.buffer ? " (buffer)" : "")
                << "\n";
    }
  }
  return exit_done;
}

}  // namespace

void add_inspect(CLI::App& root) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      add_command(root, "inspect",
                  "Show what a preset or a model file holds: parameters, multiply-adds, memory.",
                  "medurwkv inspect --preset tiny --classes 2 --size 256");
  command->add_option("file", options->file, "model file or checkpoint");
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
