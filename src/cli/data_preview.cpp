// `medurwkv data preview`: a contact sheet of what the network will see.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/data.h"
#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "core/text.h"
#include "data/contact_sheet.h"
#include "data/split.h"
#include "data/toml_text.h"

namespace medurwkv::cli {
namespace {

constexpr std::int64_t longest_side = 16384;
constexpr std::int64_t most_channels = 64;

struct PreviewCommand {
  CommonOptions common;
  SetOptions set;
  std::string split, part = "train", config, augment, fit;
  std::vector<std::int64_t> size;
  std::optional<int> fold;
  std::optional<std::int64_t> channels;
  bool seed_given = false;
  std::int64_t cases = 6;
  std::int64_t epochs = 5;
  bool force = false;
};

/// Settings of a TOML file by section and name; absent ones keep what they are.
class Settings {
 public:
  explicit Settings(const std::filesystem::path& file)
      : file_(file.string()),
        table_(data::parse_toml(file_, read_file(file, data::longest_toml), ErrorKind::failure)) {}
  template <class T>
  void read(const char* section, const char* name, T& value) const {
    const auto node = table_[section][name];
    if (!node) return;
    const auto given = node.value<T>();
    if (!given) throw_failure(concat(file_, ": ", section, ".", name, " is of another type"));
    value = *given;
  }
  template <class T>
  void read(const char* section, const char* name, T& value, T least, T most) const {
    read(section, name, value);
    if (value >= least && value <= most) return;
    throw_failure(
        concat(file_, ": ", section, ".", name, " is ", value, ", not ", least, " to ", most));
  }

