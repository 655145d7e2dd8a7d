// A prediction run over files: names, refusals, bad files, the manifest, stopping.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "core/model_description.h"
#include "core/threads.h"
#include "data/codecs/read.h"
#include "predict/inputs.h"
#include "predict/outputs.h"
#include "predict/runner.h"
#include "support/bright_engine.h"
#include "support/listener.h"
#include "support/paths.h"

namespace medurwkv::predict {
namespace {

namespace fs = std::filesystem;

class PredictRun : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::path(testing::TempDir()) / ("medurwkv_predict_" + std::to_string(::getpid()));
    fs::remove_all(folder);
    options.out = folder / "out";
  }
  void TearDown() override { fs::remove_all(folder); }

  // A white image, so that every pixel is class 1.
  void add_image(const fs::path& name, std::int64_t width = 6, std::int64_t height = 4) {
    const auto samples = static_cast<std::size_t>(width * height);
    make_folder((folder / name).parent_path());
    write_file(folder / name,
               data::encode_png(data::Image{width, height, 1, data::SampleType::u8,
                                            std::vector<unsigned char>(samples, 255)}));
  }
  std::vector<std::string> masks(const std::vector<fs::path>& inputs) const {
    std::vector<std::string> out;
    for (const Job& job : plan_outputs(inputs, options.out, options.outputs).jobs) {
      out.push_back(job.outputs.front().file.generic_string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  RunResult run(const std::vector<fs::path>& inputs) {
    return run_jobs(engine, plan_outputs(inputs, options.out, options.outputs).jobs, options,
                    listener);
  }
  nlohmann::json manifest() const {
    return nlohmann::json::parse(read_file(options.out / manifest_name));
  }

  fs::path folder;
  RunOptions options;
  test::BrightEngine engine;
  test::KeepingListener listener;
};

using Names = std::vector<std::string>;

TEST_F(PredictRun, KeepsSubfolders) {
  add_image("in/a.png");
  add_image("in/deep/er/a.png");
  EXPECT_EQ(masks({folder / "in"}), (Names{"a.png", "deep/er/a.png"}));
  EXPECT_EQ(masks({(folder / "in").string() + "/"}), (Names{"a.png", "deep/er/a.png"}));
}

// Equal stems, from suffixes or from two folders, never share a file; nor does a mask take the name
// of another image's overlay; the same file twice is one image.
TEST_F(PredictRun, GivesDistinctNames) {
  add_image("in/a.jpg");
  add_image("in/a.png");
  add_image("other/a.png");
  EXPECT_EQ(masks({folder / "in", folder / "other"}), (Names{"a.png", "a_png.png", "a_png_2.png"}));
  EXPECT_EQ(masks({folder / "in", folder / "in" / "a.png"}), (Names{"a.png", "a_png.png"}));
  add_image("two/b.png");
  add_image("two/b_overlay.png");
  EXPECT_EQ(masks({folder / "two"}), (Names{"b.png", "b_overlay.png"}));
  options.outputs.overlay = true;
  EXPECT_EQ(masks({folder / "two"}), (Names{"b.png", "b_overlay_png.png"}));
}

// As BUSI and most folders to train from have them. A mask that is named is predicted.
TEST_F(PredictRun, LeavesOutTheMasksOfAFoldersImages) {
  add_image("in/benign/a.png");
  add_image("in/benign/a_mask.png");
  add_image("in/benign/a_mask_1.png");
  add_image("in/normal/b.png");
  add_image("in/normal/lonely_mask.png");
  EXPECT_EQ(masks({folder / "in"}),
            (Names{"benign/a.png", "normal/b.png", "normal/lonely_mask.png"}));
  EXPECT_EQ(plan_outputs({folder / "in"}, options.out, {}).masks_left_out, 2u);
  EXPECT_EQ(masks({folder / "in" / "benign" / "a_mask.png"}), (Names{"a_mask.png"}));
}

TEST_F(PredictRun, NeverOverwritesAnInput) {
  add_image("in/a.png");
  options.force = true;
  EXPECT_THROW(plan_outputs({folder / "in"}, folder / "in", {}), Error);
  EXPECT_THROW(plan_outputs({folder / "in" / "a.png"}, folder / "other" / ".." / "in", {}), Error);
}

// Masks in a folder of images would be images to the next run.
TEST_F(PredictRun, WritesIntoNoFolderThatIsRead) {
  add_image("in/a.png");
  add_image("in/deep/in/b.png");
  fs::create_directory_symlink(folder / "in", folder / "alias");
  for (const char* out : {"in", "in/out", "alias/out", "other/../in/out"}) {
    EXPECT_THROW(plan_outputs({folder / "in"}, folder / out, {}), Error) << out;
  }
  EXPECT_EQ(plan_outputs({folder / "in"}, folder, {}).jobs.size(), 2u) << "it may lie around it";
  // The mask of in/in/c.png would be OUT/in/c.png, in the very folder that is read.
  add_image("in/in/c.png");
  EXPECT_THROW(plan_outputs({folder / "in"}, folder, {}), Error);
  EXPECT_EQ(masks({folder / "in"}).size(), 3U);
  EXPECT_FALSE(fs::exists(folder / "in" / "out"));
}

// Names that the file system just holds: their outputs are shortened, each case by its own hash.
TEST_F(PredictRun, LongNamesAreShortened) {
  const std::string long_name(250, 'n');
  add_image("in/" + long_name + "1.png");
  add_image("in/" + long_name + "2.png");
  options.outputs.overlay = true;
  EXPECT_EQ(run({folder / "in"}).done, 2);
  std::set<std::string> files;
  const auto images = manifest().at("images");
  for (const auto& image : images) {
    for (const auto& output : image.at("outputs")) {
      files.insert(output.at("file"));
      EXPECT_TRUE(fs::is_regular_file(options.out / output.at("file").get<std::string>()));
    }
  }
  EXPECT_EQ(files.size(), 4U);
  EXPECT_TRUE(files.contains(long_name + "1.png"));
  options.go_on = true;
  EXPECT_EQ(run({folder / "in"}).kept, 2);
}

// Latin-1 on an old disk. JSON holds the name with U+FFFD; the file keeps its own.
TEST_F(PredictRun, NamesNeedNotBeUtf8) {
  const std::string name =
      "Gr\xf6\xdf"
      "e";
  add_image("in/" + name + ".png");
  EXPECT_EQ(run({folder / "in"}).done, 1);
  EXPECT_TRUE(fs::is_regular_file(options.out / (name + ".png")));
  options.go_on = true;
  EXPECT_EQ(run({folder / "in"}).kept, 1);
}

TEST_F(PredictRun, ASecondWriterIsRefused) {
  add_image("in/a.png");
  make_folder(options.out);
  {
    const FolderLock other(options.out);
    EXPECT_THROW(run({folder / "in"}), Error);
  }
  EXPECT_TRUE(fs::is_empty(options.out));
  EXPECT_EQ(run({folder / "in"}).done, 1);
  EXPECT_FALSE(fs::exists(options.out / FolderLock::name));
}

TEST_F(PredictRun, WritesMasksAtTheInputsSizeAndAManifest) {
  add_image("in/a.png", 13, 7);
  options.outputs = {
      .overlay = true, .probabilities = Probabilities::npy, .unsure = true, .contours = true};
  const RunResult result = run({folder / "in"});
  EXPECT_EQ(result.done, 1);
  EXPECT_EQ(result.failed, 0);
  EXPECT_EQ(data::read_image_size(options.out / "a.png"), (data::ImageSize{13, 7}));
  EXPECT_EQ(data::read_image_size(options.out / "a_overlay.png"), (data::ImageSize{13, 7}));
  const auto json = manifest();
  EXPECT_EQ(json.at("complete"), true);
  EXPECT_EQ(json.at("models").at(0).at("content_sha256"), engine.description().content_sha256);
  EXPECT_EQ(json.at("models").at(0).at("input").at("fit"), "stretch");
  EXPECT_FALSE(json.contains("planned"));
  const auto& image = json.at("images").at(0);
  EXPECT_EQ(image.at("sha256"), sha256_file(folder / "in" / "a.png"));
  EXPECT_EQ(image.at("class_pixels"), (std::vector<int>{0, 91}));
  ASSERT_EQ(image.at("outputs").size(), 5U);
  for (const auto& output : image.at("outputs")) {
    const std::string name = output.at("file");
    EXPECT_EQ(output.at("sha256"), sha256_file(options.out / name)) << name;
  }
}

TEST_F(PredictRun, ListsABadFileAndGoesOn) {
  add_image("in/a.png");
  add_image("in/c.png");
  write_file(folder / "in" / "b.png", "this is no image");
  const RunResult result = run({folder / "in", folder / "missing.png"});
  EXPECT_EQ(result.done, 2);
  ASSERT_EQ(listener.failures.size(), 2U);
  EXPECT_TRUE(listener.failures[0].starts_with((folder / "in" / "b.png").string()));
  EXPECT_TRUE(listener.failures[1].starts_with((folder / "missing.png").string()));
  EXPECT_EQ(manifest().at("failed").size(), 2U);
  EXPECT_TRUE(fs::exists(options.out / "c.png"));
  EXPECT_FALSE(fs::exists(options.out / "b.png"));
}

TEST_F(PredictRun, OverwritesOnlyWhenForced) {
  add_image("in/a.png");
  make_folder(options.out);
  write_file(options.out / "a.png", "precious");
  EXPECT_THROW(run({folder / "in"}), Error);
  EXPECT_EQ(read_file(options.out / "a.png"), "precious");
  options.force = true;
  EXPECT_EQ(run({folder / "in"}).done, 1);
  EXPECT_NE(read_file(options.out / "a.png"), "precious");
}

// The signal comes while the first image is computed: that one is whole, the second is not begun,
// and the manifest says that the run was not completed.
TEST_F(PredictRun, StopsBetweenImages) {
  add_image("in/a.png");
  add_image("in/b.png");
  engine.stop = &listener.stop;
  EXPECT_THROW(run({folder / "in"}), Stopped);
  EXPECT_TRUE(fs::exists(options.out / "a.png"));
  EXPECT_FALSE(fs::exists(options.out / "b.png"));
  EXPECT_EQ(manifest().at("complete"), false);
  EXPECT_EQ(manifest().at("images").size(), 1U);
}

// Whatever the number of jobs: the same files, listed in the same order.
TEST_F(PredictRun, JobsChangeNothing) {
  for (int i = 0; i < 9; ++i) add_image("in/" + std::to_string(i) + ".png", 6 + i, 4);
  write_file(folder / "in" / "4.png", "this is no image");
  options.outputs.contours = true;
  std::vector<nlohmann::json> manifests;
  for (const int jobs : {1, 3, 20}) {
    options.jobs = jobs;
    options.out = folder / ("out" + std::to_string(jobs));
    const RunResult result = run({folder / "in"});
    EXPECT_EQ(result.done, 8);
    EXPECT_EQ(result.failed, 1);
    manifests.push_back(manifest());
  }
  EXPECT_EQ(manifests[0], manifests[1]);
  EXPECT_EQ(manifests[0], manifests[2]);
}

/// A model that others can run beside, each telling how many run.
class TwinEngine : public test::BrightEngine {
 public:
  TwinEngine(const fs::path& file, std::atomic<int>& made) : file_(file), made_(made) {
    description_.file = file.string();
    ++made_;
  }
  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    EXPECT_EQ(thread_count(), 1);
    test::BrightEngine::run(shape, input, logits);
  }
  [[nodiscard]] std::unique_ptr<Engine> another() const override {
    return std::make_unique<TwinEngine>(file_, made_);
  }

 private:
  fs::path file_;
  std::atomic<int>& made_;
};

// The same files, listed in the same order, as from one model.
TEST_F(PredictRun, SideBySideChangesNothing) {
  const int threads = thread_count();
  set_thread_count(3);
  for (int i = 0; i < 19; ++i) add_image("in/" + std::to_string(i) + ".png", 6 + i, 4);
  write_file(folder / "in" / "4.png", "this is no image");
  write_file(folder / "model", "weights");
  options.outputs.contours = true;
  const auto jobs = plan_outputs({folder / "in"}, options.out, options.outputs).jobs;
  EXPECT_EQ(run_jobs(engine, jobs, options, listener).done, 18);
  const nlohmann::json expected = manifest().at("images");
  const std::vector<std::string> failures = listener.failures;
  std::atomic<int> made{0};
  TwinEngine twin(folder / "model", made);
  options.out = folder / "beside";
  options.jobs = 5;
  const RunResult result = run_jobs(twin, jobs, options, listener);
  EXPECT_EQ(made, 3);
  EXPECT_EQ(result.done, 18);
  EXPECT_EQ(result.failed, 1);
  EXPECT_EQ(manifest().at("images"), expected);
  EXPECT_EQ(manifest().at("complete"), true);
  ASSERT_EQ(listener.failures.size(), 2U);
  EXPECT_EQ(listener.failures[1], failures[0]);
  options.go_on = true;
  EXPECT_EQ(run_jobs(twin, jobs, options, listener).kept, 18);
  // Fewer jobs are fewer models.
  options.go_on = false;
  options.force = true;
  made = 0;
  options.jobs = 2;
  run_jobs(twin, jobs, options, listener);
  EXPECT_EQ(made, 1) << "beside the one that was there";
  options.jobs = 5;
  // Too few images to repay another model.
  options.go_on = false;
  options.force = true;
  made = 0;
  set_thread_count(1);
  run_jobs(twin, {jobs.begin(), jobs.begin() + 3}, options, listener);
  EXPECT_EQ(made, 0);
  set_thread_count(threads);
}

TEST_F(PredictRun, ContinuesWhereARunWasStopped) {
  for (const char* name : {"in/a.png", "in/b.png", "in/c.png"}) add_image(name);
  engine.stop = &listener.stop;
  EXPECT_THROW(run({folder / "in"}), Stopped);
  engine.stop = nullptr;
  listener.stop = 0;
  // Killed while it wrote: a whole file that no manifest tells of, but that was planned.
  write_file(options.out / "b.png", "of the killed run");
  EXPECT_THROW(run({folder / "in"}), Error) << "not without being asked for";
  options.go_on = true;
  const RunResult result = run({folder / "in"});
  EXPECT_EQ(result.kept, 1);
  EXPECT_EQ(result.done, 2);
  EXPECT_EQ(manifest().at("complete"), true);
  EXPECT_EQ(manifest().at("images").size(), 3U);
  EXPECT_EQ(manifest().at("images").at(0).at("input"), (folder / "in/a.png").string());
  // Nothing is left to do; what was changed since is done again.
  EXPECT_EQ(run({folder / "in"}).kept, 3);
  write_file(options.out / "c.png", "changed");
  add_image("in/a.png", 9, 9);
  EXPECT_EQ(run({folder / "in"}).done, 2);
  EXPECT_EQ(data::read_image_size(options.out / "a.png"), (data::ImageSize{9, 9}));
}

TEST_F(PredictRun, ContinuesOnlyTheSameRun) {
  add_image("in/a.png");
  run({folder / "in"});
  options.go_on = true;
  const RunOptions same = options;
  options.outputs.post.min_area = 5;
  EXPECT_THROW(run({folder / "in"}), Error) << "other options";
  options = same;
  add_image("in/z.png");
  write_file(options.out / "z.png", "precious");
  EXPECT_THROW(run({folder / "in"}), Error) << "a file of nobody's run";
  EXPECT_EQ(read_file(options.out / "z.png"), "precious");
  fs::remove(options.out / "z.png");
  for (const char* broken : {"", "[]", "{}", R"({"format": "medurwkv-predictions"})", "nonsense",
                             R"({"format": "medurwkv-predictions", "format_version": 2})"}) {
    write_file(options.out / manifest_name, broken);
    EXPECT_THROW(run({folder / "in"}), Error) << broken;
  }
}

TEST_F(PredictRun, FollowsNoLinkOutOfItsFolder) {
  add_image("in/sub/a.png");
  make_folder(options.out);
  make_folder(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", options.out / "sub");
  options.force = true;
  EXPECT_THROW(run({folder / "in"}), Error);
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
  // A link in place of a mask is replaced, what it leads to is not.
  fs::remove(options.out / "sub");
  make_folder(options.out / "sub");
  write_file(folder / "elsewhere/file", "precious");
  fs::create_symlink(folder / "elsewhere/file", options.out / "sub/a.png");
  EXPECT_EQ(run({folder / "in"}).done, 1);
  EXPECT_EQ(read_file(folder / "elsewhere/file"), "precious");
  EXPECT_EQ(data::read_image_size(options.out / "sub/a.png"), (data::ImageSize{6, 4}));
}

// 16-bit probabilities and the unsure map, read back; the engine's logits are 0 and 1/2 on white.
TEST_F(PredictRun, WritesProbabilitiesAsPictures) {
  add_image("in/a.png");
  options.outputs.probabilities = Probabilities::png;
  options.outputs.unsure = true;
  run({folder / "in"});
  const double white = 1 / (1 + std::exp(-0.5));
  const data::Image one = data::read_image(options.out / "a_probabilities_1.png");
  ASSERT_EQ(one.type, data::SampleType::u16);
  EXPECT_NEAR(one.value(3, 2, 0), white, 1.0 / 65535);
  EXPECT_FALSE(fs::exists(options.out / "a_probabilities_0.png"));
  const data::Image unsure = data::read_image(options.out / "a_unsure.png");
  ASSERT_EQ(unsure.type, data::SampleType::u8);
  EXPECT_NEAR(unsure.value(3, 2, 0), 2 - 2 * white, 1.0 / 255);
  EXPECT_NEAR(manifest().at("images").at(0).at("unsure").get<double>(), 2 - 2 * white, 1e-6);
}

TEST_F(PredictRun, CorrectsWhenAsked) {
  add_image("in/a.png");
  options.outputs.post.threshold = 0.9;
  run({folder / "in"});
  EXPECT_EQ(manifest().at("images").at(0).at("class_pixels"), (std::vector<int>{24, 0}));
  EXPECT_EQ(manifest().at("options").at("threshold"), 0.9);
  EXPECT_EQ(manifest().at("options").at("largest"), false);
}

TEST(ExpandInputs, FilesPatternsAndALine) {
  const test::TemporaryFolder folder;
  for (const char* name : {"b.png", "a.png", "c.jpg", "[x].png"}) {
    write_file(folder.path() / name, "");
  }
  const std::string at = folder.path().string() + "/";
  std::istringstream list("one.png\r\n\n/two two.png\n");
  EXPECT_EQ(expand_inputs({at + "*.png", "-", at + "[x].png", at + "*.gif", at + "?.jpg"}, list),
            (std::vector<fs::path>{at + "[x].png", at + "a.png", at + "b.png", "one.png",
                                   "/two two.png", at + "[x].png", at + "*.gif", at + "c.jpg"}));
}

// Against the format's own rules (NEP 1): magic, version, a header that ends in a newline at a
// multiple of 64, then the values in order.
TEST(EncodeNpy, FollowsTheFormat) {
  const std::vector<float> values{1, -2, 0.5F, 8, 9, 10};
  const std::string bytes = encode_npy(values, 1, {3, 2});
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t header =
      static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  EXPECT_EQ((10 + header) % 64, 0U);
  EXPECT_EQ(bytes[10 + header - 1], '\n');
  EXPECT_NE(bytes.find("'shape': (1, 2, 3), "), std::string::npos);
  ASSERT_EQ(bytes.size(), 10 + header + 6 * sizeof(float));
  std::vector<float> read(6);
  std::memcpy(read.data(), bytes.data() + 10 + header, 6 * sizeof(float));
  EXPECT_EQ(read, values);
}

}  // namespace
}  // namespace medurwkv::predict
