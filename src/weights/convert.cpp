#include "weights/convert.h"

#include <algorithm>
#include <array>
#include <deque>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/version.h"
#include "weights/contents.h"
#include "weights/coverage.h"
#include "weights/model_file.h"
#include "weights/pth_file.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {
namespace {

/// What is to be written. `made` owns what had to be converted; the rest lies in the file read.
struct Output {
  std::vector<TensorView> tensors;
  Metadata metadata;
  std::deque<std::string> made;
};

bool is_moment(const std::string& name) {
  return name.starts_with("optimizer.moment");
}

/// The wrappers before the names that are kept.
std::string wrapper_of(const TensorFile& file, const Contents& contents) {
  constexpr std::array<std::string_view, 3> wrappers{"state_dict.", "model.", "module."};
  if (contents.kind == Content::unknown) {
    for (const std::string_view wrapper : wrappers) {
      for (const TensorInfo& tensor : file.tensors()) {
        if (tensor.name.starts_with(wrapper)) return std::string(wrapper);
      }
    }
    return "";
  }
  const std::string_view whole = contents.whole;
  std::size_t length = 0;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view wrapper : wrappers) {
      if (whole.substr(length).starts_with(wrapper)) {
        length += wrapper.size();
        found = true;
      }
    }
  }
  return contents.whole.substr(0, length);
}

TensorView view_of(const TensorFile& file, const TensorInfo& tensor, std::string name) {
  return {std::move(name), tensor.type, tensor.shape, file.data(tensor)};
}

/// The values as a model file has them: float32, counters int64.
TensorView model_tensor(const TensorFile& file, const TensorInfo& tensor,
                        const net::ParameterSpec& spec, std::deque<std::string>& made) {
  const DType wanted = spec.integer ? DType::i64 : DType::f32;
  if (tensor.type == wanted) return view_of(file, tensor, spec.name);
  const std::vector<double> values = file.values(tensor.name);
  if (spec.integer) {
    const std::vector<std::int64_t> counts(values.begin(), values.end());
    made.emplace_back(as_text(std::span<const std::int64_t>(counts)));
  } else {
    const std::vector<float> floats(values.begin(), values.end());
    made.emplace_back(as_text(std::span<const float>(floats)));
  }
  return {spec.name, wanted, spec.shape, made.back()};
}

/// Every tensor of the network, under our names.
void add_network(const TensorFile& file, const Contents& contents,
                 const net::NetworkConfig& network, const std::vector<net::ParameterSpec>& specs,
                 Output& out) {
  std::unordered_map<std::string, std::string> sources;
  for (UsedTensor& one : cover_whole(file, contents, network, specs).used) {
    sources[one.name] = std::move(one.source);
  }
  for (const net::ParameterSpec& spec : specs) {
    const auto source = sources.find(spec.name);
    if (source != sources.end()) {
      out.tensors.push_back(model_tensor(file, file.info(source->second), spec, out.made));
    } else {  // a counter of batches
      out.made.emplace_back(sizeof(std::int64_t), '\0');
      out.tensors.push_back({spec.name, DType::i64, spec.shape, out.made.back()});
    }
  }
}

/// Colours of classes that nobody has coloured, background first.
std::vector<ClassInfo> class_infos(const std::string& file, const Conversion& conversion,
                                   std::int64_t count) {
  constexpr std::array<std::array<std::uint8_t, 3>, 6> colors{{{230, 60, 50},
                                                               {60, 160, 60},
                                                               {50, 100, 220},
                                                               {240, 180, 40},
                                                               {150, 60, 180},
                                                               {40, 180, 190}}};
  std::vector<std::string> names = conversion.classes;
  if (names.empty()) {
    names.emplace_back("background");
    for (std::int64_t i = 1; i < count; ++i) names.push_back(concat("class ", i));
  }
  if (static_cast<std::int64_t>(names.size()) != count) {
    throw_usage(concat(file, ": has ", count, " classes, --classes names ", names.size(),
                       " (the background is the first)"));
  }
  if (const std::string wrong = wrong_class_names(names); !wrong.empty()) {
    throw_usage(concat("--classes: ", wrong));
  }
  std::vector<ClassInfo> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    out.push_back(
        {names[i], i == 0 ? std::array<std::uint8_t, 3>{} : colors[(i - 1) % colors.size()]});
  }
  return out;
}

InputContract input_of(const Conversion& conversion, std::int64_t channels) {
  InputContract out{.width = conversion.width > 0 ? conversion.width : 256,
                    .height = conversion.height > 0 ? conversion.height : 256,
                    .channels = channels};
  if (channels != 3) {
    out.mean.assign(static_cast<std::size_t>(channels), 0.449);
    out.deviation.assign(static_cast<std::size_t>(channels), 0.226);
  }
  return out;
}

/// A model of ours: its own tensors and metadata, without what a checkpoint has on top.
void add_model(const TensorFile& file, const Conversion& conversion, Converted& result,
               Output& out) {
  ModelInfo info = model_info(file.file(), file.metadata());
  const net::WkvMode mode = conversion.wkv.value_or(info.network.wkv);
  if (mode != info.network.wkv) {  // what was measured on another network
    info.int8_ranges.clear();
    result.temperature_left_out = info.temperature.has_value();
    info.temperature.reset();
  }
  info.network.wkv = mode;
  if (!conversion.int8_ranges.empty()) info.int8_ranges = conversion.int8_ranges;
  out.metadata = to_metadata(info);
  for (const TensorInfo& tensor : file.tensors()) {
    if (!is_moment(tensor.name)) out.tensors.push_back(view_of(file, tensor, tensor.name));
  }
  result.network = info.network;
}