 private:
  std::string file_;
  toml::table table_;
};

/// What a run's config.toml says of images; train checks the file itself.
void read_config(const std::filesystem::path& file, data::SheetRequest& out) {
  const Settings settings(file);
  InputContract& contract = out.contract;
  settings.read("input", "width", contract.width, std::int64_t{1}, longest_side);
  settings.read("input", "height", contract.height, std::int64_t{1}, longest_side);
  settings.read("network", "channels", contract.channels, std::int64_t{1}, most_channels);
  std::string fit = to_string(contract.fit);
  settings.read("input", "fit", fit);
  contract.fit = fit_from(fit);
  Window window{0, 0};
  settings.read("input", "window_low", window.low);
  settings.read("input", "window_high", window.high);
  if (window.high > window.low) contract.window = window;
  settings.read("input", "augment", out.augment_name);
  out.augment = data::augment_preset(out.augment_name);
  for (const data::AugmentField& field : data::augment_fields()) {
    double& value = out.augment.*field.value;
    const double preset = value;
    settings.read("augment", field.name, value, 0.0, field.most);
    if (value != preset) out.augment_name += concat(", ", field.name, " ", value);
  }
  auto seed = std::int64_t{0};
  settings.read("run", "seed", seed);
  out.seed = static_cast<std::uint64_t>(seed);
}

data::SheetRequest request_of(const PreviewCommand& command) {
  data::SheetRequest out{.augment = data::augment_preset("medium"), .augment_name = "medium"};
  if (!command.config.empty()) read_config(command.config, out);
  if (!command.augment.empty()) {
    out.augment_name = command.augment;
    out.augment = data::augment_preset(command.augment);
  }
  if (!command.size.empty()) {
    out.contract.width = command.size.front();
    out.contract.height = command.size.back();
  }
  if (!command.fit.empty()) out.contract.fit = fit_from(command.fit);
  if (command.channels) out.contract.channels = *command.channels;
  if (command.config.empty() || command.seed_given) out.seed = command.common.seed;
  const auto channels = static_cast<std::size_t>(out.contract.channels);
  if (channels != 3) {  // as train does
    out.contract.mean.assign(channels, 0.449);
    out.contract.deviation.assign(channels, 0.226);
  }
  out.epochs = command.epochs;
  return out;
}

/// Cases drawn by the seed, in the order of their names.
std::vector<data::SheetRow> draw(const std::vector<data::Case>& cases, std::int64_t count,
                                 std::uint64_t seed) {
  std::vector<std::int64_t> order = Random(seed, "preview").permutation(std::ssize(cases));
  order.resize(static_cast<std::size_t>(std::min(count, std::ssize(cases))));
  std::sort(order.begin(), order.end());
  std::vector<data::SheetRow> out;
  out.reserve(order.size());
  for (const std::int64_t index : order) {
    out.push_back({cases[static_cast<std::size_t>(index)], static_cast<std::uint64_t>(index)});
  }
  return out;
}

int run(const PreviewCommand& command) {
  apply_threads(command.common);
  const std::filesystem::path& out = command.common.out;
  check_output(out, command.force);
  data::DatasetOptions options = dataset_options(command.set);
  if (!command.split.empty() && !options.encoding && options.classes.empty()) {
    options = data::split_options(command.split);
  }
  const data::SheetRequest request = request_of(command);
  const data::Dataset dataset = data::open_dataset(command.set.folder, options);
  std::vector<data::Case> cases = dataset.cases;
  if (!command.split.empty()) {
    const data::Split split = data::read_split(command.split, dataset, command.fold);
    cases = data::part_of(dataset, split, command.part);
  }
  if (cases.empty()) throw_failure(concat("the ", command.part, " part is empty"));
  const auto rows = draw(cases, command.cases, request.seed);
  const data::Image sheet =
      data::contact_sheet(dataset, rows, request, stop_signal, command.common.quiet);
  if (out.has_parent_path()) make_folder(out.parent_path());
  write_file(out, data::encode_png(sheet));
  std::cout << out.string() << ": " << rows.size() << " of " << counted(std::ssize(cases), "case")
            << ", " << counted(request.epochs, "epoch") << " each\n";
  return exit_done;
}

}  // namespace

void add_data_preview(CLI::App& data) {
  const auto options = std::make_shared<PreviewCommand>();
  CLI::App* command =
      add_command(data, "preview", "Draw what the network will see, augmentation included.",
                  "medurwkv data preview FOLDER --size 256 --out preview.png");
  add_set_options(*command, options->set);
  command->add_option("--split", options->split, "split file; without it all cases are drawn from")
      ->check(CLI::ExistingFile);
  command->add_option("--part", options->part, "of the split: train, val, test or all")
      ->check(CLI::IsMember({"train", "val", "test", "all"}))
      ->capture_default_str();
  command->add_option("--fold", options->fold, "of a split with folds: the one that is val");
  command
      ->add_option("--config", options->config,
                   "a run's configuration (TOML); other options win over it")
      ->check(CLI::ExistingFile);
  command->add_option("--size", options->size, "the network's input: SIDE or WIDTH,HEIGHT [256]")
      ->delimiter(',')
      ->expected(1, 2)
      ->check(CLI::Range(std::int64_t{1}, longest_side));
  command->add_option("--fit", options->fit, "stretch, pad or native [stretch]");
  command->add_option("--channels", options->channels, "channels of the input [3]")
      ->check(CLI::Range(std::int64_t{1}, most_channels));
  command->add_option("--augment", options->augment, "none, light, medium or strong [medium]");
  command->add_option("--cases", options->cases, "rows")
      ->check(CLI::Range(1, 200))
      ->capture_default_str();
  command->add_option("--epochs", options->epochs, "augmented samples of each case")
      ->check(CLI::Range(0, 50))
      ->capture_default_str();
  add_seed(*command, options->common);
  add_out(*command, options->common, "PNG file to write", "preview.png");
  command->add_flag("--force", options->force, "replace an existing file");
  add_threads(*command, options->common);
  add_quiet(*command, options->common);
  on_run(*command, [options, command] {
    options->seed_given = command->get_option("--seed")->count() > 0;
    return run(*options);
  });
}

}  // namespace medurwkv::cli
