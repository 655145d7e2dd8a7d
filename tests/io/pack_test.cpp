// Packs: what went in comes out, by an independent reading of the documented bytes too; broken and
// hostile ones are refused by name and place.
#include "data/layout/pack.h"

#include <gtest/gtest.h>

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/listener.h"
#include "core/threads.h"
#include "data/check/examine.h"
#include "data/check/faults.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/split/split.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::uint64_t number(const std::string& bytes, std::size_t at) {
  std::uint64_t out = 0;
  for (std::size_t i = 8; i-- > 0;) out = out << 8 | static_cast<unsigned char>(bytes[at + i]);
  return out;
}

std::string eight(std::uint64_t value) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i) & 255U);
  return out;
}

class Packs : public ::testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 bits(4);
    for (int i = 0; i < 9; ++i) {
      const std::string name = "patient00" + std::to_string(i / 3) + "_" + std::to_string(i);
      const std::int64_t width = 33 + i;
      const int channels = i == 5 ? 3 : 1;
      fs::create_directories(folder() / "images");
      write_file(folder() / "images" / (name + ".png"),
                 encode_png(test::make_image(width, 20, channels, [&](auto, auto, auto) {
                   return static_cast<int>(bits() & 255U);
                 })));
      test::write_gray(folder() / "masks" / (name + ".png"), width, 20,
                       [&](auto x, auto y) { return x > 4 + i && y > 6 ? 255 : 0; });
    }
    dataset_ = open_dataset(folder());
    write_pack(dataset_, pack(), silence());
  }
  [[nodiscard]] fs::path folder() const { return temporary_.path() / "set"; }
  [[nodiscard]] fs::path pack() const { return temporary_.path() / "set.pack"; }
  [[nodiscard]] fs::path other() const { return temporary_.path() / "other.pack"; }

  /// The pack with another index, its checksum right.
  void write_with_index(const json& index) const {
    const std::string bytes = read_file(pack());
    const std::uint64_t start = number(bytes, bytes.size() - 80);
    const std::string text = index.dump();
    write_file(other(),
               bytes.substr(0, start) + text + eight(start) + eight(text.size()) + sha256(text));
  }
  [[nodiscard]] json index() const {
    const std::string bytes = read_file(pack());
    return json::parse(
        bytes.substr(number(bytes, bytes.size() - 80), number(bytes, bytes.size() - 72)));
  }
  /// Opens and reads everything.
  static void read_all(const fs::path& file) {
    const Dataset dataset = open_dataset(file);
    for (const Case& item : dataset.cases) {
      static_cast<void>(read_image(item));
      static_cast<void>(read_labels(dataset, item));
    }
  }

  test::TemporaryFolder temporary_;
  Dataset dataset_;
};

TEST_F(Packs, GiveBackWhatWentIn) {
  const Dataset packed = open_dataset(pack());
  EXPECT_EQ(packed.encoding, dataset_.encoding);
  EXPECT_EQ(packed.classes, dataset_.classes);
  ASSERT_EQ(packed.cases.size(), dataset_.cases.size());
  for (std::size_t i = 0; i < packed.cases.size(); ++i) {
    const Case& item = packed.cases[i];
    EXPECT_EQ(item.id, dataset_.cases[i].id);
    EXPECT_EQ(item.group, dataset_.cases[i].group);
    const Image image = read_image(item);
    const Image original = read_image(dataset_.cases[i]);
    EXPECT_EQ(image.bytes, original.bytes);
    EXPECT_EQ(image.channels, original.channels);
    EXPECT_EQ(read_image_size(item), read_image_size(dataset_.cases[i]));
    EXPECT_EQ(read_labels(packed, item), read_labels(dataset_, dataset_.cases[i]));
  }
}

