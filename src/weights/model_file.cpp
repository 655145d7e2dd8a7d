#include "weights/model_file.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/version.h"
#include "core/zip.h"
#include "weights/file_layout.h"
#include "weights/pth_file.h"
#include "weights/weights_source.h"

namespace medurwkv::weights {
namespace {

using nlohmann::json;

constexpr const char* format_name = "medurwkv-model";
constexpr const char* tensors_format_name = "medurwkv-tensors";
constexpr int tensors_format_version = 1;
constexpr const char* checksum_key = "content_sha256";
constexpr const char* int8_key = "int8";
/// What a file may need beside what every reader of its format knows. A program without tiles would
/// else complain of a word that it does not know.
constexpr const char* tiles_need = "input.fit=tile";
/// A program without windows that follow from values would take 8 bits / 255 in their place.
constexpr const char* own_window_need = "input.own_window";
/// A program without planes would cut volumes into other slices.
constexpr const char* plane_need = "input.plane";
/// A key of the metadata and a need at once: a program that passed over it would write other masks
/// with --threshold, and say nothing.
constexpr const char* calibration_key = "calibration";

json encoder_to_json(const net::EncoderConfig& encoder) {
  return {{"width", encoder.width},
          {"groups", encoder.groups},
          {"heads", encoder.heads},
          {"deform_ratio", encoder.deform_ratio},
          {"post_norm", encoder.post_norm},
          {"layer_scale", encoder.layer_scale ? json(*encoder.layer_scale) : json()},
          {"key_norm", encoder.key_norm},
          {"position_grid", encoder.position_grid},
          {"prior_width", encoder.prior_width},
          {"points", encoder.points},
          {"drop_path", encoder.drop_path}};
}

/// No network of ours comes near these; a file that asks for more would only exhaust the machine.
constexpr std::int64_t most_width = 1 << 14;
constexpr std::int64_t most_blocks = 1 << 10;
constexpr std::int64_t most_groups = 64;
constexpr std::int64_t most_pixels = 1 << 28;

/// A whole number within [least, most].
std::int64_t whole(const json& value, const std::string& name, std::int64_t least,
                   std::int64_t most) {
  if (!value.is_number_integer() || value < least || value > most) {
    throw_failure(concat(name, " is ", value.is_number() ? value.dump() : value.type_name(),
                         ", expected a whole number from ", least, " to ", most));
  }
  return value.get<std::int64_t>();
}

/// A number within [least, most].
double number(const json& value, const std::string& name, double least, double most) {
  if (!value.is_number() || value < least || value > most) {
    throw_failure(concat(name, " is ", value.is_number() ? value.dump() : value.type_name(),
                         ", expected a number from ", least, " to ", most));
  }
  return value.get<double>();
}

net::EncoderConfig encoder_from_json(const json& from) {
  net::EncoderConfig out;
  const auto get = [&](const char* key, std::int64_t least, std::int64_t most) {
    return whole(from.at(key), concat("encoder.", key), least, most);
  };
  out.width = get("width", 0, most_width);
  const json& groups = from.at("groups");
  if (!groups.is_array() || groups.size() > static_cast<std::size_t>(most_groups)) {
    throw_failure(concat("encoder.groups is not a list of at most ", most_groups));
  }
  for (const json& blocks : groups) {
    out.groups.push_back(whole(blocks, "encoder.groups", 0, most_blocks));
  }
  out.heads = get("heads", 0, most_width);
  out.deform_ratio = number(from.at("deform_ratio"), "encoder.deform_ratio", 1.0 / 1024, 16);
  from.at("post_norm").get_to(out.post_norm);
  if (!from.at("layer_scale").is_null()) {
    out.layer_scale = number(from.at("layer_scale"), "encoder.layer_scale", 0, 1000);
  }
  from.at("key_norm").get_to(out.key_norm);
  out.position_grid = get("position_grid", 1, 1 << 12);
  out.prior_width = get("prior_width", 1, most_width);
  out.points = get("points", 1, 1 << 10);
  out.drop_path = number(from.at("drop_path"), "encoder.drop_path", 0, 1);
  return out;
}

/// What an architecture divides by or loops over must be there.
void check_network(const net::NetworkConfig& config) {
  if (config.architecture == net::Architecture::unet) {
    if (config.unet_width < 1) throw_failure("unet_width is 0");
    return;
  }
  const net::EncoderConfig& encoder = config.encoder;
  if (encoder.width < 1 || encoder.groups.empty()) {
    throw_failure("its encoder has no width or no groups");
  }
  if (config.architecture != net::Architecture::classifier &&
      (encoder.heads < 1 || encoder.width % encoder.heads != 0)) {
    throw_failure(concat("encoder.heads is ", encoder.heads, ", which does not divide the width ",
                         encoder.width));
  }
}

Window window_from_json(const json& from) {
  if (!from.is_array() || from.size() != 2) throw_failure("input.window is not a pair of numbers");
  const Window out{number(from[0], "input.window", -1e9, 1e9),
                   number(from[1], "input.window", -1e9, 1e9)};
  if (!(out.low < out.high)) throw_failure("input.window does not rise");
  return out;
}

json own_window_to_json(const OwnWindow& own) {
  return {{"by", own.by == OwnWindow::By::percentile ? "percentile" : "deviation"},
          {"low", own.low},
          {"high", own.high},
          {"over", own.of_volume ? "volume" : "image"}};
}

OwnWindow own_window_from_json(const json& from) {
  const auto one_of = [&](const char* key, const char* first, const char* second) {
    const auto word = from.at(key).get<std::string>();
    if (word != first && word != second) {
      throw_failure(concat("input.own_window.", key, " is ", shown(word), ", expected ", first,
                           " or ", second));
    }
    return word == first;
  };
  OwnWindow out;
  const bool percentile = one_of("by", "percentile", "deviation");
  out.by = percentile ? OwnWindow::By::percentile : OwnWindow::By::deviation;
  out.low = number(from.at("low"), "input.own_window.low", percentile ? 0 : -1e6, 1e6);
  out.high = number(from.at("high"), "input.own_window.high", -1e6, percentile ? 100 : 1e6);
  out.of_volume = one_of("over", "volume", "image");
  if (!(out.low < out.high)) throw_failure("input.own_window does not rise");
  return out;
}

json head_to_json(const Head& head) {
  json classes = json::array();
  for (const ClassInfo& one : head.classes) {
    json& item = classes.emplace_back(json{{"name", one.name}});
    if (head.kind != HeadKind::label) item["color"] = one.color;
  }
  json out{{"name", head.name}, {"kind", to_string(head.kind)}, {"classes", classes}};
  if (head.kind == HeadKind::sigmoid) out["regions"] = head.regions;
  return out;
}

Regions regions_from_json(const json& list, std::int64_t classes) {
  Regions out;
  if (!list.is_array()) throw_failure("heads.regions is not a list");
  for (const json& one : list) {
    std::vector<std::int64_t>& region = out.emplace_back();
    for (const json& c : one) region.push_back(whole(c, "heads.regions", 1, classes));
  }
  if (const std::string wrong = wrong_regions(out, classes); !wrong.empty()) {
    throw_failure(concat("heads.regions ", wrong));
  }
  return out;
}

ClassInfo class_from_json(const json& from, bool colored) {
  ClassInfo out{.name = from.at("name").get<std::string>(), .color = {}};
  if (!colored) return out;
  const json& color = from.at("color");
  if (!color.is_array() || color.size() != out.color.size()) {
    throw_failure("a class's color is not red, green and blue");
  }
  for (std::size_t i = 0; i < color.size(); ++i) {
    out.color[i] = static_cast<std::uint8_t>(whole(color[i], "a class's color", 0, 255));
  }
  return out;
}

HeadKind kind_from(const std::string& name) {
  for (const HeadKind kind : {HeadKind::softmax, HeadKind::sigmoid, HeadKind::label}) {
    if (name == to_string(kind)) return kind;
  }
  throw_failure(concat("a head of kind '", shown(name), "' is not known to this version"));
}

Head head_from_json(const json& from) {
  Head out{.name = from.at("name").get<std::string>(),
           .kind = kind_from(from.at("kind").get<std::string>())};
  for (const json& one : from.at("classes")) {
    out.classes.push_back(class_from_json(one, out.kind != HeadKind::label));
  }
  const std::string wrong = wrong_class_names(names_of(out.classes));
  if (!wrong.empty()) throw_failure(wrong);
  if (out.kind == HeadKind::sigmoid) {
    out.regions = regions_from_json(from.at("regions"), std::ssize(out.classes));
  }
  return out;
}

std::vector<Head> heads_from_json(const json& from) {
  if (!from.is_array()) throw_failure("heads is not a list");
  std::vector<Head> out;
  for (const json& one : from) out.push_back(head_from_json(one));
  return out;
}

std::map<std::string, double> ranges_from_json(const json& from) {
  std::map<std::string, double> out;
  const json& ranges = from.at("ranges");
  if (!ranges.is_object()) throw_failure("ranges is not an object");
  for (const auto& [weight, range] : ranges.items()) {
    out[weight] = number(range, concat("the range of ", shown(weight)), 1e-30, 1e30);
  }
  return out;
}

double temperature_from_json(const json& from) {
  return number(from.at("temperature"), "temperature", least_temperature, most_temperature);
}

/// Heads give what the network gives: classes of images, pixels, or nothing.
void check_heads(const std::string& file, const ModelInfo& info) {
  std::int64_t outputs = 0;
  for (const Head& head : info.heads) {
    outputs += head.outputs();
    const bool of_images = info.network.architecture == net::Architecture::classifier;
    if (of_images != (head.kind == HeadKind::label)) {
      throw_failure(concat(file, ": a network of architecture ",
                           net::to_string(info.network.architecture), " cannot have heads of kind ",
                           to_string(head.kind)));
    }
  }
  const bool headless = info.network.architecture == net::Architecture::encoder;
  if (outputs != (headless ? 0 : info.network.classes)) {
    throw_failure(concat(file, ": its heads have ", outputs, " outputs, its network has ",
                         headless ? 0 : info.network.classes));
  }
}

const std::string& entry(const std::string& file, const Metadata& metadata,
                         const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw_failure(concat(file, ": is not a medurwkv model (its metadata lack '", key, "')"));
  }
  return found->second;
}

/// A JSON text needs up to 24 times its size in memory, and is walked recursively later.
constexpr std::size_t longest_json = 1 << 21;
constexpr int deepest_json = 32;

/// A text of the metadata as JSON, within these bounds.
json json_of(const std::string& text) {
  if (text.size() > longest_json) {
    throw_failure(
        concat("has ", text.size(), " bytes, more than the ", longest_json, " that are read"));
  }
  const auto watch = [&](int depth, json::parse_event_t /*event*/, json& /*parsed*/) {
    if (depth > deepest_json) throw_failure(concat("is nested deeper than ", deepest_json));
    return true;
  };
  return json::parse(text, watch);
}

void check_version(const std::string& file, const Metadata& metadata, int newest) {
  const std::string& version = entry(file, metadata, "format_version");
  for (int known = 1; known <= newest; ++known) {
    if (version == std::to_string(known)) return;
  }
  throw_failure(concat(file, ": is of model format ", shown(version), "; medurwkv ",
                       medurwkv::version, " reads format ", newest, " and earlier ones",
                       "; use a newer medurwkv"));
}

/// What `read` makes of the metadata `key`, whose text is `text`. An Error names the file and the
/// key.
template <class Read>
auto parsed(const std::string& file, const std::string& key, const std::string& text,
            const Read& read) {
  std::string why;
  try {
    return read(json_of(text));
  } catch (const json::exception& error) {
    why = error.what();
  } catch (const Error& error) {
    why = error.what();
  }
  throw_failure(concat(file, ": its metadata '", key, "': ", shown(why)));
}

/// What `needs` lists must be understood; every other key that is not known may be passed over.
void refuse_unknown_needs(const std::string& file, const Metadata& metadata) {
  const auto found = metadata.find("needs");
  if (found == metadata.end()) return;
  const auto needs = parsed(file, "needs", found->second,
                            [](const json& all) { return all.get<std::vector<std::string>>(); });
  const auto unknown = std::find_if(needs.begin(), needs.end(), [](const std::string& need) {
    return need != tiles_need && need != own_window_need && need != plane_need &&
           need != calibration_key;
  });
  if (unknown == needs.end()) return;
  throw_failure(concat(file, ": needs ", shown(*unknown), ", which medurwkv ", medurwkv::version,
                       " does not know; use a newer medurwkv"));
}

/// The layout of a .pth of ours becomes that of what was written into it.
FileLayout with_metadata(const std::string& file, const FilePieces& pieces, FileLayout layout) {
  std::vector<TensorInfo>& tensors = layout.header.tensors;
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [](const TensorInfo& one) { return one.name == pth_metadata; });
  if (found == tensors.end()) return layout;
  const TensorPlace& place = layout.places[static_cast<std::size_t>(found - tensors.begin())];
  const std::string text = place.made.data() != nullptr ? std::string(place.made)
                                                        : pieces.read(place.start, found->bytes);
  refuse_wrong_crc(file, *found, place, zip_crc(0, text));
  FileLayout out{.kind = layout.kind, .header = {}, .places = {}, .made = layout.made};
  out.header.metadata =
      parsed(file, "metadata", text, [](const json& all) { return all.get<Metadata>(); });
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].name.starts_with(pth_state_dict)) continue;
    out.header.tensors.push_back(tensors[i]);
    out.header.tensors.back().name.erase(0, pth_state_dict.size());
    out.places.push_back(layout.places[i]);
  }
  return out;
}

}  // namespace

