#include "train/run/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <sstream>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "core/text.h"
#include "core/toml_text.h"
#include "data/image/levels.h"
#include "net/presets.h"

namespace medurwkv::train {
namespace {

/// Naming a preset of augmentation sets every augment.* setting.
constexpr const char* preset_key = "input.augment";

/// A setting's place in the configuration, with the range of numbers.
struct Field {
  std::string key;
  std::variant<std::int64_t*, std::uint64_t*, double*, bool*, std::string*, std::optional<bool>*,
               std::optional<double>*, std::vector<double>*>
      value;
  double least = 0;
  double most = 1e18;
};

/// The one list that reading, overriding and writing share.
std::vector<Field> all_fields_of(Config& c) {
  std::vector<Field> out{
      {"network.preset", &c.network.preset},
      {"network.channels", &c.network.channels, 1, 1024},
      {"network.wkv", &c.network.wkv},
      {"network.drop_path", &c.network.drop_path, 0, 0.9},
      {"encoder.post_norm", &c.encoder.post_norm},
      {"encoder.key_norm", &c.encoder.key_norm},
      {"encoder.layer_scale", &c.encoder.layer_scale, 0, 1000},
      {"encoder.frozen_epochs", &c.encoder.frozen_epochs, 0, 1e6},
      {"encoder.rate_decay", &c.encoder.rate_decay, 0, 1},
      {"input.width", &c.input.width, 1, 16384},
      {"input.height", &c.input.height, 1, 16384},
      {"input.fit", &c.input.fit},
      {"input.plane", &c.input.plane},
      {"input.window", &c.input.window},
      {"input.window_over", &c.input.window_over},
      {"input.window_low", &c.input.window_low, -1e9, 1e9},
      {"input.window_high", &c.input.window_high, -1e9, 1e9},
      {"input.augment", &c.input.augment},
      {"optimizer.rate", &c.optimizer.rate, 0, 10},
      {"optimizer.beta1", &c.optimizer.beta1, 0, 0.999999},
      {"optimizer.beta2", &c.optimizer.beta2, 0, 0.999999},
      {"optimizer.weight_decay", &c.optimizer.weight_decay, 0, 10},
      {"optimizer.clip_norm", &c.optimizer.clip_norm, 1e-9, 1e18},
      {"optimizer.schedule", &c.optimizer.schedule},
      {"optimizer.least_rate", &c.optimizer.least_rate, 0, 1},
      {"optimizer.warmup_steps", &c.optimizer.warmup_steps, 0, 1e9},
      {"optimizer.warmup_epochs", &c.optimizer.warmup_epochs, 0, 1e6},
      {"optimizer.accumulate", &c.optimizer.accumulate, 1, 4096},
      {"optimizer.ema", &c.optimizer.ema, 0, 0.999999},
      {"loss.cross_entropy", &c.loss.cross_entropy, 0, 1e6},
      {"loss.dice", &c.loss.dice, 0, 1e6},
      {"loss.focal", &c.loss.focal, 0, 1e6},
      {"loss.tversky", &c.loss.tversky, 0, 1e6},
      {"loss.boundary", &c.loss.boundary, 0, 1e6},
      {"loss.focal_gamma", &c.loss.focal_gamma, 0, 100},
      {"loss.tversky_alpha", &c.loss.tversky_alpha, 0, 100},
      {"loss.tversky_beta", &c.loss.tversky_beta, 0, 100},
      {"loss.class_weights", &c.loss.class_weights, 0, 1e6},
      {"loss.regions", &c.loss.regions},
      {"loss.deep_supervision", &c.loss.deep_supervision},
      {"classify.smoothing", &c.classify.smoothing, 0, 0.999},
      {"classify.mixup", &c.classify.mixup, 0, 100},
      {"classify.cutmix", &c.classify.cutmix, 0, 100},
      {"classify.adapter", &c.classify.adapter},
      {"simmim.ratio", &c.simmim.ratio, 0, 1},
      {"simmim.patch", &c.simmim.patch, 16, 16384},
      {"distill.loss", &c.distill.loss},
      {"distill.teacher_scale", &c.distill.teacher_scale, 1, 16},
      {"distill.weights", &c.distill.weights, 0, 1e6},
      {"run.epochs", &c.run.epochs, 1, 1e6},
      {"run.epoch_steps", &c.run.epoch_steps, 0, 1e6},
      {"run.batch", &c.run.batch, 1, 4096},
      {"run.seed", &c.run.seed, 0, static_cast<double>(largest_seed)},
      {"run.patience", &c.run.patience, 0, 1e6},
      {"run.pictures", &c.run.pictures, 0, 64},
      {"run.precision", &c.run.precision},
      {"run.calibrate", &c.run.calibrate},
      {"run.fold", &c.run.fold, 0, 1000},
      {"run.validation", &c.run.validation, 0, 0.9},
  };
  for (const data::AugmentField& field : data::augment_fields()) {
    out.push_back({concat("augment.", field.name), &(c.augment.*field.value), 0, field.most});
  }
  for (const data::ViewField& field : data::view_fields()) {
    out.push_back({concat("view.", field.name), &(c.view.*field.value), field.least, field.most});
  }
  return out;
}

/// Whether a task has the setting.
bool belongs_to(const std::string& key, TaskKind task) {
  const bool pretraining = task != TaskKind::segmentation;
  for (const char* own :
       {"loss.", "augment.", "input.augment", "input.fit", "input.plane", "run.fold",
        "run.calibrate", "encoder.frozen_epochs", "encoder.rate_decay"}) {
    if (key.starts_with(own)) return !pretraining;
  }
  if (key.starts_with("view.") || key == "run.validation") return pretraining;
  for (const TaskKind other : {TaskKind::classify, TaskKind::simmim, TaskKind::distill}) {
    if (key.starts_with(concat(to_string(other), "."))) return task == other;
  }
  return true;
}

std::vector<Field> fields_of(Config& c) {
  std::vector<Field> out = all_fields_of(c);
  std::erase_if(out, [&](const Field& field) { return !belongs_to(field.key, c.task); });
  return out;
}

Field& find(std::vector<Field>& fields, const std::string& key) {
  std::vector<std::string> known;
  for (Field& field : fields) {
    if (field.key == key) return field;
    known.push_back(field.key);
  }
  Config any;
  for (const Field& field : all_fields_of(any)) {
    if (field.key != key) continue;
    throw_usage(concat("setting ", key, " does not belong to this command: it is a setting of ",
                       belongs_to(key, TaskKind::segmentation) ? "train" : "pretrain"));
  }
  throw_usage(concat("setting '", shown(key), "' is not known", suggestion(key, known)));
}

template <class Place, class Number>
void set_number(const Field& field, Place* place, Number value) {
  const auto real = static_cast<double>(value);
  if (!(real >= field.least && real <= field.most)) {
    throw_usage(concat("setting ", field.key, " = ", value, " is out of range (", field.least,
                       " to ", field.most, ")"));
  }
  *place = value;
}

void set_list(const Field& field, std::vector<double>* place, const toml::node& node) {
  const toml::array* list = node.as_array();
  if (list == nullptr) throw_usage(concat("setting ", field.key, " expects a list of numbers"));
  std::vector<double> out;
  for (const toml::node& one : *list) {
    const auto number = one.value<double>();
    if (!number) throw_usage(concat("setting ", field.key, " expects a list of numbers"));
    set_number(field, &out.emplace_back(), *number);
  }
  *place = std::move(out);
}

void set_from_toml(const Field& field, const toml::node& node) {
  std::visit(
      [&](auto* place) {
        using Value = std::remove_pointer_t<decltype(place)>;
        if constexpr (std::is_same_v<Value, std::string>) {
          const auto text = node.value_exact<std::string>();
          if (!text) throw_usage(concat("setting ", field.key, " expects a string"));
          *place = *text;
        } else if constexpr (std::is_same_v<Value, bool> ||
                             std::is_same_v<Value, std::optional<bool>>) {
          const auto flag = node.value_exact<bool>();
          if (!flag) throw_usage(concat("setting ", field.key, " expects true or false"));
          *place = *flag;
        } else if constexpr (std::is_same_v<Value, std::vector<double>>) {
          set_list(field, place, node);
        } else if constexpr (std::is_same_v<Value, double> ||
                             std::is_same_v<Value, std::optional<double>>) {
          const auto number = node.value<double>();
          if (!number) throw_usage(concat("setting ", field.key, " expects a number"));
          set_number(field, place, *number);
        } else {
          const auto number = node.value_exact<std::int64_t>();
          if (!number || *number < 0) {
            throw_usage(concat("setting ", field.key, " expects a whole number of at least 0"));
          }
          set_number(field, place, static_cast<Value>(*number));
        }
      },
      field.value);
}

/// Settings lie in sections: [section] with key = value. Deeper tables hold no settings.
void read_table(const std::string& file, const toml::table& table, const std::string& section,
                std::vector<Field>& fields) {
  for (const auto& [key, node] : table) {
    const std::string name = section + std::string(key.str());
    if (const toml::table* inner = node.as_table(); inner != nullptr && section.empty()) {
      read_table(file, *inner, name + ".", fields);
      continue;
    }
    try {
      set_from_toml(find(fields, name), node);
    } catch (const Error& error) {
      throw_usage(concat(file, ": line ", key.source().begin.line, ": ", error.what()));
    }
  }
}

/// "key=value" as a line of TOML; a bare word is taken as a text. Returns the key.
std::string apply_setting(const std::string& setting, std::vector<Field>& fields) {
  const std::size_t equals = setting.find('=');
  if (equals == std::string::npos) {
    throw_usage(concat("--set expects key=value, got '", setting, "'"));
  }
  Field& field = find(fields, trim(setting.substr(0, equals)));
  std::string value = trim(setting.substr(equals + 1));
  if (std::holds_alternative<std::string*>(field.value) && !value.starts_with('"')) {
    value = concat('"', value, '"');
  }
  try {
    const toml::table parsed = toml::parse(concat("value = ", value));
    set_from_toml(field, *parsed.get("value"));
  } catch (const toml::parse_error&) {
    throw_usage(concat("setting ", field.key, " cannot take '", value, "'"));
  }
  return field.key;
}

std::string toml_text(const std::string& text) {
  std::ostringstream out;
  out << toml::value<std::string>(text);
  return out.str();
}

std::string toml_text(bool flag) {
  return flag ? "true" : "false";
}

/// The shortest text that reads back as the same number. A floating one keeps a point or an
/// exponent, so that TOML takes it for one.
template <class Number>
std::string toml_text(Number number) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  std::string text(buffer.data(), result.ptr);
  if (std::is_floating_point_v<Number> && text.find_first_of(".e") == std::string::npos) {
    text += ".0";
  }
  return text;
}

std::string toml_text(const std::vector<double>& numbers) {
  std::vector<std::string> texts;
  for (const double number : numbers) texts.push_back(toml_text(number));
  return concat("[", join(texts, ", "), "]");
}

/// Empty for what is not set.
template <class Value>
std::string toml_text(const std::optional<Value>& value) {
  return value ? toml_text(*value) : std::string();
}

std::string text_of(const Field& field) {
  return std::visit([](const auto* place) { return toml_text(*place); }, field.value);
}

/// Settings that say something only together, or only in certain words.
void check(const Config& config) {
  const auto one_of = [](const char* key, const std::string& value,
                         const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), value) != known.end()) return;
    throw_usage(concat("setting ", key, " = ", value, " is not known", suggestion(value, known)));
  };
  one_of("run.precision", config.run.precision, {"float32", "bfloat16"});
  one_of("optimizer.schedule", config.optimizer.schedule, {"poly", "cosine"});
  one_of("distill.loss", config.distill.loss, {"smooth_l1", "cosine"});
  const Config::Input& input = config.input;
  data::window_choice(input.window, input.window_over);
  one_of("input.plane", input.plane, {"stored", "axial", "coronal", "sagittal"});
  if (!input.window.empty() && input.window_low != input.window_high) {
    throw_usage(concat("input.window = ", shown(input.window),
                       " and input.window_low and window_high are two windows; set one of them"));
  }
  if (config.simmim.patch % 16 != 0) {
    throw_usage(concat("setting simmim.patch = ", config.simmim.patch, " is not a multiple of 16"));
  }
  const Config::Loss& loss = config.loss;
  if (loss.cross_entropy + loss.dice + loss.focal + loss.tversky + loss.boundary <= 0) {
    throw_usage("every part of the loss has the weight 0: nothing would be learned");
  }
  const std::vector<double>& weights = loss.class_weights;
  if (!weights.empty() &&
      std::all_of(weights.begin(), weights.end(), [](double w) { return w == 0; })) {
    throw_usage("setting loss.class_weights: every class has the weight 0");
  }
}