// A split of the folder holds for the pack, and the other way round; a pack of a pack is the same.
TEST_F(Packs, StandForTheirFolder) {
  const Dataset packed = open_dataset(pack());
  EXPECT_EQ(content_hash(packed), content_hash(dataset_));
  const SplitPlan plan =
      make_split(packed, traits_of(examine(pack(), {}, silence())), {}, silence());
  const fs::path file = temporary_.path() / "split.json";
  write_file(file, split_to_json(packed, plan).dump());
  EXPECT_EQ(read_split(file, dataset_).train, plan.parts.train);
  EXPECT_EQ(open_dataset(pack(), split_options(file)).cases.size(), 9U);
  EXPECT_EQ(open_dataset(folder(), split_options(file)).encoding, MaskEncoding::binary);
  write_pack(packed, other(), silence());
  EXPECT_EQ(open_dataset(other()).cases.size(), 9U);
  const auto check = [](const fs::path& root) {
    json out = to_json(check_dataset(root, {}, silence()));
    out.erase("layout");
    for (json& fault : out["faults"]) fault.erase("where"), fault.erase("what");
    return out;
  };
  EXPECT_EQ(check(pack()), check(folder()));
  for (const DatasetOptions& options :
       {DatasetOptions{.encoding = MaskEncoding::index},
        DatasetOptions{.encoding = {}, .classes = make_classes(3, {})}}) {
    const auto refused = test::refusal_of([&] { return open_dataset(pack(), options); });
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, ErrorKind::usage);
  }
}

TEST_F(Packs, AreTheSameOnAnyThreads) {
  const int threads = thread_count();
  set_thread_count(3);
  write_pack(dataset_, other(), silence());
  set_thread_count(threads);
  EXPECT_EQ(read_file(pack()), read_file(other()));
}

// docs/formats.md, read here without the library.
TEST_F(Packs, AreAsDocumented) {
  const std::string bytes = read_file(pack());
  EXPECT_EQ(bytes.substr(0, 16), "medurwkv-pack 1\n");
  const std::uint64_t start = number(bytes, bytes.size() - 80);
  const std::uint64_t size = number(bytes, bytes.size() - 72);
  EXPECT_EQ(start + size + 80, bytes.size());
  EXPECT_EQ(bytes.substr(bytes.size() - 64), sha256(bytes.substr(start, size)));
  const json one = index().at("cases").at(5);
  EXPECT_EQ(one.at("id"), "patient001_5");
  const auto piece = [&](const json& from, std::size_t plain) {
    const std::string packed = bytes.substr(from.at("start"), from.at("bytes"));
    EXPECT_EQ(sha256(packed), from.at("sha256").get<std::string>());
    if (packed.size() == plain) return packed;
    std::string out(plain, '\0');
    uLongf length = plain;
    EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(out.data()), &length,
                         reinterpret_cast<const Bytef*>(packed.data()), packed.size()),
              Z_OK);
    return out;
  };
  const json& form = one.at("image");
  EXPECT_EQ(form.at("width"), 38);
  EXPECT_EQ(form.at("channels"), 3);
  EXPECT_EQ(form.at("type"), "uint8");
  const std::string pixels = piece(form, 38 * 20 * 3);
  const Image original = read_image(dataset_.cases[5]);
  EXPECT_EQ(pixels, std::string(original.bytes.begin(), original.bytes.end()));
  const std::string labels = piece(one.at("labels"), 38 * 20);
  EXPECT_EQ(labels[7 * 38 + 10], 1);
  EXPECT_EQ(labels[7 * 38 + 9], 0);
}

// Cut anywhere, or one bit turned anywhere: an error that names the file, never other pixels.
TEST_F(Packs, CutOrRottenOnesAreRefused) {
  const std::string bytes = read_file(pack());
  const auto expect_refused = [&](const std::string& broken, std::size_t at) {
    write_file(other(), broken);
    const auto refused = test::refusal_of([&] { return read_all(other()), 0; });
    ASSERT_TRUE(refused) << at;
    EXPECT_EQ(refused->kind, ErrorKind::failure) << at << refused->message;
    EXPECT_TRUE(refused->names("other.pack")) << at << refused->message;
  };
  std::mt19937 bits(5);
  for (int i = 0; i < 60; ++i) {
    const std::size_t cut =
        i < 30 ? bits() % bytes.size() : bytes.size() - 1 - static_cast<std::size_t>(i - 30) * 4;
    expect_refused(bytes.substr(0, cut), cut);
  }
  for (int i = 0; i < 120; ++i) {
    const std::size_t at =
        i < 60 ? bits() % bytes.size() : bytes.size() - 1 - static_cast<std::size_t>(i - 60) * 2;
    std::string rotten = bytes;
    rotten[at] = static_cast<char>(rotten[at] ^ (1 << bits() % 8));
    expect_refused(rotten, at);
  }
}

