#include "core/zip.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include <zlib.h>

#include "core/error.h"
#include "core/inflater.h"
#include "core/little_endian.h"
#include "core/text.h"

namespace medurwkv {
namespace {

constexpr std::uint32_t local_signature = 0x04034b50;
constexpr std::uint32_t central_signature = 0x02014b50;
constexpr std::uint32_t end_signature = 0x06054b50;
constexpr std::uint32_t end64_signature = 0x06064b50;
constexpr std::uint32_t locator_signature = 0x07064b50;
constexpr std::uint32_t descriptor_signature = 0x08074b50;
constexpr std::uint64_t local_bytes = 30;
constexpr std::uint64_t central_bytes = 46;
constexpr std::uint64_t end_bytes = 22;
constexpr std::uint64_t end64_bytes = 56;
constexpr std::uint64_t locator_bytes = 20;
constexpr std::uint64_t longest_comment = 65535;
constexpr std::uint16_t no16 = 0xffff;  ///< "see the 64-bit field"
constexpr std::uint32_t no32 = 0xffffffff;
constexpr std::uint16_t flag_encrypted = 1U << 0U;
constexpr std::uint16_t flag_descriptor = 1U << 3U;
constexpr std::uint16_t method_stored = 0;
constexpr std::uint16_t method_deflate = 8;
constexpr std::uint64_t most_members = 1 << 24;
/// Deflate makes at most 1032 bytes of one.
constexpr std::uint64_t deflate_ratio = 1032;

[[noreturn]] void throw_bad(const std::string& file, const std::string& what) {
  throw_failure(concat(file, ": not a sound zip archive: ", what));
}

/// Where an archive's central directory lies.
struct Directory {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
  std::uint64_t entries = 0;
};

/// What a header, local or central, says of a member.
struct Claims {
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0;
  std::uint64_t size = 0;
  std::uint64_t header = 0;  ///< byte of the local header; in the central directory alone
  std::string_view name;
};

/// Replaces numbers that are all ones by the 64-bit numbers of the header's extra field.
void widen(const std::string& file, Claims& claims, std::string_view extra, bool central) {
  const bool wide_size = claims.size == no32;
  const bool wide_packed = claims.packed == no32;
  const bool wide_header = central && claims.header == no32;
  if (!wide_size && !wide_packed && !wide_header) return;
  std::uint64_t at = 0;
  while (lies_within(at, 4, extra.size())) {
    const auto id = number_at<std::uint16_t>(extra, at);
    const std::uint64_t length = number_at<std::uint16_t>(extra, at + 2);
    at += 4;
    if (!lies_within(at, length, extra.size())) break;
    if (id != 1) {
      at += length;
      continue;
    }
    const std::string_view field = extra.substr(at, length);
    std::uint64_t taken = 0;
    const auto take = [&](std::uint64_t& number) {
      if (!lies_within(taken, 8, field.size())) {
        throw_bad(file, concat("member '", shown(claims.name), "' lacks a 64-bit length"));
      }
      number = number_at<std::uint64_t>(field, taken);
      taken += 8;
    };
    if (wide_size) take(claims.size);
    if (wide_packed) take(claims.packed);
    if (wide_header) take(claims.header);
    return;
  }
  throw_bad(file, concat("member '", shown(claims.name), "' lacks its 64-bit lengths"));
}

void check_name(const std::string& file, std::string_view name) {
  const auto refuse = [&](const char* why) {
    throw_bad(file, concat("the member name '", shown(name), "' ", why));
  };
  if (name.empty()) refuse("is empty");
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 32 || c == 127 || c == '\\') {
      refuse("has a backslash or a control character");
    }
  }
  if (name.front() == '/') refuse("is an absolute path");
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    if (name.substr(at, end - at) == "..") refuse("leads out of the archive's folder");
    at = end + 1;
  }
}

