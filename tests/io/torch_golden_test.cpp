// Checkpoints as torch.save wrote them, against their twins in safetensors. Files and twins are in
// the shared folder, with a manifest that says where in each checkpoint the state dict lies.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/read_weights.h"

namespace medurwkv::weights {
namespace {

TEST(TorchGolden, EveryCheckpointEqualsItsTwin) {
  const auto folder = test::shared_folder() / "golden";
  if (!std::filesystem::exists(folder / "pth")) {
    GTEST_SKIP() << "no checkpoints in " << folder / "pth"
                 << " (set MEDURWKV_SHARED)";
  }
  std::ifstream in(folder / "manifest.json");
  const nlohmann::json manifest = nlohmann::json::parse(in);
  int read = 0;
  for (const nlohmann::json& entry : manifest.at("files")) {
    const auto name = entry.at("file").get<std::string>();
    if (!name.ends_with(".pth")) continue;
    ++read;
    const TensorFile file = test::read_weights(folder / name);
    const auto pieces = test::pieces_of(WeightsSource::open(folder / name));
    const TensorFile twin = test::read_weights(folder / entry.at("expected").get<std::string>());
    EXPECT_EQ(file.kind(),
              entry.at("container") == "zip" ? FileKind::torch_zip : FileKind::torch_legacy);
    EXPECT_EQ(twin.kind(), FileKind::safetensors);
    std::string path;
    if (entry.contains("notes") && entry.at("notes").contains("path")) {
      for (const nlohmann::json& part : entry.at("notes").at("path")) {
        path += part.get<std::string>() + ".";
      }
    }
    EXPECT_FALSE(twin.tensors().empty()) << name;
    for (const TensorInfo& expected : twin.tensors()) {
      ASSERT_TRUE(file.contains(path + expected.name)) << name << " " << path + expected.name;
      const TensorInfo& tensor = file.info(path + expected.name);
      EXPECT_EQ(tensor.type, expected.type) << name << " " << expected.name;
      EXPECT_EQ(tensor.shape, expected.shape) << name << " " << expected.name;
      EXPECT_EQ(file.data(tensor), twin.data(expected)) << name << " " << expected.name;
      const auto in_pieces = pieces.find(tensor.name);
      EXPECT_EQ(in_pieces == pieces.end() ? "" : in_pieces->second, twin.data(expected))
          << name << " " << expected.name;
    }
  }
  EXPECT_EQ(read, 28) << "checkpoints in the manifest";
}

}  // namespace
}  // namespace medurwkv::weights