// An index whose checksum is right and whose content is not: refused before much is allocated.
TEST_F(Packs, HostileIndicesAreRefused) {
  const json good = index();
  write_with_index(good);
  ASSERT_FALSE(test::refusal_of([&] { return read_all(other()), 0; }));
  const auto expect_refused = [&](const json& broken, const std::string& what) {
    write_with_index(broken);
    const auto refused = test::refusal_of([&] { return read_all(other()), 0; });
    ASSERT_TRUE(refused) << what;
    EXPECT_TRUE(refused->names("other.pack")) << refused->message;
  };
  const auto change = [&](const std::string& pointer, const json& value) {
    json broken = good;
    broken[json::json_pointer(pointer)] = value;
    expect_refused(broken, pointer + " " + value.dump());
  };
  const json huge = std::uint64_t{1} << 63;
  for (const char* key : {"start", "bytes"}) {
    for (const json& value : {huge, json(-1), json(1.5), json("7"), json(), json(0)}) {
      change(std::string("/cases/0/image/") + key, value);
      change(std::string("/cases/0/labels/") + key, value);
    }
  }
  for (const char* key : {"width", "height", "channels"}) {
    for (const json& value : {huge, json(-1), json(0), json(1'000'000), json("7"), json()}) {
      change(std::string("/cases/3/image/") + key, value);
    }
  }
  change("/cases/2/image/type", "complex64");
  change("/cases/2/image/type", 5);
  change("/cases/2/labels/sha256", std::string(64, '0'));
  change("/cases/2/labels", json::array());
  change("/cases/2/id", good.at("cases").at(1).at("id"));
  change("/cases/2/id", "");
  change("/cases/2/part", "validation");
  change("/cases/2", 7);
  change("/cases", "none");
  change("/classes", json::array());
  change("/classes/1", "lesion");
  change("/mask_encoding", "rainbow");
  change("/format_version", 2);
  json all_gone = json::array({1, 2});
  expect_refused(all_gone, "an array");
  json one_class = good;
  one_class["classes"].erase(1);
  expect_refused(one_class, "fewer classes than the masks hold");
}

// An id that names a file elsewhere is a fault by itself; no command opens such a pack.
TEST_F(Packs, IdsThatLeadOutAreNamed) {
  for (const std::string id : {"/etc/passwd", "../other", "a/../../b", "..", "a//b", "a/"}) {
    json broken = index();
    broken["cases"][2]["id"] = id;
    write_with_index(broken);
    const CheckReport report = check_dataset(other(), {}, silence());
    const auto fault = std::find_if(report.faults.begin(), report.faults.end(),
                                    [](const Fault& f) { return f.kind == "name-leads-out"; });
    ASSERT_NE(fault, report.faults.end()) << id;
    EXPECT_EQ(fault->severity, Severity::error);
    EXPECT_NE(fault->where.find("other.pack"), std::string::npos) << fault->where;
    EXPECT_NE(fault->remedy.find("pack the set's folder again"), std::string::npos);
    EXPECT_EQ(report.pairs, 9) << "the rest is looked at";
    const auto refused = test::refusal_of([&] { return open_dataset(other()); });
    ASSERT_TRUE(refused) << id;
    EXPECT_TRUE(refused->names("other.pack")) << refused->message;
  }
}

TEST_F(Packs, OthersAreNone) {
  EXPECT_FALSE(is_pack(folder()));
  EXPECT_FALSE(is_pack(temporary_.path() / "nowhere"));
  EXPECT_FALSE(is_pack(folder() / "images/patient000_0.png"));
  const auto refused =
      test::refusal_of([&] { return open_dataset(folder() / "images/patient000_0.png"); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("patient000_0.png") && refused->names("pack")) << refused->message;
}

}  // namespace
}  // namespace medurwkv::data