/// The byte where the end record begins: the last one whose comment ends with the file.
std::uint64_t find_end(const std::string& file, const FilePieces& bytes) {
  if (bytes.size() >= end_bytes) {
    const std::uint64_t last = bytes.size() - end_bytes;
    const std::uint64_t first = last - std::min(last, longest_comment);
    std::string room;
    const std::string_view tail = bytes.look(first, bytes.size() - first, room);
    for (std::uint64_t at = last + 1; at-- > first;) {
      if (number_at<std::uint32_t>(tail, at - first) == end_signature &&
          number_at<std::uint16_t>(tail, at - first + 20) == last - at) {
        return at;
      }
    }
  }
  throw_bad(file, concat("its ", bytes.size(),
                         " bytes do not end with the end record; the file is cut off or has "
                         "something behind its end"));
}

/// The 64-bit end record in front of `end`, when there is one; then `end` is moved to it.
std::optional<Directory> find_directory64(const std::string& file, const FilePieces& bytes,
                                          std::uint64_t& end) {
  if (end < locator_bytes) return std::nullopt;
  const std::uint64_t place = end - locator_bytes;
  std::string room;
  const std::string_view locator = bytes.look(place, locator_bytes, room);
  if (number_at<std::uint32_t>(locator, 0) != locator_signature) return std::nullopt;
  const auto at = number_at<std::uint64_t>(locator, 8);
  const bool one_disk =
      number_at<std::uint32_t>(locator, 4) == 0 && number_at<std::uint32_t>(locator, 16) <= 1;
  const auto refuse = [&] { throw_bad(file, concat("its 64-bit end record is not at byte ", at)); };
  if (!lies_within(at, end64_bytes, place)) refuse();
  const std::string_view record = bytes.look(at, end64_bytes, room);
  if (number_at<std::uint32_t>(record, 0) != end64_signature ||
      number_at<std::uint64_t>(record, 4) != place - at - 12) {
    refuse();
  }
  const auto entries = number_at<std::uint64_t>(record, 32);
  if (!one_disk || number_at<std::uint32_t>(record, 16) != 0 ||
      number_at<std::uint32_t>(record, 20) != 0 ||
      number_at<std::uint64_t>(record, 24) != entries) {
    throw_bad(file, "it is one of several disks");
  }
  end = at;
  return Directory{.start = number_at<std::uint64_t>(record, 48),
                   .size = number_at<std::uint64_t>(record, 40),
                   .entries = entries};
}

Directory find_directory(const std::string& file, const FilePieces& bytes) {
  const std::uint64_t record = find_end(file, bytes);
  std::string room;
  const std::string_view said = bytes.look(record, end_bytes, room);
  const auto entries = number_at<std::uint16_t>(said, 10);
  const auto size = number_at<std::uint32_t>(said, 12);
  const auto start = number_at<std::uint32_t>(said, 16);
  if (number_at<std::uint16_t>(said, 4) != 0 || number_at<std::uint16_t>(said, 6) != 0 ||
      number_at<std::uint16_t>(said, 8) != entries) {
    throw_bad(file, "it is one of several disks");
  }
  std::uint64_t end = record;
  Directory out{.start = start, .size = size, .entries = entries};
  if (const auto wide = find_directory64(file, bytes, end)) {
    if ((entries != no16 && entries != wide->entries) || (size != no32 && size != wide->size) ||
        (start != no32 && start != wide->start)) {
      throw_bad(file, "its two end records disagree");
    }
    out = *wide;
  }
  if (!lies_within(out.start, out.size, end) || out.start + out.size != end) {
    throw_bad(file, concat("its directory claims ", out.size, " bytes from byte ", out.start,
                           ", expected to end at byte ", end));
  }
  if (out.entries > std::min(out.size / central_bytes, most_members)) {
    throw_bad(file, concat("its directory of ", out.size, " bytes claims ", out.entries,
                           " members; at most ", most_members, " are read"));
  }
  return out;
}

