// The loader: the same batches on any number of workers and from any step, within its bounds, and
// its ends: errors, a stop in the midst. Runs under the thread sanitizer too.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/model_description.h"
#include "core/random.h"
#include "core/text.h"
#include "data/feed/augment.h"
#include "data/feed/batch_loader.h"
#include "support/images.h"

namespace medurwkv::data {
namespace {

constexpr std::int64_t case_count = 11;
constexpr std::int64_t case_bytes = 20 * 16 * 4;  // three bytes of colour, one of label a pixel
constexpr std::int64_t everything = std::int64_t{1} << 40;

LoadedCase made_case(std::size_t index) {
  const auto number = static_cast<int>(index);
  return {concat("case", index),
          test::make_image(20, 16, 3,
                           [&](auto x, auto y, auto c) {
                             return static_cast<int>(x * 7 + y * 3 + c + number * 20) % 256;
                           }),
          test::make_labels(20, 16, [&](auto x, auto) { return x > number ? 1 : 0; })};
}

constexpr std::uint64_t seed = 5;

InputContract contract() {
  InputContract out;
  out.width = 16;
  out.height = 12;
  return out;
}

AugmentedSample sample_of(const LoadedCase& item, std::uint64_t epoch, std::uint64_t index) {
  return make_training_sample(item.image, item.labels, contract(), augment_preset("medium"), seed,
                              epoch, index);
}

LoaderOptions options_for(int workers) {
  LoaderOptions out;
  out.make = [](const LoadedCase& item, std::uint64_t epoch, std::uint64_t index,
                const SampleSpace& space) {
    const AugmentedSample sample = sample_of(item, epoch, index);
    ASSERT_EQ(sample.input.size(), space.image.size());
    ASSERT_EQ(sample.labels.labels.size(), space.labels.size());
    std::copy(sample.input.begin(), sample.input.end(), space.image.begin());
    std::copy(sample.labels.labels.begin(), sample.labels.labels.end(), space.labels.begin());
  };
  out.counts = {.image = 3 * 16 * 12, .labels = 16 * 12};
  out.cases = case_count;
  out.batch = 4;
  out.steps = 9;  // three epochs of 4 + 4 + 3
  out.seed = seed;
  out.workers = workers;
  return out;
}

// One after the other, without any of the loader's parts but the order's definition.
std::vector<SampleBatch> expected_batches() {
  const LoaderOptions options = options_for(1);
  std::vector<SampleBatch> out;
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    const std::vector<std::int64_t> order = Random({options.seed, epoch}).permutation(case_count);
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i % 4 == 0) out.emplace_back();
      SampleBatch& batch = out.back();
      const LoadedCase item = made_case(static_cast<std::size_t>(order[i]));
      const AugmentedSample sample = sample_of(item, epoch, static_cast<std::uint64_t>(order[i]));
      ++batch.count;
      batch.cases.push_back(static_cast<std::size_t>(order[i]));
      batch.ids.push_back(item.id);
      batch.images.insert(batch.images.end(), sample.input.begin(), sample.input.end());
      batch.labels.insert(batch.labels.end(), sample.labels.labels.begin(),
                          sample.labels.labels.end());
    }
  }
  return out;
}

void expect_equal(const SampleBatch& got, const SampleBatch& expected) {
  EXPECT_EQ(got.count, expected.count);
  EXPECT_EQ(got.ids, expected.ids);
  EXPECT_EQ(got.cases, expected.cases);
  EXPECT_EQ(got.images, expected.images);
  EXPECT_EQ(got.labels, expected.labels);
}

// Whatever the workers, the memory for decoded cases and the step a run resumes at: the same bits.
TEST(BatchLoader, GivesTheSameBatchesOnAnyNumberOfWorkers) {
  const std::vector<SampleBatch> expected = expected_batches();
  ASSERT_EQ(expected.size(), 9U);
  for (const int workers : {1, 2, 8}) {
    for (const std::int64_t budget : {std::int64_t{0}, 3 * case_bytes, everything}) {
      for (const std::int64_t first : {0, 4}) {
        CaseCache cache(case_count, made_case, budget);
        BatchLoader loader(cache, options_for(workers));
        ASSERT_EQ(loader.steps_per_epoch(), 3);
        for (std::int64_t step = first; step < 9; ++step) {
          expect_equal(loader.take(step), expected[static_cast<std::size_t>(step)]);
        }
        EXPECT_LE(cache.bytes(), budget);
      }
    }
  }
}

