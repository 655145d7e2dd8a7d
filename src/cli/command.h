// What the commands share. Each command is one file with one add_... function that declares its
// options and, when chosen, runs it. Relies on CLI11 and core.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/listener.h"
#include "core/progress.h"
#include "core/stop.h"

namespace medurwkv::cli {

/// Set by SIGINT, SIGTERM and SIGHUP (cli/main.cpp).
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
/// --engine: native, torch, or empty.
void add_engine(CLI::App& command, std::string& engine);
/// --precision of the native engine.
void add_precision(CLI::App& command, std::string& precision);
void add_threads(CLI::App& command, CommonOptions& options);
void add_seed(CLI::App& command, CommonOptions& options);
void add_out(CLI::App& command, CommonOptions& options, const std::string& what,
             const std::string& standard);
/// --memory, for every command that decodes images or reads weights: sets core/memory.h's limit, in
/// GB.
void add_memory(CLI::App& command);
/// --keep-identity, for every command that names images in what it writes (core/identity.h).
void add_keep_identity(CLI::App& command);
void add_quiet(CLI::App& command, CommonOptions& options);
void add_json(CLI::App& command, CommonOptions& options);

/// Validators of numbers. Each refuses what is out of its range, text that is no number, NaN and
/// infinities. Every number of every option goes through one of them.
CLI::Validator whole(std::int64_t least, std::int64_t most);
CLI::Validator number(double least, double most);
CLI::Validator above_zero();

/// Prints `text`, which may hold names from files, on stderr as one line.
void tell(const std::string& text);
/// Shows the work's lines, failures and progress on stderr; failures alone when quiet. Ctrl-C stops
/// the work.
class TerminalListener : public Listener {
 public:
  explicit TerminalListener(const CommonOptions& options) : quiet_(options.quiet) {}
  void line(const std::string& text) override;
  void failure(const std::string& text) override;
  void progress(const std::string& what, std::int64_t done, std::int64_t total,
                const std::string& detail) override;
  [[nodiscard]] int stop_signal() const override { return cli::stop_signal.load(); }

 private:
  bool quiet_;
  std::string what_;  ///< of the bar
  std::optional<Progress> bar_;
};

/// Applies --threads to our own loops (the training library gets the number in its requests).
void apply_threads(const CommonOptions& options);

/// Runs the chosen command and returns the exit code.
using Run = std::function<int()>;

/// Prints the answer of --json on stdout; bytes that are not UTF-8 become U+FFFD.
void print_json(const nlohmann::json& answer);

/// Makes a subcommand: its one-line purpose and an example that works.
CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& purpose,
                      const std::string& example);

/// Registers what to run when `command` is chosen.
void on_run(CLI::App& command, Run run);

void add_data(CLI::App& root);
void add_train(CLI::App& root);
void add_pretrain(CLI::App& root);
void add_evaluate(CLI::App& root);
void add_compare(CLI::App& root);
void add_predict(CLI::App& root);
void add_inspect(CLI::App& root);
void add_doctor(CLI::App& root);
void add_bench(CLI::App& root);
void add_convert(CLI::App& root);
void add_export(CLI::App& root);
void add_features(CLI::App& root);
void add_quantize(CLI::App& root);
void add_manuals(CLI::App& root);

}  // namespace medurwkv::cli
