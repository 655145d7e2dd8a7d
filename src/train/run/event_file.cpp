#include "train/run/event_file.h"

#include <array>
#include <bit>
#include <filesystem>

#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {
namespace {

constexpr std::string_view name_start = "events.out.tfevents.";
constexpr std::string_view name_end = ".medurwkv";

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> out{};
  for (std::uint32_t i = 0; i < out.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
    out[i] = value;
  }
  return out;
}

/// Little endian, as the format wants it.
template <class Unsigned>
std::string bytes_of(Unsigned value) {
  std::string out;
  for (std::size_t i = 0; i < sizeof(value); ++i) {
    out += static_cast<char>((value >> (8 * i)) & 0xff);
  }
  return out;
}

/// A checksum as records hold it.
std::string masked_checksum(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return bytes_of(static_cast<std::uint32_t>(((crc >> 15) | (crc << 17)) + 0xa282ead8U));
}

std::string varint(std::uint64_t value) {
  std::string out;
  while (value >= 0x80) {
    out += static_cast<char>(static_cast<unsigned char>(value | 0x80));
    value >>= 7;
  }
  return out + static_cast<char>(value);
}

// Fields of a protocol buffer: number and wire type, then the value.
std::string varint_field(unsigned number, std::uint64_t value) {
  return varint(number << 3) + varint(value);
}
std::string double_field(unsigned number, double value) {
  return varint((number << 3) | 1) + bytes_of(std::bit_cast<std::uint64_t>(value));
}
std::string float_field(unsigned number, float value) {
  return varint((number << 3) | 5) + bytes_of(std::bit_cast<std::uint32_t>(value));
}
std::string bytes_field(unsigned number, std::string_view bytes) {
  return concat(varint((number << 3) | 2), varint(bytes.size()), bytes);
}

std::string record(const std::string& event) {
  const std::string length = bytes_of(static_cast<std::uint64_t>(event.size()));
  return concat(length, masked_checksum(length), event, masked_checksum(event));
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> table = make_table();
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) {
    crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  }
  return ~crc;
}

std::string event_file_start(double seconds) {
  return record(double_field(1, seconds) + bytes_field(3, "brain.Event:2"));
}

std::string scalar_event(double seconds, std::int64_t step, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    summary += bytes_field(1, bytes_field(1, tag) + float_field(2, static_cast<float>(value)));
  }
  return record(double_field(1, seconds) + varint_field(2, static_cast<std::uint64_t>(step)) +
                bytes_field(5, summary));
}

namespace {

/// The file's place, where those of earlier starts are taken away.
OutputPath cleared(const OutputPath& folder, double seconds) {
  for (const std::filesystem::path& entry : list_folder(folder.path())) {
    const std::string name = entry.filename().string();
    if (name.starts_with(name_start) && name.ends_with(name_end)) remove_file(folder / name);
  }
  return folder / concat(name_start, static_cast<std::int64_t>(seconds), name_end);
}

}  // namespace

EventFile::EventFile(const OutputPath& folder, double seconds) : file_(cleared(folder, seconds)) {
  add(event_file_start(seconds));
}

}  // namespace medurwkv::train
