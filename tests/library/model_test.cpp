// Models through the public headers and the shared library: the program's answers, any strides,
// older callers, refusals.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "library/world.h"
#include "medurwkv/medurwkv.h"
#include "medurwkv/medurwkv.hpp"

namespace {

using library::bytes_of;
using library::model_file;
using library::picture;
using library::Picture;
using Image8 = medurwkv::Image<std::uint8_t>;

Image8 image_of(const Picture& from) {
  return {from.samples, from.width, from.height, from.channels};
}

TEST(LibraryModel, DescribesItself) {
  const medurwkv::Model model(model_file());
  const medurwkv_description got = model.description();
  EXPECT_EQ(got.width, 64);
  EXPECT_EQ(got.height, 64);
  EXPECT_EQ(got.channels, 3);
  EXPECT_EQ(got.class_count, 2);
  EXPECT_STREQ(got.fit, "stretch");
  EXPECT_STREQ(got.network, "nano");
  EXPECT_STREQ(got.precision, "float32");
  EXPECT_EQ(std::string(got.content_sha256).substr(0, 8), "ff095782");
  ASSERT_EQ(model.classes().size(), 2U);
  EXPECT_EQ(model.classes()[1].name, "foreground");
  EXPECT_EQ(medurwkv_class_name(model.c(), 2), nullptr);
  EXPECT_EQ(medurwkv_class_name(model.c(), -1), nullptr);
  EXPECT_STREQ(medurwkv_version(), library::project_version().c_str());
  EXPECT_EQ(medurwkv_api_major(), MEDURWKV_API_MAJOR);
  EXPECT_EQ(medurwkv_api_minor(), MEDURWKV_API_MINOR);
}

// The probabilities that `medurwkv predict` writes of the same image, bit for bit, and its labels.
TEST(LibraryModel, AnswersAsTheProgramDoes) {
  const Picture from = picture(70, 50, 3);
  const library::Predicted want = library::predicted_by_program(from);
  const medurwkv::Model model(model_file());
  const medurwkv::Segmentation got = model.segment(image_of(from), {.with_unsureness = true});
  EXPECT_EQ(got.width, 70);
  EXPECT_EQ(got.height, 50);
  ASSERT_EQ(got.probabilities.size(), want.probabilities.size());
  EXPECT_EQ(got.probabilities, want.probabilities);
  const std::size_t pixels = got.labels.size();
  std::int64_t inside = 0;
  for (std::size_t i = 0; i < pixels; ++i) {
    const float background = got.probabilities[i];
    const float foreground = got.probabilities[pixels + i];
    EXPECT_EQ(got.labels[i], foreground > background ? 1 : 0);
    EXPECT_NEAR(got.unsureness[i], 1 - std::abs(foreground - background), 1e-6F);
    inside += got.labels[i];
  }
  EXPECT_GT(inside, 0) << "a test of nothing";
  EXPECT_LT(inside, static_cast<std::int64_t>(pixels));
}

TEST(LibraryModel, OpensFromMemory) {
  const std::string bytes = bytes_of(model_file());
  const Picture from = picture(40, 30, 3);
  const auto opened = [&] {
    std::string copy = bytes;
    const medurwkv::Model model(std::as_bytes(std::span<const char>(copy)));
    copy.assign(copy.size(), '\0');  // it has been copied
    // Two sizes: for the second the weights are read again.
    const auto first = model.segment(image_of(picture(32, 32, 3)));
    return model.segment(image_of(from));
  }();
  EXPECT_EQ(opened.probabilities,
            medurwkv::Model(model_file()).segment(image_of(from)).probabilities);
  std::string damaged = bytes;
  damaged[damaged.size() / 2] ^= 1;
  try {
    const medurwkv::Model model(std::as_bytes(std::span<const char>(damaged)));
    FAIL() << "a damaged model was opened";
  } catch (const medurwkv::Failure& failure) {
    EXPECT_EQ(failure.code(), MEDURWKV_FAILED);
    EXPECT_NE(std::string(failure.what()).find("damaged"), std::string::npos) << failure.what();
  }
}

// The same image in planes, upside down and with gaps between rows.
TEST(LibraryModel, TakesAnyStrides) {
  const Picture from = picture(33, 21, 3);
  const medurwkv::Model model(model_file());
  const auto want = model.segment(image_of(from)).probabilities;
  std::vector<std::uint8_t> planes(3 * 40 * 21, 7);
  const auto at = [&](std::int64_t c, std::int64_t y, std::int64_t x) -> std::uint8_t& {
    return planes[static_cast<std::size_t>((c * 21 + (20 - y)) * 40 + x)];
  };
  for (std::int64_t y = 0; y < 21; ++y) {
    for (std::int64_t x = 0; x < 33; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) at(c, y, x) = from.at(x, y, c);
    }
  }
  const Image8 strided(&at(0, 0, 0), 33, 21, 3, -40, 1, 40 * 21);
  EXPECT_EQ(model.segment(strided).probabilities, want);
}

