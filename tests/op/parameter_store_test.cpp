// Tensors of every type of a file, read into those of a network: values that are known by hand.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "support/paths.h"
#include "torch/parameter_store.h"
#include "weights/tensor_file.h"

namespace medurwkv::torch_backend {
namespace {

using weights::DType;

/// 1.5, -2 and 0.25 as bits.
const std::vector<std::uint16_t> halves{0x3e00, 0xc000, 0x3400};
const std::vector<std::uint16_t> bfloats{0x3fc0, 0xc000, 0x3e80};
const std::vector<float> floats{1.5F, -2, 0.25F};
const std::vector<double> doubles{1.5, -2, 0.25};
const std::vector<std::int16_t> shorts{3, -2, 7};
const std::vector<std::int64_t> longs{(std::int64_t{1} << 53) + 1, -2, 7};

template <class T>
std::string_view text(const std::vector<T>& values) {
  return as_text(std::span<const T>(values));
}

TEST(ParameterStores, ReadEveryTypeIntoTheirOwn) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "types.safetensors";
  weights::write_tensor_file(path,
                             {{"f16", DType::f16, {3}, text(halves)},
                              {"bf16", DType::bf16, {3}, text(bfloats)},
                              {"f32", DType::f32, {3}, text(floats)},
                              {"f64", DType::f64, {3}, text(doubles)},
                              {"i16", DType::i16, {3}, text(shorts)},
                              {"i64", DType::i64, {3}, text(longs)},
                              {"beside", DType::f32, {3}, text(floats)}},
                             {});
  std::vector<net::ParameterSpec> specs;
  for (const char* name : {"f16", "bf16", "f32", "f64"})
    specs.push_back({.name = name, .shape = {3}});
  for (const char* name : {"i16", "i64"}) {
    specs.push_back({.name = name, .shape = {3}, .buffer = true, .integer = true});
  }
  const auto file = weights::WeightsSource::open(path);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const ParameterStore store(specs, std::nullopt, type, at::kCPU);
    read_into(file, store.destinations(file));
    for (const net::ParameterSpec& spec : specs) {
      const at::Tensor& got = store.at(spec.name);
      EXPECT_EQ(got.scalar_type(), spec.integer ? at::kLong : type) << spec.name;
      EXPECT_EQ(got.requires_grad(), !spec.integer) << spec.name;
      const at::Tensor expected = spec.name == "i64"   ? at::tensor(longs)
                                  : spec.name == "i16" ? at::tensor({3, -2, 7}, at::kLong)
                                                       : at::tensor(doubles).to(type);
      EXPECT_TRUE(at::equal(got.detach(), expected)) << spec.name << ": " << got;
    }
  }
}

TEST(ParameterStores, RefuseWhatIsNotTheirs) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "shapes.safetensors";
  weights::write_tensor_file(path, {{"p.a", DType::f32, {3}, text(floats)}}, {});
  const auto file = weights::WeightsSource::open(path);
  const auto destinations = [&](const std::string& name, const Shape& shape) {
    const ParameterStore store({{.name = name, .shape = shape}}, std::nullopt, at::kFloat,
                               at::kCPU);
    return store.destinations(file, "p.").size();
  };
  EXPECT_EQ(destinations("a", {3}), 1U);
  EXPECT_THROW(destinations("a", {3, 1}), Error);
  EXPECT_THROW(destinations("b", {3}), Error);
}

// A counter that the file lacks starts at 0.
TEST(ParameterStores, HaveTheirCountersWithoutStartValues) {
  const ParameterStore store({{.name = "n", .shape = {}, .buffer = true, .integer = true}},
                             std::nullopt, at::kFloat, at::kCPU);
  EXPECT_EQ(store.at("n").item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace medurwkv::torch_backend
