// Work side by side: every item once, results in their order, and how it ends early.
#include "core/side_by_side.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/threads.h"
#include "support/listener.h"

namespace medurwkv {
namespace {

/// So that later items are often done first.
void dawdle(std::size_t i) {
  std::this_thread::sleep_for(std::chrono::microseconds(i % 3 == 0 ? 900 : 100));
}

TEST(SideBySide, EveryResultIsTakenOnceAndInOrder) {
  for (const std::size_t lanes : {1, 2, 5}) {
    std::atomic<int> together{0};
    std::atomic<int> most{0};
    std::vector<std::size_t> taken;
    std::set<std::thread::id> takers;
    test::KeepingListener listener;
    side_by_side<std::size_t>(
        lanes, 40,
        [&](std::size_t lane, std::size_t i) {
          EXPECT_LT(lane, lanes);
          const int now = ++together;
          for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) continue;
          dawdle(i);
          --together;
          return 10 * i;
        },
        [&](std::size_t result) {
          taken.push_back(result);
          takers.insert(std::this_thread::get_id());
        },
        listener);
    std::vector<std::size_t> expected(40);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = 10 * i;
    EXPECT_EQ(taken, expected);
    EXPECT_EQ(takers, std::set{std::this_thread::get_id()});
    EXPECT_EQ(most, static_cast<int>(lanes)) << "all lanes at work";
  }
}

// What was begun is taken; nothing is begun after the one that throws but what ran beside it.
TEST(SideBySide, WhatWorkThrowsComesAtItsTurn) {
  std::vector<std::size_t> taken;
  std::atomic<std::size_t> begun{0};
  test::KeepingListener listener;
  const auto run = [&] {
    side_by_side<std::size_t>(
        3, 1000,
        [&](std::size_t /*lane*/, std::size_t i) {
          ++begun;
          dawdle(i);
          if (i == 7) throw std::runtime_error("seven");
          return i;
        },
        [&](std::size_t result) { taken.push_back(result); }, listener);
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_GE(taken.size(), 7U);
  EXPECT_EQ(taken.size() + 1, begun) << "all but the one that threw";
  EXPECT_LT(begun, 20U);
  EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
}

TEST(SideBySide, WhatTakeThrowsEndsIt) {
  std::atomic<std::size_t> begun{0};
  test::KeepingListener listener;
  const auto run = [&] {
    side_by_side<std::size_t>(
        2, 1000,
        [&](std::size_t /*lane*/, std::size_t i) {
          ++begun;
          return i;
        },
        [&](std::size_t result) {
          if (result == 3) throw Error(ErrorKind::failure, "three");
        },
        listener);
  };
  EXPECT_THROW(run(), Error);
  EXPECT_LT(begun, 20U);
}

TEST(SideBySide, AStopEndsItAfterWhatWasBegun) {
  std::vector<std::size_t> taken;
  std::atomic<std::size_t> begun{0};
  test::KeepingListener listener;
  const auto run = [&] {
    side_by_side<std::size_t>(
        2, 1000,
        [&](std::size_t /*lane*/, std::size_t i) {
          ++begun;
          if (i == 5) listener.stop = 15;
          dawdle(i);
          return i;
        },
        [&](std::size_t result) { taken.push_back(result); }, listener);
  };
  EXPECT_THROW(run(), Stopped);
  EXPECT_EQ(taken.size(), begun);
  EXPECT_LT(begun, 20U);
}

TEST(SideBySide, NothingToDo) {
  test::KeepingListener listener;
  side_by_side<int>(
      2, 0, [](std::size_t, std::size_t) { return 1; }, [](int) { FAIL(); }, listener);
}

TEST(ThreadsHere, IsTheCallingThreadsAlone) {
  const int before = thread_count();
  {
    const ThreadsHere three(3);
    EXPECT_EQ(thread_count(), 3);
    int elsewhere = 0;
    std::thread([&] { elsewhere = thread_count(); }).join();
    EXPECT_EQ(elsewhere, before);
    const ThreadsHere one(1);
    EXPECT_EQ(thread_count(), 1);
  }
  EXPECT_EQ(thread_count(), before);
}

}  // namespace
}  // namespace medurwkv
