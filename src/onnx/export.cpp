#include "onnx/export.h"

#include <cmath>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "core/text.h"
#include "core/version.h"
#include "onnx/attention.h"
#include "plan/ops.h"

namespace medurwkv::onnx {
namespace {

/// Numbers of fields of ModelProto, from onnx.proto.
enum {
  ir_version = 1,
  producer = 2,
  producer_version = 3,
  graph_field = 7,
  opset_import = 8,
  metadata_props = 14
};

/// Opset 17 came with it.
constexpr std::int64_t ir = 8;

/// What a protocol buffer may have at most.
constexpr std::uint64_t most_bytes = (std::uint64_t{1} << 31U) - 1;

/// Sides of an image are padded to multiples of it.
std::int64_t step_of(const net::NetworkConfig& network) {
  const bool by_trunk = network.architecture == net::Architecture::med_urwkv ||
                        network.architecture == net::Architecture::encoder;
  return by_trunk ? 32 : 16;
}

class Export {
 public:
  Export(const Model& model, const Options& options, const ParameterValues& parameters, Units units)
      : model_(model), options_(options) {
    const Name normalised = add_input();
    const std::int64_t step = step_of(model.network);
    const Name sizes = graph_.node("Shape", {normalised});
    const auto side = [&](std::int64_t which) {
      return graph_.node("Slice",
                         {sizes, graph_.whole_numbers({which}), graph_.whole_numbers({which + 1})});
    };
    height_ = side(2);
    width_ = side(3);
    const auto units_in = [&](const Name& length) {
      const Name more = graph_.node("Add", {length, graph_.whole_numbers({step - 1})});
      return graph_.node("Div", {more, graph_.whole_numbers({step})});
    };
    const Name rows = units_in(height_);
    const Name columns = units_in(width_);
    const auto missing = [&](const Name& count, const Name& length) {
      return graph_.node("Sub",
                         {graph_.node("Mul", {count, graph_.whole_numbers({step})}), length});
    };
    const Sides sides(graph_, units, rows, columns);
    const Name pads = sides.joined({graph_.whole_numbers({0, 0, 0, 0, 0, 0}),
                                    missing(rows, height_), missing(columns, width_)});
    const Name padded = graph_.node("Pad", {normalised, pads}, {{"mode", std::string("edge")}});
    const plan::Plan plan = plan::record(model.network, 1, step * units.height, step * units.width);
    add_outputs(translate(plan, parameters, padded, sides, graph_), plan);
  }

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const Written& written() const { return written_; }

 private:
  /// Gives what the network takes.
  Name add_input() {
    const std::int64_t channels = model_.network.channels;
    const bool bytes = options_.pixels && !model_.input.window;
    written_.input = options_.pixels ? "pixels" : "image";
    written_.input_type = bytes ? "uint8" : "float32";
    graph_.begin_stage("input");
    graph_.input(written_.input, bytes ? Type::uint8 : Type::float32,
                 {"batch", channels, "height", "width"});
    if (!options_.pixels) return written_.input;
    if (model_.input.own_window) {
      throw_usage(concat("--pixels: the model's window follows from each image's values (",
                         to_string(*model_.input.own_window),
                         "), which the file cannot compute; leave --pixels out and give it "
                         "images that are scaled and normalised"));
    }
    Name part;
    if (model_.input.window) {
      const auto [low, high] = *model_.input.window;
      const Name above =
          graph_.node("Sub", {written_.input, graph_.number(static_cast<float>(low))});
      const Name scaled =
          graph_.node("Div", {above, graph_.number(static_cast<float>(high - low))});
      part = graph_.node("Clip", {scaled, graph_.number(0), graph_.number(1)});
    } else {
      const Name real =
          graph_.node("Cast", {written_.input}, {{"to", static_cast<std::int64_t>(Type::float32)}});
      part = graph_.node("Div", {real, graph_.number(255)});
    }
    const auto per_channel = [&](const std::vector<double>& values) {
      return graph_.numbers({values.begin(), values.end()}, {channels, 1, 1});
    };
    return graph_.node("Div", {graph_.node("Sub", {part, per_channel(model_.input.mean)}),
                               per_channel(model_.input.deviation)});
  }