std::string content_sha256(const Metadata& metadata, const std::vector<TensorView>& tensors) {
  std::vector<TensorInfo> infos;
  std::vector<std::string> hashes;
  for (const TensorView& tensor : tensors) {
    infos.push_back({.name = tensor.name, .type = tensor.type, .shape = tensor.shape});
    hashes.push_back(sha256(tensor.data));
  }
  return content_sha256(metadata, infos, hashes);
}

std::string content_sha256(const Metadata& metadata, const std::vector<TensorInfo>& tensors,
                           const std::vector<std::string>& hashes) {
  std::string text;
  for (const auto& [key, value] : metadata) {
    if (key != checksum_key) text += concat(key.size(), ":", key, value.size(), ":", value);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& tensor = tensors[i];
    text += concat(tensor.name.size(), ":", tensor.name, to_string(tensor.type), " ",
                   shape_text(tensor.shape), " ", hashes.at(i), "\n");
  }
  return sha256(text);
}

std::string stored_checksum(const Metadata& metadata) {
  const auto found = metadata.find(checksum_key);
  return found == metadata.end() ? std::string() : found->second;
}

json metadata_json(const std::string& file, const Metadata& metadata, const std::string& key) {
  return parsed(file, key, entry(file, metadata, key), [](json value) { return value; });
}

