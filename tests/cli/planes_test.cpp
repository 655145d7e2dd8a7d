// Volumes cut along the patient's axes on the command line: the same figures and labels as of a
// file that has its voxels in that order.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/volumes/volume.h"
#include "support/changed_model.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/volume_files.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::NiftiBytes;
using test::Outcome;
using test::run_program;

/// Coronal slices: columns to the left, rows to the feet, slices to the back.
constexpr std::int64_t columns = 40, rows = 32, slices = 3;

std::uint8_t coronal(std::int64_t column, std::int64_t row, std::int64_t slice) {
  const double dx = (static_cast<double>(column) - 16 - 4 * static_cast<double>(slice)) / 9;
  const double dy = (static_cast<double>(row) - 12) / 6;
  return dx * dx + dy * dy < 1 ? 60 : static_cast<std::uint8_t>(190 + (column * row) % 20);
}

/// As most programs write NIfTI: columns to the right, rows to the front, slices to the head, in
/// voxels of 1 x 2 x 3 mm.
template <class Of>
std::string axial_file(const Of& of) {
  std::vector<std::uint8_t> out;
  for (std::int64_t head = 0; head < rows; ++head) {
    for (std::int64_t front = 0; front < slices; ++front) {
      for (std::int64_t right = 0; right < columns; ++right) {
        out.push_back(of(coronal(columns - 1 - right, rows - 1 - head, slices - 1 - front)));
      }
    }
  }
  return NiftiBytes()
      .sides({columns, slices, rows})
      .type(2, 8)
      .sform({{{1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 3, 0}}})
      .with(out);
}

/// The same voxels in the order of coronal slices.
template <class Of>
std::string coronal_file(const Of& of) {
  std::vector<std::uint8_t> out;
  for (std::int64_t z = 0; z < slices; ++z) {
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) out.push_back(of(coronal(x, y, z)));
    }
  }
  return NiftiBytes().sides({columns, rows, slices}).type(2, 8).with(out);
}

std::uint8_t as_it_is(std::uint8_t value) {
  return value;
}
std::uint8_t marked(std::uint8_t value) {
  return value == 60 ? 1 : 0;
}

class PlanesOnTheCommandLine : public ::testing::Test {
 protected:
  void SetUp() override {
    test::write_changed_model(path("coronal.model"),
                              [](InputContract& input) { input.plane = Plane::coronal; });
    test::write_changed_model(path("stored.model"), [](InputContract&) {});
    for (const char* const key : {"p1", "p2"}) {
      write(concat("axial/images/", key, ".nii"), axial_file(as_it_is));
      write(concat("axial/labels/", key, ".nii"), axial_file(marked));
      write(concat("coronal/images/", key, ".nii"), coronal_file(as_it_is));
      write(concat("coronal/labels/", key, ".nii"), coronal_file(marked));
    }
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary).write(bytes.data(), std::ssize(bytes));
  }
  /// The figures of an evaluation.
  std::string judged(const test::Words& how, const std::string& out) {
    test::Words words{"evaluate"};
    words.insert(words.end(), how.begin(), how.end());
    words.insert(words.end(), {"--out", path(out)});
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read_file(path(out + "/cases.csv"));
  }
  [[nodiscard]] std::string model(const std::string& name) const { return path(name + ".model"); }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(PlanesOnTheCommandLine, EvaluateCutsAsTheModelSees) {
  const std::string wanted = judged({model("stored"), "--data", path("coronal")}, "one");
  EXPECT_EQ(judged({model("coronal"), "--data", path("axial")}, "two"), wanted);
  EXPECT_NE(judged({model("stored"), "--data", path("axial")}, "three"), wanted);
  ASSERT_EQ(run_program(
                {"data", "pack", path("axial"), "--plane", "coronal", "--out", path("axial.pack")})
                .code,
            0);
  EXPECT_EQ(judged({model("coronal"), "--data", path("axial.pack")}, "four"), wanted);
  const Outcome refused = run_program(
      {"evaluate", model("stored"), "--data", path("axial.pack"), "--out", path("five")});
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_TRUE(contains(refused.err, "sees stored slices")) << refused.err;
}