  void add_outputs(const std::vector<Name>& made, const plan::Plan& plan) {
    graph_.begin_stage("output");
    if (model_.network.architecture == net::Architecture::encoder) {
      for (std::size_t i = 0; i < made.size(); ++i) {
        const std::string name = concat("f", i + 1);
        const std::int64_t channels = plan.shape(plan.outputs.at(i)).at(1);
        add_output(name, Type::float32,
                   {"batch", channels, concat("height_", name), concat("width_", name)}, "Identity",
                   {made[i]});
      }
      return;
    }
    const bool per_image = model_.network.architecture == net::Architecture::classifier;
    Name logits = made.front();
    if (!per_image) {
      const Name size = graph_.node("Concat", {height_, width_}, {{"axis", std::int64_t{0}}});
      logits = graph_.node(
          "Slice", {logits, graph_.whole_numbers({0, 0}), size, graph_.whole_numbers({2, 3})});
    }
    std::vector<Side> sides{"batch"};
    if (!options_.labels) sides.emplace_back(model_.network.classes);
    if (!per_image) sides.insert(sides.end(), {"height", "width"});
    if (!options_.labels) {
      add_output("logits", Type::float32, sides, "Identity", {logits});
      return;
    }
    const Name likeliest = graph_.node("ArgMax", {of_classes(logits)},
                                       {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{0}}});
    add_output("labels", Type::uint8, sides, "Cast", {likeliest},
               {{"to", static_cast<std::int64_t>(Type::uint8)}});
  }

  void add_output(const std::string& name, Type type, const std::vector<Side>& sides,
                  const char* op, const std::vector<Name>& inputs,
                  const std::vector<Attribute>& attributes = {}) {
    graph_.node_named(name, op, inputs, attributes);
    graph_.output(name, type, sides);
    written_.outputs.push_back(name);
  }

  /// Of regions, logits of the classes that they make (predict/regions.h).
  Name of_classes(const Name& logits) {
    if (model_.heads.empty() || model_.heads.front().kind != HeadKind::sigmoid) return logits;
    const auto minus = [&](const Name& x) { return graph_.node("Neg", {x}); };
    const Name outside = minus(graph_.node("Softplus", {logits}));
    const Name inside = minus(graph_.node("Softplus", {minus(logits)}));
    const Name later = graph_.node("CumSum", {outside, graph_.whole_number(1)},
                                   {{"exclusive", std::int64_t{1}}, {"reverse", std::int64_t{1}}});
    const Name background = graph_.node("ReduceSum", {outside, graph_.whole_numbers({1})});
    return graph_.node("Concat", {background, graph_.node("Add", {inside, later})},
                       {{"axis", std::int64_t{1}}});
  }

  const Model& model_;
  const Options& options_;
  Graph graph_;
  Name height_, width_;
  Written written_;
};

void refuse_large_decay(const std::string& file, const plan::Plan& plan,
                        const ParameterValues& parameters) {
  for (const plan::Operation& operation : plan.operations) {
    if (!operation.is(plan::op::bi_wkv)) continue;
    for (const std::size_t input : {2U, 3U}) {
      const plan::Value& value = plan.value(operation.inputs.at(input));
      const std::string& name = plan.parameters.at(value.parameter.value()).name;
      for (const float one : parameters(name)) {
        if (std::abs(one) <= most_decay) continue;
        throw_failure(concat(file, ": ", name, " has the value ", one,
                             "; ONNX's float32 sums hold up to ", most_decay,
                             ", so this model cannot be exported"));
      }
    }
  }
}

}  // namespace

Written write(const OutputPath& file, const Model& model, const Options& options,
              const ParameterValues& parameters) {
  const std::string name = file.path().string();
  if (options.labels && model.network.architecture == net::Architecture::encoder) {
    throw_usage(concat(name, ": an encoder gives maps, not labels"));
  }
  refuse_large_decay(name, plan::record(model.network, 1, 32, 32), parameters);
  const Export made(model, options, parameters, {});
  // What depends on the image was recognised right if another image gives the same graph.
  const Export again(model, options, parameters, {.height = 1019, .width = 1021});
  if (made.graph().nodes() != again.graph().nodes()) {
    throw_internal("ONNX: the graph depends on the image's size");
  }
  Message head;
  head.number(ir_version, ir).text(producer, "medurwkv").text(producer_version, version);
  head.message(opset_import, Message().text(1, "").number(2, opset));
  for (const auto& [key, value] : model.metadata) {
    head.message(metadata_props, Message().text(1, key).text(2, value));
  }
  head.head(graph_field, made.graph().size());
  if (head.bytes().size() + made.graph().size() > most_bytes) {
    throw_failure(concat(name, ": an ONNX file holds at most 2 GB; this model has ",
                         made.graph().size() / 1000000, " MB"));
  }
  write_file(file, [&](const AppendBytes& append) {
    append(head.bytes());
    made.graph().write(append);
  });
  Written out = made.written();
  out.nodes = made.graph().node_count();
  return out;
}

}  // namespace medurwkv::onnx
