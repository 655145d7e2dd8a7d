// Proves that src/ keeps the include rule of docs/architecture.md: who may see which folder, and
// who may see LibTorch, oneDNN and the image codecs. Relies on the sources' text alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <ostream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/paths.h"

namespace medurwkv {
namespace {

struct SourceFile {
  std::string path;  ///< below src/
  std::string text;
};

struct Violation {
  std::string path;
  std::size_t line = 0;
  std::string what;

  bool operator==(const Violation&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Violation& violation) {
    return out << "src/" << violation.path << ":" << violation.line << ": " << violation.what;
  }
};

/// Folder -> the folders it names; what those see it sees too. A room (a folder in a folder) has a
/// row of its own; a subfolder without one belongs to the folder above it.
const std::map<std::string, std::set<std::string>>& named_folders() {
  static const std::map<std::string, std::set<std::string>> table{
      {"core", {}},
      {"kernels", {"core"}},
      {"net", {"kernels"}},
      {"plan", {"net"}},
      {"onnx", {"plan"}},
      {"native", {"plan", "weights"}},
      {"measure", {"plan"}},
      {"weights", {"net"}},
      {"data/image", {"core"}},
      {"data/volumes", {"data/image"}},
      {"data/codecs", {"data/volumes"}},
      {"data/polygons", {"data/codecs"}},
      {"data/layout", {"data/polygons"}},
      {"data/split", {"data/layout"}},
      {"data/check", {"data/split"}},
      {"data/feed", {"data/layout"}},
      {"judge", {"data/layout"}},
      {"judge/report", {"judge"}},
      {"predict", {"data/layout", "weights"}},
      {"torch", {"plan", "weights"}},
      {"library", {"measure"}},
      {"train/run", {"net", "data/feed"}},
      {"maps", {"library", "weights", "train/run"}},
      {"engine", {"library", "torch", "predict", "maps"}},
      {"train/task", {"torch", "library", "data/feed", "train/run"}},
      {"train/segmentation", {"train/task", "engine", "native", "data/check", "judge"}},
      {"train/pretraining", {"train/task"}},
      {"train", {"train/segmentation", "train/pretraining", "measure"}},
      {"entry", {"train"}},
      {"app",
       {"library", "native", "onnx", "measure", "judge/report", "predict", "maps", "data/check",
        "data/feed"}},
      {"cli", {"app"}},
      {"api", {"app"}},
  };
  return table;
}

/// The C interface of the training library. It relies on nothing, so that nothing of LibTorch or of
/// the program crosses it.
constexpr std::string_view entry_header = "library/training_library.h";

/// Made by CMake, so not below src/.
constexpr std::string_view generated_header = "core/version.h";

/// A library that only some folders may see, by how its headers' names begin.
struct Library {
  std::string_view name;
  std::vector<std::string_view> beginnings;
  std::set<std::string> folders;
};

const std::vector<Library>& libraries() {
  static const std::vector<Library> list{
      {"LibTorch",
       {"torch/", "ATen/", "c10/", "caffe2/"},
       {"torch", "engine", "train/task", "train/segmentation", "train/pretraining", "train",
        "entry"}},
      {"oneDNN", {"oneapi/dnnl/", "dnnl"}, {"native", "torch"}},
      {"an image codec", {"png.h", "jpeglib.h", "jerror.h", "tiff", "gif_lib.h"}, {"data/codecs"}},
      {"HDF5", {"hdf5", "H5"}, {"data/codecs"}},
      {"DCMTK", {"dcmtk/"}, {"data/volumes"}},
      {"utf8proc", {"utf8proc"}, {"core"}},
      {"expat", {"expat"}, {"data/polygons"}},
  };
  return list;
}

/// The row of the table that a file belongs to: the deepest folder with one; empty for none.
std::string folder_of(std::string_view path) {
  for (std::size_t end = path.rfind('/'); end != std::string_view::npos && end > 0;
       end = path.rfind('/', end - 1)) {
    const std::string folder(path.substr(0, end));
    if (named_folders().contains(folder)) return folder;
  }
  return "";
}

/// The folder itself and all it may see.
std::set<std::string> visible_from(const std::string& folder) {
  std::set<std::string> seen{folder};
  std::vector<std::string> waiting{folder};
  while (!waiting.empty()) {
    const std::string next = waiting.back();
    waiting.pop_back();
    for (const std::string& named : named_folders().at(next)) {
      if (seen.insert(named).second) waiting.push_back(named);
    }
  }
  return seen;
}

/// The path below src/ that an include of `file` means; none for a header that is not ours.
std::optional<std::string> own_header(const std::string& file, const std::string& header,
                                      const std::set<std::string>& own) {
  if (own.contains(header) || header == generated_header) return header;
  const std::filesystem::path beside =
      (std::filesystem::path(file).parent_path() / header).lexically_normal();
  if (own.contains(beside.string())) return beside.string();
  return std::nullopt;
}

std::string own_fault(const std::string& file, const std::string& header) {
  if (file == entry_header)
    return "library/training_library.h must include nothing of ours, but " + header;
  const std::string from = folder_of(file);
  const std::string to = folder_of(header);
  if (visible_from(from).contains(to)) return "";
  return from + " must not see " + to + " (" + header + ")";
}

std::string foreign_fault(const std::string& file, const std::string& header) {
  for (const Library& library : libraries()) {
    const bool belongs =
        std::any_of(library.beginnings.begin(), library.beginnings.end(),
                    [&](std::string_view beginning) { return header.starts_with(beginning); });
    if (!belongs) continue;
    if (file != entry_header && library.folders.contains(folder_of(file))) return "";
    return folder_of(file) + " must not see " + std::string(library.name) + " (" + header + ")";
  }
  return "";
}

/// Every include that breaks the rule, in the order of files and lines.
std::vector<Violation> check(const std::vector<SourceFile>& files) {
  static const std::regex include(R"re(^\s*#\s*include\s*(["<])([^">]+)[">].*)re");
  std::set<std::string> own;
  for (const SourceFile& file : files) own.insert(file.path);
  std::vector<Violation> found;
  for (const SourceFile& file : files) {
    if (folder_of(file.path).empty()) {
      found.push_back({file.path, 1, "is in no folder that the include rule knows"});
      continue;
    }
    std::istringstream lines(file.text);
    std::string line;
    for (std::size_t number = 1; std::getline(lines, line); ++number) {
      std::smatch match;
      if (!std::regex_match(line, match, include)) continue;
      const std::string header = match[2];
      const std::optional<std::string> ours = own_header(file.path, header, own);
      std::string fault = ours ? own_fault(file.path, *ours) : foreign_fault(file.path, header);
      if (!ours && fault.empty() && match[1] == "\"" && !header.starts_with("medurwkv/")) {
        fault = "is quoted but not below src/ (" + header + ")";
      }
      if (!fault.empty()) found.push_back({file.path, number, fault});
    }
  }
  return found;
}

std::vector<SourceFile> files_below(const std::filesystem::path& root) {
  static const std::set<std::string> suffixes{".h", ".hpp", ".cpp", ".c", ".inc"};
  std::vector<SourceFile> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file() || !suffixes.contains(entry.path().extension().string())) continue;
    std::ifstream in(entry.path());
    std::ostringstream text;
    text << in.rdbuf();
    files.push_back({entry.path().lexically_relative(root).generic_string(), text.str()});
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

TEST(IncludeRule, HoldsInTheSourceTree) {
  const std::vector<SourceFile> files = files_below(test::source_folder() / "src");
  ASSERT_GT(files.size(), 50U) << "the sources were not found";
  for (const Violation& violation : check(files)) ADD_FAILURE() << violation;
}

TEST(IncludeRule, TableHasNoCycle) {
  for (const auto& [folder, named] : named_folders()) {
    for (const std::string& other : named) {
      ASSERT_TRUE(named_folders().contains(other)) << folder << " names " << other;
      EXPECT_FALSE(visible_from(other).contains(folder)) << folder << " and " << other;
    }
  }
}

TEST(IncludeRule, SeeingIsTransitive) {
  EXPECT_EQ(visible_from("native"),
            (std::set<std::string>{"native", "plan", "weights", "net", "kernels", "core"}));
  EXPECT_EQ(visible_from("judge"),
            (std::set<std::string>{"judge", "data/layout", "data/polygons", "data/codecs",
                                   "data/volumes", "data/image", "core"}));
  EXPECT_FALSE(visible_from("cli").contains("train"));
  EXPECT_FALSE(visible_from("cli").contains("torch"));
}

/// One include, planted in a tree that has the headers below.
std::vector<Violation> check_planted(const std::string& file, const std::string& include) {
  static const std::array<std::string, 8> headers{
      "core/error.h",    "net/config.h",      "data/check/open.h",          "data/image/image.h",
      "native/onednn.h", "torch/torch_ops.h", "library/training_library.h", "train/trainer.h"};
  std::vector<SourceFile> files;
  for (const std::string& header : headers) {
    if (header != file) files.push_back({header, "#pragma once\n"});
  }
  files.push_back({file, "// a comment\n" + include + "\nint x;\n"});
  return check(files);
}

struct Planted {
  std::string file, include, what;
};

TEST(IncludeRule, FindsPlantedViolations) {
  const std::vector<Planted> cases{
      {"core/a.cpp", "#include \"net/config.h\"", "core must not see net (net/config.h)"},
      {"core/a.cpp", "#include <net/config.h>", "core must not see net (net/config.h)"},
      {"core/a.cpp", "  #  include \"../net/config.h\"  // no",
       "core must not see net (net/config.h)"},
      {"net/a.h", "#include \"native/onednn.h\"", "net must not see native (native/onednn.h)"},
      {"kernels/avx2/a.cpp", "#include \"net/config.h\"",
       "kernels must not see net (net/config.h)"},
      {"predict/a.cpp", "#include \"native/onednn.h\"",
       "predict must not see native (native/onednn.h)"},
      {"judge/a.cpp", "#include \"torch/torch_ops.h\"",
       "judge must not see torch (torch/torch_ops.h)"},
      {"cli/a.cpp", "#include \"train/trainer.h\"", "cli must not see train (train/trainer.h)"},
      {"cli/a.cpp", "#include \"torch/torch_ops.h\"", "cli must not see torch (torch/torch_ops.h)"},
      {"native/a.cpp", "#include <torch/version.h>",
       "native must not see LibTorch (torch/version.h)"},
      {"cli/a.cpp", "#include <ATen/ATen.h>", "cli must not see LibTorch (ATen/ATen.h)"},
      {"library/training_library.h", "#include <c10/core/Device.h>",
       "library must not see LibTorch (c10/core/Device.h)"},
      {"library/training_library.h", "#include \"core/error.h\"",
       "library/training_library.h must include nothing of ours, but core/error.h"},
      {"train/a.cpp", "#include <oneapi/dnnl/dnnl.hpp>",
       "train must not see oneDNN (oneapi/dnnl/dnnl.hpp)"},
      {"data/layout/a.cpp", "#include \"data/check/open.h\"",
       "data/layout must not see data/check (data/check/open.h)"},
      {"data/layout/a.cpp", "#include <png.h>", "data/layout must not see an image codec (png.h)"},
      {"predict/a.cpp", "#include <png.h>", "predict must not see an image codec (png.h)"},
      {"judge/a.cpp", "#include <tiffio.h>", "judge must not see an image codec (tiffio.h)"},
      {"data/layout/a.cpp", "#include <expat.h>", "data/layout must not see expat (expat.h)"},
      {"weights/a.cpp", "#include <hdf5.h>", "weights must not see HDF5 (hdf5.h)"},
      {"core/a.cpp", "#include \"core/gone.h\"", "is quoted but not below src/ (core/gone.h)"},
  };
  for (const Planted& planted : cases) {
    EXPECT_EQ(check_planted(planted.file, planted.include),
              (std::vector<Violation>{{planted.file, 2, planted.what}}))
        << planted.include << " in " << planted.file;
  }
  EXPECT_EQ(check({{"misc/a.cpp", ""}, {"a.cpp", ""}, {"data/a.cpp", ""}}).size(), 3U);
}

TEST(IncludeRule, LetsAllowedIncludesPass) {
  const std::vector<std::array<std::string, 2>> cases{
      {"native/a.cpp", "#include \"core/error.h\""},
      {"native/a.cpp", "#include <oneapi/dnnl/dnnl.hpp>"},
      {"torch/a.cpp", "#include \"torch/torch_ops.h\""},
      {"torch/a.cpp", "#include <torch/csrc/autograd/custom_function.h>"},
      {"app/a.cpp", "#include \"native/onednn.h\""},
      {"train/a.cpp", "#include <ATen/ATen.h>"},
      {"cli/a.cpp", "#include \"library/training_library.h\""},
      {"cli/a.cpp", "#include \"native/onednn.h\""},
      {"cli/a.cpp", "#include \"core/version.h\""},
      {"data/codecs/a.cpp", "#include <jpeglib.h>"},
      {"data/feed/a.cpp", "#include \"data/image/image.h\""},
      {"train/a.cpp", "#include \"data/check/open.h\""},
      {"data/codecs/h5/a.cpp", "#include <hdf5.h>"},
      {"core/a.cpp", "// #include \"net/config.h\""},
      {"core/a.cpp", "#include <vector>"},
      {"cli/a.cpp", "#include \"medurwkv/medurwkv.h\""},
  };
  for (const auto& [file, include] : cases) {
    EXPECT_EQ(check_planted(file, include), std::vector<Violation>{}) << include << " in " << file;
  }
}

}  // namespace
}  // namespace medurwkv
