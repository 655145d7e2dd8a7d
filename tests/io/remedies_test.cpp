// Every kind of fault is planted, its remedy is applied as `data check` words it, and the fault is
// gone. Before that, every command refuses the set or counts what it leaves out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/listener.h"
#include "core/text.h"
#include "data/check/faults.h"
#include "data/check/repair.h"
#include "data/codecs/read.h"
#include "data/split/split.h"
#include "support/images.h"
#include "support/jpeg_files.h"
#include "support/paths.h"
#include "support/planted_set.h"
#include "support/plants.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::Applied;
using test::encoding;
using test::files;
using test::fixed_copy;
using test::make_image;
using test::masks_fixed;
using test::Plant;
using World = test::PlantedSet;

constexpr std::int64_t side = test::planted_side;

Image blobs(std::uint64_t seed, std::int64_t width = side, std::int64_t height = side) {
  return test::planted_image(seed, width, height);
}
Image disc(std::uint64_t seed, int inside = 255, std::int64_t width = side,
           std::int64_t height = side, std::int64_t channels = 1) {
  return test::planted_disc(seed, inside, width, height, channels);
}

std::vector<Plant> plants_of_names() {
  const auto pair = [](const World& world) { world.add("bad", 7); };
  return {
      {"no-pairs", "images/ .*masks/",
       [](const World& world) {
         world.put("notes.txt", "nothing");
         return CheckOptions{};
       },
       [](const World& world, const Fault&) {
         world.sound(8);
         return Applied{};
       }},
      files(
          "broken-layout", "correct",
          [](const World& world) {
            world.put("train.txt", "s1\ns2\n");
            world.put("test.txt", "s2\ns3\n");
          },
          [](const World& world) { world.put("test.txt", "s3\n"); }),
      files(
          "image-without-mask", "all-black",
          [](const World& world) { world.image("bad", blobs(7)); },
          [](const World& world) { world.mask("bad", disc(7, 0)); }),
      files(
          "image-without-mask", "remove", [](const World& world) { world.image("bad", blobs(7)); },
          [](const World& world) { world.remove_pair("bad"); }),
      files(
          "mask-without-image", "add its image or remove",
          [](const World& world) { world.mask("bad", disc(7)); },
          [](const World& world) { world.image("bad", blobs(7)); }),
      files(
          "same-name-twice", "keep one",
          [=](const World& world) {
            pair(world);
            world.put("images/bad.jpg", test::jpeg_bytes(blobs(8)));
          },
          [](const World& world) { world.remove("images/bad.jpg"); }),
      files(
          "unread-format", "remove", [](const World& world) { world.put("images/scan.svs", "II"); },
          [](const World& world) { world.remove("images/scan.svs"); }),
      files(
          "list-of-absent", "correct the list",
          [](const World& world) { world.put("train.txt", "s1\ns2\ns3\nnobody\n"); },
          [](const World& world) { world.put("train.txt", "s1\ns2\ns3\n"); }),
      files(
          "cases-in-no-list", "add them to a list",
          [](const World& world) {
            world.put("train.txt", "s0\ns1\ns2\ns3\n");
            world.put("test.txt", "s4\ns5\n");
          },
          [](const World& world) { world.put("test.txt", "s4\ns5\ns6\ns7\n"); }),
      files(
          "train-by-rest", "add train.txt",
          [](const World& world) { world.put("test.txt", "s4\ns5\n"); },
          [](const World& world) { world.put("train.txt", "s0\ns1\ns2\ns3\ns6\ns7\n"); }),
      files(
          "cases-without-group", "add them to the table",
          [](const World& world) { world.put("groups.csv", "name,patient\ns0,a\ns1,a\n"); },
          [](const World& world) {
            std::string table = "name,patient\n";
            for (int i = 0; i < 8; ++i) table += concat("s", i, ",", i / 2, "\n");
            world.put("groups.csv", table);
          }),
      files(
          "pictures-passed", "folder of images",
          [](const World& world) { world.put("other/n.png", encode_png(blobs(7))); },
          [](const World& world) {
            world.rename("other/n.png", "images/n.png");
            world.mask("n", disc(7));
          }),
      files(
          "field-of-view", "move the other masks out",
          [](const World& world) {
            for (int i = 0; i < 8; ++i) {
              world.put(concat("labels/s", i, ".png"), encode_png(disc(99)));
            }
          },
          [](const World& world) { fs::remove_all(world.root() / "labels"); }),
      files(
          "name-not-utf8", "rename", [](const World& world) { world.add("na\xefve", 7); },
          [](const World& world) {
            for (const char* part : {"images/", "masks/"}) {
              world.rename(std::string(part) + "na\xefve.png", std::string(part) + "naive.png");
            }
          }),
      files(
          "names-differ-by-case", "rename one", [](const World& world) { world.add("S1", 7); },
          [](const World& world) {
            for (const char* part : {"images/", "masks/"}) {
              world.rename(std::string(part) + "S1.png", std::string(part) + "t1.png");
            }
          }),
  };
}

