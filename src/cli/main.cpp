// The program: sets the process up, declares the commands, turns errors into exit codes.
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "core/error.h"
#include "core/stop.h"
#include "core/terminal.h"
#include "core/text.h"
#include "core/version.h"
#include "kernels/isa.h"

namespace medurwkv::cli {
namespace {

struct Setting {
  const char* name;
  const char* value;
};

/// What must be in the environment before libgomp and OpenBLAS are loaded (docs/decisions.md).
/// Threads that wait spin for a third of a millisecond, then sleep: spinning teams lose
/// milliseconds per region on a shared machine, and sleeping ones are slow to wake between two
/// short regions. OpenBLAS has one thread, because its own pool would compete with OpenMP's.
constexpr std::array<Setting, 3> needed_environment{
    {{"OMP_WAIT_POLICY", "passive"}, {"GOMP_SPINCOUNT", "20000"}, {"OPENBLAS_NUM_THREADS", "1"}}};

/// Starts the program over, once, when a setting is missing. What the user has set stays.
void ensure_environment(char** arguments) {
  bool missing = false;
  const auto need = [&](const char* name, const char* value) {
    if (std::getenv(name) != nullptr) return;
    missing = true;
    ::setenv(name, value, 0);
  };
  for (const Setting& setting : needed_environment) need(setting.name, setting.value);
  // One setting stands for a lesser processor, for oneDNN and LibTorch too.
  const char* wanted = std::getenv("MEDURWKV_ISA");
  if (const kernels::Isa* isa = wanted != nullptr ? kernels::find_isa(wanted) : nullptr) {
    need("ONEDNN_MAX_CPU_ISA", isa->onednn);
    need("ATEN_CPU_CAPABILITY", isa->libtorch);
  }
  if (!missing) return;
  // Started by a loader of its own (packaging/launcher.c), the loader is what runs.
  const char* const launcher = std::getenv("MEDURWKV_LAUNCHER");
  // When this fails the program still works, only slower on a busy machine.
  ::execv(launcher != nullptr ? launcher : "/proc/self/exe", arguments);
}

/// Opens the standard streams that are closed. Else the next file that is opened would get such a
/// descriptor, and what is printed would go into that file.
void ensure_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) == -1) ::open("/dev/null", O_RDWR);
  }
}

void on_signal(int signal) {
  // A second Ctrl-C ends the program at once.
  if (stop_signal.exchange(signal) != 0) ::_exit(128 + signal);
}

/// Every signal by which a user, a closed terminal or a machine that goes down ends a program.
struct EndingSignal {
  int number;
  const char* name;
};
constexpr std::array<EndingSignal, 3> ending_signals{
    {{SIGINT, "Ctrl-C"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP (the terminal was closed)"}}};

/// Waits for the signals in place of a handler: oneDNN's products lose memory of theirs when a
/// handler runs in their thread (docs/decisions.md). `set`: a sigset_t, which this deletes.
void* await_signals(void* set) {
  const std::unique_ptr<sigset_t> signals(static_cast<sigset_t*>(set));
  for (int number = 0; ::sigwait(signals.get(), &number) == 0;) on_signal(number);
  return nullptr;
}

/// Before other threads start: they have the signals blocked, as this one.
void take_signals() {
  auto signals = std::make_unique<sigset_t>();
  ::sigemptyset(signals.get());
  for (const auto& [number, name] : ending_signals) {
    struct sigaction before {};
    ::sigaction(number, nullptr, &before);
    // nohup and a shell's & have the signal ignored: the program is to go on.
    if (before.sa_handler != SIG_IGN) ::sigaddset(signals.get(), number);
  }
  // A small stack, which counts as memory of the process.
  constexpr std::size_t stack = std::size_t{1} << 18;
  pthread_attr_t attributes{};
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, stack);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_sigmask(SIG_BLOCK, signals.get(), nullptr);
  pthread_t waiting{};
  sigset_t* const given = signals.release();
  if (::pthread_create(&waiting, &attributes, await_signals, given) != 0) {
    // No thread can be made: a signal ends the program at once, as it does any other.
    ::pthread_sigmask(SIG_UNBLOCK, given, nullptr);
    delete given;
  }
  ::pthread_attr_destroy(&attributes);
  // With SIGXFSZ ignored, a write beyond the limit of file sizes fails with an error that names the
  // file.
  ::signal(SIGXFSZ, SIG_IGN);
}

const char* name_of(int signal) {
  for (const auto& [number, name] : ending_signals) {
    if (number == signal) return name;
  }
  return "a signal";
}

/// Options and subcommands of `app`, for suggesting the nearest.
std::vector<std::string> known_words(const CLI::App& app, bool options) {
  std::vector<std::string> words;
  if (options) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    }
  } else {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      words.push_back(command->get_name());
    }
  }
  return words;
}

/// The innermost command that was chosen.
const CLI::App& chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? app : chosen(*commands.front());
}

/// "medurwkv data check".
std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name()
                           : concat(full_name(*parent), " ", command.get_name());
}

