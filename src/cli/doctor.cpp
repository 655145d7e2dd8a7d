// `medurwkv doctor`: what this machine and this build can do, and whether it computes rightly.
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "app/doctor.h"
#include "cli/command.h"
#include "core/text.h"
#include "library/json.h"
#include "library/results.h"

namespace medurwkv::cli {
namespace {

using nlohmann::json;

const char* self_test_of(const app::DoctorReport& found) {
  return found.self_test_passed ? "passed" : "failed";
}

json to_json(const app::DoctorReport& found) {
  json out = library::to_value(found.machine);
  out["threads"] = found.threads;
  out["memory_kb"] = found.memory_bytes / 1024;
  out["onednn_gflops"] = found.onednn_gflops;
  out["self_test"] = self_test_of(found);
  out["training_library"] = library::to_value(found.training_library);
  return out;
}

void print(const app::DoctorReport& found) {
  const app::Machine& machine = found.machine;
  std::cout << "medurwkv         " << machine.medurwkv << "\n"
            << "processor        " << machine.cpu << ", " << machine.cores << " cores\n"
            << "features         " << join(machine.features, " ") << "\n"
            << "memory           " << human_bytes(static_cast<double>(found.memory_bytes)) << "\n"
            << "threads          " << found.threads << "\n"
            << "our kernels      " << machine.kernels << "\n"
            << "oneDNN           " << machine.onednn << ", " << machine.onednn_isa << ", "
            << fixed(found.onednn_gflops, 0) << " GFLOP/s\n";
  if (!found.training_library) {
    std::cout
        << "LibTorch         not built in: training, and models on a GPU, are not available\n";
  } else {
    const library::LibraryDescription& library = *found.training_library;
    std::cout << "LibTorch         " << library.libtorch << ", devices "
              << join(library.devices, ", ") << ", " << fixed(library.matrix_product_gflops, 0)
              << " GFLOP/s\n";
    if (library.matrix_product_gflops < 10) {
      std::cout
          << "                 warning: this BLAS is very slow; install libopenblas0-pthread\n";
    }
  }
  std::cout << "self-test        " << self_test_of(found) << "\n";
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
    const app::DoctorReport found = app::examine_machine();
    if (options->json) {
      print_json(to_json(found));
    } else {
      print(found);
    }
    return found.self_test_passed ? exit_done : exit_failed;
  });
}

}  // namespace medurwkv::cli
