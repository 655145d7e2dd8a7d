// DICOM written byte by byte after PS3.5 and PS3.10, for the readers of data/volumes. Knows no
// dictionary and no DCMTK: a test says tag, value representation and value of each element.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace medurwkv::test {

/// How elements are written.
struct DicomForm {
  bool implicit = false;
  bool big = false;        ///< big endian
  bool undefined = false;  ///< sequences and items of undefined length, closed by delimiters
  std::string syntax{};    ///< the UID that the file names; empty: that of what is above

  [[nodiscard]] std::string uid() const {
    if (!syntax.empty()) return syntax;
    return implicit ? "1.2.840.10008.1.2" : big ? "1.2.840.10008.1.2.2" : "1.2.840.10008.1.2.1";
  }
};

/// A number's bytes.
template <class Number>
std::string number_bytes(Number value, bool big = false) {
  std::array<char, sizeof(Number)> raw{};
  std::memcpy(raw.data(), &value, raw.size());
  if (big) std::reverse(raw.begin(), raw.end());
  return {raw.data(), raw.size()};
}

inline std::string tag_bytes(std::uint32_t tag, bool big = false) {
  return number_bytes(static_cast<std::uint16_t>(tag >> 16U), big) +
         number_bytes(static_cast<std::uint16_t>(tag & 0xffffU), big);
}

inline constexpr std::uint32_t no_length = 0xffffffffU;

/// Tag, representation and length of an element; of items and delimiters (empty vr) no
/// representation.
inline std::string element_start(std::uint32_t tag, const std::string& vr, std::uint32_t length,
                                 const DicomForm& form = {}) {
  static const std::set<std::string> wide{"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                          "SV", "UC", "UN", "UR", "UT", "UV"};
  std::string out = tag_bytes(tag, form.big);
  if (form.implicit || vr.empty()) return out + number_bytes(length, form.big);
  if (wide.contains(vr)) return out + vr + std::string(2, '\0') + number_bytes(length, form.big);
  return out + vr + number_bytes(static_cast<std::uint16_t>(length), form.big);
}

/// A frame packed by PS3.5 annex A.4: the basic offset table and the fragments as items.
inline std::string fragments(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) {
    out += element_start(0xfffee000U, "", static_cast<std::uint32_t>(item.size())) + item;
  }
  return out + element_start(0xfffee0ddU, "", 0);
}

/// A data set, an item of a sequence, or a whole file.
class DicomBytes {
 public:
  /// Texts and bytes as they are; padded to an even length.
  DicomBytes& text(std::uint32_t tag, const std::string& vr, std::string value) {
    if (value.size() % 2 != 0) value += vr == "UI" || vr == "OB" || vr == "UN" ? '\0' : ' ';
    elements_[tag] = {.vr = vr, .bytes = std::move(value)};
    return *this;
  }
  template <class Number>
  DicomBytes& numbers(std::uint32_t tag, const std::string& vr, const std::vector<Number>& values) {
    Element one{.vr = vr, .word = sizeof(Number)};
    for (const Number value : values) one.bytes += number_bytes(value);
    if (one.bytes.size() % 2 != 0) one.bytes += '\0';
    elements_[tag] = std::move(one);
    return *this;
  }
  DicomBytes& us(std::uint32_t tag, int value) {
    return numbers<std::uint16_t>(tag, "US", {static_cast<std::uint16_t>(value)});
  }
  DicomBytes& sequence(std::uint32_t tag, std::vector<DicomBytes> items) {
    elements_[tag] = {.vr = "SQ", .items = std::move(items)};
    return *this;
  }
  /// Pixels in fragments, as fragments() makes them.
  DicomBytes& packed(const std::string& items, const std::string& vr = "OB") {
    elements_[0x7fe00010U] = {.vr = vr, .bytes = items, .undefined = true};
    return *this;
  }
  /// Bytes of an element, its start included, as they are.
  DicomBytes& raw(std::uint32_t place, std::string bytes) {
    elements_[place] = {.bytes = std::move(bytes), .is_raw = true};
    return *this;
  }
  DicomBytes& without(std::uint32_t tag) {
    elements_.erase(tag);
    return *this;
  }

  /// The elements in the order of their tags.
  [[nodiscard]] std::string set(const DicomForm& form = {}) const {
    std::string out;
    for (const auto& [tag, one] : elements_) out += encoded(tag, one, form);
    return out;
  }

  /// Preamble, meta information and elements.
  [[nodiscard]] std::string file(const DicomForm& form = {}) const {
    return start(form) + set(form);
  }