std::vector<Plant> plants_of_files() {
  const auto pair = [](const World& world) { world.add("bad", 7); };
  const auto away = [](const World& world) { world.remove_pair("bad"); };
  return {
      files(
          "broken-link", "copy what it pointed to",
          [=](const World& world) {
            pair(world);
            world.remove("images/bad.png");
            fs::create_symlink(world.beside("gone.png"), world.root() / "images/bad.png");
          },
          [](const World& world) {
            world.remove("images/bad.png");
            world.image("bad", blobs(7));
          }),
      files(
          "empty-file", "remove it with its partner",
          [=](const World& world) {
            pair(world);
            world.put("masks/bad.png", "");
          },
          away),
      files(
          "lfs-pointer", "git lfs pull",
          [=](const World& world) {
            pair(world);
            world.put("images/bad.png",
                      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
          },
          [](const World& world) { world.image("bad", blobs(7)); }),
      files(
          "unreadable-image", "replace the file, or remove it together",
          [=](const World& world) {
            pair(world);
            world.put("images/bad.png", encode_png(blobs(7)).substr(0, 300));
          },
          away),
      files(
          "unreadable-mask", "replace the file, or remove it together",
          [=](const World& world) {
            pair(world);
            world.put("masks/bad.png", "see the other folder");
          },
          away),
      files(
          "wrong-suffix", "rename it",
          [=](const World& world) {
            pair(world);
            world.put("images/bad.png", test::jpeg_bytes(blobs(7)));
          },
          [](const World& world) { world.rename("images/bad.png", "images/bad.jpg"); }),
      masks_fixed("size-mismatch",
                  [=](const World& world) {
                    pair(world);
                    world.mask("bad", disc(7, 255, 2 * side, 2 * side));
                  }),
      files(
          "turned-mask", "turn the mask",
          [](const World& world) {
            world.image("bad", blobs(7, side, side + 20));
            world.mask("bad", disc(7, 255, side + 20, side));
          },
          [](const World& world) { world.mask("bad", disc(7, 255, side, side + 20)); }),
      files(
          "image-is-mask", "real image",
          [=](const World& world) {
            pair(world);
            world.image("bad", disc(7));
          },
          [](const World& world) { world.image("bad", blobs(7)); }),
      files(
          "dark-16-bit", "0\\.\\.65535",
          [](const World& world) {
            for (int i = 0; i < 8; ++i) {
              world.put(concat("images/s", i, ".png"),
                        test::planted_gray16(16, test::sound_seed(i)));
            }
          },
          [](const World& world) {
            for (int i = 0; i < 8; ++i) {
              world.put(concat("images/s", i, ".png"),
                        test::planted_gray16(257, test::sound_seed(i)));
            }
          }),
      files(
          "duplicate-image", "remove one", [](const World& world) { world.add("bad", 101); }, away),
      files(
          "duplicate-other-mask", "remove the other pair",
          [](const World& world) {
            world.image("bad", blobs(101));
            world.mask("bad", disc(7));
          },
          away),
      masks_fixed("duplicate-other-mask",
                  [](const World& world) {
                    world.image("bad", blobs(101));
                    world.mask("bad", disc(7));
                  }),
  };
}

std::vector<Plant> plants_of_masks() {
  return {
      masks_fixed("mixed-encoding", [](const World& world) { world.add("bad", 7, 1); }),
      masks_fixed("mixed-encoding",
                  [](const World& world) {
                    for (int i = 0; i < 4; ++i) {
                      world.mask(concat("s", i), disc(test::sound_seed(i), 1));
                    }
                  }),
      masks_fixed("lossy-masks",
                  [](const World& world) {
                    world.image("bad", blobs(7));
                    world.put("masks/bad.jpg", test::jpeg_bytes(disc(7)));
                  }),
      {"value-without-class", "name a class",
       [](const World& world) {
         world.sound(8, 1);
         world.add("bad", 7, 3);
         return CheckOptions{dataset_options("", {"background", "a", "b"})};
       },
       [](const World&, const Fault&) {
         return Applied{.options = {dataset_options("", {"background", "a", "b", "c"})}};
       }},
      files(
          "unclear-labels", "correct the mask",
          [](const World& world) {
            for (int i = 0; i < 8; ++i) {
              const auto seed = test::sound_seed(i);
              world.remove(concat("masks/s", i, ".png"));
              world.put(concat("masks/0/s", i, ".png"), encode_png(disc(seed)));
              world.put(concat("masks/1/s", i, ".png"), encode_png(disc(i == 3 ? seed : 7, 0)));
            }
            world.put("masks/1/s3.png", encode_png(disc(103)));
          },
          [](const World& world) { world.put("masks/1/s3.png", encode_png(disc(103, 0))); }),
      encoding("--mask-encoding index .*--mask-encoding binary",
               [](const World& world) {
                 world.sound(8, 1);
                 for (int i = 0; i < 8; ++i) {
                   Image mask = disc(test::sound_seed(i), 1);
                   mask.bytes[0] = 255;
                   world.mask(concat("s", i), mask);
                 }
               }),
      encoding(
          "--classes FILE",
          [](const World& world) {
            for (int i = 0; i < 8; ++i) {
              world.add(concat("s", i), test::sound_seed(i), i % 2 == 0 ? 127 : 255);
            }
          },
          "background:0,0,0\na:127,127,127\nb:255,255,255\n"),
      encoding("--mask-encoding instances", [](const World& world) { world.sound(8, 100); }),
      encoding("--mask-encoding binary",
               [](const World& world) {
                 for (int i = 0; i < 8; ++i) {
                   world.image(concat("s", i), blobs(test::sound_seed(i)));
                   world.mask(concat("s", i), make_image(side, side, 1, [&](auto x, auto y, auto) {
                                const double away = std::abs(static_cast<double>(x) - 20 - i -
                                                             0.3 * static_cast<double>(y));
                                return static_cast<int>(255 * std::exp(-away * away / 6));
                              }));
                 }
               }),
      encoding(
          "--classes FILE .*--mask-encoding instances",
          [](const World& world) {
            world.sound(8);
            for (int i = 0; i < 8; ++i) {
              world.mask(concat("s", i), disc(test::sound_seed(i), 200, side, side, 3));
            }
          },
          "background:0,0,0\na:200,0,0\n"),
      encoding("--mask-encoding index or --mask-encoding instances",
               [](const World& world) {
                 for (int i = 0; i < 8; ++i) {
                   world.image(concat("s", i), blobs(test::sound_seed(i)));
                   world.mask(concat("s", i), make_image(side, side, 1, [&](auto x, auto y, auto) {
                                const bool first = x < 10 && y < 10;
                                const bool second = i % 2 == 0 && x > 30 && y > 30;
                                return second ? 2 : first ? 1 : 0;
                              }));
                 }
               }),
  };
}

std::vector<Plant> plants_of_parts() {
  const auto in_parts = [](const World& world) {
    for (int i = 0; i < 12; ++i) {
      const std::string part = i < 9 ? "train" : "test";
      world.put(concat(part, "/images/s", i, ".png"), encode_png(blobs(test::sound_seed(i))));
      world.put(concat(part, "/masks/s", i, ".png"), encode_png(disc(test::sound_seed(i))));
    }
  };
  const auto split_again = [](const World& world, const Fault&) {
    return Applied{.options = {.split = world.split({.official = true})}};
  };
  const auto leak = [=](const char* kind, int percent) {
    return Plant{kind, "`data split`",
                 [=](const World& world) {
                   in_parts(world);
                   Image copy = blobs(102);
                   for (unsigned char& byte : copy.bytes) {
                     byte = static_cast<unsigned char>(byte * percent / 100);
                   }
                   world.put("test/images/bad.png", encode_png(copy));
                   world.put("test/masks/bad.png", encode_png(disc(102)));
                   return CheckOptions{};
                 },
                 split_again, true};
  };
  const auto edited = [](const std::string& kind,
                         const std::function<void(nlohmann::json&)>& edit) {
    return Plant{kind, "split again",
                 [=](const World& world) {
                   world.sound(12);
                   const fs::path file = world.split();
                   nlohmann::json split = nlohmann::json::parse(read_file(file));
                   edit(split);
                   write_file(file, split.dump());
                   return CheckOptions{.split = file};
                 },
                 [](const World& world, const Fault&) {
                   return Applied{.options = {.split = world.split()}};
                 },
                 true};
  };
  return {
      {"list-against-folders", "correct the list",
       [=](const World& world) {
         in_parts(world);
         world.put("test.txt", "s9\ns10\ns11\ns1\n");
         return CheckOptions{};
       },
       [](const World& world, const Fault&) {
         world.put("test.txt", "s9\ns10\ns11\n");
         return Applied{};
       }},
      leak("leak-duplicate", 100),
      leak("leak-near-duplicate", 70),
      {"leak-group", "`data split`",
       [=](const World& world) {
         in_parts(world);
         for (const char* name : {"train/images/patient001_a", "test/images/patient001_b"}) {
           const std::uint64_t seed = std::string(name).size() + 40;
           world.put(std::string(name) + ".png", encode_png(blobs(seed)));
           const std::string mask = std::regex_replace(name, std::regex("images"), "masks");
           world.put(mask + ".png", encode_png(disc(seed)));
         }
         return CheckOptions{};
       },
       split_again, true},
      edited("split-unknown-case", [](nlohmann::json& split) { split["train"][0] = "nobody"; }),
      edited("split-listed-twice",
             [](nlohmann::json& split) { split["test"].push_back(split["train"][0]); }),
      edited("split-leaves-out", [](nlohmann::json& split) { split["train"].erase(0); }),
      edited("split-changed",
             [](nlohmann::json& split) {
               split["case_sha256"][split["train"][0].get<std::string>()] = "0";
             }),
      {"unknown-patients", "--group-by",
       [](const World& world) {
         for (int i = 0; i < 12; ++i) {
           world.add(concat("knee_P", i / 4, "_", i % 4), 500U + static_cast<std::uint64_t>(i));
         }
         return CheckOptions{};
       },
       [](const World& world, const Fault& fault) {
         std::smatch pattern;
         EXPECT_TRUE(std::regex_search(fault.remedy, pattern, std::regex("--group-by '([^']+)'")));
         std::vector<Case> cases = find_layout(world.root()).cases;
         group_by(cases, pattern[1]);
         std::map<std::string, int> sizes;
         for (const Case& item : cases) ++sizes[item.group];
         EXPECT_EQ(sizes.size(), 3U) << "patients";
         for (const auto& [group, size] : sizes) EXPECT_EQ(size, 4) << group;
         return Applied{.options = {.split = world.split({.group_by = pattern[1]})}};
       }},
      {"overlap", "remove it from one",
       [](const World& world) {
         world.sound(8);
         const World other(world.beside("other"));
         other.add("s1", 101);
         other.add("mine", 55);
         return CheckOptions{.against = other.root()};
       },
       [](const World& world, const Fault&) {
         const World other(world.beside("other"));
         other.remove_pair("s1");
         return Applied{.options = {.against = other.root()}};
       },
       true},
  };
}

/// A COCO file of the sound images in place of their masks, a square on each; `first` stands in
/// place of the first one's annotation, and `last_name` in place of the last image's name.
void outline(const World& world, const std::string& first = "",
             const std::string& last_name = "s7.png") {
  std::string images;
  std::string annotations;
  for (int i = 0; i < 8; ++i) {
    const std::string comma = i == 0 ? "" : ", ";
    const std::string name = i == 7 ? last_name : concat("s", i, ".png");
    images += concat(comma, R"({"id": )", i, R"(, "file_name": ")", name, "\"}");
    annotations += comma;
    annotations += i == 0 && !first.empty()
                       ? first
                       : concat(R"({"image_id": )", i, R"(, "category_id": 1, "segmentation": [[)",
                                i, ", 5, 30, 5, 30, 25, ", i, ", 25]]}");
  }
  world.put("outlines.json", concat(R"({"images": [)", images, R"(], "annotations": [)",
                                    annotations, R"(], "categories": [{"id": 1, "name": "a"}]})"));
}

