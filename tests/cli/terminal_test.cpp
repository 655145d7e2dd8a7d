// Progress as somebody at a terminal sees it: a bar that is painted over, never wider than the
// window, and absent with --quiet.
#include <gtest/gtest.h>

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/text.h"
#include "support/paths.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

using test::contains;

struct Seen {
  int code = -1;
  std::string text;  ///< all that came to the terminal
};

/// Runs the program with a terminal of `columns` for its input and both outputs.
Seen at_a_terminal(std::vector<std::string> words, unsigned short columns) {
  words.insert(words.begin(), test::program_file());
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t id = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (id < 0) throw std::runtime_error("no terminal could be made");
  if (id == 0) {
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  Seen seen;
  std::array<char, 4096> part{};
  // The terminal of a process that has ended gives an error instead of an end.
  for (ssize_t count = 0; (count = ::read(terminal, part.data(), part.size())) > 0;) {
    seen.text.append(part.data(), static_cast<std::size_t>(count));
  }
  ::close(terminal);
  int status = 0;
  ::waitpid(id, &status, 0);
  if (WIFEXITED(status)) seen.code = WEXITSTATUS(status);
  return seen;
}

/// What the bar showed, one after another.
std::vector<std::string> bars(const std::string& text) {
  constexpr const char* repaint = "\r\x1b[K";
  std::vector<std::string> out;
  for (std::size_t at = text.find(repaint); at != std::string::npos;) {
    const std::size_t begin = at + std::string(repaint).size();
    at = text.find(repaint, begin);
    out.push_back(text.substr(begin, std::min(at, text.find('\r', begin)) - begin));
  }
  return out;
}

class Terminal : public test::TrainedWorld {
 protected:
  void SetUp() override {
    int terminal = -1;
    int other_end = -1;
    if (::openpty(&terminal, &other_end, nullptr, nullptr, nullptr) != 0) {
      GTEST_SKIP() << "no terminal can be made here";
    }
    ::close(terminal);
    ::close(other_end);
    TrainedWorld::SetUp();
  }
};

TEST_F(Terminal, TrainingPaintsABarThatFits) {
  for (const int columns : {100, 44}) {
    const std::string out = concat("columns", columns);
    const Seen seen = at_a_terminal(world->training(out, {"--epochs", "2"}),
                                    static_cast<unsigned short>(columns));
    EXPECT_EQ(seen.code, 0) << seen.text;
    const std::vector<std::string> shown = bars(seen.text);
    ASSERT_GT(shown.size(), 1U) << seen.text;
    for (const std::string& bar : shown) {
      EXPECT_LT(bar.size(), static_cast<std::size_t>(columns)) << bar;
      EXPECT_TRUE(contains(bar, "[")) << bar;
    }
    EXPECT_TRUE(contains(shown.back(), "########]")) << shown.back();
    EXPECT_FALSE(contains(seen.text.substr(seen.text.rfind("model: ")), "["))
        << "ends below the bar";
  }
}

TEST_F(Terminal, QuietPaintsNothing) {
  std::vector<std::string> words = world->training("quiet", {"--epochs", "1"});
  words.emplace_back("--quiet");
  const Seen seen = at_a_terminal(words, 80);
  EXPECT_EQ(seen.code, 0) << seen.text;
  EXPECT_TRUE(bars(seen.text).empty()) << seen.text;
}

}  // namespace
}  // namespace medurwkv
