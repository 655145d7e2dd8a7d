// No file makes a reader take more memory than its bytes justify and the limit allows: sizes in the
// headers of every format are changed at random (seeded), and each file is read in a process that
// cannot have more. What does not fit is refused in words, before memory is taken; a library that
// runs out of memory instead fails the test.
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/listener.h"
#include "core/memory.h"
#include "core/npy.h"
#include "core/random.h"
#include "core/text.h"
#include "data/check/examine.h"
#include "data/codecs/arrays.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "support/array_files.h"
#include "support/hostile.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/png_by_hand.h"
#include "support/refusal.h"
#include "support/tiff_files.h"
#include "support/zip_by_hand.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Bytes that a reader may take in these tests, and what the limit is set above that for libraries
/// and claims that are too small to be looked at.
constexpr std::int64_t budget = 120'000'000;
constexpr std::int64_t spare = 64'000'000;

void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t count, bool big) {
  for (std::size_t i = 0; i < count && at + i < bytes.size(); ++i) {
    bytes[at + i] = static_cast<char>(value >> 8U * (big ? count - 1 - i : i) & 255U);
  }
}

/// Changes numbers of one to four bytes to what a size may be, in the first bytes and, for formats
/// whose header lies elsewhere, anywhere.
std::string mutated(std::string bytes, const Random& random, std::uint64_t number) {
  std::uint64_t draw = 32 * number;
  const auto below = [&](std::uint64_t bound) { return random.below(draw++, bound); };
  constexpr std::array<std::uint64_t, 12> sizes{0,     1,     255,     4096,    16384,      23170,
                                                32767, 65535, 1 << 20, 1 << 24, 0x7fffffff, ~0ULL};
  const std::uint64_t changes = 1 + below(4);
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t reach =
        below(3) == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 96);
    const std::size_t count = std::size_t{1} << below(3);
    const std::uint64_t value = below(4) == 0 ? below(1 << 16) : sizes[below(sizes.size())];
    put(bytes, below(reach), value, count, below(2) == 0);
  }
  // Behind its checksum a PNG's header is read.
  if (bytes.starts_with("\x89PNG") && bytes.size() > 33) {
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + 12), 17);
    put(bytes, 29, sum, 4, true);
  }
  return bytes;
}

/// What a message says when memory was asked for and not there.
bool tells_of_no_memory(const std::string& message) {
  const std::string text = lower(message);
  if (text.find("takes about") != std::string::npos) return false;  // said before it was asked for
  for (const char* words : {"memory", "alloc"}) {
    if (text.find(words) != std::string::npos) return true;
  }
  return false;
}

/// Reads `count` changed files in one process under the limit; returns what went wrong first.
std::string first_fault(const std::string& whole, std::uint64_t seed, std::uint64_t count,
                        const std::function<void(const std::string&)>& read) {
  int pipe[2];
  if (::pipe(pipe) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::malloc_trim(0);
    set_memory_limit(resident_memory() + budget);
    if (test::limits_memory()) {
      const rlim_t most =
          test::data_bytes() + static_cast<rlim_t>(budget + spare) + 2 * whole.size();
      const rlimit limit{most, most};
      ::setrlimit(RLIMIT_DATA, &limit);
    }
    const Random random(seed, "headers");
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string about = concat("change ", i, ": ");
      // Where a signal ends it, this was said last.
      static_cast<void>(::write(pipe[1], (about + "a signal\n").data(), about.size() + 9) < 0);
      std::string fault;
      try {
        read(mutated(whole, random, i));
      } catch (const Error& error) {
        if (tells_of_no_memory(error.what())) fault = error.what();
      } catch (const std::exception& error) {
        fault = error.what();
      }
      if (fault.empty()) continue;
      fault = concat(about, fault, "\n");
      static_cast<void>(::write(pipe[1], fault.data(), fault.size()) < 0);
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(pipe[0], buffer.data(), buffer.size())) > 0;) {
    said.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
  const std::vector<std::string> lines = split(trim(said), '\n');
  return lines.back();
}

TEST(MemoryClaims, HeadersOfEveryImageFormat) {
  std::size_t formats = 0;
  for (const fs::path& file : list_folder(test::source_folder() / "fuzz/corpus/image")) {
    const std::string name = file.filename().string();
    const std::string fault =
        first_fault(read_file(file), formats++, 250, [&](const std::string& bytes) {
          static_cast<void>(image_size(name, bytes));
          static_cast<void>(decode_image(name, bytes));
        });
    EXPECT_EQ(fault, "") << name;
  }
  EXPECT_GE(formats, 40U);
}