TEST(BatchLoader, EveryEpochHasEveryCaseOnceInAnotherOrder) {
  CaseCache cache(case_count, made_case, everything);
  BatchLoader loader(cache, options_for(3));
  std::set<std::vector<std::string>> orders;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::string> ids;
    for (std::int64_t i = 0; i < 3; ++i) {
      const SampleBatch batch = loader.take(3 * epoch + i);
      ids.insert(ids.end(), batch.ids.begin(), batch.ids.end());
    }
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 11U);
    EXPECT_EQ(ids.size(), 11U);
    orders.insert(ids);
  }
  EXPECT_EQ(orders.size(), 3U);
}

// Nobody takes more: the workers come to rest after the batches that may be ahead.
TEST(BatchLoader, RunsAheadByItsBoundAndNoFurther) {
  for (const std::int64_t ahead : {1, 3}) {
    std::atomic<int> reads = 0;
    CaseCache cache(
        case_count,
        [&](std::size_t index) {
          ++reads;
          return made_case(index);
        },
        0);
    LoaderOptions options = options_for(4);
    options.ahead = ahead;
    BatchLoader loader(cache, options);
    static_cast<void>(loader.take(0));
    const int most = static_cast<int>(4 + (ahead == 1 ? 4 : 4 + 3 + 4));
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (reads < most && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(reads, most);
  }
}

// Pretraining's samples: no mask, a picture for the student, a larger one for its teacher, and
// where both lie. `parts` loaders together make the batch, each sample in its own place.
TEST(BatchLoader, HoldsASecondPictureAndItsPlaceAndNoLabels) {
  const auto unmasked = [](std::size_t index) {
    LoadedCase item = made_case(index);
    item.labels = {};
    return item;
  };
  LoaderOptions options = options_for(3);
  options.counts = {.image = 2, .second = 3};
  options.make = [](const LoadedCase& item, std::uint64_t epoch, std::uint64_t index,
                    const SampleSpace& out) {
    EXPECT_TRUE(out.labels.empty());
    EXPECT_EQ(out.box.xx, 1);
    const auto number = static_cast<float>(index);
    std::fill(out.image.begin(), out.image.end(), number);
    for (std::size_t i = 0; i < 3; ++i) out.second[i] = 100 * number + static_cast<float>(i);
    out.box = {.xx = static_cast<double>(epoch), .x0 = static_cast<double>(item.image.bytes[0])};
  };
  options.parts = 2;
  for (const std::int64_t budget : {std::int64_t{0}, everything}) {
    CaseCache cache(case_count, unmasked, budget);
    for (options.part = 0; options.part < 2; ++options.part) {
      BatchLoader loader(cache, options);
      for (std::int64_t step = 0; step < 9; ++step) {
        const SampleBatch batch = loader.take(step);
        const auto epoch = static_cast<std::uint64_t>(step / 3);
        const std::vector<std::int64_t> order = Random({seed, epoch}).permutation(case_count);
        ASSERT_EQ(batch.images.size(), static_cast<std::size_t>(2 * batch.count));
        ASSERT_EQ(batch.second.size(), static_cast<std::size_t>(3 * batch.count));
        ASSERT_EQ(batch.boxes.size(), static_cast<std::size_t>(batch.count));
        EXPECT_TRUE(batch.labels.empty());
        for (std::size_t i = 0; i < batch.cases.size(); ++i) {
          const auto at = static_cast<std::size_t>(step % 3 * 4 + batch.first) + i;
          ASSERT_EQ(batch.cases[i], static_cast<std::size_t>(order[at]));
          const auto number = static_cast<float>(batch.cases[i]);
          EXPECT_EQ(batch.images[2 * i + 1], number);
          EXPECT_EQ(batch.second[3 * i + 2], 100 * number + 2);
          EXPECT_EQ(batch.boxes[i].xx, static_cast<double>(epoch));
          EXPECT_EQ(batch.boxes[i].x0, made_case(batch.cases[i]).image.bytes[0]);
        }
      }
    }
  }
}

TEST(CaseCache, ReadsOnceWhatFitsAndTheRestEachTime) {
  std::vector<int> reads(6, 0);
  CaseCache cache(
      6,
      [&](std::size_t index) {
        ++reads[index];
        return made_case(index);
      },
      2 * case_bytes + 1);
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(cache.get(i)->id, concat("case", i));
  }
  EXPECT_EQ(reads, (std::vector<int>{1, 1, 3, 3, 3, 3}));
  EXPECT_EQ(cache.bytes(), 2 * case_bytes);
}