json to_json(const net::NetworkConfig& config) {
  return {{"preset", config.preset},
          {"architecture", net::to_string(config.architecture)},
          {"channels", config.channels},
          {"classes", config.classes},
          {"wkv", net::to_string(config.wkv)},
          {"encoder", encoder_to_json(config.encoder)},
          {"bottleneck_depth", config.bottleneck_depth},
          {"decoder_depths", config.decoder_depths},
          {"unet_width", config.unet_width},
          {"classifier_hidden", config.classifier_hidden}};
}

json to_json(const InputContract& input) {
  json out{{"fit", to_string(input.fit)},
           {"width", input.width},
           {"height", input.height},
           {"channels", input.channels},
           {"mean", input.mean},
           {"deviation", input.deviation},
           {"window", input.window ? json{input.window->low, input.window->high} : json()}};
  if (input.own_window) out["own_window"] = own_window_to_json(*input.own_window);
  if (input.plane != Plane::stored) out["plane"] = to_string(input.plane);
  if (input.files > 1) out["files"] = input.files;
  return out;
}

InputContract input_from_json(const json& from) {
  InputContract out;
  out.fit = fit_from(from.at("fit").get<std::string>());
  if (from.contains("window") && !from["window"].is_null()) {
    out.window = window_from_json(from["window"]);
  }
  if (from.contains("own_window")) {
    out.own_window = own_window_from_json(from["own_window"]);
    if (out.window) throw_failure("input has a window and an own_window");
  }
  if (from.contains("plane")) out.plane = plane_from(from["plane"].get<std::string>());
  out.width = whole(from.at("width"), "input.width", 1, most_pixels);
  out.height = whole(from.at("height"), "input.height", 1, most_pixels / out.width);
  out.channels = whole(from.at("channels"), "input.channels", 1, 1 << 10);
  if (from.contains("files")) out.files = whole(from["files"], "input.files", 1, out.channels);
  const auto per_channel = [&](const char* key, double least) {
    const json& list = from.at(key);
    if (!list.is_array() || list.size() != static_cast<std::size_t>(out.channels)) {
      throw_failure(concat("input.", key, " is not a list of one number per channel"));
    }
    std::vector<double> numbers;
    for (const json& one : list) {
      numbers.push_back(number(one, concat("input.", key), least, 1e6));
    }
    return numbers;
  };
  out.mean = per_channel("mean", -1e6);
  out.deviation = per_channel("deviation", 1e-6);
  return out;
}