TEST(LibraryModel, TakesEverySampleType) {
  const Picture from = picture(33, 21, 3);
  const medurwkv::Model model(model_file());
  const auto want = model.segment(image_of(from)).probabilities;
  std::vector<float> floats;
  std::vector<std::uint16_t> wide;
  for (const std::uint8_t one : from.samples) {
    floats.push_back(static_cast<float>(one) / 255.0F);
    wide.push_back(static_cast<std::uint16_t>(257 * one));
  }
  const auto near = [&](const std::vector<float>& got) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5F);
  };
  near(model.segment(medurwkv::Image<float>(floats, 33, 21, 3)).probabilities);
  near(model.segment(medurwkv::Image<std::uint16_t>(wide, 33, 21, 3)).probabilities);
  // A gray image is one whose channels agree.
  const Picture gray = picture(33, 21, 1);
  Picture tripled{33, 21, 3, {}};
  for (const std::uint8_t one : gray.samples) tripled.samples.insert(tripled.samples.end(), 3, one);
  near(model.segment(image_of(from)).probabilities);
  EXPECT_EQ(model.segment(image_of(gray)).probabilities,
            model.segment(image_of(tripled)).probabilities);
}

TEST(LibraryModel, DecidesAsAsked) {
  const Picture from = picture(60, 60, 3);
  const medurwkv::Model model(model_file());
  const auto plain = model.segment(image_of(from));
  const auto sure = model.segment(image_of(from), {.threshold = 0.999});
  const std::size_t pixels = plain.labels.size();
  for (std::size_t i = 0; i < pixels; ++i) {
    EXPECT_EQ(sure.labels[i], plain.probabilities[pixels + i] >= 0.999F ? 1 : 0);
  }
  const auto none = model.segment(image_of(from), {.min_area = 3601});
  EXPECT_EQ(std::count(none.labels.begin(), none.labels.end(), 0), 3600);
  EXPECT_NE(model.segment(image_of(from), {.flips = true}).probabilities, plain.probabilities);
  EXPECT_TRUE(model.segment(image_of(from), {.with_probabilities = false}).probabilities.empty());
}

TEST(LibraryModel, ReadsImageFiles) {
  const Picture from = picture(70, 50, 3);
  const medurwkv::test::TemporaryFolder folder;
  const std::string file = (folder.path() / "image.ppm").string();
  {
    std::ofstream out(file, std::ios::binary);
    out << "P6\n70 50\n255\n";
    out.write(reinterpret_cast<const char*>(from.samples.data()),
              static_cast<std::streamsize>(from.samples.size()));
  }
  const medurwkv::Picture read(file);
  EXPECT_EQ(read.c().width, 70);
  EXPECT_EQ(read.c().channels, 3);
  const medurwkv::Model model(model_file());
  EXPECT_EQ(model.segment(read).probabilities, model.segment(image_of(from)).probabilities);
  EXPECT_THROW(medurwkv::Picture("nowhere.png"), medurwkv::Failure);
}

