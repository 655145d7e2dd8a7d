#include "core/terminal.h"

#include "core/text.h"

namespace medurwkv {

VisibleStream::VisibleStream(std::ostream& stream) : stream_(stream), target_(stream.rdbuf(this)) {}

VisibleStream::~VisibleStream() {
  put(visible(unfinished_));
  stream_.rdbuf(target_);
}

VisibleStream::int_type VisibleStream::overflow(int_type character) {
  if (traits_type::eq_int_type(character, traits_type::eof()))
    return traits_type::not_eof(character);
  const char one = traits_type::to_char_type(character);
  return xsputn(&one, 1) == 1 ? character : traits_type::eof();
}

std::streamsize VisibleStream::xsputn(const char* text, std::streamsize count) {
  const std::lock_guard lock(mutex_);
  unfinished_.append(text, static_cast<std::size_t>(count));
  const std::size_t whole = unfinished_.size() - unfinished_utf8(unfinished_);
  const bool written = put(visible(std::string_view(unfinished_).substr(0, whole)));
  unfinished_.erase(0, whole);
  return written ? count : 0;
}

int VisibleStream::sync() {
  const std::lock_guard lock(mutex_);
  return target_->pubsync();
}

bool VisibleStream::put(std::string_view text) {
  const auto count = static_cast<std::streamsize>(text.size());
  return target_->sputn(text.data(), count) == count;
}

void clear_line(std::ostream& stream) {
  constexpr std::string_view sequence = "\r\x1b[K";
  if (auto* guarded = dynamic_cast<VisibleStream*>(stream.rdbuf())) {
    const std::lock_guard lock(guarded->mutex_);
    guarded->put(sequence);
  } else {
    stream << sequence;
  }
}

}  // namespace medurwkv
