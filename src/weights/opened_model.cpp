#include "weights/opened_model.h"

#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "weights/contents.h"

namespace medurwkv::weights {
namespace {

/// Weights of others, or ours without what a model file says beside them.
[[noreturn]] void refuse_bare_weights(const TensorIndex& file) {
  const Contents contents = contents_of(file);
  const std::string& name = file.file();
  if (contents.kind == Content::med_urwkv && contents.network) {
    throw_usage(concat(
        name, ": is not a model file, but holds a whole network; make a model file of it: ",
        "medurwkv convert ", name, " ",
        std::filesystem::path(name).replace_extension(".model").string(), " (--classes names its ",
        contents.network->classes, " classes, --size the input's side)"));
  }
  throw_usage(
      concat(name, ": is not a model file, and `medurwkv convert` cannot make one of it: ",
             contents.problem.empty()
                 ? concat("it holds a ", to_string(contents.kind),
                          ", an encoder without the rest; train a model from it: medurwkv train "
                          "--pretrained ",
                          name)
                 : concat(contents.problem, "; `medurwkv inspect ", name, "` says what it holds")));
}

}  // namespace

ModelDescription OpenedModel::description(const std::string& content) const {
  return {.input = info.input,
          .classes = head.classes,
          .regions = head.regions,
          .network = info.network.preset,
          .file = file.file(),
          .content_sha256 = content,
          .split_sha256 = info.provenance.value("split_sha256", ""),
          .temperature = info.temperature};
}

OpenedModel open_segmentation(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    throw_usage(concat(path.string(), ": is a folder, expected a model file; that of a run is ",
                       (path / "best.model").string()));
  }
  OpenedModel out{.file = WeightsSource::open(path), .info = {}, .head = {}};
  out.file.understood([&] {
    if (!is_model(out.file.metadata())) refuse_bare_weights(out.file);
    out.info = model_info(path.string(), out.file.metadata());
    out.head = segmentation_of(path.string(), out.info);
  });
  return out;
}

SourcedNetwork network_of(const std::filesystem::path& path) {
  const auto file = std::make_shared<const WeightsSource>(WeightsSource::open(path));
  const ModelInfo info =
      file->understood([&] { return model_info(path.string(), file->metadata()); });
  SourcedNetwork out{.network = info.network,
                     .width = info.input.width,
                     .height = info.input.height,
                     .file = file,
                     .int8_ranges = info.int8_ranges};
  if (!out.classifies()) out.regions = segmentation_of(path.string(), info).regions;
  return out;
}

}  // namespace medurwkv::weights