TEST(MemoryClaims, HeadersOfArrays) {
  const test::TemporaryFolder folder;
  const test::NamedArray<float> image{"image", {40, 40}, std::vector<float>(1600, 0.5F)};
  const test::NamedArray<std::uint8_t> label{"label", {40, 40}, std::vector<std::uint8_t>(1600, 1)};
  std::vector<std::pair<std::string, std::string>> wholes{
      {"a.npy", test::npy_bytes(image)},
      {"a.npz", test::npz_bytes(image, label)},
      {"stored.npz", test::npz_bytes(image, label, false)}};
#ifdef MEDURWKV_H5
  test::write_h5(folder.path() / "a.h5", image, label);
  wholes.emplace_back("a.h5", read_file(folder.path() / "a.h5"));
#endif
  for (const auto& [name, whole] : wholes) {
    const fs::path path = folder.path() / name;
    const std::string fault = first_fault(whole, 7, 400, [&](const std::string& bytes) {
      std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes));
      static_cast<void>(read_image(path));
    });
    EXPECT_EQ(fault, "") << name;
  }
}

/// Of one colour, so that a small file is a large picture.
std::string white_png(std::uint32_t side) {
  const std::string row = std::string(1, '\0') + std::string(side, '\xff');
  std::string rows;
  for (std::uint32_t y = 0; y < side; ++y) rows += row;
  return test::make_png({.width = side, .height = side, .scanlines = rows});
}

/// The limit above what is held, for the life of the object.
class Limit {
 public:
  explicit Limit(std::int64_t bytes) { set_memory_limit(resident_memory() + bytes); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
  Limit(Limit&&) = delete;
  Limit& operator=(Limit&&) = delete;
  ~Limit() { set_memory_limit(0); }
};

TEST(MemoryClaims, ALargePictureIsReadWhereItFitsAndRefusedWhereItDoesNot) {
  const std::string bytes = white_png(8000);
  {
    const Limit limit(40'000'000);
    const auto refused = test::refusal_of([&] { return decode_image("a.png", bytes); });
    ASSERT_TRUE(refused);
    EXPECT_TRUE(refused->names("a.png: takes about 64") && refused->names("--memory allows"))
        << refused->message;
    EXPECT_EQ(image_size("a.png", bytes), (ImageSize{8000, 8000})) << "its size takes nothing";
  }
  const Limit limit(120'000'000);
  EXPECT_EQ(decode_image("a.png", bytes).image.bytes.size(), 64'000'000U);
}

// Texts and profiles in a PNG unpack beside the pixels.
TEST(MemoryClaims, TextsOfAPngAreNotUnpacked) {
  const std::string good =
      test::make_png({.width = 1, .height = 1, .scanlines = std::string(2, '\0')});
  const std::string plain(7'900'000, 'x');
  uLongf size = compressBound(plain.size());
  std::string packed(size, '\0');
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
            reinterpret_cast<const Bytef*>(plain.data()), plain.size(), 9);
  packed.resize(size);
  const std::string text = test::png_chunk("zTXt", "Comment" + std::string(2, '\0') + packed);
  std::string bytes = good.substr(0, 33);
  for (int i = 0; i < 100; ++i) bytes += text;
  bytes += good.substr(33);
  const std::int64_t before = peak_memory();
  EXPECT_FALSE(test::refusal_of([&] { return decode_image("a.png", bytes); }));
  EXPECT_LT(peak_memory() - before, 60'000'000);
}

// A tile is unpacked whole, however small the picture is.
TEST(MemoryClaims, ATileLargerThanItsFileIsRefused) {
  test::TiffForm form{.width = 16, .height = 16, .tiled = true};
  std::string bytes = test::tiff_bytes(form, std::vector<std::string>(16, std::string(16, '\x55')));
  for (const char* tag : {"\x42\x01", "\x43\x01"}) {  // TileWidth, TileLength
    std::size_t at = bytes.find(tag);
    ASSERT_NE(at, std::string::npos);
    put(bytes, at + 2, 4, 2, false);  // LONG
    put(bytes, at + 8, 16000, 4, false);
  }
  const std::int64_t before = peak_memory();
  const auto refused = test::refusal_of([&] { return decode_image("a.tif", bytes); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("tiles of 16000 x 16000")) << refused->message;
  EXPECT_LT(peak_memory() - before, 50'000'000);
}

// One such file fails by name, the others are read.
TEST(MemoryClaims, TheRestOfASetGoesOn) {
  const test::TemporaryFolder folder;
  for (const char* name : {"a", "b", "c"}) {
    for (const char* kind : {"images", "masks"}) {
      test::write_gray(folder.path() / kind / concat(name, ".png"), 16, 16,
                       [](auto x, auto) { return x < 8 ? 0 : 255; });
    }
  }
  const std::string large = white_png(9000);
  for (const char* kind : {"images", "masks"}) write_file(folder.path() / kind / "b.png", large);
  const Limit limit(60'000'000);
  const Examination set = examine(folder.path(), {}, silence());
  std::size_t refused = 0;
  for (const CaseFacts& facts : set.facts) {
    for (const Fault& fault : facts.faults) {
      if (fault.what.find("takes about") == std::string::npos) continue;
      ++refused;
      EXPECT_NE(fault.where.find("b.png"), std::string::npos) << fault.where;
    }
  }
  EXPECT_GE(refused, 1U);
  EXPECT_TRUE(set.facts.at(0).size && set.facts.at(2).size);
}

}  // namespace
}  // namespace medurwkv::data