/// The first image's annotation has the fault, and then has not.
Plant outlines(const std::string& kind, const std::string& words, const std::string& annotation) {
  return files(
      kind, words,
      [=](const World& world) {
        fs::remove_all(world.root() / "masks");
        outline(world, concat(R"({"image_id": 0, "category_id": 1, )", annotation, "}"));
      },
      [](const World& world) { outline(world); });
}

std::vector<Plant> plants_of_outlines() {
  return {
      files(
          "outlines-passed", "move the masks out", [](const World& world) { outline(world); },
          [](const World& world) { fs::remove_all(world.root() / "masks"); }),
      files(
          "absent-image", "get the missing images",
          [](const World& world) {
            fs::remove_all(world.root() / "masks");
            outline(world, "", "gone.png");
          },
          [](const World& world) { world.image("gone", blobs(77)); }),
      outlines("no-area", "draw an outline", R"("keypoints": [5, 5, 2])"),
      outlines("short-outline", "draw it again", R"("segmentation": [[5, 5, 9, 9]])"),
      outlines("outline-beyond", "this image at this size",
               R"("segmentation": [[5, 5, 99, 5, 99, 9]])"),
      outlines("crossing-outline", "draw it again",
               R"("segmentation": [[5, 5, 20, 20, 20, 5, 5, 20]])"),
  };
}

