// What the program prints, made harmless on its way out: names and texts of foreign files may hold
// characters that move the cursor, ring or hide. Relies on core/text.h.
#pragma once

#include <mutex>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

namespace medurwkv {

/// While it lives, all that is written to the stream passes through visible(). Writing from several
/// threads is safe.
class VisibleStream : public std::streambuf {
 public:
  explicit VisibleStream(std::ostream& stream);
  VisibleStream(const VisibleStream&) = delete;
  VisibleStream& operator=(const VisibleStream&) = delete;
  VisibleStream(VisibleStream&&) = delete;
  VisibleStream& operator=(VisibleStream&&) = delete;
  ~VisibleStream() override;

 private:
  friend void clear_line(std::ostream& stream);

  int_type overflow(int_type character) override;
  std::streamsize xsputn(const char* text, std::streamsize count) override;
  int sync() override;
  bool put(std::string_view text);

  std::ostream& stream_;
  std::streambuf* target_;
  std::mutex mutex_;
  std::string unfinished_;  ///< the first bytes of a character
};

/// Moves to the start of the terminal's line and clears it: the only control sequence that the
/// program sends.
void clear_line(std::ostream& stream);

}  // namespace medurwkv
