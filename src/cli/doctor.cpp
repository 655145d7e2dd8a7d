// `medurwkv doctor`: what this machine and this build can do, and whether it computes rightly.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/doctor.h"
#include "cli/command.h"
#include "core/text.h"

namespace medurwkv::cli {
namespace {

using nlohmann::json;

void print(const json& found) {
  const auto text = [&](const char* key) { return found.at(key).get<std::string>(); };
  std::cout << "medurwkv         " << text("medurwkv") << "\n"
            << "processor        " << text("cpu") << ", " << found.at("cores") << " cores\n"
            << "features         "
            << join(found.at("features").get<std::vector<std::string>>(), " ") << "\n"
            << "memory           " << human_bytes(1024 * found.at("memory_kb").get<double>())
            << "\n"
            << "threads          " << found.at("threads") << "\n"
            << "our kernels      " << text("kernels") << "\n"
            << "oneDNN           " << text("onednn") << ", " << text("onednn_isa") << ", "
            << fixed(found.at("onednn_gflops").get<double>(), 0) << " GFLOP/s\n";
  const json& library = found.at("training_library");
  if (library.is_null()) {
    std::cout << "LibTorch         not built in: training and running models are not available\n";
  } else {
    const double speed = library.at("matrix_product_gflops").get<double>();
    std::cout << "LibTorch         " << library.at("libtorch").get<std::string>() << ", devices "
              << join(library.at("devices").get<std::vector<std::string>>(), ", ") << ", "
              << fixed(speed, 0) << " GFLOP/s\n";
    if (speed < 10) {
      std::cout
          << "                 warning: this BLAS is very slow; install libopenblas0-pthread\n";
    }
  }
  std::cout << "self-test        " << text("self_test") << "\n";
}

}  // namespace

void add_doctor(CLI::App& root) {
  const auto options = std::make_shared<CommonOptions>();
  CLI::App* command = add_command(
      root, "doctor", "Show versions, processor, libraries and a self-test.", "medurwkv doctor");
  add_threads(*command, *options);
  add_json(*command, *options);
  on_run(*command, [options] {
    apply_threads(*options);
    const json found = app::examine_machine();
    if (options->json) {
      print_json(found);
    } else {
      print(found);
    }
    return found.at("self_test") == "passed" ? exit_done : exit_failed;
  });
}

}  // namespace medurwkv::cli
