// The benchmarks with peers (docs/performance.md): `make bench`. Options of its own: --rounds=15,
// --threads=1,2, --size=256,512, --preset=tiny, --out=FILE; and Google Benchmark's, of which
// --benchmark_filter=REGEX and --benchmark_list_tests are of use here. A benchmark is one set of
// contenders, all of them timed in turn within it. Exit code 1: a bar was missed.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <torch/version.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "core/version.h"
#include "kernels/isa.h"
#include "measure/machine.h"
#include "native/onednn.h"
#include "pairs.h"
#include "report.h"

namespace medurwkv::bench {
namespace {

using nlohmann::json;

struct Options {
  Setup setup;
  std::vector<int> threads{1, 2};
  std::vector<std::int64_t> sizes{256, 512};
  std::filesystem::path out;
};

/// libgomp and OpenBLAS read these before main runs: passive waiting, as the program has it; a pool
/// that may grow to all cores; and the kernels that fit the processor: OpenBLAS 0.3.21 takes one
/// that it does not know by its model number for a Prescott of 2004, four times slower.
void ensure_environment(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::setenv("GOMP_SPINCOUNT", "20000", 0);
  ::setenv("OPENBLAS_NUM_THREADS", std::to_string(available_cores()).c_str(), 0);
  const std::string strongest = kernels::available_isas().back()->name;
  if (strongest == "avx512") ::setenv("OPENBLAS_CORETYPE", "SKYLAKEX", 0);
  if (strongest == "avx2") ::setenv("OPENBLAS_CORETYPE", "HASWELL", 0);
  ::execv("/proc/self/exe", arguments);
}

std::vector<int> numbers(const std::string& text) {
  std::vector<int> out;
  for (const std::string& part : split(text, ',')) out.push_back(std::stoi(part));
  return out;
}

/// Takes our own options out of the arguments.
Options own_options(std::vector<char*>& arguments) {
  Options out;
  if (available_cores() < 2) out.threads = {1};
  std::vector<char*> others;
  for (char* argument : arguments) {
    const std::string text = argument;
    const std::size_t equals = text.find('=');
    const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (text.starts_with("--rounds=")) {
      out.setup.rounds = std::stoi(value);
    } else if (text.starts_with("--threads=")) {
      out.threads = numbers(value);
    } else if (text.starts_with("--size=")) {
      const std::vector<int> sizes = numbers(value);
      out.sizes.assign(sizes.begin(), sizes.end());
    } else if (text.starts_with("--preset=")) {
      out.setup.preset = value;
    } else if (text.starts_with("--out=")) {
      out.out = value;
    } else {
      others.push_back(argument);
    }
  }
  arguments = others;
  return out;
}

void add_benchmark(Results& results, const std::string& name, const std::function<Rows()>& rows) {
  benchmark::RegisterBenchmark(
      name.c_str(),
      [&results, name, rows](benchmark::State& state) {
        for (auto _ : state) {
          Rows found = rows();
          state.SetIterationTime(found.front().at("seconds").at("median").get<double>());
          results.add(name, std::move(found));
        }
      })
      ->Iterations(1)
      ->UseManualTime();
}

void add_all(const Options& options, Results& results) {
  const Setup& setup = options.setup;
  for (const int threads : options.threads) {
    for (const std::int64_t tokens : {196, 1024, 16384}) {
      add_benchmark(results, concat("bi_wkv/", tokens, "/threads:", threads),
                    [=] { return wkv_rows(setup, tokens, threads); });
    }
    for (const std::int64_t size : options.sizes) {
      const Point point{.size = size, .threads = threads};
      const auto add = [&](const std::string& kind, const std::vector<std::string>& names,
                           Rows (*rows)(const Setup&, const Point&, std::size_t)) {
        for (std::size_t i = 0; i < names.size(); ++i) {
          add_benchmark(results, concat(kind, "/", size, "/threads:", threads, "/", names[i]),
                        [=] { return rows(setup, point, i); });
        }
      };
      add("network", network_names(setup, point), network_rows);
      add("operation", operation_names(setup, point), operation_rows);
    }
  }
}

json about(const Options& options, const std::string& command) {
  return {{"medurwkv", medurwkv::version},
          {"command", command},
          {"cpu", measure::cpu_model()},
          {"flags", measure::line_of("/proc/cpuinfo", "flags")},
          {"cores", available_cores()},
          {"kernels", kernels::chosen_isa().name},
          {"onednn", concat(native::onednn_version(), " ", native::onednn_isa())},
          {"libtorch", TORCH_VERSION},
          {"openblas_core", blas_core()},
          {"rounds", options.setup.rounds},
          {"preset", options.setup.preset}};
}

int run(std::vector<char*> arguments) {
  std::string command = "medurwkv_bench";
  for (std::size_t i = 1; i < arguments.size(); ++i) command += concat(" ", arguments[i]);
  const Options options = own_options(arguments);
  auto count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  Results results(about(options, command), options.out);
  add_all(options, results);
  check_peers();
  TableReporter reporter(results);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return results.met() ? 0 : 1;
}

}  // namespace
}  // namespace medurwkv::bench

int main(int count, char** arguments) try {
  medurwkv::bench::ensure_environment(arguments);
  medurwkv::keep_freed_memory();
  return medurwkv::bench::run({arguments, arguments + count});
} catch (const std::exception& error) {
  std::cerr << "medurwkv_bench: " << error.what() << "\n";
  return 1;
}
