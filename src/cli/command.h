// What every command's file offers and shares. Each command is one file with one add_... function
// that declares its options and, when chosen, runs it. Relies on CLI11 and core.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "core/stop.h"

namespace medurwkv::cli {

/// Set by SIGINT and SIGTERM (cli/main.cpp).
extern StopSignal stop_signal;

/// Exit codes of the program.
inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

/// Options that more than one command has; a command adds the ones with a meaning for it.
struct CommonOptions {
  std::string device = "auto";  ///< cpu | cuda | auto
  int threads = 0;              ///< 0 = all cores this process may use
  std::uint64_t seed = 0;
  std::filesystem::path out;
  bool quiet = false;
  bool json = false;
};
void add_device(CLI::App& command, CommonOptions& options);
void add_threads(CLI::App& command, CommonOptions& options);
void add_seed(CLI::App& command, CommonOptions& options);
void add_out(CLI::App& command, CommonOptions& options, const std::string& what,
             const std::string& standard);
void add_quiet(CLI::App& command, CommonOptions& options);
void add_json(CLI::App& command, CommonOptions& options);

/// A number above 0, refused in words.
CLI::Validator above_zero();

/// Applies --threads to our own loops (the training library is told separately).
void apply_threads(const CommonOptions& options);

/// What the chosen command returns becomes the exit code; set by the command's callback.
using Run = std::function<int()>;

/// Makes a subcommand: its one-line purpose and an example that works.
CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& purpose,
                      const std::string& example);

/// Registers what to run when `command` was chosen.
void on_run(CLI::App& command, Run run);

void add_data(CLI::App& root);
void add_train(CLI::App& root);
void add_evaluate(CLI::App& root);
void add_compare(CLI::App& root);
void add_predict(CLI::App& root);
void add_inspect(CLI::App& root);
void add_doctor(CLI::App& root);
void add_bench(CLI::App& root);
void add_convert(CLI::App& root);
void add_features(CLI::App& root);

}  // namespace medurwkv::cli