TEST(LibraryModel, SegmentsABatchReportsAndStops) {
  const medurwkv::Model model(model_file());
  const std::vector<Picture> pictures{picture(30, 20, 3), picture(20, 40, 1), picture(64, 64, 3)};
  std::vector<Image8> images;
  for (const Picture& one : pictures) images.push_back(image_of(one));
  std::vector<std::int64_t> heard;
  medurwkv::SegmentOptions options;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, 3);
    heard.push_back(done);
    return true;
  };
  const auto got = model.segment(std::span<const Image8>(images), options);
  EXPECT_EQ(heard, (std::vector<std::int64_t>{1, 2, 3}));
  for (std::size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ(got[i].probabilities, model.segment(images[i]).probabilities);
  }
  options.progress = [](std::int64_t done, std::int64_t /*total*/) { return done < 2; };
  try {
    (void)model.segment(std::span<const Image8>(images), options);
    FAIL() << "it was not stopped";
  } catch (const medurwkv::Failure& failure) {
    EXPECT_EQ(failure.code(), MEDURWKV_STOPPED);
  }
  options.progress = [](std::int64_t, std::int64_t) -> bool { throw std::runtime_error("mine"); };
  EXPECT_THROW((void)model.segment(std::span<const Image8>(images), options), std::runtime_error);
  options.progress = {};
  EXPECT_TRUE(model.segment(std::span<const Image8>(), options).empty());
}

// Calls with one model wait for each other; clones run side by side. All get the same bits.
TEST(LibraryModel, IsSafeWithThreads) {
  const medurwkv::Model model(model_file(), {.threads = 1});
  const Picture from = picture(48, 40, 3);
  const auto want = model.segment(image_of(from)).probabilities;
  std::vector<std::thread> threads;
  std::vector<std::vector<float>> got(6);
  for (std::size_t t = 0; t < got.size(); ++t) {
    threads.emplace_back([&, t] {
      if (t % 2 == 0) {
        got[t] = model.segment(image_of(from)).probabilities;
      } else {
        const medurwkv::Model own = model.clone();
        got[t] = own.segment(image_of(from)).probabilities;
      }
    });
  }
  for (std::thread& one : threads) one.join();
  for (const auto& one : got) EXPECT_EQ(one, want);
}

// A message belongs to the thread whose call failed.
TEST(LibraryModel, SaysWhyInTheThreadThatFailed) {
  medurwkv_model* model = nullptr;
  EXPECT_EQ(medurwkv_open("no such file.model", nullptr, &model), MEDURWKV_FAILED);
  EXPECT_EQ(model, nullptr);
  EXPECT_NE(std::string(medurwkv_message()).find("no such file.model"), std::string::npos);
  std::thread([] { EXPECT_STREQ(medurwkv_message(), ""); }).join();
  EXPECT_EQ(medurwkv_open(model_file().c_str(), nullptr, &model), MEDURWKV_OK);
  EXPECT_STREQ(medurwkv_message(), "");
  medurwkv_close(model);
  medurwkv_close(nullptr);
}

