// `medurwkv quantize`: a model that products of whole numbers can run.
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/quantize.h"
#include "cli/command.h"
#include "core/text.h"
#include "predict/inputs.h"

namespace medurwkv::cli {
namespace {

struct QuantizeOptions {
  CommonOptions common;
  app::QuantizeRequest request;
  std::vector<std::string> inputs;
};

int run_quantize(QuantizeOptions& options) {
  app::QuantizeRequest& request = options.request;
  request.inputs = predict::expand_inputs(options.inputs, std::cin);
  request.out = options.common.out;
  request.threads = options.common.threads;
  TerminalListener listener(options.common);
  const app::QuantizeResult found = app::quantize(request, listener);
  if (options.common.json) {
    print_json({{"images", found.images},
                {"products", found.products},
                {"kept_in_float32", found.kept},
                {"mean_dice", *found.mean_dice},
                {"least_dice", *found.least_dice},
                {"file", request.out.string()}});
    return exit_done;
  }
  std::cout << one_line(request.out.string()) << ": " << found.products - found.kept.size()
            << " of " << found.products << " products in int8; masks of " << found.images
            << (found.images == 1 ? " image" : " images") << " against those in float32: Dice "
            << fixed(*found.mean_dice, 3) << ", the least " << fixed(*found.least_dice, 3) << "\n";
  constexpr std::size_t most = 5;
  for (std::size_t i = 0; i < std::min(most, found.kept.size()); ++i) {
    std::cout << "  kept in float32: " << shown(found.kept[i]) << "\n";
  }
  if (found.kept.size() > most) {
    std::cout << "  ... and " << found.kept.size() - most << " more (--json lists them)\n";
  }
  return exit_done;
}

}  // namespace

void add_quantize(CLI::App& root) {
  const auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command = add_command(
      root, "quantize", "Prepare a model for --precision int8 on images like those it will see.",
      "medurwkv quantize runs/first/best.model images/ --out int8.model");
  command->add_option("model", options->request.model, "model file")->required();
  command
      ->add_option("inputs", options->inputs,
                   "images, folders with images, patterns like 'images/*.png', or - for a list on "
                   "the standard input; masks are not needed")
      ->required();
  add_out(*command, options->common, "model file to write", "int8.model");
  command
      ->add_option("--images", options->request.images,
                   "use so many of the images, spread evenly over them")
      ->check(whole(1, 100000))
      ->capture_default_str();
  command->add_flag("--force", options->request.force, "overwrite the file to write");
  add_threads(*command, options->common);
  add_memory(*command);
  add_quiet(*command, options->common);
  add_json(*command, options->common);
  on_run(*command, [options] { return run_quantize(*options); });
}

}  // namespace medurwkv::cli
