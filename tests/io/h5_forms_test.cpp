// HDF5 in the forms that h5py and PyTables write: bool, enumerations, narrow and wide numbers,
// filters; what is not read or could lead HDF5 astray is refused by name.
#ifdef MEDURWKV_H5
#include <gtest/gtest.h>
#include <hdf5.h>
#include <lzf.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/memory.h"
#include "data/codecs/arrays.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "support/array_files.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

constexpr hsize_t width = 20;
constexpr hsize_t height = 16;
constexpr hsize_t pixels = width * height;
constexpr H5Z_filter_t lzf = 32000;

/// An array of height x width under the name `image`.
struct Form {
  hid_t type = H5T_NATIVE_UINT8;
  std::vector<unsigned> filters = {};  ///< of HDF5's own, in their order
  H5Z_filter_t foreign = 0;            ///< behind them, set without being applied
  std::vector<unsigned> values = {};   ///< the foreign filter's
  std::vector<hsize_t> chunk = {height, width};
  bool written = true;
};

class H5Forms : public ::testing::Test {
 protected:
  /// Elements as they lie in memory; of a foreign filter the bytes of the one chunk.
  ImageSource write(const Form& form, const std::string& elements) const {
    H5Zunregister(lzf);  // which the library under test registered, without an encoder
    const ImageSource source{folder_.path() / "a.h5", "image"};
    const hid_t file = H5Fcreate(source.file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const std::array<hsize_t, 2> shape{height, width};
    const std::array<hsize_t, 2> most{H5S_UNLIMITED, H5S_UNLIMITED};
    const hid_t space = H5Screate_simple(2, shape.data(), most.data());
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 2, form.chunk.data());
    for (const unsigned filter : form.filters) {
      if (filter == H5Z_FILTER_SHUFFLE) H5Pset_shuffle(properties);
      if (filter == H5Z_FILTER_DEFLATE) H5Pset_deflate(properties, 4);
      if (filter == H5Z_FILTER_FLETCHER32) H5Pset_fletcher32(properties);
      if (filter == H5Z_FILTER_SZIP) H5Pset_szip(properties, H5_SZIP_NN_OPTION_MASK, 8);
      if (filter == H5Z_FILTER_NBIT) H5Pset_nbit(properties);
      if (filter == H5Z_FILTER_SCALEOFFSET) H5Pset_scaleoffset(properties, H5Z_SO_INT, 0);
    }
    if (form.foreign != 0) {
      H5Pset_filter(properties, form.foreign, H5Z_FLAG_OPTIONAL, form.values.size(),
                    form.values.data());
    }
    const hid_t array =
        H5Dcreate2(file, "image", form.type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    EXPECT_GE(array, 0);
    const std::array<hsize_t, 2> first{0, 0};
    if (form.foreign != 0) {
      EXPECT_GE(
          H5Dwrite_chunk(array, H5P_DEFAULT, 0, first.data(), elements.size(), elements.data()), 0);
    } else if (form.written) {
      EXPECT_GE(H5Dwrite(array, form.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements.data()), 0);
    }
    H5Dclose(array);
    H5Pclose(properties);
    H5Sclose(space);
    H5Fclose(file);
    return source;
  }
  test::TemporaryFolder folder_;
};

/// 0 and 1 in no simple order, as bytes.
std::string bits() {
  std::string out;
  for (hsize_t i = 0; i < pixels; ++i) out += static_cast<char>(i * i / 7 % 2);
  return out;
}

void expect_bits(const ImageSource& source) {
  const MaskPixels mask = read_mask(source);
  EXPECT_EQ(std::string(mask.values.begin(), mask.values.end()), bits());
  EXPECT_EQ(mask.width, static_cast<std::int64_t>(width));
}

hid_t enumeration(const std::vector<const char*>& names) {
  const hid_t out = H5Tenum_create(H5T_NATIVE_INT8);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto value = static_cast<std::int8_t>(i);
    H5Tenum_insert(out, names[i], &value);
  }
  return out;
}

