// `medurwkv export`: a model as an ONNX file.
#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "app/export.h"
#include "cli/command.h"
#include "core/text.h"

namespace medurwkv::cli {
namespace {

struct ExportOptions {
  CommonOptions common;
  app::ExportRequest request;
};

int run_export(const ExportOptions& options) {
  const app::ExportRequest& request = options.request;
  const onnx::Written done = app::export_onnx(request);
  if (options.common.json) {
    print_json(app::answer_of(request, done));
    return exit_done;
  }
  std::cout << one_line(request.onnx.string()) << ": opset " << onnx::opset << ", " << done.nodes
            << " nodes; input " << done.input << " (" << done.input_type
            << ", batch x channels x height x width), output " << join(done.outputs, ", ") << "\n";
  return exit_done;
}

}  // namespace

void add_export(CLI::App& root) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command =
      add_command(root, "export", "Write a model as an ONNX file for other runtimes.",
                  "medurwkv export run/best.model --onnx model.onnx --labels");
  command->add_option("model", options->request.model, "model file")->required();
  command->add_option("--onnx", options->request.onnx, "file to write: *.onnx")->required();
  command->add_flag("--pixels", options->request.options.pixels,
                    "the graph scales and normalises: its input is the stored values (uint8, or "
                    "float32 in the units of the model's window)");
  command->add_flag("--labels", options->request.options.labels,
                    "the output is the likeliest class per pixel in place of logits");
  command->add_flag("--force", options->request.force, "overwrite the file to write");
  add_json(*command, options->common);
  add_memory(*command);
  on_run(*command, [options] { return run_export(*options); });
}

}  // namespace medurwkv::cli