void read_text(const std::string& text, const std::string& name, Config& config) {
  std::vector<Field> fields = fields_of(config);
  toml::table table = data::parse_toml(name, text, ErrorKind::usage);
  const std::string task = table["task"].value_or(std::string(to_string(TaskKind::segmentation)));
  if (task != to_string(config.task) && table.contains("task")) {
    throw_usage(concat(name, ": is the configuration of a ", shown(task), " run, not of a ",
                       to_string(config.task), " run"));
  }
  table.erase("task");
  read_table(name, table, "", fields);
  // Once more, so that what the file says of [augment] comes after its preset.
  try {
    config.augment = data::augment_preset(config.input.augment);
  } catch (const Error& error) {
    throw_usage(concat(name, ": ", preset_key, ": ", error.what()));
  }
  read_table(name, table, "", fields);
}

/// What is set goes into the network, what is unset comes from it.
void resolve_encoder(Config::Encoder& settings, net::EncoderConfig& encoder) {
  apply(settings, encoder);
  settings.post_norm = encoder.post_norm;
  settings.key_norm = encoder.key_norm;
  settings.layer_scale = encoder.layer_scale.value_or(0);
}

/// The classes that a region "1+2+3" is the union of.
std::vector<std::int64_t> region_from(const std::string& text) {
  std::vector<std::int64_t> out;
  for (const std::string& word : split(text, '+')) {
    const std::string digits = trim(word);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      throw_usage(
          concat("setting loss.regions expects classes like \"1+2+3, 2+3, 3\", or "
                 "\"separate\"; got '",
                 trim(text), "'"));
    }
    out.push_back(value);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& settings,
                   const Config& defaults) {
  Config config = defaults;
  if (!file.empty()) read_text(read_file(file, data::longest_toml), file.string(), config);
  std::vector<Field> fields = fields_of(config);
  for (const std::string& setting : settings) {
    if (apply_setting(setting, fields) == preset_key) {
      config.augment = data::augment_preset(config.input.augment);
    }
  }
  check(config);
  return config;
}