  /// What stands before the elements.
  static std::string start(const DicomForm& form = {}) {
    DicomBytes meta;
    meta.text(0x00020001U, "OB", std::string("\0\1", 2));
    meta.text(0x00020002U, "UI", "1.2.840.10008.5.1.4.1.1.7");
    meta.text(0x00020003U, "UI", "1.2.3.4");
    meta.text(0x00020010U, "UI", form.uid());
    meta.text(0x00020012U, "UI", "1.2.3");
    const std::string rest = meta.set();
    std::string out(128, '\0');
    out += "DICM";
    out += element_start(0x00020000U, "UL", 4);
    out += number_bytes(static_cast<std::uint32_t>(rest.size()));
    return out + rest;
  }

 private:
  struct Element {
    std::string vr{};
    std::string bytes{};   ///< little endian
    std::size_t word = 1;  ///< so many bytes are a number
    std::vector<DicomBytes> items{};
    bool undefined = false;
    bool is_raw = false;
  };

  static std::string encoded(std::uint32_t tag, const Element& one, const DicomForm& form) {
    if (one.is_raw) return one.bytes;
    if (one.vr != "SQ") {
      std::string bytes = one.bytes;
      for (std::size_t i = 0; form.big && i + one.word <= bytes.size(); i += one.word) {
        std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                     bytes.begin() + static_cast<std::ptrdiff_t>(i + one.word));
      }
      const auto length = one.undefined ? no_length : static_cast<std::uint32_t>(bytes.size());
      return element_start(tag, one.vr, length, form) + bytes;
    }
    std::string items;
    for (const DicomBytes& item : one.items) {
      const std::string own = item.set(form);
      const auto length = form.undefined ? no_length : static_cast<std::uint32_t>(own.size());
      items += element_start(0xfffee000U, "", length, form) + own;
      if (form.undefined) items += element_start(0xfffee00dU, "", 0, form);
    }
    const auto length = form.undefined ? no_length : static_cast<std::uint32_t>(items.size());
    if (form.undefined) items += element_start(0xfffee0ddU, "", 0, form);
    return element_start(tag, "SQ", length, form) + items;
  }

  std::map<std::uint32_t, Element> elements_;
};

/// A decimal string.
inline std::string decimals(const std::vector<double>& values) {
  std::string out;
  for (const double value : values) {
    std::array<char, 32> one{};
    std::snprintf(one.data(), one.size(), "%.10g", value);
    out += (out.empty() ? "" : "\\") + std::string(one.data());
  }
  return out;
}

/// What describes gray pixels; no place and no pixels yet.
inline DicomBytes dicom_image(int columns, int rows, int bits) {
  return DicomBytes()
      .text(0x00080016U, "UI", "1.2.840.10008.5.1.4.1.1.7")
      .text(0x00080018U, "UI", "1.2.3.4")
      .text(0x00080060U, "CS", "OT")
      .us(0x00280002U, 1)
      .text(0x00280004U, "CS", "MONOCHROME2")
      .us(0x00280010U, rows)
      .us(0x00280011U, columns)
      .us(0x00280100U, bits)
      .us(0x00280101U, bits)
      .us(0x00280102U, bits - 1)
      .us(0x00280103U, 0);
}

/// A slice of a series of CT: pixels 0.5 mm wide and 0.25 mm high.
struct DicomSlicePlace {
  std::array<double, 3> position{};
  std::array<double, 6> orientation{1, 0, 0, 0, 1, 0};
  std::string instance = "1.2.3.4";
  std::string series = "1.2.3";
  std::string number = "1";
};

inline DicomBytes& placed(DicomBytes& out, const DicomSlicePlace& place) {
  const auto& p = place.position;
  const auto& o = place.orientation;
  return out.text(0x00080016U, "UI", "1.2.840.10008.5.1.4.1.1.2")
      .text(0x00080018U, "UI", place.instance)
      .text(0x00080060U, "CS", "CT")
      .text(0x0020000dU, "UI", "1.2")
      .text(0x0020000eU, "UI", place.series)
      .text(0x00200011U, "IS", place.number)
      .text(0x00200032U, "DS", decimals({p.begin(), p.end()}))
      .text(0x00200037U, "DS", decimals({o.begin(), o.end()}))
      .text(0x00200052U, "UI", "1.2.9")
      .text(0x00280030U, "DS", decimals({0.25, 0.5}));
}

}  // namespace medurwkv::test