TEST_F(H5Forms, WhatH5pyWrote) {
  const fs::path file = test::source_folder() / "tests/golden/data/h5py_lzf.h5";
  const std::vector<ArrayInfo> arrays = list_arrays(file);
  ASSERT_EQ(arrays.size(), 2U);
  EXPECT_EQ(arrays[1].type, NpyType::boolean);
  const Image image = read_image({file, "image"});
  const MaskPixels mask = read_mask({file, "label"});
  ASSERT_EQ(image.type, SampleType::f32);
  for (std::int64_t y = 0; y < 16; ++y) {
    for (std::int64_t x = 0; x < 20; ++x) {
      EXPECT_EQ(image.value(x, y, 0), static_cast<float>(x + 20 * y) / 512);
      EXPECT_EQ(mask.values[static_cast<std::size_t>(20 * y + x)], (x / 5 + y / 4) % 2);
    }
  }
}

TEST_F(H5Forms, BoolAndEnumerations) {
  const hid_t boolean = enumeration({"FALSE", "TRUE"});
  expect_bits(write({.type = boolean}, bits()));
  EXPECT_EQ(list_arrays(folder_.path() / "a.h5").at(0).type, NpyType::boolean);
  const hid_t named = enumeration({"background", "lesion", "vessel"});
  expect_bits(write({.type = named}, bits()));
  EXPECT_EQ(list_arrays(folder_.path() / "a.h5").at(0).type, NpyType::i8);
  H5Tclose(boolean);
  H5Tclose(named);
  expect_bits(write({.type = H5T_NATIVE_B8}, bits()));  // PyTables' bool
}

template <class Number>
std::string elements(const Number& scale) {
  std::string out;
  for (const char bit : bits()) {
    const Number value = static_cast<Number>(bit) * scale;
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return out;
}

TEST_F(H5Forms, EveryNumberOfNumPy) {
  expect_bits(write({.type = H5T_NATIVE_INT8}, elements<std::int8_t>(1)));
  expect_bits(write({.type = H5T_NATIVE_UINT16}, elements<std::uint16_t>(1)));
  expect_bits(write({.type = H5T_NATIVE_INT16}, elements<std::int16_t>(1)));
  expect_bits(write({.type = H5T_NATIVE_UINT32}, elements<std::uint32_t>(1)));
  expect_bits(write({.type = H5T_NATIVE_INT32}, elements<std::int32_t>(1)));
  expect_bits(write({.type = H5T_NATIVE_UINT64}, elements<std::uint64_t>(1)));
  expect_bits(write({.type = H5T_NATIVE_INT64}, elements<std::int64_t>(1)));
  expect_bits(write({.type = H5T_NATIVE_FLOAT}, elements<float>(1)));
  expect_bits(write({.type = H5T_NATIVE_DOUBLE}, elements<double>(1)));
  const auto refused = test::refusal_of([&] {
    return read_mask(write({.type = H5T_NATIVE_UINT64}, elements<std::uint64_t>(1ULL << 40)));
  });
  ASSERT_TRUE(refused) << "a label of 2^40";
  EXPECT_TRUE(refused->names("a.h5") && refused->names("65535")) << refused->message;
}

TEST_F(H5Forms, BigEndianNumbersToo) {
  std::string swapped;
  for (const char bit : bits()) swapped += std::string(3, '\0') + bit;
  expect_bits(write({.type = H5T_STD_I32BE}, swapped));
}

TEST_F(H5Forms, FiltersOfHdf5) {
  for (const std::vector<unsigned>& filters : {std::vector<unsigned>{},
                                               {H5Z_FILTER_DEFLATE},
                                               {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE},
                                               {H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32}}) {
    expect_bits(write({.type = H5T_NATIVE_INT64, .filters = filters}, elements<std::int64_t>(1)));
  }
  expect_bits(write({.filters = {H5Z_FILTER_DEFLATE}, .chunk = {5, 7}}, bits()));
}

std::string packed(const std::string& plain) {
  std::string out(2 * plain.size(), '\0');
  out.resize(lzf_compress(plain.data(), static_cast<unsigned>(plain.size()), out.data(),
                          static_cast<unsigned>(out.size())));
  return out;
}

Form lzf_form(unsigned chunk_bytes) {
  return {.foreign = lzf, .values = {4, 0x105, chunk_bytes}};
}

TEST_F(H5Forms, Lzf) {
  expect_bits(write(lzf_form(pixels), packed(bits())));
  const std::string black(pixels, '\0');
  const MaskPixels empty = read_mask(write(lzf_form(pixels), packed(black)));
  EXPECT_EQ(std::string(empty.values.begin(), empty.values.end()), black);
}

std::string refusal(const ImageSource& source) {
  const auto refused = test::refusal_of([&] { return read_image(source); });
  EXPECT_TRUE(refused);
  if (!refused) return "";
  EXPECT_EQ(refused->kind, ErrorKind::failure);
  EXPECT_TRUE(refused->names("a.h5")) << refused->message;
  return refused->message;
}

#define EXPECT_NAMES(message, part) EXPECT_NE((message).find(part), std::string::npos) << (message)

TEST_F(H5Forms, LzfOfAnotherSizeThanItsChunk) {
  for (const unsigned claim : {0U, 1U, 319U, 321U, 4294967295U}) {
    EXPECT_NAMES(refusal(write(lzf_form(claim), packed(bits()))), "LZF");
  }
  EXPECT_NAMES(refusal(write({.foreign = lzf, .values = {4}}, packed(bits()))), "LZF");
  // The chunk's own bytes: more, fewer, none that LZF knows.
  const std::string good = packed(bits());
  for (const std::string& bytes :
       {packed(bits() + "x"), packed(bits().substr(1)), good.substr(0, good.size() / 2),
        std::string(1, '\0'), std::string(40, '\xff')}) {
    EXPECT_NAMES(refusal(write(lzf_form(pixels), bytes)), "damaged");
  }
}

// Other bytes give other pixels or a refusal, and never more than a chunk.
TEST_F(H5Forms, DamagedLzfEndsWell) {
  const std::string good = packed(bits());
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x95);
    const ImageSource source = write(lzf_form(pixels), bytes);
    const auto refused = test::refusal_of([&] { return read_image(source); });
    if (refused) {
      EXPECT_NAMES(refused->message, "damaged");
    }
  }
}