Config parse_config(const std::string& text, const std::string& name, TaskKind task) {
  Config config = default_config(task);
  read_text(text, name, config);
  check(config);
  return config;
}

std::vector<Difference> differences(const Config& was, const Config& now) {
  Config before = was;
  Config after = now;
  const std::vector<Field> old_fields = fields_of(before);
  const std::vector<Field> new_fields = fields_of(after);
  std::vector<Difference> out;
  for (std::size_t i = 0; i < old_fields.size(); ++i) {
    Difference one{old_fields[i].key, text_of(old_fields[i]), text_of(new_fields[i])};
    if (one.was != one.now) out.push_back(std::move(one));
  }
  return out;
}

std::vector<Setting> settings(TaskKind task) {
  Config config = default_config(task);
  std::vector<Setting> out;
  for (const Field& field : fields_of(config)) {
    const bool number = std::holds_alternative<std::int64_t*>(field.value) ||
                        std::holds_alternative<std::uint64_t*>(field.value) ||
                        std::holds_alternative<double*>(field.value) ||
                        std::holds_alternative<std::optional<double>*>(field.value) ||
                        std::holds_alternative<std::vector<double>*>(field.value);
    out.push_back({.key = field.key,
                   .value = text_of(field),
                   .number = number,
                   .least = field.least,
                   .most = field.most});
  }
  return out;
}

