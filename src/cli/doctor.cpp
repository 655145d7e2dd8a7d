// `medurwkv doctor`: what this machine and this build can do, and whether it computes rightly.
#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/machine.h"
#include "cli/training_library.h"
#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "kernels/bi_wkv.h"
#include "kernels/isa.h"
#include "native/onednn.h"

namespace medurwkv::cli {
namespace {

using nlohmann::json;

/// bi-WKV of three tokens against values worked out by hand: with w = ln 2, u = ln 3 and k = 0 the
/// weights of token 0 are 3, 1, 1/2 on values 1, 2, 4.
template <class Real>
bool wkv_is_right(double tolerance) {
  const Real w = std::log(Real{2});
  const Real u = std::log(Real{3});
  const std::vector<Real> k{0, 0, 0};
  const std::vector<Real> v{1, 2, 4};
  std::vector<Real> y(3);
  kernels::bi_wkv_forward<Real>({.batch = 1, .tokens = 3, .channels = 1}, kernels::WkvMode::exact,
                                {.decay = &w, .first = &u, .key = k.data(), .value = v.data()},
                                y.data());
  const std::vector<double> expected{7.0 / 4.5, 11.0 / 5.0, 14.5 / 4.5};
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!(std::abs(static_cast<double>(y[i]) - expected[i]) < tolerance)) return false;
  }
  return true;
}

json examine() {
  json out{{"medurwkv", medurwkv::version},
           {"cpu", cpu_model()},
           {"features", cpu_features()},
           {"cores", available_cores()},
           {"threads", thread_count()},
           {"memory_kb", std::stoll(line_of("/proc/meminfo", "MemTotal"))},
           {"kernels", kernels::to_string(kernels::chosen_isa())},
           {"onednn", native::onednn_version()},
           {"onednn_isa", native::onednn_isa()},
           {"onednn_gflops", native::onednn_matmul_gflops(512, 512, 512)},
           {"self_test",
            wkv_is_right<double>(1e-12) && wkv_is_right<float>(2e-6) ? "passed" : "failed"}};
  if (has_training_library()) {
    out["training_library"] = describe_training_library();
  } else {
    out["training_library"] = json();
  }
  return out;
}

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
    const json found = examine();
    if (options->json) {
      std::cout << found.dump(2) << "\n";
    } else {
      print(found);
    }
    return found.at("self_test") == "passed" ? exit_done : exit_failed;
  });
}

}  // namespace medurwkv::cli