/// One entry of the central directory; `at` moves behind it.
Claims read_central(const std::string& file, std::string_view directory, std::uint64_t& at) {
  if (!lies_within(at, central_bytes, directory.size()) ||
      number_at<std::uint32_t>(directory, at) != central_signature) {
    throw_bad(file, concat("there is no directory entry at byte ", at, " of its directory"));
  }
  const std::uint64_t name = number_at<std::uint16_t>(directory, at + 28);
  const std::uint64_t extra = number_at<std::uint16_t>(directory, at + 30);
  const std::uint64_t comment = number_at<std::uint16_t>(directory, at + 32);
  if (!lies_within(at + central_bytes, name + extra + comment, directory.size())) {
    throw_bad(file, concat("the entry at byte ", at, " of its directory ends beyond it"));
  }
  Claims out{.flags = number_at<std::uint16_t>(directory, at + 8),
             .method = number_at<std::uint16_t>(directory, at + 10),
             .crc = number_at<std::uint32_t>(directory, at + 16),
             .packed = number_at<std::uint32_t>(directory, at + 20),
             .size = number_at<std::uint32_t>(directory, at + 24),
             .header = number_at<std::uint32_t>(directory, at + 42),
             .name = directory.substr(at + central_bytes, name)};
  check_name(file, out.name);
  widen(file, out, directory.substr(at + central_bytes + name, extra), true);
  if (number_at<std::uint16_t>(directory, at + 34) != 0) {
    throw_bad(file, concat("member '", shown(out.name), "' is on another disk"));
  }
  at += central_bytes + name + extra + comment;
  return out;
}

/// The local header at `claims.header`, checked against what the directory says; returns where the
/// packed bytes begin.
std::uint64_t check_local(const std::string& file, const FilePieces& bytes, std::uint64_t limit,
                          const Claims& claims) {
  const auto refuse = [&](const std::string& what) {
    throw_bad(file, concat("member '", shown(claims.name), "': ", what));
  };
  const std::uint64_t at = claims.header;
  const auto absent = [&] { refuse(concat("there is no local header at byte ", at)); };
  if (!lies_within(at, local_bytes, limit)) absent();
  std::string room;
  const std::string_view fixed = bytes.look(at, local_bytes, room);
  if (number_at<std::uint32_t>(fixed, 0) != local_signature) absent();
  const std::uint64_t name = number_at<std::uint16_t>(fixed, 26);
  const std::uint64_t extra = number_at<std::uint16_t>(fixed, 28);
  const std::uint64_t start = at + local_bytes + name + extra;
  if (!lies_within(at + local_bytes, name + extra, limit)) {
    refuse(concat("its local header at byte ", at, " ends beyond the directory's start"));
  }
  Claims local{.flags = number_at<std::uint16_t>(fixed, 6),
               .method = number_at<std::uint16_t>(fixed, 8),
               .crc = number_at<std::uint32_t>(fixed, 14),
               .packed = number_at<std::uint32_t>(fixed, 18),
               .size = number_at<std::uint32_t>(fixed, 22),
               .header = 0,
               .name = {}};
  const std::string_view rest = bytes.look(at + local_bytes, name + extra, room);
  local.name = rest.substr(0, name);
  if (local.name != claims.name) {
    refuse(concat("its local header at byte ", at, " has the name '", shown(local.name), "'"));
  }
  widen(file, local, rest.substr(name), false);
  // With a descriptor behind the bytes, the local header may leave these open.
  const bool open = (claims.flags & flag_descriptor) != 0;
  const auto agrees = [&](std::uint64_t said, std::uint64_t expected) {
    return said == expected || (open && said == 0);
  };
  constexpr std::uint16_t compared = flag_encrypted | flag_descriptor;
  if ((local.flags & compared) != (claims.flags & compared) || local.method != claims.method ||
      !agrees(local.crc, claims.crc) || !agrees(local.packed, claims.packed) ||
      !agrees(local.size, claims.size)) {
    refuse(concat("its local header at byte ", at, " (", local.packed, " bytes for ", local.size,
                  ") and the directory (", claims.packed, " for ", claims.size, ") disagree"));
  }
  return start;
}

/// Whether what lies between a member's bytes and the next header is its descriptor.
bool is_descriptor(std::string_view between, const ZipMember& member) {
  std::string_view rest = between;
  const bool wide = rest.size() == 20 || rest.size() == 24;
  if (rest.size() == 16 || rest.size() == 24) {
    if (number_at<std::uint32_t>(rest, 0) != descriptor_signature) return false;
    rest = rest.substr(4);
  }
  if (rest.size() != (wide ? 20U : 12U) || number_at<std::uint32_t>(rest, 0) != member.crc) {
    return false;
  }
  if (wide) {
    return number_at<std::uint64_t>(rest, 4) == member.packed &&
           number_at<std::uint64_t>(rest, 12) == member.size;
  }
  return number_at<std::uint32_t>(rest, 4) == member.packed &&
         number_at<std::uint32_t>(rest, 8) == member.size;
}

