// A PNG that is made row by row. Relies on data/codecs/read.h; libpng stays in its .cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/model_description.h"
#include "core/output.h"
#include "data/codecs/read.h"
#include "data/image/image.h"

namespace medurwkv::data {

/// What a PNG is to hold.
struct PngForm {
  ImageSize size;
  std::int64_t channels = 1;  ///< 1 (gray) or 3 (RGB)
  bool wide = false;          ///< samples of 16 bits, in native byte order
  /// The classes whose indices the samples are; their colours become the palette. Null: no palette.
  const std::vector<ClassInfo>* labels = nullptr;
  Packing packing = Packing::small;
};

/// The bytes are those of encode_png for the same pixels.
class PngWriter {
 public:
  /// `append` gets the bytes, piece by piece. Throws what it throws.
  PngWriter(const PngForm& form, AppendBytes append);
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
  PngWriter(PngWriter&&) = delete;
  PngWriter& operator=(PngWriter&&) = delete;
  ~PngWriter();

  /// The next row, from the top; the last one ends the file.
  void row(std::span<const unsigned char> samples);

 private:
  struct State;
  std::unique_ptr<State> state_;
  AppendBytes append_;
  std::int64_t rows_ = 0;
};

}  // namespace medurwkv::data