std::vector<Plant> all_plants() {
  std::vector<Plant> out;
  for (const auto& some : {plants_of_names(), plants_of_files(), plants_of_masks(),
                           plants_of_parts(), plants_of_outlines()}) {
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

class Remedies : public ::testing::TestWithParam<Plant> {};

TEST_P(Remedies, Work) {
  const Plant& plant = GetParam();
  const test::TemporaryFolder folder;
  const World world(folder.path());
  const CheckOptions options = plant.plant(world);
  const auto faults_of_kind = [&](const fs::path& root, const CheckOptions& how) {
    std::vector<Fault> out = check_dataset(root, how, silence()).faults;
    std::erase_if(out, [&](const Fault& fault) { return fault.kind != plant.kind; });
    return out;
  };
  const std::vector<Fault> found = faults_of_kind(world.root(), options);
  ASSERT_FALSE(found.empty()) << "was not found";
  const Fault& fault = found.front();
  EXPECT_TRUE(std::regex_search(fault.remedy, std::regex(plant.words))) << fault.remedy;
  if (fault.severity == Severity::error && !plant.only_check) {
    std::vector<std::string> notes;
    const auto refused = test::refusal_of([&] {
      notes = open_examined(world.root(), options.dataset, silence()).dataset.notes;
      return 0;
    });
    const bool said = std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
      return note.starts_with("1 ") && note.find("left out") != std::string::npos;
    });
    EXPECT_TRUE(refused || said) << "the other commands neither refuse nor count it";
    if (refused) {
      EXPECT_TRUE(refused->names(fault.what)) << refused->message;
    }
  }
  const Applied applied = plant.remedy(world, fault);
  const fs::path root = applied.root.empty() ? world.root() : applied.root;
  for (const Fault& left : faults_of_kind(root, applied.options)) {
    ADD_FAILURE() << "still there: " << left.where << ": " << left.what;
  }
}

