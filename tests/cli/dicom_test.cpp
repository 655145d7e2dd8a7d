// From DICOM to DICOM: a set as an archive gives it out is checked, trained on, predicted and
// judged; what comes out lies where it should, and names nobody.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/volumes/dicom.h"
#include "data/volumes/grid.h"
#include "data/volumes/series.h"
#include "support/changed_model.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/scans.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::operator+;
using test::Outcome;
using test::run_program;
using test::Scans;

class DicomOnTheCommandLine : public ::testing::Test {
 protected:
  DicomOnTheCommandLine() {
    if (!fs::exists(test::program_file().parent_path() / "libmedurwkv_dicom.so")) return;
    scans_.write(folder_.path() / "scans");
    test::write_changed_model(path("some.model"), [](InputContract& input) {
      input.window = Window{-200, 300};
    });
    built_ = true;
  }
  void SetUp() override {
    if (!built_) GTEST_SKIP() << "the library for DICOM is not built";
  }

  [[nodiscard]] std::string model() const { return path("some.model"); }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  /// Files below a folder, sorted.
  [[nodiscard]] std::vector<fs::path> files(const std::string& name) const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(path(name))) {
      if (entry.is_regular_file()) out.push_back(entry.path());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  [[nodiscard]] static std::string lowered(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  }
  /// Words of the headers that stand in a text; identifiers of two digits would stand in any.
  [[nodiscard]] std::vector<std::string> identities_in(const std::string& text) const {
    std::set<std::string> words{"refer", scans_.study_date};
    for (const test::Patient& patient : scans_.patients) {
      for (const std::string& word : split(patient.name, '^')) words.insert(lowered(word));
      if (patient.id.size() > 2) words.insert(lowered(patient.id));
      words.insert(patient.birth);
    }
    for (int i = 0; i < 4; ++i) words.insert(concat("acc", 9000 + i));
    std::vector<std::string> out;
    const std::string all = lowered(text);
    for (const std::string& word : words) {
      if (all.find(word) != std::string::npos) out.push_back(word);
    }
    return out;
  }

  test::TemporaryFolder folder_;
  Scans scans_;
  bool built_ = false;
};

