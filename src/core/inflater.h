// zlib's state for unpacking. Relies on zlib.
#pragma once

#include <new>

#include <zlib.h>

namespace medurwkv {

/// A z_stream for inflate(), freed at the end.
class Inflater {
 public:
  /// `window_bits` as inflateInit2 takes them: MAX_WBITS with zlib's header, -MAX_WBITS without.
  explicit Inflater(int window_bits) {
    // Besides lack of memory, only a zlib of another version than its header can fail here.
    if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  Inflater(Inflater&&) = delete;
  Inflater& operator=(Inflater&&) = delete;
  ~Inflater() { inflateEnd(&stream_); }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
};

}  // namespace medurwkv