Regions regions_of(const Config& config, std::int64_t classes) {
  Regions out;
  const std::string& text = config.loss.regions;
  if (text == "separate") {
    for (std::int64_t i = 1; i < classes; ++i) out.push_back({i});
  } else if (!text.empty()) {
    for (const std::string& part : medurwkv::split(text, ',')) out.push_back(region_from(part));
  }
  if (out.empty()) return out;
  if (const std::string wrong = wrong_regions(out, classes); !wrong.empty()) {
    throw_usage(concat("setting loss.regions ", wrong));
  }
  return out;
}

std::string to_toml(const Config& config) {
  Config copy = config;
  std::string out = "# The complete configuration of this run, as used.";
  out += config.task == TaskKind::segmentation
             ? " What [augment] says wins over the preset\n# input.augment.\n"
             : concat("\ntask = \"", to_string(config.task), "\"\n");
  std::string section;
  for (const Field& field : fields_of(copy)) {
    const std::string value = text_of(field);
    if (value.empty()) continue;
    const std::size_t dot = field.key.find('.');
    if (field.key.substr(0, dot) != section) {
      section = field.key.substr(0, dot);
      out += concat("\n[", section, "]\n");
    }
    out += concat(field.key.substr(dot + 1), " = ", value, "\n");
  }
  return out;
}