Metadata to_metadata(const ModelInfo& info) {
  json heads = json::array();
  for (const Head& head : info.heads) heads.push_back(head_to_json(head));
  Metadata out{{"format", format_name},
               {"format_version", std::to_string(model_format_version)},
               {"network", to_json(info.network).dump()},
               {"input", to_json(info.input).dump()},
               {"heads", heads.dump()},
               {"provenance", info.provenance.dump()}};
  json needs = json::array();
  if (info.input.fit == Fit::tile) needs.push_back(tiles_need);
  if (info.input.own_window) needs.push_back(own_window_need);
  if (info.input.plane != Plane::stored) needs.push_back(plane_need);
  if (info.temperature) {
    needs.push_back(calibration_key);
    out[calibration_key] = json{{"temperature", *info.temperature}}.dump();
  }
  if (!needs.empty()) out["needs"] = needs.dump();
  if (!info.int8_ranges.empty()) out[int8_key] = json{{"ranges", info.int8_ranges}}.dump();
  return out;
}

net::NetworkConfig network_from_json(const json& from) {
  net::NetworkConfig out;
  const auto get = [&](const char* key, std::int64_t least, std::int64_t most) {
    return whole(from.at(key), key, least, most);
  };
  from.at("preset").get_to(out.preset);
  out.architecture = net::architecture_from(from.at("architecture").get<std::string>());
  out.channels = get("channels", 1, 1 << 10);
  out.classes = get("classes", 1, 1 << 16);
  out.wkv = net::wkv_mode_from(from.at("wkv").get<std::string>());
  out.encoder = encoder_from_json(from.at("encoder"));
  out.bottleneck_depth = get("bottleneck_depth", 0, most_blocks);
  const json& depths = from.at("decoder_depths");
  if (!depths.is_array() || depths.size() != out.decoder_depths.size()) {
    throw_failure(concat("decoder_depths is not a list of ", out.decoder_depths.size()));
  }
  for (std::size_t i = 0; i < depths.size(); ++i) {
    out.decoder_depths[i] = whole(depths[i], "decoder_depths", 0, most_blocks);
  }
  out.unet_width = get("unet_width", 0, most_width);
  out.classifier_hidden = get("classifier_hidden", 0, most_width);
  check_network(out);
  return out;
}

