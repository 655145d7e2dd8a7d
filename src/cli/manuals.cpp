// `medurwkv manuals FOLDER`, for packages: manual pages and completions for bash, zsh and fish,
// made from the commands' own definitions. It is not among the commands that --help lists.
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/files.h"
#include "core/output.h"
#include "core/text.h"
#include "core/version.h"

namespace medurwkv::cli {
namespace {

/// A command that does something, or holds others.
struct Command {
  std::vector<std::string> words;  ///< after "medurwkv"
  const CLI::App* app;
};

bool is_shown(const CLI::App* app) {
  return !app->get_group().empty();
}

void collect(const CLI::App& app, const std::vector<std::string>& words,
             std::vector<Command>& out) {
  out.push_back({words, &app});
  for (const CLI::App* child : app.get_subcommands(is_shown)) {
    std::vector<std::string> own = words;
    own.push_back(child->get_name());
    collect(*child, own, out);
  }
}

std::vector<Command> commands_of(const CLI::App& root) {
  std::vector<Command> out;
  collect(root, {}, out);
  return out;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  std::vector<const CLI::Option*> out;
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional() && !option->get_lnames().empty()) out.push_back(option);
  }
  return out;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

/// The words that it takes, where it takes one of a list.
std::vector<std::string> values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  return split(type.substr(open + 1, close - open - 1), ',');
}

std::string replaced(const std::string& text, const std::string& what, const std::string& by) {
  std::string out;
  std::size_t from = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, from)) {
    out += text.substr(from, at - from) + by;
    from = at + what.size();
  }
  return out + text.substr(from);
}

/// Text for roff: no line begins with a control character, dashes and backslashes stay what they
/// are.
std::string roff(const std::string& text) {
  std::string out = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  return out.starts_with(".") || out.starts_with("'") ? "\\&" + out : out;
}

std::string roff_lines(const std::string& text) {
  std::string out;
  for (const std::string& line : split(text, '\n')) out += roff(line) + "\n";
  return out;
}

std::string man_page(const Command& command) {
  const CLI::App& app = *command.app;
  std::vector<std::string> words{"medurwkv"};
  words.insert(words.end(), command.words.begin(), command.words.end());
  const std::string spaced = join(words, " ");
  std::string out = concat(".TH \"", upper(join(words, "-")), "\" 1 \"\" \"medurwkv ", version,
                           "\" \"User Commands\"\n.SH NAME\n", roff(join(words, "-")), " \\- ",
                           roff(app.get_description()), "\n.SH SYNOPSIS\n.B ", roff(spaced), "\n");
  const auto children = app.get_subcommands(is_shown);
  if (!children.empty()) out += "COMMAND [OPTIONS]\n";
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) continue;
    const std::string value = upper(option->get_single_name());
    out += concat(option->get_required() ? value : concat("[", value, "]"), "\n");
  }
  if (children.empty()) out += "[OPTIONS]\n";
  if (!children.empty()) {
    out += ".SH COMMANDS\n";
    for (const CLI::App* child : children) {
      out +=
          concat(".TP\n.B ", roff(child->get_name()), "\n", roff(child->get_description()), "\n");
    }
  }
  out += ".SH OPTIONS\n";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->nonpositional()) {
      out += concat(".TP\n.I ", roff(upper(option->get_single_name())), "\n",
                    roff(option->get_description()), "\n");
    }
  }
  for (const CLI::Option* option : options_of(app)) {
    std::string value;
    if (takes_value(*option)) {
      const auto values = values_of(*option);
      value = values.empty() ? " VALUE" : concat(" ", join(values, "|"));
    }
    const std::string standard = option->get_default_str();
    out += concat(".TP\n.B \\-\\-", roff(option->get_lnames().front()), roff(value), "\n",
                  roff(option->get_description()),
                  standard.empty() ? "" : concat(" (default: ", roff(standard), ")"),
                  option->get_required() ? " (required)" : "", "\n");
  }
  if (const std::string footer = app.get_footer(); !footer.empty()) {
    out += concat(".SH EXAMPLE\n.nf\n", roff_lines(footer), ".fi\n");
  }
  return out +
         ".SH EXIT STATUS\n0: done; 1: the work failed; 2: wrong usage; 128 and a signal's "
         "number: stopped by it.\n";
}

/// Words in double quotes of a shell.
std::string quoted(const std::vector<std::string>& words) {
  return concat("\"", join(words, " "), "\"");
}