const char* to_string(TaskKind task) {
  switch (task) {
    case TaskKind::segmentation: return "segmentation";
    case TaskKind::classify: return "classify";
    case TaskKind::simmim: return "simmim";
    case TaskKind::distill: return "distill";
  }
  throw_internal("unknown task");
}

TaskKind task_from(const std::string& name) {
  std::vector<std::string> known;
  for (const TaskKind task :
       {TaskKind::segmentation, TaskKind::classify, TaskKind::simmim, TaskKind::distill}) {
    if (name == to_string(task)) return task;
    known.emplace_back(to_string(task));
  }
  throw_usage(concat("task '", shown(name), "' is not known", suggestion(name, known)));
}

std::optional<TaskKind> task_in(const std::string& text) {
  try {
    const toml::table table = data::parse_toml("", text, ErrorKind::usage);
    return task_from(table["task"].value_or(std::string(to_string(TaskKind::segmentation))));
  } catch (const Error&) {
    return std::nullopt;
  }
}

Config default_config(TaskKind task) {
  Config out;
  out.task = task;
  if (task == TaskKind::segmentation) return out;
  out.input.width = out.input.height = 128;
  out.optimizer.rate = 1e-3;
  out.optimizer.weight_decay = 0.05;
  out.optimizer.clip_norm = 5;
  out.optimizer.schedule = "cosine";
  out.optimizer.least_rate = 0.01;
  out.run.epochs = 100;
  out.run.batch = 64;
  out.network.drop_path = task == TaskKind::classify ? 0.1 : 0;
  // Less than a classifier's crop leaves too little of a picture to rebuild or to map.
  out.view.crop_least = task == TaskKind::classify ? 0.08 : 0.3;
  return out;
}

void apply(const Config::Encoder& settings, net::EncoderConfig& encoder) {
  if (settings.post_norm) encoder.post_norm = *settings.post_norm;
  if (settings.key_norm) encoder.key_norm = *settings.key_norm;
  if (settings.layer_scale) {
    encoder.layer_scale = *settings.layer_scale > 0 ? settings.layer_scale : std::nullopt;
  }
}

net::NetworkConfig resolve_pretrained(Config& config, std::int64_t classes) {
  const bool classifier = config.task == TaskKind::classify && !config.classify.adapter;
  net::NetworkConfig out = net::encoder_preset(config.network.preset);
  if (classifier) {
    // As deep as the encoder that it is going to be: nano's published test case is not.
    const std::vector<std::int64_t> groups = out.encoder.groups;
    out = net::classifier_preset(config.network.preset, classes);
    out.encoder.groups = groups;
  }
  out.channels = config.network.channels;
  out.wkv = net::wkv_mode_from(config.network.wkv);
  out.encoder.drop_path = config.network.drop_path;
  resolve_encoder(config.encoder, out.encoder);
  return out;
}

net::NetworkConfig resolve_network(Config& config, std::int64_t classes) {
  if (classes < 2) throw_usage("a segmentation needs at least 2 classes (background included)");
  const Regions regions = regions_of(config, classes);
  if (!config.loss.class_weights.empty() && std::ssize(config.loss.class_weights) != classes) {
    throw_usage(concat("setting loss.class_weights has ", config.loss.class_weights.size(),
                       " numbers, the set has ", classes, " classes, the background counted"));
  }
  const std::int64_t outputs = regions.empty() ? classes : std::ssize(regions);
  net::NetworkConfig out = net::preset(config.network.preset, outputs, config.network.channels);
  out.wkv = net::wkv_mode_from(config.network.wkv);
  out.encoder.drop_path = config.network.drop_path;
  Config::Encoder& encoder = config.encoder;
  if (out.architecture != net::Architecture::med_urwkv) {
    if (encoder.post_norm || encoder.key_norm || encoder.layer_scale) {
      throw_usage(concat("settings of encoder have no meaning for ", config.network.preset,
                         ", which has none"));
    }
    if (config.loss.deep_supervision) {
      throw_usage(concat("setting loss.deep_supervision has no meaning for ", config.network.preset,
                         ": its decoder has no stages with heads"));
    }
    return out;
  }
  resolve_encoder(encoder, out.encoder);
  return out;
}

}  // namespace medurwkv::train