TEST_F(PlanesOnTheCommandLine, ASplitKeepsIt) {
  ASSERT_EQ(run_program({"data", "split", path("axial"), "--plane", "coronal", "--ratios", "0", "0",
                         "1", "--out", path("split.json")})
                .code,
            0);
  EXPECT_EQ(json::parse(read_file(path("split.json"))).at("plane"), "coronal");
  EXPECT_EQ(
      judged({model("coronal"), "--data", path("axial"), "--split", path("split.json")}, "one"),
      judged({model("stored"), "--data", path("coronal")}, "two"));
  const Outcome refused = run_program({"evaluate", model("stored"), "--data", path("axial"),
                                       "--split", path("split.json"), "--out", path("three")});
  EXPECT_EQ(refused.code, 2) << refused.err;
  const Outcome other =
      run_program({"evaluate", model("coronal"), "--data", path("axial"), "--plane", "axial",
                   "--split", path("split.json"), "--out", path("four")});
  EXPECT_EQ(other.code, 2) << other.err;
  EXPECT_TRUE(contains(other.err, "was made of coronal slices")) << other.err;
}

TEST_F(PlanesOnTheCommandLine, PreviewsShowIt) {
  write("config.toml", "[input]\nplane = \"coronal\"\n");
  const auto sheet = [&](const std::string& set, const test::Words& how) {
    test::Words words{"data", "preview", path(set), "--force", "--out", path("sheet.png")};
    words.insert(words.end(), how.begin(), how.end());
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return sha256_file(path("sheet.png"));
  };
  const std::string by_option = sheet("axial", {"--plane", "coronal"});
  EXPECT_EQ(sheet("axial", {"--config", path("config.toml")}), by_option);
  EXPECT_NE(sheet("axial", {}), by_option);
}

TEST_F(PlanesOnTheCommandLine, PredictedLabelsLieWhereTheFileDoes) {
  const auto predict = [&](const std::string& name, const std::string& in, const std::string& out) {
    const Outcome outcome =
        run_program({"predict", model(name), path(in + "/images"), "--out", path(out)});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  };
  predict("coronal", "axial", "one");
  predict("stored", "coronal", "two");
  const data::Volume from = data::read_volume(path("axial/images/p1.nii"));
  const data::Volume to = data::read_volume(path("one/p1.nii"));
  EXPECT_EQ(to.sides(), from.sides());
  EXPECT_EQ(to.placing, from.placing);
  EXPECT_EQ(to.header.substr(252, 76), from.header.substr(252, 76));
  const data::Volume wanted = data::read_volume(path("two/p1.nii"));
  std::array<std::int64_t, 2> seen{};
  for (std::int64_t head = 0; head < rows; ++head) {
    const data::Image slice = data::read_slice(to, head);
    for (std::int64_t front = 0; front < slices; ++front) {
      const data::Image own = data::read_slice(wanted, slices - 1 - front);
      for (std::int64_t right = 0; right < columns; ++right) {
        const auto label = slice.bytes[static_cast<std::size_t>(front * columns + right)];
        ++seen.at(label);
        ASSERT_EQ(
            label,
            own.bytes[static_cast<std::size_t>((rows - 1 - head) * columns + columns - 1 - right)])
            << right << " " << front << " " << head;
      }
    }
  }
  EXPECT_GT(seen[0], 0);
  EXPECT_GT(seen[1], 0) << "nothing was compared";
  // Judged as the model itself is.
  EXPECT_EQ(judged({"--predictions", path("one"), "--data", path("axial"), "--plane", "coronal"},
                   "three"),
            judged({model("coronal"), "--data", path("axial")}, "four"));
}

// Distances in a volume are those along its own axes.
TEST_F(PlanesOnTheCommandLine, VolumesAreJudgedAlike) {
  const auto profiles = [&](const std::string& name, const std::string& set,
                            const std::string& out) {
    judged(
        {model(name), "--data", path(set), "--profiles", "default,volumes", "--spacing", "1,3,2"},
        out);
    return json::parse(read_file(path(out + "/summary.json"))).at("profiles");
  };
  EXPECT_EQ(profiles("coronal", "axial", "one"), profiles("stored", "coronal", "two"));
}

}  // namespace
}  // namespace medurwkv
