// Faults planted into a set, each with what its remedy comes to. Relies on support/planted_set.h.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <ostream>
#include <regex>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/listener.h"
#include "data/check/faults.h"
#include "data/check/repair.h"
#include "support/planted_set.h"

namespace medurwkv::test {

using World = PlantedSet;

/// What to do about a fault: the options or the folder to check afterwards.
struct Applied {
  data::CheckOptions options{};
  std::filesystem::path root{};  ///< where it is another folder
};

struct Plant {
  std::string kind;
  std::string words;  ///< the remedy must say this, as a regular expression
  std::function<data::CheckOptions(const World&)> plant;
  std::function<Applied(const World&, const data::Fault&)> remedy;
  bool only_check = false;  ///< of a split file or another set: commands open the set all the same
};

inline void PrintTo(const Plant& plant, std::ostream* out) {
  *out << plant.kind << ": " << plant.words;
}

/// Every --mask-encoding that a remedy offers.
inline std::vector<std::string> offered_encodings(const std::string& remedy) {
  std::vector<std::string> out;
  const std::regex option("--mask-encoding ([a-z-]+)");
  for (std::sregex_iterator it(remedy.begin(), remedy.end(), option), end; it != end; ++it) {
    out.push_back((*it)[1]);
  }
  return out;
}

inline Applied fixed_copy(const World& world, const data::CheckOptions& options = {}) {
  const std::filesystem::path copy = world.beside("copy");
  data::write_repaired(data::examine(world.root(), options.dataset, silence()), copy, silence());
  return {.options = {}, .root = copy};
}

using Doing = std::function<void(const World&)>;

/// A plant of files into the set, and what is done to them.
inline Plant files(const std::string& kind, const std::string& words, const Doing& plant,
                   const Doing& remedy) {
  return {kind, words,
          [=](const World& world) {
            world.sound(8);
            plant(world);
            return data::CheckOptions{};
          },
          [=](const World& world, const data::Fault&) {
            remedy(world);
            return Applied{};
          }};
}

inline Plant masks_fixed(const std::string& kind, const Doing& plant) {
  return {kind, "--fix",
          [=](const World& world) {
            world.sound(8);
            plant(world);
            return data::CheckOptions{};
          },
          [](const World& world, const data::Fault&) { return fixed_copy(world); }};
}

/// Masks whose meaning is unclear: each option that the remedy names makes it clear.
inline Plant encoding(const std::string& words, const Doing& plant,
                      const std::string& class_lines = {}) {
  return {"unclear-encoding", words,
          [=](const World& world) {
            plant(world);
            return data::CheckOptions{};
          },
          [=](const World& world, const data::Fault& fault) {
            for (const std::string& name : offered_encodings(fault.remedy)) {
              const auto report =
                  data::check_dataset(world.root(), {data::dataset_options(name, {})}, silence());
              EXPECT_EQ(report.errors(), 0) << name << " of: " << fault.remedy;
            }
            if (class_lines.empty()) {
              const auto offered = offered_encodings(fault.remedy);
              EXPECT_FALSE(offered.empty()) << fault.remedy;
              return Applied{.options = {data::dataset_options(offered.front(), {})}};
            }
            EXPECT_NE(fault.remedy.find("--classes"), std::string::npos) << fault.remedy;
            const std::filesystem::path file = world.beside("classes.txt");
            write_file(file, class_lines);
            return Applied{.options = {data::dataset_options("", {}, file)}};
          }};
}

}  // namespace medurwkv::test