TEST(CaseCache, ManyThreadsGetWhatOneGets) {
  for (const std::int64_t budget : {std::int64_t{0}, 5 * case_bytes, everything}) {
    CaseCache cache(case_count, made_case, budget);
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (std::size_t t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < 40; ++i) {
          const std::size_t index = (i * (t + 1) + t) % case_count;
          if (cache.get(index)->image.bytes != made_case(index).image.bytes) ++wrong;
          if (cache.bytes() > budget) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

/// The message that take(step) fails with; empty when it succeeds.
std::string failure_of(BatchLoader& loader, std::int64_t step) {
  try {
    static_cast<void>(loader.take(step));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// The batch with the bad cases fails with the one that comes first in it, those before it do not.
TEST(BatchLoader, ABadCaseFailsItsBatchByName) {
  const std::vector<SampleBatch> expected = expected_batches();
  const std::string first_bad = expected[1].ids[1];
  const std::string second_bad = expected[1].ids[3];
  for (const int workers : {1, 4}) {
    CaseCache cache(
        case_count,
        [&](std::size_t index) {
          LoadedCase item = made_case(index);
          if (item.id == first_bad) std::this_thread::sleep_for(std::chrono::milliseconds(20));
          if (item.id == first_bad || item.id == second_bad) {
            throw_failure("/data/" + item.id + ".png: is gone");
          }
          return item;
        },
        everything);
    BatchLoader loader(cache, options_for(workers));
    EXPECT_EQ(failure_of(loader, 0), "");
    EXPECT_EQ(failure_of(loader, 1), "/data/" + first_bad + ".png: is gone");
  }
}

// An error of augmentation names the case.
TEST(BatchLoader, AnImageThatDoesNotFitTheNetworkIsNamed) {
  CaseCache cache(
      case_count,
      [](std::size_t index) {
        LoadedCase item = made_case(index);
        item.image = test::make_image(20, 16, 2, [](auto, auto, auto) { return 1; });
        return item;
      },
      everything);
  BatchLoader loader(cache, options_for(2));
  const std::string message = failure_of(loader, 0);
  EXPECT_EQ(message.find("case case"), 0U) << message;
  EXPECT_NE(message.find("takes 3 channels, the image has 2"), std::string::npos) << message;
}

// A run that is stopped does not wait for batches that nobody wants.
TEST(BatchLoader, EndsInTheMidstOfItsWork) {
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> reads = 0;
    CaseCache cache(
        case_count,
        [&](std::size_t index) {
          ++reads;
          std::this_thread::sleep_for(std::chrono::milliseconds(3));
          return made_case(index);
        },
        0);
    {
      LoaderOptions options = options_for(2);
      options.ahead = 8;
      BatchLoader loader(cache, options);
      if (round > 0) static_cast<void>(loader.take(0));
    }
    EXPECT_LE(reads, 12) << "of the 33 that could be read ahead";
  }
}

TEST(BatchLoader, MakesNothingAfterTheLastStep) {
  std::atomic<int> reads = 0;
  CaseCache cache(
      case_count,
      [&](std::size_t index) {
        ++reads;
        return made_case(index);
      },
      0);
  LoaderOptions options = options_for(4);
  options.ahead = 5;
  BatchLoader loader(cache, options);
  for (std::int64_t step = 7; step < 9; ++step) static_cast<void>(loader.take(step));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(reads, 7);  // 4 + 3
}

// The time that take() waits is the reader's when nothing was made ahead of it.
TEST(BatchLoader, CountsTheTimeItWaits) {
  CaseCache cache(
      case_count,
      [](std::size_t index) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return made_case(index);
      },
      0);
  BatchLoader loader(cache, options_for(1));
  static_cast<void>(loader.take(0));
  EXPECT_GE(loader.waited_seconds(), 0.04);
}

// What is read anew is compared with what was read first, image and mask.
TEST(CaseCache, AnotherImageOrMaskThanBeforeIsNamed) {
  for (const bool mask : {false, true}) {
    std::atomic<bool> exchanged{false};
    CaseCache cache(
        case_count,
        [&](std::size_t index) {
          LoadedCase out = made_case(index);
          out.image_name = concat(out.id, ".png");
          out.mask_name = concat(out.id, "_mask.png");
          if (exchanged && index == 5) (mask ? out.labels.labels : out.image.bytes).back() ^= 1U;
          return out;
        },
        2 * case_bytes);
    const auto read_all = [&] {
      for (std::size_t i = 0; i < case_count; ++i) static_cast<void>(cache.get(i));
    };
    std::thread other(read_all);
    read_all();
    other.join();
    read_all();
    exchanged = true;
    try {
      read_all();
      FAIL() << "case 5 is another one";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind(mask ? "case5_mask.png: " : "case5.png: ", 0), 0U) << message;
    }
  }
}

// Of what is kept, the file is not read again.
TEST(CaseCache, WhatIsKeptStaysAsItWas) {
  std::atomic<int> reads{0};
  CaseCache cache(
      case_count,
      [&](std::size_t index) {
        ++reads;
        return made_case(index);
      },
      everything);
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (std::size_t i = 0; i < case_count; ++i) static_cast<void>(cache.get(i));
  }
  EXPECT_EQ(reads, case_count);
}

}  // namespace
}  // namespace medurwkv::data
