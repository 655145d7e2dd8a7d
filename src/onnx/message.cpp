#include "onnx/message.h"

#include <bit>

namespace medurwkv::onnx {
namespace {

enum Type : std::uint64_t { varint_type = 0, length_type = 2, four_bytes_type = 5 };

}  // namespace

void Message::varint(std::uint64_t value) {
  while (value >= 0x80) {
    bytes_ += static_cast<char>((value & 0x7fU) | 0x80U);
    value >>= 7U;
  }
  bytes_ += static_cast<char>(value);
}

Message& Message::number(int field, std::int64_t value) {
  tag(field, varint_type);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

Message& Message::real(int field, float value) {
  tag(field, four_bytes_type);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (unsigned shift = 0; shift < 32; shift += 8) {
    bytes_ += static_cast<char>((bits >> shift) & 0xffU);
  }
  return *this;
}

Message& Message::text(int field, std::string_view value) {
  head(field, value.size());
  bytes_ += value;
  return *this;
}

Message& Message::head(int field, std::uint64_t size) {
  tag(field, length_type);
  varint(size);
  return *this;
}

}  // namespace medurwkv::onnx