/// The command's usage line: "medurwkv evaluate MODEL --data DATA --split SPLIT [OPTIONS]".
std::string usage(const CLI::App& command) {
  std::string out = full_name(command);
  if (command.get_require_subcommand_min() > 0) return out + " COMMAND";
  for (const CLI::Option* option : command.get_options()) {
    const std::string value = upper(option->get_single_name());
    if (option->nonpositional()) {
      if (option->get_required()) out += concat(" ", option->get_name(), " ", value);
    } else {
      out += option->get_required() ? concat(" ", value) : concat(" [", value, "]");
    }
  }
  return out + " [OPTIONS]";
}

/// The argument (not an option) that was meant by the unknown option `word`; empty if none was.
std::string meant_argument(const CLI::App& command, const std::string& word) {
  std::vector<std::string> known = known_words(command, true);
  std::vector<std::string> arguments;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->nonpositional()) arguments.push_back("--" + option->get_single_name());
  }
  known.insert(known.begin(), arguments.begin(), arguments.end());
  const std::string nearest = nearest_name(word, known);
  const bool is_argument =
      std::find(arguments.begin(), arguments.end(), nearest) != arguments.end();
  return is_argument ? upper(nearest.substr(2)) : "";
}

int report_usage(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& command = chosen(root);
  std::string line = error.what();
  const std::vector<std::string> extras = command.remaining();
  if (!extras.empty()) {
    const std::string& word = extras.front();
    const bool option = word.starts_with("-");
    const std::vector<std::string> known = known_words(command, option);
    line = concat(option          ? "unknown option "
                  : known.empty() ? "unexpected argument "
                                  : "unknown command ",
                  word);
    if (const std::string argument = meant_argument(command, word); option && !argument.empty()) {
      line += concat("; ", argument, " is given without an option's name");
    } else if (!known.empty()) {
      line += suggestion(word, known);
    } else if (command.get_option_no_throw("--data") != nullptr) {
      line += "; the folder of images goes after --data";
    }
  }
  tell(concat("medurwkv: ", line));
  tell(concat("Usage: ", usage(command), "; see `", full_name(command), " --help`."));
  return exit_usage;
}

/// Refuses empty words: such a word is a shell's variable without a value; no option or argument
/// takes one.
void refuse_empty_words(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    const bool after_option = i > 1 && std::string_view(arguments[i - 1]).starts_with("--");
    if (word.empty()) {
      throw_usage(concat(after_option ? arguments[i - 1] : concat("argument ", i),
                         ": is empty; give it a value (is a variable of the shell not set?)"));
    }
    if (word.starts_with("--") && word.find('=') == word.size() - 1) {
      throw_usage(
          concat(word, ": is empty; give it a value (is a variable of the shell not set?)"));
    }
  }
}

int run(int count, char** arguments) {
  CLI::App root{
      "medurwkv trains, judges and runs Med-URWKV, a segmentation network for medical images.",
      "medurwkv"};
  root.set_version_flag("--version", concat("medurwkv ", medurwkv::version));
  root.require_subcommand(1);
  root.footer(
      "Every command has --help with an example. Start with:\n"
      "  medurwkv data check FOLDER");
  add_doctor(root);
  add_data(root);
  add_train(root);
  add_pretrain(root);
  add_evaluate(root);
  add_compare(root);
  add_predict(root);
  add_inspect(root);
  add_convert(root);
  add_export(root);
  add_features(root);
  add_quantize(root);
  add_bench(root);
  add_manuals(root);
  try {
    refuse_empty_words(count, arguments);
    root.parse(count, arguments);
    return exit_done;
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();
  } catch (const CLI::Success& success) {  // --help and --version
    return root.exit(success);
  } catch (const CLI::ParseError& error) {
    return report_usage(root, error);
  } catch (const Stopped& stopped) {
    tell(concat("medurwkv: stopped by ", name_of(stopped.signal)));
    return 128 + stopped.signal;
  } catch (const Error& error) {
    tell(concat("medurwkv: ", error.what()));
    return error.kind() == ErrorKind::usage ? exit_usage : exit_failed;
  } catch (const std::bad_alloc&) {
    tell("medurwkv: out of memory");
    return exit_failed;
  } catch (const std::filesystem::filesystem_error& error) {
    // A path that is too long, a folder that may not be entered, a present folder that is gone.
    const std::string path = error.path1().empty() ? "the present folder" : error.path1().string();
    tell(concat("medurwkv: ", path, ": ", error.code().message()));
    return exit_failed;
  } catch (const std::exception& error) {
    tell(concat("medurwkv: ", error.what(), " (this is a bug in medurwkv; please report it)"));
    return exit_failed;
  }
}

/// `code`, unless results could not be printed.
int after_printing(int code) {
  if (std::cout.flush()) return code;
  tell("medurwkv: stdout: cannot write (is the disk full?)");
  return code == exit_done ? exit_failed : code;
}

}  // namespace
}  // namespace medurwkv::cli

int main(int count, char** arguments) try {
  medurwkv::cli::ensure_standard_streams();
  medurwkv::cli::ensure_environment(arguments);
  medurwkv::cli::take_signals();
  const medurwkv::VisibleStream out(std::cout);
  const medurwkv::VisibleStream err(std::cerr);
  return medurwkv::cli::after_printing(medurwkv::cli::run(count, arguments));
} catch (...) {  // not even the message could be printed
  return medurwkv::cli::exit_failed;
}