ZipMember to_member(const std::string& file, const Claims& claims, std::uint64_t start,
                    std::uint64_t limit) {
  const auto refuse = [&](const std::string& what) {
    throw_bad(file, concat("member '", shown(claims.name), "' ", what));
  };
  if ((claims.flags & flag_encrypted) != 0) refuse("is encrypted");
  if (claims.method != method_stored && claims.method != method_deflate) {
    refuse(concat("is packed by method ", claims.method, "; only stored and deflate are read"));
  }
  if (!lies_within(start, claims.packed, limit)) {
    refuse(concat("claims ", claims.packed, " bytes from byte ", start,
                  ", which go beyond the directory's start at ", limit));
  }
  if (claims.method == method_stored && claims.packed != claims.size) {
    refuse(concat("is not packed, but claims ", claims.size, " bytes in ", claims.packed));
  }
  if (claims.method == method_deflate && claims.size / deflate_ratio > claims.packed) {
    refuse(concat("claims ", claims.size, " bytes packed in ", claims.packed,
                  ", more than deflate can"));
  }
  return {.name = claims.name,
          .start = start,
          .packed = claims.packed,
          .size = claims.size,
          .crc = claims.crc,
          .deflated = claims.method == method_deflate};
}

/// Unpacks all of `packed` into exactly `out`; false when it is damaged, too short or too long.
bool inflate_into(std::string_view packed, std::string& out) {
  Inflater inflater(-MAX_WBITS);
  z_stream& stream = inflater.stream();
  constexpr std::uint64_t most = std::numeric_limits<uInt>::max();
  std::uint64_t used = 0;
  std::uint64_t made = 0;
  // One byte more than is expected, so that a stream that has it is found out.
  std::array<Bytef, 1> beyond{};
  int status = Z_OK;
  while (status == Z_OK) {
    const auto in = static_cast<uInt>(std::min(packed.size() - used, most));
    const auto room = static_cast<uInt>(std::min(out.size() - made, most));
    // zlib does not write to its input, only its C interface says it might.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data() + used));
    stream.avail_in = in;
    stream.next_out = room > 0 ? reinterpret_cast<Bytef*>(out.data() + made) : beyond.data();
    stream.avail_out = room > 0 ? room : 1;
    status = inflate(&stream, Z_NO_FLUSH);
    used += in - stream.avail_in;
    if (room > 0) {
      made += room - stream.avail_out;
    } else if (stream.avail_out == 0) {
      return false;
    }
  }
  return status == Z_STREAM_END && used == packed.size() && made == out.size();
}

}  // namespace

std::uint32_t zip_crc(std::uint32_t before, std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

ZipArchive::ZipArchive(std::string file, const FilePieces& pieces)
    : file_(std::move(file)), bytes_(pieces) {
  read_directory();
}

ZipArchive::ZipArchive(std::string file, std::string_view bytes)
    : file_(std::move(file)), memory_(std::in_place, file_, bytes), bytes_(*memory_) {
  read_directory();
}

void ZipArchive::read_directory() {
  const Directory place = find_directory(file_, bytes_);
  const std::string_view directory = bytes_.look(place.start, place.size, directory_);
  std::vector<Claims> all;
  all.reserve(place.entries);
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < place.entries; ++i) {
    all.push_back(read_central(file_, directory, at));
  }
  if (at != directory.size()) {
    throw_bad(file_, concat("its directory has ", directory.size() - at, " bytes behind its ",
                            place.entries, " entries"));
  }
  std::sort(all.begin(), all.end(),
            [](const Claims& a, const Claims& b) { return a.header < b.header; });
  members_.reserve(all.size());
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Claims& claims = all[i];
    if (claims.header != expected) {
      throw_bad(file_, concat("member '", shown(claims.name), "' begins at byte ", claims.header,
                              ", expected byte ", expected, ", where the member before it ends"));
    }
    members_.push_back(
        to_member(file_, claims, check_local(file_, bytes_, place.start, claims), place.start));
    expected = members_.back().start + members_.back().packed;
    if ((claims.flags & flag_descriptor) == 0) continue;
    const std::uint64_t next = i + 1 < all.size() ? all[i + 1].header : place.start;
    std::string room;
    if (next < expected || next - expected > 24 ||
        !is_descriptor(bytes_.look(expected, next - expected, room), members_.back())) {
      throw_bad(file_, concat("member '", shown(claims.name),
                              "' has no matching data descriptor at byte ", expected));
    }
    expected = next;
  }
  if (expected != place.start) {
    throw_bad(file_, concat("its directory begins at byte ", place.start, ", expected byte ",
                            expected, ", where the last member ends"));
  }
  index_names();
}

