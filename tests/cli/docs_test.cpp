// The commands that pages of docs/ show, run as a reader would in a new folder that holds the
// bundled images as `demo` and a small teacher: they end as the page says and print what it shows.
// A page that shows commands is added to the list at the end.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "support/doc_page.h"
#include "support/paths.h"
#include "support/scans.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

class DocPage : public ::testing::TestWithParam<std::string> {};

/// The first of the lines that does not follow the others in `output`, or empty.
std::string missing_line(const std::vector<std::string>& lines, const std::string& output) {
  std::vector<std::string> printed = split(output, '\n');
  auto at = printed.begin();
  for (const std::string& line : lines) {
    while (at != printed.end() && trim(*at) != trim(line)) ++at;
    if (at == printed.end()) return line;
    ++at;
  }
  return {};
}

TEST_P(DocPage, ShowsCommandsThatWork) {
  const fs::path page = test::source_folder() / "docs" / GetParam();
  const std::vector<test::DocBlock> blocks = test::doc_blocks(page);
  ASSERT_FALSE(blocks.empty());
  const test::TemporaryFolder folder;
  fs::copy(test::source_folder() / "data/demo", folder.path() / "demo",
           fs::copy_options::recursive);
  if (GetParam() == "dicom.md") test::Scans().write(folder.path() / "scans");
  if (GetParam() == "volumes.md") test::Scans().write_as_nifti(folder.path() / "volumes");
  for (const char* file : {"teacher.ts", "teacher.json"}) {
    fs::copy(test::source_folder() / "tests/cli/data" / file, folder.path() / file);
  }
  const fs::path script = folder.path() / ".commands";
  const fs::path output = folder.path() / ".output";
  for (const test::DocBlock& block : blocks) {
    const std::string program = test::program_file().parent_path().string();
    write_file(script, concat("set -e -o pipefail\ncd '", folder.path().string(), "'\nPATH='",
                              program, "':$PATH\n", block.commands));
    const int status = std::system(  // NOLINT(cert-env33-c): a shell is what the page is for
        concat("bash '", script.string(), "' >'", output.string(), "' 2>&1 </dev/null").c_str());
    const std::string printed = read_file(output);
    ASSERT_TRUE(WIFEXITED(status)) << GetParam() << ":" << block.line;
    ASSERT_EQ(WEXITSTATUS(status), block.exit_code) << GetParam() << ":" << block.line << "\n"
                                                    << block.commands << printed;
    EXPECT_EQ(missing_line(block.shown, printed), "")
        << "is shown in " << GetParam() << ":" << block.line << " and not printed:\n"
        << printed;
  }
}

INSTANTIATE_TEST_SUITE_P(Pages, DocPage,
                         ::testing::Values("read-data.md", "check-data.md", "split-data.md",
                                           "pack-data.md", "preview-data.md", "train.md",
                                           "pretrain.md", "judge.md", "compare.md", "predict.md",
                                           "export.md", "dicom.md", "volumes.md", "cluster.md",
                                           "troubleshooting.md"),
                         [](const auto& with) {
                           return with.param.substr(0, with.param.find_first_of("-."));
                         });

}  // namespace
}  // namespace medurwkv
