// The wire format of protocol buffers, as far as an ONNX file needs it
// (https://protobuf.dev/programming-guides/encoding/). Relies on the standard library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace medurwkv::onnx {

/// One message; fields are appended in the order of the calls.
class Message {
 public:
  Message& number(int field, std::int64_t value);
  Message& real(int field, float value);
  Message& text(int field, std::string_view value);
  Message& message(int field, const Message& value) { return text(field, value.bytes_); }
  /// The fields of another message of the same kind.
  Message& append(const Message& other) {
    bytes_ += other.bytes_;
    return *this;
  }
  /// Only the head of a field of `size` bytes, which the caller writes behind this message.
  Message& head(int field, std::uint64_t size);

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value);
  void tag(int field, std::uint64_t type) {
    varint((static_cast<std::uint64_t>(field) << 3U) | type);
  }

  std::string bytes_;
};

}  // namespace medurwkv::onnx
