// A prediction that is shared out: which images are whose, and what becomes of the shards'
// manifests. The law: shards that are merged are what one run over all images is, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/folder_lock.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "predict/runner.h"
#include "predict/shard.h"
#include "support/bright_engine.h"
#include "support/listener.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::predict {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int images = 20;
constexpr int shards = 3;

class PredictShard : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < images; ++i) {
      std::vector<unsigned char> samples(24, static_cast<unsigned char>(10 * i));
      samples.front() = 255;
      const fs::path file = in() / (i % 4 == 0 ? "sub" : "") / concat("image", i, ".png");
      make_folder(file.parent_path());
      write_file(file, data::encode_png(data::Image{6, 4, 1, data::SampleType::u8, samples}));
    }
    write_file(in() / "broken.png", "no image");
  }
  [[nodiscard]] fs::path in() const { return folder_.path() / "in"; }
  [[nodiscard]] fs::path out() const { return folder_.path() / "out"; }

  RunResult run(const fs::path& to, const std::optional<Shard>& shard) {
    RunOptions options = how;
    options.out = to;
    std::vector<Job> jobs = plan_outputs({in()}, to, options.outputs).jobs;
    if (shard) options.part = take_shard(jobs, *shard);
    return run_jobs(engine, jobs, options, listener);
  }
  void run_all() {
    for (int i = 1; i <= shards; ++i) run(out(), Shard{i, shards});
  }
  Merged merge(bool force = false) { return merge_shards(out(), force, listener); }
  void refused(const std::string& words) {
    const auto refusal = test::refusal_of([&] { return merge(); });
    ASSERT_TRUE(refusal) << words;
    EXPECT_TRUE(refusal->names(words)) << refusal->message;
    EXPECT_FALSE(fs::exists(out() / manifest_name)) << words;
  }
  /// Changes a shard's manifest.
  void edit(int index, const std::function<void(json&)>& change) {
    const fs::path file = out() / manifest_name_of({index, shards});
    json manifest = json::parse(read_file(file));
    change(manifest);
    write_file(file, manifest.dump());
  }
  static std::map<std::string, std::string> files_of(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      files[entry.path().lexically_relative(folder).string()] = read_file(entry.path());
    }
    return files;
  }

  RunOptions how;
  test::BrightEngine engine;
  test::KeepingListener listener;

 private:
  test::TemporaryFolder folder_;
};

// By Python: int(hashlib.sha256(name.encode()).hexdigest()[:15], 16) % count + 1.
TEST(Shards, AreThoseOfThePublishedRule) {
  const auto shards_of = [](const char* name) {
    return std::vector<int>{shard_of(name, 1), shard_of(name, 2), shard_of(name, 3),
                            shard_of(name, 1000)};
  };
  EXPECT_EQ(shards_of("a.png"), (std::vector<int>{1, 2, 1, 230}));
  EXPECT_EQ(shards_of("deep/er/b.png"), (std::vector<int>{1, 1, 3, 649}));
  EXPECT_EQ(shards_of("case_7.png"), (std::vector<int>{1, 1, 2, 467}));
}

TEST(Shards, AreWrittenAsPeopleCount) {
  EXPECT_EQ(shard_from("2/8").index, 2);
  EXPECT_EQ(shard_from("2/8").count, 8);
  EXPECT_EQ(to_string(shard_from("1/1")), "1/1");
  for (const char* wrong : {"", "1", "/", "0/2", "3/2", "1/0", "a/2", "1/2x", "-1/2", "1/ 2"}) {
    EXPECT_TRUE(test::refusal_of([&] { return shard_from(wrong); })) << wrong;
  }
}

TEST_F(PredictShard, EveryImageIsInOneShardOfAnyNumber) {
  const std::vector<Job> all = plan_outputs({in()}, out(), {}).jobs;
  ASSERT_EQ(all.size(), images + 1U);
  for (const int count : {1, 2, 3, 7, 50}) {
    std::vector<int> seen(all.size(), 0);
    for (int index = 1; index <= count; ++index) {
      std::vector<Job> jobs = all;
      const PartOfList part = take_shard(jobs, {index, count});
      EXPECT_EQ(part.images, all.size());
      for (const Job& job : jobs) {
        ++seen.at(job.place);
        EXPECT_EQ(job.input(), all.at(job.place).input());
      }
    }
    EXPECT_EQ(seen, std::vector<int>(all.size(), 1)) << count;
  }
}

TEST_F(PredictShard, MergedShardsAreOneRun) {
  EXPECT_EQ(run(out() / ".." / "whole", {}).failed, 1);
  run_all();
  const Merged merged = merge();
  EXPECT_EQ(merged.shards, shards);
  EXPECT_EQ(merged.images, images + 1U);
  EXPECT_EQ(merged.failed, 1U);
  std::map<std::string, std::string> together = files_of(out());
  for (int i = 1; i <= shards; ++i) EXPECT_EQ(together.erase(manifest_name_of({i, shards})), 1U);
  EXPECT_EQ(together, files_of(out() / ".." / "whole"));
  // Again: the same. Another manifest.json is not overwritten unasked.
  EXPECT_EQ(merge().images, images + 1U);
  write_file(out() / manifest_name, "precious");
  EXPECT_TRUE(test::refusal_of([&] { return merge(); }));
  EXPECT_EQ(read_file(out() / manifest_name), "precious");
  merge(true);
  EXPECT_EQ(read_file(out() / manifest_name), files_of(out() / ".." / "whole").at(manifest_name));
}