INSTANTIATE_TEST_SUITE_P(Planted, Remedies, ::testing::ValuesIn(all_plants()));

/// Kinds whose remedy is to look; name-leads-out is a pack's alone (io/pack_test.cpp), and those of
/// volumes have a test of their own (io/volume_findings_test.cpp).
const std::set<std::string> to_look_at{
    "missing-class",    "rare-class",       "empty-mask",     "full-mask",      "inverted-mask",
    "outline-mask",     "specks",           "copied-mask",    "blank-image",    "small-image",
    "float-range",      "mixed-depth",      "mixed-channels", "near-duplicate", "near-overlap",
    "name-leads-out",   "misplaced-volume", "float-labels",   "mixed-series",   "one-patient",
    "patient-identity", "burnt-in-text"};

TEST(Remedies, CoverEveryKindOfTheDocumentation) {
  std::set<std::string> planted;
  for (const Plant& plant : all_plants()) planted.insert(plant.kind);
  const std::string page = read_file(test::source_folder() / "docs/check-data.md");
  std::istringstream lines(page.substr(page.find("## What it finds"), page.find("## Leaks")));
  const std::regex name("`([a-z0-9-]+)`");
  std::size_t kinds = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string cell = line.substr(0, line.find('|', 2));
    for (std::sregex_iterator it(cell.begin(), cell.end(), name), end; it != end; ++it) {
      ++kinds;
      const std::string kind = (*it)[1];
      EXPECT_TRUE(planted.contains(kind) || to_look_at.contains(kind)) << kind << " is not planted";
    }
  }
  EXPECT_GE(kinds, 45U);
}

}  // namespace
}  // namespace medurwkv::data