std::string bash_completion(const std::vector<Command>& commands) {
  std::string out =
      "# bash completion for medurwkv; made by `medurwkv manuals`.\n"
      "_medurwkv() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case \"$command ${COMP_WORDS[i]}\" in\n";
  for (const Command& command : commands) {
    if (command.words.empty()) continue;
    const std::vector<std::string> parents(command.words.begin(), command.words.end() - 1);
    std::string path;
    for (const std::string& one : parents) path += concat(" ", one);
    out += concat("      \"", path, " ", command.words.back(), "\") command=\"", path, " ",
                  command.words.back(), "\" ;;\n");
  }
  out += "    esac\n  done\n  local options= words= values=\n  case \"$command\" in\n";
  for (const Command& command : commands) {
    std::string path;
    for (const std::string& one : command.words) path += concat(" ", one);
    std::vector<std::string> options;
    std::string values;
    for (const CLI::Option* option : options_of(*command.app)) {
      const std::string name = "--" + option->get_lnames().front();
      options.push_back(name);
      if (const auto known = values_of(*option); !known.empty()) {
        values += concat("        ", name, ") values=", quoted(known), " ;;\n");
      }
    }
    std::vector<std::string> children;
    for (const CLI::App* child : command.app->get_subcommands(is_shown)) {
      children.push_back(child->get_name());
    }
    out += concat("    \"", path, "\")\n      options=", quoted(options),
                  "\n      words=", quoted(children), "\n");
    if (!values.empty()) out += concat("      case \"$before\" in\n", values, "      esac\n");
    out += "      ;;\n";
  }
  return out +
         "  esac\n"
         "  if [[ -n $values ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$values\" -- \"$word\"))\n"
         "  elif [[ $word == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "  elif [[ -n $words ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  else\n"
         "    compopt -o default\n"
         "    COMPREPLY=()\n"
         "  fi\n"
         "}\n"
         "complete -F _medurwkv medurwkv\n";
}

/// For zsh's single quotes, without what _arguments reads as its own.
std::string zsh_text(const std::string& text) {
  return replaced(replaced(replaced(replaced(text, "'", "'\\''"), "[", "("), "]", ")"), ":", "\\:");
}

std::string zsh_function(const Command& command) {
  return "_medurwkv" + (command.words.empty() ? "" : "_" + join(command.words, "_"));
}

std::string zsh_completion(const std::vector<Command>& commands) {
  std::string out = "#compdef medurwkv\n# Made by `medurwkv manuals`.\n";
  for (const Command& command : commands) {
    out += concat("\n", zsh_function(command), "() {\n");
    const auto children = command.app->get_subcommands(is_shown);
    if (!children.empty()) {
      out += "  local -a commands\n  commands=(\n";
      for (const CLI::App* child : children) {
        out += concat("    '", child->get_name(), ":", zsh_text(child->get_description()), "'\n");
      }
      out +=
          "  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n"
          "  local chosen=${words[2]}\n  shift words\n  ((CURRENT--))\n  case $chosen in\n";
      for (const CLI::App* child : children) {
        Command own{command.words, child};
        own.words.push_back(child->get_name());
        out += concat("    ", child->get_name(), ") ", zsh_function(own), " ;;\n");
      }
      out += "  esac\n}\n";
      continue;
    }
    out += "  _arguments";
    for (const CLI::Option* option : options_of(*command.app)) {
      out += concat(" \\\n    '--", option->get_lnames().front(), "[",
                    zsh_text(option->get_description()), "]");
      if (takes_value(*option)) {
        const auto values = values_of(*option);
        out += values.empty() ? ":value:_files" : concat(":value:(", join(values, " "), ")");
      }
      out += "'";
    }
    out += " \\\n    '*:file:_files'\n}\n";
  }
  return out + "\n_medurwkv \"$@\"\n";
}

std::string fish_text(const std::string& text) {
  return replaced(replaced(text, "\\", "\\\\"), "'", "\\'");
}

std::string fish_completion(const std::vector<Command>& commands) {
  std::string out = "# fish completion for medurwkv; made by `medurwkv manuals`.\n";
  for (const Command& command : commands) {
    std::string here = "not __fish_seen_subcommand_from";
    if (command.words.empty()) {
      for (const CLI::App* child : command.app->get_subcommands(is_shown)) {
        here += concat(" ", child->get_name());
      }
    } else {
      here.clear();
      for (const std::string& word : command.words) {
        here += concat(here.empty() ? "" : "; and ", "__fish_seen_subcommand_from ", word);
      }
    }
    for (const CLI::App* child : command.app->get_subcommands(is_shown)) {
      out += concat("complete -c medurwkv -f -n '", here, "' -a ", child->get_name(), " -d '",
                    fish_text(child->get_description()), "'\n");
    }
    for (const CLI::Option* option : options_of(*command.app)) {
      const auto values = values_of(*option);
      out += concat("complete -c medurwkv -n '", here, "' -l ", option->get_lnames().front(),
                    !values.empty()        ? concat(" -x -a '", join(values, " "), "'")
                    : takes_value(*option) ? " -r"
                                           : "",
                    " -d '", fish_text(option->get_description()), "'\n");
    }
  }
  return out;
}

int write_manuals(const CLI::App& root, const std::filesystem::path& folder) {
  const OutputPath out(folder);
  const std::vector<Command> commands = commands_of(root);
  const auto write = [&](const std::string& name, const std::string& text) {
    make_folder((out / name).folder());
    write_file(out / name, text);
  };
  for (const Command& command : commands) {
    std::vector<std::string> words{"medurwkv"};
    words.insert(words.end(), command.words.begin(), command.words.end());
    write(concat("man/man1/", join(words, "-"), ".1"), man_page(command));
  }
  write("bash-completion/completions/medurwkv", bash_completion(commands));
  write("zsh/site-functions/_medurwkv", zsh_completion(commands));
  write("fish/vendor_completions.d/medurwkv.fish", fish_completion(commands));
  return exit_done;
}

}  // namespace

void add_manuals(CLI::App& root) {
  const auto folder = std::make_shared<std::filesystem::path>();
  CLI::App* command =
      add_command(root, "manuals", "Write manual pages and completions, for packages.",
                  "medurwkv manuals share");
  command->group("");
  command->add_option("folder", *folder, "folder to write into, as below /usr/share")->required();
  on_run(*command, [&root, folder] { return write_manuals(root, *folder); });
}

}  // namespace medurwkv::cli
