#include "cli/command.h"

#include <memory>

#include "core/text.h"
#include "core/threads.h"

namespace medurwkv::cli {

StopSignal stop_signal{0};

void add_device(CLI::App& command, CommonOptions& options) {
  command.add_option("--device", options.device, "cpu, cuda or auto")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
      ->capture_default_str();
}

void add_threads(CLI::App& command, CommonOptions& options) {
  command.add_option("--threads", options.threads, "threads to compute with (0: all cores)")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
}

void add_seed(CLI::App& command, CommonOptions& options) {
  command.add_option("--seed", options.seed, "seed of every random choice")->capture_default_str();
}

void add_out(CLI::App& command, CommonOptions& options, const std::string& what,
             const std::string& standard) {
  options.out = standard;
  command.add_option("--out", options.out, what)->capture_default_str();
}

void add_quiet(CLI::App& command, CommonOptions& options) {
  command.add_flag("--quiet", options.quiet, "no progress, only results and errors");
}

void add_json(CLI::App& command, CommonOptions& options) {
  command.add_flag("--json", options.json, "machine-readable output on stdout");
}

CLI::Validator above_zero() {
  const auto refuse = [](std::string& text) -> std::string {
    double number = 0;
    const bool read = CLI::detail::lexical_cast(text, number);
    return read && number > 0 ? "" : concat("wants a number above 0, got ", text);
  };
  return {refuse, "ABOVE 0"};
}

void apply_threads(const CommonOptions& options) {
  set_thread_count(options.threads > 0 ? options.threads : available_cores());
}

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& purpose,
                      const std::string& example) {
  CLI::App* command = parent.add_subcommand(name, purpose);
  command->footer("Example:\n  " + example);
  return command;
}

void on_run(CLI::App& command, Run run) {
  command.final_callback([run = std::move(run)] {
    if (const int code = run(); code != exit_done) throw CLI::RuntimeError(code);
  });
}

}  // namespace medurwkv::cli