ModelInfo model_info(const std::string& file, const Metadata& metadata) {
  if (entry(file, metadata, "format") != format_name) {
    throw_failure(
        concat(file, ": is not a medurwkv model (format '", shown(metadata.at("format")), "')"));
  }
  check_version(file, metadata, model_format_version);
  refuse_unknown_needs(file, metadata);
  const auto read = [&](const char* key, const auto& from_json) {
    return parsed(file, key, entry(file, metadata, key), from_json);
  };
  ModelInfo out{.network = read("network", network_from_json),
                .input = read("input", input_from_json),
                .heads = read("heads", heads_from_json),
                .provenance = metadata_json(file, metadata, "provenance")};
  if (!out.provenance.is_object()) {
    throw_failure(concat(file, ": its metadata 'provenance' are not an object"));
  }
  if (metadata.contains(int8_key)) out.int8_ranges = read(int8_key, ranges_from_json);
  if (metadata.contains(calibration_key)) {
    out.temperature = read(calibration_key, temperature_from_json);
  }
  check_heads(file, out);
  if (out.input.channels != out.network.channels) {
    throw_failure(concat(file, ": its input has ", out.input.channels, " channels, its network ",
                         out.network.channels));
  }
  return out;
}

const Head& segmentation_of(const std::string& file, const ModelInfo& info) {
  if (info.heads.size() == 1 && info.heads.front().kind != HeadKind::label) {
    return info.heads.front();
  }
  if (info.heads.size() > 1) {
    throw_failure(concat(file, ": has ", info.heads.size(), " heads, medurwkv ", medurwkv::version,
                         " segments with one"));
  }
  throw_usage(concat(file, ": holds ", info.heads.empty() ? "an encoder" : "a classifier of images",
                     ", not a segmentation; train one from it: medurwkv train --pretrained ",
                     file));
}