void ZipArchive::index_names() {
  by_name_.resize(members_.size());
  for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = static_cast<std::uint32_t>(i);
  const auto name = [&](std::uint32_t i) { return members_[i].name; };
  std::sort(by_name_.begin(), by_name_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return name(a) < name(b); });
  const auto twice =
      std::adjacent_find(by_name_.begin(), by_name_.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return name(a) == name(b); });
  if (twice != by_name_.end()) {
    throw_bad(file_, concat("two members are named '", shown(name(*twice)), "'"));
  }
}

const ZipMember* ZipArchive::find(std::string_view name) const {
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [&](std::uint32_t i, std::string_view n) { return members_[i].name < n; });
  if (found == by_name_.end() || members_[*found].name != name) return nullptr;
  return &members_[*found];
}

std::string_view ZipArchive::stored(const ZipMember& member, std::string& room) const {
  if (member.deflated) throw_internal("a deflated member read as a stored one");
  const std::string_view content = bytes_.look(member.start, member.packed, room);
  if (zip_crc(0, content) != member.crc) {
    throw_bad(file_, concat("member '", shown(member.name), "' is damaged: its ", member.size,
                            " bytes do not have the CRC that the archive states"));
  }
  return content;
}

std::string ZipArchive::read(const ZipMember& member, std::uint64_t limit) const {
  if (member.size > limit) {
    throw_failure(concat(file_, ": member '", shown(member.name), "' unpacks to ", member.size,
                         " bytes, more than the ", limit, " that are read here"));
  }
  std::string room;
  if (!member.deflated) {
    const std::string_view content = stored(member, room);
    return room.empty() ? std::string(content) : std::move(room);
  }
  std::string out(member.size, '\0');
  if (!inflate_into(bytes_.look(member.start, member.packed, room), out)) {
    throw_bad(file_, concat("member '", shown(member.name), "' is damaged: its ", member.packed,
                            " packed bytes do not unpack to ", member.size));
  }
  if (zip_crc(0, out) != member.crc) {
    throw_bad(file_, concat("member '", shown(member.name), "' is damaged: its ", member.size,
                            " bytes do not have the CRC that the archive states"));
  }
  return out;
}

std::string ZipArchive::start(const ZipMember& member, std::size_t most) const {
  std::string room;
  if (!member.deflated) {
    return std::string(
        bytes_.look(member.start, std::min<std::uint64_t>(member.packed, most), room));
  }
  const std::string_view packed = bytes_.look(member.start, member.packed, room);
  std::string out(static_cast<std::size_t>(std::min<std::uint64_t>(member.size, most)), '\0');
  Inflater inflater(-MAX_WBITS);
  z_stream& stream = inflater.stream();
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
  stream.avail_in =
      static_cast<uInt>(std::min<std::uint64_t>(packed.size(), std::numeric_limits<uInt>::max()));
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = inflate(&stream, Z_SYNC_FLUSH);
  if ((status != Z_OK && status != Z_STREAM_END) || stream.avail_out > 0) {
    throw_bad(file_, concat("member '", shown(member.name), "' is damaged: its first ", out.size(),
                            " bytes do not unpack"));
  }
  return out;
}

}  // namespace medurwkv