void make_model(const TensorFile& file, const Contents& contents, const Conversion& conversion,
                Converted& result, Output& out) {
  if (contents.kind != Content::med_urwkv || !contents.network) {
    throw_failure(concat(file.file(), ": holds no whole Med-URWKV (",
                         contents.problem.empty() ? to_string(contents.kind) : contents.problem,
                         "), which a model file does; write .safetensors or .pth, or start a "
                         "training from it with train --pretrained"));
  }
  const net::NetworkConfig& network = *result.network;
  add_network(file, contents, network, conversion.parameters_of(network), out);
  out.metadata = to_metadata(
      {.network = network,
       .input = input_of(conversion, network.channels),
       .heads = {segmentation_head(class_infos(file.file(), conversion, network.classes))},
       .provenance = {{"converted_from_sha256", file.file_sha256()},
                      {"medurwkv", medurwkv::version}}});
}

/// The encoder under the names that Vision-RWKV's code gives it.
void add_encoder(const TensorFile& file, const Contents& contents, Converted& result, Output& out) {
  if (contents.kind == Content::unknown) {
    throw_failure(concat(file.file(), ": holds no encoder: ", contents.problem));
  }
  for (const TensorInfo& tensor : file.tensors()) {
    if (!tensor.name.starts_with(contents.trunk)) continue;
    std::string name = tensor.name.substr(contents.trunk.size());
    // Heads are no part of it: head.*, decode_head.*, auxiliary_head.*.
    if (name.substr(0, name.find('.')).ends_with("head")) continue;
    out.tensors.push_back(view_of(file, tensor, std::move(name)));
  }
  if (!result.network) return;
  net::NetworkConfig& network = *result.network;
  network.classifier_hidden = 0;
  network.bottleneck_depth = 0;
  network.decoder_depths = {};
  if (network.architecture == net::Architecture::med_urwkv) {
    network.architecture = net::Architecture::encoder;
  }
  out.metadata = to_metadata(network);
}

void add_all(const TensorFile& file, const Contents& contents, const Converted& result,
             Output& out) {
  const std::string wrapper = wrapper_of(file, contents);
  for (const TensorInfo& tensor : file.tensors()) {
    if (!tensor.name.starts_with(wrapper)) continue;
    out.tensors.push_back(view_of(file, tensor, tensor.name.substr(wrapper.size())));
  }
  if (result.network) out.metadata = to_metadata(*result.network);
}

}  // namespace

Format format_of(const std::filesystem::path& path) {
  const std::string suffix = lower(path.extension().string());
  if (suffix == ".pth" || suffix == ".pt") return Format::pth;
  if (suffix == ".safetensors") return Format::safetensors;
  if (suffix == ".model") return Format::model;
  throw_usage(
      concat(path.string(),
             ": the suffix decides what is written: .pth (or .pt), .safetensors or .model"));
}

Converted convert(const Conversion& conversion) {
  const Format format = format_of(conversion.to);
  const TensorFile file = read_checked(conversion.from);
  const Contents contents = contents_of(file);
  const bool model = is_model(file.metadata());
  if (conversion.encoder && format == Format::model) {
    throw_usage("a model file holds a whole network; write --encoder to .safetensors or .pth");
  }
  if (conversion.wkv && !contents.network) {
    throw_usage(concat(file.file(), ": --wkv has no meaning for it: ", contents.problem));
  }
  if (model && conversion.adjust) {
    throw_usage(
        concat(file.file(), ": is a model file, which tells its network itself; leave out --set"));
  }
  if ((model || format != Format::model) && (!conversion.classes.empty() || conversion.width > 0)) {
    throw_usage(concat("--classes and --size are for a model file made of bare tensors; ",
                       model ? file.file() + " is a model file already"
                             : conversion.to.string() + " holds bare tensors"));
  }
  Converted result{.content = model ? "model of medurwkv" : to_string(contents.kind),
                   .network = contents.network};
  if (result.network) {
    if (conversion.wkv) result.network->wkv = *conversion.wkv;
    if (conversion.adjust) conversion.adjust(*result.network);
  }
  Output out;
  if (conversion.encoder) {
    add_encoder(file, contents, result, out);
  } else if (model) {
    add_model(file, conversion, result, out);
  } else if (format == Format::model) {
    make_model(file, contents, conversion, result, out);
  } else {
    add_all(file, contents, result, out);
  }
  result.tensors = out.tensors.size();
  result.left_out = file.tensors().size() - std::min(file.tensors().size(), out.tensors.size());
  if (format == Format::pth) {
    write_pth_file(conversion.to, out.tensors, out.metadata);
  } else if (is_model(out.metadata)) {
    write_model_file(conversion.to, out.tensors, out.metadata);
  } else {
    write_tensor_file(conversion.to, out.tensors, out.metadata);
  }
  return result;
}

}  // namespace medurwkv::weights