TEST_F(H5Forms, OtherFiltersAreNamedByNumber) {
  const std::string message = refusal(write({.foreign = 32001, .values = {2, 2, 1}}, bits()));
  for (const char* part : {"32001", "not read", "gzip"}) EXPECT_NAMES(message, part);
}

TEST_F(H5Forms, WhatCannotBeRead) {
  EXPECT_NAMES(refusal(write({.written = false}, "")), "never written");
  const Form large{.foreign = 32001, .chunk = {60000, 60000}};
  EXPECT_NAMES(refusal(write(large, "a few bytes")), "1.1 GB");
}

/// A file with a label of 4 x 4, and whatever `add` puts beside it.
template <class Add>
ImageSource beside_a_label(const fs::path& path, const Add& add) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  test::add_h5_array(
      file, test::NamedArray<std::uint8_t>{"label", {4, 4}, std::vector<std::uint8_t>(16, 1)});
  add(file);
  H5Fclose(file);
  return {path};
}

// `predict` once segmented the label.
TEST_F(H5Forms, ALabelIsNeverTakenForTheImage) {
  const fs::path path = folder_.path() / "a.h5";
  const auto refuse = [&](const auto& add) {
    const ImageSource source = beside_a_label(path, add);
    return refusal(source);
  };
  EXPECT_NAMES(refuse([](hid_t) {}), "no array named image or img; it holds label");
  const auto of_type = [](hid_t type) {
    return [type](hid_t file) {
      const std::array<hsize_t, 2> shape{4, 4};
      const hid_t space = H5Screate_simple(2, shape.data(), nullptr);
      H5Dclose(H5Dcreate2(file, "image", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      H5Sclose(space);
    };
  };
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 8);
  const hid_t pair = H5Tcreate(H5T_COMPOUND, 8);
  H5Tinsert(pair, "real", 0, H5T_NATIVE_FLOAT);
  H5Tinsert(pair, "imaginary", 4, H5T_NATIVE_FLOAT);
  for (const hid_t type : {text, pair}) EXPECT_NAMES(refuse(of_type(type)), "array image");
  H5Tclose(text);
  H5Tclose(pair);
  EXPECT_NAMES(refuse([](hid_t file) {
                 H5Gclose(H5Gcreate2(file, "image", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
               }),
               "array image");
  EXPECT_NAMES(refuse([](hid_t file) {
                 H5Lcreate_external("other.h5", "/image", file, "image", H5P_DEFAULT, H5P_DEFAULT);
               }),
               "array image");
  refuse([](hid_t file) {
    test::add_h5_array(file,
                       test::NamedArray<float>{"image", {1, 1, 4, 4}, std::vector<float>(16)});
  });
}

/// Shape and chunks of an array of float64 of which one chunk was written.
ImageSource one_chunk_of(const fs::path& path, std::vector<hsize_t> shape,
                         std::vector<hsize_t> chunk) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const auto rank = static_cast<int>(shape.size());
  const hid_t space = H5Screate_simple(rank, shape.data(), nullptr);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, rank, chunk.data());
  const hid_t array =
      H5Dcreate2(file, "image", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  const std::vector<hsize_t> first(shape.size(), 0);
  const hid_t one = H5Screate_simple(rank, chunk.data(), nullptr);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, first.data(), nullptr, chunk.data(), nullptr);
  std::size_t count = 1;
  for (const hsize_t side : chunk) count *= side;
  const std::vector<double> values(count, 1);
  EXPECT_GE(H5Dwrite(array, H5T_NATIVE_DOUBLE, one, space, H5P_DEFAULT, values.data()), 0);
  for (const hid_t id : {one, space}) H5Sclose(id);
  H5Dclose(array);
  H5Pclose(properties);
  H5Fclose(file);
  return {path, "image"};
}

// 2 KB once asked for 7 GB, and what was never written was read as black.
TEST_F(H5Forms, WhatWasNeverWrittenIsNotRead) {
  const fs::path path = folder_.path() / "a.h5";
  const ImageSource large = one_chunk_of(path, {16000, 16000}, {8, 8});
  EXPECT_LT(fs::file_size(path), 10'000U);
  const std::int64_t before = peak_memory();
  EXPECT_NAMES(refusal(large), "a part of the array was never written");
  EXPECT_LT(peak_memory() - before, 50'000'000);
  ImageSource slices = one_chunk_of(path, {4, 8, 8}, {1, 8, 8});
  slices.slice = 0;
  EXPECT_FALSE(test::refusal_of([&] { return read_image(slices); }));
  slices.slice = 1;
  EXPECT_NAMES(refusal(slices), "never written");
}

/// Zeros of this number, deflated piece by piece.
std::string deflated(std::size_t zeros) {
  z_stream stream{};
  deflateInit(&stream, 1);
  std::array<Bytef, 1 << 16> in{};
  std::array<Bytef, 1 << 12> out{};
  std::string packed;
  for (std::size_t left = zeros, now = 0; left > 0 || now == 0; left -= now) {
    now = std::min(left, in.size());
    stream.next_in = in.data();
    stream.avail_in = static_cast<uInt>(now);
    do {
      stream.next_out = out.data();
      stream.avail_out = static_cast<uInt>(out.size());
      deflate(&stream, left == now ? Z_FINISH : Z_NO_FLUSH);
      packed.append(reinterpret_cast<char*>(out.data()), out.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  return packed;
}

// HDF5 unpacks a chunk to its end, whatever its size is to be.
TEST_F(H5Forms, AChunkUnpacksToItsOwnBytes) {
  const auto chunk_of = [&](std::size_t bytes) {
    return write({.foreign = H5Z_FILTER_DEFLATE, .values = {9}}, deflated(bytes));
  };
  EXPECT_FALSE(test::refusal_of([&] { return read_image(chunk_of(pixels)); }));
  const ImageSource bomb = chunk_of(300'000'000);
  const std::int64_t before = peak_memory();
  EXPECT_NAMES(refusal(bomb), "does not unpack to the size that the array states");
  EXPECT_LT(peak_memory() - before, 50'000'000);
  EXPECT_NAMES(refusal(chunk_of(pixels - 1)), "does not unpack");
}

TEST_F(H5Forms, FiltersThatLeaveOutBits) {
  expect_bits(write({.filters = {H5Z_FILTER_SCALEOFFSET}}, bits()));
  expect_bits(write({.filters = {H5Z_FILTER_NBIT, H5Z_FILTER_DEFLATE}}, bits()));
}

// SZIP says in a chunk's first bytes what it unpacks to.
TEST_F(H5Forms, SzipOfAnotherSizeThanItsChunk) {
  if (H5Zfilter_avail(H5Z_FILTER_SZIP) <= 0) GTEST_SKIP() << "this HDF5 has no SZIP";
  expect_bits(write({.filters = {H5Z_FILTER_SZIP}}, bits()));
  const std::string claim("\xff\xff\xff\x7f", 4);
  const ImageSource large = write({.foreign = H5Z_FILTER_SZIP, .values = {141, 8, 8, width}},
                                  claim + std::string(40, '\1'));
  const std::int64_t before = peak_memory();
  EXPECT_NAMES(refusal(large), "does not unpack to the size that the array states");
  EXPECT_LT(peak_memory() - before, 50'000'000);
}

}  // namespace
}  // namespace medurwkv::data
#endif