bool is_model(const Metadata& metadata) {
  const auto found = metadata.find("format");
  return found != metadata.end() && found->second == format_name;
}

Metadata to_metadata(const net::NetworkConfig& network) {
  return {{"format", tensors_format_name},
          {"format_version", std::to_string(tensors_format_version)},
          {"network", to_json(network).dump()}};
}

std::optional<net::NetworkConfig> stated_network(const std::string& file,
                                                 const Metadata& metadata) {
  const auto format = metadata.find("format");
  if (format == metadata.end() ||
      (format->second != format_name && format->second != tensors_format_name)) {
    return std::nullopt;
  }
  check_version(file, metadata,
                format->second == format_name ? model_format_version : tensors_format_version);
  return parsed(file, "network", entry(file, metadata, "network"), network_from_json);
}

void write_model_file(const OutputPath& file, const std::vector<TensorView>& tensors,
                      Metadata metadata) {
  metadata[checksum_key] = content_sha256(metadata, tensors);
  write_tensor_file(file, tensors, metadata);
}

FileLayout model_layout(const std::string& file, const FilePieces& pieces) {
  return with_metadata(file, pieces, layout_of(file, pieces));
}

TensorFile read_checked(const std::filesystem::path& path) {
  TensorFile file(path.string(), read_file(path), model_layout);
  WeightsSource(file).check();
  return file;
}

void refuse_damaged(const TensorIndex& file, const std::string& content) {
  const std::string expected = stored_checksum(file.metadata());
  if (expected.empty() || content == expected) return;
  throw_failure(concat(file.file(), ": is damaged: the SHA-256 of its content is ", content,
                       ", expected ", shown(expected),
                       "; restore the file from a copy, or train anew into another --out"));
}

}  // namespace medurwkv::weights