TEST_F(PredictShard, AStoppedShardGoesOn) {
  run(out() / ".." / "whole", {});
  engine.stop = &listener.stop;
  EXPECT_THROW(run(out(), Shard{2, shards}), Stopped);
  engine.stop = nullptr;
  listener.stop = 0;
  run(out(), Shard{1, shards});
  run(out(), Shard{3, shards});
  refused("not complete: 2/3");
  how.go_on = true;
  EXPECT_EQ(run(out(), Shard{2, shards}).kept, 1);
  merge();
  EXPECT_EQ(read_file(out() / manifest_name), files_of(out() / ".." / "whole").at(manifest_name));
  // After the merge, too, every shard finds its work done.
  std::int64_t kept = 0;
  for (int i = 1; i <= shards; ++i) kept += run(out(), Shard{i, shards}).kept;
  EXPECT_EQ(kept, images);
}

TEST_F(PredictShard, MoreShardsThanImages) {
  for (int i = 1; i <= 40; ++i) run(out(), Shard{i, 40});
  EXPECT_EQ(merge().images, images + 1U);
}

TEST_F(PredictShard, SaysWhichShardsAreMissing) {
  make_folder(out());
  refused("no manifest of a shard");
  run(out(), Shard{2, shards});
  refused("2 of 3 shards are missing: 1/3, 3/3");
  run(out(), Shard{1, 4});
  refused("different numbers of shards");
}

TEST_F(PredictShard, RefusesShardsOfDifferentRuns) {
  run(out(), Shard{1, shards});
  run(out(), Shard{2, shards});
  how.outputs.post.min_area = 3;
  run(out(), Shard{3, shards});
  refused("different options");
  how = {};
  how.force = true;
  engine.set_content('2');
  run(out(), Shard{3, shards});
  refused("different models");
  engine.set_content('1');
  run(out(), Shard{3, shards});
  edit(3, [](json& manifest) { manifest["medurwkv"] = "0.0.1"; });
  refused("different program versions");
  // One more image, which only the last shard has seen.
  write_file(in() / "more.png", read_file(in() / "image1.png"));
  run(out(), Shard{3, shards});
  refused("different lists of images (21 and 22)");
}

TEST_F(PredictShard, SaysWhatIsMissingDoubledOrChanged) {
  run_all();
  const std::string good = read_file(out() / manifest_name_of({1, shards}));
  const json first = json::parse(good).at("images").at(0);
  const auto again = [&] { write_file(out() / manifest_name_of({1, shards}), good); };
  edit(1, [](json& manifest) { manifest.at("images").erase(0); });
  refused(concat("1 of 21 images of the list are in no shard's manifest: number ",
                 first.at("place").get<int>() + 1));
  again();
  edit(1, [&](json& manifest) { manifest.at("images").push_back(first); });
  refused("twice: " + first.at("input").get<std::string>());
  again();
  edit(1, [](json& manifest) { manifest.at("images").at(0).at("place") = 21; });
  refused("has image 22 of a list of 21");
  again();
  edit(1, [](json& manifest) { manifest.at("images").at(0).erase("place"); });
  refused("is broken");
  again();
  edit(1, [](json& manifest) {
    manifest.at("images").at(0).at("outputs").at(0).at("file") = "../in/image1.png";
  });
  refused("..");
  again();
  const std::string mask = first.at("outputs").at(0).at("file");
  fs::remove(out() / mask);
  refused(concat("1 files are gone or no longer what the shards' manifests say: ", mask,
                 "; run predict --shard --continue for 1/3"));
  how.go_on = true;
  EXPECT_EQ(run(out(), Shard{1, shards}).done, 1);
  EXPECT_EQ(merge().images, images + 1U);
}

// Shards of one folder work side by side; a second run of one of them, a run over all and a merge
// do not.
TEST_F(PredictShard, KeepsASecondWriterOut) {
  make_folder(out());
  const std::string lock = FolderLock::name;
  {
    const FolderLock other(out(), FolderLock::Part{"2/3"});
    run(out(), Shard{1, shards});
    EXPECT_TRUE(test::refusal_of([&] { return run(out(), Shard{2, shards}); }));
    EXPECT_TRUE(test::refusal_of([&] { return run(out(), {}); }));
    const auto refusal = test::refusal_of([&] { return merge(); });
    ASSERT_TRUE(refusal);
    EXPECT_TRUE(refusal->names("another run is writing")) << refusal->message;
  }
  {
    const FolderLock whole(out());
    EXPECT_TRUE(test::refusal_of([&] { return run(out(), Shard{2, shards}); }));
  }
  run(out(), Shard{2, shards});
  run(out(), Shard{3, shards});
  merge();
  for (const auto& [file, bytes] : files_of(out())) EXPECT_EQ(file.find(lock), std::string::npos);
}

TEST_F(PredictShard, DoesNotMixWithARunInOnePiece) {
  run(out(), {});
  EXPECT_TRUE(test::refusal_of([&] { return run(out(), Shard{1, shards}); }));
  how.go_on = true;
  EXPECT_TRUE(test::refusal_of([&] {
    return run(out(), Shard{1, shards});
  })) << "its masks are of nobody's shard";
}

}  // namespace
}  // namespace medurwkv::predict
