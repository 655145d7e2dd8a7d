// A page of docs/ as the commands it shows, so that a test can run them as a reader would.
//
// Blocks fenced as ```sh are commands, run line by line in one folder, from the top of the page to
// its end. A line `<!-- exits N -->` before a block says that its last command ends with N instead
// of 0; `<!-- not run -->` leaves it out. A block fenced as ```text after it shows its output: each
// of its lines but `...` must occur in it, in order.
#pragma once

#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/text.h"

namespace medurwkv::test {

struct DocBlock {
  std::string commands;
  int exit_code = 0;
  std::vector<std::string> shown;  ///< lines of output
  std::size_t line = 0;            ///< of the page
};

inline std::vector<DocBlock> doc_blocks(const std::filesystem::path& page) {
  std::vector<DocBlock> out;
  std::istringstream in(read_file(page));
  std::string text;
  std::string fence;  // kind of the block that is open
  int exit_code = 0;
  bool run = true;
  bool output_may_follow = false;
  std::size_t number = 0;
  while (std::getline(in, text)) {
    ++number;
    std::smatch match;
    if (!fence.empty()) {
      if (text == "```") {
        output_may_follow = fence == "sh" && run;
        if (fence == "sh") run = true, exit_code = 0;
        fence.clear();
      } else if (fence == "sh" && run) {
        out.back().commands += text + "\n";
      } else if (fence == "shown" && text != "...") {
        out.back().shown.push_back(text);
      }
    } else if (text.starts_with("```")) {
      const std::string kind = text.substr(3);
      fence = kind == "text" && output_may_follow ? "shown" : kind == "sh" ? "sh" : "other";
      output_may_follow = false;
      if (fence == "sh" && run) {
        out.push_back({.commands = {}, .exit_code = exit_code, .shown = {}, .line = number});
      }
    } else if (text == "<!-- not run -->") {
      run = false;
    } else if (std::regex_match(text, match, std::regex("<!-- exits ([0-9]+) -->"))) {
      exit_code = std::stoi(match.str(1));
    } else if (!trim(text).empty()) {
      output_may_follow = false;
    }
  }
  return out;
}

}  // namespace medurwkv::test
