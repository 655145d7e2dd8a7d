// `medurwkv inspect`: what a preset is made of, counted from the plan, and what is in a file of
// weights.
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/inspect.h"
#include "cli/command.h"
#include "core/model_description.h"
#include "core/text.h"
#include "net/presets.h"
#include "plan/counting.h"
#include "weights/model_file.h"

namespace medurwkv::cli {
namespace {

using nlohmann::json;

struct InspectOptions {
  CommonOptions common;
  app::InspectRequest request;
  bool names = false;
};

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
  std::string out = concat(input.channels, " x ", input.height, " x ", input.width);
  if (input.window) out += concat(", window ", input.window->low, " to ", input.window->high);
  if (input.own_window) out += concat(", window by the ", to_string(*input.own_window));
  return out;
}

/// Prints one entry a line; a text of several lines, such as the configuration, as it was written.
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

void print_network(const app::Inspected& subject) {
  const net::NetworkConfig& network = *subject.network;
  std::cout << "network " << net::to_string(network.architecture) << " (" << shown(network.preset)
            << ")";
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

/// Prints metadata of other programs' files; ours are printed as classes and provenance.
void print_metadata(const json& metadata) {
  if (metadata.empty() || metadata.value("format", "").starts_with("medurwkv-")) return;
  std::cout << "metadata\n";
  print_entries(metadata);
}

void print_file(const app::Inspected& subject) {
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
    std::cout << "network unknown: " << one_line(about.at("problem").get<std::string>()) << "\n";
  }
  if (const std::string prefix = about.value("prefix", ""); !prefix.empty()) {
    std::cout << "names stand behind '" << shown(prefix) << "'\n";
  }
  if (about.contains("finished_steps")) {
    std::cout << "finished steps " << about.at("finished_steps") << "\n";
  }
  std::cout << "sha256 " << about.at("sha256").get<std::string>() << "\n";
  std::cout << "content_sha256 " << about.at("content_sha256").get<std::string>() << "\n";
  print_values(about.at("not_finite"));
  if (about.contains("classes")) std::cout << "classes " << about.at("classes").dump() << "\n";
  if (about.contains("temperature")) {
    std::cout << "temperature " << about.at("temperature") << "\n";
  }
  if (about.contains("provenance")) {
    std::cout << "provenance\n";
    print_entries(about.at("provenance"));
  }
  print_metadata(about.at("metadata"));
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
  const app::Inspected subject = app::inspect(options.request);
  const std::optional<plan::Plan>& plan = subject.plan;
  if (options.common.json) {
    print_json(app::answer_of(subject, options.names));
    return exit_done;
  }
  if (options.request.file.empty()) {
    std::cout << options.request.preset << ": ";
    print_network(subject);
  } else {
    print_file(subject);
  }
  if (plan) {
    std::cout << "\n";
    print_table(plan::count(*plan));
  }
  if (options.names) print_tensors(app::tensor_list(subject));
  return exit_done;
}

}  // namespace

void add_inspect(CLI::App& root) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* command = add_command(
      root, "inspect",
      "Show what a preset or a file of weights holds: network, tensors, provenance, cost.",
      "medurwkv inspect --preset tiny --classes 2 --size 256");
  command->add_option("file", options->request.file, "model file, checkpoint, safetensors or .pth");
  command->add_option("--preset", options->request.preset,
                      concat("one of ", join(net::preset_names(), ", ")));
  command->add_option("--classes", options->request.classes, "classes, background included")
      ->check(whole(1, 65536))
      ->capture_default_str();
  command->add_option("--channels", options->request.channels, "channels of the image")
      ->check(whole(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--size", options->request.size,
                   "height and width (default: the model's, or 256)")
      ->check(whole(1, 65536));
  command->add_flag("--names", options->names, "list every tensor");
  add_memory(*command);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_inspect(*options); });
}

}  // namespace medurwkv::cli