TEST(LibraryModel, RefusesWrongArguments) {
  const medurwkv::Model model(model_file());
  const auto code_of = [&](const medurwkv_image& image,
                           const medurwkv_segment_options* options = nullptr) {
    MEDURWKV_NEW(medurwkv_result, result);
    return medurwkv_segment(model.c(), &image, 1, options, &result);
  };
  const Picture from = picture(8, 8, 3);
  const medurwkv_image good = image_of(from).c();
  EXPECT_EQ(code_of(good), MEDURWKV_OK);
  medurwkv_image bad = good;
  bad.struct_size = 0;
  EXPECT_EQ(code_of(bad), MEDURWKV_USAGE);
  EXPECT_NE(std::string(medurwkv_message()).find("struct_size is 0"), std::string::npos);
  bad.struct_size = std::size_t{1} << 40;
  EXPECT_EQ(code_of(bad), MEDURWKV_USAGE);
  bad = good;
  bad.width = 0;
  EXPECT_EQ(code_of(bad), MEDURWKV_USAGE);
  bad = good;
  bad.data = nullptr;
  EXPECT_EQ(code_of(bad), MEDURWKV_USAGE);
  bad = good;
  bad.sample = 9;
  EXPECT_EQ(code_of(bad), MEDURWKV_USAGE);
  bad = good;
  bad.channels = 2;
  bad.width = 12;
  EXPECT_EQ(code_of(bad), MEDURWKV_FAILED) << "the model takes one and three channels";
  MEDURWKV_NEW(medurwkv_segment_options, options);
  options.use_threshold = 1;
  options.threshold = 1.5;
  EXPECT_EQ(code_of(good, &options), MEDURWKV_USAGE);
  EXPECT_EQ(medurwkv_segment(nullptr, &good, 1, nullptr, nullptr), MEDURWKV_USAGE);
  medurwkv_model* out = nullptr;
  EXPECT_EQ(medurwkv_open(nullptr, nullptr, &out), MEDURWKV_USAGE);
  EXPECT_EQ(medurwkv_open("x", nullptr, nullptr), MEDURWKV_USAGE);
  MEDURWKV_NEW(medurwkv_open_options, how);
  how.precision = "float31";
  EXPECT_EQ(medurwkv_open(model_file().c_str(), &how, &out), MEDURWKV_USAGE);
  EXPECT_NE(std::string(medurwkv_message()).find("float32"), std::string::npos);
}

// A program of an earlier version knows the first fields of a struct, one of a later version more.
TEST(LibraryModel, KnowsOlderAndNewerCallers) {
  const medurwkv::Model model(model_file());
  const Picture from = picture(8, 6, 3);
  struct LaterImage {
    medurwkv_image known;
    double unknown;
  };
  LaterImage images[2]{{image_of(from).c(), 0}, {image_of(from).c(), 0}};
  images[0].known.struct_size = images[1].known.struct_size = sizeof(LaterImage);
  struct EarlierResult {
    std::size_t struct_size;
    std::uint8_t* labels;
    std::int64_t label_stride;
  };
  std::vector<std::uint8_t> labels(2 * 8 * 6, 9);
  EarlierResult results[2]{{sizeof(EarlierResult), labels.data(), 0},
                           {sizeof(EarlierResult), labels.data() + 48, 0}};
  ASSERT_EQ(medurwkv_segment(model.c(), &images[0].known, 2, nullptr,
                             reinterpret_cast<medurwkv_result*>(results)),
            MEDURWKV_OK)
      << medurwkv_message();
  EXPECT_TRUE(
      std::all_of(labels.begin(), labels.end(), [](std::uint8_t label) { return label < 2; }));
  // What a later program asks for beyond is refused, not passed over.
  images[1].unknown = 2.5;
  EXPECT_EQ(medurwkv_segment(model.c(), &images[0].known, 2, nullptr,
                             reinterpret_cast<medurwkv_result*>(results)),
            MEDURWKV_USAGE);
  EXPECT_NE(std::string(medurwkv_message()).find("needs a later one"), std::string::npos);
  // What is written is not more than the caller has room for.
  struct {
    std::size_t struct_size = sizeof(std::size_t) + 2 * sizeof(std::int32_t);
    std::int32_t width = 0, height = 0;
    std::int32_t mine = 77;
  } earlier;
  ASSERT_EQ(medurwkv_describe(model.c(), reinterpret_cast<medurwkv_description*>(&earlier)),
            MEDURWKV_OK);
  EXPECT_EQ(earlier.width, 64);
  EXPECT_EQ(earlier.mine, 77);
}

}  // namespace
