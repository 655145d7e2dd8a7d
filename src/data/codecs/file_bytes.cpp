#include "data/codecs/file_bytes.h"

#include <cstring>

namespace medurwkv::data {

bool FileBytes::read(std::uint64_t start, std::span<char> out) noexcept {
  if (start > size_ || out.size() > size_ - start) return false;
  if (!file_) {
    std::memcpy(out.data(), memory_.data() + start, out.size());
    return true;
  }
  try {
    file_->read(start, out);
    return true;
  } catch (...) {
    failure_ = std::current_exception();
    return false;
  }
}

}  // namespace medurwkv::data
