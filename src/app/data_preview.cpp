#include "app/data_preview.h"

#include <algorithm>
#include <vector>

#include "app/places.h"
#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/output.h"
#include "core/random.h"
#include "core/text.h"
#include "core/toml_text.h"
#include "data/codecs/read.h"
#include "data/feed/contact_sheet.h"
#include "data/image/levels.h"
#include "data/layout/channels.h"
#include "data/split/split.h"

namespace medurwkv::app {
namespace {

/// Settings of a TOML file by section and name; absent ones keep their value.
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
    if (!given) throw_failure(concat(file_, ": ", section, ".", name, " has the wrong type"));
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
  settings.read("input", "width", contract.width, std::int64_t{1}, longest_input_side);
  settings.read("input", "height", contract.height, std::int64_t{1}, longest_input_side);
  settings.read("network", "channels", contract.channels, std::int64_t{1}, most_input_channels);
  std::string fit = to_string(contract.fit);
  settings.read("input", "fit", fit);
  contract.fit = fit_from(fit);
  std::string plane = to_string(contract.plane);
  settings.read("input", "plane", plane);
  contract.plane = plane_from(plane);
  std::string named;
  std::string over = "volume";
  settings.read("input", "window", named);
  settings.read("input", "window_over", over);
  const data::WindowChoice choice = data::window_choice(named, over);
  contract.window = choice.window;
  contract.own_window = choice.own;
  Window window{0, 0};
  settings.read("input", "window_low", window.low, -1e9, 1e9);
  settings.read("input", "window_high", window.high, -1e9, 1e9);
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
  settings.read("run", "seed", seed, std::int64_t{0}, largest_seed);
  out.seed = static_cast<std::uint64_t>(seed);
}

data::SheetRequest request_of(const PreviewRequest& request) {
  data::SheetRequest out{.augment = data::augment_preset("medium"), .augment_name = "medium"};
  if (!request.config.empty()) read_config(request.config, out);
  if (!request.augment.empty()) {
    out.augment_name = request.augment;
    out.augment = data::augment_preset(request.augment);
  }
  if (request.size) {
    out.contract.width = request.size->width;
    out.contract.height = request.size->height;
  }
  if (!request.fit.empty()) out.contract.fit = fit_from(request.fit);
  if (request.seed) out.seed = *request.seed;
  out.epochs = request.epochs;
  return out;
}

/// Sets the requested channels, else the configuration's, else the images', and train's
/// normalisation.
void set_channels(const PreviewRequest& request, const std::vector<data::SheetRow>& rows,
                  InputContract& contract) {
  std::vector<data::Case> cases;
  for (const data::SheetRow& row : rows) cases.push_back(row.item);
  const std::vector<std::int64_t> channels = data::read_channels(cases);
  if (request.channels) {
    contract.channels = *request.channels;
  } else if (request.config.empty()) {
    contract.channels = data::channels_for(channels);
  }
  data::check_channels(cases, channels, contract.channels, "--channels ");
  if (contract.channels == 3) return;
  contract.mean.assign(static_cast<std::size_t>(contract.channels), 0.449);
  contract.deviation.assign(static_cast<std::size_t>(contract.channels), 0.226);
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

}  // namespace

PreviewResult preview_data(const PreviewRequest& request, Listener& listener) {
  refuse_within(request.out, {request.set.folder});
  check_output(request.out, request.force);
  data::SheetRequest sheet = request_of(request);
  SetRequest set = request.set;
  if (set.plane.empty() && request.split.empty() && sheet.contract.plane != Plane::stored) {
    set.plane = to_string(sheet.contract.plane);
  }
  // Without a split every file is read; a split was made of a set without errors.
  const data::Dataset dataset = request.split.empty()
                                    ? open_set(set, listener).dataset
                                    : open_split_set(set, request.split, listener);
  std::vector<data::Case> cases = dataset.cases;
  if (request.fold && request.split.empty()) {
    throw_usage("--fold is one of the folds of a split file; give it with --split");
  }
  if (!request.split.empty()) {
    const data::Split split = data::read_split(request.split, dataset, request.fold);
    cases = data::part_of(dataset, split, request.part);
  }
  if (cases.empty()) throw_failure(concat("the ", request.part, " part is empty"));
  const auto rows = draw(cases, request.cases, sheet.seed);
  set_channels(request, rows, sheet.contract);
  const data::Image image = data::contact_sheet(dataset, rows, sheet, listener);
  prepare_file(request.out);
  write_file(request.out, data::encode_png(image));
  return {rows.size(), std::ssize(cases)};
}

}  // namespace medurwkv::app
