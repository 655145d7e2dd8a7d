#include "cli/command.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/identity.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/text.h"
#include "core/threads.h"
#include "kernels/isa.h"

namespace medurwkv::cli {

StopSignal stop_signal{0};

void add_device(CLI::App& command, CommonOptions& options) {
  command
      .add_option("--device", options.device,
                  "device to compute on: cpu, cuda, or auto (a GPU where there is one)")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
      ->capture_default_str();
}

void add_engine(CLI::App& command, std::string& engine) {
  command
      .add_option("--engine", engine,
                  "native (without LibTorch, CPU alone) or torch (default: native on the CPU)")
      ->check(CLI::IsMember({"native", "torch"}));
}

void add_precision(CLI::App& command, std::string& precision) {
  command
      .add_option(
          "--precision", precision,
          "float32, bfloat16, int8 (for a model that quantize prepared), or auto: the fastest of "
          "them that processor and model have (native engine)")
      ->check(CLI::IsMember({"float32", "bfloat16", "int8", "auto"}))
      ->capture_default_str();
}

void add_threads(CLI::App& command, CommonOptions& options) {
  command.add_option("--threads", options.threads, "threads to compute with (0: all cores)")
      ->check(whole(0, 4096))
      ->capture_default_str();
}

void add_seed(CLI::App& command, CommonOptions& options) {
  command.add_option("--seed", options.seed, "seed of every random choice")
      ->check(whole(0, largest_seed))
      ->capture_default_str();
}

void add_out(CLI::App& command, CommonOptions& options, const std::string& what,
             const std::string& standard) {
  options.out = standard;
  command.add_option("--out", options.out, what)->capture_default_str();
}

void add_keep_identity(CLI::App& command) {
  command.add_flag_callback(
      "--keep-identity", [] { ::setenv(keep_identity_variable, "1", 1); },
      "keep names of files and cases that repeat the patient's name, identifier or date as DICOM "
      "headers have them; without it a pseudonym stands there");
}

void add_memory(CLI::App& command) {
  const auto set = [](const double& gigabytes) {
    constexpr double most = 1e18;  // a number of bytes that fits
    const auto limit = static_cast<std::int64_t>(std::clamp(1e9 * gigabytes, 1.0, most));
    if (limit <= resident_memory()) {
      throw_usage(concat("--memory: the program itself holds ",
                         human_bytes(static_cast<double>(resident_memory())), "; allow it more"));
    }
    set_memory_limit(limit);
  };
  command
      .add_option_function<double>(
          "--memory", set, "GB that the command may take; default: what the machine has available")
      ->check(above_zero());
}

void add_quiet(CLI::App& command, CommonOptions& options) {
  command.add_flag("--quiet", options.quiet, "only results and errors: no progress, no notes");
}

void add_json(CLI::App& command, CommonOptions& options) {
  command.add_flag("--json", options.json, "machine-readable output on stdout");
}

namespace {

/// All of `text` as a number; none for other text, NaN and infinities.
template <class Number>
std::optional<Number> number_in(const std::string& text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(static_cast<double>(out))) return std::nullopt;
  return out;
}

}  // namespace

CLI::Validator whole(std::int64_t least, std::int64_t most) {
  const std::string range = concat(least, " to ", most);
  const auto refuse = [=](const std::string& text) -> std::string {
    const auto value = number_in<std::int64_t>(text);
    // CLI11 would take 010 for 8.
    const bool plain = value && text == std::to_string(*value);
    const bool fits = plain && *value >= least && *value <= most;
    return fits ? "" : concat("expects a whole number from ", range, ", got ", text);
  };
  return {refuse, range};
}

CLI::Validator number(double least, double most) {
  const std::string range = concat(least, " to ", most);
  const auto refuse = [=](const std::string& text) -> std::string {
    const auto value = number_in<double>(text);
    const bool fits = value && *value >= least && *value <= most;
    return fits ? "" : concat("expects a number from ", range, ", got ", text);
  };
  return {refuse, range};
}

CLI::Validator above_zero() {
  const auto refuse = [](const std::string& text) -> std::string {
    const auto value = number_in<double>(text);
    // So that what is computed of it (seconds, bytes) stays a number that fits.
    constexpr double most = 1e9;
    if (value && *value > most) return concat("expects a number up to ", most, ", got ", text);
    return value && *value > 0 ? "" : concat("expects a number above 0, got ", text);
  };
  return {refuse, "ABOVE 0"};
}

void tell(const std::string& text) {
  std::cerr << one_line(without_identity(text)) << '\n';
}

void TerminalListener::line(const std::string& text) {
  if (quiet_) return;
  if (bar_) bar_->interrupt();
  tell(text);
}

void TerminalListener::failure(const std::string& text) {
  if (bar_) bar_->interrupt();
  tell("error: " + text);
}

void TerminalListener::progress(const std::string& what, std::int64_t done, std::int64_t total,
                                const std::string& detail) {
  if (quiet_) return;
  if (what != what_) {
    bar_.reset();
    what_ = what;
    // The clock starts when the first step is finished, so that step is not in the rate.
    bar_.emplace(what, total, done);
  }
  bar_->update(done, without_identity(detail));
}

void apply_threads(const CommonOptions& options) {
  set_thread_count(options.threads > 0 ? options.threads : available_cores());
}

void print_json(const nlohmann::json& answer) {
  std::cout << answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& purpose,
                      const std::string& example) {
  CLI::App* command = parent.add_subcommand(name, purpose);
  command->footer("Example:\n  " + example);
  return command;
}

void on_run(CLI::App& command, Run run) {
  command.final_callback([run = std::move(run)] {
    kernels::chosen_isa();  // refuses a MEDURWKV_ISA that this machine lacks before work begins
    if (const int code = run(); code != exit_done) throw CLI::RuntimeError(code);
  });
}

}  // namespace medurwkv::cli
