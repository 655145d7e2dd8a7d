// What the values in masks mean, decided over all masks of a set. Relies on data/codecs.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/codecs.h"
#include "data/dataset.h"

namespace medurwkv::data {

/// Pixels per value over all masks.
using ValueUse = std::array<std::int64_t, 256>;

/// Reads every mask. Throws the first Error by the order of cases.
ValueUse count_values(const std::vector<Case>& cases);

/// None when the values fit neither encoding or both. Small values (up to 20) are indices; values
/// near 0 and 255 are binary, with up to 6 % between them as resized JPEG masks have. Indices and
/// 255 with nothing in between are either classes with 255 for "ignore" or two encodings mixed.
std::optional<MaskEncoding> encoding_from_values(const ValueUse& use);

/// Whether the values are 255 and class indices (1 to 20) and nothing in between.
bool indices_beside_255(const ValueUse& use);

/// Why encoding_from_values has none, in a few words.
const char* unclear_reason(const ValueUse& use);

/// Classes, background included.
std::size_t class_count(MaskEncoding encoding, const ValueUse& use);

const char* to_string(MaskEncoding encoding);
/// Throws a usage Error.
MaskEncoding mask_encoding_from(const std::string& name);

LabelMap labels_from(MaskEncoding encoding, const MaskValues& values);

/// Names (given, or background and foreground / class 1, ...) and colours. Throws a usage Error
/// when the number of names differs.
std::vector<ClassInfo> make_classes(std::size_t count, const std::vector<std::string>& names);

}  // namespace medurwkv::data