// The labels that a prediction in PNG of the same slices has are those of the segmentation, slice
// by slice in the order of the places, whatever the files are called.
TEST_F(DicomOnTheCommandLine, SegmentationsLieOnTheirImages) {
  const Outcome outcome = run_program({"predict", model(), path("scans/images"), "--out",
                                       path("masks"), "--contours", "--probabilities", "volume"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Outcome plain = run_program({"predict", model(), path("scans/images"), "--out",
                                     path("nifti"), "--volume-format", "nifti", "--unsure"});
  ASSERT_EQ(plain.code, 0) << plain.err;
  std::size_t segmentations = 0;
  for (const fs::path& file : files("masks")) {
    const std::string name = file.filename().string();
    if (!name.ends_with(".dcm") || contains(name, "_contours")) continue;
    ++segmentations;
    const data::Volume mask = data::read_volume(file);
    EXPECT_EQ(mask.format, "DICOM-SEG");
    const json elements = data::dicom_elements(file);
    const std::string study = data::text_of(elements, "0020000D");
    const std::size_t p = static_cast<std::size_t>(study.back() - '1');
    // Whose it is stands in it, as the standard asks.
    EXPECT_EQ(data::text_of(elements, "00100020"), scans_.patients.at(p).id);
    const data::Volume image =
        data::read_volume(path("scans/images") + "/" + Scans::folder_of(scans_.patients[p]));
    const data::OnGrid placed = data::on_grid(mask, image);
    ASSERT_EQ(placed.why_not, "") << name;
    if (contains(name, "_probabilities")) {
      EXPECT_EQ(data::text_of(elements, "00620001"), "FRACTIONAL");
      continue;
    }
    const std::string other = path("nifti") + "/" + file.stem().string() + ".nii.gz";
    const data::Volume same = data::read_volume(other);
    ASSERT_EQ(data::on_grid(same, image).why_not, "");
    std::size_t marked = 0;
    for (std::int64_t z = 0; z < Scans::slices; ++z) {
      const auto of = [&](const data::Volume& volume) {
        return data::read_image({.file = volume.file,
                                 .slice = z,
                                 .volume = std::make_shared<const data::Volume>(volume)});
      };
      const data::Image segments = of(placed.volume);
      EXPECT_EQ(segments.bytes, of(data::on_grid(same, image).volume).bytes) << name << " " << z;
      marked += static_cast<std::size_t>(
          std::count(segments.bytes.begin(), segments.bytes.end(), std::uint8_t{1}));
    }
    EXPECT_GT(marked, 0U) << name;
  }
  EXPECT_EQ(segmentations, 2 * scans_.patients.size());
  EXPECT_EQ(read_file(path("nifti") + "/slicer-labels.ctbl").substr(0, 2), "# ");
}

// Planted in headers, names of folders and of files; searched in all that is written and shown.
// Only the files of DICOM themselves, which must say whose they are, and what `data check` prints
// are left out.
TEST_F(DicomOnTheCommandLine, NothingButDicomNamesAPatient) {
  std::string shown;
  const auto run = [&](const std::vector<std::string>& words) {
    const Outcome outcome = run_program(words);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    shown += outcome.out + outcome.err;
  };
  run({"data", "split", path("scans"), "--out", path("out/split.json"), "--ratios", "50,25,25"});
  run({"data", "pack", path("scans"), "--out", path("out/set.pack")});
  run({"predict", model(), path("scans/images"), "--out", path("out/masks")});
  run({"predict", model(), path("scans/images"), "--out", path("out/nifti"), "--volume-format",
       "nifti"});
  run({"evaluate", "--predictions", path("out/nifti"), "--data", path("scans"), "--split",
       path("out/split.json"), "--out", path("out/report"), "--profiles", "default,volumes"});
  write_file(path("soft.toml"), std::string_view("[input]\nwindow = \"soft\"\n"));
  run({"data", "preview", path("scans"), "--config", path("soft.toml"), "--out",
       path("out/preview.png")});
  const Outcome fixed =
      run_program({"data", "check", path("scans"), "--fix", path("out/copy"), "--json"});
  EXPECT_TRUE(fs::exists(path("out/copy/images"))) << fixed.err;
  // A broken slice, so that an error names its file.
  test::Scans::put(path("scans/images/Doering_Janette_SECRET123/IM0"), "DICM");
  const Outcome broken =
      run_program({"predict", model(), path("scans/images"), "--out", path("out/broken")});
  shown += broken.out + broken.err;
  EXPECT_EQ(identities_in(shown), std::vector<std::string>{}) << shown;
  for (const fs::path& file : files("out")) {
    const std::string name = file.lexically_relative(folder_.path()).string();
    EXPECT_EQ(identities_in(name), std::vector<std::string>{}) << name;
    if (file.extension() == ".dcm") continue;
    EXPECT_EQ(identities_in(read_file(file)), std::vector<std::string>{}) << name;
    if (!name.ends_with(".nii.gz")) continue;
    EXPECT_EQ(identities_in(data::read_volume(file).header), std::vector<std::string>{}) << name;
  }
}

TEST_F(DicomOnTheCommandLine, NamesAreKeptWhereThatIsAsked) {
  const Outcome outcome = run_program(
      {"predict", model(), path("scans/images"), "--out", path("masks"), "--keep-identity"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(path("masks/Doering_Janette_SECRET123.dcm")));
  EXPECT_TRUE(contains(read_file(path("masks/manifest.json")), "Muster_Max"));
  // A file that says that it names nobody is believed, so its name stays.
  fs::remove_all(path("scans"));
  Scans open;
  for (std::int64_t z = 0; z < 2; ++z) {
    Scans::put(path(concat("scans/Doering_Janette/IM", z)),
               open.slice(0, z).text(0x00120062U, "CS", "YES").file());
  }
  ASSERT_EQ(run_program({"predict", model(), path("scans"), "--out", path("open")}).code, 0);
  EXPECT_TRUE(fs::exists(path("open/Doering_Janette.dcm")));
}

// A run that was cut off goes on; a changed slice is done again.
TEST_F(DicomOnTheCommandLine, ContinuesByAllFilesOfASeries) {
  const std::vector<std::string> words{"predict", model(), path("scans/images"), "--out",
                                       path("masks")};
  ASSERT_EQ(run_program(words).code, 0);
  const Outcome kept = run_program(words + std::vector<std::string>{"--continue"});
  ASSERT_EQ(kept.code, 0) << kept.err;
  EXPECT_TRUE(contains(kept.out + kept.err, "4 kept")) << kept.out << kept.err;
  test::Scans::put(path("scans/images/Muster_Maximilian_4711-X/IM4"),
                   scans_.slice(1, 3).us(0x00280103U, 0).text(0x00204000U, "LT", "other").file());
  const Outcome again = run_program(words + std::vector<std::string>{"--continue"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(contains(again.out + again.err, "3 kept")) << again.out << again.err;
}

// Lengths are in mm by the headers; labels that are turned are judged where they lie.
TEST_F(DicomOnTheCommandLine, IsJudgedInMillimetres) {
  ASSERT_EQ(run_program({"data", "split", path("scans"), "--out", path("split.json"), "--ratios",
                         "50,25,25"})
                .code,
            0);
  // The truth itself as a prediction, but one column to the side.
  fs::create_directories(path("truth"));
  const json split = json::parse(read_file(path("split.json")));
  const std::string id = split.at("test").at(0).get<std::string>();
  const std::string volume = id.substr(0, id.rfind("_slice"));
  std::size_t p = 0;
  const Outcome named =
      run_program({"predict", model(), path("scans/images"), "--out", path("all")});
  ASSERT_EQ(named.code, 0) << named.err;
  const std::string study =
      data::text_of(data::dicom_elements(path("all") + "/" + volume + ".dcm"), "0020000D");
  p = static_cast<std::size_t>(study.back() - '1');
  Scans::put(path("truth/") + volume + ".nii.gz", Scans::labels(p));
  const Outcome outcome =
      run_program({"evaluate", "--predictions", path("truth"), "--data", path("scans"), "--split",
                   path("split.json"), "--out", path("report"), "--profiles", "default,volumes"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "lengths in mm")) << outcome.out;
  const json summary = json::parse(read_file(path("report/summary.json")));
  EXPECT_EQ(summary.at("unit"), "mm");
  EXPECT_TRUE(contains(outcome.out, "mean Dice             1.0000")) << outcome.out;
}

}  // namespace
}  // namespace medurwkv
